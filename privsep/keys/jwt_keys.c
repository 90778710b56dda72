/* Keys of tokens: see jwt_keys.h. */
#include <sys/stat.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>
#include <openssl/x509.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bsd/string.h>

#include "../jwt.h"
#include "../log.h"
#include "jwt_keys.h"
#include "../hex.h"

#define MAGIC "IDEDJWT"
#define PLACE 65536 /* of the second image */

/* The file, all of it written by this program on this machine. */
struct saved_key {
	char kid[WIRE_KID];
	char pad[7];
	uint32_t alg;
	uint32_t len;
	int64_t from;
	int64_t until;
	uint8_t der[JWT_DER_MAX];
};
struct image {
	char magic[8];
	uint64_t count; /* the larger one is the later */
	uint32_t nkeys;
	uint32_t pad;
	struct saved_key key[WIRE_JWT_KEYS];
	uint8_t sum[SHA256_DIGEST_LENGTH];
};
_Static_assert(sizeof(struct image) <= PLACE, "two images do not overlap");

struct jwt_key {
	char kid[WIRE_KID];
	uint32_t alg;
	int64_t from;  /* signs from then on */
	int64_t until; /* known until then; 0: it has no successor yet */
	EVP_PKEY *pkey;
};

static struct {
	int fd;
	struct m_keystore want;
	uint64_t count;
	unsigned int n;
	struct jwt_key key[WIRE_JWT_KEYS]; /* oldest first */
	bool open;
} jk = { .fd = -1 };

static void
drop(unsigned int i)
{
	EVP_PKEY_free(jk.key[i].pkey); /* wiped: see key_memory() */
	jk.n--;
	memmove(&jk.key[i], &jk.key[i + 1], (jk.n - i) * sizeof(jk.key[0]));
	memset(&jk.key[jk.n], 0, sizeof(jk.key[0]));
}

void
jwt_keys_forget_all(void)
{
	while (jk.n > 0)
		drop(jk.n - 1);
	if (jk.fd != -1)
		close(jk.fd);
	memset(&jk, 0, sizeof(jk));
	jk.fd = -1;
}

/* --- the file --- */

static void
sum(const struct image *im, uint8_t md[SHA256_DIGEST_LENGTH])
{
	SHA256((const uint8_t *)im, offsetof(struct image, sum), md);
}

