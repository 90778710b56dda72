/* Admission: early drop, per source, penalties, a bounded table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "../../master/admission.h"

static uint32_t dice;

static uint32_t
roll(uint32_t bound)
{
	return bound == 0 ? 0 : dice % bound;
}

static struct wire_addr
v4(unsigned int a, unsigned int b, unsigned int c, unsigned int d)
{
	struct wire_addr w;

	memset(&w, 0, sizeof(w));
	w.ip[10] = w.ip[11] = 0xff;
	w.ip[12] = (uint8_t)a;
	w.ip[13] = (uint8_t)b;
	w.ip[14] = (uint8_t)c;
	w.ip[15] = (uint8_t)d;
	return w;
}

static int
setup(void **state)
{
	static const struct admission_conf conf = { 4, 10, 30, 100 };

	(void)state;
	dice = 99;
	admission_init(roll);
	admission_configure(&conf);
	return 0;
}

static void
test_per_source(void **state)
{
	struct wire_addr a = v4(192, 0, 2, 1), b = v4(192, 0, 2, 2);
	struct source *s[5];
	int i;

	(void)state;
	for (i = 0; i < 4; i++)
		assert_int_equal(admission_check(&a, 0, 0, &s[i]), ADMIT_OK);
	assert_int_equal(admission_check(&a, 0, 0, &s[4]), ADMIT_PER_SOURCE);
	assert_int_equal(admission_check(&b, 0, 0, &s[4]), ADMIT_OK);
	admission_release(s[0], false);
	assert_int_equal(admission_check(&a, 0, 0, &s[4]), ADMIT_OK);
}

static void
test_ipv6_counts_by_64(void **state)
{
	struct wire_addr a, b;
	struct source *s;
	int i;

	(void)state;
	memset(&a, 0, sizeof(a));
	a.ip[0] = 0x20;
	a.ip[1] = 0x01;
	b = a;
	for (i = 0; i < 4; i++) {
		a.ip[15] = (uint8_t)i;
		assert_int_equal(admission_check(&a, 0, 0, &s), ADMIT_OK);
	}
	a.ip[8] = 9;
	assert_int_equal(admission_check(&a, 0, 0, &s), ADMIT_PER_SOURCE);
	b.ip[7] = 1;
	assert_int_equal(admission_check(&b, 0, 0, &s), ADMIT_OK);
}

static void
test_early_drop(void **state)
{
	struct wire_addr a = v4(192, 0, 2, 1);
	struct source *s, *known;

	(void)state;
	dice = 29; /* below 30 percent: dropped from `begin' on */
	assert_int_equal(admission_check(&a, 0, 9, &s), ADMIT_OK);
	assert_int_equal(admission_check(&a, 0, 10, &known), ADMIT_EARLY_DROP);
	dice = 30;
	assert_int_equal(admission_check(&a, 0, 10, &s), ADMIT_OK);
	dice = 64; /* half way: 65 percent */
	assert_int_equal(admission_check(&a, 0, 55, &s), ADMIT_EARLY_DROP);
	dice = 65;
	assert_int_equal(admission_check(&a, 0, 55, &s), ADMIT_OK);
	dice = 99;
	a = v4(192, 0, 2, 9);
	/* The first connection of a source: another goes for it, if need be. */
	assert_int_equal(admission_check(&a, 0, 99, &known), ADMIT_OK);
	admission_release(known, false);
	assert_int_equal(admission_check(&a, 0, 100, &known), ADMIT_EVICT);
	assert_non_null(known);
	assert_int_equal(admission_check(&a, 0, 100, &s), ADMIT_EARLY_DROP);
	admission_release(known, false);
	/* Somebody has logged in from there: the way in stays open. */
	assert_int_equal(admission_check(&a, 0, 0, &s), ADMIT_OK);
	admission_bound(s);
	assert_int_equal(admission_check(&a, 0, 100, &known), ADMIT_OK);
	admission_release(s, true);
	assert_int_equal(admission_check(&a, 0, 100, &s), ADMIT_EARLY_DROP);
	admission_release(known, false);
}

