/*
 * Upstream's answer on its way to the client: see proxy.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proxy.h"
#include "relay.h"
#include "respond.h"
#include "routes.h"
#include "session.h"
#include "tunnel.h"
#include "worker.h"
#include "../privsep/log.h"

#define READ_MAX    (64 * 1024)
#define OWN_HEADERS 16 /* room for those of respond.c */
#define INTERIM_MAX 8  /* answers of 1xx before the real one */

static void
relay_finish(struct relay *r)
{
	struct upstream *u = r->u;
	bool keep;

	keep = r->keep && r->asked && evbuffer_get_length(r->out) == 0;
	r->u = NULL;
	if (r->page != NULL) {
		port_view_page(r->s, r->page);
		ide_page(r->s, r->page);
		stream_write_buffer(r->s, r->page);
	}
	relay_done(r);
	stream_end(r->s);
	stream_pause(r->s, false); /* what still comes is thrown away */
	if (keep)
		upstream_put(u);
	else
		upstream_close(u);
}

/* --- the answer's body --- */

/*
 * Looks at n bytes of body at p, which stay there, decoded: *out of them are
 * the client's.  1: the body goes on, 0: it is complete, -1: malformed.
 */
static int
body_bytes(struct relay *r, uint8_t *p, size_t n, size_t *out)
{
	size_t used = n;

	*out = n;
	switch (r->framing) {
	case BODY_CLOSE:
		return (1);
	case BODY_CHUNKED:
		switch (chunk_decode(&r->chunk, (char *)p, &used, out)) {
		case CHUNK_MORE:
			return (1);
		case CHUNK_DONE:
			break;
		default:
			return (-1);
		}
		break;
	case BODY_LENGTH:
		if (n < r->left) {
			r->left -= n;
			return (1);
		}
		used = *out = (size_t)r->left;
		r->left = 0;
		break;
	case BODY_NONE:
		used = *out = 0;
		break;
	}
	/* What nobody asked for: there is no telling what would follow. */
	if (used < n)
		r->keep = false;
	return (0);
}

static void
body_next(struct relay *r, int more)
{
	if (more == -1)
		relay_blame(r, 502, "sent a malformed answer.");
	else if (more == 0)
		relay_finish(r);
}

/* Not a byte of an answer came, and to ask again is no other thing than to ask once. */
static bool
may_ask_again(const struct relay *r)
{
	enum http_method m = r->s->head.method;

	if (r->state != R_HEAD || r->head != NULL)
		return (false);
	if (!r->sent)
		return (true);
	return (r->s->head.body == BODY_NONE && !r->s->websocket &&
	    (m == METHOD_GET || m == METHOD_HEAD || m == METHOD_OPTIONS ||
		m == METHOD_PUT || m == METHOD_DELETE));
}

/* Takes back what went of the request. */
static void
take_back(struct relay *r)
{
	struct upstream *u = r->u;

	r->u = NULL;
	if (r->sent)
		evbuffer_drain(r->out, evbuffer_get_length(r->out));
	upstream_close(u);
}

/* Upstream closed the connection, or lost it. */
static void
relay_lost(struct relay *r, bool in_order)
{
	if (r->state == R_BODY && r->framing == BODY_CLOSE && in_order) {
		relay_finish(r);
	} else if (may_ask_again(r) && !r->retried && upstream_reused(r->u)) {
		/* It was kept, and closed just when it was wanted. */
		r->retried = true;
		take_back(r);
		relay_connect(r, true);
	} else if (may_ask_again(r) && r->to.kind == UPSTREAM_LOCATION &&
	    relay_again(r)) {
		/* The service is just being started anew. */
		take_back(r);
	} else {
		if (r->state == R_HEAD && r->head == NULL)
			relay_heard(r, UPSTREAM_FAILS);
		relay_blame(r, 502, "closed the connection.");
	}
}

/* To the client, or to what is kept until it is whole. */
static void
body_write(struct relay *r, const void *p, size_t len)
{
	if (r->page == NULL) {
		stream_write(r->s, p, len);
		return;
	}
	if (evbuffer_add(r->page, p, len) == -1)
		fatalx("evbuffer_add");
	if (evbuffer_get_length(r->page) <= PORT_VIEW_MAX)
		return;
	stream_write_buffer(r->s, r->page);
	evbuffer_free(r->page);
	r->page = NULL;
}

