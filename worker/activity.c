/* Whether somebody is there: see activity.h. */
#include <stdio.h>
#include <string.h>

#include "../privsep/log.h"
#include "activity.h"
#include "respond.h"
#include "routes.h"
#include "url.h"
#include "wait.h"
#include "worker.h"

#define COOKIE "__Secure-ided-activity"
#define SCRIPT "activity.js"

static bool
is_report(const struct stream *s)
{
	return (strcmp(s->path, "/api/users/me/activity") == 0);
}

/* The workbench's WebSocket that was cut off, and comes back by itself. */
static bool
is_return(const struct stream *s)
{
	char text[8];

	return (s->websocket && s->route != NULL &&
	    (s->route->fn == ide_root || s->route->fn == ide_any) &&
	    url_query(text, sizeof(text), s->query, SLICE("reconnection")) == 4 &&
	    memcmp(text, "true", 4) == 0);
}

bool
activity_tells(const struct stream *s)
{
	return (cookie_of(s, COOKIE).p != NULL);
}

bool
activity_itself(const struct stream *s)
{
	return (is_report(s) || wait_asks(s) || (is_return(s) && activity_tells(s)));
}

void
activity_page(const struct stream *s, struct evbuffer *page)
{
	if (evbuffer_add_printf(page, "<script src=\"%s/_static/" SCRIPT "\"></script>\n",
		site_base(s->w)) == -1)
		fatalx("out of memory");
}

struct header
activity_cookie(const struct stream *s)
{
	static char text[WIRE_TEXT];

	snprintf(text, sizeof(text),
	    COOKIE "=1; Secure; HttpOnly; SameSite=Lax; Path=%s%s", site_base(s->w),
	    ide_base(s));
	return ((struct header){ SLICE("set-cookie"), slice_str(text) });
}
