/*
 * Heads of requests: what is accepted, what is refused, and the bounds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../worker/http1.h"

#define NROWS(a) (sizeof(a) / sizeof((a)[0]))
#define H        "Host: ided.test\r\n"
#define G        "GET / HTTP/1.1\r\n"

/* A copy of exactly these bytes, so that a read behind them is seen. */
static char *
copy(const char *p, size_t len)
{
	char *c = malloc(len == 0 ? 1 : len);

	assert_non_null(c);
	memcpy(c, p, len);
	return (c);
}

static enum http_result
request(struct http_head *h, const char *in, char **buf)
{
	*buf = copy(in, strlen(in));
	http_head_init(h);
	return (http_request_parse(h, *buf, strlen(in)));
}

static void
test_request_fields(void **state)
{
	const char *in = "POST /a?b=c HTTP/1.1\r\nHost: IDED.test:8443\r\n"
			 "Content-LENGTH: 42\r\nX-Odd:  two  words \t\r\nX-None:\r\n"
			 "Cookie: a=1\r\nCookie: b=2\r\nExpect: 100-Continue\r\n\r\nbody";
	struct http_head h;
	char *buf;

	(void)state;
	assert_int_equal(request(&h, in, &buf), HTTP_DONE);
	assert_int_equal(h.method, METHOD_POST);
	assert_true(slice_eq(h.token, SLICE("POST")));
	assert_true(slice_eq(h.target, SLICE("/a?b=c")));
	assert_int_equal(h.minor, 1);
	assert_int_equal(h.size, strlen(in) - 4);
	assert_true(slice_eq(h.host, SLICE("ided.test:8443")));
	assert_true(slice_eq(h.hostname, SLICE("ided.test")));
	assert_int_equal(h.port, 8443);
	assert_int_equal(h.body, BODY_LENGTH);
	assert_int_equal(h.content_length, 42);
	assert_true(h.expect_continue);
	assert_true(h.keep_alive);
	assert_false(h.chunked);
	assert_false(h.websocket);
	assert_int_equal(h.nheader, 7);
	assert_true(slice_eq(h.header[2].name, SLICE("x-odd")));
	assert_true(slice_eq(h.header[2].value, SLICE("two  words")));
	assert_int_equal(h.header[2].id, HDR_OTHER);
	assert_non_null(h.header[3].value.p);
	assert_int_equal(h.header[3].value.len, 0);
	assert_true(slice_eq(http_header(&h, HDR_COOKIE), SLICE("a=1")));
	assert_null(http_header(&h, HDR_ORIGIN).p);
	assert_null(http_header(&h, HDR_OTHER).p);
	/* and it stays so */
	assert_int_equal(http_request_parse(&h, buf, strlen(in)), HTTP_DONE);
	assert_int_equal(h.size, strlen(in) - 4);
	free(buf);
}

