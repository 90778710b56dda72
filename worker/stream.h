/*
 * One request and its answer, whichever protocol carries it.  The front
 * (h1.c, h2.c) fills a stream and calls stream_request() once its head is
 * complete; what answers it (static.c, pages.c, proxy.c, …) sets the callbacks
 * and speaks through the functions below.
 *
 * Back-pressure: an answerer writes while stream_room() is above zero and goes
 * on when on_drain is called; it stops the client's body with stream_pause().
 * Both directions are bounded by STREAM_BUFFER per stream.
 *
 * The body of the request.  If stream_request() returns with neither on_body
 * set nor an answer begun, the stream is paused: whoever sets on_body later calls
 * stream_pause(s, false).  Once the answer is begun and on_body is not set, the
 * front throws the body away, as far as it is willing to.  on_body_end is
 * called once, also for a request without a body; but not for a WebSocket's
 * handshake, where it is the end of the tunnel's bytes.  With Expect: 100-continue
 * the front says 100 when the body is first wanted (on_body is set, not paused,
 * not answered).
 *
 * Life: any function below may be called from any callback, and stream_end() or
 * stream_reset() never frees the stream before the event loop is back.  on_close
 * is the last call for a stream and comes always, whoever ended it.
 */
#ifndef WORKER_STREAM_H
#define WORKER_STREAM_H

#include <event2/buffer.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http1.h"
#include "slice.h"

#define STREAM_BUFFER       (128 * 1024) /* high mark of buffered answer bytes */
#define STREAM_RESP_HEADERS 64           /* of an answer */
#define STREAM_PATH_MAX     (HTTP_TARGET_MAX + 1)

struct encode;
struct stream;
struct worker;
struct route;

/* A header of an answer, its name in lower case.  One that would not be well
 * formed is left out by stream_respond(), which logs it. */
struct header {
	struct slice name;
	struct slice value;
};

#define HEADER(n, v) ((struct header){ SLICE(n), SLICE(v) })

struct stream_front {
	/* As the stream_… functions below. */
	void (*respond)(struct stream *, unsigned int status, const struct header *h,
	    size_t n, int64_t length);
	void (*write)(struct stream *, const void *data, size_t len);
	void (*write_buffer)(struct stream *, struct evbuffer *src);
	uint8_t *(*reserve)(struct stream *, size_t want); /* or NULL */
	void (*commit)(struct stream *, size_t len);       /* or NULL */
	void (*end)(struct stream *);
	void (*reset)(struct stream *);
	void (*pause)(struct stream *, bool pause);
	size_t (*room)(struct stream *);
	void (*upgrade)(struct stream *, const struct header *h, size_t n);
	/* Or NULL: few clients of this protocol would understand it. */
	void (*hint)(struct stream *, const struct header *h, size_t n);
};

struct stream {
	struct worker *w;
	const struct stream_front *front;
	void *conn;   /* the front's connection */
	int32_t id;   /* h2's stream id; 0 in h1 */
	char rid[17]; /* request id, in logs and X-Request-Id */

	/*
	 * The request as it came, by the rules of http1.h whichever the
	 * protocol: in HTTP/2 :method is head.method and head.token, :path is
	 * head.target, and :authority is a "host" header.  Slices live until
	 * the stream is closed.
	 */
	struct http_head head;
	bool websocket; /* asks for one: Upgrade, or RFC 8441, which
			 * has METHOD_GET here too */
	bool body_done; /* the whole body was delivered */
	bool paused;

	/* From head, by stream_request(). */
	struct slice raw_path;      /* as received, no query */
	struct slice query;         /* raw, without '?'; absent without */
	char path[STREAM_PATH_MAX]; /* decoded once and checked
				     * (url_path), terminated; "" when it is
				     * only fit to be passed on (url_path_safe) */
	const struct route *route;
	bool by_bearer; /* Authorization, not the cookie, says who */

