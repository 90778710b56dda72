/*
 * Heads on their way to and from a port: what a request becomes is a request again,
 * below the prefix and with nothing of ours; and no answer leads a browser out of the
 * prefix, sets a cookie beside it, or speaks for more than its origin.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../worker/cookie.h"
#include "../../worker/port.h"
#include "../../worker/proxy_head.h"
#include "../../worker/session.h"
#include "../../worker/worker.h"
#include "fuzz.h"

static struct worker me;

static struct conf_for_worker conf;
static const struct port_way ways[] = {
	{ 3000, PORT_HOST, "" },
	{ 3000, PORT_PATH, "/proxy/3000" },
	{ 3000, PORT_ABS, "/absproxy/3000" },
};

static void
setup(uint8_t how)
{
	me.conf = &conf;
	me.kind = how & 0x10 ? LISTEN_TLS : LISTEN_PLAIN;
	conf.proxy.paths = how & 0x20 ? PATHS_OPEN : PATHS_RESTRICTED;
	memcpy(conf.proxy.abs_base, how & 0x40 ? "/base" : "", how & 0x40 ? 6 : 1);
}

/* A label that is read as a share's is written as it came: there is one spelling. */
static void
label(const char *in, size_t len)
{
	char text[SHARE_LABEL];
	struct wire_share what;

	if (!share_label_parse((struct slice){ in, len }, &what))
		return;
	check(what.port != 0);
	share_label(text, &what);
	check(strlen(text) == len && memcmp(text, in, len) == 0);
}

static void
request(char *in, size_t len, uint8_t how, const struct port_way *way)
{
	static const struct slice ours[] = { SLICE(SESSION_COOKIE), SLICE(PORT_COOKIE),
		SLICE(PORT_ENTER_COOKIE) };
	static struct stream s;
	static struct http_head again;
	const struct proxy_via via = { how & 1 ? "2001:db8::1" : "192.0.2.1",
		(how & 0x10) != 0, NULL, way };
	size_t n = strlen(way->prefix);
	struct evbuffer *out;
	struct slice v;
	char *p;

	http_head_init(&s.head);
	s.w = &me;
	if (http_request_parse(&s.head, in, len) != HTTP_DONE)
		return;
	/* The route has seen to that. */
	if (n > 0 &&
	    (!slice_prefix(s.head.target, slice_str(way->prefix)) ||
		s.head.target.len <= n || s.head.target.p[n] != '/'))
		return;
	check((out = evbuffer_new()) != NULL);
	proxy_head_request(out, &s, &via);
	n = evbuffer_get_length(out);
	check((p = (char *)evbuffer_pullup(out, -1)) != NULL);
	http_head_init(&again);
	if (n <= HTTP_HEAD_MAX / 2 && s.head.nheader < HTTP_HEADER_MAX / 2) {
		check(http_request_parse(&again, p, n) == HTTP_DONE && again.size == n);
		check(slice_eq(again.host, s.head.host));
		for (size_t i = 0; i < again.nheader; i++)
			for (size_t j = 0; j < 3; j++) {
				v = (struct slice){ NULL, 0 };
				if (again.header[i].id == HDR_COOKIE)
					check(cookie_find(again.header[i].value, ours[j],
						  &v) == COOKIE_NONE);
			}
	}
	evbuffer_free(out);
}

static bool
below(struct slice v, const struct port_way *way)
{
	const char *base = way->kind == PORT_ABS ? conf.proxy.abs_base : "";
	size_t n = strlen(base), m = strlen(way->prefix);

	return (v.len >= n + m && memcmp(v.p, base, n) == 0 &&
	    memcmp(v.p + n, way->prefix, m) == 0 &&
	    (v.len == n + m || strchr("/?", v.p[n + m]) != NULL));
}

