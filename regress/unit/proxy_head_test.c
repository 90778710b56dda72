/*
 * Heads on their way through the proxy, both ways: what passes, what is ours to
 * say, and that nothing of a head can become something else on the way.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../worker/proxy_head.h"
#include "../../worker/worker.h"

#define NROWS(a) (sizeof(a) / sizeof((a)[0]))
#define VIA                                                                              \
	"X-Forwarded-For: 192.0.2.7\r\n"                                                 \
	"X-Forwarded-Proto: https\r\n"                                                   \
	"X-Forwarded-Host: h\r\n"
#define KEY "dGhlIHNhbXBsZSBub25jZQ=="

/* A request as it came, and as it goes on; Host is always h. */
static const struct {
	const char *what, *in, *out;
} requests[] = {
	{ "as simple as can be", "GET /a?b=c HTTP/1.1\r\nHost: h\r\n\r\n",
	    "GET /a?b=c HTTP/1.1\r\nHost: h\r\n" VIA "\r\n" },
	{ "Host in capitals is one name only", "GET / HTTP/1.1\r\nHOST: H\r\n\r\n",
	    "GET / HTTP/1.1\r\nHost: h\r\n" VIA "\r\n" },
	{ "end-to-end headers pass in order",
	    "GET / HTTP/1.1\r\nHost: h\r\nAccept: */*\r\nX-A: 1\r\nx-a:  2 \r\n\r\n",
	    "GET / HTTP/1.1\r\nHost: h\r\naccept: */*\r\nx-a: 1\r\nx-a: 2\r\n" VIA
	    "\r\n" },
	{ "hop-by-hop headers do not",
	    "GET / HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, x-mine\r\n"
	    "Keep-Alive: timeout=5\r\nX-Mine: 1\r\nTE: trailers\r\n"
	    "Proxy-Connection: close\r\nProxy-Authorization: x\r\nTrailer: a\r\n"
	    "HTTP2-Settings: AAMAAABk\r\n\r\n",
	    "GET / HTTP/1.1\r\nHost: h\r\n" VIA "\r\n" },
	{ "an Upgrade to something else neither",
	    "GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\n"
	    "Upgrade: h2c\r\n\r\n",
	    "GET / HTTP/1.1\r\nHost: h\r\n" VIA "\r\n" },
	{ "nobody says where a request comes from but us",
	    "GET / HTTP/1.1\r\nHost: h\r\nForwarded: for=1.2.3.4\r\n"
	    "X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Host: evil\r\n"
	    "X-Forwarded-Proto: http\r\nX-Forwarded-Port: 1\r\n"
	    "X-Forwarded-Prefix: /evil\r\nX-Forwarded-Server: e\r\n"
	    "X-Real-IP: 1.2.3.4\r\nX-Original-Host: evil\r\n"
	    "X-Original-URL: /admin\r\nX-Rewrite-URL: /admin\r\n"
	    "True-Client-IP: 1.2.3.4\r\nX-Client-IP: 1.2.3.4\r\n\r\n",
	    "GET / HTTP/1.1\r\nHost: h\r\n" VIA "\r\n" },
	{ "our cookie is taken out, the others stay as they are",
	    "GET / HTTP/1.1\r\nHost: h\r\n"
	    "Cookie: a=1;  b=\"x y\"; __Host-ided=secret; c==; d\r\n\r\n",
	    "GET / HTTP/1.1\r\nHost: h\r\n"
	    "Cookie: a=1;  b=\"x y\"; c==; d\r\n" VIA "\r\n" },
	{ "no other cookie, no header",
	    "GET / HTTP/1.1\r\nHost: h\r\nCookie: __Host-ided=secret\r\n\r\n",
	    "GET / HTTP/1.1\r\nHost: h\r\n" VIA "\r\n" },
	{ "crumbs become one header",
	    "GET / HTTP/1.1\r\nHost: h\r\nCookie: a=1\r\n"
	    "Cookie: __Host-ided=secret\r\nCookie:\r\nCookie: b=2\r\n\r\n",
	    "GET / HTTP/1.1\r\nHost: h\r\nCookie: a=1; b=2\r\n" VIA "\r\n" },
	{ "ours twice is gone twice",
	    "GET / HTTP/1.1\r\nHost: h\r\nCookie: __Host-ided=1; x=1\r\n"
	    "Cookie: y=1; __Host-ided=2\r\n\r\n",
	    "GET / HTTP/1.1\r\nHost: h\r\nCookie: x=1; y=1\r\n" VIA "\r\n" },
	{ "a name that only looks like ours stays",
	    "GET / HTTP/1.1\r\nHost: h\r\nCookie: __Host-ided2=1; x__Host-ided=2\r\n"
	    "\r\n",
	    "GET / HTTP/1.1\r\nHost: h\r\nCookie: __Host-ided2=1; x__Host-ided=2\r\n" VIA
	    "\r\n" },
	{ "a length is written anew",
	    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 12\r\n\r\n",
	    "POST / HTTP/1.1\r\nHost: h\r\n" VIA "Content-Length: 12\r\n\r\n" },
	{ "chunks are chunks",
	    "PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n",
	    "PUT / HTTP/1.1\r\nHost: h\r\n" VIA "Transfer-Encoding: chunked\r\n\r\n" },
	{ "no body where one is expected: says so", "POST / HTTP/1.1\r\nHost: h\r\n\r\n",
	    "POST / HTTP/1.1\r\nHost: h\r\n" VIA "Content-Length: 0\r\n\r\n" },
	{ "Expect was answered here",
	    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n"
	    "Expect: 100-continue\r\n\r\n",
	    "POST / HTTP/1.1\r\nHost: h\r\n" VIA "Content-Length: 1\r\n\r\n" },
	{ "somebody else's Authorization passes",
	    "GET / HTTP/1.1\r\nHost: h\r\nAuthorization: Basic eA==\r\n\r\n",
	    "GET / HTTP/1.1\r\nHost: h\r\nauthorization: Basic eA==\r\n" VIA "\r\n" },
	{ "OPTIONS *", "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n",
	    "OPTIONS * HTTP/1.1\r\nHost: h\r\n" VIA "\r\n" },
	{ "HTTP/1.0 becomes 1.1", "GET / HTTP/1.0\r\nHost: h\r\n\r\n",
	    "GET / HTTP/1.1\r\nHost: h\r\n" VIA "\r\n" },
};

