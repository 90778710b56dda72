/* Sliding windows: see window.h. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <bsd/stdlib.h>
#include <bsd/sys/queue.h>

#include "window.h"

#define BUCKETS  16384 /* a power of two */
#define FIRST    4     /* stamps that every key may have */
#define LOOK_MAX 64

struct stamp {
	int64_t at; /* of the latest use */
	uint32_t n;
	uint32_t span; /* from the earliest one to it */
};

struct entry {
	LIST_ENTRY(entry) hash;
	TAILQ_ENTRY(entry) order;
	uint8_t key[WINDOW_KEY];
	bool shared;
	uint32_t out;
	uint32_t used; /* of all stamps */
	uint32_t denied;
	uint32_t nstamps;
	uint32_t size;
	struct stamp *stamps; /* oldest first */
	int64_t last;         /* nothing of it is younger */
};

struct windows {
	uint32_t limit;
	int64_t period;
	uint32_t max;
	uint32_t nkeys;
	uint32_t pool; /* stamps beyond the first few */
	uint64_t secret[3];
	LIST_HEAD(, entry) buckets[BUCKETS];
	TAILQ_HEAD(order, entry) order; /* longest untouched first */
	struct entry shared[WINDOW_SHARED];
};

struct windows *
windows_new(uint32_t limit, uint32_t period, uint32_t max_keys)
{
	struct windows *w;
	unsigned int i;

	if ((w = calloc(1, sizeof(*w))) == NULL)
		return NULL;
	w->max = max_keys;
	TAILQ_INIT(&w->order);
	arc4random_buf(w->secret, sizeof(w->secret));
	for (i = 0; i < WINDOW_SHARED; i++)
		w->shared[i].shared = true;
	windows_config(w, limit, period);
	return w;
}

void
windows_config(struct windows *w, uint32_t limit, uint32_t period)
{
	w->limit = limit > 0 ? limit : 1;
	w->period = (int64_t)(period > 0 ? period : 1) * 1000;
}

static void
stamps_drop(struct windows *w, struct entry *e)
{
	if (e->size > FIRST)
		w->pool -= e->size - FIRST;
	free(e->stamps);
	e->stamps = NULL;
	e->size = e->nstamps = e->used = 0;
}

static void
entry_free(struct windows *w, struct entry *e)
{
	LIST_REMOVE(e, hash);
	TAILQ_REMOVE(&w->order, e, order);
	stamps_drop(w, e);
	w->nkeys--;
	free(e);
}

void
windows_free(struct windows *w)
{
	struct entry *e;
	unsigned int i;

	if (w == NULL)
		return;
	while ((e = TAILQ_FIRST(&w->order)) != NULL)
		entry_free(w, e);
	for (i = 0; i < WINDOW_SHARED; i++)
		stamps_drop(w, &w->shared[i]);
	free(w);
}

/* Who chooses keys cannot choose which of them fall together. */
static uint64_t
mix(const struct windows *w, const uint8_t key[WINDOW_KEY])
{
	uint64_t v[2], h;

	memcpy(v, key, sizeof(v));
	h = (v[0] ^ w->secret[0]) * 0x9e3779b97f4a7c15ULL;
	h ^= h >> 32;
	h = (h ^ v[1] ^ w->secret[1]) * 0xbf58476d1ce4e5b9ULL;
	h ^= h >> 29;
	h = (h ^ w->secret[2]) * 0x94d049bb133111ebULL;
	return h ^ h >> 32;
}

/* Drop what has left the window. */
static void
expire(const struct windows *w, struct entry *e, int64_t now)
{
	uint32_t n = 0;

	while (n < e->nstamps && now - e->stamps[n].at >= w->period)
		e->used -= e->stamps[n++].n;
	if (n == 0)
		return;
	e->nstamps -= n;
	memmove(e->stamps, e->stamps + n, e->nstamps * sizeof(*e->stamps));
	if (e->nstamps == 0)
		e->denied = 0;
}

static bool
counts(const struct windows *w, const struct entry *e, int64_t now)
{
	return e->out > 0 || now - e->last < w->period;
}

