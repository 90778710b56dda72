/*
 * auth: where it starts, and what isolation and master say to it.
 *
 * Descriptors: FD_PARENT channel to isolation, FD_CONF struct conf_for_auth,
 * FD_ROOT the store's folder, FD_LOG, FD_EXTRA the control socket (listening),
 * FD_MASTER channel to master.
 */
#include <sys/param.h>
#include <sys/stat.h>

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <bsd/string.h>
#include <bsd/unistd.h>

#include "../memory_text.h"
#include "audit_syslog.h"
#include "auth.h"
#include "auth_share.h"

#define TICK_SECONDS  1
#define STORE_SECONDS 60
#define IDLE_SECONDS  30
#define ONCE_SECONDS  86400 /* that an Idempotency-Key holds */
/* A large store is looked at so many microseconds, every so many; then once a day. */
#define CHECK_US      400
#define CHECK_EVERY   20000
#define CHECK_SECONDS 86400
/* One that was told to leave, or whose isolation was killed, writes to the last. */
#define PREDECESSOR_MS 10000

struct auth auth;

static void on_join_hash(struct chan *, struct msg *);
static void on_join_peer(struct chan *, struct msg *);
static void on_conf(struct chan *, struct msg *);
static void on_audit_file(struct chan *, struct msg *);
static void on_audit_syslog(struct chan *, struct msg *);
static void on_log_file(struct chan *, struct msg *);
static void on_sb_gone(struct chan *, struct msg *);
static void on_sb_memory(struct chan *, struct msg *);
static void on_sb_storage(struct chan *, struct msg *);
static void on_worker(struct chan *, struct msg *);
static void on_renew(struct chan *, struct msg *);
static void on_reload(struct chan *, struct msg *);
static void on_stopping(struct chan *, struct msg *);
static void on_penalty(struct chan *, struct msg *);
static void on_limited(struct chan *, struct msg *);

static const struct chan_handler from_isolation[] = {
	{ M_JOIN_HASH, on_join_hash },
	{ M_JOIN_PEER, on_join_peer },
	{ M_JOIN_FETCH, update_on_join },
	{ M_CONF_AUTH, on_conf },
	{ M_LOG_FILE, on_log_file },
	{ M_AUDIT_FILE, on_audit_file },
	{ M_AUDIT_SYSLOG, on_audit_syslog },
	{ M_SB_FD, ask_answer },
	{ M_SB_FILE_FD, ask_answer },
	{ M_SB_FAIL, ask_answer },
	{ M_SB_ROW, ask_answer },
	{ M_SB_TEXT, ask_answer },
	{ M_SB_CHANGE, ask_answer },
	{ M_SB_PROCESSES, ask_answer },
	{ M_SB_MEMORY, on_sb_memory },
	{ M_SB_STORAGE, on_sb_storage },
	{ M_SB_OK, ask_answer },
	{ M_SB_EXIT, ask_answer },
	{ M_SB_GONE, on_sb_gone },
	{ M_NONE, NULL },
};

static const struct chan_handler from_master[] = {
	{ M_WORKER_AUTH, on_worker },
	{ M_RENEW, on_renew },
	{ M_RELOAD, on_reload },
	{ M_STOPPING, on_stopping },
	{ M_PENALTY, on_penalty },
	{ M_LIMITED, on_limited },
	{ M_LIMITS, ask_answer },
	{ M_STATUS_MASTER, ask_answer },
	{ M_TALLY_ASK, on_tally_ask },
	{ M_HANDOVER_LISTEN, ask_answer },
	{ M_HANDOVER_DONE, ask_answer },
	{ M_NONE, NULL },
};

static void
on_join_hash(struct chan *c, struct msg *m)
{
	(void)c;
	hash_join(msg_take_fd(m));
}

static void
on_join_peer(struct chan *c, struct msg *m)
{
	(void)c;
	keys_join(msg_take_fd(m));
}

static void
log_config(const struct conf_common *c, int fd)
{
	log_init("auth", fd, c->log_format, c->log_level, c->log_to == LOG_TO_SYSLOG);
}

/* A new configuration was taken. */
static void
on_conf(struct chan *c, struct msg *m)
{
	struct conf_for_auth *conf = &auth.conf;

	(void)c;
	conf_section_recv(msg_take_fd(m), conf, sizeof(*conf));
	explicit_bzero(conf->admin_name, sizeof(conf->admin_name));
	explicit_bzero(conf->admin_password, sizeof(conf->admin_password));
	log_config(&conf->common, log_get_fd());
	store_set_range(auth.store, conf->uid_first, conf->uid_count);
	login_config();
	limit_config();
	worker_roles();
	share_review(0);
	audit_config();
	update_config();
	log_debug("new configuration");
}

