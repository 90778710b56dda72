/*
 * API tokens: named, long-lived, limited to some permissions, and shown once.  The
 * store has their SHA-256.  A connection that one has bound may do what both its
 * scopes and its user's roles permit.
 */
#include <openssl/evp.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bsd/stdlib.h>
#include <bsd/string.h>

#include "auth_peer.h"
#include "store_record.h"
#include "token.h"
#include "../hex.h"

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

/* The first that is none. */
static const char *
no_permission(const char *scopes, char *why, size_t size)
{
	size_t n;

	for (; *scopes != '\0'; scopes += scopes[n] == ' ' ? n + 1 : n) {
		n = strcspn(scopes, " ");
		if (permission_find(scopes, n) != PERMISSION_NOBODY)
			continue;
		snprintf(why, size, "there is no permission %.*s", (int)n, scopes);
		return why;
	}
	return "names of permissions, each once, one at least";
}

static bool
add_ok(const struct asker *who, const struct token_new *want, permits *scopes)
{
	const char *field = NULL, *why = NULL;
	char text[128];

	if (!token_name_ok(want->name)) {
		field = "name";
		why = "1 to 64 printable ASCII characters, no space around them";
	} else if (want->scopes[0] == '\0' || !permits_parse(want->scopes, scopes)) {
		field = "scopes";
		why = no_permission(want->scopes, text, sizeof(text));
	} else if ((*scopes & ~want->may) != 0) {
		field = "scopes";
		why = want->uid == who->uid ? "only what you are permitted yourself" :
					      "only what its user is permitted";
	} else if (want->lifetime > LIFETIME_MAX) {
		field = "expiresIn";
		why = "10 years at most";
	}
	if (why != NULL)
		asker_fail(who, FAIL_INVALID, field, "%s: %s", field, why);
	return why == NULL;
}

/* Nobody's name yet, and room for one more: false, and answered, if not. */
static bool
add_fits(const struct asker *who, const struct token_new *want)
{
	static struct store_token t[STORE_TOKENS];
	size_t i, n;

	n = store_token_of_user(auth.store, want->uid, t, STORE_TOKENS);
	for (i = 0; i < n && strcmp(t[i].name, want->name) != 0; i++)
		;
	if (i < n)
		asker_fail(who, FAIL_EXISTS, "name", "name: a token of %s has it already",
		    want->uid == who->uid ? "yours" : want->user);
	else if (n == STORE_TOKENS)
		asker_fail(who, FAIL_EXISTS, NULL, "%d tokens is all that one may have",
		    STORE_TOKENS);
	explicit_bzero(t, sizeof(t));
	return i == n && n < STORE_TOKENS;
}

static void
made(const struct asker *who, const struct token_new *want, const struct store_token *t,
    const uint8_t *token)
{
	struct m_token_made row;

	memset(&row, 0, sizeof(row));
	token_row(t, want->user, &row.is);
	if (token != NULL)
		memcpy(row.token, token, sizeof(row.token));
	asker_row(who, M_ROW_TOKEN_MADE, &row, sizeof(row));
	asker_ok(who, "token %s made", t->id);
	explicit_bzero(&row, sizeof(row));
}

/* The same call a second time: what it made, whose name is in it; its secret was shown.
 */
static void
made_before(
    const struct asker *who, const struct token_new *want, const struct store_once *o)
{
	static struct store_token t[STORE_TOKENS];
	size_t i, n;

	n = store_token_of_user(auth.store, want->uid, t, STORE_TOKENS);
	for (i = 0; i < n; i++)
		if (strcmp(t[i].name, want->name) == 0 && t[i].created == o->at)
			break;
	if (i < n)
		made(who, want, &t[i], NULL);
	else
		once_gone(who);
	explicit_bzero(t, sizeof(t));
}

static void
add(const struct asker *who, const struct token_new *want, permits scopes,
    struct store_once *once)
{
	uint8_t token[WIRE_TOKEN], id[8];
	char text[PERMITS_TEXT];
	struct store_token t;
	enum store_result r;

