/*
 * What this connection's requests were, and how long they took: told to master in
 * batches, for /metrics.
 */
#ifndef WORKER_TRAFFIC_H
#define WORKER_TRAFFIC_H

#include "stream.h"

/* Its end: what answered it is in traffic. */
void traffic_count(const struct stream *, int64_t us);
void traffic_flush(void);

#endif /* WORKER_TRAFFIC_H */
