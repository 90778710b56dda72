/*
 * Heads on their way through the proxy: what a request that was accepted becomes is
 * a request again, with one Host, its framing and nothing of ours; and no answer
 * sets our cookie.
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

static void
request(char *in, size_t len, uint8_t how)
{
	static struct stream s;
	static struct worker w;
	static struct http_head again;
	const struct proxy_via via = { how & 1 ? "192.0.2.1" : "", (how & 2) != 0,
		how & 4 ? "dGhlIHNhbXBsZSBub25jZQ==" : NULL };
	struct evbuffer *out;
	struct slice v;
	char *p;
	size_t n;
	int ours = 0;

	http_head_init(&s.head);
	if (http_request_parse(&s.head, in, len) != HTTP_DONE)
		return;
	s.by_bearer = (how & 8) != 0;
	w.site = how & 16 ? SITE_SHARE : SITE_MAIN;
	s.w = &w;
	check((out = evbuffer_new()) != NULL);
	proxy_head_request(out, &s, &via);
	n = evbuffer_get_length(out);
	check((p = (char *)evbuffer_pullup(out, -1)) != NULL);
	http_head_init(&again);
	/* Longer than any that we would take, it is upstream's to refuse. */
	if (n <= HTTP_HEAD_MAX / 2 && s.head.nheader < HTTP_HEADER_MAX / 2) {
		check(http_request_parse(&again, p, n) == HTTP_DONE && again.size == n);
		check(slice_eq(again.host, s.head.host) &&
		    slice_eq(again.target, s.head.target));
		check(again.method == s.head.method);
		if (via.key == NULL)
			check(again.body == s.head.body &&
			    (again.body != BODY_LENGTH ||
				again.content_length == s.head.content_length));
		for (size_t i = 0; i < again.nheader; i++) {
			v = (struct slice){ NULL, 0 };
			if (again.header[i].id == HDR_COOKIE)
				check(cookie_find(again.header[i].value,
					  SLICE(SESSION_COOKIE), &v) == COOKIE_NONE);
			if (again.header[i].id == HDR_X_FORWARDED_FOR)
				ours++;
			if (again.header[i].id == HDR_AUTHORIZATION)
				check(!s.by_bearer);
		}
		check(ours == (how & 1));
	}
	evbuffer_free(out);
}

static void
answer(char *in, size_t len, uint8_t how)
{
	static const struct slice cookie = SLICE(SESSION_COOKIE);
	static struct http_head head;
	struct header h[STREAM_RESP_HEADERS];
	int n;

	http_head_init(&head);
	if (http_response_parse(&head, in, len, false) != HTTP_DONE)
		return;
	n = proxy_head_answer(&head, (how & 1) != 0, h, STREAM_RESP_HEADERS);
	check(n >= -1 && n <= STREAM_RESP_HEADERS);
	for (int i = 0; i < n; i++) {
		check(http_is_token(h[i].name) && http_is_value(h[i].value));
		check(http_hdr_lookup(h[i].name) != HDR_CONTENT_LENGTH);
		if (http_hdr_lookup(h[i].name) == HDR_SET_COOKIE &&
		    h[i].value.len >= cookie.len)
			check(!slice_caseeq(
			    (struct slice){ h[i].value.p, cookie.len }, cookie));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *in, accept[PROXY_ACCEPT_LEN + 1], key[PROXY_KEY_LEN + 1];

	if (len == 0 || (in = malloc(len)) == NULL)
		return (0);
	memcpy(in, data + 1, len - 1);
	request(in, len - 1, data[0]);
	memcpy(in, data + 1, len - 1);
	answer(in, len - 1, data[0]);
	free(in);
	proxy_ws_key(key);
	check(strlen(key) == PROXY_KEY_LEN && proxy_ws_accept(key, accept));
	check(strlen(accept) == PROXY_ACCEPT_LEN);
	return (0);
}
