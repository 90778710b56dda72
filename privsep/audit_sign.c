/* Checkpoints of the audit trail: see audit_sign.h. */
#include <openssl/evp.h>

#include <string.h>
#include <unistd.h>

#include "audit_sign.h"

static uint8_t *
put64(uint8_t *p, uint64_t v)
{
	unsigned int i;

	for (i = 0; i < 8; i++)
		*p++ = (uint8_t)(v >> (56 - 8 * i));
	return p;
}

void
audit_sign_text(const struct m_audit_sign *s, uint8_t text[AUDIT_SIGN_LEN])
{
	uint8_t *p = text;

	memcpy(p, AUDIT_SIGN_PURPOSE, sizeof(AUDIT_SIGN_PURPOSE));
	p = put64(p + sizeof(AUDIT_SIGN_PURPOSE), s->seq);
	p = put64(p, (uint64_t)s->time);
	memcpy(p, s->hash, sizeof(s->hash));
}

bool
audit_sign_verify(const struct m_audit_signed *s, const uint8_t key[WIRE_ED25519])
{
	uint8_t text[AUDIT_SIGN_LEN];
	EVP_MD_CTX *ctx = NULL;
	EVP_PKEY *pkey;
	bool ok;

	audit_sign_text(&s->what, text);
	pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key, WIRE_ED25519);
	ok = pkey != NULL && (ctx = EVP_MD_CTX_new()) != NULL &&
	    EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, pkey) == 1 &&
	    EVP_DigestVerify(ctx, s->sig, sizeof(s->sig), text, sizeof(text)) == 1;
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(pkey);
	return ok;
}

bool
audit_last_read(int fd, const uint8_t key[WIRE_ED25519], struct m_audit_signed *last)
{
	struct m_audit_signed s;
	unsigned int i;
	bool found = false;

	_Static_assert(sizeof(s) <= AUDIT_LAST_PLACE, "a checkpoint fits its place");
	for (i = 0; i < AUDIT_LAST_PLACES; i++) {
		if (pread(fd, &s, sizeof(s), i * AUDIT_LAST_PLACE) != sizeof(s) ||
		    !audit_sign_verify(&s, key) ||
		    (found && s.what.seq <= last->what.seq))
			continue;
		*last = s;
		found = true;
	}
	return found;
}
