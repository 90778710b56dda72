/*
 * Logins.  Whatever is wrong (no such user, the password, an account that is
 * disabled) takes the same way through this file, costs the same hash and gets
 * the same answer at the same points of time.
 *
 * An attempt waits until a hash helper is free and until no earlier attempt of
 * the same source or account could still use up what it is allowed.
 */
#include <openssl/evp.h>

#include <stdlib.h>
#include <string.h>

#include <bsd/stdlib.h>
#include <bsd/string.h>

#include "auth.h"
#include "auth_policy.h"
#include "auth_rate.h"

#define QUEUE_MAX     64  /* that wait */
#define QUEUE_SOURCE  32  /* of one source */
#define QUEUE_ACCOUNT 16  /* for one account, from strange sources */
#define LOGINS_MAX    512 /* with those whose answer is held back */
#define WAIT_MS       30000
#define NO_HELPER_MS  10000
#define PAD_MS        50 /* failures are answered at multiples of this */
#define UNIX_FACTOR   20 /* a local socket hides who is behind it */
#define SLOW_FACTOR   10 /* times the limit, from anywhere: slow down */
#define SLOW_STEP_MS  200
#define SLOW_MAX_MS   2000

enum login_state {
	L_FREE,
	L_WAITING,
	L_RUNNING,
	L_ANSWERING,
	L_REHASHING,
};

struct login {
	enum login_state state;
	struct worker *worker; /* NULL: gone meanwhile */
	uint32_t id;
	uint64_t order;
	struct wire_addr source;
	char from[INET6_ADDRSTRLEN];
	char name[WIRE_EMAIL];
	char password[WIRE_PASSWORD];
	char agent[WIRE_AGENT];
	char rid[WIRE_RID];
	bool tokens; /* are wanted, not a cookie */
	bool known;  /* logged in from there */
	uint8_t by_source[RATE_KEY];
	uint8_t by_both[RATE_KEY];
	uint8_t by_account[RATE_KEY];
	int64_t not_before;
	int64_t started;      /* queued, then run */
	uint32_t uid;         /* 0: no such user */
	char hash[WIRE_HASH]; /* that the password is held against */
	struct event *timer;
};

static struct login logins[LOGINS_MAX];
static struct {
	struct rate *source;
	struct rate *local;   /* the same for local sockets */
	struct rate *both;    /* one account from one source */
	struct rate *account; /* one account from anywhere */
	struct event *timer;  /* for those that are slowed down */
	bool kicking;
} lg;

static void on_verified(void *, uint32_t, enum wire_hashed, const char *);

void
login_config(void)
{
	const struct conf_rate *r = &auth.conf.ratelimit.login;
	uint32_t local, slow;

	local = r->count > UINT32_MAX / UNIX_FACTOR ? UINT32_MAX : r->count * UNIX_FACTOR;
	slow = r->count > UINT32_MAX / SLOW_FACTOR / 2 ? UINT32_MAX :
							 r->count * SLOW_FACTOR * 2;
	if (lg.source == NULL) {
		lg.source = rate_new(r->count, r->period, RATE_ENTRIES);
		lg.local = rate_new(local, r->period, 16);
		lg.both = rate_new(r->count, r->period, RATE_ENTRIES);
		lg.account = rate_new(slow, r->period, RATE_ENTRIES);
	}
	if (lg.source == NULL || lg.local == NULL || lg.both == NULL ||
	    lg.account == NULL)
		fatalx("out of memory");
	rate_config(lg.source, r->count, r->period);
	rate_config(lg.local, local, r->period);
	rate_config(lg.both, r->count, r->period);
	rate_config(lg.account, slow, r->period);
}

static struct rate *
source_table(const struct login *l)
{
	return l->source.unix_peer != 0 ? lg.local : lg.source;
}

/* An account, which may not exist, from one source or any.  Of a source alone it is the
 * prefix, which can be shown. */
static void
key(uint8_t out[RATE_KEY], const char *what, const char *name, const uint8_t *prefix)
{
	static uint8_t secret[32];
	static bool made;
	uint8_t buf[sizeof(secret) + 8 + WIRE_EMAIL + 16], md[32];

	if (!made) {
		arc4random_buf(secret, sizeof(secret));
		made = true;
	}
	memset(buf, 0, sizeof(buf));
	memcpy(buf, secret, sizeof(secret));
	strlcpy((char *)buf + sizeof(secret), what, 8);
	strlcpy((char *)buf + sizeof(secret) + 8, name, WIRE_EMAIL);
	if (prefix != NULL)
		memcpy(buf + sizeof(secret) + 8 + WIRE_EMAIL, prefix, 16);
	if (EVP_Digest(buf, sizeof(buf), md, NULL, EVP_sha256(), NULL) != 1)
		fatalx("SHA-256 failed");
	memcpy(out, md, RATE_KEY);
}

