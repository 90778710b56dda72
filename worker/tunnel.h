/*
 * A WebSocket, once both sides have agreed: bytes as they are, in both
 * directions, until either ends.  RFC 6455 has its own close, so each direction
 * ends by itself; a tunnel at rest is never cut off.  When ided stops, the client is
 * told so after the frame that is under way, by a close of its own: 1012.
 */
#ifndef WORKER_TUNNEL_H
#define WORKER_TUNNEL_H

#include "stream.h"
#include "upstream.h"

#define TUNNEL_BUFFER (64 * 1024) /* bytes that wait for upstream */
#define TUNNEL_HALF   30          /* s that one direction outlives the other */

/*
 * Takes over the stream (upgraded already) and the connection.  early is
 * what upstream said behind its answer.
 */
void tunnel_start(struct stream *s, struct upstream *u, const void *early, size_t len);

#endif /* WORKER_TUNNEL_H */
