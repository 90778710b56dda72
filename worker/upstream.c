/*
 * Connections to the user's sandbox, and the few that are kept: upstream.h.
 */
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <event2/event_struct.h> /* is an event about to be told of? */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bsd/string.h>

#include "location.h"
#include "relay.h"
#include "session.h"
#include "upstream.h"
#include "upstream_tls.h"
#include "../privsep/log.h"

#define IOVECS 8

struct upstream {
	TAILQ_ENTRY(upstream) entry; /* in pool.idle */
	LIST_ENTRY(upstream) open;
	struct worker *w;
	struct upstream_to to;
	int fd;
	SSL *tls;                   /* NULL: it is spoken to as it is */
	struct upstream_wait *wait; /* who waits for its handshake */
	bool reused;
	bool idle;
	bool reading;
	unsigned int turn; /* the one in which it was put aside */
	struct event *ev_read;
	struct event *ev_write;
	struct event *ev_idle;
	upstream_io readable;
	upstream_io writable;
	void *arg;
};

struct upstream_wait {
	TAILQ_ENTRY(upstream_wait) entry;
	struct worker *w;
	struct upstream_to to;
	struct m_request of;
	uint32_t question; /* auth_ask()'s number; 0: not asked yet */
	bool fresh;
	struct upstream *u; /* that is shaking hands for it */
	upstream_fn fn;
	void *arg;
};

/* One process, one connection, one pool. */
static struct {
	TAILQ_HEAD(upstream_idle, upstream) idle; /* the last used first */
	TAILQ_HEAD(, upstream_wait) waits;
	LIST_HEAD(, upstream) open; /* idle ones too */
	unsigned int nopen;
	unsigned int nasked;
} pool = { .idle = TAILQ_HEAD_INITIALIZER(pool.idle),
	.waits = TAILQ_HEAD_INITIALIZER(pool.waits),
	.open = LIST_HEAD_INITIALIZER(pool.open) };

static const struct kind {
	enum msg_type ask, answer;
} kinds[] = {
	[UPSTREAM_IDE] = { M_IDE, M_IDE_FD },
	[UPSTREAM_PORT] = { M_PORT, M_PORT_FD },
	[UPSTREAM_SHARE] = { M_SHARE_PORT, M_PORT_FD },
	[UPSTREAM_LOCATION] = { M_LOCATION, M_LOCATION_FD },
};

/* What the client is told when auth says no. */
static const struct {
	uint32_t code;
	unsigned int status;
} fail_status[] = {
	{ FAIL_INTERNAL, 502 },
	{ FAIL_BUSY, 503 },
	{ FAIL_TIMEOUT, 504 },
	{ FAIL_DENIED, 403 },
	{ FAIL_NOT_FOUND, UPSTREAM_NOBODY },
	{ FAIL_NO_SPACE, 507 },
};

static void ask_more(void);
static void shake(struct upstream *);

/* --- how many --- */

static bool
same(const struct upstream_to *a, const struct upstream_to *b)
{
	return (a->kind == b->kind && a->port == b->port && a->location == b->location);
}

static unsigned int
count_idle(const struct upstream_to *to)
{
	const struct upstream *u;
	unsigned int n = 0;

	TAILQ_FOREACH(u, &pool.idle, entry)
		n += same(&u->to, to);
	return (n);
}

/* Is there place for one more to there?  Those that are asked for count. */
static bool
has_place(const struct worker *w, const struct upstream_to *to)
{
	const struct upstream_wait *wt;
	const struct upstream *u;
	unsigned int n = 0;

	if (pool.nopen + pool.nasked >= UPSTREAM_MAX)
		return (false);
	LIST_FOREACH(u, &pool.open, open)
		n += same(&u->to, to);
	TAILQ_FOREACH(wt, &pool.waits, entry)
		n += wt->question != 0 && same(&wt->to, to);
	return (n < w->conf->proxy.pool);
}

/* --- a connection --- */

static void
idle_remove(struct upstream *u)
{
	if (!u->idle)
		return;
	u->idle = false;
	TAILQ_REMOVE(&pool.idle, u, entry);
	event_del(u->ev_idle);
}

void
upstream_close(struct upstream *u)
{
	idle_remove(u);
	event_free(u->ev_read);
	event_free(u->ev_write);
	event_free(u->ev_idle);
	if (u->tls != NULL)
		upstream_tls_free(u->tls);
	close(u->fd);
	LIST_REMOVE(u, open);
	free(u);
	pool.nopen--;
	ask_more();
}

