/* What ided-fetch reads: addresses, a proxy's rules, HTTP, and the feed in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../privsep/fetch/fetch.h"

static void
test_url(void **state)
{
	static const struct {
		const char *text, *host;
		unsigned int port;
		const char *path, *authority;
	} good[] = {
		{ "https://example.com", "example.com", 443, "/", "example.com" },
		{ "https://example.com/", "example.com", 443, "/", "example.com" },
		{ "https://a-b.c1:8443/x?y=z&%20", "a-b.c1", 8443, "/x?y=z&%20",
		    "a-b.c1:8443" },
		{ "https://192.0.2.1/", "192.0.2.1", 443, "/", "192.0.2.1" },
		{ "https://[2001:db8::1]:444/a", "2001:db8::1", 444, "/a",
		    "[2001:db8::1]:444" },
	};
	static const char *const bad[] = { "", "https://", "http://example.com/",
		"HTTPS://example.com/", "example.com", "https:///x", "https://a b/",
		"https://ann@example.com/", "https://ann:pw@example.com/",
		"https://example.com:0/", "https://example.com:65536/",
		"https://example.com:/", "https://example.com:443x/",
		"https://example.com:000443/", "https://-a.com/", "https://a-.com/",
		"https://a..b/", "https://.a/", "https://a./", "https://[::1/",
		"https://[zz]/", "https://[]/", "https://::1/", "https://a/#b",
		"https://a//b", "https://a/ b", "https://a/\r\nX:", "https://a/\"",
		"https://a/\x80", "https://a?b", "https://a\\b/", "https://[::1%lo]/" };
	char name[HTTPS_AUTHORITY_MAX], text[HTTPS_PATH_MAX + 32];
	struct https_url u;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_true(https_url_parse(good[i].text, &u));
		assert_string_equal(u.host, good[i].host);
		assert_int_equal(u.port, good[i].port);
		assert_string_equal(u.path, good[i].path);
		assert_string_equal(
		    https_authority_text(&u, u.port != 443, name), good[i].authority);
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (https_url_parse(bad[i], &u))
			fail_msg("%s", bad[i]);
	/* The longest path, and one byte more. */
	memset(text, 'x', sizeof(text));
	memcpy(text, "https://a/", 10);
	text[9 + HTTPS_PATH_MAX - 1] = '\0';
	assert_true(https_url_parse(text, &u));
	text[9 + HTTPS_PATH_MAX - 1] = 'x';
	text[9 + HTTPS_PATH_MAX] = '\0';
	assert_false(https_url_parse(text, &u));
}

static void
test_proxy(void **state)
{
	static const struct {
		const char *list, *url;
		bool skips;
	} rows[] = {
		{ "", "https://example.com/", false },
		{ " , ,", "https://example.com/", false },
		{ "*", "https://example.com/", true },
		{ "example.com", "https://example.com/", true },
		{ "example.com", "https://a.b.EXAMPLE.com/", true },
		{ ".example.com", "https://example.com/", true },
		{ ".example.com", "https://a.example.com/", true },
		{ "example.com", "https://badexample.com/", false },
		{ "example.com", "https://example.com.evil/", false },
		{ "a.example.com", "https://example.com/", false },
		{ "localhost,example.org example.com", "https://example.com/", true },
		{ "example.com:443", "https://example.com/", true },
		{ "example.com:8443", "https://example.com/", false },
		{ "example.com:8443", "https://example.com:8443/", true },
		{ "127.0.0.1", "https://127.0.0.1/", true },
		{ "::1", "https://[::1]/", true },
		{ "[::1]:443", "https://[::1]/", true },
		{ "*.com", "https://example.com/", false },
		{ ".", "https://example.com/", false },
	};
	struct https_url u;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_true(https_url_parse(rows[i].url, &u));
		if (fetch_proxy_skips(rows[i].list, &u) != rows[i].skips)
			fail_msg("%s: %s", rows[i].list, rows[i].url);
	}
	assert_true(fetch_proxy_parse("http://proxy.example:3128/", &u));
	assert_string_equal(u.host, "proxy.example");
	assert_int_equal(u.port, 3128);
	assert_true(fetch_proxy_parse("[::1]:8080", &u));
	assert_true(fetch_proxy_parse("proxy", &u));
	assert_int_equal(u.port, 80);
	assert_false(fetch_proxy_parse("https://proxy/", &u));
	assert_false(fetch_proxy_parse("http://ann:pw@proxy/", &u));
	assert_false(fetch_proxy_parse("http://proxy/x", &u));
	assert_false(fetch_proxy_parse("socks5://proxy", &u));
}

