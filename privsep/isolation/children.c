/*
 * The processes that isolation starts, one row each, and starts again when they
 * die: their channels are joined anew, and nobody else has to go.
 */
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <bsd/sys/queue.h>

#include "../log.h"
#include "../sandbox.h"
#include "../spawn.h"
#include "isolation.h"
#include "../clock.h"

#define DEATHS_MAX 5     /* of one kind ... */
#define DEATHS_MS  60000 /* ... in this time; more is the end */
#define YOUNG_MS   10000 /* the first one must get past its start */
#define AGAIN_MS   10    /* lets master's end be seen first */
#define LEFT_MS    250   /* one that left of its own accord */

enum root {
	ROOT_EMPTY,
	ROOT_STORE,
	ROOT_WORKER,
};

struct child_row {
	const char *name; /* in logs */
	const char *program;
	enum account_id account;
	enum root root;
	int (*section)(void);
	enum proc proc;
	enum msg_type join; /* tells the peer of its channel ... */
	enum proc peer;     /* ... which is master, or auth */
	bool control;       /* is given idectl's socket */
	bool key;           /* is given the private key's file */
	bool memlock;       /* locks its memory */
};

enum kind {
	AUTH,
	HASH,
	KEYS,
	ZYGOTE,
	KINDS,
};

static const struct child_row rows[KINDS] = {
	[AUTH] = { "auth", "ided-auth", ACCOUNT_AUTH, ROOT_STORE, section_auth, P_AUTH,
	    M_JOIN_AUTH, P_MASTER, true, false, false },
	[HASH] = { "hash", "ided-hash", ACCOUNT_AUTH, ROOT_EMPTY, section_hash, P_HASH,
	    M_JOIN_HASH, P_AUTH, false, false, false },
	[KEYS] = { "keys", "ided-keys", ACCOUNT_KEYS, ROOT_EMPTY, section_keys, P_KEYS,
	    M_JOIN_KEYS, P_MASTER, false, true, true },
	[ZYGOTE] = { "zygote", "ided-worker", ACCOUNT_WORKER, ROOT_WORKER, section_worker,
	    P_ZYGOTE, M_JOIN_ZYGOTE, P_MASTER, false, false, false },
};

#define MEMLOCK (16 << 20)

struct child {
	TAILQ_ENTRY(child) entry;
	enum kind kind;
	pid_t pid;
	int64_t born;
	bool retired; /* leaves by itself, and is not missed */
	struct chan chan;
};

static TAILQ_HEAD(, child) children = TAILQ_HEAD_INITIALIZER(children);
static int64_t deaths[KINDS][DEATHS_MAX + 1]; /* a ring of times */
static unsigned int ndeaths[KINDS];
static struct event *again[KINDS];

static struct child *
current(enum kind kind)
{
	struct child *c;

	TAILQ_FOREACH(c, &children, entry)
		if (c->kind == kind && !c->retired)
			return c;
	return NULL;
}

/*
 * A child's channel ended.  Its death is seen by SIGCHLD; a living one that
 * closed it, or broke its rules, is made to go.  A zygote closes its own at
 * once: it has nothing to hear.
 */
static void
on_gone(struct chan *c, const char *why)
{
	struct child *child = c->arg;

	if (child->kind == AUTH && isolation.auth == &child->chan) {
		isolation.auth = NULL;
		requests_auth_gone();
	}
	if (child->kind != ZYGOTE || why != NULL)
		(void)kill(child->pid, SIGKILL); /* not yet waited for */
}

static const struct chan_handler silent[] = {
	{ M_NONE, NULL },
};

/* What sanitizers are told, in a build with them; nothing of ours is passed on.
 * The one line gives the process's title room to stand in. */
char *const *
children_environment(void)
{
	static char path[] = "PATH=/usr/local/bin:/usr/bin:/bin";
	static char *none[] = { path, NULL };
#ifdef SANITIZED
	static const char *const names[] = { "ASAN_OPTIONS", "UBSAN_OPTIONS",
		"LSAN_OPTIONS" };
	static char lines[3][512];
	static char *some[4];
	unsigned int i, n = 0;

	for (i = 0; i < 3; i++)
		if (getenv(names[i]) != NULL) {
			snprintf(lines[i], sizeof(lines[i]), "%s=%s", names[i],
			    getenv(names[i]));
			some[n++] = lines[i];
		}
	some[n] = NULL;
	if (n > 0)
		return some;
#endif
	return none;
}

static int
open_key(void)
{
	int fd;

	fd = open(isolation.conf.tls.key, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd == -1)
		fatal("tls key \"%s\"", isolation.conf.tls.key);
	return fd;
}

/*
 * A file that keys keeps something in: it gets it open, and no folder.  It is
 * root's, which nobody else finds a way to.
 */
