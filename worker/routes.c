/*
 * Which request is answered by what, and what it must show first.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bsd/stdlib.h>

#include "../privsep/log.h"
#include "activity.h"
#include "api.h"
#include "conn.h"
#include "limit.h"
#include "location.h"
#include "origin.h"
#include "port.h"
#include "respond.h"
#include "routes.h"
#include "session.h"
#include "url.h"
#include "worker.h"

#define R_ALL (R_ANY | M_BIT(METHOD_OTHER))

/* clang-format off */
const struct route routes[] = {
	/* for everybody */
	{ "/healthz",		R_GET,		R_FREE,		healthz },
	{ "/metrics",		R_GET,		R_FREE,		metrics },
	{ "/robots.txt",	R_GET,		R_FREE,		robots },
	{ "/security.txt",	R_GET,		R_FREE,		security_txt },
	{ "/.well-known/security.txt", R_GET,	R_FREE,		security_txt },
	{ "/favicon.ico",	R_GET,		R_FREE,		favicon },
	{ "/favicon.svg",	R_GET,		R_FREE,		favicon },
	{ "/manifest.json",	R_GET,		R_FREE,		ide_manifest },
	{ "/_static/",		R_GET,		R_PREFIX | R_FREE,	front_static },
	{ "/csp-report",	R_POST,		0,		csp_report },
	/* accounts */
	{ "/login",		R_GET,		0,		login_get },
	{ "/login",		R_POST,		0,		login_post },
	{ "/logout",		R_GET | R_POST,	R_SAME,		logout },
	{ "/.well-known/jwks.json", R_GET,	0,		jwks },
	{ "/reset",		R_GET,		0,		reset_get },
	{ "/reset",		R_POST,		0,		reset_post },
	{ "/register",		R_GET,		R_MULTI,	register_get },
	{ "/register",		R_POST,		R_MULTI,	register_post },
	{ "/password",		R_GET,		R_LOGIN | R_PAGE, password_get },
	{ "/password",		R_POST,		R_LOGIN | R_ACTIVE, password_post },
	/* the API: api.h */
	{ "/api/",		R_ANY,		R_PREFIX | R_TELLS, api_any },
	{ "/",			R_GET,		R_LOGIN | R_PAGE | R_MULTI, portal },
	/* ports of the sandbox */
	{ "/proxy/",		R_ALL,		R_PREFIX | R_LOGIN | R_PAGE | R_SOCKET |
						R_PASS | R_APP,	port_path },
	{ "/absproxy/",		R_ALL,		R_PREFIX | R_LOGIN | R_PAGE | R_SOCKET |
						R_PASS | R_APP,	port_abs },
	{ "/port/enter",	R_GET,		R_LOGIN | R_PAGE, port_code },
	{ "/ports",		R_GET,		R_LOGIN | R_PAGE | R_MULTI, ports_page },
	{ "/ports",		R_POST,		R_LOGIN | R_MULTI, ports_share },
	{ "/ports/end",		R_POST,		R_LOGIN | R_MULTI, ports_end },
	/* the IDE: what its workbench asks of its front, some of it at the root */
	{ "/update/check",	R_GET,		R_LOGIN,	ide_update },
	{ "/ide",		R_GET,		R_MULTI,	ide_slash },
	{ "/ide/",		R_GET,		R_LOGIN | R_PAGE | R_ACTIVE |
						R_SOCKET | R_MULTI, ide_root },
	{ "/ide/login",		R_GET,		R_MULTI,	ide_login },
	{ "/ide/logout",	R_GET | R_POST,	R_SAME | R_MULTI, logout },
	{ "/ide/healthz",	R_GET,		R_MULTI,	healthz },
	{ "/ide/manifest.json",	R_GET,		R_MULTI,	ide_manifest },
	{ "/ide/mint-key",	R_POST,		R_LOGIN | R_MULTI, ide_mint },
	{ "/ide/update/check",	R_GET,		R_LOGIN | R_MULTI, ide_update },
	{ "/ide/_static/",	R_GET,		R_PREFIX | R_MULTI, front_static },
	{ "/ide/",		R_ANY,		R_PREFIX | R_LOGIN | R_ACTIVE | R_SOCKET |
						R_PASS | R_MULTI, ide_any },
	{ NULL,			0,		0,		NULL },
};

