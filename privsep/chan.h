/*
 * A channel: one end of a SOCK_SEQPACKET socketpair between two processes of
 * ided.  A message is a header, a payload and at most one descriptor; the
 * kernel keeps them together (unix(7), SCM_RIGHTS).
 *
 * chan_recv() is the one function that reads a message, and it checks
 * everything that msg.h's table says before anybody sees it.  A violation is
 * the peer's fault or our own bug, never something to recover from: the channel
 * is to be closed.
 */
#ifndef PRIVSEP_CHAN_H
#define PRIVSEP_CHAN_H

#include <sys/types.h>

#include <event2/event.h>

#include <stdbool.h>
#include <stdint.h>

#include "msg.h"

#define CHAN_VERSION   1   /* of the table; mixed binaries are refused */
#define CHAN_QUEUE_MAX 512 /* messages that wait for a slow peer */

struct msg_head {
	uint16_t version;
	uint16_t type; /* enum msg_type */
	uint32_t id;   /* a request's number; its answer repeats it */
	uint32_t len;  /* of the payload */
	uint32_t has_fd;
};

/* A message received.  fd is -1 or owned by the message until it is taken with
 * msg_take_fd(); chan_dispatch() closes what nobody took. */
struct msg {
	struct msg_head head;
	int fd;
	union {
		uint8_t bytes[MSG_PAYLOAD_MAX];
		uint64_t align;
	} u;
};

struct chan;
typedef void (*chan_fn)(struct chan *, struct msg *);
/* The peer is gone, or broke the rules (why says how; NULL for a plain end).
 * The channel is closed already; the owner frees it. */
typedef void (*chan_gone_fn)(struct chan *, const char *why);

/* What a process does on a message; ends with type M_NONE. */
struct chan_handler {
	enum msg_type type;
	chan_fn fn;
};

struct chan_out;

struct chan {
	int fd;
	enum proc self;
	enum proc peer;
	enum msg_state state;
	void *arg;
	const struct chan_handler *handlers;
	/* Set by an owner whose peer may not say all that is handled: asked before
	 * a handler runs.  False when it has refused, and seen to an answer. */
	bool (*permit)(struct chan *, const struct msg *);
	chan_gone_fn gone;
	struct event_base *base;
	struct event *ev_read;
	struct event *ev_write;
	struct chan_out *out_head; /* waiting to be sent */
	struct chan_out *out_tail;
	unsigned int out_count;
	unsigned int out_max; /* CHAN_QUEUE_MAX, unless the owner says otherwise */
	bool closed;
	bool gone_pending; /* a send failed: gone runs from the loop */
};

/* A pair of connected ends, both close-on-exec and non-blocking. */
int chan_pair(int fds[2]);

/* Make c speak over fd (owned from now on).  base may be NULL: then the channel is only
 * used with chan_call() and chan_recv(). */
void chan_init(struct chan *c, int fd, enum proc self, enum proc peer,
    struct event_base *base, const struct chan_handler *handlers, chan_gone_fn gone,
    void *arg);
void chan_close(struct chan *c); /* gone is not called */

/*
 * Send; never blocks.  fd (or -1) is owned by the channel from the call on,
 * whatever comes of it.  What cannot go now is queued; a peer that lets more
 * than out_max messages pile up is given up (gone is called from the loop).
 * Returns 0, or -1 if the channel is closed or was given up.
 */
int chan_send(struct chan *c, enum msg_type type, uint32_t id, int fd,
    const void *payload, size_t len);

/*
 * Receive one message and check it against the table.
 * Returns 1 with *m filled, 0 at the end of the channel, -1 with errno EAGAIN
 * when there is nothing, -2 on a violation with *why set to a static string.
 */
int chan_recv(struct chan *c, struct msg *m, const char **why);

/*
 * Ask and wait for the answer, at most timeout_ms; for a process that has
 * nothing else to do meanwhile (a worker in the handshake).  want is the type
 * of the answer; anything else is a violation.  Returns 0 or -1.
 */
int chan_call(struct chan *c, enum msg_type type, const void *payload, size_t len,
    enum msg_type want, struct msg *answer, int timeout_ms);

/*
 * While this process holds back, nothing that it sends goes out: it waits in the
 * queues, in its order, until the loop's next turn after hold is false again.
 * Before a queue is full, relief is called, which is to bring that about.
 */
void chan_hold(bool hold, void (*relief)(void));

/* To be called each time that a handler, or gone, has run. */
void chan_after(void (*after)(void));

/* The peer has ended: what it said before that.  For an owner that a handler or gone
 * does not free. */
void chan_read_rest(struct chan *c);

/* Stop or resume reading (back-pressure). */
void chan_pause(struct chan *c, bool pause);

/* The payload, known to have its row's exact size. */
#define MSG_DATA(m, type) ((const struct type *)(const void *)(m)->u.bytes)
int msg_take_fd(struct msg *m);

#endif
