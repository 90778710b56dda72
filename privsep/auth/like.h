/*
 * Names and addresses that a reader takes for one another: what Unicode's UTS 39 calls
 * confusable.  Two are when they have one skeleton: each character replaced by what it
 * looks like (like_table.h), 0 by o, 1 by l, m by rn, and letters of other scripts by
 * those of ours.
 *
 * No skeleton is kept anywhere.  What is there already is found in the order in which
 * it is kept anyway: from each beginning that looks right, by what may follow, as far
 * as something does.
 */
#ifndef AUTH_LIKE_H
#define AUTH_LIKE_H

#include <stdbool.h>
#include <stddef.h>

#include "../wire.h"

/* The first of all keys that is not before from, in the order of bytes. */
typedef bool (*like_next)(void *arg, const char *from, char key[WIRE_EMAIL]);

enum like {
	LIKE_NONE,
	LIKE_ONE,  /* found looks like text, and is another */
	LIKE_MANY, /* it could not be told: too many begin alike */
};

/* own: as if it were not there; "": none. */
enum like like_find(
    like_next, void *arg, const char *text, const char *own, char found[WIRE_EMAIL]);

/* For tests: as text is seen.  Returns its length, which is less than size, or 0. */
size_t like_skeleton(const char *text, char *out, size_t size);

#endif
