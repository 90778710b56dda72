/*
 * API tokens: named, long-lived, limited to some permissions, and shown once.  The
 * store has their SHA-256.  A connection that one has bound may do what both its
 * scopes and its user's roles permit.
 */
#include <openssl/evp.h>

#include <stdio.h>
#include <string.h>

#include <bsd/stdlib.h>
#include <bsd/string.h>

#include "auth.h"
#include "store_record.h"
#include "token.h"

#define LIFETIME_MAX (10LL * 365 * 86400)

/* What a connection acts for: as a session, under the token's own id. */
static void
as_session(const struct store_token *t, struct store_session *s)
{
	memset(s, 0, sizeof(*s));
	memcpy(s->key, t->key, sizeof(s->key));
	strlcpy(s->id, t->id, sizeof(s->id));
	s->uid = t->uid;
	s->created = t->created;
	s->seen = t->seen;
	s->expires = t->expires;
	s->kind = STORE_API;
}

static enum store_result
find(const uint8_t token[WIRE_TOKEN], struct store_token *t, struct store_account *a)
{
	uint8_t key[STORE_KEY];
	enum store_result r;

	if (EVP_Digest(token, WIRE_TOKEN, key, NULL, EVP_sha256(), NULL) != 1)
		fatalx("SHA-256 failed");
	if ((r = store_token_by_key(auth.store, key, t)) != STORE_OK)
		return r;
	if (t->expires != 0 && auth_now() >= t->expires)
		return STORE_NOT_FOUND;
	/* Made before the clock was set back. */
	if (t->created > auth_now() + 300)
		return STORE_NOT_FOUND;
	if ((r = store_account_by_uid(auth.store, t->uid, a)) != STORE_OK)
		return r;
	return account_usable(a) ? STORE_OK : STORE_NOT_FOUND;
}

void
token_on_api(struct chan *c, struct msg *m)
{
	struct worker *w = c->arg;
	struct store_account a;
	struct store_session s;
	struct store_token t;
	enum store_result r;
	permits scopes;

	worker_charge(w, COST_LOOK);
	memset(&a, 0, sizeof(a));
	r = find(MSG_DATA(m, m_auth_token)->token, &t, &a);
	explicit_bzero(m->u.bytes, sizeof(struct m_auth_token));
	if (w->over)
		;
	else if (r == STORE_NOT_FOUND) {
		(void)audit_event(AUDIT_TOKEN_DENIED, LOG_S("source", w->from),
		    LOG_S("why", "no API token"));
		worker_who(w, m->head.id, AUTH_DENIED, 0);
	} else if (r != STORE_OK || !permits_parse(t.scopes, &scopes))
		worker_store_fail(w, m->head.id, r == STORE_OK ? STORE_ERROR : r);
	else if (w->uid != 0 && (w->live == NULL || strcmp(w->live->id, t.id) != 0))
		worker_who(w, m->head.id, AUTH_OTHER_USER, 0); /* w is gone */
	else {
		as_session(&t, &s);
		w->scopes = scopes;
		(void)worker_bind(w, &a, &s);
		worker_who_ok(w, m->head.id, NULL, &a, &s);
		explicit_bzero(&s, sizeof(s));
	}
	explicit_bzero(&t, sizeof(t));
	explicit_bzero(&a, sizeof(a));
}

static const char *
add_error(const struct worker *w, const struct m_token_add *m, permits *scopes)
{
	if (!token_name_ok(m->name))
		return "name: 1 to 64 printable ASCII characters, no space around them";
	if (m->scopes[0] == '\0' || !permits_parse(m->scopes, scopes))
		return "scopes: names of permissions, each once, one at least";
	if ((*scopes & ~w->have) != 0)
		return "scopes: only what you are permitted yourself";
	if (m->lifetime > LIFETIME_MAX)
		return "expires_in: 10 years at most";
	return NULL;
}

/* The account of a bound worker's user, with room for one more. */
static const char *
room(const struct worker *w, const char *name)
{
	static struct store_token t[STORE_TOKENS];
	size_t i, n;

	n = store_token_of_user(auth.store, w->uid, t, STORE_TOKENS);
	for (i = 0; i < n; i++)
		if (strcmp(t[i].name, name) == 0)
			return "name: a token of yours has it already";
	return n < STORE_TOKENS ? NULL : "64 tokens is all that one may have";
}

