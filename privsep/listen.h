/*
 * Listening sockets, opened as root by ided's start and, for a new
 * configuration, by isolation.
 */
#ifndef PRIVSEP_LISTEN_H
#define PRIVSEP_LISTEN_H

#include <stddef.h>

#include "conf.h"

/* A non-blocking, close-on-exec listening socket, or -1 with errno
 * and a sentence in err. */
int listen_open(const struct conf_listen *l, char *err, size_t errlen);
/*
 * Sockets that were handed over by a service manager or by a predecessor:
 * LISTEN_PID and LISTEN_FDS of the environment, sd_listen_fds(3).  Both are taken
 * out of it.  listen_open() takes one whose address is the one wanted instead of
 * a new socket; listen_inherit_end() closes what nobody wanted.
 */
unsigned int listen_inherit(void);
void listen_inherit_end(void);
/* idectl's: SOCK_SEQPACKET, root only; replaces what a dead ided left. */
int listen_control(const char *runtime, char *err, size_t errlen);
/* Address as people write it. */
void listen_name(const struct conf_listen *l, char *buf, size_t len);

#endif
