/*
 * Rules that need nothing but their arguments: what a password must be, which
 * names are not given out, when a session is over.
 */
#ifndef AUTH_POLICY_H
#define AUTH_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../conf.h"
#include "store.h"

/* NULL when the password will do; else a sentence that says what is wanted. */
const char *policy_password(const struct conf_auth *, const char *name,
    const char *password, char *buf, size_t len);
/* Likewise, of a name. */
const char *policy_name(const char *name);
/* A reserved name, or one that others are to be told apart from, taken for it. */
const char *policy_name_like(const char *name);

bool policy_session_alive(
    const struct conf_auth *, const struct store_session *, int64_t now);
/* The one to go first: that which began first; n must not be 0. */
size_t policy_session_oldest(const struct store_session *, size_t n);

/* Parameters of an encoded Argon2id hash. */
struct hash_params {
	uint32_t memory_kib;
	uint32_t passes;
	uint32_t lanes;
};
bool policy_hash_params(const char *encoded, struct hash_params *);
void policy_hash_want(const struct conf_auth *, struct hash_params *);
bool policy_rehash(const struct conf_auth *, const char *encoded);
/* A hash that no password fits and that costs as much as a real one. */
void policy_hash_dummy(const struct hash_params *, char encoded[WIRE_HASH]);

#endif
