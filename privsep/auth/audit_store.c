/* Segments of the audit trail: see audit_store.h. */
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bsd/stdlib.h>
#include <bsd/string.h>

#include "../dir.h"
#include "../log.h"
#include "audit_index.h"

#define SEG_MAGIC    "IDEDAUD1"
#define SEG_MAX      (64u << 20) /* larger is no segment of ours */
#define RESERVE      (1u << 20)  /* taken from the disk at a time */
#define FREE_TO_FILL (16u << 20) /* where nothing can be reserved */

struct seg_head {
	char magic[8];
	uint64_t first;
	uint8_t prev[WIRE_HASH256];
	uint8_t pad[16];
};

static bool
is_segment(const char *name, uint64_t *first)
{
	char *end;

	if (strlen(name) != 20 || strcmp(name + 16, ".seg") != 0 ||
	    strspn(name, "0123456789abcdef") != 16)
		return false;
	*first = strtoull(name, &end, 16);
	return end == name + 16 && *first != 0;
}

static int
by_first(const void *a, const void *b)
{
	const struct seg *s = a, *t = b;

	return s->first < t->first ? -1 : s->first > t->first;
}

static struct seg *
seg_add(struct audit_store *st, uint64_t first)
{
	struct seg *s;

	if (st->nseg == st->cap) {
		s = recallocarray(st->seg, st->cap, st->cap + 64, sizeof(*s));
		if (s == NULL)
			fatalx("audit trail: out of memory");
		st->seg = s;
		st->cap += 64;
	}
	s = &st->seg[st->nseg++];
	memset(s, 0, sizeof(*s));
	s->first = first;
	return s;
}

static bool
list(struct audit_store *st)
{
	const struct dirent *e;
	uint64_t first;
	DIR *d;

	if ((d = dir_entries(st->dir)) == NULL)
		return false;
	while ((e = readdir(d)) != NULL)
		if (is_segment(e->d_name, &first))
			(void)seg_add(st, first);
	closedir(d);
	if (st->nseg != 0)
		qsort(st->seg, st->nseg, sizeof(st->seg[0]), by_first);
	return true;
}

int
seg_open(const struct audit_store *st, uint64_t first, const char *what, int flags)
{
	char name[32];

	snprintf(name, sizeof(name), "%016llx.%s", (unsigned long long)first, what);
	return openat(st->dir, name, flags | O_NOFOLLOW | O_CLOEXEC, 0600);
}

/* All of a segment; NULL with errno. */
static uint8_t *
seg_read(int fd, size_t *len)
{
	struct stat sb;
	uint8_t *p;
	size_t done;
	ssize_t n = 0;

	if (fstat(fd, &sb) == -1)
		return NULL;
	errno = EFBIG;
	if (!S_ISREG(sb.st_mode) || sb.st_size < 0 || sb.st_size > SEG_MAX ||
	    (p = malloc((size_t)sb.st_size + 1)) == NULL)
		return NULL;
	for (done = 0; done < (size_t)sb.st_size; done += (size_t)n) {
		n = pread(fd, p + done, (size_t)sb.st_size - done, (off_t)done);
		if (n == -1 && errno == EINTR)
			n = 0;
		else if (n <= 0)
			break;
	}
	*len = done;
	return p;
}

/*
 * The records of a segment into an index, up to the first that is not sound; the
 * hashes are looked at as well where the segment is the one that goes on.  Returns
 * how many bytes are sound.
 */
static size_t
seg_walk(struct index *ix, const uint8_t *p, size_t len, bool hashes, uint8_t head[32])
{
	struct seg_head h;
	struct m_audit r;
	size_t at = sizeof(h), n;

	if (len < sizeof(h))
		return 0;
	memcpy(&h, p, sizeof(h));
	if (memcmp(h.magic, SEG_MAGIC, sizeof(h.magic)) != 0 || h.first != ix->first)
		return 0;
	memcpy(head, h.prev, sizeof(h.prev));
	while ((n = audit_decode(&r, p + at, len - at)) != 0) {
		if (r.seq != ix->first + ix->count ||
		    (hashes && (memcmp(r.prev, head, 32) != 0 || !audit_hash_ok(&r))))
			break;
		index_add(ix, &r, (uint32_t)at);
		index_show(ix);
		memcpy(head, r.hash, sizeof(r.hash));
		at += n;
	}
	return at;
}

