/*
 * ided-keys: holds the TLS private key, the keys that tokens are signed with, and
 * the sessions that TLS clients may resume, for those who must have none of them.
 *
 *	isolation	starts it, gives it the keys' files, at reload others,
 *			and its channel to auth
 *	master		gives it the channels of new workers
 *	auth		has tokens signed
 *	workers		ask for what serve.h lists
 */
#include <bsd/unistd.h>

#include <event2/event.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../chan.h"
#include "../confsend.h"
#include "../log.h"
#include "audit_key.h"
#include "jwt_keys.h"
#include "key.h"
#include "keys.h"
#include "serve.h"
#include "session.h"

static struct event_base *base;
static struct chan parent;
static struct chan master;
static struct chan peer; /* auth */
static bool have_peer;

#define JWT_TICK 30 /* seconds between looks at the age of token keys */

static void on_key(struct chan *, struct msg *);
static void on_log_file(struct chan *, struct msg *);
static void on_worker(struct chan *, struct msg *);
static void on_keystore(struct chan *, struct msg *);
static void on_join_peer(struct chan *, struct msg *);
static void on_jwt_sign(struct chan *, struct msg *);
static void on_jwt_assert(struct chan *, struct msg *);
static void on_jwt_rotate(struct chan *, struct msg *);
static void on_key_file(struct chan *, struct msg *);
static void on_audit_sign(struct chan *, struct msg *);

static const struct chan_handler from_isolation[] = {
	{ M_KEY, on_key },
	{ M_KEYSTORE, on_keystore },
	{ M_KEY_FILE, on_key_file },
	{ M_JOIN_PEER, on_join_peer },
	{ M_LOG_FILE, on_log_file },
	{ M_NONE, NULL },
};

static const struct chan_handler from_master[] = {
	{ M_WORKER_KEYS, on_worker },
	{ M_NONE, NULL },
};

static const struct chan_handler from_auth[] = {
	{ M_JWT_SIGN, on_jwt_sign },
	{ M_JWT_ASSERT, on_jwt_assert },
	{ M_JWT_ROTATE, on_jwt_rotate },
	{ M_AUDIT_SIGN, on_audit_sign },
	{ M_NONE, NULL },
};

/* Tokens tell the time to others: it is the wall clock's. */
static int64_t
wall(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec;
}

/* Auth verifies by itself. */
static void
tell_public(uint32_t id)
{
	static struct m_jwt_keys m;

	jwt_keys_public(&m);
	if (have_peer)
		chan_send(&peer, M_JWT_KEYS, id, -1, &m, sizeof(m));
}

static void
on_jwt_tick(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	if (jwt_keys_tick(wall()))
		tell_public(0);
}

static void
on_keystore(struct chan *c, struct msg *m)
{
	const struct m_keystore *k = MSG_DATA(m, m_keystore);

	(void)c;
	if (jwt_keys_open(msg_take_fd(m), k, wall()))
		tell_public(0);
}

/* Either end will notice a dead one and be joined anew. */
static void
peer_gone(struct chan *c, const char *why)
{
	if (why != NULL)
		log_warnx("channel to %s: %s", proc_name(c->peer), why);
	have_peer = false;
}

static void
on_join_peer(struct chan *c, struct msg *m)
{
	(void)c;
	if (have_peer)
		chan_close(&peer);
	chan_init(
	    &peer, msg_take_fd(m), P_KEYS, P_AUTH, base, from_auth, peer_gone, NULL);
	have_peer = true;
	tell_public(0);
}

static void
on_jwt_sign(struct chan *c, struct msg *m)
{
	struct m_jwt_signed ans;

	jwt_sign(MSG_DATA(m, m_jwt_sign), &ans, wall());
	chan_send(c, M_JWT_SIGNED, m->head.id, -1, &ans, sizeof(ans));
	explicit_bzero(&ans, sizeof(ans));
}

static void
on_jwt_assert(struct chan *c, struct msg *m)
{
	struct m_location_signed ans;

	jwt_assert(MSG_DATA(m, wire_assertion), &ans, wall());
	chan_send(c, M_JWT_ASSERTED, m->head.id, -1, &ans, sizeof(ans));
	explicit_bzero(&ans, sizeof(ans));
}

