/* Limits: see auth_rate.h. */
#include <stdlib.h>
#include <string.h>

#include <bsd/sys/queue.h>

#include "auth_rate.h"

#define BUCKETS      16384 /* a power of two */
#define STAMPS_FIRST 4

struct entry {
	LIST_ENTRY(entry) hash;
	TAILQ_ENTRY(entry) lru;
	uint8_t key[RATE_KEY];
	uint32_t pending;
	uint32_t nstamps;
	uint32_t size;   /* of stamps */
	int64_t *stamps; /* when it failed, oldest first */
};

struct rate {
	uint32_t count;
	int64_t period; /* milliseconds */
	uint32_t max;
	uint32_t nentries;
	uint32_t nstamps; /* allocated, of all entries */
	LIST_HEAD(, entry) buckets[BUCKETS];
	TAILQ_HEAD(lru, entry) lru; /* first is the one used last */
};

struct rate *
rate_new(uint32_t count, uint32_t period, uint32_t max_entries)
{
	struct rate *r;

	if ((r = calloc(1, sizeof(*r))) == NULL)
		return NULL;
	r->max = max_entries;
	TAILQ_INIT(&r->lru);
	rate_config(r, count, period);
	return r;
}

void
rate_config(struct rate *r, uint32_t count, uint32_t period)
{
	r->count = count > 0 ? count : 1;
	r->period = (int64_t)period * 1000;
}

static void
entry_free(struct rate *r, struct entry *e)
{
	LIST_REMOVE(e, hash);
	TAILQ_REMOVE(&r->lru, e, lru);
	r->nentries--;
	r->nstamps -= e->size;
	free(e->stamps);
	free(e);
}

void
rate_free(struct rate *r)
{
	struct entry *e;

	if (r == NULL)
		return;
	while ((e = TAILQ_FIRST(&r->lru)) != NULL)
		entry_free(r, e);
	free(r);
}

static unsigned int
bucket(const uint8_t key[RATE_KEY])
{
	uint32_t v;

	memcpy(&v, key, sizeof(v));
	return v % BUCKETS;
}

static struct entry *
find(struct rate *r, const uint8_t key[RATE_KEY])
{
	struct entry *e;

	LIST_FOREACH(e, &r->buckets[bucket(key)], hash)
		if (memcmp(e->key, key, RATE_KEY) == 0)
			return e;
	return NULL;
}

/* Drop what has left the window. */
static void
expire(struct rate *r, struct entry *e, int64_t now)
{
	uint32_t n = 0;

	while (n < e->nstamps && now - e->stamps[n] >= r->period)
		n++;
	if (n == 0)
		return;
	e->nstamps -= n;
	memmove(e->stamps, e->stamps + n, e->nstamps * sizeof(*e->stamps));
}

/* Make room by what was used longest ago; entries that hold a place stay. */
static bool
evict(struct rate *r, const struct entry *keep)
{
	struct entry *e;

	TAILQ_FOREACH_REVERSE(e, &r->lru, lru, lru)
		if (e->pending == 0 && e != keep) {
			entry_free(r, e);
			return true;
		}
	return false;
}

static struct entry *
entry_new(struct rate *r, const uint8_t key[RATE_KEY])
{
	struct entry *e;

	while (r->nentries >= r->max)
		if (!evict(r, NULL))
			return NULL;
	if ((e = calloc(1, sizeof(*e))) == NULL)
		return NULL;
	memcpy(e->key, key, RATE_KEY);
	LIST_INSERT_HEAD(&r->buckets[bucket(key)], e, hash);
	TAILQ_INSERT_HEAD(&r->lru, e, lru);
	r->nentries++;
	return e;
}

static void
used(struct rate *r, struct entry *e)
{
	TAILQ_REMOVE(&r->lru, e, lru);
	TAILQ_INSERT_HEAD(&r->lru, e, lru);
}

static void
stamp(struct rate *r, struct entry *e, int64_t now)
{
	int64_t *p;
	uint32_t size;

	/* No more than count of them matter. */
	while (e->nstamps >= r->count) {
		e->nstamps--;
		memmove(e->stamps, e->stamps + 1, e->nstamps * sizeof(*e->stamps));
	}
	if (e->nstamps == e->size) {
		size = e->size == 0 ? STAMPS_FIRST : e->size * 2;
		while (r->nstamps + (size - e->size) > RATE_STAMPS)
			if (!evict(r, e))
				return;
		p = reallocarray(e->stamps, size, sizeof(*p));
		if (p == NULL)
			return;
		r->nstamps += size - e->size;
		e->stamps = p;
		e->size = size;
	}
	e->stamps[e->nstamps++] = now;
}

enum rate_verdict
rate_look(struct rate *r, const uint8_t key[RATE_KEY], int64_t now, uint32_t *retry)
{
	struct entry *e;
	int64_t ms;

	*retry = 0;
	if ((e = find(r, key)) == NULL)
		return RATE_GO;
	expire(r, e, now);
	if (e->nstamps >= r->count) {
		ms = e->stamps[e->nstamps - r->count] + r->period - now;
		*retry = (uint32_t)((ms + 999) / 1000);
		return RATE_DENY;
	}
	/* 64 bits: pending is bounded by the queue, count is not. */
	if ((uint64_t)e->nstamps + e->pending >= r->count)
		return RATE_WAIT;
	return RATE_GO;
}

bool
rate_begin(struct rate *r, const uint8_t key[RATE_KEY], int64_t now)
{
	struct entry *e;

	(void)now;
	if ((e = find(r, key)) == NULL && (e = entry_new(r, key)) == NULL)
		return false;
	e->pending++;
	used(r, e);
	return true;
}

void
rate_end(struct rate *r, const uint8_t key[RATE_KEY], int64_t now, bool failed)
{
	struct entry *e;

	if ((e = find(r, key)) == NULL || e->pending == 0)
		return;
	e->pending--;
	expire(r, e, now);
	if (failed) {
		used(r, e);
		stamp(r, e, now);
	}
	if (e->pending == 0 && e->nstamps == 0)
		entry_free(r, e);
}

uint32_t
rate_failures(struct rate *r, const uint8_t key[RATE_KEY], int64_t now)
{
	struct entry *e;

	if ((e = find(r, key)) == NULL)
		return 0;
	expire(r, e, now);
	return e->nstamps;
}

uint32_t
rate_entries(const struct rate *r)
{
	return r->nentries;
}
