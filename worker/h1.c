/*
 * The HTTP/1.1 front, RFC 9112: one request at a time, in order.
 *
 * The head stays where it was parsed, pinned in the connection's input, and
 * the body is handed out in place.  Requests that a client sends ahead wait in
 * the same buffer, so they are bounded by it.
 *
 * A stream is over when its answer is ended and its request's body was read or
 * given up; h1_input() notices, whatever brought it about.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "../privsep/log.h"
#include "chunk.h"
#include "conn.h"
#include "range.h"
#include "respond.h"
#include "worker.h"

#define DISCARD_MAX  (256 * 1024) /* of a body that nobody wants */
#define START_ROOM   (32 * 1024)  /* of output, to begin an answer */
#define CHUNK_PREFIX 6            /* of a chunk read in place: "%04x\r\n" */
#define CHUNK_PLACE  0xffff       /* so much fits such a one */

struct h1 {
	struct conn *c;
	bool active; /* s is a request that is not over */
	bool keep;   /* another may follow on this connection */
	bool eof;    /* the client sends no more */
	bool begun;  /* a head has begun to arrive */

	/* The request's body. */
	struct chunk chunk;
	uint64_t left;
	uint64_t discarded;
	bool in_done; /* all was read, or is given up */
	bool end_told;
	bool said_100;

	/* The answer's. */
	bool no_body;
	bool chunked;
	bool counted; /* out_left counts a Content-Length */
	uint64_t out_left;

	struct stream s;
	bool served; /* a request, at least */
};

static const struct stream_front h1_stream;

/* --- the answer --- */

static struct slice
date_now(void)
{
	static char text[HTTP_DATE_LEN + 1];
	static time_t of;
	time_t t = time(NULL);

	if (t != of) {
		of = t;
		http_date_format(text, t);
	}
	return ((struct slice){ text, HTTP_DATE_LEN });
}

static char *
put(char *p, struct slice s)
{
	memcpy(p, s.p, s.len);
	return (p + s.len);
}

static char *
put_header(char *p, struct slice name, struct slice value)
{
	p = put(p, name);
	*p++ = ':';
	*p++ = ' ';
	p = put(p, value);
	*p++ = '\r';
	*p++ = '\n';
	return (p);
}

static char *
put_length(char *p, uint64_t length)
{
	char num[20], *end = num + sizeof(num), *d = end;

	do
		*--d = (char)('0' + length % 10);
	while ((length /= 10) > 0);
	return (put_header(
	    p, SLICE("content-length"), (struct slice){ d, (size_t)(end - d) }));
}

/* Status line, the given headers, Date; returns where more may follow. */
static char *
head_start(
    struct h1 *h, unsigned int status, const struct header *hd, size_t n, char **start)
{
	struct slice reason = slice_str(status_reason(status));
	size_t need = 512 + reason.len;
	char *p;

	for (size_t i = 0; i < n; i++)
		need += hd[i].name.len + hd[i].value.len + 4;
	p = *start = (char *)conn_reserve(h->c, need);
	p = put(p, SLICE("HTTP/1.1 "));
	*p++ = (char)('0' + status / 100 % 10);
	*p++ = (char)('0' + status / 10 % 10);
	*p++ = (char)('0' + status % 10);
	*p++ = ' ';
	p = put(p, reason);
	p = put(p, SLICE("\r\n"));
	for (size_t i = 0; i < n; i++)
		p = put_header(p, hd[i].name, hd[i].value);
	return (put_header(p, SLICE("date"), date_now()));
}

static void
head_finish(struct h1 *h, char *start, char *p)
{
	p = put(p, SLICE("\r\n"));
	conn_commit(h->c, (size_t)(p - start));
}

/* May the next request be found behind what is left of this one's body? */
static bool
body_skippable(const struct h1 *h)
{
	if (h->in_done || h->s.on_body != NULL)
		return (true);
	/* It may be kept back, and then the next head comes in its place. */
	if (h->s.head.expect_continue && !h->said_100)
		return (false);
	return (h->s.head.body == BODY_CHUNKED || h->left <= DISCARD_MAX);
}

