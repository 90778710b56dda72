/* The pool of workers: spares are forked ahead of need; each serves one
 * connection.  How they end is in pool_end.c. */
#include <bsd/stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../privsep/log.h"
#include "admission.h"
#include "heart.h"
#include "master.h"
#include "pool.h"

/* So many may be there beside prefork max, for the moment that an end takes. */
#define DYING_MAX 32

struct pool pool;

static void on_want_auth(struct chan *, struct msg *);
static void on_heart_ask(struct chan *, struct msg *);
static void on_source(struct chan *, struct msg *);
static void on_stage(struct chan *, struct msg *);
static void on_traffic(struct chan *, struct msg *);
static void on_metrics_ask(struct chan *, struct msg *);
static void on_log(struct chan *, struct msg *);
static void on_lease(struct chan *, struct msg *);

static const struct chan_handler handlers[] = {
	{ M_WANT_AUTH, on_want_auth },
	{ M_HEART_ASK, on_heart_ask },
	{ M_SOURCE, on_source },
	{ M_STAGE, on_stage },
	{ M_TRAFFIC, on_traffic },
	{ M_METRICS_ASK, on_metrics_ask },
	{ M_LOG, on_log },
	{ M_LEASE_ASK, on_lease },
	{ M_LEASE_BACK, on_lease },
	{ M_NONE, NULL },
};

/* A zygote is renewed after so many connections: so is its memory layout. */
#define RENEW_AFTER 20000

void
pool_init(void)
{
	memset(&pool, 0, sizeof(pool));
	pool.unauth.prev = pool.unauth.next = &pool.unauth;
	pool.spare.prev = pool.spare.next = &pool.spare;
	pool.leaving.prev = pool.leaving.next = &pool.leaving;
}

/* A worker is in one ring at most: spare, then unauthenticated, then none,
 * at last leaving. */
void
ring_add(struct mworker *ring, struct mworker *w)
{
	w->prev = ring->prev;
	w->next = ring;
	w->prev->next = w;
	ring->prev = w;
}

static void
ring_remove(struct mworker *w)
{
	if (w->next == NULL)
		return;
	w->prev->next = w->next;
	w->next->prev = w->prev;
	w->prev = w->next = NULL;
}

struct mworker *
worker_find(uint64_t id)
{
	struct mworker *w;

	if ((id & 0xffff) >= pool.nslots)
		return NULL;
	w = pool.slot[id & 0xffff];
	return w != NULL && w->used && w->id == id ? w : NULL;
}

/* It is no spare any more, somebody has logged in on it, or it is gone. */
void
leave_ring(struct mworker *w)
{
	if (w->next == NULL)
		return;
	ring_remove(w);
	if (w->state == WORKER_SPARE)
		pool.spares--;
	else if (w->state == WORKER_BUSY)
		pool.unauthenticated--;
}

static struct mworker *
slot_take(void)
{
	struct mworker *w;
	uint16_t i;

	if (pool.nfree > 0) {
		i = pool.free[--pool.nfree];
	} else if (pool.nslots < POOL_SLOTS) {
		i = (uint16_t)pool.nslots++;
		pool.slot[i] = calloc(1, sizeof(*w));
		if (pool.slot[i] == NULL)
			fatal("workers");
	} else {
		return NULL;
	}
	w = pool.slot[i];
	memset(w, 0, sizeof(*w));
	w->id = (++pool.count << 16) | i;
	w->used = true;
	return w;
}

static struct mworker *
worker_fork(void)
{
	struct zygote *z = zygote_current();
	struct mworker *w;
	int fds[2];

	if (z == NULL || pool.workers >= master.conf.prefork.max ||
	    pool.workers + pool.dying >= master.conf.prefork.max + DYING_MAX)
		return NULL;
	if (chan_pair(fds) == -1) {
		log_warn("channel for a worker");
		return NULL;
	}
	w = slot_take();
	if (w == NULL) {
		close(fds[0]);
		close(fds[1]);
		return NULL;
	}
	w->state = WORKER_SPARE;
	w->kind = KIND_NONE;
	w->zygote = z;
	chan_init(
	    &w->chan, fds[0], P_MASTER, P_WORKER, master.base, handlers, worker_gone, w);
	pool.workers++;
	ring_add(&pool.spare, w);
	pool.spares++;
	if (zygote_fork(z, w->id, fds[1]) == -1) {
		worker_free(w);
		return NULL;
	}
	return w;
}

void
pool_fill(void)
{
	if (master.stopping || master_now_ms() < pool.pause_ms)
		return;
	while (pool.spares < master.conf.prefork.spare && worker_fork() != NULL)
		;
}

/* There is a new zygote: the old one's spares go, its other workers finish. */
void
pool_retire(struct zygote *z)
{
	struct mworker *w;
	uint32_t i;

	pool.given = 0;
	for (i = 0; i < pool.nslots; i++) {
		w = pool.slot[i];
		if (w->used && w->zygote == z && w->state == WORKER_SPARE)
			worker_kill(w);
	}
}

