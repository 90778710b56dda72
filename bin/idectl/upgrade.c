/*
 * idectl upgrade: another ided in the place of the one that runs.  The listening
 * sockets stay open throughout, sandboxes go on, and a new one that would not
 * start leaves the old one as it is.
 *
 * Under a service manager it is the manager that keeps the sockets and starts the
 * new ided, with all that its unit says.  Elsewhere idectl starts it itself: what
 * runs as root is then started by root's own hand, and not by a process that has
 * given most of root up.
 */
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bsd/string.h>

#include "../../privsep/conf.h"
#include "idectl.h"

#define LISTEN_FIRST 3 /* sd_listen_fds(3) */
#define ARGS_MAX     72

/* The ided beside this idectl, unless another one is named. */
static const char *
program(const char *given)
{
	static char path[PATH_MAX];
	char *slash;
	ssize_t n;

	if (given != NULL)
		return given;
	n = readlink("/proc/self/exe", path, sizeof(path) - sizeof("/ided"));
	if (n <= 0)
		die("/proc/self/exe: %s", strerror(errno));
	path[n] = '\0';
	slash = strrchr(path, '/');
	if (slash == NULL)
		die("%s: no folder", path);
	/* There is room: see the readlink above. */
	strlcpy(slash, "/ided", sizeof(path) - (size_t)(slash - path));
	return path;
}

static int
wait_for(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) == -1)
		if (errno != EINTR)
			die("waitpid: %s", strerror(errno));
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void
become(const char *path, char *const argv[])
{
	execv(path, argv);
	fprintf(stderr, "idectl: %s: %s\n", path, strerror(errno));
	_exit(127);
}

/* It says itself what is wrong with it, or with the configuration. */
static void
check(const char *path, char *args[])
{
	char dash_n[] = "-n";
	char *argv[ARGS_MAX + 3];
	unsigned int i, n = 0;
	pid_t pid;

	argv[n++] = args[0];
	argv[n++] = dash_n;
	for (i = 1; args[i] != NULL; i++)
		argv[n++] = args[i];
	argv[n] = NULL;
	pid = fork();
	if (pid == -1)
		die("fork: %s", strerror(errno));
	if (pid == 0)
		become(path, argv);
	if (wait_for(pid) != 0)
		die("the new ided would not start; the old one goes on");
}

/* The sockets, and whether a service manager has them already. */
static bool
take_over(int fds[CONF_LISTEN_MAX], unsigned int *nfds)
{
	struct m_handover h = { 0, 0 };
	struct msg m;

	*nfds = 0;
	ctl_send(M_CTL_HANDOVER, -1, NULL, 0);
	for (;;) {
		ctl_recv(&m, 30);
		if (m.head.type == M_OK)
			return h.managed != 0;
		if (m.head.type == M_FAIL) {
			print_fail(MSG_DATA(&m, m_fail));
			exit(EXIT_FAILED);
		}
		if (m.head.type == M_CTL_HANDED)
			h = *MSG_DATA(&m, m_handover);
		else if (m.head.type == M_CTL_LISTEN && *nfds < CONF_LISTEN_MAX)
			fds[(*nfds)++] = msg_take_fd(&m);
	}
}

static void
leave(pid_t successor)
{
	struct m_leave l;
	struct msg m;

	memset(&l, 0, sizeof(l));
	l.pid = successor;
	ctl_send(M_CTL_LEAVE, -1, &l, sizeof(l));
	ctl_recv(&m, 30);
	if (m.head.type == M_FAIL)
		print_fail(MSG_DATA(&m, m_fail));
	if (m.head.type != M_OK)
		exit(EXIT_FAILED);
}

/* LISTEN_PID names the very process that is to have them. */
static pid_t
start(const char *path, char *args[], const int fds[], unsigned int nfds)
{
	char pid[16], count[16];
	int tmp[CONF_LISTEN_MAX];
	unsigned int i;
	pid_t child;

	child = fork();
	if (child == -1)
		die("fork: %s", strerror(errno));
	if (child != 0)
		return child;
	for (i = 0; i < nfds; i++)
		if ((tmp[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 128)) == -1)
			_exit(126);
	for (i = 0; i < nfds; i++)
		if (dup2(tmp[i], LISTEN_FIRST + (int)i) == -1)
			_exit(126);
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	snprintf(count, sizeof(count), "%u", nfds);
	if (setenv("LISTEN_PID", pid, 1) == -1 || setenv("LISTEN_FDS", count, 1) == -1)
		_exit(126);
	become(path, args);
	return -1;
}

int
upgrade_run(const char *given, char *options[])
{
	static int fds[CONF_LISTEN_MAX];
	const char *path = program(given);
	char *args[ARGS_MAX + 1];
	unsigned int nfds, n;
	pid_t pid;

	args[0] = (char *)(uintptr_t)path;
	for (n = 1; options[n - 1] != NULL; n++) {
		if (n == ARGS_MAX)
			die("too many options for ided");
		args[n] = options[n - 1];
	}
	args[n] = NULL;
	check(path, args);
	if (take_over(fds, &nfds)) {
		leave(0);
		print_end(SHAPE_TEXT, "the service manager starts the new ided");
		return EXIT_SUCCESS;
	}
	pid = start(path, args, fds, nfds);
	leave(pid);
	if (wait_for(pid) != 0)
		die("the old ided is gone and the new one did not start: see above");
	print_end(SHAPE_TEXT, "the new ided runs");
	return EXIT_SUCCESS;
}
