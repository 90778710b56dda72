/*
 * The security headers of every answer: one table.
 *
 * A page of ours needs nothing from elsewhere and runs no script that stands in
 * it.  What the IDE sends keeps the IDE's own content policy, which names the
 * hashes of its scripts; ours stands beside it, and a browser obeys both.  The
 * referrer stays within the site: "no-referrer" would make the browser send
 * "Origin: null" with our own forms.
 */
#include <stdio.h>
#include <string.h>

#include "../privsep/log.h"
#include "respond.h"
#include "worker.h"

#define STRICT      (1 << HEADERS_STRICT)
#define BALANCED    (1 << HEADERS_BALANCED)
#define DEVELOPMENT (1 << HEADERS_DEVELOPMENT)
#define SAFE        (STRICT | BALANCED)
#define ALWAYS      (SAFE | DEVELOPMENT)

/* Where browsers say what the policy stopped, or would have (report.c). */
#define REPORT "report-uri /csp-report; report-to csp"

#define OWN (ANSWER_PAGE | ANSWER_DATA)
#define IDE (ANSWER_ASSET | ANSWER_IDE | ANSWER_FILE)

static const struct security_row {
	struct slice name;
	struct slice value;
	unsigned int presets;
	unsigned int kinds;
} rows[] = {
/* clang-format off */
#define ROW(n, v, p, k) { { n, sizeof(n) - 1 }, { v, sizeof(v) - 1 }, p, k }
	/* clang-format on */
	ROW("strict-transport-security", "max-age=31536000; includeSubDomains", STRICT,
	    ANSWER_ANY),
	ROW("strict-transport-security", "max-age=31536000", BALANCED, ANSWER_ANY),
	ROW("x-content-type-options", "nosniff", ALWAYS, OWN | IDE),
	ROW("x-frame-options", "DENY", ALWAYS, OWN),
	ROW("x-frame-options", "SAMEORIGIN", ALWAYS, IDE),
	ROW("referrer-policy", "same-origin", SAFE, OWN | IDE),
	ROW("referrer-policy", "strict-origin-when-cross-origin", DEVELOPMENT, OWN | IDE),
	ROW("cross-origin-opener-policy", "same-origin", SAFE, OWN),
	ROW("cross-origin-opener-policy", "same-origin-allow-popups", SAFE, ANSWER_IDE),
	/* What a window shows that a program's page has opened is out of its reach. */
	ROW("cross-origin-opener-policy", "same-origin", SAFE,
	    ANSWER_ASSET | ANSWER_FILE),
	ROW("cross-origin-embedder-policy", "require-corp", STRICT, ANSWER_PAGE),
	ROW("cross-origin-resource-policy", "same-origin", SAFE, OWN | IDE),
	ROW("permissions-policy",
	    "accelerometer=(), camera=(), "
	    "display-capture=(), geolocation=(), gyroscope=(), hid=(), "
	    "magnetometer=(), microphone=(), midi=(), payment=(), serial=(), "
	    "usb=()",
	    SAFE, OWN),
	ROW("permissions-policy",
	    "accelerometer=(), camera=(), "
	    "geolocation=(), gyroscope=(), hid=(), magnetometer=(), "
	    "microphone=(), midi=(), payment=(), serial=(), usb=()",
	    STRICT, ANSWER_IDE),
	ROW("permissions-policy", "camera=(), geolocation=(), payment=()", BALANCED,
	    ANSWER_IDE),
	ROW("content-security-policy",
	    "default-src 'none'; style-src 'self'; "
	    "img-src 'self'; script-src 'self'; connect-src 'self'; "
	    "manifest-src 'self'; form-action 'self'; base-uri 'none'; "
	    "frame-ancestors 'none'; require-trusted-types-for 'script'; " REPORT,
	    STRICT, ANSWER_PAGE),
	ROW("content-security-policy",
	    "default-src 'none'; style-src 'self'; "
	    "img-src 'self'; script-src 'self'; connect-src 'self'; "
	    "manifest-src 'self'; form-action 'self'; base-uri 'none'; "
	    "frame-ancestors 'none'; " REPORT,
	    BALANCED | DEVELOPMENT, ANSWER_PAGE),
	ROW("content-security-policy",
	    "default-src 'none'; base-uri 'none'; "
	    "frame-ancestors 'none'",
	    ALWAYS, ANSWER_DATA),
	ROW("content-security-policy", "frame-ancestors 'self'", ALWAYS,
	    ANSWER_ASSET | ANSWER_IDE),
	/* A page in a folder that somebody has cloned is no page of this site. */
	ROW("content-security-policy",
	    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; "
	    "frame-ancestors 'self'; sandbox",
	    ALWAYS, ANSWER_FILE),
	ROW("reporting-endpoints", "csp=\"/csp-report\"", ALWAYS, ANSWER_PAGE),
	ROW("cache-control", "no-store", ALWAYS, OWN)
#undef ROW
};

/* Values that name an address, where the site is below a prefix. */
static char based[sizeof(rows) / sizeof(rows[0])][512];

void
security_prepare(const struct conf_for_worker *conf)
{
	static const struct slice report = SLICE("/csp-report");
	const char *base = conf->http.base, *at;
	struct slice v;
	int n;

	memset(based, 0, sizeof(based));
	for (size_t i = 0; *base != '\0' && i < sizeof(rows) / sizeof(rows[0]); i++) {
		v = rows[i].value;
		if ((at = memmem(v.p, v.len, report.p, report.len)) == NULL)
			continue;
		n = snprintf(based[i], sizeof(based[i]), "%.*s%s%.*s", (int)(at - v.p),
		    v.p, base, (int)(v.p + v.len - at), at);
		if (n < 0 || (size_t)n >= sizeof(based[i]))
			fatalx("BUG: %s does not fit", rows[i].name.p);
	}
}

static bool
row_is(const struct worker *w, const struct security_row *r, unsigned int kind)
{
	return (
	    (r->kinds & kind) != 0 && (r->presets & 1U << w->conf->http.headers) != 0);
}

size_t
security_headers(
    const struct worker *w, unsigned int kind, struct header *h, size_t n, size_t max)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]) && n < max; i++) {
		if (!row_is(w, &rows[i], kind))
			continue;
		h[n].name = rows[i].name;
		h[n].value = based[i][0] != '\0' ? slice_str(based[i]) : rows[i].value;
		if (w->conf->http.headers_report_only && (kind & OWN) != 0 &&
		    slice_eq(h[n].name, SLICE("content-security-policy")))
			h[n].name = SLICE("content-security-policy-report-only");
		n++;
	}
	return (n);
}

bool
security_owns(const struct worker *w, unsigned int kind, struct slice name)
{
	if (slice_eq(name, SLICE("content-security-policy")))
		return (false);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (row_is(w, &rows[i], kind) && slice_eq(rows[i].name, name))
			return (true);
	return (false);
}