void
pool_zygote_gone(struct zygote *z)
{
	struct mworker *w;
	uint32_t i;

	for (i = 0; i < pool.nslots; i++) {
		w = pool.slot[i];
		if (w->used && w->zygote == z)
			worker_free(w);
	}
}

static struct mworker *
spare_take(void)
{
	struct mworker *w = pool.spare.next;

	if (w == &pool.spare)
		w = worker_fork();
	if (w != NULL)
		leave_ring(w);
	return w;
}

/*
 * Faster than they can be made, and given their keys, workers are not promised; nor
 * while too many are being ended to make room.
 */
bool
pool_behind(void)
{
	return zygote_behind() || master.keys.out_count > 0 ||
	    (pool.spares == 0 && pool.dying >= DYING_MAX &&
		pool.workers + pool.dying >= master.conf.prefork.max + DYING_MAX);
}

/* All places are taken: the oldest connection that nobody logged in on goes. */
void
pool_evict(void)
{
	static int64_t last;
	static uint32_t since;
	struct mworker *w = pool.unauth.next;
	int64_t now = master_now_ms();

	if (w == &pool.unauth)
		return;
	since++;
	if (now - last >= 1000) {
		log_event(LOG_NOTICE, "worker.evicted", LOG_N("count", since),
		    LOG_S("why", "no place was left; nobody had logged in on these"));
		last = now;
		since = 0;
	}
	worker_kill(w);
}

static void
join_auth(struct mworker *w)
{
	struct m_worker m;
	int fds[2];

	if (!master.auth_joined || chan_pair(fds) == -1)
		return;
	memset(&m, 0, sizeof(m));
	m.id = w->id;
	m.bound = w->bound || w->guest;
	m.source = w->source_addr;
	chan_send(&master.auth, M_WORKER_AUTH, 0, fds[0], &m, sizeof(m));
	chan_send(&w->chan, M_CONN_AUTH, 0, fds[1], NULL, 0);
}

static void
join_keys(struct mworker *w)
{
	struct m_worker m;
	int fds[2];

	if (!master.keys_joined || w->kind != LISTEN_TLS || (w->proxied && !w->sourced) ||
	    chan_pair(fds) == -1)
		return;
	memset(&m, 0, sizeof(m));
	m.id = w->id;
	m.source = w->source_addr;
	chan_send(&master.keys, M_WORKER_KEYS, 0, fds[0], &m, sizeof(m));
	chan_send(&w->chan, M_CONN_KEYS, 0, fds[1], NULL, 0);
}

void
pool_join_auth(void)
{
	uint32_t i;

	for (i = 0; i < pool.nslots; i++)
		if (pool.slot[i]->used && pool.slot[i]->state == WORKER_BUSY &&
		    pool.slot[i]->wants_auth)
			join_auth(pool.slot[i]);
}

/* Who waits with the handshake gets the new channel; after it, none is wanted. */
void
pool_join_keys(void)
{
	struct mworker *w;
	uint32_t i;

	for (i = 0; i < pool.nslots; i++) {
		w = pool.slot[i];
		if (w->used && w->state == WORKER_BUSY &&
		    w->since_ms + 1000LL * master.conf.prefork.handshake_timeout >
			master_now_ms())
			join_keys(w);
	}
}

void
pool_give(
    int fd, const struct wire_addr *addr, const struct conf_listen *l, struct source *src)
{
	struct m_conn m;
	struct mworker *w;

	w = spare_take();
	if (w == NULL && pool.workers >= master.conf.prefork.max) {
		pool_evict();
		w = spare_take();
	}
	if (w == NULL) {
		master.count.refused++;
		admission_release(src, false);
		close(fd);
		return;
	}
	w->state = WORKER_BUSY;
	w->source = src;
	w->source_addr = *addr;
	w->kind = l->kind;
	w->proxied = l->proxy_protocol;
	w->since_ms = master_now_ms();
	ring_add(&pool.unauth, w);
	pool.unauthenticated++;
	memset(&m, 0, sizeof(m));
	m.id = w->id;
	m.source = *addr;
	m.kind = w->kind;
	m.proxied = w->proxied;
	m.nonce = arc4random();
	limits_open(w, &m.lease);
	/* The channel first: the handshake must not come before its way to keys. */
	join_keys(w);
	chan_send(&w->chan, M_CONN, 0, fd, &m, sizeof(m));
	master.count.accepted++;
	if (++pool.given == RENEW_AFTER && master.auth_joined)
		chan_send(&master.auth, M_RENEW, 0, -1, NULL, 0);
	pool_fill();
}

