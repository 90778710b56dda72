/*
 * Locations: services of the site's own.  What a block of them must say, and that no
 * two of them, nor one of them and ided itself, can be taken for each other.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "conf_parse.h"

/* What ided serves itself: below these, whatever the mode (worker/routes.c). */
static const char *const routes[] = {
	"/_static/",
	"/.ided/",
	"/.well-known/",
	"/absproxy/",
	"/api/",
	"/csp-report/",
	"/favicon.ico/",
	"/favicon.svg/",
	"/healthz/",
	"/ide/",
	"/login/",
	"/logout/",
	"/manifest.json/",
	"/metrics/",
	"/mint-key/",
	"/password/",
	"/port/",
	"/ports/",
	"/proxy/",
	"/register/",
	"/reset/",
	"/robots.txt/",
	"/security.txt/",
	"/update/",
	"/vscode/",
};

/*
 * Headers that nobody sets by hand: framing and connections are ided's to say, and
 * so is who the user is.
 */
static const char *const own_headers[] = {
	"connection",
	"content-length",
	"cookie",
	"expect",
	"forwarded",
	"keep-alive",
	"proxy-connection",
	"te",
	"trailer",
	"transfer-encoding",
	"upgrade",
};
static const char *const own_headers_prefix[] = {
	"sec-websocket-",
	"x-forwarded-",
	"x-ided-",
};

static bool
own_header(const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < sizeof(own_headers) / sizeof(own_headers[0]); i++)
		if (strlen(own_headers[i]) == len &&
		    strncasecmp(name, own_headers[i], len) == 0)
			return true;
	for (i = 0; i < sizeof(own_headers_prefix) / sizeof(own_headers_prefix[0]); i++)
		if (strncasecmp(
			name, own_headers_prefix[i], strlen(own_headers_prefix[i])) == 0)
			return true;
	return false;
}

/* Name: value */
bool
conf_value_header(
    struct conf_parser *p, const struct conf_row *row, struct conf_location *location)
{
	const char *s = p->tok.text;
	size_t n = 0;

	if (location->nheaders == CONF_HEADER_MAX) {
		conf_expected(
		    p, NULL, "at most %d headers in a location", CONF_HEADER_MAX);
		return false;
	}
	if (conf_is_value(p))
		while (conf_word_byte(s[n]) && s[n] != '.')
			n++;
	if (n == 0 || s[n] != ':' || s[n + 1] != ' ' || s[n + 2] == '\0') {
		conf_expected(p, NULL, "\"Name: value\" after \"%s\"", row->name);
		return false;
	}
	if (own_header(s, n)) {
		conf_expected(p, NULL,
		    "a header that ided does not set itself after \"%s\"", row->name);
		return false;
	}
	if (!conf_take_text(
		p, location->header[location->nheaders], sizeof(location->header[0])))
		return false;
	location->nheaders++;
	return true;
}

static bool
bad(const struct conf_parser *p, const char *name)
{
	return p->bad[conf_row_index(conf_row_find(B_LOCATION, name))];
}

static bool
is_set(const struct conf_parser *p, enum conf_block block, const char *name)
{
	return p->at[conf_row_index(conf_row_find(block, name))].name != NULL;
}

bool
conf_is_route(const char *prefix)
{
	size_t i;

	for (i = 0; i < sizeof(routes) / sizeof(routes[0]); i++)
		if (strncasecmp(prefix, routes[i], strlen(routes[i])) == 0)
			return true;
	return false;
}

/* What goes with a service, and not with files; with TLS, and not without. */
static bool
options_fit(struct conf_parser *p, const struct conf_location *l, struct conf_where at)
{
	static const char *const proxied[] = { "header", "rewrite" };
	size_t i;

	for (i = 0; i < sizeof(proxied) / sizeof(proxied[0]); i++) {
		if (!is_set(p, B_LOCATION, "root") || bad(p, proxied[i]) ||
		    !is_set(p, B_LOCATION, proxied[i]))
			continue;
		conf_error(p, at, "expected \"%s\" with \"proxy\", got it with \"root\"",
		    proxied[i]);
		return false;
	}
	if (l->kind != LOCATION_PROXY_TLS && (l->ca[0] != '\0' || l->name[0] != '\0')) {
		conf_error(p, at,
		    "expected \"tls\" with \"%s\", got \"proxy\" without it",
		    l->ca[0] != '\0' ? "ca" : "name");
		return false;
	}
	return true;
}

/* At the end of a block: false, if it is not to be kept. */
bool
conf_location_check(
    struct conf_parser *p, const struct conf_location *l, struct conf_where at)
{
	struct conf_location *kept;
	char text[CONF_PATH_MAX + 32];
	bool to, from;
	uint32_t i;

	if (bad(p, "") || bad(p, "proxy") || bad(p, "root"))
		return false;
	to = is_set(p, B_LOCATION, "proxy");
	from = is_set(p, B_LOCATION, "root");
	if (to == from) {
		conf_error(p, at,
		    "expected \"proxy\" or \"root\" in the block "
		    "\"location\", got %s",
		    to ? "both" : "none");
		return false;
	}
	if (conf_is_route(l->prefix)) {
		conf_error(p, at,
		    "expected a path that ided does not "
		    "serve itself after \"location\", got \"%s\"",
		    l->prefix);
		return false;
	}
	/* Some services make no difference between cases: which would it be? */
	for (i = 0; i < p->conf->nlocation; i++) {
		if (strcasecmp(l->prefix, p->conf->location[i].prefix) == 0) {
			conf_error(p, at,
			    "expected the location \"%s\" once, "
			    "got it again; the first is in %s",
			    l->prefix,
			    conf_where_text(p->location_at[i], text, sizeof(text)));
			return false;
		}
	}
	if (!options_fit(p, l, at))
		return false;
	kept = &p->conf->location[p->conf->nlocation];
	if (from)
		kept->kind = LOCATION_ROOT;
	/* Certificates of the public are what is meant, if nothing is said. */
	if (kept->kind == LOCATION_PROXY_TLS && kept->ca[0] == '\0')
		snprintf(kept->ca, sizeof(kept->ca), "%s", CONF_CA_DEFAULT);
	return true;
}

static void
verify_root(struct conf_parser *p, const struct conf_location *l, struct conf_where at)
{
	const char *const own[] = { p->conf->common.data, p->conf->common.runtime };
	static const char *const names[] = { "data", "runtime" };
	size_t i;

	for (i = 0; i < 2; i++)
		if (conf_below(l->target, own[i]) || conf_below(own[i], l->target))
			conf_error(p, at,
			    "expected a path apart from \"%s\", which is %s, after "
			    "\"root\", got \"%s\"",
			    names[i], own[i], l->target);
}

/* Roles may be defined after the block that names them. */
void
conf_verify_locations(struct conf_parser *p)
{
	const struct conf *c = p->conf;
	const struct conf_location *l;
	uint32_t i;

	for (i = 0; i < c->nlocation; i++) {
		l = &c->location[i];
		if (l->role[0] != '\0' && role_find(c->role, c->nroles, l->role) == NULL)
			conf_error(p, p->location_at[i],
			    "expected a role that there is after \"require role\" in the "
			    "location \"%s\", got \"%s\"",
			    l->prefix, l->role);
		if (l->kind == LOCATION_ROOT)
			verify_root(p, l, p->location_at[i]);
	}
}