static void
body_read(struct relay *r)
{
	static uint8_t spare[16 * 1024];
	size_t want = stream_room(r->s), out = 0;
	uint8_t *p;
	ssize_t n;
	int more = 1;

	if (want == 0) {
		r->stopped = true;
		upstream_want_read(r->u, false);
		return;
	}
	if (want > READ_MAX)
		want = READ_MAX;
	if (r->framing == BODY_LENGTH && want > r->left)
		want = (size_t)r->left;
	if (r->page != NULL || (p = stream_reserve(r->s, want)) == NULL) {
		p = spare;
		if (want > sizeof(spare))
			want = sizeof(spare);
	}
	n = upstream_read(r->u, p, want);
	if (n > 0)
		more = body_bytes(r, p, (size_t)n, &out);
	if (p != spare)
		stream_commit(r->s, out);
	else if (out > 0)
		body_write(r, p, out);
	if (n > 0) {
		r->active = relay_now();
		if (r->to.kind == UPSTREAM_IDE)
			session_beat(r->s->w); /* a download may take long */
	}
	if (n == 0 || (n == -1 && errno != EAGAIN))
		relay_lost(r, n == 0);
	else
		body_next(r, more);
}

void
relay_drain(struct stream *s)
{
	struct relay *r = s->arg;

	if (!r->stopped || r->u == NULL)
		return;
	r->stopped = false;
	r->active = relay_now();
	upstream_want_read(r->u, true);
}

/* --- the answer's head --- */

static bool
handshake_ok(const struct relay *r, const struct http_head *head)
{
	char want[PROXY_ACCEPT_LEN + 1];
	struct slice got = http_header(head, HDR_SEC_WEBSOCKET_ACCEPT);

	return (head->status == 101 && head->websocket && proxy_ws_accept(r->key, want) &&
	    got.p != NULL && slice_eq(got, slice_str(want)));
}

/* Upstream agreed: from here on it is a tunnel's affair. */
static void
relay_tunnel(struct relay *r, const struct header *h, int n)
{
	struct stream *s = r->s;
	struct upstream *u = r->u;
	struct relay_head *a = r->head;

	r->u = NULL;
	r->head = NULL;
	stream_upgrade(s, h, (size_t)n);
	tunnel_start(s, u, a->buf + a->head.size, a->len - a->head.size);
	free(a);
	relay_free(r);
}

/* Of what has no body, the length is that which it would have, if it is said. */
static int64_t
answer_length(const struct stream *s, const struct http_head *head)
{
	if (head->body == BODY_LENGTH || s->head.method == METHOD_HEAD ||
	    head->status == 304)
		return (head->content_length);
	return (head->body == BODY_NONE ? 0 : -1);
}

/* Upstream's headers, but for those that are ours to give. */
static int
answer_headers(const struct relay *r, struct header h[STREAM_RESP_HEADERS])
{
	const struct worker *w = r->s->w;
	const struct port_way *way = relay_way(r);
	unsigned int kind = way != NULL ? ANSWER_PORT :
	    ide_is_file(r->s)           ? ANSWER_FILE :
					  ANSWER_IDE;
	int all, n = 0;

	all = proxy_head_answer(
	    &r->head->head, r->s->head.websocket, h, STREAM_RESP_HEADERS - OWN_HEADERS);
	if (way != NULL && all != -1)
		all = port_head_answer(
		    r->s, way, h, all, STREAM_RESP_HEADERS - OWN_HEADERS);
	if (all == -1)
		return (-1);
	for (int i = 0; i < all; i++) {
		if (r->page != NULL &&
		    slice_eq(h[i].name, SLICE("content-security-policy")))
			h[i].value = port_view_policy(r->s, h[i].value);
		if (!security_owns(w, kind, h[i].name))
			h[n++] = h[i];
	}
	h[n++] = (struct header){ SLICE("x-request-id"), slice_str(r->s->rid) };
	if (r->page != NULL)
		h[n++] = ide_tells(r->s);
	if (r->s->hinted && r->head->head.status == 200)
		h[n++] = ide_hinted(r->s);
	return ((int)security_headers(w, kind, h, (size_t)n, STREAM_RESP_HEADERS));
}

