/*
 * ided-keys: holds the TLS private key, and the sessions that TLS clients may
 * resume, for workers that must have neither.
 *
 *	isolation	starts it, gives it the key's file, at reload another
 *	master		gives it the channels of new workers
 *	workers		ask for what serve.h lists
 */
#include <bsd/unistd.h>

#include <event2/event.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../chan.h"
#include "../confsend.h"
#include "../log.h"
#include "key.h"
#include "keys.h"
#include "serve.h"
#include "session.h"

static struct event_base *base;
static struct chan parent;
static struct chan master;

static void on_key(struct chan *, struct msg *);
static void on_log_file(struct chan *, struct msg *);
static void on_worker(struct chan *, struct msg *);

static const struct chan_handler from_isolation[] = {
	{ M_KEY, on_key },
	{ M_LOG_FILE, on_log_file },
	{ M_NONE, NULL },
};

static const struct chan_handler from_master[] = {
	{ M_WORKER_KEYS, on_worker },
	{ M_NONE, NULL },
};

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
	sandbox_enter(&sandbox_keys);
	chan_init(
	    &parent, FD_PARENT, P_KEYS, P_ISOLATION, base, from_isolation, on_gone, NULL);
	chan_init(&master, FD_MASTER, P_KEYS, P_MASTER, base, from_master, on_gone, NULL);
	chan_send(&master, M_READY, 0, -1, NULL, 0);
	event_base_dispatch(base);
	sess_forget_all();
	key_forget_all();
	return 0;
}