/* What is left where the IDE is at the root. */
static const struct route routes_root[] = {
	{ "/",			R_GET,		R_LOGIN | R_PAGE | R_ACTIVE |
						R_SOCKET,	ide_root },
	{ "/vscode",		R_GET,		0,		ide_slash },
	{ "/vscode/",		R_GET,		0,		ide_slash },
	{ "/mint-key",		R_POST,		R_LOGIN,	ide_mint },
	{ "/",			R_ANY,		R_PREFIX | R_LOGIN | R_ACTIVE |
						R_SOCKET | R_PASS, ide_any },
	{ NULL,			0,		0,		NULL },
};
/* clang-format on */

static bool
route_is(const struct route *r, const char *path, struct slice raw)
{
	size_t n = strlen(r->path);

	if (*path == '\0')
		return ((r->flags & R_PASS) != 0 &&
		    slice_prefix(raw, (struct slice){ r->path, n }));
	return (r->flags & R_PREFIX ? strncmp(path, r->path, n) == 0 :
				      strcmp(path, r->path) == 0);
}

const struct route *
route_find(const char *path, struct slice raw, bool root)
{
	const struct route *r;

	for (r = routes; r->path != NULL; r++)
		if (!(root && (r->flags & R_MULTI)) && route_is(r, path, raw))
			return (r);
	for (r = routes_root; root && r->path != NULL; r++)
		if (route_is(r, path, raw))
			return (r);
	return (NULL);
}

/* The row for the method; the methods of all rows of that path in *allow. */
static const struct route *
route_method(const struct route *first, const struct stream *s, unsigned int *allow)
{
	const struct route *r;

	*allow = 0;
	for (r = first; r->path != NULL; r++) {
		if (r != first && strcmp(r->path, first->path) != 0)
			continue;
		if (r != first && (r->flags & R_PREFIX) != (first->flags & R_PREFIX))
			continue;
		if (r->methods & M_BIT(s->head.method))
			return (r);
		*allow |= r->methods;
	}
	return (NULL);
}

void
route_allow(char *dst, size_t size, unsigned int methods)
{
	static const struct {
		enum http_method method;
		const char *name;
	} names[] = {
		{ METHOD_GET, "GET" },
		{ METHOD_HEAD, "HEAD" },
		{ METHOD_POST, "POST" },
		{ METHOD_PUT, "PUT" },
		{ METHOD_DELETE, "DELETE" },
		{ METHOD_PATCH, "PATCH" },
		{ METHOD_OPTIONS, "OPTIONS" },
	};
	size_t n = 0;

	dst[0] = '\0';
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (methods & M_BIT(names[i].method) && n < size)
			n += (size_t)snprintf(
			    dst + n, size - n, "%s%s", n > 0 ? ", " : "", names[i].name);
}

/* --- what comes before --- */

/* The listener that only knows the way to the right one. */
static void
redirect_https(struct stream *s)
{
	const struct http_head *h = &s->head;
	unsigned int port = s->w->conf->https_port;
	struct slice t = h->target;
	char num[8] = "";
	struct answer *a;

	if (t.len == 0 || t.p[0] != '/')
		t = SLICE("/");
	if (port != 0 && port != 443)
		snprintf(num, sizeof(num), ":%u", port);
	if (h->hostname.len + t.len > sizeof(a->text) - 64) {
		respond_error(s, 414, NULL);
		return;
	}
	if ((a = malloc(sizeof(*a))) == NULL)
		fatal("malloc");
	answer_init(a, s, ANSWER_DATA);
	answer_fmt(a, SLICE("location"), "https://%.*s%s%.*s", (int)h->hostname.len,
	    h->hostname.p, num, (int)t.len, t.p);
	answer_send(a, 308, NULL, 0);
	free(a);
}

