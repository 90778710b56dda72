/* Processes, signals, priorities and identities. */
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include <linux/capability.h>
#include <linux/securebits.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "probe.h"

static void
q_kill(char **arg)
{
	result(kill(atoi(arg[1]), atoi(arg[2])));
}

/* Every process that there is, for this one. */
static void
q_pids(char **arg)
{
	pid_t pid;

	(void)arg;
	for (pid = 1; pid <= 65536; pid++)
		if (kill(pid, 0) == 0 || errno != ESRCH)
			printf("%d ", (int)pid);
	printf("\n");
}

static void
q_ptrace(char **arg)
{
	long r = ptrace(PTRACE_SEIZE, atoi(arg[1]), NULL, NULL);

	result(r);
	if (r == 0)
		(void)ptrace(PTRACE_DETACH, atoi(arg[1]), NULL, NULL);
}

static void
q_vmread(char **arg)
{
	char buf[8];
	struct iovec here = { buf, sizeof(buf) }, there = { (void *)0x10000, 8 };

	result(process_vm_readv(atoi(arg[1]), &here, 1, &there, 1, 0));
}

static void
q_pidfd(char **arg)
{
	int fd = (int)syscall(SYS_pidfd_open, atoi(arg[1]), 0);

	result(fd == -1 ? -1 : 0);
	if (fd != -1)
		close(fd);
}

static void
q_setuid(char **arg)
{
	result(setresuid((uid_t)atoi(arg[1]), (uid_t)atoi(arg[1]), (uid_t)atoi(arg[1])));
}

static void
q_setgroups(char **arg)
{
	gid_t g = (gid_t)atoi(arg[1]);

	result(syscall(SYS_setgroups, 1, &g));
}

void
ids(void)
{
	uid_t r, e, s;

	(void)getresuid(&r, &e, &s);
	printf("%u %u %u\n", r, e, s);
}

static void
q_ids(char **arg)
{
	(void)arg;
	ids();
}

/* Signals of input and output go to whom F_SETOWN names. */
static void
q_owner(char **arg)
{
	int p[2];

	if (pipe(p) == -1)
		result(-1);
	else
		result(fcntl(p[0], F_SETOWN, atoi(arg[1])));
}

static void
q_queue_signal(char **arg)
{
	union sigval v = { 0 };

	result(sigqueue(atoi(arg[1]), atoi(arg[2]), v));
}

static void
q_thread_signal(char **arg)
{
	result(syscall(SYS_tgkill, atoi(arg[1]), atoi(arg[1]), atoi(arg[2])));
}

/* Another's memory to be reaped, by a pidfd; and its descriptors to be taken. */
static void
q_pidfd_get(char **arg)
{
	int fd = (int)syscall(SYS_pidfd_open, atoi(arg[1]), 0);

	result(fd == -1 ? -1 : syscall(438, fd, 0, 0));
}

static void
q_nice(char **arg)
{
	errno = 0;
	result(setpriority(PRIO_PROCESS, 0, atoi(arg[1])));
}

static void
q_priority(char **arg)
{
	result(setpriority(strcmp(arg[1], "user") == 0 ? PRIO_USER : PRIO_PROCESS,
	    (id_t)atoi(arg[2]), 19));
}

static void
q_realtime(char **arg)
{
	struct sched_param p = { .sched_priority = 1 };

	(void)arg;
	result(sched_setscheduler(0, SCHED_FIFO, &p));
}

static void
q_affinity(char **arg)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(0, &set);
	result(sched_setaffinity(atoi(arg[1]), sizeof(set), &set));
}

static void
q_ioprio(char **arg)
{
	(void)arg;
	/* The realtime class. */
	result(syscall(SYS_ioprio_set, 1, 0, 1 << 13));
}

static void
q_limit(char **arg)
{
	struct rlimit r;
	int what = strcmp(arg[1], "core") == 0 ? RLIMIT_CORE :
	    strcmp(arg[1], "nofile") == 0      ? RLIMIT_NOFILE :
	    strcmp(arg[1], "nproc") == 0       ? RLIMIT_NPROC :
						 RLIMIT_MEMLOCK;

	if (getrlimit((__rlimit_resource_t)what, &r) == -1) {
		result(-1);
		return;
	}
	r.rlim_max++;
	result(setrlimit((__rlimit_resource_t)what, &r));
}

static void
q_limit_of(char **arg)
{
	struct rlimit r;

	result(prlimit(atoi(arg[1]), RLIMIT_NOFILE, NULL, &r));
}

/* Another's limit, lowered for good. */
static void
q_limit_set(char **arg)
{
	struct rlimit r = { strtoul(arg[3], NULL, 0), strtoul(arg[3], NULL, 0) };
	int what = strcmp(arg[2], "cpu") == 0 ? RLIMIT_CPU :
	    strcmp(arg[2], "memory") == 0     ? RLIMIT_AS :
						RLIMIT_NOFILE;

	result(prlimit(atoi(arg[1]), (__rlimit_resource_t)what, &r, NULL));
}

/* Sockets and the like, beyond the three that a program is given. */
static long
held(pid_t pid)
{
	char path[64], to[64];
	struct dirent *de;
	long n = 0;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	d = opendir(path);
	while (d != NULL && (de = readdir(d)) != NULL)
		if (atoi(de->d_name) > STDERR_FILENO &&
		    readlinkat(dirfd(d), de->d_name, to, sizeof(to)) > 0)
			n += *to != '/';
	if (d != NULL)
		closedir(d);
	return n;
}

