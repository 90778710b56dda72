/*
 * The relay of one request and its answer: see proxy.h.
 *
 * A relay waits for its connection, then for upstream's head, then hands on the
 * body as fast as the client takes it.  The request's body goes the other way
 * meanwhile, as fast as upstream takes it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "activity.h"
#include "proxy.h"
#include "relay.h"
#include "respond.h"
#include "routes.h"
#include "session.h"
#include "worker.h"
#include "../privsep/addr_text.h"
#include "../privsep/circuit.h"
#include "../privsep/log.h"
#include "../privsep/clock.h"

int64_t
relay_now(void)
{
	return (clock_ms(CLOCK_MONOTONIC));
}

/* --- the end --- */

void
relay_heard(struct relay *r, enum upstream_heard what)
{
	if (!r->heard)
		upstream_heard(&r->to, what);
	r->heard = true;
}

void
relay_free(struct relay *r)
{
	relay_heard(r, UPSTREAM_UNHEARD);
	if (r->holds)
		session_hold(r->s->w, false);
	if (r->wait != NULL)
		upstream_cancel(r->wait);
	if (r->u != NULL)
		upstream_close(r->u);
	event_free(r->ev_timer);
	evbuffer_free(r->out);
	if (r->page != NULL)
		evbuffer_free(r->page);
	free(r->head);
	free(r);
}

static void
on_close(struct stream *s)
{
	struct relay *r = s->arg;

	s->arg = NULL;
	relay_free(r);
}

/* The relay has nothing more to do; its stream may live on for a while. */
void
relay_done(struct relay *r)
{
	struct stream *s = r->s;

	r->state = R_DONE;
	s->on_body = NULL;
	s->on_body_end = NULL;
	s->on_drain = NULL;
	event_del(r->ev_timer);
	evbuffer_drain(r->out, evbuffer_get_length(r->out));
	free(r->head);
	r->head = NULL;
}

void
relay_fail(struct relay *r, unsigned int status, const char *why)
{
	struct stream *s = r->s;
	struct upstream *u = r->u;

	log_event(LOG_WARNING, "proxy.failed", LOG_S("rid", s->rid), LOG_S("why", why),
	    LOG_N("status", status));
	r->u = NULL;
	if (u != NULL)
		upstream_close(u);
	relay_done(r);
	if (s->status != 0)
		stream_reset(s);
	else if (relay_way(r) != NULL)
		port_error(
		    s, &r->way, status, why, status == 503 ? CIRCUIT_OPEN / 1000 : 0);
	else
		ide_error(s, status, why);
	stream_pause(s, false); /* what still comes is thrown away */
}

void
relay_blame(struct relay *r, unsigned int status, const char *did)
{
	char text[WIRE_TEXT], name[CONF_NAME_MAX + 32] = "The IDE";

	if (r->to.kind == UPSTREAM_PORT || r->to.kind == UPSTREAM_SHARE)
		snprintf(name, sizeof(name), "The program on port %u", r->way.port);
	else if (r->to.kind == UPSTREAM_LOCATION)
		snprintf(name, sizeof(name), "The service at %s/", r->way.prefix);
	snprintf(text, sizeof(text), "%s %s", name, did);
	relay_fail(r, status, text);
}

/* --- the request --- */

static void
relay_send(struct relay *r)
{
	ssize_t n;
	size_t left;

	if (r->u == NULL)
		return;
	n = upstream_write(r->u, r->out);
	if (n > 0) {
		r->sent = true;
		r->active = relay_now();
	}
	/*
	 * One who does not want to hear more may have answered already; that
	 * and the end are read.  What never went may go to another.
	 */
	if (n == -1 && r->sent)
		evbuffer_drain(r->out, evbuffer_get_length(r->out));
	if (n == -1)
		r->keep = false;
	left = n == -1 ? 0 : evbuffer_get_length(r->out);
	if (r->s->websocket || r->s->on_body == NULL)
		return;
	if (left > PROXY_BUFFER)
		stream_pause(r->s, true);
	else if (r->s->paused && left < PROXY_BUFFER / 2)
		stream_pause(r->s, false);
}

static void
on_writable(void *arg)
{
	relay_send(arg);
}

static void
add(struct evbuffer *out, const void *p, size_t len)
{
	if (evbuffer_add(out, p, len) == -1)
		fatalx("evbuffer_add");
}