static struct slice
without_dot(struct slice s)
{
	if (s.len > 0 && s.p[s.len - 1] == '.')
		s.len--;
	return (s);
}

/* The certificate was chosen for one name; the request must mean the same. */
static bool
name_agrees(const struct stream *s)
{
	struct slice sni = slice_str(conn_server_name(s->w->conn));

	return (sni.len == 0 ||
	    slice_caseeq(without_dot(sni), without_dot(s->head.hostname)));
}

/*
 * Without a login, a name that leads to loopback could be anybody's (DNS rebinding):
 * only names that can be nobody else's are taken.  A local socket is reached by
 * what stands before it, which has a name of its own.
 */
static bool
host_is_local(const struct stream *s)
{
	static const char *const names[] = { "localhost", "127.0.0.1", "[::1]", "::1" };
	struct slice h = without_dot(s->head.hostname);
	size_t i, n = strlen(".localhost");

	if (s->w->source.unix_peer != 0)
		return (true);
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (slice_caseeq(h, slice_str(names[i])))
			return (true);
	return (h.len > n &&
	    slice_caseeq((struct slice){ h.p + h.len - n, n }, SLICE(".localhost")));
}

static bool
is_safe(enum http_method m)
{
	return (m == METHOD_GET || m == METHOD_HEAD || m == METHOD_OPTIONS);
}

/* Not more of it than a line of the log has place for. */
static void
cut(char dst[256], struct slice s)
{
	size_t n = s.len < 255 ? s.len : 255;

	memcpy(dst, n > 0 ? s.p : "", n);
	dst[n] = '\0';
}

void
refuse_origin(struct stream *s, const char *why, const char *text)
{
	char origin[256], host[256];

	cut(origin, stream_header(s, HDR_ORIGIN));
	cut(host, s->head.host);
	log_event(LOG_INFO, "origin.denied", LOG_S("rid", s->rid), LOG_S("why", why),
	    LOG_S("origin", origin), LOG_S("host", host));
	respond_error(s, 403, text);
}

/* Another site, or this one behind a proxy that says another name than the browser. */
static void
refuse_other(struct stream *s)
{
	struct slice from = stream_header(s, HDR_ORIGIN), to = s->head.host;
	char text[512];

	snprintf(text, sizeof(text),
	    "A page of %.*s asks for this, and this is %.*s: another site, as it seems.  "
	    "If "
	    "it is not, what stands before ided has to pass on Host as the browser says "
	    "it.",
	    (int)(from.len < 128 ? from.len : 128), from.p,
	    (int)(to.len < 128 ? to.len : 128), to.p);
	refuse_origin(s, origin_reason(ORIGIN_D_OTHER), text);
}

/* Is it one of our own pages that asks? */
static bool
origin_agrees(struct stream *s)
{
	const struct route *r = s->route;
	struct slice auth = stream_header(s, HDR_AUTHORIZATION);
	struct origin_facts f = { .host = s->head.host,
		.origin = stream_header(s, HDR_ORIGIN),
		.fetch_site = stream_header(s, HDR_SEC_FETCH_SITE),
		.tls = s->w->kind == LISTEN_TLS,
		/* Without a login, every request has what a cookie would give. */
		.cookie = s->w->conf->mode == AUTH_NONE ||
		    (stream_header(s, HDR_COOKIE).p != NULL && auth.p == NULL) };
	enum origin_use use;
	enum origin_verdict v;

	if (s->websocket)
		use = ORIGIN_WEBSOCKET;
	else if (!is_safe(s->head.method))
		use = ORIGIN_WRITE;
	else if (r->flags & R_SAME)
		use = ORIGIN_NAVIGATE;
	else
		return (true);
	v = origin_check(use, &f);
	if (v != ORIGIN_ALLOW && s->w->kind == LISTEN_PLAIN) {
		/* Behind someone else's TLS, our pages are https ones. */
		f.tls = true;
		v = origin_check(use, &f);
	}
	if (v == ORIGIN_ALLOW)
		return (true);
	if (v == ORIGIN_D_OTHER)
		refuse_other(s);
	else
		refuse_origin(s, origin_reason(v), origin_reason(v));
	return (false);
}

