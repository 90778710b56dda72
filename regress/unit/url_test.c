/*
 * Paths, queries, forms, redirects and escapes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "../../worker/url.h"

#define NROWS(a) (sizeof(a) / sizeof((a)[0]))

static void
test_split(void **state)
{
	static const struct {
		const char *in, *path, *query;
	} rows[] = {
		{ "/", "/", NULL },
		{ "/?", "/", "" },
		{ "/a?b", "/a", "b" },
		{ "/a?b?c", "/a", "b?c" },
		{ "?b", "", "b" },
		{ "", "", NULL },
		{ "*", "*", NULL },
		{ "/a%3fb", "/a%3fb", NULL },
	};
	struct slice path, query;

	(void)state;
	for (size_t i = 0; i < NROWS(rows); i++) {
		url_split(slice_str(rows[i].in), &path, &query);
		assert_true(slice_eq(path, slice_str(rows[i].path)));
		assert_int_equal(query.p != NULL, rows[i].query != NULL);
		assert_true(slice_eq(query, slice_str(rows[i].query)));
	}
}

static void
test_decode(void **state)
{
	static const struct {
		const char *in, *out; /* NULL: refused */
		int flags;
	} rows[] = {
		{ "", "", 0 },
		{ "abc", "abc", 0 },
		{ "%41%62", "Ab", 0 },
		{ "%2F%2f", "//", 0 },
		{ "a+b", "a+b", 0 },
		{ "a+b", "a b", URL_PLUS },
		{ "a%2Bb", "a+b", URL_PLUS },
		{ "%25", "%", 0 },
		{ "%2541", "%41", 0 },
		{ "%c3%a9", "\xc3\xa9", 0 },
		{ "%ff", "\xff", 0 },
		{ "%0d%0A", "\r\n", 0 },
		{ "%", NULL, 0 },
		{ "%4", NULL, 0 },
		{ "a%", NULL, 0 },
		{ "%4g", NULL, 0 },
		{ "%g4", NULL, 0 },
		{ "%%41", NULL, 0 },
		{ "% 41", NULL, 0 },
		{ "%-1", NULL, 0 },
		{ "%+1", NULL, 0 },
		{ "%0x", NULL, 0 },
		{ "%u0041", NULL, 0 },
		{ "%00", NULL, 0 },
		{ "a%00b", NULL, 0 },
		{ "%4:", NULL, 0 },
		{ "%4@", NULL, 0 },
		{ "%4`", NULL, 0 },
		{ "%4G", NULL, 0 },
		{ "%4/", NULL, 0 },
	};
	char buf[64];

	(void)state;
	for (size_t i = 0; i < NROWS(rows); i++) {
		ssize_t n = url_decode(
		    buf, sizeof(buf), slice_str(rows[i].in), rows[i].flags);

		if (rows[i].out == NULL ? n != -1 :
					  n != (ssize_t)strlen(rows[i].out) ||
			    strcmp(buf, rows[i].out) != 0)
			fail_msg("%s: %zd", rows[i].in, n);
	}
	assert_int_equal(url_decode(buf, 3, SLICE("ab"), 0), 2);
	assert_int_equal(url_decode(buf, 2, SLICE("ab"), 0), -1);
	assert_int_equal(url_decode(buf, 2, SLICE("%41"), 0), 1);
	assert_int_equal(url_decode(buf, 1, SLICE(""), 0), 0);
	assert_int_equal(url_decode(buf, 0, SLICE(""), 0), -1);
	assert_int_equal(url_decode(buf, 4, (struct slice){ "a\0b", 3 }, 0), -1);
	strcpy(buf, "%41b%43");
	assert_int_equal(url_decode(buf, 8, (struct slice){ buf, 7 }, 0), 3);
	assert_string_equal(buf, "AbC");
}