static void
login_free(struct login *l)
{
	struct event *timer = l->timer;

	explicit_bzero(l, sizeof(*l));
	l->timer = timer;
}

/* Answer with what is no success, and be done with it. */
static void
answer(struct login *l, enum wire_auth result, uint32_t retry)
{
	struct worker *w = l->worker;
	uint32_t id = l->id;

	login_free(l);
	if (w != NULL)
		worker_who(w, id, result, retry);
}

static void
log_limited(const struct login *l, uint32_t retry)
{
	int64_t now = auth_ms();
	uint32_t r;

	auth.count.limited++;
	if (rate_look(source_table(l), l->by_source, now, &r) == RATE_DENY)
		rate_denied(source_table(l), l->by_source, now);
	(void)audit_event(AUDIT_LOGIN_LIMITED, LOG_S("user", l->name),
	    LOG_S("source", l->from), LOG_N("retry", retry), LOG_S("rid", l->rid),
	    LOG_S("agent", l->agent));
}

/* Is the account or the source at its end?  The worse of both counts. */
static enum rate_verdict
verdict(const struct login *l, int64_t now, uint32_t *retry)
{
	enum rate_verdict s, b;
	uint32_t rs, rb;

	s = rate_look(source_table(l), l->by_source, now, &rs);
	b = rate_look(lg.both, l->by_both, now, &rb);
	*retry = rs > rb ? rs : rb;
	return s > b ? s : b;
}

/*
 * Whose turn is it?  First who is logged in from there, then whose source has failed
 * least: who guesses from many addresses waits for each other, and who comes from
 * elsewhere for none of them.
 */
static uint32_t
rank(const struct login *l, int64_t now)
{
	return l->known ? 0 : 1 + rate_failures(source_table(l), l->by_source, now);
}

static bool
before(const struct login *a, const struct login *b, int64_t now)
{
	uint32_t ra = rank(a, now), rb = rank(b, now);

	return ra != rb ? ra < rb : a->order < b->order;
}

static struct login *
waiting_first(int64_t now)
{
	struct login *l, *first = NULL;
	uint32_t retry;

	for (l = logins; l < logins + LOGINS_MAX; l++) {
		if (l->state != L_WAITING || l->not_before > now ||
		    (first != NULL && before(first, l, now)))
			continue;
		if (verdict(l, now, &retry) != RATE_WAIT)
			first = l;
	}
	return first;
}

static void
hold_places(const struct login *l, int64_t now)
{
	rate_begin(source_table(l), l->by_source, now);
	rate_begin(lg.both, l->by_both, now);
	rate_begin(lg.account, l->by_account, now);
}

static void
leave_places(const struct login *l, bool failed)
{
	int64_t now = auth_ms();

	rate_end(source_table(l), l->by_source, now, failed);
	rate_end(lg.both, l->by_both, now, failed);
	rate_end(lg.account, l->by_account, now, failed);
}

static void
start(struct login *l)
{
	struct hash_params want;
	struct store_account a;
	enum store_result r;

	l->state = L_RUNNING;
	l->started = auth_ms();
	hold_places(l, l->started);
	if (strchr(l->name, '@') != NULL)
		r = store_account_by_email(auth.store, l->name, &a);
	else
		r = store_account_by_name(auth.store, l->name, &a);
	policy_hash_want(&auth.conf.auth, &want);
	policy_hash_dummy(&want, l->hash);
	l->uid = 0;
	if (r == STORE_OK) {
		l->uid = a.uid;
		/* Where a link has to set a password first, none fits. */
		if (a.hash[0] != '\0')
			strlcpy(l->hash, a.hash, sizeof(l->hash));
	}
	explicit_bzero(&a, sizeof(a));
	if ((r == STORE_OK || r == STORE_NOT_FOUND) &&
	    hash_verify(l->password, l->hash, on_verified, l, l->id))
		return;
	leave_places(l, false);
	answer(l, AUTH_BUSY, 1);
}