static struct entry *
own(struct windows *w, const uint8_t key[WINDOW_KEY])
{
	struct entry *e;

	LIST_FOREACH(e, &w->buckets[mix(w, key) % BUCKETS], hash)
		if (memcmp(e->key, key, WINDOW_KEY) == 0)
			return e;
	return NULL;
}

static struct entry *
shared(struct windows *w, const uint8_t key[WINDOW_KEY])
{
	return &w->shared[(mix(w, key) >> 40) % WINDOW_SHARED];
}

/* Where a key is counted; NULL when it is nowhere. */
static struct entry *
find(struct windows *w, const uint8_t key[WINDOW_KEY], int64_t now)
{
	struct entry *e = own(w, key);

	if (e == NULL) {
		e = shared(w, key);
		if (!counts(w, e, now) || e->last == 0)
			return NULL;
	}
	expire(w, e, now);
	return e;
}

static void
touch(struct windows *w, struct entry *e, int64_t now)
{
	e->last = now > 0 ? now : 1;
	if (e->shared)
		return;
	TAILQ_REMOVE(&w->order, e, order);
	TAILQ_INSERT_TAIL(&w->order, e, order);
}

/* Room by those that count no more, and by nobody else. */
static bool
room(struct windows *w, int64_t now)
{
	struct entry *e;
	unsigned int looked = 0;

	while (w->nkeys >= w->max && looked++ < LOOK_MAX) {
		e = TAILQ_FIRST(&w->order);
		if (e == NULL || (e->out == 0 && counts(w, e, now)))
			break;
		if (e->out == 0) {
			entry_free(w, e);
			continue;
		}
		/* In use, however old it is. */
		TAILQ_REMOVE(&w->order, e, order);
		TAILQ_INSERT_TAIL(&w->order, e, order);
	}
	return w->nkeys < w->max;
}

static struct entry *
find_or_make(struct windows *w, const uint8_t key[WINDOW_KEY], int64_t now)
{
	struct entry *e = find(w, key, now);

	if (e != NULL)
		return e;
	if (!room(w, now) || (e = calloc(1, sizeof(*e))) == NULL) {
		e = shared(w, key);
		expire(w, e, now);
		return e;
	}
	memcpy(e->key, key, WINDOW_KEY);
	LIST_INSERT_HEAD(&w->buckets[mix(w, key) % BUCKETS], e, hash);
	TAILQ_INSERT_TAIL(&w->order, e, order);
	w->nkeys++;
	return e;
}

/* How long the two before i + 1 would be as one. */
static int64_t
span(const struct entry *e, uint32_t i)
{
	return e->stamps[i].at - e->stamps[i - 1].at + e->stamps[i - 1].span;
}

/* Two neighbours as one, with the later time: those that lose least by it. */
static void
merge(struct entry *e)
{
	uint32_t i, best = 1;

	for (i = 2; i < e->nstamps; i++)
		if (span(e, i) < span(e, best))
			best = i;
	e->stamps[best].span = (uint32_t)span(e, best);
	e->stamps[best].n += e->stamps[best - 1].n;
	e->nstamps--;
	memmove(&e->stamps[best - 1], &e->stamps[best],
	    (e->nstamps - best + 1) * sizeof(*e->stamps));
}

static bool
grow(struct windows *w, struct entry *e)
{
	uint32_t size = e->size == 0 ? FIRST : e->size * 2;
	struct stamp *p;

	if (size > WINDOW_STAMPS ||
	    (e->size != 0 && w->pool + (size - e->size) > WINDOW_POOL) ||
	    (p = reallocarray(e->stamps, size, sizeof(*p))) == NULL)
		return false;
	if (e->size != 0)
		w->pool += size - e->size;
	e->stamps = p;
	e->size = size;
	return true;
}

static void
stamp(struct windows *w, struct entry *e, int64_t now, uint32_t n)
{
	if (e->nstamps > 0 && e->stamps[e->nstamps - 1].at >= now) {
		e->stamps[e->nstamps - 1].n += n;
		e->used += n;
		return;
	}
	if (e->nstamps == e->size && !grow(w, e)) {
		/* Without a place for even one, it stays out until it is forgotten. */
		if (e->nstamps == 0) {
			e->out += n;
			return;
		}
		merge(e);
	}
	e->stamps[e->nstamps++] = (struct stamp){ now, n, 0 };
	e->used += n;
}

