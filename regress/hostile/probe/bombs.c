/*
 * What takes until it is refused, and gives all of it back.  The answer is the
 * refusal; how much there was is said by the caller's own means.
 */
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "probe.h"

#define MOST 2000000 /* then it is no refusal */

/* Nothing of this is for a place without bounds. */
static bool
bounded(void)
{
	return getuid() != 0 && access("/run/ide", F_OK) == 0 &&
	    access("/sys", F_OK) == -1;
}

/* How many there were, for a person, and the refusal. */
static void
refusal(long n, int error)
{
	fprintf(stderr, "%ld\n", n);
	errno = error;
	result(n < MOST ? -1 : 0);
}

static void
q_forks(char **arg)
{
	static pid_t pid[65536];
	long n, i;
	int error = 0;

	for (n = 0; n < 65536; n++) {
		pid[n] = fork();
		if (pid[n] == 0) {
			pause();
			_exit(0);
		}
		if (pid[n] == -1) {
			error = errno;
			break;
		}
	}
	fprintf(stderr, "%ld\n", n);
	/* For as long as it is asked, others see what that does. */
	sleep((unsigned int)atoi(arg[1]));
	for (i = 0; i < n; i++)
		(void)kill(pid[i], SIGKILL);
	while (waitpid(-1, NULL, 0) > 0)
		;
	errno = error;
	result(error == 0 ? 0 : -1);
}

/* Threads, by the bare call: they have no thread of ours to come back to. */
static int
thread(void *arg)
{
	(void)arg;
	while (pause() == -1)
		;
	return 0;
}

static void
q_threads(char **arg)
{
	static char stacks[65536][512] __attribute__((aligned(64)));
	int status, error = 0;
	pid_t pid = fork();
	long n;

	(void)arg;
	if (pid == 0) {
		for (n = 0; n < 65536; n++)
			if (clone(thread, stacks[n] + sizeof(stacks[n]),
				CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND |
				    CLONE_THREAD,
				NULL) == -1)
				break;
		_exit(n < 65536 ? errno : 0);
	}
	(void)waitpid(pid, &status, 0);
	error = WEXITSTATUS(status);
	refusal(0, error);
}

static void
q_memory(char **arg)
{
	size_t i, mb = strtoul(arg[1], NULL, 0);
	char *p;

	for (i = 0; i < mb; i++) {
		p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (p == MAP_FAILED)
			break;
		memset(p, 1, 1 << 20);
	}
	printf("%zu MB\n", i);
}

/* A file, to the end of the room for it. */
static void
q_fill(char **arg)
{
	static char block[1 << 20];
	int fd = open(arg[1], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), error;
	long n = 0;

	memset(block, 1, sizeof(block));
	while (fd != -1 && n < MOST && write(fd, block, sizeof(block)) > 0)
		n++;
	error = errno;
	(void)unlink(arg[1]);
	refusal(n, error);
}

static void
q_inodes(char **arg)
{
	char name[PATH_MAX];
	long n, i;
	int fd, error = 0;

	if (mkdir(arg[1], 0700) == -1) {
		result(-1);
		return;
	}
	for (n = 0; n < MOST; n++) {
		snprintf(name, sizeof(name), "%s/%ld", arg[1], n);
		fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (fd == -1) {
			error = errno;
			break;
		}
		close(fd);
	}
	for (i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "%s/%ld", arg[1], i);
		(void)unlink(name);
	}
	(void)rmdir(arg[1]);
	refusal(n, error);
}

static void
q_descriptors(char **arg)
{
	long n = 0;

	(void)arg;
	while (n < MOST && dup(STDIN_FILENO) != -1)
		n++;
	refusal(n, errno);
}

