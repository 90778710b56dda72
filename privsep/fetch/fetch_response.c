/*
 * HTTP/1.1, as far as a feed needs it: one response to one GET, on a connection that
 * ends with it.  What has two meanings is refused.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "fetch.h"

#define FIELDS_MAX 100
#define TOKEN                                                                            \
	"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"                            \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZ"

struct head {
	bool chunked;
	bool sized;
	size_t size;
};

size_t
fetch_head(const char *buf, size_t len)
{
	const char *end = memmem(buf, len, "\r\n\r\n", 4);

	return end == NULL ? 0 : (size_t)(end - buf) + 4;
}

unsigned int
fetch_status(const char *buf, size_t len)
{
	unsigned int status = 0, i;

	if (len < 13 ||
	    (memcmp(buf, "HTTP/1.1 ", 9) != 0 && memcmp(buf, "HTTP/1.0 ", 9) != 0))
		return 0;
	for (i = 9; i < 12; i++) {
		if (buf[i] < '0' || buf[i] > '9')
			return 0;
		status = status * 10 + (unsigned int)(buf[i] - '0');
	}
	return status >= 100 && status < 600 && (buf[12] == ' ' || buf[12] == '\r') ?
	    status :
	    0;
}

static bool
is(const char *s, size_t len, const char *word)
{
	return len == strlen(word) && strncasecmp(s, word, len) == 0;
}

static const char *
content_length(struct head *h, const char *v, size_t len)
{
	size_t i;

	if (h->sized)
		return "two lengths";
	h->sized = true;
	if (len == 0 || len > 9)
		return len == 0 ? "no length" : "too large";
	for (i = 0; i < len; i++) {
		if (v[i] < '0' || v[i] > '9')
			return "no length";
		h->size = h->size * 10 + (size_t)(v[i] - '0');
	}
	return h->size > FETCH_BODY_MAX ? "too large" : NULL;
}

static const char *
field(struct response *r, struct head *h, const char *line, size_t len)
{
	const char *colon = memchr(line, ':', len), *v;
	size_t name, n, i;

	if (colon == NULL)
		return "a line of its head is none";
	name = (size_t)(colon - line);
	for (i = 0; i < name; i++)
		if (strchr(TOKEN, line[i]) == NULL || line[i] == '\0')
			return "a line of its head is none";
	v = colon + 1;
	n = len - name - 1;
	for (; n > 0 && (*v == ' ' || *v == '\t'); n--)
		v++;
	while (n > 0 && (v[n - 1] == ' ' || v[n - 1] == '\t'))
		n--;
	for (i = 0; i < n; i++)
		if ((unsigned char)v[i] < ' ' && v[i] != '\t')
			return "a line of its head is none";
	if (name == 0)
		return "a line of its head is none";
	if (is(line, name, "content-length"))
		return content_length(h, v, n);
	if (is(line, name, "transfer-encoding")) {
		if (h->chunked || !is(v, n, "chunked"))
			return "a coding that nobody asked for";
		h->chunked = true;
	}
	if (is(line, name, "content-encoding") && !is(v, n, "identity"))
		return "a coding that nobody asked for";
	if (is(line, name, "location")) {
		if (r->location[0] != '\0' || n == 0 || n >= sizeof(r->location))
			return "no address to go to";
		memcpy(r->location, v, n);
		r->location[n] = '\0';
	}
	return NULL;
}

static const char *
head(struct response *r, struct head *h, const char *buf, size_t len)
{
	const char *end = buf + len - 2, *line, *eol, *why;
	unsigned int fields = 0;

	r->status = fetch_status(buf, len);
	if (r->status < 200) /* nobody asked for an interim one */
		return "no HTTP";
	line = (const char *)memmem(buf, len, "\r\n", 2) + 2;
	for (; line < end; line = eol + 2) {
		eol = memmem(line, (size_t)(end - line) + 2, "\r\n", 2);
		if (eol == NULL || ++fields > FIELDS_MAX)
			return "a head without end";
		if ((why = field(r, h, line, (size_t)(eol - line))) != NULL)
			return why;
	}
	if (h->chunked && h->sized)
		return "two lengths";
	return NULL;
}

/* A chunk's size and its line's end; -1: more has to come, -2: it is none. */
static int
chunk_size(const char *p, size_t left, size_t *size, size_t *line)
{
	size_t i;
	int d;

	*size = 0;
	for (i = 0; i < left && i < 6; i++) {
		if (p[i] >= '0' && p[i] <= '9')
			d = p[i] - '0';
		else if ((p[i] | 0x20) >= 'a' && (p[i] | 0x20) <= 'f')
			d = (p[i] | 0x20) - 'a' + 10;
		else
			break;
		*size = *size * 16 + (size_t)d;
	}
	if (i == left)
		return -1;
	if (i == 0 || i == 6 || p[i] != '\r') /* extensions are nobody's here */
		return -2;
	if (i + 1 == left)
		return -1;
	*line = i + 2;
	return p[i + 1] == '\n' ? 0 : -2;
}

/* With to, each chunk is moved there. */
static enum response_state
chunks(char *p, size_t left, char *to, size_t *total)
{
	size_t size, line;
	int r;

	*total = 0;
	for (;;) {
		if ((r = chunk_size(p, left, &size, &line)) < 0)
			return r == -1 ? RESPONSE_MORE : RESPONSE_BAD;
		p += line;
		left -= line;
		if (*total + size > FETCH_BODY_MAX)
			return RESPONSE_BAD;
		if (left < size + 2)
			return RESPONSE_MORE;
		if (p[size] != '\r' || p[size + 1] != '\n') /* or a trailer */
			return RESPONSE_BAD;
		if (size == 0)
			return RESPONSE_DONE;
		if (to != NULL)
			memmove(to + *total, p, size);
		*total += size;
		p += size + 2;
		left -= size + 2;
	}
}

enum response_state
fetch_response(char *buf, size_t len, bool end, struct response *r, const char **why)
{
	size_t at = fetch_head(buf, len), left;
	struct head h = { false, false, 0 };
	enum response_state state;

	memset(r, 0, sizeof(*r));
	*why = "cut short";
	if (at > FETCH_HEAD_MAX || (at == 0 && len > FETCH_HEAD_MAX)) {
		*why = "a head without end";
		return RESPONSE_BAD;
	}
	if (at == 0)
		return end ? RESPONSE_BAD : RESPONSE_MORE;
	if ((*why = head(r, &h, buf, at)) != NULL)
		return RESPONSE_BAD;
	*why = "cut short";
	r->body = buf + at;
	left = len - at;
	if (h.chunked) {
		state = chunks(buf + at, left, NULL, &r->len);
		if (state == RESPONSE_DONE)
			(void)chunks(buf + at, left, buf + at, &r->len);
		if (state == RESPONSE_BAD)
			*why = "its chunks are none, or too large";
	} else if (h.sized) {
		r->len = h.size;
		state = left >= h.size ? RESPONSE_DONE : RESPONSE_MORE;
	} else {
		r->len = left;
		state = end ? RESPONSE_DONE : RESPONSE_MORE;
	}
	if (r->len > FETCH_BODY_MAX) {
		*why = "too large";
		return RESPONSE_BAD;
	}
	return state == RESPONSE_MORE && end ? RESPONSE_BAD : state;
}
