/*
 * The route table, what each request must show first, and the answers that are
 * put together by the worker itself.  A front that only writes down takes the
 * connection's place.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "../../privsep/log.h"
#include "../../worker/api.h"
#include "../../worker/respond.h"
#include "../../worker/routes.h"
#include "../../worker/session.h"
#include "../../worker/worker.h"

#define NROWS(a) (sizeof(a) / sizeof((a)[0]))

/* --- the front --- */

static struct {
	unsigned int status;
	size_t n;
	char name[STREAM_RESP_HEADERS][64];
	char value[STREAM_RESP_HEADERS][2048];
	char body[16384];
	size_t len;
	bool ended;
} got;

static void
f_respond(struct stream *s, unsigned int status, const struct header *h, size_t n,
    int64_t length)
{
	(void)s;
	(void)length;
	got.status = status;
	got.n = n;
	for (size_t i = 0; i < n; i++) {
		snprintf(got.name[i], sizeof(got.name[i]), "%.*s", (int)h[i].name.len,
		    h[i].name.p);
		snprintf(got.value[i], sizeof(got.value[i]), "%.*s", (int)h[i].value.len,
		    h[i].value.p);
	}
}

static void
f_write(struct stream *s, const void *data, size_t len)
{
	(void)s;
	assert_true(got.len + len < sizeof(got.body));
	memcpy(got.body + got.len, data, len);
	got.len += len;
	got.body[got.len] = '\0';
}

static void
f_write_buffer(struct stream *s, struct evbuffer *src)
{
	f_write(s, evbuffer_pullup(src, -1), evbuffer_get_length(src));
	evbuffer_drain(src, evbuffer_get_length(src));
}

static void
f_end(struct stream *s)
{
	(void)s;
	got.ended = true;
}

static void
f_pause(struct stream *s, bool pause)
{
	(void)s;
	(void)pause;
}

static size_t
f_room(struct stream *s)
{
	(void)s;
	return (STREAM_BUFFER);
}

static const struct stream_front front = { .respond = f_respond,
	.write = f_write,
	.write_buffer = f_write_buffer,
	.end = f_end,
	.reset = f_end,
	.pause = f_pause,
	.room = f_room };

static struct conf_for_worker conf;
static struct stream stream;
static char head[16384];

static const char *
header(const char *name)
{
	for (size_t i = 0; i < got.n; i++)
		if (strcmp(got.name[i], name) == 0)
			return (got.value[i]);
	return (NULL);
}

/* One request, given as "GET /path" and header lines. */
static unsigned int
request(const char *line, const char *lines)
{
	memset(&got, 0, sizeof(got));
	stream_init(&stream, &worker, &front, NULL);
	snprintf(
	    head, sizeof(head), "%s HTTP/1.1\r\nHost: ide.test\r\n%s\r\n", line, lines);
	assert_int_equal(http_request_parse(&stream.head, head, strlen(head)), HTTP_DONE);
	stream.websocket = stream.head.websocket;
	stream_request(&stream);
	stream_close(&stream);
	return (got.status);
}

static int
setup(void **state)
{
	(void)state;
	memset(&conf, 0, sizeof(conf));
	conf.http.headers = HEADERS_BALANCED;
	conf.https_port = 443;
	conf.session_lifetime = 3600;
	conf.prefork.body = 1024;
	snprintf(conf.http.app_name, sizeof(conf.http.app_name), "a<b");
	snprintf(conf.ide_prefix, sizeof(conf.ide_prefix), "stable-0");
	memset(&worker, 0, sizeof(worker));
	worker.conf = &conf;
	worker.kind = LISTEN_TLS;
	worker.rootfd = -1;
	worker.master.self = worker.auth.self = P_WORKER;
	worker.master.peer = P_MASTER;
	worker.auth.peer = P_AUTH;
	worker.master.closed = worker.auth.closed = true;
	worker.master.fd = worker.auth.fd = -1;
	log_init("test", 2, LOG_FORMAT_TEXT, LOG_ERR, false);
	http_prepare(&conf);
	return (0);
}

/* --- the table --- */

