/*
 * Budgets against HTTP/2 floods, and the scanner that counts.  See h2_guard.h.
 */
#include <string.h>

#include "h2_guard.h"

#define PREFACE_LEN 24
#define FRAME_HEAD  9

enum frame_type {
	F_DATA,
	F_HEADERS,
	F_PRIORITY,
	F_RST_STREAM,
	F_SETTINGS,
	F_PUSH_PROMISE,
	F_PING,
	F_GOAWAY,
	F_WINDOW_UPDATE,
	F_CONTINUATION,
};

#define FLAG_END_STREAM 0x01
#define FLAG_PADDED     0x08

#define X(id, name, burst, rate) { name, burst, rate },
static const struct {
	const char *name;
	uint32_t burst;
	uint32_t rate; /* tokens a second */
} budget[H2_BUDGET_MAX] = { H2_BUDGETS(X) };
#undef X

/* What a frame costs, whatever is in it. */
static const enum h2_budget frame_budget[] = {
	[F_DATA] = H2_BUDGET_MAX, /* unless it is empty */
	[F_HEADERS] = H2_BLOCK,
	[F_PRIORITY] = H2_PRIORITY,
	[F_RST_STREAM] = H2_RESET,
	[F_SETTINGS] = H2_SETTINGS,
	[F_PUSH_PROMISE] = H2_INVALID,
	[F_PING] = H2_PING,
	[F_GOAWAY] = H2_UNKNOWN,
	[F_WINDOW_UPDATE] = H2_WINDOW,
	[F_CONTINUATION] = H2_CONTINUATION
};

const char *
h2_budget_name(enum h2_budget b)
{
	return (b < H2_BUDGET_MAX ? budget[b].name : "none");
}

void
h2_guard_init(struct h2_guard *g, uint64_t now_ms)
{
	memset(g, 0, sizeof(*g));
	for (size_t i = 0; i < H2_BUDGET_MAX; i++) {
		g->bucket[i].level = (int64_t)budget[i].burst * 1000;
		g->bucket[i].at = now_ms;
	}
	g->broken = H2_BUDGET_MAX;
	g->preface = PREFACE_LEN;
}

/* Time fills a bucket; the clock is monotonic, and a full hour fills any. */
static void
refill(struct h2_guard *g, enum h2_budget b, uint64_t now_ms)
{
	int64_t full = (int64_t)budget[b].burst * 1000;
	uint64_t ms = now_ms - g->bucket[b].at;

	if (now_ms <= g->bucket[b].at)
		return;
	if (ms > 3600 * 1000)
		ms = 3600 * 1000;
	g->bucket[b].at = now_ms;
	g->bucket[b].level += (int64_t)(ms * budget[b].rate);
	if (g->bucket[b].level > full)
		g->bucket[b].level = full;
}

bool
h2_guard_spend(struct h2_guard *g, enum h2_budget b, uint64_t n, uint64_t now_ms)
{
	if (g->broken != H2_BUDGET_MAX)
		return (false);
	if (b >= H2_BUDGET_MAX)
		return (true);
	refill(g, b, now_ms);
	if (n > INT32_MAX || g->bucket[b].level < (int64_t)n * 1000) {
		g->broken = b;
		return (false);
	}
	g->bucket[b].level -= (int64_t)n * 1000;
	return (true);
}

void
h2_guard_earn(struct h2_guard *g, enum h2_budget b, uint64_t n)
{
	int64_t full = (int64_t)budget[b].burst * 1000;

	if (n > budget[b].burst)
		n = budget[b].burst;
	g->bucket[b].level += (int64_t)n * 1000;
	if (g->bucket[b].level > full)
		g->bucket[b].level = full;
}

/* A frame header is complete. */
static bool
count(struct h2_guard *g, uint64_t now_ms)
{
	uint8_t type = g->head[3], flags = g->head[4];
	enum h2_budget b = H2_UNKNOWN;

	g->left = (uint32_t)g->head[0] << 16 | (uint32_t)g->head[1] << 8 | g->head[2];
	g->nhead = 0;
	g->padded = false;
	if (type < sizeof(frame_budget) / sizeof(frame_budget[0]))
		b = frame_budget[type];
	if (type == F_CONTINUATION && g->left == 0 &&
	    !h2_guard_spend(g, H2_CONTINUATION_EMPTY, 1, now_ms))
		return (false);
	if (type == F_DATA && (flags & FLAG_END_STREAM) == 0) {
		/* Padding is nothing, too: its length is the next byte. */
		if (g->left == 0)
			b = H2_DATA_EMPTY;
		else
			g->padded = (flags & FLAG_PADDED) != 0;
	}
	return (h2_guard_spend(g, b, 1, now_ms));
}

bool
h2_guard_scan(struct h2_guard *g, const uint8_t *data, size_t len, uint64_t now_ms)
{
	size_t n;

	if (g->preface > 0) {
		n = len < g->preface ? len : g->preface;
		g->preface = (uint8_t)(g->preface - n);
		data += n;
		len -= n;
	}
	while (len > 0) {
		if (g->left > 0) {
			if (g->padded && data[0] + 1U >= g->left &&
			    !h2_guard_spend(g, H2_DATA_EMPTY, 1, now_ms))
				return (false);
			g->padded = false;
			n = len < g->left ? len : g->left;
			g->left -= (uint32_t)n;
		} else {
			n = FRAME_HEAD - (size_t)g->nhead;
			if (n > len)
				n = len;
			memcpy(g->head + g->nhead, data, n);
			g->nhead = (uint8_t)(g->nhead + n);
			if (g->nhead == FRAME_HEAD && !count(g, now_ms))
				return (false);
		}
		data += n;
		len -= n;
	}
	return (g->broken == H2_BUDGET_MAX);
}

bool
h2_guard_midframe(const struct h2_guard *g)
{
	return (g->preface > 0 || g->nhead > 0 || g->left > 0);
}
