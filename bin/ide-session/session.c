/*
 * ide-session -i ide -b base [-p proxy] [-- argument ...]
 *
 * Started by isolation as pid 1 of the sandbox, and told later who its user is:
 * see session_start.h.  The control socket is bound where only root can connect to
 * it; the report is closed as soon as it listens, which is how isolation knows.
 */
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../../privsep/log.h"
#include "../../privsep/session_start.h"
#include "session.h"
#include "../../privsep/clock.h"

#define CLIENTS_MAX 4    /* isolation is one; a new one may overlap */
#define STOP_MS     4000 /* from TERM to KILL */

struct session session;

static struct client {
	bool used;
	struct chan chan;
} clients[CLIENTS_MAX];

struct timeval
session_ms(long ms)
{
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	return tv;
}

int64_t
session_now(void)
{
	return clock_ms(CLOCK_MONOTONIC);
}

void
session_fail(struct chan *c, uint32_t id, enum wire_fail code, const char *fmt, ...)
{
	struct m_fail f;
	va_list ap;

	memset(&f, 0, sizeof(f));
	f.code = code;
	va_start(ap, fmt);
	vsnprintf(f.text, sizeof(f.text), fmt, ap);
	va_end(ap);
	chan_send(c, M_SESSION_FAIL, id, -1, &f, sizeof(f));
}

static void
on_connect(struct chan *c, struct msg *m)
{
	const struct m_session_what *q = MSG_DATA(m, m_session_what);

	if (session.stopping)
		session_fail(c, m->head.id, FAIL_UNAVAILABLE, "the session is ending");
	else if (q->what == WHAT_IDE)
		wait_add(c, m->head.id);
	else if (q->what == WHAT_PORT)
		port_connect(c, m->head.id, q->port);
	else
		session_fail(c, m->head.id, FAIL_INVALID, "no such service");
}

static void
on_ask(struct chan *c, struct msg *m)
{
	struct m_session_state s;

	memset(&s, 0, sizeof(s));
	s.ide_running = ide_is_running();
	s.ide_restarts = ide_restarts();
	chan_send(c, M_SESSION_STATE, m->head.id, -1, &s, sizeof(s));
}

/* From pid 1, -1 is everybody in the sandbox; from another, all of the user's. */
static void
on_stop_time(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	(void)kill(-1, SIGKILL);
	event_base_loopbreak(session.base);
}

static void
on_stop(struct chan *c, struct msg *m)
{
	struct timeval tv = session_ms(STOP_MS);
	struct event *ev;

	(void)c;
	(void)m;
	if (session.stopping)
		return;
	session.stopping = true;
	log_info("stopping");
	wait_fail("the session is ending");
	ev = evtimer_new(session.base, on_stop_time, NULL);
	if (ev == NULL || event_add(ev, &tv) == -1)
		event_base_loopbreak(session.base);
	/* Shells in terminals ignore TERM and heed HUP, which others would end by while
	 * they still save; what is stopped hears neither. */
	if (kill(-1, SIGTERM) == -1 && errno == ESRCH)
		event_base_loopbreak(session.base);
	watch_hang_up();
	(void)kill(-1, SIGCONT);
}

static const struct chan_handler handlers[] = {
	{ M_SESSION_CONNECT, on_connect },
	{ M_SESSION_EXEC, run_exec },
	{ M_SESSION_EXEC_FD, run_exec_fd },
	{ M_SESSION_ASK, on_ask },
	{ M_SESSION_LOOK, watch_look },
	{ M_SESSION_RELIEVE, watch_relieve },
	{ M_SESSION_STOP, on_stop },
	{ M_NONE, NULL },
};

/* ided may be restarted; the session goes on. */
static void
on_gone(struct chan *c, const char *why)
{
	struct client *cl = c->arg;

	if (why != NULL)
		log_warnx("isolation: %s", why);
	wait_forget(c);
	port_forget(c);
	run_forget(c);
	cl->used = false;
}

