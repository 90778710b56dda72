/*
 * Settings: a JSON object a user, which only workers read.  What comes is kept here
 * and written a second later, so that a burst costs one commit; it is read back from
 * here at once.  Until then a crash may lose it: unlike all else, settings are worth
 * a second, and no more.
 *
 * Who puts says what it was made from: of two at once, the second is told, and takes
 * a fresh look.
 */
#include <stdlib.h>
#include <string.h>

#include <bsd/stdlib.h>
#include <bsd/string.h>

#include "auth_peer.h"

#define WRITE_MS  1000
#define DIRTY_MAX 4096 /* users; beyond that, it is written at once */

struct dirty {
	RB_ENTRY(dirty) entry;
	uint32_t uid;
	int64_t due;
	struct store_settings s;
};

static int
dirty_cmp(const struct dirty *a, const struct dirty *b)
{
	return a->uid < b->uid ? -1 : a->uid > b->uid;
}

static RB_HEAD(settings, dirty) dirties = RB_INITIALIZER(&dirties);
RB_GENERATE_INTERNAL(settings, dirty, entry, dirty_cmp, static __attribute__((unused)))
static unsigned int ndirty;
static struct event *timer;

static struct dirty *
dirty_find(uint32_t uid)
{
	struct dirty key;

	key.uid = uid;
	return RB_FIND(settings, &dirties, &key);
}

static void
dirty_free(struct dirty *d)
{
	RB_REMOVE(settings, &dirties, d);
	ndirty--;
	freezero(d, sizeof(*d));
}

/* Kept for later while the disk is full. */
static void
dirty_write(struct dirty *d)
{
	enum store_result r;

	r = store_settings_put(auth.store, d->uid, &d->s);
	if (r == STORE_OK || r == STORE_NOT_FOUND || r == STORE_INVALID)
		dirty_free(d);
	else
		d->due = auth_ms() + 10 * WRITE_MS;
}

static void
arm(void)
{
	const struct timeval tv = { WRITE_MS / 1000 / 4, WRITE_MS * 250 };

	if (ndirty > 0 && !evtimer_pending(timer, NULL))
		event_add(timer, &tv);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct dirty *d, *next;
	int64_t now = auth_ms();

	(void)fd;
	(void)what;
	(void)arg;
	RB_FOREACH_SAFE(d, settings, &dirties, next)
	if (d->due <= now)
		dirty_write(d);
	arm();
}

void
settings_flush(void)
{
	struct dirty *d, *next;

	RB_FOREACH_SAFE(d, settings, &dirties, next)
	dirty_write(d);
}

void
settings_forget(uint32_t uid)
{
	struct dirty *d;

	if ((d = dirty_find(uid)) != NULL)
		dirty_free(d);
}

static enum store_result
look(uint32_t uid, struct store_settings *s)
{
	const struct dirty *d;
	enum store_result r;

	if ((d = dirty_find(uid)) != NULL) {
		*s = d->s;
		return STORE_OK;
	}
	memset(s, 0, sizeof(*s));
	r = store_settings_get(auth.store, uid, s);
	return r == STORE_NOT_FOUND ? STORE_OK : r;
}

void
settings_get(struct chan *chan, struct msg *m)
{
	static struct store_settings s;
	static struct m_settings row;
	enum store_result r;
	struct asker who;

	if (!asker_begin(chan, m, &who))
		return;
	if ((r = look(who.uid, &s)) != STORE_OK) {
		asker_store_fail(&who, r, "settings");
		return;
	}
	memset(&row, 0, sizeof(row));
	row.version = s.version;
	strlcpy(row.text, s.text, sizeof(row.text));
	asker_row(&who, M_ROW_SETTINGS, &row, sizeof(row));
	asker_ok(&who, "%s", "");
}

static void
keep(const struct asker *who, const struct m_settings *in, uint64_t version)
{
	enum store_result r = STORE_OK;
	struct dirty *d;

	if ((d = dirty_find(who->uid)) == NULL) {
		if ((d = calloc(1, sizeof(*d))) == NULL)
			fatalx("out of memory");
		d->uid = who->uid;
		d->due = auth_ms() + WRITE_MS;
		RB_INSERT(settings, &dirties, d);
		ndirty++;
	}
	d->s.version = version;
	strlcpy(d->s.text, in->text, sizeof(d->s.text));
	if (ndirty > DIRTY_MAX) {
		r = store_settings_put(auth.store, d->uid, &d->s);
		dirty_free(d);
	}
	if (timer == NULL && (timer = evtimer_new(auth.base, on_timer, NULL)) == NULL)
		fatalx("out of memory");
	arm();
	if (r != STORE_OK)
		asker_store_fail(who, r, "settings");
	else
		asker_ok(who, "%s", "settings kept");
}

void
settings_put(struct chan *chan, struct msg *m)
{
	const struct m_settings *in = MSG_DATA(m, m_settings);
	static struct store_settings s;
	enum store_result r;
	struct asker who;

	if (!asker_begin(chan, m, &who))
		return;
	if ((r = look(who.uid, &s)) != STORE_OK)
		asker_store_fail(&who, r, "settings");
	else if (s.version != in->version)
		asker_fail(&who, FAIL_CHANGED, NULL,
		    "the settings were changed meanwhile: look at them again");
	else
		keep(&who, in, s.version + 1);
}
