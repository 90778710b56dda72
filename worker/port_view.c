/*
 * Webviews: extensions' pages in VS Code.  With a proxy domain each has an origin of
 * its own, as in the desktop's, whose name VS Code derives from who embeds it: see
 * port.h.  All that is there is the static page which receives the content from the
 * workbench; nobody is anybody there.
 */
#include <stdio.h>
#include <string.h>

#include "port.h"
#include "respond.h"
#include "routes.h"
#include "static.h"
#include "worker.h"
#include "../privsep/log.h"

#define PAGES "out/vs/workbench/contrib/webview/browser/pre/"

/* The path of the shared files, as a browser asks for them. */
static const char *
pages_path(const struct worker *w)
{
	static char path[160];

	snprintf(path, sizeof(path), "%s/%s/static/" PAGES,
	    w->conf->mode == AUTH_MULTI ? "/ide" : "", w->conf->ide_prefix);
	return (path);
}

void
port_view(struct stream *s)
{
	const char *prefix = pages_path(s->w);
	size_t n = strlen(prefix);

	if (s->websocket ||
	    (s->head.method != METHOD_GET && s->head.method != METHOD_HEAD))
		respond_error(s, 405, NULL);
	else if (strncmp(s->path, prefix, n) != 0 ||
	    !static_file(s, "ide/vscode/" PAGES, s->path + n, CACHE_IMMUTABLE))
		respond_error(s, 404, NULL);
}

/* --- the workbench's page --- */

bool
port_view_wanted(const struct stream *s, const struct http_head *answer)
{
	const struct slice html = SLICE("text/html");
	struct slice type = http_header(answer, HDR_CONTENT_TYPE);

	return (s->route != NULL && s->route->fn == ide_root && !s->websocket &&
	    answer->status == 200 && type.len >= html.len &&
	    slice_caseeq((struct slice){ type.p, html.len }, html) &&
	    http_header(answer, HDR_CONTENT_ENCODING).p == NULL);
}

static const char *
colon_port(const struct stream *s)
{
	static char text[16];

	text[0] = '\0';
	if (s->head.port != 0)
		snprintf(text, sizeof(text), ":%u", s->head.port);
	return (text);
}

struct slice
port_view_policy(const struct stream *s, struct slice policy)
{
	static const struct slice frames = SLICE("frame-src");
	static char text[8192];
	const char *p;
	size_t at;
	int n;

	if (s->w->conf->proxy.domain[0] == '\0' || policy.len == 0 ||
	    (p = memmem(policy.p, policy.len, frames.p, frames.len)) == NULL)
		return (policy);
	at = (size_t)(p - policy.p) + frames.len;
	n = snprintf(text, sizeof(text), "%.*s https://%s%s%.*s", (int)at, policy.p,
	    s->w->conf->proxy.domain, colon_port(s), (int)(policy.len - at),
	    policy.p + at);
	if (n < 0 || (size_t)n >= sizeof(text))
		return (policy);
	return ((struct slice){ text, (size_t)n });
}

static const char *
find(const char *from, const char *end, const char *what)
{
	return (memmem(from, (size_t)(end - from), what, strlen(what)));
}

/*
 * The page holds the workbench's configuration, as an attribute.  Its front's own
 * place for webviews is taken out of it, and the template is put in that there is for
 * origins of their own.  What has another form stays as it is.
 */
void
port_view_page(const struct stream *s, struct evbuffer *page)
{
	static const char own[] = "&quot;webviewEndpoint&quot;:&quot;",
			  product[] = "&quot;productConfiguration&quot;:{",
			  quote[] = "&quot;";
	size_t len = evbuffer_get_length(page);
	const char *p = (const char *)evbuffer_pullup(page, -1), *end, *at, *over, *into;
	struct evbuffer *out;

	if (s->w->conf->proxy.domain[0] == '\0' || p == NULL || len == 0)
		return;
	end = p + len;
	if ((at = find(p, end, own)) == NULL ||
	    (over = find(at + sizeof(own) - 1, end, quote)) == NULL ||
	    (into = find(over, end, product)) == NULL) {
		log_warnx("the workbench's page has another form: webviews stay on the "
			  "main origin");
		return;
	}
	at += sizeof(own) - 1;
	into += sizeof(product) - 1;
	if ((out = evbuffer_new()) == NULL ||
	    evbuffer_add(out, p, (size_t)(at - p)) == -1 ||
	    evbuffer_add(out, over, (size_t)(into - over)) == -1 ||
	    evbuffer_add_printf(out,
		"&quot;webviewContentExternalBaseUrlTemplate&quot;:"
		"&quot;https://{{uuid}}.%s%s%s&quot;,",
		s->w->conf->proxy.domain + 2, colon_port(s), pages_path(s->w)) == -1 ||
	    evbuffer_add(out, into, (size_t)(end - into)) == -1)
		fatalx("out of memory");
	evbuffer_drain(page, len);
	if (evbuffer_add_buffer(page, out) == -1)
		fatalx("out of memory");
	evbuffer_free(out);
}
