/*
 * One request on its way through the proxy: what its two files share.
 *
 *	proxy.c		the request, to upstream, and the relay's life
 *	proxy_answer.c	the answer, from upstream
 */
#ifndef WORKER_RELAY_H
#define WORKER_RELAY_H

#include <event2/event.h>

#include "chunk.h"
#include "port.h"
#include "proxy_head.h"
#include "stream.h"
#include "upstream.h"

enum relay_state {
	R_CONNECT,
	R_AGAIN, /* waits to try that once more, from the beginning */
	R_HEAD,
	R_BODY,
	R_DONE,
};

/* Upstream's head, while it comes. */
struct relay_head {
	struct http_head head;
	size_t len;
	unsigned int interims;
	char buf[HTTP_HEAD_MAX];
};

struct relay {
	struct stream *s;
	struct upstream_to to;
	struct port_way way; /* but of UPSTREAM_IDE */
	struct upstream_wait *wait;
	struct upstream *u;
	struct evbuffer *out; /* the request, to upstream */
	struct relay_head *head;
	struct evbuffer *page; /* the workbench's, which is changed as a whole */
	struct event *ev_timer;
	int64_t began;  /* ms */
	int64_t active; /* ms when something last went on */
	enum relay_state state;
	enum http_body framing; /* of the answer */
	uint64_t left;          /* of BODY_LENGTH */
	struct chunk chunk;
	int64_t body_left; /* of the request's; -1: not known */
	bool keep;         /* upstream may be used again */
	bool stopped;      /* not reading upstream, no room */
	bool sent;         /* some of the request went */
	bool asked;        /* all of it is in out, or went */
	bool retried;
	bool heard;         /* what came of it was said: upstream_heard() */
	unsigned int tries; /* to be connected */
	bool holds;         /* the sandbox, until it has answered */
	bool endless;       /* an answer that may be silent for long */
	char key[PROXY_KEY_LEN + 1];
};

int64_t relay_now(void); /* ms, monotonic */
/* Frees it; the stream is somebody else's by now. */
void relay_free(struct relay *);
/* Nothing more to do for it, but its stream is not closed yet. */
void relay_done(struct relay *);
/* An answer with that status, or, after one was begun, a broken stream. */
void relay_fail(struct relay *, unsigned int status, const char *why);
/* The same, of upstream, whose name comes before what it did. */
void relay_blame(struct relay *, unsigned int status, const char *did);
void relay_connect(struct relay *, bool fresh);
/* The same a little later; false when there is no time for that. */
bool relay_again(struct relay *);
/* Did upstream answer?  The first word counts. */
void relay_heard(struct relay *, enum upstream_heard);

/* How it goes there; NULL: as it is. */
static inline const struct port_way *
relay_way(const struct relay *r)
{
	return (r->to.kind != UPSTREAM_IDE ? &r->way : NULL);
}

/* proxy_answer.c */
void relay_readable(void *relay);
void relay_drain(struct stream *);

#endif /* WORKER_RELAY_H */
