/*
 * Heads on their way through the proxy.  What leaves is written anew from
 * parsed fields; nothing of a head passes as the bytes that came.
 */
#ifndef WORKER_PROXY_HEAD_H
#define WORKER_PROXY_HEAD_H

#include <event2/buffer.h>

#include <stdbool.h>

#include "stream.h"

/* What the request carries beyond what the client said. */
struct proxy_via {
	const char *source; /* the client's address; "" when none */
	bool tls;
	const char *key;            /* Sec-WebSocket-Key; NULL: no WebSocket */
	const struct port_way *way; /* to a port, or a service; NULL: to the IDE */
};

/* A piece of a head, and a field as a line of it. */
void head_add(struct evbuffer *out, struct slice);
void head_field(struct evbuffer *out, struct slice name, struct slice value);

/* The request's head as HTTP/1.1. */
void proxy_head_request(
    struct evbuffer *out, const struct stream *s, const struct proxy_via *via);

/*
 * The headers of upstream's answer that go on to the client.  Their number, or
 * -1 when there are more than max.  They point into head.
 */
int proxy_head_answer(
    const struct http_head *head, bool to_h1_tunnel, struct header *out, int max);

/* The value that must answer a Sec-WebSocket-Key, RFC 6455 4.2.2. */
#define PROXY_KEY_LEN    24
#define PROXY_ACCEPT_LEN 28
bool proxy_ws_accept(const char *key, char accept[PROXY_ACCEPT_LEN + 1]);
/* A new key. */
void proxy_ws_key(char key[PROXY_KEY_LEN + 1]);

#endif /* WORKER_PROXY_HEAD_H */
