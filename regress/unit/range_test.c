/*
 * Ranges, entity tags, content codings and dates.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "../../worker/range.h"

#define NROWS(a) (sizeof(a) / sizeof((a)[0]))
#define BR       CODING_BR
#define ZS       CODING_ZSTD
#define GZ       CODING_GZIP
#define ID       CODING_IDENTITY
#define DATE     "Sun, 06 Nov 1994 08:49:37 GMT"
#define DATE_T   784111777

static void
test_range(void **state)
{
	static const struct {
		const char *in;
		uint64_t size;
		enum range_result result;
		uint64_t first, last;
	} rows[] = {
		{ "bytes=0-0", 100, RANGE_PART, 0, 0 },
		{ "bytes=0-99", 100, RANGE_PART, 0, 99 },
		{ "bytes=0-", 100, RANGE_PART, 0, 99 },
		{ "bytes=99-", 100, RANGE_PART, 99, 99 },
		{ "bytes=10-19", 100, RANGE_PART, 10, 19 },
		{ "bytes=10-1000", 100, RANGE_PART, 10, 99 },
		{ "bytes=-1", 100, RANGE_PART, 99, 99 },
		{ "bytes=-100", 100, RANGE_PART, 0, 99 },
		{ "bytes=-101", 100, RANGE_PART, 0, 99 },
		{ "BYTES=0-1", 100, RANGE_PART, 0, 1 },
		{ "bytes= 0-1", 100, RANGE_PART, 0, 1 },
		{ "bytes=00-01", 100, RANGE_PART, 0, 1 },
		{ "bytes=0-18446744073709551615", 100, RANGE_PART, 0, 99 },
		{ "bytes=0-99999999999999999999999", 100, RANGE_PART, 0, 99 },
		{ "bytes=-99999999999999999999999", 100, RANGE_PART, 0, 99 },
		{ "bytes=100-", 100, RANGE_UNSATISFIABLE, 0, 0 },
		{ "bytes=100-200", 100, RANGE_UNSATISFIABLE, 0, 0 },
		{ "bytes=18446744073709551615-", 100, RANGE_UNSATISFIABLE, 0, 0 },
		{ "bytes=18446744073709551616-", 100, RANGE_UNSATISFIABLE, 0, 0 },
		{ "bytes=99999999999999999999999-", 100, RANGE_UNSATISFIABLE, 0, 0 },
		{ "bytes=-0", 100, RANGE_UNSATISFIABLE, 0, 0 },
		{ "bytes=0-", 0, RANGE_UNSATISFIABLE, 0, 0 },
		{ "bytes=0-0", 0, RANGE_UNSATISFIABLE, 0, 0 },
		{ "bytes=-0", 0, RANGE_UNSATISFIABLE, 0, 0 },
		{ "bytes=-1", 0, RANGE_NONE, 0, 0 },
		{ "", 100, RANGE_NONE, 0, 0 },
		{ "bytes", 100, RANGE_NONE, 0, 0 },
		{ "bytes=", 100, RANGE_NONE, 0, 0 },
		{ "bytes=-", 100, RANGE_NONE, 0, 0 },
		{ "bytes=1", 100, RANGE_NONE, 0, 0 },
		{ "bytes=2-1", 100, RANGE_NONE, 0, 0 },
		{ "bytes=200-100", 100, RANGE_NONE, 0, 0 },
		{ "bytes=0-1,2-3", 100, RANGE_NONE, 0, 0 },
		{ "bytes=0-,0-", 100, RANGE_NONE, 0, 0 },
		{ "bytes=0-1,", 100, RANGE_NONE, 0, 0 },
		{ "bytes=,0-1", 100, RANGE_NONE, 0, 0 },
		{ "bytes=-1,-2", 100, RANGE_NONE, 0, 0 },
		{ "bytes=--1", 100, RANGE_NONE, 0, 0 },
		{ "bytes=0--1", 100, RANGE_NONE, 0, 0 },
		{ "bytes=+0-1", 100, RANGE_NONE, 0, 0 },
		{ "bytes=0 -1", 100, RANGE_NONE, 0, 0 },
		{ "bytes=0- 1", 100, RANGE_NONE, 0, 0 },
		{ "bytes=0x0-1", 100, RANGE_NONE, 0, 0 },
		{ "bytes=a-b", 100, RANGE_NONE, 0, 0 },
		{ "bytes=0-a", 100, RANGE_NONE, 0, 0 },
		{ "bytes=-a", 100, RANGE_NONE, 0, 0 },
		{ "bytes 0-1", 100, RANGE_NONE, 0, 0 },
		{ "bytes =0-1", 100, RANGE_NONE, 0, 0 },
		{ "items=0-1", 100, RANGE_NONE, 0, 0 },
		{ "byte=0-1", 100, RANGE_NONE, 0, 0 },
		{ "0-1", 100, RANGE_NONE, 0, 0 },
		{ "bytes=0-", UINT64_MAX, RANGE_PART, 0, UINT64_MAX - 1 },
	};
	uint64_t first, last;

	(void)state;
	for (size_t i = 0; i < NROWS(rows); i++) {
		enum range_result r = range_parse(
		    slice_str(rows[i].in), rows[i].size, &first, &last);

		if (r != rows[i].result ||
		    (r == RANGE_PART && (first != rows[i].first || last != rows[i].last)))
			fail_msg("%s of %ju: %d %ju-%ju", rows[i].in,
			    (uintmax_t)rows[i].size, r, (uintmax_t)first,
			    (uintmax_t)last);
	}
	assert_int_equal(
	    range_parse((struct slice){ NULL, 0 }, 1, &first, &last), RANGE_NONE);
}

static void
test_etag(void **state)
{
	static const struct {
		const char *a, *b;
		bool strong, weak;
	} rows[] = {
		/* RFC 9110 8.8.3.2 */
		{ "W/\"1\"", "W/\"1\"", false, true },
		{ "W/\"1\"", "W/\"2\"", false, false },
		{ "W/\"1\"", "\"1\"", false, true },
		{ "\"1\"", "\"1\"", true, true },
		{ "\"1\"", "\"2\"", false, false },
		{ "\"\"", "\"\"", true, true },
		{ "\"a\"", "\"A\"", false, false },
		{ "w/\"1\"", "\"1\"", false, false },
		{ "1", "1", false, false },
		{ "\"1", "\"1", false, false },
		{ "\"", "\"", false, false },
		{ "", "", false, false },
		{ "\"1\"x", "\"1\"x", false, false },
		{ "W/", "W/", false, false },
		{ "\"a b\"", "\"a b\"", false, false },
		{ "\"\xe9,;\"", "\"\xe9,;\"", true, true },
	};

	(void)state;
	for (size_t i = 0; i < NROWS(rows); i++) {
		struct slice a = slice_str(rows[i].a);
		struct slice b = slice_str(rows[i].b);

		if (etag_strong_eq(a, b) != rows[i].strong ||
		    etag_strong_eq(b, a) != rows[i].strong ||
		    etag_weak_eq(a, b) != rows[i].weak ||
		    etag_weak_eq(b, a) != rows[i].weak)
			fail_msg("%s %s", rows[i].a, rows[i].b);
	}
}

