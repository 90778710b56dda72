/*
 * The keys that tokens are signed with: made here, kept in one file that isolation
 * opened, and never outside of this process but there.
 *
 * A new key is told to those who verify before it signs, and an old one stays
 * known until the last token that it signed has run out.  The file holds two
 * images, written in turns and with a checksum: one of them is whole whenever the
 * power goes.
 */
#ifndef PRIVSEP_KEYS_JWT_KEYS_H
#define PRIVSEP_KEYS_JWT_KEYS_H

#include <stdbool.h>
#include <stdint.h>

#include "../wire.h"

#define JWT_AHEAD   600 /* seconds that a key is known before it signs */
#define JWT_RSA     2048
#define JWT_DER_MAX 2048

/*
 * Take over the file and what is wanted of keys; makes the first key where none is.
 * Times are of the wall clock, in seconds.  The functions below do nothing
 * before.  Returns whether the public keys are others now.
 */
bool jwt_keys_open(int fd, const struct m_keystore *want, int64_t now);
/* Keys whose time has come, or is over; the same result. */
bool jwt_keys_tick(int64_t now);
/* A new key signs from now on; forget: it is the only one. */
bool jwt_keys_rotate(bool forget, int64_t now);
void jwt_keys_public(struct m_jwt_keys *);
void jwt_keys_forget_all(void);

/* Sign both, in which alg and kid are filled in first. */
void jwt_sign(const struct m_jwt_sign *, struct m_jwt_signed *, int64_t now);
void jwt_assert(const struct wire_assertion *, struct m_location_signed *, int64_t now);

#endif
