/*
 * ided-fetch, started on auth's word to ask the feed that the configuration names, and
 * no other.  Its answer goes to auth; here only its end is awaited.  It takes an uid of
 * workers, who read what strangers send as well, and have as little.
 */
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../log.h"
#include "../sandbox.h"
#include "../spawn.h"
#include "isolation.h"

#define FETCH_MS      30000 /* it is killed then: its own time is over before */
#define STARTS_MAX    60    /* in ... */
#define STARTS_PERIOD 60    /* seconds; auth asks once a day */

static pid_t running;
static bool killed;
static struct {
	uint32_t id;
	bool wanted; /* when the one that runs has ended */
} next;
static struct event *timer;

void
fetch_leave(void)
{
	if (running <= 0)
		return;
	(void)kill(running, SIGKILL); /* not yet waited for */
	killed = true;
}

static void
on_time(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	fetch_leave();
}

static bool
too_often(void)
{
	static unsigned int n;
	static time_t since;
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	if (ts.tv_sec - since >= STARTS_PERIOD) {
		since = ts.tv_sec;
		n = 0;
	}
	return ++n > STARTS_MAX;
}

static pid_t
fetch_spawn(int auth)
{
	char name[] = "ided-fetch", *argv[] = { name, NULL };
	const char *ca = isolation.conf.update.ca;
	struct spawn s;
	pid_t pid = -1;

	memset(&s, 0, sizeof(s));
	s.program = name;
	s.argv = argv;
	s.envp = children_environment();
	s.uid = accounts[ACCOUNT_WORKER].uid;
	s.gid = accounts[ACCOUNT_WORKER].gid;
	s.parent = auth;
	s.root = isolation.empty;
	s.log = log_get_fd();
	s.master = -1;
	s.extra = open(ca, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (s.extra == -1) {
		log_warn("update-check ca \"%s\"", ca);
		return -1;
	}
	if ((s.conf = section_fetch()) != -1) {
		if ((pid = spawn(&s)) == -1)
			log_warn("ided-fetch is not started");
		close(s.conf);
	}
	close(s.extra);
	return pid;
}

static void
start(struct chan *auth, uint32_t id)
{
	struct timeval tv = isolation_ms(FETCH_MS);
	int end[2];

	if (isolation.conf.update.feed[0] == '\0')
		return;
	if (too_often()) {
		log_warnx("ided-fetch is wanted too often");
		return;
	}
	if (timer == NULL && (timer = evtimer_new(isolation.base, on_time, NULL)) == NULL)
		fatalx("out of memory");
	if (chan_pair(end) == -1) {
		log_warn("ided-fetch: channel");
		return;
	}
	killed = false;
	running = fetch_spawn(end[1]);
	close(end[1]);
	if (running == -1) {
		running = 0;
		close(end[0]);
		return;
	}
	event_add(timer, &tv);
	chan_send(auth, M_JOIN_FETCH, id, end[0], NULL, 0);
}

/* auth asks again while one runs when there is another feed. */
void
fetch_start(struct chan *auth, struct msg *m)
{
	if (running == 0) {
		start(auth, m->head.id);
		return;
	}
	next.wanted = true;
	next.id = m->head.id;
	fetch_leave();
}

bool
fetch_reap(pid_t pid, int status)
{
	if (pid != running)
		return false;
	running = 0;
	event_del(timer);
	if (status != 0 && !killed)
		log_event(LOG_WARNING, "process.died", LOG_S("process", "fetch"),
		    LOG_N("pid", pid),
		    LOG_N("signal", WIFSIGNALED(status) ? WTERMSIG(status) : 0),
		    LOG_N("exit", WIFEXITED(status) ? WEXITSTATUS(status) : 0));
	if (next.wanted && isolation.auth != NULL)
		start(isolation.auth, next.id);
	next.wanted = false;
	return true;
}
