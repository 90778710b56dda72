/*
 * idectl: one more peer of the message table, over the control socket.
 */
#ifndef IDECTL_IDECTL_H
#define IDECTL_IDECTL_H

#include <stdbool.h>
#include <stdint.h>

#include "../../privsep/chan.h"

enum {
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
};

#define CTL_WAIT 150 /* seconds; ided's own limits are below */

extern bool json; /* -j */

/* connect.c: fatal, with a message, when ided cannot be reached or is silent. */
void ctl_connect(const char *path);
void ctl_send(enum msg_type, int fd, const void *payload, size_t len);
void ctl_recv(struct msg *, int timeout);
int ctl_fd(void);
_Noreturn void die(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* print.c: rows are gathered and printed by print_end(). */
enum shape {
	SHAPE_TEXT,
	SHAPE_LIST,
	SHAPE_ONE,
};

void print_row(const struct msg *);
void print_end(enum shape, const char *text);
void print_fail(const struct m_fail *);

/* values.c: "memory=512M" of a user; {"a":1}; "3000"; "12h" in seconds. */
void limit_set(struct m_account_limits *, const char *arg);
void metadata_set(char metadata[WIRE_METADATA], const char *arg);
uint32_t port_value(const char *);
uint64_t period_value(const char *);

/* password.c: from the terminal, twice, or one line of standard input. */
void password_read(char *buf, size_t size);

/* exec.c: returns the exit status. */
int exec_run(const char *user, char **argv);

/* code.c: user NULL is the one whose sandbox is the only one; the exit status. */
int code_open(const char *user, const char *options, char **files);
int code_ext(const char *user, const char *verb, char **names);

/* upgrade.c: options are ided's own, ended by NULL; returns the exit status. */
int upgrade_run(const char *program, char *options[]);

#endif
