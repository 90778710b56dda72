/*
 * Which site a request is for, and the origins of ports: see port.h.
 *
 * The sign-on.  A browser that opens https://3000.ide.example.com/x and has no cookie
 * for it is sent to
 *
 *	https://ide.example.com/port/enter?port=3000&n=<hash>&to=/x
 *
 * where the session's cookie says who it is, and from there back to
 *
 *	https://3000.ide.example.com/.ided/enter?code=<code>&to=/x
 *
 * which gives it the cookie.  <hash> is the SHA-256 of a nonce that is in another
 * cookie of the port's origin: a code that somebody else's browser has asked for
 * signs nobody on.  Auth makes and takes the codes (auth_port.c).
 *
 * A port that another user shares is at https://3000-<name>.ide.example.com; with users,
 * the sign-on is the same, whoever they are.
 */
#include <bsd/stdlib.h>
#include <bsd/string.h>
#include <openssl/evp.h>

#include <stdio.h>
#include <string.h>

#include "../privsep/log.h"
#include "conn.h"
#include "origin.h"
#include "port.h"
#include "proxy.h"
#include "respond.h"
#include "routes.h"
#include "session.h"
#include "static.h"
#include "url.h"
#include "worker.h"
#include "../privsep/hex.h"

#define VIEW_LABEL    52  /* base 32 of a SHA-256 */
#define ENTER_SECONDS 300 /* that the nonce is good for */
#define HEX           (2 * WIRE_TOKEN)

/* --- which site --- */

static bool
is_view_label(struct slice label)
{
	for (size_t i = 0; i < label.len; i++)
		if (!(label.p[i] >= '0' && label.p[i] <= '9') &&
		    !(label.p[i] >= 'a' && label.p[i] <= 'v'))
			return (false);
	return (label.len == VIEW_LABEL);
}

static uint16_t
label_port(struct slice label)
{
	unsigned int port = 0;

	if (label.len == 0 || label.len > 5 || label.p[0] == '0')
		return (0);
	for (size_t i = 0; i < label.len; i++) {
		if (label.p[i] < '0' || label.p[i] > '9')
			return (0);
		port = port * 10 + (unsigned int)(label.p[i] - '0');
	}
	return (port <= 65535 ? (uint16_t)port : 0);
}

static struct slice
main_site(const struct worker *w)
{
	const struct conf_proxy *p = &w->conf->proxy;

	return (slice_str(p->site[0] != '\0' ? p->site : p->domain + 2));
}

enum port_site
port_site(const struct worker *w, struct slice host, struct wire_share *what)
{
	struct slice below = slice_str(w->conf->proxy.domain), label;

	memset(what, 0, sizeof(*what));
	if (below.len == 0)
		return (SITE_MAIN);
	below.p++; /* the '*' */
	below.len--;
	if (host.len > 0 && host.p[host.len - 1] == '.')
		host.len--;
	if (slice_caseeq(host, main_site(w)) || host.len <= below.len ||
	    !slice_caseeq(
		(struct slice){ host.p + host.len - below.len, below.len }, below))
		return (SITE_MAIN);
	label = (struct slice){ host.p, host.len - below.len };
	what->port = label_port(label);
	if (what->port != 0)
		return (SITE_PORT);
	if (share_label_parse(label, what))
		return (SITE_SHARE);
	return (is_view_label(label) ? SITE_VIEW : SITE_NONE);
}

/*
 * Which of our sites it is, and at which port of TCP, 0 for the usual one; of an
 * address, what stands before its path counts.
 */
static enum port_site
site_of(const struct worker *w, struct slice address, uint32_t *port)
{
	const struct slice scheme = SLICE("https://");
	struct wire_share what;
	struct slice host;
	const char *end;

	if (!slice_prefix(address, scheme))
		return (SITE_NONE);
	address.p += scheme.len;
	address.len -= scheme.len;
	if ((end = memchr(address.p, '/', address.len)) != NULL)
		address.len = (size_t)(end - address.p);
	if (!http_authority(address, &host, port))
		return (SITE_NONE);
	return (port_site(w, host, &what));
}

/* Is it the very origin that is asked?  Behind someone else's TLS it is an https one. */
static bool
is_own_origin(const struct stream *s, struct slice origin)
{
	return (origin_same(origin, s->head.host, true) ||
	    (s->w->kind != LISTEN_TLS && origin_same(origin, s->head.host, false)));
}

/* Of a port of the user's own, where this site is. */
static bool
is_port_origin(const struct stream *s, struct slice origin)
{
	size_t n = origin.len < 8 ? origin.len : 8;
	uint32_t port = 0, ours = s->head.port != 0 ? s->head.port : 443;

	return (memchr(origin.p + n, '/', origin.len - n) == NULL &&
	    site_of(s->w, origin, &port) == SITE_PORT &&
	    (port != 0 ? port : 443) == ours);
}

