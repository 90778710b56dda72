/*
 * Deadlines of the connection.
 *
 * One timer, and a lazy one: a deadline that moves away costs nothing; when
 * the timer comes too early, it is set anew.
 */
#include <time.h>

#include "conn_int.h"

#define SECOND       1000LL
#define STALL_TIME   (15 * SECOND) /* in this time a client takes at least */
#define STALL_BYTES  (8 * 1024)    /* that much of what waits for it, */
#define RATE_TIME    (10 * SECOND) /* and in this one it sends at least */
#define RATE_BYTES   (5 * 1024)    /* that much of a body */
#define IDLE_CHECK   (15 * SECOND) /* has an idle client taken it all? */
#define IDLE_UNACKED 5000          /* ms */
#define LINGER_TIME  (2 * SECOND)
#define FIRST_TIME   (1 * SECOND) /* for a first request, once we leave */
#define NEVER        INT64_MAX

int64_t
time_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ((int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000);
}

static int64_t
phase_deadline(const struct conn *c)
{
	const struct conf_prefork *p = &c->w->conf->prefork;

	switch (c->phase) {
	case PHASE_HANDSHAKE:
		return (c->since + p->handshake_timeout * SECOND);
	case PHASE_HEADER:
		return (c->since + p->header_timeout * SECOND);
	case PHASE_IDLE:
		if (c->w->draining)
			return (c->since > c->leaving ? c->since : c->leaving) +
			    FIRST_TIME;
		if (!c->idle_checked && p->idle_timeout * SECOND > IDLE_CHECK)
			return (c->since + IDLE_CHECK);
		return (c->since + p->idle_timeout * SECOND);
	case PHASE_BODY:
		return (c->paused ? NEVER : c->rate_at);
	case PHASE_LINGER:
		return (c->since + LINGER_TIME);
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
	c->stall_at = time_now() + STALL_TIME;
	c->stall_got = 0;
}

/* We read again: the client's time to send begins. */
void
time_resume(struct conn *c)
{
	c->rate_got = 0;
	c->rate_at = time_now() + RATE_TIME;
}

static void
phase_expired(struct conn *c)
{
	switch (c->phase) {
	case PHASE_LINGER:
		conn_over(c, "done");
	case PHASE_HANDSHAKE:
		worker_stage(STAGE_TIMEOUT);
		conn_over(c, "handshake timed out");
	case PHASE_IDLE:
		if (c->idle_checked || c->w->draining)
			break;
		c->idle_checked = true;
		worker_stage(STAGE_IDLE);
		if (io_unacknowledged(c, IDLE_UNACKED))
			c->abort = "client does not read";
		return;
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
	if (conn_pending(c) > 0 && now >= c->stall_at) {
		if (c->stall_got < STALL_BYTES) {
			worker_stage(STAGE_TIMEOUT);
			conn_over(c, "client does not read");
		}
		time_output(c);
	}
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
	c->idle_checked = false;
	time_resume(c);
	if (phase == PHASE_TUNNEL)
		io_tunnel(c);
	time_arm(c);
}

void
conn_progress(struct conn *c, size_t len)
{
	c->rate_got += len;
}
