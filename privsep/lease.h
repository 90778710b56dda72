/*
 * Allowances on loan: what a worker may serve without asking, out of windows that
 * count all workers together (window.h).
 *
 * Who counts.  Requests of somebody who is not known are counted by address, by the
 * master: it knows the source of every connection before any other process does,
 * decides by source who is let in, outlives auth, and can hand the first allowance
 * over with the connection, so that one who only asks for pages costs auth nothing.
 * Requests of a user are counted by auth, which alone knows who is bound, and they
 * count for the user instead: people behind one address are not each other's limit.
 *
 * How.  A worker gets a batch that gets smaller as the window fills, uses it within
 * LEASE_MS, and gives back what is left when that time ends, when its connection
 * does, or when it is asked to.  What is out counts as used, and what is not given
 * back in time was.  So in no window of the period more is served than the limit,
 * whatever workers do; and nobody is refused for what others hold and do not use: it
 * is called back first, and who asked waits for that, WAIT_MS at most.
 *
 * A worker that an attacker has can serve itself without asking.  It cannot take from
 * others more than one batch, nor make more of what it has: a lie about it ends it.
 */
#ifndef PRIVSEP_LEASE_H
#define PRIVSEP_LEASE_H

#include <event2/event.h>

#include <bsd/sys/queue.h>

#include <stdbool.h>
#include <stdint.h>

#include "chan.h"
#include "window.h"

#define LEASE_MS      10000
#define LEASE_BATCH   64 /* at most, and a 16th of what is left */
#define LEASE_WINDOWS 2

/* What a worker has on loan of one class; zeroed before lease_open(). */
struct lease {
	TAILQ_ENTRY(lease) entry;
	struct chan *chan; /* NULL: not open */
	struct {
		struct windows *windows;
		uint8_t key[WINDOW_KEY];
	} of[LEASE_WINDOWS]; /* in all of which it counts */
	unsigned int n;
	uint32_t class; /* enum wire_limit */
	uint32_t serial;
	uint32_t taken;
	int64_t until;
	bool listed;
	bool recalled;
	bool waiting;
	uint32_t id; /* of the question that waits */
	int64_t wait_until;
};

int64_t lease_now(void); /* ms, the same clock in all processes */
void lease_init(struct event_base *);
/* Told whenever somebody is refused: of which class, by which of its windows. */
typedef void (*lease_refused_fn)(
    uint32_t class, unsigned int which, const uint8_t key[WINDOW_KEY]);
void lease_on_refused(lease_refused_fn);
void lease_open(struct lease *, struct chan *, uint32_t class);
void lease_add(struct lease *, struct windows *, const uint8_t key[WINDOW_KEY]);
/* Whoever has it is gone: all of it was used. */
void lease_close(struct lease *);

/* Not asked for, at most so many. */
void lease_first(struct lease *, uint32_t batch, struct wire_lease *);
/* The worker's words; false when they break a rule. */
bool lease_ask(struct lease *, uint32_t id, const struct m_lease_ask *);
bool lease_back(struct lease *, const struct m_lease_ask *);

#endif