static void
on_read(evutil_socket_t fd, short what, void *arg)
{
	struct upstream *u = arg;

	(void)fd;
	(void)what;
	/* A kept one has nothing to say but its end. */
	if (u->wait != NULL)
		shake(u);
	else if (u->idle)
		upstream_close(u);
	else if (u->reading)
		u->readable(u->arg);
}

static void
on_write(evutil_socket_t fd, short what, void *arg)
{
	struct upstream *u = arg;

	(void)fd;
	(void)what;
	if (u->wait != NULL)
		shake(u);
	else
		u->writable(u->arg);
}

static void
on_idle(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	upstream_close(arg);
}

/* What auth hands over went through the hands of the user's own process. */
static bool
is_kind(int fd, const struct upstream_to *to)
{
	bool local = to->kind == UPSTREAM_IDE ||
	    (to->kind == UPSTREAM_LOCATION &&
		to->location->conf->kind == LOCATION_PROXY_UNIX);
	socklen_t len = sizeof(int);
	int domain = -1;

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == -1)
		return (false);
	return (local ? domain == AF_UNIX : domain == AF_INET || domain == AF_INET6);
}

static struct upstream *
upstream_new(struct worker *w, const struct upstream_to *to, int fd)
{
	struct upstream *u;

	if ((u = calloc(1, sizeof(*u))) == NULL)
		fatal("calloc");
	u->w = w;
	u->to = *to;
	u->fd = fd;
	u->ev_read = event_new(w->base, fd, EV_READ | EV_PERSIST, on_read, u);
	u->ev_write = event_new(w->base, fd, EV_WRITE, on_write, u);
	u->ev_idle = evtimer_new(w->base, on_idle, u);
	if (u->ev_read == NULL || u->ev_write == NULL || u->ev_idle == NULL)
		fatalx("event_new");
	LIST_INSERT_HEAD(&pool.open, u, open);
	pool.nopen++;
	return (u);
}

void
upstream_own(struct upstream *u, upstream_io readable, upstream_io writable, void *arg)
{
	u->readable = readable;
	u->writable = writable;
	u->arg = arg;
}

bool
upstream_reused(const struct upstream *u)
{
	return (u->reused);
}

/* The socket tells nothing of what TLS holds already. */
static void
more_pending(struct upstream *u)
{
	if (u->reading && u->tls != NULL && upstream_tls_pending(u->tls))
		event_active(u->ev_read, EV_READ, 0);
}

void
upstream_want_read(struct upstream *u, bool on)
{
	if (u->reading == on)
		return;
	u->reading = on;
	on ? event_add(u->ev_read, NULL) : event_del(u->ev_read);
	if (on)
		more_pending(u);
}

ssize_t
upstream_read(struct upstream *u, void *buf, size_t len)
{
	struct iovec iov = { buf, len };
	struct msghdr mh;
	ssize_t n;

	if (u->tls != NULL) {
		n = upstream_tls_read(u->tls, buf, len);
		more_pending(u);
		return (n);
	}
	memset(&mh, 0, sizeof(mh));
	mh.msg_iov = &iov;
	mh.msg_iovlen = 1;
	do
		n = recvmsg(u->fd, &mh, MSG_DONTWAIT);
	while (n == -1 && errno == EINTR);
	return (n);
}

static ssize_t
write_some(struct upstream *u, struct evbuffer_iovec *v, int nv)
{
	struct msghdr mh;

	if (u->tls != NULL)
		return (upstream_tls_write(u->tls, v[0].iov_base, v[0].iov_len));
	memset(&mh, 0, sizeof(mh));
	mh.msg_iov = v;
	mh.msg_iovlen = (size_t)nv;
	return (sendmsg(u->fd, &mh, MSG_DONTWAIT | MSG_NOSIGNAL));
}

ssize_t
upstream_write(struct upstream *u, struct evbuffer *out)
{
	struct evbuffer_iovec v[IOVECS];
	ssize_t n, all = 0;
	int nv;

	while (evbuffer_get_length(out) > 0) {
		nv = evbuffer_peek(out, -1, NULL, v, IOVECS);
		n = write_some(u, v, nv < IOVECS ? nv : IOVECS);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 && errno == EAGAIN) {
			event_add(u->ev_write, NULL);
			return (all);
		}
		if (n == -1)
			return (-1);
		evbuffer_drain(out, (size_t)n);
		all += n;
	}
	return (all);
}

