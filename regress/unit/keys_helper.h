/*
 * For the tests of keys: keys in files, and things to be signed.
 */
#ifndef UNIT_KEYS_HELPER_H
#define UNIT_KEYS_HELPER_H

#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>

#include "../../privsep/keys/key.h"
#include "../../privsep/keys/sign.h"

/* Keys for the tests. */

static inline void
keyid(EVP_PKEY *k, uint8_t id[WIRE_KEYID])
{
	uint8_t *spki = NULL;
	int len = i2d_PUBKEY(k, &spki);

	assert_true(len > 0);
	SHA256(spki, (size_t)len, id);
	OPENSSL_free(spki);
}

static inline int
file_of(const void *data, size_t len)
{
	int fd = memfd_create("key", MFD_CLOEXEC);

	assert_true(fd != -1);
	assert_int_equal(write(fd, data, len), len);
	return fd;
}

/* traditional: "EC PRIVATE KEY" and its like instead of PKCS#8. */
static inline int
pem_of(EVP_PKEY *k, bool traditional, const EVP_CIPHER *cipher)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *p;
	long len;
	int fd;

	if (traditional)
		assert_int_equal(
		    PEM_write_bio_PrivateKey_traditional(bio, k, cipher, NULL, 0, NULL,
			cipher != NULL ? (void *)(uintptr_t) "secret" : NULL),
		    1);
	else
		assert_int_equal(
		    PEM_write_bio_PKCS8PrivateKey(bio, k, cipher, NULL, 0, NULL,
			cipher != NULL ? (void *)(uintptr_t) "secret" : NULL),
		    1);
	len = BIO_get_mem_data(bio, &p);
	fd = file_of(p, (size_t)len);
	BIO_free(bio);
	return fd;
}

static inline EVP_PKEY *
ec(const char *curve)
{
	EVP_PKEY *k = EVP_PKEY_Q_keygen(NULL, NULL, "EC", curve);

	assert_non_null(k);
	return k;
}

static inline EVP_PKEY *
rsa(size_t bits)
{
	EVP_PKEY *k = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", bits);

	assert_non_null(k);
	return k;
}

static inline const char *
load(EVP_PKEY *k, int fd)
{
	uint8_t id[WIRE_KEYID];
	const char *why = NULL;

	keyid(k, id);
	if (key_load(fd, id, &why) == 0)
		assert_null(why);
	else
		assert_non_null(why);
	close(fd);
	return why;
}

static inline void
load_ok(EVP_PKEY *k)
{
	const char *why = load(k, pem_of(k, false, NULL));

	if (why != NULL)
		fail_msg("%s", why);
}

/* Things to be signed. */

static inline uint32_t
tbs13(uint8_t *tbs, uint32_t hash)
{
	memset(tbs, ' ', 64);
	memcpy(tbs + 64, "TLS 1.3, server CertificateVerify", 34);
	memset(tbs + 98, 0x5a, hash);
	return 98 + hash;
}

static inline uint32_t
tbs12(uint8_t *tbs, uint8_t group, uint8_t len, uint8_t first)
{
	memset(tbs, 0x11, 64);
	tbs[64] = 3;
	tbs[65] = 0;
	tbs[66] = group;
	tbs[67] = len;
	memset(tbs + 68, 0x22, len);
	tbs[68] = first;
	return 68U + len;
}

static inline struct m_sign
request(EVP_PKEY *k, uint32_t scheme, enum sign_form form)
{
	struct m_sign r;

	memset(&r, 0, sizeof(r));
	keyid(k, r.keyid);
	r.scheme = scheme;
	r.len = form == FORM_TLS13 ? tbs13(r.tbs, 32) : tbs12(r.tbs, 0x1d, 32, 9);
	return r;
}

static inline bool
verifies(EVP_PKEY *k, const struct m_sign *r, const struct m_signed *a)
{
	static const struct {
		uint32_t scheme;
		const char *md;
		int pad;
	} how[] = {
		{ 0x0403, "SHA256", 0 },
		{ 0x0503, "SHA384", 0 },
		{ 0x0603, "SHA512", 0 },
		{ 0x0804, "SHA256", RSA_PKCS1_PSS_PADDING },
		{ 0x0805, "SHA384", RSA_PKCS1_PSS_PADDING },
		{ 0x0806, "SHA512", RSA_PKCS1_PSS_PADDING },
		{ 0x0401, "SHA256", RSA_PKCS1_PADDING },
		{ 0x0807, NULL, 0 },
	};
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pctx;
	size_t i;
	bool ok;

	for (i = 0; how[i].scheme != r->scheme; i++)
		;
	assert_int_equal(
	    EVP_DigestVerifyInit_ex(ctx, &pctx, how[i].md, NULL, NULL, k, NULL), 1);
	if (how[i].pad != 0)
		assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(pctx, how[i].pad), 1);
	if (how[i].pad == RSA_PKCS1_PSS_PADDING)
		assert_int_equal(
		    EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST), 1);
	ok = EVP_DigestVerify(ctx, a->sig, a->len, r->tbs, r->len) == 1;
	EVP_MD_CTX_free(ctx);
	return ok;
}

#endif
