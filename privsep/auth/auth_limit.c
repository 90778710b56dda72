/*
 * How many requests a user may make: of each class, and in all.  How, lease.h says.
 */
#include <string.h>

#include "../lease.h"
#include "../refused.h"
#include "auth.h"

static struct windows *windows[LIMIT_CLASSES];
static struct windows *all;

static void
configure(struct windows **w, const struct conf_rate *r)
{
	if (*w == NULL && (*w = windows_new(r->count, r->period, WINDOW_KEYS)) == NULL)
		fatalx("rate limits: out of memory");
	windows_config(*w, r->count, r->period);
}

static void
on_refused(uint32_t class, unsigned int which, const uint8_t key[WINDOW_KEY])
{
	refused_add(key, which == 0 ? class : LIMIT_USER, auth_ms());
}

void
limit_config(void)
{
	const struct conf_ratelimit *r = &auth.conf.ratelimit;

	lease_on_refused(on_refused);

	configure(&windows[LIMIT_WEB], &r->web);
	configure(&windows[LIMIT_API], &r->api);
	configure(&all, &r->user);
}

void
limit_bind(struct worker *w)
{
	uint8_t key[WINDOW_KEY];
	uint32_t c;

	memset(key, 0, sizeof(key));
	memcpy(key, &w->uid, sizeof(w->uid));
	for (c = LIMIT_WEB; c < LIMIT_CLASSES; c++) {
		lease_open(&w->lease[c], &w->chan, c);
		lease_add(&w->lease[c], windows[c], key);
		lease_add(&w->lease[c], all, key);
	}
}

void
limit_close(struct worker *w)
{
	uint32_t c;

	for (c = LIMIT_WEB; c < LIMIT_CLASSES; c++)
		lease_close(&w->lease[c]);
}

void
limit_on_word(struct chan *c, struct msg *m)
{
	const struct m_lease_ask *a = MSG_DATA(m, m_lease_ask);
	struct worker *w = c->arg;
	struct lease *l;
	bool ok;

	worker_charge(w, COST_LOOK);
	/* Who is over has nothing any more, and hears that in another way. */
	if (w->over)
		return;
	ok = a->class != LIMIT_NONE && a->class < LIMIT_CLASSES;
	if (ok) {
		l = &w->lease[a->class];
		ok = m->head.type == M_LEASE_ASK ? lease_ask(l, m->head.id, a) :
						   lease_back(l, a);
	}
	if (!ok)
		worker_bad(w, "a lie about what it has on loan");
}

void
limit_tick(void)
{
	(void)refused_tick(auth_ms(), refused_user);
}

size_t
limit_top(uint32_t class, struct wire_top *top, size_t max)
{
	return refused_top(
	    class == LIMIT_USER ? all : windows[class], class, auth_ms(), top, max);
}
