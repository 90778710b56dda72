/*
 * Workers that belong to an attacker, before master as it runs: any message that
 * the table lets through and any bytes, while connections come, auth and keys say
 * what they know of a worker, zygotes come, retire and die.  The books balance
 * whatever happens, and a worker's line never alarms anybody about ided.
 */
#include <sys/socket.h>
#include <sys/wait.h>

#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../master/admission.h"
/* Its time comes when we say so. */
#include "../../master/pool_end.c"
#include "../../privsep/log.h"
#include "../../privsep/lease.h"
#include "fuzz.h"

#define WORKERS 16 /* that we speak for */
#define SPARE   3
#define MAX     8

struct master master;

/* The other ends. */
static struct worker_end {
	struct chan chan;
	uint64_t id;
	bool open;
} ends[WORKERS];
static struct zygote_end {
	struct chan chan;
	bool open;
} zygotes[2]; /* the current one, and one before */
static struct chan auth, keys;

/* --- the rest of master --- */

int64_t
master_now_ms(void)
{
	static int64_t now = 1000000;

	return (now += 7);
}

void
master_drained(void)
{
}

void
master_ready(void)
{
}

void
master_stop(void)
{
}

void
listeners_refused(enum admit why)
{
	(void)why;
}

static void
gone(struct chan *c, const char *why)
{
	(void)c;
	(void)why;
}

static uint32_t
below(uint32_t n)
{
	return (next() % n);
}

/* --- zygotes, who fork and end workers --- */

static void
worker_made(uint64_t id, int fd)
{
	for (int i = 0; i < WORKERS; i++) {
		if (ends[i].open)
			continue;
		ends[i].id = id;
		ends[i].open = true;
		chan_init(&ends[i].chan, fd, P_WORKER, P_MASTER, NULL, NULL, NULL, NULL);
		return;
	}
	close(fd); /* it died at once */
}

static void
zygote_exit(struct zygote_end *z, uint64_t id, int status, int32_t pid)
{
	struct m_worker_exit x;

	memset(&x, 0, sizeof(x));
	x.id = id;
	x.pid = pid;
	x.status = status;
	(void)chan_send(&z->chan, M_WORKER_EXIT, 0, -1, &x, sizeof(x));
}

static void
zygote_hears(struct zygote_end *z)
{
	static struct msg m;
	const char *why;
	int r;

	while (z->open && (r = chan_recv(&z->chan, &m, &why)) != -1) {
		check(r == 1);
		if (m.head.type == M_FORK)
			worker_made(MSG_DATA(&m, m_fork)->id, msg_take_fd(&m));
		else if (m.head.type == M_KILL && (next() & 1) == 0)
			zygote_exit(z, MSG_DATA(&m, m_kill)->id, SIGKILL, 1);
	}
}

static void
zygote_comes(void)
{
	int fds[2];

	if (zygotes[1].open)
		chan_close(&zygotes[1].chan);
	zygotes[1] = zygotes[0];
	check(chan_pair(fds) == 0);
	chan_init(&zygotes[0].chan, fds[0], P_ZYGOTE, P_MASTER, NULL, NULL, NULL, NULL);
	zygotes[0].open = true;
	zygote_join(fds[1]);
	pool_fill();
}

/* --- what happens --- */

static void
worker_says(struct worker_end *e, uint8_t how)
{
	static uint8_t buf[MSG_PAYLOAD_MAX];
	static const enum msg_type types[] = { M_STAGE, M_LOG, M_WANT_AUTH, M_SOURCE,
		M_HEART_ASK, M_TRAFFIC, M_METRICS_ASK };
	enum msg_type t = types[how % 7];
	size_t n, len = msg_table[t].max;

	if (!e->open)
		return;
	if (how & 0x80) { /* no message at all */
		n = next() % 64;
		for (size_t i = 0; i < n; i++)
			buf[i] = next();
		(void)!send(e->chan.fd, buf, n, MSG_DONTWAIT | MSG_NOSIGNAL);
		return;
	}
	memset(buf, how & 0x40 ? 'a' : 0, len);
	for (n = next(); n > 0 && len > 0; n--)
		buf[(next() | (size_t)next() << 8) % len] = next();
	(void)chan_send(&e->chan, t, 0, -1, buf, len);
}

static void
connection(uint8_t how)
{
	struct conf_listen l = { 0 };
	struct wire_addr a;
	struct source *src;
	int fds[2];

	memset(&a, 0, sizeof(a));
	a.ip[10] = a.ip[11] = 0xff;
	a.ip[15] = how & 7;
	if (admission_check(&a, master_now_ms(), pool_unauthenticated(), &src) !=
	    ADMIT_OK)
		return;
	check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
	close(fds[1]);
	l.kind = how & 8 ? LISTEN_PLAIN : LISTEN_TLS;
	l.proxy_protocol = (how & 16) != 0;
	pool_give(fds[0], &a, &l, src);
}

static void
note(uint8_t how)
{
	struct m_worker_note n;

	memset(&n, 0, sizeof(n));
	n.id = how & 0x80 ? next() : ends[how % WORKERS].id;
	n.kind = next() % 6;
	n.source.ip[15] = how & 7;
	pool_note(how & 0x40 ? P_KEYS : P_AUTH, &n);
}

