/*
 * Spare sandboxes: made but for their user, who is then there in a few
 * milliseconds.  They hold no identity and no user's file, and leave with
 * isolation, whose end of the socket is the only one.
 */
#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "../log.h"
#include "box.h"
#include "isolation.h"
#include "sandbox_steps.h"

#define REFILL_MS 100   /* after one was taken: its user comes first */
#define FAILED_MS 10000 /* after one could not be made */

static struct spare {
	pid_t pid; /* 0: none */
	int report;
} spares[CONF_SPARE_MAX];

static struct event *refill;

static int
spare_make(struct spare *s)
{
	int pair[2], error;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1)
		return -1;
	s->pid = sandbox_start(pair[1]);
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
	uint32_t i;

	(void)fd;
	(void)what;
	(void)arg;
	/* One at a time: a burst of logins is not to wait for what it does not need. */
	for (i = 0; i < isolation.conf.isolation.spare; i++) {
		if (spares[i].pid != 0)
			continue;
		refill_in(spare_make(&spares[i]) == -1 ? FAILED_MS : REFILL_MS);
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

static void
spare_forget(struct spare *s)
{
	close(s->report);
	s->pid = 0;
	s->report = -1;
}

/* What is made of an older configuration goes: it finds its socket closed. */
void
spare_renew(void)
{
	unsigned int i;

	for (i = 0; i < CONF_SPARE_MAX; i++)
		if (spares[i].pid != 0)
			spare_forget(&spares[i]);
	spare_fill();
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
	spare_forget(&spares[i]);
	refill_in(FAILED_MS);
	return true;
}

int
spare_take(const struct setup_who *who, int control, pid_t *pid, int *report)
{
	struct spare fresh;
	unsigned int i;

	for (i = 0; i < CONF_SPARE_MAX; i++) {
		if (spares[i].pid == 0)
			continue;
		if (sandbox_give(spares[i].report, who, control) == -1) {
			spare_forget(&spares[i]); /* it has died */
			continue;
		}
		*pid = spares[i].pid;
		*report = spares[i].report;
		spares[i].pid = 0;
		spare_fill();
		return 0;
	}
	if (spare_make(&fresh) == -1)
		return -1;
	if (sandbox_give(fresh.report, who, control) == -1) {
		close(fresh.report);
		return -1;
	}
	*pid = fresh.pid;
	*report = fresh.report;
	spare_fill();
	return 0;
}
