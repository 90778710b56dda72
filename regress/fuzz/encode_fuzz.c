/*
 * What is compressed, in which language a page is, and what is a token: a request's
 * head, an empty line, an answer's.  Nothing is encoded twice or for who did not ask
 * for it, nothing that another site could learn from, and no header is lost but those
 * that the coding changes.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../privsep/token_text.h"
#include "../../worker/encode.h"
#include "../../worker/lang.h"
#include "../../worker/range.h"
#include "../../worker/worker.h"
#include "fuzz.h"

static size_t
count(const struct header *h, size_t n, struct slice name)
{
	size_t i, found = 0;

	for (i = 0; i < n; i++)
		found += slice_eq(h[i].name, name);
	return (found);
}

static void
token(struct slice v)
{
	uint8_t t[WIRE_TOKEN];
	char text[TOKEN_TEXT + 1];

	if (v.p == NULL || !token_text_parse(t, v.p, v.len))
		return;
	token_text(t, text);
	check(v.len == TOKEN_TEXT && memcmp(text, v.p, v.len) == 0);
}

static void
pick(struct stream *s, const struct http_head *answer, unsigned int how)
{
	static struct header h[STREAM_RESP_HEADERS];
	struct slice site = stream_header(s, HDR_SEC_FETCH_SITE);
	struct encode_head e;
	unsigned int coding;
	size_t n;

	memset(&e, 0, sizeof(e));
	e.status = answer->status;
	e.length = how & 0x80 ? -1 : (int64_t)(how & 0x7f) * 100;
	for (n = 0; n < answer->nheader && n < STREAM_RESP_HEADERS; n++)
		h[n] = (struct header){ answer->header[n].name, answer->header[n].value };
	e.h = h;
	e.n = n;
	coding = encode_pick(s, &e);
	check(e.n <= STREAM_RESP_HEADERS);
	check(coding == CODING_IDENTITY || coding == CODING_ZSTD || coding == CODING_BR ||
	    coding == CODING_GZIP);
	/* Vary only grows: caches of others' answers hang on it. */
	check(count(e.h, e.n, SLICE("vary")) >= count(h, n, SLICE("vary")));
	if (coding == CODING_IDENTITY) {
		check(e.n >= n && e.n <= n + 1);
		return;
	}
	check(e.length == -1);
	check(coding_negotiate(stream_header(s, HDR_ACCEPT_ENCODING), coding) == coding);
	check(count(e.h, e.n, SLICE("content-encoding")) == 1);
	check(count(h, n, SLICE("content-range")) == 0);
	check(count(e.h, e.n, SLICE("accept-ranges")) == 0);
	check(count(h, n, SLICE("cache-control")) > 0 ||
	    slice_eq(site, SLICE("same-origin")) || slice_eq(site, SLICE("none")) ||
	    (site.p == NULL && stream_header(s, HDR_COOKIE).p == NULL));
	for (size_t i = 0; i < e.n; i++)
		if (slice_eq(e.h[i].name, SLICE("etag")))
			check(slice_prefix(e.h[i].value, SLICE("W/")));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct conf_for_worker conf;
	static struct worker w;
	static struct stream s;
	static struct http_head answer;
	const char *lang, *end;
	char *in;

	if (len < 2 || (in = malloc(len)) == NULL)
		return (0);
	memcpy(in, data, len);
	conf.http.brotli_on = (data[0] & 1) != 0;
	conf.http.gzip_on = (data[0] & 2) != 0;
	conf.http.zstd_on = (data[0] & 4) != 0;
	conf.http.compress_min = 1024;
	w.conf = &conf;
	s.w = &w;
	http_head_init(&s.head);
	http_head_init(&answer);
	if (http_request_parse(&s.head, in + 2, len - 2) == HTTP_DONE) {
		lang = lang_pick(stream_header(&s, HDR_ACCEPT_LANGUAGE));
		check(lang != NULL && strlen(lang) == 2);
		check(lang_text(lang, "Log in") != NULL);
		for (size_t i = 0; i < s.head.nheader; i++)
			token(s.head.header[i].value);
		end = in + 2 + s.head.size;
		if (http_response_parse(&answer, (char *)(uintptr_t)end,
			len - 2 - s.head.size, false) == HTTP_DONE)
			pick(&s, &answer, data[1]);
	}
	free(in);
	return (0);
}
