/*
 * Volumes that stand ready: attached and mounted while their user is expected, so
 * that a sandbox finds the file system in use, and mounts it in no time.
 *
 * Nobody has asked for anything yet.  So nothing is made, moved, mended or made larger
 * for it; it is for a minute; and of all users together for a bounded number.  What
 * holds it is a descriptor, as with a sandbox that runs: it goes with this process,
 * whoever is killed.  The sandbox has a mount of its own.
 */
#include <sys/socket.h>

#include <bsd/sys/queue.h>
#include <bsd/string.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../log.h"
#include "box.h"
#include "isolation.h"
#include "jobs.h"
#include "sandbox_steps.h"
#include "storage.h"

#define READY_MS  60000
#define READY_MAX 64

enum ready_state {
	MOUNTS, /* a job does it */
	STANDS,
	LEAVES, /* a job unmounts it */
};

struct ready {
	TAILQ_ENTRY(ready) entry;
	enum ready_state state;
	bool unwanted; /* goes as soon as it stands */
	char user[WIRE_NAME];
	uint32_t uid;
	struct conf_limits limits;
	int home, loop;
	int pair[2]; /* from the job, and its end */
	struct event *timer;
	void (*gone)(void *); /* who waits for that */
	void *arg;
};

static TAILQ_HEAD(, ready) all = TAILQ_HEAD_INITIALIZER(all);
static unsigned int nready;

static struct ready *
find(uint32_t uid)
{
	struct ready *r;

	TAILQ_FOREACH(r, &all, entry)
		if (r->uid == uid)
			return r;
	return NULL;
}

static void
forget(struct ready *r)
{
	void (*gone)(void *) = r->gone;
	void *arg = r->arg;

	TAILQ_REMOVE(&all, r, entry);
	nready--;
	if (r->timer != NULL)
		event_free(r->timer);
	if (r->home != -1)
		close(r->home);
	if (r->pair[0] != -1)
		close(r->pair[0]);
	free(r);
	if (gone != NULL)
		gone(arg);
}

static void
on_left(void *owner, int error, const void *answer)
{
	(void)error;
	(void)answer;
	forget(owner);
}

static void
leave(struct ready *r)
{
	r->state = LEAVES;
	event_del(r->timer);
	if (!storage_unmount(&r->home, false, on_left, r))
		forget(r);
}

static void
on_time(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	leave(arg);
}

static int
run_mount(void *arg, void *answer)
{
	struct ready *r = arg;
	struct setup_report report;
	struct volume v;
	int home;

	(void)answer;
	if (volume_stand(isolation.volumes, r->user, r->uid, &r->limits, &v) == -1)
		return EAGAIN;
	home = openat(v.mount, ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (home != -1) {
		home_look(home);
		memset(&report, 0, sizeof(report));
		report.what = SETUP_HOME;
		report.storage = STORAGE_IS_VOLUME;
		report.loop = v.loop;
		report_send(r->pair[1], &report, home);
		close(home);
	}
	volume_close(&v);
	return home == -1 ? EIO : 0;
}

static void
on_mounted(void *owner, int error, const void *answer)
{
	const struct timeval tv = isolation_ms(READY_MS);
	struct ready *r = owner;
	struct setup_report report;

	(void)answer;
	if (error == 0 && setup_recv(r->pair[0], &report, sizeof(report), &r->home) == 1)
		r->loop = report.loop;
	close(r->pair[0]);
	r->pair[0] = -1;
	if (r->home == -1) {
		forget(r);
	} else if (r->unwanted) {
		leave(r);
	} else {
		r->state = STANDS;
		if (event_add(r->timer, &tv) == -1)
			fatalx("out of memory");
	}
}

static int
start(struct ready *r)
{
	struct job job = { .name = "mount", .run = run_mount, .arg = r };
	int error = 0;

	if (socketpair(
		AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, r->pair) == -1)
		return -1;
	job.fd[0] = isolation.volumes;
	job.fd[1] = r->pair[1];
	job.nfd = 2;
	job.done = on_mounted;
	job.owner = r;
	if (job_start(&job) == -1)
		error = errno;
	close(r->pair[1]);
	r->pair[1] = -1;
	errno = error;
	return error == 0 ? 0 : -1;
}

/* The user may want it soon. */
void
ready_begin(const char *user, uint32_t uid, const struct conf_limits *limits)
{
	struct ready *r;

	/* It does not stay longer for being asked for again. */
	if (find(uid) != NULL || nready == READY_MAX ||
	    isolation.conf.isolation.kind == ISOLATION_DIRECTORY ||
	    !volume_exists(isolation.volumes, uid) || (r = calloc(1, sizeof(*r))) == NULL)
		return;
	strlcpy(r->user, user, sizeof(r->user));
	r->uid = uid;
	r->limits = *limits;
	r->home = r->loop = r->pair[0] = r->pair[1] = -1;
	TAILQ_INSERT_TAIL(&all, r, entry);
	nready++;
	r->timer = evtimer_new(isolation.base, on_time, r);
	if (r->timer == NULL || start(r) == -1) {
		log_warn("volume of uid %u, which is not made ready", uid);
		forget(r);
	}
}

int
ready_loop(uint32_t uid)
{
	const struct ready *r = find(uid);

	return r != NULL && r->state == STANDS ? r->loop : -1;
}

int
ready_home(uint32_t uid)
{
	const struct ready *r = find(uid);

	return r != NULL && r->state == STANDS ? r->home : -1;
}

/* A sandbox has it mounted: it does not end with this. */
void
ready_taken(uint32_t uid)
{
	struct ready *r = find(uid);

	if (r != NULL && r->state == STANDS)
		forget(r);
	else if (r != NULL)
		r->unwanted = true;
}

bool
ready_release(uint32_t uid, void (*gone)(void *), void *arg)
{
	struct ready *r = find(uid);

	if (r == NULL || r->gone != NULL)
		return false;
	r->gone = gone;
	r->arg = arg;
	r->unwanted = true;
	if (r->state == STANDS)
		leave(r);
	return true;
}

/* Their limits may be others. */
void
ready_release_all(void)
{
	struct ready *r, *next;

	TAILQ_FOREACH_SAFE(r, &all, entry, next) {
		r->unwanted = true;
		if (r->state == STANDS)
			leave(r);
	}
}
