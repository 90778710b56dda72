/* The private keys: see key.h. */
#include <sys/stat.h>

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/sha.h>

#include <errno.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../log.h"
#include "key.h"

#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX 8192 /* whose signature just fits WIRE_SIG_MAX */
#define BLOCKS_MAX   32   /* PEM blocks looked at in one file */

static struct key keys[KEY_GENERATIONS];
static uint64_t loads;

/*
 * OpenSSL's own memory.  Decoding a key and signing with it leave pieces of it
 * in buffers outside the secure heap, which are freed as they are; here whatever
 * is freed is wiped.
 */
static void *
wipe_malloc(size_t n, const char *file, int line)
{
	(void)file;
	(void)line;
	return malloc(n);
}

static void
wipe_free(void *p, const char *file, int line)
{
	(void)file;
	(void)line;
	if (p == NULL)
		return;
	explicit_bzero(p, malloc_usable_size(p));
	free(p);
}

static void *
wipe_realloc(void *p, size_t n, const char *file, int line)
{
	size_t had;
	void *q;

	if (p == NULL)
		return wipe_malloc(n, file, line);
	if (n == 0) {
		wipe_free(p, file, line);
		return NULL;
	}
	had = malloc_usable_size(p);
	q = malloc(n);
	if (q == NULL)
		return NULL;
	memcpy(q, p, had < n ? had : n);
	wipe_free(p, file, line);
	return q;
}

void
key_memory(void)
{
	if (CRYPTO_set_mem_functions(wipe_malloc, wipe_realloc, wipe_free) != 1)
		fatalx("BUG: OpenSSL was used before its memory was made safe");
	/* No configuration file has a say in this process. */
	if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1)
		fatalx("OpenSSL cannot be initialised");
	/* 2 is a heap that can be swapped out or dumped. */
	switch (CRYPTO_secure_malloc_init(KEY_HEAP, 32)) {
	case 1:
		return;
	case 2:
		fatalx("memory for keys cannot be locked: RLIMIT_MEMLOCK is too low");
	default:
		fatalx("no memory for keys");
	}
}

/* The whole file, in the secure heap; NULL with *why. */
static uint8_t *
read_file(int fd, size_t *len, const char **why)
{
	struct stat st;
	uint8_t *buf;
	size_t done = 0;
	ssize_t n;

	if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode)) {
		*why = "not a regular file";
		return NULL;
	}
	if (st.st_size <= 0 || st.st_size > KEY_FILE_MAX) {
		*why = "empty, or too large for a key file";
		return NULL;
	}
	*len = (size_t)st.st_size;
	buf = OPENSSL_secure_malloc(*len);
	if (buf == NULL) {
		*why = "no locked memory left";
		return NULL;
	}
	while (done < *len) {
		n = pread(fd, buf + done, *len - done, (off_t)done);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0) {
			OPENSSL_secure_clear_free(buf, *len);
			*why = "cannot be read";
			return NULL;
		}
		done += (size_t)n;
	}
	return buf;
}

/* One decrypted private key block to a key; NULL when it is none. */
static EVP_PKEY *
decode_block(
    const char *name, const char *header, const uint8_t *der, long len, const char **why)
{
	static const char suffix[] = "PRIVATE KEY";
	size_t n = strlen(name);
	EVP_PKEY *pkey;

	if (n < sizeof(suffix) - 1 ||
	    strcmp(name + n - (sizeof(suffix) - 1), suffix) != 0)
		return NULL;
	if (strncmp(name, "ENCRYPTED", 9) == 0 || header[0] != '\0') {
		*why = "the key is encrypted; there is nobody to ask for a password";
		return NULL;
	}
	pkey = d2i_AutoPrivateKey(NULL, &der, len);
	if (pkey == NULL)
		*why = "the key is malformed or of an unknown kind";
	return pkey;
}

/* The first private key among the blocks of a PEM text. */
static EVP_PKEY *
decode(const uint8_t *pem, size_t len, const char **why)
{
	EVP_PKEY *pkey = NULL;
	char *name, *header;
	uint8_t *der;
	BIO *bio;
	long derlen;
	int i;

	*why = "no private key in PEM format";
	bio = BIO_new_mem_buf(pem, (int)len);
	if (bio == NULL)
		return NULL;
	for (i = 0; i < BLOCKS_MAX && pkey == NULL; i++) {
		name = header = NULL;
		der = NULL;
		if (PEM_read_bio_ex(bio, &name, &header, &der, &derlen,
			PEM_FLAG_SECURE | PEM_FLAG_EAY_COMPATIBLE) != 1)
			break;
		pkey = decode_block(name, header, der, derlen, why);
		OPENSSL_secure_free(name);
		OPENSSL_secure_free(header);
		OPENSSL_secure_clear_free(der, (size_t)derlen);
	}
	BIO_free(bio);
	return pkey;
}

