/*
 * Sessions: made, looked up, touched, ended.  The browser holds 256 random bits,
 * the store their SHA-256.  A session that some worker acts for is also kept
 * here, so that its end reaches every one of them at once.
 */
#include <openssl/evp.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bsd/stdlib.h>
#include <bsd/string.h>

#include "auth.h"
#include "auth_policy.h"
#include "auth_share.h"
#include "../hex.h"

#define SEEN_EVERY   60  /* seconds between writes of `last seen', at most */
#define SWEEP_BATCH  256 /* sessions looked at in one go */
#define SWEEP_MS     5   /* which takes no longer */
#define SWEEP_EVERY  10000
#define SESSIONS_MAX 1024 /* of one user; the configuration allows 1000 */

static int
live_cmp(const struct live *a, const struct live *b)
{
	return strcmp(a->id, b->id);
}

static RB_HEAD(lives, live) lives = RB_INITIALIZER(&lives);
RB_GENERATE_INTERNAL(lives, live, entry, live_cmp, static __attribute__((unused)))

static struct live *
live_find(const char *id)
{
	struct live key;

	strlcpy(key.id, id, sizeof(key.id));
	return RB_FIND(lives, &lives, &key);
}

static void
hash_token(const uint8_t token[WIRE_TOKEN], uint8_t key[STORE_KEY])
{
	if (EVP_Digest(token, WIRE_TOKEN, key, NULL, EVP_sha256(), NULL) != 1)
		fatalx("SHA-256 failed");
}

/* The user's oldest sessions go until there is room for one more. */
static enum store_result
make_room(const struct store_account *a)
{
	static struct store_session s[SESSIONS_MAX];
	enum store_result r = STORE_OK;
	size_t i, n, most;

	most = a->limits.sessions != 0 ? a->limits.sessions : auth.conf.auth.session_max;
	n = store_session_of_user(auth.store, a->uid, s, SESSIONS_MAX);
	for (i = 0; i < n;) {
		if (policy_session_alive(&auth.conf.auth, &s[i], auth_now()) ||
		    live_find(s[i].id) != NULL) {
			i++;
			continue;
		}
		if ((r = store_session_delete(auth.store, s[i].key)) != STORE_OK &&
		    r != STORE_NOT_FOUND)
			return r;
		s[i] = s[--n];
	}
	while (n >= most && n > 0) {
		i = policy_session_oldest(s, n);
		if ((r = session_revoke(&s[i], REVOKED_EXPIRED, "limit")) != STORE_OK &&
		    r != STORE_NOT_FOUND)
			return r;
		s[i] = s[--n];
	}
	return STORE_OK;
}

void
session_token(uint8_t token[WIRE_TOKEN], uint8_t key[STORE_KEY])
{
	arc4random_buf(token, WIRE_TOKEN);
	hash_token(token, key);
}

enum store_result
session_new(const struct store_account *a, const struct wire_addr *source,
    const char *agent, uint8_t token[WIRE_TOKEN], struct store_session *s)
{
	enum store_result r;
	uint8_t id[8];
	int64_t now;

	if ((r = make_room(a)) != STORE_OK)
		return r;
	memset(s, 0, sizeof(*s));
	session_token(token, s->key);
	arc4random_buf(id, sizeof(id));
	hex_put(s->id, id, sizeof(id));
	s->uid = a->uid;
	now = auth_now_ms();
	s->created = s->seen = now / 1000;
	s->created_ms = (uint16_t)(now % 1000);
	s->expires = s->created + auth.conf.auth.session_lifetime;
	s->source = *source;
	strlcpy(s->agent, agent, sizeof(s->agent));
	return STORE_OK;
}

void
session_family(struct store_session *s)
{
	s->kind = STORE_FAMILY;
	s->generation = 1;
	s->expires = s->created + auth.conf.auth.token_refresh;
}

/* It was found: is it alive still, and whose is it? */
static enum store_result
session_check(struct store_session *s, struct store_account *a)
{
	enum store_result r;
	struct live *l;

	if ((l = live_find(s->id)) != NULL && l->seen > s->seen)
		s->seen = l->seen;
	if (!policy_session_alive(&auth.conf.auth, s, auth_now())) {
		(void)session_revoke(s, REVOKED_EXPIRED, "time");
		return STORE_NOT_FOUND;
	}
	if ((r = store_account_by_uid(auth.store, s->uid, a)) != STORE_OK)
		return r;
	return account_usable(a) ? STORE_OK : STORE_NOT_FOUND;
}

/* The session and the active account that a token stands for. */
enum store_result
session_find(
    const uint8_t token[WIRE_TOKEN], struct store_session *s, struct store_account *a)
{
	uint8_t key[STORE_KEY];
	enum store_result r;

	hash_token(token, key);
	if (single_token(token))
		r = single_session(key, s);
	else
		r = store_session_by_key(auth.store, key, s);
	return r == STORE_OK ? session_check(s, a) : r;
}

