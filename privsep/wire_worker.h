/*
 * What messages carry of workers and their connections: who has which, what they have
 * asked and used, and who is held back.  A part of wire.h.
 */
#ifndef PRIVSEP_WIRE_WORKER_H
#define PRIVSEP_WIRE_WORKER_H

#include <stdint.h>

/* M_WORKER_AUTH (with its channel's end), M_WORKER_KEYS: a new connection. */
struct m_worker {
	uint64_t id;    /* the worker's number, never used again */
	uint32_t bound; /* to a user, as an earlier auth said */
	uint32_t pad;
	struct wire_addr source;
};

/*
 * M_WORKER_NOTE: auth's and keys' word to master about a worker, or, when the
 * worker may be gone already, about where it came from.
 */
struct m_worker_note {
	uint64_t id;
	uint32_t kind; /* enum wire_note */
	uint32_t pad;
	struct wire_addr source;
};
enum wire_note {
	NOTE_BOUND = 1,
	NOTE_GUEST, /* to no user, but it holds something of somebody's */
	NOTE_LOGIN_FAILED,
	NOTE_OVER,     /* it serves nobody any more, and is to leave */
	NOTE_VIOLATION /* it broke a rule, and is to be killed; all that keys says */
};

/* M_PENALTY: a source is refused from now on. */
struct m_penalty {
	struct wire_addr source; /* of IPv6, the /64 */
	uint32_t seconds;
	char why[20];
};

/* M_KILL: this worker of the zygote's, at once. */
struct m_kill {
	uint64_t id;
};

/* M_WORKER_EXIT: the zygote saw one of its children end. */
struct m_worker_exit {
	uint64_t id;
	int32_t pid;    /* -1: it could not even be forked */
	int32_t status; /* as from waitpid(2) */
};

/* M_LEASE: requests that may be served without asking (lease.h). */
enum wire_limit {
	LIMIT_NONE,
	LIMIT_WEB,
	LIMIT_API,
	LIMIT_CLASSES, /* that a worker asks of */
	LIMIT_USER = LIMIT_CLASSES,
	LIMIT_LOGIN,
};
struct wire_lease {
	uint32_t class; /* enum wire_limit */
	uint32_t serial;
	uint32_t granted; /* 0: refused */
	uint32_t limit;   /* of the window that leaves least */
	uint32_t left;    /* in it, beside what is granted */
	uint32_t pad;
	int64_t until; /* ms; not after that */
	int64_t reset; /* in so many ms some of what was used counts no more */
};
/* M_LEASE_ASK, M_LEASE_BACK: how much of the last one was used.  M_LEASE_RECALL: that
 * one is wanted back. */
struct m_lease_ask {
	uint32_t class;
	uint32_t serial;
	uint32_t used;
	uint32_t pad;
};

/* M_CONN: the accepted socket comes with it. */
struct m_conn {
	uint64_t id;
	struct wire_addr source;
	uint32_t kind;    /* enum conf_listen_kind */
	uint32_t nonce;   /* makes request ids unique */
	uint32_t proxied; /* a PROXY header comes first: M_SOURCE is awaited */
	uint32_t pad;
	struct wire_lease lease;
};

/*
 * M_SOURCE: whom a proxy in front speaks for.  Said once, before a byte of the
 * client's was read: what the proxy, which is listed, has sent is all that this
 * worker has seen.  unix_peer: for nobody but itself.
 */
struct m_source {
	struct wire_addr source;
};

/* M_HEART */
struct m_heart {
	int64_t last; /* somebody was active, ms since the epoch; 0: never */
	int64_t ago;  /* ... so many ms before now, whatever the clock was set to */
};

/* M_FORK: with the worker's end of its channel to master. */
struct m_fork {
	uint64_t id;
};

/* M_WORKER_STAGE: how far a connection has come. */
struct m_stage {
	uint32_t stage;    /* enum wire_stage */
	uint32_t requests; /* served since the last one */
	uint64_t bytes_in;
	uint64_t bytes_out;
};
enum wire_stage {
	STAGE_IDLE = 1,
	STAGE_BAD_REQUEST,
	STAGE_TIMEOUT,
};

/* M_LOG: a worker's line. */
struct m_log {
	uint32_t level;
	char event[WIRE_EVENT];
	char text[WIRE_LOG];
	uint32_t pad;
};

/* M_LIMITED: so often, since it was told last, an address was refused (refused.h). */
struct m_limited {
	uint8_t key[16]; /* an address, or a /64; zeros: several */
	uint32_t class;  /* enum wire_limit */
	uint32_t count;
};
/* M_LIMITS: addresses that were refused, or come near it. */
#define WIRE_TOPS 16 /* of each class */
struct wire_top {
	uint8_t key[16];
	uint32_t class;
	uint32_t of;
	uint32_t used;
	uint32_t refused;
	int64_t reset; /* seconds until some of it counts no more */
};
struct m_limits {
	uint32_t count;
	uint32_t pad;
	struct wire_top top[(LIMIT_CLASSES - 1) * WIRE_TOPS];
};
/* M_ROW_LIMIT: the same for people, of users and logins as well. */
struct m_limit {
	char limit[8]; /* login, web, api, user */
	char who[56];  /* an address, or a user's name */
	uint32_t of;
	uint32_t used;
	uint32_t refused;
	uint32_t pad;
	int64_t reset;
};

#endif