static void
h1_respond(struct stream *s, unsigned int status, const struct header *hd, size_t n,
    int64_t length)
{
	struct h1 *h = s->conn;
	char *p, *start;

	h->no_body = s->head.method == METHOD_HEAD || status == 204 || status == 304;
	h->chunked = length < 0 && !h->no_body && s->head.minor > 0;
	h->counted = length >= 0 && !h->no_body;
	h->out_left = length >= 0 ? (uint64_t)length : 0;
	if (s->w->draining || !body_skippable(h) ||
	    (length < 0 && !h->no_body && !h->chunked))
		h->keep = false;

	p = head_start(h, status, hd, n, &start);
	if (length >= 0 && status != 204) {
		p = put_length(p, (uint64_t)length);
	} else if (h->chunked)
		p = put_header(p, SLICE("transfer-encoding"), SLICE("chunked"));
	if (!h->keep)
		p = put_header(p, SLICE("connection"), SLICE("close"));
	else if (s->head.minor == 0)
		p = put_header(p, SLICE("connection"), SLICE("keep-alive"));
	head_finish(h, start, p);
	/* A body that was held back may now be thrown away. */
	if (!h->in_done)
		conn_kick(h->c);
}

static void
h1_write(struct stream *s, const void *data, size_t len)
{
	struct h1 *h = s->conn;
	char head[CHUNK_HEAD_MAX];

	s->bytes_out += len;
	if (h->no_body)
		return;
	if (h->counted) {
		if (len > h->out_left)
			len = (size_t)h->out_left;
		h->out_left -= len;
	}
	if (!h->chunked) {
		conn_write(h->c, data, len);
		return;
	}
	conn_write(h->c, head, chunk_head(head, len));
	conn_write(h->c, data, len);
	conn_write(h->c, CHUNK_TAIL, sizeof(CHUNK_TAIL) - 1);
}

static void
h1_write_buffer(struct stream *s, struct evbuffer *src)
{
	struct evbuffer_iovec v;

	while (evbuffer_peek(src, -1, NULL, &v, 1) > 0 && v.iov_len > 0) {
		h1_write(s, v.iov_base, v.iov_len);
		evbuffer_drain(src, v.iov_len);
	}
}

static uint8_t *
h1_reserve(struct stream *s, size_t want)
{
	struct h1 *h = s->conn;

	if (h->no_body || (h->chunked && want > CHUNK_PLACE))
		return (NULL);
	if (!h->chunked)
		return (conn_reserve(h->c, want));
	return (conn_reserve(h->c, want + CHUNK_PREFIX + sizeof(CHUNK_TAIL) - 1) +
	    CHUNK_PREFIX);
}

/* The data are in place already; a chunk's size goes before them. */
static void
h1_commit(struct stream *s, size_t len)
{
	struct h1 *h = s->conn;
	uint8_t *p;
	char head[CHUNK_PREFIX + 1];

	if (len == 0)
		return;
	s->bytes_out += len;
	if (h->counted) {
		if (len > h->out_left)
			len = (size_t)h->out_left;
		h->out_left -= len;
	}
	if (!h->chunked) {
		conn_commit(h->c, len);
		return;
	}
	p = conn_reserve(h->c, CHUNK_PREFIX + len + sizeof(CHUNK_TAIL) - 1);
	snprintf(head, sizeof(head), "%04x\r\n", (unsigned int)len);
	memcpy(p, head, CHUNK_PREFIX);
	memcpy(p + CHUNK_PREFIX + len, CHUNK_TAIL, sizeof(CHUNK_TAIL) - 1);
	conn_commit(h->c, CHUNK_PREFIX + len + sizeof(CHUNK_TAIL) - 1);
}

static void
h1_end(struct stream *s)
{
	struct h1 *h = s->conn;

	if (h->chunked && !s->tunnel)
		conn_write(h->c, CHUNK_LAST, sizeof(CHUNK_LAST) - 1);
	if (h->counted && h->out_left > 0)
		h->keep = false; /* shorter than announced */
	if (s->tunnel)
		h->in_done = true;
	conn_kick(h->c);
}

/* The client sees that something is missing: a last chunk, or bytes. */
static void
h1_reset(struct stream *s)
{
	struct h1 *h = s->conn;

	h->keep = false;
	h->in_done = true;
	if (s->status == 0 || h->chunked || h->counted || s->tunnel)
		conn_kick(h->c);
	else
		conn_abort(h->c, "answer broken off");
}

static void
h1_pause(struct stream *s, bool pause)
{
	struct h1 *h = s->conn;

	if (!pause)
		conn_kick(h->c);
}

static size_t
h1_room(struct stream *s)
{
	size_t n = conn_room(((struct h1 *)s->conn)->c);

	/* What a chunk costs beside its data. */
	return (n > 2 * CHUNK_HEAD_MAX ? n - 2 * CHUNK_HEAD_MAX : 0);
}

