/* Records of the audit trail: see audit_record.h. */
#include <openssl/sha.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bsd/string.h>

#include "audit_record.h"
#include "hex.h"
#include "log.h"

/* By hand: gmtime(3) looks for a file of time zones first, and there are processes
 * that may open none. */
void
audit_time_text(char buf[32], int64_t ms)
{
	int64_t days, left, era, doe, yoe, doy, mp, y;
	unsigned int m, d;

	if (ms < 0 || ms > 253402300799999)
		ms = 0;
	days = ms / 86400000 + 719468;
	left = ms % 86400000;
	/* Years that begin in March, in eras of 400 of them. */
	era = days / 146097;
	doe = days % 146097;
	yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	mp = (5 * doy + 2) / 153;
	d = (unsigned int)(doy - (153 * mp + 2) / 5 + 1);
	m = (unsigned int)(mp < 10 ? mp + 3 : mp - 9);
	y = yoe + era * 400 + (m <= 2);
	snprintf(buf, 32, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ", (unsigned int)y % 10000,
	    m % 100, d % 100, (unsigned int)(left / 3600000) % 100,
	    (unsigned int)(left / 60000 % 60), (unsigned int)(left / 1000 % 60),
	    (unsigned int)(left % 1000));
}

bool
audit_detail(struct m_audit *r, const char *name, char kind, const char *value)
{
	size_t n = strlen(name) + 1, v = strlen(value) + 1;

	if (n + 1 + v > sizeof(r->detail) - r->len)
		return false;
	memcpy(r->detail + r->len, name, n);
	r->len += (uint32_t)n;
	r->detail[r->len++] = kind;
	memcpy(r->detail + r->len, value, v);
	r->len += (uint32_t)v;
	return true;
}

/* The string at *at, which moves behind it; NULL when it has no end. */
static const char *
detail_str(const struct m_audit *r, uint32_t *at)
{
	const char *s = r->detail + *at, *end;

	if (*at >= r->len || (end = memchr(s, '\0', r->len - *at)) == NULL)
		return NULL;
	*at += (uint32_t)(end - s) + 1;
	return s;
}

bool
audit_detail_next(const struct m_audit *r, uint32_t *at, const char **name, char *kind,
    const char **value)
{
	if ((*name = detail_str(r, at)) == NULL || *at >= r->len)
		return false;
	*kind = r->detail[(*at)++];
	return (*value = detail_str(r, at)) != NULL;
}

/* A name is one of ours, a number is one. */
static bool
detail_ok(const char *name, char kind, const char *value)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789_";
	size_t n;

	if (name[0] == '\0' || name[strspn(name, letters)] != '\0')
		return false;
	if (kind == 's')
		return true;
	n = value[0] == '-';
	return kind == 'n' && value[n] != '\0' && strlen(value) <= 20 &&
	    value[n + strspn(value + n, "0123456789")] == '\0';
}

static const struct column {
	const char *name; /* in lines */
	size_t at;
	size_t size;
} columns[] = {
#define COLUMN(f)                                                                        \
	{                                                                                \
#f, offsetof(struct m_audit, f), sizeof(((struct m_audit *)0)->f)        \
	}
	COLUMN(event),
	COLUMN(outcome),
	COLUMN(actor),
	COLUMN(user),
	COLUMN(source),
	COLUMN(agent),
	COLUMN(session),
	COLUMN(rid),
#undef COLUMN
};
#define NCOLUMNS (sizeof(columns) / sizeof(columns[0]))

static const char *
column(const struct m_audit *r, size_t i)
{
	return (const char *)r + columns[i].at;
}

bool
audit_record_ok(const struct m_audit *r)
{
	const char *name, *value;
	uint32_t at = 0;
	size_t i;
	char kind;

	if (r->seq == 0 || r->len > sizeof(r->detail))
		return false;
	for (i = 0; i < NCOLUMNS; i++)
		if (memchr(column(r, i), '\0', columns[i].size) == NULL)
			return false;
	while (at < r->len)
		if (!audit_detail_next(r, &at, &name, &kind, &value) ||
		    !detail_ok(name, kind, value))
			return false;
	return r->event[0] != '\0';
}

