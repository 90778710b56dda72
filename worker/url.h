/*
 * Targets, paths, queries and forms: RFC 3986, and the URL standard's
 * application/x-www-form-urlencoded.
 *
 * Where a function writes, dst has room for size bytes and the result is
 * NUL-terminated; it returns the length without the NUL, or -1 when the input
 * is refused or does not fit (dst is then without meaning).  A NUL in the
 * input, plain or encoded, is always refused, so results are C strings.
 */
#ifndef WORKER_URL_H
#define WORKER_URL_H

#include <sys/types.h>

#include "slice.h"

#define URL_TO_MAX   2048 /* bytes of a redirect within the site */
#define URL_FORM_MAX 64   /* fields of a form */

/* Percent-decode flags. */
#define URL_PLUS 0x01 /* '+' is a space (queries and forms) */

/* Cuts a target at its first '?'.  query is absent without one. */
void url_split(struct slice target, struct slice *path, struct slice *query);

/* Every '%' must be followed by two hex digits.  dst may be src.p. */
ssize_t url_decode(char *dst, size_t size, struct slice src, int flags);

/*
 * A path for looking up something of our own (a route, a static file): decoded
 * once, and in the only spelling it can have.  Refused: not starting with '/',
 * encoded '/' or '%', '\' however spelt, control characters, what is not UTF-8,
 * empty segments, and the segments "." and "..", also with a ";parameter".
 * The last segment may be empty ("/dir/").
 */
ssize_t url_path(char *dst, size_t size, struct slice path);

/*
 * May a path be passed on as sent to what is behind a prefix of it?  Looser
 * than url_path: encoded '/' and empty segments are the application's
 * affair.  Refused: not starting with '/', malformed escapes, encoded control
 * characters, and segments "." and ".." in any spelling, counting '\', "%2f"
 * and "%5c" as ends of a segment.
 */
bool url_path_safe(struct slice path);

/*
 * The parameter of that name in a query, decoded.  Returns its length, or
 * URL_ABSENT, or -1 when it is malformed, twice there, or longer than size - 1.
 */
#define URL_ABSENT (-2)

ssize_t url_query(char *dst, size_t size, struct slice query, struct slice name);

/* A form's field; both decoded and NUL-terminated, in the body's place. */
struct url_field {
	struct slice name;
	struct slice value;
};

/*
 * Decodes a form in place.  body has room for len + 1 bytes.  Returns the
 * number of fields, or -1 when malformed or more than max.
 */
int url_form(char *body, size_t len, struct url_field *fields, int max);
/* The value of the field; absent when there is none, or more than one. */
struct slice url_form_get(const struct url_field *fields, int n, struct slice name);

/*
 * May we redirect there (after decoding)?  Only a path of this site: '/'
 * first, no "//" in the path, no '\', no character that a URL cannot have, no
 * "." or ".." segment, at most URL_TO_MAX bytes.
 */
bool url_redirect_ok(struct slice to);

/* Percent-encodes all but ALPHA DIGIT - . _ ~ (and '/' with keep_slash). */
ssize_t url_encode(char *dst, size_t size, struct slice src, bool keep_slash);

/* For text and quoted attribute values: & < > " ' */
ssize_t html_escape(char *dst, size_t size, struct slice src);

#endif /* WORKER_URL_H */