/* Auth's and keys' word about a worker, or where it was from. */
void
pool_note(enum proc from, const struct m_worker_note *note)
{
	struct mworker *w = worker_find(note->id);
	int64_t now = master_now_ms();

	switch (note->kind) {
	case NOTE_BOUND:
		if (w == NULL || w->state != WORKER_BUSY || w->bound)
			break;
		w->bound = true;
		admission_bound(w->source);
		leave_ring(w);
		break;
	case NOTE_GUEST:
		/* Nobody is known, as far as admission goes. */
		if (w != NULL && w->state == WORKER_BUSY)
			w->guest = true;
		break;
	case NOTE_LOGIN_FAILED:
		admission_penalise_addr(&note->source, PENALTY_LOGIN, now);
		break;
	case NOTE_OVER:
		if (w != NULL)
			worker_leave(w);
		break;
	case NOTE_VIOLATION:
		admission_penalise_addr(&note->source, PENALTY_CRASH, now);
		if (w != NULL)
			worker_bad(w, from);
		break;
	}
}

static void
on_heart_ask(struct chan *c, struct msg *m)
{
	struct m_heart h;

	h.last = heart_last(&h.ago);
	chan_send(c, M_HEART, m->head.id, -1, &h, sizeof(h));
}

/*
 * Whom the proxy speaks for: only now is it known who comes.  One who is not let
 * in has cost a worker, but never the proxy's other clients.
 */
static void
on_source(struct chan *c, struct msg *m)
{
	struct wire_addr addr = MSG_DATA(m, m_source)->source;
	struct mworker *w = c->arg;
	struct source *src;
	enum admit a;

	if (w->state != WORKER_BUSY)
		return;
	if (!w->proxied || w->sourced) {
		worker_bad(w, P_MASTER);
		return;
	}
	w->sourced = true;
	addr.unix_peer = addr.unix_peer != 0;
	memset(addr.pad, 0, sizeof(addr.pad));
	a = admission_check(&addr, master_now_ms(), pool.unauthenticated, &src);
	if (a != ADMIT_OK && a != ADMIT_EVICT) {
		listeners_refused(a);
		worker_kill(w);
		pool_fill();
		return;
	}
	w->source = src;
	w->source_addr = addr;
	limits_open(w, NULL);
	if (a == ADMIT_EVICT)
		pool_evict();
	if (w->state == WORKER_BUSY)
		join_keys(w);
}

/* Most connections ask for files that everybody gets: only who needs auth has a
 * channel to it, from its first word on and after each start of auth. */
static void
on_want_auth(struct chan *c, struct msg *m)
{
	struct mworker *w = c->arg;

	(void)m;
	/* A channel each, however often it asks. */
	if (w->state != WORKER_BUSY || w->wants_auth)
		return;
	w->wants_auth = true;
	join_auth(w);
}

/* A worker's own word concerns its own source only, so it may be believed. */
static void
on_stage(struct chan *c, struct msg *m)
{
	const struct m_stage *s = MSG_DATA(m, m_stage);
	struct mworker *w = c->arg;

	master.count.requests += s->requests;
	metrics_bytes(s->bytes_in, s->bytes_out);
	if (s->stage == STAGE_TIMEOUT)
		admission_penalise(w->source, PENALTY_GRACE, master_now_ms());
	else if (s->stage == STAGE_BAD_REQUEST)
		admission_penalise(w->source, PENALTY_BAD_REQUEST, master_now_ms());
}

static void
on_traffic(struct chan *c, struct msg *m)
{
	struct mworker *w = c->arg;

	if (w->kind == KIND_NONE || !metrics_add(MSG_DATA(m, m_traffic)))
		worker_bad(w, P_MASTER);
}

static void
on_metrics_ask(struct chan *c, struct msg *m)
{
	struct mworker *w = c->arg;

	if (w->state == WORKER_BUSY && !metrics_ask(w, m->head.id))
		worker_bad(w, P_MASTER);
}

static void
on_lease(struct chan *c, struct msg *m)
{
	struct mworker *w = c->arg;

	/* One that serves nobody has nothing; one that leaves gives it back. */
	if ((w->state == WORKER_BUSY || w->state == WORKER_LEAVING) &&
	    (w->source_addr.unix_peer != 0 || limits_word(w, m)))
		return;
	admission_penalise(w->source, PENALTY_CRASH, master_now_ms());
	worker_bad(w, P_MASTER);
}

static void
on_log(struct chan *c, struct msg *m)
{
	const struct m_log *l = MSG_DATA(m, m_log);

	if (wire_str(l->event) && wire_str(l->text) && l->level <= LOG_DEBUG)
		lines_said(c->arg, l);
}

void
pool_drain(void)
{
	struct mworker *w;
	uint32_t i;

	for (i = 0; i < pool.nslots; i++) {
		w = pool.slot[i];
		if (!w->used)
			continue;
		if (w->state == WORKER_SPARE)
			worker_kill(w);
		else
			chan_send(&w->chan, M_DRAIN, 0, -1, NULL, 0);
	}
}

unsigned int
pool_count(void)
{
	return pool.workers;
}

unsigned int
pool_spares(void)
{
	return pool.spares;
}

unsigned int
pool_unauthenticated(void)
{
	return pool.unauthenticated;
}
