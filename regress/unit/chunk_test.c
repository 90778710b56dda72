/*
 * The chunked coding: what is decoded, what is refused, the bounds, and that
 * no cut of the bytes into calls changes a result.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../worker/chunk.h"

#define NROWS(a) (sizeof(a) / sizeof((a)[0]))
#define L        "0\r\n\r\n"

struct outcome {
	enum chunk_result result;
	enum chunk_error error;
	size_t used;
	size_t len; /* of data */
	char data[256];
};

/* Feeds up to cut, then step bytes at a time, each in a buffer of its own. */
static struct outcome
decode(const char *in, size_t len, uint64_t max, size_t cut, size_t step)
{
	struct outcome o;
	struct chunk c;
	size_t end = cut, n, out;
	char *buf;

	memset(&o, 0, sizeof(o));
	chunk_init(&c, max);
	for (;;) {
		n = end - o.used;
		buf = malloc(n == 0 ? 1 : n);
		assert_non_null(buf);
		memcpy(buf, in + o.used, n);
		o.result = chunk_decode(&c, buf, &n, &out);
		assert_true(n <= end - o.used);
		assert_true(out <= n);
		assert_true(o.len + out <= sizeof(o.data));
		memcpy(o.data + o.len, buf, out);
		free(buf);
		o.len += out;
		o.used += n;
		if (o.result != CHUNK_MORE)
			break;
		assert_int_equal(o.used, end);
		if (end == len)
			break;
		end = len - end > step ? end + step : len;
	}
	assert_int_equal(c.total, o.len);
	o.error = c.error;
	if (o.result != CHUNK_MORE) { /* and so it stays */
		char x = '0';

		n = 1;
		assert_int_equal(chunk_decode(&c, &x, &n, &out), o.result);
		assert_int_equal(n, 0);
		assert_int_equal(out, 0);
	}
	return (o);
}

static void
same(const char *in, size_t len, uint64_t max, const struct outcome *whole)
{
	struct outcome o;

	for (size_t cut = 0; cut <= len; cut++)
		for (int all = 0; all < 2; all++) {
			o = decode(in, len, max, cut, all ? len : 1);
			if (o.result != whole->result || o.error != whole->error ||
			    o.used != whole->used || o.len != whole->len ||
			    memcmp(o.data, whole->data, o.len) != 0)
				fail_msg("%s: cut at %zu differs", in, cut);
		}
}

static void
test_good(void **state)
{
	static const struct {
		const char *in, *data;
		size_t behind; /* bytes of the next message */
	} rows[] = {
		{ L, "", 0 },
		{ L "GET /", "", 5 },
		{ L L, "", 5 },
		{ L "\r\n", "", 2 },
		{ "5\r\nhello\r\n" L, "hello", 0 },
		{ "5\r\nhello\r\n" L "x", "hello", 1 },
		{ "05\r\nhello\r\n" L, "hello", 0 },
		{ "0000000000000005\r\nhello\r\n" L, "hello", 0 },
		{ "1\r\na\r\n1\r\nb\r\n1\r\nc\r\n" L, "abc", 0 },
		{ "a\r\n0123456789\r\nA\r\nabcdefghij\r\n" L, "0123456789abcdefghij", 0 },
		{ "10\r\n0123456789abcdef\r\n" L, "0123456789abcdef", 0 },
		{ "2\r\n\r\n\r\n" L, "\r\n", 0 },
		{ "5\r\n0\r\n\r\n\r\n" L, "0\r\n\r\n", 0 },
		{ "0000\r\n\r\n", "", 0 },
		{ "0000000000000000\r\n\r\n", "", 0 },
		{ "1;a\r\nx\r\n" L, "x", 0 },
		{ "1;a=b\r\nx\r\n" L, "x", 0 },
		{ "1;a=b;c;d=\"e\"\r\nx\r\n" L, "x", 0 },
		{ "1;a=\"\"\r\nx\r\n" L, "x", 0 },
		{ "1;a=\"b \t;,\\\" \\\\ \xe9\"\r\nx\r\n" L, "x", 0 },
		{ "1;a=\"b\";c\r\nx\r\n" L, "x", 0 },
		{ "1;!#$%&'*+-.^_`|~=1\r\nx\r\n" L, "x", 0 },
		{ "0;a\r\n\r\n", "", 0 },
		{ "0\r\nA: b\r\n\r\n", "", 0 },
		{ "0\r\nA:\r\nB: c d\t\xe9\r\nC:x\r\n\r\n", "", 0 },
		{ "1\r\nx\r\n0\r\nA: b\r\n\r\nGET", "x", 3 },
	};
	struct outcome o;

	(void)state;
	for (size_t i = 0; i < NROWS(rows); i++) {
		size_t len = strlen(rows[i].in);

		o = decode(rows[i].in, len, INT64_MAX, len, 1);
		if (o.result != CHUNK_DONE || o.len != strlen(rows[i].data) ||
		    memcmp(o.data, rows[i].data, o.len) != 0 ||
		    o.used != len - rows[i].behind)
			fail_msg("%s: %s", rows[i].in, chunk_error_reason(o.error));
		same(rows[i].in, len, INT64_MAX, &o);
	}
}

