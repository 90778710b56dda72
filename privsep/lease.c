/* Allowances on loan: see lease.h. */
#include <string.h>
#include <time.h>

#include "lease.h"
#include "log.h"
#include "clock.h"

#define WAIT_MS 5000 /* a handshake may keep its worker from hearing that */
#define TICK_MS 200

static TAILQ_HEAD(, lease) leases = TAILQ_HEAD_INITIALIZER(leases);
static unsigned int nwaiting;
static struct event *tick;

static void wake(int64_t now);
static lease_refused_fn refused;

void
lease_on_refused(lease_refused_fn fn)
{
	refused = fn;
}

int64_t
lease_now(void)
{
	return clock_ms(CLOCK_MONOTONIC);
}

/* On the list as long as something is out or somebody waits. */
static void
list(struct lease *l)
{
	static const struct timeval every = { 0, TICK_MS * 1000 };
	bool want = l->taken > 0 || l->waiting;

	if (want == l->listed)
		return;
	l->listed = want;
	if (want)
		TAILQ_INSERT_TAIL(&leases, l, entry);
	else
		TAILQ_REMOVE(&leases, l, entry);
	if (want && !event_pending(tick, EV_TIMEOUT, NULL))
		event_add(tick, &every);
}

static void
wait_end(struct lease *l)
{
	if (l->waiting)
		nwaiting--;
	l->waiting = false;
}

static void
give(struct lease *l, uint32_t used, int64_t now)
{
	unsigned int i;

	for (i = 0; i < l->n && l->taken > 0; i++)
		windows_give(l->of[i].windows, l->of[i].key, now, l->taken, used);
	l->taken = 0;
	l->recalled = false;
	list(l);
}

/* The window that leaves least; what the worker is told is of that one. */
static unsigned int
tightest(const struct lease *l, int64_t now, struct window_state *s)
{
	struct window_state t;
	unsigned int i, which = 0;

	memset(s, 0, sizeof(*s)); /* of no window at all there is nothing left */
	for (i = 0; i < l->n; i++) {
		windows_look(l->of[i].windows, l->of[i].key, now, &t);
		if (i > 0 && t.left >= s->left)
			continue;
		*s = t;
		which = i;
	}
	return which;
}

static bool
grant(struct lease *l, uint32_t most, int64_t now, struct wire_lease *m)
{
	struct window_state s;
	unsigned int i;
	uint32_t n;

	memset(m, 0, sizeof(*m));
	m->class = l->class;
	(void)tightest(l, now, &s);
	n = s.left / 16;
	n = n < 1 ? 1 : n > most ? most : n;
	n = n > s.left ? s.left : n;
	/* Each has at least as much as the tightest. */
	for (i = 0; i < l->n && n > 0; i++)
		if (windows_take(l->of[i].windows, l->of[i].key, now, n) != n)
			fatalx("BUG: a window has less than it said");
	m->limit = s.limit;
	m->left = s.left - n;
	m->reset = s.reset > 0 ? s.reset : 0;
	m->granted = n;
	if (n == 0)
		return false;
	m->serial = ++l->serial;
	m->until = l->until = now + LEASE_MS;
	l->taken = n;
	list(l);
	return true;
}

static void
answer(struct lease *l, uint32_t id, const struct wire_lease *m)
{
	chan_send(l->chan, M_LEASE, id, -1, m, sizeof(*m));
}

/* Those who hold some of it are to give back what they do not use. */
static void
recall(const struct lease *for_, unsigned int which)
{
	struct m_lease_ask m;
	struct lease *l;
	unsigned int i;

	TAILQ_FOREACH(l, &leases, entry) {
		if (l == for_ || l->taken == 0 || l->recalled)
			continue;
		for (i = 0; i < l->n; i++)
			if (l->of[i].windows == for_->of[which].windows &&
			    memcmp(l->of[i].key, for_->of[which].key, WINDOW_KEY) == 0)
				break;
		if (i == l->n)
			continue;
		memset(&m, 0, sizeof(m));
		m.class = l->class;
		m.serial = l->serial;
		l->recalled = true;
		chan_send(l->chan, M_LEASE_RECALL, 0, -1, &m, sizeof(m));
	}
}

