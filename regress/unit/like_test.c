/*
 * Names and addresses that look alike: skeletons, and that what is found in an order of
 * keys is what a look at each key finds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bsd/string.h>

#include "privsep/auth/like.h"

#define KEYS 4096

static char keys[KEYS][WIRE_EMAIL];
static size_t nkeys;
static unsigned int looks;

static int
by_bytes(const void *a, const void *b)
{
	return strcmp(a, b);
}

static bool
next(void *arg, const char *from, char key[WIRE_EMAIL])
{
	size_t lo = 0, hi = nkeys, mid;

	(void)arg;
	looks++;
	while (lo < hi) {
		mid = (lo + hi) / 2;
		if (strcmp(keys[mid], from) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == nkeys)
		return false;
	strlcpy(key, keys[lo], WIRE_EMAIL);
	return true;
}

static void
have(const char *const *list)
{
	for (nkeys = 0; list[nkeys] != NULL; nkeys++)
		strlcpy(keys[nkeys], list[nkeys], sizeof(keys[0]));
	qsort(keys, nkeys, sizeof(keys[0]), by_bytes);
}

static enum like
find(const char *text, char found[WIRE_EMAIL])
{
	looks = 0;
	found[0] = '\0';
	return like_find(next, NULL, text, "", found);
}

static void
test_skeletons(void **state)
{
	static const char *const same[][2] = {
		{ "tom", "torn" }, { "user10", "userlo" },
		{ "ann", "\xd0\xb0nn" }, /* Cyrillic a */
		{ "coco", "\xd1\x81\xd0\xbe\xd1\x81\xd0\xbe" },
		{ "p@x.org", "\xcf\x81@x.org" }, /* Greek rho */
	};
	static const char *const other[][2] = {
		{ "ann", "anne" },
		{ "bob", "boc" },
		{ "a.b", "a_b" },
		{ "e", "\xc3\xa9" }, /* with an accent */
		{ "\xd0\xb6", "x" },
	};
	char a[128], b[128];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		assert_true(like_skeleton(same[i][0], a, sizeof(a)) > 0);
		assert_true(like_skeleton(same[i][1], b, sizeof(b)) > 0);
		assert_string_equal(a, b);
	}
	for (i = 0; i < sizeof(other) / sizeof(other[0]); i++) {
		assert_true(like_skeleton(other[i][0], a, sizeof(a)) > 0);
		assert_true(like_skeleton(other[i][1], b, sizeof(b)) > 0);
		assert_string_not_equal(a, b);
	}
	/* No room is no skeleton. */
	assert_int_equal(like_skeleton("mmm", a, 6), 0);
	assert_int_equal(like_skeleton("mmm", a, 7), 6);
}

static void
test_found(void **state)
{
	static const char *const list[] = { "alice", "bam", "tom@example.org", "u1",
		"u10", "\xd1\x81\xd0\xbe\xd1\x81\xd0\xbe", NULL };
	static const struct {
		const char *text;
		const char *like;
	} cases[] = {
		{ "barn", "bam" },
		{ "bam", NULL }, /* itself */
		{ "ba", NULL },
		{ "bams", NULL },
		{ "a1ice", "alice" },
		{ "ul", "u1" },
		{ "ulo", "u10" },
		{ "u1o", "u10" },
		{ "torn@exarnp1e.org", "tom@example.org" },
		{ "coco", "\xd1\x81\xd0\xbe\xd1\x81\xd0\xbe" },
		{ "zzz", NULL },
		{ "", NULL },
	};
	char found[WIRE_EMAIL];
	enum like r;
	size_t i;

	(void)state;
	have(list);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		r = find(cases[i].text, found);
		assert_int_equal(r, cases[i].like != NULL ? LIKE_ONE : LIKE_NONE);
		if (cases[i].like != NULL)
			assert_string_equal(found, cases[i].like);
	}
	/* One's own is no other's. */
	assert_int_equal(like_find(next, NULL, "barn", "bam", found), LIKE_NONE);
	nkeys = 0;
	assert_int_equal(find("barn", found), LIKE_NONE);
}

/* Of an alphabet in which much looks alike: the same as by looking at all of them. */
static void
test_model(void **state)
{
	static const char *const letters[] = { "1", "l", "0", "o", "m", "r", "n", "a",
		"\xd0\xbe", "\xd0\xb0" };
	char text[64], found[WIRE_EMAIL], a[256], b[256];
	unsigned int round, i, n, ones = 0;
	const char *like;
	size_t k;

	(void)state;
	srandom(7);
	for (round = 0; round < 400; round++) {
		nkeys = (size_t)random() % 60;
		for (k = 0; k <= nkeys; k++) {
			text[0] = '\0';
			n = 1 + (unsigned int)random() % 4;
			for (i = 0; i < n; i++)
				strlcat(text, letters[random() % 10], sizeof(text));
			if (k < nkeys)
				strlcpy(keys[k], text, sizeof(keys[0]));
		}
		qsort(keys, nkeys, sizeof(keys[0]), by_bytes);
		assert_true(like_skeleton(text, a, sizeof(a)) > 0);
		for (k = 0, like = NULL; k < nkeys && like == NULL; k++) {
			assert_true(like_skeleton(keys[k], b, sizeof(b)) > 0);
			if (strcmp(a, b) == 0 && strcmp(keys[k], text) != 0)
				like = keys[k];
		}
		assert_int_equal(find(text, found), like != NULL ? LIKE_ONE : LIKE_NONE);
		if (like != NULL) {
			assert_true(like_skeleton(found, b, sizeof(b)) > 0);
			assert_string_equal(a, b);
			assert_string_not_equal(found, text);
			ones++;
		}
	}
	assert_true(ones > 20 && ones < 380);
}

/* However many there are, and whatever they look like: so many looks, and no more. */
static void
test_bounded(void **state)
{
	char found[WIRE_EMAIL], text[33];
	unsigned int i, bit;

	(void)state;
	for (nkeys = 0; nkeys < KEYS; nkeys++)
		snprintf(keys[nkeys], sizeof(keys[0]), "user%zu@example.org", nkeys);
	qsort(keys, nkeys, sizeof(keys[0]), by_bytes);
	assert_int_equal(find("someone.else@example.org", found), LIKE_NONE);
	assert_true(looks < 50);
	assert_int_equal(find("userl234@example.org", found), LIKE_ONE);
	assert_true(looks < 300);
	assert_int_equal(find("user1234@exampie.org", found), LIKE_NONE);
	assert_true(looks < 300);
	/* What one who wants it slow would register. */
	for (i = 0; i < KEYS; i++) {
		for (bit = 0; bit < 12; bit++)
			text[bit] = (i >> bit & 1) != 0 ? '1' : 'l';
		snprintf(text + 12, sizeof(text) - 12, "%u", i);
		strlcpy(keys[i], text, sizeof(keys[0]));
	}
	nkeys = KEYS;
	qsort(keys, nkeys, sizeof(keys[0]), by_bytes);
	assert_int_equal(find("llllllllllllx", found), LIKE_MANY);
	assert_true(looks <= 2001);
	/* A text of the longest kind. */
	memset(found, 'm', sizeof(found));
	found[sizeof(found) - 1] = '\0';
	strlcpy(keys[0], found, sizeof(keys[0]));
	assert_int_equal(find(keys[0], found), LIKE_NONE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_skeletons),
		cmocka_unit_test(test_found),
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
