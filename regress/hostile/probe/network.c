/* Sockets, and being reachable by them. */
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <net/if.h>
#include <netinet/in.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "probe.h"

/* A local socket, by path or by an abstract name. */
int
local(int type, const char *name, bool abstract, bool serve)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd, r;
	socklen_t len;

	fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	snprintf(un.sun_path + abstract, sizeof(un.sun_path) - 1, "%s", name);
	len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + abstract +
	    strlen(name));
	r = serve ? bind(fd, (void *)&un, len) : connect(fd, (void *)&un, len);
	if (serve && r == 0)
		return listen(fd, 64);
	close(fd);
	return r;
}

/* Of whatever type it is that listens. */
static int
local_any(const char *name, bool abstract)
{
	int r = local(SOCK_STREAM, name, abstract, false);

	if (r == -1 && errno == EPROTOTYPE)
		r = local(SOCK_SEQPACKET, name, abstract, false);
	return r;
}

static void
q_path(char **arg)
{
	result(local_any(arg[1], false));
}

static void
q_abstract(char **arg)
{
	result(local_any(arg[1], true));
}

int
inet(const char *addr, const char *port, bool serve)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	int fd, r;

	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	in.sin_port = htons((uint16_t)atoi(port));
	in.sin_addr.s_addr = inet_addr(addr);
	r = serve ? bind(fd, (void *)&in, sizeof(in)) :
		    connect(fd, (void *)&in, sizeof(in));
	if (serve && r == 0)
		return listen(fd, 64);
	if (r == 0)
		close(fd);
	return r;
}

static void
q_tcp(char **arg)
{
	result(inet(arg[1], arg[2], false));
}

static void
q_socket(char **arg)
{
	int fd = socket(atoi(arg[1]), atoi(arg[2]), atoi(arg[3]));

	result(fd == -1 ? -1 : 0);
	if (fd != -1)
		close(fd);
}

static void
q_tcp6(char **arg)
{
	struct sockaddr_in6 in = { .sin6_family = AF_INET6 };
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	in.sin6_port = htons((uint16_t)atoi(arg[2]));
	(void)inet_pton(AF_INET6, arg[1], &in.sin6_addr);
	result(connect(fd, (void *)&in, sizeof(in)));
	close(fd);
}

static void
q_udp(char **arg)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), one = 1;

	(void)setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &one, sizeof(one));
	in.sin_port = htons((uint16_t)atoi(arg[2]));
	in.sin_addr.s_addr = inet_addr(arg[1]);
	result(sendto(fd, "x", 1, 0, (void *)&in, sizeof(in)));
	close(fd);
}

static void
q_bind(char **arg)
{
	result(inet(arg[1], arg[2], true));
}

static void
q_option(char **arg)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), v = atoi(arg[2]);

	result(setsockopt(fd, SOL_SOCKET, atoi(arg[1]), &v, sizeof(v)));
	close(fd);
}

/* Take an interface down. */
static void
q_down(char **arg)
{
	struct ifreq ifr;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	memset(&ifr, 0, sizeof(ifr));
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", arg[1]);
	result(ioctl(fd, SIOCSIFFLAGS, &ifr));
	close(fd);
}

/* Make an interface: a message to the kernel, and what it answers. */
static void
q_interface(char **arg)
{
	struct {
		struct nlmsghdr head;
		struct ifinfomsg info;
	} ask;
	struct {
		struct nlmsghdr head;
		struct nlmsgerr error;
		char room[512];
	} answer;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	(void)arg;
	memset(&ask, 0, sizeof(ask));
	ask.head.nlmsg_len = sizeof(ask);
	ask.head.nlmsg_type = RTM_NEWLINK;
	ask.head.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
	if (send(fd, &ask, sizeof(ask), 0) == -1 ||
	    recv(fd, &answer, sizeof(answer), 0) == -1) {
		result(-1);
		return;
	}
	errno = -answer.error.error;
	result(errno == 0 ? 0 : -1);
}

