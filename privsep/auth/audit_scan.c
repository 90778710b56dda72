/* Walking through the audit trail: see audit_store.h. */
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit_index.h"

void
audit_scan_begin(struct audit_scan *sc)
{
	sc->first = 0;
	sc->seg = sc->idx = -1;
}

void
audit_scan_end(struct audit_scan *sc)
{
	if (sc->seg != -1)
		close(sc->seg);
	if (sc->idx != -1)
		close(sc->idx);
	audit_scan_begin(sc);
}

/* The segment that holds seq, or the next one in the direction; NULL at the end. */
static struct seg *
seg_find(const struct audit_store *st, uint64_t seq, bool down)
{
	size_t lo = 0, hi = st->nseg, mid;

	/* The last one that begins at or before seq. */
	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (st->seg[mid].first <= seq)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (down)
		return lo == 0 ? NULL : &st->seg[lo - 1];
	if (lo > 0 && seq - st->seg[lo - 1].first < st->seg[lo - 1].count)
		return &st->seg[lo - 1];
	return lo < st->nseg && st->seg[lo].count > 0 ? &st->seg[lo] : NULL;
}

/* The index in memory, of those segments that have it there. */
static const struct index *
in_memory(const struct audit_store *st, uint64_t first)
{
	if (first == st->active.first)
		return &st->active;
	return first == st->closing.first ? &st->closing : NULL;
}

static bool
idx_entry(int fd, uint32_t count, uint32_t i, uint64_t *v)
{
	off_t at = (off_t)sizeof(struct idx_head) + (off_t)count * 4 + (off_t)i * 8;

	return pread(fd, v, sizeof(*v), at) == sizeof(*v);
}

/* The buckets of an index's file, read once. */
static const uint32_t *
buckets(struct seg *s, int idx)
{
	const size_t size = sizeof(((struct idx_head *)0)->bucket);

	if (s->bucket != NULL)
		return s->bucket;
	if ((s->bucket = malloc(size)) == NULL)
		return NULL;
	if (pread(idx, s->bucket, size, offsetof(struct idx_head, bucket)) !=
	    (ssize_t)size) {
		free(s->bucket);
		s->bucket = NULL;
	}
	return s->bucket;
}

#define AT_ONCE 1024 /* entries */

/*
 * The entries from..to - 1 are those that are not below low, and below high; both
 * have the same key.
 */
static bool
idx_range(
    struct seg *s, int idx, uint64_t low, uint64_t high, uint32_t *from, uint32_t *to)
{
	const off_t base = (off_t)sizeof(struct idx_head) + (off_t)s->count * 4;
	const uint32_t *bucket = buckets(s, idx);
	static uint64_t e[AT_ONCE];
	uint32_t lo, hi, mid, end, i, n;
	uint64_t v;

	if (bucket == NULL)
		return false;
	lo = bucket[low >> 56];
	end = hi = bucket[(low >> 56) + 1];
	/* Down to what is read in one go. */
	while (hi > lo && hi - lo > AT_ONCE) {
		mid = lo + (hi - lo) / 2;
		if (!idx_entry(idx, s->count, mid, &v))
			return false;
		if (v < low)
			lo = mid + 1;
		else
			hi = mid;
	}
	n = end - lo < AT_ONCE ? end - lo : AT_ONCE;
	if (n > 0 &&
	    pread(idx, e, n * sizeof(e[0]), base + (off_t)lo * 8) !=
		(ssize_t)(n * sizeof(e[0])))
		return false;
	for (i = 0; i < n && e[i] < low; i++)
		;
	*from = lo + i;
	for (; i < n && e[i] < high; i++)
		;
	*to = lo + i;
	/* More of one key than were read: where do they end? */
	lo = *to;
	hi = i == n ? end : lo;
	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (!idx_entry(idx, s->count, mid, &v))
			return false;
		if (v < high)
			lo = mid + 1;
		else
			hi = mid;
	}
	*to = lo;
	return true;
}

/* Where to begin in this segment, and where it ends. */
static bool
enter(const struct audit_store *st, struct audit_scan *sc, struct seg *s)
{
	const struct index *ix = in_memory(st, s->first);
	uint64_t key = (uint64_t)sc->key << 32;
	uint32_t from, to; /* records: from..to - 1 */

	from = !sc->newest_first && sc->at > s->first ? (uint32_t)(sc->at - s->first) : 0;
	to = s->count;
	if (sc->newest_first && sc->at - s->first < s->count)
		to = (uint32_t)(sc->at - s->first) + 1;
	sc->first = s->first;
	sc->count = s->count;
	if (ix == NULL && (sc->idx = seg_open(st, s->first, "idx", O_RDONLY)) == -1)
		return false;
	if (!sc->keyed) {
		sc->pos = sc->newest_first ? to : from;
		sc->end = sc->newest_first ? from : to;
	} else if (ix != NULL) {
		/* Few, and in the order of records: they are looked through. */
		sc->pos = sc->newest_first ? ix->nshown : 0;
		sc->end = sc->newest_first ? 0 : ix->nshown;
	} else {
		if (!idx_range(s, sc->idx, key | from, key + to, &from, &to))
			return false;
		sc->pos = sc->newest_first ? to : from;
		sc->end = sc->newest_first ? from : to;
	}
	return true;
}

