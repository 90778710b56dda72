/* What audit_store.c, audit_index.c and audit_scan.c share. */
#ifndef AUTH_AUDIT_INDEX_H
#define AUTH_AUDIT_INDEX_H

#include "audit_store.h"

#define AUDIT_KEYS_MAX 4      /* entries of one record */
#define AUDIT_MARK     "file" /* see audit_store_mark() */

/* An index in memory: of the segment that is written, and of the one before
 * until its file is. */
struct index {
	uint64_t first;
	uint32_t count;  /* records that can be read */
	uint32_t added;  /* ... and with those that wait to be synced */
	uint32_t nshown; /* entries, likewise */
	uint32_t nentries;
	int64_t tmin;
	int64_t tmax;
	uint32_t *offsets; /* of records in the segment */
	uint32_t noffsets; /* room */
	uint64_t *entries; /* key << 32 | record, in the order of records */
	uint32_t room;
};

struct seg {
	uint64_t first;
	uint32_t count;
	uint32_t *bucket; /* of its index's file; NULL while that is not read */
	int64_t tmin;
	int64_t tmax;
};

struct audit_store {
	int dir;
	char shown[1100];
	struct seg *seg; /* the last one is written to */
	size_t nseg;
	size_t cap;
	int fd;
	uint64_t size;
	uint64_t reserved;
	struct index active;
	struct index closing;
	uint8_t *batch;
	size_t batch_len;
	uint64_t head;
	uint64_t synced;
	uint8_t hash[WIRE_HASH256];
	size_t torn;
};

/* The head of an index's file; offsets and entries, sorted, follow.  bucket tells how
 * many entries have a key below each value of its first byte. */
#define IDX_MAGIC   "IDEDAIX2"
#define IDX_BUCKETS 256
struct idx_head {
	char magic[8];
	uint64_t first;
	uint32_t count;
	uint32_t nentries;
	int64_t tmin;
	int64_t tmax;
	uint32_t bucket[IDX_BUCKETS + 1];
	uint32_t pad;
};

int seg_open(const struct audit_store *, uint64_t first, const char *what, int flags);

void index_reset(struct index *, uint64_t first);
void index_free(struct index *);
/* The record that follows, at that offset; index_show() makes it count. */
void index_add(struct index *, const struct m_audit *, uint32_t offset);
void index_show(struct index *);
void index_times(const struct index *, struct seg *);
/* What cannot be written is made again at the next start. */
void index_write(const struct audit_store *, struct index *);
/* False when there is none that fits its segment. */
bool index_load(const struct audit_store *, struct seg *);

#endif
