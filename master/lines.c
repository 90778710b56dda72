/*
 * What workers say in the log.  They speak of what strangers do; so lines come at a
 * bounded rate, of one worker and, of each kind, of all workers together.  What is left
 * out is counted, and the count is a line.
 */
#include <string.h>

#include <bsd/string.h>

#include "../privsep/addr_text.h"
#include "../privsep/log.h"
#include "master.h"

#define KINDS 32

static const struct pace_limit of_one = { 10, 10 };
static const struct pace_limit of_all = { 100, 10 };
static const struct timeval tell_after = { 10, 0 };

/* The last one is for all others. */
static struct kind {
	char event[WIRE_EVENT];
	struct pace pace;
	uint64_t left_out; /* since it was told */
} kinds[KINDS + 1] = { [KINDS] = { .event = "others" } };

static struct event *timer;

/* A place of its own, or one that nobody needs now. */
static struct kind *
kind_of(const char *event, int64_t now)
{
	struct kind *k, *to = NULL;

	for (k = kinds; k < kinds + KINDS; k++) {
		if (strcmp(k->event, event) == 0)
			return k;
		if (to == NULL && k->left_out == 0 && pace_rests(&k->pace, &of_all, now))
			to = k;
	}
	if (to == NULL)
		return &kinds[KINDS];
	memset(to, 0, sizeof(*to));
	strlcpy(to->event, event, sizeof(to->event));
	return to;
}

void
lines_tell(void)
{
	struct kind *k;

	for (k = kinds; k <= kinds + KINDS; k++) {
		if (k->left_out == 0)
			continue;
		log_event(LOG_WARNING, "log.suppressed", LOG_S("event", k->event),
		    LOG_N("lines", k->left_out));
		k->left_out = 0;
	}
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	lines_tell();
}

void
lines_said(struct mworker *w, const struct m_log *l)
{
	/* A worker cannot write at a level that alarms people about ided. */
	int level = l->level < LOG_ERR ? LOG_ERR : (int)l->level;
	char source[INET6_ADDRSTRLEN] = "";
	int64_t now = master_now_ms();
	struct kind *k;

	if (level > log_get_level())
		return;
	k = kind_of(l->event, now);
	/* What one says in excess takes nothing from the others.  Whoever wants lines for
	 * debugging has one of each request. */
	if (pace_take(&w->lines, &of_one, now) &&
	    (level == LOG_DEBUG || pace_take(&k->pace, &of_all, now))) {
		if (w->state != WORKER_SPARE)
			addr_text(&w->source_addr, source);
		log_relay(
		    "worker", (int32_t)(w->id >> 16), level, l->event, source, l->text);
		return;
	}
	k->left_out++;
	if (timer == NULL && (timer = evtimer_new(master.base, on_timer, NULL)) == NULL)
		fatalx("log: out of memory");
	if (!evtimer_pending(timer, NULL))
		evtimer_add(timer, &tell_after);
}
