/*
 * Who is there: users that have a bound connection, or had one since this
 * process started, and those whose sandbox runs.  What they did last, and what their
 * programs do, decides when their sandbox is idle; and the folder that they opened last
 * waits here to be written.
 *
 * A connection says little of whether somebody is there: a forgotten window has some for
 * ever.  Where pages tell (M_ME_ACTIVITY), connections do not count, and what the pages
 * tell does; other WebSockets hold the sandbox (M_HOLD), as nothing better is known.
 */
#include <sys/param.h>

#include <stdlib.h>
#include <string.h>

#include <bsd/string.h>

#include "auth.h"

#define WRITE_EVERY 5 /* seconds: a folder is not worth a commit a click */
/* Thousandths of a processor.  A VS Code server for which nobody is there takes fewer. */
#define WORK      50
#define ATTENDED  90   /* seconds: pages tell of what is done once a minute */
#define RESTS_MAX 1000 /* of those who are not here, who are remembered */

struct present {
	RB_ENTRY(present) entry;
	TAILQ_ENTRY(present) rest; /* of those who are not here */
	bool rests;
	uint32_t uid;
	char name[WIRE_NAME];
	unsigned int bound;
	unsigned int holding; /* of them */
	bool open;            /* the sandbox, as far as this process knows */
	enum wire_why why;    /* it is about to end, or has ended, */
	int64_t ended;        /* then */
	int64_t active;
	int64_t worked;    /* when its programs last did */
	int64_t looked;    /* at what they took: auth_ms(), */
	int64_t started;   /* of that sandbox, */
	uint64_t cpu_usec; /* that much */
	bool dirty;
	int64_t written;
	char query[WIRE_QUERY];
};

static int
present_cmp(const struct present *a, const struct present *b)
{
	return a->uid < b->uid ? -1 : a->uid > b->uid;
}

static RB_HEAD(presence, present) presence = RB_INITIALIZER(&presence);
RB_GENERATE_INTERNAL(
    presence, present, entry, present_cmp, static __attribute__((unused)))

static struct present *
present_find(uint32_t uid)
{
	struct present key = { .uid = uid };

	return RB_FIND(presence, &presence, &key);
}

static void
present_write(struct present *p)
{
	struct store_account a;
	enum store_result r;

	r = store_account_by_uid(auth.store, p->uid, &a);
	if (r == STORE_OK && strcmp(a.last_query, p->query) != 0) {
		strlcpy(a.last_query, p->query, sizeof(a.last_query));
		r = store_account_put(auth.store, &a);
	}
	explicit_bzero(&a, sizeof(a));
	p->written = auth_now();
	/* Kept for later while the disk is full. */
	if (r == STORE_OK || r == STORE_NOT_FOUND || r == STORE_INVALID)
		p->dirty = false;
}

/* Those who are not here, the longest first: for what the portal tells of their sandbox.
 */
static TAILQ_HEAD(, present) resting = TAILQ_HEAD_INITIALIZER(resting);
static unsigned int nresting;

static void
here(struct present *p)
{
	if (!p->rests)
		return;
	p->rests = false;
	TAILQ_REMOVE(&resting, p, rest);
	nresting--;
}

static void
rest(struct present *p)
{
	here(p);
	if (p->bound > 0 || p->open || p->started != 0)
		return;
	p->rests = true;
	TAILQ_INSERT_TAIL(&resting, p, rest);
	if (++nresting <= RESTS_MAX)
		return;
	p = TAILQ_FIRST(&resting);
	here(p);
	if (p->dirty)
		present_write(p);
	RB_REMOVE(presence, &presence, p);
	free(p);
}

static struct present *
present_get(uint32_t uid, const char *name)
{
	struct present *p;

	if ((p = present_find(uid)) != NULL) {
		here(p);
		return p;
	}
	if ((p = calloc(1, sizeof(*p))) == NULL)
		fatalx("out of memory");
	p->uid = uid;
	strlcpy(p->name, name, sizeof(p->name));
	/* Of one who was not here yet we know that much. */
	p->active = auth.started;
	RB_INSERT(presence, &presence, p);
	return p;
}

void
present_bind(const struct worker *w)
{
	struct present *p = present_get(w->uid, w->user);

	p->bound++;
}

void
present_unbind(const struct worker *w)
{
	struct present *p;

	if ((p = present_find(w->uid)) == NULL || p->bound == 0)
		return;
	p->bound--;
	if (w->holds)
		present_hold(w->uid, false);
	rest(p);
}

