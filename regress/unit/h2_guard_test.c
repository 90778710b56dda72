/*
 * Budgets against HTTP/2 floods: what they count, how they fill again, and that
 * the scanner counts the same however the bytes are cut.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "../../worker/h2_guard.h"

#define NROWS(a) (sizeof(a) / sizeof((a)[0]))
#define PREFACE  "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#define T0       1000000

static size_t
frame(uint8_t *p, size_t len, uint8_t type, uint8_t flags, uint8_t first)
{
	memset(p, 0, 9 + len);
	p[0] = (uint8_t)(len >> 16);
	p[1] = (uint8_t)(len >> 8);
	p[2] = (uint8_t)len;
	p[3] = type;
	p[4] = flags;
	p[8] = 1;
	if (len > 0)
		p[9] = first;
	return (9 + len);
}

/* A kind of frame, the budget that it empties, and how many that takes. */
static const struct {
	const char *what;
	size_t len;
	uint8_t type, flags, first;
	enum h2_budget budget;
	unsigned int burst;
} rows[] = {
	{ "RST_STREAM", 4, 3, 0, 0, H2_RESET, 400 },
	{ "PRIORITY", 5, 2, 0, 0, H2_PRIORITY, 300 },
	{ "SETTINGS", 0, 4, 0, 0, H2_SETTINGS, 32 },
	{ "SETTINGS ACK", 0, 4, 1, 0, H2_SETTINGS, 32 },
	{ "PING", 8, 6, 0, 0, H2_PING, 100 },
	{ "PING ACK", 8, 6, 1, 0, H2_PING, 100 },
	{ "PUSH_PROMISE", 8, 5, 0, 0, H2_INVALID, 50 },
	{ "GOAWAY", 8, 7, 0, 0, H2_UNKNOWN, 200 },
	{ "WINDOW_UPDATE", 4, 8, 0, 0, H2_WINDOW, 2000 },
	{ "CONTINUATION", 3, 9, 0, 0, H2_CONTINUATION, 64 },
	{ "CONTINUATION, empty", 0, 9, 0, 0, H2_CONTINUATION_EMPTY, 8 },
	{ "DATA, empty", 0, 0, 0, 0, H2_DATA_EMPTY, 100 },
	{ "DATA, padding length only", 1, 0, 8, 0, H2_DATA_EMPTY, 100 },
	{ "DATA, padding only", 5, 0, 8, 4, H2_DATA_EMPTY, 100 },
	{ "DATA, more padding than frame", 5, 0, 8, 200, H2_DATA_EMPTY, 100 },
	{ "ALTSVC", 3, 10, 0, 0, H2_UNKNOWN, 200 },
	{ "PRIORITY_UPDATE", 8, 16, 0, 0, H2_UNKNOWN, 200 },
	{ "unheard of", 1, 255, 0, 0, H2_UNKNOWN, 200 },
};

/* How many of a frame until the guard has enough, at most max; cut: bytes a
 * call, 0 for all in one. */
static unsigned int
flood(struct h2_guard *g, size_t row, unsigned int max, size_t cut)
{
	uint8_t buf[64];
	size_t n, at, piece;
	unsigned int i;
	bool ok = true;

	for (i = 0; i < max && ok; i++) {
		n = frame(
		    buf, rows[row].len, rows[row].type, rows[row].flags, rows[row].first);
		for (at = 0; at < n && ok; at += piece) {
			piece = cut == 0 || cut > n - at ? n - at : cut;
			ok = h2_guard_scan(g, buf + at, piece, T0);
		}
	}
	return (ok ? max : i - 1);
}

static void
test_frames(void **state)
{
	static const size_t cuts[] = { 0, 1, 2, 5, 9, 10 };
	struct h2_guard g;

	(void)state;
	for (size_t c = 0; c < NROWS(cuts); c++)
		for (size_t i = 0; i < NROWS(rows); i++) {
			h2_guard_init(&g, T0);
			assert_true(h2_guard_scan(&g, (const uint8_t *)PREFACE, 24, T0));
			assert_int_equal(flood(&g, i, 100000, cuts[c]), rows[i].burst);
			assert_int_equal(g.broken, rows[i].budget);
		}
}

