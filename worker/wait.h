/*
 * Pages that wait: for a port where nobody listens yet, for an IDE that does not
 * answer, for a service that is away.  A script of ours asks in their stead for the very
 * same address, ever more seldom and not while nobody looks, and loads the page when the
 * answer is not ours any more (www/wait.js).
 *
 * Its questions say that they are such, and for how many seconds the page has waited:
 *
 *	X-Ided-Waits: 17
 *
 * and the answers that we give in somebody's stead say that the page is to wait on, with
 * the same field.  No program sees the one or gives the other.  What asks by itself is
 * no sign of anybody, and starts nothing for a person that may have left: activity.h.
 */
#ifndef WORKER_WAIT_H
#define WORKER_WAIT_H

#include <event2/buffer.h>

#include <stdbool.h>

#include "respond.h"

#define WAIT_FIELD "x-ided-waits"

/* Is it a page that waits which asks, and no person? */
static inline bool
wait_asks(const struct stream *s)
{
	return (stream_header(s, HDR_X_IDED_WAITS).p != NULL);
}
/* Its answer, if it is one that may soon be another: wait on. */
void wait_answer(struct answer *, unsigned int status);
/* Can it be waited for?  What was sent is not sent once more. */
bool wait_possible(const struct stream *, unsigned int status);
/* What such a page ends with; or, where it cannot wait, a link.  The caller's. */
struct evbuffer *wait_html(bool possible);
/* Such a page: of what does not answer, and why.  retry: s, for programs; 0: not known.
 */
void wait_page(struct stream *, unsigned int status, const char *heading, const char *why,
    unsigned int retry);

#endif /* WORKER_WAIT_H */
