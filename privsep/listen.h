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
/* idectl's: SOCK_SEQPACKET, root only; replaces what a dead ided left. */
int listen_control(const char *runtime, char *err, size_t errlen);
/* Address as people write it. */
void listen_name(const struct conf_listen *l, char *buf, size_t len);

#endif
