/*
 * WebSockets: see tunnel.h.
 */
#include <errno.h>
#include <stdlib.h>

#include "session.h"
#include "tunnel.h"
#include "../privsep/log.h"

#define READ_MAX (64 * 1024)

struct tunnel {
	struct stream *s;
	struct upstream *u;
	struct evbuffer *out; /* to upstream */
	struct event *ev_half;
	bool stopped;    /* upstream is not read, no room */
	bool client_end; /* the client says no more */
	bool upstream_end;
};

static void
close_upstream(struct tunnel *t)
{
	if (t->u != NULL)
		upstream_close(t->u);
	t->u = NULL;
	evbuffer_drain(t->out, evbuffer_get_length(t->out));
}

/* One direction is over: the other has some time left. */
static void
half(struct tunnel *t)
{
	static const struct timeval tv = { TUNNEL_HALF, 0 };

	if (t->client_end && t->upstream_end)
		close_upstream(t);
	else
		event_add(t->ev_half, &tv);
}

static void
on_half(evutil_socket_t fd, short what, void *arg)
{
	struct tunnel *t = arg;

	(void)fd;
	(void)what;
	close_upstream(t);
	stream_reset(t->s);
}

/* --- to upstream --- */

static void
flush(struct tunnel *t)
{
	size_t left;

	if (t->u == NULL)
		return;
	/* One who reads no more may still have something to say: reading tells. */
	if (upstream_write(t->u, t->out) == -1)
		evbuffer_drain(t->out, evbuffer_get_length(t->out));
	left = evbuffer_get_length(t->out);
	if (left > TUNNEL_BUFFER)
		stream_pause(t->s, true);
	else if (t->s->paused && left < TUNNEL_BUFFER / 2)
		stream_pause(t->s, false);
	if (left == 0 && t->client_end)
		upstream_shutdown(t->u);
}

static void
on_writable(void *arg)
{
	flush(arg);
}

static void
on_body(struct stream *s, const uint8_t *data, size_t len)
{
	struct tunnel *t = s->arg;

	if (t->u == NULL)
		return;
	session_beat(s->w);
	if (evbuffer_add(t->out, data, len) == -1)
		fatalx("evbuffer_add");
	flush(t);
}

static void
on_body_end(struct stream *s)
{
	struct tunnel *t = s->arg;

	t->client_end = true;
	flush(t);
	half(t);
}

/* --- from upstream --- */

static void
upstream_over(struct tunnel *t, bool in_order)
{
	upstream_want_read(t->u, false);
	t->upstream_end = true;
	if (in_order) {
		stream_end(t->s);
		half(t);
		return;
	}
	close_upstream(t);
	stream_reset(t->s);
}

static void
on_readable(void *arg)
{
	static uint8_t spare[16 * 1024];
	struct tunnel *t = arg;
	size_t room = stream_room(t->s);
	uint8_t *p;
	ssize_t n;

	if (room == 0) {
		t->stopped = true;
		upstream_want_read(t->u, false);
		return;
	}
	if (room > READ_MAX)
		room = READ_MAX;
	if ((p = stream_reserve(t->s, room)) == NULL) {
		p = spare;
		if (room > sizeof(spare))
			room = sizeof(spare);
	}
	n = upstream_read(t->u, p, room);
	if (p != spare)
		stream_commit(t->s, n > 0 ? (size_t)n : 0);
	else if (n > 0)
		stream_write(t->s, p, (size_t)n);
	if (n == 0 || (n == -1 && errno != EAGAIN))
		upstream_over(t, n == 0);
}

static void
on_drain(struct stream *s)
{
	struct tunnel *t = s->arg;

	if (!t->stopped || t->u == NULL || t->upstream_end)
		return;
	t->stopped = false;
	upstream_want_read(t->u, true);
}

static void
on_close(struct stream *s)
{
	struct tunnel *t = s->arg;

	close_upstream(t);
	event_free(t->ev_half);
	evbuffer_free(t->out);
	free(t);
	s->arg = NULL;
}

void
tunnel_start(struct stream *s, struct upstream *u, const void *early, size_t len)
{
	struct tunnel *t;

	if ((t = calloc(1, sizeof(*t))) == NULL)
		fatal("calloc");
	t->s = s;
	t->u = u;
	t->out = evbuffer_new();
	t->ev_half = evtimer_new(s->w->base, on_half, t);
	if (t->out == NULL || t->ev_half == NULL)
		fatalx("out of memory");
	s->arg = t;
	s->on_body = on_body;
	s->on_body_end = on_body_end;
	s->on_drain = on_drain;
	s->on_close = on_close;
	upstream_own(u, on_readable, on_writable, t);
	if (len > 0)
		stream_write(s, early, len);
	upstream_want_read(u, true);
	stream_pause(s, false);
}
