/*
 * WebSockets: see tunnel.h.
 */
#include <errno.h>
#include <stdlib.h>

#include "session.h"
#include "tunnel.h"
#include "../privsep/log.h"

#define READ_MAX (64 * 1024)

/* Where in a frame what upstream says has come: RFC 6455 5.2. */
struct walk {
	uint8_t head[14];
	size_t nhead;
	uint64_t left; /* of its payload */
};

struct tunnel {
	struct stream *s;
	struct upstream *u;
	struct evbuffer *out; /* to upstream */
	struct event *ev_half;
	struct walk walk;
	bool leaving;    /* ided stops: nothing more after this frame */
	bool stopped;    /* upstream is not read, no room */
	bool client_end; /* the client says no more */
	bool upstream_end;
};

/* The frame's length, once its head is whole; false before. */
static bool
walk_head(struct walk *w)
{
	size_t n = 2, len = w->head[1] & 0x7f, ext = len == 127 ? 8 : len == 126 ? 2 : 0;

	if (w->nhead < n)
		return (false);
	n += ext + (w->head[1] & 0x80 ? 4 : 0);
	if (w->nhead < n)
		return (false);
	w->left = ext == 0 ? len : 0;
	for (size_t i = 0; i < ext; i++)
		w->left = w->left << 8 | w->head[2 + i];
	w->nhead = 0;
	return (true);
}

/* Nothing is made of what it says: only where a frame of ours could stand. */
static void
walk_on(struct walk *w, const uint8_t *p, size_t len)
{
	size_t n;

	while (len > 0) {
		if (w->left > 0) {
			n = w->left < len ? (size_t)w->left : len;
			w->left -= n;
		} else {
			n = 1;
			w->head[w->nhead++] = *p;
			(void)walk_head(w);
		}
		p += n;
		len -= n;
	}
}

static bool
walk_between(const struct walk *w)
{
	return (w->left == 0 && w->nhead == 0);
}

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
	if (!s->told_of)
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

/* "Service restart": who is told so connects again at once, and finds the next ided. */
static void
say_goodbye(struct tunnel *t)
{
	static const uint8_t frame[] = { 0x88, 2, 1012 >> 8, 1012 & 0xff };

	stream_write(t->s, frame, sizeof(frame));
	upstream_over(t, true);
}

static void
on_leave(struct stream *s)
{
	struct tunnel *t = s->arg;

	if (t->leaving || t->upstream_end || t->u == NULL)
		return;
	t->leaving = true;
	if (walk_between(&t->walk))
		say_goodbye(t);
}

/* To the end of the frame at most, when ided stops. */
static size_t
until_end(const struct tunnel *t, size_t room)
{
	if (!t->leaving)
		return (room);
	return (t->walk.left == 0   ? 1 :
		t->walk.left < room ? (size_t)t->walk.left :
				      room);
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
	room = until_end(t, room);
	if ((p = stream_reserve(t->s, room)) == NULL) {
		p = spare;
		if (room > sizeof(spare))
			room = sizeof(spare);
	}
	n = upstream_read(t->u, p, room);
	if (n > 0)
		walk_on(&t->walk, p, (size_t)n);
	if (p != spare)
		stream_commit(t->s, n > 0 ? (size_t)n : 0);
	else if (n > 0)
		stream_write(t->s, p, (size_t)n);
	if (n == 0 || (n == -1 && errno != EAGAIN))
		upstream_over(t, n == 0);
	else if (t->leaving && walk_between(&t->walk))
		say_goodbye(t);
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

/* A service of the site's own needs no sandbox. */
static bool
holds(const struct stream *s)
{
	return (!s->told_of && s->traffic != TRAFFIC_SERVICE);
}

static void
on_close(struct stream *s)
{
	struct tunnel *t = s->arg;

	if (holds(s))
		session_hold(s->w, false);
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
	s->on_leave = on_leave;
	s->on_close = on_close;
	upstream_own(u, on_readable, on_writable, t);
	if (holds(s))
		session_hold(s->w, true);
	walk_on(&t->walk, early, len);
	if (len > 0)
		stream_write(s, early, len);
	upstream_want_read(u, true);
	stream_pause(s, false);
}
