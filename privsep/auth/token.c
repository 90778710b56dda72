/* Tokens as JWT: see token.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bsd/stdlib.h>
#include <bsd/string.h>

#include "../jwt.h"
#include "auth.h"
#include "auth_policy.h"
#include "store_record.h"
#include "token.h"
#include "token_jwt.h"
#include "../hex.h"

#define SIGN_SECONDS 5

/* A pair that keys is asked to sign. */
struct token_issue {
	uint32_t id; /* of the worker's question */
	uint32_t question;
	bool refresh;
	/* The worker's request, which may be at another one when keys answers. */
	char rid[WIRE_RID];
	char agent[WIRE_AGENT];
	uint8_t key[STORE_KEY]; /* of the family */
	struct m_tokens tokens;
};

void
token_forget(struct worker *w)
{
	if (w->issue == NULL)
		return;
	freezero(w->issue, sizeof(*w->issue));
	w->issue = NULL;
}

/* Whoever's access token is over, and who has shown no newer one. */
void
token_tick(void)
{
	worker_until(auth_now());
}

static void
denied(struct worker *w, uint32_t id, const char *why)
{
	(void)audit_event(
	    AUDIT_TOKEN_DENIED, LOG_S("source", w->from), LOG_S("why", why));
	worker_who(w, id, AUTH_DENIED, 0);
}

static bool
strings_ok(const struct m_jwt *m)
{
	return wire_str(m->jwt.issuer) && wire_str(m->jwt.name) &&
	    wire_str(m->jwt.session) && wire_str(m->jwt.jti) && wire_str(m->jwt.kid);
}

/*
 * The session and account that a token stands for, if everything about it is
 * right; NULL, or why not.  *r tells when the store could not be asked.
 */
static const char *
find(const struct m_jwt *m, uint32_t use, struct store_session *s,
    struct store_account *a, enum store_result *r)
{
	struct wire_jwt j = m->jwt;
	const char *why;

	*r = STORE_OK;
	if (j.use != use)
		return "for another use";
	if (!session_id_ok(j.session) ||
	    (*r = store_session_by_id(auth.store, j.session, s)) == STORE_NOT_FOUND ||
	    (*r == STORE_OK && !policy_session_alive(&auth.conf.auth, s, auth_now()))) {
		*r = STORE_OK;
		return "of no family";
	}
	if (*r == STORE_OK)
		*r = store_account_by_uid(auth.store, s->uid, a);
	if (*r == STORE_NOT_FOUND || (*r == STORE_OK && !account_usable(a))) {
		*r = STORE_OK;
		return "of no user";
	}
	if (*r != STORE_OK)
		return "not to be found out";
	/* Nothing is passed over because it does not matter to us. */
	if (strcmp(j.issuer, auth.conf.auth.token_issuer) != 0)
		return "of another issuer";
	if (strcmp(j.name, a->name) != 0)
		return "of another name";
	if (!token_signed(&j, &m->sig))
		return "not signed by us";
	if ((why = token_claims(&auth.conf.auth, &j, s, a, auth_now())) != NULL)
		return why;
	return NULL;
}

/* Does it act for something else already?  One connection, one credential. */
static bool
is_other(const struct worker *w, const struct store_session *s)
{
	return w->uid != 0 &&
	    (w->uid != s->uid || w->live == NULL || strcmp(w->live->id, s->id) != 0);
}

static void
bind_until(struct worker *w, const struct store_account *a, const struct store_session *s,
    int64_t until)
{
	(void)worker_bind(w, a, s);
	w->until = until;
}

/* What a worker shows is good, for this use and on this connection; false, and answered,
 * if not: w may be gone then.  Whoever calls wipes both. */
static bool
shown(struct worker *w, const struct msg *m, uint32_t use, struct store_session *s,
    struct store_account *a)
{
	const struct m_jwt *j = MSG_DATA(m, m_jwt);
	enum store_result r;
	const char *why;

	memset(a, 0, sizeof(*a));
	memset(s, 0, sizeof(*s));
	if (!strings_ok(j)) {
		worker_bad(w, "token without an end of a string");
		return false;
	}
	why = find(j, use, s, a, &r);
	if (w->over)
		; /* it has been told */
	else if (r != STORE_OK)
		worker_store_fail(w, m->head.id, r);
	else if (why != NULL)
		denied(w, m->head.id, why);
	else if (is_other(w, s))
		worker_who(w, m->head.id, AUTH_OTHER_USER, 0);
	else
		return true;
	return false;
}

