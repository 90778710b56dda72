/* Programs of the user: how they are started, and commands on demand. */
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../privsep/log.h"
#include "../../privsep/session_start.h"
#include "session.h"

#define RUNS_MAX 32
#define ARGS_MAX 1024

static struct run {
	bool used;
	struct chan *chan; /* NULL: nobody wants its status */
	uint32_t id;
	pid_t pid; /* 0: its descriptors are to come */
	struct m_exec *exec;
	int fd[3];
} runs[RUNS_MAX];

/* Where VS Code's server and its pages look for extensions. */
static void
gallery(char *line, size_t size)
{
	int n = (int)strcspn(session.gallery, "?#");
	const char *a = session.gallery;

	while (n > 0 && a[n - 1] == '/')
		n--;
	if (session.marketplace)
		snprintf(line, size,
		    "EXTENSIONS_GALLERY={\"serviceUrl\":\"%.*s/api\","
		    "\"itemUrl\":\"%.*s/item\",\"resourceUrlTemplate\":"
		    "\"%.*s/files/{publisher}/{name}/{version}/{path}\"}",
		    n, a, n, a, n, a);
	else
		snprintf(line, size,
		    "EXTENSIONS_GALLERY={\"serviceUrl\":\"%.*s/vscode/gallery\","
		    "\"itemUrl\":\"%.*s/vscode/item\",\"extensionUrlTemplate\":"
		    "\"%.*s/vscode/gallery/{publisher}/{name}/latest\","
		    "\"resourceUrlTemplate\":\"%.*s/vscode/asset/{publisher}/{name}/"
		    "{version}/Microsoft.VisualStudio.Code.WebResources/{path}\"}",
		    n, a, n, a, n, a, n, a);
}

/* A fresh environment: nothing of ours and nothing of the host's. */
static char *const *
environment(void)
{
	static char lines[15][PATH_LEN * 2 + 64];
	static char rules[sizeof("IDED_EXTENSIONS=") + SESSION_EXTENSIONS_MAX];
	static char *env[17];
	unsigned int n = 0, i;

	if (env[0] != NULL)
		return env;
	snprintf(lines[n++], sizeof(lines[0]), "HOME=%s", session.home);
	snprintf(lines[n++], sizeof(lines[0]), "USER=%s", session.user);
	snprintf(lines[n++], sizeof(lines[0]), "LOGNAME=%s", session.user);
	snprintf(lines[n++], sizeof(lines[0]), "SHELL=%s",
	    access("/bin/bash", X_OK) == 0 ? "/bin/bash" : "/bin/sh");
	snprintf(lines[n++], sizeof(lines[0]),
	    "PATH=%s/.local/bin:/usr/local/bin:/usr/bin:/bin:%s/%s", session.home,
	    session.ide, IDE_CLI);
	/* As VS Code's own scripts want it. */
	snprintf(
	    lines[n++], sizeof(lines[0]), "NODE_EXEC_PATH=%s/%s", session.ide, IDE_NODE);
	if (session.windows[0] != '\0')
		snprintf(lines[n++], sizeof(lines[0]), "CODE_SERVER_SESSION_SOCKET=%s",
		    session.windows);
	snprintf(lines[n++], sizeof(lines[0]), "LANG=C.UTF-8");
	snprintf(lines[n++], sizeof(lines[0]), "XDG_RUNTIME_DIR=%s/user", session.run);
	snprintf(
	    lines[n++], sizeof(lines[0]), "XDG_CONFIG_HOME=%s/.config", session.home);
	snprintf(
	    lines[n++], sizeof(lines[0]), "XDG_DATA_HOME=%s/.local/share", session.home);
	snprintf(lines[n++], sizeof(lines[0]), "XDG_CACHE_HOME=%s/.cache", session.home);
	if (session.proxy != NULL)
		snprintf(
		    lines[n++], sizeof(lines[0]), "VSCODE_PROXY_URI=%s", session.proxy);
	if (session.gallery != NULL)
		gallery(lines[n++], sizeof(lines[0]));
	/* With the host's /tmp, one that others do not share. */
	if (getpid() != 1) {
		snprintf(lines[n], sizeof(lines[0]), "TMPDIR=%s/tmp", session.run);
		(void)mkdir(strchr(lines[n++], '=') + 1, 0700);
	}
	for (i = 0; i < n; i++)
		env[i] = lines[i];
	if (session.rules != NULL) {
		snprintf(rules, sizeof(rules), "IDED_EXTENSIONS=%s", session.rules);
		env[n] = rules;
	}
	return env;
}

