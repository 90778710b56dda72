/* Whether a token is one of ours: see token_jwt.h. */
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include <string.h>

#include "../jwt.h"
#include "../log.h"
#include "token_jwt.h"

#define EXPONENT 65537

static struct m_jwt_keys keys;
static EVP_PKEY *pkeys[WIRE_JWT_KEYS]; /* as keys.key */

static EVP_PKEY *
rsa(const struct wire_jwt_key *k)
{
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	BIGNUM *n = BN_bin2bn(k->pub, (int)k->len, NULL);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	OSSL_PARAM *params = NULL;
	EVP_PKEY *pkey = NULL;

	if (bld != NULL && n != NULL && ctx != NULL &&
	    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
	    OSSL_PARAM_BLD_push_uint(bld, OSSL_PKEY_PARAM_RSA_E, EXPONENT) == 1 &&
	    (params = OSSL_PARAM_BLD_to_param(bld)) != NULL &&
	    EVP_PKEY_fromdata_init(ctx) == 1 &&
	    EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1)
		pkey = NULL;
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(bld);
	EVP_PKEY_CTX_free(ctx);
	BN_free(n);
	return pkey;
}

static EVP_PKEY *
public_key(const struct wire_jwt_key *k)
{
	if (k->alg == JWT_EDDSA)
		return EVP_PKEY_new_raw_public_key(
		    EVP_PKEY_ED25519, NULL, k->pub, k->len);
	return k->alg == JWT_RS256 ? rsa(k) : NULL;
}

void
token_keys_set(const struct m_jwt_keys *m)
{
	const struct wire_jwt_key *k;
	unsigned int i;

	for (i = 0; i < WIRE_JWT_KEYS; i++) {
		EVP_PKEY_free(pkeys[i]);
		pkeys[i] = NULL;
	}
	memset(&keys, 0, sizeof(keys));
	for (i = 0; i < m->count && i < WIRE_JWT_KEYS; i++) {
		k = &m->key[i];
		if (!wire_str(k->kid) || k->len > sizeof(k->pub) ||
		    (pkeys[keys.count] = public_key(k)) == NULL) {
			log_warnx("BUG: keys tells a public key that is none");
			ERR_clear_error();
			continue;
		}
		keys.key[keys.count++] = *k;
	}
}

const struct m_jwt_keys *
token_keys(void)
{
	return &keys;
}

bool
token_signed(const struct wire_jwt *j, const struct wire_jwt_sig *sig)
{
	char input[JWT_INPUT_MAX];
	EVP_PKEY *pkey = NULL;
	EVP_MD_CTX *ctx;
	unsigned int i;
	size_t n;
	bool ok;

	/* The key says which algorithm it is, whatever the token says. */
	for (i = 0; i < keys.count; i++)
		if (strcmp(keys.key[i].kid, j->kid) == 0 && keys.key[i].alg == j->alg)
			pkey = pkeys[i];
	if (pkey == NULL || sig->len > sizeof(sig->bytes) ||
	    (n = jwt_input(j, input)) == 0)
		return false;
	ctx = EVP_MD_CTX_new();
	ok = ctx != NULL &&
	    EVP_DigestVerifyInit_ex(ctx, NULL, j->alg == JWT_RS256 ? "SHA256" : NULL,
		NULL, NULL, pkey, NULL) == 1 &&
	    EVP_DigestVerify(ctx, sig->bytes, sig->len, (const uint8_t *)input, n) == 1;
	EVP_MD_CTX_free(ctx);
	if (!ok)
		ERR_clear_error();
	return ok;
}
