/*
 * Zygotes, as master knows them: the one that workers are forked from, and those
 * before it, which stay until the last of their workers is gone.  A worker ends
 * through its zygote, the parent, whatever the worker itself wants.
 */
#include <stdlib.h>

#include "../privsep/log.h"
#include "master.h"

struct zygote {
	struct chan chan;
	bool ready;
};

static struct zygote *current;

static void on_ready(struct chan *, struct msg *);
static void on_exit_note(struct chan *, struct msg *);

static const struct chan_handler handlers[] = { { M_READY, on_ready },
	{ M_WORKER_EXIT, on_exit_note }, { M_NONE, NULL } };

/* Its workers die with it: the kernel sees to that (worker/zygote.c). */
static void
on_gone(struct chan *c, const char *why)
{
	struct zygote *z = c->arg;
	bool missed = z == current;

	(void)why;
	if (missed)
		current = NULL;
	pool_zygote_gone(z);
	free(z);
	if (missed && !master.stopping)
		log_warnx("zygote is gone; new connections wait until it is back");
}

static void
on_ready(struct chan *c, struct msg *m)
{
	struct zygote *z = c->arg;

	(void)m;
	z->ready = true;
	master_ready();
}

static void
on_exit_note(struct chan *c, struct msg *m)
{
	pool_exit(c->arg, MSG_DATA(m, m_worker_exit));
}

void
zygote_join(int fd)
{
	struct zygote *old = current;

	if ((current = calloc(1, sizeof(*current))) == NULL)
		fatal("zygote");
	chan_init(&current->chan, fd, P_MASTER, P_ZYGOTE, master.base, handlers, on_gone,
	    current);
	/* All workers would go with it: it has the time for the fork and the end of
	 * every one of them. */
	current->chan.out_max = 2 * POOL_SLOTS;
	if (old != NULL) {
		pool_retire(old);
		chan_send(&old->chan, M_RETIRE, 0, -1, NULL, 0);
	}
}

struct zygote *
zygote_current(void)
{
	return current;
}

bool
zygote_ready(void)
{
	return current != NULL && current->ready;
}

bool
zygote_behind(void)
{
	return current == NULL || current->chan.out_count > 0;
}

int
zygote_fork(struct zygote *z, uint64_t id, int fd)
{
	const struct m_fork m = { id };

	return chan_send(&z->chan, M_FORK, 0, fd, &m, sizeof(m));
}

void
zygote_kill(struct zygote *z, uint64_t id)
{
	const struct m_kill m = { id };

	chan_send(&z->chan, M_KILL, 0, -1, &m, sizeof(m));
}