static void
on_body(struct stream *s, const uint8_t *data, size_t len)
{
	struct relay *r = s->arg;
	char head[CHUNK_HEAD_MAX];

	if (len == 0)
		return;
	if (r->to.kind == UPSTREAM_IDE)
		session_beat(s->w); /* an upload may take long */
	if (s->head.body == BODY_CHUNKED) {
		add(r->out, head, chunk_head(head, len));
		add(r->out, data, len);
		add(r->out, CHUNK_TAIL, 2);
	} else {
		if ((int64_t)len > r->body_left) {
			relay_fail(r, 400, "The body is too long.");
			return;
		}
		r->body_left -= (int64_t)len;
		add(r->out, data, len);
	}
	relay_send(r);
}

static void
on_body_end(struct stream *s)
{
	struct relay *r = s->arg;

	if (r->asked)
		return;
	if (s->head.body == BODY_LENGTH && r->body_left > 0) {
		relay_fail(r, 400, "The body is too short.");
		return;
	}
	r->asked = true;
	if (s->head.body == BODY_CHUNKED)
		add(r->out, CHUNK_LAST, 5);
	relay_send(r);
}

/* The client's address as text; "" for a unix socket. */
static const char *
source_text(const struct wire_addr *a)
{
	static char text[INET6_ADDRSTRLEN];
	struct in6_addr ip;

	memcpy(&ip, a->ip, sizeof(ip));
	if (a->unix_peer || IN6_IS_ADDR_UNSPECIFIED(&ip))
		return ("");
	return (addr_text(a, text));
}

/* s until the answer begins */
static int64_t
first_time(const struct relay *r)
{
	return (relay_way(r) != NULL ? r->s->w->conf->proxy.timeout : PROXY_FIRST);
}

/* After 1, 2, 4 and 8 s, as long as an answer may take to begin. */
bool
relay_again(struct relay *r)
{
	struct timeval tv = { (time_t)1 << r->tries, 0 };

	if (r->tries == PROXY_AGAIN ||
	    relay_now() + tv.tv_sec * 1000 > r->began + first_time(r) * 1000)
		return (false);
	r->tries++;
	r->state = R_AGAIN;
	stream_pause(r->s, true);
	event_add(r->ev_timer, &tv);
	return (true);
}

/*
 * Nothing of the request has gone anywhere, so it may be tried again.  A service that
 * is just started anew is waited for; a port where nobody listens is soon told, as its
 * page is what waits for that.
 */
static bool
may_come(const struct relay *r, unsigned int status)
{
	return (status == UPSTREAM_AWAY ||
	    (r->to.kind == UPSTREAM_LOCATION &&
		(status == UPSTREAM_NOBODY || status == 504)));
}

static void
on_connected(void *arg, struct upstream *u, unsigned int status, const char *why)
{
	struct relay *r = arg;
	struct stream *s = r->s;
	struct proxy_via via;

	r->wait = NULL;
	if (u == NULL && may_come(r, status) && relay_again(r))
		return;
	if (u == NULL) {
		if (status == UPSTREAM_AWAY)
			status = 503;
		else if (status == UPSTREAM_NOBODY)
			status = 502;
		if (r->to.kind == UPSTREAM_LOCATION && (status == 502 || status == 504))
			relay_heard(r, UPSTREAM_FAILS);
		relay_fail(r, status, why);
		return;
	}
	r->u = u;
	r->state = R_HEAD;
	r->active = relay_now();
	upstream_own(u, relay_readable, on_writable, r);
	upstream_want_read(u, true);
	if (evbuffer_get_length(r->out) == 0) {
		via.source = source_text(&s->w->source);
		via.tls = s->w->kind == LISTEN_TLS;
		via.key = s->websocket ? r->key : NULL;
		via.way = relay_way(r);
		proxy_head_request(r->out, s, &via);
	}
	r->sent = false;
	relay_send(r);
}

void
relay_connect(struct relay *r, bool fresh)
{
	struct upstream_wait *wt;
	struct stream *s = r->s;

	r->state = R_CONNECT;
	r->active = relay_now();
	stream_pause(s, true);
	/* on_connected may have run, and the stream may be answered. */
	wt = upstream_get(s, &r->to, fresh, on_connected, r);
	if (wt == NULL)
		return;
	r->wait = wt;
	/* However long it takes to start, it is not idle meanwhile. */
	if (!r->holds && r->to.kind != UPSTREAM_LOCATION && !activity_itself(s)) {
		r->holds = true;
		session_hold(s->w, true);
	}
}

/* --- time --- */

#define NEVER INT64_MAX

static int64_t
limit_ms(const struct relay *r)
{
	if (r->state == R_CONNECT)
		return (PROXY_CONNECT * 1000);
	if (r->state == R_HEAD && r->asked && evbuffer_get_length(r->out) == 0)
		return (first_time(r) * 1000);
	return (r->endless ? NEVER : PROXY_IDLE * 1000);
}

