/* Limits: see auth_rate.h. */
#include "auth_rate.h"

#include "../refused.h"
#include "../window.h"

_Static_assert(RATE_KEY == WINDOW_KEY, "one key");

struct rate *
rate_new(uint32_t count, uint32_t period, uint32_t max_entries)
{
	return (struct rate *)windows_new(count, period, max_entries);
}

static struct windows *
of(struct rate *r)
{
	return (struct windows *)r;
}

void
rate_free(struct rate *r)
{
	windows_free(of(r));
}

void
rate_config(struct rate *r, uint32_t count, uint32_t period)
{
	windows_config(of(r), count, period);
}

enum rate_verdict
rate_look(struct rate *r, const uint8_t key[RATE_KEY], int64_t now, uint32_t *retry)
{
	struct window_state s;

	*retry = 0;
	windows_look(of(r), key, now, &s);
	if (s.left > 0)
		return RATE_GO;
	if (s.used < s.limit)
		return RATE_WAIT;
	*retry = (uint32_t)((s.reset + 999) / 1000);
	return RATE_DENY;
}

void
rate_begin(struct rate *r, const uint8_t key[RATE_KEY], int64_t now)
{
	windows_hold(of(r), key, now);
}

void
rate_end(struct rate *r, const uint8_t key[RATE_KEY], int64_t now, bool failed)
{
	windows_give(of(r), key, now, 1, failed);
}

uint32_t
rate_failures(struct rate *r, const uint8_t key[RATE_KEY], int64_t now)
{
	struct window_state s;

	windows_look(of(r), key, now, &s);
	return s.used;
}

void
rate_denied(struct rate *r, const uint8_t key[RATE_KEY], int64_t now)
{
	windows_deny(of(r), key, now);
}

uint32_t
rate_entries(struct rate *r)
{
	return windows_keys(of(r));
}

size_t
rate_top(struct rate *r, uint32_t class, int64_t now, struct wire_top *top, size_t max)
{
	return refused_top(of(r), class, now, top, max);
}