static void
on_audit_file(struct chan *c, struct msg *m)
{
	(void)c;
	audit_take_file(msg_take_fd(m));
}

static void
on_audit_syslog(struct chan *c, struct msg *m)
{
	(void)c;
	audit_syslog_take(msg_take_fd(m));
}

static void
on_log_file(struct chan *c, struct msg *m)
{
	(void)c;
	log_set_fd(msg_take_fd(m));
}

static void
on_sb_gone(struct chan *c, struct msg *m)
{
	const struct m_sb *sb = MSG_DATA(m, m_sb);
	const char *user = wire_str(sb->user) ? sb->user : "";

	(void)c;
	(void)audit_event(AUDIT_SANDBOX_GONE, LOG_N("uid", sb->uid), LOG_S("user", user));
	present_gone(sb->uid, user);
	share_sandbox_gone(sb->uid);
}

/* Part of an answer, or news. */
static void
on_sb_memory(struct chan *c, struct msg *m)
{
	const struct m_memory *n = MSG_DATA(m, m_memory);
	char text[MEMORY_TEXT];

	if (m->head.id != 0) {
		ask_answer(c, m);
		return;
	}
	if (!wire_str(n->user) || !wire_str(n->process.name))
		return;
	switch (n->event) {
	case MEMORY_WARN:
		auth.notes.memory_warned++;
		break;
	case MEMORY_CRITICAL:
		auth.notes.memory_critical++;
		break;
	case MEMORY_LEAK:
		auth.notes.memory_leaks++;
		break;
	case MEMORY_ENDED:
		auth.notes.memory_ended++;
		break;
	default:
		return;
	}
	memory_text(text, sizeof(text), n);
	(void)audit_event(AUDIT_SANDBOX_MEMORY, LOG_S("user", n->user),
	    LOG_N("uid", n->uid), LOG_S("event", memory_event_name(n->event)),
	    LOG_N("used", (int64_t)n->used), LOG_N("max", (int64_t)n->max),
	    LOG_S("process", n->process.name), LOG_S("text", text));
}

static void
on_sb_storage(struct chan *c, struct msg *m)
{
	const struct m_storage *n = MSG_DATA(m, m_storage);
	bool over = n->event == STORAGE_OVER;

	(void)c;
	if (!wire_str(n->user))
		return;
	(*(over ? &auth.notes.storage_over : &auth.notes.storage_full))++;
	(void)audit_event(AUDIT_SANDBOX_STORAGE, LOG_S("user", n->user),
	    LOG_N("uid", n->uid), LOG_S("event", over ? "over" : "full"),
	    LOG_S("by", storage_name(n->by)), LOG_N("used", (int64_t)n->used),
	    LOG_N("max", (int64_t)n->max), LOG_N("files", (int64_t)n->files),
	    LOG_N("files_max", (int64_t)n->files_max));
}

static void
on_worker(struct chan *c, struct msg *m)
{
	(void)c;
	worker_new(MSG_DATA(m, m_worker), msg_take_fd(m));
}

static void
on_renew(struct chan *c, struct msg *m)
{
	(void)c;
	(void)m;
	chan_send(&auth.isolation, M_SB_RENEW, 0, -1, NULL, 0);
}

static void
on_reload(struct chan *c, struct msg *m)
{
	(void)c;
	(void)m;
	(void)audit_event(AUDIT_RELOAD, LOG_S("actor", "signal"));
	reload_start(NULL);
}

static void
on_penalty(struct chan *c, struct msg *m)
{
	const struct m_penalty *p = MSG_DATA(m, m_penalty);
	char from[INET6_ADDRSTRLEN];

	(void)c;
	(void)audit_event(AUDIT_SOURCE_PENALISED,
	    LOG_S("source", addr_text(&p->source, from)), LOG_N("seconds", p->seconds),
	    LOG_S("why", wire_str(p->why) ? p->why : ""));
}

static void
on_limited(struct chan *c, struct msg *m)
{
	(void)c;
	refused_address(MSG_DATA(m, m_limited));
}

static void
on_stopping(struct chan *c, struct msg *m)
{
	(void)c;
	(void)m;
	chan_send(&auth.isolation, M_SB_LEAVE, 0, -1, NULL, 0);
}

