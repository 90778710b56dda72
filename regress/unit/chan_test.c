/* The message table and the one receiving function. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/socket.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../privsep/chan.h"
#include "../../privsep/log.h"

static int fds[2];
static struct chan c;

static void
setup_pair(enum proc self, enum proc peer)
{
	assert_int_equal(chan_pair(fds), 0);
	chan_init(&c, fds[0], self, peer, NULL, NULL, NULL, NULL);
}

static void
teardown_pair(void)
{
	chan_close(&c);
	close(fds[1]);
}

/* Send raw bytes with n descriptors, as no honest peer would. */
static void
raw(const struct msg_head *h, const void *payload, size_t len, const int *pass, size_t n)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int) * 253)];
	} ctl;
	struct iovec iov[2] = { { (void *)(uintptr_t)h, sizeof(*h) },
		{ (void *)(uintptr_t)payload, len } };
	struct msghdr m;
	struct cmsghdr *cm;

	memset(&m, 0, sizeof(m));
	m.msg_iov = iov;
	m.msg_iovlen = 2;
	if (n > 0) {
		memset(&ctl, 0, sizeof(ctl));
		m.msg_control = ctl.buf;
		m.msg_controllen = CMSG_SPACE(sizeof(int) * n);
		cm = CMSG_FIRSTHDR(&m);
		cm->cmsg_level = SOL_SOCKET;
		cm->cmsg_type = SCM_RIGHTS;
		cm->cmsg_len = CMSG_LEN(sizeof(int) * n);
		memcpy(CMSG_DATA(cm), pass, sizeof(int) * n);
	}
	assert_true(sendmsg(fds[1], &m, MSG_NOSIGNAL) > 0);
}

static struct msg_head
head(unsigned int type, uint32_t len, uint32_t has_fd)
{
	struct msg_head h;

	memset(&h, 0, sizeof(h));
	h.version = CHAN_VERSION;
	h.type = (uint16_t)type;
	h.len = len;
	h.has_fd = has_fd;
	return h;
}

static int
count_fds(void)
{
	int i, n = 0;

	for (i = 0; i < 1024; i++)
		n += fcntl(i, F_GETFD) != -1;
	return n;
}

static const enum proc procs[] = { P_MASTER, P_ZYGOTE, P_WORKER, P_AUTH, P_HASH, P_KEYS,
	P_ISOLATION, P_SESSION, P_CTL };
#define NPROCS (sizeof(procs) / sizeof(procs[0]))

static void
test_table_is_sound(void **state)
{
	unsigned int t;

	(void)state;
	for (t = M_NONE + 1; t < M_MAX; t++) {
		const struct msg_row *r = &msg_table[t];

		assert_non_null(r->name);
		assert_int_not_equal(r->from, 0);
		assert_int_not_equal(r->to, 0);
		assert_true(r->min <= r->max && r->max <= MSG_PAYLOAD_MAX);
		/* Nobody takes a descriptor from a worker, and isolation hears
		 * auth and sessions only. */
		if ((r->from & P_WORKER) != 0)
			assert_int_equal(r->fd, FD_NONE);
		if ((r->to & P_ISOLATION) != 0)
			assert_int_equal(r->from & ~(P_AUTH | P_SESSION), 0);
		/* A worker talks to master, auth and keys. */
		if ((r->from & P_WORKER) != 0)
			assert_int_equal(r->to & ~(P_MASTER | P_AUTH | P_KEYS), 0);
	}
}

/* A sandbox that was started by an older ided says and hears these by number. */
static void
test_numbers_that_last(void **state)
{
	static const enum msg_type session[] = { M_NONE, M_SESSION_CONNECT, M_SESSION_FD,
		M_SESSION_FAIL, M_SESSION_EXEC, M_SESSION_EXEC_FD, M_SESSION_EXIT,
		M_SESSION_ASK, M_SESSION_STATE, M_SESSION_LOOK, M_SESSION_PROCESSES,
		M_SESSION_RELIEVE, M_SESSION_RELIEVED, M_SESSION_STOP };
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(session) / sizeof(session[0]); i++)
		assert_int_equal(session[i], i);
	for (i = 1; i < M_MAX; i++)
		if (((msg_table[i].from | msg_table[i].to) & P_SESSION) != 0)
			assert_true(i < sizeof(session) / sizeof(session[0]));
}

