/*
 * May an answer be compressed?  See encode.h.
 *
 * Not what is compressed already, nor a part of something, nor what is not to be
 * changed on its way (RFC 9111 5.2.2.6) or was sealed by a digest.
 *
 * And not what another site could learn from: whoever can have a page loaded
 * with input of his own in it, and sees how long the compressed answer is,
 * guesses the secrets that stand beside (BREACH).  That takes requests that bear
 * the user's credentials and were made by somebody else.  So an answer is compressed
 * only if the browser says that the request is this site's own or the user's
 * (Sec-Fetch-Site, which no page can set), or when it bears no cookie, or when
 * the answer itself is for everybody (Cache-Control: public).
 */
#include <stdio.h>
#include <string.h>

#include "encode.h"
#include "range.h"
#include "worker.h"

/* What a head says that matters here. */
struct seen {
	struct slice type, etag;
	bool coded, partial, kept, open, varies;
};

static const struct slice sealed[] = { SLICE("content-md5"), SLICE("digest"),
	SLICE("content-digest"), SLICE("repr-digest"), SLICE("content-range") };

/* Types that are worth it, beside text/ and what ends in +json, +xml or +text. */
static const struct slice types[] = { SLICE("application/json"),
	SLICE("application/javascript"), SLICE("application/x-javascript"),
	SLICE("application/xml"), SLICE("application/x-ndjson"),
	SLICE("application/jsonl"), SLICE("application/json-seq"),
	SLICE("application/wasm"), SLICE("application/graphql"), SLICE("application/sql"),
	SLICE("application/x-yaml"), SLICE("application/yaml"),
	SLICE("application/vnd.ms-fontobject"), SLICE("font/ttf"), SLICE("font/otf"),
	SLICE("image/x-icon"), SLICE("image/vnd.microsoft.icon"), SLICE("image/bmp") };
static const struct slice suffixes[] = { SLICE("+json"), SLICE("+xml"), SLICE("+text") };

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static bool
type_compresses(struct slice type)
{
	const char *semi = type.len > 0 ? memchr(type.p, ';', type.len) : NULL;

	if (semi != NULL)
		type.len = (size_t)(semi - type.p);
	type = slice_trim(type);
	if (type.len > 5 && slice_caseeq((struct slice){ type.p, 5 }, SLICE("text/")))
		return (true);
	for (size_t i = 0; i < COUNT(types); i++)
		if (slice_caseeq(type, types[i]))
			return (true);
	for (size_t i = 0; i < COUNT(suffixes); i++) {
		size_t n = suffixes[i].len;

		if (type.len > n &&
		    slice_caseeq((struct slice){ type.p + type.len - n, n }, suffixes[i]))
			return (true);
	}
	return (false);
}

static bool
list_has(struct slice list, struct slice word)
{
	struct slice e;

	while (http_list_next(&list, &e))
		if (slice_caseeq(e, word))
			return (true);
	return (false);
}

static void
look_at(struct seen *seen, const struct header *h)
{
	if (slice_eq(h->name, SLICE("content-type")))
		seen->type = h->value;
	else if (slice_eq(h->name, SLICE("etag")))
		seen->etag = h->value;
	else if (slice_eq(h->name, SLICE("vary")))
		seen->varies = seen->varies ||
		    list_has(h->value, SLICE("accept-encoding")) ||
		    list_has(h->value, SLICE("*"));
	else if (slice_eq(h->name, SLICE("content-encoding")))
		seen->coded = seen->coded || !slice_caseeq(h->value, SLICE("identity"));
	else if (slice_eq(h->name, SLICE("cache-control"))) {
		seen->kept = seen->kept || list_has(h->value, SLICE("no-transform"));
		seen->open = seen->open || list_has(h->value, SLICE("public"));
	}
	for (size_t i = 0; i < COUNT(sealed); i++)
		if (slice_eq(h->name, sealed[i]))
			seen->partial = true;
}

static bool
status_has_whole(unsigned int status)
{
	return (status == 200 || status == 201 || status == 203 || status == 403 ||
	    status == 404 || status == 410);
}