static uint32_t
left(const struct windows *w, const struct entry *e)
{
	uint64_t sum = (uint64_t)e->used + e->out;

	return sum < w->limit ? w->limit - (uint32_t)sum : 0;
}

/* Until so much has left that one more would fit, were nothing out. */
static int64_t
reset(const struct windows *w, const struct entry *e, int64_t now)
{
	uint32_t i, used = e->used;

	for (i = 0; i < e->nstamps; i++) {
		used -= e->stamps[i].n;
		if (used < w->limit)
			return e->stamps[i].at + w->period - now;
	}
	return 0;
}

static void
state(const struct windows *w, const struct entry *e, int64_t now, struct window_state *s)
{
	s->limit = w->limit;
	s->used = e->used;
	s->out = e->out;
	s->left = left(w, e);
	s->reset = reset(w, e, now);
	s->denied = e->denied;
}

void
windows_look(
    struct windows *w, const uint8_t key[WINDOW_KEY], int64_t now, struct window_state *s)
{
	const struct entry *e = find(w, key, now);

	memset(s, 0, sizeof(*s));
	s->limit = s->left = w->limit;
	if (e != NULL)
		state(w, e, now, s);
}

uint32_t
windows_take(struct windows *w, const uint8_t key[WINDOW_KEY], int64_t now, uint32_t n)
{
	struct entry *e = find_or_make(w, key, now);
	uint32_t have = left(w, e);

	if (n > have)
		n = have;
	e->out += n;
	touch(w, e, now);
	return n;
}

void
windows_hold(struct windows *w, const uint8_t key[WINDOW_KEY], int64_t now)
{
	struct entry *e = find_or_make(w, key, now);

	e->out++;
	touch(w, e, now);
}

void
windows_give(struct windows *w, const uint8_t key[WINDOW_KEY], int64_t now,
    uint32_t taken, uint32_t used)
{
	struct entry *e = find(w, key, now);

	if (e == NULL || taken > e->out || used > taken)
		return;
	e->out -= taken;
	if (used > 0) {
		stamp(w, e, now, used);
		touch(w, e, now);
	}
	if (!e->shared && e->out == 0 && e->nstamps == 0)
		entry_free(w, e);
}

void
windows_deny(struct windows *w, const uint8_t key[WINDOW_KEY], int64_t now)
{
	struct entry *e = find(w, key, now);

	if (e != NULL && e->denied < UINT32_MAX)
		e->denied++;
}

static bool
before(const struct window_state *a, const struct window_state *b)
{
	return a->denied != b->denied ? a->denied > b->denied :
					a->used + a->out > b->used + b->out;
}

static size_t
rank(struct window_top *top, size_t n, size_t max, const struct window_top *t)
{
	size_t i;

	if (n == max && !before(&t->state, &top[n - 1].state))
		return n;
	if (n < max)
		n++;
	for (i = n - 1; i > 0 && before(&t->state, &top[i - 1].state); i--)
		top[i] = top[i - 1];
	top[i] = *t;
	return n;
}

size_t
windows_top(struct windows *w, int64_t now, struct window_top *top, size_t max)
{
	struct window_top t;
	struct entry *e;
	size_t i, n = 0;

	if (max == 0)
		return 0;
	TAILQ_FOREACH(e, &w->order, order) {
		expire(w, e, now);
		if (e->used == 0 && e->out == 0)
			continue;
		memcpy(t.key, e->key, sizeof(t.key));
		state(w, e, now, &t.state);
		n = rank(top, n, max, &t);
	}
	for (i = 0; i < WINDOW_SHARED; i++) {
		e = &w->shared[i];
		expire(w, e, now);
		if (e->used == 0 && e->out == 0)
			continue;
		memset(t.key, 0, sizeof(t.key));
		state(w, e, now, &t.state);
		n = rank(top, n, max, &t);
	}
	return n;
}

uint32_t
windows_keys(const struct windows *w)
{
	return w->nkeys;
}