/* ":8443" if the browser says so. */
static const char *
colon_port(const struct stream *s)
{
	static char text[16];

	text[0] = '\0';
	if (s->head.port != 0)
		snprintf(text, sizeof(text), ":%u", s->head.port);
	return (text);
}

/* --- small things --- */

static bool
slice_hex(uint8_t *dst, size_t n, struct slice s)
{
	return (s.p != NULL && s.len == 2 * n && hex_get(dst, n, s.p));
}

/* A parameter of the query that is n bytes in hexadecimal. */
static bool
query_hex(const struct stream *s, const char *name, uint8_t *dst, size_t n)
{
	char buf[HEX + 1];
	ssize_t len;

	if (s->query.p == NULL)
		return (false);
	len = url_query(buf, sizeof(buf), s->query, slice_str(name));
	return (len > 0 && slice_hex(dst, n, (struct slice){ buf, (size_t)len }));
}

static void
query_to(const struct stream *s, char to[URL_TO_MAX + 1])
{
	ssize_t len = -1;

	if (s->query.p != NULL)
		len = url_query(to, URL_TO_MAX + 1, s->query, SLICE("to"));
	if (len <= 0 || !url_redirect_ok((struct slice){ to, (size_t)len }))
		strlcpy(to, "/", URL_TO_MAX + 1);
}

static void
sha256(const uint8_t in[WIRE_TOKEN], uint8_t out[WIRE_TOKEN])
{
	if (EVP_Digest(in, WIRE_TOKEN, out, NULL, EVP_sha256(), NULL) != 1)
		fatalx("SHA-256 failed");
}

/* A port as its origin's label. */
static bool
is_share(const struct wire_share *what)
{
	static const uint8_t none[WIRE_SHARE];

	return (memcmp(what->id, none, sizeof(none)) != 0);
}

static void
label_text(char label[SHARE_LABEL], const struct wire_share *what)
{
	if (is_share(what))
		share_label(label, what);
	else
		snprintf(label, SHARE_LABEL, "%u", what->port);
}

static bool
label_parse(struct slice label, struct wire_share *what)
{
	memset(what, 0, sizeof(*what));
	what->port = label_port(label);
	return (what->port != 0 || share_label_parse(label, what));
}

bool
port_has_cookie(const struct stream *s)
{
	return (cookie_of(s, PORT_COOKIE).p != NULL);
}

/* --- sign-on: off to the main origin --- */

void
port_sign_on(struct stream *s)
{
	uint8_t nonce[WIRE_TOKEN], hash[WIRE_TOKEN];
	char hex[HEX + 1], hex2[HEX + 1], to[3 * URL_TO_MAX + 1], label[SHARE_LABEL];
	struct slice t = s->head.target, site = main_site(s->w);
	struct answer *a;

	label_text(label, &s->w->port);
	/* Two tabs at once: both find the same nonce. */
	if (!slice_hex(nonce, sizeof(nonce), cookie_of(s, PORT_ENTER_COOKIE)))
		arc4random_buf(nonce, sizeof(nonce));
	sha256(nonce, hash);
	hex_put(hex, nonce, sizeof(nonce));
	hex_put(hex2, hash, sizeof(hash));
	if (!url_redirect_ok(t) || t.len > 512 ||
	    url_encode(to, sizeof(to), t, true) == -1)
		strlcpy(to, "/", sizeof(to));
	if ((a = malloc(sizeof(*a))) == NULL)
		fatal("malloc");
	answer_init(a, s, ANSWER_DATA);
	answer_fmt(a, SLICE("set-cookie"),
	    PORT_ENTER_COOKIE "=%s; Secure; HttpOnly; SameSite=Lax; Path=/; Max-Age=%u",
	    hex, ENTER_SECONDS);
	answer_fmt(a, SLICE("location"), "https://%.*s%s%s/port/enter?port=%s&n=%s&to=%s",
	    (int)site.len, site.p, colon_port(s), s->w->conf->http.base, label, hex2, to);
	answer_send(a, 302, NULL, 0);
	explicit_bzero(hex, sizeof(hex));
	free(a);
}

/* --- on the main origin: a code --- */

