/*
 * What a service of the site is told: see location.h.
 */
#include <stdio.h>
#include <string.h>

#include "location.h"
#include "proxy_head.h"
#include "../privsep/log.h"

void
location_target(struct evbuffer *out, const struct stream *s, const struct location *l)
{
	const char *base = l->conf->rewrite;
	struct slice t = s->head.target;

	/* In whatever spelling its prefix came, it goes on in one. */
	for (size_t i = 0; i < l->len && t.len > 0; i++) {
		size_t n = t.p[0] == '%' && t.len >= 3 ? 3 : 1;

		t.p += n;
		t.len -= n;
	}
	if (base[0] == '\0')
		head_add(out, slice_str(l->conf->prefix));
	else {
		if (strcmp(base, "/") != 0)
			head_add(out, slice_str(base));
		head_add(out, SLICE("/"));
	}
	head_add(out, t);
}

/* "Name: value" of the configuration. */
static void
split(const char *line, struct slice *name, struct slice *value)
{
	const char *colon = strchr(line, ':');

	*name = (struct slice){ line, (size_t)(colon - line) };
	*value = slice_str(colon + 2);
}

/* Names that programs take for one: those of CGI and its heirs know no '-'. */
static bool
same_name(struct slice a, struct slice b)
{
	if (a.len != b.len)
		return (false);
	for (size_t i = 0; i < a.len; i++) {
		unsigned char x = slice_lower(a.p[i]), y = slice_lower(b.p[i]);

		if ((x == '_' ? '-' : x) != (y == '_' ? '-' : y))
			return (false);
	}
	return (true);
}

bool
location_reserved(struct slice name)
{
	static const struct slice prefixes[] = { SLICE("x-ided-"),
		SLICE("x-forwarded-") };

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (name.len >= prefixes[i].len &&
		    same_name((struct slice){ name.p, prefixes[i].len }, prefixes[i]))
			return (true);
	return (false);
}

bool
location_drops(const struct location *l, struct slice name)
{
	struct slice n, v;

	if (location_reserved(name))
		return (true);
	for (uint32_t i = 0; i < l->conf->nheaders; i++) {
		split(l->conf->header[i], &n, &v);
		if (same_name(name, n))
			return (true);
	}
	return (false);
}

struct slice
location_host(const struct location *l)
{
	struct slice n, v;

	for (uint32_t i = 0; i < l->conf->nheaders; i++) {
		split(l->conf->header[i], &n, &v);
		if (slice_caseeq(n, SLICE("host")))
			return (v);
	}
	return ((struct slice){ NULL, 0 });
}

void
location_headers(struct evbuffer *out, const struct stream *s, const struct location *l)
{
	const struct wire_who *who = &s->w->who;
	struct slice n, v;

	for (uint32_t i = 0; i < l->conf->nheaders; i++) {
		split(l->conf->header[i], &n, &v);
		if (!slice_caseeq(n, SLICE("host")))
			head_field(out, n, v);
	}
	head_field(out, SLICE("X-Ided-User"), slice_str(who->name));
	head_field(out, SLICE("X-Ided-Roles"), slice_str(who->roles));
	head_field(out, SLICE("X-Ided-Session"), slice_str(who->session));
	head_field(out, SLICE("X-Ided-Assertion"), slice_str(l->said.text));
}
