/*
 * The provider of remote keys: see keyprov.h.
 *
 * A key is a wrapper around a public key of OpenSSL's own provider, which does
 * all that a public key can do.  There is no place in it for a private half: what
 * is imported is cut to the public one.
 */
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <openssl/rsa.h>

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../privsep/log.h"
#include "keyprov.h"

#define NAME      "ided"
#define SIGNATURE "IDED-SIGN"
#define PROPERTY  "provider=" NAME
#define NOT_OURS  "provider=default"

struct pkey {
	const char *type; /* as OpenSSL names it */
	EVP_PKEY *pub;
};

/* A signature in the making. */
struct sigctx {
	const struct pkey *key;
	int md;      /* index into digests, -1: none */
	int padding; /* RSA */
	int saltlen;
};

static keyprov_sign_fn signer;
static void *signer_arg;

/* The context that every function of a provider is given; nothing is in it. */
static char provctx;

void
keyprov_set_signer(keyprov_sign_fn fn, void *arg)
{
	signer = fn;
	signer_arg = arg;
}

/* Keys: provider-keymgmt(7). */

static void *
key_new(const char *type)
{
	struct pkey *k;

	k = calloc(1, sizeof(*k));
	if (k != NULL)
		k->type = type;
	return k;
}

static void *
ec_new(void *ctx)
{
	(void)ctx;
	return key_new("EC");
}

static void *
rsa_new(void *ctx)
{
	(void)ctx;
	return key_new("RSA");
}

static void *
ed25519_new(void *ctx)
{
	(void)ctx;
	return key_new("ED25519");
}

static void
key_free(void *data)
{
	struct pkey *k = data;

	if (k == NULL)
		return;
	EVP_PKEY_free(k->pub);
	free(k);
}

/* The private half can be used, so the key counts as a whole one. */
static int
key_has(const void *data, int selection)
{
	const struct pkey *k = data;

	(void)selection;
	return k != NULL && k->pub != NULL;
}

static int
key_match(const void *a, const void *b, int selection)
{
	const struct pkey *ka = a, *kb = b;

	(void)selection;
	return ka->pub != NULL && kb->pub != NULL && EVP_PKEY_eq(ka->pub, kb->pub) == 1;
}

static int
key_import(void *data, int selection, const OSSL_PARAM params[])
{
	struct pkey *k = data;
	EVP_PKEY_CTX *ctx;
	EVP_PKEY *pub = NULL;
	bool ok;

	if ((selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY) == 0)
		return 0;
	ctx = EVP_PKEY_CTX_new_from_name(NULL, k->type, NOT_OURS);
	ok = ctx != NULL && EVP_PKEY_fromdata_init(ctx) == 1 &&
	    EVP_PKEY_fromdata(
		ctx, &pub, EVP_PKEY_PUBLIC_KEY, (OSSL_PARAM *)(uintptr_t)params) == 1;
	EVP_PKEY_CTX_free(ctx);
	if (!ok)
		return 0;
	EVP_PKEY_free(k->pub);
	k->pub = pub;
	return 1;
}

static int
key_export(void *data, int selection, OSSL_CALLBACK *cb, void *arg)
{
	const struct pkey *k = data;

	(void)selection;
	return k->pub != NULL &&
	    EVP_PKEY_export(k->pub, EVP_PKEY_PUBLIC_KEY, cb, arg) == 1;
}

/* What libcrypto and libssl ask of a key whose kind they know; it is for the
 * default provider, which reads them, to be exact about the types. */
static const OSSL_PARAM *
key_types(int selection)
{
	static const OSSL_PARAM types[] = { OSSL_PARAM_utf8_string(
						OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
		OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0),
		OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_N, NULL, 0),
		OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_E, NULL, 0), OSSL_PARAM_END };

	(void)selection;
	return types;
}

static int
key_get_params(void *data, OSSL_PARAM params[])
{
	const struct pkey *k = data;

	return k->pub != NULL && EVP_PKEY_get_params(k->pub, params) == 1;
}

static const OSSL_PARAM *
key_gettable(void *ctx)
{
	static const OSSL_PARAM types[] = { OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, NULL),
		OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, NULL),
		OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, NULL),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
		OSSL_PARAM_END };

	(void)ctx;
	return types;
}

/*
 * A name that no other provider has: libcrypto then finds our signature, and
 * does not move the key (its public half, that is) to where it cannot sign.
 */
static const char *
key_operation(int id)
{
	return id == OSSL_OP_SIGNATURE ? SIGNATURE : NULL;
}