static void
test_none_match(void **state)
{
	static const struct {
		const char *list;
		bool match; /* with "x" */
	} rows[] = {
		{ "*", true },
		{ "\"x\"", true },
		{ "W/\"x\"", true },
		{ "\"a\", \"x\"", true },
		{ "\"a\",\"x\",\"b\"", true },
		{ ",\"x\"", true },
		{ "\"x\",", true },
		{ " , ,\t\"x\" ,", true },
		{ "\"a,b\", \"x\"", true },
		{ "W/\"a\" , W/\"x\"", true },
		{ "", false },
		{ ",", false },
		{ "\"a\"", false },
		{ "x", false },
		{ "\"a\", *", false },
		{ "*, \"x\"", false },
		{ "**", false },
		{ "\"x", false },
		{ "x\"", false },
		{ "\"x\" \"y\"", false },
		{ "\"x\"y", false },
		{ "\"x\", y", false },
		{ "\"x\";", false },
		{ "\"a,x\"", false },
		{ "\"X\"", false },
		{ "\"xx\"", false },
		{ "W\"x\"", false },
		{ "W/ \"x\"", false },
	};

	(void)state;
	for (size_t i = 0; i < NROWS(rows); i++)
		if (etag_none_match(slice_str(rows[i].list), SLICE("\"x\"")) !=
		    rows[i].match)
			fail_msg("%s", rows[i].list);
	assert_true(etag_none_match(SLICE("\"x\""), SLICE("W/\"x\"")));
}