/* What a crash left half written is kept beside, and does not count. */
static bool
cut(struct audit_store *st, uint64_t first, const uint8_t *p, size_t sound, size_t len)
{
	int fd;

	st->torn = len - sound;
	fd = seg_open(st, first, "torn", O_WRONLY | O_CREAT | O_TRUNC);
	if (fd == -1 || write(fd, p + sound, st->torn) != (ssize_t)st->torn ||
	    fdatasync(fd) == -1) {
		if (fd != -1)
			close(fd);
		return false;
	}
	close(fd);
	return ftruncate(st->fd, (off_t)sound) == 0 && fdatasync(st->fd) == 0;
}

/* A new segment, which goes on from the head. */
static int
seg_new(struct audit_store *st)
{
	struct seg_head h;
	int fd;

	memset(&h, 0, sizeof(h));
	memcpy(h.magic, SEG_MAGIC, sizeof(h.magic));
	h.first = st->head + 1;
	memcpy(h.prev, st->hash, sizeof(h.prev));
	/* One that holds nothing yet may be there already. */
	fd = seg_open(st, h.first, "seg", O_RDWR | O_CREAT | O_TRUNC);
	if (fd == -1)
		return -1;
	if (fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, RESERVE) == -1 && errno != EOPNOTSUPP) {
		close(fd);
		return -1;
	}
	if (pwrite(fd, &h, sizeof(h), 0) != sizeof(h) || fdatasync(fd) == -1 ||
	    fsync(st->dir) == -1) {
		close(fd);
		return -1;
	}
	st->fd = fd;
	st->size = sizeof(h);
	st->reserved = RESERVE;
	(void)seg_add(st, h.first);
	index_reset(&st->active, h.first);
	return 0;
}

static bool
is_blank(const uint8_t *p, size_t len)
{
	while (len > 0 && p[len - 1] == 0)
		len--;
	return len == 0;
}

/* It was being made when the power went, and holds nothing. */
static void
seg_drop(struct audit_store *st, size_t i)
{
	char name[32];

	snprintf(name, sizeof(name), "%016llx.seg", (unsigned long long)st->seg[i].first);
	(void)unlinkat(st->dir, name, 0);
	st->nseg--;
	memmove(st->seg + i, st->seg + i + 1, (st->nseg - i) * sizeof(st->seg[0]));
}

/* The last segment goes on: where exactly? */
static bool
resume(struct audit_store *st, char *err, size_t errlen)
{
	struct seg *s = &st->seg[st->nseg - 1];
	uint8_t *p, head[WIRE_HASH256];
	size_t len, sound;
	bool ok = true;

	index_reset(&st->active, s->first);
	st->fd = seg_open(st, s->first, "seg", O_RDWR);
	if (st->fd == -1 || (p = seg_read(st->fd, &len)) == NULL) {
		snprintf(err, errlen, "%s/%016llx.seg: %s", st->shown,
		    (unsigned long long)s->first, strerror(errno));
		return false;
	}
	sound = seg_walk(&st->active, p, len, true, head);
	if (sound == 0) {
		/* Not even its head: it was being made. */
		ok = len < sizeof(struct seg_head) || is_blank(p, len);
		if (!ok)
			snprintf(err, errlen,
			    "%s/%016llx.seg is damaged: keep a copy, and restore it from "
			    "a backup",
			    st->shown, (unsigned long long)s->first);
	} else if (sound < len && !cut(st, s->first, p, sound, len)) {
		snprintf(err, errlen, "%s: %s", st->shown, strerror(errno));
		ok = false;
	}
	free(p);
	if (!ok)
		return false;
	if (sound == 0) {
		close(st->fd);
		st->fd = -1;
		seg_drop(st, st->nseg - 1);
		return true;
	}
	st->size = st->reserved = sound;
	st->head = st->synced = s->first + st->active.count - 1;
	memcpy(st->hash, head, sizeof(st->hash));
	index_times(&st->active, s);
	return true;
}