static int
open_keyfile(const char *name)
{
	struct stat st;
	int fd;

	fd = openat(
	    isolation.keys, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd == -1 || fstat(fd, &st) == -1)
		fatal("%s/keys/%s", isolation.conf.common.data, name);
	if (!S_ISREG(st.st_mode) || st.st_uid != 0 || st.st_nlink != 1 ||
	    (st.st_mode & 077) != 0)
		fatalx("%s/keys/%s: must be a file of root's that nobody else may read: "
		       "remove it, and another one is made",
		    isolation.conf.common.data, name);
	return fd;
}

static void
give_keystore(struct chan *c)
{
	const struct conf_auth *a = &isolation.conf.auth;
	struct m_keystore m;

	memset(&m, 0, sizeof(m));
	m.alg = a->token_algorithm;
	m.rotate = a->token_rotate;
	m.overlap = a->token_refresh;
	chan_send(c, M_KEYSTORE, 0, open_keyfile("token"), &m, sizeof(m));
}

/* The files of the audit trail's key; keys makes what is not there yet. */
static void
give_key_files(struct chan *c)
{
	static const struct {
		enum wire_key_file which;
		const char *name;
	} files[] = {
		{ KEY_FILE_AUDIT, "audit.key" },
		{ KEY_FILE_AUDIT_PUB, "audit.pub" },
		{ KEY_FILE_AUDIT_LAST, "audit.last" },
	};
	struct m_key_file m;
	unsigned int i;

	memset(&m, 0, sizeof(m));
	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		m.which = files[i].which;
		chan_send(c, M_KEY_FILE, 0, open_keyfile(files[i].name), &m, sizeof(m));
	}
}

/* Auth and keys, as soon as there are both. */
static void
join_peers(void)
{
	struct child *keys = current(KEYS);
	int fds[2];

	if (keys == NULL || isolation.auth == NULL)
		return;
	if (chan_pair(fds) == -1)
		fatal("channel between auth and keys");
	chan_send(&keys->chan, M_JOIN_PEER, 0, fds[0], NULL, 0);
	chan_send(isolation.auth, M_JOIN_PEER, 0, fds[1], NULL, 0);
}

/* fork and exec, with its root open for as long as that takes. */
static pid_t
child_spawn(const struct child_row *row, int parent, int peer)
{
	char *argv[2] = { (char *)(uintptr_t)row->program, NULL };
	struct spawn s;
	pid_t pid;

	memset(&s, 0, sizeof(s));
	s.program = row->program;
	s.argv = argv;
	s.envp = children_environment();
	s.uid = accounts[row->account].uid;
	s.gid = accounts[row->account].gid;
	s.parent = parent;
	s.conf = row->section();
	s.log = log_get_fd();
	s.extra = row->control ? isolation.control : -1;
	if (row->key)
		s.extra = open_key();
	s.master = peer;
	s.memlock = row->memlock ? MEMLOCK : 0;
	s.root = row->root == ROOT_STORE ? isolation.store : isolation.empty;
	if (row->root == ROOT_WORKER)
		worker_root_in(&s.root);
	pid = spawn(&s);
	if (row->root == ROOT_WORKER)
		worker_root_out(s.root);
	close(s.conf);
	if (row->key)
		close(s.extra);
	return pid;
}

static void
child_start(enum kind kind)
{
	const struct child_row *row = &rows[kind];
	int up[2], side[2];
	struct chan *peer;
	struct child *c;

	c = calloc(1, sizeof(*c));
	if (c == NULL || chan_pair(up) == -1 || chan_pair(side) == -1)
		fatal("%s: channels", row->name);
	c->kind = kind;
	c->born = clock_ms(CLOCK_MONOTONIC);
	c->pid = child_spawn(row, up[1], side[1]);
	if (c->pid == -1)
		fatal("%s: cannot be started", row->name);
	close(up[1]);
	close(side[1]);
	chan_init(&c->chan, up[0], P_ISOLATION, row->proc, isolation.base,
	    kind == AUTH ? request_handlers : silent, on_gone, c);
	TAILQ_INSERT_TAIL(&children, c, entry);
	if (kind == AUTH)
		isolation.auth = &c->chan;
	peer = row->peer == P_AUTH ? isolation.auth : &isolation.master;
	if (peer == NULL)
		close(side[0]);
	else
		chan_send(peer, row->join, 0, side[0], NULL, 0);
	if (kind == KEYS)
		give_keystore(&c->chan);
	if (kind == KEYS)
		give_key_files(&c->chan);
	if (kind == KEYS || kind == AUTH)
		join_peers();
	if (kind == AUTH) {
		audit_file_give(&c->chan);
		audit_syslog_give(&c->chan);
	}
	log_event(LOG_INFO, "process.started", LOG_S("process", row->name),
	    LOG_N("pid", c->pid));
}

/* auth and its hash helpers come and go together. */
static void
start_auth(void)
{
	struct child *c;
	uint32_t i;

	TAILQ_FOREACH(c, &children, entry)
		if (c->kind == HASH && !c->retired) {
			c->retired = true;
			(void)kill(c->pid, SIGKILL);
		}
	child_start(AUTH);
	for (i = 0; i < isolation.conf.auth.argon2_helpers; i++)
		child_start(HASH);
}

