/*
 * Heads of responses from upstream: what is accepted, and what is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "../../worker/http1.h"

#define NROWS(a) (sizeof(a) / sizeof((a)[0]))

/* A copy of exactly these bytes, so that a read behind them is seen. */
static char *
copy(const char *p, size_t len)
{
	char *c = malloc(len == 0 ? 1 : len);

	assert_non_null(c);
	memcpy(c, p, len);
	return (c);
}

static void
test_response_ok(void **state)
{
	static const struct {
		const char *in;
		bool was_head;
		int status;
		enum http_body body;
		int64_t length;
		bool keep_alive, websocket;
	} rows[] = {
#define A(v, s, f) "HTTP/1." v " " s "\r\n" f "\r\n"
#define CL         "Content-Length: 5\r\n"
#define TE         "Transfer-Encoding: chunked\r\n"
		{ A("1", "200 OK", ""), false, 200, BODY_CLOSE, -1, false, false },
		{ A("1", "200 OK", CL), false, 200, BODY_LENGTH, 5, true, false },
		{ A("1", "200 ", CL), false, 200, BODY_LENGTH, 5, true, false },
		{ A("1", "200 Tr\xe8s bien\t!", CL), false, 200, BODY_LENGTH, 5, true,
		    false },
		{ A("1", "200 OK", "Content-Length: 0\r\n"), false, 200, BODY_NONE, 0,
		    true, false },
		{ A("1", "200 OK", "Content-Length: 0005\r\n"), false, 200, BODY_LENGTH,
		    5, true, false },
		{ A("1", "200 OK", "Content-Length: 000\r\n"), false, 200, BODY_NONE, 0,
		    true, false },
		{ A("1", "200 OK", TE), false, 200, BODY_CHUNKED, -1, true, false },
		{ A("1", "200 OK", "Transfer-Encoding: Chunked\r\n"), false, 200,
		    BODY_CHUNKED, -1, true, false },
		{ A("1", "200 OK", CL), true, 200, BODY_NONE, 5, true, false },
		{ A("1", "200 OK", TE), true, 200, BODY_NONE, -1, true, false },
		{ A("1", "200 OK", ""), true, 200, BODY_NONE, -1, true, false },
		{ A("1", "304 Not Modified", CL), false, 304, BODY_NONE, 5, true, false },
		{ A("1", "304 Not Modified", TE), false, 304, BODY_NONE, -1, true,
		    false },
		{ A("1", "304 Not Modified", ""), false, 304, BODY_NONE, -1, true,
		    false },
		{ A("1", "204 No Content", ""), false, 204, BODY_NONE, -1, true, false },
		{ A("1", "204 No Content", "Content-Length: 0\r\n"), false, 204,
		    BODY_NONE, 0, true, false },
		{ A("1", "100 Continue", ""), false, 100, BODY_NONE, -1, true, false },
		{ A("1", "103 Early Hints", "Link: </a>\r\n"), false, 103, BODY_NONE, -1,
		    true, false },
		{ A("1", "101 Switching Protocols",
		      "Upgrade: websocket\r\nConnection: Upgrade\r\n"),
		    false, 101, BODY_NONE, -1, true, true },
		{ A("1", "200 OK", CL "Upgrade: h2,h2c\r\n"), false, 200, BODY_LENGTH, 5,
		    true, false },
		{ A("0", "200 OK", CL), false, 200, BODY_LENGTH, 5, false, false },
		{ A("0", "200 OK", CL "Connection: keep-alive\r\n"), false, 200,
		    BODY_LENGTH, 5, true, false },
		{ A("0", "200 OK", "Connection: keep-alive\r\n"), false, 200, BODY_CLOSE,
		    -1, false, false },
		{ A("1", "200 OK", CL "Connection: close\r\n"), false, 200, BODY_LENGTH,
		    5, false, false },
		{ A("1", "200 OK", CL "Connection: close, X-Internal\r\n"), false, 200,
		    BODY_LENGTH, 5, false, false },
		{ A("1", "599 Odd", CL), false, 599, BODY_LENGTH, 5, true, false },
		{ A("1", "200 OK", CL "Set-Cookie: a\r\nSet-Cookie: b\r\n"), false, 200,
		    BODY_LENGTH, 5, true, false },
		{ A("1", "200 OK", CL "user_agent: a\r\n"), false, 200, BODY_LENGTH, 5,
		    true, false },
	};
	struct http_head h;

	(void)state;
	for (size_t i = 0; i < NROWS(rows); i++) {
		size_t len = strlen(rows[i].in);
		char *buf = copy(rows[i].in, len);

		http_head_init(&h);
		for (size_t n = 0; n < len; n++)
			if (http_response_parse(&h, buf, n, rows[i].was_head) !=
			    HTTP_MORE)
				fail_msg("row %zu at %zu: %s", i, n,
				    http_error_reason(h.error));
		if (http_response_parse(&h, buf, len, rows[i].was_head) != HTTP_DONE ||
		    h.size != len)
			fail_msg("row %zu: %s", i, http_error_reason(h.error));
		if (h.status != rows[i].status || h.body != rows[i].body ||
		    h.content_length != rows[i].length ||
		    h.keep_alive != rows[i].keep_alive ||
		    h.websocket != rows[i].websocket)
			fail_msg("row %zu: %s: body %d length %lld %d%d", i, rows[i].in,
			    h.body, (long long)h.content_length, h.keep_alive,
			    h.websocket);
		free(buf);
	}
}

