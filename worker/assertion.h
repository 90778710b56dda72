/*
 * What a program that is not ided's is told of who asks: a signed word (jwt.h) that is
 * good for it alone, and for a minute.  A request waits until there is one.
 */
#ifndef WORKER_ASSERTION_H
#define WORKER_ASSERTION_H

#include "../privsep/jwt.h"
#include "../privsep/msg.h"
#include "stream.h"

struct assertion {
	char text[JWT_TEXT_MAX];
	int64_t until; /* CLOCK_MONOTONIC, ms */
	uint32_t question;
};

/* Goes on with go, now or later, when a->text is good; else the stream is answered.
 * Auth is asked for it by that message. */
typedef void (*assertion_fn)(struct stream *);
void assertion_with(struct stream *s, struct assertion *a, enum msg_type type,
    const void *payload, size_t len, assertion_fn go);

#endif /* WORKER_ASSERTION_H */
