/*
 * Login limits: the window is exact, attempts that run at once get no further
 * than attempts in a row, and the table stays within its bounds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../privsep/auth/auth_rate.h"

#define MINUTE 60000

static uint8_t *
key(uint32_t n)
{
	static uint8_t k[RATE_KEY];

	memset(k, 0, sizeof(k));
	memcpy(k, &n, sizeof(n));
	memcpy(k + 8, &n, sizeof(n));
	return k;
}

static enum rate_verdict
look(struct rate *r, uint32_t n, int64_t now)
{
	uint32_t retry;

	return rate_look(r, key(n), now, &retry);
}

static void
fail_at(struct rate *r, uint32_t n, int64_t now)
{
	assert_int_equal(look(r, n, now), RATE_GO);
	rate_begin(r, key(n), now);
	rate_end(r, key(n), now, true);
}

static void
window(void **state)
{
	struct rate *r = rate_new(5, 900, RATE_ENTRIES);
	uint32_t retry, i;

	(void)state;
	/* five failures, a minute apart */
	for (i = 0; i < 5; i++)
		fail_at(r, 1, 1000 + i * MINUTE);
	assert_int_equal(rate_look(r, key(1), 1000 + 5 * MINUTE, &retry), RATE_DENY);
	assert_int_equal(retry, 10 * 60);
	assert_int_equal(look(r, 1, 1000 + 15 * MINUTE - 1), RATE_DENY);
	/* the first has left: exactly one more */
	assert_int_equal(look(r, 1, 1000 + 15 * MINUTE), RATE_GO);
	fail_at(r, 1, 1000 + 15 * MINUTE);
	assert_int_equal(rate_look(r, key(1), 1000 + 15 * MINUTE, &retry), RATE_DENY);
	assert_int_equal(retry, 60);
	/* another key is another matter */
	assert_int_equal(look(r, 2, 1000 + 15 * MINUTE), RATE_GO);
	assert_int_equal(rate_failures(r, key(1), 1000 + 15 * MINUTE), 5);
	assert_int_equal(rate_failures(r, key(1), 1000 + 60 * MINUTE), 0);
	rate_free(r);
}

/* In no window of the period are there more than count, whatever the times. */
static void
exact(void **state)
{
	enum {
		COUNT = 7,
		PERIOD = 100000,
		N = 20000,
	};
	static int64_t went[N];
	struct rate *r = rate_new(COUNT, PERIOD / 1000, RATE_ENTRIES);
	unsigned int i, n = 0;
	int64_t now = 0;

	(void)state;
	srandom(1);
	for (i = 0; i < N; i++) {
		now += random() % 30000;
		if (look(r, 1, now) != RATE_GO) {
			/* and never refused without cause */
			assert_true(n >= COUNT && now - went[n - COUNT] < PERIOD);
			continue;
		}
		assert_true(n < COUNT || now - went[n - COUNT] >= PERIOD);
		rate_begin(r, key(1), now);
		rate_end(r, key(1), now, true);
		went[n++] = now;
	}
	assert_true(n > 100);
	rate_free(r);
}

static void
success_is_free(void **state)
{
	struct rate *r = rate_new(5, 900, RATE_ENTRIES);
	unsigned int i;

	(void)state;
	for (i = 0; i < 1000; i++) {
		assert_int_equal(look(r, 1, i), RATE_GO);
		rate_begin(r, key(1), i);
		rate_end(r, key(1), i, false);
	}
	assert_int_equal(rate_entries(r), 0);
	rate_free(r);
}

static void
at_once(void **state)
{
	struct rate *r = rate_new(3, 900, RATE_ENTRIES);
	unsigned int i;

	(void)state;
	for (i = 0; i < 3; i++) {
		assert_int_equal(look(r, 1, 0), RATE_GO);
		rate_begin(r, key(1), 0);
	}
	assert_int_equal(look(r, 1, 0), RATE_WAIT);
	/* one ends well: one more may try */
	rate_end(r, key(1), 1, false);
	assert_int_equal(look(r, 1, 1), RATE_GO);
	rate_begin(r, key(1), 1);
	for (i = 0; i < 3; i++)
		rate_end(r, key(1), 2, true);
	assert_int_equal(look(r, 1, 3), RATE_DENY);
	/* an end without a beginning is nothing */
	rate_end(r, key(1), 3, true);
	rate_end(r, key(9), 3, true);
	assert_int_equal(rate_failures(r, key(1), 3), 3);
	assert_int_equal(rate_failures(r, key(9), 3), 0);
	rate_free(r);
}

/* However many others come: nobody's failures are forgotten for their sake. */
static void
bounded(void **state)
{
	struct rate *r = rate_new(5, 900, RATE_ENTRIES);
	uint32_t i;

	(void)state;
	fail_at(r, 0, 0);
	rate_begin(r, key(0), 0);
	for (i = 1; i < 3 * RATE_ENTRIES; i++) {
		rate_begin(r, key(i), i);
		rate_end(r, key(i), i, true);
	}
	assert_int_equal(rate_entries(r), RATE_ENTRIES);
	for (i = 0; i < 3 * RATE_ENTRIES; i++)
		assert_true(rate_failures(r, key(i), 3 * RATE_ENTRIES) >= 1);
	/* When their time is over, others have the places. */
	for (i = 0; i < RATE_ENTRIES; i++)
		fail_at(r, 1000000 + i, 3 * RATE_ENTRIES + 1000000);
	assert_int_equal(rate_entries(r), RATE_ENTRIES);
	assert_int_equal(rate_failures(r, key(1), 3 * RATE_ENTRIES + 1000000), 0);
	rate_free(r);
}

/* A limit that is huge does not make the memory so. */
static void
stamps_bounded(void **state)
{
	struct rate *r = rate_new(1000000, 900, RATE_ENTRIES);
	uint32_t i, n;

	(void)state;
	for (n = 0; n < 40; n++)
		for (i = 0; i < 60000; i++)
			fail_at(r, n, n + i);
	assert_int_equal(rate_entries(r), 40);
	for (n = 0; n < 40; n++)
		assert_int_equal(rate_failures(r, key(n), 60000), 60000);
	rate_free(r);
}

static void
reconfigured(void **state)
{
	struct rate *r = rate_new(5, 900, RATE_ENTRIES);
	uint32_t i, retry;

	(void)state;
	for (i = 0; i < 5; i++)
		fail_at(r, 1, i * 1000);
	assert_int_equal(look(r, 1, 5000), RATE_DENY);
	rate_config(r, 10, 900);
	assert_int_equal(look(r, 1, 5000), RATE_GO);
	rate_config(r, 2, 10);
	assert_int_equal(rate_look(r, key(1), 5000, &retry), RATE_DENY);
	/* the second newest of 0..4 s has to leave */
	assert_int_equal(retry, 8);
	assert_int_equal(look(r, 1, 13000), RATE_GO);
	rate_free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(window),
		cmocka_unit_test(exact),
		cmocka_unit_test(success_is_free),
		cmocka_unit_test(at_once),
		cmocka_unit_test(bounded),
		cmocka_unit_test(stamps_bounded),
		cmocka_unit_test(reconfigured),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
