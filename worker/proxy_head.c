/*
 * Heads on their way through the proxy: see proxy_head.h.
 */
#include <openssl/evp.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bsd/stdlib.h>

#include "cookie.h"
#include "credential.h"
#include "location.h"
#include "port.h"
#include "proxy_head.h"
#include "session.h"
#include "../privsep/log.h"

#define WS_GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

/* Headers of a request that we say ourselves, or nobody may say. */
static const bool request_drop[HDR_MAX] = { [HDR_HOST] = true,
	[HDR_CONTENT_LENGTH] = true,
	[HDR_COOKIE] = true, /* joined and stripped */
	[HDR_EXPECT] = true, /* the front has answered it */
	[HDR_FORWARDED] = true,
	[HDR_X_FORWARDED_FOR] = true,
	[HDR_X_FORWARDED_HOST] = true,
	[HDR_X_FORWARDED_PORT] = true,
	[HDR_X_FORWARDED_PROTO] = true,
	[HDR_X_REAL_IP] = true,
	[HDR_SEC_WEBSOCKET_KEY] = true };

/* By these a client could pass itself, or our address, off as another. */
static const struct slice request_drop_prefix[] = {
	{ "x-forwarded-", 12 },
	{ "x-original-", 11 },
	{ "x-client-ip", 11 },
	{ "x-cluster-client-ip", 19 },
	{ "true-client-ip", 14 },
	{ "x-rewrite-url", 13 },
	{ "x-ided-", 7 },
};

/* Headers of an answer that are ours to say. */
static const bool answer_drop[HDR_MAX] = {
	[HDR_CONTENT_LENGTH] = true, /* framing is the front's */
	[HDR_DATE] = true,
	[HDR_SERVER] = true,
	[HDR_STRICT_TRANSPORT_SECURITY] = true,
	[HDR_X_IDED_WAITS] = true
};

/* Origins, and where they are, are not for a sandbox to change. */
static const struct slice answer_drop_name[] = {
	{ "alt-svc", 7 },
	{ "x-request-id", 12 },
};

void
head_add(struct evbuffer *out, struct slice s)
{
	if (evbuffer_add(out, s.p, s.len) == -1)
		fatalx("evbuffer_add");
}

void
head_field(struct evbuffer *out, struct slice name, struct slice value)
{
	head_add(out, name);
	head_add(out, SLICE(": "));
	head_add(out, value);
	head_add(out, SLICE("\r\n"));
}

static const struct location *
location_to(const struct proxy_via *via)
{
	return (via->way != NULL ? via->way->location : NULL);
}

static bool
request_passes(
    const struct stream *s, const struct proxy_via *via, const struct http_header *h)
{
	const struct location *l = location_to(via);

	if (l != NULL ? location_drops(l, h->name) :
			s->w->site == SITE_SHARE && location_reserved(h->name))
		return (false);
	if (request_drop[h->id] || http_header_is_hop(&s->head, h))
		return (false);
	if (h->id == HDR_AUTHORIZATION && (s->by_bearer || credential_is_ours(h->value)))
		return (false);
	for (size_t i = 0;
	     i < sizeof(request_drop_prefix) / sizeof(request_drop_prefix[0]); i++)
		if (slice_prefix(h->name, request_drop_prefix[i]))
			return (false);
	return (true);
}

static const struct slice ours[] = {
	SLICE(SESSION_COOKIE),
	SLICE(LAST_COOKIE),
	SLICE(PORT_COOKIE),
	SLICE(PORT_ENTER_COOKIE),
};

/*
 * One Cookie header of all (HTTP/2 sends crumbs, RFC 9113 8.2.3), without
 * our own cookie: what is in the sandbox must not be able to act as the user.
 */
static void
add_cookies(struct evbuffer *out, const struct http_head *head)
{
	size_t size = 0, len = 0;
	char *joined;

	for (size_t i = 0; i < head->nheader; i++)
		if (head->header[i].id == HDR_COOKIE)
			size += head->header[i].value.len + 2;
	if (size == 0)
		return;
	if ((joined = malloc(size)) == NULL)
		fatal("malloc");
	for (size_t i = 0; i < head->nheader; i++) {
		struct slice v = head->header[i].value;

		if (head->header[i].id != HDR_COOKIE || v.len == 0)
			continue;
		if (len > 0) {
			memcpy(joined + len, "; ", 2);
			len += 2;
		}
		memcpy(joined + len, v.p, v.len);
		len += v.len;
	}
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		len = cookie_strip(joined, (struct slice){ joined, len }, ours[i]);
	if (len > 0)
		head_field(out, SLICE("Cookie"), (struct slice){ joined, len });
	freezero(joined, size);
}

