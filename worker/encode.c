/*
 * An answer's bytes, compressed: see encode.h.
 *
 * An encoder keeps back what it was given, to see more of it; a person who waits
 * must not notice.  So what was written is flushed: a little of it, as an event of
 * a stream of events is, in the same turn of the event loop, and much of it, to which
 * more is likely to come, soon.
 *
 * At their defaults zstd takes half of brotli's time for as many bytes, and less memory:
 * it is preferred (range.c).
 */
#define ZLIB_CONST
#define ZSTD_STATIC_LINKING_ONLY /* for an allocator of one's own */
#include <brotli/encode.h>
#include <event2/event.h>
#include <zlib.h>
#include <zstd.h>

#include <stdlib.h>
#include <string.h>

#include "../privsep/log.h"
#include "encode.h"
#include "range.h"
#include "worker.h"

#define LITTLE   4096        /* goes at once */
#define SOON     10          /* ms */
#define OUT_SIZE (16 * 1024) /* said at a time; a chunk's size has room for it */
#define BR_WIN   16          /* beyond it brotli takes memory by the ten MB */
#define BR_LEAST 2           /* below, it makes a block of each little piece */
#define STEP     (16 * 1024) /* given at a time */
#define GZ_COST  (272UL * 1024)
#define ZS_WIN   16           /* RFC 9659 allows 23 */
#define ZS_HINT  (128 * 1024) /* as if no answer were longer: tables by it */

/* What an encoder takes at most, by brotli's level; as measured (encode_test). */
#define KB 1024UL
static const size_t br_cost[] = { 1024 * KB, 1024 * KB, 1024 * KB, 1024 * KB, 2048 * KB,
	2048 * KB, 2048 * KB, 2048 * KB, 2048 * KB, 2816 * KB, 8192 * KB, 8192 * KB };

/* ... by zstd's, which is never 0. */
static const size_t zs_cost[] = { 0, 1024 * KB, 1024 * KB, 1024 * KB, 1280 * KB,
	1280 * KB, 1280 * KB, 1280 * KB, 1280 * KB, 1280 * KB, 1280 * KB, 1536 * KB,
	1536 * KB };

enum how {
	HOW_MORE,
	HOW_FLUSH,
	HOW_END,
};

struct encode {
	const struct coder *coder;
	BrotliEncoderState *br;
	z_stream gz;
	ZSTD_CCtx *zs;
	struct event *ev_flush;
	size_t cost;
	size_t unsaid; /* bytes written since the last flush */
	bool waiting;  /* ev_flush is added */
};

/* --- memory: counted, and wiped, as answers hold secrets --- */

static struct encode_use use;

struct piece {
	size_t size;
	max_align_t data[];
};

static void *
piece_get(void *arg, size_t size)
{
	struct piece *p;

	(void)arg;
	if (size > ENCODE_MEMORY || (p = malloc(sizeof(*p) + size)) == NULL)
		return (NULL);
	p->size = size;
	use.memory += size;
	if (use.memory > use.most)
		use.most = use.memory;
	return (p->data);
}

static void
piece_free(void *arg, void *data)
{
	struct piece *p;

	(void)arg;
	if (data == NULL)
		return;
	p = (struct piece *)((char *)data - offsetof(struct piece, data));
	use.memory -= p->size;
	explicit_bzero(p->data, p->size);
	free(p);
}

struct encode_use
encode_use(void)
{
	return (use);
}

static void *
gz_alloc(void *arg, unsigned int n, unsigned int size)
{
	return (piece_get(arg, (size_t)n * size));
}

/* --- encoders --- */

/* gzip's window: the smallest that holds all of it, but 9 is the least there is. */
static int
window(int64_t length)
{
	int bits = 9;

	if (length < 0)
		return (MAX_WBITS);
	while (bits < MAX_WBITS && length > (int64_t)1 << bits)
		bits++;
	return (bits);
}

static bool
br_open(struct encode *e, unsigned int level, int64_t length)
{
	e->br = BrotliEncoderCreateInstance(piece_get, piece_free, NULL);
	if (e->br == NULL)
		return (false);
	if (length >= 0 && length < UINT32_MAX)
		BrotliEncoderSetParameter(
		    e->br, BROTLI_PARAM_SIZE_HINT, (uint32_t)length);
	BrotliEncoderSetParameter(e->br, BROTLI_PARAM_LGBLOCK, BR_WIN);
	BrotliEncoderSetParameter(e->br, BROTLI_PARAM_LGWIN, BR_WIN);
	return (BrotliEncoderSetParameter(e->br, BROTLI_PARAM_QUALITY,
		    level < BR_LEAST ? BR_LEAST : level) != 0);
}

