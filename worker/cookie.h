/*
 * The Cookie header, RFC 6265 5.4: as little of it as can be.
 *
 * Names are compared byte for byte, after the white space around them is
 * taken off; quotes have no meaning, a ';' always ends a pair.
 */
#ifndef WORKER_COOKIE_H
#define WORKER_COOKIE_H

#include "slice.h"

enum cookie_result {
	COOKIE_DUP = -1, /* more than one of that name: refuse */
	COOKIE_NONE = 0,
	COOKIE_FOUND = 1,
};

/*
 * Looks for a cookie in one Cookie header.  A request may carry several of
 * them (in HTTP/2, crumbs): call for each, with *value set to { NULL, 0 }
 * before the first; what a former call found is kept and counts.  *value
 * points into header, as sent.  Somebody who can plant cookies (another site
 * below the same domain) can make a second one of our name appear, hence DUP
 * is an error and never "take the first".
 */
enum cookie_result cookie_find(
    struct slice header, struct slice name, struct slice *value);

/*
 * Copies a Cookie header without the cookies of that name, each taken out with
 * one separator; every other byte stays what and where it was in order.
 * dst has room for header.len bytes, and may be where the header is.
 * Returns the length, 0 when nothing is left (send no header then).
 */
size_t cookie_strip(char *dst, struct slice header, struct slice name);

#endif /* WORKER_COOKIE_H */
