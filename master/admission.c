/* Admission: see admission.h. */
#include <stdlib.h>
#include <string.h>

#include "admission.h"

#define SOURCES 65536
#define BUCKETS 65536

/* In seconds: what adds up to the first is enforced, to its end; the second is most. */
#define PENALTY_FROM 15
#define PENALTY_CAP  600

static const struct {
	const char *name;
	uint32_t seconds;
} penalties[PENALTY_MAX] = {
	[PENALTY_CRASH] = { "crash", 90 },
	[PENALTY_LOGIN] = { "failed login", 4 },
	[PENALTY_GRACE] = { "too slow", 10 },
	[PENALTY_BAD_REQUEST] = { "bad request", 1 },
};

struct source {
	uint8_t key[16];
	struct source *chain;       /* same bucket */
	struct source *prev, *next; /* idle ones, longest idle first */
	bool idle_listed;
	uint32_t connections;
	uint32_t bound;
	int64_t until_ms; /* end of the penalty */
	bool enforced;    /* it has come to PENALTY_FROM */
};

static struct {
	struct admission_conf conf;
	uint32_t (*random_below)(uint32_t);
	penalty_fn told;
	struct source *pool;
	uint32_t used;
	struct source *bucket[BUCKETS];
	struct source idle; /* ring */
	uint32_t seed;
} adm;

void
admission_init(uint32_t (*random_below)(uint32_t))
{
	adm.random_below = random_below;
	free(adm.pool);
	adm.pool = calloc(SOURCES, sizeof(*adm.pool));
	if (adm.pool == NULL)
		abort();
	adm.used = 0;
	memset(adm.bucket, 0, sizeof(adm.bucket));
	adm.idle.next = adm.idle.prev = &adm.idle;
	/* So that nobody can choose addresses that share a bucket. */
	adm.seed = random_below(UINT32_MAX);
}

void
admission_configure(const struct admission_conf *c)
{
	adm.conf = *c;
}

/* IPv4 (mapped) counts whole, IPv6 by its /64. */
void
admission_key(const struct wire_addr *addr, uint8_t key[16])
{
	static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

	memcpy(key, addr->ip, 16);
	if (memcmp(addr->ip, mapped, sizeof(mapped)) != 0)
		memset(key + 8, 0, 8);
}

static uint32_t
source_hash(const uint8_t key[16])
{
	uint32_t h = adm.seed ^ 2166136261U;
	int i;

	for (i = 0; i < 16; i++) {
		h ^= key[i];
		h *= 16777619U;
		h ^= h >> 15;
	}
	return h % BUCKETS;
}

static void
idle_remove(struct source *s)
{
	if (!s->idle_listed)
		return;
	s->prev->next = s->next;
	s->next->prev = s->prev;
	s->idle_listed = false;
}

static void
idle_add(struct source *s)
{
	s->prev = adm.idle.prev;
	s->next = &adm.idle;
	s->prev->next = s;
	adm.idle.prev = s;
	s->idle_listed = true;
}

static void
chain_remove(struct source *s)
{
	struct source **p;

	for (p = &adm.bucket[source_hash(s->key)]; *p != NULL; p = &(*p)->chain)
		if (*p == s) {
			*p = s->chain;
			return;
		}
}

/* An entry to use: a fresh one, or the longest idle one without a penalty. */
static struct source *
source_alloc(int64_t now_ms)
{
	struct source *s;
	int looked = 0;

	if (adm.used < SOURCES)
		return &adm.pool[adm.used++];
	for (s = adm.idle.next; s != &adm.idle && looked < 64; s = s->next, looked++)
		if (s->until_ms <= now_ms) {
			idle_remove(s);
			chain_remove(s);
			memset(s, 0, sizeof(*s));
			return s;
		}
	return NULL;
}

static struct source *
source_find(const uint8_t key[16])
{
	struct source *s;

	for (s = adm.bucket[source_hash(key)]; s != NULL; s = s->chain)
		if (memcmp(s->key, key, 16) == 0)
			return s;
	return NULL;
}

