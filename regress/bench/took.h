/* How long something took, and what is the median of such. */
#ifndef BENCH_TOOK_H
#define BENCH_TOOK_H

#include <time.h>

/* Milliseconds. */
static inline double
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static inline int
by_value(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

#endif
