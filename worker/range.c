/*
 * Conditional, partial and encoded answers.  See range.h.
 */
#include <string.h>

#include "http1.h"
#include "range.h"

/* Digits, at least one; too large a number is the largest there is. */
static bool
number(struct slice s, uint64_t *n)
{
	*n = 0;
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return (false);
		if (*n > (UINT64_MAX - 9) / 10)
			*n = UINT64_MAX;
		else
			*n = *n * 10 + (uint64_t)(s.p[i] - '0');
	}
	return (s.len > 0);
}

enum range_result
range_parse(struct slice range, uint64_t size, uint64_t *first, uint64_t *last)
{
	const struct slice unit = SLICE("bytes=");
	struct slice from, to;
	const char *dash;
	uint64_t n;

	if (range.len < unit.len ||
	    !slice_caseeq((struct slice){ range.p, unit.len }, unit))
		return (RANGE_NONE);
	range.p += unit.len;
	range.len -= unit.len;
	range = slice_trim(range);
	if ((dash = memchr(range.p, '-', range.len)) == NULL)
		return (RANGE_NONE);
	from = (struct slice){ range.p, (size_t)(dash - range.p) };
	to = (struct slice){ dash + 1, range.len - from.len - 1 };
	if (from.len == 0) {
		if (!number(to, &n))
			return (RANGE_NONE);
		if (n == 0)
			return (RANGE_UNSATISFIABLE);
		if (size == 0)
			return (RANGE_NONE); /* the last n of nothing */
		*first = n < size ? size - n : 0;
		*last = size - 1;
		return (RANGE_PART);
	}
	if (!number(from, first))
		return (RANGE_NONE);
	if (to.len == 0)
		*last = UINT64_MAX;
	else if (!number(to, last) || *last < *first)
		return (RANGE_NONE);
	if (*first >= size)
		return (RANGE_UNSATISFIABLE);
	if (*last >= size)
		*last = size - 1;
	return (RANGE_PART);
}

/* entity-tag = ["W/"] DQUOTE *etagc DQUOTE, off the front of s */
static bool
next_etag(struct slice *s, struct slice *tag)
{
	size_t i = slice_prefix(*s, SLICE("W/")) ? 2 : 0;

	if (i >= s->len || s->p[i] != '"')
		return (false);
	for (i++; i < s->len && s->p[i] != '"'; i++) {
		unsigned char c = (unsigned char)s->p[i];

		if (c < 0x21 || c == 0x7f)
			return (false);
	}
	if (i == s->len)
		return (false);
	*tag = (struct slice){ s->p, i + 1 };
	s->p += i + 1;
	s->len -= i + 1;
	return (true);
}

static bool
is_etag(struct slice s)
{
	struct slice tag;

	return (next_etag(&s, &tag) && s.len == 0);
}

static struct slice
opaque(struct slice tag)
{
	if (slice_prefix(tag, SLICE("W/"))) {
		tag.p += 2;
		tag.len -= 2;
	}
	return (tag);
}

bool
etag_strong_eq(struct slice a, struct slice b)
{
	return (is_etag(a) && a.p[0] == '"' && slice_eq(a, b));
}

bool
etag_weak_eq(struct slice a, struct slice b)
{
	return (is_etag(a) && is_etag(b) && slice_eq(opaque(a), opaque(b)));
}

/* A comma may be part of a tag, so this is no http_list_next. */
bool
etag_none_match(struct slice list, struct slice etag)
{
	struct slice tag;
	bool match = false;

	if (slice_eq(list, SLICE("*")))
		return (true);
	for (;;) {
		list = slice_trim(list);
		if (list.len > 0 && list.p[0] == ',') {
			list.p++;
			list.len--;
			continue;
		}
		if (list.len == 0)
			return (match);
		if (!next_etag(&list, &tag))
			return (false);
		match = match || etag_weak_eq(tag, etag);
		list = slice_trim(list);
		if (list.len > 0 && list.p[0] != ',')
			return (false);
	}
}

bool
range_if_range(struct slice if_range, struct slice etag, int64_t mtime)
{
	int64_t t;

	if (if_range.p == NULL)
		return (true);
	if (http_date_parse(if_range, &t))
		return (t == mtime);
	return (etag_strong_eq(if_range, etag));
}

bool
range_not_modified(struct slice if_none_match, struct slice if_modified_since,
    struct slice etag, int64_t mtime)
{
	int64_t t;

	if (if_none_match.p != NULL)
		return (etag_none_match(if_none_match, etag));
	return (if_modified_since.p != NULL && http_date_parse(if_modified_since, &t) &&
	    mtime <= t);
}

/* Weights in thousandths: qvalue = "0" ["." 0*3DIGIT] / "1" ["." 0*3"0"] */
static int
qvalue(struct slice s)
{
	int q, unit = 100;

	if (s.len == 0 || s.len > 5 || (s.p[0] != '0' && s.p[0] != '1') ||
	    (s.len > 1 && s.p[1] != '.'))
		return (-1);
	q = (s.p[0] - '0') * 1000;
	for (size_t i = 2; i < s.len; i++, unit /= 10) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return (-1);
		q += (s.p[i] - '0') * unit;
	}
	return (q <= 1000 ? q : -1);
}

