/* The worker's life: from the fork to the end of its one connection. */
#include <sys/stat.h>

#include <bsd/string.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../privsep/log.h"
#include "../privsep/sandbox.h"
#include "heart.h"
#include "proxied.h"
#include "limit.h"
#include "location.h"
#include "metrics.h"
#include "session.h"
#include "tls.h"
#include "traffic.h"
#include "worker.h"
#include "zygote.h"

struct worker worker;

static bool have_conn, have_source, have_keys, started;
static int client = -1;
static struct m_stage counters;

static void on_conn(struct chan *, struct msg *);
static void on_conn_keys(struct chan *, struct msg *);
static void on_conn_auth(struct chan *, struct msg *);
static void on_drain(struct chan *, struct msg *);

static const struct chan_handler from_master[] = {
	{ M_CONN, on_conn },
	{ M_CONN_KEYS, on_conn_keys },
	{ M_CONN_AUTH, on_conn_auth },
	{ M_DRAIN, on_drain },
	{ M_HEART, heart_answer },
	{ M_METRICS, metrics_answer },
	{ M_LEASE, limit_on_lease },
	{ M_LEASE_RECALL, limit_on_recall },
	{ M_NONE, NULL },
};

/*
 * The loop all workers start with.  By poll(2): it has no descriptor that
 * parent and children would share, and one connection has few to wait for.
 */
static struct event_base *
loop_new(void)
{
	struct event_config *cfg;
	struct event_base *base;
	struct stat st;
	int fds[2], i;

	/* libevent makes a pipe for signals, which no worker takes.  Shared by all of
	 * them, it would let one speak to the next: it is closed.  It is where a
	 * pipe of our own was a moment ago. */
	if (pipe2(fds, O_CLOEXEC) == -1)
		fatal("pipe");
	close(fds[0]);
	close(fds[1]);
	cfg = event_config_new();
	if (cfg == NULL || event_config_avoid_method(cfg, "epoll") == -1)
		fatalx("event loop: out of memory");
	/* One thread: no locks, and no time read before every event. */
	event_config_set_flag(cfg, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_IGNORE_ENV);
	base = event_base_new_with_config(cfg);
	event_config_free(cfg);
	if (base == NULL)
		fatalx("event loop: out of memory");
	for (i = 0; i < 2; i++)
		if (fstat(fds[i], &st) == -1 || !S_ISFIFO(st.st_mode) ||
		    close(fds[i]) == -1)
			fatalx("event loop: where is its pipe?");
	return base;
}

void
worker_prepare(const struct conf_for_worker *conf)
{
	int fd;

	worker.conf = conf;
	fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1)
		fatal("static root");
	/* A fixed number, so that the filter can name it. */
	if (fd != FD_STATIC) {
		if (dup3(fd, FD_STATIC, O_CLOEXEC) == -1)
			fatal("static root");
		close(fd);
	}
	worker.rootfd = FD_STATIC;
	worker.base = loop_new();
	tls_prepare(conf);
	location_prepare(conf);
	http_prepare(conf);
}

static void
send_line(int level, const char *event, const char *text)
{
	struct m_log m;

	memset(&m, 0, sizeof(m));
	m.level = (uint32_t)level;
	strlcpy(m.event, event, sizeof(m.event));
	strlcpy(m.text, text, sizeof(m.text));
	(void)chan_send(&worker.master, M_LOG, 0, -1, &m, sizeof(m));
}

static void
master_gone(struct chan *c, const char *why)
{
	(void)c;
	(void)why;
	_exit(0);
}

static void
keys_gone(struct chan *c, const char *why)
{
	(void)c;
	(void)why;
	/* A handshake that needs it fails; after it, it is not needed. */
}

static void
start(void)
{
	if (started || !have_conn || !have_source ||
	    (worker.kind == LISTEN_TLS && !have_keys))
		return;
	started = true;
	conn_start(&worker, client);
}

/* Master keeps from keys and auth who it is that they deal with, until it knows. */
static void
on_proxied(const struct wire_addr *source)
{
	struct m_source m;

	memset(&m, 0, sizeof(m));
	m.source = worker.source = *source;
	if (chan_send(&worker.master, M_SOURCE, 0, -1, &m, sizeof(m)) == -1)
		_exit(1);
	have_source = true;
	start();
}

static void
on_conn(struct chan *c, struct msg *m)
{
	const struct m_conn *k = MSG_DATA(m, m_conn);

	if (have_conn) {
		log_warnx("a second connection");
		_exit(1);
	}
	(void)c;
	worker.source = k->source;
	worker.kind = k->kind;
	worker.nonce = k->nonce;
	limit_first(&k->lease);
	client = msg_take_fd(m);
	have_conn = true;
	have_source = k->proxied == 0;
	if (have_source)
		start();
	else
		proxied_start(&worker, client, on_proxied);
}

static void
on_conn_keys(struct chan *c, struct msg *m)
{
	static const struct chan_handler none[] = { { M_NONE, NULL } };

	(void)c;
	if (started)
		return; /* the handshake has its channel, or needs none any more */
	if (have_keys)
		chan_close(&worker.keys);
	/* Not in the loop: only asked with chan_call(). */
	chan_init(
	    &worker.keys, msg_take_fd(m), P_WORKER, P_KEYS, NULL, none, keys_gone, NULL);
	have_keys = true;
	start();
}

static void
on_conn_auth(struct chan *c, struct msg *m)
{
	(void)c;
	session_join(&worker, msg_take_fd(m));
}

static void
on_drain(struct chan *c, struct msg *m)
{
	(void)c;
	(void)m;
	worker.draining = worker.stopping = true;
	if (!started)
		worker_exit(NULL);
	conn_drain(&worker);
}

void
worker_rid(char rid[WIRE_RID])
{
	uint64_t n = (uint64_t)worker.nonce << 32 | ++worker.request_count;
	int i;

	for (i = 0; i < WIRE_RID - 1; i++, n <<= 4)
		rid[i] = "0123456789abcdef"[n >> 60];
	rid[i] = '\0';
}

static void
flush_counters(void)
{
	if (counters.stage == 0 && counters.requests == 0)
		return;
	(void)chan_send(&worker.master, M_STAGE, 0, -1, &counters, sizeof(counters));
	memset(&counters, 0, sizeof(counters));
}

void
worker_stage(enum wire_stage stage)
{
	counters.stage = stage;
	flush_counters();
}

void
worker_count(uint32_t requests, uint64_t in, uint64_t out)
{
	counters.requests += requests;
	counters.bytes_in += in;
	counters.bytes_out += out;
	/* In batches: a message per request would cost more than the request. */
	if (counters.requests >= 64)
		flush_counters();
}

void
worker_exit(const char *why)
{
	if (why != NULL)
		log_debug("connection closed: %s", why);
	flush_counters();
	traffic_flush();
	limit_leave();
	explicit_bzero(worker.token, sizeof(worker.token));
	_exit(0);
}

void
worker_main(uint64_t id, int masterfd)
{
	worker.id = id;
	log_set_sink(send_line);
	chan_init(&worker.master, masterfd, P_WORKER, P_MASTER, worker.base, from_master,
	    master_gone, NULL);
	while (event_base_loop(worker.base, EVLOOP_ONCE) == 0)
		worker.turn++;
	_exit(0);
}
