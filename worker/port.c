/*
 * Ports below our own origin, and what is said where there is no answer: see port.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../privsep/log.h"
#include "pages.h"
#include "port.h"
#include "proxy.h"
#include "respond.h"
#include "routes.h"
#include "session.h"
#include "url.h"
#include "wait.h"
#include "worker.h"

bool
port_allowed(const struct worker *w, uint16_t port)
{
	return (port >= w->conf->proxy.port_first && port <= w->conf->proxy.port_last);
}

/* --- no answer --- */

/* It may be in a frame, where the program would be. */
#define POLICY                                                                           \
	"default-src 'none'; style-src 'self'; img-src 'self'; "                         \
	"base-uri 'none'; form-action 'none'"

static void
port_page(struct stream *s, uint16_t number, unsigned int status, const char *why,
    unsigned int retry)
{
	bool waits = wait_possible(s, status);
	struct evbuffer *html = NULL;
	char port[8], num[12];
	struct answer a;

	snprintf(port, sizeof(port), "%u", number);
	snprintf(num, sizeof(num), "%u", status);
	if (status >= 502 && status <= 504)
		html = wait_html(waits);
	answer_init(&a, s, ANSWER_PORT);
	answer_add(&a, SLICE("cache-control"), SLICE("no-store"));
	answer_add(&a, SLICE("content-security-policy"),
	    waits ? SLICE(POLICY "; script-src 'self'; connect-src 'self'") :
		    SLICE(POLICY));
	if (retry != 0)
		answer_fmt(&a, SLICE("retry-after"), "%u", retry);
	page_send(&a, status, status_reason(status), "port.html",
	    (const struct page_value[]){ PAGE_TEXT("status", num),
		PAGE_TEXT("port", port), PAGE_TEXT("text", why), PAGE_HTML("wait", html),
		PAGE_TEXT("rid", s->rid) },
	    5);
	if (html != NULL)
		evbuffer_free(html);
}

void
port_error(struct stream *s, const struct port_way *way, unsigned int status,
    const char *why, unsigned int retry)
{
	bool page = !s->websocket && wants_html(s);

	if (page && way->kind != PORT_LOCATION)
		port_page(s, way->port, status, why, retry);
	else if (page && wait_possible(s, status))
		wait_page(s, status, "This service does not answer", why, retry);
	else
		respond_retry(s, status, why, retry);
}

/* --- pages that share our origin --- */

static bool
is_navigation(const struct stream *s)
{
	return (slice_eq(stream_header(s, HDR_SEC_FETCH_MODE), SLICE("navigate")));
}

static bool
is_safe(const struct stream *s)
{
	return (!s->websocket &&
	    (s->head.method == METHOD_GET || s->head.method == METHOD_HEAD));
}

/* Where the referring page is, if it is of this host: its path. */
static struct slice
referring_path(const struct stream *s)
{
	struct slice v = stream_header(s, HDR_REFERER), host;
	const struct slice none = { NULL, 0 };
	const char *p;

	if (v.p == NULL || (p = memmem(v.p, v.len, "://", 3)) == NULL)
		return (none);
	v.len -= (size_t)(p + 3 - v.p);
	v.p = p + 3;
	if ((p = memchr(v.p, '/', v.len)) == NULL)
		return (none);
	host = (struct slice){ v.p, (size_t)(p - v.p) };
	if (!slice_caseeq(host, s->head.host))
		return (none);
	return ((struct slice){ p, v.len - host.len });
}

bool
port_page_denied(const struct stream *s)
{
	const struct route *r = s->route;
	struct slice from, base = slice_str(s->w->conf->http.base);

	if (s->w->conf->proxy.paths == PATHS_OPEN ||
	    (r->flags & (R_APP | R_SERVICE)) == R_APP)
		return (false);
	from = referring_path(s);
	if (from.p != NULL && slice_prefix(from, base)) {
		from.p += base.len;
		from.len -= base.len;
	}
	if (from.p == NULL ||
	    (!slice_prefix(from, SLICE("/proxy/")) &&
		!slice_prefix(from, SLICE("/absproxy/"))))
		return (false);
	/* Links lead anywhere; what changes something or tells something does not. */
	if (is_safe(s) && (is_navigation(s) || (r->flags & (R_LOGIN | R_TELLS)) == 0))
		return ((r->flags & R_SAME) != 0);
	return (true);
}