	memset(&t, 0, sizeof(t));
	session_token(token, t.key);
	arc4random_buf(id, sizeof(id));
	hex_put(t.id, id, sizeof(id));
	t.uid = want->uid;
	strlcpy(t.name, want->name, sizeof(t.name));
	strlcpy(t.scopes, permits_text(scopes, text, sizeof(text)), sizeof(t.scopes));
	t.created = once->at = auth_now();
	t.expires = want->lifetime == 0 ? 0 : t.created + (int64_t)want->lifetime;
	r = STORE_NO_SPACE;
	if (audit_event(AUDIT_TOKEN_ADDED, LOG_S("user", want->user),
		LOG_S("source", who->from), LOG_S("session", want->session),
		LOG_S("token", t.id), LOG_S("name", t.name), LOG_S("scopes", t.scopes),
		LOG_N("expires", t.expires), LOG_S("actor", who->actor)))
		r = once_wanted(want->once) ? store_token_add_once(auth.store, &t, once) :
					      store_token_add(auth.store, &t);
	if (r != STORE_OK)
		asker_store_fail(who, r, "token");
	else
		made(who, want, &t, token);
	explicit_bzero(token, sizeof(token));
	explicit_bzero(&t, sizeof(t));
}

void
token_make(const struct asker *who, const struct token_new *want)
{
	struct store_once once;
	permits scopes;

	if (!add_ok(who, want, &scopes))
		return;
	switch (once_look(who, want->once, &once)) {
	case ONCE_FIRST:
		if (add_fits(who, want))
			add(who, want, scopes, &once);
		break;
	case ONCE_AGAIN:
		made_before(who, want, &once);
		break;
	case ONCE_REFUSED:
		break;
	}
}

void
token_on_add(struct chan *chan, struct msg *m)
{
	const struct m_token_add *what = MSG_DATA(m, m_token_add);
	struct asker who;

	if (!asker_begin(chan, m, &who))
		return;
	/* One that is limited makes none that is less so, nor one that outlives it. */
	if (who.w->live == NULL || who.w->live->kind == STORE_API) {
		asker_fail(&who, FAIL_DENIED, NULL,
		    "an API token makes no others: log in for it");
		return;
	}
	token_make(&who,
	    &(struct token_new){ .uid = who.uid,
		.user = who.actor,
		.session = who.w->live->id,
		.may = who.have,
		.name = what->name,
		.scopes = what->scopes,
		.lifetime = what->lifetime,
		.once = &what->once });
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

static int
by_id(const void *a, const void *b)
{
	return strcmp(
	    ((const struct store_token *)a)->id, ((const struct store_token *)b)->id);
}

void
token_page(
    const struct asker *who, const struct m_list *l, uint32_t uid, const char *user)
{
	static struct store_token t[STORE_TOKENS];
	const char *last = "";
	struct m_token row;
	uint32_t rows = 0;
	size_t i, n;

	n = store_token_of_user(auth.store, uid, t, STORE_TOKENS);
	qsort(t, n, sizeof(t[0]), by_id);
	for (i = 0; i < n && rows < l->limit; i++) {
		if (strcmp(t[i].id, l->cursor) <= 0)
			continue;
		token_row(&t[i], user, &row);
		asker_row(who, M_ROW_TOKEN, &row, sizeof(row));
		last = t[i].id;
		rows++;
	}
	asker_page(who, i < n ? last : "");
	explicit_bzero(t, sizeof(t));
}

void
token_on_list(struct chan *chan, struct msg *m)
{
	struct m_list *l = (struct m_list *)(void *)m->u.bytes;
	struct asker who;

	if (asker_begin(chan, m, &who) && asker_list_of_ids(&who, l))
		token_page(&who, l, who.uid, who.actor);
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
token_on_end(struct chan *chan, struct msg *m)
{
	enum store_result r = STORE_NOT_FOUND;
	struct store_token t;
	struct asker who;
	const char *id;
	bool own;

	if (!asker_begin(chan, m, &who))
		return;
	/* Another user's is, for this one, not there. */
	id = MSG_DATA(m, m_session_ref)->session;
	if (session_id_ok(id))
		r = store_token_by_id(auth.store, id, &t);
	if (r == STORE_OK && t.uid != who.uid)
		r = STORE_NOT_FOUND;
	if (r != STORE_OK) {
		asker_store_fail(&who, r, "token");
		return;
	}
	own = who.w->live != NULL && strcmp(who.w->live->id, t.id) == 0;
	/* What acts for it is told after the answer, as with a session. */
	if (own)
		session_leave(who.w);
	r = token_revoke(&t, who.actor, who.from, who.actor);
	explicit_bzero(&t, sizeof(t));
	if (r != STORE_OK && r != STORE_NOT_FOUND)
		asker_store_fail(&who, r, "token");
	else
		asker_ok(&who, "token revoked");
	if (own)
		worker_end(who.w);
}
