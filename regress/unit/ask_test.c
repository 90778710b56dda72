/*
 * Questions of auth to others: each is answered to who asked, and the very same, of
 * many at once, is asked once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "../../privsep/auth/auth.h"

struct auth auth;

static struct event_base *base;
static struct chan there; /* the other end: isolation's */
static unsigned int got;  /* answers that came to auth */

/* Somebody who asks. */
struct who {
	unsigned int rows, ends, late;
	struct who *drops; /* whose questions this one's end has forgotten */
};

static void
on_answer(struct chan *c, struct msg *m)
{
	got++;
	ask_answer(c, m);
}

static const struct chan_handler handlers[] = { { M_SB_ROW, on_answer },
	{ M_SB_OK, on_answer }, { M_NONE, NULL } };

static void
gone(struct chan *c, const char *why)
{
	(void)c;
	fail_msg("the channel closed: %s", why != NULL ? why : "");
}

static int
setup(void **state)
{
	int fds[2];

	(void)state;
	if (base == NULL)
		base = event_base_new();
	assert_non_null(base);
	assert_int_equal(chan_pair(fds), 0);
	chan_init(
	    &auth.isolation, fds[0], P_AUTH, P_ISOLATION, base, handlers, gone, NULL);
	chan_init(&there, fds[1], P_ISOLATION, P_AUTH, NULL, NULL, NULL, NULL);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	chan_close(&auth.isolation);
	chan_close(&there);
	return 0;
}

static bool
on_told(void *owner, uint32_t tag, struct msg *m)
{
	struct who *w = owner;

	(void)tag;
	if (m == NULL) {
		w->late++;
		return true;
	}
	if (m->head.type == M_SB_ROW) {
		w->rows++;
		return false;
	}
	w->ends++;
	if (w->drops != NULL)
		ask_forget(w->drops);
	return true;
}

static uint32_t
list(struct who *w)
{
	return ask(&auth.isolation, M_SB_LIST, NULL, 0, 10, on_told, w, 0);
}

static uint32_t
about(struct who *w, enum msg_type type, uint32_t uid, uint64_t memory)
{
	struct m_sb sb;

	memset(&sb, 0, sizeof(sb));
	sb.uid = uid;
	sb.limits.memory = memory;
	return ask(&auth.isolation, type, &sb, sizeof(sb), 10, on_told, w, 0);
}

/* How many questions have come, and the number of the last. */
static unsigned int
came(uint32_t *id)
{
	static struct msg m;
	const char *why;
	unsigned int n = 0;

	while (chan_recv(&there, &m, &why) == 1) {
		*id = m.head.id;
		n++;
	}
	return n;
}

static void
say(uint32_t id, enum msg_type type)
{
	static struct m_sandbox row;
	static struct m_ok ok;
	unsigned int before = got;

	if (type == M_SB_ROW)
		chan_send(&there, type, id, -1, &row, sizeof(row));
	else
		chan_send(&there, type, id, -1, &ok, sizeof(ok));
	while (got == before)
		event_base_loop(base, EVLOOP_ONCE);
}

#define MANY 64

static void
test_many_are_asked_once(void **state)
{
	struct who w[MANY] = { 0 };
	uint32_t id = 0;

	(void)state;
	for (int i = 0; i < MANY; i++)
		assert_int_not_equal(list(&w[i]), 0);
	assert_int_equal(came(&id), 1);
	say(id, M_SB_ROW);
	say(id, M_SB_ROW);
	say(id, M_SB_OK);
	for (int i = 0; i < MANY; i++) {
		assert_int_equal(w[i].rows, 2);
		assert_int_equal(w[i].ends, 1);
		assert_int_equal(ask_count(&w[i]), 0);
	}
	/* It is over: who comes now gets an answer of its own. */
	list(&w[0]);
	assert_int_equal(came(&id), 1);
	say(id, M_SB_OK);
	assert_int_equal(w[0].ends, 2);
}

