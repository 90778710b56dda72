/*
 * HTTP/1.1 message heads, line by line.  See http1.h; what the fields mean is
 * in httpfield.c.
 *
 * The end of a line is found with memchr.  A line is then checked with one
 * table look-up per byte (names, targets) or eight bytes at a time (values).
 */
#include <stdint.h>
#include <string.h>

#include "http1.h"

/* The longest start line that can be right, CRLF included. */
#define START_MAX (HTTP_METHOD_MAX + 1 + HTTP_TARGET_MAX + 1 + 8 + 2)

enum {
	ST_START,
	ST_FIELDS,
	ST_DONE,
	ST_ERROR,
};

/*
 * What a byte may be part of.  C_UPPER has the value of the bit that makes an
 * upper-case letter lower case.
 */
#define C_TOKEN  0x01 /* tchar, RFC 9110 5.6.2 */
#define C_TARGET 0x02 /* any visible byte but " # < > */
#define C_UPPER  0x20

static const uint8_t cclass[256] = {
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x03, 0x00, 0x01, 0x03, 0x03, 0x03,
	0x03, 0x02, 0x02, 0x03, 0x03, 0x02, 0x03, 0x03, 0x02, 0x03, 0x03, 0x03, 0x03,
	0x03, 0x03, 0x03, 0x03, 0x03, 0x03, 0x02, 0x02, 0x00, 0x02, 0x00, 0x02, 0x02,
	0x23, 0x23, 0x23, 0x23, 0x23, 0x23, 0x23, 0x23, 0x23, 0x23, 0x23, 0x23, 0x23,
	0x23, 0x23, 0x23, 0x23, 0x23, 0x23, 0x23, 0x23, 0x23, 0x23, 0x23, 0x23, 0x23,
	0x02, 0x02, 0x02, 0x03, 0x03, 0x03, 0x03, 0x03, 0x03, 0x03, 0x03, 0x03, 0x03,
	0x03, 0x03, 0x03, 0x03, 0x03, 0x03, 0x03, 0x03, 0x03, 0x03, 0x03, 0x03, 0x03,
	0x03, 0x03, 0x03, 0x03, 0x03, 0x03, 0x02, 0x03, 0x02, 0x03, 0x00,
	/* 0x80..0xff: nothing */
};

#define X(name, status, reason) { #name, status, reason },
static const struct {
	const char *name;
	int status;
	const char *reason;
} errors[HTTP_E_MAX] = { HTTP_ERRORS(X) };
#undef X

int
http_error_status(enum http_error e)
{
	return (e < HTTP_E_MAX ? errors[e].status : 400);
}

const char *
http_error_reason(enum http_error e)
{
	return (e < HTTP_E_MAX ? errors[e].reason : "unknown error");
}

const char *
http_error_name(enum http_error e)
{
	return (e < HTTP_E_MAX ? errors[e].name : "HTTP_E_MAX");
}

bool
http_is_token(struct slice s)
{
	uint8_t all = C_TOKEN;

	for (size_t i = 0; i < s.len; i++)
		all &= cclass[(unsigned char)s.p[i]];
	return (s.len > 0 && all != 0);
}

static bool
value_bytes(const char *p, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)p[i];

		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return (false);
	}
	return (true);
}

/*
 * Eight bytes at a time: (w - 0x20..) & ~w has a top bit set if any byte is
 * below 0x20, and the same with 1 on w ^ 0x7f.. if any is DEL.  Such words are
 * looked at again, since HTAB is allowed.
 */
bool
http_is_value(struct slice s)
{
	const uint64_t ones = 0x0101010101010101ULL;
	uint64_t w, del;
	size_t i;

	for (i = 0; i + 8 <= s.len; i += 8) {
		memcpy(&w, s.p + i, 8);
		del = w ^ (ones * 0x7f);
		if ((((w - ones * 0x20) & ~w) | ((del - ones) & ~del)) & (ones * 0x80) &&
		    !value_bytes(s.p + i, 8))
			return (false);
	}
	return (value_bytes(s.p + i, s.len - i));
}