static bool
gz_open(struct encode *e, unsigned int level, int64_t length)
{
	e->gz.zalloc = gz_alloc;
	e->gz.zfree = piece_free;
	/* 16: with gzip's head and tail. */
	return (deflateInit2(&e->gz, (int)level, Z_DEFLATED, 16 + window(length), 8,
		    Z_DEFAULT_STRATEGY) == Z_OK);
}

static bool
zs_open(struct encode *e, unsigned int level, int64_t length)
{
	static const ZSTD_customMem mem = { piece_get, piece_free, NULL };

	(void)length;
	e->zs = ZSTD_createCCtx_advanced(mem);
	return (e->zs != NULL &&
	    !ZSTD_isError(
		ZSTD_CCtx_setParameter(e->zs, ZSTD_c_compressionLevel, (int)level)) &&
	    !ZSTD_isError(ZSTD_CCtx_setParameter(e->zs, ZSTD_c_windowLog, ZS_WIN)) &&
	    !ZSTD_isError(ZSTD_CCtx_setParameter(e->zs, ZSTD_c_srcSizeHint, ZS_HINT)));
}

static void
br_close(struct encode *e)
{
	if (e->br != NULL)
		BrotliEncoderDestroyInstance(e->br);
}

static void
gz_close(struct encode *e)
{
	if (e->gz.state != NULL)
		deflateEnd(&e->gz);
}

static void
zs_close(struct encode *e)
{
	ZSTD_freeCCtx(e->zs);
}

static void
say(struct stream *s, const uint8_t *out, size_t len)
{
	if (len > 0)
		s->front->write(s, out, len);
}

static bool
br_run(struct stream *s, struct encode *e, const uint8_t *in, size_t len, enum how how)
{
	static const BrotliEncoderOperation op[] = {
		[HOW_MORE] = BROTLI_OPERATION_PROCESS,
		[HOW_FLUSH] = BROTLI_OPERATION_FLUSH,
		[HOW_END] = BROTLI_OPERATION_FINISH,
	};
	uint8_t out[OUT_SIZE], *next;
	size_t room;

	do {
		next = out;
		room = sizeof(out);
		if (!BrotliEncoderCompressStream(
			e->br, op[how], &len, &in, &room, &next, NULL))
			return (false);
		say(s, out, sizeof(out) - room);
	} while (len > 0 || BrotliEncoderHasMoreOutput(e->br));
	return (true);
}

static bool
gz_run(struct stream *s, struct encode *e, const uint8_t *in, size_t len, enum how how)
{
	static const int op[] = {
		[HOW_MORE] = Z_NO_FLUSH,
		[HOW_FLUSH] = Z_SYNC_FLUSH,
		[HOW_END] = Z_FINISH,
	};
	uint8_t out[OUT_SIZE];
	int rv;

	e->gz.next_in = in;
	e->gz.avail_in = (unsigned int)len;
	do {
		e->gz.next_out = out;
		e->gz.avail_out = sizeof(out);
		rv = deflate(&e->gz, op[how]);
		if (rv != Z_OK && rv != Z_STREAM_END && rv != Z_BUF_ERROR)
			return (false);
		say(s, out, sizeof(out) - e->gz.avail_out);
	} while (e->gz.avail_out == 0);
	return (true);
}

static bool
zs_run(struct stream *s, struct encode *e, const uint8_t *in, size_t len, enum how how)
{
	static const ZSTD_EndDirective op[] = {
		[HOW_MORE] = ZSTD_e_continue,
		[HOW_FLUSH] = ZSTD_e_flush,
		[HOW_END] = ZSTD_e_end,
	};
	uint8_t buf[OUT_SIZE];
	ZSTD_inBuffer from = { in, len, 0 };
	size_t left;

	do {
		ZSTD_outBuffer to = { buf, sizeof(buf), 0 };

		left = ZSTD_compressStream2(e->zs, &to, &from, op[how]);
		if (ZSTD_isError(left))
			return (false);
		say(s, buf, to.pos);
	} while (from.pos < from.size || (how != HOW_MORE && left > 0));
	return (true);
}