static void
test_response_errors(void **state)
{
	static const struct {
		const char *in;
		enum http_error error;
	} rows[] = {
		{ "\r\nHTTP/1.1 200 OK\r\n", HTTP_E_GARBAGE },
		{ "\n", HTTP_E_GARBAGE },
		{ "ICY 200 OK\r\n", HTTP_E_GARBAGE },
		{ "GET / HTTP/1.1\r\n", HTTP_E_GARBAGE },
		{ "\x16\x03", HTTP_E_TLS },
		{ "HTTP/1.1 200 OK\n", HTTP_E_BARE_LF },
		{ "HTTP/1.1 200\r\n", HTTP_E_START },
		{ "HTTP/1.1\r\n", HTTP_E_START },
		{ "HTTP\r\n", HTTP_E_START },
		{ "HTTP/1.1  200 OK\r\n", HTTP_E_START },
		{ "HTTP/1.1\t200 OK\r\n", HTTP_E_START },
		{ "HTTP/1.1 2000 OK\r\n", HTTP_E_START },
		{ "HTTP/1.1 200\tOK\r\n", HTTP_E_START },
		{ "HTTP/1.1 200 O\rK\r\n", HTTP_E_START },
		{ "HTTP/1.1 200 O\x01K\r\n", HTTP_E_START },
		{ "HTTP/1.1 20x OK\r\n", HTTP_E_STATUS },
		{ "HTTP/1.1 +20 OK\r\n", HTTP_E_STATUS },
		{ "HTTP/1.1 099 OK\r\n", HTTP_E_STATUS },
		{ "HTTP/1.1 000 OK\r\n", HTTP_E_STATUS },
		{ "HTTP/1.1 600 OK\r\n", HTTP_E_STATUS },
		{ "HTTP/1.1 999 OK\r\n", HTTP_E_STATUS },
		{ "Http/1.1 200 OK\r\n", HTTP_E_VERSION },
		{ "HTTPS/1.1 200 OK\r\n", HTTP_E_VERSION },
		{ "HTTP/2.0 200 OK\r\n", HTTP_E_VERSION_OTHER },
		{ "HTTP/1.2 200 OK\r\n", HTTP_E_VERSION_OTHER },
		{ A("1", "200 OK", "X: y\n"), HTTP_E_BARE_LF },
		{ A("1", "200 OK", " X: y\r\n"), HTTP_E_FOLD },
		{ A("1", "200 OK", "X: y\r\n z\r\n"), HTTP_E_FOLD },
		{ A("1", "200 OK", "X : y\r\n"), HTTP_E_NAME_SPACE },
		{ A("1", "200 OK", "X\r\n"), HTTP_E_NAME },
		{ A("1", "200 OK", ": y\r\n"), HTTP_E_NAME },
		{ A("1", "200 OK", "X: \x02\r\n"), HTTP_E_VALUE },
		{ A("1", "200 OK", "X: a\rSet-Cookie: b\r\n"), HTTP_E_VALUE },
		{ A("1", "200 OK", CL CL), HTTP_E_DUP },
		{ A("1", "200 OK", TE TE), HTTP_E_DUP },
		{ A("1", "200 OK", "Location: a\r\nLocation: b\r\n"), HTTP_E_DUP },
		{ A("1", "200 OK", "Content-Length: 5,5\r\n"), HTTP_E_LENGTH },
		{ A("1", "200 OK", "Content-Length: +5\r\n"), HTTP_E_LENGTH },
		{ A("1", "200 OK", "Content-Length:\r\n"), HTTP_E_LENGTH },
		{ A("1", "200 OK", "Content-Length: 9223372036854775808\r\n"),
		    HTTP_E_LENGTH_BIG },
		{ A("1", "200 OK", CL TE), HTTP_E_TE_CL },
		{ A("1", "304 OK", CL TE), HTTP_E_TE_CL },
		{ A("0", "200 OK", TE), HTTP_E_TE_10 },
		{ A("1", "200 OK", "Transfer-Encoding: gzip, chunked\r\n"), HTTP_E_TE },
		{ A("1", "200 OK", "Transfer-Encoding: identity\r\n"), HTTP_E_TE },
		{ A("1", "200 OK", "Transfer-Encoding:\r\n"), HTTP_E_TE },
		{ A("1", "204 No", CL), HTTP_E_NO_BODY },
		{ A("1", "204 No", TE), HTTP_E_NO_BODY },
		{ A("1", "100 Go", CL), HTTP_E_NO_BODY },
		{ A("1", "101 Up", TE), HTTP_E_NO_BODY },
		{ A("1", "200 OK", "Connection: a;b\r\n"), HTTP_E_CONNECTION },
		{ A("1", "101 Up", "Upgrade: (\r\n"), HTTP_E_UPGRADE },
	};
	struct http_head h;

	(void)state;
	for (size_t i = 0; i < NROWS(rows); i++) {
		size_t len = strlen(rows[i].in), n;
		char *buf = copy(rows[i].in, len);

		http_head_init(&h);
		if (http_response_parse(&h, buf, len, false) != HTTP_ERROR ||
		    h.error != rows[i].error)
			fail_msg(
			    "row %zu: %s: %s", i, rows[i].in, http_error_name(h.error));
		http_head_init(&h);
		for (n = 0; n < len; n++)
			if (http_response_parse(&h, buf, n, false) == HTTP_ERROR)
				break;
		(void)http_response_parse(&h, buf, len, false);
		if (h.error != rows[i].error)
			fail_msg("row %zu, in pieces: %s", i, http_error_name(h.error));
		free(buf);
	}
}

static void
test_response_long(void **state)
{
	struct http_head h;
	static char buf[HTTP_HEAD_MAX + 1];

	(void)state;
	memset(buf, 'a', sizeof(buf));
	memcpy(buf, "HTTP/1.1 200 ", 13);
	http_head_init(&h);
	assert_int_equal(http_response_parse(&h, buf, sizeof(buf), false), HTTP_ERROR);
	assert_int_equal(h.error, HTTP_E_HEAD_LONG);
}
int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_response_ok),
		cmocka_unit_test(test_response_errors),
		cmocka_unit_test(test_response_long),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
