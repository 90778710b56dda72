/* So much at once, and so much a second afterwards. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../privsep/pace.h"

static const struct pace_limit l = { 5, 2 };

static unsigned int
take(struct pace *p, unsigned int n, int64_t now)
{
	unsigned int got = 0;

	while (n-- > 0)
		got += pace_take(p, &l, now);
	return got;
}

static void
bounded(void **state)
{
	struct pace p = { 0 };
	unsigned int got = 0;
	int64_t t;

	(void)state;
	assert_true(pace_rests(&p, &l, 0));
	assert_int_equal(take(&p, 100, 1000), 5);
	assert_int_equal(take(&p, 100, 1499), 0);
	assert_int_equal(take(&p, 100, 1500), 1);
	/* A thousand a second for ten minutes. */
	for (t = 1501; t <= 601500; t++)
		got += take(&p, 1, t);
	assert_in_range(got, 1199, 1200);
	/* As much as at first, and no more, however long it was. */
	assert_int_equal(take(&p, 100, t + 2500), 5);
	assert_int_equal(take(&p, 100, t + INT64_C(1) * 365 * 86400 * 1000), 5);
}

static void
rests(void **state)
{
	struct pace p = { 0 };

	(void)state;
	assert_true(pace_take(&p, &l, 7));
	assert_false(pace_rests(&p, &l, 506));
	assert_true(pace_rests(&p, &l, 507));
	assert_int_equal(take(&p, 6, 507), 5);
	assert_true(pace_rests(&p, &l, 100000));
	/* A clock that goes back gives nothing. */
	assert_int_equal(take(&p, 6, 100000), 5);
	assert_int_equal(take(&p, 6, 90000), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bounded),
		cmocka_unit_test(rests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