void
upstream_shutdown(struct upstream *u)
{
	if (u->tls != NULL)
		upstream_tls_shutdown(u->tls);
	else
		shutdown(u->fd, SHUT_WR);
}

/* --- who gets one --- */

static void
wait_free(struct upstream_wait *wt)
{
	if (wt->question != 0)
		pool.nasked--;
	TAILQ_REMOVE(&pool.waits, wt, entry);
	free(wt);
}

static void
wait_over(
    struct upstream_wait *wt, struct upstream *u, unsigned int status, const char *why)
{
	upstream_fn fn = wt->fn;
	void *arg = wt->arg;

	wait_free(wt);
	fn(arg, u, status, why);
}

static unsigned int
status_of(uint32_t code)
{
	for (size_t i = 0; i < sizeof(fail_status) / sizeof(fail_status[0]); i++)
		if (fail_status[i].code == code)
			return (fail_status[i].status);
	return (503);
}

/* A step of the handshake; who waits for it is told how it ends. */
static void
shake(struct upstream *u)
{
	struct upstream_wait *wt = u->wait;
	const char *why = NULL;
	char text[WIRE_TEXT];

	event_del(u->ev_read);
	event_del(u->ev_write);
	switch (upstream_tls_shake(u->tls, &why)) {
	case UPSTREAM_TLS_READ:
		event_add(u->ev_read, NULL);
		return;
	case UPSTREAM_TLS_WRITE:
		event_add(u->ev_write, NULL);
		return;
	case UPSTREAM_TLS_DONE:
		u->wait = NULL;
		wait_over(wt, u, 0, NULL);
		ask_more();
		return;
	case UPSTREAM_TLS_FAILED:
		break;
	}
	snprintf(text, sizeof(text), "The service at %s cannot be verified: %s.",
	    wt->to.location->conf->prefix, why);
	u->wait = NULL;
	wt->u = NULL;
	upstream_close(u);
	wait_over(wt, NULL, 502, text);
	ask_more();
}

/* A connection came. */
static void
connected(struct upstream_wait *wt, int fd)
{
	const struct location *l = wt->to.location;
	struct upstream *u = upstream_new(wt->w, &wt->to, fd);

	if (l == NULL || l->conf->kind != LOCATION_PROXY_TLS) {
		wait_over(wt, u, 0, NULL);
		return;
	}
	u->tls = upstream_tls_new(l->tls, l->name, fd);
	if (u->tls == NULL) {
		upstream_close(u);
		wait_over(wt, NULL, 502,
		    "There are no certificates to verify this service by.");
		return;
	}
	u->wait = wt;
	wt->u = u;
	shake(u);
}

static void
on_answer(void *arg, struct msg *m)
{
	struct upstream_wait *wt = arg;
	const struct m_fail *fail;
	char why[WIRE_TEXT];
	int fd;

	if (m != NULL && m->head.type == kinds[wt->to.kind].answer &&
	    is_kind(m->fd, &wt->to) && (fd = msg_take_fd(m)) != -1) {
		connected(wt, fd);
	} else if (m != NULL && m->head.type == M_FAIL &&
	    wire_str((fail = MSG_DATA(m, m_fail))->text)) {
		/* The message goes when the handler is done. */
		strlcpy(why, fail->text, sizeof(why));
		wait_over(wt, NULL, status_of(fail->code), why);
	} else if (m != NULL)
		/* It will be no better in a second. */
		wait_over(wt, NULL, 502, "What was handed over is no connection.");
	else
		wait_over(wt, NULL, UPSTREAM_AWAY, "The login service is restarting.");
	ask_more();
}

static uint32_t
ask(struct upstream_wait *wt)
{
	union {
		struct m_port port;
		struct m_location location;
	} m;
	size_t len = 0;

	memset(&m, 0, sizeof(m));
	if (wt->to.kind == UPSTREAM_PORT) {
		len = sizeof(m.port);
		m.port.port = wt->to.port;
	} else if (wt->to.kind == UPSTREAM_LOCATION) {
		len = sizeof(m.location);
		memcpy(m.location.location, wt->to.location->id, WIRE_LOCATION);
	}
	return (auth_ask(wt->w, &wt->of, kinds[wt->to.kind].ask, &m, len, on_answer, wt));
}