/* The same, by what is no secret: for who has shown something else. */
enum store_result
session_find_id(const char *id, struct store_session *s, struct store_account *a)
{
	enum store_result r;

	if ((r = store_session_by_id(auth.store, id, s)) != STORE_OK)
		return r;
	return session_check(s, a);
}

/* Tell every worker that acts for it; l is free afterwards. */
static void
live_end(struct live *l, enum wire_revoked why)
{
	unsigned int n;

	/* The last worker that leaves frees it. */
	for (n = l->nworkers; n > 0; n--)
		worker_revoke(LIST_FIRST(&l->workers), why);
}

static const char *
why_text(enum wire_revoked why)
{
	switch (why) {
	case REVOKED_LOGOUT:
		return "logout";
	case REVOKED_ADMIN:
		return "administrator";
	case REVOKED_DISABLED:
		return "disabled";
	case REVOKED_EXPIRED:
		return "expired";
	case REVOKED_REUSE:
		return "reuse";
	case REVOKED_PASSWORD:
		return "password";
	case REVOKED_ROLE:
		return "role";
	case REVOKED_SHARE:
		return "share";
	}
	return "unknown";
}

/* Before it is done: false where it cannot be written down. */
static bool
revoking(uint32_t uid, const char *session, enum wire_revoked why, const char *by)
{
	char user[WIRE_NAME];

	return audit_event(AUDIT_SESSION_REVOKED, LOG_S("user", account_name(uid, user)),
	    LOG_N("uid", uid), LOG_S("session", session), LOG_S("reason", why_text(why)),
	    LOG_S("actor", by));
}

enum store_result
session_revoke(const struct store_session *s, enum wire_revoked why, const char *by)
{
	struct store_session there;
	char id[WIRE_SESSION];
	enum store_result r;
	struct live *l;

	/* s may be a copy of what goes away. */
	strlcpy(id, s->id, sizeof(id));
	r = store_session_by_key(auth.store, s->key, &there);
	explicit_bzero(&there, sizeof(there));
	/* One whose time is up is over, whether that can be written down or not. */
	if (r == STORE_OK && !revoking(s->uid, id, why, by) && why != REVOKED_EXPIRED)
		return STORE_NO_SPACE;
	if (r == STORE_OK)
		r = why == REVOKED_EXPIRED ? store_session_expire(auth.store, s->key) :
					     store_session_delete(auth.store, s->key);
	if (r != STORE_OK && r != STORE_NOT_FOUND)
		return r;
	if (why == REVOKED_EXPIRED)
		auth.count.expired += r == STORE_OK;
	else
		auth.count.revoked += r == STORE_OK;
	if ((l = live_find(id)) != NULL)
		live_end(l, why);
	return r;
}

void
session_drop(const char *id, enum wire_revoked why)
{
	struct live *l;

	if ((l = live_find(id)) != NULL)
		live_end(l, why);
}

void
session_drop_user(uint32_t uid, enum wire_revoked why)
{
	struct live *l, *next;

	RB_FOREACH_SAFE(l, lives, &lives, next)
	if (l->uid == uid)
		live_end(l, why);
	/* What the user shares may be over as well. */
	share_review(uid);
}

static uint64_t
stored(void)
{
	struct store_counts n;

	store_count(auth.store, &n);
	return n.sessions;
}

enum store_result
session_revoke_user(uint32_t uid, enum wire_revoked why, const char *by)
{
	return session_revoke_users(&uid, 1, why, by);
}

