/* The key of the audit trail's checkpoints: see audit_key.h. */
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "audit_key.h"

#define FILE_MAGIC "ided-ed25519-1\n"

struct key_file {
	char magic[sizeof(FILE_MAGIC)];
	uint8_t seed[WIRE_ED25519];
};

static struct {
	EVP_PKEY *pkey;
	uint8_t pub[WIRE_ED25519];
	int last; /* file of the last checkpoint; -1: none yet */
	unsigned int place;
	struct m_audit_signed signed_last;
} key = { .last = -1 };

static bool
write_all(int fd, const void *data, size_t len, off_t at)
{
	const uint8_t *p = data;
	ssize_t n;

	while (len > 0) {
		n = pwrite(fd, p, len, at);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		p += n;
		at += n;
		len -= (size_t)n;
	}
	return true;
}

static const char *
make(int fd, struct key_file *f)
{
	memcpy(f->magic, FILE_MAGIC, sizeof(f->magic));
	if (RAND_priv_bytes(f->seed, sizeof(f->seed)) != 1)
		return "no random numbers for it";
	if (!write_all(fd, f, sizeof(*f), 0) || fdatasync(fd) == -1)
		return "cannot be written";
	return NULL;
}

static const char *
take(int fd, struct key_file *f)
{
	size_t len = sizeof(key.pub);
	const char *why;
	ssize_t n;

	n = pread(fd, f, sizeof(*f), 0);
	if (n == 0) {
		if ((why = make(fd, f)) != NULL)
			return why;
	} else if (n != sizeof(*f) || memcmp(f->magic, FILE_MAGIC, sizeof(f->magic)) != 0)
		return "it holds no key of ours";
	EVP_PKEY_free(key.pkey);
	key.pkey = EVP_PKEY_new_raw_private_key(
	    EVP_PKEY_ED25519, NULL, f->seed, sizeof(f->seed));
	if (key.pkey == NULL ||
	    EVP_PKEY_get_raw_public_key(key.pkey, key.pub, &len) != 1 ||
	    len != sizeof(key.pub))
		return "no memory for it";
	return NULL;
}

const char *
audit_key_file(int fd)
{
	struct key_file f;
	const char *why;

	why = take(fd, &f);
	explicit_bzero(&f, sizeof(f));
	ERR_clear_error();
	close(fd);
	return why;
}

const char *
audit_key_pub(int fd)
{
	const char *why = NULL;
	uint8_t *pem;
	long len;
	BIO *bio;

	bio = BIO_new(BIO_s_mem());
	if (key.pkey == NULL || bio == NULL || PEM_write_bio_PUBKEY(bio, key.pkey) != 1 ||
	    (len = BIO_get_mem_data(bio, &pem)) <= 0)
		why = "there is no key";
	else if (!write_all(fd, pem, (size_t)len, 0) || ftruncate(fd, len) == -1)
		why = "cannot be written";
	BIO_free(bio);
	close(fd);
	return why;
}

const char *
audit_key_last(int fd)
{
	if (key.last != -1)
		close(key.last);
	key.last = fd;
	if (key.pkey == NULL)
		return "there is no key";
	if (!audit_last_read(fd, key.pub, &key.signed_last))
		memset(&key.signed_last, 0, sizeof(key.signed_last));
	return NULL;
}

static bool
sign(const struct m_audit_sign *what, uint8_t sig[WIRE_ED25519SIG])
{
	uint8_t text[AUDIT_SIGN_LEN];
	size_t len = WIRE_ED25519SIG;
	EVP_MD_CTX *ctx;
	bool ok;

	audit_sign_text(what, text);
	ctx = EVP_MD_CTX_new();
	ok = ctx != NULL && EVP_DigestSignInit(ctx, NULL, NULL, NULL, key.pkey) == 1 &&
	    EVP_DigestSign(ctx, sig, &len, text, sizeof(text)) == 1;
	EVP_MD_CTX_free(ctx);
	ERR_clear_error();
	return ok;
}

/* Would it take back what was signed? */
static bool
is_older(const struct m_audit_sign *what)
{
	const struct m_audit_sign *last = &key.signed_last.what;

	return what->seq < last->seq ||
	    (what->seq == last->seq &&
		memcmp(what->hash, last->hash, sizeof(what->hash)) != 0);
}

void
audit_key_sign(const struct m_audit_sign *what, struct m_audit_signed *ans)
{
	memset(ans, 0, sizeof(*ans));
	ans->what = *what;
	ans->last = key.signed_last.what.seq;
	if (key.pkey == NULL || key.last == -1) {
		ans->result = AUDIT_SIGN_FAILED;
	} else if (is_older(what)) {
		ans->result = AUDIT_SIGN_OLDER;
	} else if (!sign(what, ans->sig)) {
		ans->result = AUDIT_SIGN_FAILED;
	} else {
		ans->result = AUDIT_SIGN_OK;
		memcpy(ans->key, key.pub, sizeof(ans->key));
		ans->last = what->seq;
		key.signed_last = *ans;
		key.place = (key.place + 1) % AUDIT_LAST_PLACES;
		/* A full disk keeps the one before. */
		(void)write_all(
		    key.last, ans, sizeof(*ans), (off_t)key.place * AUDIT_LAST_PLACE);
	}
}