/* A line in the making; AUDIT_LINE_MAX is more than any can need. */
struct line {
	char *p;
	size_t len;
};

static void
add(struct line *l, const char *s)
{
	size_t n = strlen(s);

	if (n > AUDIT_LINE_MAX - l->len)
		n = AUDIT_LINE_MAX - l->len;
	memcpy(l->p + l->len, s, n);
	l->len += n;
}

static void
add_string(struct line *l, const char *s)
{
	char esc[LOG_ESCAPE];

	add(l, "\"");
	while (*s != '\0') {
		s += log_escape_char(s, '"', true, esc);
		add(l, esc);
	}
	add(l, "\"");
}

static void
add_member(struct line *l, const char *name, const char *value)
{
	add(l, ",\"");
	add(l, name);
	add(l, "\":");
	add_string(l, value);
}

static void
add_detail(struct line *l, const struct m_audit *r)
{
	const char *name, *value;
	uint32_t at = 0;
	char kind;

	if (r->len == 0)
		return;
	add(l, ",\"detail\":{");
	while (audit_detail_next(r, &at, &name, &kind, &value)) {
		if (l->p[l->len - 1] != '{')
			add(l, ",");
		add(l, "\"");
		add(l, name);
		add(l, "\":");
		if (kind == 'n')
			add(l, value);
		else
			add_string(l, value);
	}
	add(l, "}");
}

size_t
audit_line(struct m_audit *r, char line[AUDIT_LINE_MAX])
{
	struct line l = { line, 0 };
	char buf[AUDIT_HEX + 1];
	size_t i;

	snprintf(buf, sizeof(buf), "{\"v\":%d,\"seq\":%llu", AUDIT_VERSION,
	    (unsigned long long)r->seq);
	add(&l, buf);
	audit_time_text(buf, r->time);
	add_member(&l, "time", buf);
	for (i = 0; i < NCOLUMNS; i++)
		if (column(r, i)[0] != '\0')
			add_member(&l, columns[i].name, column(r, i));
	add_detail(&l, r);
	hex_put(buf, r->prev, sizeof(r->prev));
	add_member(&l, "prev", buf);
	SHA256((const unsigned char *)line, l.len, r->hash);
	hex_put(buf, r->hash, sizeof(r->hash));
	add_member(&l, "hash", buf);
	add(&l, "}");
	return l.len;
}

bool
audit_hash_ok(const struct m_audit *r)
{
	static char line[AUDIT_LINE_MAX];
	struct m_audit copy = *r;

	(void)audit_line(&copy, line);
	return memcmp(copy.hash, r->hash, sizeof(r->hash)) == 0;
}

#define LINE_HEAD "{\"v\":1,\"seq\":"
#define LINE_HASH ",\"hash\":\""
#define LINE_PREV ",\"prev\":\""
#define HASH_TAIL (sizeof(LINE_HASH) - 1 + AUDIT_HEX + 2)
#define PREV_TAIL (sizeof(LINE_PREV) - 1 + AUDIT_HEX + 1 + HASH_TAIL)

bool
audit_line_check(const char *line, size_t len, uint64_t *seq, uint8_t prev[WIRE_HASH256],
    uint8_t hash[WIRE_HASH256])
{
	static const size_t head = sizeof(LINE_HEAD) - 1;
	uint8_t is[WIRE_HASH256];
	const char *p, *q;
	size_t i;

	if (len > AUDIT_LINE_MAX || len < head + 1 + PREV_TAIL ||
	    memcmp(line, LINE_HEAD, head) != 0)
		return false;
	*seq = 0;
	for (i = head; line[i] >= '0' && line[i] <= '9' && i < head + 20; i++)
		*seq = *seq * 10 + (uint64_t)(line[i] - '0');
	if (i == head || line[i] != ',')
		return false;
	p = line + len - PREV_TAIL;
	q = line + len - HASH_TAIL;
	if (memcmp(p, LINE_PREV, sizeof(LINE_PREV) - 1) != 0 ||
	    !hex_get(prev, WIRE_HASH256, p + sizeof(LINE_PREV) - 1) || q[-1] != '"' ||
	    memcmp(q, LINE_HASH, sizeof(LINE_HASH) - 1) != 0 ||
	    !hex_get(hash, WIRE_HASH256, q + sizeof(LINE_HASH) - 1) ||
	    memcmp(line + len - 2, "\"}", 2) != 0)
		return false;
	SHA256((const unsigned char *)line, (size_t)(q - line), is);
	return memcmp(is, hash, sizeof(is)) == 0;
}