static void
test_bad(void **state)
{
	static const struct {
		const char *in;
		enum chunk_error error;
	} rows[] = {
		{ "\r\n", CHUNK_E_SIZE },
		{ "\n", CHUNK_E_SIZE },
		{ " 5\r\n", CHUNK_E_SIZE },
		{ "\t5\r\n", CHUNK_E_SIZE },
		{ "5 \r\n", CHUNK_E_SIZE },
		{ "5\t\r\n", CHUNK_E_SIZE },
		{ "5 ;a\r\n", CHUNK_E_SIZE },
		{ "5\n", CHUNK_E_SIZE },
		{ "5\r\r\n", CHUNK_E_SIZE },
		{ "5\rx", CHUNK_E_SIZE },
		{ "+5\r\n", CHUNK_E_SIZE },
		{ "-5\r\n", CHUNK_E_SIZE },
		{ "0x5\r\n", CHUNK_E_SIZE },
		{ "5h\r\n", CHUNK_E_SIZE },
		{ "g\r\n", CHUNK_E_SIZE },
		{ "/\r\n", CHUNK_E_SIZE },
		{ ":\r\n", CHUNK_E_SIZE },
		{ "@\r\n", CHUNK_E_SIZE },
		{ "`\r\n", CHUNK_E_SIZE },
		{ "G\r\n", CHUNK_E_SIZE },
		{ "\xb5\r\n", CHUNK_E_SIZE },
		{ "5,5\r\n", CHUNK_E_SIZE },
		{ "5.\r\n", CHUNK_E_SIZE },
		{ ";a\r\n", CHUNK_E_SIZE },
		{ "hello", CHUNK_E_SIZE },
		{ "\x16\x03\x01", CHUNK_E_SIZE },
		{ "00000000000000000\r\n", CHUNK_E_SIZE_BIG },
		{ "10000000000000000\r\n", CHUNK_E_SIZE_BIG },
		{ "8000000000000000\r\n", CHUNK_E_SIZE_BIG },
		{ "FFFFFFFFFFFFFFFF\r\n", CHUNK_E_SIZE_BIG },
		{ "FFFFFFFFFFFFFFFF;a\r\n", CHUNK_E_SIZE_BIG },
		{ "1\r\nx\r\n7fffffffffffffff\r\n", CHUNK_E_BODY_BIG },
		{ "1\r\nx\n", CHUNK_E_CRLF },
		{ "1\r\nxy", CHUNK_E_CRLF },
		{ "1\r\nx\ry", CHUNK_E_CRLF },
		{ "1\r\nx\r\r", CHUNK_E_CRLF },
		{ "1\r\nx0\r\n\r\n", CHUNK_E_CRLF },
		{ "1;\r\n", CHUNK_E_EXT },
		{ "1; a\r\n", CHUNK_E_EXT },
		{ "1;;\r\n", CHUNK_E_EXT },
		{ "1;=b\r\n", CHUNK_E_EXT },
		{ "1;a=\r\n", CHUNK_E_EXT },
		{ "1;a =b\r\n", CHUNK_E_EXT },
		{ "1;a= b\r\n", CHUNK_E_EXT },
		{ "1;a=b=c\r\n", CHUNK_E_EXT },
		{ "1;a=b c\r\n", CHUNK_E_EXT },
		{ "1;a\n", CHUNK_E_EXT },
		{ "1;a\rb", CHUNK_E_EXT },
		{ "1;a\r\r", CHUNK_E_EXT },
		{ "1;a=b\n", CHUNK_E_EXT },
		{ "1;a=\"b\r", CHUNK_E_EXT },
		{ "1;a=\"b\n", CHUNK_E_EXT },
		{ "1;a=\"\\\r", CHUNK_E_EXT },
		{ "1;a=\"\x01", CHUNK_E_EXT },
		{ "1;a=\"\x7f", CHUNK_E_EXT },
		{ "1;a=\"b\"c", CHUNK_E_EXT },
		{ "1;a=\"b\" ", CHUNK_E_EXT },
		{ "1;a=\"b\"\n", CHUNK_E_EXT },
		{ "1;a=b\"c\"", CHUNK_E_EXT },
		{ "1;\xe9", CHUNK_E_EXT },
		{ "1;a(", CHUNK_E_EXT },
		{ "0;a\n", CHUNK_E_EXT },
		{ "0\n", CHUNK_E_SIZE },
		{ "0\r\n\n", CHUNK_E_TRAILER },
		{ "0\r\n\rx", CHUNK_E_TRAILER },
		{ "0\r\n\r\r", CHUNK_E_TRAILER },
		{ "0\r\n A: b", CHUNK_E_TRAILER },
		{ "0\r\n\tA: b", CHUNK_E_TRAILER },
		{ "0\r\n: b", CHUNK_E_TRAILER },
		{ "0\r\nA\r\n", CHUNK_E_TRAILER },
		{ "0\r\nA : b", CHUNK_E_TRAILER },
		{ "0\r\nA: b\n", CHUNK_E_TRAILER },
		{ "0\r\nA: b\rc", CHUNK_E_TRAILER },
		{ "0\r\nA: b\r\n c", CHUNK_E_TRAILER },
		{ "0\r\nA: \x01", CHUNK_E_TRAILER },
		{ "0\r\nA: \x7f", CHUNK_E_TRAILER },
		{ "0\r\n\xe9: b", CHUNK_E_TRAILER },
		{ "0\r\nGET / HTTP/1.1\r\n", CHUNK_E_TRAILER },
	};
	struct outcome o;

	(void)state;
	for (size_t i = 0; i < NROWS(rows); i++) {
		size_t len = strlen(rows[i].in);

		o = decode(rows[i].in, len, INT64_MAX, len, 1);
		if (o.result != CHUNK_ERROR || o.error != rows[i].error)
			fail_msg("%s: %s", rows[i].in, chunk_error_reason(o.error));
		same(rows[i].in, len, INT64_MAX, &o);
		assert_true(chunk_error_status(o.error) >= 400);
	}
	o = decode("5\0\r\n", 4, INT64_MAX, 4, 1);
	assert_int_equal(o.error, CHUNK_E_SIZE);
	o = decode("0\r\nA: \0\r\n", 9, INT64_MAX, 9, 1);
	assert_int_equal(o.error, CHUNK_E_TRAILER);
	assert_int_equal(chunk_error_status(CHUNK_E_MAX), 400);
	assert_non_null(chunk_error_reason(CHUNK_E_MAX));
}