/* Descriptors in messages that nobody takes: they are open in no process. */
static void
q_inflight(char **arg)
{
	int p[2], fds[200], i, error = 0;
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(fds))];
	} ctl;
	struct iovec iov = { (void *)(uintptr_t) "x", 1 };
	struct msghdr m;
	struct cmsghdr *cm;
	long n = 0;

	(void)arg;
	for (i = 0; i < 200; i++)
		fds[i] = STDIN_FILENO;
	memset(&m, 0, sizeof(m));
	memset(&ctl, 0, sizeof(ctl));
	m.msg_iov = &iov;
	m.msg_iovlen = 1;
	m.msg_control = ctl.buf;
	m.msg_controllen = sizeof(ctl.buf);
	cm = CMSG_FIRSTHDR(&m);
	cm->cmsg_level = SOL_SOCKET;
	cm->cmsg_type = SCM_RIGHTS;
	cm->cmsg_len = CMSG_LEN(sizeof(fds));
	memcpy(CMSG_DATA(cm), fds, sizeof(fds));
	for (i = 0; i < 4096 && error == 0; i++) {
		if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, p) == -1)
			error = errno;
		while (error == 0) {
			if (sendmsg(p[0], &m, 0) != -1)
				n += 200;
			else if (errno == EAGAIN)
				break;
			else
				error = errno;
		}
	}
	refusal(n, error);
}

static void
q_queues(char **arg)
{
	struct mq_attr attr = { .mq_maxmsg = 10, .mq_msgsize = 8192 };
	char name[32];
	long n;
	int error = 0;

	(void)arg;
	for (n = 0; n < 4096; n++) {
		snprintf(name, sizeof(name), "/bomb-%ld", n);
		if (mq_open(name, O_CREAT | O_RDWR, 0600, &attr) == (mqd_t)-1) {
			error = errno;
			break;
		}
	}
	refusal(n, error);
	while (n-- > 0) {
		snprintf(name, sizeof(name), "/bomb-%ld", n);
		(void)mq_unlink(name);
	}
}

static void
q_terminals(char **arg)
{
	long n = 0;

	(void)arg;
	while (n < 65536 && posix_openpt(O_RDWR | O_NOCTTY) != -1)
		n++;
	refusal(n, errno);
}

static void
q_timers(char **arg)
{
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	timer_t t;
	long n = 0;

	(void)arg;
	while (n < MOST && timer_create(CLOCK_MONOTONIC, &ev, &t) != -1)
		n++;
	refusal(n, errno);
}

/* Memory that is never paged out. */
static void
q_locked(char **arg)
{
	size_t size = strtoul(arg[1], NULL, 0) << 20;
	void *p = mmap(
	    NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	result(p == MAP_FAILED ? -1 : mlock(p, size));
}

static void
q_watches(char **arg)
{
	long n = 0;

	(void)arg;
	while (n < MOST && inotify_init1(IN_CLOEXEC) != -1)
		n++;
	refusal(n, errno);
}

static void
q_segments(char **arg)
{
	static int id[65536];
	long n, i;
	int error = 0;

	(void)arg;
	for (n = 0; n < 65536; n++)
		if ((id[n] = shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600)) == -1) {
			error = errno;
			break;
		}
	for (i = 0; i < n; i++)
		(void)shmctl(id[i], IPC_RMID, NULL);
	refusal(n, error);
}

/* Ten thousands of processes, one after the other: the host's numbers come round. */
static void
q_numbers(char **arg)
{
	long n, most = strtol(arg[1], NULL, 0);
	pid_t pid;

	for (n = 0; n < most; n++) {
		pid = fork();
		if (pid == 0)
			_exit(0);
		if (pid == -1)
			break;
		(void)waitpid(pid, NULL, 0);
	}
	result(n == most ? 0 : -1);
}

/* A connection to oneself, or datagrams to oneself: what is sent, nobody reads. */
static bool
to_oneself(int type, int fd[3])
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	socklen_t len = sizeof(in);
	int i;

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	fd[2] = -1;
	for (i = 0; i < 2; i++)
		if ((fd[i] = socket(AF_INET, type, 0)) == -1)
			return false;
	if (bind(fd[0], (void *)&in, sizeof(in)) == -1 ||
	    (type == SOCK_STREAM && listen(fd[0], 1) == -1) ||
	    getsockname(fd[0], (void *)&in, &len) == -1 ||
	    connect(fd[1], (void *)&in, sizeof(in)) == -1)
		return false;
	return type != SOCK_STREAM || (fd[2] = accept(fd[0], NULL, NULL)) != -1;
}

/* What waits in it, in bytes of the kernel's memory. */
static unsigned long
waits_in(int fd)
{
	unsigned int info[16];
	socklen_t len = sizeof(info);

	memset(info, 0, sizeof(info));
	(void)getsockopt(fd, SOL_SOCKET, 55 /* SO_MEMINFO */, info, &len);
	return (unsigned long)info[0] + info[5]; /* received, and to be sent */
}