/* When memory runs out, any of these is to end before the session itself. */
static void
prefer_as_victim(void)
{
	int fd;

	/* What is undumpable has a /proc of root's. */
	(void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	if (fd == -1)
		return;
	(void)!write(fd, "300", 3);
	close(fd);
}

/* fd 0..2 of it as given; everything else of ours is close-on-exec. */
pid_t
run_program(char *const argv[], const int fd[3])
{
	static const char nofile[] = "cannot be started: ";
	char *const *env;
	sigset_t none;
	pid_t pid;
	int i, tmp[3];

	env = environment(); /* not in the child, whose pid is never 1 */
	pid = fork();
	if (pid != 0)
		return pid;
	setsid();
	for (i = 1; i < NSIG; i++)
		(void)signal(i, SIG_DFL);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	for (i = 0; i < 3; i++)
		if ((tmp[i] = fcntl(fd[i], F_DUPFD_CLOEXEC, 16)) == -1)
			_exit(126);
	for (i = 0; i < 3; i++)
		if (dup2(tmp[i], i) == -1)
			_exit(126);
	/* From here on the user's other programs may trace it: nothing of ours is
	 * open any more. */
	if (syscall(SYS_close_range, STDERR_FILENO + 1, ~0U, 0) == -1)
		_exit(126);
	prefer_as_victim();
	if (chdir(session.home) == -1)
		_exit(126);
	environ = (char **)(uintptr_t)env;
	execvp(argv[0], argv);
	i = errno == ENOENT ? 127 : 126;
	(void)!write(STDERR_FILENO, argv[0], strlen(argv[0]));
	(void)!write(STDERR_FILENO, ": ", 2);
	(void)!write(STDERR_FILENO, nofile, sizeof(nofile) - 1);
	(void)!write(STDERR_FILENO, i == 127 ? "not found\n" : "no permission\n",
	    i == 127 ? 10 : 14);
	_exit(i);
}

static void
run_free(struct run *r)
{
	unsigned int i;

	for (i = 0; i < 3; i++)
		if (r->fd[i] != -1)
			close(r->fd[i]);
	free(r->exec);
	memset(r, 0, sizeof(*r));
}

void
run_exec(struct chan *c, struct msg *m)
{
	struct run *r = NULL;
	unsigned int i;

	for (i = 0; i < RUNS_MAX && r == NULL; i++)
		if (!runs[i].used)
			r = &runs[i];
	if (r == NULL || (r->exec = malloc(sizeof(*r->exec))) == NULL) {
		session_fail(c, m->head.id, FAIL_BUSY, "too many commands at once");
		return;
	}
	*r->exec = *MSG_DATA(m, m_exec);
	r->used = true;
	r->chan = c;
	r->id = m->head.id;
	r->fd[0] = r->fd[1] = r->fd[2] = -1;
}

static bool
split(struct m_exec *x, char *argv[ARGS_MAX + 1])
{
	uint32_t at = 0, n;
	size_t len;

	if (x->argc == 0 || x->argc > ARGS_MAX || x->len > sizeof(x->argv))
		return false;
	for (n = 0; n < x->argc; n++) {
		len = strnlen(x->argv + at, x->len - at);
		if (len == x->len - at)
			return false;
		argv[n] = x->argv + at;
		at += (uint32_t)len + 1;
	}
	argv[n] = NULL;
	return at == x->len;
}

static void
start(struct run *r)
{
	static char *argv[ARGS_MAX + 1];
	unsigned int i;

	r->pid = split(r->exec, argv) ? run_program(argv, r->fd) : -1;
	if (r->pid == -1) {
		session_fail(r->chan, r->id, FAIL_UNAVAILABLE, "no new process");
		run_free(r);
		return;
	}
	for (i = 0; i < 3; i++) {
		close(r->fd[i]);
		r->fd[i] = -1;
	}
	free(r->exec);
	r->exec = NULL;
}

void
run_exec_fd(struct chan *c, struct msg *m)
{
	uint32_t which = MSG_DATA(m, m_exec_fd)->which;
	struct run *r = NULL;
	unsigned int i;

	for (i = 0; i < RUNS_MAX && r == NULL; i++)
		if (runs[i].used && runs[i].chan == c && runs[i].pid == 0 &&
		    runs[i].id == m->head.id)
			r = &runs[i];
	if (r == NULL || which > 2 || r->fd[which] != -1)
		return;
	r->fd[which] = msg_take_fd(m);
	if (r->fd[0] != -1 && r->fd[1] != -1 && r->fd[2] != -1)
		start(r);
}

/* The asker is gone; what runs goes on, and finds its pipes closed. */
void
run_forget(const struct chan *c)
{
	unsigned int i;

	for (i = 0; i < RUNS_MAX; i++) {
		if (!runs[i].used || runs[i].chan != c)
			continue;
		runs[i].chan = NULL;
		if (runs[i].pid == 0)
			run_free(&runs[i]);
	}
}

bool
run_reap(pid_t pid, int status)
{
	struct m_exit x;
	unsigned int i;

	for (i = 0; i < RUNS_MAX; i++)
		if (runs[i].used && runs[i].pid == pid)
			break;
	if (i == RUNS_MAX)
		return false;
	memset(&x, 0, sizeof(x));
	x.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	if (runs[i].chan != NULL)
		chan_send(runs[i].chan, M_SESSION_EXIT, runs[i].id, -1, &x, sizeof(x));
	run_free(&runs[i]);
	return true;
}
