/*
 * When somebody was last active on this site: master knows.
 */
#ifndef WORKER_HEART_H
#define WORKER_HEART_H

#include "stream.h"
#include "../privsep/chan.h"

/* Calls fn with the ms since the epoch, 0 for never; at once, or when master has
 * answered.  The stream's arg and on_close are taken meanwhile. */
void heart_ask(struct stream *, void (*fn)(struct stream *, int64_t last));
/* M_HEART. */
void heart_answer(struct chan *, struct msg *);

#endif /* WORKER_HEART_H */
