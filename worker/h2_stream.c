/*
 * One HTTP/2 stream: what an answerer says on it, and what the client sends.
 *
 * Nothing here writes to the connection.  It changes what nghttp2 has to send,
 * and h2.c sends when the answerer is done (conn_kick).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "h2.h"
#include "range.h"
#include "../privsep/log.h"

#define ANSWER_HEADERS (STREAM_RESP_HEADERS + 4)

static void
more(struct h2_stream *st)
{
	if (st->deferred) {
		st->deferred = false;
		nghttp2_session_resume_data(st->h->ng, st->s.id);
	}
	conn_kick(st->h->c);
}

static void
moved(struct h2_stream *st)
{
	st->moved = st->h->now;
	st->came = st->went = 0;
}

static struct evbuffer *
buffer_new(void)
{
	struct evbuffer *b = evbuffer_new();

	if (b == NULL)
		fatalx("evbuffer_new");
	return (b);
}

struct h2_stream *
h2_stream_new(struct h2 *h, int32_t id, size_t bytes)
{
	struct h2_stream *st;

	if ((st = malloc(sizeof(*st) + bytes)) == NULL)
		fatal("malloc");
	stream_init(&st->s, h->w, &h2_stream_front, h);
	memset((char *)st + offsetof(struct h2_stream, h), 0,
	    sizeof(*st) - offsetof(struct h2_stream, h));
	st->s.id = id;
	st->h = h;
	st->left = -1;
	st->moved = h->now;
	st->out = buffer_new();
	TAILQ_INSERT_TAIL(&h->streams, st, entry);
	/* Even one that is answered in this very turn ends the time of idling. */
	if (h->nstreams++ == 0)
		conn_phase(h->c, PHASE_WORK);
	return (st);
}

/* The connection's window for bytes that are not waiting any more. */
static void
in_taken(struct h2 *h, size_t n)
{
	h->in_total -= n;
	if (h->held > 0 && h->in_total < H2_IN_MAX / 2) {
		nghttp2_session_consume_connection(h->ng, h->held);
		h->held = 0;
	}
}

static void
drop_buffers(struct h2_stream *st)
{
	size_t n;

	st->h->out_total -= evbuffer_get_length(st->out);
	evbuffer_drain(st->out, evbuffer_get_length(st->out));
	if (st->in != NULL && (n = evbuffer_get_length(st->in)) > 0) {
		evbuffer_drain(st->in, n);
		in_taken(st->h, n);
	}
}

void
h2_stream_free(struct h2_stream *st)
{
	struct h2 *h = st->h;

	TAILQ_REMOVE(&h->streams, st, entry);
	h->nstreams--;
	if (st->s.tunnel)
		h->ntunnels--;
	drop_buffers(st);
	stream_close(&st->s);
	evbuffer_free(st->out);
	if (st->in != NULL)
		evbuffer_free(st->in);
	free(st);
}

void
h2_stream_reset(struct h2_stream *st, uint32_t code)
{
	if (st->reset)
		return;
	st->reset = true;
	drop_buffers(st);
	nghttp2_submit_rst_stream(st->h->ng, NGHTTP2_FLAG_NONE, st->s.id, code);
	conn_kick(st->h->c);
}

/* --- the answer --- */

/* The answer's Date, made once a second. */
static const char *
date_now(void)
{
	static char text[HTTP_DATE_LEN + 1];
	static time_t last;
	time_t now = time(NULL);

	if (now != last) {
		last = now;
		http_date_format(text, now);
	}
	return (text);
}

struct h2_answer {
	nghttp2_nv nv[ANSWER_HEADERS];
	size_t n;
	char status[4];
	char length[24];
};

static void
nv_add(struct h2_answer *a, struct slice name, struct slice value)
{
	a->nv[a->n++] = (nghttp2_nv){ (uint8_t *)(uintptr_t)name.p,
		(uint8_t *)(uintptr_t)value.p, name.len, value.len,
		NGHTTP2_NV_FLAG_NONE };
}

static bool
header_ok(const struct header *h)
{
	if (!http_is_token(h->name) || !http_is_value(h->value))
		return (false);
	for (size_t i = 0; i < h->name.len; i++)
		if (h->name.p[i] >= 'A' && h->name.p[i] <= 'Z')
			return (false);
	return (true);
}

