/* Signing for a worker's handshake: see sign.h. */
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include <stdbool.h>
#include <string.h>

#include "key.h"
#include "sign.h"

/* A TLS SignatureScheme (RFC 8446 4.2.3): the one key it is for, and where. */
static const struct scheme {
	uint32_t code;
	enum key_type type;
	const char *digest;
	int padding;        /* RSA */
	unsigned int forms; /* enum sign_form bits */
} schemes[] = {
	{ 0x0403, KEY_P256, "SHA256", 0, FORM_TLS13 | FORM_TLS12 },
	{ 0x0503, KEY_P384, "SHA384", 0, FORM_TLS13 | FORM_TLS12 },
	{ 0x0603, KEY_P521, "SHA512", 0, FORM_TLS13 | FORM_TLS12 },
	{ 0x0804, KEY_RSA, "SHA256", RSA_PKCS1_PSS_PADDING, FORM_TLS13 | FORM_TLS12 },
	{ 0x0805, KEY_RSA, "SHA384", RSA_PKCS1_PSS_PADDING, FORM_TLS13 | FORM_TLS12 },
	{ 0x0806, KEY_RSA, "SHA512", RSA_PKCS1_PSS_PADDING, FORM_TLS13 | FORM_TLS12 },
	{ 0x0401, KEY_RSA, "SHA256", RSA_PKCS1_PADDING, FORM_TLS12 },
	{ 0x0807, KEY_ED25519, NULL, 0, FORM_TLS13 | FORM_TLS12 },
};

/* The curves of an ECDHE share, and the one length that its point has. */
static const struct curve {
	uint16_t group; /* RFC 8446 4.2.7 */
	uint8_t len;
	uint8_t first; /* 0x04: an uncompressed point; 0: any */
} curves[] = {
	{ 0x001d, 32, 0 },    /* x25519 */
	{ 0x0017, 65, 0x04 }, /* secp256r1 */
	{ 0x0018, 97, 0x04 }, /* secp384r1 */
};

#define PAD_LEN     64U /* spaces before the context string */
#define RANDOMS     64U /* client_random and server_random */
#define PARAMS_HEAD 4U  /* named_curve, group, length of the point */
#define NAMED_CURVE 3

/* 64 spaces, the context and a NUL, then a transcript hash: SHA-256 or SHA-384,
 * which are those of the cipher suites there are. */
static bool
is_tls13(const uint8_t *tbs, uint32_t len)
{
	static const char context[] = "TLS 1.3, server CertificateVerify";
	uint32_t i;

	if (len != PAD_LEN + sizeof(context) + 32 &&
	    len != PAD_LEN + sizeof(context) + 48)
		return false;
	for (i = 0; i < PAD_LEN; i++)
		if (tbs[i] != ' ')
			return false;
	return memcmp(tbs + PAD_LEN, context, sizeof(context)) == 0;
}

static bool
is_tls12(const uint8_t *tbs, uint32_t len)
{
	const uint8_t *p = tbs + RANDOMS;
	const struct curve *c;
	size_t i;

	if (len <= RANDOMS + PARAMS_HEAD || p[0] != NAMED_CURVE)
		return false;
	for (i = 0; i < sizeof(curves) / sizeof(curves[0]); i++) {
		c = &curves[i];
		if ((p[1] << 8 | p[2]) == c->group)
			return p[3] == c->len && len == RANDOMS + PARAMS_HEAD + c->len &&
			    (c->first == 0 || p[PARAMS_HEAD] == c->first);
	}
	return false;
}

enum sign_form
sign_form(const uint8_t *tbs, uint32_t len)
{
	/* The two have no length in common: nothing is both. */
	if (is_tls13(tbs, len))
		return FORM_TLS13;
	if (is_tls12(tbs, len))
		return FORM_TLS12;
	return FORM_NONE;
}

static const struct scheme *
scheme_find(uint32_t code)
{
	size_t i;

	for (i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
		if (schemes[i].code == code)
			return &schemes[i];
	return NULL;
}

/* Returns the signature's length, 0 on failure. */
static size_t
sign_with(const struct key *k, const struct scheme *s, const uint8_t *tbs, size_t len,
    uint8_t *sig, size_t size)
{
	EVP_PKEY_CTX *pctx;
	EVP_MD_CTX *ctx;
	size_t n = size;
	bool ok;

	ctx = EVP_MD_CTX_new();
	ok = ctx != NULL &&
	    EVP_DigestSignInit_ex(ctx, &pctx, s->digest, NULL, NULL, k->pkey, NULL) == 1;
	if (ok && s->padding != 0)
		ok = EVP_PKEY_CTX_set_rsa_padding(pctx, s->padding) == 1;
	if (ok && s->padding == RSA_PKCS1_PSS_PADDING)
		ok = EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST) == 1;
	ok = ok && (size_t)EVP_PKEY_get_size(k->pkey) <= size &&
	    EVP_DigestSign(ctx, sig, &n, tbs, len) == 1;
	EVP_MD_CTX_free(ctx);
	if (!ok)
		ERR_clear_error();
	return ok ? n : 0;
}

enum sign_result
sign_tls(const struct m_sign *req, struct m_signed *ans, const char **why)
{
	const struct scheme *s;
	const struct key *k;
	enum sign_form form;

	*why = NULL;
	memset(ans, 0, sizeof(*ans));
	if (req->len > sizeof(req->tbs)) {
		*why = "more to sign than a message holds";
		return SIGN_VIOLATION;
	}
	form = sign_form(req->tbs, req->len);
	if (form == FORM_NONE) {
		*why = "what is to be signed is not of TLS";
		return SIGN_VIOLATION;
	}
	s = scheme_find(req->scheme);
	if (s == NULL || (s->forms & (unsigned int)form) == 0) {
		*why = "signature scheme that is not allowed";
		return SIGN_VIOLATION;
	}
	/* A worker that outlived too many reloads: no fault of its own. */
	k = key_find(req->keyid);
	if (k == NULL) {
		*why = "unknown key";
		return SIGN_FAILED;
	}
	if (k->type != s->type) {
		*why = "signature scheme that does not fit the key";
		return SIGN_VIOLATION;
	}
	ans->len = (uint32_t)sign_with(
	    k, s, req->tbs, req->len, ans->sig, sizeof(ans->sig));
	ans->ok = ans->len > 0;
	if (!ans->ok) {
		memset(ans, 0, sizeof(*ans));
		*why = "signing failed";
		return SIGN_FAILED;
	}
	return SIGN_OK;
}