uint64_t
audit_file_first(int fd)
{
	char buf[64];
	ssize_t n;

	n = pread(fd, buf, sizeof(buf) - 1, 0);
	buf[n > 0 ? n : 0] = '\0';
	return strncmp(buf, LINE_HEAD, sizeof(LINE_HEAD) - 1) == 0 ?
	    strtoull(buf + sizeof(LINE_HEAD) - 1, NULL, 10) :
	    UINT64_MAX;
}

static uint8_t *
put(uint8_t *p, uint64_t v, unsigned int bytes)
{
	for (; bytes > 0; bytes--, v >>= 8)
		*p++ = (uint8_t)v;
	return p;
}

static uint64_t
get(const uint8_t *p, unsigned int bytes)
{
	uint64_t v = 0;

	while (bytes > 0)
		v = v << 8 | p[--bytes];
	return v;
}

size_t
audit_encode(const struct m_audit *r, uint8_t buf[AUDIT_RECORD_MAX])
{
	uint8_t *p = buf + 4;
	size_t i, n;

	_Static_assert(AUDIT_RECORD_MAX > sizeof(struct m_audit) + 2 * 16,
	    "the longest record fits");
	if (!audit_record_ok(r))
		return 0;
	p = put(p, AUDIT_VERSION, 1);
	p = put(p, r->seq, 8);
	p = put(p, (uint64_t)r->time, 8);
	for (i = 0; i < NCOLUMNS; i++) {
		n = strlen(column(r, i));
		p = put(p, n, 2);
		memcpy(p, column(r, i), n);
		p += n;
	}
	p = put(p, r->len, 2);
	memcpy(p, r->detail, r->len);
	p += r->len;
	memcpy(p, r->prev, sizeof(r->prev));
	p += sizeof(r->prev);
	memcpy(p, r->hash, sizeof(r->hash));
	p += sizeof(r->hash);
	put(buf, (uint64_t)(p - buf) - 4, 4);
	return (size_t)(p - buf);
}

/* What is left to read; once bad, always bad. */
struct in {
	const uint8_t *p;
	size_t left;
	bool bad;
};

static void
take(struct in *in, void *to, size_t n)
{
	if (in->bad || n > in->left) {
		in->bad = true;
		return;
	}
	memcpy(to, in->p, n);
	in->p += n;
	in->left -= n;
}

static uint64_t
take_int(struct in *in, unsigned int bytes)
{
	uint8_t b[8] = { 0 };

	take(in, b, bytes);
	return in->bad ? 0 : get(b, bytes);
}

static void
take_str(struct in *in, char *to, size_t size)
{
	size_t n = (size_t)take_int(in, 2);

	if (n >= size)
		in->bad = true;
	take(in, to, n);
	if (!in->bad && strlen(to) != n)
		in->bad = true;
}

size_t
audit_decode(struct m_audit *r, const uint8_t *p, size_t len)
{
	struct in in;
	size_t i, n;

	memset(r, 0, sizeof(*r));
	if (len < 4 || (n = (size_t)get(p, 4)) > len - 4 || n > AUDIT_RECORD_MAX - 4)
		return 0;
	in = (struct in){ p + 4, n, false };
	if (take_int(&in, 1) != AUDIT_VERSION)
		return 0;
	r->seq = take_int(&in, 8);
	r->time = (int64_t)take_int(&in, 8);
	for (i = 0; i < NCOLUMNS; i++)
		take_str(&in, (char *)r + columns[i].at, columns[i].size);
	r->len = (uint32_t)take_int(&in, 2);
	if (r->len > sizeof(r->detail))
		return 0;
	take(&in, r->detail, r->len);
	take(&in, r->prev, sizeof(r->prev));
	take(&in, r->hash, sizeof(r->hash));
	return in.bad || in.left != 0 || !audit_record_ok(r) ? 0 : n + 4;
}
