/*
 * The PROXY protocol's header: however it is cut, the result is the same, and no
 * more is taken than there is.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../worker/proxied.h"
#include "../../worker/worker.h"
#include "fuzz.h"

/* Reading from a socket is not tried here. */
void
worker_exit(const char *why)
{
	(void)why;
	abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	enum proxied_result all, r = PROXIED_MORE;
	struct wire_addr a, b;
	size_t size = 0, at = 0, n;

	memset(&a, 0, sizeof(a));
	memset(&b, 0, sizeof(b));
	all = proxied_parse(data, len, &a, &size);
	if (all == PROXIED_DONE && (size == 0 || size > len || size > PROXIED_MAX))
		abort();
	for (n = 0; n <= len && r == PROXIED_MORE; n++) {
		uint8_t *copy = malloc(n + 1);

		if (copy == NULL)
			return 0;
		memcpy(copy, data, n);
		at = 0;
		r = proxied_parse(copy, n, &b, &at);
		free(copy);
	}
	if (r != all && all != PROXIED_ERROR)
		abort();
	if (r == PROXIED_DONE && (at != size || memcmp(&a, &b, sizeof(a)) != 0))
		abort();
	return 0;
}