/* Status and headers; framing and what concerns HTTP/1.1 only stay out. */
static void
nv_build(struct h2_answer *a, unsigned int status, const struct header *h, size_t n,
    int64_t length)
{
	enum http_hdr id;
	bool date = false;

	a->n = 0;
	snprintf(a->status, sizeof(a->status), "%03u", status % 1000);
	nv_add(a, SLICE(":status"), slice_str(a->status));
	for (size_t i = 0; i < n && i < STREAM_RESP_HEADERS; i++) {
		if (!header_ok(&h[i])) {
			log_warnx("BUG: header of an answer dropped");
			continue;
		}
		id = http_hdr_lookup(h[i].name);
		if (id == HDR_CONTENT_LENGTH || (http_hdr_flags(id) & HTTP_HDR_HOP))
			continue;
		date |= id == HDR_DATE;
		nv_add(a, h[i].name, h[i].value);
	}
	if (length >= 0) {
		snprintf(a->length, sizeof(a->length), "%lld", (long long)length);
		nv_add(a, SLICE("content-length"), slice_str(a->length));
	}
	if (!date)
		nv_add(a, SLICE("date"), slice_str(date_now()));
}

static void
submit(struct h2_stream *st, const struct h2_answer *a, bool body)
{
	nghttp2_data_provider data = { { .ptr = st }, h2_data_read };
	int rv;

	rv = nghttp2_submit_response(
	    st->h->ng, st->s.id, a->nv, a->n, body ? &data : NULL);
	if (rv == NGHTTP2_ERR_NOMEM)
		fatalx("nghttp2: %s", nghttp2_strerror(rv));
	if (rv != 0)
		h2_stream_reset(st, NGHTTP2_INTERNAL_ERROR);
	st->answered = true;
	st->pump = true; /* nobody may want the body now */
	conn_kick(st->h->c);
}

static void
h2_respond(struct stream *s, unsigned int status, const struct header *h, size_t n,
    int64_t length)
{
	struct h2_stream *st = (struct h2_stream *)s;
	struct h2_answer a;

	if (st->answered || st->reset || s->closed)
		return;
	/* To CONNECT, 2xx would mean a tunnel. */
	if (st->connect && status < 300)
		status = 501;
	s->status = status;
	st->no_body = s->head.method == METHOD_HEAD || status == 204 || status == 304;
	nv_build(&a, status, h, n, status == 204 || status == 304 ? -1 : length);
	if (!st->no_body)
		st->left = length;
	submit(st, &a, !st->no_body && length != 0);
}

static void
h2_upgrade(struct stream *s, const struct header *h, size_t n)
{
	struct h2_stream *st = (struct h2_stream *)s;
	struct h2_answer a;

	if (st->answered || st->reset || s->closed)
		return;
	s->status = 200;
	s->tunnel = true;
	st->h->ntunnels++;
	nv_build(&a, 200, h, n, -1);
	submit(st, &a, true);
}

static void
h2_hint(struct stream *s, const struct header *h, size_t n)
{
	struct h2_stream *st = (struct h2_stream *)s;
	struct h2_answer a;

	if (st->answered || st->reset)
		return;
	nv_build(&a, 103, h, n, -1);
	nghttp2_submit_headers(
	    st->h->ng, NGHTTP2_FLAG_NONE, s->id, NULL, a.nv, a.n, NULL);
	conn_kick(st->h->c);
}

/* May len more bytes of the answer be said?  Cuts what is too long. */
static size_t
out_allowed(struct h2_stream *st, size_t len)
{
	if (!st->answered || st->no_body || st->out_end || st->reset)
		return (0);
	if (st->left >= 0 && len > (uint64_t)st->left) {
		log_warnx("BUG: answer longer than announced");
		len = (size_t)st->left;
	}
	return (len);
}

static size_t
out_high(const struct h2_stream *st)
{
	return (st->h->out_total < H2_OUT_MAX ? STREAM_BUFFER : H2_OUT_LOW);
}

static void
out_added(struct h2_stream *st, size_t len)
{
	st->h->out_total += len;
	st->s.bytes_out += len;
	if (st->left >= 0)
		st->left -= (int64_t)len;
	if (evbuffer_get_length(st->out) >= out_high(st))
		st->blocked = true;
	more(st);
}

static void
h2_write(struct stream *s, const void *data, size_t len)
{
	struct h2_stream *st = (struct h2_stream *)s;

	if ((len = out_allowed(st, len)) == 0)
		return;
	if (evbuffer_add(st->out, data, len) == -1)
		fatalx("evbuffer_add");
	out_added(st, len);
}

