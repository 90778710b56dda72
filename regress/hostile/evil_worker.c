/*
 * A worker that belongs to an attacker.  Linked with the real zygote it takes
 * ided-worker's place beside the other programs: without the worker's filter, and
 * instead of serving its client it does to its channels what the client says.
 * It leaves only when its client does.  Only tests run it.
 *
 * The client sends lines and gets one line for each:
 *
 *	table		row TYPE NAME FROM TO STATE FD MIN MAX ... end
 *	who		who PID MASTER AUTH KEYS	1: the channel is there
 *	send CHAN VERSION TYPE ID LEN HASFD NFDS KIND SIZE HEX
 *			ok | err N	a head as it is given, then SIZE bytes:
 *			HEX, filled up with zeros; NFDS descriptors of a KIND
 *	raw CHAN NFDS KIND SIZE HEX	the same without a head
 *	flood CHAN TYPE ID COUNT SIZE HEX
 *			sent N		for three seconds, or until nothing goes
 *					for half a second
 *	recv CHAN MS	msg TYPE ID LEN HASFD HEX | none | eof
 *	drain CHAN MS	drained N eof|open
 *	peer		peer UID	of the last descriptor that came
 *	talk MS HEX	came HEX	over the last descriptor that came: within MS,
 *					and until nothing more comes
 *	close CHAN	ok
 */
#include <sys/mman.h>
#include <sys/socket.h>

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../../privsep/chan.h"
#include "../../privsep/confsend.h"
#include "../../privsep/log.h"
#include "../../privsep/sandbox.h"
#include "../../worker/worker.h"

#define BIG     (MSG_PAYLOAD_MAX + 8192) /* more than a message may have */
#define FDS_MAX 253                      /* the most that the kernel passes */
#define ARGS    12

enum {
	TO_MASTER,
	TO_AUTH,
	TO_KEYS,
	NCHAN,
};

static int chan_fd[NCHAN] = { -1, -1, -1 };
static int client = -1;
static int last_fd = -1;
static char in[4 * BIG], out[4 * BIG];
static size_t in_len;

/* --- what is said to the client --- */

static void
say(const char *s)
{
	size_t len = strlen(s), at = 0;
	struct pollfd p = { client, POLLOUT, 0 };
	ssize_t n;

	while (at < len) {
		n = write(client, s + at, len - at);
		if (n > 0)
			at += (size_t)n;
		else if (n == -1 && errno == EAGAIN)
			(void)poll(&p, 1, 1000);
		else
			_exit(0);
	}
}

static void
answer(const char *word, long v)
{
	snprintf(out, sizeof(out), "%s %ld\n", word, v);
	say(out);
}

static int64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static size_t
unhex(const char *hex, uint8_t *dst, size_t room)
{
	unsigned int v;
	size_t n = 0;

	while (
	    n < room && sscanf(hex, "%2x", &v) == 1 && isxdigit((unsigned char)hex[1])) {
		dst[n++] = (uint8_t)v;
		hex += 2;
	}
	return n;
}

static void
hex_to(char *dst, const uint8_t *src, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		snprintf(dst + 2 * i, 3, "%02x", src[i]);
	dst[2 * len] = '\0';
}

static int *
channel(const char *name)
{
	static const char *const names[NCHAN] = { "master", "auth", "keys" };
	int i;

	for (i = 0; i < NCHAN; i++)
		if (strcmp(name, names[i]) == 0)
			return &chan_fd[i];
	return &chan_fd[0];
}

/* --- descriptors to pass --- */

static int
made(const char *kind)
{
	int fds[2];

	if (strcmp(kind, "folder") == 0)
		return open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (strcmp(kind, "path") == 0)
		return open(".", O_PATH | O_CLOEXEC);
	if (strcmp(kind, "memory") == 0)
		return memfd_create("evil", MFD_CLOEXEC);
	if (strcmp(kind, "client") == 0)
		return dup(client);
	if (strcmp(kind, "channel") == 0)
		return dup(chan_fd[TO_AUTH] != -1 ? chan_fd[TO_AUTH] : client);
	if (strcmp(kind, "pipe") == 0 && pipe2(fds, O_CLOEXEC) == 0) {
		close(fds[1]);
		return fds[0];
	}
	if (strcmp(kind, "seqpacket") == 0 && chan_pair(fds) == 0) {
		close(fds[1]);
		return fds[0];
	}
	if (strcmp(kind, "listen") == 0) {
		fds[0] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fds[0] != -1)
			(void)listen(fds[0], 1);
		return fds[0];
	}
	return dup(STDIN_FILENO); /* /dev/null */
}