/* Give free helpers what waits. */
void
login_kick(void)
{
	int64_t now = auth_ms();
	struct login *l;
	uint32_t retry;

	if (lg.kicking)
		return;
	lg.kicking = true;
	while (hash_free() > 0 && (l = waiting_first(now)) != NULL) {
		if (verdict(l, now, &retry) == RATE_DENY) {
			log_limited(l, retry);
			answer(l, AUTH_RATE_LIMITED, retry);
		} else {
			start(l);
		}
	}
	lg.kicking = false;
}

static void
on_answer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	answer(arg, AUTH_DENIED, 0);
}

/*
 * The answer waits for the next multiple of PAD_MS since the start: what an
 * index or a flag took cannot be read from it.
 */
static void
failed(struct login *l)
{
	struct timeval tv = { 0, 0 };
	int64_t ms;

	leave_places(l, true);
	auth.count.failed++;
	explicit_bzero(l->password, sizeof(l->password));
	(void)audit_event(AUDIT_LOGIN_FAILED, LOG_S("user", l->name),
	    LOG_S("source", l->from), LOG_S("rid", l->rid), LOG_S("agent", l->agent));
	source_note(0, &l->source, NOTE_LOGIN_FAILED);
	if (l->worker == NULL) {
		login_free(l);
		return;
	}
	ms = auth_ms() - l->started + 1;
	ms = PAD_MS - ms % PAD_MS;
	tv.tv_usec = ms * 1000;
	if (l->timer == NULL && (l->timer = evtimer_new(auth.base, on_answer, l)) == NULL)
		fatalx("out of memory");
	l->state = L_ANSWERING;
	event_add(l->timer, &tv);
}

/* A hash by today's parameters, if the account still has the one of then. */
static void
on_rehashed(void *owner, uint32_t tag, enum wire_hashed result, const char *encoded)
{
	struct login *l = owner;
	struct store_account a;

	(void)tag;
	if (result == HASHED_YES &&
	    store_account_by_uid(auth.store, l->uid, &a) == STORE_OK) {
		if (strcmp(a.hash, l->hash) == 0) {
			/* Another form of the same: no change that somebody made. */
			strlcpy(a.hash, encoded, sizeof(a.hash));
			(void)store_account_put(auth.store, &a);
		}
		explicit_bzero(&a, sizeof(a));
	}
	login_free(l);
}

static void
no_session(struct login *l, enum store_result r)
{
	struct worker *w = l->worker;
	uint32_t id = l->id;

	(void)audit_event(AUDIT_LOGIN_ERROR, LOG_S("user", l->name),
	    LOG_S("source", l->from), LOG_S("rid", l->rid),
	    LOG_S("why", store_strerror(r)), LOG_S("agent", l->agent));
	login_free(l);
	if (r == STORE_NO_SPACE)
		worker_fail(w, id, FAIL_NO_SPACE, "no space is left");
	else
		worker_fail(w, id, FAIL_INTERNAL, "internal error");
}

static void
succeeded(struct login *l, struct store_account *a)
{
	uint8_t token[WIRE_TOKEN];
	struct store_session s;
	enum store_result r;
	struct worker *w = l->worker;
	bool moved;

	if (w->uid != 0 && w->uid != a->uid) {
		answer(l, AUTH_OTHER_USER, 0);
		return;
	}
	/* Making room may end the session that it acted for: it moves on first. */
	moved = w->live != NULL;
	session_leave(w);
	r = session_new(a, &l->source, l->agent, token, &s);
	if (r == STORE_OK && l->tokens)
		session_family(&s);
	if (r == STORE_OK &&
	    !audit_event(AUDIT_LOGIN_OK, LOG_S("user", a->name), LOG_S("source", l->from),
		LOG_S("session", s.id), LOG_S("rid", l->rid), LOG_S("actor", a->name),
		LOG_S("agent", l->agent)))
		r = STORE_NO_SPACE;
	a->last_login = auth_now();
	if (r == STORE_OK)
		r = store_session_login(auth.store, &s, a->last_login);
	if (r != STORE_OK) {
		no_session(l, r);
		if (moved)
			worker_revoke(w, REVOKED_EXPIRED);
		return;
	}
	auth.count.logins++;
	(void)worker_bind(w, a, &s);
	if (l->tokens)
		token_login(w, l->id, a, &s);
	else
		worker_who_ok(w, l->id, token, a, &s);
	explicit_bzero(token, sizeof(token));
	explicit_bzero(&s, sizeof(s));
	l->worker = NULL;
	l->state = L_REHASHING;
	if (!policy_rehash(&auth.conf.auth, l->hash) ||
	    !hash_make(l->password, on_rehashed, l, 0))
		login_free(l);
}