/* Say over a local socket that one is somebody else. */
static void
q_claim(char **arg)
{
	struct ucred cred = { getpid(), getuid(), getgid() };
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(cred))];
	} ctl;
	struct iovec iov = { (void *)(uintptr_t) "x", 1 };
	struct msghdr m;
	struct cmsghdr *cm;
	int p[2];

	if (strcmp(arg[1], "uid") == 0)
		cred.uid = (uid_t)atoi(arg[2]);
	else
		cred.pid = (pid_t)atoi(arg[2]);
	memset(&m, 0, sizeof(m));
	memset(&ctl, 0, sizeof(ctl));
	m.msg_iov = &iov;
	m.msg_iovlen = 1;
	m.msg_control = ctl.buf;
	m.msg_controllen = sizeof(ctl.buf);
	cm = CMSG_FIRSTHDR(&m);
	cm->cmsg_level = SOL_SOCKET;
	cm->cmsg_type = SCM_CREDENTIALS;
	cm->cmsg_len = CMSG_LEN(sizeof(cred));
	memcpy(CMSG_DATA(cm), &cred, sizeof(cred));
	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, p) == -1)
		result(-1);
	else
		result(sendmsg(p[0], &m, 0));
}

static const char *const shared_dirs[] = { "/dev/shm", "/tmp" };

static int
shared_file(const char *dir, const char *name, bool make)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (!make)
		return unlink(path);
	fd = open(path, O_CREAT | O_RDWR, 0666);
	if (fd == -1)
		return -1;
	return fchmod(fd, 0666);
}

static const char *
terminal(void)
{
	const char *name;
	int fd = posix_openpt(O_RDWR | O_NOCTTY);

	if (fd == -1 || unlockpt(fd) == -1 || (name = ptsname(fd)) == NULL)
		return "none";
	(void)open(name, O_RDWR | O_NOCTTY); /* so that it stays */
	return name;
}

/* Everything that another user must not reach, until it is told to end. */
int
serve(char **arg)
{
	char queue[64];
	struct mq_attr attr = { .mq_maxmsg = 1, .mq_msgsize = 8 };
	key_t key = (key_t)strtol(arg[3], NULL, 0);
	sigset_t end;
	int shm, sem, sig;

	sigemptyset(&end);
	sigaddset(&end, SIGTERM);
	(void)sigprocmask(SIG_BLOCK, &end, NULL);
	snprintf(queue, sizeof(queue), "/%s", arg[1]);
	if (local(SOCK_STREAM, arg[0], false, true) == -1 ||
	    local(SOCK_STREAM, arg[1], true, true) == -1 ||
	    inet("127.0.0.1", arg[2], true) == -1 ||
	    (shm = shmget(key, 4096, IPC_CREAT | 0666)) == -1 ||
	    (sem = semget(key, 1, IPC_CREAT | 0666)) == -1 ||
	    shared_file(shared_dirs[0], arg[1], true) == -1 ||
	    shared_file(shared_dirs[1], arg[1], true) == -1) {
		result(-1);
		return 1;
	}
	/* There are none everywhere; where there must be, a control asks for it. */
	if (mq_open(queue, O_CREAT | O_RDWR, 0666, &attr) == (mqd_t)-1)
		fprintf(stderr, "no queue\n");
	(void)chmod(arg[0], 0777);
	printf("terminal %s\nready\n", terminal());
	fflush(stdout);
	(void)sigwait(&end, &sig);
	(void)unlink(arg[0]);
	(void)shmctl(shm, IPC_RMID, NULL);
	(void)semctl(sem, 0, IPC_RMID);
	(void)mq_unlink(queue);
	(void)shared_file(shared_dirs[0], arg[1], false);
	(void)shared_file(shared_dirs[1], arg[1], false);
	return 0;
}

const struct question network_questions[] = {
	{ "path", q_path },
	{ "abstract", q_abstract },
	{ "tcp", q_tcp },
	{ "tcp6", q_tcp6 },
	{ "udp", q_udp },
	{ "bind", q_bind },
	{ "socket", q_socket },
	{ "option", q_option },
	{ "down", q_down },
	{ "interface", q_interface },
	{ "claim", q_claim },
	{ NULL, NULL },
};
