/*
 * A session that belongs to an attacker: in its place beside the other programs it
 * is ide-session, and answers isolation with what the file `evil' in the user's home
 * says.  Only tests run it.
 */
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../bin/ide-session/session.h"
#include "../../privsep/chan.h"
#include "../../privsep/msg.h"
#include "../../privsep/session_start.h"

#define FD_CONTROL FD_SESSION_CONTROL
#define FD_REPORT  FD_SESSION_REPORT
#define BIG        (MSG_PAYLOAD_MAX + 4096)
#define MANY       253 /* the most that the kernel passes */

struct session session; /* for become.c, which is the true one's */
static int client;
static uint8_t payload[BIG];

/* --- what is sent --- */

static void
put(const void *head, size_t headlen, size_t len, int pass, unsigned int npass)
{
	static union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int) * MANY)];
	} ctl;
	struct iovec iov[2] = { { (void *)(uintptr_t)head, headlen }, { payload, len } };
	struct msghdr m;
	struct cmsghdr *cm;
	unsigned int i;

	memset(&m, 0, sizeof(m));
	m.msg_iov = iov;
	m.msg_iovlen = 2;
	if (npass > 0) {
		memset(&ctl, 0, sizeof(ctl));
		m.msg_control = ctl.buf;
		m.msg_controllen = CMSG_SPACE(sizeof(int) * npass);
		cm = CMSG_FIRSTHDR(&m);
		cm->cmsg_level = SOL_SOCKET;
		cm->cmsg_type = SCM_RIGHTS;
		cm->cmsg_len = CMSG_LEN(sizeof(int) * npass);
		for (i = 0; i < npass; i++)
			memcpy(CMSG_DATA(cm) + i * sizeof(int), &pass, sizeof(int));
	}
	if (sendmsg(client, &m, MSG_NOSIGNAL) == -1 && errno != EAGAIN)
		_exit(0);
}

static void
answer(enum msg_type type, uint32_t id, size_t len, int pass, unsigned int npass)
{
	struct msg_head h = { CHAN_VERSION, (uint16_t)type, id, (uint32_t)len,
		npass > 0 };

	put(&h, sizeof(h), len, pass, npass);
}

/* --- descriptors that no connection is --- */

static int
made(const char *kind)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	socklen_t len = sizeof(in);
	int fd[2] = { -1, -1 };

	if (strcmp(kind, "folder") == 0)
		return open("/", O_RDONLY | O_DIRECTORY);
	if (strcmp(kind, "path") == 0)
		return open("/", O_PATH);
	if (strcmp(kind, "memory") == 0)
		return memfd_create("evil", 0);
	if (strcmp(kind, "null") == 0)
		return open("/dev/null", O_RDWR);
	if (strcmp(kind, "terminal") == 0)
		return posix_openpt(O_RDWR | O_NOCTTY);
	if (strcmp(kind, "pipe") == 0)
		return pipe(fd) == 0 ? fd[0] : -1;
	if (strcmp(kind, "seqpacket") == 0)
		return socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fd) == 0 ? fd[0] : -1;
	if (strcmp(kind, "datagram") == 0)
		return socketpair(AF_UNIX, SOCK_DGRAM, 0, fd) == 0 ? fd[0] : -1;
	if (strcmp(kind, "control") == 0)
		return FD_CONTROL;
	fd[0] = socket(strcmp(kind, "tcp") == 0 ? AF_INET : AF_UNIX, SOCK_STREAM, 0);
	if (strcmp(kind, "listening") == 0)
		(void)listen(fd[0], 1);
	if (strcmp(kind, "tcp") == 0) {
		in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		fd[1] = socket(AF_INET, SOCK_STREAM, 0);
		(void)bind(fd[1], (void *)&in, sizeof(in));
		(void)listen(fd[1], 1);
		(void)getsockname(fd[1], (void *)&in, &len);
		(void)connect(fd[0], (void *)&in, sizeof(in));
	}
	return fd[0]; /* "unconnected" too */
}

