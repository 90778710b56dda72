/*
 * A piece of somebody else's buffer.
 *
 * A slice owns nothing and is not terminated.  It is good for as long as the
 * buffer it points into neither moves nor changes.  Absent (a header that was
 * not sent) is p == NULL; present but empty is p != NULL and len == 0.
 */
#ifndef WORKER_SLICE_H
#define WORKER_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct slice {
	const char *p;
	size_t len; /* bytes */
};

/* A slice of a string literal. */
#define SLICE(lit) ((struct slice){ (lit), sizeof(lit) - 1 })

static inline struct slice
slice_str(const char *s)
{
	return ((struct slice){ s, s == NULL ? 0 : strlen(s) });
}

static inline bool
slice_eq(struct slice a, struct slice b)
{
	return (a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0));
}

/* ASCII only, whatever the locale. */
static inline unsigned char
slice_lower(char c)
{
	unsigned char u = (unsigned char)c;

	return (u >= 'A' && u <= 'Z' ? u | 0x20 : u);
}

static inline bool
slice_caseeq(struct slice a, struct slice b)
{
	if (a.len != b.len)
		return (false);
	for (size_t i = 0; i < a.len; i++)
		if (slice_lower(a.p[i]) != slice_lower(b.p[i]))
			return (false);
	return (true);
}

static inline bool
slice_prefix(struct slice s, struct slice prefix)
{
	return (s.len >= prefix.len &&
	    (prefix.len == 0 || memcmp(s.p, prefix.p, prefix.len) == 0));
}

/* Without the optional white space (SP, HTAB) around it, RFC 9110 5.6.3. */
static inline struct slice
slice_trim(struct slice s)
{
	while (s.len > 0 && (s.p[0] == ' ' || s.p[0] == '\t')) {
		s.p++;
		s.len--;
	}
	while (s.len > 0 && (s.p[s.len - 1] == ' ' || s.p[s.len - 1] == '\t'))
		s.len--;
	return (s);
}

#endif /* WORKER_SLICE_H */