/* Server-sent events come when there are any. */
static bool
is_events(const struct http_head *head)
{
	struct slice type = http_header(head, HDR_CONTENT_TYPE);
	const struct slice events = SLICE("text/event-stream");

	if (type.p != NULL && type.len > events.len)
		type.len = events.len;
	return (type.p != NULL && slice_caseeq(type, events));
}

static void
head_complete(struct relay *r)
{
	struct header h[STREAM_RESP_HEADERS];
	struct relay_head *a = r->head;
	struct stream *s = r->s;
	size_t out;
	int n, more;

	relay_heard(r, UPSTREAM_ANSWERS);
	if (r->to.kind == UPSTREAM_IDE && port_view_wanted(s, &a->head) &&
	    s->head.method == METHOD_GET && (r->page = evbuffer_new()) == NULL)
		fatalx("evbuffer_new");
	if ((n = answer_headers(r, h)) == -1) {
		relay_blame(r, 502, "sent too many headers.");
		return;
	}
	if (a->head.status == 101 || (s->websocket && a->head.status < 300)) {
		if (s->websocket && handshake_ok(r, &a->head))
			relay_tunnel(r, h, n);
		else
			relay_blame(r, 502, "sent a wrong handshake.");
		return;
	}
	r->state = R_BODY;
	r->framing = a->head.body;
	r->left = a->head.content_length > 0 ? (uint64_t)a->head.content_length : 0;
	/* A body to HEAD that comes a moment later would be the next answer. */
	r->keep = a->head.keep_alive && s->head.method != METHOD_HEAD;
	r->endless = relay_way(r) != NULL && is_events(&a->head);
	chunk_init(&r->chunk, INT64_MAX);
	stream_respond(s, (unsigned int)a->head.status, h, (size_t)n,
	    r->page != NULL ? -1 : answer_length(s, &a->head));
	/* What came with the head is body already. */
	out = a->len - a->head.size;
	more = r->framing != BODY_NONE;
	if (out > 0)
		more = body_bytes(r, (uint8_t *)a->buf + a->head.size, out, &out);
	if (out > 0)
		body_write(r, a->buf + a->head.size, out);
	r->head = NULL;
	free(a);
	body_next(r, more);
}

/* More of upstream's head; false when there is none yet, or never will be. */
static bool
head_fill(struct relay *r)
{
	struct relay_head *a = r->head;
	ssize_t n;
	bool lost;

	if (a == NULL) {
		if ((a = malloc(sizeof(*a))) == NULL)
			fatal("malloc");
		http_head_init(&a->head);
		a->len = 0;
		a->interims = 0;
	}
	n = upstream_read(r->u, a->buf + a->len, sizeof(a->buf) - a->len);
	/* It has to be whole in time: a byte now and then is no answer. */
	if (n > 0) {
		a->len += (size_t)n;
		r->head = a;
		return (true);
	}
	lost = n == 0 || errno != EAGAIN;
	/* Not a byte came yet: that is for relay_may_retry() to see. */
	if (r->head == NULL)
		free(a);
	if (lost)
		relay_lost(r, n == 0);
	return (false);
}

static void
head_read(struct relay *r)
{
	struct relay_head *a;
	bool was_head = r->s->head.method == METHOD_HEAD;

	if (!head_fill(r))
		return;
	a = r->head;
	for (;;) {
		switch (http_response_parse(&a->head, a->buf, a->len, was_head)) {
		case HTTP_MORE:
			return;
		case HTTP_ERROR:
			log_event(LOG_WARNING, "proxy.answer", LOG_S("rid", r->s->rid),
			    LOG_S("why", http_error_reason(a->head.error)));
			relay_blame(r, 502, "sent a malformed answer.");
			return;
		case HTTP_DONE:
			break;
		}
		if (a->head.status >= 200 || a->head.status == 101)
			break;
		if (++a->interims > INTERIM_MAX) {
			relay_blame(r, 502, "sent a malformed answer.");
			return;
		}
		r->active = relay_now();
		a->len -= a->head.size;
		memmove(a->buf, a->buf + a->head.size, a->len);
		http_head_init(&a->head);
	}
	r->active = relay_now();
	head_complete(r);
}

void
relay_readable(void *arg)
{
	struct relay *r = arg;

	if (r->state == R_HEAD)
		head_read(r);
	else
		body_read(r);
}