/* In answer to a port: what is nearly a connection to it, and ("right") is one. */
static int
made_port(const char *kind, uint16_t port)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	int type = strcmp(kind, "udp") == 0 ? SOCK_DGRAM : SOCK_STREAM;
	int fd[2] = { -1, -1 };

	if (strcmp(kind, "unix") == 0)
		return socketpair(AF_UNIX, SOCK_STREAM, 0, fd) == 0 ? fd[0] : -1;
	if (strcmp(kind, "other-port") == 0)
		port++;
	in.sin_port = htons(port);
	in.sin_addr.s_addr = htonl(
	    strcmp(kind, "other-address") == 0 ? INADDR_LOOPBACK + 1 : INADDR_LOOPBACK);
	fd[0] = socket(AF_INET, type, 0);
	fd[1] = socket(AF_INET, type, 0);
	(void)bind(fd[1], (void *)&in, sizeof(in));
	if (type == SOCK_STREAM)
		(void)listen(fd[1], 1);
	if (strcmp(kind, "listener") == 0)
		return fd[1];
	if (strcmp(kind, "no-peer") != 0)
		(void)connect(fd[0], (void *)&in, sizeof(in));
	/* The other end of the very same. */
	if (strcmp(kind, "accepted") == 0)
		return accept(fd[1], NULL, NULL);
	return fd[0];
}

/* The port that is asked for; 0: something else is. */
static uint16_t
asked_port(const struct msg *m)
{
	struct m_session_what w;

	/* It lies as it came, the payload right behind the head. */
	memcpy(&w, (const uint8_t *)m + sizeof(m->head), sizeof(w));
	return m->head.type == M_SESSION_CONNECT && w.what == WHAT_PORT ?
	    (uint16_t)w.port :
	    0;
}

static void
hand(const struct msg *m, const char *kind)
{
	uint16_t port = asked_port(m);

	if (port != 0 && strcmp(kind, "folder") != 0) {
		answer(M_SESSION_FD, m->head.id, 0, made_port(kind, port), 1);
		return;
	}
	answer(M_SESSION_FD, m->head.id, 0, made(kind), 1);
}

/* A connection that is one, handed out more than once at a time. */
static void
hand_many(const struct msg *m, unsigned int n)
{
	int fd[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fd) == 0)
		answer(M_SESSION_FD, m->head.id, 0, fd[0], n);
}

/* --- words that are none --- */

static void
lie(const struct msg *m, const char *how)
{
	struct msg_head h = { CHAN_VERSION, M_SESSION_FAIL, m->head.id,
		sizeof(struct m_fail), 0 };
	size_t len = sizeof(struct m_fail);

	if (strcmp(how, "version") == 0)
		h.version++;
	else if (strcmp(how, "none") == 0)
		h.type = M_NONE;
	else if (strcmp(how, "type") == 0)
		h.type = 0xffff;
	else if (strcmp(how, "short") == 0)
		h.len = (uint32_t)(len -= 1);
	else if (strcmp(how, "long") == 0)
		h.len = (uint32_t)(len += 1);
	else if (strcmp(how, "huge") == 0)
		h.len = (uint32_t)(len = BIG);
	else if (strcmp(how, "length") == 0)
		h.len = 0x7fffffff;
	else if (strcmp(how, "descriptor") == 0)
		h.has_fd = 1;
	else if (strcmp(how, "number") == 0)
		h.id += 1000;
	if (strcmp(how, "half") == 0)
		put(&h, sizeof(h) / 2, 0, -1, 0);
	else if (strcmp(how, "nothing") == 0)
		(void)send(client, "", 0, MSG_NOSIGNAL);
	else
		put(&h, sizeof(h), len, -1, 0);
}

/* What only others may say to isolation, or isolation to others. */
static void
speak_for(const struct msg *m, const char *name)
{
	unsigned int t;

	for (t = 1; t < M_MAX && strcmp(msg_table[t].name, name) != 0; t++)
		;
	answer((enum msg_type)t, m->head.id, msg_table[t].min,
	    msg_table[t].fd != FD_NONE ? made("seqpacket") : -1,
	    msg_table[t].fd != FD_NONE);
}