/* clang-format off */
#define FN(f)	((void (*)(void))(f))
#define KEYMGMT(new_fn)							\
	{ OSSL_FUNC_KEYMGMT_NEW, FN(new_fn) },				\
	{ OSSL_FUNC_KEYMGMT_FREE, FN(key_free) },			\
	{ OSSL_FUNC_KEYMGMT_HAS, FN(key_has) },				\
	{ OSSL_FUNC_KEYMGMT_MATCH, FN(key_match) },			\
	{ OSSL_FUNC_KEYMGMT_IMPORT, FN(key_import) },			\
	{ OSSL_FUNC_KEYMGMT_IMPORT_TYPES, FN(key_types) },		\
	{ OSSL_FUNC_KEYMGMT_EXPORT, FN(key_export) },			\
	{ OSSL_FUNC_KEYMGMT_EXPORT_TYPES, FN(key_types) },		\
	{ OSSL_FUNC_KEYMGMT_GET_PARAMS, FN(key_get_params) },		\
	{ OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, FN(key_gettable) },	\
	{ OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, FN(key_operation) },	\
	{ 0, NULL }

static const OSSL_DISPATCH ec_fns[] = { KEYMGMT(ec_new) };
static const OSSL_DISPATCH rsa_fns[] = { KEYMGMT(rsa_new) };
static const OSSL_DISPATCH ed25519_fns[] = { KEYMGMT(ed25519_new) };

/* The names are the sets that the default provider has given to these. */
static const OSSL_ALGORITHM keymgmts[] = {
	{ "EC:id-ecPublicKey:1.2.840.10045.2.1", PROPERTY, ec_fns, "remote EC key" },
	{ "RSA:rsaEncryption:1.2.840.113549.1.1.1", PROPERTY, rsa_fns, "remote RSA key" },
	{ "ED25519:1.3.101.112", PROPERTY, ed25519_fns, "remote Ed25519 key" },
	{ NULL, NULL, NULL, NULL },
};
/* clang-format on */

/* Signatures: provider-signature(7), one-shot only, as libssl does it. */

static const struct {
	const char *name;
	const char *alias;
	uint32_t ecdsa; /* SignatureScheme, RFC 8446 4.2.3 */
	uint32_t pss;
	uint32_t pkcs1;
} digests[] = {
	{ "SHA256", "SHA2-256", 0x0403, 0x0804, 0x0401 },
	{ "SHA384", "SHA2-384", 0x0503, 0x0805, 0 },
	{ "SHA512", "SHA2-512", 0x0603, 0x0806, 0 },
};
#define NDIGESTS       ((int)(sizeof(digests) / sizeof(digests[0])))
#define SCHEME_ED25519 0x0807

static void *
sig_new(void *ctx, const char *propq)
{
	(void)ctx;
	(void)propq;
	return calloc(1, sizeof(struct sigctx));
}

static void
sig_free(void *data)
{
	free(data);
}

/* An integer that may come as one, or as one of two names. */
static bool
get_choice(const OSSL_PARAM *p, const char *name, int value, const char *name2,
    int value2, int *out)
{
	const char *s;

	if (p->data_type == OSSL_PARAM_INTEGER ||
	    p->data_type == OSSL_PARAM_UNSIGNED_INTEGER)
		return OSSL_PARAM_get_int(p, out) == 1;
	if (OSSL_PARAM_get_utf8_string_ptr(p, &s) != 1 || s == NULL)
		return false;
	if (strcmp(s, name) == 0)
		*out = value;
	else if (strcmp(s, name2) == 0)
		*out = value2;
	else
		return false;
	return true;
}

static int
sig_set_params(void *data, const OSSL_PARAM params[])
{
	struct sigctx *c = data;
	const OSSL_PARAM *p;

	if (params == NULL)
		return 1;
	p = OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PAD_MODE);
	if (p != NULL &&
	    !get_choice(p, OSSL_PKEY_RSA_PAD_MODE_PSS, RSA_PKCS1_PSS_PADDING,
		OSSL_PKEY_RSA_PAD_MODE_PKCSV15, RSA_PKCS1_PADDING, &c->padding))
		return 0;
	p = OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PSS_SALTLEN);
	if (p != NULL &&
	    !get_choice(p, OSSL_PKEY_RSA_PSS_SALT_LEN_DIGEST, RSA_PSS_SALTLEN_DIGEST,
		OSSL_PKEY_RSA_PSS_SALT_LEN_MAX, RSA_PSS_SALTLEN_MAX, &c->saltlen))
		return 0;
	return 1;
}

static const OSSL_PARAM *
sig_settable(void *data, void *ctx)
{
	static const OSSL_PARAM types[] = { OSSL_PARAM_int(
						OSSL_SIGNATURE_PARAM_PAD_MODE, NULL),
		OSSL_PARAM_int(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, NULL), OSSL_PARAM_END };

	(void)data;
	(void)ctx;
	return types;
}

static int
sig_init(void *data, const char *mdname, void *key, const OSSL_PARAM params[])
{
	struct sigctx *c = data;
	int i;

	c->key = key;
	c->md = -1;
	c->padding = RSA_PKCS1_PADDING;
	c->saltlen = RSA_PSS_SALTLEN_DIGEST;
	if (mdname != NULL && mdname[0] != '\0') {
		for (i = 0; i < NDIGESTS; i++)
			if (strcasecmp(mdname, digests[i].name) == 0 ||
			    strcasecmp(mdname, digests[i].alias) == 0)
				c->md = i;
		if (c->md == -1)
			return 0;
	}
	return sig_set_params(c, params);
}