static void
on_jwt_rotate(struct chan *c, struct msg *m)
{
	(void)c;
	(void)jwt_keys_rotate(MSG_DATA(m, m_jwt_rotate)->forget != 0, wall());
	tell_public(m->head.id);
}

/* Files of the audit trail's key, made where there is none yet. */
static void
on_key_file(struct chan *c, struct msg *m)
{
	static const struct {
		enum wire_key_file which;
		const char *name;
		const char *(*take)(int);
	} files[] = {
		{ KEY_FILE_AUDIT, "audit.key", audit_key_file },
		{ KEY_FILE_AUDIT_PUB, "audit.pub", audit_key_pub },
		{ KEY_FILE_AUDIT_LAST, "audit.last", audit_key_last },
	};
	uint32_t which = MSG_DATA(m, m_key_file)->which;
	const char *why;
	size_t i;

	(void)c;
	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (which == (uint32_t)files[i].which &&
		    (why = files[i].take(msg_take_fd(m))) != NULL)
			log_event(LOG_ERR, "key.refused", LOG_S("file", files[i].name),
			    LOG_S("why", why));
}

static void
on_audit_sign(struct chan *c, struct msg *m)
{
	struct m_audit_signed ans;

	audit_key_sign(MSG_DATA(m, m_audit_sign), &ans);
	chan_send(c, M_AUDIT_SIGNED, m->head.id, -1, &ans, sizeof(ans));
}

/* A new key joins those that are there; when it is no good they go on. */
static void
on_key(struct chan *c, struct msg *m)
{
	const char *why;

	(void)c;
	if (key_load(m->fd, MSG_DATA(m, m_key)->keyid, &why) == -1)
		log_event(LOG_ERR, "key.refused", LOG_S("why", why));
	else
		log_event(LOG_NOTICE, "key.loaded", LOG_S("by", "reload"));
}

static void
on_log_file(struct chan *c, struct msg *m)
{
	(void)c;
	log_set_fd(msg_take_fd(m));
}

static void
on_worker(struct chan *c, struct msg *m)
{
	(void)c;
	serve_join(msg_take_fd(m), MSG_DATA(m, m_worker));
}

/* Without the one or the other there is nobody left to serve. */
static void
on_gone(struct chan *c, const char *why)
{
	(void)why;
	log_debug("%s is gone", proc_name(c->peer));
	event_base_loopbreak(base);
}

static void
first_key(const struct conf_for_keys *conf)
{
	const char *why;

	if (key_load(FD_EXTRA, conf->keyid, &why) == -1)
		fatalx("TLS key: %s", why);
	close(FD_EXTRA);
}

static void
start_ticks(void)
{
	static const struct timeval every = { JWT_TICK, 0 };
	struct event *ev;

	ev = event_new(base, -1, EV_PERSIST, on_jwt_tick, NULL);
	if (ev == NULL || event_add(ev, &every) == -1)
		fatalx("out of memory");
}

int
main(int argc, char *argv[], char *envp[])
{
	static struct conf_for_keys conf;

	setproctitle_init(argc, argv, envp);
	setproctitle("-ided: keys");
	sandbox_root();
	conf_section_recv(FD_CONF, &conf, sizeof(conf));
	log_init("keys", FD_LOG, conf.common.log_format, conf.common.log_level,
	    conf.common.log_to == LOG_TO_SYSLOG);
	key_memory();
	sess_init();
	first_key(&conf);
	base = event_base_new();
	if (base == NULL)
		fatalx("no event loop");
	serve_init(base, &master);
	start_ticks();
	sandbox_enter(&sandbox_keys);
	chan_init(
	    &parent, FD_PARENT, P_KEYS, P_ISOLATION, base, from_isolation, on_gone, NULL);
	chan_init(&master, FD_MASTER, P_KEYS, P_MASTER, base, from_master, on_gone, NULL);
	chan_send(&master, M_READY, 0, -1, NULL, 0);
	event_base_dispatch(base);
	sess_forget_all();
	jwt_keys_forget_all();
	key_forget_all();
	return 0;
}