/* Every beginning of a good body waits for more. */
static void
test_incomplete(void **state)
{
	const char *in = "5;a=\"b\"\r\nhello\r\n0\r\nA: b\r\n\r\n";
	struct outcome o;

	(void)state;
	for (size_t len = 0; len < strlen(in); len++) {
		o = decode(in, len, INT64_MAX, len, 1);
		assert_int_equal(o.result, CHUNK_MORE);
		assert_int_equal(o.used, len);
	}
	/* A short chunk takes its CRLF for data. */
	o = decode("2\r\nx\r\n", 6, INT64_MAX, 6, 1);
	assert_int_equal(o.error, CHUNK_E_CRLF);
	o = decode("7fffffffffffffff\r\nx", 19, INT64_MAX, 19, 1);
	assert_int_equal(o.result, CHUNK_MORE);
}

static void
test_max(void **state)
{
	const char *in = "3\r\nabc\r\n3\r\ndef\r\n" L;
	size_t len = strlen(in);
	struct outcome o;

	(void)state;
	assert_int_equal(decode(in, len, 6, len, 1).result, CHUNK_DONE);
	o = decode(in, len, 5, len, 1);
	assert_int_equal(o.error, CHUNK_E_BODY_BIG);
	assert_int_equal(o.len, 3);
	same(in, len, 5, &o);
	assert_int_equal(chunk_error_status(o.error), 413);
	assert_int_equal(decode(in, len, 0, len, 1).error, CHUNK_E_BODY_BIG);
	assert_int_equal(decode(L, 5, 0, 5, 1).result, CHUNK_DONE);
	assert_int_equal(decode(in, len, UINT64_MAX, len, 1).result, CHUNK_DONE);
}

