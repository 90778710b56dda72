/* Clocks, in milliseconds: clock_gettime(2). */
#ifndef PRIVSEP_CLOCK_H
#define PRIVSEP_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline int64_t
clock_ms(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

#endif