static void
test_path(void **state)
{
	static const struct {
		const char *in, *out;
		bool safe; /* to be passed on */
	} rows[] = {
		{ "/", "/", true },
		{ "/a", "/a", true },
		{ "/a/", "/a/", true },
		{ "/a/b.c", "/a/b.c", true },
		{ "/%61", "/a", true },
		{ "/a%20b", "/a b", true },
		{ "/a+b", "/a+b", true },
		{ "/caf%c3%a9", "/caf\xc3\xa9", true },
		{ "/%F0%9F%98%80", "/\xf0\x9f\x98\x80", true },
		{ "/%e2%82%ac", "/\xe2\x82\xac", true },
		{ "/%E0%A0%80", "/\xe0\xa0\x80", true },
		{ "/%ef%bf%bf/a", "/\xef\xbf\xbf/a", true },
		{ "/%f4%8f%bf%bf", "/\xf4\x8f\xbf\xbf", true },
		{ "/a:b@c;d=e,f", "/a:b@c;d=e,f", true },
		{ "/...", "/...", true },
		{ "/..a", "/..a", true },
		{ "/a..", "/a..", true },
		{ "/.a", "/.a", true },
		{ "/a.", "/a.", true },
		{ "/.well-known/x", "/.well-known/x", true },
		{ "/.%61", "/.a", true },
		{ "/a;..", "/a;..", true },
		/* the application's affair, but none of ours */
		{ "//", NULL, true },
		{ "//a", NULL, true },
		{ "/a//b", NULL, true },
		{ "/a//", NULL, true },
		{ "/a%2fb", NULL, true },
		{ "/%2f", NULL, true },
		{ "/a%2Fb", NULL, true },
		{ "/a%5cb", NULL, true },
		{ "/a\\b", NULL, true },
		{ "/%25", NULL, true },
		{ "/%2541", NULL, true },
		{ "/%252e%252e/", NULL, true },
		{ "/%ff", NULL, true },
		{ "/%c0%ae", NULL, true },
		{ "/%c0%ae%c0%ae/", NULL, true },
		{ "/%c1%81", NULL, true },
		{ "/%e0%80%af", NULL, true },
		{ "/%f0%80%80%af", NULL, true },
		{ "/%ed%a0%80", NULL, true },
		{ "/%f4%90%80%80", NULL, true },
		{ "/%f5%80%80%80", NULL, true },
		{ "/%c3", NULL, true },
		{ "/%c3/", NULL, true },
		{ "/%e2%82", NULL, true },
		{ "/%80", NULL, true },
		/* nobody's */
		{ "", NULL, false },
		{ "a", NULL, false },
		{ "*", NULL, false },
		{ "\\", NULL, false },
		{ "%2f", NULL, false },
		{ ".", NULL, false },
		{ "/.", NULL, false },
		{ "/..", NULL, false },
		{ "/./", NULL, false },
		{ "/../", NULL, false },
		{ "/a/.", NULL, false },
		{ "/a/..", NULL, false },
		{ "/a/../b", NULL, false },
		{ "/a/./b", NULL, false },
		{ "/%2e", NULL, false },
		{ "/%2E%2e", NULL, false },
		{ "/.%2e", NULL, false },
		{ "/%2e.", NULL, false },
		{ "/%2e%2e/", NULL, false },
		{ "/a/%2e%2e/b", NULL, false },
		{ "/..%2f", NULL, false },
		{ "/..%2fetc", NULL, false },
		{ "/%2f..%2f", NULL, false },
		{ "/%2f..", NULL, false },
		{ "/a%2f..%2fb", NULL, false },
		{ "/a%2f%2e%2e", NULL, false },
		{ "/..%5c", NULL, false },
		{ "/a%5c..%5cb", NULL, false },
		{ "/..\\a", NULL, false },
		{ "/a\\..", NULL, false },
		{ "/\\..", NULL, false },
		{ "/..;/a", NULL, false },
		{ "/..;a=b/c", NULL, false },
		{ "/.;", NULL, false },
		{ "/..%3b/a", NULL, false },
		{ "/%2e%2e;", NULL, false },
		{ "/%2e%2e%3bx/", NULL, false },
		{ "//..", NULL, false },
		{ "//../", NULL, false },
		{ "/%", NULL, false },
		{ "/%4", NULL, false },
		{ "/%zz", NULL, false },
		{ "/%u002e", NULL, false },
		{ "/%00", NULL, false },
		{ "/a%00.png", NULL, false },
		{ "/%0a", NULL, false },
		{ "/%0d%0a", NULL, false },
		{ "/%1f", NULL, false },
		{ "/%7f", NULL, false },
		{ "/\x01", NULL, false },
		{ "/\x7f", NULL, false },
		{ "/%09", NULL, false },
	};
	char buf[64];

	(void)state;
	for (size_t i = 0; i < NROWS(rows); i++) {
		ssize_t n = url_path(buf, sizeof(buf), slice_str(rows[i].in));

		if (rows[i].out == NULL ? n != -1 :
					  n != (ssize_t)strlen(rows[i].out) ||
			    strcmp(buf, rows[i].out) != 0)
			fail_msg("%s: %zd", rows[i].in, n);
		if (url_path_safe(slice_str(rows[i].in)) != rows[i].safe)
			fail_msg("%s: safe %d", rows[i].in, !rows[i].safe);
	}
	assert_int_equal(url_path(buf, 3, SLICE("/a")), 2);
	assert_int_equal(url_path(buf, 2, SLICE("/a")), -1);
	assert_int_equal(url_path(buf, 0, SLICE("/")), -1);
	assert_int_equal(url_path(buf, 9, SLICE("/a?b")), -1);
	assert_int_equal(url_path(buf, 9, SLICE("/a#b")), -1);
	assert_int_equal(url_path(buf, 9, SLICE("/a%3fb")), 4);
	assert_int_equal(url_path(buf, 9, SLICE("/a\0b")), -1);
	assert_false(url_path_safe(SLICE("/a\0b")));
}

