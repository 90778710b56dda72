/*
 * Tokens for programs: pairs of JWT for a login, made anew by the refresh token, and
 * the public keys for everybody.
 */
#include <bsd/stdlib.h>
#include <bsd/string.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../privsep/jwt.h"
#include "../privsep/log.h"
#include "api.h"
#include "conn.h"
#include "jwt_parse.h"
#include "respond.h"
#include "routes.h"
#include "session.h"
#include "token.h"
#include "worker.h"

#define REFRESH_BAD "The refresh token is not, or no longer, good: log in again."

/* --- pairs --- */

bool
tokens_answer(struct stream *s, const struct m_tokens *t)
{
	struct worker *w = s->w;
	struct api_pair pair;
	size_t n;
	bool ok;

	memset(&pair, 0, sizeof(pair));
	n = jwt_text(&t->access.jwt, &t->access.sig, pair.access);
	ok = n != 0 && jwt_text(&t->refresh.jwt, &t->refresh.sig, pair.refresh) != 0 &&
	    session_bind_jwt(w, t, (struct slice){ pair.access, n });
	if (ok) {
		session_beat(w);
		strlcpy(pair.username, w->who.name, sizeof(pair.username));
		strlcpy(pair.type, "Bearer", sizeof(pair.type));
		strlcpy(pair.session, w->who.session, sizeof(pair.session));
		pair.access_seconds = (uint64_t)(t->access.jwt.expires -
		    t->access.jwt.issued);
		pair.refresh_seconds = (uint64_t)(t->refresh.jwt.expires -
		    t->refresh.jwt.issued);
		respond_data(s, api_row(api_pair_out, &pair));
	}
	explicit_bzero(&pair, sizeof(pair));
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
		respond_error(s, 401, REFRESH_BAD);
	}
}

void
api_refresh(struct stream *s, char *body, size_t len)
{
	struct api_pair in;
	struct m_jwt m;

	memset(&in, 0, sizeof(in));
	memset(&m, 0, sizeof(m));
	if (api_body(s, &(struct api_call){ .in = api_refresh_in }, body, len, &in)) {
		if (jwt_parse(&m, slice_str(in.refresh)))
			auth_ask_for(s, M_JWT_REFRESH, &m, sizeof(m), refreshed);
		else
			respond_error(s, 401, REFRESH_BAD);
	}
	explicit_bzero(&in, sizeof(in));
	explicit_bzero(&m, sizeof(m));
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