void
token_on_use(struct chan *c, struct msg *m)
{
	struct worker *w = c->arg;
	const struct wire_jwt *j = &MSG_DATA(m, m_jwt)->jwt;
	struct store_session s;
	struct store_account a;

	worker_charge(w, COST_ASK);
	if (shown(w, m, JWT_ACCESS, &s, &a)) {
		/* An older one that is still good takes nothing away. */
		bind_until(w, &a, &s, w->until > j->expires ? w->until : j->expires);
		worker_who_ok(w, m->head.id, NULL, &a, &s);
	}
	explicit_bzero(&a, sizeof(a));
	explicit_bzero(&s, sizeof(s));
}

/* --- new pairs --- */

static void
fill(struct wire_jwt *j, uint32_t use, const struct store_account *a,
    const struct store_session *s, uint32_t generation, int64_t now, int64_t expires)
{
	uint8_t id[(WIRE_JTI - 1) / 2];

	strlcpy(j->issuer, auth.conf.auth.token_issuer, sizeof(j->issuer));
	strlcpy(j->name, a->name, sizeof(j->name));
	strlcpy(j->session, s->id, sizeof(j->session));
	arc4random_buf(id, sizeof(id));
	hex_put(j->jti, id, sizeof(id));
	j->use = use;
	j->uid = a->uid;
	j->version = a->token_version;
	j->generation = generation;
	j->issued = now;
	j->expires = expires < s->expires ? expires : s->expires;
}

/* It cannot be had: a family without tokens is of no use to anybody. */
static void
issue_fail(struct worker *w, bool refresh, uint32_t id, const uint8_t key[STORE_KEY])
{
	struct store_session s;

	worker_fail(w, id, FAIL_UNAVAILABLE, "tokens cannot be signed now");
	if (refresh || store_session_by_key(auth.store, key, &s) != STORE_OK)
		return;
	(void)session_revoke(&s, REVOKED_LOGOUT, w->user);
	explicit_bzero(&s, sizeof(s));
}

/* This refresh token was used before: whoever holds the family's loses it. */
static void
reused(struct worker *w, uint32_t id, const struct store_account *a,
    const struct store_session *s, uint32_t generation)
{
	(void)audit_event(AUDIT_TOKEN_REUSED, LOG_S("user", a->name),
	    LOG_S("source", w->from), LOG_S("session", s->id),
	    LOG_N("generation", generation), LOG_S("actor", a->name));
	worker_who(w, id, AUTH_DENIED, 0);
	if (session_revoke(s, REVOKED_REUSE, a->name) != STORE_OK)
		session_drop(s->id, REVOKED_REUSE);
}

/* The rotation is on the disk before the new pair is seen. */
static enum store_result
rotate(struct worker *w, const struct token_issue *is, struct store_account *a,
    struct store_session *s, bool *late)
{
	const struct wire_jwt *j = &is->tokens.refresh.jwt;
	enum store_result r;

	if ((r = store_session_by_key(auth.store, is->key, s)) != STORE_OK ||
	    (r = store_account_by_uid(auth.store, s->uid, a)) != STORE_OK)
		return r;
	if (!account_usable(a) || a->token_version != j->version ||
	    !policy_session_alive(&auth.conf.auth, s, auth_now()))
		return STORE_NOT_FOUND;
	/* Another one was quicker with the same refresh token. */
	*late = s->generation + is->refresh != j->generation;
	if (*late || !is->refresh)
		return STORE_OK;
	if (!audit_event(AUDIT_TOKEN_REFRESHED, LOG_S("user", a->name),
		LOG_S("source", w->from), LOG_S("session", s->id),
		LOG_S("actor", a->name)))
		return STORE_NO_SPACE;
	r = store_session_rotate(auth.store, is->key, j->generation, auth_now());
	if (r == STORE_OK)
		s->generation = j->generation;
	return r;
}

