/*
 * Static files: names, types, what is remembered of them; and dates and sizes
 * for people.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/stat.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../../worker/dates.h"
#include "../../worker/range.h"
#include "../../worker/static.h"
#include "../../worker/static_cache.h"

#define NROWS(a) (sizeof(a) / sizeof((a)[0]))

static void
test_path(void **state)
{
	char p[16];

	(void)state;
	assert_true(static_path(p, sizeof(p), "ide/x", "a/b.js"));
	assert_string_equal(p, "ide/x/a/b.js");
	assert_true(static_path(p, sizeof(p), "ide/x", "/a"));
	assert_string_equal(p, "ide/x/a");
	/* Never absolute, never a folder, never cut. */
	assert_false(static_path(p, sizeof(p), "ide/x", ""));
	assert_false(static_path(p, sizeof(p), "ide/x", "/"));
	assert_false(static_path(p, sizeof(p), "ide/x", "a/"));
	assert_true(static_path(p, sizeof(p), "ide/x", "123456789"));
	assert_false(static_path(p, sizeof(p), "ide/x", "1234567890"));
}

static void
test_type(void **state)
{
	static const char *const rows[][2] = {
		{ "a/b.js", "text/javascript; charset=utf-8" },
		{ "a/b.JS", "text/javascript; charset=utf-8" },
		{ "x.min.css", "text/css; charset=utf-8" },
		{ "onig.wasm", "application/wasm" },
		{ "a.js/b", "application/octet-stream" },
		{ "js", "application/octet-stream" },
		{ ".js", "text/javascript; charset=utf-8" },
		{ "a.", "application/octet-stream" },
		{ "", "application/octet-stream" },
		{ "codicon.ttf", "font/ttf" },
	};

	(void)state;
	for (size_t i = 0; i < NROWS(rows); i++)
		assert_string_equal(static_type(rows[i][0]), rows[i][1]);
}

static void
put(const char *dir, const char *name, size_t size)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_non_null(f = fopen(path, "w"));
	for (size_t i = 0; i < size; i++)
		assert_int_not_equal(fputc('a' + (int)(i % 26), f), EOF);
	assert_int_equal(fclose(f), 0);
}

static void
test_cache(void **state)
{
	char dir[] = "/tmp/static_test.XXXXXX", path[256];
	struct cached *c, *d;
	struct variant *v;
	int root;

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_not_equal(root = open(dir, O_RDONLY | O_DIRECTORY), -1);
	put(dir, "small.js", 100);
	put(dir, "small.js.br", 50);
	put(dir, "large.js", CACHE_SMALL + 1);
	put(dir, "empty.js", 0);
	snprintf(path, sizeof(path), "%s/folder.js", dir);
	assert_int_equal(mkdir(path, 0755), 0);
	snprintf(path, sizeof(path), "%s/link.js", dir);
	assert_int_equal(symlink("small.js", path), 0);
	snprintf(path, sizeof(path), "%s/pipe.js", dir);
	assert_int_equal(mkfifo(path, 0644), 0);

	assert_non_null(c = cache_get("small.js"));
	assert_non_null(v = cache_variant(root, c, CODING_IDENTITY));
	assert_int_equal(v->size, 100);
	assert_int_equal(v->fd, -1);
	assert_memory_equal(v->mem, "abcdefghij", 10);
	assert_non_null(cache_variant(root, c, CODING_BR));
	assert_string_not_equal(v->tag, cache_variant(root, c, CODING_BR)->tag);
	assert_null(cache_variant(root, c, CODING_GZIP));
	assert_ptr_equal(cache_get("small.js"), c);

	assert_non_null(d = cache_get("large.js"));
	assert_non_null(v = cache_variant(root, d, CODING_IDENTITY));
	assert_null(v->mem);
	assert_int_not_equal(v->fd, -1);
	assert_non_null(cache_variant(root, cache_get("empty.js"), CODING_IDENTITY));

	/* Nothing but regular files, found without following a link. */
	assert_null(cache_variant(root, cache_get("folder.js"), CODING_IDENTITY));
	assert_null(cache_variant(root, cache_get("link.js"), CODING_IDENTITY));
	assert_null(cache_variant(root, cache_get("pipe.js"), CODING_IDENTITY));
	assert_null(cache_variant(root, cache_get("none.js"), CODING_IDENTITY));

	/* What somebody reads from stays, whatever else comes. */
	cache_ref(d);
	for (int i = 0; i < 3 * CACHE_FILES; i++) {
		snprintf(path, sizeof(path), "f%d", i);
		assert_non_null(c = cache_get(path));
		assert_ptr_not_equal(c, d);
	}
	assert_ptr_equal(cache_get("large.js"), d);
	assert_int_equal(cache_variant(root, d, CODING_IDENTITY)->fd, v->fd);
	cache_unref(d);

	memset(path, 'a', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	assert_non_null(cache_get(path));
	assert_null(cache_get(""));
	close(root);
	snprintf(path, sizeof(path), "rm -r %s", dir);
	assert_int_equal(system(path), 0);
}

static void
test_dates(void **state)
{
	static const struct {
		int64_t t;
		const char *text;
	} rows[] = {
		{ 0, "1970-01-01T00:00:00Z" },
		{ 951782399, "2000-02-28T23:59:59Z" },
		{ 951782400, "2000-02-29T00:00:00Z" },
		{ 951868800, "2000-03-01T00:00:00Z" },
		{ 4107542400, "2100-03-01T00:00:00Z" },
		{ 1795535090, "2026-11-24T15:44:50Z" },
		{ 253402300799, "9999-12-31T23:59:59Z" },
		{ INT64_MAX, "9999-12-31T23:59:59Z" },
		{ INT64_MIN, "1970-01-01T00:00:00Z" },
	};
	char text[DATE_LEN + 1], libc[DATE_LEN + 1];
	struct tm tm;
	time_t t;

	(void)state;
	for (size_t i = 0; i < NROWS(rows); i++) {
		date_format(text, rows[i].t);
		assert_string_equal(text, rows[i].text);
	}
	for (t = 0; t < 253402300799; t += 86400 * 17 + 12345) {
		date_format(text, t);
		gmtime_r(&t, &tm);
		strftime(libc, sizeof(libc), "%Y-%m-%dT%H:%M:%SZ", &tm);
		assert_string_equal(text, libc);
	}
}

static void
test_people(void **state)
{
	static const struct {
		int64_t t;
		const char *text;
	} rows[] = {
		{ 1000000, "just now" },
		{ 1000029, "just now" },
		{ 999950, "1 minute ago" },
		{ 1000060, "in 1 minute" },
		{ 1000000 - 7200, "2 hours ago" },
		{ 1000000 + 86400, "in 1 day" },
		{ 1000000 - 86400 * 10, "10 days ago" },
	};
	char text[48];

	(void)state;
	for (size_t i = 0; i < NROWS(rows); i++) {
		date_relative(text, sizeof(text), rows[i].t, 1000000);
		assert_string_equal(text, rows[i].text);
	}
	bytes_format(text, sizeof(text), 0);
	assert_string_equal(text, "0 B");
	bytes_format(text, sizeof(text), 1536);
	assert_string_equal(text, "1.5 kB");
	bytes_format(text, sizeof(text), 700U << 20);
	assert_string_equal(text, "700 MB");
	bytes_format(text, sizeof(text), 2ULL << 30);
	assert_string_equal(text, "2.0 GB");
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_path),
		cmocka_unit_test(test_type), cmocka_unit_test(test_cache),
		cmocka_unit_test(test_dates), cmocka_unit_test(test_people) };

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