/* Ask for those who wait, as many at a time as may be. */
static void
ask_more(void)
{
	struct upstream_wait *wt, *next;

	for (wt = TAILQ_FIRST(&pool.waits); wt != NULL && pool.nasked < UPSTREAM_ASKED;
	     wt = next) {
		next = TAILQ_NEXT(wt, entry);
		if (wt->question != 0 || !has_place(wt->w, &wt->to))
			continue;
		wt->question = ask(wt);
		if (wt->question != 0) {
			pool.nasked++;
			continue;
		}
		/* Whoever gets told may change the list. */
		wait_over(wt, NULL, UPSTREAM_AWAY, "The login service is not there.");
		next = TAILQ_FIRST(&pool.waits);
	}
}

static struct upstream *
idle_first(const struct upstream_to *to)
{
	struct upstream *u;

	TAILQ_FOREACH(u, &pool.idle, entry)
		if (same(&u->to, to))
			break;
	return (u);
}

/* The loop has just looked, and there was nothing of it. */
static bool
is_quiet(const struct upstream *u)
{
	return (u->turn != u->w->turn &&
	    (u->ev_read->ev_evcallback.evcb_flags & EVLIST_ACTIVE) == 0);
}

static struct upstream *
idle_take(const struct upstream_to *to)
{
	struct upstream *u = idle_first(to);
	char byte;

	/* One that was closed meanwhile, and nobody has heard of it yet. */
	while (u != NULL) {
		idle_remove(u);
		if (is_quiet(u) || (upstream_read(u, &byte, 1) == -1 && errno == EAGAIN))
			break;
		upstream_close(u);
		u = idle_first(to);
	}
	return (u);
}

struct upstream_wait *
upstream_get(const struct stream *s, const struct upstream_to *to, bool fresh,
    upstream_fn fn, void *arg)
{
	struct worker *w = s->w;
	struct upstream_wait *wt;
	struct upstream *u;

	if (!fresh && (u = idle_take(to)) != NULL) {
		fn(arg, u, 0, NULL);
		return (NULL);
	}
	/* Kept ones make place for a new one: first those to the same place. */
	if (!has_place(w, to)) {
		u = idle_first(to);
		if (u == NULL && pool.nopen + pool.nasked >= UPSTREAM_MAX)
			u = TAILQ_LAST(&pool.idle, upstream_idle);
		if (u != NULL)
			upstream_close(u);
	}
	if ((wt = calloc(1, sizeof(*wt))) == NULL)
		fatal("calloc");
	wt->w = w;
	wt->to = *to;
	wt->of = *request_of(s);
	wt->fresh = fresh;
	wt->fn = fn;
	wt->arg = arg;
	TAILQ_INSERT_TAIL(&pool.waits, wt, entry);
	ask_more();
	TAILQ_FOREACH(wt, &pool.waits, entry)
		if (wt->arg == arg)
			return (wt);
	return (NULL); /* fn was called */
}

void
upstream_cancel(struct upstream_wait *wt)
{
	if (wt->u != NULL) {
		wt->u->wait = NULL;
		upstream_close(wt->u);
	} else if (wt->question != 0)
		auth_forget(wt->w, wt->question);
	wait_free(wt);
	ask_more();
}

/* Somebody who has not asked yet gets it; else it is kept. */
void
upstream_put(struct upstream *u)
{
	const struct conf_proxy *conf = &u->w->conf->proxy;
	const struct timeval keep = { conf->keepalive, 0 };
	struct upstream_wait *wt;

	u->reused = true;
	event_del(u->ev_write);
	TAILQ_FOREACH(wt, &pool.waits, entry)
		if (wt->question == 0 && !wt->fresh && same(&wt->to, &u->to)) {
			wait_over(wt, u, 0, NULL);
			return;
		}
	/* Who still waits wants a new one: make place. */
	if (count_idle(&u->to) >= conf->pool_idle ||
	    (!has_place(u->w, &u->to) && !TAILQ_EMPTY(&pool.waits))) {
		upstream_close(u);
		return;
	}
	u->idle = true;
	u->turn = u->w->turn;
	TAILQ_INSERT_HEAD(&pool.idle, u, entry);
	upstream_want_read(u, true);
	event_add(u->ev_idle, &keep);
}
