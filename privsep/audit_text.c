/* The audit trail for people: see audit_text.h. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bsd/string.h>

#include "audit_record.h"
#include "audit_text.h"
#include "log.h"
#include "hex.h"

#define CELL (4 * WIRE_AUDIT_DETAIL)

/* Exactly n digits; -1 if they are not there. */
static int
digits(const char *s, size_t n)
{
	size_t i;
	int v = 0;

	for (i = 0; i < n; i++) {
		if (s[i] < '0' || s[i] > '9')
			return -1;
		v = v * 10 + (s[i] - '0');
	}
	return v;
}

/* Days since the epoch of a day that there is; false when there is none. */
static bool
days(int y, int m, int d, int64_t *to)
{
	static const int lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = y % 4 == 0 && (y % 100 != 0 || y % 400 == 0);
	int64_t n, year = y - 1;
	int i;

	if (y < 1970 || m < 1 || m > 12 || d < 1 || d > lengths[m - 1] + (leap && m == 2))
		return false;
	n = year * 365 + year / 4 - year / 100 + year / 400 - 719162;
	for (i = 0; i < m - 1; i++)
		n += lengths[i] + (leap && i == 1);
	*to = n + d - 1;
	return true;
}

static bool
date(const char *s, int64_t *ms)
{
	int hour = 0, minute = 0, second = 0;
	int64_t day;

	if (strnlen(s, 10) < 10 || s[4] != '-' || s[7] != '-' ||
	    !days(digits(s, 4), digits(s + 5, 2), digits(s + 8, 2), &day))
		return false;
	s += 10;
	if (*s == 'T') {
		if (strnlen(s, 6) < 6 || s[3] != ':')
			return false;
		hour = digits(s + 1, 2);
		minute = digits(s + 4, 2);
		s += 6;
		if (*s == ':') {
			if (strnlen(s, 3) < 3)
				return false;
			second = digits(s + 1, 2);
			s += 3;
		}
		if (*s == 'Z')
			s++;
	}
	if (*s != '\0' || hour < 0 || hour > 23 || minute < 0 || minute > 59 ||
	    second < 0 || second > 60)
		return false;
	*ms = ((day * 24 + hour) * 60 + minute) * 60000 + second * 1000;
	return true;
}

bool
audit_when(const char *text, int64_t now, int64_t *ms)
{
	static const struct {
		char unit;
		int64_t ms;
	} units[] = { { 's', 1000 }, { 'm', 60000 }, { 'h', 3600000 }, { 'd', 86400000 },
		{ 'w', 604800000 } };
	size_t i, n = strspn(text, "0123456789");
	int64_t v;

	if (date(text, ms))
		return true;
	if (n == 0 || n > 11)
		return false;
	v = strtoll(text, NULL, 10);
	if (text[n] == '\0') {
		*ms = v * 1000;
		return true;
	}
	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (text[n] == units[i].unit && text[n + 1] == '\0' &&
		    v <= now / units[i].ms) {
			*ms = now - v * units[i].ms;
			return true;
		}
	return false;
}

void
audit_details(const struct m_audit *r, char *buf, size_t size)
{
	char safe[CELL];
	const char *name, *value;
	uint32_t at = 0;
	size_t n = 0;
	char kind;

	buf[0] = '\0';
	while (n < size && audit_detail_next(r, &at, &name, &kind, &value)) {
		log_escape(safe, sizeof(safe), value);
		n += (size_t)snprintf(
		    buf + n, size - n, "%s%s=%s", n > 0 ? " " : "", name, safe);
	}
}

struct row {
	char *p;
	size_t len;
};

static void
put(struct row *r, char c)
{
	/* Two are kept for the end. */
	if (r->len < AUDIT_CSV_MAX - 2)
		r->p[r->len++] = c;
}

static void
cell(struct row *r, const char *s)
{
	if (r->len > 0)
		put(r, ',');
	put(r, '"');
	if (s[0] != '\0' && strchr("=+-@\t\r", s[0]) != NULL)
		put(r, '\'');
	for (; *s != '\0' && r->len < AUDIT_CSV_MAX - 200; s++) {
		if (*s == '"')
			put(r, '"');
		put(r, *s);
	}
	put(r, '"');
}

static void
text(struct row *r, const char *s)
{
	char safe[CELL];

	log_escape(safe, sizeof(safe), s);
	cell(r, safe);
}

size_t
audit_csv(const struct m_audit *a, char buf[AUDIT_CSV_MAX])
{
	char detail[CELL], when[32], seq[24], hash[AUDIT_HEX + 1];
	struct row r = { buf, 0 };

	snprintf(seq, sizeof(seq), "%" PRIu64, a->seq);
	audit_time_text(when, a->time);
	audit_details(a, detail, sizeof(detail));
	hex_put(hash, a->hash, sizeof(a->hash));
	cell(&r, seq);
	cell(&r, when);
	text(&r, a->event);
	text(&r, a->outcome);
	text(&r, a->actor);
	text(&r, a->user);
	text(&r, a->source);
	text(&r, a->agent);
	text(&r, a->session);
	text(&r, a->rid);
	cell(&r, detail);
	cell(&r, hash);
	buf[r.len++] = '\r';
	buf[r.len++] = '\n';
	return r.len;
}