static enum key_type
type_of(const EVP_PKEY *pkey)
{
	static const struct {
		const char *group;
		enum key_type type;
	} groups[] = {
		{ "prime256v1", KEY_P256 },
		{ "secp384r1", KEY_P384 },
		{ "secp521r1", KEY_P521 },
	};
	char group[64];
	size_t i;
	int bits;

	if (EVP_PKEY_is_a(pkey, "ED25519"))
		return KEY_ED25519;
	if (EVP_PKEY_is_a(pkey, "RSA")) {
		bits = EVP_PKEY_get_bits(pkey);
		return bits >= RSA_BITS_MIN && bits <= RSA_BITS_MAX ? KEY_RSA : KEY_NONE;
	}
	if (!EVP_PKEY_is_a(pkey, "EC") ||
	    EVP_PKEY_get_group_name(pkey, group, sizeof(group), NULL) != 1)
		return KEY_NONE;
	for (i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
		if (strcmp(group, groups[i].group) == 0)
			return groups[i].type;
	return KEY_NONE;
}

static bool
id_of(EVP_PKEY *pkey, uint8_t id[WIRE_KEYID])
{
	uint8_t *spki = NULL;
	int len;

	_Static_assert(WIRE_KEYID == SHA256_DIGEST_LENGTH, "id is a SHA-256");
	len = i2d_PUBKEY(pkey, &spki);
	if (len <= 0)
		return false;
	SHA256(spki, (size_t)len, id);
	OPENSSL_free(spki);
	return true;
}

/* Is it of a kind that we sign with, whole, and the one that was announced? */
static const char *
check(EVP_PKEY *pkey, const uint8_t want[WIRE_KEYID], enum key_type *type)
{
	uint8_t id[WIRE_KEYID];
	EVP_PKEY_CTX *ctx;
	int ok;

	*type = type_of(pkey);
	if (*type == KEY_NONE)
		return "not an ECDSA P-256, P-384 or P-521, Ed25519, or RSA key "
		       "of 2048 to 8192 bits";
	if (!id_of(pkey, id) || memcmp(id, want, WIRE_KEYID) != 0)
		return "the key does not belong to the certificate";
	ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
	ok = ctx != NULL && EVP_PKEY_pairwise_check(ctx) == 1;
	EVP_PKEY_CTX_free(ctx);
	return ok ? NULL : "its private half does not fit its public half";
}

/* Where a new key goes: over itself, to a free place, over the oldest. */
static struct key *
place_for(const uint8_t id[WIRE_KEYID])
{
	struct key *k, *oldest = &keys[0];

	for (k = keys; k < keys + KEY_GENERATIONS; k++) {
		if (k->pkey != NULL && memcmp(k->id, id, WIRE_KEYID) == 0)
			return k;
		if (oldest->pkey != NULL && (k->pkey == NULL || k->age < oldest->age))
			oldest = k;
	}
	return oldest;
}

int
key_load(int fd, const uint8_t id[WIRE_KEYID], const char **why)
{
	EVP_PKEY *pkey;
	struct key *k;
	uint8_t *pem;
	size_t len;
	enum key_type type;

	*why = NULL;
	pem = read_file(fd, &len, why);
	if (pem == NULL)
		return -1;
	pkey = decode(pem, len, why);
	OPENSSL_secure_clear_free(pem, len);
	ERR_clear_error();
	if (pkey == NULL)
		return -1;
	*why = check(pkey, id, &type);
	ERR_clear_error();
	if (*why != NULL) {
		EVP_PKEY_free(pkey);
		return -1;
	}
	k = place_for(id);
	EVP_PKEY_free(k->pkey);
	memcpy(k->id, id, WIRE_KEYID);
	k->pkey = pkey;
	k->type = type;
	k->age = ++loads;
	return 0;
}

const struct key *
key_find(const uint8_t id[WIRE_KEYID])
{
	const struct key *k;

	for (k = keys; k < keys + KEY_GENERATIONS; k++)
		if (k->pkey != NULL && memcmp(k->id, id, WIRE_KEYID) == 0)
			return k;
	return NULL;
}

void
key_forget_all(void)
{
	struct key *k;

	for (k = keys; k < keys + KEY_GENERATIONS; k++)
		EVP_PKEY_free(k->pkey); /* wipes it: see above */
	explicit_bzero(keys, sizeof(keys));
}
