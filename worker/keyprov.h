/*
 * A private key that is somewhere else: an OpenSSL provider (provider(7)) whose
 * keys are public halves, and whose one operation, to sign, is handed to a
 * function.  libssl takes such a key as it takes any other.
 */
#ifndef WORKER_KEYPROV_H
#define WORKER_KEYPROV_H

#include <openssl/evp.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KEYPROV_SIG_MAX 1024

/*
 * Sign tbs, the whole message, under a TLS SignatureScheme.  *siglen is the room
 * at sig on entry, the signature's length on success.
 */
typedef bool (*keyprov_sign_fn)(void *arg, uint32_t scheme, const uint8_t *tbs,
    size_t tbslen, uint8_t *sig, size_t *siglen);

/* Register the provider with OpenSSL; fatal when that fails. */
void keyprov_load(void);
/* The key whose public half is pub (EC, RSA or Ed25519); NULL on failure. */
EVP_PKEY *keyprov_key(EVP_PKEY *pub);
/* Who signs, for all such keys of this process; NULL: nobody. */
void keyprov_set_signer(keyprov_sign_fn fn, void *arg);

#endif
