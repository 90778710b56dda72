/*
 * Memory of the sandboxes that run, looked at every few seconds.  The kernel's
 * limit holds in any case; this is so that users hear of it before, and that one
 * process goes instead of whichever the kernel picks.
 *
 * The numbers are the control group's.  Which process it is, and which one is
 * ended, says ide-session: about its own user's processes only.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../log.h"
#include "box.h"
#include "isolation.h"
#include "jobs.h"
#include "sandbox_cgroup.h"

#define ALARM_MS 100  /* at least between two of one user */
#define TELL_MS  20   /* until the kernel is told of alarms: a burst is one job */
#define AGAIN_MS 1000 /* after a job that could not be started */

#define NETLINK_MS   1000
#define NETLINK_TEXT (192 << 10) /* that list, of some 2000 sockets */

static struct event *tick, *tell, *count;

/* The last notes are kept for who asks; auth hears each as it comes. */
static void
note(struct box *b, enum wire_memory event, const struct m_process *p)
{
	struct watch *w = &b->watch;
	struct m_memory *m;

	if (w->nnotes == BOX_NOTES) {
		memmove(w->note, w->note + 1, (BOX_NOTES - 1) * sizeof(w->note[0]));
		w->nnotes--;
	}
	m = &w->note[w->nnotes++];
	memset(m, 0, sizeof(*m));
	memcpy(m->user, b->user, sizeof(m->user));
	m->uid = b->uid;
	m->event = event;
	m->at = time(NULL);
	m->used = w->used;
	m->max = w->max;
	if (event == MEMORY_LEAK)
		m->per_minute = memory_watch_slope(&w->memory) * 60 /
		    (int64_t)isolation.conf.isolation.memory_every;
	if (p != NULL)
		m->process = *p;
	if (isolation.auth != NULL)
		chan_send(isolation.auth, M_SB_MEMORY, 0, -1, m, sizeof(*m));
}

static const struct m_process *
largest(const struct m_processes *ps, bool grown)
{
	const struct m_process *p = NULL;
	unsigned int i;

	for (i = 0; i < ps->count; i++)
		if (p == NULL ||
		    (grown ? ps->process[i].grown > p->grown :
			     ps->process[i].memory > p->memory))
			p = &ps->process[i];
	return p;
}

static bool
still_critical(const struct box *b)
{
	struct m_sandbox row;

	box_row(b, &row);
	return memory_watch_above(
	    row.memory, row.memory_max, isolation.conf.isolation.memory_critical);
}

/* What ide-session said of its processes, or nothing at all (NULL). */
void
watch_seen(struct box *b, const struct m_processes *ps)
{
	struct watch *w = &b->watch;
	unsigned int pending = w->pending, i;

	memset(&w->processes, 0, sizeof(w->processes));
	if (ps != NULL && ps->count <= WIRE_PROCESSES) {
		w->processes = *ps;
		for (i = 0; i < ps->count; i++)
			watch_clean(&w->processes.process[i]);
	}
	w->pending = 0;
	if ((pending & WATCH_WARN) != 0)
		note(b, MEMORY_WARN, largest(&w->processes, false));
	if ((pending & WATCH_LEAK) != 0)
		note(b, MEMORY_LEAK, largest(&w->processes, true));
	if ((pending & WATCH_CRITICAL) != 0)
		note(b, MEMORY_CRITICAL, largest(&w->processes, false));
	/* Between the look and now it may have ended by itself, or by the kernel. */
	if ((pending & WATCH_RELIEVE) != 0 && b->state == SANDBOX_RUNNING &&
	    still_critical(b))
		box_ask(b, ASK_RELIEVE, 0, NULL, NULL);
}

void
watch_relieved(struct box *b, const struct m_process *p)
{
	struct m_process ended = *p;

	watch_clean(&ended);
	if (ended.pid != 0)
		note(b, MEMORY_ENDED, &ended);
}

