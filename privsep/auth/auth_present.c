/*
 * Who is there: users that have a bound connection, or had one since this
 * process started, and those whose sandbox runs.  What they did last, and what their
 * programs do, decides when their sandbox is idle; and the folder that they opened last
 * waits here to be written.
 */
#include <sys/param.h>

#include <stdlib.h>
#include <string.h>

#include <bsd/string.h>

#include "auth.h"

#define WRITE_EVERY 5 /* seconds: a folder is not worth a commit a click */
/* Thousandths of a processor.  A VS Code server for which nobody is there takes fewer. */
#define WORK 50

struct present {
	RB_ENTRY(present) entry;
	uint32_t uid;
	char name[WIRE_NAME];
	unsigned int bound;
	bool open; /* the sandbox, as far as this process knows */
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

static struct present *
present_get(uint32_t uid, const char *name)
{
	struct present *p;

	if ((p = present_find(uid)) != NULL)
		return p;
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
present_bind(uint32_t uid, const char *name)
{
	struct present *p = present_get(uid, name);

	p->bound++;
	p->active = auth_now();
}

void
present_unbind(uint32_t uid)
{
	struct present *p;

	if ((p = present_find(uid)) == NULL || p->bound == 0)
		return;
	p->bound--;
	p->active = auth_now();
}

void
present_beat(uint32_t uid)
{
	struct present *p;

	if ((p = present_find(uid)) != NULL)
		p->active = auth_now();
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

/* No connection, and nothing done for so long? */
bool
present_idle(uint32_t uid, int64_t duration)
{
	struct present *p;

	p = present_find(uid);
	if (p != NULL && p->bound > 0)
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

	row->connections = 0;
	row->active = row->worked = row->stops = 0;
	if (row->state != SANDBOX_RUNNING && row->state != SANDBOX_FROZEN)
		return;
	row->connections = p != NULL ? p->bound : 0;
	row->active = active_since(p);
	row->worked = p != NULL && p->started == row->started ? p->worked : 0;
	if (row->connections == 0)
		row->stops = MAX(row->active, row->worked) + auth.conf.idle_stop;
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

/* The sandbox is gone: with nobody there, nothing is left to watch. */
bool
present_open(uint32_t uid, bool open)
{
	struct present *p;
	bool was;

	if ((p = present_find(uid)) == NULL)
		return false;
	was = p->open;
	p->open = open;
	return was;
}

void
present_gone(uint32_t uid)
{
	struct present *p;

	(void)present_open(uid, false);
	if ((p = present_find(uid)) == NULL || p->bound > 0)
		return;
	if (p->dirty)
		present_write(p);
	RB_REMOVE(presence, &presence, p);
	free(p);
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