static enum chunk_error
filled(const char *before, size_t n, const char *after, int times)
{
	static char buf[CHUNK_TRAILER_MAX * 3];
	struct chunk c;
	size_t len = 0, out;

	for (; times > 0; times--) {
		len += (size_t)snprintf(buf + len, sizeof(buf) - len, "%s", before);
		memset(buf + len, 'a', n);
		len += n;
		len += (size_t)snprintf(buf + len, sizeof(buf) - len, "%s", after);
	}
	chunk_init(&c, INT64_MAX);
	(void)chunk_decode(&c, buf, &len, &out);
	return (c.error);
}

static void
test_bounds(void **state)
{
	(void)state;
	/* the name, and the CR that ends it */
	assert_int_equal(filled("1;", CHUNK_EXT_MAX - 1, "\r\nx\r\n", 1), CHUNK_E_NONE);
	assert_int_equal(filled("1;", CHUNK_EXT_MAX, "\r\nx\r\n", 1), CHUNK_E_EXT_LONG);
	assert_int_equal(filled("1;a=\"", CHUNK_EXT_MAX, "\"\r\n", 1), CHUNK_E_EXT_LONG);
	assert_int_equal(
	    filled("1;", 255, "\r\nx\r\n", CHUNK_EXTS_MAX / 256), CHUNK_E_NONE);
	assert_int_equal(
	    filled("1;", 255, "\r\nx\r\n", CHUNK_EXTS_MAX / 256 + 1), CHUNK_E_EXT_LONG);
	assert_int_equal(
	    filled("0\r\nA:", CHUNK_TRAILER_MAX - 6, "\r\n\r\n", 1), CHUNK_E_NONE);
	assert_int_equal(filled("0\r\nA:", CHUNK_TRAILER_MAX - 5, "\r\n\r\n", 1),
	    CHUNK_E_TRAILER_LONG);
	assert_int_equal(
	    filled("0\r\n", CHUNK_TRAILER_MAX + 1, "", 1), CHUNK_E_TRAILER_LONG);
	assert_int_equal(chunk_error_status(CHUNK_E_TRAILER_LONG), 431);
}

/* What the encoder writes is what the decoder reads. */
static void
test_head(void **state)
{
	static const uint64_t sizes[] = { 1, 9, 10, 15, 16, 17, 255, 256, 4095, 4096,
		65535, 65536, UINT32_MAX, (uint64_t)UINT32_MAX + 1, INT64_MAX,
		UINT64_MAX };
	char out[CHUNK_HEAD_MAX], expect[32];
	struct chunk c;
	size_t n, data;

	(void)state;
	for (size_t i = 0; i < NROWS(sizes); i++) {
		n = chunk_head(out, sizes[i]);
		snprintf(expect, sizeof(expect), "%" PRIx64 "\r\n", sizes[i]);
		assert_int_equal(n, strlen(expect));
		assert_memory_equal(out, expect, n);
		chunk_init(&c, INT64_MAX);
		if (sizes[i] > INT64_MAX)
			continue;
		assert_int_equal(chunk_decode(&c, out, &n, &data), CHUNK_MORE);
		assert_int_equal(c.left, sizes[i]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_incomplete),
		cmocka_unit_test(test_max),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_head),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