static char in[HTTP_HEAD_MAX];

/* A worker that serves the main site. */
static struct worker main_site;

static void
parse(struct stream *s, const char *text)
{
	size_t n = strlen(text);

	memset(s, 0, sizeof(*s));
	s->w = &main_site;
	memcpy(in, text, n);
	http_head_init(&s->head);
	assert_int_equal(http_request_parse(&s->head, in, n), HTTP_DONE);
}

static void
expect_out(const struct stream *s, const struct proxy_via *via, const char *what,
    const char *want)
{
	struct evbuffer *out = evbuffer_new();
	size_t n;
	char *got;

	proxy_head_request(out, s, via);
	n = evbuffer_get_length(out);
	assert_non_null(got = calloc(1, n + 1));
	evbuffer_remove(out, got, n);
	if (strcmp(got, want) != 0)
		print_error("%s\n", what);
	assert_string_equal(got, want);
	free(got);
	evbuffer_free(out);
}

static void
test_requests(void **state)
{
	static const struct proxy_via via = { "192.0.2.7", true, NULL, NULL };
	static struct stream s;

	(void)state;
	for (size_t i = 0; i < NROWS(requests); i++) {
		parse(&s, requests[i].in);
		expect_out(&s, &via, requests[i].what, requests[i].out);
	}
}

static void
test_bearer(void **state)
{
	static const struct proxy_via via = { "", false, NULL, NULL };
	static struct stream s;

	(void)state;
	parse(&s, "GET / HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer x\r\n\r\n");
	s.by_bearer = true;
	expect_out(&s, &via, "ours",
	    "GET / HTTP/1.1\r\nHost: h\r\n"
	    "X-Forwarded-Proto: http\r\nX-Forwarded-Host: h\r\n\r\n");
}

static void
test_websocket(void **state)
{
	static const struct proxy_via via = { "192.0.2.7", true, KEY, NULL };
	static struct stream s;

	(void)state;
	parse(&s,
	    "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\n"
	    "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
	    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
	    "Sec-WebSocket-Protocol: a, b\r\n"
	    "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n");
	assert_true(s.head.websocket);
	s.websocket = true;
	expect_out(&s, &via, "handshake",
	    "GET /ws HTTP/1.1\r\nHost: h\r\n"
	    "sec-websocket-version: 13\r\nsec-websocket-protocol: a, b\r\n"
	    "sec-websocket-extensions: permessage-deflate\r\n" VIA
	    "Connection: Upgrade\r\nUpgrade: websocket\r\n"
	    "Sec-WebSocket-Key: " KEY "\r\n\r\n");
}

