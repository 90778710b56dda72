/*
 * The way of a request to what runs in the user's own sandbox, or to a service of the
 * site's own, and of its answer back: streaming, bounded in both directions.
 */
#ifndef WORKER_PROXY_H
#define WORKER_PROXY_H

#include "stream.h"

#define PROXY_BUFFER  (64 * 1024) /* request bytes that wait for upstream */
#define PROXY_FIRST   30          /* s until the answer begins */
#define PROXY_AGAIN   4           /* times that it is tried again, from the beginning */
#define PROXY_IDLE    120         /* s between two pieces of it */
#define PROXY_CONNECT 90          /* s until upstream is there at all */

/*
 * Answers the stream from the user's IDE, WebSockets included.  The route has
 * done all checks: the connection is bound to its user, the origin is right.
 * Takes over the stream's callbacks and arg.
 */
void proxy_request(struct stream *s);
/* The same from a port of the user's sandbox. */
struct port_way;
void proxy_port(struct stream *s, const struct port_way *way);
/* The same from a service of the site's own. */
void proxy_location(struct stream *s, const struct port_way *way);

#endif /* WORKER_PROXY_H */
