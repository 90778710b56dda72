/*
 * How often something may fail: the windows of window.h for attempts, of which only
 * those count that fail.
 *
 * An attempt is begun and ended; while it runs it holds a place, so that a
 * thousand attempts at once get no further than a thousand in a row.  Ended
 * well, it leaves nothing behind.
 */
#ifndef AUTH_RATE_H
#define AUTH_RATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../wire.h"

#define RATE_KEY     16 /* bytes */
#define RATE_ENTRIES 65536

enum rate_verdict {
	RATE_GO,
	RATE_WAIT, /* every place is held by an attempt that still runs */
	RATE_DENY
};

struct rate;

/* NULL when there is no memory. */
struct rate *rate_new(uint32_t count, uint32_t period, uint32_t max_entries);
void rate_free(struct rate *);
void rate_config(struct rate *, uint32_t count, uint32_t period);

/* now in milliseconds, never going back; *retry in seconds, when denied. */
enum rate_verdict rate_look(
    struct rate *, const uint8_t key[RATE_KEY], int64_t now, uint32_t *retry);
void rate_begin(struct rate *, const uint8_t key[RATE_KEY], int64_t now);
void rate_end(struct rate *, const uint8_t key[RATE_KEY], int64_t now, bool failed);
/* Failures within the window. */
uint32_t rate_failures(struct rate *, const uint8_t key[RATE_KEY], int64_t now);
void rate_denied(struct rate *, const uint8_t key[RATE_KEY], int64_t now);
uint32_t rate_entries(struct rate *);
/* See refused_top(). */
size_t rate_top(
    struct rate *, uint32_t class, int64_t now, struct wire_top *, size_t max);

#endif