enum http_method
http_method(struct slice token)
{
	static const struct {
		const char *name;
		uint8_t len;
		uint8_t method;
	} known[] = {
		{ "GET", 3, METHOD_GET },
		{ "POST", 4, METHOD_POST },
		{ "HEAD", 4, METHOD_HEAD },
		{ "PUT", 3, METHOD_PUT },
		{ "DELETE", 6, METHOD_DELETE },
		{ "OPTIONS", 7, METHOD_OPTIONS },
		{ "PATCH", 5, METHOD_PATCH },
		{ "TRACE", 5, METHOD_TRACE },
		{ "CONNECT", 7, METHOD_CONNECT },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (token.len == known[i].len &&
		    memcmp(token.p, known[i].name, token.len) == 0)
			return ((enum http_method)known[i].method);
	return (METHOD_OTHER);
}

enum http_error
http_target_check(enum http_method method, struct slice target)
{
	uint8_t all = C_TARGET;

	if (method == METHOD_CONNECT)
		return (HTTP_E_CONNECT);
	if (target.len > HTTP_TARGET_MAX)
		return (HTTP_E_TARGET_LONG);
	if (target.len == 0)
		return (HTTP_E_TARGET);
	if (method == METHOD_OPTIONS && slice_eq(target, SLICE("*")))
		return (HTTP_E_NONE);
	if (target.p[0] != '/')
		return (HTTP_E_TARGET);
	for (size_t i = 0; i < target.len; i++)
		all &= cclass[(unsigned char)target.p[i]];
	return (all != 0 ? HTTP_E_NONE : HTTP_E_TARGET);
}

void
http_head_init(struct http_head *h)
{
	memset(h, 0, offsetof(struct http_head, header));
	h->content_length = -1;
}

/* What is wrong with a start line that does not end where it must? */
static enum http_error
start_too_long(const struct http_head *h, const char *p)
{
	const char *sp;
	struct slice token = { p, HTTP_METHOD_MAX + 1 };

	if (h->response)
		return (HTTP_E_HEAD_LONG);
	if ((sp = memchr(p, ' ', HTTP_METHOD_MAX + 1)) != NULL)
		token.len = (size_t)(sp - p);
	if (!http_is_token(token))
		return (HTTP_E_METHOD);
	return (sp == NULL ? HTTP_E_METHOD_LONG : HTTP_E_TARGET_LONG);
}

/* Nothing can follow that makes a wrong first byte right. */
static enum http_error
first_byte(const struct http_head *h, char c)
{
	if (c == 0x16)
		return (HTTP_E_TLS);
	if (h->response)
		return (c == 'H' ? HTTP_E_NONE : HTTP_E_GARBAGE);
	if (c == '\r' || c == '\n' || (cclass[(unsigned char)c] & C_TOKEN))
		return (HTTP_E_NONE);
	return (HTTP_E_GARBAGE);
}

/* HTTP-version, RFC 9112 2.3: case-sensitive, one digit each */
static enum http_error
version_parse(struct http_head *h, struct slice s)
{
	if (s.len != 8 || memcmp(s.p, "HTTP/", 5) != 0 || s.p[6] != '.' || s.p[5] < '0' ||
	    s.p[5] > '9' || s.p[7] < '0' || s.p[7] > '9')
		return (HTTP_E_VERSION);
	if (s.p[5] != '1' || s.p[7] > '1')
		return (HTTP_E_VERSION_OTHER);
	h->minor = s.p[7] - '0';
	return (HTTP_E_NONE);
}

/* method SP request-target SP HTTP-version, RFC 9112 3 */
static enum http_error
request_line(struct http_head *h, struct slice line)
{
	const char *end = line.p + line.len, *sp1, *sp2;
	struct slice version;
	enum http_error e;

	if ((sp1 = memchr(line.p, ' ', line.len)) == NULL)
		return (HTTP_E_START);
	h->token = (struct slice){ line.p, (size_t)(sp1 - line.p) };
	if (!http_is_token(h->token))
		return (HTTP_E_METHOD);
	if (h->token.len > HTTP_METHOD_MAX)
		return (HTTP_E_METHOD_LONG);
	sp1++;
	if ((sp2 = memchr(sp1, ' ', (size_t)(end - sp1))) == NULL)
		return (HTTP_E_VERSION); /* as HTTP/0.9 */
	h->target = (struct slice){ sp1, (size_t)(sp2 - sp1) };
	version = (struct slice){ sp2 + 1, (size_t)(end - sp2) - 1 };
	if (slice_eq(h->token, SLICE("PRI")) && slice_eq(h->target, SLICE("*")) &&
	    slice_eq(version, SLICE("HTTP/2.0")))
		return (HTTP_E_PREFACE);
	h->method = http_method(h->token);
	if ((e = http_target_check(h->method, h->target)) != HTTP_E_NONE)
		return (e);
	return (version_parse(h, version));
}

/* HTTP-version SP 3DIGIT SP [reason], RFC 9112 4 */
static enum http_error
status_line(struct http_head *h, struct slice line)
{
	enum http_error e;
	const char *p = line.p;

	if (line.len < 8)
		return (HTTP_E_START);
	if ((e = version_parse(h, (struct slice){ p, 8 })) != HTTP_E_NONE)
		return (e);
	if (line.len < 13 || p[8] != ' ' || p[12] != ' ')
		return (HTTP_E_START);
	for (size_t i = 9; i < 12; i++) {
		if (p[i] < '0' || p[i] > '9')
			return (HTTP_E_STATUS);
		h->status = h->status * 10 + (p[i] - '0');
	}
	if (h->status < 100 || h->status > 599)
		return (HTTP_E_STATUS);
	h->reason = (struct slice){ p + 13, line.len - 13 };
	return (http_is_value(h->reason) ? HTTP_E_NONE : HTTP_E_START);
}

/* field-name ":" OWS field-value OWS, RFC 9112 5 */
static enum http_error
field_line(struct http_head *h, char *p, size_t len)
{
	struct slice name, value;
	uint8_t c;
	size_t i;

	if (p[0] == ' ' || p[0] == '\t')
		return (HTTP_E_FOLD);
	for (i = 0; i < len; i++) {
		c = cclass[(unsigned char)p[i]];
		if ((c & C_TOKEN) == 0)
			break;
		p[i] = (char)(p[i] | (c & C_UPPER));
	}
	if (i < len && (p[i] == ' ' || p[i] == '\t'))
		return (HTTP_E_NAME_SPACE);
	if (i == 0 || i == len || p[i] != ':')
		return (HTTP_E_NAME);
	name = (struct slice){ p, i };
	value = slice_trim((struct slice){ p + i + 1, len - i - 1 });
	if (slice_eq(name, SLICE("host")))
		for (i = (size_t)(value.p - p); i < len; i++)
			p[i] = (char)slice_lower(p[i]);
	return (http_head_put(h, name, value));
}

/* One line, without its CRLF, which begins at h->line. */
static enum http_error
one_line(struct http_head *h, char *p, size_t len, bool was_head)
{
	enum http_error e;

	if (h->state == ST_START) {
		/* One empty line before a request: RFC 9112 2.2. */
		if (len == 0)
			return (
			    h->line == 0 && !h->response ? HTTP_E_NONE : HTTP_E_GARBAGE);
		h->state = ST_FIELDS;
		return (h->response ? status_line(h, (struct slice){ p, len }) :
				      request_line(h, (struct slice){ p, len }));
	}
	if (len > 0)
		return (field_line(h, p, len));
	if ((e = http_head_finish(h, was_head)) == HTTP_E_NONE)
		h->state = ST_DONE;
	return (e);
}

static enum http_result
fail(struct http_head *h, enum http_error e)
{
	h->error = e;
	h->state = ST_ERROR;
	return (HTTP_ERROR);
}

static enum http_result
head_parse(struct http_head *h, char *buf, size_t len, bool was_head)
{
	enum http_error e;
	size_t max, end;
	char *lf;

	while (h->state == ST_START || h->state == ST_FIELDS) {
		/*
		 * The bounds count from fixed places, not from what has come,
		 * so that they strike alike however the bytes come.
		 */
		max = HTTP_HEAD_MAX;
		if (h->state == ST_START) {
			if (h->line < len &&
			    (e = first_byte(h, buf[h->line])) != HTTP_E_NONE)
				return (fail(h, e));
			max = h->line + START_MAX;
		}
		end = len < max ? len : max;
		if (h->scan >= end ||
		    (lf = memchr(buf + h->scan, '\n', end - h->scan)) == NULL) {
			h->scan = end;
			if (len < max)
				return (HTTP_MORE);
			return (fail(h,
			    h->state == ST_START ? start_too_long(h, buf + h->line) :
						   HTTP_E_HEAD_LONG));
		}
		if (lf == buf + h->line || lf[-1] != '\r')
			return (fail(h, HTTP_E_BARE_LF));
		e = one_line(
		    h, buf + h->line, (size_t)(lf - 1 - (buf + h->line)), was_head);
		if (e != HTTP_E_NONE)
			return (fail(h, e));
		h->line = h->scan = (size_t)(lf + 1 - buf);
	}
	if (h->state == ST_ERROR)
		return (HTTP_ERROR);
	h->size = h->line;
	return (HTTP_DONE);
}

/* The slices of the lines before are no good any more: begin again. */
static void
buffer_is(struct http_head *h, char *buf, bool response)
{
	if (h->state == ST_ERROR)
		return;
	if (h->buf != buf && h->buf != NULL)
		http_head_init(h);
	h->buf = buf;
	h->response = response;
}

enum http_result
http_request_parse(struct http_head *h, char *buf, size_t len)
{
	buffer_is(h, buf, false);
	return (head_parse(h, buf, len, false));
}

enum http_result
http_response_parse(struct http_head *h, char *buf, size_t len, bool was_head)
{
	buffer_is(h, buf, true);
	return (head_parse(h, buf, len, was_head));
}
