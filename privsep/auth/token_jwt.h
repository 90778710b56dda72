/*
 * Is a token one of ours?  Decided here and nowhere else, without a question to
 * keys: auth has the public halves.  What to believe of it otherwise (time, family,
 * version) is token.c's.
 */
#ifndef AUTH_TOKEN_JWT_H
#define AUTH_TOKEN_JWT_H

#include <stdbool.h>

#include "../wire.h"

/* All that there are; those of before are forgotten. */
void token_keys_set(const struct m_jwt_keys *);
const struct m_jwt_keys *token_keys(void);

/*
 * Was exactly this signed by the key of its kid?  Written out anew (jwt.h), so that
 * nothing depends on what a worker made of a text.
 */
bool token_signed(const struct wire_jwt *, const struct wire_jwt_sig *);

#endif
