/*
 * Answers that are put together here: see respond.h.
 */
#include <sys/random.h>

#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../privsep/log.h"
#include "brand.h"
#include "cookie.h"
#include "credential.h"
#include "pages.h"
#include "limit.h"
#include "port.h"
#include "respond.h"
#include "session.h"
#include "wait.h"
#include "worker.h"
#include "www.h"
#include "../privsep/hex.h"

/* Statuses that we use ourselves: reason, code of the API, a word for a person. */
static const struct status {
	unsigned int status;
	const char *reason;
	const char *code;
	const char *text;
} statuses[] = {
	{ 100, "Continue", NULL, NULL },
	{ 101, "Switching Protocols", NULL, NULL },
	{ 200, "OK", NULL, NULL },
	{ 201, "Created", NULL, NULL },
	{ 202, "Accepted", NULL, NULL },
	{ 204, "No Content", NULL, NULL },
	{ 206, "Partial Content", NULL, NULL },
	{ 301, "Moved Permanently", NULL, NULL },
	{ 302, "Found", NULL, NULL },
	{ 303, "See Other", NULL, NULL },
	{ 304, "Not Modified", NULL, NULL },
	{ 307, "Temporary Redirect", NULL, NULL },
	{ 308, "Permanent Redirect", NULL, NULL },
	{ 400, "Bad Request", "VALIDATION_ERROR", "The request cannot be understood." },
	{ 401, "Unauthorized", "UNAUTHORIZED", "Please log in first." },
	{ 403, "Forbidden", "FORBIDDEN", "You may not do this." },
	{ 404, "Not Found", "NOT_FOUND", "There is nothing here." },
	{ 405, "Method Not Allowed", "METHOD_NOT_ALLOWED", "This cannot be done here." },
	{ 406, "Not Acceptable", "NOT_ACCEPTABLE",
	    "There is no form of this that you accept." },
	{ 408, "Request Timeout", "REQUEST_TIMEOUT",
	    "The request took too long to arrive." },
	{ 409, "Conflict", "CONFLICT", "This contradicts what is there." },
	{ 413, "Content Too Large", "PAYLOAD_TOO_LARGE", "What was sent is too large." },
	{ 414, "URI Too Long", "VALIDATION_ERROR", "The address is too long." },
	{ 415, "Unsupported Media Type", "VALIDATION_ERROR",
	    "What was sent is of a kind that is not expected here." },
	{ 416, "Range Not Satisfiable", "VALIDATION_ERROR",
	    "There is no such part of it." },
	{ 417, "Expectation Failed", "VALIDATION_ERROR",
	    "What the request expects cannot be done." },
	{ 421, "Misdirected Request", "MISDIRECTED_REQUEST",
	    "This connection belongs to another user or site. Please try "
	    "again." },
	{ 426, "Upgrade Required", "VALIDATION_ERROR",
	    "Only WebSockets are spoken here." },
	{ 429, "Too Many Requests", "RATE_LIMITED",
	    "Too many attempts. Please wait a while and try again." },
	{ 431, "Request Header Fields Too Large", "VALIDATION_ERROR",
	    "The request's head is too large." },
	{ 500, "Internal Server Error", "INTERNAL_SERVER_ERROR",
	    "Something went wrong on our side." },
	{ 501, "Not Implemented", "VALIDATION_ERROR", "This method is not known here." },
	{ 502, "Bad Gateway", "SESSION_UNAVAILABLE",
	    "Your environment sent no proper answer." },
	{ 503, "Service Unavailable", "SESSION_UNAVAILABLE",
	    "This is not available at the moment. Please try again soon." },
	{ 504, "Gateway Timeout", "SESSION_UNAVAILABLE",
	    "Your environment did not answer in time." },
	{ 505, "HTTP Version Not Supported", "VALIDATION_ERROR",
	    "This version of HTTP is not spoken here." },
};

static const struct status *
status_find(unsigned int status)
{
	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
		if (statuses[i].status == status)
			return (&statuses[i]);
	return (NULL);
}

const char *
status_reason(unsigned int status)
{
	const struct status *st = status_find(status);

	return (st != NULL ? st->reason : "Status");
}

/* --- start --- */

/* JSON that comes has passwords in it, and JSON that goes has tokens. */
static void
json_wipe(void *p)
{
	if (p != NULL)
		explicit_bzero(p, malloc_usable_size(p));
	free(p);
}