/* Stopped between its birth and its exec?  Let go in any case. */
static bool
unborn(pid_t pid, long *n)
{
	char path[64], exe[64];
	ssize_t len;
	bool yes;

	(void)ptrace(PTRACE_INTERRUPT, pid, NULL, NULL);
	if (waitpid(pid, NULL, __WALL) != pid)
		return false;
	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	len = readlink(path, exe, sizeof(exe));
	yes = len > 7 && strncmp(exe, "/memfd:", 7) == 0;
	*n = yes ? held(pid) : 0;
	(void)ptrace(PTRACE_DETACH, pid, NULL, NULL);
	return yes;
}

/*
 * Who is started by the first process is a copy of that until it becomes what it is to
 * be: to be caught before, with all that is open in there.
 */
static void
q_catch(char **arg)
{
	const time_t end = time(NULL) + atoi(arg[1]);
	pid_t pid = fork(), p;
	long caught = 0, n, most = 0;

	if (pid == 0)
		_exit(0);
	(void)waitpid(pid, NULL, 0);
	printf("catching\n");
	fflush(stdout);
	while (time(NULL) < end)
		for (p = pid + 1; p < pid + 4; p++) {
			if (ptrace(PTRACE_SEIZE, p, NULL, NULL) == -1)
				continue;
			if (unborn(p, &n)) {
				caught++;
				most = n > most ? n : most;
			}
			pid = p;
			break;
		}
	fprintf(stderr, "%ld caught\n", caught);
	printf("%ld descriptors\n", most);
}

/* Stopped half way out, by who traces it. */
static void
exit_slowly(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		(void)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		(void)raise(SIGSTOP);
		_exit(0);
	}
	(void)waitpid(pid, &status, 0);
	(void)ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACEEXIT);
	(void)ptrace(PTRACE_CONT, pid, NULL, NULL);
	(void)waitpid(pid, &status, 0);
}

/* Its parent waits for it in the kernel, and it has stopped. */
static void
stop_born(void)
{
	if (fork() == 0 && vfork() == 0) {
		(void)raise(SIGSTOP);
		_exit(0);
	}
}

/* A thread is left of a process whose first one has gone. */
static int
stay(void *arg)
{
	(void)arg;
	while (pause() == -1)
		;
	return 0;
}

static void
leave_thread(void)
{
	static char stack[4096] __attribute__((aligned(64)));

	if (fork() == 0) {
		(void)clone(stay, stack + sizeof(stack),
		    CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD,
		    NULL);
		(void)syscall(SYS_exit, 0);
	}
}

/* Processes that are hard to be rid of, and nobody listens to what asks them to go. */
static void
q_linger(char **arg)
{
	int i, n = atoi(arg[1]);

	for (i = 1; i < NSIG; i++)
		(void)signal(i, SIG_IGN);
	(void)signal(SIGCHLD, SIG_DFL);
	for (i = 0; i < n; i++) {
		exit_slowly();
		stop_born();
		leave_thread();
		if (fork() == 0)
			_exit(0); /* a zombie */
	}
	printf("lingering\n");
	fflush(stdout);
	while (pause() == -1)
		;
}

/* One capability, into all sets that one has. */
static void
q_capability(char **arg)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct d[2];

	memset(d, 0, sizeof(d));
	d[0].effective = d[0].permitted = d[0].inheritable = 1U << atoi(arg[1]);
	result(syscall(SYS_capset, &h, d));
}

static void
q_prctl(char **arg)
{
	result(prctl(atoi(arg[1]), strtoul(arg[2], NULL, 0), strtoul(arg[3], NULL, 0),
	    strtoul(arg[4], NULL, 0), 0));
}

static void
q_setns(char **arg)
{
	int fd = open(arg[1], O_RDONLY | O_CLOEXEC);

	result(fd == -1 ? -1 : setns(fd, 0));
}

static void
q_unshare(char **arg)
{
	result(unshare((int)strtoul(arg[1], NULL, 0)));
}

/* Die as a program does that has a fault: is a core left, here or by the host's
 * program for it? */
static void
q_crash(char **arg)
{
	int status;
	pid_t pid = fork();

	(void)arg;
	if (pid == 0) {
		if (chdir("/tmp") == -1)
			_exit(1);
		abort();
	}
	(void)waitpid(pid, &status, 0);
	printf("SIG%s %s\n", sigabbrev_np(WTERMSIG(status)),
	    WCOREDUMP(status) ? "core" : "no core");
}

const struct question process_questions[] = {
	{ "kill", q_kill },
	{ "pids", q_pids },
	{ "ptrace", q_ptrace },
	{ "vmread", q_vmread },
	{ "pidfd", q_pidfd },
	{ "pidfd-get", q_pidfd_get },
	{ "owner", q_owner },
	{ "queue-signal", q_queue_signal },
	{ "thread-signal", q_thread_signal },
	{ "nice", q_nice },
	{ "priority", q_priority },
	{ "realtime", q_realtime },
	{ "affinity", q_affinity },
	{ "ioprio", q_ioprio },
	{ "limit", q_limit },
	{ "limit-of", q_limit_of },
	{ "limit-set", q_limit_set },
	{ "catch", q_catch },
	{ "linger", q_linger },
	{ "setuid", q_setuid },
	{ "setgroups", q_setgroups },
	{ "ids", q_ids },
	{ "capability", q_capability },
	{ "prctl", q_prctl },
	{ "setns", q_setns },
	{ "unshare", q_unshare },
	{ "crash", q_crash },
	{ NULL, NULL },
};