static void
on_verified(void *owner, uint32_t tag, enum wire_hashed result, const char *encoded)
{
	struct login *l = owner;
	struct store_account a;
	bool ok;

	(void)tag;
	(void)encoded;
	if (result == HASHED_FAILED) {
		leave_places(l, false);
		answer(l, AUTH_BUSY, 1);
		return;
	}
	/* The account as it is now; of an unknown user, there is none. */
	ok = store_account_by_uid(auth.store, l->uid, &a) == STORE_OK;
	ok = ok && account_usable(&a) && strcmp(a.hash, l->hash) == 0;
	ok = ok && result == HASHED_YES;
	if (!ok) {
		failed(l);
	} else {
		leave_places(l, false);
		if (l->worker == NULL)
			login_free(l);
		else
			succeeded(l, &a);
	}
	explicit_bzero(&a, sizeof(a));
}

/* Has this account been at this source's before, and is it still? */
static bool
known_source(const struct login *l)
{
	struct store_session s[16];
	struct store_account a;
	uint8_t mine[16], other[16];
	enum store_result r;
	size_t i, n;

	if (strchr(l->name, '@') != NULL)
		r = store_account_by_email(auth.store, l->name, &a);
	else
		r = store_account_by_name(auth.store, l->name, &a);
	if (r != STORE_OK)
		return false;
	n = store_session_of_user(auth.store, a.uid, s, 16);
	explicit_bzero(&a, sizeof(a));
	addr_prefix(&l->source, mine);
	for (i = 0; i < n; i++) {
		addr_prefix(&s[i].source, other);
		if (memcmp(mine, other, sizeof(mine)) == 0 &&
		    policy_session_alive(&auth.conf.auth, &s[i], auth_now()))
			return true;
	}
	return false;
}

static void
on_slow(evutil_socket_t fd, short what, void *arg)
{
	const struct login *l;
	int64_t now = auth_ms();

	(void)fd;
	(void)what;
	(void)arg;
	login_kick();
	for (l = logins; l < logins + LOGINS_MAX; l++)
		if (l->state == L_WAITING && l->not_before > now)
			return;
	event_del(lg.timer);
}

/*
 * An account under attack from many sources answers later, and never not at
 * all; not to those who are logged in from where they ask.
 */
static void
slow_down(struct login *l, int64_t now)
{
	uint32_t n, limit = auth.conf.ratelimit.login.count;
	struct timeval tv = { 0, 0 };
	int64_t ms;

	n = rate_failures(lg.account, l->by_account, now);
	if (limit > UINT32_MAX / SLOW_FACTOR || n < limit * SLOW_FACTOR ||
	    known_source(l))
		return;
	ms = SLOW_STEP_MS * (int64_t)(n / limit - SLOW_FACTOR + 1);
	if (ms > SLOW_MAX_MS)
		ms = SLOW_MAX_MS;
	l->not_before = now + ms;
	if (lg.timer == NULL &&
	    (lg.timer = event_new(auth.base, -1, EV_PERSIST, on_slow, NULL)) == NULL)
		fatalx("out of memory");
	tv.tv_usec = SLOW_STEP_MS / 2 * 1000;
	if (!evtimer_pending(lg.timer, NULL))
		event_add(lg.timer, &tv);
}

static bool
others_wait(const struct login *n)
{
	const struct login *l;

	for (l = logins; l < logins + LOGINS_MAX; l++)
		if (l->state == L_WAITING && l != n)
			return true;
	return false;
}

/* Is there room for one more from there?  If need be, the last in turn makes it. */
static bool
queue_room(const struct login *n, int64_t now)
{
	unsigned int all = 0, source = 0, account = 0;
	struct login *l, *last = NULL;

	for (l = logins; l < logins + LOGINS_MAX; l++) {
		if (l->state != L_WAITING || l == n)
			continue;
		if (last == NULL || before(last, l, now))
			last = l;
		all++;
		source += memcmp(l->by_source, n->by_source, RATE_KEY) == 0;
		account += l->not_before != 0 &&
		    memcmp(l->by_account, n->by_account, RATE_KEY) == 0;
	}
	if (source >= QUEUE_SOURCE || (n->not_before != 0 && account >= QUEUE_ACCOUNT) ||
	    (all >= QUEUE_MAX && before(last, n, now)))
		return false;
	if (all >= QUEUE_MAX)
		answer(last, AUTH_BUSY, 1);
	return true;
}