#define HEAD  "HTTP/1.1 200 OK\r\n"
#define PLAIN HEAD "\r\n"
#define SIZED HEAD "Content-Length: 5\r\n\r\n"
#define CHUNK HEAD "Transfer-Encoding: chunked\r\n\r\n"

static enum response_state
response(const char *text, size_t len, bool end, struct response *r, char *body)
{
	enum response_state state;
	const char *why;
	char *buf = malloc(len + 1);

	assert_non_null(buf);
	memcpy(buf, text, len);
	state = fetch_response(buf, len, end, r, &why);
	body[0] = '\0';
	if (state == RESPONSE_DONE) {
		memcpy(body, r->body, r->len);
		body[r->len] = '\0';
	}
	free(buf);
	return state;
}

static void
test_response(void **state)
{
	static const struct {
		const char *text, *body; /* with the end; NULL: it is bad */
	} rows[] = {
		{ PLAIN "abc", "abc" },
		{ PLAIN, "" },
		{ SIZED "hello", "hello" },
		{ SIZED "hello, and more", "hello" },
		{ SIZED "hell", NULL },
		{ "HTTP/1.0 404 Not\r\nLocation: /\r\nX:\ty \r\n\r\n", "" },
		{ "HTTP/1.1 200\r\n\r\nx", "x" },
		{ CHUNK "3\r\nabc\r\n0A\r\n0123456789\r\n0\r\n\r\n", "abc0123456789" },
		{ CHUNK "0\r\n\r\n", "" },
		{ CHUNK "3\r\nabc\r\n", NULL },
		{ CHUNK "3\r\nabcd\r\n0\r\n\r\n", NULL },
		{ CHUNK "3;x=y\r\nabc\r\n0\r\n\r\n", NULL },
		{ CHUNK "3\nabc\r\n0\r\n\r\n", NULL },
		{ CHUNK "0\r\nX: y\r\n\r\n", NULL },
		{ CHUNK "-1\r\n\r\n", NULL },
		{ CHUNK " 3\r\nabc\r\n0\r\n\r\n", NULL },
		{ CHUNK "0x3\r\nabc\r\n0\r\n\r\n", NULL },
		{ CHUNK "fffffffff\r\n", NULL },
		{ CHUNK "\r\n", NULL },
		{ "", NULL },
		{ "HTTP/1.1 200 OK\r\n", NULL },
		{ "HTTP/1.1 200 OK\n\nabc", NULL },
		{ "HTTP/2 200 OK\r\n\r\n", NULL },
		{ "HTTP/1.1 2000 OK\r\n\r\n", NULL },
		{ "HTTP/1.1 099 OK\r\n\r\n", NULL },
		{ "HTTP/1.1 600 OK\r\n\r\n", NULL },
		{ "HTTP/1.1 100 Continue\r\n\r\n" PLAIN, NULL },
		{ "http/1.1 200 OK\r\n\r\n", NULL },
		{ "\r\n\r\n", NULL },
		{ HEAD "Content-Length: 1\r\nContent-Length: 1\r\n\r\na", NULL },
		{ HEAD "Content-Length: +1\r\n\r\na", NULL },
		{ HEAD "Content-Length:\r\n\r\na", NULL },
		{ HEAD "Content-Length: 1, 1\r\n\r\na", NULL },
		{ HEAD "Content-Length: 65537\r\n\r\n", NULL },
		{ HEAD "Content-Length: 99999999999999999999\r\n\r\n", NULL },
		{ HEAD "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		    NULL },
		{ HEAD "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", NULL },
		{ HEAD "Transfer-Encoding: chunked\r\nTransfer-Encoding: "
		       "chunked\r\n\r\n0\r\n\r\n",
		    NULL },
		{ HEAD "Content-Encoding: gzip\r\n\r\nx", NULL },
		{ HEAD "Content-Encoding: identity\r\n\r\nx", "x" },
		{ HEAD "no colon\r\n\r\n", NULL },
		{ HEAD ": none\r\n\r\n", NULL },
		{ HEAD "A : b\r\n\r\n", NULL },
		{ HEAD "A: b\r\n c\r\n\r\n", NULL },
		{ HEAD "A: b\rc\r\n\r\n", NULL },
		{ HEAD "Location: /a\r\nLocation: /b\r\n\r\n", NULL },
		{ HEAD "Location: \r\n\r\n", NULL },
	};
	struct response r;
	char body[256];
	size_t i, n;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		n = strlen(rows[i].text);
		if ((response(rows[i].text, n, true, &r, body) == RESPONSE_DONE) !=
			(rows[i].body != NULL) ||
		    (rows[i].body != NULL && strcmp(body, rows[i].body) != 0))
			fail_msg("%s", rows[i].text);
	}
	assert_int_equal(
	    response("HTTP/1.1 302 Found\r\nLOCATION: /a?b \r\n\r\n", 40, true, &r, body),
	    RESPONSE_DONE);
	assert_int_equal(r.status, 302);
	assert_string_equal(r.location, "/a?b");
	/* Byte by byte: nothing is done before it is whole, and never differently. */
	for (n = 0; n < strlen(SIZED "hello"); n++)
		assert_int_equal(
		    response(SIZED "hello", n, false, &r, body), RESPONSE_MORE);
	assert_int_equal(response(SIZED "hello", n, false, &r, body), RESPONSE_DONE);
	for (n = 0; n < strlen(CHUNK "3\r\nabc\r\n0\r\n\r\n"); n++)
		assert_int_equal(
		    response(CHUNK "3\r\nabc\r\n0\r\n\r\n", n, false, &r, body),
		    RESPONSE_MORE);
	/* A NUL in a name. */
	assert_int_equal(response(HEAD "A\0B: c\r\n\r\n",
			     sizeof(HEAD "A\0B: c\r\n\r\n") - 1, true, &r, body),
	    RESPONSE_BAD);
}

