/*
 * From nothing to a running ide-session, in two halves.
 *
 * isolation forks a process that makes what needs no user: namespaces, root,
 * system, devices, interfaces, and the sandbox's first process, which gives up all
 * that it will not need, becomes ide-session and waits.  Both wait for a user, maybe
 * for long: that is a spare.  With the user's name the set-up goes back to the host
 * for the home, finishes the root and tells the first process who it is.  While that
 * becomes the user the set-up joins the network.  It leaves after that, so that
 * ide-session is nobody's child here and outlives ided.  isolation waits for none of
 * it: it reads the report when there is one.
 */
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <bsd/string.h>
#include <bsd/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../fdpass.h"
#include "../log.h"
#include "../spawn.h"
#include "box.h"
#include "isolation.h"
#include "jobs.h"
#include "sandbox_cgroup.h"
#include "sandbox_steps.h"
#include "seccomp_user.h"

#define PROGRAM "ide-session"

/* The first process's; the exec closes it. */
#define FD_PROGRAM (FD_SESSION_LAST + 1)

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif

static int program = -1;

/*
 * A sealed copy of the executable: what runs inside can then not even try to
 * write to the host's file through /proc/self/exe.
 */
static int
program_copy(const char *path)
{
	char buf[65536];
	struct stat st;
	ssize_t n;
	int from, to;

	from = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (from == -1)
		fatal("%s", path);
	if (fstat(from, &st) == -1 || !S_ISREG(st.st_mode) || st.st_uid != 0 ||
	    (st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		fatalx("%s: must be a file of root that nobody else may write", path);
	to = memfd_create(PROGRAM, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
	if (to == -1 && errno == EINVAL)
		to = memfd_create(PROGRAM, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (to == -1)
		fatal("memory file for %s", path);
	while ((n = read(from, buf, sizeof(buf))) > 0)
		if (write(to, buf, (size_t)n) != n)
			fatal("copying %s", path);
	if (n == -1 || fchmod(to, 0555) == -1 ||
	    fcntl(to, F_ADD_SEALS,
		F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) == -1)
		fatal("copying %s", path);
	close(from);
	return to;
}

const struct strategy *
strategy_of(uint8_t kind)
{
	return kind == ISOLATION_DIRECTORY ? &strategy_directory : &strategy_namespace;
}

void
sandbox_prepare(void)
{
	char path[PATH_MAX];

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", spawn_dir(), PROGRAM) >=
	    sizeof(path))
		fatalx("%s: path too long", PROGRAM);
	program = program_copy(path);
	seccomp_user_compile();
}

/*
 * A spare lives as long as isolation, and must not keep any of its channels
 * open: who waits for a channel's end would wait for the spare.
 */
int
setup_keep(struct setup *s)
{
	int keep[8 + CGROUP_TREES] = { log_get_fd(), s->report, program, s->dirs.homes,
		s->dirs.volumes, s->empty, isolation.hostns, isolation.users };

	return fds_keep(keep, 8 + cgroup_fds(&keep[8]));
}

/* In the first process: what it needs gets its place, everything else is closed. */
int
setup_fds(struct setup *s)
{
	int report, who, ruleset = -1, prog;

	report = fcntl(s->report, F_DUPFD_CLOEXEC, 64);
	who = fcntl(s->who, F_DUPFD_CLOEXEC, 64);
	prog = fcntl(program, F_DUPFD_CLOEXEC, 64);
	if (report == -1 || who == -1 || prog == -1)
		return -1;
	if (s->ruleset != -1 && (ruleset = fcntl(s->ruleset, F_DUPFD_CLOEXEC, 64)) == -1)
		return -1;
	/* The report is told of even if the rest fails. */
	s->report = FD_SESSION_REPORT;
	if (dup3(report, FD_SESSION_REPORT, O_CLOEXEC) == -1 ||
	    dup3(who, FD_SESSION_WHO, O_CLOEXEC) == -1 ||
	    dup3(prog, FD_PROGRAM, O_CLOEXEC) == -1)
		return -1;
	close(FD_SESSION_RULESET);
	if (ruleset != -1 && dup3(ruleset, FD_SESSION_RULESET, O_CLOEXEC) == -1)
		return -1;
	close(FD_SESSION_CONTROL);
	s->ruleset = ruleset == -1 ? -1 : FD_SESSION_RULESET;
	return (int)syscall(SYS_close_range, FD_PROGRAM + 1, ~0U, 0);
}

int
setup_stdio(struct setup *s)
{
	int fd;

	(void)s;
	fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (fd == -1 || dup2(fd, STDIN_FILENO) == -1 || dup2(fd, STDOUT_FILENO) == -1 ||
	    dup2(fd, STDERR_FILENO) == -1)
		return -1;
	close(fd);
	return 0;
}

void
signals_reset(void)
{
	sigset_t none;
	int i;

	for (i = 1; i < NSIG; i++)
		(void)signal(i, SIG_DFL);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* One message, with a descriptor or without (-1); 0, or -1 with errno. */
static int
setup_send(int to, const void *data, size_t len, int fd)
{
	const struct iovec iov = { (void *)(uintptr_t)data, len };

	return fdpass_send(to, &iov, 1, fd, 0) == (ssize_t)len ? 0 : -1;
}

/* 1 with a whole message, 0 at the end or with no sound one, -1 with errno EAGAIN. */
int
setup_recv(int from, void *data, size_t len, int *fd)
{
	struct iovec iov = { data, len };
	struct fdpass got;
	ssize_t n;

	n = fdpass_recv(from, &iov, 1, 0, &got);
	*fd = -1;
	if (n == -1)
		return errno == EAGAIN ? -1 : 0;
	if (n == (ssize_t)len && got.sound && !got.cut) {
		*fd = got.fd;
		return 1;
	}
	if (got.fd != -1)
		close(got.fd);
	return 0;
}

void
report_send(int to, const struct setup_report *r, int fd)
{
	(void)setup_send(to, r, sizeof(*r), fd);
}

/* A step failed: say which and why, and end. */
static void
failed(struct setup *s, const char *step)
{
	struct setup_report r;
	int error = errno;

	memset(&r, 0, sizeof(r));
	r.what = SETUP_FAILED;
	r.fault = s->fault;
	if (r.fault.code == 0)
		fault_set(&r.fault,
		    error == ENOSPC || error == EDQUOT     ? FAIL_NO_SPACE :
			error == EAGAIN || error == ENOMEM ? FAIL_BUSY :
							     FAIL_UNAVAILABLE,
		    "%s: %s", step, strerror(error));
	report_send(s->report, &r, -1);
	_exit(1);
}

static void
steps_run(struct setup *s, const struct setup_step *step)
{
	for (; step->fn != NULL; step++) {
		errno = 0;
		if (step->fn(s) == -1)
			failed(s, step->name);
	}
}

/* "+allowed,-denied.one"; "" where all are allowed. */
static void
extensions(const struct conf_ide *ide, char *buf, size_t size)
{
	uint32_t i;

	buf[0] = '\0';
	for (i = 0; i < ide->nextensions && i < CONF_EXTENSIONS_MAX; i++) {
		if (i > 0)
			strlcat(buf, ",", size);
		strlcat(buf, ide->extension[i].allow ? "+" : "-", size);
		strlcat(buf, ide->extension[i].id, size);
	}
}

/* The arguments of ide-session: see ide-session(8). */
static void
become_session(struct setup *s)
{
	const struct conf_ide *ide = &s->conf->ide;
	char path[] = "PATH=/usr/local/bin:/usr/bin:/bin";
	char title[] = PROGRAM, dir[] = "-i";
	char at[] = "-b", base[] = "/ide", root[] = "/", sep[] = "--";
	char option[] = "-p", proxy[CONF_DOMAIN_MAX + 32];
	char open_vsx[] = "-g", marketplace[] = "-m", gallery[CONF_GALLERY_MAX];
	char policy[] = "-e", rules[SESSION_EXTENSIONS_MAX];
	char name[sizeof("--app-name=") + CONF_NAME_MAX], auth[] = "--auth=password";
	char *argv[12 + SESSION_IDE_ARGS + 1], *envp[] = { path, NULL };
	unsigned int n = 0, i;
	int fd;

	argv[n++] = title;
	argv[n++] = dir;
	argv[n++] = s->path.ide;
	argv[n++] = at;
	argv[n++] = s->conf->auth.mode == AUTH_MULTI ? base : root;
	if (box_proxy_uri(s->conf, proxy, sizeof(proxy))) {
		argv[n++] = option;
		argv[n++] = proxy;
	}
	if (ide->gallery[0] != '\0') {
		memcpy(gallery, ide->gallery, sizeof(gallery));
		argv[n++] = ide->gallery_as == GALLERY_CODE_MARKETPLACE ? marketplace :
									  open_vsx;
		argv[n++] = gallery;
	}
	extensions(ide, rules, sizeof(rules));
	if (rules[0] != '\0') {
		argv[n++] = policy;
		argv[n++] = rules;
	}
	argv[n++] = sep;
	/* What it is called, and that one can leave it: its windows offer that then. */
	snprintf(name, sizeof(name), "--app-name=%s", s->conf->http.app_name);
	argv[n++] = name;
	if (s->conf->auth.mode != AUTH_NONE)
		argv[n++] = auth;
	for (i = 0; i < ide->nargs && i < CONF_ARG_MAX; i++)
		argv[n++] = (char *)(uintptr_t)ide->arg[i];
	argv[n] = NULL;
	/* These stay open; the program's is closed by the exec itself. */
	for (fd = FD_SESSION_REPORT; fd <= FD_SESSION_LAST; fd++)
		if (fcntl(fd, F_SETFD, 0) == -1 && fd != FD_SESSION_RULESET)
			failed(s, "passing descriptors");
	fexecve(FD_PROGRAM, argv, envp);
	(void)fcntl(FD_SESSION_REPORT, F_SETFD, FD_CLOEXEC);
	failed(s, "starting " PROGRAM);
}

/* The end of all strategies: what is left for a user is to become that. */
static const struct setup_step confined[] = {
	{ "opening /dev/null", setup_stdio },
	{ "setting limits", setup_limits },
	{ "giving up rights", setup_rights },
	{ "entering seccomp", setup_seccomp },
	{ NULL, NULL },
};

/* Back when it waits: what it mounts is then there. */
static void
first_make(struct setup *s)
{
	int pair[2], group;
	char byte;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1)
		failed(s, "making the first process");
	group = cgroup_fd(s->group);
	s->first = ns_clone(s->strategy->last, group, &s->first_pid);
	if (s->first == -1)
		failed(s, "making the first process");
	if (s->first == 0) {
		s->who = pair[1];
		steps_run(s, s->strategy->inside);
		steps_run(s, confined);
		become_session(s);
	}
	if (group != -1)
		close(group);
	close(pair[1]);
	s->who = pair[0];
	/* It has told why, if it does not come so far. */
	if (read(s->who, &byte, 1) != 1)
		_exit(1);
}

/* The user comes with the control socket; no user comes when isolation ends. */
static void
await_user(struct setup *s)
{
	struct pollfd p[2] = { { s->report, POLLIN, 0 }, { s->who, POLLIN, 0 } };
	struct setup_report r;
	struct setup_who who;

	while (poll(p, 2, -1) == -1)
		if (errno != EINTR)
			_exit(1);
	/* It has nothing to say: that is its end. */
	if (p[1].revents != 0) {
		errno = ESRCH;
		failed(s, "waiting for a user");
	}
	if (setup_recv(s->report, &who, sizeof(who), &s->control) != 1 ||
	    s->control == -1)
		_exit(0);
	memcpy(s->user, who.user, sizeof(s->user));
	s->uid = who.uid;
	s->limits = who.limits;
	s->loop = who.loop;
	s->ide = who.ide;
	memset(&r, 0, sizeof(r));
	r.what = SETUP_RUNS;
	r.pid = s->first;
	report_send(s->report, &r, s->first_pid);
}

static void
first_tell(struct setup *s)
{
	static struct session_who who;

	strlcpy(who.user, s->user, sizeof(who.user));
	strlcpy(who.home, s->path.home, sizeof(who.home));
	strlcpy(who.run, s->path.run, sizeof(who.run));
	who.uid = s->uid;
	who.processes = limit_processes(&s->limits);
	who.ide = s->ide;
	if (setup_send(s->who, &who, sizeof(who), s->control) == -1)
		failed(s, "telling the first process its user");
}

static void
make(struct setup *s)
{
	struct setup_report r;

	signals_reset();
	setproctitle("-ided: sandbox set-up");
	(void)prctl(PR_SET_NAME, "ided-setup", 0, 0, 0);
	s->strategy->paths(s); /* the IDE's */
	steps_run(s, s->strategy->blank);
	first_make(s);
	steps_run(s, s->strategy->ready);
	await_user(s);
	s->strategy->paths(s);
	steps_run(s, s->strategy->owned);
	first_tell(s);
	steps_run(s, s->strategy->joined);
	memset(&r, 0, sizeof(r));
	r.what = SETUP_MADE;
	report_send(s->report, &r, -1);
	/* Its end is waited for, and an exit gives back memory first. */
	close(s->report);
	_exit(0);
}

pid_t
sandbox_start(int report, uint32_t group)
{
	static struct setup s;
	pid_t pid;

	pid = ns_clone(0, -1, NULL);
	if (pid != 0)
		return pid;
	memset(&s, 0, sizeof(s));
	s.conf = &isolation.conf;
	s.strategy = strategy_of(s.conf->isolation.kind);
	s.group = group;
	s.report = report;
	s.dirs = storage_dirs();
	s.empty = isolation.empty;
	s.home = s.control = s.root = s.ownns = s.hostnet = s.ownnet = -1;
	s.ruleset = s.who = s.first_pid = s.loop = -1;
	make(&s);
	_exit(1);
}

int
sandbox_give(int to, const struct setup_who *who, int control)
{
	return setup_send(to, who, sizeof(*who), control);
}
