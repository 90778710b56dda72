/* Starting a long-lived process: see spawn.h. */
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <linux/capability.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "sandbox.h"
#include "spawn.h"

#ifndef LIBEXECDIR
#define LIBEXECDIR "/usr/local/libexec/ided"
#endif

struct account accounts[ACCOUNT_MAX] = {
	[ACCOUNT_MASTER] = { "_ided", 0, 0 },
	[ACCOUNT_WORKER] = { "_idedw", 0, 0 },
	[ACCOUNT_AUTH] = { "_ideda", 0, 0 },
	[ACCOUNT_KEYS] = { "_idedk", 0, 0 },
};

int
accounts_load(const char **missing)
{
	struct passwd *pw;
	unsigned int i;

	for (i = 0; i < ACCOUNT_MAX; i++) {
		pw = getpwnam(accounts[i].name);
		if (pw == NULL || pw->pw_uid == 0 || pw->pw_gid == 0) {
			*missing = accounts[i].name;
			return -1;
		}
		accounts[i].uid = pw->pw_uid;
		accounts[i].gid = pw->pw_gid;
	}
	return 0;
}

/*
 * Beside the running program when it runs out of its build tree (obj/ided),
 * else where `make install' puts the helpers.
 */
const char *
spawn_dir(void)
{
	static char dir[PATH_MAX];
	char probe[PATH_MAX + 32];
	char *slash;
	ssize_t n;

	if (dir[0] != '\0')
		return dir;
	n = readlink("/proc/self/exe", dir, sizeof(dir) - 1);
	if (n <= 0)
		fatal("/proc/self/exe");
	dir[n] = '\0';
	slash = strrchr(dir, '/');
	if (slash == NULL)
		fatalx("%s: not a path", dir);
	*slash = '\0';
	snprintf(probe, sizeof(probe), "%s/ided-isolation", dir);
	if (access(probe, X_OK) == -1 &&
	    (size_t)snprintf(dir, sizeof(dir), "%s", LIBEXECDIR) >= sizeof(dir))
		fatalx("%s: too long", LIBEXECDIR);
	return dir;
}

/* In the child only: no message can be had from here but the exit code. */
#define MUST(x, code)                                                                    \
	do {                                                                             \
		if ((x) == -1)                                                           \
			_exit(code);                                                     \
	} while (0)

/* Put the descriptors where the program expects them, and close the rest. */
static void
place_fds(const struct spawn *s)
{
	const int from[] = { s->parent, s->conf, s->root, s->log, s->extra, s->master };
	int tmp[6];
	int i, null;

	/* First out of the way of one another, then into place. */
	for (i = 0; i < 6; i++) {
		tmp[i] = -1;
		if (from[i] != -1)
			MUST(tmp[i] = fcntl(from[i], F_DUPFD_CLOEXEC, 64), 120);
	}
	for (i = 0; i < 6; i++) {
		if (tmp[i] == -1)
			close(FD_PARENT + i);
		else
			MUST(dup2(tmp[i], FD_PARENT + i), 121);
	}
	MUST(null = open("/dev/null", O_RDWR | O_CLOEXEC), 122);
	MUST(dup2(null, STDIN_FILENO), 122);
	MUST(dup2(null, STDOUT_FILENO), 122);
	MUST(dup2(s->log != -1 ? FD_LOG : null, STDERR_FILENO), 122);
	MUST(syscall(SYS_close_range, FD_FIRST_FREE, ~0U, 0), 123);
}

/* Become the account, with CAP_SYS_CHROOT alone, and only for the first thing
 * that the program does (sandbox_root). */
static void
become(uint32_t uid, uint32_t gid)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct d[2];
	int cap;

	for (cap = 0; cap <= 63; cap++)
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == -1 && errno != EINVAL)
			_exit(124);
	MUST(prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0), 124);
	MUST(setgroups(0, NULL), 124);
	MUST(setresgid(gid, gid, gid), 124);
	MUST(setresuid(uid, uid, uid), 124);
	memset(d, 0, sizeof(d));
	d[0].effective = d[0].permitted = d[0].inheritable = 1U << CAP_SYS_CHROOT;
	MUST(syscall(SYS_capset, &h, d), 124);
	MUST(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_SYS_CHROOT, 0, 0), 124);
	MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 124);
}

static void
reset_signals(void)
{
	sigset_t none;
	int i;

	for (i = 1; i < NSIG; i++)
		signal(i, SIG_DFL); /* fails for KILL and STOP, as it should */
	sigemptyset(&none);
	MUST(sigprocmask(SIG_SETMASK, &none, NULL), 125);
}

pid_t
spawn(const struct spawn *s)
{
	char path[PATH_MAX];
	int program;
	pid_t pid;

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", spawn_dir(), s->program) >=
	    sizeof(path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	pid = fork();
	if (pid != 0)
		return pid;
	reset_signals();
	setsid();
	place_fds(s);
	if (s->memlock != 0) {
		struct rlimit r = { s->memlock, s->memlock };

		(void)setrlimit(RLIMIT_MEMLOCK, &r); /* the program checks */
	}
	/* Found as root: the account may not see the folder, which may be root's. */
	program = open(path, O_PATH | O_CLOEXEC);
	if (s->uid != 0)
		become(s->uid, s->gid);
	if (program != -1)
		syscall(SYS_execveat, program, "", s->argv, s->envp, AT_EMPTY_PATH);
	fatal("%s", path); /* stderr is the log */
}
