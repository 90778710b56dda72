/*
 * The transport: the one client connection of this process, TLS or plain,
 * with one input and one output buffer, timeouts and an orderly end.  What is
 * spoken on it is a front's affair (h1.c, h2.c).
 *
 * Fronts are called from the event loop only, never from within conn_write()
 * or its kind.  Any conn_ function may be called from any front function.
 */
#ifndef WORKER_CONN_H
#define WORKER_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stream.h"

#define CONN_IN_MAX                                                                      \
	(96 * 1024)                       /* input: what is done with or pinned (32 K    \
					   * each), and 32 K of what follows */
#define CONN_OUT_HIGH STREAM_BUFFER       /* output: conn_room() is 0 above it */
#define CONN_OUT_LOW  (CONN_OUT_HIGH / 2) /* front->drain is called below it */

struct conn;

/* What the connection waits for, hence which timeout runs. */
enum conn_phase {
	PHASE_HANDSHAKE, /* TLS; prefork handshake-timeout */
	PHASE_HEADER,    /* a request has begun; header-timeout, as a whole */
	PHASE_IDLE,      /* between requests; idle-timeout */
	PHASE_BODY,      /* the client must send, at a minimum rate */
	PHASE_WORK,      /* we must answer; only the write stall counts */
	PHASE_TUNNEL,    /* a WebSocket; the same */
	PHASE_LINGER /* said all, waiting for the client's end */,
};

struct front {
	const char *name; /* "h1", "h2", in logs */
	void (*start)(struct conn *);
	/*
	 * There are len bytes of input; returns how many of them are done
	 * with.  The rest stays, and comes again with what follows.  May write
	 * to them.  Called again when more came, as long as it makes progress,
	 * and after conn_kick(): then len may be 0.
	 */
	size_t (*input)(struct conn *, uint8_t *data, size_t len);
	void (*drain)(struct conn *); /* output is below the low mark again */
	void (*eof)(struct conn *);   /* the client sends no more */
	void (*leave)(struct conn *); /* finish what runs, take nothing new */
	/* Time is up in this phase: say so if it can be said (408, GOAWAY), and
	 * conn_end(). */
	void (*timeout)(struct conn *, enum conn_phase);
	/* The connection is gone: close all streams; nothing can be said. */
	void (*gone)(struct conn *, const char *why);
};

extern const struct front front_h1; /* h1.c */
extern const struct front front_h2; /* h2.c */

struct worker *conn_worker(struct conn *);
/* The front's own state. */
void *conn_state(struct conn *);
void conn_set_state(struct conn *, void *);
bool conn_is_tls(const struct conn *);
/* The name that the client asked for by SNI; "" when none, or not TLS. */
const char *conn_server_name(const struct conn *);

/* Output.  Nothing is lost above the high mark: it is for the writer to stop. */
void conn_write(struct conn *, const void *data, size_t len);
uint8_t *conn_reserve(struct conn *, size_t want);
void conn_commit(struct conn *, size_t len);
size_t conn_room(const struct conn *);
size_t conn_pending(const struct conn *); /* bytes of output that wait */

/* Input.  pin: what input() has just returned as done, or is about to, up to
 * the first n bytes of this call's data, stays where it is until unpinned. */
void conn_pin(struct conn *, size_t n);
void conn_unpin(struct conn *);
/* Call input again soon, though nothing new came. */
void conn_kick(struct conn *);
/* Do not read from the client; what is buffered stays. */
void conn_pause(struct conn *, bool pause);

void conn_phase(struct conn *, enum conn_phase);
/* In PHASE_BODY: that many bytes of body came. */
void conn_progress(struct conn *, size_t len);
/* An answer has said that the connection stays. */
void conn_kept(struct conn *);

/* Send what is buffered, then close in good order. */
void conn_end(struct conn *);
/* Close now.  why is for the log. */
void conn_abort(struct conn *, const char *why);
bool conn_ending(const struct conn *);

#endif /* WORKER_CONN_H */