static void
test_query(void **state)
{
	static const struct {
		const char *query, *name, *value;
		ssize_t n;
	} rows[] = {
		{ "", "a", "", URL_ABSENT },
		{ "b=1", "a", "", URL_ABSENT },
		{ "a", "a", "", 0 },
		{ "a=", "a", "", 0 },
		{ "a=1", "a", "1", 1 },
		{ "a=1&b=2", "b", "2", 1 },
		{ "&&a=1&&", "a", "1", 1 },
		{ "a=b=c", "a", "b=c", 3 },
		{ "a=%41+b", "a", "A b", 3 },
		{ "%61=1", "a", "1", 1 },
		{ "a+b=1", "a b", "1", 1 },
		{ "aa=1", "a", "", URL_ABSENT },
		{ "a=1", "aa", "", URL_ABSENT },
		{ "A=1", "a", "", URL_ABSENT },
		{ "=1", "a", "", URL_ABSENT },
		{ "x=a=1", "a", "", URL_ABSENT },
		{ "b=%&a=1", "a", "1", 1 },
		{ "%=1&a=1", "a", "1", 1 },
		{ "a;b=1", "b", "", URL_ABSENT },
		{ "folder=%2Fhome%2Fu&x", "folder", "/home/u", 7 },
		{ "folder=/home/u", "folder", "/home/u", 7 },
		{ "a=1&a=2", "a", "", -1 },
		{ "a=1&a=1", "a", "", -1 },
		{ "a&a", "a", "", -1 },
		{ "a=1&%61=2", "a", "", -1 },
		{ "a=%", "a", "", -1 },
		{ "a=%4", "a", "", -1 },
		{ "a=%zz", "a", "", -1 },
		{ "a=%00", "a", "", -1 },
		{ "a=0123456789", "a", "", -1 },
		{ "a=012345678", "a", "012345678", 9 },
	};
	char buf[10];

	(void)state;
	for (size_t i = 0; i < NROWS(rows); i++) {
		ssize_t n = url_query(
		    buf, sizeof(buf), slice_str(rows[i].query), slice_str(rows[i].name));

		if (n != rows[i].n || (n >= 0 && strcmp(buf, rows[i].value) != 0))
			fail_msg("%s: %zd", rows[i].query, n);
	}
	assert_int_equal(
	    url_query(buf, sizeof(buf), (struct slice){ NULL, 0 }, SLICE("a")),
	    URL_ABSENT);
}