/* The segments that are full: what their indexes say, or are made to say. */
static bool
load(struct audit_store *st, char *err, size_t errlen)
{
	uint8_t *p, head[WIRE_HASH256];
	struct index ix;
	struct seg *s;
	size_t i, len, sound;
	int fd;

	for (i = 0; i + 1 < st->nseg; i++) {
		s = &st->seg[i];
		if (index_load(st, s) && s->first + s->count == s[1].first)
			continue;
		fd = seg_open(st, s->first, "seg", O_RDONLY);
		if (fd == -1 || (p = seg_read(fd, &len)) == NULL) {
			snprintf(err, errlen, "%s/%016llx.seg: %s", st->shown,
			    (unsigned long long)s->first, strerror(errno));
			if (fd != -1)
				close(fd);
			return false;
		}
		close(fd);
		memset(&ix, 0, sizeof(ix));
		index_reset(&ix, s->first);
		sound = seg_walk(&ix, p, len, false, head);
		if (sound == 0 && is_blank(p, len)) {
			seg_drop(st, i--);
		} else {
			index_times(&ix, s);
			index_write(st, &ix);
		}
		free(p);
		index_free(&ix);
	}
	return true;
}

struct audit_store *
audit_store_open(const char *dir, const char *shown, char *err, size_t errlen)
{
	struct audit_store *st;

	if ((st = calloc(1, sizeof(*st))) == NULL) {
		strlcpy(err, "out of memory", errlen);
		return NULL;
	}
	st->fd = -1;
	strlcpy(st->shown, shown, sizeof(st->shown));
	st->dir = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (st->dir == -1 || !list(st)) {
		snprintf(err, errlen, "%s: %s", shown, strerror(errno));
		audit_store_close(st);
		return NULL;
	}
	/* One that was just begun when the power went says nothing; the one before
	 * it goes on. */
	while (st->fd == -1 && st->nseg > 0)
		if (!resume(st, err, errlen)) {
			audit_store_close(st);
			return NULL;
		}
	if (!load(st, err, errlen)) {
		audit_store_close(st);
		return NULL;
	}
	if (st->fd == -1 && seg_new(st) == -1) {
		snprintf(err, errlen, "%s: %s", shown, strerror(errno));
		audit_store_close(st);
		return NULL;
	}
	return st;
}

void
audit_store_close(struct audit_store *st)
{
	size_t i;

	if (st == NULL)
		return;
	if (st->fd != -1) {
		/* What was reserved and not used. */
		(void)!ftruncate(st->fd, (off_t)st->size);
		close(st->fd);
	}
	if (st->dir != -1)
		close(st->dir);
	index_free(&st->active);
	index_free(&st->closing);
	free(st->batch);
	for (i = 0; i < st->nseg; i++)
		free(st->seg[i].bucket);
	free(st->seg);
	free(st);
}

uint64_t
audit_store_head(const struct audit_store *st, uint8_t hash[WIRE_HASH256])
{
	memcpy(hash, st->hash, sizeof(st->hash));
	return st->head;
}

uint64_t
audit_store_first(const struct audit_store *st)
{
	return st->head == 0 ? 0 : st->seg[0].first;
}

size_t
audit_store_torn(const struct audit_store *st)
{
	return st->torn;
}

void
audit_store_mark(struct audit_store *st, uint64_t seq)
{
	int fd;

	fd = openat(
	    st->dir, AUDIT_MARK, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd == -1 || pwrite(fd, &seq, sizeof(seq), 0) != sizeof(seq) ||
	    fdatasync(fd) == -1)
		log_warn("audit trail: %s/%s", st->shown, AUDIT_MARK);
	if (fd != -1)
		close(fd);
}

uint64_t
audit_store_marked(const struct audit_store *st)
{
	uint64_t seq = 0;
	int fd;

	fd = openat(st->dir, AUDIT_MARK, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1 || pread(fd, &seq, sizeof(seq), 0) != sizeof(seq))
		seq = 0;
	if (fd != -1)
		close(fd);
	return seq;
}