static void
h1_upgrade(struct stream *s, const struct header *hd, size_t n)
{
	struct h1 *h = s->conn;
	char *p, *start;

	h->keep = false;
	h->in_done = h->end_told = s->body_done = false;
	p = head_start(h, 101, hd, n, &start);
	p = put_header(p, SLICE("connection"), SLICE("Upgrade"));
	p = put_header(p, SLICE("upgrade"), SLICE("websocket"));
	head_finish(h, start, p);
	conn_phase(h->c, PHASE_TUNNEL);
	conn_kick(h->c);
}

static const struct stream_front h1_stream = { .respond = h1_respond,
	.write = h1_write,
	.write_buffer = h1_write_buffer,
	.reserve = h1_reserve,
	.commit = h1_commit,
	.end = h1_end,
	.reset = h1_reset,
	.pause = h1_pause,
	.room = h1_room,
	.upgrade = h1_upgrade };

/* --- the request --- */

/* No request: say what is wrong with it, and close. */
static void
h1_refuse(struct h1 *h, unsigned int status, const char *why)
{
	log_event(LOG_INFO, "request.bad", LOG_S("rid", h->s.rid),
	    LOG_N("status", status), LOG_S("why", why));
	h->keep = false;
	h->in_done = true;
	h->active = true;
	http_head_init(&h->s.head);
	h->s.head.minor = 1;
	respond_error(&h->s, status, NULL);
}

/*
 * No further request is answered.  When it is only that ided leaves, one may be on its
 * way: who was told that the connection stays is answered, and told otherwise then.
 */
static bool
is_over(const struct h1 *h)
{
	return (h->s.w->draining && !(h->s.w->stopping && h->keep));
}

/* Parses a head; returns its bytes once it is complete. */
static size_t
h1_head(struct h1 *h, uint8_t *data, size_t len, size_t used)
{
	struct http_head *head = &h->s.head;

	if ((h->served && is_over(h)) || (h->eof && len == 0)) {
		conn_end(h->c);
		return (0);
	}
	if (len == 0 || conn_room(h->c) < START_ROOM)
		return (0);
	switch (http_request_parse(head, (char *)data, len)) {
	case HTTP_MORE:
		h->begun = true;
		if (h->eof)
			conn_end(h->c);
		conn_phase(h->c, PHASE_HEADER);
		return (0);
	case HTTP_DONE:
		break;
	default:
		worker_stage(STAGE_BAD_REQUEST);
		if (head->error == HTTP_E_TLS)
			conn_abort(h->c, "TLS where HTTP is spoken");
		else
			h1_refuse(h, (unsigned int)http_error_status(head->error),
			    http_error_reason(head->error));
		return (0);
	}
	conn_pin(h->c, used + head->size);
	h->active = true;
	h->keep = head->keep_alive;
	h->in_done = head->body == BODY_NONE;
	h->left = head->body == BODY_LENGTH ? (uint64_t)head->content_length : 0;
	if (head->body == BODY_CHUNKED)
		chunk_init(&h->chunk, INT64_MAX);
	h->s.websocket = head->websocket;
	conn_phase(h->c, PHASE_WORK);
	stream_request(&h->s);
	if (h->s.on_body == NULL && h->s.on_body_end == NULL && h->s.status == 0)
		h->s.paused = true;
	return (head->size);
}

/* The body's next piece, wanted or not; returns what was used of it. */
static size_t
body_piece(struct h1 *h, uint8_t *data, size_t len)
{
	struct stream *s = &h->s;
	size_t out = len;
	enum chunk_result r = CHUNK_MORE;

	if (s->head.body == BODY_LENGTH) {
		if (len > h->left)
			out = len = (size_t)h->left;
		h->left -= len;
		h->in_done = h->left == 0;
	} else {
		r = chunk_decode(&h->chunk, (char *)data, &len, &out);
		h->in_done = r == CHUNK_DONE;
	}
	conn_progress(h->c, len);
	if (s->on_body == NULL) {
		h->discarded += len;
		if (h->discarded > DISCARD_MAX) {
			h->keep = false;
			h->in_done = true;
		}
	} else if (out > 0)
		s->on_body(s, data, out);
	if (r == CHUNK_ERROR) {
		log_event(LOG_INFO, "request.bad", LOG_S("rid", s->rid),
		    LOG_S("why", chunk_error_reason(h->chunk.error)));
		worker_stage(STAGE_BAD_REQUEST);
		h->keep = false;
		h->in_done = h->end_told = true;
		stream_fail(s, (unsigned int)chunk_error_status(h->chunk.error));
	}
	return (len);
}

