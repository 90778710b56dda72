/*
 * Same origin or not, and what follows for each use.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../worker/origin.h"

#define NROWS(a) (sizeof(a) / sizeof((a)[0]))

static void
test_same(void **state)
{
	static const struct {
		const char *origin, *host;
		bool tls, same;
	} rows[] = {
		{ "https://a.test", "a.test", true, true },
		{ "https://a.test:443", "a.test", true, true },
		{ "https://a.test", "a.test:443", true, true },
		{ "https://a.test:8443", "a.test:8443", true, true },
		{ "http://a.test", "a.test", false, true },
		{ "http://a.test:80", "a.test", false, true },
		{ "http://a.test", "a.test:80", false, true },
		{ "https://A.test", "a.TEST", true, true },
		{ "https://[::1]:8443", "[::1]:8443", true, true },
		{ "https://127.0.0.1", "127.0.0.1:443", true, true },
		{ "http://a.test", "a.test", true, false },
		{ "https://a.test", "a.test", false, false },
		{ "http://a.test:443", "a.test:443", true, false },
		{ "https://a.test:80", "a.test:80", false, false },
		{ "https://a.test", "a.test:80", true, false },
		{ "http://a.test", "a.test:443", false, false },
		{ "https://a.test:8443", "a.test", true, false },
		{ "https://a.test", "a.test:8443", true, false },
		{ "https://b.a.test", "a.test", true, false },
		{ "https://a.test", "b.a.test", true, false },
		{ "https://a.test.evil.test", "a.test", true, false },
		{ "https://\xd0\xb0.test", "a.test", true, false },
		{ "https://evila.test", "a.test", true, false },
		{ "https://a.test.", "a.test", true, false },
		{ "https://a.test@evil.test", "a.test", true, false },
		{ "https://evil.test@a.test", "a.test", true, false },
		{ "https://a.test/", "a.test", true, false },
		{ "https://a.test/x", "a.test", true, false },
		{ "https://a.test?x", "a.test", true, false },
		{ "https://a.test#x", "a.test", true, false },
		{ "https://a.test https://evil.test", "a.test", true, false },
		{ "https://a.test,https://a.test", "a.test", true, false },
		{ " https://a.test", "a.test", true, false },
		{ "https://a.test ", "a.test", true, false },
		{ "https:// a.test", "a.test", true, false },
		{ "HTTPS://a.test", "a.test", true, false },
		{ "https:a.test", "a.test", true, false },
		{ "https:/a.test", "a.test", true, false },
		{ "https:///a.test", "a.test", true, false },
		{ "//a.test", "a.test", true, false },
		{ "a.test", "a.test", true, false },
		{ "wss://a.test", "a.test", true, false },
		{ "ws://a.test", "a.test", false, false },
		{ "file://", "a.test", true, false },
		{ "chrome-extension://a.test", "a.test", true, false },
		{ "vscode-webview://a.test", "a.test", true, false },
		{ "https://", "a.test", true, false },
		{ "https://a.test:", "a.test", true, false },
		{ "https://a.test:0", "a.test", true, false },
		{ "https://a.test:0443", "a.test", true, false },
		{ "https://a.test:443:443", "a.test", true, false },
		{ "https://a.test:66000", "a.test", true, false },
		{ "https://*.test", "a.test", true, false },
		{ "https://%61.test", "a.test", true, false },
		{ "https://a.test", "", true, false },
		{ "https://a.test", "a.test,b.test", true, false },
		{ "https://a.test", "a.test/", true, false },
		{ "https://[::1]", "[::2]", true, false },
		{ "null", "null", true, false },
		{ "https://null", "null", true, true },
		{ "", "", true, false },
	};

	(void)state;
	for (size_t i = 0; i < NROWS(rows); i++)
		if (origin_same(slice_str(rows[i].origin), slice_str(rows[i].host),
			rows[i].tls) != rows[i].same)
			fail_msg("%s %s", rows[i].origin, rows[i].host);
}

static void
test_check(void **state)
{
#define SAME  "https://a.test"
#define OTHER "https://b.test"
	static const struct {
		const char *origin, *site;
		enum origin_verdict navigate, write, socket, anonymous;
	} rows[] = {
		{ SAME, NULL, ORIGIN_ALLOW, ORIGIN_ALLOW, ORIGIN_ALLOW, ORIGIN_ALLOW },
		{ SAME, "same-origin", ORIGIN_ALLOW, ORIGIN_ALLOW, ORIGIN_ALLOW,
		    ORIGIN_ALLOW },
		{ SAME, "none", ORIGIN_ALLOW, ORIGIN_ALLOW, ORIGIN_ALLOW, ORIGIN_ALLOW },
		{ SAME, "same-site", ORIGIN_D_SITE, ORIGIN_D_SITE, ORIGIN_D_SITE,
		    ORIGIN_D_SITE },
		{ SAME, "cross-site", ORIGIN_D_SITE, ORIGIN_D_SITE, ORIGIN_D_SITE,
		    ORIGIN_D_SITE },
		{ SAME, "", ORIGIN_D_SITE, ORIGIN_D_SITE, ORIGIN_D_SITE, ORIGIN_D_SITE },
		{ SAME, "Same-Origin", ORIGIN_D_SITE, ORIGIN_D_SITE, ORIGIN_D_SITE,
		    ORIGIN_D_SITE },
		{ SAME, "same-origin, cross-site", ORIGIN_D_SITE, ORIGIN_D_SITE,
		    ORIGIN_D_SITE, ORIGIN_D_SITE },
		{ OTHER, NULL, ORIGIN_D_OTHER, ORIGIN_D_OTHER, ORIGIN_D_OTHER,
		    ORIGIN_D_OTHER },
		{ OTHER, "same-origin", ORIGIN_D_OTHER, ORIGIN_D_OTHER, ORIGIN_D_OTHER,
		    ORIGIN_D_OTHER },
		{ OTHER, "none", ORIGIN_D_OTHER, ORIGIN_D_OTHER, ORIGIN_D_OTHER,
		    ORIGIN_D_OTHER },
		{ OTHER, "same-site", ORIGIN_D_OTHER, ORIGIN_D_OTHER, ORIGIN_D_OTHER,
		    ORIGIN_D_OTHER },
		{ "null", NULL, ORIGIN_D_NULL, ORIGIN_D_NULL, ORIGIN_D_NULL,
		    ORIGIN_D_NULL },
		{ "null", "same-origin", ORIGIN_D_NULL, ORIGIN_D_NULL, ORIGIN_D_NULL,
		    ORIGIN_D_NULL },
		{ "", NULL, ORIGIN_D_MALFORMED, ORIGIN_D_MALFORMED, ORIGIN_D_MALFORMED,
		    ORIGIN_D_MALFORMED },
		{ "Null", NULL, ORIGIN_D_MALFORMED, ORIGIN_D_MALFORMED,
		    ORIGIN_D_MALFORMED, ORIGIN_D_MALFORMED },
		{ SAME " " SAME, "same-origin", ORIGIN_D_MALFORMED, ORIGIN_D_MALFORMED,
		    ORIGIN_D_MALFORMED, ORIGIN_D_MALFORMED },
		{ NULL, NULL, ORIGIN_ALLOW, ORIGIN_D_MISSING, ORIGIN_D_MISSING,
		    ORIGIN_ALLOW },
		{ NULL, "none", ORIGIN_ALLOW, ORIGIN_D_MISSING, ORIGIN_D_MISSING,
		    ORIGIN_ALLOW },
		{ NULL, "same-origin", ORIGIN_ALLOW, ORIGIN_ALLOW, ORIGIN_ALLOW,
		    ORIGIN_ALLOW },
		{ NULL, "same-site", ORIGIN_D_SITE, ORIGIN_D_SITE, ORIGIN_D_SITE,
		    ORIGIN_D_SITE },
		{ NULL, "cross-site", ORIGIN_D_SITE, ORIGIN_D_SITE, ORIGIN_D_SITE,
		    ORIGIN_D_SITE },
		{ NULL, "bogus", ORIGIN_D_SITE, ORIGIN_D_SITE, ORIGIN_D_SITE,
		    ORIGIN_D_SITE },
	};

	(void)state;
	for (size_t i = 0; i < NROWS(rows); i++) {
		struct origin_facts f = { SLICE("a.test"), slice_str(rows[i].origin),
			slice_str(rows[i].site), true, true };
		enum origin_verdict n, w, s, a, as;

		n = origin_check(ORIGIN_NAVIGATE, &f);
		w = origin_check(ORIGIN_WRITE, &f);
		s = origin_check(ORIGIN_WEBSOCKET, &f);
		f.cookie = false;
		a = origin_check(ORIGIN_WRITE, &f);
		as = origin_check(ORIGIN_WEBSOCKET, &f);
		if (n != rows[i].navigate || w != rows[i].write || s != rows[i].socket ||
		    a != rows[i].anonymous || as != a)
			fail_msg("row %zu: %d %d %d %d %d", i, n, w, s, a, as);
	}
}

static void
test_host(void **state)
{
	static const char *bad[] = { "", "a b", "a,b", "a:0", "a/", "http://a.test",
		"@" };
	struct origin_facts f = { SLICE(""), { NULL, 0 }, SLICE("same-origin"), true,
		true };

	(void)state;
	for (size_t i = 0; i < NROWS(bad); i++) {
		f.host = slice_str(bad[i]);
		assert_int_equal(origin_check(ORIGIN_WRITE, &f), ORIGIN_D_HOST);
		assert_int_equal(origin_check(ORIGIN_NAVIGATE, &f), ORIGIN_D_HOST);
	}
	f.host = (struct slice){ NULL, 0 };
	assert_int_equal(origin_check(ORIGIN_WEBSOCKET, &f), ORIGIN_D_HOST);
}

static void
test_reason(void **state)
{
	(void)state;
	for (int v = ORIGIN_ALLOW; v <= ORIGIN_D_MISSING + 1; v++)
		assert_non_null(origin_reason((enum origin_verdict)v));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same),
		cmocka_unit_test(test_check),
		cmocka_unit_test(test_host),
		cmocka_unit_test(test_reason),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