static void
add_framing(struct evbuffer *out, const struct http_head *head)
{
	char text[24];

	if (head->body == BODY_CHUNKED) {
		head_field(out, SLICE("Transfer-Encoding"), SLICE("chunked"));
		return;
	}
	if (head->body == BODY_LENGTH || head->content_length == 0 ||
	    head->method == METHOD_POST || head->method == METHOD_PUT ||
	    head->method == METHOD_PATCH) {
		snprintf(text, sizeof(text), "%lld",
		    head->body == BODY_LENGTH ? (long long)head->content_length : 0LL);
		head_field(out, SLICE("Content-Length"), slice_str(text));
	}
}

void
proxy_head_request(
    struct evbuffer *out, const struct stream *s, const struct proxy_via *via)
{
	const struct http_head *head = &s->head;
	const struct location *l = location_to(via);
	struct slice host = { NULL, 0 };

	head_add(out, head->token);
	head_add(out, SLICE(" "));
	if (via->way != NULL)
		port_head_target(out, s, via->way);
	else
		head_add(out, head->target);
	head_add(out, SLICE(" HTTP/1.1\r\n"));
	if (l != NULL)
		host = location_host(l);
	head_field(out, SLICE("Host"), host.p != NULL ? host : head->host);
	for (size_t i = 0; i < head->nheader; i++)
		if (request_passes(s, via, &head->header[i]))
			head_field(out, head->header[i].name, head->header[i].value);
	add_cookies(out, head);
	if (via->source[0] != '\0')
		head_field(out, SLICE("X-Forwarded-For"), slice_str(via->source));
	head_field(
	    out, SLICE("X-Forwarded-Proto"), via->tls ? SLICE("https") : SLICE("http"));
	head_field(out, SLICE("X-Forwarded-Host"), head->host);
	if (via->way != NULL)
		port_head_forwarded(out, s, via);
	if (l != NULL)
		location_headers(out, s, l);
	else if (s->w->site == SITE_SHARE)
		share_headers(out, s);
	if (via->key != NULL) {
		head_field(out, SLICE("Connection"), SLICE("Upgrade"));
		head_field(out, SLICE("Upgrade"), SLICE("websocket"));
		head_field(out, SLICE("Sec-WebSocket-Key"), slice_str(via->key));
	} else
		add_framing(out, head);
	head_add(out, SLICE("\r\n"));
}

/*
 * Would it set our own cookie?  A cookie without a name counts by its value:
 * a browser may send it back as name and value.
 */
static bool
sets_our_cookie(struct slice v)
{
	static const struct slice own = SLICE(SESSION_COOKIE);

	while (v.len > 0 && (v.p[0] == ' ' || v.p[0] == '\t' || v.p[0] == '=')) {
		v.p++;
		v.len--;
	}
	if (v.len < own.len)
		return (false);
	v.len = own.len;
	return (slice_caseeq(v, own));
}

static bool
answer_passes(const struct http_head *head, const struct http_header *h)
{
	if (answer_drop[h->id] || http_header_is_hop(head, h))
		return (false);
	if (h->id == HDR_SET_COOKIE)
		return (!sets_our_cookie(h->value));
	for (size_t i = 0; i < sizeof(answer_drop_name) / sizeof(answer_drop_name[0]);
	     i++)
		if (slice_eq(h->name, answer_drop_name[i]))
			return (false);
	return (true);
}

int
proxy_head_answer(
    const struct http_head *head, bool to_h1_tunnel, struct header *out, int max)
{
	int n = 0;

	for (size_t i = 0; i < head->nheader; i++) {
		const struct http_header *h = &head->header[i];

		if (!answer_passes(head, h))
			continue;
		if (h->id == HDR_SEC_WEBSOCKET_ACCEPT && !to_h1_tunnel)
			continue;
		if (n == max)
			return (-1);
		out[n++] = (struct header){ h->name, h->value };
	}
	return (n);
}

bool
proxy_ws_accept(const char *key, char accept[PROXY_ACCEPT_LEN + 1])
{
	unsigned char md[EVP_MAX_MD_SIZE];
	char text[PROXY_KEY_LEN + sizeof(WS_GUID)];
	unsigned int len = 0;
	int n;

	n = snprintf(text, sizeof(text), "%s%s", key, WS_GUID);
	if (n < 0 || (size_t)n >= sizeof(text) ||
	    EVP_Digest(text, (size_t)n, md, &len, EVP_sha1(), NULL) != 1)
		return (false);
	return (
	    EVP_EncodeBlock((unsigned char *)accept, md, (int)len) == PROXY_ACCEPT_LEN);
}

void
proxy_ws_key(char key[PROXY_KEY_LEN + 1])
{
	unsigned char random[16];

	arc4random_buf(random, sizeof(random));
	EVP_EncodeBlock((unsigned char *)key, random, sizeof(random));
}
