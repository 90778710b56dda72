/*
 * When somebody was last active: see heart.h.
 *
 * Whoever asks, and be it a thousand times a second, master is asked once a second.
 */
#include <time.h>

#include "heart.h"
#include "respond.h"
#include "worker.h"

static struct {
	bool asked;
	bool known;
	struct m_heart last;
	int64_t known_s; /* monotonic */
	struct stream *waits;
	void (*fn)(struct stream *, const struct m_heart *);
} heart;

static const struct m_heart never;

static int64_t
now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ((int64_t)ts.tv_sec);
}

/* It left before the answer came. */
static void
on_close(struct stream *s)
{
	struct stream **p = &heart.waits;

	while (*p != NULL && *p != s)
		p = (struct stream **)&(*p)->arg;
	if (*p != NULL)
		*p = s->arg;
	s->arg = NULL;
}

void
heart_ask(struct stream *s, void (*fn)(struct stream *, const struct m_heart *))
{
	if (heart.known && heart.known_s == now_s()) {
		fn(s, &heart.last);
		return;
	}
	if (!heart.asked && chan_send(&s->w->master, M_HEART_ASK, 0, -1, NULL, 0) == -1) {
		fn(s, &never);
		return;
	}
	heart.asked = true;
	heart.fn = fn;
	s->arg = heart.waits;
	s->on_close = on_close;
	heart.waits = s;
}

void
heart_answer(struct chan *c, struct msg *m)
{
	struct stream *s;

	(void)c;
	heart.asked = false;
	heart.known = true;
	heart.known_s = now_s();
	heart.last = *MSG_DATA(m, m_heart);
	while ((s = heart.waits) != NULL) {
		heart.waits = s->arg;
		s->arg = NULL;
		s->on_close = NULL;
		heart.fn(s, &heart.last);
	}
}
