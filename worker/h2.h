/*
 * The HTTP/2 front, RFC 9113 and RFC 8441: what its files share.
 *
 *	h2.c		the session: nghttp2's callbacks, the connection's life
 *	h2_head.c	a header block becomes a request head, or is refused
 *	h2_stream.c	one stream: its answer, its body, its bounds
 *	h2_guard.c	budgets against floods
 *
 * Bounds.  Towards us: a stream's window is given back as its body is taken, and
 * becomes H2_WINDOW_WIDE once some was; the connection's is given back at
 * once while what waits is below H2_IN_MAX, so that streams that stand still do
 * not stop the others.
 * From us: STREAM_BUFFER a stream, and H2_OUT_LOW once all hold H2_OUT_MAX.
 */
#ifndef WORKER_H2_H
#define WORKER_H2_H

#include <sys/queue.h>

#include <event2/buffer.h>
#include <nghttp2/nghttp2.h>

#include "conn.h"
#include "h2_guard.h"
#include "stream.h"
#include "worker.h"

#define H2_STREAMS       100               /* at a time */
#define H2_LIST_MAX      HTTP_HEAD_MAX     /* header list, as RFC 9113 6.5.2 counts */
#define H2_LIST_STOP     (2 * H2_LIST_MAX) /* no answer any more, the end */
#define H2_FIELD_COST    32                /* of each field, the same */
#define H2_STREAM_WINDOW (64 * 1024)
#define H2_WINDOW_WIDE   (256 * 1024)
#define H2_CONN_WINDOW   (1024 * 1024)
#define H2_IN_MAX        (4 * 1024 * 1024)
#define H2_OUT_MAX       (1024 * 1024)
#define H2_OUT_LOW       (16 * 1024)
#define H2_ROOM_MIN      4096   /* less room than this is none */
#define H2_TICK          2      /* s between two looks for stalled streams */
#define H2_STALL         18000  /* ms in which a stream must move */
#define H2_STALL_TUNNEL  120000 /* the same: a debugger may hold its page */
#define H2_STALL_BYTES   4096   /* and that far, or to the end */
#define H2_UNWANTED      2000   /* ms that the rest of a body has */

enum h2_pseudo {
	PSEUDO_METHOD,
	PSEUDO_SCHEME,
	PSEUDO_AUTHORITY,
	PSEUDO_PATH,
	PSEUDO_PROTOCOL,
	PSEUDO_MAX,
};

/* A header block on its way; HTTP/2 has one at a time on a connection. */
struct h2_block {
	bool open;
	bool trailer;          /* checked by nghttp2, then thrown away */
	enum http_error error; /* the first that was found */
	uint32_t list;         /* size of the list so far */
	uint32_t used;         /* bytes of buf */
	uint32_t nfields;
	struct h2_text {
		uint32_t at;
		uint32_t len;
	} pseudo[PSEUDO_MAX], name[HTTP_HEADER_MAX], value[HTTP_HEADER_MAX];
	bool has[PSEUDO_MAX];
	char buf[H2_LIST_MAX];
};

/* What a block says that a head has no place for. */
struct h2_request {
	bool websocket;
	unsigned int urgency; /* RFC 9218, 0 first .. 7 */
};

struct h2_stream {
	struct stream s; /* first: the callbacks' argument */
	struct h2 *h;
	TAILQ_ENTRY(h2_stream) entry;
	struct evbuffer *in;       /* body that waits; NULL: none ever did */
	struct evbuffer *out;      /* answer that waits */
	struct evbuffer_iovec iov; /* between reserve and commit */
	int64_t left;              /* of the length promised; -1: none was */
	uint64_t moved;            /* ms when H2_STALL_BYTES had come or gone */
	size_t came, went;         /* since then */
	bool connect;              /* extended CONNECT */
	bool in_end;               /* the client's END_STREAM */
	bool wide;                 /* H2_WINDOW_WIDE */
	bool expect;               /* 100 is to be said */
	bool answered;
	bool no_body;  /* the answer has none: HEAD, 204, 304 */
	bool out_end;  /* the answerer has said all */
	bool said;     /* and it went: END_STREAM */
	bool deferred; /* nghttp2 waits for more of the answer */
	bool blocked;  /* the answerer waits for room */
	bool pump;     /* look at the body again */
	bool reset;    /* our RST_STREAM is on its way */
	char bytes[];  /* what the head's slices point into */
};

struct h2 {
	struct conn *c;
	struct worker *w;
	nghttp2_session *ng;
	struct h2_guard guard;
	struct h2_block *block; /* NULL while idle */
	TAILQ_HEAD(, h2_stream) streams;
	unsigned int nstreams;
	unsigned int ntunnels;
	size_t in_total; /* of all streams' in */
	size_t held;     /* of the connection's window, not given back */
	size_t out_total;
	uint64_t now; /* ms, monotonic, of this turn of the loop */
	struct event *ev_tick;
	bool ticking;
	bool leaving; /* GOAWAY was announced */
	bool left;    /* and said, with the last stream */
	bool dying;   /* a GOAWAY with an error, then the end */
	bool said;    /* that one was sent */
	bool eof;
};

/* h2_head.c */
void h2_block_begin(struct h2_block *, bool trailer);
/* False: beyond all bounds, decode no further. */
bool h2_block_add(struct h2_block *, struct slice name, struct slice value);
/*
 * Makes the request's head of it.  bytes is a copy of b->buf[0..b->used) for
 * the head's slices to point into; it is written to.
 */
enum http_error h2_block_finish(const struct h2_block *b, char *bytes,
    struct slice scheme, bool end_stream, struct http_head *, struct h2_request *);

/* h2_stream.c */
extern const struct stream_front h2_stream_front;
struct h2_stream *h2_stream_new(struct h2 *, int32_t id, size_t bytes);
void h2_stream_free(struct h2_stream *);
/* Part of the client's body came. */
void h2_stream_data(struct h2_stream *, const uint8_t *data, size_t len);
/* Hand on what may be handed on. */
void h2_stream_pump(struct h2_stream *);
/* Tell the answerer of new room. */
void h2_stream_drain(struct h2_stream *);
/* Break it off with that RST_STREAM code. */
void h2_stream_reset(struct h2_stream *, uint32_t code);
/* Does it stand still, and by the client's fault? */
bool h2_stream_stalled(const struct h2_stream *);
/* A tunnel at rest: nobody has to do anything. */
bool h2_stream_resting(const struct h2_stream *);
/*
 * Is all said, and still the body comes?  RFC 9113 8.1 has a RST_STREAM for that,
 * but there are clients that throw the answer away when it comes with it.
 */
bool h2_stream_unwanted(const struct h2_stream *);
/* nghttp2's callbacks for DATA. */
ssize_t h2_data_read(nghttp2_session *, int32_t id, uint8_t *buf, size_t len,
    uint32_t *flags, nghttp2_data_source *, void *arg);
int h2_data_send(nghttp2_session *, nghttp2_frame *, const uint8_t *head, size_t len,
    nghttp2_data_source *, void *arg);

#endif /* WORKER_H2_H */