static void
test_form(void **state)
{
	static const struct {
		const char *in;
		int n;
		const char *flat; /* names and values, each with a '|' */
	} rows[] = {
		{ "", 0, "" },
		{ "a=b", 1, "a|b|" },
		{ "a=b&c=d", 2, "a|b|c|d|" },
		{ "a", 1, "a||" },
		{ "a=", 1, "a||" },
		{ "=b", 1, "|b|" },
		{ "=", 1, "||" },
		{ "&&a=b&&", 1, "a|b|" },
		{ "a&b", 2, "a||b||" },
		{ "username=al&password=p%26%3D%2B+x", 2,
		    "username|al|password|p&=+ x|" },
		{ "%61%62&%63=d", 2, "ab||c|d|" },
		{ "a%20b", 1, "a b||" },
		{ "a=b=c", 1, "a|b=c|" },
		{ "a=1&a=2", 2, "a|1|a|2|" },
		{ "a=\xc3\xa9%C3%A9", 1, "a|\xc3\xa9\xc3\xa9|" },
		{ "a=1;b=2", 1, "a|1;b=2|" },
		{ "a=%0D%0A", 1, "a|\r\n|" },
		{ "a=%", -1, "" },
		{ "a=%4", -1, "" },
		{ "%=a", -1, "" },
		{ "a=%00", -1, "" },
		{ "%00", -1, "" },
		{ "a=1&b=%zz", -1, "" },
		{ "a&b&c&d", 4, "a||b||c||d||" },
		{ "a&b&c&d&e", -1, "" },
	};
	struct url_field fields[4];

	(void)state;
	for (size_t i = 0; i < NROWS(rows); i++) {
		size_t len = strlen(rows[i].in);
		char *body = malloc(len + 1), flat[128] = "";
		int n;

		assert_non_null(body);
		memcpy(body, rows[i].in, len);
		n = url_form(body, len, fields, 4);
		for (int f = 0; f < n; f++) {
			assert_int_equal(strlen(fields[f].name.p), fields[f].name.len);
			assert_int_equal(strlen(fields[f].value.p), fields[f].value.len);
			strcat(flat, fields[f].name.p);
			strcat(flat, "|");
			strcat(flat, fields[f].value.p);
			strcat(flat, "|");
		}
		if (n != rows[i].n || strcmp(flat, rows[i].flat) != 0)
			fail_msg("%s: %d %s", rows[i].in, n, flat);
		free(body);
	}
}

static void
test_form_get(void **state)
{
	struct url_field f[3] = {
		{ SLICE("a"), SLICE("1") },
		{ SLICE("b"), SLICE("2") },
		{ SLICE("a"), SLICE("3") },
	};

	(void)state;
	assert_true(slice_eq(url_form_get(f, 2, SLICE("a")), SLICE("1")));
	assert_true(slice_eq(url_form_get(f, 3, SLICE("b")), SLICE("2")));
	assert_null(url_form_get(f, 3, SLICE("a")).p);
	assert_null(url_form_get(f, 3, SLICE("c")).p);
}

static void
test_redirect(void **state)
{
	static const struct {
		const char *to;
		bool ok;
	} rows[] = {
		{ "/", true },
		{ "/ide/", true },
		{ "/ide/?folder=/home/u", true },
		{ "/ide/?folder=//x", true },
		{ "/a?b=https://evil.test/", true },
		{ "/a#b//c", true },
		{ "/a%20b", true },
		{ "/a:b@c", true },
		{ "/?a={b|c}", true },
		{ "/%2561", true },
		{ "/a%2fb", true },
		{ "", false },
		{ "a", false },
		{ "?a", false },
		{ "#a", false },
		{ "//", false },
		{ "//evil.test", false },
		{ "///evil.test", false },
		{ "/a//evil.test", false },
		{ "/\\evil.test", false },
		{ "\\\\evil.test", false },
		{ "/\\/evil.test", false },
		{ "/a\\b", false },
		{ "/?a\\b", false },
		{ "\\/evil.test", false },
		{ "http://evil.test", false },
		{ "https:evil.test", false },
		{ "HTTPS://evil.test", false },
		{ "javascript:alert(1)", false },
		{ "data:text/html,x", false },
		{ "mailto:a@b", false },
		{ " /", false },
		{ "/ ", false },
		{ "\t/", false },
		{ "/\t/evil.test", false },
		{ "/\n/evil.test", false },
		{ "/\r\nSet-Cookie: a=b", false },
		{ "/a b", false },
		{ "/\x7f", false },
		{ "/\x01", false },
		{ "/\xe9", false },
		{ "/\xe3\x80\x82", false },
		{ "/\"", false },
		{ "/<script>", false },
		{ "/a>", false },
		{ "/%2fevil.test", false },
		{ "/%2Fevil.test", false },
		{ "/%5cevil.test", false },
		{ "/%5Cevil.test", false },
		{ "/%0d%0aX: y", false },
		{ "/%0d%0aX:y", false },
		{ "/%00", false },
		{ "/%", false },
		{ "/%zz", false },
		{ "/..", false },
		{ "/../a", false },
		{ "/.//evil.test", false },
		{ "/./a", false },
		{ "/a/..//evil.test", false },
		{ "/%2e%2e/", false },
		{ "/a/%2e%2e%2f/evil.test", false },
		{ "@evil.test/", false },
		{ ".evil.test", false },
		{ ":443/", false },
		{ "*", false },
	};
	static char longest[URL_TO_MAX + 1];

	(void)state;
	for (size_t i = 0; i < NROWS(rows); i++)
		if (url_redirect_ok(slice_str(rows[i].to)) != rows[i].ok)
			fail_msg("%s", rows[i].to);
	memset(longest, 'a', sizeof(longest));
	longest[0] = '/';
	assert_true(url_redirect_ok((struct slice){ longest, URL_TO_MAX }));
	assert_false(url_redirect_ok((struct slice){ longest, URL_TO_MAX + 1 }));
	assert_false(url_redirect_ok(SLICE("/\0")));
	assert_false(url_redirect_ok((struct slice){ NULL, 0 }));
}

