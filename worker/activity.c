/* Whether somebody is there: see activity.h. */
#include <string.h>

#include "activity.h"
#include "respond.h"
#include "routes.h"
#include "url.h"
#include "wait.h"

static bool
is_report(const struct stream *s)
{
	return (strcmp(s->path, "/api/users/me/activity") == 0);
}

/* The workbench's WebSocket that was cut off, and comes back by itself. */
static bool
is_return(const struct stream *s)
{
	const unsigned int ide = R_ACTIVE | R_SOCKET;
	char text[8];

	return (s->websocket && s->route != NULL && (s->route->flags & ide) == ide &&
	    url_query(text, sizeof(text), s->query, SLICE("reconnection")) == 4 &&
	    memcmp(text, "true", 4) == 0);
}

bool
activity_tells(const struct stream *s)
{
	return (cookie_of(s, IDE_TELLS).p != NULL);
}

bool
activity_itself(const struct stream *s)
{
	return (is_report(s) || wait_asks(s) || (is_return(s) && activity_tells(s)));
}
