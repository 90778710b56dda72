/*
 * The HTTP/2 front: the session and the connection's life.  See h2.h.
 *
 * nghttp2 is entered from two places only, input() and h2_flush(); everything
 * else changes what it has to send and asks for a turn with conn_kick().
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "h2.h"
#include "../privsep/log.h"
#include "respond.h"
#include "../privsep/clock.h"

static nghttp2_session_callbacks *callbacks;
static nghttp2_option *options;

static uint64_t
now_ms(void)
{
	return ((uint64_t)clock_ms(CLOCK_MONOTONIC));
}

/* --- what nghttp2 tells --- */

static struct h2_stream *
stream_of(const struct h2 *h, int32_t id)
{
	return (nghttp2_session_get_stream_user_data(h->ng, id));
}

static int
on_begin_headers(nghttp2_session *ng, const nghttp2_frame *f, void *arg)
{
	struct h2 *h = arg;

	(void)ng;
	if (h->block == NULL && (h->block = malloc(sizeof(*h->block))) == NULL)
		fatal("malloc");
	h2_block_begin(h->block, f->headers.cat != NGHTTP2_HCAT_REQUEST);
	if (h->block->trailer)
		h2_guard_spend(&h->guard, H2_TRAILER, 1, h->now);
	return (0);
}

static int
on_header(nghttp2_session *ng, const nghttp2_frame *f, const uint8_t *name, size_t nlen,
    const uint8_t *value, size_t vlen, uint8_t flags, void *arg)
{
	struct h2 *h = arg;

	(void)ng;
	(void)f;
	(void)flags;
	if (h2_guard_spend(&h->guard, H2_HEADER_BYTES, nlen + vlen, h->now) &&
	    h2_block_add(h->block, (struct slice){ (const char *)name, nlen },
		(struct slice){ (const char *)value, vlen }))
		return (0);
	/* Decoding the rest is what a bomb is after: stop here and now. */
	if (h->guard.broken == H2_BUDGET_MAX)
		h->guard.broken = H2_HEADER_BYTES;
	return (NGHTTP2_ERR_PAUSE);
}

/* nghttp2 would leave such a field out and go on; a stream error it shall be. */
static int
on_invalid_header(nghttp2_session *ng, const nghttp2_frame *f, const uint8_t *name,
    size_t nlen, const uint8_t *value, size_t vlen, uint8_t flags, void *arg)
{
	(void)ng;
	(void)f;
	(void)name;
	(void)nlen;
	(void)value;
	(void)vlen;
	(void)flags;
	(void)arg;
	return (NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE);
}

/* All streams get their turn, those of one urgency in equal pieces. */
static void
set_priority(struct h2 *h, int32_t id, unsigned int urgency)
{
	nghttp2_extpri pri = { urgency, 1 };

	nghttp2_session_change_extpri_stream_priority(h->ng, id, &pri, 1);
}

static void
request_begin(struct h2 *h, int32_t id, bool end_stream)
{
	struct slice scheme = conn_is_tls(h->c) ? SLICE("https") : SLICE("http");
	struct h2_block *b = h->block;
	struct h2_stream *st = h2_stream_new(h, id, b->used);
	struct h2_request rq;
	enum http_method method;
	enum http_error e;

	nghttp2_session_set_stream_user_data(h->ng, id, st);
	memcpy(st->bytes, b->buf, b->used);
	st->in_end = end_stream;
	e = h2_block_finish(b, st->bytes, scheme, end_stream, &st->s.head, &rq);
	set_priority(h, id, rq.urgency);
	if (e != HTTP_E_NONE) {
		log_event(LOG_INFO, "request.bad", LOG_S("rid", st->s.rid),
		    LOG_S("why", http_error_name(e)));
		worker_stage(STAGE_BAD_REQUEST);
		h2_guard_spend(&h->guard, H2_INVALID, 1, h->now);
		/* Nothing of it may be taken for a request. */
		method = st->s.head.method;
		http_head_init(&st->s.head);
		st->s.head.method = method;
		respond_error(
		    &st->s, (unsigned int)http_error_status(e), http_error_reason(e));
		return;
	}
	st->s.websocket = st->connect = rq.websocket;
	st->expect = st->s.head.expect_continue && !end_stream;
	stream_request(&st->s);
	if (st->s.on_body == NULL && st->s.on_body_end == NULL && !st->answered)
		st->s.paused = true;
	st->pump = true;
	conn_kick(h->c);
}

static void
block_complete(struct h2 *h, const nghttp2_frame *f)
{
	bool end = f->hd.flags & NGHTTP2_FLAG_END_STREAM;
	struct h2_stream *st;

	if (h->block == NULL || !h->block->open)
		return;
	h->block->open = false;
	if (f->headers.cat == NGHTTP2_HCAT_REQUEST)
		request_begin(h, f->hd.stream_id, end);
	else if (end && (st = stream_of(h, f->hd.stream_id)) != NULL) {
		st->in_end = st->pump = true;
		conn_kick(h->c);
	}
}