static void
start_kind(enum kind kind)
{
	if (kind == AUTH)
		start_auth();
	else if (kind != HASH || isolation.auth != NULL)
		child_start(kind);
}

static void
on_again(evutil_socket_t fd, short what, void *arg)
{
	const enum kind *kind = arg;
	uint32_t want = *kind == HASH ? isolation.conf.auth.argon2_helpers : 1;
	struct child *c;

	(void)fd;
	(void)what;
	TAILQ_FOREACH(c, &children, entry)
		if (c->kind == *kind && !c->retired && want > 0)
			want--;
	for (; want > 0; want--)
		start_kind(*kind);
}

void
children_start(void)
{
	static const enum kind kinds[KINDS] = { AUTH, HASH, KEYS, ZYGOTE };
	unsigned int i;

	for (i = 0; i < KINDS; i++) {
		again[i] = evtimer_new(
		    isolation.base, on_again, (void *)(uintptr_t)&kinds[i]);
		if (again[i] == NULL)
			fatalx("out of memory");
	}
	start_auth();
	child_start(KEYS);
	child_start(ZYGOTE);
}

/* More than DEATHS_MAX in DEATHS_MS: there is no point in going on. */
static bool
too_many(enum kind kind)
{
	unsigned int n = ndeaths[kind]++;
	int64_t now = clock_ms(CLOCK_MONOTONIC), oldest;

	deaths[kind][n % (DEATHS_MAX + 1)] = now;
	oldest = deaths[kind][(n + 1) % (DEATHS_MAX + 1)];
	return n >= DEATHS_MAX && now - oldest < DEATHS_MS;
}

static void
child_died(const struct child *c, int status)
{
	static bool past_start[KINDS];
	const char *name = rows[c->kind].name;
	struct timeval tv = isolation_ms(AGAIN_MS);
	bool by_itself = WIFEXITED(status) && WEXITSTATUS(status) != 0;

	log_event(status == 0 ? LOG_INFO : LOG_ERR, "process.died",
	    LOG_S("process", name), LOG_N("pid", c->pid),
	    LOG_N("signal", WIFSIGNALED(status) ? WTERMSIG(status) : 0),
	    LOG_N("exit", WIFEXITED(status) ? WEXITSTATUS(status) : 0));
	if (!past_start[c->kind] && by_itself &&
	    clock_ms(CLOCK_MONOTONIC) - c->born < YOUNG_MS) {
		log_warnx("%s does not start; the lines above say why", name);
		isolation_leave(1);
		return;
	}
	past_start[c->kind] = true;
	/* Its peer is gone, most likely: a hash helper leaves with auth. */
	if (status == 0) {
		tv = isolation_ms(LEFT_MS);
		event_add(again[c->kind], &tv);
		return;
	}
	if (too_many(c->kind)) {
		log_warnx("%s died more than %d times in %d s", name, DEATHS_MAX,
		    DEATHS_MS / 1000);
		isolation_leave(1);
		return;
	}
	event_add(again[c->kind], &tv);
}

bool
children_reap(pid_t pid, int status)
{
	struct child *c;

	TAILQ_FOREACH(c, &children, entry)
		if (c->pid == pid)
			break;
	if (c == NULL)
		return false;
	TAILQ_REMOVE(&children, c, entry);
	if (c->kind == AUTH && isolation.auth == &c->chan) {
		isolation.auth = NULL;
		requests_auth_gone();
	}
	chan_close(&c->chan);
	if (!c->retired)
		child_died(c, status);
	free(c);
	return true;
}

void
children_renew(void)
{
	struct child *c;

	while ((c = current(ZYGOTE)) != NULL)
		c->retired = true;
	child_start(ZYGOTE);
}

/* The new configuration to everyone; who cannot be told is made anew. */
void
children_reload(void)
{
	struct m_key key;
	struct child *c;

	if (isolation.auth != NULL) {
		chan_send(isolation.auth, M_CONF_AUTH, 0, section_auth(), NULL, 0);
		audit_file_give(isolation.auth);
		audit_syslog_give(isolation.auth);
	}
	c = current(KEYS);
	if (c != NULL) {
		memset(&key, 0, sizeof(key));
		memcpy(key.keyid, section_keyid(), sizeof(key.keyid));
		chan_send(&c->chan, M_KEY, 0, open_key(), &key, sizeof(key));
		give_keystore(&c->chan);
	}
	children_renew();
}

void
children_log(int fd)
{
	struct child *c;
	int copy;

	TAILQ_FOREACH(c, &children, entry) {
		if (c->kind == ZYGOTE || c->retired)
			continue;
		copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
		if (copy != -1)
			chan_send(&c->chan, M_LOG_FILE, 0, copy, NULL, 0);
	}
}
