/* Memory of a sandbox over time: marks, their hysteresis, and what is a leak. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../privsep/isolation/memory_watch.h"
#include "../../privsep/memory_text.h"

#define MB  (1ULL << 20)
#define MAX (1000 * MB)

static unsigned int
step(struct memory_watch *w, uint64_t mb)
{
	return memory_watch_step(w, mb * MB, MAX, 85, 95);
}

static void
test_marks(void **state)
{
	static const struct {
		uint64_t mb;
		unsigned int events;
	} rows[] = {
		{ 100, 0 },
		{ 849, 0 },
		{ 851, WATCH_WARN },
		{ 900, 0 },
		{ 810, 0 }, /* not well below yet */
		{ 860, 0 },
		{ 790, 0 },
		{ 860, WATCH_WARN },
		{ 951, WATCH_CRITICAL | WATCH_RELIEVE },
		{ 960, WATCH_RELIEVE },
		{ 940, 0 }, /* nothing has to go any more */
		{ 955, WATCH_RELIEVE },
		{ 880, 0 },
		{ 999, WATCH_CRITICAL | WATCH_RELIEVE },
		{ 10, 0 },
		/* Past both at once: the second one is told. */
		{ 980, WATCH_CRITICAL | WATCH_RELIEVE },
	};
	struct memory_watch w;
	size_t i;

	(void)state;
	memset(&w, 0, sizeof(w));
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(step(&w, rows[i].mb) & ~WATCH_LEAK, rows[i].events);
}

/* Runs readings through; how often a leak was told. */
static unsigned int
leaks(const uint64_t *mb, size_t n)
{
	struct memory_watch w;
	unsigned int told = 0;
	size_t i;

	memset(&w, 0, sizeof(w));
	for (i = 0; i < n; i++)
		told += (step(&w, mb[i]) & WATCH_LEAK) != 0;
	return told;
}

#define LEAKS(...)                                                                       \
	leaks((const uint64_t[]){ __VA_ARGS__ },                                         \
	    sizeof((const uint64_t[]){ __VA_ARGS__ }) / sizeof(uint64_t))

static void
test_leak(void **state)
{
	(void)state;
	/* Told once, and not before ten readings. */
	assert_int_equal(
	    LEAKS(200, 220, 240, 260, 280, 300, 320, 340, 360, 380, 400, 420), 1);
	assert_int_equal(LEAKS(200, 220, 240, 260, 280, 300, 320, 340, 360), 0);
	/* A collector takes some of it back now and then. */
	assert_int_equal(LEAKS(200, 230, 260, 250, 280, 310, 340, 330, 360, 390), 1);
	/* Up and down, level, falling, a jump at the start of work: none. */
	assert_int_equal(LEAKS(200, 300, 200, 300, 200, 300, 200, 300, 200, 300), 0);
	assert_int_equal(LEAKS(500, 500, 500, 500, 500, 500, 500, 500, 500, 500), 0);
	assert_int_equal(LEAKS(500, 480, 460, 440, 420, 400, 380, 360, 340, 320), 0);
	assert_int_equal(LEAKS(200, 600, 600, 600, 600, 600, 600, 600, 600, 600), 0);
	/* Slow enough to be no concern within ten minutes' readings. */
	assert_int_equal(LEAKS(100, 103, 106, 109, 112, 115, 118, 121, 124, 127), 0);
	/* Told again when it begins again. */
	assert_int_equal(LEAKS(200, 220, 240, 260, 280, 300, 320, 340, 360, 380, 200, 200,
			     200, 220, 240, 260, 280, 300, 320, 340, 360, 380, 400),
	    2);
}

static void
test_slope(void **state)
{
	struct memory_watch w;
	unsigned int i;

	(void)state;
	memset(&w, 0, sizeof(w));
	assert_int_equal(memory_watch_slope(&w), 0);
	for (i = 0; i < 25; i++)
		(void)step(&w, 100 + 7 * i);
	assert_int_equal(w.n, WATCH_READINGS);
	assert_int_equal(memory_watch_slope(&w), 7 * MB);
}

static void
test_bounds(void **state)
{
	struct memory_watch w;

	(void)state;
	memset(&w, 0, sizeof(w));
	/* Without a limit nothing is said, and nothing overflows with the largest. */
	assert_int_equal(memory_watch_step(&w, UINT64_MAX, 0, 85, 95), 0);
	assert_int_equal(memory_watch_step(&w, 0, UINT64_MAX, 85, 95), 0);
	assert_int_equal(memory_watch_step(&w, UINT64_MAX, UINT64_MAX, 85, 95),
	    WATCH_CRITICAL | WATCH_RELIEVE);
}

static void
test_text(void **state)
{
	struct m_memory m;
	char text[MEMORY_TEXT];

	(void)state;
	memset(&m, 0, sizeof(m));
	m.event = MEMORY_LEAK;
	m.used = 500 * MB;
	m.max = MAX;
	m.per_minute = 120 * (int64_t)MB;
	memory_text(text, sizeof(text), &m);
	assert_string_equal(text,
	    "memory grows by 120M a minute, 50% is used: a leak, "
	    "likely in no single process");
	m.event = MEMORY_ENDED;
	m.process.pid = 42;
	m.process.kind = PROCESS_LANGUAGE_SERVER;
	m.process.memory = 300 * MB;
	strcpy(m.process.name, "rust-lang.rust-analyzer");
	memory_text(text, sizeof(text), &m);
	assert_string_equal(text,
	    "rust-lang.rust-analyzer (language server, process 42, 300M) was ended, for "
	    "50% of the memory was used");
	assert_string_equal(process_kind_name(UINT32_MAX), "unknown");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_marks),
		cmocka_unit_test(test_leak),
		cmocka_unit_test(test_slope),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