/* What honest clients send in any number. */
static void
test_harmless(void **state)
{
	static const struct {
		size_t len;
		uint8_t type, flags, first;
	} ok[] = {
		{ 100, 0, 0, 0 }, /* DATA */
		{ 0, 0, 1, 0 },   /* the last one, empty */
		{ 10, 0, 8, 3 },  /* with padding, and with data */
		{ 30, 1, 5, 0 }   /* HEADERS */
	};
	struct h2_guard g;
	uint8_t buf[128];

	(void)state;
	h2_guard_init(&g, T0);
	h2_guard_scan(&g, (const uint8_t *)PREFACE, 24, T0);
	for (size_t i = 0; i < NROWS(ok); i++)
		for (int k = 0; k < 100000; k++) {
			size_t n = frame(
			    buf, ok[i].len, ok[i].type, ok[i].flags, ok[i].first);

			assert_true(h2_guard_scan(&g, buf, n, T0));
		}
	assert_int_equal(g.broken, H2_BUDGET_MAX);
}

static void
test_refill(void **state)
{
	struct h2_guard g;

	(void)state;
	h2_guard_init(&g, T0);
	assert_true(h2_guard_spend(&g, H2_PING, 100, T0));
	/* 5 a second: one in 200 ms, and no more than the burst ever. */
	assert_true(h2_guard_spend(&g, H2_PING, 1, T0 + 200));
	assert_true(h2_guard_spend(&g, H2_PING, 5, T0 + 1200));
	assert_true(h2_guard_spend(&g, H2_PING, 100, T0 + 1000 * 86400));
	assert_false(h2_guard_spend(&g, H2_PING, 1, T0 + 1000 * 86400));
	assert_int_equal(g.broken, H2_PING);
	/* Once is enough, whatever the time. */
	assert_false(h2_guard_spend(&g, H2_RESET, 1, UINT64_MAX / 2));
}

static void
test_clock_back(void **state)
{
	struct h2_guard g;

	(void)state;
	h2_guard_init(&g, T0);
	assert_true(h2_guard_spend(&g, H2_PING, 100, T0));
	assert_false(h2_guard_spend(&g, H2_PING, 1, T0 - 5000));
}

static void
test_earn(void **state)
{
	struct h2_guard g;

	(void)state;
	h2_guard_init(&g, T0);
	for (int i = 0; i < 100000; i++) {
		h2_guard_earn(&g, H2_WINDOW, 2);
		assert_true(h2_guard_spend(&g, H2_WINDOW, 2, T0));
	}
	h2_guard_earn(&g, H2_WINDOW, UINT64_MAX);
	assert_true(h2_guard_spend(&g, H2_WINDOW, 2000, T0));
	assert_false(h2_guard_spend(&g, H2_WINDOW, 1, T0));
}

static void
test_huge(void **state)
{
	struct h2_guard g;

	(void)state;
	h2_guard_init(&g, T0);
	assert_false(h2_guard_spend(&g, H2_HEADER_BYTES, UINT64_MAX, T0));
}

static void
test_midframe(void **state)
{
	struct h2_guard g;
	uint8_t buf[64];
	size_t n = frame(buf, 8, 6, 0, 0);

	(void)state;
	h2_guard_init(&g, T0);
	assert_true(h2_guard_midframe(&g));
	h2_guard_scan(&g, (const uint8_t *)PREFACE, 24, T0);
	assert_false(h2_guard_midframe(&g));
	for (size_t i = 0; i < n; i++) {
		h2_guard_scan(&g, buf + i, 1, T0);
		assert_int_equal(h2_guard_midframe(&g), i < n - 1);
	}
}

static void
test_names(void **state)
{
	(void)state;
	for (int i = 0; i < H2_BUDGET_MAX; i++)
		assert_string_not_equal(h2_budget_name((enum h2_budget)i), "none");
	assert_string_equal(h2_budget_name(H2_BUDGET_MAX), "none");
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_frames),
		cmocka_unit_test(test_harmless), cmocka_unit_test(test_refill),
		cmocka_unit_test(test_clock_back), cmocka_unit_test(test_earn),
		cmocka_unit_test(test_huge), cmocka_unit_test(test_midframe),
		cmocka_unit_test(test_names) };

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
