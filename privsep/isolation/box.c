/* Users' sandboxes: their list, their life and their end. */
#include <sys/socket.h>
#include <sys/syscall.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <bsd/string.h>

#include "../log.h"
#include "box.h"
#include "isolation.h"
#include "jobs.h"
#include "net.h"
#include "sandbox_cgroup.h"
#include "sandbox_steps.h"
#include "../clock.h"

#define SWEEP_MS   20 /* between attempts to remove a control group */
#define SWEEPS_MAX 500

static TAILQ_HEAD(, box) boxes = TAILQ_HEAD_INITIALIZER(boxes);

static void box_begun(struct box *);

struct box *
box_find(uint32_t uid)
{
	struct box *b;

	TAILQ_FOREACH(b, &boxes, entry)
		if (b->uid == uid)
			return b;
	return NULL;
}

void
box_list(void (*fn)(struct box *, void *), void *arg)
{
	struct box *b, *next;

	TAILQ_FOREACH_SAFE(b, &boxes, entry, next)
		fn(b, arg);
}

struct box *
box_new(const char *user, const char *role, uint32_t uid, const struct wire_limits *own)
{
	struct box *b;

	b = calloc(1, sizeof(*b));
	if (b == NULL)
		return NULL;
	strlcpy(b->user, user, sizeof(b->user));
	strlcpy(b->role, role, sizeof(b->role));
	b->uid = uid;
	b->own = *own;
	limits_resolve(b->user, b->role, &b->own, &b->limits);
	b->state = SANDBOX_STARTING;
	b->started = time(NULL);
	b->since_ms = clock_ms(CLOCK_MONOTONIC);
	b->pidfd = b->report = b->watch.alarm = -1;
	b->storage.home = b->storage.loop = -1;
	b->chan.closed = true;
	TAILQ_INIT(&b->asks);
	TAILQ_INSERT_TAIL(&boxes, b, entry);
	return b;
}

static void
free_event(struct event **ev)
{
	if (*ev != NULL)
		event_free(*ev);
	*ev = NULL;
}

static void
set_timer(struct box *b, long ms, event_callback_fn fn)
{
	struct timeval tv = isolation_ms(ms);

	free_event(&b->ev_timer);
	b->ev_timer = evtimer_new(isolation.base, fn, b);
	if (b->ev_timer == NULL || event_add(b->ev_timer, &tv) == -1)
		fatalx("sandbox: out of memory");
}

static void
close_report(struct box *b)
{
	free_event(&b->ev_report);
	if (b->report != -1)
		close(b->report);
	b->report = -1;
}

/* Nothing is left of it: say so, answer who waited, forget it. */
static void
box_forget(struct box *b)
{
	struct m_sb gone;

	if (b->ran)
		log_event(LOG_INFO, "sandbox.ended", LOG_S("user", b->user),
		    LOG_N("uid", b->uid), LOG_S("why", b->fault.text));
	box_folder_remove(b->uid);
	job_forget(b);
	TAILQ_REMOVE(&boxes, b, entry);
	box_ask_over(b);
	if (isolation.auth != NULL) {
		memset(&gone, 0, sizeof(gone));
		memcpy(gone.user, b->user, sizeof(gone.user));
		gone.uid = b->uid;
		chan_send(isolation.auth, M_SB_GONE, 0, -1, &gone, sizeof(gone));
	}
	free_event(&b->ev_timer);
	free(b);
}

/* What its first process did not take along. */
static void
end_all(const struct box *b)
{
	const struct strategy *st = strategy_of(isolation.conf.isolation.kind);

	cgroup_kill(b->group);
	if (st->end_all != NULL)
		st->end_all(b->uid);
}

/* Its home may have to be unmounted first: it has ended when that is done. */
static void
box_leave(struct box *b)
{
	free_event(&b->ev_timer);
	if (!storage_release(b, box_forget))
		box_forget(b);
}

