/*
 * Sliding windows against a model that knows every single use: never more than the
 * limit in any window, never refused without cause, whatever is taken, kept and given
 * back in whatever order; and nobody's window is reset by anybody.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../privsep/window.h"

#define PERIOD 10000 /* ms */

static const uint8_t *
key(uint32_t n)
{
	static uint8_t k[WINDOW_KEY];

	memset(k, 0, sizeof(k));
	memcpy(k, &n, sizeof(n));
	return k;
}

/* --- a model: all uses there ever were, and all that is out --- */

#define USES  200000
#define HOLDS 64

static struct {
	int64_t used[USES];    /* when a use happened */
	int64_t counted[USES]; /* ... and when it was told */
	uint32_t n;
	struct hold {
		uint32_t taken;
		uint32_t used;
		int64_t at[64];
	} hold[HOLDS];
	uint32_t nhold;
} model;

static uint32_t
model_counted(int64_t now)
{
	uint32_t i, n = 0;

	for (i = model.n; i > 0 && now - model.counted[i - 1] < PERIOD; i--)
		n++;
	return n;
}

static uint32_t
model_out(void)
{
	uint32_t i, n = 0;

	for (i = 0; i < model.nhold; i++)
		n += model.hold[i].taken;
	return n;
}

static int
by_time(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static void
property(uint32_t limit, unsigned int seed, unsigned int steps)
{
	struct windows *w = windows_new(limit, PERIOD / 1000, WINDOW_KEYS);
	struct window_state s;
	struct hold *h;
	uint32_t want, got, i, counted;
	int64_t now = 1;
	unsigned int step;

	srandom(seed);
	memset(&model, 0, sizeof(model));
	for (step = 0; step < steps; step++) {
		now += random() % 4 == 0 ? random() % 2000 : random() % 20;
		counted = model_counted(now);
		windows_look(w, key(1), now, &s);
		assert_int_equal(s.used, counted);
		assert_int_equal(s.out, model_out());
		assert_int_equal(
		    s.left, counted + s.out < limit ? limit - counted - s.out : 0);
		if (random() % 2 && model.nhold < HOLDS) {
			want = 1 + (uint32_t)random() % 40;
			got = windows_take(w, key(1), now, want);
			/* Exactly what there is. */
			assert_int_equal(got, want < s.left ? want : s.left);
			if (got > 0) {
				h = &model.hold[model.nhold++];
				h->taken = got;
				h->used = 0;
			}
		} else if (model.nhold > 0) {
			h = &model.hold[(uint32_t)random() % model.nhold];
			if (random() % 3 != 0) {
				if (h->used < h->taken)
					h->at[h->used++] = now;
				continue;
			}
			windows_give(w, key(1), now, h->taken, h->used);
			for (i = 0; i < h->used && model.n < USES; i++) {
				model.used[model.n] = h->at[i];
				model.counted[model.n++] = now;
			}
			*h = model.hold[--model.nhold];
		}
	}
	/* Of the true times of use, in no window are there more than the limit. */
	for (h = model.hold; h < model.hold + model.nhold; h++)
		for (i = 0; i < h->used && model.n < USES; i++)
			model.used[model.n++] = h->at[i];
	qsort(model.used, model.n, sizeof(model.used[0]), by_time);
	for (i = limit; i < model.n; i++)
		assert_true(model.used[i] - model.used[i - limit] >= PERIOD);
	assert_true(model.n > limit);
	windows_free(w);
}

static void
exact(void **state)
{
	static const uint32_t limits[] = { 1, 2, 5, 40, 100, 500 };
	unsigned int i, seed;

	(void)state;
	for (i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
		for (seed = 0; seed < 4; seed++)
			property(limits[i], seed + 1, 20000);
}

/* One use per millisecond, more than there are stamps: longer, never shorter. */
static void
merged(void **state)
{
	const uint32_t limit = 6000;
	struct windows *w = windows_new(limit, PERIOD / 1000, WINDOW_KEYS);
	static int64_t went[100000];
	uint32_t n = 0, refused = 0;
	int64_t now;

	(void)state;
	for (now = 1; now < 8 * PERIOD; now++) {
		if (windows_take(w, key(1), now, 1) == 0) {
			refused++;
			continue;
		}
		windows_give(w, key(1), now, 1, 1);
		assert_true(n < limit || now - went[n - limit] >= PERIOD);
		went[n++] = now;
	}
	assert_true(refused > 0);
	/* ... by no more than a hundredth. */
	assert_true(n >= limit * 8 * 99 / 100);
	windows_free(w);
}

/* An attacker with as many keys as he likes resets nobody, himself included. */
static void
no_reset(void **state)
{
	struct windows *w = windows_new(5, 900, 1000);
	struct window_state s;
	uint32_t i, k, got, allowed = 0;
	int64_t now = 1;

	(void)state;
	for (i = 0; i < 5; i++) {
		assert_int_equal(windows_take(w, key(7), now, 1), 1);
		windows_give(w, key(7), now, 1, 1);
	}
	for (k = 0; k < 20; k++)
		for (i = 0; i < 20000; i++) {
			now += i % 100 == 0;
			got = windows_take(w, key(100 + i), now, 1);
			windows_give(w, key(100 + i), now, got, got);
			allowed += got;
		}
	/* All together no more than the places there are. */
	assert_true(allowed <= 5 * (1000 + WINDOW_SHARED));
	assert_int_equal(windows_keys(w), 1000);
	assert_int_equal(windows_take(w, key(7), now, 1), 0);
	windows_look(w, key(7), now, &s);
	assert_int_equal(s.used, 5);
	/* What is out stays where it was taken, and is found again. */
	now += 900000;
	assert_int_equal(windows_take(w, key(1000000), now, 3), 3);
	windows_give(w, key(1000000), now, 3, 2);
	windows_look(w, key(1000000), now, &s);
	assert_int_equal(s.used, 2);
	assert_int_equal(s.out, 0);
	assert_int_equal(windows_take(w, key(7), now, 9), 5);
	windows_free(w);
}

/* Taken while the table was full, given back when it is not any more. */
static void
shared_out(void **state)
{
	struct windows *w = windows_new(10, 10, 4);
	struct window_state s;
	uint32_t i;

	(void)state;
	for (i = 0; i < 4; i++) {
		(void)windows_take(w, key(i), 1, 1);
		windows_give(w, key(i), 1, 1, 1);
	}
	assert_int_equal(windows_take(w, key(50), 2, 4), 4);
	/* The four are over. */
	assert_int_equal(windows_take(w, key(51), 20000, 1), 1);
	windows_look(w, key(50), 20000, &s);
	assert_int_equal(s.out, 4);
	windows_give(w, key(50), 20000, 4, 4);
	windows_look(w, key(50), 20000, &s);
	assert_int_equal(s.used, 4);
	assert_int_equal(s.out, 0);
	windows_free(w);
}

static void
lies(void **state)
{
	struct windows *w = windows_new(10, 10, 4);
	struct window_state s;

	(void)state;
	windows_give(w, key(1), 1, 5, 0);
	assert_int_equal(windows_take(w, key(1), 1, 3), 3);
	windows_give(w, key(1), 2, 4, 0);
	windows_give(w, key(1), 2, 3, 4);
	windows_look(w, key(1), 2, &s);
	assert_int_equal(s.out, 3);
	assert_int_equal(s.left, 7);
	windows_free(w);
}

static void
top(void **state)
{
	struct windows *w = windows_new(1, 10, WINDOW_KEYS);
	struct window_top t[3];
	uint32_t i, k;

	(void)state;
	for (i = 1; i <= 50; i++) {
		(void)windows_take(w, key(i), 1, 1);
		windows_give(w, key(i), 1, 1, 1);
		for (k = 0; k < (i * 7) % 50; k++)
			windows_deny(w, key(i), 1);
	}
	assert_int_equal(windows_top(w, 2, t, 3), 3);
	assert_int_equal(t[0].state.denied, 49);
	assert_int_equal(t[1].state.denied, 48);
	assert_int_equal(t[2].state.denied, 47);
	assert_memory_equal(t[0].key, key(7), WINDOW_KEY);
	assert_int_equal(windows_top(w, 20000, t, 3), 0);
	windows_free(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exact),
		cmocka_unit_test(merged),
		cmocka_unit_test(no_reset),
		cmocka_unit_test(shared_out),
		cmocka_unit_test(lies),
		cmocka_unit_test(top),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
