/*
 * Connections to ports of a sandbox.  ide-session, which nobody trusts, makes
 * them; each process that one passes through on its way to a worker looks at it.
 */
#ifndef PRIVSEP_PORT_H
#define PRIVSEP_PORT_H

#include <stdbool.h>
#include <stdint.h>

/* Is it a TCP connection to that port of the loopback interface that it sees? */
bool port_socket_ok(int fd, uint16_t port);

#endif
