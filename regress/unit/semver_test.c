/* Versions: what is one, and which of two is the newer one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../../privsep/semver.h"

static void
test_ok(void **state)
{
	static const char *const good[] = { "0.0.0", "1.2.3", "10.20.30", "1.0.0-alpha",
		"1.0.0-alpha.1", "1.0.0-0.3.7", "1.0.0-x.7.z.92", "1.0.0-x-y-z.--",
		"1.0.0+001", "1.0.0-alpha+001", "1.0.0+20130313144700", "1.0.0--",
		"1.0.0-beta+exp.sha.5114f85", "1.0.0+21AF26D3----117B344092BD",
		"1.0.0-0a", "1.0.0-0", "99999999999999999999999.999999999999999999.0",
		"1.0.0-0A.is.legal" };
	static const char *const bad[] = { "", "1", "1.2", "1.2.3.4", "v1.2.3", "1.2.3-",
		"1.2.3+", "1.2.3-a..b", "1.2.3-.a", "1.2.3-a.", "1.2.3-01", "1.2.3-a.01",
		"01.2.3", "1.02.3", "1.2.03", "1.2.x", "1..3", ".1.2", "1.2.", " 1.2.3",
		"1.2.3 ", "1.2.3\n", "-1.2.3", "+1.2.3", "1.2.3-a_b", "1.2.3+a+b",
		"1.2.3+.", "1.2.3-\xc3\xa4", "latest", "1,2,3" };
	char text[SEMVER_MAX + 1];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (!semver_ok(good[i]))
			fail_msg("%s", good[i]);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (semver_ok(bad[i]))
			fail_msg("%s", bad[i]);
	memset(text, '1', sizeof(text));
	memcpy(text, "1.2.", 4);
	text[SEMVER_MAX] = '\0';
	assert_false(semver_ok(text));
	text[SEMVER_MAX - 1] = '\0';
	assert_true(semver_ok(text));
}

/* Each is below the one that follows: section 11's examples, and more. */
static void
test_order(void **state)
{
	static const char *const rising[] = { "0.0.0-0", "0.0.0", "0.0.1", "0.1.0",
		"1.0.0-1", "1.0.0-2", "1.0.0-10", "1.0.0-10000000000000000000000",
		"1.0.0--", "1.0.0-1a", "1.0.0-A", "1.0.0-alpha", "1.0.0-alpha.1",
		"1.0.0-alpha.beta", "1.0.0-alpha-1", "1.0.0-beta", "1.0.0-beta.2",
		"1.0.0-beta.2.0", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.0.9",
		"1.0.10", "1.9.0", "1.10.0", "2.0.0-rc.1", "2.0.0", "2.1.0", "2.1.1",
		"10.0.0", "4294967296.0.0", "18446744073709551616.0.0",
		"18446744073709551617.0.0" };
	char a[SEMVER_MAX], b[SEMVER_MAX];
	size_t i, j, n = sizeof(rising) / sizeof(rising[0]);
	int want, got;

	(void)state;
	for (i = 0; i < n; i++)
		for (j = 0; j < n; j++) {
			assert_true(semver_ok(rising[i]));
			want = (i > j) - (i < j);
			got = semver_compare(rising[i], rising[j]);
			if (got != want)
				fail_msg("%s, %s: %d", rising[i], rising[j], got);
			/* How it was built does not count. */
			snprintf(a, sizeof(a), "%s+z", rising[i]);
			snprintf(b, sizeof(b), "%s+a.1-b", rising[j]);
			assert_int_equal(semver_compare(a, b), want);
			assert_int_equal(semver_compare(a, rising[j]), want);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ok),
		cmocka_unit_test(test_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
