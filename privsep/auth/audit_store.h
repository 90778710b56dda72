/*
 * Where auth keeps the audit trail: segments that are only ever appended to, in a
 * folder of the store's, and an index beside each one that is full.
 *
 * A segment <first seq, 16 hex digits>.seg is a header and records one after
 * another (audit_record.h).  <the same>.idx says where each record begins and which
 * ones are of an actor or user, a source or an event; it is made from the segment,
 * and made again when it is missing.
 *
 * Space is reserved before a record is accepted: what was accepted can be written.
 */
#ifndef AUTH_AUDIT_STORE_H
#define AUTH_AUDIT_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../audit_record.h"

#define AUDIT_SEG_RECORDS 16384
#define AUDIT_SEG_BYTES   (8u << 20) /* a few records more may be in one */
#define AUDIT_BATCH_MAX   (1u << 20) /* accepted and not yet synced */

struct audit_store;

/* NULL with a message in err; shown is the folder as a person knows it. */
struct audit_store *audit_store_open(
    const char *dir, const char *shown, char *err, size_t errlen);
void audit_store_close(struct audit_store *);

/* The last record: seq 0 and a hash of zeros when there is none. */
uint64_t audit_store_head(const struct audit_store *, uint8_t hash[WIRE_HASH256]);
uint64_t audit_store_first(const struct audit_store *); /* 0: it is empty */
/* Bytes that were cut off at the end at the last start, by a crash; 0: none. */
size_t audit_store_torn(const struct audit_store *);

/* Is there room for one more record? */
bool audit_store_room(struct audit_store *);
/* The next record, which there is room for.  len bytes of encoded are it. */
void audit_store_append(
    struct audit_store *, const struct m_audit *, const uint8_t *encoded, size_t len);
size_t audit_store_pending(const struct audit_store *); /* bytes */
/* What was appended is on the disk; -1 with errno when it cannot be. */
int audit_store_sync(struct audit_store *);

/* Indexes of full segments are written; to be called about once a second. */
void audit_store_tick(struct audit_store *);
/* Full segments whose last record is older than that are removed, but the newest
 * keep of them.  Returns the seq of the last record removed, 0 for none. */
uint64_t audit_store_prune(struct audit_store *, int64_t before, unsigned int keep);

bool audit_store_get(struct audit_store *, uint64_t seq, struct m_audit *);

/* The record that the newest file begins with, once that is on the disk; 0: none. */
void audit_store_mark(struct audit_store *, uint64_t seq);
uint64_t audit_store_marked(const struct audit_store *);

/*
 * Its files as they are now, one after another, for a backup: all that is on the disk,
 * and nothing that is appended later.  Nothing may be pruned meanwhile.
 */
struct audit_copy {
	size_t nseg;
	uint64_t first;
	uint64_t size; /* of the last segment */
	size_t next;
	/* The file at hand. */
	char name[32];
	uint64_t part; /* as much of it as belongs to the copy */
	int fd;        /* the caller's to close */
};
enum audit_copy_result {
	COPY_FILE,
	COPY_END,
	COPY_FAILED,
};
void audit_copy_begin(const struct audit_store *, struct audit_copy *);
enum audit_copy_result audit_copy_next(const struct audit_store *, struct audit_copy *);

/* What an index knows of a record. */
uint32_t audit_key(char kind, const char *value);
#define AUDIT_KEY_WHO    'w' /* actor or user */
#define AUDIT_KEY_SOURCE 's'
#define AUDIT_KEY_EVENT  'e'

/*
 * A walk through the trail, from a record on, in either direction: all records, or
 * those that may have a key (another value may share it: look at the record).
 */
struct audit_scan {
	bool newest_first;
	bool keyed;
	uint32_t key;
	uint64_t at;  /* the next seq that is looked at */
	int64_t from; /* segments without a time in from..to are passed over */
	int64_t to;
	/* The segment at hand. */
	uint64_t first; /* 0: none */
	uint32_t count; /* its records, when it was entered */
	uint32_t pos;   /* the next entry or record in it */
	uint32_t end;   /* where that ends */
	int seg;
	int idx;
};
enum audit_scan_result {
	SCAN_RECORD,
	SCAN_MOVED, /* to another segment; nothing found yet */
	SCAN_END,
	SCAN_ERROR,
};
void audit_scan_begin(struct audit_scan *);
enum audit_scan_result audit_scan_next(
    struct audit_store *, struct audit_scan *, struct m_audit *);
void audit_scan_end(struct audit_scan *);

/* audit_match.c: is this one of those asked for?  The narrowest index for them; and are
 * two questions the same, to the letter? */
bool audit_match(const struct m_audit *, const struct m_audit_query *);
void audit_match_index(struct audit_scan *, const struct m_audit_query *);
bool audit_match_same(const struct m_audit_query *, const struct m_audit_query *);

#endif
