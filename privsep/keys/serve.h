/*
 * What workers may have of keys: one signature, one session to resume, two to
 * keep.  Each has a channel of its own, for the time of its handshake.
 */
#ifndef PRIVSEP_KEYS_SERVE_H
#define PRIVSEP_KEYS_SERVE_H

#include <event2/event.h>

#include <stdint.h>

#include "../chan.h"

#define SERVE_PEERS_MAX 8192 /* workers in their handshake at a time */
#define SERVE_PUTS      2    /* sessions kept for one connection */
#define SERVE_GETS      1

/* master is told of those who break a rule. */
void serve_init(struct event_base *base, struct chan *master);
/* A new worker, at the other end of fd, which is taken over. */
void serve_join(int fd, const struct m_worker *who);
unsigned int serve_peers(void);

#endif
