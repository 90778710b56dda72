/*
 * Header blocks of HTTP/2: what would become something else once it is written
 * as HTTP/1.1 is refused.  nghttp2 refuses some of it before; here it is shown
 * that nothing hangs on that.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "../../worker/h2.h"

#define NROWS(a) (sizeof(a) / sizeof((a)[0]))

struct field {
	const char *name;
	const char *value;
};

/* clang-format off */
#define GET(...)	{ { ":method", "GET" }, { ":scheme", "https" },	\
			{ ":authority", "Ex.org:443" }, { ":path", "/" }, \
			__VA_ARGS__ }
/* clang-format on */

static const struct {
	const char *what;
	enum http_error error;
	struct field f[12];
} rows[] = {
	{ "fine", HTTP_E_NONE, GET({ "accept", "*/*" }) },
	{ "host is the same", HTTP_E_NONE, GET({ "host", "ex.org:443" }) },
	{ "host is another", HTTP_E_HOST, GET({ "host", "evil.org" }) },
	{ "te: trailers", HTTP_E_NONE, GET({ "te", "trailers" }) },
	{ "te: other", HTTP_E_TE, GET({ "te", "trailers, gzip" }) },
	{ "connection", HTTP_E_CONNECTION, GET({ "connection", "close" }) },
	{ "keep-alive", HTTP_E_CONNECTION, GET({ "keep-alive", "1" }) },
	{ "proxy-connection", HTTP_E_CONNECTION, GET({ "proxy-connection", "x" }) },
	{ "transfer-encoding", HTTP_E_CONNECTION,
	    GET({ "transfer-encoding", "chunked" }) },
	{ "upgrade", HTTP_E_CONNECTION, GET({ "upgrade", "websocket" }) },
	{ "http2-settings", HTTP_E_CONNECTION, GET({ "http2-settings", "" }) },
	{ "name in capitals", HTTP_E_NAME, GET({ "Accept", "x" }) },
	{ "CRLF in a name", HTTP_E_NAME, GET({ "a\r\nb", "x" }) },
	{ "colon in a name", HTTP_E_NAME, GET({ "a: b", "x" }) },
	{ "space in a name", HTTP_E_NAME, GET({ "a ", "x" }) },
	{ "no name", HTTP_E_NAME, GET({ "", "x" }) },
	{ "alias of a name", HTTP_E_NAME_ALIAS, GET({ "content_length", "1" }) },
	{ "CRLF in a value", HTTP_E_VALUE,
	    GET({ "a", "x\r\ntransfer-encoding: chunked" }) },
	{ "LF in a value", HTTP_E_VALUE, GET({ "a", "x\ny" }) },
	{ "length of nothing", HTTP_E_LENGTH, GET({ "content-length", "1" }) },
	{ "a bad length", HTTP_E_LENGTH, GET({ "content-length", "+1" }) },
	{ "two lengths", HTTP_E_DUP,
	    GET({ "content-length", "0" }, { "content-length", "0" }) },
	{ "pseudo header after others", HTTP_E_NAME,
	    { { ":method", "GET" }, { ":scheme", "https" }, { "a", "b" },
		{ ":path", "/" }, { ":authority", "h" } } },
	{ "unknown pseudo header", HTTP_E_NAME, GET({ ":status", "200" }) },
	{ "two paths", HTTP_E_DUP, GET({ ":path", "/b" }) },
	{ "no authority", HTTP_E_NO_HOST,
	    { { ":method", "GET" }, { ":scheme", "https" }, { ":path", "/" },
		{ "host", "h" } } },
	{ "empty authority", HTTP_E_NO_HOST,
	    { { ":method", "GET" }, { ":scheme", "https" }, { ":path", "/" },
		{ ":authority", "" } } },
	{ "user in the authority", HTTP_E_HOST,
	    { { ":method", "GET" }, { ":scheme", "https" }, { ":path", "/" },
		{ ":authority", "a@h" } } },
	{ "CRLF in the authority", HTTP_E_VALUE,
	    { { ":method", "GET" }, { ":scheme", "https" }, { ":path", "/" },
		{ ":authority", "h\r\nx: y" } } },
	{ "http", HTTP_E_TARGET,
	    { { ":method", "GET" }, { ":scheme", "http" }, { ":path", "/" },
		{ ":authority", "h" } } },
	{ "no scheme", HTTP_E_TARGET,
	    { { ":method", "GET" }, { ":path", "/" }, { ":authority", "h" } } },
	{ "no path", HTTP_E_TARGET,
	    { { ":method", "GET" }, { ":scheme", "https" }, { ":authority", "h" } } },
	{ "path without slash", HTTP_E_TARGET,
	    { { ":method", "GET" }, { ":scheme", "https" }, { ":path", "x" },
		{ ":authority", "h" } } },
	{ "star, not OPTIONS", HTTP_E_TARGET,
	    { { ":method", "GET" }, { ":scheme", "https" }, { ":path", "*" },
		{ ":authority", "h" } } },
	{ "OPTIONS *", HTTP_E_NONE,
	    { { ":method", "OPTIONS" }, { ":scheme", "https" }, { ":path", "*" },
		{ ":authority", "h" } } },
	{ "request line in the path", HTTP_E_TARGET,
	    { { ":method", "GET" }, { ":scheme", "https" },
		{ ":path", "/ HTTP/1.1\r\nHost: x" }, { ":authority", "h" } } },
	{ "space in the method", HTTP_E_METHOD,
	    { { ":method", "GET / HTTP/1.1" }, { ":scheme", "https" }, { ":path", "/" },
		{ ":authority", "h" } } },
	{ "CONNECT", HTTP_E_CONNECT,
	    { { ":method", "CONNECT" }, { ":authority", "h:22" } } },
	{ "CONNECT for something else", HTTP_E_CONNECT,
	    { { ":method", "CONNECT" }, { ":protocol", "connect-udp" },
		{ ":scheme", "https" }, { ":path", "/" }, { ":authority", "h" } } },
	{ "protocol without CONNECT", HTTP_E_UPGRADE,
	    { { ":method", "GET" }, { ":protocol", "websocket" }, { ":scheme", "https" },
		{ ":path", "/" }, { ":authority", "h" } } },
	{ "WebSocket that ends at once", HTTP_E_LENGTH,
	    { { ":method", "CONNECT" }, { ":protocol", "websocket" },
		{ ":scheme", "https" }, { ":path", "/" }, { ":authority", "h" } } },
};

