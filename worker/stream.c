/*
 * What all streams have in common, whichever protocol carries them.
 */
#include <string.h>
#include <time.h>

#include "../privsep/log.h"
#include "encode.h"
#include "respond.h"
#include "stream.h"
#include "traffic.h"
#include "url.h"
#include "worker.h"

static int64_t
now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ((int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000);
}

void
stream_init(
    struct stream *s, struct worker *w, const struct stream_front *front, void *conn)
{
	/* The two large arrays are not read beyond what was written. */
	http_head_init(&s->head);
	memset((char *)s + offsetof(struct stream, websocket), 0,
	    offsetof(struct stream, path) - offsetof(struct stream, websocket));
	s->path[0] = '\0';
	memset((char *)s + offsetof(struct stream, route), 0,
	    sizeof(*s) - offsetof(struct stream, route));
	s->w = w;
	s->front = front;
	s->conn = conn;
	s->id = 0;
	s->started_us = now_us();
	worker_rid(s->rid);
}

/* One line per request; the target is the client's, and cut. */
static void
stream_log(const struct stream *s)
{
	char method[HTTP_METHOD_MAX + 1], target[256];
	size_t n = s->head.token.len, t = s->head.target.len;
	int level = s->status == 400 || s->status == 421 ? LOG_INFO : LOG_DEBUG;

	if (level > log_get_level())
		return;
	n = n < sizeof(method) - 1 ? n : sizeof(method) - 1;
	t = t < sizeof(target) - 1 ? t : sizeof(target) - 1;
	memcpy(method, n > 0 ? s->head.token.p : "", n);
	memcpy(target, t > 0 ? s->head.target.p : "", t);
	method[n] = target[t] = '\0';
	/* A query may carry what is nobody's business. */
	target[strcspn(target, "?")] = '\0';
	log_event(level, "request.done", LOG_S("rid", s->rid), LOG_S("method", method),
	    LOG_S("path", target), LOG_N("status", s->status),
	    LOG_N("bytes", s->bytes_out), LOG_N("ms", (now_us() - s->started_us) / 1000),
	    LOG_S("user", s->w->bound ? s->w->who.name : ""));
}

static void
stream_abandon(struct stream *s)
{
	void (*fn)(struct stream *) = s->on_close;

	s->on_body = NULL;
	s->on_body_end = NULL;
	s->on_drain = NULL;
	s->on_leave = NULL;
	s->on_close = NULL;
	if (fn != NULL)
		fn(s);
	s->arg = NULL;
}

void
stream_close(struct stream *s)
{
	if (s->closed)
		return;
	stream_abandon(s);
	encode_free(s);
	s->closed = true;
	stream_log(s);
	worker_count(1, 0, 0);
	traffic_count(s, now_us() - s->started_us);
}

void
stream_fail(struct stream *s, unsigned int status)
{
	if (s->closed || s->ended)
		return;
	stream_abandon(s);
	if (s->status == 0)
		respond_error(s, status, NULL);
	else
		stream_reset(s);
}

/* A header that could be read as two, or as something else. */
static bool
header_ok(const struct header *h)
{
	return (http_is_token(h->name) && http_is_value(h->value));
}

/* The headers without the bad ones, which only a bug of ours can make. */
static size_t
headers_check(struct stream *s, const struct header **h, size_t n, struct header *copy)
{
	size_t i, kept = 0;

	for (i = 0; i < n && i < STREAM_RESP_HEADERS; i++)
		if (!header_ok(&(*h)[i]))
			break;
	if (i == n)
		return (n);
	for (i = 0; i < n && kept < STREAM_RESP_HEADERS; i++) {
		if (header_ok(&(*h)[i]))
			copy[kept++] = (*h)[i];
		else
			log_event(LOG_WARNING, "header.dropped", LOG_S("rid", s->rid),
			    LOG_N("index", i));
	}
	*h = copy;
	return (kept);
}

void
stream_respond(struct stream *s, unsigned int status, const struct header *h, size_t n,
    int64_t length)
{
	struct header copy[STREAM_RESP_HEADERS];
	struct encode_head head;

	if (s->status != 0 || s->closed)
		return;
	head.status = status;
	head.n = headers_check(s, &h, n, copy);
	head.h = h;
	head.length = length;
	encode_begin(s, &head);
	s->status = status;
	s->front->respond(s, status, head.h, head.n, head.length);
}

bool
stream_hint(struct stream *s, const struct header *h, size_t n)
{
	if (s->status != 0 || s->closed || s->front->hint == NULL)
		return (false);
	s->front->hint(s, h, n);
	return (true);
}

void
stream_upgrade(struct stream *s, const struct header *h, size_t n)
{
	struct header copy[STREAM_RESP_HEADERS];

	if (s->status != 0 || s->closed)
		return;
	n = headers_check(s, &h, n, copy);
	s->status = 101;
	s->tunnel = true;
	s->front->upgrade(s, h, n);
}

void
stream_write(struct stream *s, const void *data, size_t len)
{
	if (len == 0 || s->status == 0 || s->ended || s->closed)
		return;
	if (s->encode != NULL)
		encode_write(s, data, len);
	else
		s->front->write(s, data, len);
}

/* An encoder takes it piece by piece. */
static void
write_encoded(struct stream *s, struct evbuffer *src)
{
	struct evbuffer_iovec v;

	while (evbuffer_peek(src, -1, NULL, &v, 1) > 0 && v.iov_len > 0) {
		stream_write(s, v.iov_base, v.iov_len);
		evbuffer_drain(src, v.iov_len);
	}
}

void
stream_write_buffer(struct stream *s, struct evbuffer *src)
{
	if (s->status == 0 || s->ended || s->closed)
		evbuffer_drain(src, evbuffer_get_length(src));
	else if (s->encode != NULL)
		write_encoded(s, src);
	else
		s->front->write_buffer(s, src);
}

uint8_t *
stream_reserve(struct stream *s, size_t want)
{
	if (s->front->reserve == NULL || s->status == 0 || s->ended || s->closed ||
	    s->encode != NULL)
		return (NULL);
	return (s->front->reserve(s, want));
}

void
stream_commit(struct stream *s, size_t len)
{
	s->front->commit(s, len);
}

void
stream_end(struct stream *s)
{
	if (s->status == 0 || s->ended || s->closed)
		return;
	if (s->encode != NULL) {
		encode_end(s);
		if (s->ended)
			return; /* it failed, and the stream was reset */
		encode_free(s);
	}
	s->ended = true;
	s->front->end(s);
}

void
stream_reset(struct stream *s)
{
	if (s->ended || s->closed)
		return;
	s->ended = true;
	s->front->reset(s);
}

void
stream_pause(struct stream *s, bool pause)
{
	if (s->closed)
		return;
	s->paused = pause;
	s->front->pause(s, pause);
}

size_t
stream_room(struct stream *s)
{
	return (s->ended || s->closed ? 0 : s->front->room(s));
}