/* --- the routes --- */

/* "/proxy/3000" of a path as it came; false if it has no such form. */
static bool
way_parse(struct port_way *way, struct slice raw, const char *route)
{
	size_t n = strlen(route), i;
	unsigned int port = 0;

	if (!slice_prefix(raw, (struct slice){ route, n }))
		return (false);
	for (i = n; i < raw.len && raw.p[i] >= '0' && raw.p[i] <= '9'; i++) {
		port = port * 10 + (unsigned int)(raw.p[i] - '0');
		if (port > 65535 || port == 0)
			return (false);
	}
	if (port == 0 || (i < raw.len && raw.p[i] != '/'))
		return (false);
	way->port = (uint16_t)port;
	memcpy(way->prefix, raw.p, i);
	way->prefix[i] = '\0';
	return (true);
}

/* The port's own origin is where its pages belong. */
static void
to_own_origin(struct stream *s, const struct port_way *way)
{
	const struct http_head *h = &s->head;
	struct slice t = h->target;
	char colon[16] = "";
	struct answer *a;

	if (!is_safe(s) || !(is_navigation(s) || wants_html(s))) {
		respond_error(s, 403,
		    "Programs are reached at addresses of their own here: "
		    "<port>.<proxy domain>.");
		return;
	}
	if (way->kind == PORT_PATH) {
		t.p += strlen(way->prefix);
		t.len -= strlen(way->prefix);
	}
	if (h->port != 0)
		snprintf(colon, sizeof(colon), ":%u", h->port);
	if (t.len > sizeof(a->text) - CONF_DOMAIN_MAX - 64) {
		respond_error(s, 414, NULL);
		return;
	}
	if ((a = malloc(sizeof(*a))) == NULL)
		fatal("malloc");
	answer_init(a, s, ANSWER_DATA);
	answer_fmt(a, SLICE("location"), "https://%u.%s%s%.*s", way->port,
	    s->w->conf->proxy.domain + 2, colon, (int)t.len, t.p);
	answer_send(a, 302, NULL, 0);
	free(a);
}

static void
port_any(struct stream *s, const char *route, enum port_kind kind)
{
	struct port_way way = { .kind = kind };
	char to[HTTP_TARGET_MAX + 8];
	struct slice q = s->query;

	if (!way_parse(&way, s->raw_path, route)) {
		respond_error(s, 400, "There is no port in this address.");
		return;
	}
	if (s->head.method == METHOD_CONNECT || s->head.method == METHOD_TRACE)
		respond_error(s, 405, NULL);
	else if (!port_allowed(s->w, way.port))
		respond_error(
		    s, 403, "This port is not among those that may be reached.");
	else if (s->raw_path.len == strlen(way.prefix)) {
		snprintf(to, sizeof(to), "%s/%s%.*s", way.prefix, q.p != NULL ? "?" : "",
		    (int)q.len, q.p != NULL ? q.p : "");
		respond_redirect(s, 308, to);
	} else if (s->w->conf->proxy.domain[0] != '\0' && !s->by_bearer)
		to_own_origin(s, &way);
	else if (s->w->conf->proxy.paths == PATHS_OFF && !s->by_bearer)
		respond_error(s, 403, "Ports are not reached by this address here.");
	else {
		/* A page that someone opens; what it does by itself is no sign of
		 * anybody. */
		if (is_navigation(s))
			session_beat(s->w);
		proxy_port(s, &way);
	}
}

void
port_path(struct stream *s, const char *rest)
{
	(void)rest;
	port_any(s, "/proxy/", PORT_PATH);
}

void
port_abs(struct stream *s, const char *rest)
{
	(void)rest;
	port_any(s, "/absproxy/", PORT_ABS);
}