/* The last GOAWAY: from here on nothing new is begun. */
static void
leave_now(struct h2 *h)
{
	if (h->left)
		return;
	h->left = true;
	nghttp2_submit_goaway(h->ng, NGHTTP2_FLAG_NONE,
	    nghttp2_session_get_last_proc_stream_id(h->ng), NGHTTP2_NO_ERROR, NULL, 0);
	conn_kick(h->c);
}

static int
on_frame_recv(nghttp2_session *ng, const nghttp2_frame *f, void *arg)
{
	struct h2 *h = arg;
	struct h2_stream *st;

	(void)ng;
	switch (f->hd.type) {
	case NGHTTP2_HEADERS:
		block_complete(h, f);
		break;
	case NGHTTP2_DATA:
		if ((f->hd.flags & NGHTTP2_FLAG_END_STREAM) &&
		    (st = stream_of(h, f->hd.stream_id)) != NULL) {
			st->in_end = st->pump = true;
			conn_kick(h->c);
		}
		break;
	case NGHTTP2_PING:
		if (h->leaving && (f->hd.flags & NGHTTP2_FLAG_ACK))
			leave_now(h);
		break;
	case NGHTTP2_WINDOW_UPDATE:
		if (f->window_update.window_size_increment < 64)
			h2_guard_spend(&h->guard, H2_WINDOW_TINY, 1, h->now);
		break;
	default:
		break;
	}
	return (0);
}

static int
on_invalid_frame(nghttp2_session *ng, const nghttp2_frame *f, int error, void *arg)
{
	struct h2 *h = arg;

	(void)ng;
	(void)error;
	h2_guard_spend(&h->guard, H2_INVALID, 1, h->now);
	if (f->hd.type == NGHTTP2_HEADERS && h->block != NULL)
		h->block->open = false;
	return (0);
}

static int
on_data(nghttp2_session *ng, uint8_t flags, int32_t id, const uint8_t *data, size_t len,
    void *arg)
{
	struct h2 *h = arg;
	struct h2_stream *st = stream_of(h, id);

	(void)flags;
	conn_progress(h->c, len);
	if (st != NULL)
		h2_stream_data(st, data, len);
	else
		nghttp2_session_consume(ng, id, len);
	return (0);
}

static int
on_frame_send(nghttp2_session *ng, const nghttp2_frame *f, void *arg)
{
	struct h2 *h = arg;
	struct h2_stream *st;

	switch (f->hd.type) {
	case NGHTTP2_GOAWAY:
		h->said = h->dying;
		if (h->dying || f->goaway.error_code == NGHTTP2_NO_ERROR)
			break;
		log_event(LOG_NOTICE, "h2.refused",
		    LOG_S("why", nghttp2_http2_strerror(f->goaway.error_code)));
		worker_stage(STAGE_BAD_REQUEST);
		break;
	case NGHTTP2_RST_STREAM:
		/* What we did on our own account is no fault of the client. */
		if (f->rst_stream.error_code != NGHTTP2_NO_ERROR &&
		    f->rst_stream.error_code != NGHTTP2_INTERNAL_ERROR &&
		    f->rst_stream.error_code != NGHTTP2_CANCEL)
			h2_guard_spend(&h->guard, H2_SERVER_RESET, 1, h->now);
		break;
	case NGHTTP2_HEADERS:
	case NGHTTP2_DATA:
		st = stream_of(h, f->hd.stream_id);
		if (st == NULL || !(f->hd.flags & NGHTTP2_FLAG_END_STREAM))
			break;
		st->said = true;
		/* No body is coming that an answer could cross. */
		if (!st->in_end && !st->s.tunnel && !st->reset &&
		    st->s.head.body == BODY_NONE) {
			st->reset = true;
			nghttp2_submit_rst_stream(
			    ng, NGHTTP2_FLAG_NONE, st->s.id, NGHTTP2_NO_ERROR);
		}
		break;
	default:
		break;
	}
	return (0);
}

static int
on_stream_close(nghttp2_session *ng, int32_t id, uint32_t code, void *arg)
{
	struct h2_stream *st = stream_of(arg, id);

	(void)code;
	if (st == NULL)
		return (0);
	nghttp2_session_set_stream_user_data(ng, id, NULL);
	h2_stream_free(st);
	return (0);
}

/* --- the turn of the loop --- */