/* Whoever opens a route to everybody has to say so here too. */
static void
test_open_routes(void **state)
{
	static const char *const open[] = { "/healthz", "/metrics", "/robots.txt",
		"/security.txt", "/.well-known/security.txt", "/favicon.ico",
		"/favicon.svg", "/manifest.json", "/_static/", "/csp-report", "/login",
		"/login", "/logout", "/.well-known/jwks.json", "/reset", "/reset",
		"/register", "/register", "/api/", "/ide", "/ide/login", "/ide/logout",
		"/ide/healthz", "/ide/manifest.json", "/ide/_static/" };
	const struct route *r;
	size_t n = 0;

	(void)state;
	for (r = routes; r->path != NULL; r++) {
		if (r->flags & R_LOGIN)
			continue;
		assert_true(n < NROWS(open));
		assert_string_equal(r->path, open[n++]);
		assert_false(r->flags & (R_SOCKET | R_PASS | R_ACTIVE));
	}
	assert_int_equal(n, NROWS(open));
}

static void
test_table(void **state)
{
	const struct route *r, *q;

	(void)state;
	for (r = routes; r->path != NULL; r++) {
		assert_non_null(r->fn);
		assert_int_equal(r->path[0], '/');
		assert_int_not_equal(r->methods, 0);
		/* GET and HEAD come together; nobody answers the others. */
		assert_int_equal(!(r->methods & M_BIT(METHOD_GET)),
		    !(r->methods & M_BIT(METHOD_HEAD)));
		assert_false(r->methods & (M_BIT(METHOD_CONNECT) | M_BIT(METHOD_TRACE)));
		/* A program of a user's may know more methods. */
		if (r->methods & M_BIT(METHOD_OTHER))
			assert_int_equal(r->flags & (R_APP | R_LOGIN), R_APP | R_LOGIN);
		if (r->flags & R_PREFIX)
			assert_int_equal(r->path[strlen(r->path) - 1], '/');
		/* A page that sends nobody to the login has no use for it. */
		if (r->flags & R_PAGE)
			assert_true(r->flags & R_LOGIN);
		if (r->flags & R_PASS)
			assert_true(r->flags & R_PREFIX);
		/* Each row can be reached: none before it has its path. */
		for (q = routes; q != r; q++) {
			if ((q->flags & R_PREFIX) != (r->flags & R_PREFIX) &&
			    !(q->flags & R_PREFIX))
				continue;
			if (q->flags & R_PREFIX)
				assert_int_not_equal(
				    strncmp(r->path, q->path, strlen(q->path)), 0);
			else if (strcmp(q->path, r->path) == 0)
				assert_int_equal(q->methods & r->methods, 0);
		}
	}
}

/* What the API's own table lets nobody do, but for these. */
static void
test_open_calls(void **state)
{
	static const char *const open[] = { "auth/register", "auth/reset", "auth/login",
		"auth/refresh", "auth/logout", "login", "logout", "openapi.json" };
	const struct api_call *c;
	size_t n = 0;

	(void)state;
	for (size_t t = 0; api_tables[t] != NULL; t++)
		for (c = api_tables[t]; c->method != 0; c++) {
			assert_non_null(c->what);
			/* A message, code of its own, or who it is.  What is not open
			 * says by what message auth is asked for it. */
			if (c->type == M_NONE || c->fn != NULL) {
				assert_true(c->fn != NULL || c->out != NULL);
				assert_true(c->fn == NULL || c->type != M_NONE ||
				    (c->flags & API_PUBLIC));
			} else {
				assert_true(c->size <= MSG_PAYLOAD_MAX);
				assert_int_equal(c->size, msg_table[c->type].max);
				assert_int_equal(
				    !(c->flags & API_MADE), !(c->flags & API_ONCE));
			}
			if (!(c->flags & API_PUBLIC)) {
				assert_false(c->type != M_NONE &&
				    (msg_table[c->type].state & S_NEW));
				continue;
			}
			assert_true(n < NROWS(open));
			assert_string_equal(c->path, open[n++]);
		}
	assert_int_equal(n, NROWS(open));
}

static void
test_find(void **state)
{
	static const struct {
		const char *path, *raw;
		void (*fn)(struct stream *, const char *);
	} rows[] = {
		{ "/", "/", portal },
		{ "/healthz", "/healthz", healthz },
		{ "/healthz/", "/healthz/", NULL },
		{ "/healthzz", "/healthzz", NULL },
		{ "/ide", "/ide", ide_slash },
		{ "/ide/", "/ide/", ide_root },
		{ "/idea", "/idea", NULL },
		{ "/ide/x", "/ide/x", ide_any },
		{ "/ide/mint-key", "/ide/mint-key", ide_mint },
		{ "/ide/mint-key/", "/ide/mint-key/", ide_any },
		{ "/_static/a/b", "/_static/a/b", front_static },
		{ "/_static", "/_static", NULL },
		{ "/api/none", "/api/none", api_any },
		{ "/api", "/api", NULL },
		/* no plain form: only what is passed on as it came */
		{ "", "/ide/a%2fb", ide_any },
		{ "", "/ide//b", ide_any },
		{ "", "/%69de/a%2fb", NULL },
		{ "", "/_static//x", NULL },
		{ "", "//", NULL },
	};
	const struct route *r;

	(void)state;
	for (size_t i = 0; i < NROWS(rows); i++) {
		r = route_find(rows[i].path, slice_str(rows[i].raw), false);
		if (rows[i].fn == NULL)
			assert_null(r);
		else {
			assert_non_null(r);
			assert_ptr_equal(r->fn, rows[i].fn);
		}
	}
}