static void
test_request_derived(void **state)
{
	static const struct {
		const char *in;
		enum http_method method;
		enum http_body body;
		int64_t length;
		bool keep_alive, websocket, expect;
	} rows[] = {
#define R(m, v, f) m " / HTTP/1." v "\r\n" H f "\r\n"
		{ R("GET", "1", ""), METHOD_GET, BODY_NONE, -1, true, false, false },
		{ R("GET", "0", ""), METHOD_GET, BODY_NONE, -1, false, false, false },
		{ R("GET", "0", "Connection: keep-alive\r\n"), METHOD_GET, BODY_NONE, -1,
		    true, false, false },
		{ R("GET", "0", "Connection: Keep-Alive, close\r\n"), METHOD_GET,
		    BODY_NONE, -1, false, false, false },
		{ R("GET", "1", "Connection: CLOSE\r\n"), METHOD_GET, BODY_NONE, -1,
		    false, false, false },
		{ R("GET", "1", "Connection: a\r\nConnection: ,b ,\tclose,\r\n"),
		    METHOD_GET, BODY_NONE, -1, false, false, false },
		{ R("GET", "1", "Connection:\r\n"), METHOD_GET, BODY_NONE, -1, true,
		    false, false },
		{ R("GET", "1", "Connection: closed\r\n"), METHOD_GET, BODY_NONE, -1,
		    true, false, false },
		{ R("GET", "1", "Connection: a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p\r\n"),
		    METHOD_GET, BODY_NONE, -1, true, false, false },
		{ R("GET", "1", "Connection: an-option-longer-than-any-known-header\r\n"),
		    METHOD_GET, BODY_NONE, -1, true, false, false },
		{ R("GET", "1", "X_name_longer_than_any_header_that_is_known: a\r\n"),
		    METHOD_GET, BODY_NONE, -1, true, false, false },
		{ R("HEAD", "1", ""), METHOD_HEAD, BODY_NONE, -1, true, false, false },
		{ R("PUT", "1", "Content-Length: 0\r\n"), METHOD_PUT, BODY_NONE, 0, true,
		    false, false },
		{ R("PUT", "0", "Content-Length: 1\r\n"), METHOD_PUT, BODY_LENGTH, 1,
		    false, false, false },
		{ R("PATCH", "1", "Transfer-Encoding: chunked\r\n"), METHOD_PATCH,
		    BODY_CHUNKED, -1, true, false, false },
		{ R("DELETE", "1", "Content-Length: 9223372036854775807\r\n"),
		    METHOD_DELETE, BODY_LENGTH, INT64_MAX, true, false, false },
		{ R("OPTIONS", "1", ""), METHOD_OPTIONS, BODY_NONE, -1, true, false,
		    false },
		{ R("TRACE", "1", ""), METHOD_TRACE, BODY_NONE, -1, true, false, false },
		{ R("get", "1", ""), METHOD_OTHER, BODY_NONE, -1, true, false, false },
		{ R("GETS", "1", ""), METHOD_OTHER, BODY_NONE, -1, true, false, false },
		{ R("M-SEARCH", "1", ""), METHOD_OTHER, BODY_NONE, -1, true, false,
		    false },
		{ R("POST", "1", "Expect: 100-continue\r\n"), METHOD_POST, BODY_NONE, -1,
		    true, false, true },
		{ R("POST", "0", "Expect: 100-continue\r\n"), METHOD_POST, BODY_NONE, -1,
		    false, false, false },
		{ R("GET", "1", "Upgrade: websocket\r\nConnection: Upgrade\r\n"),
		    METHOD_GET, BODY_NONE, -1, true, true, false },
		{ R("GET", "1", "Upgrade: WebSocket\r\nConnection: a, UPGRADE\r\n"),
		    METHOD_GET, BODY_NONE, -1, true, true, false },
		{ R("GET", "1", "Upgrade: websocket\r\n"), METHOD_GET, BODY_NONE, -1,
		    true, false, false },
		{ R("GET", "1", "Connection: upgrade\r\n"), METHOD_GET, BODY_NONE, -1,
		    true, false, false },
		{ R("GET", "0", "Upgrade: websocket\r\nConnection: Upgrade\r\n"),
		    METHOD_GET, BODY_NONE, -1, false, false, false },
		{ R("POST", "1", "Upgrade: websocket\r\nConnection: Upgrade\r\n"),
		    METHOD_POST, BODY_NONE, -1, true, false, false },
		{ R("GET", "1", "Upgrade: h2c, websocket\r\nConnection: upgrade\r\n"),
		    METHOD_GET, BODY_NONE, -1, true, false, false },
		{ R("GET", "1", "Upgrade: websocket/13\r\nConnection: upgrade\r\n"),
		    METHOD_GET, BODY_NONE, -1, true, false, false },
		{ R("GET", "1", "Upgrade:\r\nConnection: upgrade\r\n"), METHOD_GET,
		    BODY_NONE, -1, true, false, false },
	};
	struct http_head h;
	char *buf;

	(void)state;
	for (size_t i = 0; i < NROWS(rows); i++) {
		if (request(&h, rows[i].in, &buf) != HTTP_DONE)
			fail_msg("%s: %s", rows[i].in, http_error_reason(h.error));
		if (h.method != rows[i].method || h.body != rows[i].body ||
		    h.content_length != rows[i].length ||
		    h.keep_alive != rows[i].keep_alive ||
		    h.websocket != rows[i].websocket ||
		    h.expect_continue != rows[i].expect)
			fail_msg("%s: method %d body %d length %lld %d%d%d", rows[i].in,
			    h.method, h.body, (long long)h.content_length, h.keep_alive,
			    h.websocket, h.expect_continue);
		free(buf);
	}
}