/* What is asked about differs by one byte, or the question does something. */
static void
test_others_are_not_shared(void **state)
{
	struct who w[6] = { 0 };
	uint32_t id = 0;

	(void)state;
	about(&w[0], M_SB_SHOW, 7, 1);
	about(&w[1], M_SB_SHOW, 7, 1);
	about(&w[2], M_SB_SHOW, 8, 1);
	about(&w[3], M_SB_SHOW, 7, 2);
	assert_int_equal(came(&id), 3);
	about(&w[4], M_SB_STOP, 7, 1);
	about(&w[5], M_SB_STOP, 7, 1);
	assert_int_equal(came(&id), 2);
	assert_int_equal(ask_count_user(7), 5);
	for (int i = 0; i < 6; i++)
		ask_forget(&w[i]);
}

/* Whoever comes when the answer has begun would miss its beginning. */
static void
test_late(void **state)
{
	struct who w[2] = { 0 };
	uint32_t first = 0, second = 0;

	(void)state;
	list(&w[0]);
	assert_int_equal(came(&first), 1);
	say(first, M_SB_ROW);
	list(&w[1]);
	assert_int_equal(came(&second), 1);
	assert_int_not_equal(first, second);
	say(first, M_SB_OK);
	assert_int_equal(w[0].rows, 1);
	assert_int_equal(w[1].rows + w[1].ends, 0);
	say(second, M_SB_ROW);
	say(second, M_SB_OK);
	assert_int_equal(w[1].rows, 1);
	assert_int_equal(w[0].ends + w[1].ends, 2);
}

/* Who asked first is gone, or one of those who share: the others are answered. */
static void
test_gone(void **state)
{
	struct who w[4] = { 0 };
	uint32_t id = 0;

	(void)state;
	for (int i = 0; i < 4; i++)
		list(&w[i]);
	assert_int_equal(came(&id), 1);
	ask_forget(&w[0]);
	ask_forget(&w[2]);
	say(id, M_SB_ROW);
	/* The end of one is that of another. */
	w[1].drops = &w[3];
	say(id, M_SB_OK);
	assert_int_equal(w[0].rows + w[2].rows, 0);
	assert_int_equal(w[1].ends, 1);
	assert_int_equal(w[3].rows, 1);
	assert_int_equal(w[3].ends, 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(ask_count(&w[i]), 0);
	/* Nothing of it is left. */
	list(&w[0]);
	assert_int_equal(came(&id), 1);
	ask_forget(&w[0]);
	/* All of them are gone: what comes leads nowhere. */
	list(&w[1]);
	list(&w[2]);
	assert_int_equal(came(&id), 1);
	ask_forget(&w[1]);
	ask_forget(&w[2]);
	say(id, M_SB_OK);
	assert_int_equal(w[1].ends + w[2].ends, 1);
}

/* Somebody who shares cannot be answered by a number of its own. */
static void
test_number(void **state)
{
	struct who w[2] = { 0 };
	uint32_t id = 0, other;

	(void)state;
	list(&w[0]);
	other = list(&w[1]);
	assert_int_equal(came(&id), 1);
	assert_int_not_equal(id, other);
	say(other, M_SB_OK);
	assert_int_equal(w[0].ends + w[1].ends, 0);
	say(id, M_SB_OK);
	assert_int_equal(w[0].ends + w[1].ends, 2);
}

/* There is a bound for those who share, too. */
static void
test_bound(void **state)
{
	struct who w = { 0 };
	unsigned int n = 0;
	uint32_t id = 0;

	(void)state;
	while (n < 100000 && list(&w) != 0)
		n++;
	assert_true(n > 1000 && n < 100000);
	assert_int_equal(ask_count(&w), n);
	assert_int_equal(came(&id), 1);
	say(id, M_SB_OK);
	assert_int_equal(w.ends, n);
	assert_int_equal(ask_count(&w), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    test_many_are_asked_once, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_others_are_not_shared, setup, teardown),
		cmocka_unit_test_setup_teardown(test_late, setup, teardown),
		cmocka_unit_test_setup_teardown(test_gone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_number, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bound, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