static struct h2_block b;
static struct http_head head;
static char bytes[H2_LIST_MAX];

static enum http_error
finish(bool end_stream, struct h2_request *rq)
{
	memcpy(bytes, b.buf, b.used);
	http_head_init(&head);
	return (h2_block_finish(&b, bytes, SLICE("https"), end_stream, &head, rq));
}

static void
add_all(const struct field *f, size_t n)
{
	h2_block_begin(&b, false);
	for (size_t i = 0; i < n && f[i].name != NULL; i++)
		assert_true(
		    h2_block_add(&b, slice_str(f[i].name), slice_str(f[i].value)));
}

static void
test_rows(void **state)
{
	struct h2_request rq;
	enum http_error e;

	(void)state;
	for (size_t i = 0; i < NROWS(rows); i++) {
		add_all(rows[i].f, NROWS(rows[i].f));
		e = finish(true, &rq);
		if (e != rows[i].error)
			fail_msg("%s: %s", rows[i].what, http_error_name(e));
	}
}

static void
test_nul(void **state)
{
	struct h2_request rq;

	(void)state;
	add_all(rows[0].f, NROWS(rows[0].f));
	h2_block_add(&b, SLICE("a"), SLICE("x\0y"));
	assert_int_equal(finish(true, &rq), HTTP_E_VALUE);
	add_all(rows[0].f, NROWS(rows[0].f));
	h2_block_add(&b, SLICE("a\0"), SLICE("x"));
	assert_int_equal(finish(true, &rq), HTTP_E_NAME);
}

