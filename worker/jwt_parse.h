/*
 * What a client sent as a JWT, as a struct for auth.  Here and nowhere else is such
 * a text taken apart: in the process that holds nothing.
 *
 * It is no reader of JSON.  There is one spelling of our tokens (privsep/jwt.h), so
 * what is not it is not ours: after the values are picked out at the places where
 * they must be, the whole is written again and must be the same bytes.  Another
 * algorithm, "none", a key named by jku or jwk, crit, a claim more or less or twice,
 * other base64, other JSON: all of it ends there.  Whether it is signed, and for
 * whom, is auth's to say.
 */
#ifndef WORKER_JWT_PARSE_H
#define WORKER_JWT_PARSE_H

#include <stdbool.h>

#include "../privsep/wire.h"
#include "slice.h"

bool jwt_parse(struct m_jwt *, struct slice text);

#endif /* WORKER_JWT_PARSE_H */
