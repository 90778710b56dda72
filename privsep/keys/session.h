/*
 * TLS sessions that may be resumed: a table of fixed size in locked memory.
 * Whoever holds an id has the session once; then, or when its time is up, or
 * when newer ones need its place, it is wiped.
 *
 * Times are seconds of a clock that never goes back.
 */
#ifndef PRIVSEP_KEYS_SESSION_H
#define PRIVSEP_KEYS_SESSION_H

#include <stddef.h>
#include <stdint.h>

#include "../wire.h"

#define SESS_MAX 16384 /* the last that came, those given out included */
/* A session as workers send it has some 150 bytes.  What is larger is not kept,
 * which costs no more than a full handshake. */
#define SESS_DER_MAX  256
#define SESS_LIFETIME 7200

void sess_init(void);
/* Not kept: a size out of bounds, an id that is there already. */
void sess_put(const uint8_t id[WIRE_SESSID], const uint8_t *der, size_t len, int64_t now);
/* Copies the session to der (SESS_DER_MAX bytes) and removes it; returns its
 * length, 0 when there is none. */
size_t sess_take(const uint8_t id[WIRE_SESSID], uint8_t *der, int64_t now);
void sess_expire(int64_t now);
void sess_forget_all(void);
unsigned int sess_count(void);

#endif