/* Without isolation or master there is nothing to be auth for. */
static void
on_gone(struct chan *c, const char *why)
{
	if (why != NULL)
		log_warnx("channel to %s: %s", proc_name(c->peer), why);
	event_base_loopbreak(auth.base);
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	static int64_t store, idle;
	int64_t now = auth_now();

	(void)fd;
	(void)what;
	(void)arg;
	ask_tick();
	hash_tick();
	login_tick();
	audit_no_request();
	worker_tick();
	session_tick();
	token_tick();
	present_tick();
	limit_tick();
	share_tick();
	audit_tick();
	update_tick();
	if (now - store >= STORE_SECONDS) {
		store = now;
		store_tick(auth.store);
		(void)store_once_sweep(auth.store, now - ONCE_SECONDS);
	} else {
		store_tick_if_much(auth.store);
	}
	if (now - idle >= MIN(IDLE_SECONDS, 1 + present_first() / 4)) {
		idle = now;
		sandbox_idle();
	}
}

static void
on_ready(void)
{
	chan_send(&auth.master, M_READY, 0, -1, NULL, 0);
	log_info("ready");
}

/* Who decides when to stop is master; its end of the channel tells. */
static void
ignore_signals(void)
{
	static const int signals[] = { SIGHUP, SIGINT, SIGTERM, SIGPIPE, SIGUSR1,
		SIGUSR2 };
	unsigned int i;

	for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		signal(signals[i], SIG_IGN);
}

static void
open_store(void)
{
	char shown[CONF_PATH_MAX + 8], err[2048];
	const struct store_options opt = { /* Berkeley DB cuts its log's folder at the
					    * last slash: "/" would leave nothing. */
		.home = "/.",
		.shown = shown,
		.patience = PREDECESSOR_MS,
		.uid_first = auth.conf.uid_first,
		.uid_count = auth.conf.uid_count
	};

	strlcpy(shown, auth.conf.common.data, sizeof(shown));
	strlcat(shown, "/store", sizeof(shown));
	auth.store = store_open(&opt, err, sizeof(err));
	if (auth.store == NULL)
		fatalx("%s", err);
	store_set_barrier(auth.store, audit_flush);
}

/* What is known to be damaged is not used: who starts auth again is told why. */
static void
on_check(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval soon = { 0, CHECK_EVERY },
				    later = { CHECK_SECONDS, 0 };
	static struct event *timer;
	static bool again;
	char err[2048];
	bool done;

	(void)fd;
	(void)what;
	(void)arg;
	if (timer == NULL && (timer = evtimer_new(auth.base, on_check, NULL)) == NULL)
		fatalx("event loop: out of memory");
	if (again)
		store_check_again(auth.store);
	if (store_check(auth.store, CHECK_US, &done, err, sizeof(err)) != STORE_OK)
		fatalx("%s", err);
	again = done;
	event_add(timer, done ? &later : &soon);
}

static void
start_loop(void)
{
	struct timeval tick = { TICK_SECONDS, 0 };
	struct event *ev;

	if ((auth.base = event_base_new()) == NULL ||
	    (ev = event_new(auth.base, -1, EV_PERSIST, on_tick, NULL)) == NULL)
		fatalx("event loop: out of memory");
	event_add(ev, &tick);
	chan_after(audit_no_request);
	chan_init(&auth.isolation, FD_PARENT, P_AUTH, P_ISOLATION, auth.base,
	    from_isolation, on_gone, NULL);
	chan_init(&auth.master, FD_MASTER, P_AUTH, P_MASTER, auth.base, from_master,
	    on_gone, NULL);
	lease_init(auth.base);
	ctl_listen(FD_EXTRA);
	login_config();
	audit_config();
	limit_config();
}

int
main(int argc, char *argv[], char *envp[])
{
	setproctitle_init(argc, argv, envp);
	sandbox_root();
	setproctitle("-ided: auth");
	umask(077);
	ignore_signals();
	conf_section_recv(FD_CONF, &auth.conf, sizeof(auth.conf));
	log_config(&auth.conf.common, FD_LOG);
	/* Until keys is joined: what it is asked fails, as when it has gone. */
	auth.keys.self = P_AUTH;
	auth.keys.peer = P_KEYS;
	auth.keys.closed = true;
	audit_prepare("/audit");
	open_store();
	auth.started = auth_now();
	start_loop();
	sandbox_enter(&sandbox_auth);
	share_load();
	update_config();
	if (auth.conf.auth.mode == AUTH_MULTI)
		admin_first(on_ready);
	else
		single_first(on_ready);
	on_check(-1, 0, NULL);
	event_base_dispatch(auth.base);
	settings_flush();
	present_flush();
	session_flush();
	audit_close("auth leaves");
	store_close(auth.store);
	/* Nothing is left to flush; what runs at exit may not be on the list. */
	_exit(0);
}
