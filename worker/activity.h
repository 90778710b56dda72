/*
 * Whether somebody is there.  A window that was forgotten has connections for ever, and
 * what it says over them looks like what it says while it is used.  So the workbench's
 * page tells of its user: it gets a script (www/activity.js), and the browser a cookie by
 * which its requests are known from then on.  Of such a browser what pages do by
 * themselves, and the messages of their WebSockets, count for nothing; of any other, all
 * that it does counts.
 */
#ifndef WORKER_ACTIVITY_H
#define WORKER_ACTIVITY_H

#include <stdbool.h>

#include "stream.h"

/* A page does it, whether anybody is there or not. */
bool activity_itself(const struct stream *);
/* What somebody does is told by other means. */
bool activity_tells(const struct stream *);

#endif