/* A stranger's name for a process: printable, and with an end. */
void
watch_clean(struct m_process *p)
{
	size_t i;

	p->name[sizeof(p->name) - 1] = '\0';
	for (i = 0; i < sizeof(p->name); i++)
		if (p->name[i] != '\0' && (p->name[i] < ' ' || p->name[i] > '~'))
			p->name[i] = '?';
	if (p->kind >= PROCESS_KINDS)
		p->kind = PROCESS_OTHER;
}

static void
watch_box(struct box *b, void *arg)
{
	const struct conf_isolation *conf = &isolation.conf.isolation;
	struct watch *w = &b->watch;
	struct m_sandbox row;

	(void)arg;
	if (b->state != SANDBOX_RUNNING || b->frozen)
		return;
	box_row(b, &row);
	w->used = row.memory;
	w->max = row.memory_max;
	w->pending |= memory_watch_step(
	    &w->memory, w->used, w->max, conf->memory_warn, conf->memory_critical);
	box_ask(b, ASK_LOOK, 0, NULL, NULL);
}

/* What the kernel can take back sets it off as well.  Not again for a while. */
static void
look_early(struct box *b)
{
	const struct timeval again = isolation_ms(ALARM_MS);

	b->watch.more = false;
	if (still_critical(b))
		watch_box(b, NULL);
	if (event_add(b->watch.ev_again, &again) == -1)
		fatalx("sandbox: out of memory");
}

static void
on_alarm(evutil_socket_t fd, short what, void *arg)
{
	struct box *b = arg;
	uint64_t n;

	(void)what;
	if (shares_alarm_untold())
		(void)!read((int)fd, &n, sizeof(n));
	if (evtimer_pending(b->watch.ev_again, NULL))
		b->watch.more = true;
	else
		look_early(b);
}

static void
on_again(evutil_socket_t fd, short what, void *arg)
{
	struct box *b = arg;

	(void)fd;
	(void)what;
	if (b->watch.more)
		look_early(b);
	/* Of edges there are a hundred a second at most; crossings are a program's. */
	if (shares_alarm_untold() && event_add(b->watch.ev_alarm, NULL) == -1)
		fatalx("sandbox: out of memory");
}

static uint64_t
alarm_at(const struct box *b)
{
	return b->limits.memory / 100 * isolation.conf.isolation.memory_critical;
}

static void
tell_one(struct box *b, void *arg)
{
	int error;

	if (!b->watch.untold)
		return;
	error = shares_alarm_tell(b->group, alarm_at(b), b->watch.alarm);
	/* ENOENT: it has ended meanwhile. */
	if (error != 0 && error != ENOENT)
		*(int *)arg = error;
}

/* In the child, which has a copy of the boxes. */
static int
run_tell(void *arg, void *answer)
{
	int error = 0;

	(void)arg;
	(void)answer;
	box_list(tell_one, &error);
	return error;
}

static void
on_told(void *owner, int error, const void *answer)
{
	(void)owner;
	(void)answer;
	if (error != 0)
		log_warnx("memory of sandboxes: the kernel gives no alarm: %s",
		    strerror(error));
}

struct alarms {
	int *fd;
	unsigned int n;
};

static void
collect(struct box *b, void *arg)
{
	struct alarms *all = arg;

	if (b->watch.untold && all->fd != NULL)
		all->fd[all->n] = b->watch.alarm;
	all->n += b->watch.untold;
}

static void
told(struct box *b, void *arg)
{
	(void)arg;
	b->watch.untold = false;
}

static void
tell_in(long ms)
{
	struct timeval tv = isolation_ms(ms);

	if (!evtimer_pending(tell, NULL) && event_add(tell, &tv) == -1)
		fatalx("sandbox: out of memory");
}

static void
on_tell(evutil_socket_t fd, short what, void *arg)
{
	struct job job = { .name = "alarms", .run = run_tell, .done = on_told };
	struct alarms all = { NULL, 0 };

	(void)fd;
	(void)what;
	(void)arg;
	box_list(collect, &all);
	if (all.n == 0)
		return;
	all.fd = calloc(all.n + CGROUP_TREES, sizeof(all.fd[0]));
	if (all.fd == NULL)
		fatalx("sandbox: out of memory");
	all.n = 0;
	box_list(collect, &all);
	job.more = all.fd;
	job.nmore = all.n + cgroup_fds(all.fd + all.n);
	if (job_start(&job) == 0) {
		box_list(told, NULL);
	} else {
		log_warn("memory of sandboxes: no process for alarms");
		tell_in(AGAIN_MS);
	}
	free(all.fd);
}

