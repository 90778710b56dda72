/*
 * Checkpoints of the audit trail: the statement that a record of this number and
 * hash was its last one at that time, under an Ed25519 key that only keys holds.
 */
#ifndef PRIVSEP_AUDIT_SIGN_H
#define PRIVSEP_AUDIT_SIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire.h"

/* What is signed: the purpose, and the numbers big-endian. */
#define AUDIT_SIGN_PURPOSE "ided audit checkpoint 1"
#define AUDIT_SIGN_LEN     (sizeof(AUDIT_SIGN_PURPOSE) + 8 + 8 + WIRE_HASH256)
void audit_sign_text(const struct m_audit_sign *, uint8_t text[AUDIT_SIGN_LEN]);
bool audit_sign_verify(const struct m_audit_signed *, const uint8_t key[WIRE_ED25519]);

/*
 * The file of the last checkpoint has two places, written in turn: one that was
 * being written when the power went is no loss.
 */
#define AUDIT_LAST_PLACES 2
#define AUDIT_LAST_PLACE  256
/* The newest of them that the key has signed; false when there is none. */
bool audit_last_read(int fd, const uint8_t key[WIRE_ED25519], struct m_audit_signed *);

#endif
