/*
 * How many requests an address may make, of those that nobody is known for: why here
 * and how, privsep/lease.h says.  IPv4 addresses count whole, IPv6 by their /64.
 */
#include <string.h>

#include "../privsep/lease.h"
#include "../privsep/log.h"
#include "../privsep/refused.h"
#include "admission.h"
#include "master.h"

#define FIRST_BATCH 16 /* that a connection comes with */
/* Words about leases: a burst, and so many per second.  No honest worker needs more. */
#define WORDS_MAX  400
#define WORDS_RATE 200

static struct windows *windows[LIMIT_CLASSES];
static struct event *tick;

/* auth writes it down, when there is one. */
static bool
tell(const struct m_limited *m)
{
	return master.auth_joined &&
	    chan_send(&master.auth, M_LIMITED, 0, -1, m, sizeof(*m)) == 0;
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval second = { 1, 0 };

	(void)fd;
	(void)what;
	(void)arg;
	if (refused_tick(master_now_ms(), tell))
		event_add(tick, &second);
}

static void
on_refused(uint32_t class, unsigned int which, const uint8_t key[WINDOW_KEY])
{
	static const struct timeval second = { 1, 0 };

	(void)which; /* there is one */
	refused_add(key, class, master_now_ms());
	if (!event_pending(tick, EV_TIMEOUT, NULL))
		event_add(tick, &second);
}

/* For auth: addresses that come near a limit. */
void
limits_ask(struct chan *c, struct msg *m)
{
	struct m_limits ans;
	uint32_t class;

	memset(&ans, 0, sizeof(ans));
	for (class = LIMIT_WEB; class < LIMIT_CLASSES; class ++)
		ans.count += (uint32_t)refused_top(windows[class], class, master_now_ms(),
		    ans.top + ans.count, WIRE_TOPS);
	chan_send(c, M_LIMITS, m->head.id, -1, &ans, sizeof(ans));
}

void
limits_configure(void)
{
	const struct conf_ratelimit *r = &master.conf.ratelimit;
	const struct conf_rate *rate[LIMIT_CLASSES] = {
		[LIMIT_WEB] = &r->web, [LIMIT_API] = &r->api
	};
	uint32_t c;

	if (tick == NULL && (tick = evtimer_new(master.base, on_tick, NULL)) == NULL)
		fatalx("rate limits: out of memory");
	lease_on_refused(on_refused);
	for (c = LIMIT_WEB; c < LIMIT_CLASSES; c++) {
		if (windows[c] == NULL)
			windows[c] = windows_new(
			    rate[c]->count, rate[c]->period, WINDOW_KEYS);
		if (windows[c] == NULL)
			fatalx("rate limits: out of memory");
		windows_config(windows[c], rate[c]->count, rate[c]->period);
	}
}

void
limits_open(struct mworker *w, struct wire_lease *first)
{
	uint8_t key[WINDOW_KEY];
	uint32_t c;

	w->words = WORDS_MAX;
	w->words_ms = master_now_ms();
	/* A local socket stands for many, and a proxy has yet to say for whom. */
	if (w->source_addr.unix_peer != 0 || (w->proxied && !w->sourced))
		return;
	admission_key(&w->source_addr, key);
	for (c = LIMIT_WEB; c < LIMIT_CLASSES; c++) {
		lease_open(&w->lease[c], &w->chan, c);
		lease_add(&w->lease[c], windows[c], key);
	}
	if (first != NULL)
		lease_first(&w->lease[LIMIT_WEB], FIRST_BATCH, first);
}

void
limits_close(struct mworker *w)
{
	uint32_t c;

	for (c = LIMIT_WEB; c < LIMIT_CLASSES; c++)
		lease_close(&w->lease[c]);
}

static bool
too_often(struct mworker *w)
{
	int64_t now = master_now_ms();

	w->words += (now - w->words_ms) * WORDS_RATE / 1000;
	w->words_ms = now;
	if (w->words > WORDS_MAX)
		w->words = WORDS_MAX;
	return --w->words < 0;
}

bool
limits_word(struct mworker *w, struct msg *m)
{
	const struct m_lease_ask *a = MSG_DATA(m, m_lease_ask);

	if (a->class == LIMIT_NONE || a->class >= LIMIT_CLASSES ||
	    w->lease[a->class].chan == NULL || too_often(w))
		return false;
	return m->head.type == M_LEASE_ASK ?
	    lease_ask(&w->lease[a->class], m->head.id, a) :
	    lease_back(&w->lease[a->class], a);
}
