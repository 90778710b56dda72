/*
 * Tokens for programs: pairs of JWT for a login, made anew by the refresh token;
 * API tokens, listed, made and revoked; the public keys for everybody.
 */
#include <bsd/stdlib.h>
#include <bsd/string.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../privsep/jwt.h"
#include "../privsep/log.h"
#include "../privsep/token_text.h"
#include "conn.h"
#include "dates.h"
#include "jwt_parse.h"
#include "respond.h"
#include "routes.h"
#include "session.h"
#include "token.h"
#include "worker.h"

#define TOKENS_MAX 64 /* of a user; STORE_TOKENS */

/* --- pairs --- */

bool
tokens_answer(struct stream *s, const struct m_tokens *t)
{
	char access[JWT_TEXT_MAX], refresh[JWT_TEXT_MAX];
	struct worker *w = s->w;
	json_t *data;
	size_t n;
	bool ok;

	n = jwt_text(&t->access.jwt, &t->access.sig, access);
	ok = n != 0 && jwt_text(&t->refresh.jwt, &t->refresh.sig, refresh) != 0 &&
	    session_bind_jwt(w, t, (struct slice){ access, n });
	if (ok) {
		session_beat(w);
		data = json_pack("{s:s, s:s, s:s, s:I, s:s, s:I, s:s}", "username",
		    w->who.name, "tokenType", "Bearer", "accessToken", access,
		    "expiresIn",
		    (json_int_t)(t->access.jwt.expires - t->access.jwt.issued),
		    "refreshToken", refresh, "refreshExpiresIn",
		    (json_int_t)(t->refresh.jwt.expires - t->refresh.jwt.issued),
		    "session", w->who.session);
		respond_data(s, data);
	}
	explicit_bzero(access, sizeof(access));
	explicit_bzero(refresh, sizeof(refresh));
	return (ok);
}

static void
refreshed(void *arg, struct msg *m)
{
	struct stream *s = arg;

	s->on_close = NULL;
	if (m == NULL || (m->head.type != M_TOKENS && m->head.type != M_WHO)) {
		auth_error(s, m);
	} else if (m->head.type == M_TOKENS) {
		if (!tokens_answer(s, MSG_DATA(m, m_tokens)))
			conn_abort(s->w->conn, "auth's answer is unsound");
		explicit_bzero(m->u.bytes, sizeof(struct m_tokens));
	} else if (MSG_DATA(m, m_who)->result == AUTH_OTHER_USER) {
		conn_drain(s->w);
		respond_error(s, 421, NULL);
	} else {
		respond_error(s, 401,
		    "The refresh token is not, or no longer, good: log in again.");
	}
}

/* A member that is a string; anything that is not in the list is refused by name. */
static bool
only_members(struct stream *s, const json_t *j, const char *const *names)
{
	char text[128];
	const char *key;
	json_t *v;
	size_t i;

	if (!json_is_object(j)) {
		respond_error(s, 400, "This is no JSON object.");
		return (false);
	}
	json_object_foreach((json_t *)(uintptr_t)j, key, v)
	{
		for (i = 0; names[i] != NULL && strcmp(names[i], key) != 0; i++)
			;
		if (names[i] != NULL)
			continue;
		snprintf(text, sizeof(text), "%.64s: there is no such field here.", key);
		respond_error(s, 400, text);
		return (false);
	}
	return (true);
}

static void
refresh_body(struct stream *s, char *body, size_t len)
{
	static const char *const names[] = { "refreshToken", NULL };
	json_t *j = json_loadb(body, len, JSON_REJECT_DUPLICATES, NULL);
	const json_t *v;
	struct m_jwt m;

	if (only_members(s, j, names)) {
		v = json_object_get(j, "refreshToken");
		if (!json_is_string(v))
			respond_error(s, 400, "refreshToken: a string is expected.");
		else if (!jwt_parse(&m,
			     (struct slice){
				 json_string_value(v), json_string_length(v) }))
			respond_error(s, 401,
			    "The refresh token is not, or no longer, good: "
			    "log in again.");
		else
			auth_ask_for(s, M_JWT_REFRESH, &m, sizeof(m), refreshed);
	}
	json_decref(j);
	explicit_bzero(&m, sizeof(m));
}

void
api_token_refresh(struct stream *s, const char *rest)
{
	(void)rest;
	body_collect(s, refresh_body);
}

/* --- public keys --- */

