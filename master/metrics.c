/*
 * Figures, for whoever asks by the listener of metrics: those of workers are added up
 * here, and auth is asked for its own once a second at most, whoever asks.
 */
#include <bsd/string.h>
#include <string.h>

#include "../privsep/log.h"
#include "master.h"
#include "pool.h"

#define FRESH_MS 1000
#define WAIT_MS  3000 /* for auth; after that, without */
#define WAITERS  32   /* who ask at once */

static struct {
	struct m_metrics all;
	int64_t at; /* of the tally; 0: never */
	bool asked;
	uint32_t question;
	struct {
		uint64_t worker;
		uint32_t id;
	} waits[WAITERS];
	unsigned int nwaits;
	struct event *late;
} figures;

static uint64_t
sum(const uint64_t *v, size_t n)
{
	uint64_t s = 0;

	for (size_t i = 0; i < n; i++) {
		if (v[i] > TRAFFIC_BATCH)
			return UINT64_MAX;
		s += v[i];
	}
	return s;
}

/* It is a worker's word, which no client can be kept from having taken over: no more
 * of it counts than one connection could cause between two words. */
bool
metrics_add(const struct m_traffic *t)
{
	struct m_traffic *to = &figures.all.traffic;
	const uint64_t day = 86400ULL * 1000000;
	size_t c, i;

	if (sum(t->requests[0], TRAFFIC_CLASSES * TRAFFIC_STATUS) > TRAFFIC_BATCH ||
	    sum(t->times[0], TRAFFIC_CLASSES * TRAFFIC_TIMES) > TRAFFIC_BATCH ||
	    t->limited > TRAFFIC_BATCH)
		return false;
	for (c = 0; c < TRAFFIC_CLASSES; c++)
		if (t->us[c] > TRAFFIC_BATCH * day)
			return false;
	for (c = 0; c < TRAFFIC_CLASSES; c++) {
		for (i = 0; i < TRAFFIC_STATUS; i++)
			to->requests[c][i] += t->requests[c][i];
		for (i = 0; i < TRAFFIC_TIMES; i++)
			to->times[c][i] += t->times[c][i];
		to->us[c] += t->us[c];
	}
	to->limited += t->limited;
	return true;
}

void
metrics_bytes(uint64_t in, uint64_t out)
{
	/* More than any wire carries in the meantime. */
	const uint64_t most = 1ULL << 50;

	if (in <= most && out <= most) {
		figures.all.bytes_in += in;
		figures.all.bytes_out += out;
	}
}

static void
answer(void)
{
	struct m_stats *s = &figures.all.tally.stats;
	struct mworker *w;
	unsigned int i;

	s->started = master.count.started;
	s->accepted = master.count.accepted;
	s->refused = master.count.refused;
	s->requests = master.count.requests;
	s->crashes = master.count.crashes;
	s->workers = pool_count();
	s->spare = pool_spares();
	s->unauthenticated = pool_unauthenticated();
	s->penalised = admission_penalised(master_now_ms());
	strlcpy(s->version, master.version, sizeof(s->version));
	figures.all.listeners = master.conf.nlisten;
	for (i = 0; i < figures.nwaits; i++) {
		w = worker_find(figures.waits[i].worker);
		if (w != NULL && w->state == WORKER_BUSY)
			chan_send(&w->chan, M_METRICS, figures.waits[i].id, -1,
			    &figures.all, sizeof(figures.all));
	}
	figures.nwaits = 0;
}

static void
on_late(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	figures.asked = false;
	figures.all.known = 0;
	memset(&figures.all.tally, 0, sizeof(figures.all.tally));
	answer();
}

static bool
ask_auth(void)
{
	const struct timeval t = { WAIT_MS / 1000, 0 };

	if (figures.asked)
		return true;
	if (figures.late == NULL &&
	    (figures.late = evtimer_new(master.base, on_late, NULL)) == NULL)
		fatalx("metrics: out of memory");
	if (!master.auth_joined ||
	    chan_send(&master.auth, M_TALLY_ASK, ++figures.question, -1, NULL, 0) == -1)
		return false;
	figures.asked = true;
	event_add(figures.late, &t);
	return true;
}

/* Only workers of that listener may: who they are for sees what all do. */
bool
metrics_ask(struct mworker *w, uint32_t id)
{
	if (w->kind != LISTEN_METRICS)
		return false;
	if (figures.nwaits == WAITERS)
		answer();
	figures.waits[figures.nwaits].worker = w->id;
	figures.waits[figures.nwaits].id = id;
	figures.nwaits++;
	if (figures.all.known && master_now_ms() - figures.at < FRESH_MS)
		answer();
	else if (!ask_auth())
		on_late(-1, 0, NULL);
	return true;
}

void
metrics_tally(uint32_t id, const struct m_tally *t)
{
	if (!figures.asked || id != figures.question)
		return;
	event_del(figures.late);
	figures.asked = false;
	figures.all.known = 1;
	figures.all.tally = *t;
	figures.at = master_now_ms();
	answer();
}
