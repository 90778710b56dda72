/*
 * Workers that belong to an attacker, before auth as it runs: any message that
 * the table lets through, with any payload, in any order, on several channels,
 * with hash helpers and an isolation that answer well, badly or not at all.  What a
 * worker gets is its one user's, and what isolation is asked for is so too.
 */
#include <sys/socket.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bsd/string.h>

/* Workers that are not read for the moment are only found in its list. */
#include "../../privsep/auth/auth_worker.c"
#include "fuzz.h"

#define WORKERS 4
#define HELPERS 2
#define OPEN    64 /* questions of auth that we remember */
#define USERS   2

struct auth auth;

/* An engine in memory finds what it has by offsets, not by pointers. */
const char *__lsan_default_suppressions(void);

const char *
__lsan_default_suppressions(void)
{
	return "leak:libdb";
}

/* An attacker's end of a channel. */
static struct peer {
	struct chan chan;
	bool open;
	char user[WIRE_NAME]; /* whom auth bound it to */
} peers[WORKERS];

static struct helper_end {
	struct chan chan;
	bool open;
	uint32_t id; /* of what it was asked, 0: nothing */
} helpers[HELPERS];

static struct chan isolation, master;
static uint32_t asked[OPEN];
static unsigned int nasked;
static const char *const names[USERS] = { "ann", "bob" };
static uint32_t uids[USERS];
static uint8_t tokens[USERS][WIRE_TOKEN];
static char sessions[USERS][WIRE_SESSION];

/* --- what the others hear --- */

static void
user_is(struct peer *p, const char *user)
{
	check(memchr(user, '\0', WIRE_NAME) != NULL && user[0] != '\0');
	if (p->user[0] == '\0')
		strlcpy(p->user, user, sizeof(p->user));
	check(strcmp(p->user, user) == 0);
}

static void
worker_hears(struct peer *p)
{
	static struct msg m;
	const char *why;
	int r;

	while (p->open && (r = chan_recv(&p->chan, &m, &why)) != -1) {
		check(r != -2);
		if (r == 0) {
			chan_close(&p->chan);
			p->open = false;
			p->user[0] = '\0';
			return;
		}
		switch (m.head.type) {
		case M_WHO:
			if (MSG_DATA(&m, m_who)->result == AUTH_OK)
				user_is(p, MSG_DATA(&m, m_who)->who.name);
			break;
		case M_ROW_SESSION:
			user_is(p, MSG_DATA(&m, m_session)->user);
			break;
		case M_ROW_SANDBOX:
			user_is(p, MSG_DATA(&m, m_sandbox)->user);
			break;
		case M_IDE_FD:
		case M_MINTED:
			check(p->user[0] != '\0');
			break;
		}
		if (m.fd != -1)
			close(m.fd);
	}
}

static void
isolation_hears(void)
{
	static struct msg m;
	const struct m_sb *sb;
	const char *why;

	while (chan_recv(&isolation, &m, &why) == 1) {
		if (m.head.type == M_SB_CONNECT || m.head.type == M_SB_SHOW) {
			sb = MSG_DATA(&m, m_sb);
			check(sb->uid == uids[0] || sb->uid == uids[1]);
			check(strcmp(sb->user, names[sb->uid == uids[1]]) == 0);
		}
		asked[nasked++ % OPEN] = m.head.id;
		if (m.fd != -1)
			close(m.fd);
	}
}

static void
hear(void)
{
	static struct msg m;
	const char *why;

	event_base_loop(auth.base, EVLOOP_NONBLOCK);
	/* A worker learns whom it is bound to before isolation is looked at. */
	for (int i = 0; i < WORKERS; i++)
		worker_hears(&peers[i]);
	isolation_hears();
	while (chan_recv(&master, &m, &why) == 1)
		check(m.head.type == M_WORKER_NOTE || m.head.type == M_ALIVE);
	for (int i = 0; i < HELPERS; i++)
		while (helpers[i].open && chan_recv(&helpers[i].chan, &m, &why) == 1)
			helpers[i].id = m.head.id;
}

/* --- what they say --- */

/* A payload that may mean something, and then any bytes in any place of it. */
static size_t
payload(enum msg_type type, uint8_t p[MSG_PAYLOAD_MAX])
{
	const struct msg_row *row = &msg_table[type];
	struct m_login *l = (struct m_login *)(void *)p;
	struct m_session_id *id = (struct m_session_id *)(void *)p;
	struct m_last *last = (struct m_last *)(void *)p;
	uint8_t how = next();
	int who = how & 1;

	memset(p, 0, row->max);
	switch (type) {
	case M_AUTH_TOKEN:
		memcpy(p, tokens[who], WIRE_TOKEN);
		break;
	case M_LOGIN:
		strlcpy(l->name, how & 2 ? "nobody" : names[who], sizeof(l->name));
		if (how & 4)
			strlcat(l->name, "@example.com", sizeof(l->name));
		strlcpy(l->password, "correct horse", sizeof(l->password));
		break;
	case M_SESSION_END:
		strlcpy(id->session, sessions[who], sizeof(id->session));
		break;
	case M_LAST:
		strlcpy(last->query, "folder=/home/ann", sizeof(last->query));
		break;
	default:
		break;
	}
	if (how & 0x80)
		fill(p, row->max);
	if ((how & 0x70) == 0x70) /* strings without an end */
		memset(p, 'a', row->max);
	return (row->max);
}

