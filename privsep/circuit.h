/*
 * A circuit: who asks for what fails again and again is told so at once, for a while.
 * Then one of them tries it; the others wait for what comes of it.
 *
 *	closed: all are let through.  CIRCUIT_FAILURES failures within CIRCUIT_WINDOW,
 *		with no success between them, open it.
 *	open:	nobody is let through, for CIRCUIT_OPEN; after each trial that fails
 *		for twice as long as before, up to CIRCUIT_LONGEST.
 *	trial:	one is let through.  Its success closes the circuit.
 *
 * Times are milliseconds of whatever epoch; a circuit of zeros is a closed one.
 */
#ifndef PRIVSEP_CIRCUIT_H
#define PRIVSEP_CIRCUIT_H

#include <stdbool.h>
#include <stdint.h>

#define CIRCUIT_FAILURES 5
#define CIRCUIT_WINDOW   30000
#define CIRCUIT_OPEN     5000
#define CIRCUIT_LONGEST  40000
#define CIRCUIT_TRIAL    10000 /* after which one that was never heard of is over */

struct circuit {
	unsigned int failures;
	int64_t first; /* of them */
	int64_t open;  /* how long; 0: it is closed */
	int64_t until; /* it is open, or the trial's end */
	bool trial;    /* one is on its way */
};

/* May somebody be let through?  0, or the seconds after which to ask again. */
unsigned int circuit_try(struct circuit *, int64_t now);
/* What came of it; true if the circuit is another one now: see circuit_is_open(). */
bool circuit_result(struct circuit *, bool ok, int64_t now);
/* Nothing came of it: whoever was let through has left. */
void circuit_gone(struct circuit *);
bool circuit_is_open(const struct circuit *);

#endif
