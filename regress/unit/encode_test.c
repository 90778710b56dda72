/*
 * Which answers are compressed, what their heads say then, and their bytes: through
 * the functions of stream.h, with a front that only writes down.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <brotli/decode.h>
#include <zlib.h>
#include <zstd.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../worker/encode.h"
#include "../../worker/session.h"
#include "../../worker/worker.h"

static struct {
	unsigned int status;
	int64_t length;
	char heads[8192]; /* "name: value\n", in their order */
	uint8_t *body;
	size_t len, most; /* most: at one write */
	bool ended, reset;
} got;

static void
f_respond(struct stream *s, unsigned int status, const struct header *h, size_t n,
    int64_t length)
{
	size_t at = 0;

	(void)s;
	got.status = status;
	got.length = length;
	for (size_t i = 0; i < n; i++)
		at += (size_t)snprintf(got.heads + at, sizeof(got.heads) - at,
		    "%.*s: %.*s\n", (int)h[i].name.len, h[i].name.p, (int)h[i].value.len,
		    h[i].value.p);
}

static void
f_write(struct stream *s, const void *data, size_t len)
{
	(void)s;
	got.body = realloc(got.body, got.len + len);
	assert_non_null(got.body);
	memcpy(got.body + got.len, data, len);
	got.len += len;
	if (len > got.most)
		got.most = len;
}

static void
f_end(struct stream *s)
{
	(void)s;
	got.ended = true;
}

static void
f_reset(struct stream *s)
{
	(void)s;
	got.reset = true;
}

static const struct stream_front front = {
	.respond = f_respond, .write = f_write, .end = f_end, .reset = f_reset
};

static struct conf_for_worker conf;
static struct stream stream;
static char head[4096];

static void
begin(const char *lines)
{
	free(got.body);
	memset(&got, 0, sizeof(got));
	stream_init(&stream, &worker, &front, NULL);
	snprintf(head, sizeof(head), "%s HTTP/1.1\r\nHost: h\r\n%s\r\n",
	    strncmp(lines, "HEAD ", 5) == 0 ? "HEAD /" : "GET /",
	    strncmp(lines, "HEAD ", 5) == 0 ? lines + 5 : lines);
	assert_int_equal(http_request_parse(&stream.head, head, strlen(head)), HTTP_DONE);
}

/* "name: value; name: value" with ';' for the line's end. */
static size_t
headers(const char *text, struct header h[8])
{
	static char copy[2048];
	size_t n = 0;
	char *p, *save, *colon;

	snprintf(copy, sizeof(copy), "%s", text);
	for (p = strtok_r(copy, "\n", &save); p != NULL;
	     p = strtok_r(NULL, "\n", &save)) {
		colon = strstr(p, ": ");
		assert_non_null(colon);
		h[n++] = (struct header){ { p, (size_t)(colon - p) },
			slice_str(colon + 2) };
	}
	return (n);
}

static int
setup(void **state)
{
	(void)state;
	/* The worker's session.c, not auth's, is linked for what answers. */
	assert_non_null(session_who);
	worker.conf = &conf;
	worker.master.self = P_WORKER;
	worker.master.peer = P_MASTER;
	worker.master.closed = true;
	worker.master.fd = -1;
	worker.base = event_base_new();
	assert_non_null(worker.base);
	conf.http.brotli = 5;
	conf.http.gzip = 6;
	conf.http.zstd = 8;
	conf.http.brotli_on = conf.http.gzip_on = conf.http.zstd_on = 1;
	conf.http.compress_min = 1024;
	return (0);
}

#define TEXT "content-type: text/plain"
#define BR   "Accept-Encoding: gzip, deflate, br\r\n"
#define GZ   "Accept-Encoding: gzip\r\n"
#define ZS   "Accept-Encoding: gzip, deflate, br, zstd\r\n"
#define OWN  "Sec-Fetch-Site: same-origin\r\n"
#define MINE "Cookie: a=b\r\n"
#define VARY "vary: accept-encoding\n"

