/* The master process: see master.h. */
#include <sys/socket.h>

#include <bsd/stdlib.h>
#include <bsd/string.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../privsep/addr_text.h"
#include "../privsep/log.h"
#include "../privsep/sandbox.h"
#include "admission.h"
#include "heart.h"
#include "master.h"
#include "../privsep/clock.h"

/* EX_TEMPFAIL: the service manager is to start ided again (ided.service). */
#define EXIT_RESTART 75

/* How long connections may finish what they do once ided is told to stop. */
#define STOP_SECONDS 5

struct master master;

extern const struct sandbox sandbox_master;

static int exit_code;
static int stop_code; /* once it stops */

static void on_join_auth(struct chan *, struct msg *);
static void on_join_keys(struct chan *, struct msg *);
static void on_join_zygote(struct chan *, struct msg *);
static void on_conf(struct chan *, struct msg *);
static void on_listen(struct chan *, struct msg *);
static void on_listen_done(struct chan *, struct msg *);
static void on_log_file(struct chan *, struct msg *);
static void on_heart_file(struct chan *, struct msg *);
static void on_alive(struct chan *, struct msg *);
static void on_ready(struct chan *, struct msg *);
static void on_note(struct chan *, struct msg *);
static void on_keys_note(struct chan *, struct msg *);
static void on_stop(struct chan *, struct msg *);
static void on_status(struct chan *, struct msg *);
static void on_tally(struct chan *, struct msg *);
static void on_handover(struct chan *, struct msg *);
static void on_leave(struct chan *, struct msg *);

static const struct chan_handler from_isolation[] = {
	{ M_JOIN_AUTH, on_join_auth },
	{ M_JOIN_KEYS, on_join_keys },
	{ M_JOIN_ZYGOTE, on_join_zygote },
	{ M_CONF_MASTER, on_conf },
	{ M_LISTEN, on_listen },
	{ M_LISTEN_DONE, on_listen_done },
	{ M_LOG_FILE, on_log_file },
	{ M_HEART_FILE, on_heart_file },
	{ M_NONE, NULL },
};

static const struct chan_handler from_auth[] = {
	{ M_READY, on_ready },
	{ M_WORKER_NOTE, on_note },
	{ M_STOP, on_stop },
	{ M_STATUS_ASK, on_status },
	{ M_LIMITS_ASK, limits_ask },
	{ M_ALIVE, on_alive },
	{ M_TALLY, on_tally },
	{ M_HANDOVER, on_handover },
	{ M_LEAVE, on_leave },
	{ M_NONE, NULL },
};

static const struct chan_handler from_keys[] = { { M_READY, on_ready },
	{ M_WORKER_NOTE, on_keys_note }, { M_NONE, NULL } };

static struct conf_for_master new_conf;

int64_t
master_now_ms(void)
{
	return clock_ms(CLOCK_MONOTONIC);
}

void
master_quit(int code)
{
	exit_code = code;
	event_base_loopbreak(master.base);
}

static void
tell_service_manager(const char *text)
{
	if (master.notify != -1)
		(void)send(master.notify, text, strlen(text), MSG_NOSIGNAL);
}

/* Whoever waits for the start (ided without -d) learns how it went. */
static void
tell_parent(char result)
{
	if (master.parent == -1)
		return;
	(void)!write(master.parent, &result, 1);
	close(master.parent);
	master.parent = -1;
}

static void
configure(void)
{
	const struct admission_conf a = { master.conf.prefork.per_source,
		master.conf.prefork.startups_begin, master.conf.prefork.startups_rate,
		master.conf.prefork.startups_full };

	admission_configure(&a);
	limits_configure();
}

static void
isolation_gone(struct chan *c, const char *why)
{
	(void)c;
	if (master.stopping) {
		/* The last one to leave: nothing of ided is left but sandboxes. */
		master_quit(stop_code);
		return;
	}
	log_warnx("isolation is gone%s%s; leaving", why ? ": " : "", why ? why : "");
	master_quit(1);
}

static void
auth_gone(struct chan *c, const char *why)
{
	(void)c;
	(void)why;
	master.auth_joined = master.auth_ready = false;
	if (!master.stopping)
		log_warnx("auth is gone; logins wait until it is back");
}