/* Growth can be faster than the looks: the kernel tells of the second mark. */
void
watch_begin(struct box *b)
{
	if (b->limits.memory == 0)
		return;
	b->watch.alarm = shares_alarm(b->group, alarm_at(b));
	if (b->watch.alarm == -1)
		return;
	b->watch.untold = shares_alarm_untold();
	if (tell == NULL && (tell = evtimer_new(isolation.base, on_tell, NULL)) == NULL)
		fatalx("sandbox: out of memory");
	if (b->watch.untold)
		tell_in(TELL_MS);
	b->watch.more = false;
	b->watch.ev_alarm = event_new(isolation.base, b->watch.alarm,
	    EV_READ | (b->watch.untold ? 0 : EV_PERSIST | EV_ET), on_alarm, b);
	b->watch.ev_again = evtimer_new(isolation.base, on_again, b);
	if (b->watch.ev_alarm == NULL || b->watch.ev_again == NULL ||
	    event_add(b->watch.ev_alarm, NULL) == -1)
		fatalx("sandbox: out of memory");
}

void
watch_end(struct box *b)
{
	if (b->watch.ev_alarm != NULL)
		event_free(b->watch.ev_alarm);
	if (b->watch.ev_again != NULL)
		event_free(b->watch.ev_again);
	b->watch.ev_alarm = b->watch.ev_again = NULL;
	if (b->watch.alarm != -1)
		close(b->watch.alarm);
	b->watch.alarm = -1;
	b->watch.untold = false;
}

void
watch_renew(struct box *b)
{
	watch_end(b);
	if (b->state == SANDBOX_RUNNING)
		watch_begin(b);
}

static void
renew_one(struct box *b, void *arg)
{
	(void)arg;
	watch_renew(b);
}

/*
 * What waits unread in a socket of netlink is memory that the kernel counts to nobody,
 * some 200K in each: with as many sockets as there may be descriptors it is all that
 * the machine has.  Nobody needs a hundredth of what ends a sandbox here.
 */
static void
count_netlink(struct box *b, void *arg)
{
	static char list[NETLINK_TEXT];
	char path[64];

	(void)arg;
	if (b->state != SANDBOX_RUNNING || b->frozen)
		return;
	snprintf(path, sizeof(path), "/proc/%d/net/netlink", (int)b->pid);
	if (cgroup_read(AT_FDCWD, path, list, sizeof(list)) < (ssize_t)sizeof(list) - 1)
		return;
	log_event(
	    LOG_WARNING, "sandbox.netlink", LOG_S("user", b->user), LOG_N("uid", b->uid));
	box_kill(b, "a program kept thousands of netlink sockets open");
}

static void
on_count(evutil_socket_t fd, short what, void *arg)
{
	const struct conf_isolation *conf = &isolation.conf.isolation;

	(void)fd;
	(void)what;
	(void)arg;
	/* A network of their own tells of theirs alone. */
	if (conf->kind != ISOLATION_DIRECTORY && conf->network != NETWORK_HOST)
		box_list(count_netlink, NULL);
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	box_list(watch_box, NULL);
}

/* At start, and with each new configuration. */
void
watch_configure(void)
{
	struct timeval tv = { isolation.conf.isolation.memory_every, 0 };

	/* At start, those that were found have theirs. */
	if (tick != NULL)
		box_list(renew_one, NULL);
	else
		tick = event_new(isolation.base, -1, EV_PERSIST, on_tick, NULL);
	if (tick == NULL || event_add(tick, &tv) == -1)
		fatalx("sandbox: out of memory");
	tv = isolation_ms(NETLINK_MS);
	if (count == NULL)
		count = event_new(isolation.base, -1, EV_PERSIST, on_count, NULL);
	if (count == NULL || event_add(count, &tv) == -1)
		fatalx("sandbox: out of memory");
}
