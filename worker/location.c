/*
 * Services of the site's own: see location.h.
 */
#include <bsd/string.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../privsep/location.h"
#include "../privsep/log.h"
#include "location.h"
#include "port.h"
#include "proxy.h"
#include "respond.h"
#include "routes.h"
#include "upstream_tls.h"
#include "url.h"

#define DECODED 3 /* times that a path is decoded to see what comes of it */

static struct location locations[CONF_LOCATION_MAX];
static size_t nlocations;

/* --- before any client --- */

/* The host of "host:port" or "[address]:port". */
static void
host_of(char *dst, size_t size, const char *target)
{
	const char *end = strrchr(target, ':');
	size_t n = end != NULL ? (size_t)(end - target) : strlen(target);

	if (n > 1 && target[0] == '[') {
		target++;
		n -= 2;
	}
	snprintf(dst, size, "%.*s", (int)n, target);
}

static void
location_add(const struct conf_location *conf, unsigned int at)
{
	struct location *l = &locations[nlocations++];

	memset(l, 0, sizeof(*l));
	l->conf = conf;
	l->len = strlen(conf->prefix);
	location_id(conf, l->id);
	if (conf->kind != LOCATION_PROXY_TLS)
		return;
	if (conf->name[0] != '\0')
		strlcpy(l->name, conf->name, sizeof(l->name));
	else
		host_of(l->name, sizeof(l->name), conf->target);
	l->tls = upstream_tls_prepare(at);
}

void
location_prepare(const struct conf_for_worker *conf)
{
	nlocations = 0;
	for (uint32_t i = 0; i < conf->nlocation && i < CONF_LOCATION_MAX; i++)
		location_add(&conf->location[i], i);
}

/* --- which one --- */

typedef int (*compare_fn)(const char *, const char *, size_t);

/* The longest prefix of it, of those that there are; -1: none is. */
static int
longest(const char *path, compare_fn compare)
{
	int best = -1;

	for (size_t i = 0; i < nlocations; i++)
		if (compare(path, locations[i].conf->prefix, locations[i].len) == 0 &&
		    (best == -1 || locations[i].len > locations[best].len))
			best = (int)i;
	return (best);
}

/* Another way to read it: all that somebody might take for a '/' is one, those in a
 * row are one, and a parameter is none of the name. */
static void
simplify(char *path)
{
	const char *from = path;
	char *to = path;

	while (*from != '\0') {
		if (*from == ';') {
			from += strcspn(from, "/\\");
			continue;
		}
		if (*from == '/' || *from == '\\') {
			from++;
			if (to == path || to[-1] != '/')
				*to++ = '/';
			continue;
		}
		*to++ = *from++;
	}
	*to = '\0';
}

static bool
has_dots(const char *path)
{
	for (const char *p = strstr(path, "/."); p != NULL; p = strstr(p + 1, "/."))
		if (p[2] == '/' || p[2] == '\0' ||
		    (p[2] == '.' && (p[3] == '/' || p[3] == '\0')))
			return (true);
	return (false);
}

static bool
agrees(const char *path, int which)
{
	return (longest(path, strncmp) == which && longest(path, strncasecmp) == which);
}

enum location_match
location_match(const char *path, struct slice raw, struct location **found)
{
	char buf[STREAM_PATH_MAX], plain[STREAM_PATH_MAX];
	int which;

	if (nlocations == 0)
		return (LOCATION_NONE);
	if (*path == '\0') {
		if (url_decode(plain, sizeof(plain), raw, 0) == -1)
			return (LOCATION_NONE);
		path = plain;
	}
	which = longest(path, strncmp);
	if (strlcpy(buf, path, sizeof(buf)) >= sizeof(buf) || !agrees(path, which))
		return (LOCATION_UNCLEAR);
	for (int i = 0; i < DECODED; i++) {
		simplify(buf);
		if (has_dots(buf) || !agrees(buf, which))
			return (which == -1 && longest(buf, strncasecmp) == -1 ?
				LOCATION_NONE :
				LOCATION_UNCLEAR);
		if (strchr(buf, '%') == NULL ||
		    url_decode(buf, sizeof(buf), slice_str(buf), 0) == -1)
			break;
	}
	if (which == -1)
		return (LOCATION_NONE);
	*found = &locations[which];
	return (LOCATION_ONE);
}

bool
location_lacks_slash(const char *path)
{
	size_t n = strlen(path);

	for (size_t i = 0; i < nlocations; i++)
		if (locations[i].len == n + 1 &&
		    memcmp(locations[i].conf->prefix, path, n) == 0)
			return (true);
	return (false);
}

struct circuit *
location_circuit(const struct location *l)
{
	return (&locations[l - locations].circuit);
}

struct location *
location_of(const struct stream *s)
{
	struct location *l = NULL;

	return (location_match(s->path, s->raw_path, &l) == LOCATION_ONE ? l : NULL);
}

static void
serve(struct stream *s)
{
	struct location *l = location_of(s);
	struct port_way way = { .kind = PORT_LOCATION, .location = l };

	memcpy(way.prefix, l->conf->prefix, l->len - 1);
	proxy_location(s, &way);
}

/* --- requests --- */

static void
location_any(struct stream *s, const char *rest)
{
	struct location *l = location_of(s);

	(void)rest;
	if (l == NULL)
		respond_error(s, 404, NULL);
	else if (s->head.method == METHOD_CONNECT || s->head.method == METHOD_TRACE)
		respond_error(s, 405, NULL);
	else if (l->conf->kind == LOCATION_ROOT)
		location_file(s, l);
	else
		assertion_with(s, &l->said, M_LOCATION_SIGN, l->id, sizeof(l->id), serve);
}

const struct route location_route = { .path = "/",
	.methods = R_ANY | M_BIT(METHOD_OTHER),
	.flags = R_PREFIX | R_LOGIN | R_PAGE | R_SOCKET | R_PASS | R_APP | R_SERVICE,
	.fn = location_any };
