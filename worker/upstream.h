/*
 * Connections to what runs in the user's own sandbox, and to services of the site's
 * own.  A worker cannot make one: it asks auth, and gets a connected descriptor, or the
 * reason why not.
 *
 * Some are kept for the next request.  They never change hands: this process
 * serves one client, and no other process has them.
 *
 * Reads and writes never block, whatever the flags of the descriptor say:
 * others may hold the same open file.
 */
#ifndef WORKER_UPSTREAM_H
#define WORKER_UPSTREAM_H

#include <sys/types.h>

#include <event2/buffer.h>

#include <stdbool.h>

#include "stream.h"
#include "worker.h"

#define UPSTREAM_MAX   256 /* open at a time, to all; more requests wait */
#define UPSTREAM_ASKED 16  /* questions to auth at a time */

/*
 * Where to.  To each of them are no more open than proxy.pool says, kept no more
 * than proxy.idle, and for proxy.keepalive.
 */
enum upstream_kind {
	UPSTREAM_IDE,
	UPSTREAM_PORT,
	UPSTREAM_SHARE, /* a port of somebody else's */
	UPSTREAM_LOCATION,
};
struct location;
struct upstream_to {
	enum upstream_kind kind;
	uint16_t port;                   /* of UPSTREAM_PORT and _SHARE; else 0 */
	const struct location *location; /* of UPSTREAM_LOCATION; else NULL */
};

struct upstream;
struct upstream_wait;

/* Instead of a status, of what may be otherwise in a moment. */
#define UPSTREAM_AWAY   0 /* who could say is not there */
#define UPSTREAM_NOBODY 1 /* nobody takes connections there: 502 */

/* Here it is; or u is NULL, and status and why are the answer to give. */
typedef void (*upstream_fn)(
    void *arg, struct upstream *u, unsigned int status, const char *why);
typedef void (*upstream_io)(void *arg);

/*
 * Get a connection for a request; with fresh a new one.  fn is called once: at once (then
 * NULL is returned), or later unless upstream_cancel() comes first.
 */
struct upstream_wait *upstream_get(const struct stream *, const struct upstream_to *,
    bool fresh, upstream_fn fn, void *arg);
void upstream_cancel(struct upstream_wait *);

/*
 * Of those that do not answer (circuit.h): the seconds after which to ask again, or 0
 * if one may be asked.  Whoever may says what came of it.  The IDE is always asked.
 */
unsigned int upstream_try(const struct upstream_to *);
enum upstream_heard {
	UPSTREAM_ANSWERS,
	UPSTREAM_FAILS,
	UPSTREAM_UNHEARD /* the client was gone before */
};
void upstream_heard(const struct upstream_to *, enum upstream_heard);

/* Whose it is from now on: what to call when it can be read or written. */
void upstream_own(
    struct upstream *, upstream_io readable, upstream_io writable, void *arg);
/* Was it used before? */
bool upstream_reused(const struct upstream *);
void upstream_want_read(struct upstream *, bool);
/* Bytes, 0 at the end, or -1 with errno. */
ssize_t upstream_read(struct upstream *, void *buf, size_t len);
/*
 * Writes what the socket takes of out, and calls writable when it takes more.
 * Returns the bytes that went, or -1.
 */
ssize_t upstream_write(struct upstream *, struct evbuffer *out);
/* The end of our side. */
void upstream_shutdown(struct upstream *);

/* Done with it, and it may be used again. */
void upstream_put(struct upstream *);
void upstream_close(struct upstream *);

#endif /* WORKER_UPSTREAM_H */
