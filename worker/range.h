/*
 * Conditional, partial and encoded answers for files: RFC 9110 8.8, 12.5.3,
 * 13 and 14, and dates, 5.6.7.
 *
 * Header arguments are values as parsed (trimmed); absent is p == NULL.
 * Times are seconds since the epoch, UTC.  Sizes and offsets are bytes.
 */
#ifndef WORKER_RANGE_H
#define WORKER_RANGE_H

#include <stdint.h>

#include "slice.h"

enum range_result {
	RANGE_NONE, /* 200, the whole: no, bad or several ranges */
	RANGE_PART, /* 206: first..last, both included */
	RANGE_UNSATISFIABLE /* 416, Content-Range: bytes *<slash>size */,
};

/* What of a representation of size bytes does Range ask for? */
enum range_result range_parse(
    struct slice range, uint64_t size, uint64_t *first, uint64_t *last);

/*
 * Does If-Range allow a range to be served?  Yes when absent; an entity tag
 * must be strongly equal to ours, a date exactly our modification time.
 */
bool range_if_range(struct slice if_range, struct slice etag, int64_t mtime);

/* Entity tags as sent: "x" or W/"x", quotes included.  RFC 9110 8.8.3.2. */
bool etag_strong_eq(struct slice a, struct slice b);
bool etag_weak_eq(struct slice a, struct slice b);
/* Is ours in the list of If-None-Match (weakly equal), or is it "*"? */
bool etag_none_match(struct slice if_none_match, struct slice etag);

/*
 * 304 instead of 200, for GET and HEAD?  If-None-Match decides when there is
 * one, otherwise If-Modified-Since.  RFC 9110 13.2.2.
 */
bool range_not_modified(struct slice if_none_match, struct slice if_modified_since,
    struct slice etag, int64_t mtime);

/* Content codings, as bits. */
#define CODING_IDENTITY 0x01
#define CODING_GZIP     0x02
#define CODING_BR       0x04
#define CODING_ZSTD     0x08
#define CODING_ALL      0x0f

/*
 * The best coding among those available (a set of bits) by Accept-Encoding:
 * the highest weight; among equals zstd, br, gzip, then identity.  Returns one
 * bit, or 0 when the client accepts none of them (send identity all the same, or
 * 406).  A malformed header, or none, is as if identity alone were accepted.
 */
unsigned int coding_negotiate(struct slice accept_encoding, unsigned int available);
/* "gzip", "br", "zstd", "identity" */
const char *coding_name(unsigned int);

/* IMF-fixdate, as "Sun, 06 Nov 1994 08:49:37 GMT"; years 1970..9999. */
/* Of one element of Accept-Encoding or Accept-Language, which becomes what is left of
 * the ';': its weight in thousandths, or -1 when that is malformed.  RFC 9110 12.4.2. */
int http_weight(struct slice *element);

#define HTTP_DATE_LEN 29

void http_date_format(char out[HTTP_DATE_LEN + 1], int64_t t);
/* Only IMF-fixdate, and only if the day of the week is right. */
bool http_date_parse(struct slice, int64_t *t);

#endif /* WORKER_RANGE_H */