static void
test_conditions(void **state)
{
	const struct slice none = { NULL, 0 }, x = SLICE("\"x\"");
	const struct slice date = SLICE(DATE);

	(void)state;
	assert_true(range_if_range(none, x, 1));
	assert_true(range_if_range(x, x, 1));
	assert_false(range_if_range(SLICE("\"y\""), x, 1));
	assert_false(range_if_range(SLICE("W/\"x\""), x, 1));
	assert_false(range_if_range(SLICE("W/\"x\""), SLICE("W/\"x\""), 1));
	assert_true(range_if_range(date, x, DATE_T));
	assert_false(range_if_range(date, x, DATE_T - 1));
	assert_false(range_if_range(date, x, DATE_T + 1));
	assert_false(range_if_range(SLICE(""), x, 1));
	assert_false(range_if_range(SLICE("yesterday"), x, 1));

	assert_false(range_not_modified(none, none, x, 1));
	assert_true(range_not_modified(x, none, x, 1));
	assert_true(range_not_modified(none, date, x, DATE_T));
	assert_true(range_not_modified(none, date, x, DATE_T - 1));
	assert_false(range_not_modified(none, date, x, DATE_T + 1));
	assert_false(range_not_modified(none, SLICE("?"), x, 1));
	/* If-None-Match goes before If-Modified-Since. */
	assert_false(range_not_modified(SLICE("\"y\""), date, x, DATE_T));
	assert_true(range_not_modified(x, date, x, DATE_T + 1));
}

static void
test_coding(void **state)
{
	static const struct {
		const char *in;
		unsigned int available, chosen;
	} rows[] = {
		{ "gzip, deflate, br", ID | GZ | BR, BR },
		{ "gzip, deflate, br, zstd", ID | GZ | BR, BR },
		{ "gzip, deflate, br", ID | GZ, GZ },
		{ "gzip, deflate, br", ID, ID },
		{ "gzip, deflate, br, zstd", CODING_ALL, ZS },
		{ "zstd;q=0.9, br", CODING_ALL, BR },
		{ "zstd;q=0, *", CODING_ALL, BR },
		{ "ZSTD", CODING_ALL, ZS },
		{ "x-zstd", CODING_ALL, ID },
		{ "br;q=0.9, gzip", ID | GZ | BR, GZ },
		{ "br;q=0.9, gzip;q=0.8", ID | GZ | BR, BR },
		{ "br ; q=0.9 , gzip ; Q=0.95", ID | GZ | BR, GZ },
		{ "br;q=0.001", ID | BR, BR },
		{ "br;q=0", ID | BR, ID },
		{ "br;q=0.0", ID | BR, ID },
		{ "br;q=0.000", ID | BR, ID },
		{ "br;q=1", ID | BR, BR },
		{ "br;q=1.000", ID | BR, BR },
		{ "br;q=0.", ID | BR, ID },
		{ "br;q=1.", ID | BR, BR },
		{ "gzip;q=0.5, identity", ID | GZ, ID },
		{ "gzip;q=0.5, identity;q=0.4", ID | GZ, GZ },
		{ "gzip, identity", ID | GZ, GZ },
		{ "identity", ID | GZ, ID },
		{ "identity;q=0", ID | GZ, 0 },
		{ "identity;q=0, gzip", ID | GZ, GZ },
		{ "*", ID | GZ | BR, BR },
		{ "*;q=0", ID | GZ | BR, 0 },
		{ "*;q=0, gzip", ID | GZ | BR, GZ },
		{ "*;q=0.1", ID | GZ, GZ },
		{ "*;q=0, identity", ID | GZ | BR, ID },
		{ "*, br;q=0", ID | GZ | BR, GZ },
		{ "*;q=0, identity;q=0.5, gzip;q=0.4", ID | GZ | BR, ID },
		{ "GZip", ID | GZ, GZ },
		{ "x-gzip", ID | GZ, GZ },
		{ "BR", ID | BR, BR },
		{ "deflate", ID | GZ | BR, ID },
		{ "compress, zstd", ID | GZ, ID },
		{ "", ID | GZ | BR, ID },
		{ ",", ID | GZ | BR, ID },
		{ "gzip", GZ, GZ },
		{ "br", GZ, 0 },
		{ "gzip,,br", ID | BR, BR },
		/* malformed */
		{ "br;q=2", ID | BR, ID },
		{ "br;q=1.001", ID | BR, ID },
		{ "br;q=-1", ID | BR, ID },
		{ "br;q=0.0001", ID | BR, ID },
		{ "br;q=", ID | BR, ID },
		{ "br;q", ID | BR, ID },
		{ "br;x=1", ID | BR, ID },
		{ "br;q=0,5", ID | BR, ID },
		{ "br;q=0.x", ID | BR, ID },
		{ "br;q=0.5/", ID | BR, ID },
		{ "br;q=0.55555", ID | BR, ID },
		{ "br;q=a", ID | BR, ID },
		{ "br;q=.5", ID | BR, ID },
		{ "br;q=1;q=0", ID | BR, ID },
		{ "br gzip", ID | GZ | BR, ID },
		{ "br;", ID | BR, ID },
		{ ";q=1", ID | BR, ID },
		{ "br; q = 1", ID | BR, ID },
		{ "\"br\"", ID | BR, ID },
		{ "brx, xbr, gzi", ID | GZ | BR, ID },
	};

	(void)state;
	for (size_t i = 0; i < NROWS(rows); i++) {
		unsigned int c = coding_negotiate(
		    slice_str(rows[i].in), rows[i].available);

		if (c != rows[i].chosen)
			fail_msg("%s: %u", rows[i].in, c);
	}
	assert_int_equal(coding_negotiate((struct slice){ NULL, 0 }, ID | GZ | BR), ID);
	assert_string_equal(coding_name(BR), "br");
	assert_string_equal(coding_name(GZ), "gzip");
	assert_string_equal(coding_name(ID), "identity");
}