/* 0 when TLS has no such thing. */
static uint32_t
scheme_of(const struct sigctx *c)
{
	if (strcmp(c->key->type, "ED25519") == 0)
		return c->md == -1 ? SCHEME_ED25519 : 0;
	if (c->md == -1)
		return 0;
	if (strcmp(c->key->type, "EC") == 0)
		return digests[c->md].ecdsa;
	if (c->padding == RSA_PKCS1_PADDING)
		return digests[c->md].pkcs1;
	if (c->padding == RSA_PKCS1_PSS_PADDING && c->saltlen == RSA_PSS_SALTLEN_DIGEST)
		return digests[c->md].pss;
	return 0;
}

static int
sig_sign(void *data, unsigned char *sig, size_t *siglen, size_t sigsize,
    const unsigned char *tbs, size_t tbslen)
{
	struct sigctx *c = data;
	uint32_t scheme;
	int max;

	if (c->key == NULL || c->key->pub == NULL ||
	    (max = EVP_PKEY_get_size(c->key->pub)) <= 0)
		return 0;
	if (sig == NULL) {
		*siglen = (size_t)max;
		return 1;
	}
	scheme = scheme_of(c);
	if (scheme == 0 || signer == NULL)
		return 0;
	*siglen = sigsize;
	return signer(signer_arg, scheme, tbs, tbslen, sig, siglen);
}

static const OSSL_DISPATCH sig_fns[] = {
	{ OSSL_FUNC_SIGNATURE_NEWCTX, FN(sig_new) },
	{ OSSL_FUNC_SIGNATURE_FREECTX, FN(sig_free) },
	{ OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT, FN(sig_init) },
	{ OSSL_FUNC_SIGNATURE_DIGEST_SIGN, FN(sig_sign) },
	{ OSSL_FUNC_SIGNATURE_SET_CTX_PARAMS, FN(sig_set_params) },
	{ OSSL_FUNC_SIGNATURE_SETTABLE_CTX_PARAMS, FN(sig_settable) },
	{ 0, NULL },
};

static const OSSL_ALGORITHM signatures[] = {
	{ SIGNATURE, PROPERTY, sig_fns, "signature by another process" },
	{ NULL, NULL, NULL, NULL },
};

/* The provider itself: provider-base(7). */

static const OSSL_ALGORITHM *
prov_query(void *ctx, int operation, int *no_cache)
{
	(void)ctx;
	*no_cache = 0;
	switch (operation) {
	case OSSL_OP_KEYMGMT:
		return keymgmts;
	case OSSL_OP_SIGNATURE:
		return signatures;
	default:
		return NULL;
	}
}

static const OSSL_DISPATCH prov_fns[] = {
	{ OSSL_FUNC_PROVIDER_QUERY_OPERATION, FN(prov_query) },
	{ 0, NULL },
};

static int
prov_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in,
    const OSSL_DISPATCH **out, void **ctx)
{
	(void)handle;
	(void)in;
	*out = prov_fns;
	*ctx = &provctx;
	return 1;
}

void
keyprov_load(void)
{
	static OSSL_PROVIDER *theirs, *ours;

	if (ours != NULL)
		return;
	/* Loaded by name, or it would be there no more beside ours. */
	if ((theirs = OSSL_PROVIDER_load(NULL, "default")) == NULL ||
	    OSSL_PROVIDER_add_builtin(NULL, NAME, prov_init) != 1 ||
	    (ours = OSSL_PROVIDER_load(NULL, NAME)) == NULL)
		fatalx("OpenSSL: the provider of keys cannot be loaded");
	/* All other keys, those of key exchanges above all, are the default's. */
	if (EVP_set_default_properties(NULL, "?" NOT_OURS) != 1)
		fatalx("OpenSSL: default properties");
}

EVP_PKEY *
keyprov_key(EVP_PKEY *pub)
{
	static const char *const types[] = { "EC", "RSA", "ED25519" };
	OSSL_PARAM *params = NULL;
	EVP_PKEY_CTX *ctx = NULL;
	EVP_PKEY *key = NULL;
	size_t i;

	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (EVP_PKEY_is_a(pub, types[i]))
			break;
	if (i == sizeof(types) / sizeof(types[0]))
		return NULL;
	if (EVP_PKEY_todata(pub, EVP_PKEY_PUBLIC_KEY, &params) != 1)
		return NULL;
	ctx = EVP_PKEY_CTX_new_from_name(NULL, types[i], PROPERTY);
	if (ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
		key = NULL;
	EVP_PKEY_CTX_free(ctx);
	OSSL_PARAM_free(params);
	return key;
}
