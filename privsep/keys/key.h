/*
 * The private keys: read once from a descriptor that root opened, kept in
 * locked memory that goes into no dump, found by the hash of their public half.
 */
#ifndef PRIVSEP_KEYS_KEY_H
#define PRIVSEP_KEYS_KEY_H

#include <openssl/evp.h>

#include <stdint.h>

#include "../wire.h"

/* A handshake that began under an old certificate ends under it: that many
 * reloads may happen meanwhile. */
#define KEY_GENERATIONS 4
#define KEY_FILE_MAX    65536 /* bytes of the PEM file, certificates included */
/* OpenSSL's secure heap.  With the table of sessions (session.h) it stays below
 * the 8 MB that a process may lock by default. */
#define KEY_HEAP (512 * 1024)

enum key_type {
	KEY_NONE,
	KEY_P256,
	KEY_P384,
	KEY_P521,
	KEY_RSA,
	KEY_ED25519,
};

struct key {
	uint8_t id[WIRE_KEYID]; /* SHA-256 of the SPKI */
	enum key_type type;
	EVP_PKEY *pkey;
	uint64_t age; /* of its loading; the lowest is the oldest */
};

/*
 * Before OpenSSL is used for anything: everything that it frees is wiped, its
 * keys live in the secure heap.  Fatal when memory cannot be locked.
 */
void key_memory(void);

/*
 * Take the key of that id out of the file fd, which stays the caller's.
 * Returns 0, or -1 with *why set to a static string; the keys that were there
 * before are then untouched.
 */
int key_load(int fd, const uint8_t id[WIRE_KEYID], const char **why);
/* NULL when it is not, or no longer, here. */
const struct key *key_find(const uint8_t id[WIRE_KEYID]);
void key_forget_all(void);

#endif
