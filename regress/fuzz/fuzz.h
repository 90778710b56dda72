/* What the targets share: a rule that must hold, and the input byte by byte. */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static inline void
check(bool ok)
{
	if (!ok)
		abort();
}

static const uint8_t *in;
static size_t left;

/* Zeros once it is at its end. */
static inline uint8_t
next(void)
{
	if (left == 0)
		return 0;
	left--;
	return *in++;
}

/* Some bytes in some place. */
static inline void
fill(uint8_t *p, size_t len)
{
	size_t at = next() | (size_t)next() << 8, n = next();

	if (len == 0)
		return;
	for (at %= len; n > 0 && at < len; n--)
		p[at++] = next();
}

#endif
