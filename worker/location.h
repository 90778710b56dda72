/*
 * Services of the site's own (location in ided.conf(5)), at paths of the main origin.
 *
 *	location.c		which one a path means; requests for one
 *	location_head.c		what its service is told, and not told
 *	location_file.c		those that are folders of files
 *
 * Which one it is decides who may have it.  So a path must mean the same however it
 * is read: decoded once or again, with slashes in a row as one, whatever the case of
 * its letters, with or without what follows a ';'.  One that does not is refused.
 */
#ifndef WORKER_LOCATION_H
#define WORKER_LOCATION_H

#include <openssl/ssl.h>

#include <event2/buffer.h>

#include "../privsep/circuit.h"
#include "assertion.h"
#include "stream.h"
#include "worker.h"

struct location {
	const struct conf_location *conf;
	uint8_t id[WIRE_LOCATION];
	size_t len;                 /* of its prefix */
	SSL_CTX *tls;               /* it is reached by TLS, and verified by this */
	char name[CONF_DOMAIN_MAX]; /* in its certificate */
	struct circuit circuit;

	struct assertion said; /* to it, about the user */
};

/* In the zygote. */
void location_prepare(const struct conf_for_worker *conf);

enum location_match {
	LOCATION_NONE,
	LOCATION_ONE,
	LOCATION_UNCLEAR, /* it depends on who reads it */
};
/* path: decoded; "" when it has no plain form.  raw: as it came. */
enum location_match location_match(
    const char *path, struct slice raw, struct location **found);
struct circuit *location_circuit(const struct location *);
/* Would it be one with a '/' at its end? */
bool location_lacks_slash(const char *path);

/* The route of all of them. */
extern const struct route location_route;
struct location *location_of(const struct stream *s);

/* --- location_head.c --- */

/* The path for the service, and its query. */
void location_target(
    struct evbuffer *out, const struct stream *s, const struct location *l);
/* Is a header, in whatever spelling a program takes for it, ided's own to say? */
bool location_reserved(struct slice name);
/* Is a client's header left out, as ided or the configuration says that itself? */
bool location_drops(const struct location *l, struct slice name);
/* "Host" as the configuration says it; absent if it does not. */
struct slice location_host(const struct location *l);
/* Who it is, and what the configuration adds. */
void location_headers(
    struct evbuffer *out, const struct stream *s, const struct location *l);

/* --- location_file.c --- */

void location_file(struct stream *s, const struct location *l);

#endif /* WORKER_LOCATION_H */
