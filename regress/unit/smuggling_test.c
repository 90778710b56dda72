/*
 * The payloads of regress/hostile/smuggling.json: what a server makes of them,
 * and that no cut of the bytes into calls changes a result.
 *
 * In smuggling.json a row is { name, bytes, expect, status }.  bytes is Latin-1:
 * one character, one byte.  expect is what a server must make of them:
 *	reject		an error, after no more than one good request
 *	accept-one	one request, and not a byte left
 *	accept-two	two of them
 *	incomplete	it waits for more
 * status is what the refusal answers with.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../worker/chunk.h"
#include "../../worker/http1.h"

#ifndef SMUGGLING_JSON
#define SMUGGLING_JSON "regress/hostile/smuggling.json"
#endif

/* A copy of exactly these bytes, so that a read behind them is seen. */
static char *
copy(const char *p, size_t len)
{
	char *c = malloc(len == 0 ? 1 : len);

	assert_non_null(c);
	memcpy(c, p, len);
	return (c);
}

/* A server that reads nothing but messages. */

struct server {
	struct http_head head;
	struct chunk chunk;
	char *buf;
	size_t len;    /* bytes there are */
	size_t at;     /* bytes dealt with */
	uint64_t body; /* bytes of body to come */
	enum {
		IN_HEAD,
		IN_BODY,
		IN_CHUNKS,
		REFUSED,
	} state;
	int messages;
	int status;
	bool begun;
};

static bool
server_step(struct server *s)
{
	size_t n = s->len - s->at, out;

	switch (s->state) {
	case IN_HEAD:
		switch (http_request_parse(&s->head, s->buf + s->at, n)) {
		case HTTP_ERROR:
			s->status = http_error_status(s->head.error);
			s->state = REFUSED;
			return (false);
		case HTTP_MORE:
			return (false);
		case HTTP_DONE:
			break;
		}
		s->at += s->head.size;
		s->body = (uint64_t)s->head.content_length;
		s->state = s->head.body == BODY_LENGTH ? IN_BODY :
		    s->head.body == BODY_CHUNKED       ? IN_CHUNKS :
							 IN_HEAD;
		chunk_init(&s->chunk, INT64_MAX);
		break;
	case IN_BODY:
		n = n < s->body ? n : (size_t)s->body;
		s->at += n;
		s->body -= n;
		if (s->body > 0)
			return (false);
		s->state = IN_HEAD;
		break;
	case IN_CHUNKS:
		switch (chunk_decode(&s->chunk, s->buf + s->at, &n, &out)) {
		case CHUNK_ERROR:
			s->status = chunk_error_status(s->chunk.error);
			s->state = REFUSED;
			return (false);
		case CHUNK_MORE:
			s->at += n;
			return (false);
		case CHUNK_DONE:
			break;
		}
		s->at += n;
		s->state = IN_HEAD;
		break;
	case REFUSED:
		return (false);
	}
	if (s->state == IN_HEAD) {
		s->messages++;
		http_head_init(&s->head);
	}
	return (s->at < s->len);
}

/* Feeds the bytes up to each of the cuts, then the rest. */
static struct server
serve(const char *bytes, size_t len, size_t cut, size_t step)
{
	struct server s;

	memset(&s, 0, sizeof(s));
	http_head_init(&s.head);
	s.buf = copy(bytes, len);
	for (s.len = cut;; s.len = s.len + step < len ? s.len + step : len) {
		while (server_step(&s))
			;
		if (s.len == len)
			break;
	}
	s.begun = s.at < s.len || s.state == IN_BODY || s.state == IN_CHUNKS;
	free(s.buf);
	return (s);
}

static const char *
verdict(const struct server *s)
{
	if (s->state == REFUSED)
		return (s->messages <= 1 ? "reject" : "reject-late");
	if (s->begun || s->messages == 0)
		return ("incomplete");
	return (s->messages == 1 ? "accept-one" :
		s->messages == 2 ? "accept-two" :
				   "accept-many");
}

/* UTF-8 of U+0000..U+00FF to the bytes of that value */
static size_t
latin1(const json_t *j, char **out)
{
	const unsigned char *p = (const unsigned char *)json_string_value(j);
	size_t len = json_string_length(j), n = 0;
	char *c = malloc(len + 1);

	assert_non_null(c);
	for (size_t i = 0; i < len; i++) {
		unsigned char u = p[i];

		if (u >= 0x80) {
			assert_true(u == 0xc2 || u == 0xc3);
			u = (unsigned char)((u & 3) << 6 | (p[++i] & 0x3f));
		}
		c[n++] = (char)u;
	}
	*out = c;
	return (n);
}

static bool
same(const struct server *a, const struct server *b)
{
	return (a->state == b->state && a->messages == b->messages &&
	    a->status == b->status && a->head.error == b->head.error &&
	    a->chunk.error == b->chunk.error && (a->state == REFUSED || a->at == b->at));
}

static void
payload(const json_t *row)
{
	const char *name = json_string_value(json_object_get(row, "name"));
	const char *expect = json_string_value(json_object_get(row, "expect"));
	json_int_t status = json_integer_value(json_object_get(row, "status"));
	struct server whole, cut;
	size_t len, step;
	char *bytes;

	len = latin1(json_object_get(row, "bytes"), &bytes);
	whole = serve(bytes, len, len, 1);
	if (strcmp(verdict(&whole), expect) != 0)
		fail_msg("%s: %s (%s), expected %s", name, verdict(&whole),
		    whole.state == REFUSED ? http_error_name(whole.head.error) : "",
		    expect);
	if (status != 0 && whole.status != status)
		fail_msg("%s: status %d, expected %d", name, whole.status, (int)status);
	cut = serve(bytes, len, 0, 1);
	if (!same(&whole, &cut))
		fail_msg("%s: byte by byte: %s", name, verdict(&cut));
	step = len > 2000 ? 97 : 1;
	for (size_t i = 0; i < len; i += step) {
		cut = serve(bytes, len, i, len);
		if (!same(&whole, &cut))
			fail_msg("%s: cut at %zu: %s", name, i, verdict(&cut));
	}
	free(bytes);
}

static void
test_payloads(void **state)
{
	json_error_t e;
	json_t *all, *row;
	size_t i;

	(void)state;
	all = json_load_file(SMUGGLING_JSON, JSON_ALLOW_NUL, &e);
	if (all == NULL)
		fail_msg("%s:%d: %s", SMUGGLING_JSON, e.line, e.text);
	assert_true(json_array_size(all) >= 250);
	json_array_foreach(all, i, row) payload(row);
	json_decref(all);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_payloads),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