static struct source *
source_get(const struct wire_addr *addr, int64_t now_ms)
{
	struct source *s;
	uint8_t key[16];
	uint32_t h;

	admission_key(addr, key);
	s = source_find(key);
	if (s != NULL)
		return s;
	s = source_alloc(now_ms);
	if (s == NULL)
		return NULL;
	h = source_hash(key);
	memcpy(s->key, key, 16);
	s->chain = adm.bucket[h];
	adm.bucket[h] = s;
	/* Until it has a connection it may make room for others. */
	idle_add(s);
	return s;
}

static bool
is_penalised(const struct source *s, int64_t now_ms)
{
	return s->enforced && s->until_ms > now_ms;
}

/* sshd's random early drop: from rate percent at begin to all at full. */
static bool
early_drop(uint32_t n)
{
	uint64_t p;

	if (n < adm.conf.begin)
		return false;
	if (n >= adm.conf.full || adm.conf.rate >= 100)
		return true;
	p = (uint64_t)(100 - adm.conf.rate) * (n - adm.conf.begin) /
		(adm.conf.full - adm.conf.begin) +
	    adm.conf.rate;
	return adm.random_below(100) < p;
}

enum admit
admission_check(const struct wire_addr *addr, int64_t now_ms, uint32_t unauthenticated,
    struct source **src)
{
	struct source *s = NULL;
	enum admit a = ADMIT_OK;

	*src = NULL;
	/* A unix peer is a proxy of the site's own: it stands for many. */
	if (!addr->unix_peer)
		s = source_get(addr, now_ms);
	if (s != NULL) {
		if (is_penalised(s, now_ms))
			return ADMIT_PENALTY;
		if (s->connections >= adm.conf.per_source)
			return ADMIT_PER_SOURCE;
	}
	/*
	 * Who has somebody logged in already keeps the way in under a flood, and
	 * so does who comes for the first time: those who come again and again
	 * are to be dropped for it, not those whom they would keep out.
	 */
	if (s != NULL && s->connections == 0) {
		if (unauthenticated >= adm.conf.full)
			a = ADMIT_EVICT;
	} else if ((s == NULL || s->bound == 0) && early_drop(unauthenticated))
		return ADMIT_EARLY_DROP;
	if (s != NULL) {
		idle_remove(s);
		s->connections++;
	}
	*src = s;
	return a;
}

void
admission_release(struct source *src, bool was_bound)
{
	if (src == NULL)
		return;
	if (was_bound && src->bound > 0)
		src->bound--;
	if (src->connections > 0 && --src->connections == 0)
		idle_add(src);
}

void
admission_bound(struct source *src)
{
	if (src != NULL)
		src->bound++;
}

void
admission_penalise(struct source *src, enum penalty p, int64_t now_ms)
{
	if (src == NULL)
		return;
	if (src->until_ms <= now_ms) {
		src->until_ms = now_ms;
		src->enforced = false;
	}
	src->until_ms += (int64_t)penalties[p].seconds * 1000;
	if (src->until_ms > now_ms + PENALTY_CAP * 1000)
		src->until_ms = now_ms + PENALTY_CAP * 1000;
	if (src->enforced || src->until_ms - now_ms < PENALTY_FROM * 1000)
		return;
	src->enforced = true;
	if (adm.told != NULL)
		adm.told(src->key, p, (uint32_t)((src->until_ms - now_ms) / 1000));
}

void
admission_tell(penalty_fn told)
{
	adm.told = told;
}

void
admission_penalise_addr(const struct wire_addr *addr, enum penalty p, int64_t now_ms)
{
	struct source *s;

	if (addr->unix_peer || (s = source_get(addr, now_ms)) == NULL)
		return;
	admission_penalise(s, p, now_ms);
}

uint32_t
admission_penalised(int64_t now_ms)
{
	uint32_t i, n = 0;

	for (i = 0; i < adm.used; i++)
		if (is_penalised(&adm.pool[i], now_ms))
			n++;
	return n;
}

const char *
admit_name(enum admit a)
{
	static const char *const names[] = { "admitted", "admitted", "penalty",
		"too many connections of one source", "too many unauthenticated",
		"not one of the proxies" };

	return names[a];
}

const char *
penalty_name(enum penalty p)
{
	return penalties[p].name;
}