/* The next record's number in the segment; false at its end, or *bad. */
static bool
step(const struct audit_store *st, struct audit_scan *sc, const struct seg *s,
    uint32_t *record, bool *bad)
{
	const struct index *ix = in_memory(st, s->first);
	uint64_t e;

	*bad = false;
	while (sc->pos != sc->end) {
		*record = sc->newest_first ? --sc->pos : sc->pos++;
		if (!sc->keyed)
			return true;
		if (ix != NULL) {
			e = ix->entries[*record];
		} else if (!idx_entry(sc->idx, s->count, *record, &e)) {
			*bad = true;
			return false;
		}
		*record = (uint32_t)e;
		if (e >> 32 == sc->key && *record < s->count &&
		    (sc->newest_first ? s->first + *record <= sc->at :
					s->first + *record >= sc->at))
			return true;
	}
	return false;
}

static bool
offset(const struct audit_store *st, int idx, const struct seg *s, uint32_t record,
    uint32_t *at)
{
	const struct index *ix = in_memory(st, s->first);

	if (ix != NULL) {
		*at = ix->offsets[record];
		return true;
	}
	return pread(idx, at, sizeof(*at),
		   (off_t)sizeof(struct idx_head) + (off_t)record * 4) == sizeof(*at);
}

static bool
read_record(int fd, uint32_t at, uint64_t seq, struct m_audit *r)
{
	uint8_t buf[AUDIT_RECORD_MAX];
	ssize_t n;

	n = pread(fd, buf, sizeof(buf), at);
	return n > 0 && audit_decode(r, buf, (size_t)n) != 0 && r->seq == seq;
}

/* Behind this segment. */
static bool
pass(struct audit_scan *sc, const struct seg *s)
{
	/* What has come since it was entered is still ahead. */
	uint32_t count = sc->first != 0 ? sc->count : s->count;

	audit_scan_end(sc);
	if (sc->newest_first && s->first <= 1) {
		sc->at = 0;
		return false;
	}
	sc->at = sc->newest_first ? s->first - 1 : s->first + count;
	return true;
}

enum audit_scan_result
audit_scan_next(struct audit_store *st, struct audit_scan *sc, struct m_audit *r)
{
	uint32_t record, at;
	struct seg *s;
	bool bad;

	if ((s = seg_find(st, sc->at, sc->newest_first)) == NULL)
		return SCAN_END;
	/* Another one than before, or its index has gone from memory to the disk. */
	if (sc->first != s->first || (sc->idx == -1 && in_memory(st, s->first) == NULL))
		audit_scan_end(sc);
	if (sc->first == 0) {
		if (s->count == 0 || s->tmax < sc->from || s->tmin > sc->to)
			return pass(sc, s) ? SCAN_MOVED : SCAN_END;
		if (!enter(st, sc, s)) {
			audit_scan_end(sc);
			return SCAN_ERROR;
		}
	}
	if (!step(st, sc, s, &record, &bad)) {
		if (bad)
			return SCAN_ERROR;
		return pass(sc, s) ? SCAN_MOVED : SCAN_END;
	}
	if (sc->seg == -1 && (sc->seg = seg_open(st, s->first, "seg", O_RDONLY)) == -1)
		return SCAN_ERROR;
	if (!offset(st, sc->idx, s, record, &at) ||
	    !read_record(sc->seg, at, s->first + record, r))
		return SCAN_ERROR;
	if (sc->newest_first && r->seq <= 1) {
		audit_scan_end(sc);
		sc->at = 0;
		return SCAN_RECORD;
	}
	sc->at = sc->newest_first ? r->seq - 1 : r->seq + 1;
	return SCAN_RECORD;
}

bool
audit_store_get(struct audit_store *st, uint64_t seq, struct m_audit *r)
{
	struct audit_scan sc = { .at = seq, .from = INT64_MIN, .to = INT64_MAX };
	bool ok;

	if (seq == 0)
		return false;
	audit_scan_begin(&sc);
	ok = audit_scan_next(st, &sc, r) == SCAN_RECORD && r->seq == seq;
	audit_scan_end(&sc);
	return ok;
}
