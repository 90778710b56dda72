/* Circuits: see circuit.h. */
#include <string.h>

#include "circuit.h"

bool
circuit_is_open(const struct circuit *c)
{
	return c->open != 0;
}

unsigned int
circuit_try(struct circuit *c, int64_t now)
{
	if (c->open == 0)
		return 0;
	if (c->until > now)
		return c->trial ? 1 : (unsigned int)((c->until - now + 999) / 1000);
	/* This one tries it; whoever comes meanwhile is told to come again. */
	c->until = now + CIRCUIT_TRIAL;
	c->trial = true;
	return 0;
}

void
circuit_gone(struct circuit *c)
{
	if (!c->trial)
		return;
	c->trial = false;
	c->until = 0;
}

static void
open_for(struct circuit *c, int64_t ms, int64_t now)
{
	c->open = ms < CIRCUIT_LONGEST ? ms : CIRCUIT_LONGEST;
	c->until = now + c->open;
	c->trial = false;
}

bool
circuit_result(struct circuit *c, bool ok, int64_t now)
{
	bool was = circuit_is_open(c);

	if (ok) {
		memset(c, 0, sizeof(*c));
		return was;
	}
	if (was) {
		/* What was on its way when it opened tells nothing new. */
		if (c->trial)
			open_for(c, 2 * c->open, now);
		return false;
	}
	if (c->failures == 0 || now - c->first > CIRCUIT_WINDOW) {
		c->failures = 0;
		c->first = now;
	}
	if (++c->failures < CIRCUIT_FAILURES)
		return false;
	open_for(c, CIRCUIT_OPEN, now);
	return true;
}