static void
test_request_errors(void **state)
{
	static const struct {
		const char *in;
		enum http_error error;
	} rows[] = {
		{ "\x16\x03\x01", HTTP_E_TLS },
		{ "\r\n\x16", HTTP_E_TLS },
		{ "PRI * HTTP/2.0\r\n", HTTP_E_PREFACE },
		{ "PRI * HTTP/2.1\r\n", HTTP_E_TARGET },
		{ " ", HTTP_E_GARBAGE },
		{ "\x80", HTTP_E_GARBAGE },
		{ "(", HTTP_E_GARBAGE },
		{ "\r\n\r\n", HTTP_E_GARBAGE },
		{ "\n", HTTP_E_BARE_LF },
		{ "\r\n\n", HTTP_E_BARE_LF },
		{ "GET / HTTP/1.1\n", HTTP_E_BARE_LF },
		{ G "\n", HTTP_E_BARE_LF },
		{ G H "X: y\n", HTTP_E_BARE_LF },
		{ "GET\r\n", HTTP_E_START },
		{ "G(T / HTTP/1.1\r\n", HTTP_E_METHOD },
		{ "GET\t/ HTTP/1.1\r\n", HTTP_E_METHOD },
		{ "AAAAAAAABBBBBBBBCCCCCCCCDDDDDDDDE / HTTP/1.1\r\n",
		    HTTP_E_METHOD_LONG },
		{ "CONNECT a:1 HTTP/1.1\r\n", HTTP_E_CONNECT },
		{ "GET * HTTP/1.1\r\n", HTTP_E_TARGET },
		{ "GET  HTTP/1.1\r\n", HTTP_E_TARGET },
		{ "GET http://a/ HTTP/1.1\r\n", HTTP_E_TARGET },
		{ "GET /\x7f HTTP/1.1\r\n", HTTP_E_TARGET },
		{ "GET /#a HTTP/1.1\r\n", HTTP_E_TARGET },
		{ "GET /\r\n", HTTP_E_VERSION },
		{ "GET / HTTP/1.1 \r\n", HTTP_E_VERSION },
		{ "GET / http/1.1\r\n", HTTP_E_VERSION },
		{ "GET / HTTP/x.1\r\n", HTTP_E_VERSION },
		{ "GET / HTTP/1.x\r\n", HTTP_E_VERSION },
		{ "GET / HTTP/ .1\r\n", HTTP_E_VERSION },
		{ "GET / HTTP/1./\r\n", HTTP_E_VERSION },
		{ "GET / HTTP/1.:\r\n", HTTP_E_VERSION },
		{ "GET / HTTP/1.2\r\n", HTTP_E_VERSION_OTHER },
		{ "GET / HTTP/2.0\r\n", HTTP_E_VERSION_OTHER },
		{ G " X: y\r\n", HTTP_E_FOLD },
		{ G H "\tX: y\r\n", HTTP_E_FOLD },
		{ G H " \r\n", HTTP_E_FOLD },
		{ G "X\r\n", HTTP_E_NAME },
		{ G ": y\r\n", HTTP_E_NAME },
		{ G "\x80: y\r\n", HTTP_E_NAME },
		{ G "\r\r\n", HTTP_E_NAME },
		{ G "X : y\r\n", HTTP_E_NAME_SPACE },
		{ G "X\t: y\r\n", HTTP_E_NAME_SPACE },
		{ G "X Y: z\r\n", HTTP_E_NAME_SPACE },
		{ G "Content_Length: 5\r\n", HTTP_E_NAME_ALIAS },
		{ G "x-forwarded_for: a\r\n", HTTP_E_NAME_ALIAS },
		{ G "X: a\rb\r\n", HTTP_E_VALUE },
		{ G "X: a\x01\r\n", HTTP_E_VALUE },
		{ G "X: a\x7f\r\n", HTTP_E_VALUE },
		{ G H H, HTTP_E_DUP },
		{ G "Range: a\r\nRange: b\r\n", HTTP_E_DUP },
		{ G "Upgrade: a\r\nUpgrade: b\r\n", HTTP_E_DUP },
		{ G "\r\n", HTTP_E_NO_HOST },
		{ "GET / HTTP/1.0\r\n\r\n", HTTP_E_NO_HOST },
		{ G "Host:\r\n\r\n", HTTP_E_HOST },
		{ G "Host: a,b\r\n\r\n", HTTP_E_HOST },
		{ G H "Content-Length:\r\n\r\n", HTTP_E_LENGTH },
		{ G H "Content-Length: -1\r\n\r\n", HTTP_E_LENGTH },
		{ G H "Content-Length: 01\r\n\r\n", HTTP_E_LENGTH },
		{ G H "Content-Length: 9223372036854775808\r\n\r\n", HTTP_E_LENGTH_BIG },
		{ G H "Content-Length: 10000000000000000000\r\n\r\n", HTTP_E_LENGTH_BIG },
		{ G H "Transfer-Encoding: gzip\r\n\r\n", HTTP_E_TE },
		{ G H "Transfer-Encoding: Chunked\r\n\r\n", HTTP_E_TE },
		{ "GET / HTTP/1.0\r\n" H "Transfer-Encoding: chunked\r\n\r\n",
		    HTTP_E_TE_10 },
		{ G H "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n",
		    HTTP_E_TE_CL },
		{ G H "Upgrade: websocket\r\nConnection: upgrade\r\n"
		      "Content-Length: 1\r\n\r\n",
		    HTTP_E_NO_BODY },
		{ G H "Connection: a b\r\n\r\n", HTTP_E_CONNECTION },
		{ G H "Connection: Host\r\n\r\n", HTTP_E_CONNECTION },
		{ G H "Connection: a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q\r\n\r\n",
		    HTTP_E_CONNECTION },
		{ G H "Expect: x\r\n\r\n", HTTP_E_EXPECT },
		{ G H "Expect:\r\n\r\n", HTTP_E_EXPECT },
		{ G H "Upgrade: a b\r\n\r\n", HTTP_E_UPGRADE },
		{ G H "Upgrade: /\r\n\r\n", HTTP_E_UPGRADE },
		{ G H "Upgrade: a/\r\n\r\n", HTTP_E_UPGRADE },
		{ G H "Upgrade: a/b/c\r\n\r\n", HTTP_E_UPGRADE },
	};
	struct http_head h;
	char *buf;

	(void)state;
	for (size_t i = 0; i < NROWS(rows); i++) {
		if (request(&h, rows[i].in, &buf) != HTTP_ERROR ||
		    h.error != rows[i].error)
			fail_msg(
			    "row %zu: %s: %s", i, rows[i].in, http_error_name(h.error));
		assert_int_equal(
		    http_request_parse(&h, buf, strlen(rows[i].in)), HTTP_ERROR);
		assert_true(http_error_status(h.error) >= 400);
		free(buf);
	}
	assert_int_equal(http_error_status(HTTP_E_MAX), 400);
	assert_non_null(http_error_reason(HTTP_E_MAX));
	assert_non_null(http_error_name(HTTP_E_MAX));
}

