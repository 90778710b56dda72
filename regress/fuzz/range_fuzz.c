/*
 * What a request for a file says of it: Range, If-Range, If-None-Match,
 * If-Modified-Since, Accept-Encoding, one a line.  A part lies within the whole, a
 * coding is one that there is, and a date is what it was written from.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../worker/dates.h"
#include "../../worker/range.h"
#include "fuzz.h"

#define LINES 5

static void
date(struct slice in)
{
	char text[HTTP_DATE_LEN + 1], longer[DATE_LEN + 1], words[32];
	int64_t t = 0;

	if (!http_date_parse(in, &t))
		return;
	check(t >= 0);
	http_date_format(text, t);
	check(in.len == HTTP_DATE_LEN && memcmp(in.p, text, HTTP_DATE_LEN) == 0);
	date_format(longer, t);
	check(strlen(longer) == DATE_LEN);
	date_relative(words, sizeof(words), t, 1700000000);
	check(strlen(words) < sizeof(words));
	bytes_format(words, sizeof(words), (uint64_t)t);
	check(strlen(words) < sizeof(words));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct slice etag = SLICE("\"5f3-62a\"");
	struct slice s[LINES] = { { NULL, 0 } };
	uint64_t size, first = 0, last = 0;
	unsigned int available, got;
	const char *p;
	char *in;

	if (len < 2 || (in = malloc(len)) == NULL)
		return (0);
	memcpy(in, data, len);
	available = data[0] & CODING_ALL;
	size = data[1] < 200 ? data[1] : 1ULL << (data[1] - 192);
	p = in + 2;
	len -= 2;
	for (int i = 0; i < LINES && len > 0; i++) {
		const char *nl = memchr(p, '\n', len);
		size_t n = nl == NULL ? len : (size_t)(nl - p);

		s[i] = (struct slice){ p, n };
		p += nl == NULL ? n : n + 1;
		len -= nl == NULL ? n : n + 1;
	}
	switch (range_parse(s[0], size, &first, &last)) {
	case RANGE_PART:
		check(first <= last && last < size);
		break;
	case RANGE_UNSATISFIABLE:
	case RANGE_NONE:
		break;
	}
	check(range_if_range((struct slice){ NULL, 0 }, etag, 1700000000));
	if (range_if_range(s[1], etag, 1700000000) && s[1].p != NULL)
		check(s[1].len == etag.len || s[1].len == HTTP_DATE_LEN);
	check(!etag_strong_eq(s[2], etag) || etag_weak_eq(s[2], etag));
	if (s[2].p != NULL && slice_eq(s[2], SLICE("*")))
		check(range_not_modified(s[2], s[3], etag, 1700000000));
	check(!etag_none_match(s[2], etag) ||
	    range_not_modified(s[2], s[3], etag, 1700000000));
	if (s[2].p == NULL)
		(void)range_not_modified(s[2], s[3], etag, 1700000000);
	for (int i = 0; i < LINES; i++)
		date(s[i]);
	got = coding_negotiate(s[4], available);
	check(got == 0 || (got & available) == got);
	check((got & (got - 1)) == 0);
	if (got != 0)
		check(coding_name(got) != NULL);
	free(in);
	return (0);
}