static void
worker_says(struct peer *p)
{
	static uint8_t buf[MSG_PAYLOAD_MAX];
	static enum msg_type may[M_MAX];
	static unsigned int nmay;
	enum msg_type t;
	uint32_t id;

	if (nmay == 0)
		for (unsigned int i = 1; i < M_MAX; i++)
			if ((msg_table[i].from & P_WORKER) && (msg_table[i].to & P_AUTH))
				may[nmay++] = (enum msg_type)i;
	if (!p->open)
		return;
	t = may[next() % nmay];
	id = next();
	(void)chan_send(&p->chan, t, id, -1, buf, payload(t, buf));
}

static void
worker_comes(struct peer *p)
{
	struct m_worker m;
	int fds[2];

	if (p->open)
		return;
	check(chan_pair(fds) == 0);
	chan_init(&p->chan, fds[0], P_WORKER, P_AUTH, NULL, NULL, NULL, NULL);
	p->open = true;
	p->user[0] = '\0';
	memset(&m, 0, sizeof(m));
	m.id = (uint64_t)(p - peers) + 1;
	m.source.ip[15] = next();
	m.source.unix_peer = m.source.ip[15] == 0;
	m.bound = m.source.ip[15] & 1; /* by an auth before this one */
	worker_new(&m, fds[1]);
}

static void
worker_goes(struct peer *p)
{
	if (p->open)
		chan_close(&p->chan);
	p->open = false;
	p->user[0] = '\0';
}

static void
isolation_says(uint8_t how)
{
	static uint8_t buf[MSG_PAYLOAD_MAX];
	static const enum msg_type types[] = { M_SB_FD, M_SB_FAIL, M_SB_ROW, M_SB_TEXT,
		M_SB_OK, M_SB_EXIT, M_SB_GONE };
	enum msg_type t = types[how % 7];
	struct m_sandbox *row = (struct m_sandbox *)(void *)buf;
	struct m_sb *sb = (struct m_sb *)(void *)buf;
	uint32_t id = nasked == 0 ? 0 : asked[next() % (nasked < OPEN ? nasked : OPEN)];
	int fds[2] = { -1, -1 };

	memset(buf, 0, msg_table[t].max);
	if (t == M_SB_ROW) {
		row->uid = uids[how >> 7];
		row->state = SANDBOX_RUNNING;
		strlcpy(row->user, names[how >> 7], sizeof(row->user));
	} else if (t == M_SB_GONE) {
		sb->uid = uids[how >> 7];
	}
	if (how & 0x40)
		fill(buf, msg_table[t].max);
	if (t == M_SB_FD) {
		check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
		close(fds[1]);
	}
	(void)chan_send(&isolation, t, id, fds[0], buf, msg_table[t].max);
}

static void
helper_comes(struct helper_end *h)
{
	int fds[2];

	if (h->open)
		return;
	check(chan_pair(fds) == 0);
	chan_init(&h->chan, fds[0], P_HASH, P_AUTH, NULL, NULL, NULL, NULL);
	h->open = true;
	h->id = 0;
	hash_join(fds[1]);
}

static void
helper_says(struct helper_end *h, uint8_t how)
{
	struct m_hashed m;

	if (!h->open)
		return;
	if (how == 0xff) {
		chan_close(&h->chan);
		h->open = false;
		return;
	}
	if (h->id == 0 && how < 0xf0)
		return;
	memset(&m, how & 0x40 ? 'a' : 0, sizeof(m));
	m.ok = how % 4;
	(void)chan_send(&h->chan, M_HASHED, how & 0x20 ? 7 : h->id, -1, &m, sizeof(m));
	h->id = 0;
}

/* --- auth.c's part --- */

static void
on_gone_user(struct chan *c, struct msg *m)
{
	(void)c;
	present_gone(MSG_DATA(m, m_sb)->uid, "");
}

static const struct chan_handler from_isolation[] = {
	{ M_SB_FD, ask_answer },
	{ M_SB_FAIL, ask_answer },
	{ M_SB_ROW, ask_answer },
	{ M_SB_TEXT, ask_answer },
	{ M_SB_CHANGE, ask_answer },
	{ M_SB_OK, ask_answer },
	{ M_SB_EXIT, ask_answer },
	{ M_SB_GONE, on_gone_user },
	{ M_NONE, NULL },
};

static const struct chan_handler from_master[] = {
	{ M_NONE, NULL },
};

static void
never_gone(struct chan *c, const char *why)
{
	(void)c;
	(void)why;
	abort();
}

static void
join(struct chan *ours, struct chan *theirs, enum proc peer, const struct chan_handler *h)
{
	int fds[2];

	check(chan_pair(fds) == 0);
	chan_init(ours, fds[0], P_AUTH, peer, auth.base, h, never_gone, NULL);
	chan_init(theirs, fds[1], peer, P_AUTH, NULL, NULL, NULL, NULL);
}

