/* Rate limits: see limit.h. */
#include <string.h>
#include <time.h>

#include "../privsep/log.h"
#include "limit.h"
#include "routes.h"
#include "session.h"
#include "worker.h"
#include "../privsep/clock.h"

#define EARLY_MS 1000 /* before its end a lease that is not used up goes back */
#define AGAIN_MS 1000 /* refused: nobody is asked again before */

/* What is on loan: of the address's, from master; of the user's, from auth. */
enum side {
	SIDE_NONE,
	SIDE_ADDRESS,
	SIDE_USER,
	SIDES,
};

struct loan {
	struct wire_lease lease;
	uint32_t used;
	bool asked;
	int64_t refused_until;
};

static struct {
	struct loan loan[SIDES][LIMIT_CLASSES];
	struct stream *wait; /* first come, first served */
	struct event *timer;
	bool armed;
} li;

static void arm(void);

static struct chan *
lender(enum side side)
{
	return (side == SIDE_USER ? &worker.auth : &worker.master);
}

static enum wire_limit
class_of(const struct stream *s)
{
	/* A guest's, of a port that is shared. */
	if (s->route == NULL)
		return (LIMIT_WEB);
	if (s->route->flags & R_FREE)
		return (LIMIT_NONE);
	return (strncmp(s->route->path, "/api/", 5) == 0 ? LIMIT_API : LIMIT_WEB);
}

/* A local socket stands for many: a proxy of the site's own counts. */
static bool
is_local(const struct wire_addr *a)
{
	static const uint8_t zero[sizeof(a->ip)];

	return (a->unix_peer || memcmp(a->ip, zero, sizeof(zero)) == 0);
}

/* Who answers for the requests of this connection now. */
static enum side
side_now(void)
{
	if (worker.bound)
		/* While auth is away, what needs it is refused anyway. */
		return (auth_there(&worker) ? SIDE_USER : SIDE_NONE);
	return (is_local(&worker.source) ? SIDE_NONE : SIDE_ADDRESS);
}

static bool
has_some(const struct loan *l, int64_t now)
{
	return (l->used < l->lease.granted && now < l->lease.until);
}

static void
message(enum side side, enum msg_type type, struct loan *l, uint32_t class)
{
	struct m_lease_ask m;

	memset(&m, 0, sizeof(m));
	m.class = class;
	m.serial = l->lease.serial;
	m.used = l->used;
	(void)chan_send(lender(side), type, 0, -1, &m, sizeof(m));
	l->lease.granted = l->used = 0;
}

static void
ask(enum side side, uint32_t class)
{
	struct loan *l = &li.loan[side][class];

	if (l->asked)
		return;
	l->asked = true;
	message(side, M_LEASE_ASK, l, class);
}

/* --- going back --- */

static void
back_all(int64_t before)
{
	for (int side = SIDE_ADDRESS; side < SIDES; side++)
		for (uint32_t class = LIMIT_WEB; class < LIMIT_CLASSES; class ++) {
			struct loan *l = &li.loan[side][class];

			if (l->lease.granted > 0 && l->lease.until <= before &&
			    (side == SIDE_ADDRESS || worker.auth_joined))
				message(side, M_LEASE_BACK, l, class);
		}
}

static void
on_timer(int fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	li.armed = false;
	back_all(clock_ms(CLOCK_MONOTONIC) + EARLY_MS);
	arm();
}

/* For the one that ends first. */
static void
arm(void)
{
	int64_t first = 0, now = clock_ms(CLOCK_MONOTONIC);
	struct timeval tv;

	for (int side = SIDE_ADDRESS; side < SIDES; side++)
		for (uint32_t class = LIMIT_WEB; class < LIMIT_CLASSES; class ++) {
			const struct loan *l = &li.loan[side][class];

			if (l->lease.granted > 0 &&
			    (first == 0 || l->lease.until < first))
				first = l->lease.until;
		}
	if (first == 0 || li.armed)
		return;
	if (li.timer == NULL &&
	    (li.timer = event_new(worker.base, -1, 0, on_timer, NULL)) == NULL)
		fatalx("event_new");
	first = first - EARLY_MS > now ? first - EARLY_MS - now : 0;
	tv.tv_sec = (time_t)(first / 1000);
	tv.tv_usec = (suseconds_t)(first % 1000 * 1000);
	event_add(li.timer, &tv);
	li.armed = true;
}

void
limit_leave(void)
{
	back_all(INT64_MAX);
}

void
limit_first(const struct wire_lease *lease)
{
	if (lease->granted == 0 || lease->class >= LIMIT_CLASSES)
		return;
	li.loan[SIDE_ADDRESS][lease->class].lease = *lease;
}

/* --- requests --- */

static void
remove_wait(struct stream *s)
{
	struct stream **p;

	for (p = &li.wait; *p != NULL; p = &(*p)->limit_next)
		if (*p == s) {
			*p = s->limit_next;
			break;
		}
	s->limit_next = NULL;
	s->on_close = NULL;
}

static void
count(struct stream *s, enum side side, enum wire_limit class)
{
	li.loan[side][class].used++;
	s->limit_side = (uint8_t)side;
	s->limit_class = (uint8_t) class;
}

