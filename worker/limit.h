/*
 * Rate limits: which class a request is of, and whether there is some of it left.
 *
 * Counted elsewhere (privsep/lease.h), in batches: a request costs a message when a
 * batch is used up, and waits for its answer.
 */
#ifndef WORKER_LIMIT_H
#define WORKER_LIMIT_H

#include "../privsep/chan.h"
#include "respond.h"
#include "stream.h"

/* The first lease came with the connection. */
void limit_first(const struct wire_lease *);
/* M_LEASE, M_LEASE_RECALL of master or auth. */
void limit_on_lease(struct chan *, struct msg *);
void limit_on_recall(struct chan *, struct msg *);
/* Auth is gone, or another one: what it lent is void. */
void limit_auth_gone(void);
/* The connection is over: what is left goes back. */
void limit_leave(void);

/*
 * Go on with fn when the request may be served, now or later; else it is answered
 * with 429.  Counted for the user when the connection is bound, else for the
 * address.  A stream that had a place of the address's leaves it when it turns out
 * to be a user's (call it again).
 */
typedef void (*limit_fn)(struct stream *);
void limit_request(struct stream *, limit_fn);

/* X-RateLimit-* of an answer, if it was counted. */
void limit_headers(struct answer *);

#endif /* WORKER_LIMIT_H */
