/* Memory of a sandbox over time: see memory_watch.h. */
#include <string.h>

#include "memory_watch.h"

#define HYSTERESIS 5 /* percent below a mark until it counts as left */

/* A leak: nearly every reading above the one before, two hundredths of the limit
 * gained, and the limit reached within ten minutes' readings if it goes on. */
#define LEAK_RISES 7 /* of the nine steps */
#define LEAK_SHARE 50
#define LEAK_AHEAD 60

static void
keep(struct memory_watch *w, uint64_t used)
{
	if (w->n == WATCH_READINGS) {
		memmove(w->reading, w->reading + 1,
		    (WATCH_READINGS - 1) * sizeof(w->reading[0]));
		w->n--;
	}
	w->reading[w->n++] = used;
}

int64_t
memory_watch_slope(const struct memory_watch *w)
{
	double n = w->n, x, y, sx = 0, sy = 0, sxx = 0, sxy = 0;
	unsigned int i;

	if (w->n < 2)
		return 0;
	for (i = 0; i < w->n; i++) {
		x = i;
		y = (double)w->reading[i];
		sx += x;
		sy += y;
		sxx += x * x;
		sxy += x * y;
	}
	return (int64_t)((n * sxy - sx * sy) / (n * sxx - sx * sx));
}

static bool
leaks(const struct memory_watch *w, uint64_t max)
{
	uint64_t first = w->reading[0], last = w->reading[WATCH_READINGS - 1];
	unsigned int i, rises = 0;
	int64_t slope;

	if (w->n < WATCH_READINGS || last <= first || last - first < max / LEAK_SHARE)
		return false;
	for (i = 1; i < WATCH_READINGS; i++)
		rises += w->reading[i] > w->reading[i - 1];
	slope = memory_watch_slope(w);
	return rises >= LEAK_RISES && slope > 0 && last < max &&
	    (max - last) / (uint64_t)slope < LEAK_AHEAD;
}

/* Above the mark, or not yet well below it. */
static bool
mark(bool was, uint64_t used, uint64_t max, uint32_t percent)
{
	uint32_t at = was && percent > HYSTERESIS ? percent - HYSTERESIS : percent;

	return used / 100 >= max / 10000 * at;
}

bool
memory_watch_above(uint64_t used, uint64_t max, uint32_t percent)
{
	return max != 0 && mark(false, used, max, percent);
}

unsigned int
memory_watch_step(
    struct memory_watch *w, uint64_t used, uint64_t max, uint32_t warn, uint32_t critical)
{
	struct memory_watch was = *w;
	unsigned int events = 0;

	if (max == 0)
		return 0;
	keep(w, used);
	w->warned = mark(was.warned, used, max, warn);
	w->critical = mark(was.critical, used, max, critical);
	w->leak = leaks(w, max);
	if (w->warned && !was.warned && !w->critical)
		events |= WATCH_WARN;
	if (w->critical && !was.critical)
		events |= WATCH_CRITICAL;
	if (w->leak && !was.leak)
		events |= WATCH_LEAK;
	/* Between the marks nothing is ended any more. */
	if (memory_watch_above(used, max, critical))
		events |= WATCH_RELIEVE;
	return events;
}