static void
refuse(struct stream *s, enum side side, enum wire_limit class)
{
	const struct wire_lease *l = &li.loan[side][class].lease;
	struct answer a;

	s->limit_side = (uint8_t)side;
	s->limit_class = (uint8_t) class;
	answer_init(&a, s, wants_html(s) ? ANSWER_PAGE : ANSWER_DATA);
	answer_fmt(&a, SLICE("retry-after"), "%lld",
	    l->reset > 1000 ? (long long)(l->reset + 999) / 1000 : 1LL);
	respond_error_with(&a, 429, NULL);
}

/* Goes on where limit_request() was called; as in session.c. */
static void
go_on(struct stream *s)
{
	limit_fn fn = s->limit_fn;

	remove_wait(s);
	s->paused = false;
	fn(s);
	if (s->closed || s->paused)
		return;
	if (s->status == 0 && s->on_body == NULL && s->on_body_end == NULL)
		s->paused = true;
	else
		stream_pause(s, false);
}

/* There is more, or there is none: those who wait for it. */
static void
settle(enum side side, enum wire_limit class)
{
	struct loan *l = &li.loan[side][class];
	struct stream *s = li.wait, *next;
	int64_t now = clock_ms(CLOCK_MONOTONIC);

	for (; s != NULL; s = next) {
		next = s->limit_next;
		if (s->limit_side != side || s->limit_class != class)
			continue;
		if (has_some(l, now)) {
			count(s, side, class);
			go_on(s);
			next = li.wait; /* it may be another list now */
		} else if (now < l->refused_until) {
			remove_wait(s);
			refuse(s, side, class);
			next = li.wait;
		} else {
			ask(side, class);
			return;
		}
	}
}

void
limit_on_lease(struct chan *c, struct msg *m)
{
	const struct wire_lease *lease = MSG_DATA(m, wire_lease);
	enum side side = c == &worker.auth ? SIDE_USER : SIDE_ADDRESS;
	struct loan *l;

	if (lease->class == LIMIT_NONE || lease->class >= LIMIT_CLASSES)
		return;
	l = &li.loan[side][lease->class];
	l->asked = false;
	l->lease = *lease;
	l->used = 0;
	if (lease->granted == 0)
		l->refused_until = clock_ms(CLOCK_MONOTONIC) +
		    (lease->reset < AGAIN_MS ? lease->reset + 1 : AGAIN_MS);
	arm();
	settle(side, (enum wire_limit)lease->class);
}

void
limit_on_recall(struct chan *c, struct msg *m)
{
	const struct m_lease_ask *r = MSG_DATA(m, m_lease_ask);
	enum side side = c == &worker.auth ? SIDE_USER : SIDE_ADDRESS;
	struct loan *l;

	if (r->class == LIMIT_NONE || r->class >= LIMIT_CLASSES)
		return;
	l = &li.loan[side][r->class];
	if (l->lease.serial == r->serial && l->lease.granted > 0)
		message(side, M_LEASE_BACK, l, r->class);
}

void
limit_auth_gone(void)
{
	struct stream *s, *next;

	memset(li.loan[SIDE_USER], 0, sizeof(li.loan[SIDE_USER]));
	for (s = li.wait; s != NULL; s = next) {
		next = s->limit_next;
		if (s->limit_side != SIDE_USER)
			continue;
		s->limit_side = SIDE_NONE;
		go_on(s);
		next = li.wait;
	}
}

void
limit_request(struct stream *s, limit_fn fn)
{
	enum wire_limit class = class_of(s);
	enum side side = side_now();
	struct stream **p;
	struct loan *l;
	int64_t now = clock_ms(CLOCK_MONOTONIC);

	if (s->limit_side == SIDE_ADDRESS && side != SIDE_ADDRESS) {
		/* It was a user's: the address has its place back. */
		l = &li.loan[SIDE_ADDRESS][class];
		if (l->used > 0)
			l->used--;
		s->limit_side = SIDE_NONE;
	} else if (s->limit_side != SIDE_NONE)
		side = SIDE_NONE;
	if (class == LIMIT_NONE || side == SIDE_NONE) {
		fn(s);
		return;
	}
	l = &li.loan[side][class];
	if (has_some(l, now)) {
		count(s, side, class);
		fn(s);
		return;
	}
	if (now < l->refused_until) {
		refuse(s, side, class);
		return;
	}
	for (p = &li.wait; *p != NULL; p = &(*p)->limit_next)
		;
	*p = s;
	s->limit_next = NULL;
	s->limit_fn = fn;
	s->limit_side = (uint8_t)side;
	s->limit_class = (uint8_t) class;
	s->on_close = remove_wait;
	ask(side, class);
}

void
limit_headers(struct answer *a)
{
	const struct stream *s = a->s;
	const struct loan *l;
	struct timespec ts;

	if (s->limit_side == SIDE_NONE || s->limit_side >= SIDES ||
	    s->limit_class >= LIMIT_CLASSES)
		return;
	l = &li.loan[s->limit_side][s->limit_class];
	if (l->lease.limit == 0)
		return;
	clock_gettime(CLOCK_REALTIME, &ts);
	answer_fmt(a, SLICE("x-ratelimit-limit"), "%u", l->lease.limit);
	answer_fmt(a, SLICE("x-ratelimit-remaining"), "%u",
	    l->lease.left + (l->lease.granted - l->used));
	answer_fmt(a, SLICE("x-ratelimit-reset"), "%lld",
	    (long long)ts.tv_sec + (l->lease.reset + 999) / 1000);
}
