/*
 * The IDE: one server for all of the user's windows, started when the first is
 * opened, started again when it dies, each time a little later.  One that dies before
 * anybody got a connection is broken, and is started only for somebody who asks.
 */
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../privsep/conf.h"
#include "../../privsep/log.h"
#include "../../privsep/session_start.h"
#include "session.h"

/* Between attempts to connect: often at first, for one that is quick to start. */
#define TRY_FIRST_US 200
#define TRY_US       10000
#define TRIES_FIRST  50
#define BACKOFF_MIN  200
#define BACKOFF_MAX  30000
#define STEADY_MS    60000 /* after that, a death is not a repeated one */

/*
 * Node lets its youngest objects take up to three times 16 MB before it looks
 * which of them are still wanted, in each of VS Code's processes, and what they
 * took once they keep.  With 4 MB all of them together are a third smaller, and
 * take no more time.
 */
#define YOUNG "--max-semi-space-size=4"

static pid_t pid;
static int64_t born;
static int64_t not_before; /* it is started, when somebody wants it */
static long backoff;
static uint32_t restarts;
static unsigned int tries; /* since it was started */
static bool accepting;     /* this one has been connected to */
static struct event *try_timer, *start_timer;

static void ide_start(void);

static void
arm(struct event *ev, long us)
{
	struct timeval tv = { us / 1000000, us % 1000000 };

	event_add(ev, &tv);
}

static void
try_again(void)
{
	if (!event_pending(try_timer, EV_TIMEOUT, NULL))
		arm(try_timer, tries < TRIES_FIRST ? TRY_FIRST_US : TRY_US);
}

static void
on_try(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	tries++;
	if (!wait_serve())
		try_again();
}

static void
on_start(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	if (pid == 0 && !session.stopping)
		ide_start();
}

void
ide_init(void)
{
	try_timer = evtimer_new(session.base, on_try, NULL);
	start_timer = evtimer_new(session.base, on_start, NULL);
	if (try_timer == NULL || start_timer == NULL)
		fatalx("out of memory");
	backoff = BACKOFF_MIN;
}

/* The fixed arguments, then the configuration's. */
static void
arguments(char *argv[])
{
	static char data[PATH_LEN], extensions[PATH_LEN], node[PATH_LEN], js[PATH_LEN];
	static char policy[PATH_LEN];
	const char *const started[] = { node, YOUNG, policy };
	const char *const fixed[] = { js, "--socket-path", session.socket,
		"--server-base-path", session.below, "--server-data-dir", data,
		"--extensions-dir", extensions, "--without-connection-token",
		"--accept-server-license-terms", NULL };
	unsigned int n = 0, i;

	snprintf(node, sizeof(node), "%s/%s", session.ide, IDE_NODE);
	snprintf(js, sizeof(js), "%s/%s", session.ide, IDE_MAIN);
	snprintf(data, sizeof(data), "%s/data", session.home);
	snprintf(extensions, sizeof(extensions), "%s/extensions", session.home);
	snprintf(policy, sizeof(policy), "%s/%s", session.ide, IDE_POLICY);
	for (i = 0; i < (session.rules != NULL ? 3 : 2); i++)
		argv[n++] = (char *)(uintptr_t)started[i];
	for (i = 0; fixed[i] != NULL; i++)
		argv[n++] = (char *)(uintptr_t)fixed[i];
	for (i = 0; i < SESSION_IDE_ARGS && session.ide_args[i] != NULL; i++)
		argv[n++] = session.ide_args[i];
	argv[n] = NULL;
}

static void
ide_start(void)
{
	char *argv[16 + SESSION_IDE_ARGS];
	int fd[3];

	(void)unlink(session.socket);
	arguments(argv);
	fd[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	fd[1] = fd[2] = output_pipe();
	if (fd[0] == -1 || fd[1] == -1 || (pid = run_program(argv, fd)) == -1) {
		log_warn("the IDE cannot be started");
		pid = 0;
		wait_fail("the IDE cannot be started");
	}
	if (fd[0] != -1)
		close(fd[0]);
	if (fd[1] != -1)
		close(fd[1]);
	if (pid == 0)
		return;
	accepting = false;
	born = session_now();
	log_info("IDE started, pid %d", (int)pid);
	tries = 0;
	try_again();
}

void
ide_want(void)
{
	int64_t left = not_before - session_now();

	if (pid != 0)
		try_again();
	else if (event_pending(start_timer, EV_TIMEOUT, NULL) || session.stopping)
		return;
	else if (left > 0)
		arm(start_timer, (long)left * 1000);
	else
		ide_start();
}

bool
ide_reap(pid_t dead, int status)
{
	bool was_up = accepting;

	if (pid == 0 || dead != pid)
		return false;
	log_warnx("IDE ended, %s %d", WIFEXITED(status) ? "status" : "signal",
	    WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
	pid = 0;
	if (session.stopping)
		return true;
	if (!was_up) {
		event_del(try_timer);
		wait_fail("the IDE ended while it started: see logs/ide.log");
	}
	accepting = false;
	restarts++;
	if (session_now() - born > STEADY_MS)
		backoff = BACKOFF_MIN;
	not_before = session_now() + backoff;
	if (was_up)
		arm(start_timer, backoff * 1000);
	backoff = backoff * 2 > BACKOFF_MAX ? BACKOFF_MAX : backoff * 2;
	return true;
}

/* Somebody got a connection: this one has come up. */
void
ide_accepts(void)
{
	accepting = true;
}

bool
ide_is_running(void)
{
	return pid != 0;
}

uint32_t
ide_restarts(void)
{
	return restarts;
}