static json_t *
key_json(const struct wire_jwt_key *k)
{
	char x[JWT_BASE64(WIRE_JWT_PUB) + 1];
	json_t *j;

	if (!wire_str(k->kid) || jwt_alg_name(k->alg) == NULL || k->len > sizeof(k->pub))
		return (NULL);
	jwt_base64(x, k->pub, k->len);
	j = json_pack(
	    "{s:s, s:s, s:s}", "kid", k->kid, "alg", jwt_alg_name(k->alg), "use", "sig");
	if (k->alg == JWT_EDDSA)
		json_object_update_new(j,
		    json_pack("{s:s, s:s, s:s}", "kty", "OKP", "crv", "Ed25519", "x", x));
	else
		json_object_update_new(
		    j, json_pack("{s:s, s:s, s:s}", "kty", "RSA", "n", x, "e", "AQAB"));
	return (j);
}

static void
jwks_answer(void *arg, struct msg *m)
{
	struct stream *s = arg;
	const struct m_jwt_keys *k;
	json_t *list, *j;
	struct answer a;

	s->on_close = NULL;
	if (m == NULL || m->head.type != M_JWKS_KEYS) {
		auth_error(s, m);
		return;
	}
	k = MSG_DATA(m, m_jwt_keys);
	list = json_array();
	for (uint32_t i = 0; i < k->count && i < WIRE_JWT_KEYS; i++)
		if ((j = key_json(&k->key[i])) != NULL)
			json_array_append_new(list, j);
	answer_init(&a, s, ANSWER_DATA);
	respond_json(&a, 200, json_pack("{s:o}", "keys", list));
}

void
jwks(struct stream *s, const char *rest)
{
	(void)rest;
	auth_ask_for(s, M_JWKS, NULL, 0, jwks_answer);
}

/* --- API tokens --- */

struct tokens {
	struct stream *s;
	json_t *list;
};

static json_t *
time_json(int64_t t)
{
	char text[DATE_LEN + 1];

	if (t == 0)
		return (json_null());
	date_format(text, t);
	return (json_string(text));
}

static json_t *
scopes_json(const char *scopes)
{
	json_t *list = json_array();
	size_t n;

	for (; *scopes != '\0'; scopes += n + (scopes[n] == ' ')) {
		n = strcspn(scopes, " ");
		json_array_append_new(list, json_stringn(scopes, n));
	}
	return (list);
}

static void
list_close(struct stream *s)
{
	struct tokens *t = s->arg;

	auth_forget(s->w, s->question);
	json_decref(t->list);
	free(t);
}

static void
list_row(void *arg, struct msg *m)
{
	struct tokens *t = arg;
	const struct m_token *row;

	if (m != NULL && m->head.type == M_ROW_TOKEN) {
		row = MSG_DATA(m, m_token);
		if (wire_str(row->id) && wire_str(row->name) && wire_str(row->scopes) &&
		    json_array_size(t->list) < TOKENS_MAX)
			json_array_append_new(t->list,
			    json_pack("{s:s, s:s, s:o, s:o, s:o, s:o}", "id", row->id,
				"name", row->name, "scopes", scopes_json(row->scopes),
				"created", time_json(row->created), "expires",
				time_json(row->expires), "lastUsed",
				time_json(row->seen)));
		return;
	}
	t->s->question = 0;
	if (m == NULL || m->head.type != M_OK)
		auth_error(t->s, m);
	else
		respond_data(t->s, json_incref(t->list));
}

void
api_tokens(struct stream *s, const char *rest)
{
	struct tokens *t;

	(void)rest;
	if ((t = calloc(1, sizeof(*t))) == NULL)
		fatal("calloc");
	t->s = s;
	t->list = json_array();
	s->arg = t;
	s->question = auth_ask(s->w, M_TOKEN_LIST, NULL, 0, list_row, t);
	s->on_close = list_close;
	if (s->question == 0)
		respond_error(s, 503, NULL);
}

/* What auth says of the fields is for whoever sent them. */
static void
add_fail(struct stream *s, const struct msg *m)
{
	static const unsigned int statuses[] = {
		[FAIL_INVALID] = 400, [FAIL_EXISTS] = 409, [FAIL_DENIED] = 403
	};
	const struct m_fail *f;

	if (m != NULL && m->head.type == M_FAIL) {
		f = MSG_DATA(m, m_fail);
		if (f->code < sizeof(statuses) / sizeof(statuses[0]) &&
		    statuses[f->code] != 0 && wire_str(f->text)) {
			respond_error(s, statuses[f->code], f->text);
			return;
		}
	}
	auth_error(s, m);
}

