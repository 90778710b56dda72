/*
 * Who was refused by a rate limit, for the audit trail: of each, a record when it
 * begins and then one a minute with how often it was, as long as it goes on.  Of so
 * many at a time; what there is beyond is counted together.
 */
#ifndef PRIVSEP_REFUSED_H
#define PRIVSEP_REFUSED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "window.h"
#include "wire.h"

#define REFUSED_KEYS  64
#define REFUSED_EVERY 60000 /* milliseconds */

void refused_add(const uint8_t key[WINDOW_KEY], uint32_t class, int64_t now);
/* About once a second; false when there is nothing more to tell.  A key of zeros: all
 * others.  What tell could not pass on (false) is told the next time. */
bool refused_tick(int64_t now, bool (*tell)(const struct m_limited *));

/* Those of a table who were refused, or come near it; returns how many. */
size_t refused_top(
    struct windows *, uint32_t class, int64_t now, struct wire_top *top, size_t max);

#endif
