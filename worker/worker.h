/*
 * The worker process: one connection, at most one user.
 */
#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

#include <event2/event.h>

#include <stdbool.h>
#include <stdint.h>

#include "../privsep/chan.h"
#include "../privsep/confsend.h"

/* Folders below the worker's root (set up by isolation), each read only. */
#define WORKER_DIR_IDE "/ide" /* static files of the IDE */

struct worker {
	uint64_t id;
	const struct conf_for_worker *conf;
	struct event_base *base;
	struct chan master;
	struct chan auth;
	struct chan keys; /* closed once the handshake is over */
	bool auth_joined;
	struct wire_addr source;
	uint32_t kind; /* enum conf_listen_kind */
	uint32_t nonce;
	uint32_t request_count;
	int rootfd; /* the static root; the one folder to open below */
	/* What it is for, with the first request: enum port_site (port.h). */
	bool site_known;
	uint8_t site;
	struct wire_share port; /* of SITE_PORT and SITE_SHARE, else 0 */
	bool draining;          /* finish what runs, take nothing new */
	bool stopping;     /* ... as ided leaves, and for nothing that happened here */
	unsigned int turn; /* of the event loop: each begins with a look at all */
	struct conn *conn; /* the connection, once conn_start() ran */

	/* Who the connection acts for: set once, by auth's word (session.c). */
	bool bound;
	bool guest; /* ... or for nobody: of a port that is shared with the public */
	struct wire_who who;
	uint8_t token[WIRE_TOKEN]; /* to join a restarted auth again */
	uint8_t token_kind;        /* enum credential_kind (credential.h) */
};

/* The one instance of this process. */
extern struct worker worker;

/* Zygote side: what is made ready before any client (TLS, tables, files). */
void worker_prepare(const struct conf_for_worker *conf);
/* From routes.c or static.c: what HTTP makes ready before the fork. */
void http_prepare(const struct conf_for_worker *conf);
/* In the fork: run the connection that master hands over; never returns. */
void worker_main(uint64_t id, int masterfd) __attribute__((__noreturn__));
/* The connection is over: tell master the counters and exit. */
void worker_exit(const char *why) __attribute__((__noreturn__));
/* From conn.c: serve this socket. */
void conn_start(struct worker *w, int fd);
/* Master or a signal of the end asks: finish what runs, then leave. */
void conn_drain(struct worker *w);
/* Admission is told how far this connection has come. */
void worker_stage(enum wire_stage stage);
void worker_count(uint32_t requests, uint64_t in, uint64_t out);
/* 16 hex digits, unique per request. */
void worker_rid(char rid[WIRE_RID]);

#endif