static const struct coder {
	unsigned int coding;
	size_t level;        /* where struct conf_http has it */
	const size_t *costs; /* by level; NULL: cost */
	size_t cost;
	bool (*open)(struct encode *, unsigned int level, int64_t length);
	/* False: it cannot go on. */
	bool (*run)(struct stream *, struct encode *, const uint8_t *, size_t, enum how);
	void (*close)(struct encode *);
} coders[] = {
	{ CODING_ZSTD, offsetof(struct conf_http, zstd), zs_cost, 0, zs_open, zs_run,
	    zs_close },
	{ CODING_BR, offsetof(struct conf_http, brotli), br_cost, 0, br_open, br_run,
	    br_close },
	{ CODING_GZIP, offsetof(struct conf_http, gzip), NULL, GZ_COST, gz_open, gz_run,
	    gz_close },
};

static const struct coder *
coder_of(unsigned int coding)
{
	for (size_t i = 0; i < sizeof(coders) / sizeof(coders[0]); i++)
		if (coders[i].coding == coding)
			return (&coders[i]);
	fatalx("BUG: no coder %u", coding);
}

static void
run(struct stream *s, const void *in, size_t len, enum how how)
{
	if (s->encode->coder->run(s, s->encode, in, len, how))
		return;
	/* Out of memory: what went cannot be completed. */
	log_event(LOG_WARNING, "encode.failed", LOG_S("rid", s->rid));
	stream_reset(s);
}

static void
on_flush(evutil_socket_t fd, short what, void *arg)
{
	struct stream *s = arg;
	struct encode *e = s->encode;

	(void)fd;
	(void)what;
	event_del(e->ev_flush);
	e->waiting = false;
	if (e->unsaid == 0 || s->ended || s->closed)
		return;
	e->unsaid = 0;
	run(s, NULL, 0, HOW_FLUSH);
}

/* --- for stream.c --- */

void
encode_free(struct stream *s)
{
	struct encode *e = s->encode;

	if (e == NULL)
		return;
	s->encode = NULL;
	e->coder->close(e);
	if (e->ev_flush != NULL)
		event_free(e->ev_flush);
	use.reserved -= e->cost;
	free(e);
}

static bool
encode_open(struct stream *s, unsigned int coding, int64_t length)
{
	const struct coder *c = coder_of(coding);
	const char *http = (const char *)&s->w->conf->http;
	struct encode *e;
	uint32_t level;
	size_t cost;

	memcpy(&level, http + c->level, sizeof(level));
	cost = c->costs != NULL ? c->costs[level] : c->cost;
	if (cost > ENCODE_MEMORY - use.reserved)
		return (false);
	if ((e = calloc(1, sizeof(*e))) == NULL)
		fatal("calloc");
	s->encode = e;
	e->coder = c;
	e->cost = cost;
	use.reserved += cost;
	e->ev_flush = evtimer_new(s->w->base, on_flush, s);
	if (e->ev_flush != NULL && c->open(e, level, length))
		return (true);
	encode_free(s);
	return (false);
}

void
encode_begin(struct stream *s, struct encode_head *e)
{
	struct encode_head before;
	unsigned int coding;

	before.h = e->h;
	before.n = e->n;
	before.length = e->length;
	coding = encode_pick(s, e);
	if (coding == CODING_IDENTITY || s->head.method == METHOD_HEAD)
		return;
	if (encode_open(s, coding, before.length))
		return;
	e->h = before.h;
	e->n = before.n;
	e->length = before.length;
}

void
encode_write(struct stream *s, const void *data, size_t len)
{
	static const struct timeval soon = { 0, SOON * 1000 };
	struct encode *e = s->encode;
	const uint8_t *p = data;
	size_t n;

	e->unsaid += len;
	/* Much at a time has brotli take more memory. */
	for (; len > 0 && !s->ended; p += n, len -= n) {
		n = len < STEP ? len : STEP;
		run(s, p, n, HOW_MORE);
	}
	if (s->ended)
		return;
	if (e->unsaid < LITTLE)
		event_active(e->ev_flush, EV_TIMEOUT, 0);
	else if (!e->waiting) {
		e->waiting = true;
		event_add(e->ev_flush, &soon);
	}
}

void
encode_end(struct stream *s)
{
	run(s, NULL, 0, HOW_END);
}