static void
test_bounds(void **state)
{
	static char buf[FETCH_HEAD_MAX + FETCH_BODY_MAX + 2];
	struct response r;
	const char *why;
	size_t n, i;

	(void)state;
	/* A head without end. */
	memset(buf, 'a', sizeof(buf));
	memcpy(buf, HEAD, strlen(HEAD));
	assert_int_equal(
	    fetch_response(buf, FETCH_HEAD_MAX, false, &r, &why), RESPONSE_MORE);
	assert_int_equal(
	    fetch_response(buf, FETCH_HEAD_MAX + 1, false, &r, &why), RESPONSE_BAD);
	/* Too many lines. */
	n = strlen(HEAD);
	for (i = 0; i < 101; i++, n += 5)
		memcpy(buf + n, "A:b\r\n", 5);
	memcpy(buf + n, "\r\n", 2);
	assert_int_equal(fetch_response(buf, n + 2, true, &r, &why), RESPONSE_BAD);
	memcpy(buf + n - 5, "\r\n", 2);
	assert_int_equal(fetch_response(buf, n - 3, true, &r, &why), RESPONSE_DONE);
	/* A body that has no length, and is a byte too long. */
	memset(buf, 'a', sizeof(buf));
	memcpy(buf, PLAIN, strlen(PLAIN));
	n = strlen(PLAIN) + FETCH_BODY_MAX;
	assert_int_equal(fetch_response(buf, n, true, &r, &why), RESPONSE_DONE);
	assert_int_equal(fetch_response(buf, n + 1, false, &r, &why), RESPONSE_BAD);
	/* The same, in a chunk. */
	memcpy(buf, CHUNK "10001\r\n", strlen(CHUNK "10001\r\n"));
	assert_int_equal(
	    fetch_response(buf, strlen(CHUNK) + 7, false, &r, &why), RESPONSE_BAD);
}