static void
h2_write_buffer(struct stream *s, struct evbuffer *src)
{
	struct h2_stream *st = (struct h2_stream *)s;
	size_t all = evbuffer_get_length(src), len;

	if ((len = out_allowed(st, all)) > 0) {
		if (evbuffer_remove_buffer(src, st->out, len) == -1)
			fatalx("evbuffer_remove_buffer");
		out_added(st, len);
	}
	evbuffer_drain(src, all - len);
}

static uint8_t *
h2_reserve(struct stream *s, size_t want)
{
	struct h2_stream *st = (struct h2_stream *)s;

	if (out_allowed(st, 1) == 0)
		return (NULL);
	if (evbuffer_reserve_space(st->out, (ev_ssize_t)want, &st->iov, 1) != 1)
		fatalx("evbuffer_reserve_space");
	return (st->iov.iov_base);
}

static void
h2_commit(struct stream *s, size_t len)
{
	struct h2_stream *st = (struct h2_stream *)s;

	len = out_allowed(st, len);
	st->iov.iov_len = len;
	if (evbuffer_commit_space(st->out, &st->iov, 1) == -1)
		fatalx("evbuffer_commit_space");
	if (len > 0)
		out_added(st, len);
}

static void
h2_end(struct stream *s)
{
	struct h2_stream *st = (struct h2_stream *)s;

	if (st->out_end || st->reset)
		return;
	st->out_end = true;
	s->ended = true;
	if (!st->answered || (st->left > 0 && !st->no_body))
		h2_stream_reset(st, NGHTTP2_INTERNAL_ERROR);
	else
		more(st);
}

static void
h2_reset(struct stream *s)
{
	struct h2_stream *st = (struct h2_stream *)s;

	s->ended = true;
	h2_stream_reset(st, s->tunnel ? NGHTTP2_CANCEL : NGHTTP2_INTERNAL_ERROR);
}

static void
h2_pause(struct stream *s, bool pause)
{
	struct h2_stream *st = (struct h2_stream *)s;

	s->paused = pause;
	if (pause)
		return;
	st->pump = true;
	moved(st);
	conn_kick(st->h->c);
}

static size_t
h2_room(struct stream *s)
{
	struct h2_stream *st = (struct h2_stream *)s;
	size_t n = evbuffer_get_length(st->out);
	size_t high = out_high(st);

	if (st->reset || st->out_end)
		return (0);
	if (n + H2_ROOM_MIN > high) {
		st->blocked = true;
		return (0);
	}
	return (high - n);
}

const struct stream_front h2_stream_front = { .respond = h2_respond,
	.write = h2_write,
	.write_buffer = h2_write_buffer,
	.reserve = h2_reserve,
	.commit = h2_commit,
	.end = h2_end,
	.reset = h2_reset,
	.pause = h2_pause,
	.room = h2_room,
	.upgrade = h2_upgrade,
	.hint = h2_hint };

void
h2_stream_drain(struct h2_stream *st)
{
	struct stream *s = &st->s;

	if (!st->blocked || st->out_end || st->reset ||
	    evbuffer_get_length(st->out) > out_high(st) / 2)
		return;
	st->blocked = false;
	if (s->on_drain != NULL)
		s->on_drain(s);
}

/* nghttp2 asks how much of the answer can go now. */
ssize_t
h2_data_read(nghttp2_session *ng, int32_t id, uint8_t *buf, size_t len, uint32_t *flags,
    nghttp2_data_source *source, void *arg)
{
	struct h2_stream *st = source->ptr;
	size_t have = evbuffer_get_length(st->out);

	(void)ng;
	(void)id;
	(void)buf;
	(void)arg;
	if (have <= len && st->out_end)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	else if (have == 0) {
		st->deferred = true;
		return (NGHTTP2_ERR_DEFERRED);
	}
	*flags |= NGHTTP2_DATA_FLAG_NO_COPY;
	return ((ssize_t)(have < len ? have : len));
}