/* Passes on what has come; returns what was used of it. */
static size_t
h1_body(struct h1 *h, uint8_t *data, size_t len)
{
	struct stream *s = &h->s;
	bool drop = s->on_body == NULL && s->status != 0;
	size_t used = 0;

	if (s->paused && !drop)
		return (0);
	if (s->tunnel && !h->in_done) {
		if (len > 0 && s->on_body == NULL)
			return (0);
		if (len > 0) {
			s->on_body(s, data, len);
			return (len);
		}
		h->in_done = h->eof;
	} else if (!h->in_done && (s->on_body != NULL || drop)) {
		if (len > 0)
			used = body_piece(h, data, len);
		else if (h->eof)
			conn_abort(h->c, "client left in its request");
		else if (s->head.expect_continue && !h->said_100 && !drop) {
			h->said_100 = true;
			conn_write(h->c, "HTTP/1.1 100 Continue\r\n\r\n", 25);
		}
	}
	if (h->in_done && !h->end_told && !s->paused && !s->ended &&
	    (s->tunnel || !s->websocket)) {
		h->end_told = true;
		s->body_done = true;
		if (s->on_body_end != NULL)
			s->on_body_end(s);
	}
	return (used);
}

/* The request and its answer are over. */
static void
h1_next(struct h1 *h)
{
	stream_close(&h->s);
	conn_unpin(h->c);
	h->active = false;
	h->served = true;
	if (!h->keep || is_over(h)) {
		conn_end(h->c);
		return;
	}
	conn_kept(h->c);
	h->begun = h->end_told = h->said_100 = false;
	h->discarded = 0;
	stream_init(&h->s, h->s.w, &h1_stream, h);
	conn_phase(h->c, PHASE_IDLE);
}

static void
h1_phase(struct h1 *h)
{
	struct stream *s = &h->s;

	if (s->tunnel)
		conn_phase(h->c, PHASE_TUNNEL);
	else if (!h->in_done && !s->paused && (s->on_body != NULL || s->status != 0))
		conn_phase(h->c, PHASE_BODY);
	else
		conn_phase(h->c, PHASE_WORK);
}

static size_t
h1_input(struct conn *c, uint8_t *data, size_t len)
{
	struct h1 *h = conn_state(c);
	size_t used = 0, n;

	do {
		if (h->active)
			n = h1_body(h, data + used, len - used);
		else
			n = h1_head(h, data + used, len - used, used);
		used += n;
		/* The rest of a body matters only if something follows it. */
		if (h->active && h->s.ended && (h->in_done || !h->keep)) {
			h1_next(h);
			n = 1;
		}
	} while (n > 0 && !conn_ending(c));
	if (h->active)
		h1_phase(h);
	return (used);
}

/* --- the connection --- */

static void
h1_start(struct conn *c)
{
	static struct h1 h;

	h.c = c;
	stream_init(&h.s, conn_worker(c), &h1_stream, &h);
	conn_set_state(c, &h);
}

static void
h1_drain(struct conn *c)
{
	struct h1 *h = conn_state(c);

	if (h->active && h->s.on_drain != NULL && !h->s.ended)
		h->s.on_drain(&h->s);
	conn_kick(c);
}

static void
h1_eof(struct conn *c)
{
	struct h1 *h = conn_state(c);

	h->eof = true;
	conn_kick(c);
}

static void
h1_leave(struct conn *c)
{
	struct h1 *h = conn_state(c);

	if (h->active && h->s.on_leave != NULL)
		h->s.on_leave(&h->s);
	/* Who has only just connected gets an answer to the first request. */
	if (!h->active && h->served && is_over(h))
		conn_end(c);
}

static void
h1_timeout(struct conn *c, enum conn_phase phase)
{
	struct h1 *h = conn_state(c);

	if (phase == PHASE_BODY) {
		h->keep = false;
		h->in_done = h->end_told = true;
		stream_fail(&h->s, 408);
	} else if (phase == PHASE_HEADER && h->begun && !h->active)
		h1_refuse(h, 408, "the head took too long");
	else
		conn_end(c);
	conn_kick(c);
}

static void
h1_gone(struct conn *c, const char *why)
{
	struct h1 *h = conn_state(c);

	(void)why;
	if (h->active)
		stream_close(&h->s);
}

const struct front front_h1 = { .name = "h1",
	.start = h1_start,
	.input = h1_input,
	.drain = h1_drain,
	.eof = h1_eof,
	.leave = h1_leave,
	.timeout = h1_timeout,
	.gone = h1_gone };
