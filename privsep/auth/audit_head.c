/*
 * The head of the audit trail is signed by keys: every few seconds in which there was
 * something, and now and then so that the signature is a record itself.
 */
#include <string.h>

#include "../hex.h"
#include "audit_part.h"
#include "audit_store.h"
#include "auth.h"

#define HEAD_EVERY       2    /* seconds; the head is signed so often */
#define CHECKPOINT_EVERY 600  /* ... and in the trail itself */
#define CHECKPOINT_AFTER 1000 /* records */
#define SIGN_TIMEOUT     10

static struct {
	bool asked;
	bool told_older;
	uint64_t signed_seq;
	int64_t signed_at;
	uint64_t checkpoint_seq; /* of the last record of one */
	int64_t checkpoint_at;
} hd;

void
audit_head_start(void)
{
	hd.checkpoint_at = auth_ms();
}

static void
checkpoint(const struct m_audit_signed *s)
{
	char hash[AUDIT_HEX + 1], key[2 * WIRE_ED25519 + 1], sig[2 * WIRE_ED25519SIG + 1];

	hex_put(hash, s->what.hash, sizeof(s->what.hash));
	hex_put(key, s->key, sizeof(s->key));
	hex_put(sig, s->sig, sizeof(s->sig));
	(void)audit_event(AUDIT_TRAIL_CHECKPOINT, LOG_N("of", s->what.seq),
	    LOG_S("hash", hash), LOG_N("time_ms", s->what.time), LOG_S("key", key),
	    LOG_S("signature", sig));
	hd.checkpoint_seq = audit_store_head(audit_trail(), (uint8_t[WIRE_HASH256]){ 0 });
	hd.checkpoint_at = auth_ms();
	/* The record of it needs no signature of its own. */
	hd.signed_seq = hd.checkpoint_seq;
}

static bool
on_signed(void *owner, uint32_t tag, struct msg *m)
{
	const struct m_audit_signed *s;

	(void)owner;
	(void)tag;
	hd.asked = false;
	if (m == NULL || audit_trail() == NULL)
		return true;
	s = MSG_DATA(m, m_audit_signed);
	hd.signed_seq = s->what.seq;
	if (s->result == AUDIT_SIGN_OLDER && !hd.told_older) {
		hd.told_older = true;
		(void)audit_event(AUDIT_TRAIL_OLDER, LOG_N("head", s->what.seq),
		    LOG_N("signed", s->last));
	}
	if (s->result == AUDIT_SIGN_OK &&
	    (s->what.seq - hd.checkpoint_seq >= CHECKPOINT_AFTER ||
		auth_ms() - hd.checkpoint_at >= CHECKPOINT_EVERY * 1000))
		checkpoint(s);
	return true;
}

void
audit_head_sign(void)
{
	struct m_audit_sign m;
	int64_t now = auth_ms();

	if (hd.asked || now - hd.signed_at < HEAD_EVERY * 1000)
		return;
	memset(&m, 0, sizeof(m));
	m.seq = audit_store_head(audit_trail(), m.hash);
	if (m.seq == 0 || m.seq == hd.signed_seq)
		return;
	m.time = audit_wall_ms();
	hd.signed_at = now;
	hd.asked = ask(&auth.keys, M_AUDIT_SIGN, &m, sizeof(m), SIGN_TIMEOUT, on_signed,
		       &hd, 0) != 0;
}