static void
coded(void *arg, struct msg *m)
{
	struct stream *s = arg;
	char hex[HEX + 1], to[URL_TO_MAX + 1], enc[3 * URL_TO_MAX + 1], port[SHARE_LABEL];
	struct answer *a;

	s->on_close = NULL;
	if (m == NULL || m->head.type != M_PORT_CODED) {
		auth_error(s, m);
		return;
	}
	query_to(s, to);
	if (url_query(port, sizeof(port), s->query, SLICE("port")) <= 0 ||
	    strlen(to) > 512 || url_encode(enc, sizeof(enc), slice_str(to), true) == -1)
		strlcpy(enc, "/", sizeof(enc));
	hex_put(hex, MSG_DATA(m, m_port_coded)->code, WIRE_TOKEN);
	if ((a = malloc(sizeof(*a))) == NULL)
		fatal("malloc");
	answer_init(a, s, ANSWER_DATA);
	answer_fmt(a, SLICE("location"), "https://%s.%s%s" PORT_OWN "enter?code=%s&to=%s",
	    port, s->w->conf->proxy.domain + 2, colon_port(s), hex, enc);
	answer_send(a, 302, NULL, 0);
	explicit_bzero(hex, sizeof(hex));
	explicit_bzero(m->u.bytes, sizeof(struct m_port_coded));
	free(a);
}

void
port_code(struct stream *s, const char *rest)
{
	struct m_share_code m;
	char text[SHARE_LABEL];
	ssize_t n = -1;

	(void)rest;
	memset(&m, 0, sizeof(m));
	if (s->query.p != NULL)
		n = url_query(text, sizeof(text), s->query, SLICE("port"));
	if (s->w->conf->proxy.domain[0] == '\0') {
		respond_error(s, 404, NULL);
	} else if (n <= 0 || !label_parse((struct slice){ text, (size_t)n }, &m.share) ||
	    !query_hex(s, "n", m.code.nonce, sizeof(m.code.nonce))) {
		respond_error(s, 400, NULL);
	} else {
		m.code.port = m.share.port;
		if (is_share(&m.share))
			auth_ask_for(s, M_SHARE_CODE, &m, sizeof(m), coded);
		else
			auth_ask_for(s, M_PORT_CODE, &m.code, sizeof(m.code), coded);
	}
}

/* --- back on the port's origin --- */

/* What is left of the browser's last token, whoever's that was. */
static void
last_owner(const struct stream *s, uint8_t owner[WIRE_OWNER])
{
	struct slice v = cookie_of(s, PORT_COOKIE);

	memset(owner, 0, WIRE_OWNER);
	if (v.p == NULL || v.len <= HEX + 1)
		return;
	v.p += HEX + 1;
	v.len -= HEX + 1;
	if (!slice_hex(owner, WIRE_OWNER, v))
		memset(owner, 0, WIRE_OWNER);
}

static void
not_entered(struct stream *s, const char *to)
{
	/* Another tab was quicker, or its time was over: from the beginning. */
	if (cookie_of(s, PORT_COOKIE).p != NULL) {
		respond_redirect(s, 302, to);
		return;
	}
	respond_error(s, 403,
	    "Signing on to this port was not completed in time, or its cookies are not "
	    "accepted. Please open its address again.");
}

static void
entered(void *arg, struct msg *m)
{
	struct stream *s = arg;
	const struct m_port_entered *e;
	char hex[HEX + 1], owner[2 * WIRE_OWNER + 1], to[URL_TO_MAX + 1];
	struct answer *a;

	s->on_close = NULL;
	if (m == NULL || m->head.type != M_PORT_ENTERED) {
		auth_error(s, m);
		return;
	}
	query_to(s, to);
	e = MSG_DATA(m, m_port_entered);
	if (e->result != AUTH_OK) {
		not_entered(s, to);
		return;
	}
	if (!session_bind(s->w, &e->who, e->token)) {
		conn_abort(s->w->conn, "auth's answer is unsound");
		return;
	}
	hex_put(hex, e->token, sizeof(e->token));
	hex_put(owner, e->owner, sizeof(e->owner));
	if ((a = malloc(sizeof(*a))) == NULL)
		fatal("malloc");
	answer_init(a, s, ANSWER_DATA);
	answer_fmt(a, SLICE("set-cookie"),
	    PORT_COOKIE "=%s.%s; Secure; HttpOnly; SameSite=Lax; Path=/; Max-Age=%u", hex,
	    owner, s->w->conf->session_lifetime);
	/* What another user's program has left in this browser is not for this one. */
	if (!e->same_owner)
		answer_add(a, SLICE("clear-site-data"), SLICE("\"cache\", \"storage\""));
	answer_add(a, SLICE("location"), slice_str(to));
	answer_send(a, 302, NULL, 0);
	explicit_bzero(hex, sizeof(hex));
	explicit_bzero(m->u.bytes, sizeof(struct m_port_entered));
	free(a);
}