/* --- messages --- */

static int
put(int fd, struct iovec *iov, size_t niov, int nfds, const char *kind)
{
	static union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int) * FDS_MAX)];
	} ctl;
	struct pollfd p = { fd, POLLOUT, 0 };
	struct cmsghdr *cm;
	struct msghdr m;
	int i, r, pass, tries;

	memset(&m, 0, sizeof(m));
	m.msg_iov = iov;
	m.msg_iovlen = niov;
	pass = nfds > 0 ? made(kind) : -1;
	if (pass != -1) {
		memset(&ctl, 0, sizeof(ctl));
		m.msg_control = ctl.buf;
		m.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)nfds);
		cm = CMSG_FIRSTHDR(&m);
		cm->cmsg_level = SOL_SOCKET;
		cm->cmsg_type = SCM_RIGHTS;
		cm->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)nfds);
		for (i = 0; i < nfds; i++)
			memcpy(
			    CMSG_DATA(cm) + (size_t)i * sizeof(int), &pass, sizeof(int));
	}
	for (tries = 0; tries < 5; tries++) {
		r = sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) == -1 ? errno : 0;
		if (r != EAGAIN && r != ETOOMANYREFS)
			break;
		(void)poll(&p, 1, 100);
		if (r == ETOOMANYREFS)
			usleep(20000);
	}
	if (pass != -1)
		close(pass);
	return r;
}

static int
put_message(int fd, const struct msg_head *h, const uint8_t *payload, size_t len,
    int nfds, const char *kind)
{
	struct iovec iov[2] = {
		{ (void *)(uintptr_t)h, sizeof(*h) },
		{ (void *)(uintptr_t)payload, len },
	};

	return put(fd, iov, len > 0 ? 2 : 1, nfds, kind);
}

static struct msg_head
head(uint32_t version, uint32_t type, uint32_t id, uint32_t len, uint32_t has_fd)
{
	return (struct msg_head){ (uint16_t)version, (uint16_t)type, id, len, has_fd };
}

/* 1 and a message, 0 at the end, -1 when nothing came. */
static int
get(int fd, struct msg *m, size_t *len, int ms)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int) * 4)];
	} ctl;
	struct iovec iov[2] = {
		{ &m->head, sizeof(m->head) },
		{ m->u.bytes, sizeof(m->u.bytes) },
	};
	struct pollfd p = { fd, POLLIN, 0 };
	struct cmsghdr *cm;
	struct msghdr mh;
	ssize_t n;

	if (fd == -1)
		return 0;
	memset(&mh, 0, sizeof(mh));
	mh.msg_iov = iov;
	mh.msg_iovlen = 2;
	mh.msg_control = ctl.buf;
	mh.msg_controllen = sizeof(ctl.buf);
	if (poll(&p, 1, ms) != 1)
		return -1;
	n = recvmsg(fd, &mh, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n == -1 && errno == EAGAIN)
		return -1;
	if (n < (ssize_t)sizeof(m->head))
		return 0;
	for (cm = CMSG_FIRSTHDR(&mh); cm != NULL; cm = CMSG_NXTHDR(&mh, cm))
		if (cm->cmsg_level == SOL_SOCKET && cm->cmsg_type == SCM_RIGHTS) {
			if (last_fd != -1)
				close(last_fd);
			memcpy(&last_fd, CMSG_DATA(cm), sizeof(int));
		}
	*len = (size_t)n - sizeof(m->head);
	return 1;
}

/* --- commands --- */

static void
do_table(void)
{
	const struct msg_row *r;
	size_t at = 0;
	unsigned int t;

	for (t = 1; t < M_MAX; t++) {
		r = &msg_table[t];
		at += (size_t)snprintf(out + at, sizeof(out) - at,
		    "row %u %s %u %u %u %u %u %u ", t, r->name, r->from, r->to, r->state,
		    r->fd, r->min, r->max);
	}
	snprintf(out + at, sizeof(out) - at, "end\n");
	say(out);
}

static void
do_who(void)
{
	snprintf(out, sizeof(out), "who %d %d %d %d\n", getpid(),
	    chan_fd[TO_MASTER] != -1, chan_fd[TO_AUTH] != -1, chan_fd[TO_KEYS] != -1);
	say(out);
}

#define NUM(i) ((uint32_t)strtoul(arg[i], NULL, 10))