static void
test_methods(void **state)
{
	char list[64];

	(void)state;
	route_allow(list, sizeof(list), R_GET | R_POST);
	assert_string_equal(list, "GET, HEAD, POST");
	route_allow(list, sizeof(list), R_ANY);
	assert_string_equal(list, "GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS");

	assert_int_equal(request("PUT /login", ""), 405);
	assert_string_equal(header("allow"), "GET, HEAD, POST");
	assert_int_equal(request("OPTIONS /healthz", ""), 204);
	assert_string_equal(header("allow"), "GET, HEAD");
	assert_int_equal(request("BREW /healthz", ""), 501);
	assert_int_equal(request("GET /api/login", ""), 405);
	assert_string_equal(header("allow"), "POST");
}

/* --- what must be shown --- */

static void
test_login_needed(void **state)
{
	(void)state;
	assert_int_equal(request("GET /", "Accept: text/html\r\n"), 302);
	assert_string_equal(header("location"), "/login");
	assert_int_equal(request("GET /ide/?folder=/a&b=c",
			     "Accept: application/xml, Text/HTML;q=0.9\r\n"),
	    302);
	assert_string_equal(header("location"), "/login?to=/ide/%3Ffolder%3D/a%26b%3Dc");
	assert_int_equal(request("GET /", "Accept: */*\r\n"), 401);
	assert_non_null(strstr(got.body, "\"code\":\"UNAUTHORIZED\""));
	assert_int_equal(request("GET /ide/x", "Accept: text/html\r\n"), 401);
	assert_string_equal(header("content-type"), "text/html; charset=utf-8");
	assert_int_equal(request("POST /ide/mint-key", ""), 401);
	assert_int_equal(request("GET /api/me", ""), 401);
	/* Not in the only spelling of a token. */
	assert_int_equal(request("GET /api/me", "Cookie: __Host-ided=AA\r\n"), 401);
	assert_int_equal(
	    request("GET /api/me", "Cookie: __Host-ided=1; __Host-ided=2\r\n"), 400);
	assert_int_equal(request("GET /api/me",
			     "Cookie: __Host-ided=1\r\n"
			     "Cookie: __Host-ided=1\r\n"),
	    400);
}

static void
test_bound(void **state)
{
	static const char good[] =
	    "Cookie: a=b; __Host-ided="
	    "0707070707070707070707070707070707070707070707070707070707070707"
	    "\r\n";
	static const char bearer[] =
	    "Authorization: Bearer "
	    "0707070707070707070707070707070707070707070707070707070707070707"
	    "\r\n";

	(void)state;
	worker.bound = true;
	memset(worker.token, 7, sizeof(worker.token));
	snprintf(worker.who.name, sizeof(worker.who.name), "u");
	assert_int_equal(request("GET /api/me", good), 200);
	assert_non_null(strstr(got.body, "\"username\":\"u\""));
	assert_int_equal(request("GET /api/me", bearer), 200);
	assert_int_equal(request("GET /api/me", ""), 401);
	assert_int_equal(request("GET /login", good), 302);
	assert_string_equal(header("location"), "/");
	/* Auth is away: no word of it is made up. */
	assert_int_equal(request("GET /", good), 503);
	worker.bound = false;
}