	/* The answer. */
	unsigned int status; /* 0 until answered */
	bool ended;
	bool tunnel;           /* after stream_upgrade() */
	bool closed;           /* on_close was called */
	uint8_t traffic;       /* enum traffic_class: what answers */
	uint64_t bytes_out;    /* of the body */
	int64_t started_us;    /* monotonic */
	bool hinted;           /* of this build of the IDE: ide_hinted() */
	bool told_of;          /* its messages do not show that somebody is there */
	struct encode *encode; /* the answer is compressed: encode.h; or NULL */

	/* Set by what answers. */
	uint32_t question; /* auth_ask_for()'s */
	void *arg;
	void (*on_body)(struct stream *, const uint8_t *data, size_t len);
	void (*on_body_end)(struct stream *);
	void (*on_drain)(struct stream *);
	void (*on_leave)(struct stream *); /* ided stops: a tunnel ends, in its own way */
	void (*on_close)(struct stream *); /* last call: free arg here */

	/* limit.c's: who answers for it, and those who wait for an allowance. */
	uint8_t limit_side;
	uint8_t limit_class;
	struct stream *limit_next;
	void (*limit_fn)(struct stream *);

	/* session.c's, while auth is asked who it is. */
	struct stream *who_next;
	void (*who_fn)(struct stream *, unsigned int who);
	uint8_t who_token[32];
	uint8_t who_kind;
};

/*
 * For the fronts.  stream_init makes a stream ready for its next request
 * (head included, http_head_init); stream_request is called once, when head is
 * complete: it finds the route, and answers or sets callbacks.  stream_close:
 * the stream is over, completed or not: calls on_close and writes the log line; the
 * memory is the front's.
 */
void stream_init(
    struct stream *s, struct worker *w, const struct stream_front *front, void *conn);
void stream_request(struct stream *s);
void stream_close(struct stream *s);
/*
 * For the fronts: the request turns out to be broken.  Whoever was
 * answering is told by on_close; if nothing was answered yet, status is, with a
 * small page, and otherwise the answer is broken off.
 */
void stream_fail(struct stream *s, unsigned int status);

/*
 * Start the answer.  length is the body's size, or -1 when it is not known
 * (chunked in HTTP/1.1).  The front adds Date, framing and connection headers;
 * respond.c adds the security headers.  An answer that compresses may go
 * compressed (encode.h), then length is not what is sent.  For HEAD, 204 and 304
 * the front drops the body.  Once per stream; a second one is ignored.
 */
void stream_respond(struct stream *s, unsigned int status, const struct header *h,
    size_t n, int64_t length);
void stream_write(struct stream *s, const void *data, size_t len);
/* Moves all of src, without copying where the front can. */
void stream_write_buffer(struct stream *s, struct evbuffer *src);
/*
 * To read straight into the output: at least want bytes to write to, or NULL
 * when the front cannot (then use stream_write); commit what was filled before any
 * other call.  want is at most stream_room().
 */
uint8_t *stream_reserve(struct stream *s, size_t want);
void stream_commit(struct stream *s, size_t len);
void stream_end(struct stream *s);
/* Break it off: an answer that cannot be completed. */
void stream_reset(struct stream *s);
void stream_pause(struct stream *s, bool pause);
size_t stream_room(struct stream *s);
/* 103, before the answer: what the client may fetch meanwhile.  False: not said. */
bool stream_hint(struct stream *s, const struct header *h, size_t n);
/* Answer 101 (h1) or 200 (RFC 8441); from then on bytes are passed as they are
 * in on_body and stream_write, on_body_end is the client's end of it, and either
 * end may stream_end(). */
void stream_upgrade(struct stream *s, const struct header *h, size_t n);

/* The first header of that kind; absent (p == NULL) when there is none. */
static inline struct slice
stream_header(const struct stream *s, enum http_hdr id)
{
	return (http_header(&s->head, id));
}

#endif /* WORKER_STREAM_H */
