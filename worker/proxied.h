/*
 * Whom a proxy in front speaks for: the PROXY protocol, versions 1 and 2, as its
 * header stands before the client's first byte.
 */
#ifndef WORKER_PROXIED_H
#define WORKER_PROXIED_H

#include <stddef.h>
#include <stdint.h>

#include "../privsep/wire.h"
#include "worker.h"

#define PROXIED_MAX 4096 /* bytes of a header, what the proxy adds to it included */

enum proxied_result {
	PROXIED_ERROR = -1,
	PROXIED_MORE = 0,
	PROXIED_DONE = 1,
};

/*
 * buf[0..len) is what there is: at DONE, *size bytes of it are the header, and source
 * is who it names (unix_peer: nobody; the proxy itself, or one without an address).
 * At MORE, all of it is header.
 */
enum proxied_result proxied_parse(
    const uint8_t *buf, size_t len, struct wire_addr *source, size_t *size);

/* Reads the header off the socket, and not a byte more; then calls done, once. */
void proxied_start(struct worker *, int fd, void (*done)(const struct wire_addr *));

#endif /* WORKER_PROXIED_H */
