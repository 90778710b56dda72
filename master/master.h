/*
 * The master process: accepts connections, decides whether they are let in, and
 * hands each to a worker.  It never reads a client's byte.
 */
#ifndef MASTER_MASTER_H
#define MASTER_MASTER_H

#include <event2/event.h>

#include <stdbool.h>
#include <stdint.h>

#include "../privsep/chan.h"
#include "../privsep/confsend.h"
#include "../privsep/lease.h"
#include "../privsep/master_start.h"
#include "../privsep/pace.h"
#include "admission.h"

struct source; /* admission.c */

struct zygote; /* zygotes.c */

enum worker_state {
	WORKER_SPARE,
	WORKER_BUSY,
	WORKER_LEAVING, /* it is over: killed if it is not gone soon */
	WORKER_KILLED   /* only its exit is awaited */
};

/* A worker as master knows it. */
struct mworker {
	uint64_t id; /* (count << 16) | slot */
	enum worker_state state;
	struct chan chan;
	bool used;       /* the slot */
	bool bound;      /* auth knows its user */
	bool guest;      /* ... or lets nobody in particular in somewhere */
	bool wants_auth; /* asked for a channel to auth */
	bool proxied;    /* its client is behind a proxy, */
	bool sourced;    /* which has told who that is */
	struct zygote *zygote;
	struct wire_addr source_addr;
	struct source *source;
	uint32_t kind;
	int64_t since_ms;
	int64_t leave_ms; /* when a leaving one is killed */
	struct pace lines;
	struct lease lease[LIMIT_CLASSES];
	int64_t words; /* about them, that it may still say */
	int64_t words_ms;
	struct mworker *prev, *next; /* in the ring of its state, oldest first */
};

struct master {
	struct conf_for_master conf;
	struct event_base *base;
	struct chan isolation;
	struct chan auth;
	struct chan keys;
	bool auth_joined, keys_joined;
	bool auth_ready, keys_ready;
	bool serving;
	bool stopping;
	const char *version;
	int notify;
	int parent;
	struct m_status count;
};

extern struct master master;

int64_t master_now_ms(void);
void master_quit(int code); /* ends the loop */
void master_stop(void);     /* lets finish what runs, then leaves */
void master_drained(void);  /* a worker is gone: was it the last? */
void master_ready(void);    /* one of those who must be is ready */

/* zygotes.c: who forks and ends workers. */
void zygote_join(int fd);            /* a new one; the one before retires */
struct zygote *zygote_current(void); /* NULL while there is none */
bool zygote_ready(void);
bool zygote_behind(void); /* it has not read yet what it was asked for */
int zygote_fork(struct zygote *, uint64_t id, int fd);
void zygote_kill(struct zygote *, uint64_t id);

/* pool.c: workers. */
#define POOL_SLOTS 65536 /* of any state, at any time */
void pool_init(void);
void pool_fill(void);                   /* as many spares as configured */
void pool_retire(struct zygote *);      /* its spares go */
void pool_zygote_gone(struct zygote *); /* and with it all its workers */
bool pool_behind(void); /* a new connection would have to wait for its worker */
void pool_evict(void);
void pool_give(int fd, const struct wire_addr *addr, const struct conf_listen *l,
    struct source *src);
void pool_join_auth(void);
void pool_join_keys(void);
void pool_note(enum proc from, const struct m_worker_note *note);
void pool_exit(const struct zygote *, const struct m_worker_exit *x);
void pool_drain(void);
unsigned int pool_count(void);
unsigned int pool_spares(void);
unsigned int pool_unauthenticated(void);

/* lines.c: what workers say in the log. */
void lines_said(struct mworker *, const struct m_log *);
void lines_tell(void); /* how many were left out, so far */

/* metrics.c: figures.  False: the worker breaks a rule. */
bool metrics_add(const struct m_traffic *);
void metrics_bytes(uint64_t in, uint64_t out);
bool metrics_ask(struct mworker *, uint32_t id);
void metrics_tally(uint32_t id, const struct m_tally *);

/* limits.c: requests of those whom nobody knows. */
void limits_configure(void);
void limits_ask(struct chan *, struct msg *);
void limits_open(struct mworker *, struct wire_lease *first);
void limits_close(struct mworker *);
bool limits_word(struct mworker *, struct msg *); /* false: it broke a rule */

/* listeners.c: accept. */
void listeners_init(const int fds[CONF_LISTEN_MAX]);
void listeners_start(void);
void listeners_refused(enum admit why); /* counts it, and logs some */
void listeners_stop(void);
void listeners_keep(void);                        /* have the service manager keep them */
void listeners_hand(struct chan *c, uint32_t id); /* copies of them */
void listeners_new(uint32_t index, int fd);
void listeners_apply(const struct conf_for_master *conf);

#endif
