/*
 * Deadlines of the connection.
 *
 * One timer, and a lazy one: a deadline that moves away costs nothing; when
 * the timer comes too early, it is set anew.
 */
#include <time.h>

#include "conn_int.h"
#include "../privsep/clock.h"

#define SECOND       1000LL
#define RATE_TIME    (10 * SECOND) /* in this time a client sends at least */
#define RATE_BYTES   (5 * 1024)    /* that much of a body */
#define LOOK_FIRST   (4 * SECOND)  /* has it taken all that we have for it? */
#define LOOK_NEXT    (6 * SECOND)  /* if not, then in this time at least */
#define LOOK_BYTES   (6 * 1024)    /* that much */
#define LINGER_TIME  (2 * SECOND)
#define IDLE_UNKNOWN (15 * SECOND)
#define FIRST_TIME   (1 * SECOND) /* for a first request, once we leave */
#define NEXT_TIME    (SECOND / 4) /* for another one, which may be on its way */
#define NEVER        INT64_MAX

int64_t
time_now(void)
{
	return (clock_ms(CLOCK_MONOTONIC));
}

/* Nobody but a user may stay for as long as is configured. */
static int64_t
idle_time(const struct conn *c)
{
	int64_t ms = c->w->conf->prefork.idle_timeout * SECOND;

	return (c->w->bound || ms < IDLE_UNKNOWN ? ms : IDLE_UNKNOWN);
}

static int64_t
phase_deadline(const struct conn *c)
{
	const struct conf_prefork *p = &c->w->conf->prefork;
	int64_t at;

	switch (c->phase) {
	case PHASE_HANDSHAKE:
		return (c->since + p->handshake_timeout * SECOND);
	case PHASE_HEADER:
		return (c->since + p->header_timeout * SECOND);
	case PHASE_IDLE:
		if (c->w->draining)
			return (c->since > c->leaving ? c->since : c->leaving) +
			    (c->kept ? NEXT_TIME : FIRST_TIME);
		at = c->since + idle_time(c);
		return (c->look_at < at ? c->look_at : at);
	case PHASE_BODY:
		return (c->paused ? NEVER : c->rate_at);
	case PHASE_LINGER:
		return (c->look_at);
	case PHASE_WORK:
	case PHASE_TUNNEL:
		break;
	}
	return (NEVER);
}

/* Sets the timer, unless it comes early enough. */
void
time_arm(struct conn *c)
{
	struct timeval tv;
	int64_t at = phase_deadline(c), left;

	if (conn_pending(c) > 0 && c->stall_at < at)
		at = c->stall_at;
	if (at >= c->armed)
		return;
	left = at - time_now();
	if (left < 1)
		left = 1;
	tv.tv_sec = left / 1000;
	tv.tv_usec = (left % 1000) * 1000;
	event_add(c->ev_timer, &tv);
	c->armed = at;
}

/* Output waits, from now on. */
void
time_output(struct conn *c)
{
	c->stall_at = time_now() + LOOK_FIRST;
	c->stall_looked = false;
}

/* We read again: the client's time to send begins. */
void
time_resume(struct conn *c)
{
	c->rate_got = 0;
	c->rate_at = time_now() + RATE_TIME;
}

static void __attribute__((__noreturn__)) not_taken(struct conn *c)
{
	worker_stage(STAGE_TIMEOUT);
	io_reset(c);
	conn_over(c, "client does not read");
}

/* Output waits since the last look, or since it began to. */
static void
stall_look(struct conn *c)
{
	struct io_sent s = io_sent(c);

	if (c->stall_looked && s.acked - c->stall_acked < LOOK_BYTES)
		not_taken(c);
	c->stall_looked = true;
	c->stall_acked = s.acked;
	c->stall_at = time_now() + LOOK_NEXT;
}

/*
 * We have written all, so no output waits here; but a client whose window stays
 * shut, or opens by some bytes a minute, has not taken it.  True when it is to
 * be waited for, until the next look.
 */
static bool
still_takes(struct conn *c)
{
	struct io_sent s = io_sent(c);
	bool first = !c->looked;

	/* After our last word, the end alone may be on the way to nobody. */
	if (!s.unsent && (!s.unacked || c->phase == PHASE_LINGER)) {
		c->look_at = NEVER;
		return (false);
	}
	if (!first && s.acked - c->acked < LOOK_BYTES)
		not_taken(c);
	c->looked = true;
	c->acked = s.acked;
	c->look_at = time_now() + LOOK_NEXT;
	return (first || c->phase == PHASE_IDLE);
}

static void
phase_expired(struct conn *c)
{
	switch (c->phase) {
	case PHASE_LINGER:
		if (still_takes(c))
			return;
		conn_over(c, "done");
	case PHASE_HANDSHAKE:
		worker_stage(STAGE_TIMEOUT);
		conn_over(c, "handshake timed out");
	case PHASE_IDLE:
		if (c->look_at > time_now() || c->w->draining) {
			/* It has had all its time, and did not take it all. */
			if (c->looked && c->look_at != NEVER && !c->w->bound)
				not_taken(c);
			break;
		}
		if (!c->looked)
			worker_stage(STAGE_IDLE);
		(void)still_takes(c);
		return;
	case PHASE_HEADER:
		/* Browsers open connections ahead of need: no fault of theirs. */
		if (c->bytes_in > 0)
			worker_stage(STAGE_TIMEOUT);
		break;
	case PHASE_BODY:
		if (c->rate_got >= RATE_BYTES) {
			time_resume(c);
			return;
		}
		/* FALLTHROUGH */
	default:
		worker_stage(STAGE_TIMEOUT);
		break;
	}
	c->front->timeout(c, c->phase);
}

void
time_event(int fd, short what, void *arg)
{
	struct conn *c = arg;
	int64_t now = time_now();

	(void)fd;
	(void)what;
	c->armed = NEVER;
	if (conn_pending(c) > 0 && now >= c->stall_at)
		stall_look(c);
	if (now >= phase_deadline(c)) {
		c->running = true;
		phase_expired(c);
		c->running = false;
	}
	if (c->front != NULL && c->phase != PHASE_LINGER)
		conn_run(c);
	else
		time_arm(c);
}

void
conn_phase(struct conn *c, enum conn_phase phase)
{
	if (c->phase == phase || c->phase == PHASE_LINGER)
		return;
	c->phase = phase;
	c->since = time_now();
	c->looked = false;
	c->look_at = c->since + (phase == PHASE_LINGER ? LINGER_TIME : LOOK_FIRST);
	time_resume(c);
	if (phase == PHASE_TUNNEL)
		io_tunnel(c);
	time_arm(c);
}

void
conn_kept(struct conn *c)
{
	c->kept = true;
}

void
conn_progress(struct conn *c, size_t len)
{
	c->rate_got += len;
}
