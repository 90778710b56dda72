/*
 * Circuits: when they open, what is let through, and what closes them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../privsep/circuit.h"

#define T0 1000000

static void
fail_at(struct circuit *c, int64_t now)
{
	assert_int_equal(circuit_try(c, now), 0);
	(void)circuit_result(c, false, now);
}

static struct circuit
opened(void)
{
	struct circuit c;

	memset(&c, 0, sizeof(c));
	for (int i = 0; i < CIRCUIT_FAILURES; i++)
		fail_at(&c, T0);
	assert_true(circuit_is_open(&c));
	return (c);
}

static void
test_opens(void **state)
{
	struct circuit c;

	(void)state;
	memset(&c, 0, sizeof(c));
	for (int i = 0; i < CIRCUIT_FAILURES - 1; i++)
		fail_at(&c, T0 + i);
	assert_false(circuit_is_open(&c));
	/* A success between them, and it begins anew. */
	assert_false(circuit_result(&c, true, T0 + 10));
	for (int i = 0; i < CIRCUIT_FAILURES - 1; i++)
		fail_at(&c, T0 + 20 + i);
	assert_false(circuit_is_open(&c));
	assert_true(circuit_result(&c, false, T0 + 30));
	assert_true(circuit_is_open(&c));
	assert_int_equal(circuit_try(&c, T0 + 30), CIRCUIT_OPEN / 1000);
	assert_int_equal(circuit_try(&c, T0 + 30 + CIRCUIT_OPEN - 1), 1);
}

/* Those that are far apart do not count together. */
static void
test_window(void **state)
{
	struct circuit c;

	(void)state;
	memset(&c, 0, sizeof(c));
	for (int i = 0; i < 10 * CIRCUIT_FAILURES; i++)
		fail_at(&c, T0 + (int64_t)i * (CIRCUIT_WINDOW / (CIRCUIT_FAILURES - 2)));
	assert_false(circuit_is_open(&c));
}

static void
test_trial(void **state)
{
	struct circuit c = opened();
	int64_t now = T0 + CIRCUIT_OPEN;

	(void)state;
	/* One, and no other. */
	assert_int_equal(circuit_try(&c, now), 0);
	assert_int_equal(circuit_try(&c, now), 1);
	assert_true(circuit_result(&c, true, now));
	assert_false(circuit_is_open(&c));
	assert_int_equal(circuit_try(&c, now), 0);
}

static void
test_longer(void **state)
{
	struct circuit c = opened();
	int64_t now = T0, ms = CIRCUIT_OPEN;

	(void)state;
	for (int i = 0; i < 10; i++) {
		assert_int_not_equal(circuit_try(&c, now + ms - 1), 0);
		now += ms;
		assert_int_equal(circuit_try(&c, now), 0);
		assert_false(circuit_result(&c, false, now));
		/* What had been on its way tells nothing new. */
		assert_false(circuit_result(&c, false, now));
		ms = ms * 2 < CIRCUIT_LONGEST ? ms * 2 : CIRCUIT_LONGEST;
	}
}

/* One of whom nothing is heard keeps nobody out. */
static void
test_gone(void **state)
{
	struct circuit c = opened();
	int64_t now = T0 + CIRCUIT_OPEN;

	(void)state;
	assert_int_equal(circuit_try(&c, now), 0);
	circuit_gone(&c);
	assert_int_equal(circuit_try(&c, now), 0);
	assert_int_equal(circuit_try(&c, now + CIRCUIT_TRIAL), 0);
	assert_true(circuit_is_open(&c));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_opens),
		cmocka_unit_test(test_window),
		cmocka_unit_test(test_trial),
		cmocka_unit_test(test_longer),
		cmocka_unit_test(test_gone),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
