/*
 * What becomes of a sandbox's memory, reading by reading: above a share of the
 * limit, above a second one, or growing without an end.  Numbers only; what is
 * done about it is box_watch.c's.
 */
#ifndef ISOLATION_MEMORY_WATCH_H
#define ISOLATION_MEMORY_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#define WATCH_READINGS 10

/* Has begun with this reading (one bit each). */
#define WATCH_WARN     0x1
#define WATCH_CRITICAL 0x2
#define WATCH_LEAK     0x4
/* Is so, with every reading: something has to go. */
#define WATCH_RELIEVE 0x8

struct memory_watch {
	uint64_t reading[WATCH_READINGS]; /* oldest first */
	unsigned int n;
	bool warned, critical, leak;
};

/* used and max in bytes (max 0: there is no limit, nothing is said); warn and
 * critical in percent of max. */
bool memory_watch_above(uint64_t used, uint64_t max, uint32_t percent);
unsigned int memory_watch_step(struct memory_watch *w, uint64_t used, uint64_t max,
    uint32_t warn, uint32_t critical);

/* Growth for each reading, by least squares over the readings there are. */
int64_t memory_watch_slope(const struct memory_watch *w);

#endif