/* The group can be removed once the last process is out of it. */
static void
on_sweep(evutil_socket_t fd, short what, void *arg)
{
	struct box *b = arg;

	(void)fd;
	(void)what;
	if (cgroup_remove(b->group) == 0 && b->detach <= 0) {
		box_leave(b);
		return;
	}
	if (++b->sweeps >= SWEEPS_MAX) {
		log_warn("control group or network of uid %u cannot be removed", b->uid);
		box_leave(b);
		return;
	}
	if (b->sweeps % 10 == 0)
		end_all(b);
	set_timer(b, SWEEP_MS, on_sweep);
}

void
box_end(struct box *b)
{
	b->state = SANDBOX_STOPPING;
	chan_close(&b->chan);
	b->joined = false;
	watch_end(b);
	close_report(b);
	free_event(&b->ev_end);
	if (b->pidfd != -1)
		close(b->pidfd);
	b->pidfd = -1;
	end_all(b);
	if (b->detach <= 0)
		b->detach = net_detach(b->uid, b->group);
	set_timer(b, 0, on_sweep);
}

/* 0, or -1 with errno EBUSY when it has something to do. */
int
box_freeze(struct box *b)
{
	if (b->state != SANDBOX_RUNNING || b->nasks > 0) {
		errno = EBUSY;
		return -1;
	}
	if (b->frozen)
		return 0;
	if (cgroup_freeze(b->group, true) == -1)
		return -1;
	b->frozen = true;
	return 0;
}

void
box_thaw(struct box *b)
{
	if (!b->frozen)
		return;
	b->frozen = false;
	if (cgroup_freeze(b->group, false) == -1)
		log_warn("thawing the sandbox of %s", b->user);
	else
		log_event(LOG_INFO, "sandbox.thawed", LOG_S("user", b->user),
		    LOG_N("uid", b->uid));
}

/* pid 1 of a pid namespace takes all of it along. */
void
box_kill(struct box *b, const char *why)
{
	/* In version 1 of control groups the frozen do not die. */
	box_thaw(b);
	if (b->fault.code == 0 && why != NULL)
		fault_set(&b->fault, FAIL_UNAVAILABLE, "%s", why);
	b->state = SANDBOX_STOPPING;
	if (b->helper != 0)
		(void)kill(b->helper, SIGKILL); /* our child, not yet waited for */
	chan_close(&b->chan);
	b->joined = false;
	if (b->pidfd == -1 || b->dead) {
		box_end(b);
		return;
	}
	(void)syscall(SYS_pidfd_send_signal, b->pidfd, SIGKILL, NULL, 0);
	cgroup_kill(b->group);
}

static void
on_end(evutil_socket_t fd, short what, void *arg)
{
	struct box *b = arg;

	(void)fd;
	(void)what;
	b->dead = true;
	/* While it starts, the report's end is still to come and says why. */
	if (b->state != SANDBOX_STARTING)
		box_end(b);
}

/* A pidfd becomes readable when its process ends. */
void
box_watch(struct box *b)
{
	b->ev_end = event_new(isolation.base, b->pidfd, EV_READ, on_end, b);
	if (b->ev_end == NULL || event_add(b->ev_end, NULL) == -1)
		fatalx("sandbox: out of memory");
}

static void
on_late(evutil_socket_t fd, short what, void *arg)
{
	struct box *b = arg;

	(void)fd;
	(void)what;
	box_kill(b,
	    b->state == SANDBOX_STARTING ?
		"the session did not start in time" :
		"the session did not end when it was asked to");
}

/*
 * *fd is taken by setting it to -1.  ide-session holds the socket as well until it
 * listens: that of the home, which comes before there is a session, is heard once,
 * and with it all that is of storage.
 */
