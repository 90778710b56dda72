/*
 * How often something may be: an exact sliding window per key, in a table that is
 * bounded whatever outsiders do.
 *
 * What is allowed is taken first and given back later, together with how much of it
 * was used: a thousand attempts at once get no further than a thousand in a row, and
 * whoever serves many requests takes some for all of them.  What is out counts as if
 * it were used; what was used counts from when it is given back, which is not before
 * it was.  Hence in no window of the period there are ever more than the limit.
 *
 * A window is exact as long as its uses fall on no more than WINDOW_STAMPS different
 * milliseconds; beyond, neighbours are counted together with the later one of them,
 * longer and never shorter than they should be.
 *
 * Nobody's window is forgotten before its time.  When all places are taken by those
 * that still count, keys that come new share what is left: they are counted
 * together, so that filling the table makes it stricter for strangers and for nobody
 * else, and resets nothing.
 */
#ifndef PRIVSEP_WINDOW_H
#define PRIVSEP_WINDOW_H

#include <stddef.h>
#include <stdint.h>

#define WINDOW_KEY    16
#define WINDOW_KEYS   65536
#define WINDOW_SHARED 4096
#define WINDOW_STAMPS 1024      /* of one key */
#define WINDOW_POOL   (1 << 20) /* of all keys, beyond the first few of each */

struct windows;

struct window_state {
	uint32_t limit;
	uint32_t used;
	uint32_t out;  /* taken, and not given back yet */
	uint32_t left; /* that could be taken now */
	int64_t reset; /* ms until some of what was used counts no more; 0: none was */
	uint32_t denied;
};

/* NULL when there is no memory.  period in seconds; both at least 1. */
struct windows *windows_new(uint32_t limit, uint32_t period, uint32_t max_keys);
void windows_free(struct windows *);
void windows_config(struct windows *, uint32_t limit, uint32_t period);

/* now in milliseconds of a clock that never goes back. */
void windows_look(
    struct windows *, const uint8_t key[WINDOW_KEY], int64_t now, struct window_state *);
/* Up to n; returns how many. */
uint32_t windows_take(
    struct windows *, const uint8_t key[WINDOW_KEY], int64_t now, uint32_t n);
/* One, whatever the limit says: by one who has looked. */
void windows_hold(struct windows *, const uint8_t key[WINDOW_KEY], int64_t now);
void windows_give(struct windows *, const uint8_t key[WINDOW_KEY], int64_t now,
    uint32_t taken, uint32_t used);
/* Somebody was refused: for windows_top(). */
void windows_deny(struct windows *, const uint8_t key[WINDOW_KEY], int64_t now);

struct window_top {
	uint8_t key[WINDOW_KEY]; /* all zero for those that share */
	struct window_state state;
};
/* Those who were refused most often, of those that still count; returns how many. */
size_t windows_top(struct windows *, int64_t now, struct window_top *top, size_t max);
uint32_t windows_keys(const struct windows *);

#endif
