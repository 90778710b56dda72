/*
 * Tokens for programs: what token.c (JWT) and token_api.c (named ones) share.
 *
 * A login for tokens makes a family: a session of the store that has no cookie, so
 * that it is listed, bounded and revoked as sessions are.  Its access token lasts
 * minutes and is verified without a word to keys (token_jwt.h); its refresh token
 * is good once.  One that comes a second time has been in two hands: nobody can
 * tell which is the thief's, and the family ends.  The number in a token and that
 * of the account must agree; ending all of a user's sessions counts it up.
 *
 * A connection that an access token has bound ends with that token, unless a
 * newer one of the family is shown on it.
 */
#ifndef AUTH_TOKEN_H
#define AUTH_TOKEN_H

#include <stdbool.h>
#include <stdint.h>

#include "../conf.h"
#include "../permission.h"
#include "../wire.h"
#include "store.h"

#define TOKEN_SKEW 60 /* seconds by which one may seem to come from the future */

/* token_claims.c: whether the claims hold for this session and account, now; NULL, or
 * what does not, for the log. */
const char *token_claims(const struct conf_auth *, const struct wire_jwt *,
    const struct store_session *, const struct store_account *, int64_t now);

/* token_api.c */
struct asker;
struct token_new {
	uint32_t uid;
	const char *user;
	const char *session; /* it is made in; "" for none */
	permits may;         /* its user */
	const char *name;
	const char *scopes;
	uint64_t lifetime; /* seconds; 0: for ever */
	const struct wire_once *once;
};
/* Made, and answered in any case. */
void token_make(const struct asker *, const struct token_new *);
/* A page of a user's, in the order of their ids. */
struct m_list;
void token_page(
    const struct asker *, const struct m_list *, uint32_t uid, const char *user);
void token_row(const struct store_token *, const char *user, struct m_token *);
enum store_result token_revoke(
    const struct store_token *, const char *user, const char *source, const char *actor);

#endif
