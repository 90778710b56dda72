/*
 * Heads on their way to and from a port: see port.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "location.h"
#include "port.h"
#include "proxy_head.h"
#include "url.h"
#include "worker.h"
#include "../privsep/log.h"

/* What is changed in an answer lies here; a head has no more than this, and each
 * of its fields grows by less than a prefix and what an address loses. */
static struct {
	char buf[2 * HTTP_HEAD_MAX];
	size_t used;
} text;

/* What the browser sees before the prefix. */
static struct slice
before(const struct stream *s, const struct port_way *way)
{
	const struct conf_for_worker *conf = s->w->conf;

	switch (way->kind) {
	case PORT_ABS:
		return (slice_str(conf->proxy.abs_base[0] != '\0' ? conf->proxy.abs_base :
								    conf->http.base));
	case PORT_PATH:
	case PORT_LOCATION:
		return (slice_str(conf->http.base));
	default:
		return (SLICE(""));
	}
}

/* --- the request --- */

void
port_head_target(struct evbuffer *out, const struct stream *s, const struct port_way *way)
{
	struct slice t = s->head.target;
	size_t n = strlen(way->prefix);

	if (way->kind == PORT_LOCATION) {
		if (way->location->conf->rewrite[0] == '\0')
			head_add(out, before(s, way));
		location_target(out, s, way->location);
		return;
	}
	if (way->kind == PORT_PATH && t.len > n) {
		t.p += n;
		t.len -= n;
	} else if (way->kind == PORT_ABS)
		head_add(out, before(s, way));
	head_add(out, t);
}

/* RFC 7239, and the usual ones beside those that every upstream gets. */
void
port_head_forwarded(
    struct evbuffer *out, const struct stream *s, const struct proxy_via *via)
{
	struct slice base = before(s, via->way);
	bool v6 = strchr(via->source, ':') != NULL;
	unsigned int port = s->head.port;
	int n;

	if (port == 0)
		port = via->tls ? 443 : 80;
	n = evbuffer_add_printf(out, "X-Forwarded-Port: %u\r\n", port);
	if (n != -1 && via->way->prefix[0] != '\0')
		n = evbuffer_add_printf(out, "X-Forwarded-Prefix: %.*s%s\r\n",
		    (int)base.len, base.p, via->way->prefix);
	if (n != -1)
		n = evbuffer_add_printf(out,
		    "Forwarded: for=%s%s%s;host=\"%.*s\";proto=%s\r\n", v6 ? "\"[" : "",
		    via->source[0] != '\0' ? via->source : "unknown", v6 ? "]\"" : "",
		    (int)s->head.host.len, s->head.host.p, via->tls ? "https" : "http");
	if (n == -1)
		fatalx("evbuffer_add_printf");
}

/* --- text of the answer --- */

/* False, and nothing written, when there is no place: the field is left out. */
static bool
put(struct slice s)
{
	if (s.len > sizeof(text.buf) - text.used)
		return (false);
	memcpy(text.buf + text.used, s.len > 0 ? s.p : "", s.len);
	text.used += s.len;
	return (true);
}

static struct slice
since(size_t at)
{
	return ((struct slice){ text.buf + at, text.used - at });
}

/* The path below which the browser sees the program. */
static bool
put_prefix(const struct stream *s, const struct port_way *way)
{
	return (put(before(s, way)) && put(slice_str(way->prefix)));
}

static bool
below_prefix(const struct stream *s, const struct port_way *way, struct slice path)
{
	struct slice prefix[2] = { before(s, way), slice_str(way->prefix) };

	for (size_t i = 0; i < 2; i++) {
		if (!slice_prefix(path, prefix[i]))
			return (false);
		path.p += prefix[i].len;
		path.len -= prefix[i].len;
	}
	return (path.len == 0 || path.p[0] == '/' || path.p[0] == '?');
}

/* Its pages may reach nothing but what is below its prefix. */
static bool
is_restricted(const struct stream *s, const struct port_way *way)
{
	return ((way->kind == PORT_PATH || way->kind == PORT_ABS) &&
	    s->w->conf->proxy.paths == PATHS_RESTRICTED);
}

/* Is it of the service's own paths, which the browser knows by another name?  Then
 * what is behind that. */