static void
test_feed(void **state)
{
	static const struct {
		const char *json, *version; /* NULL: none */
	} rows[] = {
		{ "{\"tag_name\":\"v4.140.0\"}", "4.140.0" },
		{ "{\"tag_name\":\"4.140.0-rc.1+x\",\"prerelease\":true}",
		    "4.140.0-rc.1+x" },
		{ "{\"name\":\"v1.0.0\"}", "1.0.0" },
		{ "{\"tag_name\":\"\",\"name\":\"1.0.0\"}", "1.0.0" },
		{ "{\"tag_name\":\"v2.0.0\",\"name\":\"A release\",\"draft\":false}",
		    "2.0.0" },
		{ "{\"tag_name\":\"v2.0.0\",\"draft\":true}", NULL },
		{ "{\"tag_name\":\"latest\",\"name\":\"1.0.0\"}", NULL },
		{ "{\"tag_name\":1}", NULL },
		{ "{\"tag_name\":\"1.0.0\\u0000\"}", NULL },
		{ "{\"tag_name\":\"vv1.0.0\"}", NULL },
		{ "{\"tag_name\":\"1.0.0\",\"tag_name\":\"1.0.0\"}", NULL },
		{ "{\"tag_name\":\"1.0.0\"} x", NULL },
		{ "{\"tag_name\":\"1.0.0\"", NULL },
		{ "[{\"tag_name\":\"1.0.0\"}]", NULL },
		{ "{}", NULL },
		{ "", NULL },
		{ "null", NULL },
		{ "{\"tag_name\":\"1.0.0\xff\"}", NULL },
	};
	char version[SEMVER_MAX], *deep;
	const char *why;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		why = fetch_feed(rows[i].json, strlen(rows[i].json), version);
		if ((why == NULL) != (rows[i].version != NULL))
			fail_msg("%s: %s", rows[i].json, why != NULL ? why : "taken");
		assert_string_equal(
		    version, rows[i].version != NULL ? rows[i].version : "");
	}
	/* As deep as it can be. */
	deep = malloc(FETCH_BODY_MAX + 1);
	assert_non_null(deep);
	memset(deep, '[', FETCH_BODY_MAX + 1);
	assert_non_null(fetch_feed(deep, FETCH_BODY_MAX, version));
	memset(deep, ' ', FETCH_BODY_MAX + 1);
	memcpy(deep, rows[0].json, strlen(rows[0].json));
	assert_null(fetch_feed(deep, FETCH_BODY_MAX, version));
	assert_non_null(fetch_feed(deep, FETCH_BODY_MAX + 1, version));
	free(deep);
}

/* What comes of looking a name up, from a process that may be anybody's. */
static void
test_addresses(void **state)
{
	static const struct {
		int32_t result;
		uint32_t n;
		sa_family_t family;
		uint16_t port;
		size_t len;
		bool ok;
	} rows[] = {
		{ 0, 1, AF_INET, 443, sizeof(struct fetch_names), true },
		{ 0, FETCH_ADDRESSES, AF_INET6, 443, sizeof(struct fetch_names), true },
		{ -2, 1, AF_INET, 443, sizeof(struct fetch_names), false },
		{ 0, 0, AF_INET, 443, sizeof(struct fetch_names), false },
		{ 0, FETCH_ADDRESSES + 1, AF_INET, 443, sizeof(struct fetch_names),
		    false },
		{ 0, UINT32_MAX, AF_INET, 443, sizeof(struct fetch_names), false },
		{ 0, 1, AF_INET, 22, sizeof(struct fetch_names), false },
		{ 0, 2, AF_UNIX, 443, sizeof(struct fetch_names), false },
		{ 0, 1, AF_UNSPEC, 443, sizeof(struct fetch_names), false },
		{ 0, 1, AF_INET, 443, sizeof(struct fetch_names) - 1, false },
		{ 0, 1, AF_INET, 443, 0, false },
	};
	struct fetch_names said;
	struct fetch_to to;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		memset(&said, 0x41, sizeof(said));
		said.result = rows[i].result;
		said.n = rows[i].n;
		for (size_t j = 0; j < FETCH_ADDRESSES; j++) {
			said.addr[j].sin6_family = rows[i].family;
			said.addr[j].sin6_port = htons(rows[i].port);
		}
		if (fetch_addresses(&said, rows[i].len, 443, &to) != rows[i].ok)
			fail_msg("row %zu", i);
		assert_int_equal(to.n, rows[i].ok ? rows[i].n : 0);
		for (size_t j = 0; j < to.n; j++) {
			assert_int_equal(to.addr[j].ss_family, rows[i].family);
			assert_int_equal(to.len[j],
			    rows[i].family == AF_INET ? sizeof(struct sockaddr_in) :
							sizeof(struct sockaddr_in6));
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_url),
		cmocka_unit_test(test_proxy),
		cmocka_unit_test(test_response),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_feed),
		cmocka_unit_test(test_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