static void
test_encode(void **state)
{
	char buf[16], all[256 * 3], back[256];

	(void)state;
	assert_int_equal(url_encode(buf, sizeof(buf), SLICE("aZ09-._~"), false), 8);
	assert_string_equal(buf, "aZ09-._~");
	assert_int_equal(url_encode(buf, sizeof(buf), SLICE("/a b"), false), 8);
	assert_string_equal(buf, "%2Fa%20b");
	assert_int_equal(url_encode(buf, sizeof(buf), SLICE("/a\xff"), true), 5);
	assert_string_equal(buf, "/a%FF");
	assert_int_equal(url_encode(buf, 4, SLICE("abc"), false), 3);
	assert_int_equal(url_encode(buf, 3, SLICE("abc"), false), -1);
	assert_int_equal(url_encode(buf, 4, SLICE("%"), false), 3);
	assert_int_equal(url_encode(buf, 3, SLICE("%"), false), -1);
	assert_int_equal(url_encode(buf, 0, SLICE(""), false), -1);
	assert_int_equal(url_encode(buf, 0, SLICE("a"), false), -1);
	assert_int_equal(url_encode(buf, 9, SLICE("\0"), false), -1);
	for (int c = 1; c < 256; c++)
		back[c - 1] = (char)c;
	assert_true(
	    url_encode(all, sizeof(all), (struct slice){ back, 255 }, false) > 255);
	for (char *p = all; *p != '\0'; p++)
		assert_true(*p > 0x20 && *p < 0x7f);
	assert_int_equal(url_decode(all, sizeof(all), slice_str(all), 0), 255);
	assert_memory_equal(all, back, 255);
}

static void
test_html(void **state)
{
	char buf[32];

	(void)state;
	assert_int_equal(html_escape(buf, sizeof(buf), SLICE("a")), 1);
	assert_string_equal(buf, "a");
	assert_int_equal(html_escape(buf, sizeof(buf), SLICE("<&>\"'")), 24);
	assert_string_equal(buf, "&lt;&amp;&gt;&quot;&#39;");
	assert_int_equal(html_escape(buf, sizeof(buf), SLICE("\xc3\xa9\n")), 3);
	assert_int_equal(html_escape(buf, 5, SLICE("<")), 4);
	assert_int_equal(html_escape(buf, 4, SLICE("<")), -1);
	assert_int_equal(html_escape(buf, 1, SLICE("")), 0);
	assert_int_equal(html_escape(buf, 0, SLICE("")), -1);
	assert_int_equal(html_escape(buf, 9, SLICE("a\0")), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_decode),
		cmocka_unit_test(test_path),
		cmocka_unit_test(test_query),
		cmocka_unit_test(test_form),
		cmocka_unit_test(test_form_get),
		cmocka_unit_test(test_redirect),
		cmocka_unit_test(test_encode),
		cmocka_unit_test(test_html),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