static const char *
route_rest(const struct stream *s)
{
	return (s->path[0] == '\0' ? "" : s->path + strlen(s->route->path));
}

/* It is a user's, and there is some left. */
static void
route_user(struct stream *s)
{
	if ((s->route->flags & R_ACTIVE) && !activity_itself(s))
		session_beat(s->w);
	s->route->fn(s, route_rest(s));
}

/* It is known who it is. */
static void
route_known(struct stream *s, unsigned int who)
{
	unsigned int flags = s->route->flags;

	if (who != WHO_USER) {
		if ((flags & R_PAGE) && !s->websocket && wants_html(s))
			login_redirect(s);
		else
			respond_error(s, 401, NULL);
		return;
	}
	/* Auth refuses it all until then; a person is led there. */
	if (s->w->who.must_change && (flags & (R_PAGE | R_SOCKET)) &&
	    s->route->fn != password_get) {
		if ((flags & R_PAGE) && !s->websocket && wants_html(s))
			respond_redirect(s, 302, "/password");
		else
			respond_error(s, 403, "The password must be changed first.");
		return;
	}
	limit_request(s, route_user);
}

static void
route_counted(struct stream *s)
{
	if (s->route->flags & R_LOGIN)
		session_who(s, route_known);
	else
		s->route->fn(s, route_rest(s));
}

void
route_refuse(struct stream *s, unsigned int allow)
{
	char list[64];
	struct answer a;

	if (s->head.method == METHOD_OTHER) {
		respond_error(s, 501, NULL);
		return;
	}
	route_allow(list, sizeof(list), allow);
	answer_init(&a, s, wants_html(s) ? ANSWER_PAGE : ANSWER_DATA);
	answer_add(&a, SLICE("allow"), slice_str(list));
	if (s->head.method == METHOD_OPTIONS)
		answer_send(&a, 204, NULL, 0);
	else
		respond_error_with(&a, 405, NULL);
}

/* OPTIONS of the site as a whole: RFC 9110 9.3.7. */
static void
options_all(struct stream *s)
{
	struct answer a;

	answer_init(&a, s, ANSWER_DATA);
	answer_add(
	    &a, SLICE("allow"), SLICE("GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS"));
	answer_send(&a, 204, NULL, 0);
}

/* Path and query, in the forms that a route needs; false when they are bad. */
static bool
path_split(struct stream *s)
{
	url_split(s->head.target, &s->raw_path, &s->query);
	if (url_path(s->path, sizeof(s->path), s->raw_path) != -1)
		return (true);
	s->path[0] = '\0';
	return (url_path_safe(s->raw_path));
}

/*
 * The prefix that the whole site is below, if it has one: nothing else knows of it
 * until an address is written.  One in front of us may have taken it off.
 */
static bool
base_strip(struct stream *s)
{
	struct slice base = slice_str(s->w->conf->http.base), *t = &s->head.target;

	if (base.len == 0 || !slice_prefix(*t, base))
		return (true);
	if (t->len == base.len || t->p[base.len] == '?') {
		respond_redirect(s, 308, "/");
		return (false);
	}
	if (t->p[base.len] == '/') {
		t->p += base.len;
		t->len -= base.len;
	}
	return (true);
}

static bool
target_is_sound(struct stream *s)
{
	return (path_split(s) &&
	    (!s->websocket ||
		(s->head.body == BODY_NONE && s->head.method == METHOD_GET)));
}

