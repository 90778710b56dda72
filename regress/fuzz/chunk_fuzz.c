/*
 * A chunked body, cut where the first byte says: in pieces or at once, the
 * same data; never more out than in; and encoded again it says the same.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../worker/chunk.h"
#include "fuzz.h"

/* Decodes step bytes at a time into data; returns the result. */
static enum chunk_result
decode(
    struct chunk *c, const uint8_t *in, size_t len, size_t step, char *data, size_t *used)
{
	enum chunk_result r = CHUNK_MORE;
	size_t n, out, given;
	char *buf;

	*used = 0;
	do {
		given = n = len - *used < step ? len - *used : step;
		buf = malloc(n + 1);
		check(buf != NULL);
		if (n > 0)
			memcpy(buf, in + *used, n);
		r = chunk_decode(c, buf, &n, &out);
		check(n <= given && out <= n);
		check(r != CHUNK_MORE || n == given);
		if (out > 0)
			memcpy(data + c->total - out, buf, out);
		free(buf);
		*used += n;
		check(c->total <= *used);
	} while (r == CHUNK_MORE && *used < len);
	return (r);
}

/* The data in chunks of at most 7 bytes, decoded, is the data. */
static void
round_trip(const char *data, size_t len)
{
	char *enc = malloc(len * (CHUNK_HEAD_MAX + 3) + 8);
	char *dec = malloc(len + 1);
	size_t n = 0, part, used;
	struct chunk c;

	check(enc != NULL && dec != NULL);
	for (size_t i = 0; i < len; i += part) {
		part = len - i < 7 ? len - i : 7;
		n += chunk_head(enc + n, part);
		memcpy(enc + n, data + i, part);
		n += part;
		memcpy(enc + n, CHUNK_TAIL, 2);
		n += 2;
	}
	memcpy(enc + n, CHUNK_LAST, 5);
	n += 5;
	chunk_init(&c, len);
	check(decode(&c, (const uint8_t *)enc, n, n, dec, &used) == CHUNK_DONE);
	check(used == n && c.total == len);
	check(len == 0 || memcmp(dec, data, len) == 0);
	free(enc);
	free(dec);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct chunk whole, parts;
	enum chunk_result r;
	size_t step, used, used2;
	uint64_t max;
	char *a, *b;

	if (len < 2)
		return (0);
	step = (size_t)data[0] + 1;
	max = data[1] == 0 ? INT64_MAX : data[1];
	data += 2;
	len -= 2;
	a = malloc(len + 1);
	b = malloc(len + 1);
	check(a != NULL && b != NULL);
	chunk_init(&whole, max);
	r = decode(&whole, data, len, len + 1, a, &used);
	chunk_init(&parts, max);
	check(decode(&parts, data, len, step, b, &used2) == r);
	check(used == used2 && whole.total == parts.total && whole.error == parts.error &&
	    whole.total <= max);
	check(memcmp(a, b, (size_t)whole.total) == 0);
	if (r == CHUNK_DONE)
		round_trip(a, (size_t)whole.total);
	free(a);
	free(b);
	return (0);
}
