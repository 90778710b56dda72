/*
 * The keys process: what workers may have of it, and the table of sessions.
 */
#include "keys_helper.h"

#include "../../privsep/chan.h"
#include "../../privsep/keys/serve.h"
#include "../../privsep/keys/session.h"

static struct event_base *base;
static struct chan to_master, master;

/* Workers, at the other end of a channel. */

static void
turn(void)
{
	int i;

	for (i = 0; i < 4; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
}

static void
worker(struct chan *c)
{
	struct m_worker who;
	int fds[2];

	memset(&who, 0, sizeof(who));
	who.id = 7;
	who.source.ip[15] = 9;
	assert_int_equal(chan_pair(fds), 0);
	serve_join(fds[0], &who);
	chan_init(c, fds[1], P_WORKER, P_KEYS, NULL, NULL, NULL, NULL);
}

/* 1 with an answer, 0 when the channel was closed, -1 when nothing came. */
static int
answered(struct chan *c, struct msg *m)
{
	const char *why;

	turn();
	return chan_recv(c, m, &why);
}

/* What master was told since the last time: one worker's violation, or none. */
static bool
master_told(void)
{
	static struct msg note;
	const struct m_worker_note *n = MSG_DATA(&note, m_worker_note);
	const char *why;
	bool told = false;

	while (chan_recv(&master, &note, &why) == 1) {
		assert_false(told);
		told = true;
		assert_int_equal(note.head.type, M_WORKER_NOTE);
		assert_int_equal(n->id, 7);
		assert_int_equal(n->kind, NOTE_VIOLATION);
		assert_int_equal(n->source.ip[15], 9);
	}
	return told;
}

static void
say(struct chan *c, enum msg_type t, const void *p, size_t len)
{
	assert_int_equal(chan_send(c, t, 0, -1, p, len), 0);
}

static struct msg m;

static void
test_serve_one_signature(void **state)
{
	EVP_PKEY *k = ec("P-256");
	struct m_sign r = request(k, 0x0403, FORM_TLS13);
	struct chan c;

	(void)state;
	load_ok(k);
	worker(&c);
	assert_int_equal(serve_peers(), 1);
	say(&c, M_SIGN, &r, sizeof(r));
	assert_int_equal(answered(&c, &m), 1);
	assert_int_equal(m.head.type, M_SIGNED);
	assert_int_equal(MSG_DATA(&m, m_signed)->ok, 1);
	assert_true(verifies(k, &r, MSG_DATA(&m, m_signed)));
	assert_false(master_told());
	say(&c, M_SIGN, &r, sizeof(r));
	assert_int_equal(answered(&c, &m), 0);
	assert_int_equal(serve_peers(), 0);
	assert_true(master_told());
	chan_close(&c);
	/* One that just leaves has done nothing wrong. */
	worker(&c);
	chan_close(&c);
	turn();
	assert_int_equal(serve_peers(), 0);
	assert_false(master_told());
	EVP_PKEY_free(k);
	key_forget_all();
}

static void
test_serve_refusals(void **state)
{
	EVP_PKEY *k = ec("P-256"), *unknown = ec("P-256");
	struct m_sign good = request(k, 0x0403, FORM_TLS13), bad[4];
	struct m_sess get;
	struct chan c;
	int i;

	(void)state;
	load_ok(k);
	bad[0] = bad[1] = bad[2] = bad[3] = good;
	bad[0].tbs[70] ^= 1;
	bad[1].scheme = 0x0804;
	bad[2].len = WIRE_TBS_MAX + 1;
	bad[3].len = 0xffffffff;
	for (i = 0; i < 4; i++) {
		worker(&c);
		say(&c, M_SIGN, &bad[i], sizeof(bad[i]));
		assert_int_equal(answered(&c, &m), 0);
		assert_int_equal(serve_peers(), 0);
		chan_close(&c);
	}
	/* An old key is no violation, but the one signature is used up. */
	keyid(unknown, good.keyid);
	worker(&c);
	say(&c, M_SIGN, &good, sizeof(good));
	assert_int_equal(answered(&c, &m), 1);
	assert_int_equal(MSG_DATA(&m, m_signed)->ok, 0);
	assert_int_equal(MSG_DATA(&m, m_signed)->len, 0);
	memset(&get, 0, sizeof(get));
	say(&c, M_SESS_GET, &get, sizeof(get));
	assert_int_equal(answered(&c, &m), 0);
	chan_close(&c);
	assert_int_equal(serve_peers(), 0);
	EVP_PKEY_free(k);
	EVP_PKEY_free(unknown);
	key_forget_all();
}

static struct m_sess
session(unsigned int n, uint32_t len)
{
	struct m_sess s;

	memset(&s, 0, sizeof(s));
	memcpy(s.id, &n, sizeof(n));
	s.len = len;
	memset(s.der, (int)n, sizeof(s.der));
	return s;
}

static size_t
ask(struct chan *c, unsigned int n)
{
	struct m_sess s = session(n, 0);

	say(c, M_SESS_GET, &s, sizeof(s));
	assert_int_equal(answered(c, &m), 1);
	assert_int_equal(m.head.type, M_SESS);
	assert_memory_equal(MSG_DATA(&m, m_sess)->id, s.id, sizeof(s.id));
	return MSG_DATA(&m, m_sess)->len;
}

static void
test_serve_sessions(void **state)
{
	struct m_sess s;
	struct chan c;
	int i;

	(void)state;
	worker(&c);
	for (i = 1; i <= SERVE_PUTS; i++) {
		s = session((unsigned int)i, 100);
		say(&c, M_SESS_PUT, &s, sizeof(s));
		assert_int_equal(answered(&c, &m), -1);
	}
	chan_close(&c);
	turn();
	worker(&c);
	assert_int_equal(ask(&c, 1), 100);
	for (i = 0; i < 100; i++)
		assert_int_equal(MSG_DATA(&m, m_sess)->der[i], 1);
	s = session(2, 0);
	say(&c, M_SESS_GET, &s, sizeof(s));
	assert_int_equal(answered(&c, &m), 0); /* one question */
	chan_close(&c);
	worker(&c);
	assert_int_equal(ask(&c, 1), 0); /* used */
	chan_close(&c);
	worker(&c);
	assert_int_equal(ask(&c, 2), 100);
	chan_close(&c);
	turn();
	assert_int_equal(serve_peers(), 0);
	assert_int_equal(sess_count(), 0);
}

static void
test_serve_session_violations(void **state)
{
	struct m_sess s;
	struct chan c;
	int i;

	(void)state;
	worker(&c);
	for (i = 0; i < SERVE_PUTS; i++) {
		s = session(50U + (unsigned int)i, 10);
		say(&c, M_SESS_PUT, &s, sizeof(s));
	}
	s = session(60, 10);
	say(&c, M_SESS_PUT, &s, sizeof(s));
	assert_int_equal(answered(&c, &m), 0);
	chan_close(&c);
	worker(&c);
	s = session(61, 0);
	say(&c, M_SESS_PUT, &s, sizeof(s));
	assert_int_equal(answered(&c, &m), 0);
	chan_close(&c);
	worker(&c);
	s = session(61, WIRE_SESSDER + 1);
	say(&c, M_SESS_PUT, &s, sizeof(s));
	assert_int_equal(answered(&c, &m), 0);
	chan_close(&c);
	worker(&c);
	s = session(61, 1);
	say(&c, M_SESS_GET, &s, sizeof(s));
	assert_int_equal(answered(&c, &m), 0);
	chan_close(&c);
	assert_int_equal(sess_count(), SERVE_PUTS);
	sess_forget_all();
	assert_int_equal(serve_peers(), 0);
}

/* The table. */

static void
put(unsigned int n, size_t len, int64_t now)
{
	struct m_sess s = session(n, 0);

	sess_put(s.id, s.der, len, now);
}

static size_t
take(unsigned int n, int64_t now)
{
	uint8_t der[SESS_DER_MAX];
	struct m_sess s = session(n, 0);

	return sess_take(s.id, der, now);
}

static void
test_session_bounds(void **state)
{
	(void)state;
	put(1, 0, 0);
	put(2, SESS_DER_MAX + 1, 0);
	assert_int_equal(sess_count(), 0);
	put(3, SESS_DER_MAX, 0);
	put(3, 5, 0); /* taken already */
	assert_int_equal(sess_count(), 1);
	assert_int_equal(take(3, 0), SESS_DER_MAX);
	assert_int_equal(take(3, 0), 0);
	assert_int_equal(sess_count(), 0);
}

static void
test_session_full(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < SESS_MAX + 100; i++)
		put(i, 10, 0);
	assert_int_equal(sess_count(), SESS_MAX);
	for (i = 0; i < 100; i++)
		assert_int_equal(take(i, 0), 0);
	for (; i < SESS_MAX + 100; i += 3)
		assert_int_equal(take(i, 0), 10);
	/* Holes in the ring: what is put is found, what is old goes first. */
	for (i = 0; i < SESS_MAX; i++) {
		put(100000 + i, 20, 0);
		assert_true(sess_count() <= SESS_MAX);
	}
	for (i = 0; i < SESS_MAX; i++)
		assert_int_equal(take(100000 + i, 0), 20);
	assert_int_equal(sess_count(), 0);
}

