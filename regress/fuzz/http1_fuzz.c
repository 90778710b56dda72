/*
 * A request's head, cut where the first byte says: in pieces or at once, the
 * result is the same, and what it points at is inside the buffer.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../worker/http1.h"
#include "fuzz.h"

static void
inside(struct slice s, const char *buf, size_t len)
{
	check(s.p != NULL && s.p >= buf && s.len <= len && s.p <= buf + len - s.len);
}

static void
check_head(const struct http_head *h, const char *buf)
{
	check(h->size <= HTTP_HEAD_MAX && h->nheader <= HTTP_HEADER_MAX);
	inside(h->token, buf, h->size);
	inside(h->target, buf, h->size);
	inside(h->host, buf, h->size);
	inside(h->hostname, buf, h->size);
	check(http_is_token(h->token));
	check(h->target.p[0] == '/' || slice_eq(h->target, SLICE("*")));
	check(http_authority(h->host, NULL, NULL));
	check(h->port <= 65535 && h->method != METHOD_CONNECT);
	check(!(h->chunked && h->content_length >= 0));
	check((h->body == BODY_CHUNKED) == h->chunked);
	check((h->body == BODY_LENGTH) == (h->content_length > 0));
	for (size_t i = 0; i < h->nheader; i++) {
		inside(h->header[i].name, buf, h->size);
		inside(h->header[i].value, buf, h->size);
		check(http_is_token(h->header[i].name));
		check(http_is_value(h->header[i].value));
		check(slice_eq(slice_trim(h->header[i].value), h->header[i].value));
		check(http_hdr_lookup(h->header[i].name) == h->header[i].id);
		(void)http_header_is_hop(h, &h->header[i]);
	}
	check(memcmp(buf + h->size - 4, "\r\n\r\n", 4) == 0);
}

static char *
copy(const uint8_t *data, size_t len)
{
	char *p = malloc(len + 1);

	check(p != NULL);
	if (len > 0)
		memcpy(p, data, len);
	return (p);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct http_head whole, parts;
	enum http_result r, last = HTTP_MORE;
	char *a, *b;
	size_t step;

	if (len == 0)
		return (0);
	step = (size_t)data[0] + 1;
	data++;
	len--;
	a = copy(data, len);
	b = copy(data, len);
	http_head_init(&whole);
	r = http_request_parse(&whole, a, len);
	http_head_init(&parts);
	for (size_t n = 0; n < len && last == HTTP_MORE; n += step)
		last = http_request_parse(&parts, b, n);
	if (last == HTTP_MORE)
		last = http_request_parse(&parts, b, len);
	check(last == r && parts.error == whole.error);
	if (r == HTTP_DONE) {
		check_head(&whole, a);
		check_head(&parts, b);
		check(parts.size == whole.size && parts.nheader == whole.nheader &&
		    parts.body == whole.body &&
		    parts.content_length == whole.content_length &&
		    parts.keep_alive == whole.keep_alive &&
		    parts.websocket == whole.websocket);
		/* A head that was accepted is accepted again, the same. */
		http_head_init(&parts);
		check(http_request_parse(&parts, a, whole.size) == HTTP_DONE);
		check(parts.size == whole.size);
	} else if (r == HTTP_ERROR)
		check(http_error_status(whole.error) >= 400);
	else
		check(len < HTTP_HEAD_MAX);
	free(a);
	free(b);
	return (0);
}