static bool
below_base(const struct location *l, struct slice *path)
{
	const char *base = l->conf->rewrite;
	size_t n = strcmp(base, "/") == 0 ? 0 : strlen(base);

	if (base[0] == '\0' || !slice_prefix(*path, (struct slice){ base, n }) ||
	    (path->len > n && path->p[n] != '/' && path->p[n] != '?'))
		return (false);
	path->p += n;
	path->len -= n;
	return (true);
}

/* Is it ours to say where this path is? */
static bool
moves(const struct stream *s, const struct port_way *way, struct slice path)
{
	if (way->kind == PORT_HOST || below_prefix(s, way, path))
		return (false);
	if (way->kind == PORT_LOCATION)
		return (below_base(way->location, &path));
	return (way->kind == PORT_PATH || is_restricted(s, way));
}

/* What is left of a path that moves, behind the prefix that is put before it. */
static struct slice
moved(const struct port_way *way, struct slice path)
{
	if (way->kind == PORT_LOCATION)
		(void)below_base(way->location, &path);
	return (path);
}

/* --- Location --- */

static bool
is_numeric(struct slice host)
{
	return (
	    host.len > 0 && host.p[host.len - 1] >= '0' && host.p[host.len - 1] <= '9');
}

/* "host:port" of the configuration */
static bool
is_target(const struct location *l, struct slice host, uint32_t port)
{
	const char *colon = strrchr(l->conf->target, ':');

	return (l->conf->kind != LOCATION_PROXY_UNIX && colon != NULL &&
	    slice_caseeq(host,
		(struct slice){ l->conf->target, (size_t)(colon - l->conf->target) }) &&
	    port == strtoul(colon + 1, NULL, 10));
}

/* What the program calls itself: by our address, or by its own. */
static bool
is_itself(
    const struct stream *s, const struct port_way *way, struct slice host, uint32_t port)
{
	static const struct slice local[] = { SLICE("localhost"), SLICE("127.0.0.1"),
		SLICE("[::1]"), SLICE("0.0.0.0") };
	uint32_t ours = s->head.port, usual = s->w->kind == LISTEN_TLS ? 443 : 80;

	for (size_t i = 0; i < sizeof(local) / sizeof(local[0]); i++)
		if (port == way->port && way->kind != PORT_LOCATION &&
		    slice_caseeq(host, local[i]))
			return (true);
	if (way->kind == PORT_LOCATION && is_target(way->location, host, port))
		return (true);
	/* No port: it knows the name only, and not behind which port it is. */
	if (port != 0 && port != (ours == 0 ? usual : ours))
		return (false);
	/* An address has many spellings. */
	return (slice_caseeq(host, s->head.hostname) ||
	    (is_numeric(host) && is_numeric(s->head.hostname)));
}

enum where {
	ELSEWHERE, /* as it is */
	OWN_PATH,  /* *v is a path of the same origin, or "", "?…" */
	RELATIVE,  /* to the path that was asked for */
	UNCLEAR,   /* browsers and we might read it in different ways */
};

static enum where
after_scheme(
    const struct stream *s, const struct port_way *way, struct slice *v, size_t n)
{
	struct slice auth = { v->p + n, 0 }, host;
	uint32_t port;

	while (n + auth.len < v->len && strchr("/?#", auth.p[auth.len]) == NULL)
		auth.len++;
	/* Userinfo, another slash, a name that would have to be decoded first. */
	if (!http_authority(auth, &host, &port))
		return (UNCLEAR);
	if (!is_itself(s, way, host, port))
		return (ELSEWHERE);
	v->p += n + auth.len;
	v->len -= n + auth.len;
	return (OWN_PATH);
}

static enum where
where(const struct stream *s, const struct port_way *way, struct slice *v)
{
	static const struct slice schemes[] = { SLICE("https:"), SLICE("http:") };
	size_t n;

	/* Browsers take the one for a slash, and the other out. */
	if (memchr(v->p, '\\', v->len) != NULL || memchr(v->p, '\t', v->len) != NULL)
		return (UNCLEAR);
	if (slice_prefix(*v, SLICE("//")))
		return (after_scheme(s, way, v, 2));
	if (v->len == 0 || v->p[0] == '/')
		return (OWN_PATH);
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		n = schemes[i].len;
		if (v->len < n || !slice_caseeq((struct slice){ v->p, n }, schemes[i]))
			continue;
		/* "https:/x" is a path of the same host, to a browser. */
		if (v->len < n + 2 || v->p[n] != '/' || v->p[n + 1] != '/')
			return (UNCLEAR);
		return (after_scheme(s, way, v, n + 2));
	}
	/* Another scheme has its ':' before any '/', '?' or '#'. */
	for (n = 0; n < v->len && strchr("/?#", v->p[n]) == NULL; n++)
		if (v->p[n] == ':')
			return (ELSEWHERE);
	return (RELATIVE);
}

