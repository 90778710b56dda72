/*
 * Spare sandboxes: made but for their user, who is then there in a few
 * milliseconds.  They hold no identity and no user's file, and leave with
 * isolation, whose end of the socket is the only one.
 *
 * Each has a control group, with the limits of who has none of his own.  That of one
 * that ends before it has a user is removed here.
 */
#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../log.h"
#include "box.h"
#include "isolation.h"
#include "sandbox_cgroup.h"
#include "sandbox_steps.h"

#define REFILL_MS  100   /* after one was taken: its user comes first */
#define FAILED_MS  10000 /* after one could not be made */
#define SWEEP_MS   20    /* between attempts to remove groups */
#define SWEEPS_MAX 500
#define LEAVE_MS   5 /* likewise, at the end of isolation */

static struct spare spares[CONF_SPARE_MAX]; /* pid 0: none */
static struct event *refill;

/* Groups that are to go once nothing is in them. */
static struct {
	uint32_t group;
	unsigned int sweeps;
} * going;
static unsigned int ngoing;
static struct event *sweep;

static void
sweep_in(long ms)
{
	struct timeval tv = isolation_ms(ms);

	if (event_add(sweep, &tv) == -1)
		fatalx("sandbox: out of memory");
}

static void
groups_remove(void)
{
	unsigned int i, n = 0;

	for (i = 0; i < ngoing; i++) {
		if (cgroup_remove(going[i].group) == 0)
			continue;
		if (++going[i].sweeps >= SWEEPS_MAX) {
			log_warn("control group %u cannot be removed", going[i].group);
			continue;
		}
		if (going[i].sweeps % 10 == 0)
			cgroup_kill(going[i].group);
		going[n++] = going[i];
	}
	ngoing = n;
}

static void
on_sweep(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	groups_remove();
	if (ngoing > 0)
		sweep_in(SWEEP_MS);
}

/* It and all that is in it, in its own time. */
bool
group_end(uint32_t group)
{
	unsigned int i;

	for (i = 0; i < ngoing; i++)
		if (going[i].group == group)
			return false;
	if (sweep == NULL)
		sweep = evtimer_new(isolation.base, on_sweep, NULL);
	going = reallocarray(going, ngoing + 1, sizeof(going[0]));
	if (sweep == NULL || going == NULL)
		fatalx("sandbox: out of memory");
	cgroup_kill(group);
	going[ngoing].group = group;
	going[ngoing++].sweeps = 0;
	if (!evtimer_pending(sweep, NULL))
		sweep_in(0);
	return true;
}

/* The next number that no group has. */
static int
group_make(uint32_t *group)
{
	static uint32_t last;
	unsigned int i;

	for (i = 0; i < GROUP_TRIES; i++) {
		last = last % GROUP_MAX + 1;
		if (cgroup_make(last) == 0) {
			*group = last;
			return 0;
		}
		if (errno != EEXIST)
			break;
	}
	return -1;
}

static int
spare_start(struct spare *s)
{
	int pair[2], error;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1)
		return -1;
	s->pid = sandbox_start(pair[1], s->group);
	error = errno;
	close(pair[1]);
	/* Ours only: the other end is waited on. */
	if (s->pid == -1 || fcntl(pair[0], F_SETFL, O_NONBLOCK) == -1) {
		close(pair[0]);
		s->pid = 0;
		errno = error;
		return -1;
	}
	s->report = pair[0];
	return 0;
}

static int
spare_make(struct spare *s, const char **what)
{
	static const struct wire_limits none;
	int error;

	*what = "control group";
	if (group_make(&s->group) == -1)
		return -1;
	limits_resolve("", "", &none, &s->limits);
	if (shares_fresh(s->group, &s->limits) == 0) {
		*what = "no new process";
		if (spare_start(s) == 0)
			return 0;
	}
	error = errno;
	(void)cgroup_remove(s->group);
	errno = error;
	return -1;
}

static void
refill_in(long ms)
{
	struct timeval tv = isolation_ms(ms);

	if (event_add(refill, &tv) == -1)
		fatalx("sandbox: out of memory");
}

static void
on_refill(evutil_socket_t fd, short what, void *arg)
{
	const char *why;
	uint32_t i;

	(void)fd;
	(void)what;
	(void)arg;
	/* One at a time: a burst of logins is not to wait for what it does not need. */
	for (i = 0; i < isolation.conf.isolation.spare; i++) {
		if (spares[i].pid != 0)
			continue;
		refill_in(spare_make(&spares[i], &why) == -1 ? FAILED_MS : REFILL_MS);
		return;
	}
}

void
spare_fill(void)
{
	if (refill == NULL)
		refill = evtimer_new(isolation.base, on_refill, NULL);
	if (refill == NULL)
		fatalx("sandbox: out of memory");
	if (!evtimer_pending(refill, NULL))
		refill_in(REFILL_MS);
}

/* Both of its processes find their socket closed, if they are not ended here. */
void
spare_end(struct spare *s)
{
	close(s->report);
	(void)group_end(s->group);
	s->pid = 0;
	s->report = -1;
}

/* What is made of an older configuration goes. */
void
spare_renew(void)
{
	unsigned int i;

	for (i = 0; i < CONF_SPARE_MAX; i++)
		if (spares[i].pid != 0)
			spare_end(&spares[i]);
	/* What could not be made with the old one may be made now. */
	spare_fill();
	refill_in(REFILL_MS);
}

bool
spare_reap(pid_t pid)
{
	struct setup_report r;
	unsigned int i;
	int fd;

	for (i = 0; i < CONF_SPARE_MAX && spares[i].pid != pid; i++)
		;
	if (i == CONF_SPARE_MAX)
		return false;
	if (setup_recv(spares[i].report, &r, sizeof(r), &fd) == 1 &&
	    r.what == SETUP_FAILED) {
		r.fault.text[sizeof(r.fault.text) - 1] = '\0';
		log_event(LOG_WARNING, "sandbox.spare", LOG_S("why", r.fault.text));
	}
	if (fd != -1)
		close(fd);
	spare_end(&spares[i]);
	refill_in(FAILED_MS);
	return true;
}

int
spare_take(struct spare *s, const char **what)
{
	unsigned int i;

	for (i = 0; i < CONF_SPARE_MAX; i++)
		if (spares[i].pid != 0) {
			*s = spares[i];
			spares[i].pid = 0;
			spare_fill();
			return 0;
		}
	spare_fill();
	return spare_make(s, what);
}

/* At the end of isolation: with the groups goes the one that they stand in. */
void
spare_leave(void)
{
	const struct timespec pause = { 0, LEAVE_MS * 1000000L };
	unsigned int i;

	for (i = 0; i < CONF_SPARE_MAX; i++)
		if (spares[i].pid != 0) {
			(void)kill(spares[i].pid, SIGKILL);
			spare_end(&spares[i]);
		}
	/* Whatever is not empty by then is the next one's to clear. */
	while (ngoing > 0) {
		groups_remove();
		if (ngoing > 0)
			(void)nanosleep(&pause, NULL);
	}
}