size_t
audit_store_pending(const struct audit_store *st)
{
	return st->batch_len;
}

static bool
reserve(struct audit_store *st)
{
	struct statvfs v;

	if (fallocate(st->fd, FALLOC_FL_KEEP_SIZE, (off_t)st->reserved, RESERVE) == 0) {
		st->reserved += RESERVE;
		return true;
	}
	if (errno != EOPNOTSUPP)
		return false;
	/* A file system that reserves nothing: as much as is surely there. */
	if (fstatvfs(st->fd, &v) == -1 ||
	    (uint64_t)v.f_bavail * v.f_frsize < FREE_TO_FILL)
		return false;
	st->reserved += RESERVE;
	return true;
}

bool
audit_store_room(struct audit_store *st)
{
	uint64_t need = st->size + st->batch_len + AUDIT_RECORD_MAX;

	return need <= st->reserved || reserve(st);
}

void
audit_store_append(
    struct audit_store *st, const struct m_audit *r, const uint8_t *encoded, size_t len)
{
	if (st->batch == NULL && (st->batch = malloc(AUDIT_BATCH_MAX)) == NULL)
		fatalx("audit trail: out of memory");
	if (r->seq != st->head + 1 || len > AUDIT_BATCH_MAX - st->batch_len)
		fatalx("BUG: audit trail: record %llu after %llu",
		    (unsigned long long)r->seq, (unsigned long long)st->head);
	index_add(&st->active, r, (uint32_t)(st->size + st->batch_len));
	memcpy(st->batch + st->batch_len, encoded, len);
	st->batch_len += len;
	st->head = r->seq;
	memcpy(st->hash, r->hash, sizeof(st->hash));
}

/* The segment is full: another one, unless there is no room for it now. */
static void
roll(struct audit_store *st)
{
	int old = st->fd;

	if (st->closing.count > 0)
		audit_store_tick(st);
	st->closing = st->active;
	memset(&st->active, 0, sizeof(st->active));
	if (seg_new(st) == -1) {
		st->active = st->closing;
		memset(&st->closing, 0, sizeof(st->closing));
		st->fd = old;
		return;
	}
	close(old);
}

int
audit_store_sync(struct audit_store *st)
{
	size_t done;
	ssize_t n;

	if (st->batch_len == 0)
		return 0;
	for (done = 0; done < st->batch_len; done += (size_t)n) {
		n = pwrite(st->fd, st->batch + done, st->batch_len - done,
		    (off_t)(st->size + done));
		if (n == -1 && errno == EINTR)
			n = 0;
		else if (n <= 0)
			return -1;
	}
	if (fdatasync(st->fd) == -1)
		return -1;
	st->size += st->batch_len;
	st->batch_len = 0;
	st->synced = st->head;
	index_show(&st->active);
	index_times(&st->active, &st->seg[st->nseg - 1]);
	if (st->active.count >= AUDIT_SEG_RECORDS || st->size >= AUDIT_SEG_BYTES)
		roll(st);
	return 0;
}

void
audit_store_tick(struct audit_store *st)
{
	if (st->closing.count == 0)
		return;
	index_write(st, &st->closing);
	index_free(&st->closing);
}

uint64_t
audit_store_prune(struct audit_store *st, int64_t before, unsigned int keep)
{
	static const char *const kinds[] = { "seg", "idx", "torn" };
	uint64_t last;
	char name[32];
	size_t i;

	/* One at a time: the others get their turn. */
	if (st->nseg < 2 || st->nseg - 1 <= keep || st->seg[0].tmax >= before ||
	    st->seg[0].first == st->closing.first)
		return 0;
	last = st->seg[0].first + st->seg[0].count - 1;
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		snprintf(name, sizeof(name), "%016llx.%s",
		    (unsigned long long)st->seg[0].first, kinds[i]);
		(void)unlinkat(st->dir, name, 0);
	}
	free(st->seg[0].bucket);
	memmove(st->seg, st->seg + 1, (st->nseg - 1) * sizeof(st->seg[0]));
	st->nseg--;
	return last;
}
