/* An address as people write it; "unix" for the other end of a local socket. */
#ifndef PRIVSEP_ADDR_TEXT_H
#define PRIVSEP_ADDR_TEXT_H

#include <netinet/in.h>

#include "wire.h"

/* Returns buf. */
const char *addr_text(const struct wire_addr *, char buf[INET6_ADDRSTRLEN]);

#endif
