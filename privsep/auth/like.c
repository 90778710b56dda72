/* What looks like what: see like.h. */
#include <string.h>
#include <unistr.h>

#include <bsd/string.h>

#include "like.h"

#define LOOKS_MAX    2000 /* some milliseconds */
#define SKELETON_MAX (WIRE_EMAIL * 12)

/* In the order of characters. */
static const struct like_row {
	uint32_t c;
	char as[12];
} rows[] = {
#include "like_table.h"
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

static const struct like_row *
row_of(uint32_t c)
{
	size_t lo = 0, hi = ROWS, mid;

	while (lo < hi) {
		mid = (lo + hi) / 2;
		if (rows[mid].c < c)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < ROWS && rows[lo].c == c ? &rows[lo] : NULL;
}

size_t
like_skeleton(const char *text, char *out, size_t size)
{
	const struct like_row *r;
	size_t n = strlen(text), len = 0, k;
	const char *as;
	int bytes;
	ucs4_t c;

	for (; n > 0; n -= (size_t)bytes, text += bytes) {
		if ((bytes = u8_mbtouc(&c, (const uint8_t *)text, n)) <= 0)
			return 0;
		r = row_of(c);
		as = r != NULL ? r->as : text;
		k = r != NULL ? strlen(r->as) : (size_t)bytes;
		if (k >= size - len)
			return 0;
		memcpy(out + len, as, k);
		len += k;
	}
	out[len] = '\0';
	return len;
}

struct search {
	like_next next;
	void *arg;
	const char *text;
	const char *own;
	char *found;
	unsigned int looks;
	char skeleton[SKELETON_MAX];
	size_t len;
	char at[WIRE_EMAIL]; /* what a key that looks like it begins with */
};

static enum like walk(struct search *, size_t, size_t, const char *);

/*
 * One more character.  key is the first that there is from a place before it on, and
 * is moved on: what lies behind it already needs no look.
 */
static enum like
step(struct search *s, size_t n, const char *c, size_t clen, size_t skeleton,
    char key[WIRE_EMAIL])
{
	int order;

	if (n + clen >= sizeof(s->at))
		return LIKE_NONE;
	memcpy(s->at + n, c, clen);
	s->at[n + clen] = '\0';
	order = strncmp(key, s->at, n + clen);
	if (order > 0)
		return LIKE_NONE;
	if (order < 0) {
		if (s->looks++ == LOOKS_MAX)
			return LIKE_MANY;
		if (!s->next(s->arg, s->at, key)) {
			/* Behind all that there are. */
			memset(key, 0xff, WIRE_EMAIL - 1);
			key[WIRE_EMAIL - 1] = '\0';
			return LIKE_NONE;
		}
		if (strncmp(key, s->at, n + clen) != 0)
			return LIKE_NONE;
	}
	return walk(s, n + clen, skeleton, key);
}

/* at[0..n) looks like skeleton[0..o), and first is the first key that begins so. */
static enum like
walk(struct search *s, size_t n, size_t o, const char *first)
{
	char key[WIRE_EMAIL];
	uint8_t utf8[6];
	enum like r;
	size_t i, k;
	ucs4_t c;
	int bytes;

	if (o == s->len) {
		if (first[n] != '\0' || strcmp(first, s->text) == 0 ||
		    strcmp(first, s->own) == 0)
			return LIKE_NONE;
		strlcpy(s->found, first, WIRE_EMAIL);
		return LIKE_ONE;
	}
	bytes = u8_mbtouc(&c, (const uint8_t *)s->skeleton + o, s->len - o);
	if (bytes <= 0)
		return LIKE_NONE;
	strlcpy(key, first, sizeof(key));
	r = step(s, n, s->skeleton + o, (size_t)bytes, o + (size_t)bytes, key);
	strlcpy(key, first, sizeof(key));
	for (i = 0; r == LIKE_NONE && i < ROWS; i++) {
		k = strlen(rows[i].as);
		if (rows[i].as[0] != s->skeleton[o] || k > s->len - o ||
		    memcmp(rows[i].as, s->skeleton + o, k) != 0 ||
		    (bytes = u8_uctomb(utf8, rows[i].c, sizeof(utf8))) <= 0)
			continue;
		r = step(s, n, (const char *)utf8, (size_t)bytes, o + k, key);
	}
	return r;
}

enum like
like_find(
    like_next next, void *arg, const char *text, const char *own, char found[WIRE_EMAIL])
{
	static struct search s;
	char key[WIRE_EMAIL];

	s = (struct search){
		.next = next, .arg = arg, .text = text, .own = own, .found = found
	};
	s.len = like_skeleton(text, s.skeleton, sizeof(s.skeleton));
	if (s.len == 0 || !next(arg, "", key))
		return LIKE_NONE;
	return walk(&s, 0, 0, key);
}