static void
enter(struct stream *s)
{
	uint8_t nonce[WIRE_TOKEN];
	struct m_share_enter m;
	char to[URL_TO_MAX + 1];

	memset(&m, 0, sizeof(m));
	m.share = s->w->port;
	m.enter.port = s->w->port.port;
	if (!query_hex(s, "code", m.enter.code, sizeof(m.enter.code)) ||
	    !slice_hex(nonce, sizeof(nonce), cookie_of(s, PORT_ENTER_COOKIE))) {
		query_to(s, to);
		not_entered(s, to);
		return;
	}
	sha256(nonce, m.enter.nonce);
	last_owner(s, m.enter.owner);
	if (s->w->site == SITE_SHARE)
		auth_ask_for(s, M_SHARE_ENTER, &m, sizeof(m), entered);
	else
		auth_ask_for(s, M_PORT_ENTER, &m.enter, sizeof(m.enter), entered);
	explicit_bzero(&m, sizeof(m));
}

/* Ours on a port's origin. */
static void
own(struct stream *s)
{
	static const char assets[] = PORT_OWN "static/";
	const struct www_file *f;

	if (s->head.method != METHOD_GET && s->head.method != METHOD_HEAD)
		respond_error(s, 405, NULL);
	else if (strcmp(s->path, PORT_OWN "enter") == 0)
		enter(s);
	else if (strncmp(s->path, assets, sizeof(assets) - 1) == 0 &&
	    (f = www_find(s->path + sizeof(assets) - 1)) != NULL && f->type[0] != '\0')
		static_www(s, f);
	else
		respond_error(s, 404, NULL);
}

/* --- a request for the program --- */

static bool
denied(struct stream *s, const char *why)
{
	refuse_origin(s, why, "Another site asks for this.");
	return (false);
}

/*
 * What somebody shares is of the same site, as a browser sees it, and its pages would
 * have the user's own programs asked with the user's cookie.  So none of it is sent but
 * to pages that say where they are, and that is no shared port; a page that is opened
 * says nothing, and cannot be read by who opens it.
 */
static bool
reader_agrees(struct stream *s)
{
	struct slice from = stream_header(s, HDR_ORIGIN);

	if (s->w->conf->proxy.share == SHARE_OFF ||
	    !slice_eq(stream_header(s, HDR_SEC_FETCH_SITE), SLICE("same-site")) ||
	    slice_eq(stream_header(s, HDR_SEC_FETCH_MODE), SLICE("navigate")))
		return (true);
	if (from.p == NULL)
		from = stream_header(s, HDR_REFERER);
	if (from.p != NULL)
		switch (site_of(s->w, from, NULL)) {
		case SITE_MAIN:
		case SITE_PORT:
		case SITE_VIEW:
			return (true);
		case SITE_SHARE:
		case SITE_NONE:
			break;
		}
	return (denied(s, "a page that may be another user's asks"));
}

/*
 * What changes something, and a WebSocket, may come from the program's own pages and
 * from those of the user's other programs, which the sign-on keeps apart from
 * everybody else's.
 */
static bool
origin_agrees(struct stream *s)
{
	struct slice origin = stream_header(s, HDR_ORIGIN);
	struct slice site = stream_header(s, HDR_SEC_FETCH_SITE);
	bool shared = s->w->site == SITE_SHARE;
	enum http_method m = s->head.method;

	if (!s->websocket && (m == METHOD_GET || m == METHOD_HEAD || m == METHOD_OPTIONS))
		return (shared || reader_agrees(s));
	if (origin.p != NULL ?
		is_own_origin(s, origin) || (!shared && is_port_origin(s, origin)) :
		slice_eq(site, SLICE("same-origin")) || slice_eq(site, SLICE("none")))
		return (true);
	return (denied(s, "no page of a port asks"));
}

static void
known(struct stream *s, unsigned int who)
{
	struct port_way way = { .port = s->w->port.port, .kind = PORT_HOST };
	bool page = s->head.method == METHOD_GET && !s->websocket && wants_html(s);

	if (who == WHO_USER) {
		if (slice_eq(stream_header(s, HDR_SEC_FETCH_MODE), SLICE("navigate")))
			session_beat(s->w);
		proxy_port(s, &way);
	} else if (page)
		port_sign_on(s);
	else
		respond_error(s, 401, "Please open this port's address in a browser.");
}

void
port_request(struct stream *s)
{
	struct port_way way = { .port = s->w->port.port, .kind = PORT_HOST };

	if (s->head.method == METHOD_CONNECT || s->head.method == METHOD_TRACE ||
	    slice_eq(s->head.target, SLICE("*")))
		respond_error(s, 405, NULL);
	else if (!port_allowed(s->w, way.port))
		port_error(
		    s, &way, 403, "This port is not among those that may be reached.", 0);
	else if (strncmp(s->path, PORT_OWN, sizeof(PORT_OWN) - 1) == 0)
		own(s);
	else if (s->path[0] == '\0' && slice_prefix(s->raw_path, SLICE(PORT_OWN)))
		respond_error(s, 404, NULL);
	else if (origin_agrees(s))
		session_who(s, s->w->site == SITE_SHARE ? share_known : known);
}