static void
keys_gone(struct chan *c, const char *why)
{
	(void)c;
	(void)why;
	master.keys_joined = master.keys_ready = false;
	if (!master.stopping)
		log_warnx("keys is gone; handshakes wait until it is back");
}

static void
join(struct chan *c, bool *joined, struct msg *m, enum proc peer,
    const struct chan_handler *handlers, chan_gone_fn gone)
{
	if (*joined)
		chan_close(c);
	chan_init(c, msg_take_fd(m), P_MASTER, peer, master.base, handlers, gone, NULL);
	*joined = true;
}

static void
on_join_auth(struct chan *c, struct msg *m)
{
	(void)c;
	join(&master.auth, &master.auth_joined, m, P_AUTH, from_auth, auth_gone);
	master.auth_ready = false;
	pool_join_auth();
}

static void
on_join_keys(struct chan *c, struct msg *m)
{
	(void)c;
	join(&master.keys, &master.keys_joined, m, P_KEYS, from_keys, keys_gone);
	master.keys_ready = false;
	pool_join_keys();
}

static void
on_join_zygote(struct chan *c, struct msg *m)
{
	(void)c;
	zygote_join(msg_take_fd(m));
	pool_fill();
}

static void
serve(void)
{
	master.serving = true;
	listeners_start();
	log_event(LOG_NOTICE, "ided.ready", LOG_S("version", master.version),
	    LOG_N("listeners", master.conf.nlisten));
	tell_service_manager("READY=1\n");
	listeners_keep();
	tell_parent(0);
}

void
master_ready(void)
{
	if (!master.serving && master.auth_ready && master.keys_ready && zygote_ready())
		serve();
}

static void
on_ready(struct chan *c, struct msg *m)
{
	(void)m;
	if (c->peer == P_AUTH)
		master.auth_ready = true;
	else
		master.keys_ready = true;
	master_ready();
}

static void
on_conf(struct chan *c, struct msg *m)
{
	(void)c;
	conf_section_recv(msg_take_fd(m), &new_conf, sizeof(new_conf));
}

static void
on_listen(struct chan *c, struct msg *m)
{
	(void)c;
	listeners_new(MSG_DATA(m, m_listen)->index, msg_take_fd(m));
}

static void
on_listen_done(struct chan *c, struct msg *m)
{
	(void)c;
	(void)m;
	listeners_apply(&new_conf);
	master.conf = new_conf;
	log_init("master", log_get_fd(), master.conf.common.log_format,
	    master.conf.common.log_level, master.conf.common.log_to == LOG_TO_SYSLOG);
	configure();
	pool_fill();
	listeners_keep();
	tell_service_manager("READY=1\n");
}

static void
on_log_file(struct chan *c, struct msg *m)
{
	(void)c;
	log_set_fd(msg_take_fd(m));
}

static void
on_heart_file(struct chan *c, struct msg *m)
{
	(void)c;
	heart_file(msg_take_fd(m));
}

static void
on_alive(struct chan *c, struct msg *m)
{
	(void)c;
	(void)m;
	heart_beat();
}

static void
on_tally(struct chan *c, struct msg *m)
{
	(void)c;
	metrics_tally(m->head.id, MSG_DATA(m, m_tally));
}

static void
on_note(struct chan *c, struct msg *m)
{
	pool_note(c->peer, MSG_DATA(m, m_worker_note));
}

/* Who logs in or out is auth's business alone. */
static void
on_keys_note(struct chan *c, struct msg *m)
{
	if (MSG_DATA(m, m_worker_note)->kind == NOTE_VIOLATION)
		on_note(c, m);
	else
		log_warnx("BUG: keys says more of a worker than it may");
}

/* The last connection is gone: now the others may go. */
void
master_drained(void)
{
	static bool told;

	if (!master.stopping || pool_count() > 0 || told)
		return;
	told = true;
	if (!master.auth_joined ||
	    chan_send(&master.auth, M_STOPPING, 0, -1, NULL, 0) == -1)
		master_quit(stop_code);
}

static void
on_stop_time(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	if (pool_count() > 0)
		log_info(
		    "%u connections did not finish in %d s", pool_count(), STOP_SECONDS);
	master_quit(stop_code);
}