/* ---- bounds ---- */

/* before, n times fill, after */
static enum http_error
filled(const char *before, char fill, size_t n, const char *after)
{
	struct http_head h;
	size_t b = strlen(before), a = strlen(after);
	char *buf = malloc(b + n + a);
	enum http_result r;
	enum http_error e;

	assert_non_null(buf);
	memcpy(buf, before, b);
	memset(buf + b, fill, n);
	memcpy(buf + b + n, after, a);
	http_head_init(&h);
	r = http_request_parse(&h, buf, b + n + a);
	assert_true(r != HTTP_MORE);
	assert_true(r == HTTP_ERROR || h.size == b + n + a);
	e = h.error;
	/* the same in pieces, and in another place each time */
	http_head_init(&h);
	for (size_t i = 0; i < b + n + a; i += 61) {
		char *piece = copy(buf, i);

		r = http_request_parse(&h, piece, i);
		free(piece);
		if (r == HTTP_ERROR)
			break;
		assert_int_equal(r, HTTP_MORE);
	}
	(void)http_request_parse(&h, buf, b + n + a);
	assert_int_equal(h.error, e);
	free(buf);
	return (e);
}

static void
test_bounds(void **state)
{
	const char *x = G H "X:", *end = "\r\n\r\n", *v = " HTTP/1.1\r\n" H "\r\n";
	size_t rest = HTTP_HEAD_MAX - strlen(x) - strlen(end);

	(void)state;
	assert_int_equal(filled(x, 'a', rest, end), HTTP_E_NONE);
	assert_int_equal(filled(x, 'a', rest + 1, end), HTTP_E_HEAD_LONG);
	assert_int_equal(filled(x, 'a', 70000, ""), HTTP_E_HEAD_LONG);
	assert_int_equal(filled(x, ' ', 70000, ""), HTTP_E_HEAD_LONG);
	assert_int_equal(filled(G H, 'a', 40000, ":\r\n\r\n"), HTTP_E_HEAD_LONG);
	assert_int_equal(filled("GET /", 'a', HTTP_TARGET_MAX - 1, v), HTTP_E_NONE);
	assert_int_equal(filled("GET /", 'a', HTTP_TARGET_MAX, v), HTTP_E_TARGET_LONG);
	assert_int_equal(
	    filled("\r\nGET /", 'a', HTTP_TARGET_MAX, v), HTTP_E_TARGET_LONG);
	assert_int_equal(filled("GET /", 'a', 40000, v), HTTP_E_TARGET_LONG);
	assert_int_equal(filled("AAAAAAAABBBBBBBBCCCCCCCCDDDDDDDD /", 'a', 40000, v),
	    HTTP_E_TARGET_LONG);
	assert_int_equal(filled("GET ", ' ', 40000, v), HTTP_E_TARGET_LONG);
	assert_int_equal(
	    filled("", 'A', HTTP_METHOD_MAX, " / HTTP/1.1\r\n" H "\r\n"), HTTP_E_NONE);
	assert_int_equal(
	    filled("", 'A', HTTP_METHOD_MAX + 1, " / HTTP/1.1\r\n"), HTTP_E_METHOD_LONG);
	assert_int_equal(filled("", 'A', 40000, " / HTTP/1.1\r\n"), HTTP_E_METHOD_LONG);
	assert_int_equal(filled("GE", '\r', 40000, "T / HTTP/1.1\r\n"), HTTP_E_METHOD);
	assert_int_equal(filled("GE(T /", 'a', 40000, ""), HTTP_E_METHOD);
}

static void
test_header_count(void **state)
{
	struct http_head h;
	char buf[4096];

	(void)state;
	for (size_t n = HTTP_HEADER_MAX - 1; n <= HTTP_HEADER_MAX; n++) {
		size_t len = (size_t)snprintf(buf, sizeof(buf), G H);

		for (size_t i = 0; i < n; i++)
			len += (size_t)snprintf(buf + len, sizeof(buf) - len, "X: y\r\n");
		len += (size_t)snprintf(buf + len, sizeof(buf) - len, "\r\n");
		http_head_init(&h);
		if (n < HTTP_HEADER_MAX) {
			assert_int_equal(http_request_parse(&h, buf, len), HTTP_DONE);
			assert_int_equal(h.nheader, HTTP_HEADER_MAX);
		} else {
			assert_int_equal(http_request_parse(&h, buf, len), HTTP_ERROR);
			assert_int_equal(h.error, HTTP_E_HEADERS);
		}
	}
}
int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request_fields),
		cmocka_unit_test(test_request_derived),
		cmocka_unit_test(test_request_errors),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_header_count),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