/* Takes "." and ".." out of the path that was put since at, as a browser would. */
static void
remove_dots(size_t at)
{
	char *from = text.buf + at, *to = from, *end = text.buf + text.used, *seg;
	size_t n;
	bool last;

	while (from < end && *from == '/') {
		seg = from + 1;
		for (n = 0; seg + n < end && seg[n] != '/'; n++)
			;
		last = seg + n == end;
		from = seg + n;
		if ((n == 1 && seg[0] == '.') ||
		    (n == 2 && seg[0] == '.' && seg[1] == '.')) {
			while (n == 2 && to > text.buf + at && *--to != '/')
				;
			if (last)
				*to++ = '/';
			continue;
		}
		memmove(to, seg - 1, n + 1);
		to += n + 1;
	}
	text.used = (size_t)(to - text.buf);
}

/* The path that it leads to, without its query, written out; false if it is none. */
static bool
resolve(
    const struct stream *s, const struct port_way *way, struct slice path, enum where w)
{
	struct slice base = s->raw_path;
	size_t at = text.used;

	if (w == RELATIVE) {
		while (base.len > 0 && base.p[base.len - 1] != '/')
			base.len--;
		if (!put(before(s, way)) || !put(base))
			return (false);
	} else if (path.len == 0 && !put(SLICE("/")))
		return (false);
	if (!put(path))
		return (false);
	remove_dots(at);
	return (url_path_safe(since(at)));
}

/*
 * Below our own origin no redirect leads a program's page out: of where one leads to, a
 * content policy looks at the host only.  What is not clear is left out.
 */
static bool
location_kept_in(const struct stream *s, const struct port_way *way, struct slice *value)
{
	struct slice v = *value, rest;
	enum where w = where(s, way, &v);
	size_t at = text.used, n;

	if (w == ELSEWHERE || (w == RELATIVE && strchr("?#", v.p[0]) != NULL))
		return (true);
	if (w == UNCLEAR)
		return (false);
	for (n = 0; n < v.len && v.p[n] != '?' && v.p[n] != '#'; n++)
		;
	rest = (struct slice){ v.p + n, v.len - n };
	v.len = n;
	if (w == RELATIVE && s->raw_path.p == NULL)
		return (false);
	if (!resolve(s, way, v, w))
		return (false);
	v = since(at);
	n = text.used;
	if (moves(s, way, v)) {
		if (!put_prefix(s, way) || !put(v))
			return (false);
		at = n;
	} else if (w == RELATIVE)
		return (true); /* as it was: it stays in */
	if (!put(rest))
		return (false);
	*value = since(at);
	return (true);
}

static bool
location(const struct stream *s, const struct port_way *way, struct slice *value)
{
	struct slice path = *value;
	size_t at = text.used;
	bool ok = true;

	if (is_restricted(s, way))
		return (location_kept_in(s, way, value));
	if (where(s, way, &path) != OWN_PATH ||
	    (path.p == value->p && !moves(s, way, path)))
		return (true);
	if (moves(s, way, path)) {
		ok = put_prefix(s, way);
		path = moved(way, path);
	}
	if (path.len == 0 || path.p[0] != '/')
		ok = ok && put(SLICE("/"));
	ok = ok && put(path);
	*value = since(at);
	return (ok);
}

/* --- Set-Cookie --- */

static struct slice
next_part(struct slice *rest)
{
	const char *semi = memchr(rest->p, ';', rest->len);
	struct slice part = *rest;

	if (semi != NULL)
		part.len = (size_t)(semi - part.p);
	rest->p += part.len + (semi != NULL);
	rest->len -= part.len + (semi != NULL);
	return (slice_trim(part));
}

/* The attribute's name, and its value. */
static struct slice
attribute(struct slice part, struct slice *value)
{
	const char *eq = memchr(part.p, '=', part.len);
	struct slice name = part;

	*value = (struct slice){ part.p + part.len, 0 };
	if (eq != NULL) {
		name.len = (size_t)(eq - part.p);
		value->p = eq + 1;
		value->len = part.len - name.len - 1;
	}
	*value = slice_trim(*value);
	return (slice_trim(name));
}