static void
test_session_expiry(void **state)
{
	(void)state;
	put(1, 10, 1000);
	put(2, 10, 2000);
	put(3, 10, 2000);
	assert_int_equal(take(1, 1000 + SESS_LIFETIME), 0);
	assert_int_equal(sess_count(), 2);
	assert_int_equal(take(2, 1999 + SESS_LIFETIME), 10);
	sess_expire(2000 + SESS_LIFETIME);
	assert_int_equal(sess_count(), 0);
	assert_int_equal(take(3, 2000), 0);
}

/* At random against a plain model. */
static void
test_session_model(void **state)
{
	static uint8_t there[12000];
	unsigned int i, n, have = 0;
	uint32_t rnd = 1;

	(void)state;
	for (i = 0; i < 200000; i++) {
		rnd = rnd * 1664525 + 1013904223;
		n = (rnd >> 8) % sizeof(there);
		if ((rnd & 0x80) != 0) {
			put(n, 1 + n % SESS_DER_MAX, 0);
			have += there[n] == 0;
			there[n] = 1;
		} else {
			assert_int_equal(
			    take(n, 0), there[n] != 0 ? 1 + n % SESS_DER_MAX : 0);
			have -= there[n];
			there[n] = 0;
		}
		/* After SESS_MAX of them the oldest goes, holes or not. */
		if (sess_count() != have)
			break;
	}
	assert_true(i > SESS_MAX);
	sess_forget_all();
	assert_int_equal(sess_count(), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_serve_one_signature),
		cmocka_unit_test(test_serve_refusals),
		cmocka_unit_test(test_serve_sessions),
		cmocka_unit_test(test_serve_session_violations),
		cmocka_unit_test(test_session_bounds),
		cmocka_unit_test(test_session_full),
		cmocka_unit_test(test_session_expiry),
		cmocka_unit_test(test_session_model),
	};
	int fds[2];

	key_memory();
	sess_init();
	base = event_base_new();
	if (chan_pair(fds) == -1)
		return 1;
	chan_init(&to_master, fds[0], P_KEYS, P_MASTER, base, NULL, NULL, NULL);
	chan_init(&master, fds[1], P_MASTER, P_KEYS, NULL, NULL, NULL, NULL);
	serve_init(base, &to_master);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