void
present_hold(uint32_t uid, bool on)
{
	struct present *p;

	if ((p = present_find(uid)) == NULL || (!on && p->holding == 0))
		return;
	p->holding += on ? 1 : -1;
	p->active = auth_now();
}

void
present_beat_at(uint32_t uid, int64_t at)
{
	struct present *p;

	if ((p = present_find(uid)) != NULL)
		p->active = MAX(p->active, at);
}

void
present_beat(uint32_t uid)
{
	present_beat_at(uid, auth_now());
}

/* What happens first to a sandbox that nobody uses. */
int64_t
present_first(void)
{
	return auth.conf.idle_freeze != 0 ? auth.conf.idle_freeze : auth.conf.idle_stop;
}

bool
present_attended(uint32_t uid)
{
	const struct present *p = present_find(uid);

	return p != NULL && auth_now() - p->active < MIN(ATTENDED, present_first());
}

void
present_last(uint32_t uid, const char *query)
{
	struct present *p;

	if ((p = present_find(uid)) == NULL)
		return;
	strlcpy(p->query, query, sizeof(p->query));
	p->dirty = true;
}

const char *
present_query(uint32_t uid)
{
	struct present *p;

	p = present_find(uid);
	return p != NULL && p->dirty ? p->query : NULL;
}

static int64_t
active_since(const struct present *p)
{
	return p != NULL ? p->active : auth.started;
}

/* Nothing done for so long, as far as can be told? */
bool
present_idle(uint32_t uid, int64_t duration)
{
	struct present *p;

	p = present_find(uid);
	if (p != NULL && p->holding > 0)
		return false;
	return auth_now() - active_since(p) >= duration;
}

/* Have its programs, too, done nothing for so long? */
bool
present_rests(const struct m_sandbox *row, int64_t duration)
{
	struct present *p = present_get(row->uid, row->user);
	int64_t now = auth_ms(), ms = now - p->looked;

	if (p->started == row->started && row->cpu_usec > p->cpu_usec &&
	    row->cpu_usec - p->cpu_usec >= (uint64_t)ms * WORK)
		p->worked = auth_now();
	p->started = row->started;
	p->cpu_usec = row->cpu_usec;
	p->looked = now;
	return auth_now() - p->worked >= duration;
}

void
present_tell(struct m_sandbox *row)
{
	const struct present *p = present_find(row->uid);

	row->connections = p != NULL ? p->bound : 0;
	row->active = row->worked = row->stops = row->ended = 0;
	row->why = WHY_UNKNOWN;
	if (row->state != SANDBOX_RUNNING && row->state != SANDBOX_FROZEN) {
		row->ended = p != NULL ? p->ended : 0;
		row->why = row->ended != 0 ? p->why : WHY_UNKNOWN;
		return;
	}
	row->active = active_since(p);
	row->worked = p != NULL && p->started == row->started ? p->worked : 0;
	if (p != NULL && p->holding > 0) {
		row->why = WHY_CONNECTION;
		return;
	}
	row->why = row->worked > row->active ? WHY_WORK : WHY_ACTIVITY;
	row->stops = MAX(row->active, row->worked) + auth.conf.idle_stop;
}

bool
present_open(uint32_t uid, bool open)
{
	struct present *p;
	bool was;

	if ((p = present_find(uid)) == NULL)
		return false;
	was = p->open;
	p->open = open;
	if (open)
		p->why = WHY_UNKNOWN;
	return was;
}

void
present_ends(uint32_t uid, enum wire_why why)
{
	struct present *p;

	if ((p = present_find(uid)) != NULL && (p->open || p->started != 0))
		p->why = why;
}

/* The sandbox is. */
void
present_gone(uint32_t uid, const char *name)
{
	struct present *p = present_get(uid, name);

	p->open = false;
	p->started = 0;
	p->ended = auth_now();
	if (p->why == WHY_UNKNOWN)
		p->why = WHY_ENDED;
	rest(p);
}

void
present_tick(void)
{
	struct present *p;
	int64_t now = auth_now();

	RB_FOREACH(p, presence, &presence)
	if (p->dirty && now - p->written >= WRITE_EVERY)
		present_write(p);
}

void
present_flush(void)
{
	struct present *p;

	RB_FOREACH(p, presence, &presence)
	if (p->dirty)
		present_write(p);
}
