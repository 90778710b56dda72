/*
 * When somebody was last active on this site: master knows.
 */
#ifndef WORKER_HEART_H
#define WORKER_HEART_H

#include "stream.h"
#include "../privsep/chan.h"
#include "../privsep/wire.h"

/* Calls fn with when that was, all 0 if master does not answer; at once, or when it
 * has.  The stream's arg and on_close are taken meanwhile. */
void heart_ask(struct stream *, void (*fn)(struct stream *, const struct m_heart *));
/* M_HEART. */
void heart_answer(struct chan *, struct msg *);

#endif /* WORKER_HEART_H */