/* In so many of them: do more MB wait than there may? */
static void
q_buffers(char **arg)
{
	static char block[60000];
	const int type = strcmp(arg[1], "udp") == 0 ? SOCK_DGRAM : SOCK_STREAM;
	const long sockets = strtol(arg[2], NULL, 0);
	const long most = strtol(arg[3], NULL, 0) << 20;
	long sum = 0, n;
	int fd[3], error = 0, i;

	for (n = 0; n < sockets && sum <= most; n++) {
		if (!to_oneself(type, fd)) {
			error = errno;
			break;
		}
		/* Datagrams that nobody has room for are no error. */
		for (i = 0; i < 1000 && (type == SOCK_STREAM || i < 16); i++)
			if (send(fd[1], block, sizeof(block), MSG_DONTWAIT) == -1) {
				error = errno;
				break;
			}
		for (i = 0; i < 3; i++)
			if (fd[i] != -1)
				sum += (long)waits_in(fd[i]);
	}
	fprintf(stderr, "%ld MB in %ld sockets, %s\n", sum >> 20, n, strerror(error));
	printf(sum > most ? "more\n" : "no more\n");
}

/* Sockets of netlink, with questions whose answers nobody reads: memory that the kernel
 * counts to nobody.  They stay, and so do we. */
static void
q_netlink(char **arg)
{
	struct {
		struct nlmsghdr head;
		struct ifinfomsg info;
	} ask;
	long n, most = strtol(arg[1], NULL, 0);
	int fd, i;

	memset(&ask, 0, sizeof(ask));
	ask.head.nlmsg_len = sizeof(ask);
	ask.head.nlmsg_type = RTM_GETLINK;
	ask.head.nlmsg_flags = NLM_F_REQUEST;
	ask.info.ifi_index = 1;
	for (n = 0; n < most; n++) {
		fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
		for (i = 0; i < 4 && fd != -1; i++)
			(void)send(fd, &ask, sizeof(ask), MSG_DONTWAIT);
	}
	sleep(60);
	result(0);
}

static const struct question bombs[] = {
	{ "forks", q_forks },
	{ "threads", q_threads },
	{ "memory", q_memory },
	{ "fill", q_fill },
	{ "inodes", q_inodes },
	{ "descriptors", q_descriptors },
	{ "inflight", q_inflight },
	{ "queues", q_queues },
	{ "terminals", q_terminals },
	{ "timers", q_timers },
	{ "locked", q_locked },
	{ "watches", q_watches },
	{ "segments", q_segments },
	{ "buffers", q_buffers },
	{ "netlink", q_netlink },
	{ "numbers", q_numbers },
	{ NULL, NULL },
};

static void
q_bomb(char **arg)
{
	const struct question *q;

	for (q = bombs; q->name != NULL; q++)
		if (bounded() && strcmp(q->name, arg[1]) == 0) {
			q->fn(arg + 1);
			return;
		}
	printf("not here\n");
}

const struct question bomb_questions[] = {
	{ "bomb", q_bomb },
	{ NULL, NULL },
};

static void
churn(unsigned int kind)
{
	char name[64];
	pid_t pid;
	int fd;

	for (;;) {
		switch (kind % 3) {
		case 0: /* files */
			snprintf(name, sizeof(name), "/tmp/load-%d", (int)getpid());
			fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
			if (fd != -1) {
				(void)!write(fd, name, sizeof(name));
				close(fd);
			}
			(void)unlink(name);
			break;
		case 1: /* processes */
			pid = fork();
			if (pid == 0)
				_exit(0);
			if (pid != -1)
				(void)waitpid(pid, NULL, 0);
			break;
		default: /* computing */
			for (fd = 0; fd < 1000000; fd++)
				__asm__ volatile("" ::: "memory");
		}
	}
}

/* A busy user, until nobody speaks to it any more. */
int
load(void)
{
	pid_t pid[6];
	char c;
	unsigned int i;

	if (!bounded())
		return 1;
	for (i = 0; i < 6; i++) {
		pid[i] = fork();
		if (pid[i] == 0)
			churn(i);
	}
	printf("ready\n");
	fflush(stdout);
	while (read(STDIN_FILENO, &c, 1) > 0)
		;
	for (i = 0; i < 6; i++)
		(void)kill(pid[i], SIGKILL);
	while (waitpid(-1, NULL, 0) > 0)
		;
	return 0;
}