static void
test_origin(void **state)
{
	static const struct {
		const char *line, *lines;
		unsigned int status;
	} rows[] = {
		{ "POST /ide/mint-key", "Cookie: a=b\r\n", 403 },
		{ "POST /ide/mint-key",
		    "Cookie: a=b\r\n"
		    "Origin: https://ide.test\r\n",
		    401 },
		{ "POST /ide/mint-key",
		    "Cookie: a=b\r\n"
		    "Origin: https://evil.test\r\n",
		    403 },
		{ "POST /ide/mint-key",
		    "Cookie: a=b\r\n"
		    "Origin: http://ide.test\r\n",
		    403 },
		{ "POST /ide/mint-key", "Cookie: a=b\r\nOrigin: null\r\n", 403 },
		{ "DELETE /ide/x",
		    "Cookie: a=b\r\n"
		    "Sec-Fetch-Site: same-site\r\n",
		    403 },
		{ "GET /logout", "Sec-Fetch-Site: cross-site\r\n", 403 },
		{ "GET /logout", "Sec-Fetch-Site: same-origin\r\n", 302 },
		{ "GET /ide/", "Sec-Fetch-Site: cross-site\r\n", 401 },
		{ "POST /login", "Origin: https://evil.test\r\n", 403 },
		{ "GET /ide/x",
		    "Upgrade: websocket\r\n"
		    "Connection: Upgrade\r\nOrigin: https://evil.test\r\n",
		    403 },
		{ "GET /ide/x",
		    "Upgrade: websocket\r\n"
		    "Connection: Upgrade\r\nCookie: a=b\r\n",
		    403 },
		{ "GET /ide/x",
		    "Upgrade: websocket\r\n"
		    "Connection: Upgrade\r\nOrigin: https://ide.test\r\n",
		    401 },
		/* not granted here, so it is a plain request */
		{ "GET /healthz",
		    "Upgrade: websocket\r\n"
		    "Connection: Upgrade\r\nOrigin: https://evil.test\r\n",
		    200 },
	};

	(void)state;
	for (size_t i = 0; i < NROWS(rows); i++)
		assert_int_equal(request(rows[i].line, rows[i].lines), rows[i].status);
}

static void
test_listeners(void **state)
{
	(void)state;
	worker.kind = LISTEN_REDIRECT;
	assert_int_equal(request("GET /a?b=c", ""), 308);
	assert_string_equal(header("location"), "https://ide.test/a?b=c");
	conf.https_port = 8443;
	assert_int_equal(request("POST /login", "Content-Length: 9\r\n"), 308);
	assert_string_equal(header("location"), "https://ide.test:8443/login");
	assert_int_equal(request("OPTIONS *", ""), 308);
	assert_string_equal(header("location"), "https://ide.test:8443/");
	assert_int_equal(request("GET /metrics", ""), 308);
	worker.kind = LISTEN_TLS;
	assert_int_equal(request("GET /metrics", ""), 404);
	worker.kind = LISTEN_METRICS;
	assert_int_equal(request("GET /login", ""), 404);
	assert_int_equal(request("GET /healthz", ""), 200);
	worker.kind = LISTEN_TLS;
	conf.https_port = 443;
}

/* --- answers --- */

static void
test_paths(void **state)
{
	static const char *const bad[] = { "/a/../b", "/./a", "/%2e%2e/a", "/a%00b",
		"/%zz", "/ide/%2e%2e/%2e%2e/x", "/ide/..%2fx", "/ide/a/.%2e/b" };
	char line[128];

	(void)state;
	for (size_t i = 0; i < NROWS(bad); i++) {
		snprintf(line, sizeof(line), "GET %s", bad[i]);
		assert_int_equal(request(line, ""), 400);
	}
	/* Fit to be passed on, were there somebody to pass it to. */
	assert_int_equal(request("GET /a%5cb", ""), 404);
	assert_int_equal(request("GET //", ""), 404);
	assert_int_equal(request("GET /nothing", ""), 404);
	assert_int_equal(request("OPTIONS *", ""), 204);
}

static void
test_errors(void **state)
{
	(void)state;
	assert_int_equal(request("GET /nothing", "Accept: text/html\r\n"), 404);
	assert_string_equal(header("content-type"), "text/html; charset=utf-8");
	assert_non_null(strstr(got.body, "<title>a&lt;b Not Found</title>"));
	assert_null(strstr(got.body, "a<b"));
	assert_true(got.ended);
	assert_int_equal(request("GET /nothing", ""), 404);
	assert_string_equal(got.body,
	    "{\"success\":false,\"error\":{\"message\":"
	    "\"There is nothing here.\",\"code\":\"NOT_FOUND\",\"details\":{}}}");
	assert_non_null(header("x-request-id"));
	assert_string_equal(header("cache-control"), "no-store");
}