/* As the C library says, across leap years and centuries. */
static void
test_date(void **state)
{
	char ours[HTTP_DATE_LEN + 1], theirs[64];
	int64_t back;
	struct tm tm;
	time_t t;

	(void)state;
	http_date_format(ours, DATE_T);
	assert_string_equal(ours, DATE);
	for (int64_t i = 0; i < 253402300800; i += 86400 * 13 + 12347) {
		t = (time_t)i;
		assert_non_null(gmtime_r(&t, &tm));
		strftime(theirs, sizeof(theirs), "%a, %d %b %Y %H:%M:%S GMT", &tm);
		http_date_format(ours, i);
		assert_string_equal(ours, theirs);
		assert_true(http_date_parse(slice_str(ours), &back));
		assert_int_equal(back, i);
	}
	http_date_format(ours, -1);
	assert_string_equal(ours, "Thu, 01 Jan 1970 00:00:00 GMT");
	http_date_format(ours, INT64_MAX);
	assert_string_equal(ours, "Fri, 31 Dec 9999 23:59:59 GMT");
}

static void
test_date_bad(void **state)
{
	static const char *rows[] = {
		"",
		"Sun",
		"Mon, 06 Nov 1994 08:49:37 GMT",
		"sun, 06 Nov 1994 08:49:37 GMT",
		"Sun, 06 nov 1994 08:49:37 GMT",
		"Sun, 06 Nov 1994 08:49:37 gmt",
		"Sun, 06 Nov 1994 08:49:37 UTC",
		"Sun, 06 Nov 1994 08:49:37 GMT ",
		" Sun, 06 Nov 1994 08:49:37 GM",
		"Sun, 6 Nov 1994 08:49:37 GMT",
		"Sun,  6 Nov 1994 08:49:37 GMT",
		"Sun. 06 Nov 1994 08:49:37 GMT",
		"Sun, 06-Nov-1994 08:49:37 GMT",
		"Sun, 06 Nov 1994 24:00:00 GMT",
		"Sat, 05 Nov 1994 24:49:37 GMT",
		"Sun, 06 Nov 1994 08:60:37 GMT",
		"Sun, 06 Nov 1994 08:49:60 GMT",
		"Sun, 06 Nov 1994 08.49.37 GMT",
		"Wed, 31 Dec 1969 23:59:59 GMT",
		"Sun, 00 Nov 1994 08:49:37 GMT",
		"Thu, 31 Nov 1994 08:49:37 GMT",
		"Wed, 29 Feb 1995 08:49:37 GMT",
		"Thu, 29 Feb 2100 00:00:00 GMT",
		"Mon, 29 Feb 2100 00:00:00 GMT",
		"Sun, 06 Nov -994 08:49:37 GMT",
		"Sun, 06 Nov 1994 +8:49:37 GMT",
		"Sunday, 06-Nov-94 08:49:37 GMT",
		"Sun Nov  6 08:49:37 1994",
	};
	int64_t t;

	(void)state;
	for (size_t i = 0; i < NROWS(rows); i++)
		if (http_date_parse(slice_str(rows[i]), &t))
			fail_msg("%s", rows[i]);
	assert_false(http_date_parse((struct slice){ NULL, 0 }, &t));
	assert_true(http_date_parse(SLICE("Thu, 29 Feb 2024 23:59:59 GMT"), &t));
	assert_true(http_date_parse(SLICE("Tue, 29 Feb 2000 00:00:00 GMT"), &t));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_range),
		cmocka_unit_test(test_etag),
		cmocka_unit_test(test_none_match),
		cmocka_unit_test(test_conditions),
		cmocka_unit_test(test_coding),
		cmocka_unit_test(test_date),
		cmocka_unit_test(test_date_bad),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