/* An upstream's header, and whether it reaches the client. */
static const struct {
	const char *line;
	bool passes;
} answers[] = {
	{ "Content-Type: text/html", true },
	{ "Content-Security-Policy: default-src 'self'", true },
	{ "Location: /ide/", true },
	{ "ETag: \"x\"", true },
	{ "Service-Worker-Allowed: /", true },
	{ "Set-Cookie: a=1", true },
	{ "Set-Cookie: x__Host-ided=1", true },
	{ "Set-Cookie: __Host-ided=evil; Secure; Path=/", false },
	{ "Set-Cookie: __Host-ided2=1", false },
	{ "Set-Cookie: __HOST-IDED=evil", false },
	{ "Set-Cookie: =__Host-ided=evil", false },
	{ "Set-Cookie: \t = __Host-ided=evil", false },
	{ "Set-Cookie: __Host-ided", false },
	{ "Connection: close", false },
	{ "Keep-Alive: timeout=5", false },
	{ "Transfer-Encoding: chunked", false },
	{ "Content-Length: 0", false },
	{ "Trailer: x", false },
	{ "Upgrade: h2c", false },
	{ "Proxy-Authenticate: Basic", false },
	{ "Server: x", false },
	{ "Date: Sun, 06 Nov 1994 08:49:37 GMT", false },
	{ "Strict-Transport-Security: max-age=0", false },
	{ "Alt-Svc: h3=\":443\"", false },
	{ "X-Request-Id: 1", false },
};

static void
test_answers(void **state)
{
	static struct http_head head;
	struct header h[4];
	char buf[256];

	(void)state;
	for (size_t i = 0; i < NROWS(answers); i++) {
		snprintf(
		    buf, sizeof(buf), "HTTP/1.1 200 OK\r\n%s\r\n\r\n", answers[i].line);
		http_head_init(&head);
		assert_int_equal(
		    http_response_parse(&head, buf, strlen(buf), false), HTTP_DONE);
		if (proxy_head_answer(&head, false, h, 4) != answers[i].passes)
			fail_msg("%s", answers[i].line);
	}
}

static void
test_answer_named_by_connection(void **state)
{
	static struct http_head head;
	struct header h[4];
	char buf[] = "HTTP/1.1 200 OK\r\nX-Mine: 1\r\n"
		     "Connection: x-mine\r\nX-Yours: 2\r\n\r\n";

	(void)state;
	http_head_init(&head);
	assert_int_equal(http_response_parse(&head, buf, strlen(buf), false), HTTP_DONE);
	assert_int_equal(proxy_head_answer(&head, false, h, 4), 1);
	assert_true(slice_eq(h[0].name, SLICE("x-yours")));
}

static void
test_answer_too_many(void **state)
{
	static struct http_head head;
	struct header h[2];
	char buf[] = "HTTP/1.1 200 OK\r\na: 1\r\nb: 2\r\n"
		     "c: 3\r\n\r\n";

	(void)state;
	http_head_init(&head);
	http_response_parse(&head, buf, strlen(buf), false);
	assert_int_equal(proxy_head_answer(&head, false, h, 2), -1);
}

/* Sec-WebSocket-Accept is for HTTP/1.1 only; the example of RFC 6455 1.3. */
static void
test_accept(void **state)
{
	static struct http_head head;
	struct header h[4];
	char accept[PROXY_ACCEPT_LEN + 1];
	char buf[] = "HTTP/1.1 101 Switching\r\n"
		     "Upgrade: websocket\r\nConnection: Upgrade\r\n"
		     "Sec-WebSocket-Accept: x\r\n\r\n";

	(void)state;
	assert_true(proxy_ws_accept(KEY, accept));
	assert_string_equal(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
	http_head_init(&head);
	assert_int_equal(http_response_parse(&head, buf, strlen(buf), false), HTTP_DONE);
	assert_int_equal(proxy_head_answer(&head, true, h, 4), 1);
	assert_int_equal(proxy_head_answer(&head, false, h, 4), 0);
}

static void
test_key(void **state)
{
	char a[PROXY_KEY_LEN + 1], b[PROXY_KEY_LEN + 1];

	(void)state;
	proxy_ws_key(a);
	proxy_ws_key(b);
	assert_int_equal(strlen(a), PROXY_KEY_LEN);
	assert_string_equal(a + 22, "==");
	assert_string_not_equal(a, b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_requests),
		cmocka_unit_test(test_bearer), cmocka_unit_test(test_websocket),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_answer_named_by_connection),
		cmocka_unit_test(test_answer_too_many), cmocka_unit_test(test_accept),
		cmocka_unit_test(test_key) };

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