static bool
on_signed(void *owner, uint32_t tag, struct msg *m)
{
	struct worker *w = owner;
	const struct m_jwt_signed *ans;
	struct token_issue is = *w->issue;
	struct m_tokens *t = &is.tokens;
	struct store_session s;
	struct store_account a;
	enum store_result r;
	bool late = false;

	(void)tag;
	audit_request(w->from, is.agent, is.rid, "");
	token_forget(w);
	memset(&a, 0, sizeof(a));
	memset(&s, 0, sizeof(s));
	if (m == NULL || !MSG_DATA(m, m_jwt_signed)->ok) {
		issue_fail(w, is.refresh, is.id, is.key);
		explicit_bzero(&is, sizeof(is));
		return true;
	}
	ans = MSG_DATA(m, m_jwt_signed);
	t->access.sig = ans->access;
	t->refresh.sig = ans->refresh;
	t->access.jwt.alg = t->refresh.jwt.alg = ans->alg;
	strlcpy(t->access.jwt.kid, ans->kid, sizeof(t->access.jwt.kid));
	strlcpy(t->refresh.jwt.kid, ans->kid, sizeof(t->refresh.jwt.kid));
	r = rotate(w, &is, &a, &s, &late);
	if (r == STORE_NOT_FOUND)
		denied(w, is.id, "ended meanwhile");
	else if (r != STORE_OK)
		worker_store_fail(w, is.id, r);
	else if (late)
		reused(w, is.id, &a, &s, t->refresh.jwt.generation - 1);
	else if (is_other(w, &s))
		worker_who(w, is.id, AUTH_OTHER_USER, 0); /* w is gone */
	else {
		bind_until(w, &a, &s, t->access.jwt.expires);
		worker_who_fill(&t->who, &a, &s);
		chan_send(&w->chan, M_TOKENS, is.id, -1, t, sizeof(*t));
	}
	explicit_bzero(&a, sizeof(a));
	explicit_bzero(&s, sizeof(s));
	explicit_bzero(&is, sizeof(is));
	return true;
}

static void
issue(struct worker *w, uint32_t id, bool refresh, const struct store_account *a,
    const struct store_session *s)
{
	const struct conf_auth *conf = &auth.conf.auth;
	struct m_jwt_sign sign;
	struct token_issue *is;
	int64_t now = auth_now();

	if (w->issue != NULL || (is = calloc(1, sizeof(*is))) == NULL) {
		worker_fail(w, id, FAIL_BUSY, "one at a time");
		return;
	}
	strlcpy(is->rid, w->rid, sizeof(is->rid));
	strlcpy(is->agent, w->agent, sizeof(is->agent));
	w->issue = is;
	is->id = id;
	is->refresh = refresh;
	memcpy(is->key, s->key, sizeof(is->key));
	fill(&is->tokens.access.jwt, JWT_ACCESS, a, s, s->generation + refresh, now,
	    now + conf->token_access);
	fill(&is->tokens.refresh.jwt, JWT_REFRESH, a, s, s->generation + refresh, now,
	    s->expires);
	memset(&sign, 0, sizeof(sign));
	sign.access = is->tokens.access.jwt;
	sign.refresh = is->tokens.refresh.jwt;
	if (ask(&auth.keys, M_JWT_SIGN, &sign, sizeof(sign), SIGN_SECONDS, on_signed, w,
		0) == 0) {
		token_forget(w);
		issue_fail(w, refresh, id, s->key);
	}
}

void
token_login(struct worker *w, uint32_t id, const struct store_account *a,
    const struct store_session *s)
{
	issue(w, id, false, a, s);
}

void
token_on_refresh(struct chan *c, struct msg *m)
{
	struct worker *w = c->arg;
	uint32_t generation = MSG_DATA(m, m_jwt)->jwt.generation;
	struct store_session s;
	struct store_account a;

	worker_charge(w, COST_COMMIT);
	if (shown(w, m, JWT_REFRESH, &s, &a)) {
		if (generation == s.generation)
			issue(w, m->head.id, true, &a, &s);
		else
			reused(w, m->head.id, &a, &s, generation);
	}
	explicit_bzero(&a, sizeof(a));
	explicit_bzero(&s, sizeof(s));
}

/* For everybody: what our tokens may be verified with. */
void
token_on_jwks(struct chan *c, struct msg *m)
{
	struct worker *w = c->arg;

	worker_charge(w, COST_ASK);
	chan_send(
	    c, M_JWKS_KEYS, m->head.id, -1, token_keys(), sizeof(struct m_jwt_keys));
}