/* Could somebody else have made the user's browser ask this? */
static bool
asked_by_others(const struct stream *s)
{
	struct slice site = stream_header(s, HDR_SEC_FETCH_SITE);

	if (site.p == NULL)
		return (stream_header(s, HDR_COOKIE).p != NULL);
	return (!slice_eq(site, SLICE("same-origin")) && !slice_eq(site, SLICE("none")));
}

static void
head_put(struct encode_head *e, struct slice name, struct slice value)
{
	e->copy[e->n++] = (struct header){ name, value };
}

/* e->h without some of its headers, in e->copy. */
static void
head_copy(struct encode_head *e, const struct slice *without, size_t nwithout)
{
	size_t n = e->n;

	e->n = 0;
	for (size_t i = 0; i < n; i++) {
		bool drop = false;

		for (size_t k = 0; k < nwithout; k++)
			drop = drop || slice_eq(e->h[i].name, without[k]);
		if (!drop)
			e->copy[e->n++] = e->h[i];
	}
	e->h = e->copy;
}

/* The two forms are the same thing, but not byte for byte: RFC 9110 8.8.3.3. */
static struct slice
weak(struct encode_head *e, struct slice etag)
{
	if (slice_prefix(etag, SLICE("W/")) || etag.len + 3 > sizeof(e->etag))
		return (etag);
	snprintf(e->etag, sizeof(e->etag), "W/%.*s", (int)etag.len, etag.p);
	return (slice_str(e->etag));
}

/* Says that the answer depends on what the client accepts: a line of its own, as
 * there can be several. */
static void
head_vary(struct encode_head *e)
{
	if (e->n == STREAM_RESP_HEADERS)
		return;
	head_copy(e, NULL, 0);
	head_put(e, SLICE("vary"), SLICE("accept-encoding"));
}

/* Not modified: what the client has may be a compressed one. */
static void
not_modified(const struct stream *s, struct encode_head *e, const struct seen *seen)
{
	static const struct slice gone[] = { SLICE("etag") };
	struct slice had = stream_header(s, HDR_IF_NONE_MATCH);

	if (seen->etag.len == 0 || !slice_prefix(had, SLICE("W/")) ||
	    !etag_weak_eq(had, seen->etag))
		return;
	head_copy(e, gone, 1);
	head_put(e, SLICE("etag"), weak(e, seen->etag));
}

static unsigned int
available(const struct conf_http *http)
{
	return (CODING_IDENTITY | (http->zstd_on ? CODING_ZSTD : 0U) |
	    (http->brotli_on ? CODING_BR : 0U) | (http->gzip_on ? CODING_GZIP : 0U));
}

unsigned int
encode_pick(const struct stream *s, struct encode_head *e)
{
	static const struct slice gone[] = { SLICE("content-encoding"), SLICE("etag"),
		SLICE("accept-ranges") };
	const struct conf_http *http = &s->w->conf->http;
	struct seen seen = { 0 };
	unsigned int coding;

	if (available(http) == CODING_IDENTITY || s->websocket)
		return (CODING_IDENTITY);
	for (size_t i = 0; i < e->n; i++)
		look_at(&seen, &e->h[i]);
	if (e->status == 304)
		not_modified(s, e, &seen);
	if (!status_has_whole(e->status) || seen.coded || seen.kept || seen.partial ||
	    !type_compresses(seen.type))
		return (CODING_IDENTITY);
	if (!seen.varies)
		head_vary(e);
	if ((e->length >= 0 && e->length < http->compress_min) || s->head.minor == 0 ||
	    (!seen.open && asked_by_others(s)))
		return (CODING_IDENTITY);
	coding = coding_negotiate(stream_header(s, HDR_ACCEPT_ENCODING), available(http));
	if (coding == 0 || coding == CODING_IDENTITY || e->n + 2 > STREAM_RESP_HEADERS)
		return (CODING_IDENTITY);
	head_copy(e, gone, COUNT(gone));
	head_put(e, SLICE("content-encoding"), slice_str(coding_name(coding)));
	if (seen.etag.len > 0 && seen.etag.len + 3 <= sizeof(e->etag))
		head_put(e, SLICE("etag"), weak(e, seen.etag));
	e->length = -1;
	return (coding);
}