/* What is asked, what is answered, and the head that goes out. */
static void
test_pick(void **state)
{
	static const struct {
		const char *request, *answer;
		unsigned int status;
		int64_t length, sent;
		const char *heads;
	} rows[] = {
		{ BR, TEXT, 200, 5000, -1, TEXT "\n" VARY "content-encoding: br\n" },
		{ GZ, TEXT, 200, 5000, -1, TEXT "\n" VARY "content-encoding: gzip\n" },
		{ BR, TEXT, 200, -1, -1, TEXT "\n" VARY "content-encoding: br\n" },
		{ "HEAD " BR, TEXT, 200, 5000, -1,
		    TEXT "\n" VARY "content-encoding: br\n" },
		{ BR, TEXT, 404, 5000, -1, TEXT "\n" VARY "content-encoding: br\n" },
		{ ZS, TEXT, 200, 5000, -1, TEXT "\n" VARY "content-encoding: zstd\n" },
		{ "Accept-Encoding: zstd;q=0.9, br\r\n", TEXT, 200, 5000, -1,
		    TEXT "\n" VARY "content-encoding: br\n" },
		{ "Accept-Encoding: zstd;q=0, *\r\n", TEXT, 200, 5000, -1,
		    TEXT "\n" VARY "content-encoding: br\n" },
		{ BR, TEXT "\ncontent-encoding: zstd", 200, 5000, 5000,
		    TEXT "\ncontent-encoding: zstd\n" },
		/* too little, or not wanted: it says that it could be otherwise */
		{ BR, TEXT, 200, 1023, 1023, TEXT "\n" VARY },
		{ "", TEXT, 200, 5000, 5000, TEXT "\n" VARY },
		{ "Accept-Encoding: br;q=0, *;q=0\r\n", TEXT, 200, 5000, 5000,
		    TEXT "\n" VARY },
		/* never twice, never a part, never what is sealed */
		{ BR, TEXT "\ncontent-encoding: gzip", 200, 5000, 5000,
		    TEXT "\ncontent-encoding: gzip\n" },
		{ BR, TEXT "\ncontent-encoding: identity", 200, 5000, -1,
		    TEXT "\n" VARY "content-encoding: br\n" },
		{ BR, TEXT "\ncontent-range: bytes 0-1/2", 206, 5000, 5000,
		    TEXT "\ncontent-range: bytes 0-1/2\n" },
		{ BR, TEXT "\ncache-control: private, no-transform", 200, 5000, 5000,
		    TEXT "\ncache-control: private, no-transform\n" },
		{ BR, TEXT "\nrepr-digest: sha-256=:AA==:", 200, 5000, 5000,
		    TEXT "\nrepr-digest: sha-256=:AA==:\n" },
		{ BR, TEXT, 204, 0, 0, TEXT "\n" },
		{ BR, TEXT, 302, 5000, 5000, TEXT "\n" },
		/* types */
		{ BR, "content-type: image/png", 200, 5000, 5000,
		    "content-type: image/png\n" },
		{ BR, "content-type: application/vnd.api+json; charset=x", 200, 5000, -1,
		    "content-type: application/vnd.api+json; charset=x\n" VARY
		    "content-encoding: br\n" },
		{ BR, "x: y", 200, 5000, 5000, "x: y\n" },
		/* who asks: BREACH */
		{ BR MINE OWN, TEXT, 200, 5000, -1,
		    TEXT "\n" VARY "content-encoding: br\n" },
		{ BR MINE "Sec-Fetch-Site: none\r\n", TEXT, 200, 5000, -1,
		    TEXT "\n" VARY "content-encoding: br\n" },
		{ BR MINE, TEXT, 200, 5000, 5000, TEXT "\n" VARY },
		{ BR MINE "Sec-Fetch-Site: cross-site\r\n", TEXT, 200, 5000, 5000,
		    TEXT "\n" VARY },
		{ BR MINE "Sec-Fetch-Site: same-site\r\n", TEXT, 200, 5000, 5000,
		    TEXT "\n" VARY },
		{ BR "Sec-Fetch-Site: cross-site\r\n", TEXT, 200, 5000, 5000,
		    TEXT "\n" VARY },
		{ BR MINE, TEXT "\ncache-control: public, max-age=1", 200, 5000, -1,
		    TEXT "\ncache-control: public, max-age=1\n" VARY
			 "content-encoding: br\n" },
		/* entity tags, Vary, ranges */
		{ BR, TEXT "\netag: \"x\"\naccept-ranges: bytes", 200, 5000, -1,
		    TEXT "\n" VARY "content-encoding: br\netag: W/\"x\"\n" },
		{ BR, TEXT "\netag: W/\"x\"", 200, 5000, -1,
		    TEXT "\n" VARY "content-encoding: br\netag: W/\"x\"\n" },
		{ "", TEXT "\netag: \"x\"\naccept-ranges: bytes", 200, 5000, 5000,
		    TEXT "\netag: \"x\"\naccept-ranges: bytes\n" VARY },
		{ BR, TEXT "\nvary: origin\nvary: cookie", 200, 5000, -1,
		    TEXT "\nvary: origin\nvary: cookie\n" VARY "content-encoding: br\n" },
		{ BR, TEXT "\nvary: Accept-Encoding\nvary: cookie", 200, 5000, -1,
		    TEXT
		    "\nvary: Accept-Encoding\nvary: cookie\ncontent-encoding: br\n" },
		{ BR, TEXT "\nvary: Accept-Encoding", 200, 5000, -1,
		    TEXT "\nvary: Accept-Encoding\ncontent-encoding: br\n" },
		{ BR, TEXT "\nvary: *", 200, 5000, -1,
		    TEXT "\nvary: *\ncontent-encoding: br\n" },
		{ BR "If-None-Match: W/\"x\"\r\n", "etag: \"x\"", 304, -1, -1,
		    "etag: W/\"x\"\n" },
		{ BR "If-None-Match: \"x\"\r\n", "etag: \"x\"", 304, -1, -1,
		    "etag: \"x\"\n" },
		{ BR "If-None-Match: W/\"y\"\r\n", "etag: \"x\"", 304, -1, -1,
		    "etag: \"x\"\n" },
	};
	struct header h[8];
	size_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		begin(rows[i].request);
		n = headers(rows[i].answer, h);
		stream_respond(&stream, rows[i].status, h, n, rows[i].length);
		if (strcmp(got.heads, rows[i].heads) != 0 || got.length != rows[i].sent)
			fail_msg("row %zu: length %lld, %s", i, (long long)got.length,
			    got.heads);
		assert_int_equal(got.status, rows[i].status);
		if (strncmp(rows[i].request, "HEAD ", 5) == 0)
			assert_null(stream.encode);
		stream_close(&stream);
		assert_null(stream.encode);
	}
	assert_int_equal(encode_use().memory, 0);
	assert_int_equal(encode_use().reserved, 0);
}