static int
by_uid(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

enum store_result
session_revoke_users(const uint32_t *uid, size_t n, enum wire_revoked why, const char *by)
{
	struct live *l, *next;
	enum store_result r;
	uint64_t before;
	size_t i;

	for (i = 0; i < n; i++)
		if (!revoking(uid[i], "all", why, by))
			return STORE_NO_SPACE;
	before = stored();
	if ((r = store_session_delete_users(auth.store, uid, n)) != STORE_OK)
		return r;
	auth.count.revoked += before - stored();
	RB_FOREACH_SAFE(l, lives, &lives, next)
	if (bsearch(&l->uid, uid, n, sizeof(*uid), by_uid) != NULL)
		live_end(l, why);
	return STORE_OK;
}

enum store_result
session_revoke_others(struct worker *w, enum wire_revoked why)
{
	struct live *l, *next;
	enum store_result r;
	uint64_t before;

	if (!revoking(w->uid, "others", why, w->user))
		return STORE_NO_SPACE;
	before = stored();
	r = store_session_delete_user(auth.store, w->uid, w->live->key);
	if (r != STORE_OK)
		return r;
	auth.count.revoked += before - stored();
	RB_FOREACH_SAFE(l, lives, &lives, next)
	if (l->uid == w->uid && l != w->live)
		live_end(l, why);
	return STORE_OK;
}

unsigned int
session_live(void)
{
	unsigned int n = 0;
	struct live *l;

	RB_FOREACH(l, lives, &lives)
	n++;
	return n;
}

void
session_join(struct worker *w, const struct store_session *s)
{
	struct live *l;

	if (w->live != NULL && strcmp(w->live->id, s->id) == 0)
		return;
	session_leave(w);
	if ((l = live_find(s->id)) == NULL) {
		if ((l = calloc(1, sizeof(*l))) == NULL)
			fatalx("out of memory");
		memcpy(l->key, s->key, sizeof(l->key));
		strlcpy(l->id, s->id, sizeof(l->id));
		l->uid = s->uid;
		l->created = s->created;
		l->flushed = s->seen;
		l->seen = s->seen;
		l->expires = s->expires;
		l->kind = s->kind;
		LIST_INIT(&l->workers);
		RB_INSERT(lives, &lives, l);
	}
	l->nworkers++;
	LIST_INSERT_HEAD(&l->workers, w, of_session);
	w->live = l;
}

static void
live_write(struct live *l)
{
	/* One that fails is not tried again before the next is due. */
	if (l->seen > l->flushed && l->kind == STORE_API)
		(void)store_token_seen(auth.store, l->key, l->seen);
	else if (l->seen > l->flushed)
		(void)store_session_seen(auth.store, l->key, l->seen);
	l->flushed = l->seen;
}

/* What is not written is forgotten with the last connection: no more than a tenth. */
static bool
write_due(const struct live *l)
{
	int64_t every = auth.conf.auth.session_idle / 10;

	return l->seen - l->flushed >= (every < SEEN_EVERY ? every : SEEN_EVERY);
}

void
session_leave(struct worker *w)
{
	struct live *l;

	if ((l = w->live) == NULL)
		return;
	LIST_REMOVE(w, of_session);
	w->live = NULL;
	if (--l->nworkers > 0)
		return;
	if (write_due(l))
		live_write(l);
	RB_REMOVE(lives, &lives, l);
	explicit_bzero(l, sizeof(*l));
	free(l);
}

/* Activity; master hears of it once a second, the store once a minute. */
void
session_beat(struct live *l)
{
	static int64_t told;

	l->seen = auth_now();
	if (l->seen != told && chan_send(&auth.master, M_ALIVE, 0, -1, NULL, 0) == 0)
		told = l->seen;
	if (write_due(l))
		live_write(l);
}

/* Activity, of which a page tells later. */
void
session_beat_at(struct live *l, int64_t at)
{
	if (at >= auth_now())
		session_beat(l);
	else if (at > l->seen)
		l->seen = at;
}

void
session_row(const struct store_session *s, const char *user, const char *current,
    struct m_session *row)
{
	struct live *l;

	memset(row, 0, sizeof(*row));
	strlcpy(row->session, s->id, sizeof(row->session));
	strlcpy(row->user, user, sizeof(row->user));
	strlcpy(row->agent, s->agent, sizeof(row->agent));
	row->source = s->source;
	row->created = s->created;
	row->seen = s->seen;
	row->expires = s->expires;
	row->current = strcmp(s->id, current) == 0;
	if ((l = live_find(s->id)) != NULL) {
		row->connections = l->nworkers;
		if (l->seen > row->seen)
			row->seen = l->seen;
	}
}

/* Sessions that workers act for: over to the second. */
static void
expire_live(void)
{
	struct store_session s;
	struct live *l, *next;
	int64_t now = auth_now();

	RB_FOREACH_SAFE(l, lives, &lives, next)
	{
		memset(&s, 0, sizeof(s));
		memcpy(s.key, l->key, sizeof(s.key));
		strlcpy(s.id, l->id, sizeof(s.id));
		s.uid = l->uid;
		s.created = l->created;
		s.seen = l->seen;
		s.expires = l->expires;
		s.kind = l->kind;
		if (policy_session_alive(&auth.conf.auth, &s, now))
			continue;
		/* Even if the store cannot be told, it is over. */
		if (session_revoke(&s, REVOKED_EXPIRED, "time") != STORE_OK &&
		    (l = live_find(s.id)) != NULL)
			live_end(l, REVOKED_EXPIRED);
	}
}

/*
 * The others: some of them at a time, round and round, and not for long: after a while
 * without service most of them may be over.  Were there some, the next go is soon.
 */
static bool
sweep(void)
{
	static char at[WIRE_SESSION];
	int64_t until = auth_ms() + SWEEP_MS;
	struct store_session s;
	bool some = false;
	unsigned int i;

	for (i = 0; i < SWEEP_BATCH && auth_ms() < until; i++) {
		if (store_session_next(auth.store, at, &s) != STORE_OK) {
			at[0] = '\0';
			return false;
		}
		strlcpy(at, s.id, sizeof(at));
		if (live_find(s.id) != NULL ||
		    policy_session_alive(&auth.conf.auth, &s, auth_now()))
			continue;
		if (session_revoke(&s, REVOKED_EXPIRED, "time") != STORE_OK)
			return false;
		some = true;
	}
	return some;
}

void
session_tick(void)
{
	static int64_t swept;
	static bool more;

	expire_live();
	if (more || auth_ms() - swept >= SWEEP_EVERY) {
		swept = auth_ms();
		more = sweep();
	}
}

/* Before this process leaves. */
void
session_flush(void)
{
	struct live *l;

	RB_FOREACH(l, lives, &lives)
	live_write(l);
}
