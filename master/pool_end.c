/*
 * How workers end: by themselves, by their zygote at our word, or with a zygote.
 * Whatever it was, the books balance once the zygote has said that one is gone.
 */
#include <sys/wait.h>

#include <signal.h>
#include <string.h>

#include "../privsep/log.h"
#include "admission.h"
#include "master.h"
#include "pool.h"

#define LEAVE_MS 10000 /* that one whose work is over has to leave */

/* Spares that crash before they served anybody: something is wrong with this
 * machine or build, and forking at full speed would make it worse. */
#define CRASH_PAUSE_MS 500

/* Forget a worker: it has ended. */
void
worker_free(struct mworker *w)
{
	leave_ring(w);
	admission_release(w->source, w->bound);
	w->source = NULL;
	limits_close(w);
	chan_close(&w->chan);
	if (w->state == WORKER_KILLED)
		pool.dying--;
	else
		pool.workers--;
	w->used = false;
	pool.free[pool.nfree++] = (uint16_t)(w->id & 0xffff);
	master_drained();
}

/*
 * The end of a worker, whatever it wants.  It counts no more; the slot is kept
 * until the zygote says that it is gone.
 */
void
worker_kill(struct mworker *w)
{
	if (w->state == WORKER_KILLED)
		return;
	leave_ring(w);
	w->state = WORKER_KILLED;
	pool.workers--;
	pool.dying++;
	limits_close(w);
	chan_close(&w->chan);
	zygote_kill(w->zygote, w->id);
	master_drained();
}

/* No honest worker breaks a rule: somebody has taken it over. */
void
worker_bad(struct mworker *w, enum proc towards)
{
	if (w->state == WORKER_KILLED)
		return;
	log_event(LOG_WARNING, "worker.killed", LOG_N("worker", w->id >> 16),
	    LOG_S("why", "it broke a rule"), LOG_S("towards", proc_name(towards)));
	worker_kill(w);
	pool_fill();
}

static void
on_leave_time(evutil_socket_t fd, short what, void *arg)
{
	int64_t now = master_now_ms();
	struct timeval t = { 0, 0 };
	struct mworker *w;
	int64_t left;

	(void)fd;
	(void)what;
	(void)arg;
	while ((w = pool.leaving.next) != &pool.leaving && w->leave_ms <= now) {
		log_event(LOG_WARNING, "worker.killed", LOG_N("worker", w->id >> 16),
		    LOG_S("why", "its work was over, and it did not leave"));
		worker_kill(w);
	}
	if (w == &pool.leaving)
		return;
	left = w->leave_ms - now;
	t.tv_sec = left / 1000;
	t.tv_usec = left % 1000 * 1000;
	event_add(pool.leave_time, &t);
}

/* Its work is over: an honest one ends within moments. */
void
worker_leave(struct mworker *w)
{
	static const struct timeval t = { LEAVE_MS / 1000, 0 };

	if (w->state == WORKER_LEAVING || w->state == WORKER_KILLED)
		return;
	leave_ring(w);
	w->state = WORKER_LEAVING;
	w->leave_ms = master_now_ms() + LEAVE_MS;
	ring_add(&pool.leaving, w);
	if (pool.leave_time == NULL &&
	    (pool.leave_time = evtimer_new(master.base, on_leave_time, NULL)) == NULL)
		fatalx("workers: out of memory");
	if (!evtimer_pending(pool.leave_time, NULL))
		event_add(pool.leave_time, &t);
}

/* The channel may end before the zygote says how the process did; who only
 * closes it is no less at an end. */
void
worker_gone(struct chan *c, const char *why)
{
	struct mworker *w = c->arg;

	if (why == NULL) {
		worker_leave(w);
		return;
	}
	admission_penalise(w->source, PENALTY_CRASH, master_now_ms());
	worker_bad(w, P_MASTER);
}

static void
on_resume(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	/* By the clock it may be a moment early, and nobody would come again. */
	pool.pause_ms = 0;
	pool_fill();
}

static void
pause_forks(void)
{
	static const struct timeval t = { 0, CRASH_PAUSE_MS * 1000 };

	pool.pause_ms = master_now_ms() + CRASH_PAUSE_MS;
	if (pool.resume == NULL)
		pool.resume = event_new(master.base, -1, 0, on_resume, NULL);
	if (pool.resume != NULL)
		event_add(pool.resume, &t);
}

void
pool_exit(const struct zygote *z, const struct m_worker_exit *x)
{
	struct mworker *w = worker_find(x->id);
	int sig = WIFSIGNALED(x->status) ? WTERMSIG(x->status) : 0;

	if (w != NULL && w->zygote != z)
		return;
	if (sig != 0 && sig != SIGKILL && sig != SIGTERM) {
		master.count.crashes++;
		log_event(LOG_ERR, "worker.crash", LOG_N("worker", x->pid),
		    LOG_S("signal", strsignal(sig)),
		    LOG_S("hint",
			sig == SIGSYS ? "a system call that is not allowed" : ""));
	}
	if (w == NULL)
		return;
	/* The zygote's word may be quicker than its own last ones. */
	chan_read_rest(&w->chan);
	if (sig != 0 && sig != SIGKILL && sig != SIGTERM)
		admission_penalise(w->source, PENALTY_CRASH, master_now_ms());
	/* A crash before it served anybody, or no process to be had. */
	if (x->pid == -1 ||
	    (sig != 0 && sig != SIGKILL && sig != SIGTERM && w->kind == KIND_NONE))
		pause_forks();
	worker_free(w);
	pool_fill();
}