static void
ends_worker(struct worker_end *e, uint8_t how)
{
	struct zygote_end *z = &zygotes[how & 1];
	static const int status[] = { 0, SIGSEGV, SIGKILL, SIGSYS, 1 << 8 };

	if (e->open && (how & 2))
		chan_close(&e->chan);
	if (how & 2)
		e->open = false;
	if (z->open)
		zygote_exit(z, how & 0x80 ? next() : e->id, status[(how >> 2) % 5],
		    how & 0x40 ? -1 : 1);
}

static void
time_passes(uint8_t how)
{
	if (how & 1)
		pool.pause_ms = 0;
	for (int i = 0; i < next(); i++)
		(void)master_now_ms();
	if (pool.leave_time != NULL && (how & 2))
		on_leave_time(-1, 0, NULL);
	if (how & 4)
		pool_drain();
	if (how & 8)
		pool_evict();
	pool_fill();
}

/* --- the books --- */

static void
balance(void)
{
	uint32_t spare = 0, unauth = 0, alive = 0;
	const struct mworker *w;

	for (uint32_t i = 0; i < pool.nslots; i++) {
		w = pool.slot[i];
		if (!w->used)
			continue;
		check((w->id & 0xffff) == i && w->zygote != NULL);
		alive += w->state != WORKER_KILLED;
		check(w->state != WORKER_SPARE || (w->source == NULL && w->next != NULL));
	}
	for (w = pool.spare.next; w != &pool.spare; w = w->next, spare++)
		check(w->used && w->state == WORKER_SPARE && w->next->prev == w);
	for (w = pool.unauth.next; w != &pool.unauth; w = w->next, unauth++)
		check(w->used && w->state == WORKER_BUSY && !w->bound);
	for (w = pool.leaving.next; w != &pool.leaving; w = w->next)
		check(w->used && w->state == WORKER_LEAVING);
	check(spare == pool.spares && unauth == pool.unauthenticated &&
	    alive == pool.workers);
	check(pool.workers <= MAX);
}

static void
hear(void)
{
	static struct msg m;
	const char *why;

	event_base_loop(master.base, EVLOOP_NONBLOCK);
	for (int i = 0; i < 2; i++)
		zygote_hears(&zygotes[i]);
	for (int i = 0; i < WORKERS; i++)
		while (ends[i].open) {
			int r = chan_recv(&ends[i].chan, &m, &why);

			if (r == -1)
				break;
			check(r != -2);
			if (m.fd != -1)
				close(m.fd);
			if (r == 0) {
				chan_close(&ends[i].chan);
				ends[i].open = false;
			}
		}
	while (chan_recv(&auth, &m, &why) == 1 || chan_recv(&keys, &m, &why) == 1)
		if (m.fd != -1)
			close(m.fd);
	balance();
}

static void
join(struct chan *ours, struct chan *theirs, enum proc peer)
{
	static const struct chan_handler none[] = { { M_NONE, NULL } };
	int fds[2];

	check(chan_pair(fds) == 0);
	chan_init(ours, fds[0], P_MASTER, peer, master.base, none, gone, NULL);
	chan_init(theirs, fds[1], peer, P_MASTER, NULL, NULL, NULL, NULL);
}

static void
start(void)
{
	static const struct admission_conf a = { 20, 6, 30, 12 };

	log_init("fuzz", STDERR_FILENO, 0, LOG_EMERG, false);
	check((master.base = event_base_new()) != NULL);
	master.conf.prefork.spare = SPARE;
	master.conf.prefork.max = MAX;
	master.conf.prefork.handshake_timeout = 10;
	master.auth_joined = master.keys_joined = true;
	join(&master.auth, &auth, P_AUTH);
	join(&master.keys, &keys, P_KEYS);
	admission_init(below);
	lease_init(master.base);
	admission_configure(&a);
	master.conf.ratelimit.web = (struct conf_rate){ 1000, 900 };
	master.conf.ratelimit.api = (struct conf_rate){ 100, 900 };
	limits_configure();
	pool_init();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct worker_end *e;
	uint8_t op;

	in = data;
	left = size > 1024 ? 1024 : size;
	if (master.base == NULL)
		start();
	zygote_comes();
	while (left > 0) {
		op = next();
		e = &ends[(op >> 3) % WORKERS];
		switch (op & 7) {
		case 0:
		case 1:
			worker_says(e, next());
			break;
		case 2:
			connection(next());
			break;
		case 3:
			note(next());
			break;
		case 4:
			ends_worker(e, next());
			break;
		case 5:
			time_passes(next());
			break;
		case 6:
			zygote_comes();
			break;
		case 7:
			if (zygotes[1].open)
				chan_close(&zygotes[1].chan);
			zygotes[1].open = false;
			if (op & 0x80)
				pool_join_keys();
			else
				pool_join_auth();
			break;
		}
		hear();
	}
	/* With both zygotes all their workers are gone. */
	for (int i = 0; i < 2; i++) {
		if (zygotes[i].open)
			chan_close(&zygotes[i].chan);
		zygotes[i].open = false;
	}
	pool.pause_ms = INT64_MAX;
	hear();
	check(pool_count() == 0 && pool_spares() == 0 && pool_unauthenticated() == 0);
	pool.pause_ms = 0;
	return (0);
}