static void
test_off(void **state)
{
	struct header h[8];

	(void)state;
	conf.http.zstd_on = 0;
	begin(ZS);
	stream_respond(&stream, 200, h, headers(TEXT, h), 5000);
	assert_string_equal(got.heads, TEXT "\n" VARY "content-encoding: br\n");
	stream_close(&stream);
	conf.http.brotli_on = 0;
	begin(BR);
	stream_respond(&stream, 200, h, headers(TEXT, h), 5000);
	assert_string_equal(got.heads, TEXT "\n" VARY "content-encoding: gzip\n");
	stream_close(&stream);
	conf.http.gzip_on = 0;
	begin(BR);
	stream_respond(&stream, 200, h, headers(TEXT, h), 5000);
	assert_string_equal(got.heads, TEXT "\n");
	stream_close(&stream);
	conf.http.brotli_on = conf.http.gzip_on = conf.http.zstd_on = 1;
}

/* --- bytes --- */

#define SIZE 1000000
static uint8_t plain[SIZE], back[SIZE + 1];

/* What is asked for, how it is decoded, and the levels there are. */
static const struct kind {
	const char *request, *name;
	uint32_t *level, least, most;
} kinds[] = {
	{ BR, "brotli", &conf.http.brotli, 0, 11 },
	{ GZ, "gzip", &conf.http.gzip, 1, 9 },
	{ ZS, "zstd", &conf.http.zstd, 1, 12 },
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static size_t
decode(const struct kind *k)
{
	size_t len = sizeof(back);

	if (strcmp(k->name, "zstd") == 0) {
		/* A window of 64 KB is enough for whoever reads it. */
		ZSTD_DCtx *d = ZSTD_createDCtx();
		ZSTD_inBuffer in = { got.body, got.len, 0 };
		ZSTD_outBuffer out = { back, sizeof(back), 0 };

		assert_non_null(d);
		assert_int_equal(
		    ZSTD_isError(ZSTD_DCtx_setParameter(d, ZSTD_d_windowLogMax, 16)), 0);
		assert_int_equal(ZSTD_decompressStream(d, &out, &in), 0);
		assert_int_equal(in.pos, in.size);
		ZSTD_freeDCtx(d);
		len = out.pos;
	} else if (strcmp(k->name, "brotli") == 0) {
		assert_int_equal(BrotliDecoderDecompress(got.len, got.body, &len, back),
		    BROTLI_DECODER_RESULT_SUCCESS);
	} else {
		z_stream z = { .next_in = got.body,
			.avail_in = (unsigned int)got.len,
			.next_out = back,
			.avail_out = sizeof(back) };

		assert_int_equal(inflateInit2(&z, 16 + MAX_WBITS), Z_OK);
		assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
		assert_int_equal(z.avail_in, 0);
		len = z.total_out;
		inflateEnd(&z);
	}
	return (len);
}

/* Half of it can be compressed, half cannot. */
static void
fill(void)
{
	uint32_t r = 1;

	for (size_t i = 0; i < SIZE; i++) {
		r = r * 1664525 + 1013904223;
		plain[i] = i / 20000 % 2 ? (uint8_t)(r >> 24) :
					   (uint8_t)("lorem ipsum "[r >> 29]);
	}
}

static void
test_level(const struct kind *kind, unsigned int level)
{
	static const size_t steps[] = { 1, 1000, SIZE };
	size_t before, size, step;
	struct header h[8];

	*kind->level = level;
	for (size_t k = 0; k < sizeof(steps) / sizeof(steps[0]); k++) {
		step = steps[k];
		size = step == 1 ? 10000 : level < 9 ? SIZE : SIZE / 10;
		begin(kind->request);
		stream_respond(&stream, 200, h, headers(TEXT, h), -1);
		before = encode_use().reserved;
		assert_true(before > 0 && before <= ENCODE_MEMORY);
		for (size_t at = 0; at < size; at += step)
			stream_write(
			    &stream, plain + at, step < size - at ? step : size - at);
		/* More than it was thought to take, it did not. */
		if (encode_use().memory > before || encode_use().memory == 0)
			fail_msg("level %u, step %zu, %s: %zu of %zu", level, step,
			    kind->name, encode_use().memory, before);
		stream_end(&stream);
		assert_true(got.ended);
		assert_true(got.most <= 16384);
		assert_int_equal(decode(kind), size);
		assert_memory_equal(back, plain, size);
		assert_true(got.len < size * 7 / 8);
		stream_close(&stream);
		assert_int_equal(encode_use().memory, 0);
	}
}

static void
test_bytes(void **state)
{
	(void)state;
	for (const struct kind *k = kinds; k < kinds + KINDS; k++) {
		uint32_t level, usual = *k->level;

		for (level = k->least; level <= k->most; level += level < 5 ? 1 : 2)
			test_level(k, level);
		*k->level = usual;
	}
}

/* Events: each is whole at the client before the next is written. */
static void
test_flush(void **state)
{
	struct header h[8];
	size_t len;

	(void)state;
	for (const struct kind *k = kinds; k < kinds + KINDS; k++) {
		begin(k->request);
		stream_respond(
		    &stream, 200, h, headers("content-type: text/event-stream", h), -1);
		for (int i = 0; i < 3; i++) {
			stream_write(&stream, "data: x\n\n", 9);
			len = got.len;
			event_base_loop(worker.base, EVLOOP_NONBLOCK);
			assert_true(got.len > len);
			/* And only once. */
			len = got.len;
			event_base_loop(worker.base, EVLOOP_NONBLOCK);
			assert_int_equal(got.len, len);
		}
		/* Much of it waits a moment, and then goes without any doing. */
		stream_write(&stream, plain, 20000);
		len = got.len;
		event_base_loop(worker.base, EVLOOP_ONCE);
		assert_true(got.len > len);
		stream_end(&stream);
		assert_int_equal(decode(k), 27 + 20000);
		stream_close(&stream);
		event_base_loop(worker.base, EVLOOP_NONBLOCK);
	}
}

/* A hundred at once: those that find no memory any more go as they are. */
static void
test_many(void **state)
{
	static struct stream s[100];
	static char heads[100][200];
	unsigned int coded = 0;
	struct header h[8];

	(void)state;
	free(got.body);
	memset(&got, 0, sizeof(got));
	for (int i = 0; i < 100; i++) {
		stream_init(&s[i], &worker, &front, NULL);
		snprintf(heads[i], sizeof(heads[i]),
		    "GET / HTTP/1.1\r\nHost: h\r\n" BR "\r\n");
		assert_int_equal(
		    http_request_parse(&s[i].head, heads[i], strlen(heads[i])),
		    HTTP_DONE);
		stream_respond(&s[i], 200, h, headers(TEXT "\netag: \"x\"", h), 100000);
		coded += s[i].encode != NULL;
		if (s[i].encode == NULL) {
			assert_string_equal(got.heads, TEXT "\netag: \"x\"\n");
			assert_int_equal(got.length, 100000);
		}
		stream_write(&s[i], plain, 50000);
		assert_true(encode_use().memory <= ENCODE_MEMORY);
	}
	assert_in_range(coded, 4, 99);
	for (int i = 0; i < 100; i++)
		stream_close(&s[i]);
	assert_int_equal(encode_use().memory, 0);
	assert_int_equal(encode_use().reserved, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pick),
		cmocka_unit_test(test_off),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_flush),
		cmocka_unit_test(test_many),
	};

	fill();
	return (cmocka_run_group_tests(tests, setup, NULL));
}