/* True when it has been answered. */
static bool
try(struct lease *l, int64_t now)
{
	struct window_state s;
	struct wire_lease m;
	unsigned int which;

	if (grant(l, LEASE_BATCH, now, &m)) {
		answer(l, l->id, &m);
		return true;
	}
	which = tightest(l, now, &s);
	if (s.used < s.limit && now < l->wait_until) {
		recall(l, which);
		return false;
	}
	/* It is others' for now, and they keep it to themselves. */
	if (s.used < s.limit)
		m.reset = WAIT_MS;
	windows_deny(l->of[which].windows, l->of[which].key, now);
	if (refused != NULL)
		refused(l->class, which, l->of[which].key);
	answer(l, l->id, &m);
	return true;
}

/* Something was given back, or time passed. */
static void
wake(int64_t now)
{
	struct lease *l, *next;

	if (nwaiting == 0)
		return;
	TAILQ_FOREACH_SAFE(l, &leases, entry, next) {
		if (!l->waiting || !try(l, now))
			continue;
		wait_end(l);
		list(l);
	}
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval every = { 0, TICK_MS * 1000 };
	int64_t now = lease_now();
	struct lease *l, *next;

	(void)fd;
	(void)what;
	(void)arg;
	TAILQ_FOREACH_SAFE(l, &leases, entry, next)
		if (l->taken > 0 && l->until <= now)
			give(l, l->taken, now);
	wake(now);
	if (!TAILQ_EMPTY(&leases))
		event_add(tick, &every);
}

void
lease_init(struct event_base *base)
{
	if ((tick = evtimer_new(base, on_tick, NULL)) == NULL)
		fatalx("out of memory");
}

void
lease_open(struct lease *l, struct chan *chan, uint32_t class)
{
	lease_close(l);
	l->chan = chan;
	l->class = class;
}

void
lease_add(struct lease *l, struct windows *w, const uint8_t key[WINDOW_KEY])
{
	if (l->n == LEASE_WINDOWS)
		fatalx("BUG: a lease of too many windows");
	l->of[l->n].windows = w;
	memcpy(l->of[l->n++].key, key, WINDOW_KEY);
}

void
lease_close(struct lease *l)
{
	uint32_t serial = l->serial;
	bool was = l->listed;

	wait_end(l);
	give(l, l->taken, lease_now());
	memset(l, 0, sizeof(*l));
	l->serial = serial;
	if (was)
		wake(lease_now());
}

void
lease_first(struct lease *l, uint32_t batch, struct wire_lease *m)
{
	(void)grant(l, batch, lease_now(), m);
}

/* What it says of the one before; false if that cannot be. */
static bool
settle(struct lease *l, const struct m_lease_ask *m, int64_t now)
{
	/* Another one is over since, and counted whole. */
	if (m->serial != l->serial || l->taken == 0)
		return m->serial <= l->serial;
	if (m->used > l->taken)
		return false;
	give(l, m->used, now);
	return true;
}

bool
lease_ask(struct lease *l, uint32_t id, const struct m_lease_ask *m)
{
	int64_t now = lease_now();

	if (l->chan == NULL || l->waiting || !settle(l, m, now))
		return false;
	/* It asks for more while it has some. */
	if (l->taken > 0)
		return false;
	l->id = id;
	l->wait_until = now + WAIT_MS;
	if (!try(l, now)) {
		l->waiting = true;
		nwaiting++;
		list(l);
	} else
		wake(now);
	return true;
}

bool
lease_back(struct lease *l, const struct m_lease_ask *m)
{
	int64_t now = lease_now();

	if (l->chan == NULL || !settle(l, m, now))
		return false;
	wake(now);
	return true;
}
