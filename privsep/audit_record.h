/*
 * Records of the audit trail, as bytes and as lines.
 *
 * A record's line is one JSON object:
 *
 *	{"v":1,"seq":N,"time":"…","event":"…","outcome":"…","actor":"…",
 *	 "user":"…","source":"…","agent":"…","session":"…","rid":"…",
 *	 "detail":{…},"prev":"…","hash":"…"}
 *
 * without what is empty.  hash is the SHA-256 of all bytes before `,"hash":', prev
 * the hash of the record before: each record vouches for all that came before it.
 * The form of a line is part of what is hashed, and never changes for a v.
 *
 * In the store (audit_store.h) a record is little-endian, bounded, and checked in
 * full when it is read:
 *
 *	u32 length of the rest, u8 version, u64 seq, i64 time,
 *	str event, outcome, actor, user, source, agent, session, rid,
 *	u16 length and bytes of the detail, u8 prev[32], hash[32]
 *
 * str is u16 length and bytes without NUL.
 */
#ifndef PRIVSEP_AUDIT_RECORD_H
#define PRIVSEP_AUDIT_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire.h"

#define AUDIT_VERSION    1
#define AUDIT_RECORD_MAX 3072  /* bytes of one, its length included */
#define AUDIT_LINE_MAX   20480 /* ... and of its line, every byte of it escaped */
#define AUDIT_HEX        (2 * WIRE_HASH256)

/* Add a detail; false, and nothing added, when there is no more room. */
bool audit_detail(struct m_audit *, const char *name, char kind, const char *value);
/* The one that follows *at (0 first); false at the end. */
bool audit_detail_next(const struct m_audit *, uint32_t *at, const char **name,
    char *kind, const char **value);
/* Every string has an end, and the detail is as it should be. */
bool audit_record_ok(const struct m_audit *);

/* The line, without newline and NUL; fills in hash.  Returns its length. */
size_t audit_line(struct m_audit *, char line[AUDIT_LINE_MAX]);
/* Is the hash of a line its own?  Takes out seq, prev and hash. */
bool audit_line_check(const char *line, size_t len, uint64_t *seq,
    uint8_t prev[WIRE_HASH256], uint8_t hash[WIRE_HASH256]);

/* The number of a file's first line, which is read at fd; UINT64_MAX: it has none. */
uint64_t audit_file_first(int fd);

size_t audit_encode(const struct m_audit *, uint8_t buf[AUDIT_RECORD_MAX]);
/* Returns how many bytes it took, 0 when there is no sound record at p. */
size_t audit_decode(struct m_audit *, const uint8_t *p, size_t len);
/* Does it hash to what it says? */
bool audit_hash_ok(const struct m_audit *);

void audit_time_text(char buf[32], int64_t ms); /* 2026-01-31T12:00:00.000Z */

#endif