static struct login *
login_new(struct worker *w, uint32_t id, struct m_login *m)
{
	static uint64_t order;
	struct login *l, *found = NULL;
	uint8_t prefix[16];

	for (l = logins; l < logins + LOGINS_MAX; l++) {
		/* One at a time: nobody has two passwords to try. */
		if (l->state != L_FREE && l->worker == w)
			return NULL;
		if (l->state == L_FREE)
			found = l;
	}
	if ((l = found) == NULL)
		return NULL;
	l->state = L_WAITING;
	l->worker = w;
	l->id = id;
	l->order = ++order;
	l->started = auth_ms();
	l->source = w->source;
	strlcpy(l->from, w->from, sizeof(l->from));
	strlcpy(l->name, m->name, sizeof(l->name));
	fold(l->name);
	strlcpy(l->password, m->password, sizeof(l->password));
	strlcpy(l->agent, m->agent, sizeof(l->agent));
	strlcpy(l->rid, m->rid, sizeof(l->rid));
	l->tokens = m->tokens != 0;
	addr_prefix(&l->source, prefix);
	memcpy(l->by_source, prefix, sizeof(l->by_source));
	key(l->by_both, "both", l->name, prefix);
	key(l->by_account, "any", l->name, NULL);
	return l;
}

void
login_start(struct worker *w, uint32_t id, struct m_login *m)
{
	int64_t now = auth_ms();
	struct login *l;
	uint32_t retry;

	if ((l = login_new(w, id, m)) == NULL) {
		worker_who(w, id, AUTH_BUSY, 1);
		return;
	}
	if (verdict(l, now, &retry) == RATE_DENY) {
		log_limited(l, retry);
		answer(l, AUTH_RATE_LIMITED, retry);
		return;
	}
	slow_down(l, now);
	/* Looked up only where it matters: what it takes tells who has sessions. */
	l->known = others_wait(l) && known_source(l);
	if (!queue_room(l, now)) {
		answer(l, AUTH_BUSY, 1);
		return;
	}
	login_kick();
}

/* Nobody waits for ever: without helpers, logins fail. */
void
login_tick(void)
{
	int64_t limit = hash_present() ? WAIT_MS : NO_HELPER_MS;
	int64_t now = auth_ms();
	struct login *l;

	for (l = logins; l < logins + LOGINS_MAX; l++)
		if (l->state == L_WAITING && now - l->started >= limit)
			answer(l, AUTH_BUSY, 5);
}

/* The worker is gone; what runs for it still counts. */
void
login_forget(const struct worker *w)
{
	struct login *l;

	for (l = logins; l < logins + LOGINS_MAX; l++) {
		if (l->state == L_FREE || l->worker != w)
			continue;
		l->worker = NULL;
		if (l->state == L_WAITING)
			login_free(l);
		else if (l->state == L_ANSWERING) {
			event_del(l->timer);
			login_free(l);
		}
	}
}

size_t
login_top(struct wire_top *top, size_t max)
{
	return rate_top(lg.source, LIMIT_LOGIN, auth_ms(), top, max);
}

/* As an attempt to log in, for who tells a password elsewhere. */
static void
gate_keys(const struct wire_addr *source, const char *name, struct login *l)
{
	uint8_t prefix[16];

	memset(l, 0, sizeof(*l));
	l->source = *source;
	addr_prefix(source, prefix);
	memcpy(l->by_source, prefix, sizeof(l->by_source));
	key(l->by_both, "both", name, prefix);
	key(l->by_account, "any", name, NULL);
}

bool
login_gate_begin(const struct wire_addr *source, const char *name, uint32_t *retry)
{
	static struct login l;

	gate_keys(source, name, &l);
	if (verdict(&l, auth_ms(), retry) != RATE_GO)
		return false;
	hold_places(&l, auth_ms());
	return true;
}

void
login_gate_end(const struct wire_addr *source, const char *name, bool failed)
{
	static struct login l;

	gate_keys(source, name, &l);
	leave_places(&l, failed);
	if (failed)
		source_note(0, source, NOTE_LOGIN_FAILED);
}
