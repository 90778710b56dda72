/* Tokens for programs: what token.c does for login.c. */
#ifndef WORKER_TOKEN_H
#define WORKER_TOKEN_H

#include <stdbool.h>

#include "stream.h"

struct m_tokens;

/* Binds the connection by a new pair and answers with it; false when auth's word is
 * not sound. */
bool tokens_answer(struct stream *s, const struct m_tokens *t);

#endif /* WORKER_TOKEN_H */
