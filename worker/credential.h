/*
 * What a request shows of who sends it: the cookie, or a bearer token of one of three
 * kinds (RFC 6750).  A bearer token counts alone: one that is bad is not made good by
 * a cookie beside it.
 */
#ifndef WORKER_CREDENTIAL_H
#define WORKER_CREDENTIAL_H

#include "../privsep/wire.h"
#include "stream.h"

/* What a request shows: 256 bits, or of a JWT the SHA-256 of its text. */
enum credential_kind {
	CRED_SESSION, /* the cookie, or the same as a bearer token */
	CRED_JWT,
	CRED_API,
	CRED_PORT,  /* the cookie of a port's origin */
	CRED_SHARE, /* ... of one that somebody shares */
};

/* 1 there is one, 0 there is none that could be good, -1 two cookies. */
int credential(struct stream *s, uint8_t token[WIRE_TOKEN], uint8_t *kind);
/* Is it one of our own tokens, in a header that may be for somebody else? */
bool credential_is_ours(struct slice authorization);
/* The text of a bearer token; absent when there is none. */
struct slice credential_bearer(const struct stream *s);

#endif /* WORKER_CREDENTIAL_H */