static void
test_penalties(void **state)
{
	struct wire_addr a = v4(192, 0, 2, 1), b = v4(192, 0, 2, 2);
	struct source *s, *t;
	int i;

	(void)state;
	assert_int_equal(admission_check(&a, 0, 0, &s), ADMIT_OK);
	for (i = 0; i < 3; i++)
		admission_penalise(s, PENALTY_LOGIN, 0);
	/* Below 15 s nothing is enforced. */
	assert_int_equal(admission_check(&a, 0, 0, &t), ADMIT_OK);
	admission_penalise(s, PENALTY_LOGIN, 0);
	admission_penalise(s, PENALTY_LOGIN, 0);
	assert_int_equal(admission_check(&a, 0, 0, &t), ADMIT_PENALTY);
	assert_int_equal(admission_penalised(0), 1);
	assert_int_equal(admission_check(&b, 0, 0, &t), ADMIT_OK);
	/* Five times four seconds, to the end. */
	assert_int_equal(admission_check(&a, 19999, 0, &t), ADMIT_PENALTY);
	assert_int_equal(admission_check(&a, 20000, 0, &t), ADMIT_OK);
	admission_release(t, false);
	assert_int_equal(admission_penalised(20000), 0);
	/* A new one begins below 15 s again. */
	admission_penalise(s, PENALTY_GRACE, 20000);
	assert_int_equal(admission_check(&a, 20000, 0, &t), ADMIT_OK);
	admission_release(t, false);
	admission_penalise(s, PENALTY_CRASH, 30000);
	assert_int_equal(admission_check(&a, 30000 + 89999, 0, &t), ADMIT_PENALTY);
	assert_int_equal(admission_check(&a, 30000 + 90000, 0, &t), ADMIT_OK);
	/* Never longer than ten minutes. */
	for (i = 0; i < 100; i++)
		admission_penalise(s, PENALTY_CRASH, 200000);
	assert_int_equal(admission_check(&a, 200000 + 599999, 0, &t), ADMIT_PENALTY);
	assert_int_equal(admission_check(&a, 200000 + 600000, 0, &t), ADMIT_OK);
}

static void
test_unix_peers_are_not_counted(void **state)
{
	struct wire_addr a;
	struct source *s;
	int i;

	(void)state;
	memset(&a, 0, sizeof(a));
	a.unix_peer = 1;
	for (i = 0; i < 100; i++) {
		assert_int_equal(admission_check(&a, 0, 0, &s), ADMIT_OK);
		assert_null(s);
	}
	admission_penalise(NULL, PENALTY_CRASH, 0);
	admission_release(NULL, true);
}

/* More sources than the table holds: permissive, and those that are penalised
 * or connected are not forgotten. */
static void
test_bounded(void **state)
{
	struct wire_addr bad = v4(198, 51, 100, 1), a;
	struct source *s;
	uint32_t i;

	(void)state;
	assert_int_equal(admission_check(&bad, 0, 0, &s), ADMIT_OK);
	admission_penalise(s, PENALTY_CRASH, 0);
	admission_release(s, false);
	for (i = 0; i < 70000; i++) {
		a = v4(10, i >> 16, (i >> 8) & 255, i & 255);
		assert_int_equal(admission_check(&a, 0, 0, &s), ADMIT_OK);
		if (i >= 3 && s != NULL)
			admission_release(s, false);
	}
	assert_int_equal(admission_check(&bad, 1000, 0, &s), ADMIT_PENALTY);
	for (i = 0; i < 70000; i++) {
		a = v4(11, i >> 16, (i >> 8) & 255, i & 255);
		assert_int_equal(admission_check(&a, 0, 0, &s), ADMIT_OK);
	}
	assert_null(s);
}

/* More addresses than the table holds, while all places are taken: each is let in
 * for the oldest one, and holds no place in the table once it is gone. */
static void
test_first_ones_at_the_limit(void **state)
{
	struct wire_addr a;
	struct source *s;
	uint32_t i;

	(void)state;
	for (i = 0; i < 70000; i++) {
		a = v4(12, i >> 16, (i >> 8) & 255, i & 255);
		assert_int_equal(admission_check(&a, 0, 100, &s), ADMIT_EVICT);
		assert_non_null(s);
		admission_release(s, false);
	}
	a = v4(192, 0, 2, 77);
	assert_int_equal(admission_check(&a, 0, 0, &s), ADMIT_OK);
	assert_non_null(s);
	admission_release(s, false);
}

/* A penalty reaches a source whose connection is gone, and one that never had
 * any. */
static void
test_penalty_by_address(void **state)
{
	struct wire_addr a = v4(192, 0, 2, 1), b = v4(192, 0, 2, 2), u;
	struct source *s;

	(void)state;
	assert_int_equal(admission_check(&a, 0, 0, &s), ADMIT_OK);
	admission_release(s, false);
	admission_penalise_addr(&a, PENALTY_CRASH, 0);
	admission_penalise_addr(&b, PENALTY_CRASH, 0);
	assert_int_equal(admission_check(&a, 0, 0, &s), ADMIT_PENALTY);
	assert_int_equal(admission_check(&b, 0, 0, &s), ADMIT_PENALTY);
	assert_int_equal(admission_penalised(0), 2);
	memset(&u, 0, sizeof(u));
	u.unix_peer = 1;
	admission_penalise_addr(&u, PENALTY_CRASH, 0);
	assert_int_equal(admission_check(&u, 0, 0, &s), ADMIT_OK);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_per_source, setup),
		cmocka_unit_test_setup(test_ipv6_counts_by_64, setup),
		cmocka_unit_test_setup(test_early_drop, setup),
		cmocka_unit_test_setup(test_penalties, setup),
		cmocka_unit_test_setup(test_unix_peers_are_not_counted, setup),
		cmocka_unit_test_setup(test_bounded, setup),
		cmocka_unit_test_setup(test_first_ones_at_the_limit, setup),
		cmocka_unit_test_setup(test_penalty_by_address, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
