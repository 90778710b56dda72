/*
 * Records of the store as bytes: little-endian, versioned, bounded, and checked
 * in full both when they are written and when they are read.
 *
 * Account, versions 4 and 5 (key: uid, big-endian, so that the order is that of uids)
 *	u8 version, u8 flags, u32 uid, i64 created, updated, last_login,
 *	str name, email, roles, hash, last_query, u8 mint[32] if flagged,
 *	str display, metadata, u32 version, token_version, i64 password_at,
 *	u64 memory, storage, files, u32 cpu, processes, sessions,
 *	u8 reset_key[32] and i64 reset_expires if flagged
 * Account, versions 1 to 3: up to mint, with one role; u32 token_version if flagged
 * Session, versions 2 to 5 (key: SHA-256 of the token)
 *	u8 version, u8 flags (1: unix peer), u32 uid, u8 id[16],
 *	i64 created, seen, expires, u16 created_ms, u8 ip[16], u16 port,
 *	str agent
 * Session, since version 3: u32 generation follows if flagged (2: a family of tokens)
 * API token, versions 3 to 5 (key: SHA-256 of the token)
 *	u8 version, u8 flags (0), u32 uid, u8 id[16], i64 created, expires, seen,
 *	str name, scopes
 * Session, version 1: the same, with or without created_ms
 * str is u16 length and bytes without NUL.
 */
#ifndef AUTH_STORE_RECORD_H
#define AUTH_STORE_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store.h"

/* Of the records, and of the store as a whole: counted up whenever the form of a
 * record changes, or what is kept beside them (5: they are counted).  All versions are
 * read, this one is written. */
#define STORE_VERSION    5
#define STORE_RECORD_MAX 4096

enum record_result {
	RECORD_OK,
	RECORD_NEWER, /* written by a newer ided */
	RECORD_BAD
};

#define STORE_TOKENS 64 /* API tokens that one user may have */

/* Return the length, 0 if the struct is not sound. */
size_t account_encode(const struct store_account *a, uint8_t buf[STORE_RECORD_MAX]);
size_t session_encode(const struct store_session *s, uint8_t buf[STORE_RECORD_MAX]);

size_t token_encode(const struct store_token *t, uint8_t buf[STORE_RECORD_MAX]);

enum record_result token_decode(struct store_token *t, const void *data, size_t len);
enum record_result account_decode(struct store_account *a, const void *data, size_t len);
/* s->key is not in the record: the caller fills it in. */
enum record_result session_decode(struct store_session *s, const void *data, size_t len);

/* What is sound, for those who make one. */
bool account_name_ok(const char *name);
bool account_email_ok(const char *email); /* folded; "" is not one */
bool session_id_ok(const char *id);
bool token_name_ok(const char *name);

void record_put32be(uint8_t p[4], uint32_t v);
uint32_t record_get32be(const uint8_t p[4]);

#endif
