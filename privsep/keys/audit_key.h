/*
 * The key that checkpoints of the audit trail are signed with: Ed25519, made at
 * the first start, and used for nothing else.
 *
 * It remembers the last checkpoint that it signed, in a file that only root and
 * keys can write, and signs none that is older: who has auth and its folder, but
 * not root, cannot have a trail signed that was cut back.
 */
#ifndef PRIVSEP_KEYS_AUDIT_KEY_H
#define PRIVSEP_KEYS_AUDIT_KEY_H

#include "../audit_sign.h"

/* Each takes its file over; NULL, or a static string that says what is wrong. */
const char *audit_key_file(int fd);
const char *audit_key_pub(int fd);
const char *audit_key_last(int fd);

/* Fills *ans whatever comes of it. */
void audit_key_sign(const struct m_audit_sign *, struct m_audit_signed *ans);

#endif
