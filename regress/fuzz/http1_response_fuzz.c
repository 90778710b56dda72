/*
 * Heads of responses, interim ones first, cut where the first byte says: in
 * pieces or at once, the result is the same, and inside the buffer.
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
check_head(const struct http_head *h, const char *buf, bool was_head)
{
	check(h->size <= HTTP_HEAD_MAX && h->nheader <= HTTP_HEADER_MAX);
	check(h->status >= 100 && h->status <= 599);
	inside(h->reason, buf, h->size);
	check(http_is_value(h->reason));
	check(!(h->chunked && h->content_length >= 0));
	if (was_head || h->status < 200 || h->status == 204 || h->status == 304)
		check(h->body == BODY_NONE);
	if (h->body == BODY_CLOSE)
		check(!h->keep_alive && h->content_length == -1);
	for (size_t i = 0; i < h->nheader; i++) {
		inside(h->header[i].name, buf, h->size);
		inside(h->header[i].value, buf, h->size);
		check(http_is_token(h->header[i].name));
		check(http_is_value(h->header[i].value));
		(void)http_header_is_hop(h, &h->header[i]);
	}
}

static char *
copy(const char *data, size_t len)
{
	char *p = malloc(len + 1);

	check(p != NULL);
	if (len > 0)
		memcpy(p, data, len);
	return (p);
}

/* Returns the bytes that an interim response took, 0 at the last. */
static size_t
one(const char *data, size_t len, size_t step, bool was_head)
{
	struct http_head whole, parts;
	enum http_result r, last = HTTP_MORE;
	char *a = copy(data, len), *b = copy(data, len);

	http_head_init(&whole);
	r = http_response_parse(&whole, a, len, was_head);
	http_head_init(&parts);
	for (size_t n = 0; n < len && last == HTTP_MORE; n += step)
		last = http_response_parse(&parts, b, n, was_head);
	if (last == HTTP_MORE)
		last = http_response_parse(&parts, b, len, was_head);
	check(last == r && parts.error == whole.error);
	if (r == HTTP_DONE) {
		check_head(&whole, a, was_head);
		check(parts.size == whole.size && parts.body == whole.body &&
		    parts.status == whole.status &&
		    parts.content_length == whole.content_length);
	} else if (r == HTTP_MORE)
		check(len < HTTP_HEAD_MAX);
	free(a);
	free(b);
	return (r == HTTP_DONE && whole.status < 200 ? whole.size : 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const char *p = (const char *)data + 1;
	size_t n, step;
	bool was_head;

	if (len == 0)
		return (0);
	step = (size_t)(data[0] >> 1) + 1;
	was_head = data[0] & 1;
	len--;
	while ((n = one(p, len, step, was_head)) > 0) {
		p += n;
		len -= n;
	}
	return (0);
}