static size_t
payload(uint8_t buf[BIG], const char *size, const char *hex)
{
	size_t len = strtoul(size, NULL, 10);

	if (len > BIG)
		len = BIG;
	memset(buf, 0, BIG);
	unhex(hex, buf, len);
	return len;
}

static void
do_send(char *arg[ARGS])
{
	static uint8_t buf[BIG];
	struct msg_head h = head(NUM(2), NUM(3), NUM(4), NUM(5), NUM(6));
	size_t len = payload(buf, arg[9], arg[10]);
	int r;

	r = put_message(*channel(arg[1]), &h, buf, len, (int)NUM(7), arg[8]);
	if (r == 0)
		say("ok\n");
	else
		answer("err", r);
}

static void
do_raw(char *arg[ARGS])
{
	static uint8_t buf[BIG];
	struct iovec iov = { buf, payload(buf, arg[4], arg[5]) };
	int r;

	r = put(*channel(arg[1]), &iov, 1, (int)NUM(2), arg[3]);
	if (r == 0)
		say("ok\n");
	else
		answer("err", r);
}

static void
do_flood(char *arg[ARGS])
{
	static uint8_t buf[BIG];
	size_t len = payload(buf, arg[5], arg[6]);
	struct msg_head h = head(CHAN_VERSION, NUM(2), NUM(3), (uint32_t)len, 0);
	uint32_t i, count = NUM(4);
	int64_t end = now_ms() + 3000;

	for (i = 0; i < count && now_ms() < end; i++) {
		h.id = i + 1;
		if (put_message(*channel(arg[1]), &h, buf, len, 0, "") != 0)
			break;
	}
	answer("sent", i);
}

static void
do_recv(char *arg[ARGS])
{
	static struct msg m;
	size_t len, at;
	int r;

	r = get(*channel(arg[1]), &m, &len, (int)NUM(2));
	if (r != 1) {
		say(r == 0 ? "eof\n" : "none\n");
		return;
	}
	at = (size_t)snprintf(out, sizeof(out), "msg %u %u %u %u ", m.head.type,
	    m.head.id, m.head.len, m.head.has_fd);
	hex_to(out + at, m.u.bytes, len);
	strcat(out, "\n");
	say(out);
}

static void
do_drain(char *arg[ARGS])
{
	static struct msg m;
	int64_t end = now_ms() + NUM(2);
	size_t len;
	long n = 0;
	int r = 1;

	while (r != 0 && now_ms() < end) {
		r = get(*channel(arg[1]), &m, &len, 100);
		n += r == 1;
	}
	snprintf(out, sizeof(out), "drained %ld %s\n", n, r == 0 ? "eof" : "open");
	say(out);
}

static void
do_peer(void)
{
	struct ucred c = { 0, 0, 0 };
	socklen_t len = sizeof(c);

	if (getsockopt(last_fd, SOL_SOCKET, SO_PEERCRED, &c, &len) == -1)
		answer("err", errno);
	else
		answer("peer", (long)c.uid);
}

static void
do_talk(char *arg[ARGS])
{
	static uint8_t buf[BIG];
	struct pollfd p = { last_fd, POLLIN, 0 };
	size_t len = unhex(arg[2], buf, BIG), got = 0;
	ssize_t n;

	(void)!write(last_fd, buf, len);
	while (got < BIG && poll(&p, 1, got == 0 ? (int)NUM(1) : 200) == 1 &&
	    (n = read(last_fd, buf + got, BIG - got)) > 0)
		got += (size_t)n;
	memcpy(out, "came ", 5);
	hex_to(out + 5, buf, got);
	strcat(out, "\n");
	say(out);
}

static void
command(char *line)
{
	static char none[] = "";
	char *arg[ARGS], *p;
	int n = 0;

	for (p = strtok(line, " \r"); p != NULL && n < ARGS; p = strtok(NULL, " \r"))
		arg[n++] = p;
	for (; n < ARGS; n++)
		arg[n] = none;
	if (strcmp(arg[0], "table") == 0) {
		do_table();
	} else if (strcmp(arg[0], "who") == 0) {
		do_who();
	} else if (strcmp(arg[0], "send") == 0) {
		do_send(arg);
	} else if (strcmp(arg[0], "raw") == 0) {
		do_raw(arg);
	} else if (strcmp(arg[0], "flood") == 0) {
		do_flood(arg);
	} else if (strcmp(arg[0], "recv") == 0) {
		do_recv(arg);
	} else if (strcmp(arg[0], "drain") == 0) {
		do_drain(arg);
	} else if (strcmp(arg[0], "peer") == 0) {
		do_peer();
	} else if (strcmp(arg[0], "talk") == 0) {
		do_talk(arg);
	} else if (strcmp(arg[0], "close") == 0) {
		close(*channel(arg[1]));
		*channel(arg[1]) = -1;
		say("ok\n");
	} else {
		say("what\n");
	}
}

