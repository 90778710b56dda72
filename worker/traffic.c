/* Requests counted: see traffic.h. */
#include <string.h>

#include <event2/event.h>

#include "routes.h"
#include "traffic.h"
#include "worker.h"

#define FLUSH_SECONDS 5
#define FLUSH_MANY    64

static struct m_traffic now;
static unsigned int counted;
static struct event *later;

void
traffic_flush(void)
{
	if (counted == 0)
		return;
	(void)chan_send(&worker.master, M_TRAFFIC, 0, -1, &now, sizeof(now));
	memset(&now, 0, sizeof(now));
	counted = 0;
}

static void
on_later(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	traffic_flush();
}

/* A connection may stay for hours: figures of its last requests are not to. */
static void
flush_later(void)
{
	static const struct timeval t = { FLUSH_SECONDS, 0 };

	if (later == NULL)
		later = evtimer_new(worker.base, on_later, NULL);
	if (later != NULL)
		event_add(later, &t);
}

static enum traffic_class
class_of(const struct stream *s)
{
	if (s->traffic == TRAFFIC_PAGE && s->route != NULL &&
	    strncmp(s->route->path, "/api/", 5) == 0)
		return (TRAFFIC_API);
	return ((enum traffic_class)s->traffic);
}

void
traffic_count(const struct stream *s, int64_t us)
{
	static const int64_t ms[] = TRAFFIC_MS;
	enum traffic_class c = class_of(s);
	/* In HTTP/2 a WebSocket begins with 200. */
	unsigned int status = s->tunnel ? 101 : s->status, i;

	if (status < 100 || status > 599)
		return; /* it left before there was an answer */
	now.requests[c][status / 100 - 1]++;
	now.limited += status == 429;
	if (!s->tunnel && us >= 0) {
		for (i = 0; i < TRAFFIC_TIMES - 1 && us > ms[i] * 1000; i++)
			;
		now.times[c][i]++;
		now.us[c] += (uint64_t)us;
	}
	if (++counted == 1)
		flush_later();
	if (counted >= FLUSH_MANY)
		traffic_flush();
}
