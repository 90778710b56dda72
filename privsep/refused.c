/* Who was refused by a rate limit: see refused.h. */
#include <string.h>

#include "refused.h"

struct refused {
	bool used;
	uint8_t key[WINDOW_KEY];
	uint32_t class;
	uint32_t count; /* since it was told */
	int64_t tell;   /* not before */
};

/* The last one is for all others. */
static struct refused table[REFUSED_KEYS + 1];

void
refused_add(const uint8_t key[WINDOW_KEY], uint32_t class, int64_t now)
{
	struct refused *r, *to = NULL;

	for (r = table; r < table + REFUSED_KEYS; r++) {
		if (!r->used) {
			if (to == NULL)
				to = r;
		} else if (r->class == class && memcmp(r->key, key, WINDOW_KEY) == 0) {
			to = r;
			break;
		}
	}
	if (to == NULL)
		to = &table[REFUSED_KEYS];
	if (!to->used) {
		memset(to, 0, sizeof(*to));
		to->used = true;
		to->tell = now;
		if (to != &table[REFUSED_KEYS]) {
			memcpy(to->key, key, WINDOW_KEY);
			to->class = class;
		}
	}
	if (to->count < UINT32_MAX)
		to->count++;
}

bool
refused_tick(int64_t now, bool (*tell)(const struct m_limited *))
{
	struct m_limited m;
	struct refused *r;
	bool more = false;

	for (r = table; r <= table + REFUSED_KEYS; r++) {
		if (r->used && r->tell <= now && r->count == 0)
			r->used = false;
		more |= r->used;
		if (!r->used || r->tell > now)
			continue;
		memset(&m, 0, sizeof(m));
		memcpy(m.key, r->key, sizeof(m.key));
		m.class = r->class;
		m.count = r->count;
		if (!tell(&m))
			continue;
		r->count = 0;
		r->tell = now + REFUSED_EVERY;
	}
	return more;
}

size_t
refused_top(
    struct windows *w, uint32_t class, int64_t now, struct wire_top *to, size_t max)
{
	struct window_top top[WIRE_TOPS];
	size_t i, n;

	n = windows_top(w, now, top, max < WIRE_TOPS ? max : WIRE_TOPS);
	for (i = 0; i < n; i++) {
		memset(&to[i], 0, sizeof(to[i]));
		memcpy(to[i].key, top[i].key, sizeof(to[i].key));
		to[i].class = class;
		to[i].of = top[i].state.limit;
		to[i].used = top[i].state.used + top[i].state.out;
		to[i].refused = top[i].state.denied;
		to[i].reset = (top[i].state.reset + 999) / 1000;
	}
	return n;
}