static void
test_fine(void **state)
{
	struct h2_request rq;

	(void)state;
	add_all(rows[0].f, NROWS(rows[0].f));
	h2_block_add(&b, SLICE("priority"), SLICE("i, u=1"));
	assert_int_equal(finish(true, &rq), HTTP_E_NONE);
	assert_int_equal(head.method, METHOD_GET);
	assert_int_equal(head.body, BODY_NONE);
	assert_true(slice_eq(head.host, SLICE("ex.org:443")));
	assert_true(slice_eq(head.target, SLICE("/")));
	assert_false(rq.websocket);
	assert_int_equal(rq.urgency, 1);
}

static void
test_body(void **state)
{
	struct h2_request rq;

	(void)state;
	add_all(rows[0].f, NROWS(rows[0].f));
	assert_int_equal(finish(false, &rq), HTTP_E_NONE);
	assert_int_equal(head.body, BODY_CHUNKED);
	h2_block_add(&b, SLICE("content-length"), SLICE("5"));
	assert_int_equal(finish(false, &rq), HTTP_E_NONE);
	assert_int_equal(head.body, BODY_LENGTH);
	assert_int_equal(head.content_length, 5);
}

static void
test_websocket(void **state)
{
	static const struct field f[] = { { ":method", "CONNECT" },
		{ ":protocol", "websocket" }, { ":scheme", "https" }, { ":path", "/ws" },
		{ ":authority", "h" } };
	struct h2_request rq;

	(void)state;
	add_all(f, NROWS(f));
	assert_int_equal(finish(false, &rq), HTTP_E_NONE);
	assert_true(rq.websocket);
	assert_int_equal(head.method, METHOD_GET);
	assert_int_equal(head.body, BODY_NONE);
	h2_block_add(&b, SLICE("content-length"), SLICE("0"));
	assert_int_equal(finish(false, &rq), HTTP_E_LENGTH);
}

static void
test_bounds(void **state)
{
	static char big[H2_LIST_STOP];
	struct h2_request rq;
	int i;

	(void)state;
	memset(big, 'x', sizeof(big));
	/* One more header than may be. */
	add_all(rows[0].f, NROWS(rows[0].f));
	for (i = 0; i < HTTP_HEADER_MAX; i++)
		assert_true(h2_block_add(&b, SLICE("a"), SLICE("b")));
	assert_int_equal(finish(true, &rq), HTTP_E_HEADERS);
	/* A list that is too long is answered, ... */
	add_all(rows[0].f, NROWS(rows[0].f));
	assert_true(h2_block_add(&b, SLICE("a"), (struct slice){ big, H2_LIST_MAX }));
	assert_int_equal(finish(true, &rq), HTTP_E_HEAD_LONG);
	/* ... one without end is not. */
	for (i = 0; i < 2000 && h2_block_add(&b, SLICE(""), SLICE("")); i++)
		;
	assert_in_range(i, 900, 1024);
	assert_false(h2_block_add(&b, SLICE("a"), (struct slice){ big, sizeof(big) }));
	/* As much as may be fits. */
	h2_block_begin(&b, false);
	assert_true(
	    h2_block_add(&b, SLICE("a"), (struct slice){ big, H2_LIST_MAX - 33 }));
	assert_int_equal(b.error, HTTP_E_NONE);
	assert_int_equal(b.used, H2_LIST_MAX - 32);
}

static void
test_trailer(void **state)
{
	(void)state;
	h2_block_begin(&b, true);
	for (int i = 0; i < 500; i++)
		assert_true(h2_block_add(&b, SLICE("a"), SLICE("b")));
	assert_int_equal(b.used, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_rows),
		cmocka_unit_test(test_nul), cmocka_unit_test(test_fine),
		cmocka_unit_test(test_body), cmocka_unit_test(test_websocket),
		cmocka_unit_test(test_bounds), cmocka_unit_test(test_trailer) };

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
