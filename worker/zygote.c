/*
 * The zygote: made ready once, before any client, and then forked for every
 * worker.  It never sees a client's byte and holds no secret.
 *
 * It is the workers' parent, and so the one that ends them: when master says so,
 * and all of them when master is gone.  If it dies itself, the kernel does it: no
 * worker lives without somebody who can end it.
 */
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#include <bsd/stdlib.h>
#include <bsd/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../privsep/log.h"
#include "../privsep/sandbox.h"
#include "heap.h"
#include "text.h"
#include "worker.h"
#include "zygote.h"

extern const struct sandbox sandbox_zygote;
extern const struct sandbox sandbox_worker;

static struct conf_for_worker conf;
static struct chan to_master;
static struct sock_fprog worker_filter;
static int child_signal = -1;
static bool retired; /* master has a newer zygote */
static bool alone;   /* master is gone */

/* Which child is which worker. */
struct child {
	pid_t pid;
	uint64_t id;
};
static struct child *children;
static size_t nchildren, children_room;

static void
children_grow(void)
{
	children_room = children_room == 0 ? 256 : children_room * 2;
	children = reallocarray(children, children_room, sizeof(*children));
	if (children == NULL)
		fatal("workers");
}

static void
child_add(pid_t pid, uint64_t id)
{
	if (nchildren == children_room)
		children_grow();
	children[nchildren].pid = pid;
	children[nchildren].id = id;
	nchildren++;
}

/* Nobody else can end them now, and nobody needs them. */
static void
master_gone(void)
{
	size_t i;

	alone = true;
	for (i = 0; i < nchildren; i++)
		(void)kill(children[i].pid, SIGKILL);
}

/*
 * What is left between fork and the first message: no way to make processes or
 * files, and the shorter list of system calls, on top of the zygote's.
 */
static void
become_worker(uint64_t id, int fd, pid_t parent)
{
	sigset_t none;

	/* Nothing can undo it: prctl(2) is not on a worker's list. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == -1)
		fatal("PR_SET_PDEATHSIG");
	if (getppid() != parent)
		_exit(1); /* it was too late for that */
	heap_worker();
	close(child_signal);
	close(to_master.fd);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setproctitle("-ided: worker");
	sandbox_no_process();
	sandbox_install(&worker_filter);
	worker_main(id, fd);
}

/* A message could not be sent at once: wait, master reads us always. */
static void
tell_exit(uint64_t id, pid_t pid, int status)
{
	const struct m_worker_exit x = { id, pid, status };
	struct pollfd p = { to_master.fd, POLLOUT, 0 };
	int tries = 0;

	if (alone)
		return;
	while (chan_send(&to_master, M_WORKER_EXIT, 0, -1, &x, sizeof(x)) == -1) {
		if (++tries > 100 || to_master.fd == -1) {
			master_gone();
			return;
		}
		to_master.gone_pending = false;
		(void)poll(&p, 1, 100);
	}
}

/* It may fail for every spare that is wanted, and again: a line a second says it. */
static void
no_process(void)
{
	static struct timespec said;
	struct timespec now;
	int why = errno;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (said.tv_sec == now.tv_sec)
		return;
	said = now;
	errno = why;
	log_warn("no process for a worker");
}

static void
on_fork(struct msg *m)
{
	const struct m_fork *f = MSG_DATA(m, m_fork);
	pid_t pid, parent = getpid();
	int fd = msg_take_fd(m);

	/* Nothing is to be done at a fork: there is one thread, and what draws random
	 * numbers looks at its pid. */
	pid = _Fork();
	switch (pid) {
	case -1:
		no_process();
		tell_exit(f->id, -1, 0);
		break;
	case 0:
		become_worker(f->id, fd, parent);
		break;
	default:
		child_add(pid, f->id);
		break;
	}
	close(fd);
}

/* A child that was not waited for yet: the number is nobody else's. */
static void
on_kill(uint64_t id)
{
	size_t i;

	for (i = 0; i < nchildren; i++)
		if (children[i].id == id)
			(void)kill(children[i].pid, SIGKILL);
}

static void
reap(void)
{
	struct signalfd_siginfo si;
	uint64_t id;
	size_t i;
	pid_t pid;
	int status;

	/* One, however many children ended. */
	(void)!read(child_signal, &si, sizeof(si));
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (i = 0; i < nchildren; i++)
			if (children[i].pid == pid)
				break;
		if (i == nchildren)
			continue;
		id = children[i].id;
		children[i] = children[--nchildren];
		tell_exit(id, pid, status);
	}
}

static void
read_master(void)
{
	static struct msg m;
	const char *why;
	int r;

	while ((r = chan_recv(&to_master, &m, &why)) == 1) {
		switch (m.head.type) {
		case M_FORK:
			on_fork(&m);
			break;
		case M_KILL:
			on_kill(MSG_DATA(&m, m_kill)->id);
			break;
		case M_RETIRE:
			retired = true;
			break;
		}
	}
	if (r == 0)
		master_gone();
	if (r == -2)
		fatalx("master: %s: %s", msg_name(m.head.type), why);
}

static void
run(void)
{
	struct pollfd p[2];

	while (nchildren > 0 || (!retired && !alone)) {
		p[0].fd = child_signal;
		p[0].events = POLLIN;
		p[1].fd = alone ? -1 : to_master.fd;
		p[1].events = POLLIN;
		p[0].revents = p[1].revents = 0;
		if (poll(p, 2, -1) == -1 && errno != EINTR)
			fatal("poll");
		if (p[0].revents != 0)
			reap();
		if (p[1].revents != 0)
			read_master();
	}
}

int
main(int argc, char *argv[], char *envp[])
{
	sigset_t chld;

	setproctitle_init(argc, argv, envp);
	sandbox_root();
	conf_section_recv(FD_CONF, &conf, sizeof(conf));
	log_init("zygote", FD_LOG, conf.common.log_format, conf.common.log_level,
	    conf.common.log_to == LOG_TO_SYSLOG);
	setproctitle("-ided: zygote");
	signal(SIGPIPE, SIG_IGN);
	/* The channel to isolation says only that isolation lives; a worker
	 * must not hold it. */
	close(FD_PARENT);
	chan_init(&to_master, FD_MASTER, P_ZYGOTE, P_MASTER, NULL, NULL, NULL, NULL);

	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &chld, NULL) == -1)
		fatal("sigprocmask");
	child_signal = signalfd(-1, &chld, SFD_NONBLOCK | SFD_CLOEXEC);
	if (child_signal == -1)
		fatal("signalfd");
	tzset();
	text_large();
	worker_prepare(&conf);
	worker_filter = sandbox_compile_less(&sandbox_worker, &sandbox_zygote);
	children_grow();
	heap_settle();
	sandbox_enter(&sandbox_zygote);
	if (chan_send(&to_master, M_READY, 0, -1, NULL, 0) == -1)
		fatalx("master is gone");
	run();
	return 0;
}
