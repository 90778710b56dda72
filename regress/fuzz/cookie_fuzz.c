/*
 * A Cookie header: what is found is inside it; stripped, ours is gone, the
 * rest is no longer than before and needs no more stripping; without ours
 * nothing changes.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../worker/cookie.h"
#include "fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct slice name = SLICE("s");
	struct slice header, value = { NULL, 0 };
	enum cookie_result r;
	size_t n, m;
	char *in = malloc(len + 1), *out = malloc(len + 1);

	check(in != NULL && out != NULL);
	if (len > 0)
		memcpy(in, data, len);
	header = (struct slice){ in, len };
	r = cookie_find(header, name, &value);
	check((r == COOKIE_NONE) == (value.p == NULL));
	if (value.p != NULL) {
		check(value.p >= in && value.p + value.len <= in + len);
		check(value.len == 0 || memchr(value.p, ';', value.len) == NULL);
	}
	n = cookie_strip(out, header, name);
	check(n <= len);
	check((n == len) == (r == COOKIE_NONE));
	if (r == COOKIE_NONE)
		check(memcmp(in, out, len) == 0);
	value = (struct slice){ NULL, 0 };
	check(cookie_find((struct slice){ out, n }, name, &value) == COOKIE_NONE);
	m = cookie_strip(in, header, name); /* in its own place */
	check(m == n && memcmp(in, out, n) == 0);
	free(in);
	free(out);
	return (0);
}
