/*
 * The message receiver: any bytes with any descriptors, in any state, from any peer
 * to any process; alone, and in the loop with what is sent meanwhile.
 */
#include <sys/socket.h>

#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../privsep/chan.h"
#include "../../privsep/log.h"
#include "fuzz.h"

#define HEADER 5 /* bytes of the input that are not sent */
#define KINDS  6

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static struct event_base *base;
static unsigned int got, lost;

static int
descriptor(unsigned int kind)
{
	static int kinds[KINDS];
	int fds[2];

	if (kinds[0] == 0) {
		check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
		kinds[0] = fds[0];
		check(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) == 0);
		kinds[1] = fds[0];
		check((kinds[2] = open("/dev/null", O_RDWR | O_CLOEXEC)) != -1);
		check((kinds[3] = open("/", O_RDONLY | O_CLOEXEC)) != -1);
		check(pipe2(fds, O_CLOEXEC) == 0);
		kinds[4] = fds[0];
		check((kinds[5] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) != -1);
		check(listen(kinds[5], 1) == 0 || true); /* has no name: none is needed */
	}
	return (kinds[kind % KINDS]);
}

/* Some of them in one message, as an attacker may. */
static bool
say(int fd, const uint8_t *data, size_t len, unsigned int nfds, unsigned int kind)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int) * 12)];
	} ctl;
	struct iovec iov = { (void *)(uintptr_t)data, len };
	struct msghdr mh;
	struct cmsghdr *cm;
	int d;

	memset(&mh, 0, sizeof(mh));
	mh.msg_iov = &iov;
	mh.msg_iovlen = 1;
	if (nfds > 0) {
		memset(&ctl, 0, sizeof(ctl));
		mh.msg_control = ctl.buf;
		mh.msg_controllen = CMSG_SPACE(sizeof(int) * nfds);
		cm = CMSG_FIRSTHDR(&mh);
		cm->cmsg_level = SOL_SOCKET;
		cm->cmsg_type = SCM_RIGHTS;
		cm->cmsg_len = CMSG_LEN(sizeof(int) * nfds);
		for (unsigned int i = 0; i < nfds; i++) {
			d = descriptor(kind + i);
			memcpy(CMSG_DATA(cm) + i * sizeof(int), &d, sizeof(d));
		}
	}
	return (sendmsg(fd, &mh, MSG_DONTWAIT | MSG_NOSIGNAL) != -1);
}

/* What is let through is what the table says. */
static void
sound(const struct chan *c, const struct msg *m, size_t len, unsigned int nfds)
{
	const struct msg_row *row = &msg_table[m->head.type];

	check(m->head.type != M_NONE && m->head.type < M_MAX);
	check(m->head.len == len - sizeof(m->head));
	check(m->head.len >= row->min && m->head.len <= row->max);
	check((row->from & c->peer) != 0 && (row->to & c->self) != 0);
	check((row->state & c->state) != 0);
	check((row->fd != FD_NONE) == (m->fd != -1) && nfds == (m->fd != -1));
	check(msg_name(m->head.type)[0] != '\0');
}

static void
alone(const uint8_t *how, const uint8_t *data, size_t len, unsigned int nfds)
{
	static struct msg m;
	const char *why;
	struct chan c;
	int fds[2], r;

	check(chan_pair(fds) == 0);
	chan_init(
	    &c, fds[0], 1 << (how[0] % 9), 1 << (how[1] % 9), NULL, NULL, NULL, NULL);
	c.state = how[2] % 3 + 1;
	if (say(fds[1], data, len, nfds, how[3] >> 4)) {
		r = chan_recv(&c, &m, &why);
		if (r == 1)
			sound(&c, &m, len, nfds);
		else
			check(r == -2 && why != NULL && m.fd == -1);
		if (r == 1 && m.fd != -1)
			close(m.fd);
	}
	(void)proc_name(c.peer);
	chan_close(&c);
	close(fds[1]);
}

static void
on_message(struct chan *c, struct msg *m)
{
	(void)c;
	(void)m;
	got++;
}

static void
on_gone(struct chan *c, const char *why)
{
	(void)c;
	(void)why;
	lost++;
}

/* In the loop: master hears a zygote, and says more than its peer reads. */
static void
in_the_loop(const uint8_t *how, const uint8_t *data, size_t len, unsigned int nfds)
{
	static const struct chan_handler some[] = { { M_WORKER_EXIT, on_message },
		{ M_NONE, NULL } };
	const struct m_fork f = { 1 };
	static struct msg m;
	const char *why;
	struct chan c, peer;
	unsigned int sent = 0, heard = 0;
	int fds[2], r;

	got = lost = 0;
	check(chan_pair(fds) == 0);
	chan_init(&c, fds[0], P_MASTER, P_ZYGOTE, base, some, on_gone, NULL);
	chan_init(&peer, fds[1], P_ZYGOTE, P_MASTER, NULL, NULL, NULL, NULL);
	/* Now and then more than its queue and the kernel's hold. */
	for (unsigned int i = how[2] >= 0xf0 ? 900 : how[2] & 7; i > 0; i--)
		if (chan_send(&c, M_FORK, i, dup(descriptor(1)), &f, sizeof(f)) == 0)
			sent++;
	if (how[0] & 1)
		chan_pause(&c, true);
	(void)say(fds[1], data, len, nfds, how[3] >> 4);
	event_base_loop(base, EVLOOP_NONBLOCK);
	chan_pause(&c, false);
	while (!c.closed && (r = chan_recv(&peer, &m, &why)) == 1) {
		heard++;
		close(m.fd);
		event_base_loop(base, EVLOOP_NONBLOCK);
	}
	check(got + lost <= 2);
	/* What was taken is all there, unless the channel was given up. */
	check(lost > 0 || c.gone_pending || heard == sent);
	if (how[0] & 2)
		chan_close(&peer);
	event_base_loop(base, EVLOOP_NONBLOCK);
	if (!c.closed)
		chan_close(&c);
	if (!peer.closed)
		chan_close(&peer);
	event_base_loop(base, EVLOOP_NONBLOCK);
}

/* One who asks and waits: nothing but the answer, in time, will do. */
static void
asked(const uint8_t *data, size_t len, unsigned int nfds)
{
	struct m_sess q;
	static struct msg m;
	struct chan c;
	int fds[2];

	memset(&q, 0, sizeof(q));
	check(chan_pair(fds) == 0);
	chan_init(&c, fds[0], P_WORKER, P_KEYS, NULL, NULL, NULL, NULL);
	(void)say(fds[1], data, len, nfds, 0);
	if (chan_call(&c, M_SESS_GET, &q, sizeof(q), M_SESS, &m, 0) == 0)
		check(m.head.type == M_SESS && m.fd == -1);
	chan_close(&c);
	close(fds[1]);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	unsigned int nfds;

	if (len <= HEADER || len > MSG_PAYLOAD_MAX + 64)
		return (0);
	if (base == NULL) {
		log_init("fuzz", STDERR_FILENO, 0, LOG_EMERG, false);
		check((base = event_base_new()) != NULL);
	}
	nfds = data[3] & 15;
	if (nfds > 12)
		nfds = 0;
	switch (data[4] % 4) {
	case 0:
	case 1:
		alone(data, data + HEADER, len - HEADER, nfds);
		break;
	case 2:
		in_the_loop(data, data + HEADER, len - HEADER, nfds);
		break;
	case 3:
		asked(data + HEADER, len - HEADER, nfds);
		break;
	}
	return (0);
}