static void
flood(const struct msg *m)
{
	unsigned int i;

	for (i = 0; i < 200000; i++)
		answer(
		    M_SESSION_STATE, m->head.id, sizeof(struct m_session_state), -1, 0);
}

/* A sentence that would be another line, another colour, or has no end. */
static void
sentence(const struct msg *m, bool end)
{
	struct m_fail *f = (void *)payload;

	memset(f, 'A', sizeof(*f));
	f->code = 0xffffffff;
	if (end)
		snprintf(f->text, sizeof(f->text),
		    "x\n2026-01-01 ided-auth[1] info login "
		    "user=\"root\"\r\x1b[31m%%s%%n");
	answer(M_SESSION_FAIL, m->head.id, sizeof(*f), -1, 0);
}

static void
act(const char *evil, const struct msg *m)
{
	char how[32];
	const char *arg;

	/* All else is answered with silence. */
	if (strncmp(evil, "at-port ", 8) == 0) {
		if (asked_port(m) == 0)
			return;
		evil += 8;
	}
	arg = strchr(evil, ' ');

	snprintf(how, sizeof(how), "%.*s", (int)strcspn(evil, " "), evil);
	arg = arg == NULL ? "" : arg + 1;
	if (strcmp(how, "hand") == 0)
		hand(m, arg);
	else if (strcmp(how, "hand-many") == 0)
		hand_many(m, (unsigned int)atoi(arg));
	else if (strcmp(how, "hand-none") == 0)
		answer(M_SESSION_FD, m->head.id, 0, -1, 0);
	else if (strcmp(how, "lie") == 0)
		lie(m, arg);
	else if (strcmp(how, "speak-for") == 0)
		speak_for(m, arg);
	else if (strcmp(how, "flood") == 0)
		flood(m);
	else if (strcmp(how, "sentence") == 0)
		sentence(m, strcmp(arg, "end") == 0);
	else if (strcmp(how, "leave") == 0)
		_exit(0);
	else if (strcmp(how, "hang-up") == 0)
		close(client);
	/* "silence": nothing. */
}

/* --- being there --- */

static void
read_evil(char *evil, size_t len)
{
	char path[PATH_LEN + 8];
	ssize_t n = 0;
	int fd;

	snprintf(path, sizeof(path), "%s/evil", session.home);
	fd = open(path, O_RDONLY);
	if (fd != -1)
		n = read(fd, evil, len - 1);
	if (fd == -1)
		snprintf(evil, len, "leave");
	else
		evil[n > 0 ? n : 0] = '\0';
}

/* What only the set-up may say: that the home is elsewhere, that it takes long, and
 * who the session is. */
static void
forge(void)
{
	static const enum setup_what whats[] = { SETUP_HOME, SETUP_WAITS, SETUP_MOVED,
		SETUP_RUNS };
	struct setup_report r;
	unsigned int i;

	client = FD_REPORT;
	for (i = 0; i < 64; i++) {
		memset(&r, 0, sizeof(r));
		r.what = whats[i % 4];
		r.pid = 1;
		r.storage = STORAGE_IS_VOLUME;
		r.loop = (int32_t)i / 4;
		put(&r, sizeof(r), 0, STDERR_FILENO, 1);
	}
}

int
main(void)
{
	static char evil[128];
	static struct msg m;
	ssize_t n;

	(void)signal(SIGPIPE, SIG_IGN);
	become_prepare();
	become_user();
	if (listen(FD_CONTROL, 8) == -1)
		return 1;
	(void)fcntl(FD_CONTROL, F_SETFL, 0);
	(void)fcntl(FD_CONTROL, F_SETFD, FD_CLOEXEC);
	read_evil(evil, sizeof(evil));
	if (strcmp(evil, "forge") == 0)
		forge();
	close(FD_REPORT);
	for (;;) {
		client = accept(FD_CONTROL, NULL, NULL);
		/* Descriptors that come with a message are left where they are. */
		while (client != -1 && (n = recv(client, &m, sizeof(m), 0)) > 0)
			if (strcmp(evil, "deaf") == 0)
				pause();
			else
				act(evil, &m);
		if (client != -1)
			close(client);
	}
}