/* Before the fork. */
void
http_prepare(const struct conf_for_worker *conf)
{
	static const char *const pages[] = { "bar.html", "focus.html",
		"password_rules.html", "portal_ports.html", "ports.html",
		"ports_public.html", "activity.js", "ports_share.html", "error.html",
		"favicon.svg", "frame.html", "login.html", "login_error.html",
		"login_single.html", "login_text.html", "login_welcome.html",
		"login_register.html", "register.html", "register_done.html", "port.html",
		"away.html", "password.html", "reset.html", "portal.html",
		"portal_current.html", "portal_notice.html", "portal_session.html",
		"portal_storage.html", "portal_usage.html", "wait.html", "wait_not.html",
		"wait.js", "serviceWorker.js", "style.css" };
	size_t seed;

	brand_prepare(conf);
	security_prepare(conf);
	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		fatal("getrandom");
	/* A page that is missing is noticed now. */
	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++)
		if (www_find(pages[i]) == NULL)
			fatalx("BUG: no page file %s", pages[i]);
	/* Else jansson opens a file for it.  Renewed with the zygote, like the
	 * layout of memory. */
	json_object_seed(seed | 1);
	json_set_alloc_funcs(malloc, json_wipe);
}

/* --- heads --- */

void
answer_init(struct answer *a, struct stream *s, unsigned int kind)
{
	a->s = s;
	a->used = 0;
	a->lang = "en";
	a->h[0] = (struct header){ SLICE("x-request-id"), { s->rid, strlen(s->rid) } };
	a->n = security_headers(s->w, kind, a->h, 1, STREAM_RESP_HEADERS);
	limit_headers(a);
}

void
answer_add(struct answer *a, struct slice name, struct slice value)
{
	if (a->n == STREAM_RESP_HEADERS)
		fatalx("BUG: too many headers in an answer");
	a->h[a->n++] = (struct header){ name, value };
}

void
answer_location(struct answer *a, const char *path)
{
	answer_fmt(a, SLICE("location"), "%s%s", site_base(a->s->w), path);
}

const char *
site_base(const struct worker *w)
{
	return (w->site == SITE_MAIN ? w->conf->http.base : "");
}

void
answer_fmt(struct answer *a, struct slice name, const char *fmt, ...)
{
	size_t room = sizeof(a->text) - a->used;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(a->text + a->used, room, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= room)
		fatalx("BUG: header %s does not fit", name.p);
	answer_add(a, name, (struct slice){ a->text + a->used, (size_t)n });
	a->used += (size_t)n + 1;
}

void
answer_challenge(struct answer *a)
{
	answer_add(a, SLICE("www-authenticate"),
	    credential_bearer(a->s).p != NULL ?
		SLICE("Bearer realm=\"ided\", error=\"invalid_token\"") :
		SLICE("Bearer realm=\"ided\""));
}

void
answer_cookie(struct answer *a, const uint8_t *token)
{
	char hex[2 * WIRE_TOKEN + 1] = "";

	if (token != NULL)
		hex_put(hex, token, WIRE_TOKEN);
	answer_fmt(a, SLICE("set-cookie"),
	    SESSION_COOKIE "=%s; Secure; "
			   "HttpOnly; SameSite=Lax; Path=/; Max-Age=%u",
	    hex, token != NULL ? a->s->w->conf->session_lifetime : 0);
	explicit_bzero(hex, sizeof(hex));
}

void
answer_send(struct answer *a, unsigned int status, const void *body, size_t len)
{
	stream_respond(a->s, status, a->h, a->n, (int64_t)len);
	stream_write(a->s, body, len);
	stream_end(a->s);
	explicit_bzero(a->text, a->used);
}

struct slice
cookie_of(const struct stream *s, const char *name)
{
	struct slice v = { NULL, 0 };

	for (size_t i = 0; i < s->head.nheader; i++)
		if (s->head.header[i].id == HDR_COOKIE &&
		    cookie_find(s->head.header[i].value, slice_str(name), &v) ==
			COOKIE_DUP)
			return ((struct slice){ NULL, 0 });
	return (v);
}

/* --- whole answers --- */

bool
wants_html(const struct stream *s)
{
	struct slice list = stream_header(s, HDR_ACCEPT), e;

	if (s->route == NULL && s->head.target.p == NULL)
		return (false);
	while (list.p != NULL && http_list_next(&list, &e))
		if (e.len >= 9 &&
		    slice_caseeq((struct slice){ e.p, 9 }, SLICE("text/html")))
			return (true);
	return (false);
}

