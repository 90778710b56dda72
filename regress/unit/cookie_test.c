/*
 * Cookies: finding ours, noticing a second one, and taking it out of a header
 * that otherwise stays as it was.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "../../worker/cookie.h"

#define NROWS(a) (sizeof(a) / sizeof((a)[0]))
#define N        "__Host-ided"

static const struct {
	const char *in;
	enum cookie_result result;
	const char *value, *stripped;
} rows[] = {
	{ "", COOKIE_NONE, NULL, "" },
	{ N "=v", COOKIE_FOUND, "v", "" },
	{ N "=v;", COOKIE_FOUND, "v", "" },
	{ N "=v; ", COOKIE_FOUND, "v", "" },
	{ N "=v; a=1", COOKIE_FOUND, "v", "a=1" },
	{ N "=v;a=1", COOKIE_FOUND, "v", "a=1" },
	{ N "=v;  a=1", COOKIE_FOUND, "v", " a=1" },
	{ "a=1; " N "=v", COOKIE_FOUND, "v", "a=1" },
	{ "a=1;" N "=v", COOKIE_FOUND, "v", "a=1" },
	{ "a=1; " N "=v;", COOKIE_FOUND, "v", "a=1;" },
	{ "a=1; " N "=v; ", COOKIE_FOUND, "v", "a=1; " },
	{ "a=1; " N "=v; b=2", COOKIE_FOUND, "v", "a=1; b=2" },
	{ "a=1;" N "=v;b=2", COOKIE_FOUND, "v", "a=1;b=2" },
	{ "a=1; " N "=v;b=2", COOKIE_FOUND, "v", "a=1;b=2" },
	{ "a=1;\t" N "=v\t; b=2", COOKIE_FOUND, "v", "a=1; b=2" },
	{ "; " N "=v; b=2", COOKIE_FOUND, "v", "; b=2" },
	{ ";;;" N "=v;;;", COOKIE_FOUND, "v", ";;;;;" },
	{ ";", COOKIE_NONE, NULL, ";" },
	{ ";;", COOKIE_NONE, NULL, ";;" },
	{ " ", COOKIE_NONE, NULL, " " },
	{ "; ;", COOKIE_NONE, NULL, "; ;" },
	{ "=", COOKIE_NONE, NULL, "=" },
	{ "=" N, COOKIE_NONE, NULL, "=" N },
	{ "=" N "=v", COOKIE_NONE, NULL, "=" N "=v" },
	{ "a", COOKIE_NONE, NULL, "a" },
	{ "a=1; b=2", COOKIE_NONE, NULL, "a=1; b=2" },
	{ N, COOKIE_FOUND, "", "" },
	{ N "=", COOKIE_FOUND, "", "" },
	{ N "=; a=1", COOKIE_FOUND, "", "a=1" },
	{ N " =v", COOKIE_FOUND, "v", "" },
	{ "\t" N "\t= v ", COOKIE_FOUND, "v", "" },
	{ N "=a=b", COOKIE_FOUND, "a=b", "" },
	{ N "=\"v\"", COOKIE_FOUND, "\"v\"", "" },
	{ N "=a b", COOKIE_FOUND, "a b", "" },
	{ N "=v, a=1", COOKIE_FOUND, "v, a=1", "" },
	{ "a=\"x; " N "=v\"", COOKIE_FOUND, "v\"", "a=\"x" },
	{ "a=" N "=v", COOKIE_NONE, NULL, "a=" N "=v" },
	{ "x" N "=v", COOKIE_NONE, NULL, "x" N "=v" },
	{ N "x=v", COOKIE_NONE, NULL, N "x=v" },
	{ "__Host-ide=v", COOKIE_NONE, NULL, "__Host-ide=v" },
	{ "__host-ided=v", COOKIE_NONE, NULL, "__host-ided=v" },
	{ "__HOST-IDED=v", COOKIE_NONE, NULL, "__HOST-IDED=v" },
	{ "ided=v; __Secure-ided=w", COOKIE_NONE, NULL, "ided=v; __Secure-ided=w" },
	{ "%5f_Host-ided=v", COOKIE_NONE, NULL, "%5f_Host-ided=v" },
	{ "\"" N "\"=v", COOKIE_NONE, NULL, "\"" N "\"=v" },
	{ "$Version=1; " N "=v; $Path=/", COOKIE_FOUND, "v", "$Version=1; $Path=/" },
	{ "a={\"k\": \"v,w\"}; " N "=v; b=\xe9%20\\\"", COOKIE_FOUND, "v",
	    "a={\"k\": \"v,w\"}; b=\xe9%20\\\"" },
	{ N "=v; " N "=v", COOKIE_DUP, "v", "" },
	{ N "=v;" N "=w", COOKIE_DUP, "v", "" },
	{ N "=v; " N "=w; a=1", COOKIE_DUP, "v", "a=1" },
	{ N "=v; a=1; " N "=w", COOKIE_DUP, "v", "a=1" },
	{ "a=1; " N "=v; b=2; " N "=w; c=3", COOKIE_DUP, "v", "a=1; b=2; c=3" },
	{ N "=v; " N, COOKIE_DUP, "v", "" },
	{ N "; " N "=v", COOKIE_DUP, "", "" },
	{ N " =v; " N "=w", COOKIE_DUP, "v", "" },
	{ "a=1; a=2; " N "=v", COOKIE_FOUND, "v", "a=1; a=2" },
};

static void
test_find(void **state)
{
	(void)state;
	for (size_t i = 0; i < NROWS(rows); i++) {
		struct slice value = { NULL, 0 };
		enum cookie_result r;

		r = cookie_find(slice_str(rows[i].in), SLICE(N), &value);
		if (r != rows[i].result || (value.p != NULL) != (rows[i].value != NULL) ||
		    (value.p != NULL && !slice_eq(value, slice_str(rows[i].value))))
			fail_msg("%s: %d, %.*s", rows[i].in, r, (int)value.len, value.p);
	}
}

static void
test_strip(void **state)
{
	(void)state;
	for (size_t i = 0; i < NROWS(rows); i++) {
		size_t len = strlen(rows[i].in), n;
		char *other = malloc(len + 1), *here;
		struct slice value = { NULL, 0 };

		here = strdup(rows[i].in);
		assert_non_null(other);
		assert_non_null(here);
		n = cookie_strip(other, slice_str(rows[i].in), SLICE(N));
		if (n != strlen(rows[i].stripped) ||
		    memcmp(other, rows[i].stripped, n) != 0)
			fail_msg("%s: %.*s", rows[i].in, (int)n, other);
		assert_int_equal(
		    cookie_strip(here, (struct slice){ here, len }, SLICE(N)), n);
		assert_memory_equal(here, other, n);
		assert_int_equal(
		    cookie_find((struct slice){ other, n }, SLICE(N), &value),
		    COOKIE_NONE);
		free(other);
		free(here);
	}
}

/* Several headers are one list. */
static void
test_headers(void **state)
{
	struct slice value = { NULL, 0 };

	(void)state;
	assert_int_equal(cookie_find(SLICE("a=1"), SLICE(N), &value), COOKIE_NONE);
	assert_int_equal(cookie_find(SLICE(N "=v"), SLICE(N), &value), COOKIE_FOUND);
	assert_int_equal(cookie_find(SLICE("b=2"), SLICE(N), &value), COOKIE_FOUND);
	assert_true(slice_eq(value, SLICE("v")));
	assert_int_equal(
	    cookie_find(SLICE("c=3; " N "=w"), SLICE(N), &value), COOKIE_DUP);
	assert_int_equal(
	    cookie_find((struct slice){ NULL, 0 }, SLICE(N), &value), COOKIE_FOUND);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_strip),
		cmocka_unit_test(test_headers),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
