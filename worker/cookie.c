/*
 * The Cookie header.  See cookie.h.
 */
#include <string.h>

#include "cookie.h"

/* Cuts the first pair, up to a ';' that stays, off the front of rest. */
static struct slice
next_pair(struct slice *rest)
{
	const char *semi = memchr(rest->p, ';', rest->len);
	struct slice pair = *rest;

	if (semi != NULL)
		pair.len = (size_t)(semi - pair.p);
	rest->p += pair.len;
	rest->len -= pair.len;
	return (pair);
}

static void
skip(struct slice *s, char c)
{
	if (s->len > 0 && s->p[0] == c) {
		s->p++;
		s->len--;
	}
}

/* Is the pair a cookie of that name, and with what value? */
static bool
pair_is(struct slice pair, struct slice name, struct slice *value)
{
	const char *eq = memchr(pair.p, '=', pair.len);
	struct slice left = pair;

	if (eq != NULL)
		left.len = (size_t)(eq - pair.p);
	if (!slice_eq(slice_trim(left), name))
		return (false);
	if (value != NULL)
		*value = slice_trim((struct slice){ pair.p + left.len + (eq != NULL),
		    pair.len - left.len - (eq != NULL) });
	return (true);
}

enum cookie_result
cookie_find(struct slice header, struct slice name, struct slice *value)
{
	struct slice found, pair;

	while (header.len > 0) {
		pair = next_pair(&header);
		if (pair_is(pair, name, &found)) {
			if (value->p != NULL)
				return (COOKIE_DUP);
			*value = found;
		}
		skip(&header, ';');
	}
	return (value->p != NULL ? COOKIE_FOUND : COOKIE_NONE);
}

/*
 * A pair goes with the ';' before it and all between; the first one, which has
 * none, with the ';' and the space behind it.
 */
size_t
cookie_strip(char *dst, struct slice header, struct slice name)
{
	struct slice rest = header, pair;
	const char *from;
	bool first = true; /* no ';' before the next pair */
	size_t len = 0;

	while (rest.len > 0) {
		from = rest.p;
		if (!first)
			skip(&rest, ';');
		pair = next_pair(&rest);
		if (!pair_is(pair, name, NULL)) {
			memmove(dst + len, from, (size_t)(rest.p - from));
			len += (size_t)(rest.p - from);
			first = false;
		} else if (first) {
			skip(&rest, ';');
			skip(&rest, ' ');
		}
	}
	return (len);
}