static void
test_pages(void **state)
{
	(void)state;
	assert_int_equal(request("GET /login?to=%22%3E%3Cscript%3E", ""), 200);
	assert_null(strstr(got.body, "<script"));
	assert_non_null(strstr(got.body, "name=\"to\" value=\"/\""));
	assert_int_equal(request("GET /login?to=/ide/%3Fa%3D%26quot;", ""), 200);
	assert_non_null(strstr(got.body, "value=\"/ide/?a=&amp;quot;\""));
	assert_int_equal(request("GET /login?to=//evil.test/", ""), 200);
	assert_non_null(strstr(got.body, "name=\"to\" value=\"/\""));
	assert_non_null(strstr(header("content-security-policy"), "form-action 'self'"));
	/* All that the page loads is there, under the address it has. */
	for (const char *p = got.body; (p = strstr(p, "/_static/")) != NULL;) {
		char line[256];

		snprintf(line, sizeof(line), "GET %.*s", (int)strcspn(p, "\""), p);
		p += 9;
		{
			char keep[sizeof(got.body)];
			size_t at = (size_t)(p - got.body);

			memcpy(keep, got.body, sizeof(keep));
			assert_int_equal(request(line, ""), 200);
			assert_non_null(strstr(header("cache-control"), "immutable"));
			memcpy(got.body, keep, sizeof(keep));
			p = got.body + at;
		}
	}
}

static void
test_www(void **state)
{
	char lines[128], tag[64];

	(void)state;
	assert_int_equal(request("GET /_static/style.css", ""), 200);
	assert_string_equal(header("cache-control"), "no-cache");
	assert_string_equal(header("vary"), "accept-encoding");
	snprintf(tag, sizeof(tag), "%s", header("etag"));
	snprintf(lines, sizeof(lines), "If-None-Match: %s\r\n", tag);
	assert_int_equal(request("GET /_static/style.css", lines), 304);
	assert_string_equal(header("etag"), tag);
	assert_int_equal(got.len, 0);
	assert_int_equal(request("GET /_static/style.css", "Range: bytes=0-4\r\n"), 206);
	assert_string_equal(got.body, ":root");
	assert_int_equal(
	    request("GET /_static/style.css", "Accept-Encoding: gzip\r\n"), 200);
	assert_string_equal(header("content-encoding"), "gzip");
	assert_string_not_equal(header("etag"), tag);
	/* Templates are nobody's business. */
	assert_int_equal(request("GET /_static/login.html", ""), 404);
}

static void
test_cookie(void **state)
{
	uint8_t token[WIRE_TOKEN];
	struct answer a;

	(void)state;
	memset(&got, 0, sizeof(got));
	stream_init(&stream, &worker, &front, NULL);
	memset(token, 0xa5, sizeof(token));
	answer_init(&a, &stream, ANSWER_DATA);
	answer_cookie(&a, token);
	answer_send(&a, 200, NULL, 0);
	assert_string_equal(header("set-cookie"),
	    "__Host-ided="
	    "a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5"
	    "; Secure; HttpOnly; SameSite=Lax; Path=/; Max-Age=3600");
	/* Nothing of it stays behind. */
	assert_null(memmem(&a.text, sizeof(a.text), "a5a5", 4));
	stream_close(&stream);
}

/* What could split an answer never leaves. */
static void
test_splitting(void **state)
{
	const struct header h[] = { HEADER("a", "1"), HEADER("b", "2\r\nset-cookie: x=y"),
		HEADER("c d", "3"), HEADER("", "4"), HEADER("e", "5") };

	(void)state;
	memset(&got, 0, sizeof(got));
	stream_init(&stream, &worker, &front, NULL);
	stream_respond(&stream, 200, h, NROWS(h), 0);
	assert_int_equal(got.n, 2);
	assert_string_equal(got.name[0], "a");
	assert_string_equal(got.name[1], "e");
	stream_respond(&stream, 500, h, NROWS(h), 0);
	assert_int_equal(got.status, 200);
	stream_close(&stream);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_open_routes),
		cmocka_unit_test(test_table), cmocka_unit_test(test_open_calls),
		cmocka_unit_test(test_find), cmocka_unit_test(test_methods),
		cmocka_unit_test(test_login_needed), cmocka_unit_test(test_bound),
		cmocka_unit_test(test_origin), cmocka_unit_test(test_listeners),
		cmocka_unit_test(test_paths), cmocka_unit_test(test_errors),
		cmocka_unit_test(test_pages), cmocka_unit_test(test_www),
		cmocka_unit_test(test_cookie), cmocka_unit_test(test_splitting) };

	return (cmocka_run_group_tests(tests, setup, NULL));
}
