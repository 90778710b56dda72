/*
 * Answers that are put together here: errors, redirects, JSON, pages; the
 * security headers of all answers; the session cookie.
 */
#ifndef WORKER_RESPOND_H
#define WORKER_RESPOND_H

#include <jansson.h>

#include <stdbool.h>
#include <stdint.h>

#include "stream.h"

struct conf_for_worker;

/* What kind of answer it is, for the security headers; bits. */
#define ANSWER_PAGE  0x01 /* a page of ours, and what it loads */
#define ANSWER_DATA  0x02 /* JSON, redirects, errors without a page */
#define ANSWER_ASSET 0x04 /* static files of the IDE */
#define ANSWER_IDE   0x08 /* proxied from the IDE: its CSP stays */
#define ANSWER_PORT  0x10 /* proxied from a user's program: its own affair */
#define ANSWER_FILE  0x20 /* proxied from the IDE: what stands in some file */
#define ANSWER_ANY   0x3f

/*
 * The headers of an answer while it is put together.  Values must live until
 * stream_respond(), or are made with answer_fmt() and live here.
 */
struct answer {
	struct stream *s;
	struct header h[STREAM_RESP_HEADERS];
	size_t n;
	char text[3072];
	size_t used;
	const char *lang; /* of a page */
};

/* Starts with X-Request-Id and the security headers of the kind. */
void answer_init(struct answer *a, struct stream *s, unsigned int kind);
void answer_add(struct answer *a, struct slice name, struct slice value);
/* A path of this site, after the prefix that it is below. */
void answer_location(struct answer *a, const char *path);
/* That prefix: "/tools", or "" where there is none. */
const char *site_base(const struct worker *w);
void answer_fmt(struct answer *a, struct slice name, const char *fmt, ...)
    __attribute__((__format__(__printf__, 3, 4)));
/* What a 401 wants, and whether a token that came is what is wrong: RFC 6750. */
void answer_challenge(struct answer *a);
/* Set-Cookie with the token, or one that takes the cookie away. */
void answer_cookie(struct answer *a, const uint8_t *token);
/* The whole answer at once; a cookie's copy in a is wiped. */
void answer_send(struct answer *a, unsigned int status, const void *body, size_t len);

/* Before the fork. */
void security_prepare(const struct conf_for_worker *conf);
/*
 * Appends the security headers of a kind of answer to h[n..max) and returns
 * the new n: for answers that are not put together here.
 */
size_t security_headers(
    const struct worker *w, unsigned int kind, struct header *h, size_t n, size_t max);
/* Is a header of that name one of those that security_headers() gives to this
 * kind?  Then upstream's own is left out; but of content policies all hold. */
bool security_owns(const struct worker *w, unsigned int kind, struct slice name);

/* Is the body of that type?  "application/json; charset=utf-8" is one. */
bool content_is(const struct stream *s, struct slice type);
/* A cookie of the request; absent too when there are two of that name. */
struct slice cookie_of(const struct stream *s, const char *name);
/* Does the client prefer a page to JSON? */
bool wants_html(const struct stream *s);

/* An error: a page or JSON, as the client likes it.  text is for a person, not
 * escaped yet; NULL for the usual one. */
void respond_error(struct stream *s, unsigned int status, const char *text);
/* The same, worth to be asked for again after so many seconds; 0: not known. */
void respond_retry(
    struct stream *s, unsigned int status, const char *text, unsigned int seconds);
/* The same with headers added (Allow, Retry-After). */
void respond_error_with(struct answer *a, unsigned int status, const char *text);
/* 302, 303, 307, 308 to a path of this site. */
void respond_redirect(struct stream *s, unsigned int status, const char *to);
/* {"success":true,"data":…}; takes data. */
void respond_data(struct stream *s, json_t *data);
/* Any JSON as it is; takes it. */
void respond_json(struct answer *a, unsigned int status, json_t *json);

/* portal.c: a time (null for 0) and an address as the API shows them. */
struct wire_addr;
json_t *json_time(int64_t t);
void address_text(char *dst, size_t size, const struct wire_addr *a);

/* Names for people. */
const char *status_reason(unsigned int status);

/*
 * Collects the body of a request for one of our own pages, at most
 * prefork.body bytes (else 413), and then calls fn once with a terminated copy,
 * which is wiped and freed afterwards.  Not called when the client leaves.
 */
typedef void (*body_fn)(struct stream *s, char *body, size_t len);
void body_collect(struct stream *s, body_fn fn);

#endif /* WORKER_RESPOND_H */