/* --- a worker's life --- */

static void __attribute__((__noreturn__)) serve(void)
{
	struct pollfd p = { client, POLLIN, 0 };
	char *nl;
	ssize_t n;
	int on = 1;

	(void)setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	for (;;) {
		while ((nl = memchr(in, '\n', in_len)) != NULL) {
			*nl = '\0';
			command(in);
			in_len -= (size_t)(nl + 1 - in);
			memmove(in, nl + 1, in_len);
		}
		if (in_len == sizeof(in))
			_exit(0);
		(void)poll(&p, 1, -1);
		n = read(client, in + in_len, sizeof(in) - in_len);
		if (n == 0 || (n == -1 && errno != EAGAIN))
			_exit(0);
		if (n > 0)
			in_len += (size_t)n;
	}
}

void
worker_prepare(const struct conf_for_worker *conf)
{
	(void)conf; /* an attacker brings along what he needs */
}

void
worker_main(uint64_t id, int fd)
{
	static struct msg m;
	const char *why;
	struct chan c;
	struct pollfd p = { fd, POLLIN, 0 };
	int r;

	(void)id;
	chan_fd[TO_MASTER] = fd;
	chan_init(&c, fd, P_WORKER, P_MASTER, NULL, NULL, NULL, NULL);
	while (client == -1 || chan_fd[TO_AUTH] == -1) {
		r = chan_recv(&c, &m, &why);
		if (r == -1) {
			(void)poll(&p, 1, -1);
			continue;
		}
		if (r != 1 || m.head.type == M_DRAIN)
			_exit(0);
		if (m.head.type == M_CONN_AUTH)
			chan_fd[TO_AUTH] = msg_take_fd(&m);
		else if (m.head.type == M_CONN_KEYS)
			chan_fd[TO_KEYS] = msg_take_fd(&m);
		else if (m.head.type == M_CONN) {
			client = msg_take_fd(&m);
			(void)chan_send(&c, M_WANT_AUTH, 0, -1, NULL, 0);
		}
	}
	serve();
}

/* --- what the kernel would hold back from an attacker, and does not --- */

/* clang-format off */
#define A(call) { SCMP_SYS(call), ACT_ALLOW, { { 0 } } }
#define EVIL_ROWS								\
	A(read), A(write), A(writev), A(recvmsg), A(sendmsg), A(socket),	\
	A(socketpair), A(listen), A(getsockopt), A(setsockopt), A(dup),	\
	A(pipe2), A(memfd_create), A(openat), A(close), A(fcntl), A(fstat),	\
	A(newfstatat), A(poll), A(clock_gettime), A(gettimeofday),		\
	A(clock_nanosleep), A(restart_syscall), A(brk), A(mmap), A(munmap),	\
	A(mremap), A(mprotect), A(madvise), A(futex), A(getrandom),		\
	A(getpid), A(rt_sigprocmask), A(rt_sigreturn), A(rt_sigaction),	\
	A(exit), A(exit_group),
/* clang-format on */

static const struct sandbox_row worker_rows[] = { EVIL_ROWS };

const struct sandbox sandbox_worker = {
	.name = "worker",
	.rows = worker_rows,
	.nrows = sizeof(worker_rows) / sizeof(worker_rows[0]),
	.limits = { .nofile = 512, .nproc = 0, .fsize = 0, .as = 512UL << 20 },
};

/* The zygote's own, as in worker/seccomp_zygote.c. */
static const struct sandbox_row zygote_rows[] = { EVIL_ROWS A(clone), A(wait4),
	A(set_robust_list), A(kill), A(prctl), A(getppid), A(seccomp), A(prlimit64) };

const struct sandbox sandbox_zygote = {
	.name = "zygote",
	.rows = zygote_rows,
	.nrows = sizeof(zygote_rows) / sizeof(zygote_rows[0]),
	.limits = { .nofile = 4096, .may_fork = true, .may_write = true },
	.paths = { { "/", false }, { NULL, false } },
};
