/* Refusals for the audit trail: told at once, then once a minute; so many at a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "../../privsep/refused.h"

static struct m_limited told[256];
static unsigned int ntold;

static bool
tell(const struct m_limited *m)
{
	assert_true(ntold < 256);
	told[ntold++] = *m;
	return true;
}

static bool
deaf(const struct m_limited *m)
{
	(void)m;
	return false;
}

static void
refuse(uint32_t n, uint32_t class, int64_t now)
{
	uint8_t key[WINDOW_KEY] = { 1 };

	memcpy(key + 4, &n, sizeof(n));
	refused_add(key, class, now);
}

static void
settle(int64_t now)
{
	while (refused_tick(now += REFUSED_EVERY, tell))
		;
	ntold = 0;
}

static void
test_pace(void **state)
{
	int64_t t;

	(void)state;
	refuse(7, LIMIT_WEB, 1000);
	/* While nobody hears it, it is kept. */
	assert_true(refused_tick(1000, deaf));
	refuse(7, LIMIT_WEB, 1001);
	assert_true(refused_tick(1400, deaf));
	assert_true(refused_tick(1500, tell));
	assert_int_equal(ntold, 1);
	assert_int_equal(told[0].count, 2);
	assert_int_equal(told[0].class, LIMIT_WEB);
	/* A refusal each second for ten minutes: ten more. */
	for (t = 2000; t < 602000; t += 1000) {
		refuse(7, LIMIT_WEB, t);
		(void)refused_tick(t, tell);
	}
	assert_int_equal(ntold, 10);
	assert_in_range(told[5].count, 59, 61);
	/* The last ones are told, then nothing is left. */
	assert_true(refused_tick(t + REFUSED_EVERY, tell));
	assert_int_equal(ntold, 11);
	assert_false(refused_tick(t + 3 * REFUSED_EVERY, tell));
	assert_int_equal(ntold, 11);
	settle(t + 4 * REFUSED_EVERY);
}

static void
test_many(void **state)
{
	static const uint8_t zero[WINDOW_KEY];
	uint32_t i, others = 0, sum = 0;

	(void)state;
	for (i = 0; i < 10000; i++)
		refuse(i, i & 1 ? LIMIT_WEB : LIMIT_API, 9000000);
	(void)refused_tick(9000001, tell);
	assert_int_equal(ntold, REFUSED_KEYS + 1);
	for (i = 0; i < ntold; i++) {
		sum += told[i].count;
		if (memcmp(told[i].key, zero, sizeof(zero)) == 0)
			others += told[i].count;
	}
	assert_int_equal(sum, 10000);
	assert_int_equal(others, 10000 - REFUSED_KEYS);
	settle(9000001);
}

/* One key, two classes; a place that is free again is another's. */
static void
test_places(void **state)
{
	uint32_t i;

	(void)state;
	refuse(1, LIMIT_WEB, 20000000);
	refuse(1, LIMIT_API, 20000000);
	(void)refused_tick(20000000, tell);
	assert_int_equal(ntold, 2);
	settle(20000000);
	for (i = 100; i < 100 + REFUSED_KEYS; i++)
		refuse(i, LIMIT_WEB, 30000000);
	(void)refused_tick(30000000, tell);
	assert_int_equal(ntold, REFUSED_KEYS);
	settle(30000000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pace),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_places),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
