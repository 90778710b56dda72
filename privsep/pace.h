/*
 * A bounded rate: so much at once, and so much a second afterwards.  Who leaves out
 * what comes beyond counts it: that may be for more than one reason.
 */
#ifndef PRIVSEP_PACE_H
#define PRIVSEP_PACE_H

#include <stdbool.h>
#include <stdint.h>

struct pace_limit {
	uint32_t burst;
	uint32_t rate; /* per second */
};

/* All zero, it has never been used. */
struct pace {
	bool used;
	int64_t at;     /* milliseconds */
	int64_t credit; /* in thousandths */
};

/* One more; false where that is too many. */
bool pace_take(struct pace *, const struct pace_limit *, int64_t now);
/* Is it as if it had never been used? */
bool pace_rests(const struct pace *, const struct pace_limit *, int64_t now);

#endif