static void
start(void)
{
	static const struct store_options opt = { .home = "/nonexistent",
		.shown = "STORE",
		.memory = true,
		.uid_first = 200000,
		.uid_count = 100 };
	char err[512];

	log_init("fuzz", STDERR_FILENO, 0, LOG_EMERG, false);
	check((auth.base = event_base_new()) != NULL);
	auth.conf.auth.session_lifetime = auth.conf.auth.session_idle = 86400;
	auth.conf.auth.session_max = 4;
	auth.conf.auth.argon2_memory = 19 * 1024;
	auth.conf.auth.argon2_passes = 2;
	auth.conf.auth.argon2_lanes = 1;
	auth.conf.ratelimit.login.count = 1U << 30;
	auth.conf.ratelimit.login.period = 900;
	auth.started = auth_now();
	check((auth.store = store_open(&opt, err, sizeof(err))) != NULL);
	join(&auth.isolation, &isolation, P_ISOLATION, from_isolation);
	join(&auth.master, &master, P_MASTER, from_master);
	login_config();
}

/* Each life finds the same two users, with a session each. */
static void
users(void)
{
	struct wire_addr source = { .ip = { [15] = 1 } };
	struct store_account a;
	struct store_session s;
	enum store_result r;

	for (int i = 0; i < USERS; i++) {
		r = store_account_by_name(auth.store, names[i], &a);
		if (r == STORE_NOT_FOUND) {
			memset(&a, 0, sizeof(a));
			strlcpy(a.name, names[i], sizeof(a.name));
			snprintf(a.email, sizeof(a.email), "%s@example.com", names[i]);
			strlcpy(a.roles, "user", sizeof(a.roles));
			strlcpy(a.hash, "$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$dGFn",
			    sizeof(a.hash));
			a.active = true;
			r = store_account_add(auth.store, &a);
		}
		check(r == STORE_OK);
		a.active = true;
		check(store_account_put(auth.store, &a) == STORE_OK);
		uids[i] = a.uid;
		check(store_session_delete_user(auth.store, a.uid, NULL) == STORE_OK);
		check(session_new(&a, &source, "agent", tokens[i], &s) == STORE_OK);
		check(store_session_add(auth.store, &s) == STORE_OK);
		strlcpy(sessions[i], s.id, sizeof(sessions[i]));
	}
}

static void
administrator(uint8_t how)
{
	struct store_account a;
	uint32_t uid = uids[how & 1];

	switch (how >> 1 & 3) {
	case 0:
		(void)session_revoke_user(uid, REVOKED_ADMIN, "admin");
		break;
	case 1:
		if (store_account_by_uid(auth.store, uid, &a) == STORE_OK) {
			a.active = !a.active;
			(void)store_account_put(auth.store, &a);
			session_drop_user(uid, REVOKED_DISABLED);
		}
		break;
	case 2:
		sandbox_idle();
		break;
	case 3:
		session_tick();
		ask_tick();
		hash_tick();
		login_tick();
		present_tick();
		break;
	}
}

/* A worker's time is over: what it was not read for, or to leave. */
static void
time_over(uint8_t which)
{
	struct worker *w = TAILQ_FIRST(&workers);

	for (int i = which % WORKERS; w != NULL && i > 0; i--)
		w = TAILQ_NEXT(w, entry);
	if (w != NULL && evtimer_pending(w->timer, NULL)) {
		event_del(w->timer);
		on_timer(-1, 0, w);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct worker *w, *tmp;
	uint8_t op;

	in = data;
	left = size > 1024 ? 1024 : size;
	if (auth.base == NULL)
		start();
	users();
	helper_comes(&helpers[0]);
	worker_comes(&peers[0]);
	worker_comes(&peers[1]);
	while (left > 0) {
		op = next();
		switch (op & 7) {
		case 0:
		case 1:
		case 2:
			worker_says(&peers[(op >> 3) % WORKERS]);
			break;
		case 3:
			isolation_says(next());
			break;
		case 4:
			helper_says(&helpers[(op >> 3) % HELPERS], next());
			break;
		case 5:
			worker_comes(&peers[(op >> 3) % WORKERS]);
			helper_comes(&helpers[(op >> 3) % HELPERS]);
			break;
		case 6:
			worker_goes(&peers[(op >> 3) % WORKERS]);
			break;
		case 7:
			if (op & 0x80)
				time_over(op >> 3);
			else
				administrator(next());
			break;
		}
		hear();
	}
	for (int i = 0; i < WORKERS; i++)
		worker_goes(&peers[i]);
	hear();
	for (int i = 0; i < HELPERS; i++)
		while (helpers[i].open && helpers[i].id != 0) {
			helper_says(&helpers[i], 0);
			hear();
		}
	TAILQ_FOREACH_SAFE(w, &workers, entry, tmp)
		worker_close(w);
	check(worker_count() == 0);
	return (0);
}