static bool
image_read(struct image *im, unsigned int which)
{
	uint8_t md[SHA256_DIGEST_LENGTH];
	size_t done = 0;
	ssize_t n;

	while (done < sizeof(*im)) {
		n = pread(jk.fd, (uint8_t *)im + done, sizeof(*im) - done,
		    (off_t)which * PLACE + (off_t)done);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	sum(im, md);
	return memcmp(im->magic, MAGIC, sizeof(im->magic)) == 0 &&
	    memcmp(md, im->sum, sizeof(md)) == 0 && im->nkeys <= WIRE_JWT_KEYS;
}

static bool
image_write(const struct image *im, unsigned int which)
{
	size_t done = 0;
	ssize_t n;

	while (done < sizeof(*im)) {
		n = pwrite(jk.fd, (const uint8_t *)im + done, sizeof(*im) - done,
		    (off_t)which * PLACE + (off_t)done);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	return fdatasync(jk.fd) == 0;
}

/* Private keys are in there: from the secure heap, and wiped. */
static struct image *
image_new(void)
{
	struct image *im = OPENSSL_secure_zalloc(sizeof(*im));

	if (im == NULL)
		log_warnx("token keys: no locked memory left");
	return im;
}

static void
image_free(struct image *im)
{
	OPENSSL_secure_clear_free(im, sizeof(*im));
}

static bool
save(void)
{
	struct image *im;
	struct saved_key *s;
	const struct jwt_key *k;
	uint8_t *der;
	unsigned int i;
	bool ok;
	int len;

	if ((im = image_new()) == NULL)
		return false;
	memcpy(im->magic, MAGIC, sizeof(im->magic));
	im->count = jk.count + 1;
	im->nkeys = jk.n;
	ok = true;
	for (i = 0; i < jk.n && ok; i++) {
		k = &jk.key[i];
		s = &im->key[i];
		strlcpy(s->kid, k->kid, sizeof(s->kid));
		s->alg = k->alg;
		s->from = k->from;
		s->until = k->until;
		len = i2d_PrivateKey(k->pkey, NULL);
		ok = len > 0 && len <= JWT_DER_MAX;
		der = s->der;
		ok = ok && i2d_PrivateKey(k->pkey, &der) == len;
		s->len = ok ? (uint32_t)len : 0;
	}
	sum(im, im->sum);
	/* Not over the one that is good. */
	ok = ok && image_write(im, (unsigned int)(im->count & 1));
	if (ok)
		jk.count++;
	else
		log_event(LOG_ERR, "token.keys", LOG_S("error", strerror(errno)),
		    LOG_S("hint",
			"keys of tokens cannot be kept: after a restart, "
			"all tokens are void"));
	image_free(im);
	return ok;
}

static uint32_t
alg_of(const EVP_PKEY *pkey)
{
	if (EVP_PKEY_is_a(pkey, "ED25519"))
		return JWT_EDDSA;
	if (EVP_PKEY_is_a(pkey, "RSA"))
		return JWT_RS256;
	return 0;
}

static bool
take(const struct saved_key *s)
{
	const uint8_t *der = s->der;
	struct jwt_key *k = &jk.key[jk.n];

	if (s->len > sizeof(s->der) || !jwt_hex_ok(s->kid, WIRE_KID - 1))
		return false;
	k->pkey = d2i_AutoPrivateKey(NULL, &der, (long)s->len);
	if (k->pkey == NULL || alg_of(k->pkey) != s->alg) {
		EVP_PKEY_free(k->pkey);
		memset(k, 0, sizeof(*k));
		ERR_clear_error();
		return false;
	}
	strlcpy(k->kid, s->kid, sizeof(k->kid));
	k->alg = s->alg;
	k->from = s->from;
	k->until = s->until;
	jk.n++;
	return true;
}

static void
load(void)
{
	struct image *im[2] = { image_new(), image_new() };
	bool good[2];
	unsigned int i, at;
	struct stat st;

	if (im[0] == NULL || im[1] == NULL)
		fatalx("no memory for the keys of tokens");
	good[0] = image_read(im[0], 0);
	good[1] = image_read(im[1], 1);
	if (good[0] || good[1]) {
		at = !good[0] || (good[1] && im[1]->count > im[0]->count);
		jk.count = im[at]->count;
		for (i = 0; i < im[at]->nkeys; i++)
			if (!take(&im[at]->key[i]))
				log_warnx("token keys: one of them is unsound");
	} else if (fstat(jk.fd, &st) == 0 && st.st_size != 0)
		/* Nothing that an old one signed is believed. */
		log_event(LOG_ERR, "token.keys", LOG_S("error", "the file is damaged"),
		    LOG_S("hint", "new keys are made, all tokens are void"));
	image_free(im[0]);
	image_free(im[1]);
}

/* --- keys --- */

static bool
kid_of(EVP_PKEY *pkey, char kid[WIRE_KID])
{
	uint8_t *spki = NULL, md[SHA256_DIGEST_LENGTH];
	int len;

	if ((len = i2d_PUBKEY(pkey, &spki)) <= 0)
		return false;
	SHA256(spki, (size_t)len, md);
	OPENSSL_free(spki);
	hex_put(kid, md, (WIRE_KID - 1) / 2);
	return true;
}

/* A new key that signs from then on, and how long the others are known. */
static bool
add(int64_t from)
{
	struct jwt_key k;
	unsigned int i;

	memset(&k, 0, sizeof(k));
	k.alg = jk.want.alg;
	k.from = from;
	if (k.alg == JWT_RS256)
		k.pkey = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)JWT_RSA);
	else
		k.pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	if (k.pkey == NULL || !kid_of(k.pkey, k.kid)) {
		EVP_PKEY_free(k.pkey);
		ERR_clear_error();
		log_event(LOG_ERR, "token.keys", LOG_S("error", "no key can be made"));
		return false;
	}
	for (i = 0; i < jk.n; i++)
		if (jk.key[i].until == 0)
			jk.key[i].until = from + jk.want.overlap;
	if (jk.n == WIRE_JWT_KEYS)
		drop(0);
	jk.key[jk.n++] = k;
	log_event(LOG_NOTICE, "token.key", LOG_S("kid", k.kid),
	    LOG_S("algorithm", jwt_alg_name(k.alg)), LOG_N("from", from));
	return true;
}

bool
jwt_keys_tick(int64_t now)
{
	const struct jwt_key *last;
	bool changed = false;
	unsigned int i;

	if (!jk.open)
		return false;
	for (i = 0; i < jk.n;) {
		if (jk.key[i].until == 0 || jk.key[i].until > now) {
			i++;
			continue;
		}
		log_event(LOG_NOTICE, "token.key.dropped", LOG_S("kid", jk.key[i].kid));
		drop(i);
		changed = true;
	}
	last = jk.n > 0 ? &jk.key[jk.n - 1] : NULL;
	if (last == NULL)
		changed |= add(now);
	else if (last->alg != jk.want.alg || now >= last->from + jk.want.rotate)
		changed |= add(now + JWT_AHEAD);
	if (changed)
		(void)save();
	return changed;
}

bool
jwt_keys_open(int fd, const struct m_keystore *want, int64_t now)
{
	unsigned int n = jk.n;

	if (jk.fd != -1)
		close(jk.fd);
	jk.fd = fd;
	jk.want = *want;
	if (!jk.open) {
		jk.open = true;
		load();
	}
	return jwt_keys_tick(now) || n != jk.n;
}