void
token_on_add(struct chan *c, struct msg *m)
{
	struct worker *w = c->arg;
	const struct m_token_add *add = MSG_DATA(m, m_token_add);
	struct m_token_made made;
	char text[PERMITS_TEXT];
	struct store_token t;
	enum store_result r;
	const char *why;
	permits scopes;
	uint8_t id[8];
	size_t i;

	worker_charge(w, COST_COMMIT);
	if (!wire_str(add->name) || !wire_str(add->scopes)) {
		worker_bad(w, "token without an end of a string");
		return;
	}
	/* One that is limited makes none that is less so, nor one that outlives it. */
	if (w->live->kind == STORE_API) {
		worker_fail(w, m->head.id, FAIL_DENIED,
		    "an API token makes no others: log in for it");
		return;
	}
	if ((why = add_error(w, add, &scopes)) != NULL) {
		worker_fail(w, m->head.id, FAIL_INVALID, why);
		return;
	}
	if ((why = room(w, add->name)) != NULL) {
		worker_fail(w, m->head.id, FAIL_EXISTS, why);
		return;
	}
	memset(&t, 0, sizeof(t));
	memset(&made, 0, sizeof(made));
	session_token(made.token, t.key);
	arc4random_buf(id, sizeof(id));
	for (i = 0; i < sizeof(id); i++)
		snprintf(t.id + 2 * i, 3, "%02x", id[i]);
	t.uid = w->uid;
	strlcpy(t.name, add->name, sizeof(t.name));
	strlcpy(t.scopes, permits_text(scopes, text, sizeof(text)), sizeof(t.scopes));
	t.created = auth_now();
	t.expires = add->lifetime == 0 ? 0 : t.created + (int64_t)add->lifetime;
	r = STORE_NO_SPACE;
	if (audit_event(AUDIT_TOKEN_ADDED, LOG_S("user", w->user),
		LOG_S("source", w->from), LOG_S("session", w->live->id),
		LOG_S("token", t.id), LOG_S("name", t.name), LOG_S("scopes", t.scopes),
		LOG_N("expires", t.expires), LOG_S("actor", w->user)))
		r = store_token_add(auth.store, &t);
	if (r != STORE_OK)
		worker_store_fail(w, m->head.id, r);
	else {
		strlcpy(made.id, t.id, sizeof(made.id));
		made.created = t.created;
		made.expires = t.expires;
		chan_send(c, M_TOKEN_MADE, m->head.id, -1, &made, sizeof(made));
	}
	explicit_bzero(&made, sizeof(made));
	explicit_bzero(&t, sizeof(t));
}

void
token_row(const struct store_token *t, const char *user, struct m_token *row)
{
	memset(row, 0, sizeof(*row));
	strlcpy(row->id, t->id, sizeof(row->id));
	strlcpy(row->user, user, sizeof(row->user));
	strlcpy(row->name, t->name, sizeof(row->name));
	strlcpy(row->scopes, t->scopes, sizeof(row->scopes));
	row->created = t->created;
	row->expires = t->expires;
	row->seen = t->seen;
}

void
token_on_list(struct chan *c, struct msg *m)
{
	static struct store_token t[STORE_TOKENS];
	struct worker *w = c->arg;
	struct m_token row;
	size_t i, n;

	worker_charge(w, COST_COMMIT);
	n = store_token_of_user(auth.store, w->uid, t, STORE_TOKENS);
	for (i = 0; i < n; i++) {
		token_row(&t[i], w->user, &row);
		chan_send(c, M_ROW_TOKEN, m->head.id, -1, &row, sizeof(row));
	}
	worker_ok(w, m->head.id, "");
	explicit_bzero(t, sizeof(t));
}

/* From now on nobody can use it, nor goes on with what it began. */
enum store_result
token_revoke(
    const struct store_token *t, const char *user, const char *source, const char *actor)
{
	enum store_result r;

	if (!audit_event(AUDIT_TOKEN_REVOKED, LOG_S("user", user),
		LOG_S("source", source), LOG_S("token", t->id), LOG_S("name", t->name),
		LOG_S("actor", actor)))
		return STORE_NO_SPACE;
	if ((r = store_token_delete(auth.store, t->key)) == STORE_OK)
		session_drop(t->id, REVOKED_ADMIN);
	return r;
}

void
token_on_end(struct chan *c, struct msg *m)
{
	struct worker *w = c->arg;
	const struct m_session_id *id = MSG_DATA(m, m_session_id);
	struct store_token t;
	enum store_result r;
	bool own;

	worker_charge(w, COST_COMMIT);
	if (!wire_str(id->session)) {
		worker_bad(w, "token id without an end");
		return;
	}
	/* Another user's is, for this one, not there. */
	r = store_token_by_id(auth.store, id->session, &t);
	if (r == STORE_OK && t.uid != w->uid)
		r = STORE_NOT_FOUND;
	own = r == STORE_OK && w->live != NULL && strcmp(w->live->id, t.id) == 0;
	/* It gets its answer before it ends. */
	if (own)
		worker_ok(w, m->head.id, "token revoked");
	if (r == STORE_OK)
		r = token_revoke(&t, w->user, w->from, w->user);
	explicit_bzero(&t, sizeof(t));
	if (own)
		return;
	if (r != STORE_OK)
		worker_store_fail(w, m->head.id, r);
	else
		worker_ok(w, m->head.id, "token revoked");
}
