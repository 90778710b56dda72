/*
 * The page of figures that Prometheus reads; on its own listener only.
 */
#ifndef WORKER_METRICS_H
#define WORKER_METRICS_H

#include "../privsep/chan.h"

/* M_METRICS. */
void metrics_answer(struct chan *, struct msg *);

#endif /* WORKER_METRICS_H */
