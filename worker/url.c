/*
 * Targets, paths, queries and forms.  See url.h.
 */
#include <stdint.h>
#include <string.h>

#include "url.h"
#include "../privsep/hex.h"

static bool
is_ctl(int c)
{
	return (c < 0x20 || c == 0x7f);
}

static bool
is_alnum(int c)
{
	return (
	    (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'));
}

/*
 * Takes one byte, decoded, off the front.  Returns it, or -1 when the escape
 * is malformed.  escaped tells "%2f" from "/".
 */
static int
next_byte(struct slice *s, int flags, bool *escaped)
{
	int c = (unsigned char)s->p[0], hi, lo;

	*escaped = c == '%';
	if (*escaped) {
		if (s->len < 3 || (hi = hex_digit(s->p[1])) < 0 ||
		    (lo = hex_digit(s->p[2])) < 0)
			return (-1);
		c = hi << 4 | lo;
		s->p += 2;
		s->len -= 2;
	} else if (c == '+' && (flags & URL_PLUS))
		c = ' ';
	s->p++;
	s->len--;
	return (c);
}

void
url_split(struct slice target, struct slice *path, struct slice *query)
{
	const char *q = NULL;

	if (target.len > 0)
		q = memchr(target.p, '?', target.len);
	*path = target;
	*query = (struct slice){ NULL, 0 };
	if (q == NULL)
		return;
	path->len = (size_t)(q - target.p);
	*query = (struct slice){ q + 1, target.len - path->len - 1 };
}

ssize_t
url_decode(char *dst, size_t size, struct slice src, int flags)
{
	size_t n = 0;
	bool escaped;
	int c;

	while (src.len > 0) {
		if ((c = next_byte(&src, flags, &escaped)) <= 0)
			return (-1);
		if (n + 1 >= size)
			return (-1);
		dst[n++] = (char)c;
	}
	if (n >= size)
		return (-1);
	dst[n] = '\0';
	return ((ssize_t)n);
}

/* Is a path segment "." or ".."?  What follows a ';' is its parameter. */
struct dots {
	int n; /* dots seen, nothing else */
	bool other;
	bool parameter;
};

static void
dots_byte(struct dots *d, int c)
{
	if (c == ';')
		d->parameter = true;
	else if (!d->parameter && c == '.')
		d->n++;
	else if (!d->parameter)
		d->other = true;
}

static bool
dots_end(struct dots *d)
{
	bool is = !d->other && (d->n == 1 || d->n == 2);

	*d = (struct dots){ 0, false, false };
	return (is);
}

/* RFC 3629: the shortest form only, no surrogates, up to U+10FFFF */
static bool
is_utf8(const char *s, size_t len)
{
	const unsigned char *p = (const unsigned char *)s;
	uint32_t u, min;
	size_t more;

	while (len > 0) {
		if (*p < 0x80) {
			p++;
			len--;
			continue;
		}
		more = *p >= 0xf0 ? 3 : *p >= 0xe0 ? 2 : 1;
		if (*p < 0xc2 || *p > 0xf4 || len <= more)
			return (false);
		u = *p & (0x3fU >> more);
		min = more == 3 ? 0x10000 : more == 2 ? 0x800 : 0x80;
		for (size_t i = 1; i <= more; i++) {
			if ((p[i] & 0xc0) != 0x80)
				return (false);
			u = u << 6 | (p[i] & 0x3f);
		}
		if (u < min || u > 0x10ffff || (u >= 0xd800 && u <= 0xdfff))
			return (false);
		p += more + 1;
		len -= more + 1;
	}
	return (true);
}

ssize_t
url_path(char *dst, size_t size, struct slice path)
{
	struct dots dots = { 0, false, false };
	size_t n = 0;
	bool escaped;
	int c;

	if (path.len == 0 || path.p[0] != '/')
		return (-1);
	while (path.len > 0) {
		c = next_byte(&path, 0, &escaped);
		if (c < 0 || is_ctl(c) || c == '\\' || n + 1 >= size)
			return (-1);
		if (escaped ? c == '/' || c == '%' : c == '?' || c == '#')
			return (-1);
		if (c != '/')
			dots_byte(&dots, c);
		else if (dots_end(&dots) || (n > 0 && dst[n - 1] == '/'))
			return (-1);
		dst[n++] = (char)c;
	}
	if (dots_end(&dots) || !is_utf8(dst, n))
		return (-1);
	dst[n] = '\0';
	return ((ssize_t)n);
}

bool
url_path_safe(struct slice path)
{
	struct dots dots = { 0, false, false };
	bool escaped;
	int c;

	if (path.len == 0 || path.p[0] != '/')
		return (false);
	while (path.len > 0) {
		c = next_byte(&path, 0, &escaped);
		if (c < 0 || is_ctl(c))
			return (false);
		if (c != '/' && c != '\\')
			dots_byte(&dots, c);
		else if (dots_end(&dots))
			return (false);
	}
	return (!dots_end(&dots));
}

/* Cuts "name=value" off the front of a query or form.  value is absent
 * without '='. */
static bool
next_field(struct slice *rest, struct slice *name, struct slice *value)
{
	const char *p;

	if (rest->len == 0)
		return (false);
	*name = *rest;
	*value = (struct slice){ NULL, 0 };
	if ((p = memchr(rest->p, '&', rest->len)) != NULL)
		name->len = (size_t)(p - rest->p);
	rest->p += name->len + (p != NULL);
	rest->len -= name->len + (p != NULL);
	if (name->len > 0 && (p = memchr(name->p, '=', name->len)) != NULL) {
		*value = (struct slice){ p + 1, name->len - (size_t)(p - name->p) - 1 };
		name->len = (size_t)(p - name->p);
	}
	return (true);
}

/* Does it say name, once decoded? */
static bool
decodes_to(struct slice raw, struct slice name)
{
	bool escaped;
	size_t i;

	for (i = 0; raw.len > 0 && i < name.len; i++)
		if (next_byte(&raw, URL_PLUS, &escaped) != (unsigned char)name.p[i])
			return (false);
	return (raw.len == 0 && i == name.len);
}

ssize_t
url_query(char *dst, size_t size, struct slice query, struct slice name)
{
	struct slice key, value;
	ssize_t n = URL_ABSENT;

	while (next_field(&query, &key, &value)) {
		if (!decodes_to(key, name))
			continue;
		if (n != URL_ABSENT)
			return (-1);
		if ((n = url_decode(dst, size, value, URL_PLUS)) == -1)
			return (-1);
	}
	return (n);
}

/* In its own place.  The byte behind it is a separator, or room. */
static bool
decode_here(char *body, struct slice *s)
{
	char *p = body + (s->p - body);
	ssize_t n = url_decode(p, s->len + 1, *s, URL_PLUS);

	s->len = n < 0 ? 0 : (size_t)n;
	return (n >= 0);
}

int
url_form(char *body, size_t len, struct url_field *fields, int max)
{
	struct slice rest = { body, len }, name, value;
	int n = 0;

	while (next_field(&rest, &name, &value)) {
		if (name.len == 0 && value.p == NULL)
			continue; /* "a=1&&b=2" */
		if (n == max)
			return (-1);
		if (value.p != NULL && !decode_here(body, &value))
			return (-1);
		if (!decode_here(body, &name))
			return (-1);
		if (value.p == NULL) /* "a" is "a=" */
			value = (struct slice){ name.p + name.len, 0 };
		fields[n++] = (struct url_field){ name, value };
	}
	return (n);
}

struct slice
url_form_get(const struct url_field *fields, int n, struct slice name)
{
	struct slice found = { NULL, 0 };

	for (int i = 0; i < n; i++) {
		if (!slice_eq(fields[i].name, name))
			continue;
		if (found.p != NULL)
			return ((struct slice){ NULL, 0 });
		found = fields[i].value;
	}
	return (found);
}

bool
url_redirect_ok(struct slice to)
{
	struct slice path = to, head;
	bool escaped;
	int c;

	if (to.len == 0 || to.len > URL_TO_MAX || to.p[0] != '/')
		return (false);
	for (size_t i = 0; i < to.len; i++) {
		c = (unsigned char)to.p[i];
		if (c <= 0x20 || c >= 0x7f || c == '\\' || c == '"' || c == '<' ||
		    c == '>')
			return (false);
		if (path.len == to.len && (c == '?' || c == '#'))
			path.len = i;
	}
	for (size_t i = 1; i < path.len; i++)
		if (path.p[i] == '/' && path.p[i - 1] == '/')
			return (false);
	/* Neither if somebody on the way decodes it. */
	head = (struct slice){ path.p + 1, path.len - 1 };
	if (head.len > 0) {
		c = next_byte(&head, 0, &escaped);
		if (c == '/' || c == '\\')
			return (false);
	}
	return (url_path_safe(path));
}

ssize_t
url_encode(char *dst, size_t size, struct slice src, bool keep_slash)
{
	static const char digits[] = "0123456789ABCDEF";
	size_t n = 0;

	for (size_t i = 0; i < src.len; i++) {
		unsigned char c = (unsigned char)src.p[i];
		bool plain = is_alnum(c) || c == '-' || c == '.' || c == '_' ||
		    c == '~' || (c == '/' && keep_slash);

		if (c == '\0' || size - n <= (plain ? 1U : 3U) || n >= size)
			return (-1);
		if (plain) {
			dst[n++] = (char)c;
			continue;
		}
		dst[n++] = '%';
		dst[n++] = digits[c >> 4];
		dst[n++] = digits[c & 0xf];
	}
	if (n >= size)
		return (-1);
	dst[n] = '\0';
	return ((ssize_t)n);
}

static struct slice
html_entity(const char *c)
{
	switch (*c) {
	case '&':
		return (SLICE("&amp;"));
	case '<':
		return (SLICE("&lt;"));
	case '>':
		return (SLICE("&gt;"));
	case '"':
		return (SLICE("&quot;"));
	case '\'':
		return (SLICE("&#39;"));
	default:
		return ((struct slice){ c, 1 });
	}
}

ssize_t
html_escape(char *dst, size_t size, struct slice src)
{
	struct slice e;
	size_t n = 0;

	for (size_t i = 0; i < src.len; i++) {
		e = html_entity(src.p + i);
		if (src.p[i] == '\0' || size <= n || size - n <= e.len)
			return (-1);
		memcpy(dst + n, e.p, e.len);
		n += e.len;
	}
	if (n >= size)
		return (-1);
	dst[n] = '\0';
	return ((ssize_t)n);
}