bool
jwt_keys_rotate(bool forget, int64_t now)
{
	/* None goes before what it signed is over, unless that is wanted. */
	if (!jk.open || (jk.n == WIRE_JWT_KEYS && !forget) || !add(now))
		return false;
	while (forget && jk.n > 1)
		drop(0);
	(void)save();
	return true;
}

void
jwt_keys_public(struct m_jwt_keys *m)
{
	struct wire_jwt_key *w;
	BIGNUM *bn = NULL;
	unsigned int i;
	size_t len;

	memset(m, 0, sizeof(*m));
	for (i = 0; i < jk.n; i++) {
		w = &m->key[m->count];
		len = sizeof(w->pub);
		if (jk.key[i].alg == JWT_EDDSA) {
			if (EVP_PKEY_get_raw_public_key(jk.key[i].pkey, w->pub, &len) !=
			    1)
				continue;
		} else {
			if (EVP_PKEY_get_bn_param(
				jk.key[i].pkey, OSSL_PKEY_PARAM_RSA_N, &bn) != 1)
				continue;
			len = (size_t)BN_bn2bin(bn, w->pub); /* JWT_RSA bits */
			BN_free(bn);
			bn = NULL;
		}
		strlcpy(w->kid, jk.key[i].kid, sizeof(w->kid));
		w->alg = jk.key[i].alg;
		w->len = (uint32_t)len;
		m->count++;
	}
}

/* --- signing --- */

/* The newest whose time has come; after the clock went back, the oldest. */
static const struct jwt_key *
signer(int64_t now)
{
	unsigned int i;

	for (i = jk.n; i > 0; i--)
		if (jk.key[i - 1].from <= now)
			return &jk.key[i - 1];
	return jk.n > 0 ? &jk.key[0] : NULL;
}

static bool
sign_text(const struct jwt_key *k, const char *input, size_t n, struct wire_jwt_sig *sig)
{
	size_t len = sizeof(sig->bytes);
	EVP_MD_CTX *ctx;
	bool ok;

	if (n == 0)
		return false;
	ctx = EVP_MD_CTX_new();
	ok = ctx != NULL &&
	    EVP_DigestSignInit_ex(ctx, NULL, k->alg == JWT_RS256 ? "SHA256" : NULL, NULL,
		NULL, k->pkey, NULL) == 1 &&
	    EVP_DigestSign(ctx, sig->bytes, &len, (const uint8_t *)input, n) == 1;
	EVP_MD_CTX_free(ctx);
	if (!ok)
		ERR_clear_error();
	sig->len = ok ? (uint32_t)len : 0;
	return ok;
}

static bool
strings_ok(const struct wire_jwt *j)
{
	return wire_str(j->issuer) && wire_str(j->name) && wire_str(j->session) &&
	    wire_str(j->jti);
}

static bool
sign_one(const struct jwt_key *k, const struct wire_jwt *asked, uint32_t use,
    struct wire_jwt_sig *sig)
{
	char input[JWT_INPUT_MAX];
	struct wire_jwt j = *asked;

	if (!strings_ok(&j) || j.use != use)
		return false;
	strlcpy(j.kid, k->kid, sizeof(j.kid));
	j.alg = k->alg;
	return sign_text(k, input, jwt_input(&j, input), sig);
}

static void
not_signed(const struct jwt_key *k)
{
	log_event(LOG_WARNING, "token.sign",
	    LOG_S("error", k == NULL ? "there is no key" : "not a token"));
}

void
jwt_sign(const struct m_jwt_sign *m, struct m_jwt_signed *ans, int64_t now)
{
	const struct jwt_key *k = signer(now);

	memset(ans, 0, sizeof(*ans));
	if (k == NULL || !sign_one(k, &m->access, JWT_ACCESS, &ans->access) ||
	    !sign_one(k, &m->refresh, JWT_REFRESH, &ans->refresh)) {
		memset(ans, 0, sizeof(*ans));
		not_signed(k);
		return;
	}
	ans->ok = 1;
	ans->alg = k->alg;
	strlcpy(ans->kid, k->kid, sizeof(ans->kid));
}

void
jwt_assert(const struct wire_assertion *m, struct m_location_signed *ans, int64_t now)
{
	const struct jwt_key *k = signer(now);
	struct wire_assertion *a = &ans->assertion;
	char input[JWT_INPUT_MAX];

	memset(ans, 0, sizeof(*ans));
	if (k != NULL && strings_ok(&m->jwt) && wire_str(m->location) &&
	    wire_str(m->roles)) {
		*a = *m;
		strlcpy(a->jwt.kid, k->kid, sizeof(a->jwt.kid));
		a->jwt.alg = k->alg;
		if (sign_text(k, input, jwt_assertion_input(a, input), &ans->sig))
			return;
	}
	memset(ans, 0, sizeof(*ans));
	not_signed(k);
}