/* Whose name it is that is asked for; false if that is answered here. */
static bool
site_is_main(struct stream *s)
{
	struct worker *w = s->w;
	struct wire_share port;
	enum port_site site = port_site(w, s->head.hostname, &port);

	/* A connection is for one site, as it is for one user. */
	if (site == SITE_NONE ||
	    (w->site_known &&
		(w->site != site || memcmp(&w->port, &port, sizeof(port)) != 0))) {
		conn_drain(w);
		respond_error(s, 421, NULL);
		return (false);
	}
	w->site_known = true;
	w->site = (uint8_t)site;
	w->port = port;
	if (site == SITE_MAIN)
		return (true);
	if (w->kind == LISTEN_METRICS)
		respond_error(s, 404, NULL);
	else if (!target_is_sound(s))
		respond_error(s, 400, NULL);
	else if (site == SITE_PORT || site == SITE_SHARE)
		port_request(s);
	else
		port_view(s);
	return (false);
}

/* What answers it: ided's own first, then the site's services, then an IDE at the
 * root.  False if that is answered here. */
static bool
route_of(struct stream *s, const struct route **r)
{
	char to[HTTP_TARGET_MAX + 8];
	struct slice q = s->query;
	struct location *l;

	*r = route_find(s->path, s->raw_path, false);
	if (*r != NULL && !((*r)->flags & R_MULTI && s->w->conf->mode != AUTH_MULTI))
		return (true);
	switch (location_match(s->path, s->raw_path, &l)) {
	case LOCATION_ONE:
		*r = &location_route;
		return (true);
	case LOCATION_UNCLEAR:
		respond_error(s, 400, "This address can be read in more than one way.");
		return (false);
	case LOCATION_NONE:
		break;
	}
	if (location_lacks_slash(s->path)) {
		snprintf(to, sizeof(to), "%s/%s%.*s", s->path, q.p != NULL ? "?" : "",
		    (int)q.len, q.p != NULL ? q.p : "");
		respond_redirect(s, 308, to);
		return (false);
	}
	*r = route_find(s->path, s->raw_path, s->w->conf->mode != AUTH_MULTI);
	return (true);
}

static bool
listener_has(uint32_t kind, const struct route *r)
{
	if (kind == LISTEN_METRICS)
		return (r->fn == metrics || r->fn == healthz);
	return (r->fn != metrics);
}

void
stream_request(struct stream *s)
{
	const struct route *r;
	unsigned int allow;

	if (s->w->kind == LISTEN_REDIRECT) {
		redirect_https(s);
		return;
	}
	if (!name_agrees(s)) {
		respond_error(s, 421,
		    "This connection was made for another "
		    "host name.");
		return;
	}
	if (!site_is_main(s))
		return;
	if (s->w->conf->mode == AUTH_NONE && !host_is_local(s)) {
		respond_error(s, 403,
		    "Without a login, this site is for this machine alone: use "
		    "localhost or a loopback address as its name.");
		return;
	}
	if (slice_eq(s->head.target, SLICE("*"))) {
		options_all(s);
		return;
	}
	if (!base_strip(s))
		return;
	if (!target_is_sound(s)) {
		respond_error(s, 400, NULL);
		return;
	}
	if (!route_of(s, &r))
		return;
	if (r == NULL || !listener_has(s->w->kind, r)) {
		respond_error(s, 404, NULL);
		return;
	}
	s->route = r;
	if ((s->route = route_method(r, s, &allow)) == NULL) {
		s->route = r;
		route_refuse(s, allow);
		return;
	}
	/* Elsewhere, a wish to upgrade is not granted: RFC 9110 7.8. */
	if (!(s->route->flags & R_SOCKET))
		s->websocket = false;
	if (!origin_agrees(s))
		return;
	if (port_page_denied(s)) {
		refuse_origin(
		    s, "a page of a port asks", "A page of a program may not do this.");
		return;
	}
	limit_request(s, route_counted);
}