void
master_stop(void)
{
	const struct timeval t = { STOP_SECONDS, 0 };

	if (master.stopping)
		return;
	master.stopping = true;
	log_event(LOG_NOTICE, "ided.stop", LOG_N("connections", pool_count()));
	tell_service_manager("STOPPING=1\n");
	listeners_stop();
	if (event_base_once(master.base, -1, EV_TIMEOUT, on_stop_time, NULL, &t) == -1)
		master_quit(stop_code);
	pool_drain();
	master_drained();
}

static void
on_stop(struct chan *c, struct msg *m)
{
	(void)c;
	(void)m;
	master_stop();
}

static void
on_handover(struct chan *c, struct msg *m)
{
	struct m_handover h;

	memset(&h, 0, sizeof(h));
	h.managed = master.notify != -1;
	if (!h.managed)
		listeners_hand(c, m->head.id);
	chan_send(c, M_HANDOVER_DONE, m->head.id, -1, &h, sizeof(h));
}

/* A successor waits for our place, or the service manager is to start one. */
static void
on_leave(struct chan *c, struct msg *m)
{
	int32_t pid = MSG_DATA(m, m_leave)->pid;

	(void)c;
	log_event(LOG_NOTICE, "ided.upgrade", LOG_N("successor", pid));
	if (pid == 0)
		stop_code = EXIT_RESTART;
	master_stop();
}

static void
on_status(struct chan *c, struct msg *m)
{
	struct m_status s = master.count;

	s.workers = pool_count();
	s.spare = pool_spares();
	s.unauthenticated = pool_unauthenticated();
	s.penalised = admission_penalised(master_now_ms());
	s.pid = getpid();
	strlcpy(s.version, master.version, sizeof(s.version));
	chan_send(c, M_STATUS_MASTER, m->head.id, -1, &s, sizeof(s));
}

static void
on_signal(evutil_socket_t sig, short what, void *arg)
{
	(void)what;
	(void)arg;
	if (sig == SIGHUP) {
		if (master.auth_joined)
			chan_send(&master.auth, M_RELOAD, 0, -1, NULL, 0);
		return;
	}
	master_stop();
}

/* auth writes it down; while there is none, the log has it. */
static void
penalised(const uint8_t key[16], enum penalty p, uint32_t seconds)
{
	char source[INET6_ADDRSTRLEN];
	struct m_penalty m;

	memset(&m, 0, sizeof(m));
	memcpy(m.source.ip, key, sizeof(m.source.ip));
	m.seconds = seconds;
	strlcpy(m.why, penalty_name(p), sizeof(m.why));
	if (!master.auth_joined ||
	    chan_send(&master.auth, M_PENALTY, 0, -1, &m, sizeof(m)) == -1)
		log_event(LOG_NOTICE, "source.penalised",
		    LOG_S("source", addr_text(&m.source, source)),
		    LOG_N("seconds", m.seconds), LOG_S("why", m.why));
}

static void
signals(void)
{
	static const int sigs[] = { SIGHUP, SIGTERM, SIGINT };
	struct event *ev;
	size_t i;

	signal(SIGPIPE, SIG_IGN);
	for (i = 0; i < sizeof(sigs) / sizeof(sigs[0]); i++) {
		ev = evsignal_new(master.base, sigs[i], on_signal, NULL);
		if (ev == NULL || event_add(ev, NULL) == -1)
			fatalx("signals: out of memory");
	}
}

int
master_main(struct master_start *st)
{
	master.conf = st->conf;
	master.version = st->version;
	master.notify = st->notify;
	master.parent = st->parent;
	master.count.started = time(NULL);
	log_init("master", st->log, st->conf.common.log_format, st->conf.common.log_level,
	    st->conf.common.log_to == LOG_TO_SYSLOG);

	master.base = event_base_new();
	if (master.base == NULL)
		fatalx("event loop: out of memory");
	admission_init(arc4random_uniform);
	lease_init(master.base);
	admission_tell(penalised);
	configure();
	pool_init();
	heart_init();
	signals();
	listeners_init(st->listen);
	chan_init(&master.isolation, st->isolation, P_MASTER, P_ISOLATION, master.base,
	    from_isolation, isolation_gone, NULL);
	/* Its first call maps memory and reads the seed. */
	if (arc4random() == 0)
		log_debug("random numbers are ready");
	sandbox_enter(&sandbox_master);

	event_base_dispatch(master.base);
	lines_tell();
	if (!master.serving)
		tell_parent(1);
	return exit_code;
}