int
http_weight(struct slice *element)
{
	const char *semi = memchr(element->p, ';', element->len);
	struct slice q;

	if (semi == NULL)
		return (1000);
	q = slice_trim(
	    (struct slice){ semi + 1, element->len - (size_t)(semi - element->p) - 1 });
	element->len = (size_t)(semi - element->p);
	*element = slice_trim(*element);
	if (q.len < 2 || slice_lower(q.p[0]) != 'q' || q.p[1] != '=')
		return (-1);
	return (qvalue((struct slice){ q.p + 2, q.len - 2 }));
}

static unsigned int
coding_bit(struct slice name)
{
	if (slice_caseeq(name, SLICE("zstd")))
		return (CODING_ZSTD);
	if (slice_caseeq(name, SLICE("br")))
		return (CODING_BR);
	if (slice_caseeq(name, SLICE("gzip")) || slice_caseeq(name, SLICE("x-gzip")))
		return (CODING_GZIP);
	if (slice_caseeq(name, SLICE("identity")))
		return (CODING_IDENTITY);
	return (0);
}

unsigned int
coding_negotiate(struct slice header, unsigned int available)
{
	static const unsigned int order[] = { CODING_ZSTD, CODING_BR, CODING_GZIP,
		CODING_IDENTITY };
	int weight[CODING_ALL + 1], star = -1, q, best = 0;
	struct slice element;
	unsigned int bit, chosen = 0;

	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		weight[order[i]] = -1;
	while (http_list_next(&header, &element)) {
		q = http_weight(&element);
		if (q < 0 || !http_is_token(element))
			return (available & CODING_IDENTITY);
		if (slice_eq(element, SLICE("*")))
			star = q;
		else if ((bit = coding_bit(element)) != 0)
			weight[bit] = q;
	}
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		bit = order[i];
		if (weight[bit] < 0)
			weight[bit] = star;
		/* Nobody asked for it, nobody refused it: last choice. */
		q = weight[bit] >= 0 ? weight[bit] * 2 : bit == CODING_IDENTITY ? 1 : 0;
		if ((available & bit) != 0 && q > best) {
			best = q;
			chosen = bit;
		}
	}
	return (chosen);
}

const char *
coding_name(unsigned int coding)
{
	return (coding == CODING_ZSTD ? "zstd" :
		coding == CODING_BR   ? "br" :
		coding == CODING_GZIP ? "gzip" :
					"identity");
}

static const char days[] = "SunMonTueWedThuFriSat";
static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

#define DATE_MAX 253402300799 /* 9999-12-31 23:59:59 */

/*
 * Between a date and days since the epoch.  Years begin in March, so that the
 * leap day is the last; 400 years are 146097 days; 153 days are five months.
 */
static int64_t
days_from_date(int64_t y, int64_t m, int64_t d)
{
	int64_t era, yoe, doy;

	y -= m <= 2;
	era = y / 400;
	yoe = y % 400;
	doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
	return (era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468);
}

static void
date_from_days(int64_t n, int64_t *y, int64_t *m, int64_t *d)
{
	int64_t era, doe, yoe, doy, mp;

	n += 719468;
	era = n / 146097;
	doe = n % 146097;
	yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	mp = (5 * doy + 2) / 153;
	*d = doy - (153 * mp + 2) / 5 + 1;
	*m = mp + (mp < 10 ? 3 : -9);
	*y = yoe + era * 400 + (*m <= 2);
}

static void
put(char *out, int64_t n, int digits)
{
	while (digits-- > 0) {
		out[digits] = (char)('0' + n % 10);
		n /= 10;
	}
}

void
http_date_format(char out[HTTP_DATE_LEN + 1], int64_t t)
{
	int64_t y, m, d, n;

	t = t < 0 ? 0 : t > DATE_MAX ? DATE_MAX : t;
	n = t / 86400;
	t %= 86400;
	date_from_days(n, &y, &m, &d);
	memcpy(out, "---, -- --- ---- --:--:-- GMT", HTTP_DATE_LEN + 1);
	memcpy(out, days + (n + 4) % 7 * 3, 3);
	put(out + 5, d, 2);
	memcpy(out + 8, months + (m - 1) * 3, 3);
	put(out + 12, y, 4);
	put(out + 17, t / 3600, 2);
	put(out + 20, t / 60 % 60, 2);
	put(out + 23, t % 60, 2);
}

/* Written the same way, it must be the same: that checks it all. */
bool
http_date_parse(struct slice s, int64_t *t)
{
	static const uint8_t at[] = { 5, 12, 14, 17, 20, 23 };
	char again[HTTP_DATE_LEN + 1];
	int64_t part[6], m;

	if (s.len != HTTP_DATE_LEN)
		return (false);
	for (size_t i = 0; i < 6; i++) {
		const char *p = s.p + at[i];

		if (p[0] < '0' || p[0] > '9' || p[1] < '0' || p[1] > '9')
			return (false);
		part[i] = (p[0] - '0') * 10 + (p[1] - '0');
	}
	for (m = 0; m < 12; m++)
		if (memcmp(s.p + 8, months + m * 3, 3) == 0)
			break;
	if (m == 12)
		return (false);
	*t = days_from_date(part[1] * 100 + part[2], m + 1, part[0]) * 86400 +
	    part[3] * 3600 + part[4] * 60 + part[5];
	http_date_format(again, *t);
	return (memcmp(s.p, again, HTTP_DATE_LEN) == 0);
}