static void
report_take(struct box *b, struct setup_report *r, int *fd)
{
	if (b->storage.by != STORAGE_IS_UNKNOWN && r->what >= SETUP_WAITS)
		return;
	switch (r->what) {
	case SETUP_RUNS:
		if (*fd == -1 || b->pidfd != -1)
			return;
		b->pidfd = *fd;
		*fd = -1;
		b->pid = r->pid;
		box_watch(b);
		return;
	case SETUP_FAILED:
		b->fault = r->fault;
		b->fault.text[sizeof(b->fault.text) - 1] = '\0';
		return;
	case SETUP_MADE:
		b->made = true;
		return;
	case SETUP_WAITS:
		b->waits = true;
		if (b->state == SANDBOX_STARTING)
			set_timer(b, BOX_WAIT_MS, on_late);
		return;
	case SETUP_MOVED:
		storage_sweep();
		return;
	case SETUP_HOME:
		storage_found(b, r->storage, *fd, r->loop);
		*fd = -1;
		if (b->waits && b->state == SANDBOX_STARTING)
			set_timer(b, BOX_START_MS, on_late);
		b->waits = false;
		return;
	}
}

/* From the set-up: what it has to say, then the end, when ide-session listens or
 * nobody is left. */
static void
on_report(evutil_socket_t fd, short what, void *arg)
{
	struct box *b = arg;
	struct setup_report r;
	int pass, got;

	(void)what;
	got = setup_recv((int)fd, &r, sizeof(r), &pass);
	if (got == 1)
		report_take(b, &r, &pass);
	if (pass != -1)
		close(pass);
	if (got == 0)
		box_begun(b);
}

void
box_runs(struct box *b)
{
	b->state = SANDBOX_RUNNING;
	b->ran = true;
	watch_begin(b);
}

static void
box_begun(struct box *b)
{
	close_report(b);
	if (b->state != SANDBOX_STARTING)
		return;
	if (b->fault.code == 0 && (b->pidfd == -1 || !b->made))
		fault_set(&b->fault, FAIL_UNAVAILABLE,
		    "the session's set-up ended without a word");
	if (b->fault.code != 0 || box_join(b) == -1) {
		log_event(LOG_ERR, "sandbox.failed", LOG_S("user", b->user),
		    LOG_N("uid", b->uid), LOG_S("why", b->fault.text));
		box_kill(b, "the session did not start");
		return;
	}
	free_event(&b->ev_timer);
	/* It was begun under a configuration that is no longer in effect. */
	if (!net_ready())
		b->detach = net_detach(b->uid, b->group);
	box_runs(b);
	log_event(LOG_INFO, "sandbox.started", LOG_S("user", b->user),
	    LOG_N("uid", b->uid), LOG_N("pid", b->pid),
	    LOG_N("ms", clock_ms(CLOCK_MONOTONIC) - b->since_ms));
	box_ask_all(b);
	usage_check(b);
}

static void
on_gone(struct chan *c, const char *why)
{
	struct box *b = c->arg;

	b->joined = false;
	if (b->state != SANDBOX_STOPPING)
		box_kill(b,
		    why != NULL ? "the session broke the rules of its channel" :
				  "the session closed its channel");
}

/*
 * The peer must be that user's process: who listens is what SO_PEERCRED tells,
 * and it began to when it was the user already.
 */
int
box_join(struct box *b)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);
	int fd;

	fd = box_folder_connect(b->uid);
	if (fd == -1) {
		fault_set(&b->fault, FAIL_UNAVAILABLE,
		    b->dead ? "the session ended while it started: %s" :
			      "the session does not answer: %s",
		    strerror(errno));
		return -1;
	}
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == -1 ||
	    cred.uid != b->uid || cred.gid != b->uid ||
	    (b->pid != 0 && cred.pid != b->pid)) {
		fault_set(&b->fault, FAIL_DENIED, "the session is not the user's own");
		close(fd);
		return -1;
	}
	b->pid = cred.pid;
	chan_init(&b->chan, fd, P_ISOLATION, P_SESSION, isolation.base, box_handlers,
	    on_gone, b);
	b->joined = true;
	return 0;
}

bool
box_reap(pid_t pid)
{
	struct box *b;

	TAILQ_FOREACH(b, &boxes, entry)
		if (b->helper == pid || b->detach == pid) {
			*(b->helper == pid ? &b->helper : &b->detach) = 0;
			return true;
		}
	return false;
}

