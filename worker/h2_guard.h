/*
 * What a client may cost us in HTTP/2 beyond honest requests: one table of
 * budgets, each a bucket of tokens that fills again with time.  Who empties one is
 * sent away with ENHANCE_YOUR_CALM.
 *
 * Most is counted by a scanner that sees nothing but frame headers, before
 * nghttp2 sees a byte: it does not report CONTINUATION, ignored frames and
 * frames of closed streams, and those are what floods are made of.
 */
#ifndef WORKER_H2_GUARD_H
#define WORKER_H2_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define H2_MIB (1024 * 1024)

/*
 * id, name in the log, burst, tokens that come back in a second.
 *
 * A browser that reloads VS Code cancels up to 100 requests at once; PINGs come
 * every few seconds at most; WINDOW_UPDATEs earn two more tokens with each DATA
 * frame that we send.
 */
#define H2_BUDGETS(X)                                                                    \
	X(H2_RESET, "client reset", 400, 20)                                             \
	X(H2_SERVER_RESET, "provoked reset", 200, 5)                                     \
	X(H2_INVALID, "invalid frame", 50, 2)                                            \
	X(H2_BLOCK, "header block", 200000, 200000)                                      \
	X(H2_TRAILER, "trailer", 200, 20)                                                \
	X(H2_CONTINUATION, "continuation", 64, 8)                                        \
	X(H2_CONTINUATION_EMPTY, "empty continuation", 8, 1)                             \
	X(H2_PING, "ping", 100, 5)                                                       \
	X(H2_SETTINGS, "settings", 32, 1)                                                \
	X(H2_DATA_EMPTY, "empty data", 100, 10)                                          \
	X(H2_PRIORITY, "priority", 300, 20)                                              \
	X(H2_WINDOW, "window update", 2000, 500)                                         \
	X(H2_WINDOW_TINY, "tiny window update", 500, 50)                                 \
	X(H2_UNKNOWN, "unknown frame", 200, 20)                                          \
	X(H2_HEADER_BYTES, "header bytes", 16 * H2_MIB, 64 * H2_MIB)

#define X(id, name, burst, rate) id,
enum h2_budget { H2_BUDGETS(X) H2_BUDGET_MAX };
#undef X

struct h2_guard {
	/* Tokens in thousandths, so that a millisecond is worth a whole number. */
	struct {
		int64_t level;
		uint64_t at; /* ms when level was right */
	} bucket[H2_BUDGET_MAX];
	enum h2_budget broken; /* the first that was emptied, or _MAX */

	/* the scanner's own */
	uint32_t left; /* payload bytes to come */
	uint8_t head[9];
	uint8_t nhead;
	uint8_t preface; /* bytes of the preface to come */
	bool padded;     /* next byte is DATA's pad length */
};

void h2_guard_init(struct h2_guard *, uint64_t now_ms);
/* False once a budget is exceeded, and ever after. */
bool h2_guard_spend(struct h2_guard *, enum h2_budget, uint64_t n, uint64_t now_ms);
/* Tokens earned; never above the burst. */
void h2_guard_earn(struct h2_guard *, enum h2_budget, uint64_t n);
/* Count the frames in the next bytes of the connection; false as above. */
bool h2_guard_scan(struct h2_guard *, const uint8_t *data, size_t len, uint64_t now_ms);
/* Has a frame begun that is not complete? */
bool h2_guard_midframe(const struct h2_guard *);
const char *h2_budget_name(enum h2_budget);

#endif /* WORKER_H2_GUARD_H */