static void
h2_phase(struct h2 *h)
{
	struct h2_stream *st;
	enum conn_phase phase = PHASE_BODY;

	if (h->ntunnels > 0)
		phase = PHASE_TUNNEL;
	else if (h->nstreams == 0)
		phase = h2_guard_midframe(&h->guard) ||
			(h->block != NULL && h->block->open) ?
		    PHASE_HEADER :
		    PHASE_IDLE;
	else
		TAILQ_FOREACH(st, &h->streams, entry)
			if (st->in_end || st->s.paused || st->answered) {
				phase = PHASE_WORK;
				break;
			}
	conn_phase(h->c, phase);
}

/* The client has gone too far: says so, and that is the end. */
static void
die(struct h2 *h, uint32_t code, const char *why)
{
	const uint8_t *p;
	ssize_t n;

	if (h->dying)
		return;
	h->dying = true;
	log_event(LOG_NOTICE, "h2.refused", LOG_S("why", why));
	worker_stage(STAGE_BAD_REQUEST);
	nghttp2_session_terminate_session(h->ng, code);
	while (!h->said && (n = nghttp2_session_mem_send(h->ng, &p)) > 0)
		conn_write(h->c, p, (size_t)n);
	conn_end(h->c);
}

static bool
still_calm(struct h2 *h)
{
	if (h->guard.broken != H2_BUDGET_MAX)
		die(h, NGHTTP2_ENHANCE_YOUR_CALM, h2_budget_name(h->guard.broken));
	return (!h->dying);
}

static void
h2_flush(struct h2 *h)
{
	const uint8_t *p;
	ssize_t n;

	while (conn_room(h->c) > 0) {
		if ((n = nghttp2_session_mem_send(h->ng, &p)) < 0) {
			die(h, NGHTTP2_INTERNAL_ERROR, nghttp2_strerror((int)n));
			return;
		}
		if (n == 0)
			break;
		conn_write(h->c, p, (size_t)n);
	}
}

static void
tick_set(struct h2 *h, bool on)
{
	static const struct timeval tv = { H2_TICK, 0 };

	if (on == h->ticking)
		return;
	h->ticking = on;
	on ? event_add(h->ev_tick, &tv) : event_del(h->ev_tick);
}

/* Everything that changed takes effect here. */
static void
h2_turn(struct h2 *h)
{
	struct h2_stream *st;
	bool tick;

	TAILQ_FOREACH(st, &h->streams, entry)
		if (st->pump)
			h2_stream_pump(st);
	h2_flush(h);
	if (!still_calm(h))
		return;
	tick = h->leaving && !h->left;
	TAILQ_FOREACH(st, &h->streams, entry) {
		h2_stream_drain(st);
		tick |= !h2_stream_resting(st);
	}
	h2_phase(h);
	tick_set(h, tick);
	if (h->nstreams == 0 && h->block != NULL && !h->block->open) {
		free(h->block);
		h->block = NULL;
	}
	/* The last stream is over, or nghttp2 has given the connection up. */
	if ((h->nstreams == 0 && (h->left || h->eof)) ||
	    (!nghttp2_session_want_read(h->ng) && !nghttp2_session_want_write(h->ng))) {
		h2_flush(h);
		conn_end(h->c);
	}
}

/* A stream that the client lets stand still. */
static void
stalled(struct h2 *h, struct h2_stream *st)
{
	log_event(LOG_INFO, "stream.stalled", LOG_S("rid", st->s.rid));
	worker_stage(STAGE_TIMEOUT);
	h2_stream_reset(st, NGHTTP2_CANCEL);
	/* A user may have a reason; nobody else is waited for. */
	if (!h->w->bound)
		leave_now(h);
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct h2 *h = arg;
	struct h2_stream *st;

	(void)fd;
	(void)what;
	h->ticking = false;
	h->now = now_ms();
	if (h->leaving)
		leave_now(h);
	TAILQ_FOREACH(st, &h->streams, entry)
		if (h2_stream_unwanted(st))
			h2_stream_reset(st, NGHTTP2_NO_ERROR);
		else if (h2_stream_stalled(st))
			stalled(h, st);
	conn_kick(h->c);
}

/* --- the front --- */

static void
prepare(void)
{
	nghttp2_session_callbacks *cb;

	if (nghttp2_session_callbacks_new(&cb) != 0 || nghttp2_option_new(&options) != 0)
		fatalx("nghttp2: out of memory");
	nghttp2_session_callbacks_set_on_begin_headers_callback(cb, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
	nghttp2_session_callbacks_set_on_invalid_header_callback(cb, on_invalid_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame_recv);
	nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(
	    cb, on_invalid_frame);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
	nghttp2_session_callbacks_set_on_frame_send_callback(cb, on_frame_send);
	nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_stream_close);
	nghttp2_session_callbacks_set_send_data_callback(cb, h2_data_send);

	nghttp2_option_set_no_auto_window_update(options, 1);
	nghttp2_option_set_no_closed_streams(options, 1);
	nghttp2_option_set_max_settings(options, 16);
	nghttp2_option_set_max_outbound_ack(options, 200);
	nghttp2_option_set_max_deflate_dynamic_table_size(options, 4096);
	callbacks = cb;
}