/* To a set-up that waits for its user; 0, or -1 and the fault. */
static int
give(struct box *b, int control, struct m_fail *fault)
{
	struct setup_who who;
	struct spare s;
	const char *what;

	memset(&who, 0, sizeof(who));
	memcpy(who.user, b->user, sizeof(who.user));
	who.uid = b->uid;
	who.loop = ready_loop(b->uid);
	who.ide = b->for_ide;
	who.limits = b->limits;
	while (spare_take(&s, &what) == 0) {
		what = "control group";
		if (shares_change(s.group, &s.limits, &b->limits) == -1) {
			spare_end(&s);
			break;
		}
		if (sandbox_give(s.report, &who, control) == 0) {
			b->group = s.group;
			b->helper = s.pid;
			b->report = s.report;
			return 0;
		}
		spare_end(&s); /* it has died while it waited */
	}
	fault_set(fault,
	    errno == EAGAIN || errno == ENOMEM ? FAIL_BUSY : FAIL_UNAVAILABLE, "%s: %s",
	    what, strerror(errno));
	return -1;
}

/* Everything that can fail before the set-up runs; 0 or -1 with the fault. */
static int
box_launch(struct box *b, struct m_fail *fault)
{
	int control, r;

	control = box_folder_bind(b->uid);
	if (control == -1) {
		fault_set(fault, FAIL_UNAVAILABLE, "control socket: %s", strerror(errno));
		return -1;
	}
	r = give(b, control, fault);
	close(control);
	return r;
}

struct box *
box_start(const char *user, const char *role, uint32_t uid, const struct wire_limits *own,
    bool for_ide, struct m_fail *fault)
{
	struct box *b;

	b = box_new(user, role, uid, own);
	if (b == NULL) {
		fault_set(fault, FAIL_BUSY, "out of memory");
		return NULL;
	}
	b->for_ide = for_ide;
	if (box_launch(b, fault) == -1) {
		log_event(LOG_ERR, "sandbox.failed", LOG_S("user", user),
		    LOG_N("uid", uid), LOG_S("why", fault->text));
		box_folder_remove(uid);
		TAILQ_REMOVE(&boxes, b, entry);
		free(b);
		return NULL;
	}
	b->ev_report = event_new(
	    isolation.base, b->report, EV_READ | EV_PERSIST, on_report, b);
	if (b->ev_report == NULL || event_add(b->ev_report, NULL) == -1)
		fatalx("sandbox: out of memory");
	set_timer(b, BOX_START_MS, on_late);
	/* While it is made; a start that dies before this is cleared. */
	if (box_folder_fill(b) == -1) {
		log_warn("sandbox folder of uid %u", uid);
		box_kill(b, "its folder in runtime cannot be written");
	}
	return b;
}

void
box_stop(struct box *b)
{
	switch (b->state) {
	case SANDBOX_STARTING:
		box_kill(b, "stopped");
		break;
	case SANDBOX_RUNNING:
		box_thaw(b);
		b->state = SANDBOX_STOPPING;
		fault_set(&b->fault, FAIL_UNAVAILABLE, "stopped");
		box_ask_stopping(b);
		set_timer(b, BOX_STOP_MS, on_late);
		break;
	case SANDBOX_STOPPING:
	case SANDBOX_ABSENT:
	case SANDBOX_FROZEN: /* told of only */
		break;
	}
}

void
box_row(const struct box *b, struct m_sandbox *row)
{
	memset(row, 0, sizeof(*row));
	memcpy(row->user, b->user, sizeof(row->user));
	row->uid = b->uid;
	row->state = b->frozen ? SANDBOX_FROZEN : b->state;
	row->pid = b->pid;
	row->started = b->started;
	row->ide_running = b->ide_running;
	limits_row(&b->limits, row);
	usage_row(b, b->uid, row);
	shares_usage(b->group, row);
	net_usage(b->uid, row);
}