static void
on_accept(evutil_socket_t listener, short what, void *arg)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);
	unsigned int i;
	int fd;

	(void)what;
	(void)arg;
	fd = accept4((int)listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd == -1)
		return;
	for (i = 0; i < CLIENTS_MAX && clients[i].used; i++)
		;
	if (i == CLIENTS_MAX ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == -1 || cred.uid != 0) {
		close(fd);
		return;
	}
	clients[i].used = true;
	chan_init(&clients[i].chan, fd, P_SESSION, P_ISOLATION, session.base, handlers,
	    on_gone, &clients[i]);
}

static void
on_child(evutil_socket_t sig, short what, void *arg)
{
	pid_t pid;
	int status;

	(void)sig;
	(void)what;
	(void)arg;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (!ide_reap(pid, status) && !windows_reap(pid))
			(void)run_reap(pid, status);
	if (pid == -1 && errno == ECHILD && session.stopping)
		event_base_loopbreak(session.base);
}

static void
options(int argc, char *argv[])
{
	int c;

	while ((c = getopt(argc, argv, "b:e:g:i:m:p:")) != -1)
		switch (c) {
		case 'b':
			session.below = optarg;
			break;
		case 'e':
			session.rules = optarg;
			break;
		case 'g':
		case 'm':
			session.gallery = optarg;
			session.marketplace = c == 'm';
			break;
		case 'i':
			session.ide = optarg;
			break;
		case 'p':
			session.proxy = optarg;
			break;
		default:
			exit(1);
		}
	if (session.ide == NULL || session.below == NULL ||
	    strlen(session.ide) + 64 > PATH_LEN ||
	    (session.proxy != NULL && strlen(session.proxy) > PATH_LEN) ||
	    (session.gallery != NULL && strlen(session.gallery) > GALLERY_LEN) ||
	    (session.rules != NULL && strlen(session.rules) >= SESSION_EXTENSIONS_MAX))
		exit(1);
	session.ide_args = argv + optind;
}

/* With timers below a millisecond: see ide.c. */
static struct event_base *
base_new(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base = NULL;

	if (config != NULL &&
	    event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER) == 0)
		base = event_base_new_with_config(config);
	if (config != NULL)
		event_config_free(config);
	return base;
}

/* What is the user's own, for who has become the user. */
static void
folders(void)
{
	char dir[PATH_LEN];

	if (strlen(session.home) + 64 > PATH_LEN ||
	    (size_t)snprintf(session.socket, sizeof(session.socket), "%s/%s", session.run,
		IDE_SOCKET) >= sizeof(session.socket))
		exit(1);
	output_init();
	snprintf(dir, sizeof(dir), "%s/user", session.run);
	(void)mkdir(dir, 0700);
}

static void
listen_and_tell(void)
{
	struct event *ev;

	if (listen(FD_SESSION_CONTROL, 8) == -1)
		fatal("control socket");
	ev = event_new(
	    session.base, FD_SESSION_CONTROL, EV_READ | EV_PERSIST, on_accept, NULL);
	if (ev == NULL || event_add(ev, NULL) == -1)
		fatalx("out of memory");
	close(FD_SESSION_REPORT);
}

int
main(int argc, char *argv[])
{
	struct event *child;

	become_prepare();
	options(argc, argv);
	(void)signal(SIGPIPE, SIG_IGN);
#ifdef SANITIZED
	/* Without handlers a first process hears nothing of its user's signals. */
	(void)signal(SIGSEGV, SIG_DFL);
	(void)signal(SIGBUS, SIG_DFL);
	(void)signal(SIGFPE, SIG_DFL);
	(void)signal(SIGILL, SIG_DFL);
	(void)signal(SIGABRT, SIG_DFL);
#endif
	/* Where it is no pid 1, what loses its parent is still its own to collect. */
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	log_init("session", STDERR_FILENO, LOG_FORMAT_TEXT, LOG_INFO, false);
	session.base = base_new();
	if (session.base == NULL)
		fatalx("no event loop");
	child = evsignal_new(session.base, SIGCHLD, on_child, NULL);
	if (child == NULL || event_add(child, NULL) == -1)
		fatalx("no signal event");
	ide_init();
	become_user();
	folders();
	windows_init();
	/* Who waits for it asks as soon as there is somebody to ask. */
	if (session.ide_now)
		ide_want();
	listen_and_tell();
	event_base_dispatch(session.base);
	return 0;
}
