/*
 * The table of TLS sessions: see session.h.
 *
 * Entries stand in a ring in the order in which they came, so the oldest is
 * the one that expires next and the one that makes place.  They are found
 * through chains of slot numbers.
 */
#include <sys/mman.h>

#include <bsd/stdlib.h>

#include <string.h>

#include "../log.h"
#include "session.h"

#define NOBODY (-1)
#define WORDS  (WIRE_SESSID / sizeof(uint32_t))

struct slot {
	uint8_t id[WIRE_SESSID];
	int64_t expires;
	int32_t next; /* in its chain */
	uint32_t len; /* 0: free */
	uint8_t der[SESS_DER_MAX];
};

static struct slot *slots; /* SESS_MAX of them */
static int32_t chains[SESS_MAX];
static uint32_t oldest; /* all in use lie in [oldest, oldest + span) */
static uint32_t span;
static unsigned int count;
static uint64_t secret[WORDS + 1];

void
sess_init(void)
{
	size_t size = SESS_MAX * sizeof(struct slot);
	size_t i;

	slots = mmap(
	    NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (slots == MAP_FAILED)
		fatal("no memory for TLS sessions");
	/* Locked as it is touched: an idle server keeps no 5 MB resident. */
	if (mlock2(slots, size, MLOCK_ONFAULT) == -1)
		fatal("memory for TLS sessions cannot be locked");
	if (madvise(slots, size, MADV_DONTDUMP) == -1)
		fatal("memory for TLS sessions cannot be kept out of dumps");
	for (i = 0; i < SESS_MAX; i++)
		chains[i] = NOBODY;
	oldest = span = 0;
	count = 0;
	arc4random_buf(secret, sizeof(secret));
}

/* Multilinear hashing under a secret: who chooses ids cannot choose chains. */
static int32_t *
chain_of(const uint8_t id[WIRE_SESSID])
{
	uint32_t words[WORDS];
	uint64_t h = secret[WORDS];
	size_t i;

	memcpy(words, id, sizeof(words));
	for (i = 0; i < WORDS; i++)
		h += secret[i] * words[i];
	return &chains[(h >> 32) % SESS_MAX];
}

/* What points at the slot of that id: a chain's head or a slot's next. */
static int32_t *
find(const uint8_t id[WIRE_SESSID])
{
	int32_t *p;

	for (p = chain_of(id); *p != NOBODY; p = &slots[*p].next)
		if (memcmp(slots[*p].id, id, WIRE_SESSID) == 0)
			break;
	return p;
}

static void
drop(int32_t *link)
{
	struct slot *s = &slots[*link];

	*link = s->next;
	explicit_bzero(s, sizeof(*s));
	count--;
}

/* The ring's end moves over what is free. */
static void
trim(void)
{
	while (span > 0 && slots[oldest].len == 0) {
		oldest = (oldest + 1) % SESS_MAX;
		span--;
	}
}

static void
drop_oldest(void)
{
	drop(find(slots[oldest].id));
	trim();
}

void
sess_expire(int64_t now)
{
	while (span > 0 && slots[oldest].expires <= now)
		drop_oldest();
}

void
sess_put(const uint8_t id[WIRE_SESSID], const uint8_t *der, size_t len, int64_t now)
{
	int32_t *link;
	struct slot *s;
	uint32_t n;

	if (len == 0 || len > SESS_DER_MAX)
		return;
	/* The one who came first keeps the id: nobody puts his own session in
	 * the place of another's. */
	if (*find(id) != NOBODY)
		return;
	if (span == SESS_MAX)
		drop_oldest();
	n = (oldest + span) % SESS_MAX;
	span++;
	s = &slots[n];
	memcpy(s->id, id, WIRE_SESSID);
	memcpy(s->der, der, len);
	s->len = (uint32_t)len;
	s->expires = now + SESS_LIFETIME;
	link = chain_of(id);
	s->next = *link;
	*link = (int32_t)n;
	count++;
}

size_t
sess_take(const uint8_t id[WIRE_SESSID], uint8_t *der, int64_t now)
{
	int32_t *link;
	size_t len;

	sess_expire(now);
	link = find(id);
	if (*link == NOBODY)
		return 0;
	len = slots[*link].len;
	memcpy(der, slots[*link].der, len);
	drop(link);
	trim();
	return len;
}

void
sess_forget_all(void)
{
	while (span > 0)
		drop_oldest();
}

unsigned int
sess_count(void)
{
	return count;
}
