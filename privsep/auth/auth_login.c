/*
 * Logins.  Whatever is wrong (no such user, the password, an account that is
 * disabled) takes the same way through this file, costs the same hash and gets
 * the same answer at the same points of time.
 *
 * An attempt waits until a hash helper is free, until it is its turn, and until no
 * earlier attempt of the same source or account could still use up what it is allowed.
 */
#include <string.h>

#include <bsd/string.h>

#include "auth_login.h"
#include "auth_policy.h"

#define LOGINS_MAX   512 /* with those whose answer is held back */
#define WAIT_MS      30000
#define NO_HELPER_MS 10000
#define PAD_MS       50 /* failures are answered at multiples of this */

struct login_list logins = TAILQ_HEAD_INITIALIZER(logins);
static struct login places[LOGINS_MAX];

static void on_verified(void *, uint32_t, enum wire_hashed, const char *);

static void
login_free(struct login *l)
{
	struct event *timer = l->timer;

	TAILQ_REMOVE(&logins, l, entry);
	explicit_bzero(l, sizeof(*l));
	l->timer = timer;
}

/* Answer with what is no success, and be done with it. */
void
login_answer(struct login *l, enum wire_auth result, uint32_t retry)
{
	struct worker *w = l->worker;
	uint32_t id = l->id;

	login_free(l);
	if (w != NULL)
		worker_who(w, id, result, retry);
}

/* The password against the hash. */
static void
hold(struct login *l)
{
	if (hash_verify(l->password, l->hash, on_verified, l, l->id))
		return;
	login_leave(l, false);
	login_answer(l, AUTH_BUSY, 1);
}

static void
start(struct login *l)
{
	struct hash_params want;
	struct store_account a;
	enum store_result r;

	l->state = L_RUNNING;
	l->started = auth_ms();
	login_hold(l, l->started);
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
	if (r == STORE_OK || r == STORE_NOT_FOUND) {
		hold(l);
		return;
	}
	login_leave(l, false);
	login_answer(l, AUTH_BUSY, 1);
}

/* Give free helpers what waits. */
void
login_kick(void)
{
	static bool kicking;
	int64_t now = auth_ms();
	struct login *l;
	uint32_t retry;

	if (kicking)
		return;
	kicking = true;
	while (hash_free() > 0 && (l = login_next(now)) != NULL) {
		if (login_verdict(l, now, &retry) == RATE_DENY)
			login_limited(l, retry);
		else
			start(l);
	}
	kicking = false;
}

static void
on_answer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	login_answer(arg, AUTH_DENIED, 0);
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

	login_leave(l, true);
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
		login_answer(l, AUTH_OTHER_USER, 0);
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
	else {
		worker_who_ok(w, l->id, token, a, &s);
		sandbox_coming(a->uid, a->name);
	}
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
	audit_request(l->from, l->agent, l->rid, "");
	if (result == HASHED_FAILED) {
		login_leave(l, false);
		login_answer(l, AUTH_BUSY, 1);
		return;
	}
	/* The account as it is now; of an unknown user, there is none. */
	ok = store_account_by_uid(auth.store, l->uid, &a) == STORE_OK;
	ok = ok && account_usable(&a) && a.hash[0] != '\0';
	ok = ok && result == HASHED_YES;
	if (ok && strcmp(a.hash, l->hash) != 0) {
		/* It was hashed anew for another login, or is another one by now:
		 * against what it is, then. */
		strlcpy(l->hash, a.hash, sizeof(l->hash));
		hold(l);
	} else if (!ok) {
		failed(l);
	} else {
		login_leave(l, false);
		if (l->worker == NULL)
			login_free(l);
		else
			succeeded(l, &a);
	}
	explicit_bzero(&a, sizeof(a));
}

static struct login *
login_new(struct worker *w, uint32_t id, struct m_login *m)
{
	static uint64_t order;
	struct login *l;

	/* One at a time: nobody has two passwords to try. */
	TAILQ_FOREACH(l, &logins, entry)
		if (l->worker == w)
			return NULL;
	for (l = places; l < places + LOGINS_MAX && l->state != L_FREE; l++)
		;
	if (l == places + LOGINS_MAX)
		return NULL;
	TAILQ_INSERT_TAIL(&logins, l, entry);
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
	strlcpy(l->agent, w->agent, sizeof(l->agent));
	strlcpy(l->rid, w->rid, sizeof(l->rid));
	l->tokens = m->tokens != 0;
	login_keys(l);
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
	if (login_verdict(l, now, &retry) == RATE_DENY)
		login_limited(l, retry);
	else if (!login_queue(l, now))
		login_answer(l, AUTH_BUSY, 1);
	else
		login_kick();
}

/* Nobody waits for ever: without helpers, logins fail. */
void
login_tick(void)
{
	int64_t limit = hash_present() ? WAIT_MS : NO_HELPER_MS;
	int64_t now = auth_ms();
	struct login *l;

	for (l = places; l < places + LOGINS_MAX; l++)
		if (l->state == L_WAITING && now - l->started >= limit)
			login_answer(l, AUTH_BUSY, 5);
}

/* The worker is gone; what runs for it still counts. */
void
login_forget(const struct worker *w)
{
	struct login *l;

	for (l = places; l < places + LOGINS_MAX; l++) {
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
