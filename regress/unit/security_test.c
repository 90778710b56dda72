/*
 * The security headers of every kind of answer, in every preset.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "../../worker/respond.h"
#include "../../worker/worker.h"

static const unsigned int kinds[] = { ANSWER_PAGE, ANSWER_DATA, ANSWER_ASSET, ANSWER_IDE,
	ANSWER_FILE, ANSWER_PORT };
static const unsigned int presets[] = { HEADERS_STRICT, HEADERS_BALANCED,
	HEADERS_DEVELOPMENT };

#define NROWS(a) (sizeof(a) / sizeof((a)[0]))
#define MAX      32

static struct conf_for_worker conf;
static struct worker w = { .conf = &conf };
static struct header h[MAX];
static size_t n;

static void
make(unsigned int preset, unsigned int kind)
{
	conf.http.headers = (uint8_t)preset;
	n = security_headers(&w, kind, h, 0, MAX);
	assert_true(n < MAX);
}

static struct slice
value(const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (slice_eq(h[i].name, slice_str(name)))
			return (h[i].value);
	return ((struct slice){ NULL, 0 });
}

static bool
has(const char *name, const char *text)
{
	struct slice v = value(name);

	return (v.p != NULL && memmem(v.p, v.len, text, strlen(text)) != NULL);
}

/* No header comes twice, in no combination. */
static void
test_once(void **state)
{
	(void)state;
	for (size_t p = 0; p < NROWS(presets); p++)
		for (size_t k = 0; k < NROWS(kinds); k++) {
			make(presets[p], kinds[k]);
			for (size_t i = 0; i < n; i++) {
				assert_true(http_is_token(h[i].name));
				assert_true(http_is_value(h[i].value));
				assert_true(security_owns(&w, kinds[k], h[i].name) !=
				    slice_eq(
					h[i].name, SLICE("content-security-policy")));
				for (size_t j = 0; j < i; j++)
					assert_false(slice_eq(h[i].name, h[j].name));
			}
		}
}

static void
test_own(void **state)
{
	(void)state;
	for (size_t p = 0; p < NROWS(presets); p++)
		for (size_t k = 0; k < 2; k++) {
			make(presets[p], kinds[k]);
			assert_true(has("x-content-type-options", "nosniff"));
			assert_true(has("x-frame-options", "DENY"));
			assert_true(has("cache-control", "no-store"));
			assert_true(has("content-security-policy", "default-src 'none'"));
			assert_true(
			    has("content-security-policy", "frame-ancestors 'none'"));
			assert_true(has("content-security-policy", "base-uri 'none'"));
			assert_false(has("content-security-policy", "unsafe"));
			assert_false(has("content-security-policy", "*"));
			/* It would take the Origin off our own forms. */
			assert_false(has("referrer-policy", "no-referrer"));
			assert_non_null(value("referrer-policy").p);
		}
}

static void
test_hsts(void **state)
{
	(void)state;
	for (size_t k = 0; k < NROWS(kinds); k++) {
		make(HEADERS_STRICT, kinds[k]);
		assert_true(has("strict-transport-security", "max-age=31536000"));
		make(HEADERS_BALANCED, kinds[k]);
		assert_true(has("strict-transport-security", "max-age=31536000"));
		make(HEADERS_DEVELOPMENT, kinds[k]);
		assert_null(value("strict-transport-security").p);
	}
}

/* The IDE knows the hashes of its scripts; we do not. */
static void
test_ide(void **state)
{
	(void)state;
	for (size_t p = 0; p < NROWS(presets); p++) {
		make(presets[p], ANSWER_IDE);
		/* Beside the IDE's own, of which nothing is lost. */
		assert_true(slice_eq(
		    value("content-security-policy"), SLICE("frame-ancestors 'self'")));
		assert_false(
		    security_owns(&w, ANSWER_IDE, SLICE("content-security-policy")));
		assert_null(value("cache-control").p);
		assert_true(has("x-frame-options", "SAMEORIGIN"));
		/* Whatever a file holds, it acts for nobody. */
		make(presets[p], ANSWER_FILE);
		assert_true(has("content-security-policy", "; sandbox"));
		assert_false(has("content-security-policy", "allow-"));
		assert_true(has("x-content-type-options", "nosniff"));
		assert_true(has("x-frame-options", "SAMEORIGIN"));
		make(presets[p], ANSWER_PORT);
		assert_null(value("content-security-policy").p);
		assert_null(value("x-frame-options").p);
	}
}

static void
test_report_only(void **state)
{
	(void)state;
	conf.http.headers_report_only = 1;
	make(HEADERS_STRICT, ANSWER_PAGE);
	assert_null(value("content-security-policy").p);
	assert_non_null(value("content-security-policy-report-only").p);
	/* A sandbox cannot be tried out. */
	make(HEADERS_STRICT, ANSWER_FILE);
	assert_true(has("content-security-policy", "; sandbox"));
	conf.http.headers_report_only = 0;
}

static void
test_full(void **state)
{
	(void)state;
	conf.http.headers = HEADERS_STRICT;
	assert_int_equal(security_headers(&w, ANSWER_PAGE, h, 3, 5), 5);
	assert_int_equal(security_headers(&w, ANSWER_PAGE, h, 5, 5), 5);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_once),
		cmocka_unit_test(test_own), cmocka_unit_test(test_hsts),
		cmocka_unit_test(test_ide), cmocka_unit_test(test_report_only),
		cmocka_unit_test(test_full) };

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
