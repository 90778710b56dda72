/*
 * Host, Origin and Sec-Fetch-Site, one a line: whoever is let in says our own
 * origin or nothing, and what is an origin is one whatever it is compared with.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../worker/http1.h"
#include "../../worker/origin.h"
#include "fuzz.h"

/* The next line; absent when it is empty. */
static struct slice
line(const char **p, size_t *left)
{
	const char *nl = *left == 0 ? NULL : memchr(*p, '\n', *left);
	size_t n = nl == NULL ? *left : (size_t)(nl - *p);
	struct slice s = { n == 0 ? NULL : *p, n };

	*p += nl == NULL ? n : n + 1;
	*left -= nl == NULL ? n : n + 1;
	return (s);
}

static void
authority(struct slice in)
{
	struct slice host = { NULL, 0 };
	uint32_t port = 0;

	if (!http_authority(in, &host, &port))
		return;
	check(host.len > 0 && host.p >= in.p && host.p + host.len <= in.p + in.len);
	check(port <= 65535);
	for (size_t i = 0; i < host.len; i++)
		check(host.p[i] > ' ' && host.p[i] < 0x7f &&
		    strchr("/?#@\\", host.p[i]) == NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct origin_facts f;
	enum origin_verdict v;
	enum origin_use use;
	const char *p;
	char *in;

	if (len == 0 || (in = malloc(len)) == NULL)
		return (0);
	memcpy(in, data, len);
	p = in + 1;
	len--;
	use = (enum origin_use)((uint8_t)in[0] % 3);
	f.tls = (in[0] & 0x40) != 0;
	f.cookie = (in[0] & 0x80) != 0;
	f.host = line(&p, &len);
	f.origin = line(&p, &len);
	f.fetch_site = line(&p, &len);
	authority(f.host);
	v = origin_check(use, &f);
	check(origin_reason(v) != NULL);
	if (v == ORIGIN_ALLOW) {
		check(http_authority(f.host, NULL, NULL));
		check(f.origin.p == NULL || origin_same(f.origin, f.host, f.tls));
		check(f.fetch_site.p == NULL ||
		    slice_eq(f.fetch_site, SLICE("same-origin")) ||
		    slice_eq(f.fetch_site, SLICE("none")));
		check(use == ORIGIN_NAVIGATE || !f.cookie || f.origin.p != NULL ||
		    slice_eq(f.fetch_site, SLICE("same-origin")));
	}
	/* One origin is not another one by the other scheme. */
	check(!origin_same(f.origin, f.host, true) ||
	    !origin_same(f.origin, f.host, false));
	free(in);
	return (0);
}
