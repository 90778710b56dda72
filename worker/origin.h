/*
 * Does a request come from our own pages?  RFC 6454, and Fetch Metadata.
 *
 * Cookies travel with requests that other sites cause, also with WebSocket
 * handshakes, and SameSite does not tell sub-domains apart.  So what changes
 * something, and every WebSocket, must show that it comes from the same
 * origin: same scheme, same host, same port (443 and 80 may be left out).
 */
#ifndef WORKER_ORIGIN_H
#define WORKER_ORIGIN_H

#include "slice.h"

enum origin_use {
	ORIGIN_NAVIGATE, /* a page that does something when opened */
	ORIGIN_WRITE,    /* any method but GET, HEAD, OPTIONS */
	ORIGIN_WEBSOCKET /* the handshake */
};

enum origin_verdict {
	ORIGIN_ALLOW,
	ORIGIN_D_HOST,      /* Host is not usable to compare with */
	ORIGIN_D_NULL,      /* Origin: null (sandboxed, or redirected) */
	ORIGIN_D_MALFORMED, /* Origin is no single origin */
	ORIGIN_D_OTHER,     /* Origin is another origin */
	ORIGIN_D_SITE,      /* Sec-Fetch-Site says so */
	ORIGIN_D_MISSING    /* nothing says that it is our own */
};

struct origin_facts {
	struct slice host;       /* Host or :authority, with port */
	struct slice origin;     /* Origin, or absent */
	struct slice fetch_site; /* Sec-Fetch-Site, or absent */
	bool tls;                /* our scheme is https */
	bool cookie;             /* who it is comes from a cookie */
};

/*
 *			Origin same	other, null	absent
 *	NAVIGATE	allow (1)	deny		allow (1)
 *	WRITE		allow (1)	deny		only (2), or no cookie (1)
 *	WEBSOCKET	allow (1)	deny		only (2), or no cookie (1)
 *
 * (1) unless Sec-Fetch-Site is there and neither same-origin nor none.
 * (2) Sec-Fetch-Site is same-origin.
 * A login form carries no cookie yet and is a WRITE all the same.
 */
enum origin_verdict origin_check(enum origin_use, const struct origin_facts *);

/* For the log, and for a page that tells the user what is wrong. */
const char *origin_reason(enum origin_verdict);

/* Are an Origin value and host[:port], by scheme, the same origin? */
bool origin_same(struct slice origin, struct slice host, bool tls);

#endif /* WORKER_ORIGIN_H */