/* Every type between every pair of processes: only what the table says. */
static void
test_directions(void **state)
{
	static uint8_t payload[MSG_PAYLOAD_MAX];
	unsigned int t;
	size_t a, b;

	(void)state;
	for (a = 0; a < NPROCS; a++)
		for (b = 0; b < NPROCS; b++)
			for (t = M_NONE; t <= M_MAX; t++) {
				struct msg_head h;
				struct msg m;
				const char *why;
				bool may = false;

				setup_pair(procs[a], procs[b]);
				c.state = S_ANY;
				h = head(t, t < M_MAX ? msg_table[t].min : 0, 0);
				if (t != M_NONE && t < M_MAX)
					may = (msg_table[t].to & procs[a]) != 0 &&
					    (msg_table[t].from & procs[b]) != 0 &&
					    msg_table[t].fd == FD_NONE;
				raw(&h, payload, h.len, NULL, 0);
				assert_int_equal(chan_recv(&c, &m, &why), may ? 1 : -2);
				teardown_pair();
			}
}

static void
expect(enum msg_state st, struct msg_head h, size_t len, int want)
{
	static uint8_t payload[MSG_PAYLOAD_MAX + 4096];
	struct msg m;
	const char *why;

	setup_pair(P_AUTH, P_WORKER);
	c.state = st;
	raw(&h, payload, len, NULL, 0);
	assert_int_equal(chan_recv(&c, &m, &why), want);
	assert_true((want == -2) == (why != NULL));
	teardown_pair();
}

static void
test_lengths_and_states(void **state)
{
	uint32_t size = sizeof(struct m_login);
	struct msg_head h;

	(void)state;
	expect(S_NEW, head(M_LOGIN, size, 0), size, 1);
	expect(S_NEW, head(M_LOGIN, size - 1, 0), size - 1, -2);
	expect(S_NEW, head(M_LOGIN, size + 1, 0), size + 1, -2);
	expect(S_NEW, head(M_LOGIN, 0, 0), 0, -2);
	expect(S_NEW, head(M_LOGIN, size, 0), size - 1, -2);
	expect(S_NEW, head(M_LOGIN, size, 0), size + 8, -2);
	expect(S_NEW, head(M_LOGIN, UINT32_MAX, 0), size, -2);
	expect(S_NEW, head(M_LOGIN, size, 0), MSG_PAYLOAD_MAX + 100, -2);
	expect(S_NEW, head(M_LOGIN, size, 1), size, -2);
	expect(S_NEW, head(M_LOGIN, size, 2), size, -2);
	expect(S_NEW, head(M_IDE, 0, 0), 0, -2);
	expect(S_BOUND, head(M_IDE, 0, 0), 0, 1);
	expect(S_NEW, head(65535, 0, 0), 0, -2);
	h = head(M_LOGIN, size, 0);
	h.version = CHAN_VERSION + 1;
	expect(S_NEW, h, size, -2);
}

static void
test_short_message(void **state)
{
	struct msg m;
	const char *why;
	char bytes[64];
	size_t n;

	(void)state;
	memset(bytes, 0, sizeof(bytes));
	for (n = 1; n < sizeof(struct msg_head); n++) {
		setup_pair(P_AUTH, P_WORKER);
		assert_int_equal(send(fds[1], bytes, n, 0), n);
		assert_int_equal(chan_recv(&c, &m, &why), -2);
		teardown_pair();
	}
}

static void
test_descriptors(void **state)
{
	struct msg_head h = head(M_JOIN_HASH, 0, 1);
	struct msg m;
	const char *why;
	int pass[253], pair[2], before, i;
	static const int counts[] = { 0, 2, 3, 8, 9, 100, 253 };
	size_t k;

	(void)state;
	assert_int_equal(chan_pair(pair), 0);
	for (i = 0; i < 253; i++)
		pass[i] = pair[0];
	for (k = 0; k < sizeof(counts) / sizeof(counts[0]); k++) {
		setup_pair(P_AUTH, P_ISOLATION);
		before = count_fds();
		raw(&h, NULL, 0, pass, (size_t)counts[k]);
		assert_int_equal(chan_recv(&c, &m, &why), -2);
		assert_int_equal(m.fd, -1);
		assert_int_equal(count_fds(), before);
		teardown_pair();
	}
	setup_pair(P_AUTH, P_ISOLATION);
	raw(&h, NULL, 0, pass, 1);
	assert_int_equal(chan_recv(&c, &m, &why), 1);
	assert_int_not_equal(fcntl(m.fd, F_GETFD) & FD_CLOEXEC, 0);
	close(msg_take_fd(&m));
	teardown_pair();
	/* A kind that is not a channel's end. */
	for (i = 0; i < 2; i++) {
		setup_pair(P_AUTH, P_ISOLATION);
		pass[0] = i == 0 ? open("/", O_RDONLY) : open("/dev/null", O_RDONLY);
		before = count_fds();
		raw(&h, NULL, 0, pass, 1);
		assert_int_equal(chan_recv(&c, &m, &why), -2);
		assert_int_equal(count_fds(), before);
		close(pass[0]);
		teardown_pair();
	}
	close(pair[0]);
	close(pair[1]);
}

