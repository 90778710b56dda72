/* The books of the pool, for the files that keep them. */
#ifndef MASTER_POOL_H
#define MASTER_POOL_H

#include "master.h"

#define KIND_NONE UINT32_MAX /* serves nobody yet */

struct pool {
	struct mworker *slot[POOL_SLOTS];
	uint32_t nslots; /* ever used */
	uint16_t free[POOL_SLOTS];
	uint32_t nfree;
	uint32_t workers;
	uint32_t dying; /* killed, and not known to be gone */
	uint32_t spares;
	uint32_t unauthenticated;
	uint64_t count;
	uint32_t given;   /* since the zygote was made */
	int64_t pause_ms; /* no new spares until then */
	struct event *resume;
	struct event *leave_time;
	struct mworker unauth; /* rings, oldest first */
	struct mworker spare;
	struct mworker leaving;
};

extern struct pool pool;

/* pool.c */
void ring_add(struct mworker *ring, struct mworker *w);
void leave_ring(struct mworker *);
struct mworker *worker_find(uint64_t id); /* NULL: there is none any more */

/* pool_end.c */
void worker_free(struct mworker *);
void worker_kill(struct mworker *);
void worker_bad(struct mworker *, enum proc towards);
void worker_leave(struct mworker *);
void worker_gone(struct chan *, const char *why); /* its channel */

#endif