static void
timer_set(struct relay *r, int64_t ms)
{
	struct timeval tv;

	/* A limit may become a shorter one meanwhile: look early enough. */
	if (ms > first_time(r) * 1000)
		ms = first_time(r) * 1000;
	tv.tv_sec = ms / 1000;
	tv.tv_usec = ms % 1000 * 1000 + 1000;
	event_add(r->ev_timer, &tv);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct relay *r = arg;
	int64_t left;

	(void)fd;
	(void)what;
	if (r->state == R_AGAIN) {
		relay_connect(r, false);
		if (r->state == R_CONNECT || r->state == R_HEAD)
			timer_set(r, limit_ms(r));
		return;
	}
	/* While the client does not take the answer, its time is not ours. */
	if (r->stopped)
		r->active = relay_now();
	left = limit_ms(r) == NEVER ? NEVER : r->active + limit_ms(r) - relay_now();
	if (left > 0)
		timer_set(r, left);
	else {
		if (r->state != R_BODY)
			relay_heard(r, UPSTREAM_FAILS);
		relay_blame(r, 504, "did not answer in time.");
	}
}

/* --- the beginning --- */

/* 16 random bytes in base64: 22 characters that count, and "==". */
static bool
key_ok(struct slice key)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				       "abcdefghijklmnopqrstuvwxyz0123456789+/";

	if (key.p == NULL || key.len != PROXY_KEY_LEN)
		return (false);
	for (size_t i = 0; i < PROXY_KEY_LEN - 2; i++)
		if (strchr(alphabet, key.p[i]) == NULL || key.p[i] == '\0')
			return (false);
	return (key.p[22] == '=' && key.p[23] == '=');
}

/* The key of a handshake: the client's in HTTP/1.1, ours in HTTP/2. */
static bool
handshake_begin(struct relay *r)
{
	const struct http_head *head = &r->s->head;
	struct slice key = http_header(head, HDR_SEC_WEBSOCKET_KEY);

	if (!slice_eq(http_header(head, HDR_SEC_WEBSOCKET_VERSION), SLICE("13")))
		return (false);
	if (!head->websocket) {
		proxy_ws_key(r->key);
		return (true);
	}
	if (!key_ok(key))
		return (false);
	memcpy(r->key, key.p, PROXY_KEY_LEN);
	return (true);
}

static void
relay_start(struct stream *s, const struct upstream_to *to, const struct port_way *way)
{
	unsigned int seconds = upstream_try(to);
	struct relay *r;

	if (seconds != 0) {
		port_error(s, way, 503,
		    "It does not answer; it is asked again in a moment.", seconds);
		return;
	}
	if ((r = calloc(1, sizeof(*r))) == NULL)
		fatal("calloc");
	r->s = s;
	s->told_of = s->websocket && to->kind == UPSTREAM_IDE && activity_tells(s);
	r->began = relay_now();
	r->to = *to;
	if (way != NULL)
		r->way = *way;
	r->out = evbuffer_new();
	r->ev_timer = evtimer_new(s->w->base, on_timer, r);
	if (r->out == NULL || r->ev_timer == NULL)
		fatalx("out of memory");
	r->body_left = s->head.content_length;
	r->asked = s->head.body == BODY_NONE;
	s->arg = r;
	s->on_close = on_close;
	if (s->websocket && !handshake_begin(r)) {
		relay_done(r);
		respond_error(s, 400, "This is not a WebSocket handshake.");
		return;
	}
	s->on_body = on_body;
	s->on_body_end = on_body_end;
	s->on_drain = relay_drain;
	timer_set(r, PROXY_CONNECT * 1000);
	relay_connect(r, false);
}

void
proxy_request(struct stream *s)
{
	static const struct upstream_to ide = { .kind = UPSTREAM_IDE };

	s->traffic = TRAFFIC_IDE;
	relay_start(s, &ide, NULL);
}

void
proxy_port(struct stream *s, const struct port_way *way)
{
	const struct upstream_to to = {
		.kind = s->w->site == SITE_SHARE ? UPSTREAM_SHARE : UPSTREAM_PORT,
		.port = way->port
	};

	s->traffic = TRAFFIC_PORT;
	relay_start(s, &to, way);
}

void
proxy_location(struct stream *s, const struct port_way *way)
{
	const struct upstream_to to = { .kind = UPSTREAM_LOCATION,
		.location = way->location };

	s->traffic = TRAFFIC_SERVICE;
	relay_start(s, &to, way);
}