static int handled;
static const char *gone_why;
static bool was_gone;

static void
on_ready(struct chan *ch, struct msg *m)
{
	(void)ch;
	(void)m;
	handled++;
}

static void
on_gone(struct chan *ch, const char *why)
{
	(void)ch;
	was_gone = true;
	gone_why = why;
}

static const struct chan_handler handlers[] = { { M_READY, on_ready }, { M_NONE, NULL } };

static void
test_loop(void **state)
{
	struct event_base *base = event_base_new();
	struct msg_head h = head(M_READY, 0, 0);
	struct chan loop;
	int i;

	(void)state;
	assert_int_equal(chan_pair(fds), 0);
	chan_init(&loop, fds[0], P_MASTER, P_KEYS, base, handlers, on_gone, NULL);
	handled = 0;
	was_gone = false;
	for (i = 0; i < 3; i++)
		raw(&h, NULL, 0, NULL, 0);
	for (i = 0; i < 6; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
	assert_int_equal(handled, 3);
	/* A message without a handler is a violation as well. */
	h.type = M_SIGNED;
	raw(&h, NULL, 0, NULL, 0);
	event_base_loop(base, EVLOOP_NONBLOCK);
	assert_true(was_gone);
	assert_non_null(gone_why);
	assert_true(loop.closed);
	close(fds[1]);
	event_base_free(base);
}

/* A peer that does not read is given up, and holds a bounded queue. */
static void
test_slow_peer(void **state)
{
	struct event_base *base = event_base_new();
	static struct m_log line;
	struct chan loop;
	int i, r = 0;

	(void)state;
	assert_int_equal(chan_pair(fds), 0);
	chan_init(&loop, fds[0], P_WORKER, P_MASTER, base, handlers, on_gone, NULL);
	was_gone = false;
	for (i = 0; i < 100000 && r == 0; i++)
		r = chan_send(&loop, M_LOG, 0, -1, &line, sizeof(line));
	assert_int_equal(r, -1);
	assert_true(loop.out_count <= CHAN_QUEUE_MAX);
	assert_false(was_gone);
	event_base_loop(base, EVLOOP_NONBLOCK);
	assert_true(was_gone);
	assert_int_equal(loop.out_count, 0);
	close(fds[1]);
	event_base_free(base);
}

static void
test_call(void **state)
{
	struct msg_head h = head(M_SIGNED, sizeof(struct m_signed), 0);
	static struct m_signed sig;
	static struct m_sign ask;
	struct msg answer;

	(void)state;
	setup_pair(P_WORKER, P_KEYS);
	raw(&h, &sig, sizeof(sig), NULL, 0);
	assert_int_equal(
	    chan_call(&c, M_SIGN, &ask, sizeof(ask), M_SIGNED, &answer, 100), 0);
	/* No answer, then the wrong one. */
	assert_int_equal(
	    chan_call(&c, M_SIGN, &ask, sizeof(ask), M_SIGNED, &answer, 20), -1);
	raw(&h, &sig, sizeof(sig), NULL, 0);
	assert_int_equal(chan_call(&c, M_SESS_GET, &(struct m_sess){ 0 },
			     sizeof(struct m_sess), M_SESS, &answer, 100),
	    -1);
	teardown_pair();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table_is_sound),
		cmocka_unit_test(test_numbers_that_last),
		cmocka_unit_test(test_directions),
		cmocka_unit_test(test_lengths_and_states),
		cmocka_unit_test(test_short_message),
		cmocka_unit_test(test_descriptors),
		cmocka_unit_test(test_loop),
		cmocka_unit_test(test_slow_peer),
		cmocka_unit_test(test_call),
	};

	log_init("test", STDERR_FILENO, 0, LOG_CRIT, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