static void
made(void *arg, struct msg *m)
{
	struct stream *s = arg;
	const struct m_token_made *t;
	char text[TOKEN_TEXT + 1];
	struct answer a;
	json_t *data;

	s->on_close = NULL;
	if (m == NULL || m->head.type != M_TOKEN_MADE) {
		add_fail(s, m);
		return;
	}
	t = MSG_DATA(m, m_token_made);
	token_text(t->token, text);
	data = json_pack("{s:s, s:s, s:o, s:o}", "id", wire_str(t->id) ? t->id : "",
	    "token", text, "created", time_json(t->created), "expires",
	    time_json(t->expires));
	explicit_bzero(text, sizeof(text));
	explicit_bzero(m->u.bytes, sizeof(*t));
	answer_init(&a, s, ANSWER_DATA);
	respond_json(&a, 201, json_pack("{s:b, s:o}", "success", 1, "data", data));
}

/* ["users.read", …] as auth takes it; NULL, or what is wrong. */
static const char *
scopes_set(char dst[WIRE_SCOPES], const json_t *v)
{
	const char *name;
	size_t i, n = 0, len;

	if (!json_is_array(v) || json_array_size(v) == 0)
		return ("scopes: a list of permissions is expected.");
	for (i = 0; i < json_array_size(v); i++) {
		name = json_string_value(json_array_get(v, i));
		if (name == NULL || (len = strlen(name)) == 0 ||
		    strchr(name, ' ') != NULL)
			return ("scopes: a list of permissions is expected.");
		if (n + len + 2 > WIRE_SCOPES)
			return ("scopes: too many.");
		if (n > 0)
			dst[n++] = ' ';
		memcpy(dst + n, name, len);
		n += len;
	}
	return (NULL);
}

static const char *
add_set(struct m_token_add *m, const json_t *j)
{
	const json_t *v = json_object_get(j, "name");

	if (!json_is_string(v) || strlen(json_string_value(v)) != json_string_length(v) ||
	    strlcpy(m->name, json_string_value(v), sizeof(m->name)) >= sizeof(m->name))
		return ("name: a text of at most 64 characters is expected.");
	v = json_object_get(j, "expiresIn");
	if (v != NULL && !json_is_null(v)) {
		if (!json_is_integer(v) || json_integer_value(v) <= 0)
			return ("expiresIn: a number of seconds is expected.");
		m->lifetime = (uint64_t)json_integer_value(v);
	}
	return (scopes_set(m->scopes, json_object_get(j, "scopes")));
}

static void
add_body(struct stream *s, char *body, size_t len)
{
	static const char *const names[] = { "name", "scopes", "expiresIn", NULL };
	json_t *j = json_loadb(body, len, JSON_REJECT_DUPLICATES, NULL);
	struct m_token_add m;
	const char *why;

	memset(&m, 0, sizeof(m));
	if (only_members(s, j, names)) {
		if ((why = add_set(&m, j)) != NULL)
			respond_error(s, 400, why);
		else
			auth_ask_for(s, M_TOKEN_ADD, &m, sizeof(m), made);
	}
	json_decref(j);
}

void
api_token_add(struct stream *s, const char *rest)
{
	(void)rest;
	body_collect(s, add_body);
}

static void
ended(void *arg, struct msg *m)
{
	struct stream *s = arg;

	s->on_close = NULL;
	if (m == NULL || m->head.type != M_OK)
		auth_error(s, m);
	else
		respond_data(s, json_null());
	if (m != NULL && m->head.type == M_OK && s->arg != NULL)
		logout_over(s);
}

void
api_token_end(struct stream *s, const char *rest)
{
	struct m_session_id id;

	memset(&id, 0, sizeof(id));
	if (!jwt_hex_ok(rest, sizeof(id.session) - 1)) {
		respond_error(s, 404, NULL);
		return;
	}
	strlcpy(id.session, rest, sizeof(id.session));
	/* The one that this very request shows: auth ends the connection. */
	s->arg = strcmp(id.session, s->w->who.session) == 0 ? s->w : NULL;
	auth_ask_for(s, M_TOKEN_END, &id, sizeof(id), ended);
}