/* A frame of that many bytes goes, straight into the connection's output. */
int
h2_data_send(nghttp2_session *ng, nghttp2_frame *frame, const uint8_t *head, size_t len,
    nghttp2_data_source *source, void *arg)
{
	struct h2_stream *st = source->ptr;
	struct h2 *h = arg;
	uint8_t *p;

	(void)ng;
	(void)frame;
	if (h->said)
		return (NGHTTP2_ERR_CALLBACK_FAILURE);
	if (st->reset)
		return (NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE);
	if (conn_room(h->c) == 0 && !h->dying)
		return (NGHTTP2_ERR_WOULDBLOCK);
	p = conn_reserve(h->c, 9 + len);
	memcpy(p, head, 9);
	if (len > 0 && evbuffer_remove(st->out, p + 9, len) != (int)len)
		fatalx("BUG: answer shorter than its frame");
	conn_commit(h->c, 9 + len);
	h->out_total -= len;
	st->went += len;
	if (st->went >= H2_STALL_BYTES || evbuffer_get_length(st->out) == 0)
		moved(st);
	/* A client gives windows back for what it gets: stream and connection. */
	h2_guard_earn(&h->guard, H2_WINDOW, 2);
	return (0);
}

/* --- the body --- */

/* Whoever answered without wanting the body does not get it. */
static bool
throw_away(const struct h2_stream *st)
{
	return (st->reset || (st->s.on_body == NULL && st->answered));
}

void
h2_stream_data(struct h2_stream *st, const uint8_t *data, size_t len)
{
	struct h2 *h = st->h;
	struct stream *s = &st->s;
	bool waits = st->in != NULL && evbuffer_get_length(st->in) > 0;

	st->came += len;
	if (st->came >= H2_STALL_BYTES && (!st->said || s->tunnel))
		moved(st);
	if (!throw_away(st) && (waits || s->paused || s->on_body == NULL)) {
		if (st->in == NULL)
			st->in = buffer_new();
		if (evbuffer_add(st->in, data, len) == -1)
			fatalx("evbuffer_add");
		h->in_total += len;
		if (h->in_total > H2_IN_MAX)
			h->held += len;
		else
			nghttp2_session_consume_connection(h->ng, len);
		return;
	}
	if (!throw_away(st))
		s->on_body(s, data, len);
	nghttp2_session_consume_connection(h->ng, len);
	if (st->said && !s->tunnel)
		return;
	nghttp2_session_consume_stream(h->ng, s->id, len);
	if (!st->wide && !s->paused) {
		st->wide = true;
		nghttp2_session_set_local_window_size(
		    h->ng, NGHTTP2_FLAG_NONE, s->id, H2_WINDOW_WIDE);
	}
}

static void
say_continue(struct h2_stream *st)
{
	static const nghttp2_nv nv = { (uint8_t *)(uintptr_t) ":status",
		(uint8_t *)(uintptr_t) "100", 7, 3, NGHTTP2_NV_FLAG_NONE };

	st->expect = false;
	if (st->answered || st->in_end || st->s.on_body == NULL)
		return;
	nghttp2_submit_headers(
	    st->h->ng, NGHTTP2_FLAG_NONE, st->s.id, NULL, &nv, 1, NULL);
}

void
h2_stream_pump(struct h2_stream *st)
{
	struct stream *s = &st->s;
	struct evbuffer_iovec v;

	st->pump = false;
	if (st->expect && !s->paused)
		say_continue(st);
	while (!st->reset && st->in != NULL &&
	    evbuffer_peek(st->in, -1, NULL, &v, 1) > 0 && v.iov_len > 0) {
		if (!throw_away(st)) {
			if (s->paused || s->on_body == NULL)
				return;
			s->on_body(s, v.iov_base, v.iov_len);
			if (st->reset)
				return;
		}
		evbuffer_drain(st->in, v.iov_len);
		nghttp2_session_consume_stream(st->h->ng, s->id, v.iov_len);
		in_taken(st->h, v.iov_len);
	}
	if (st->in_end && !s->body_done && !st->reset && (!s->paused || throw_away(st))) {
		s->body_done = true;
		if (s->on_body_end != NULL)
			s->on_body_end(s);
	}
}

bool
h2_stream_stalled(const struct h2_stream *st)
{
	uint64_t limit = st->s.tunnel ? H2_STALL_TUNNEL : H2_STALL;
	bool reads, sends;

	if (st->h->now - st->moved < limit)
		return (false);
	reads = st->answered && !st->no_body && !st->deferred && !st->said;
	sends = !st->in_end && !st->s.paused && !st->s.tunnel && !st->said;
	return (reads || sends);
}

bool
h2_stream_resting(const struct h2_stream *st)
{
	return (st->s.tunnel && st->deferred);
}

bool
h2_stream_unwanted(const struct h2_stream *st)
{
	return (st->said && !st->in_end && !st->s.tunnel &&
	    st->h->now - st->moved >= H2_UNWANTED);
}