static void
cookie(struct slice v, const struct port_way *way)
{
	const char *semi = memchr(v.p, ';', v.len), *eq;
	struct slice part, name;
	bool own = way->kind == PORT_PATH ||
	    (way->kind == PORT_ABS && conf.proxy.paths == PATHS_RESTRICTED);

	check(v.len < 10 ||
	    !slice_caseeq(
		(struct slice){ v.p, 11 < v.len ? 11 : v.len }, SLICE("__Host-ided")));
	while (semi != NULL) {
		v.len -= (size_t)(semi + 1 - v.p);
		v.p = semi + 1;
		semi = memchr(v.p, ';', v.len);
		part = v;
		if (semi != NULL)
			part.len = (size_t)(semi - v.p);
		part = slice_trim(part);
		name = part;
		if ((eq = memchr(part.p, '=', part.len)) != NULL)
			name.len = (size_t)(eq - part.p);
		name = slice_trim(name);
		check(!slice_caseeq(name, SLICE("domain")));
		if (own && eq != NULL && slice_caseeq(name, SLICE("path")))
			check(below(slice_trim((struct slice){
					eq + 1, part.len - (size_t)(eq + 1 - part.p) }),
			    way));
	}
}

/* As a browser reads it that is at /proxy/3000/a/b. */
static void
location(struct slice v, const struct port_way *way)
{
	int depth = 4;

	check(memchr(v.p, '\\', v.len) == NULL && memchr(v.p, '\t', v.len) == NULL);
	if (v.len > 0 && v.p[0] == '/' && (v.len == 1 || v.p[1] != '/')) {
		check(below(v, way));
		depth = 0;
	} else if (v.len == 0 || memchr(v.p, ':', v.len) != NULL || v.p[0] == '/')
		return;
	for (size_t i = 0, n; i < v.len && v.p[i] != '?' && v.p[i] != '#'; i += n + 1) {
		for (n = 0; i + n < v.len && strchr("/?#", v.p[i + n]) == NULL; n++)
			;
		if (n == 2 && v.p[i] == '.' && v.p[i + 1] == '.')
			depth--;
		else if (n > 0 && !(n == 1 && v.p[i] == '.'))
			depth++;
		check(depth >= 2 || v.p[0] == '/');
		if (i + n < v.len && v.p[i + n] != '/')
			break;
	}
	check(v.p[0] != '/' || memmem(v.p, v.len, "/../", 4) == NULL ||
	    memchr(v.p, '?', v.len) != NULL || memchr(v.p, '#', v.len) != NULL);
}

static void
answer(char *in, size_t len, const struct port_way *way)
{
	static struct stream s;
	static struct http_head head;
	static char ask[] = "GET / HTTP/1.1\r\nHost: h:8443\r\n\r\n";
	struct header h[STREAM_RESP_HEADERS];
	char text[sizeof(ask)];
	int n;

	memcpy(text, ask, sizeof(ask));
	http_head_init(&s.head);
	s.w = &me;
	s.raw_path = way->kind == PORT_ABS ? SLICE("/absproxy/3000/a/b") :
					     SLICE("/proxy/3000/a/b");
	check(http_request_parse(&s.head, text, sizeof(ask) - 1) == HTTP_DONE);
	http_head_init(&head);
	if (http_response_parse(&head, in, len, false) != HTTP_DONE)
		return;
	n = proxy_head_answer(&head, false, h, STREAM_RESP_HEADERS);
	if (n == -1)
		return;
	n = port_head_answer(&s, way, h, n, STREAM_RESP_HEADERS);
	check(n >= -1 && n <= STREAM_RESP_HEADERS);
	for (int i = 0; i < n; i++) {
		check(http_is_token(h[i].name) && http_is_value(h[i].value));
		check(!slice_eq(h[i].name, SLICE("clear-site-data")));
		if (slice_eq(h[i].name, SLICE("location")) && way->kind != PORT_HOST &&
		    conf.proxy.paths == PATHS_RESTRICTED)
			location(h[i].value, way);
		if (slice_eq(h[i].name, SLICE("set-cookie")))
			cookie(h[i].value, way);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct port_way *way;
	char *in;

	if (len == 0 || (in = malloc(len)) == NULL)
		return (0);
	setup(data[0]);
	way = &ways[(data[0] >> 1) % 3];
	memcpy(in, data + 1, len - 1);
	request(in, len - 1, data[0], way);
	memcpy(in, data + 1, len - 1);
	answer(in, len - 1, way);
	label((const char *)data + 1, len - 1);
	free(in);
	return (0);
}
