/*
 * Does a request come from our own pages?  See origin.h.
 */
#include <stdint.h>

#include "http1.h"
#include "origin.h"

static uint32_t
port_or_default(uint32_t port, bool tls)
{
	return (port != 0 ? port : tls ? 443 : 80);
}

/* scheme "://" host [":" port], and nothing behind it */
static bool
origin_parse(struct slice s, bool *tls, struct slice *host, uint32_t *port)
{
	const struct slice https = SLICE("https://"), http = SLICE("http://");
	size_t n;

	*tls = slice_prefix(s, https);
	if (!*tls && !slice_prefix(s, http))
		return (false);
	n = *tls ? https.len : http.len;
	if (!http_authority((struct slice){ s.p + n, s.len - n }, host, port))
		return (false);
	*port = port_or_default(*port, *tls);
	return (true);
}

bool
origin_same(struct slice origin, struct slice host, bool tls)
{
	struct slice their_host, our_host;
	uint32_t their_port, our_port;
	bool their_tls;

	return (origin_parse(origin, &their_tls, &their_host, &their_port) &&
	    http_authority(host, &our_host, &our_port) && their_tls == tls &&
	    their_port == port_or_default(our_port, tls) &&
	    slice_caseeq(their_host, our_host));
}

/* What Origin says, ORIGIN_ALLOW if it is ours. */
static enum origin_verdict
origin_header(const struct origin_facts *f)
{
	struct slice host;
	uint32_t port;
	bool tls;

	if (slice_eq(f->origin, SLICE("null")))
		return (ORIGIN_D_NULL);
	if (!origin_parse(f->origin, &tls, &host, &port))
		return (ORIGIN_D_MALFORMED);
	return (origin_same(f->origin, f->host, f->tls) ? ORIGIN_ALLOW : ORIGIN_D_OTHER);
}

enum origin_verdict
origin_check(enum origin_use use, const struct origin_facts *f)
{
	bool same = false;
	enum origin_verdict v;

	if (!http_authority(f->host, NULL, NULL))
		return (ORIGIN_D_HOST);
	if (f->origin.p != NULL && (v = origin_header(f)) != ORIGIN_ALLOW)
		return (v);
	if (f->fetch_site.p != NULL) {
		same = slice_eq(f->fetch_site, SLICE("same-origin"));
		if (!same && !slice_eq(f->fetch_site, SLICE("none")))
			return (ORIGIN_D_SITE);
	}
	if (f->origin.p != NULL || same || use == ORIGIN_NAVIGATE)
		return (ORIGIN_ALLOW);
	return (f->cookie ? ORIGIN_D_MISSING : ORIGIN_ALLOW);
}

const char *
origin_reason(enum origin_verdict v)
{
	switch (v) {
	case ORIGIN_ALLOW:
		return ("same origin");
	case ORIGIN_D_HOST:
		return ("Host cannot be compared");
	case ORIGIN_D_NULL:
		return ("Origin is null");
	case ORIGIN_D_MALFORMED:
		return ("Origin is malformed");
	case ORIGIN_D_OTHER:
		return ("Origin is not this site");
	case ORIGIN_D_SITE:
		return ("Sec-Fetch-Site is not this site");
	case ORIGIN_D_MISSING:
		return ("neither Origin nor Sec-Fetch-Site: same-origin");
	}
	return ("unknown");
}