bool
content_is(const struct stream *s, struct slice type)
{
	struct slice v = stream_header(s, HDR_CONTENT_TYPE);
	const char *semi = v.p == NULL ? NULL : memchr(v.p, ';', v.len);

	if (semi != NULL)
		v.len = (size_t)(semi - v.p);
	return (v.p != NULL && slice_caseeq(slice_trim(v), type));
}

void
respond_json(struct answer *a, unsigned int status, json_t *json)
{
	char *text = json == NULL ? NULL : json_dumps(json, JSON_COMPACT);

	json_decref(json);
	if (text == NULL)
		fatalx("json_dumps");
	answer_add(a, SLICE("content-type"), SLICE("application/json"));
	answer_send(a, status, text, strlen(text));
	json_wipe(text);
}

void
respond_error_with(struct answer *a, unsigned int status, const char *text)
{
	const struct status *st = status_find(status);

	if (st == NULL || st->code == NULL)
		st = status_find(500);
	if (text == NULL)
		text = st->text;
	wait_answer(a, status);
	if (wants_html(a->s)) {
		page_error(a, status, st->reason, text);
		return;
	}
	respond_json(a, status,
	    json_pack("{s:b, s:{s:s, s:s, s:{}}}", "success", 0, "error", "message", text,
		"code", st->code, "details"));
}

void
respond_error(struct stream *s, unsigned int status, const char *text)
{
	respond_retry(s, status, text, status == 503 ? 2 : 0);
}

void
respond_retry(
    struct stream *s, unsigned int status, const char *text, unsigned int seconds)
{
	struct answer a;

	answer_init(&a, s, wants_html(s) ? ANSWER_PAGE : ANSWER_DATA);
	if (seconds != 0)
		answer_fmt(&a, SLICE("retry-after"), "%u", seconds);
	if (status == 401)
		answer_challenge(&a);
	respond_error_with(&a, status, text);
}

void
respond_redirect(struct stream *s, unsigned int status, const char *to)
{
	struct answer a;

	answer_init(&a, s, ANSWER_DATA);
	answer_location(&a, to);
	answer_send(&a, status, NULL, 0);
}

void
respond_data(struct stream *s, json_t *data)
{
	struct answer a;

	answer_init(&a, s, ANSWER_DATA);
	respond_json(&a, 200, json_pack("{s:b, s:o}", "success", 1, "data", data));
}

/* --- bodies --- */

struct collect {
	body_fn fn;
	size_t len, size, max;
	char *buf; /* room for size + 1 */
};

static void
collect_free(struct collect *c)
{
	if (c->buf != NULL)
		explicit_bzero(c->buf, c->size);
	free(c->buf);
	free(c);
}

static void
collect_close(struct stream *s)
{
	collect_free(s->arg);
}

static void
collect_off(struct stream *s)
{
	s->on_body = NULL;
	s->on_body_end = NULL;
	s->on_close = NULL;
	s->arg = NULL;
}

static void
collect_body(struct stream *s, const uint8_t *data, size_t len)
{
	struct collect *c = s->arg;
	char *p;
	size_t size;

	if (len > c->max - c->len) {
		collect_off(s);
		collect_free(c);
		respond_error(s, 413, NULL);
		return;
	}
	if (c->buf == NULL || c->len + len > c->size) {
		/* Not realloc(3), which would leave a copy behind. */
		for (size = 1024; size < c->len + len; size *= 2)
			;
		if ((p = malloc(size + 1)) == NULL)
			fatal("malloc");
		if (c->buf != NULL) {
			memcpy(p, c->buf, c->len);
			explicit_bzero(c->buf, c->size);
			free(c->buf);
		}
		c->buf = p;
		c->size = size;
	}
	memcpy(c->buf + c->len, data, len);
	c->len += len;
}

static void
collect_end(struct stream *s)
{
	struct collect *c = s->arg;
	static char none[1];

	collect_off(s);
	if (c->buf != NULL)
		c->buf[c->len] = '\0';
	c->fn(s, c->buf != NULL ? c->buf : none, c->len);
	collect_free(c);
}

void
body_collect(struct stream *s, body_fn fn)
{
	struct collect *c;
	uint64_t max = s->w->conf->prefork.body;

	if (s->head.content_length > 0 && (uint64_t)s->head.content_length > max) {
		respond_error(s, 413, NULL);
		return;
	}
	if ((c = calloc(1, sizeof(*c))) == NULL)
		fatal("calloc");
	c->fn = fn;
	c->max = max;
	s->arg = c;
	s->on_body = collect_body;
	s->on_body_end = collect_end;
	s->on_close = collect_close;
	stream_pause(s, false);
}
