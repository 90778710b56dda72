/*
 * From nothing to a running ide-session.
 *
 * isolation forks a helper, which does what needs the host (control group,
 * home) and clones the sandbox's first process into its namespaces; that one
 * builds the root, gives up everything and becomes ide-session.  The helper
 * then leaves, so that ide-session is nobody's child here and outlives ided.
 * isolation waits for none of it: it reads the report when there is one.
 */
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../log.h"
#include "../spawn.h"
#include "box.h"
#include "sandbox_steps.h"

#define PROGRAM "ide-session"

/* Descriptors of ide-session: its control socket, and the report, which it
 * closes when it listens. */
#define FD_CONTROL 3
#define FD_REPORT  4
#define FD_PROGRAM 5
#define FD_LAST    5

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif

static int program = -1;

static int setup_enter_empty(struct setup *);
static int setup_stdio(struct setup *);
static int setup_fds(struct setup *);

/* In the host's namespaces, as root. */
static const struct setup_step outside[] = {
	{ "entering the control group", setup_cgroup },
	{ "opening the home", setup_home },
	{ "taking the home", setup_home_tree },
	{ "entering the empty folder", setup_enter_empty },
	{ NULL, NULL },
};

/* In the sandbox's own namespaces; the order is part of the design. */
static const struct setup_step inside[] = {
	{ "closing descriptors", setup_fds },
	{ "making mounts private", setup_private },
	{ "naming the host", setup_hostname },
	{ "starting the loopback interface", setup_loopback },
	{ "mounting the root", setup_root },
	{ "writing /etc", setup_etc },
	{ "binding the system", setup_binds },
	{ "making /dev", setup_dev },
	{ "mounting /proc", setup_proc },
	{ "mounting /tmp", setup_tmp },
	{ "mounting the home", setup_home_mount },
	{ "leaving the host's root", setup_pivot },
	{ "opening /dev/null", setup_stdio },
	{ "setting limits", setup_limits },
	{ "becoming the user", setup_user },
	{ "entering Landlock", setup_landlock },
	{ "entering seccomp", setup_seccomp },
	{ NULL, NULL },
};

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

static int
setup_enter_empty(struct setup *s)
{
	return fchdir(s->empty);
}

/* What is needed from here on gets its place, everything else is closed. */
static int
setup_fds(struct setup *s)
{
	int control, report, prog, home;

	control = fcntl(s->control, F_DUPFD_CLOEXEC, 32);
	report = fcntl(s->report, F_DUPFD_CLOEXEC, 32);
	prog = fcntl(program, F_DUPFD_CLOEXEC, 32);
	home = fcntl(s->home, F_DUPFD_CLOEXEC, 32);
	if (control == -1 || report == -1 || prog == -1 || home == -1)
		return -1;
	/* The report is told of even if the rest fails. */
	s->report = FD_REPORT;
	if (dup3(report, FD_REPORT, O_CLOEXEC) == -1 ||
	    dup3(control, FD_CONTROL, O_CLOEXEC) == -1 ||
	    dup3(prog, FD_PROGRAM, O_CLOEXEC) == -1 ||
	    dup3(home, FD_LAST + 1, O_CLOEXEC) == -1)
		return -1;
	s->home = FD_LAST + 1;
	return (int)syscall(SYS_close_range, FD_LAST + 2, ~0U, 0);
}

static int
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

static void
reset_signals(void)
{
	sigset_t none;
	int i;

	for (i = 1; i < NSIG; i++)
		(void)signal(i, SIG_DFL);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static void
report_send(int to, const struct setup_report *r, int fd)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int))];
	} ctl;
	struct iovec iov = { (void *)(uintptr_t)r, sizeof(*r) };
	struct msghdr m;
	struct cmsghdr *cm;

	memset(&m, 0, sizeof(m));
	m.msg_iov = &iov;
	m.msg_iovlen = 1;
	if (fd != -1) {
		memset(&ctl, 0, sizeof(ctl));
		m.msg_control = ctl.buf;
		m.msg_controllen = sizeof(ctl.buf);
		cm = CMSG_FIRSTHDR(&m);
		cm->cmsg_level = SOL_SOCKET;
		cm->cmsg_type = SCM_RIGHTS;
		cm->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cm), &fd, sizeof(int));
	}
	(void)sendmsg(to, &m, MSG_NOSIGNAL);
}

/* A step failed: say which and why, and end. */
static void
failed(struct setup *s, const char *step)
{
	struct setup_report r;
	int error = errno;

	memset(&r, 0, sizeof(r));
	r.failed = 1;
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

/* The arguments of ide-session: see ide-session(8). */
static void
become_session(struct setup *s)
{
	const struct conf_ide *ide = &s->conf->ide;
	char path[] = "PATH=/usr/local/bin:/usr/bin:/bin";
	char title[] = PROGRAM, user[] = "-u", sep[] = "--";
	char *argv[4 + CONF_ARG_MAX + 1], *envp[] = { path, NULL };
	unsigned int n = 0, i;
	int fd;

	argv[n++] = title;
	argv[n++] = user;
	argv[n++] = s->user;
	argv[n++] = sep;
	for (i = 0; i < ide->nargs && i < CONF_ARG_MAX; i++)
		argv[n++] = (char *)(uintptr_t)ide->arg[i];
	argv[n] = NULL;
	/* These two stay open; the program's is closed by the exec itself. */
	for (fd = FD_CONTROL; fd <= FD_REPORT; fd++)
		if (fcntl(fd, F_SETFD, 0) == -1)
			failed(s, "passing descriptors");
	fexecve(FD_PROGRAM, argv, envp);
	(void)fcntl(FD_REPORT, F_SETFD, FD_CLOEXEC);
	failed(s, "starting " PROGRAM);
}

static void
helper(struct setup *s)
{
	struct setup_report r;
	int pidfd = -1;
	pid_t pid;

	reset_signals();
	(void)prctl(PR_SET_NAME, "ided-setup", 0, 0, 0);
	steps_run(s, outside);
	pid = ns_clone(ns_flags(&s->conf->isolation), -1, &pidfd);
	if (pid == -1)
		failed(s, "making namespaces");
	if (pid == 0) {
		steps_run(s, inside);
		become_session(s);
	}
	memset(&r, 0, sizeof(r));
	r.pid = pid;
	report_send(s->report, &r, pidfd);
	_exit(0);
}

pid_t
sandbox_start(const struct setup *s)
{
	struct setup copy = *s;
	pid_t pid;
	int cgroup, error;

	cgroup = cgroup_fd(s->uid);
	pid = ns_clone(0, cgroup, NULL);
	if (pid == 0)
		helper(&copy);
	error = errno;
	if (cgroup != -1)
		close(cgroup);
	errno = error;
	return pid;
}
