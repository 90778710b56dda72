/*
 * What messages carry of figures: how much there was of what, and of nobody.  A part of
 * wire.h.
 */
#ifndef PRIVSEP_WIRE_METRICS_H
#define PRIVSEP_WIRE_METRICS_H

#include <stdint.h>

/* What answered a request. */
enum traffic_class {
	TRAFFIC_PAGE, /* pages of ours, redirects, refusals */
	TRAFFIC_API,
	TRAFFIC_STATIC,
	TRAFFIC_IDE,
	TRAFFIC_PORT,
	TRAFFIC_SERVICE, /* the site's own */
	TRAFFIC_CLASSES,
};
#define TRAFFIC_STATUS 5  /* 1xx to 5xx */
#define TRAFFIC_TIMES  11 /* TRAFFIC_MS, and what took longer */
#define TRAFFIC_MS                                                                       \
	{                                                                                \
		5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000                           \
	}
/* A worker tells of so many requests at once at most. */
#define TRAFFIC_BATCH 4096

/* M_TRAFFIC: requests of one connection since the last one. */
struct m_traffic {
	uint64_t requests[TRAFFIC_CLASSES][TRAFFIC_STATUS];
	uint64_t times[TRAFFIC_CLASSES][TRAFFIC_TIMES]; /* of those that ended */
	uint64_t us[TRAFFIC_CLASSES];                   /* the sum of these */
	uint64_t limited;                               /* of them, by a rate limit */
};

/* What the feed of releases said (update-check in ided.conf(5)). */
#define WIRE_VERSION 64 /* semver.h */
enum wire_release_is {
	RELEASE_OFF,     /* there is no feed */
	RELEASE_UNKNOWN, /* it has not answered */
	RELEASE_NONE,    /* none is newer than the one that runs */
	RELEASE_NEWER,
};
struct wire_release {
	int64_t checked; /* in seconds since the epoch; 0: unknown */
	uint32_t is;     /* enum wire_release_is */
	uint32_t newer;  /* 1: RELEASE_NEWER */
	uint32_t failed; /* times in a row that it did not answer */
	uint32_t pad;
	char version[WIRE_VERSION]; /* "": unknown */
};

/* M_TALLY: what auth and isolation know. */
struct m_tally {
	struct m_stats stats; /* master's part of it is empty */
	struct wire_release release;
	uint64_t audit_records;
	uint64_t audit_refused;
	uint64_t audit_unlogged; /* what syslog lost */
	uint64_t store_changes;
	uint32_t api_tokens;
	uint32_t shares_users; /* ports that are shared */
	uint32_t shares_public;
	uint64_t visits; /* connections that were let in to them */
	uint64_t visits_refused;
	uint32_t sandboxes_frozen;
	uint64_t memory; /* of all sandboxes */
	uint64_t processes;
	uint64_t cpu_usec;
	uint64_t received;
	uint64_t sent;
};

/* M_METRICS: all of it. */
struct m_metrics {
	uint32_t known; /* the tally was to be had */
	uint32_t listeners;
	struct m_tally tally;
	struct m_traffic traffic;
	uint64_t bytes_in;
	uint64_t bytes_out;
};

#endif