static void
h2_leave(struct conn *c)
{
	struct h2 *h = conn_state(c);
	struct h2_stream *st;

	if (h->leaving || h->dying)
		return;
	TAILQ_FOREACH(st, &h->streams, entry)
		if (st->s.on_leave != NULL)
			st->s.on_leave(&st->s);
	/*
	 * What the client has sent meanwhile is still served: its answer to the
	 * PING shows that it knows.
	 */
	h->leaving = true;
	nghttp2_submit_shutdown_notice(h->ng);
	nghttp2_submit_ping(h->ng, NGHTTP2_FLAG_NONE, NULL);
	tick_set(h, true);
	conn_kick(c);
}

static void
h2_start(struct conn *c)
{
	static const nghttp2_settings_entry settings[] = {
		{ NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, H2_STREAMS },
		{ NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, H2_STREAM_WINDOW },
		{ NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, H2_LIST_MAX },
		{ NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, 4096 },
		{ NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1 },
		{ NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1 },
	};
	struct h2 *h;

	if (callbacks == NULL)
		prepare();
	if ((h = calloc(1, sizeof(*h))) == NULL)
		fatal("calloc");
	h->c = c;
	h->w = conn_worker(c);
	h->now = now_ms();
	TAILQ_INIT(&h->streams);
	h2_guard_init(&h->guard, h->now);
	if ((h->ev_tick = evtimer_new(h->w->base, on_tick, h)) == NULL ||
	    nghttp2_session_server_new2(&h->ng, callbacks, h, options) != 0 ||
	    nghttp2_submit_settings(h->ng, NGHTTP2_FLAG_NONE, settings,
		sizeof(settings) / sizeof(settings[0])) != 0 ||
	    nghttp2_session_set_local_window_size(
		h->ng, NGHTTP2_FLAG_NONE, 0, H2_CONN_WINDOW) != 0)
		fatalx("nghttp2: out of memory");
	conn_set_state(c, h);
	if (h->w->draining)
		h2_leave(c);
	conn_kick(c);
}

static size_t
h2_input(struct conn *c, uint8_t *data, size_t len)
{
	struct h2 *h = conn_state(c);
	ssize_t n;

	h->now = now_ms();
	if (h->dying)
		return (len);
	if (len > 0 && h2_guard_scan(&h->guard, data, len, h->now) &&
	    (n = nghttp2_session_mem_recv(h->ng, data, len)) < 0) {
		die(h,
		    n == NGHTTP2_ERR_FLOODED ? NGHTTP2_ENHANCE_YOUR_CALM :
					       NGHTTP2_PROTOCOL_ERROR,
		    nghttp2_strerror((int)n));
		return (len);
	}
	if (still_calm(h))
		h2_turn(h);
	return (len);
}

static void
h2_drain(struct conn *c)
{
	struct h2 *h = conn_state(c);

	h->now = now_ms();
	if (!h->dying)
		h2_turn(h);
}

/* The client sends no more: what it has asked for in full is answered. */
static void
h2_eof(struct conn *c)
{
	struct h2 *h = conn_state(c);
	struct h2_stream *st;

	h->eof = true;
	TAILQ_FOREACH(st, &h->streams, entry)
		if (!st->in_end)
			h2_stream_reset(st, NGHTTP2_CANCEL);
	conn_kick(c);
}

static void
h2_timeout(struct conn *c, enum conn_phase phase)
{
	struct h2 *h = conn_state(c);
	struct h2_stream *st;

	if (phase == PHASE_BODY)
		TAILQ_FOREACH(st, &h->streams, entry)
			stream_fail(&st->s, 408);
	leave_now(h);
	h2_flush(h);
	conn_end(c);
}

static void
h2_gone(struct conn *c, const char *why)
{
	struct h2 *h = conn_state(c);
	struct h2_stream *st;

	(void)why;
	if (h == NULL)
		return;
	while ((st = TAILQ_FIRST(&h->streams)) != NULL)
		h2_stream_free(st);
	conn_set_state(c, NULL);
	event_free(h->ev_tick);
	nghttp2_session_del(h->ng);
	free(h->block);
	free(h);
}

const struct front front_h2 = { .name = "h2",
	.start = h2_start,
	.input = h2_input,
	.drain = h2_drain,
	.eof = h2_eof,
	.leave = h2_leave,
	.timeout = h2_timeout,
	.gone = h2_gone };
