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
#include "static.h"
#include "worker.h"
#include "../privsep/log.h"

#define PAGES "out/vs/workbench/contrib/webview/browser/pre/"

void
port_view(struct stream *s)
{
	char prefix[160];
	size_t n;

	n = (size_t)snprintf(
	    prefix, sizeof(prefix), "/ide/%s/static/" PAGES, s->w->conf->ide_prefix);
	if (s->websocket ||
	    (s->head.method != METHOD_GET && s->head.method != METHOD_HEAD))
		respond_error(s, 405, NULL);
	else if (n >= sizeof(prefix) || strncmp(s->path, prefix, n) != 0 ||
	    !static_file(s, "ide/vscode/" PAGES, s->path + n, CACHE_IMMUTABLE))
		respond_error(s, 404, NULL);
}