/* Does its path get our prefix?  *path is what comes behind that. */
static bool
cookie_moves(const struct stream *s, const struct port_way *way, struct slice *path)
{
	if (way->kind != PORT_LOCATION)
		return (moves(s, way, *path));
	if (below_prefix(s, way, *path))
		return (false);
	if (!below_base(way->location, path))
		*path = SLICE("/");
	return (true);
}

/*
 * A cookie stays with the program that sets it: no other host gets it (Domain), nor
 * a path beside its own.  What may only be the whole host's cannot be kept so.
 */
static bool
cookie(const struct stream *s, const struct port_way *way, struct slice *value)
{
	static const struct slice host = SLICE("__Host-");
	struct slice rest = *value, part, name, v;
	size_t at = text.used;
	bool ok;

	part = next_part(&rest);
	if (way->kind != PORT_HOST && part.len >= host.len &&
	    slice_caseeq((struct slice){ part.p, host.len }, host))
		return (false);
	ok = put(part);
	while (rest.len > 0) {
		part = next_part(&rest);
		name = attribute(part, &v);
		if (part.len == 0 || slice_caseeq(name, SLICE("domain")))
			continue;
		ok = ok && put(SLICE("; "));
		if (!slice_caseeq(name, SLICE("path")) || !cookie_moves(s, way, &v)) {
			ok = ok && put(part);
			continue;
		}
		ok = ok && put(SLICE("Path=")) && put_prefix(s, way) &&
		    put(v.len > 0 && v.p[0] == '/' ? v : SLICE("/"));
	}
	*value = since(at);
	return (ok);
}

/* --- what the page may do --- */

/*
 * Below our own origin, a page's requests would carry the user's session: where they
 * may go is all that a browser can be told.  Of a redirect's target it looks at the
 * host only; that is why location() lets none lead out.
 */
static bool
policy(const struct stream *s, const struct port_way *way, struct header *h)
{
	static const char *const directives[] = { "connect-src", "frame-src",
		"worker-src", "object-src", "form-action" };
	static const struct slice tls[] = { SLICE(" https://"), SLICE(" wss://") },
				  plain[] = { SLICE(" https://"), SLICE(" wss://"),
					  SLICE(" http://"), SLICE(" ws://") };
	bool is_tls = s->w->kind == LISTEN_TLS;
	const struct slice *schemes = is_tls ? tls : plain;
	size_t n = is_tls ? 2 : 4, at = text.used;
	bool ok = true;

	for (size_t i = 0; i < sizeof(directives) / sizeof(directives[0]); i++) {
		ok = ok && put(i > 0 ? SLICE("; ") : SLICE("")) &&
		    put(slice_str(directives[i])) && put(SLICE(" blob: data:"));
		for (size_t j = 0; j < n; j++)
			ok = ok && put(schemes[j]) && put(s->head.host) &&
			    put_prefix(s, way) && put(SLICE("/"));
	}
	*h = (struct header){ SLICE("content-security-policy"), since(at) };
	return (ok);
}

/* By these a program would speak for the whole site, or more than its origin. */
static bool
is_ours(const struct port_way *way, struct slice name)
{
	static const struct slice always[] = { SLICE("clear-site-data"), SLICE("nel"),
		SLICE("report-to") },
				  shared[] = { SLICE("service-worker-allowed"),
					  SLICE("reporting-endpoints") };

	for (size_t i = 0; i < sizeof(always) / sizeof(always[0]); i++)
		if (slice_eq(name, always[i]))
			return (true);
	for (size_t i = 0; i < sizeof(shared) / sizeof(shared[0]); i++)
		if (way->kind != PORT_HOST && slice_eq(name, shared[i]))
			return (true);
	return (false);
}

int
port_head_answer(
    const struct stream *s, const struct port_way *way, struct header *h, int n, int max)
{
	int kept = 0;
	bool ok;

	text.used = 0;
	for (int i = 0; i < n; i++) {
		if (is_ours(way, h[i].name))
			continue;
		ok = true;
		if (slice_eq(h[i].name, SLICE("location")))
			ok = location(s, way, &h[i].value);
		else if (slice_eq(h[i].name, SLICE("set-cookie")))
			ok = cookie(s, way, &h[i].value);
		if (ok)
			h[kept++] = h[i];
	}
	if (!is_restricted(s, way))
		return (kept);
	if (kept == max || !policy(s, way, &h[kept]))
		return (-1);
	return (kept + 1);
}
