/*
 * Allowances on loan: what honest workers get, that what others hold is called back
 * before anybody is refused, and what becomes of lies.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "../../privsep/lease.h"

#define LIMIT 100

static struct event_base *base;
static struct windows *windows;
static const uint8_t key[WINDOW_KEY] = { 7 };

struct side {
	struct lease lease;
	struct chan master; /* the lender's end */
	struct chan worker;
};

static void
gone(struct chan *c, const char *why)
{
	(void)c;
	(void)why;
}

static void
side_open(struct side *s)
{
	static const struct chan_handler none[] = { { M_NONE, NULL } };
	int fds[2];

	memset(s, 0, sizeof(*s));
	assert_int_equal(chan_pair(fds), 0);
	chan_init(&s->master, fds[0], P_MASTER, P_WORKER, base, none, gone, NULL);
	chan_init(&s->worker, fds[1], P_WORKER, P_MASTER, NULL, none, gone, NULL);
	lease_open(&s->lease, &s->master, LIMIT_WEB);
	lease_add(&s->lease, windows, key);
}

static void
side_close(struct side *s)
{
	lease_close(&s->lease);
	chan_close(&s->master);
	chan_close(&s->worker);
}

/* What the worker was told; false when nothing was. */
static bool
heard(struct side *s, enum msg_type type, struct wire_lease *l)
{
	static struct msg m;
	const char *why;

	if (chan_recv(&s->worker, &m, &why) != 1)
		return false;
	assert_int_equal(m.head.type, type);
	if (type == M_LEASE)
		*l = *MSG_DATA(&m, wire_lease);
	return true;
}

static bool
ask(struct side *s, uint32_t serial, uint32_t used)
{
	const struct m_lease_ask a = { LIMIT_WEB, serial, used, 0 };

	return lease_ask(&s->lease, 1, &a);
}

static bool
back(struct side *s, uint32_t serial, uint32_t used)
{
	const struct m_lease_ask a = { LIMIT_WEB, serial, used, 0 };

	return lease_back(&s->lease, &a);
}

static int
setup(void **state)
{
	(void)state;
	windows = windows_new(LIMIT, 3600, 100);
	assert_non_null(windows);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	windows_free(windows);
	return 0;
}

/* All of it and no more, in batches that get smaller. */
static void
all_of_it(void **state)
{
	struct wire_lease l = { 0 };
	struct side s;
	uint32_t sum = 0, asked = 0, last = LEASE_BATCH;

	(void)state;
	side_open(&s);
	for (;;) {
		assert_true(ask(&s, l.serial, l.granted));
		assert_true(heard(&s, M_LEASE, &l));
		if (l.granted == 0)
			break;
		assert_true(l.granted <= last);
		assert_int_equal(l.left, LIMIT - sum - l.granted);
		last = l.granted;
		sum += l.granted;
		asked++;
	}
	assert_int_equal(sum, LIMIT);
	/* The last sixteen one by one: near the limit a request costs a message. */
	assert_true(asked <= LIMIT * 2 / 3);
	assert_true(l.reset > 3500000 && l.reset <= 3600000);
	side_close(&s);
}

/* What one holds and does not use is called back, and the other one waits for it. */
static void
called_back(void **state)
{
	struct side holder[64], s;
	struct wire_lease l = { 0 }, held[64];
	uint32_t i, n = 0, sum = 0;

	(void)state;
	for (i = 0; i < 64 && sum < LIMIT; i++) {
		side_open(&holder[i]);
		lease_first(&holder[i].lease, LEASE_BATCH, &held[i]);
		sum += held[i].granted;
		n++;
	}
	assert_int_equal(sum, LIMIT);
	side_open(&s);
	assert_true(ask(&s, 0, 0));
	assert_false(heard(&s, M_LEASE, &l));
	for (i = 0; i < n; i++)
		assert_true(heard(&holder[i], M_LEASE_RECALL, NULL));
	/* Asked a second time while it waits: no honest worker does. */
	assert_false(ask(&s, 0, 0));
	/* One gives back what it has but for one. */
	assert_true(back(&holder[0], held[0].serial, 1));
	assert_true(heard(&s, M_LEASE, &l));
	assert_true(l.granted >= 1 && l.granted <= held[0].granted - 1);
	for (i = 0; i < n; i++)
		side_close(&holder[i]);
	side_close(&s);
}

static void
lies(void **state)
{
	struct wire_lease l;
	struct window_state w;
	struct side s;

	(void)state;
	side_open(&s);
	lease_first(&s.lease, LEASE_BATCH, &l);
	assert_int_equal(l.granted, LIMIT / 16);
	/* More than it got; another one than it has; one that is not yet. */
	assert_false(back(&s, l.serial, l.granted + 1));
	assert_false(ask(&s, l.serial, UINT32_MAX));
	assert_false(ask(&s, l.serial + 1, 0));
	/* An old one, to have two at a time. */
	assert_false(ask(&s, l.serial - 1, 0));
	windows_look(windows, key, lease_now(), &w);
	assert_int_equal(w.out, l.granted);
	assert_int_equal(w.left, LIMIT - l.granted);
	/* Given back twice is given back once. */
	assert_true(back(&s, l.serial, 2));
	assert_true(back(&s, l.serial, 0));
	windows_look(windows, key, lease_now(), &w);
	assert_int_equal(w.out, 0);
	assert_int_equal(w.used, 2);
	side_close(&s);
}

/* Who ends with some of it has used it, as far as anybody can tell. */
static void
gone_with_it(void **state)
{
	struct wire_lease l;
	struct window_state w;
	struct side s;

	(void)state;
	side_open(&s);
	lease_first(&s.lease, LEASE_BATCH, &l);
	side_close(&s);
	windows_look(windows, key, lease_now(), &w);
	assert_int_equal(w.out, 0);
	assert_int_equal(w.used, l.granted);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(all_of_it),
		T(called_back),
		T(lies),
		T(gone_with_it),
	};

	base = event_base_new();
	lease_init(base);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
