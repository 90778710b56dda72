/*
 * The audit trail to syslog: a datagram for each record, once it is on the disk.
 * Isolation connects the socket; auth, which has no folder, gets its descriptor.
 *
 * Nothing ever waits for a syslog service.  What it does not take yet stays in a
 * queue of bounded size; what does not fit there is lost to it, and counted.
 */
#ifndef AUTH_AUDIT_SYSLOG_H
#define AUTH_AUDIT_SYSLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../wire.h"

/* As the configuration says; another socket is to come, or none. */
void audit_syslog_config(bool on, unsigned int facility);
void audit_syslog_take(int fd);
/* A record and its line. */
void audit_syslog_add(int level, const struct m_audit *, const char *line, size_t len);
/* What was added is on the disk. */
void audit_syslog_durable(void);
/* Lost since it was asked last. */
uint64_t audit_syslog_lost(void);
/* True: another socket is wanted. */
bool audit_syslog_tick(void);
void audit_syslog_close(void);

#endif
