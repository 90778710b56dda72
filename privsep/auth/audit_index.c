/* Indexes of the audit trail's segments: see audit_store.h. */
#include <sys/stat.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bsd/stdlib.h>
#include <bsd/string.h>

#include "../log.h"
#include "audit_index.h"

/* FNV-1a.  Values that share a key cost a look at the record, and no more. */
uint32_t
audit_key(char kind, const char *value)
{
	uint32_t h = 2166136261u;

	h = (h ^ (uint8_t)kind) * 16777619u;
	for (; *value != '\0'; value++)
		h = (h ^ (uint8_t)*value) * 16777619u;
	return h;
}

void
index_reset(struct index *ix, uint64_t first)
{
	ix->first = first;
	ix->count = ix->added = ix->nshown = ix->nentries = 0;
	ix->tmin = INT64_MAX;
	ix->tmax = INT64_MIN;
}

void
index_free(struct index *ix)
{
	free(ix->offsets);
	free(ix->entries);
	memset(ix, 0, sizeof(*ix));
}

static void *
grow(void *p, uint32_t *room, uint32_t need, size_t size)
{
	uint32_t want = *room == 0 ? 1024 : *room;
	void *q;

	while (want < need)
		want *= 2;
	if (want == *room)
		return p;
	if ((q = recallocarray(p, *room, want, size)) == NULL)
		fatalx("audit trail: out of memory");
	*room = want;
	return q;
}

static void
entry(struct index *ix, char kind, const char *value)
{
	if (value[0] != '\0')
		ix->entries[ix->nentries++] = (uint64_t)audit_key(kind, value) << 32 |
		    ix->added;
}

void
index_add(struct index *ix, const struct m_audit *r, uint32_t offset)
{
	ix->offsets = grow(
	    ix->offsets, &ix->noffsets, ix->added + 1, sizeof(ix->offsets[0]));
	ix->entries = grow(ix->entries, &ix->room, ix->nentries + AUDIT_KEYS_MAX,
	    sizeof(ix->entries[0]));
	ix->offsets[ix->added] = offset;
	entry(ix, AUDIT_KEY_WHO, r->user);
	if (strcmp(r->user, r->actor) != 0)
		entry(ix, AUDIT_KEY_WHO, r->actor);
	entry(ix, AUDIT_KEY_SOURCE, r->source);
	entry(ix, AUDIT_KEY_EVENT, r->event);
	ix->added++;
	if (r->time < ix->tmin)
		ix->tmin = r->time;
	if (r->time > ix->tmax)
		ix->tmax = r->time;
}

void
index_show(struct index *ix)
{
	ix->count = ix->added;
	ix->nshown = ix->nentries;
}

void
index_times(const struct index *ix, struct seg *s)
{
	s->count = ix->count;
	s->tmin = ix->tmin;
	s->tmax = ix->tmax;
}

static int
by_value(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static bool
write_all(int fd, const void *data, size_t len)
{
	const uint8_t *p = data;
	ssize_t n;

	for (; len > 0; p += n, len -= (size_t)n)
		if ((n = write(fd, p, len)) <= 0)
			return false;
	return true;
}

void
index_write(const struct audit_store *st, struct index *ix)
{
	struct idx_head h;
	char from[32], to[32];
	uint32_t i;
	bool ok;
	int fd;

	memset(&h, 0, sizeof(h));
	memcpy(h.magic, IDX_MAGIC, sizeof(h.magic));
	h.first = ix->first;
	h.count = ix->count;
	h.nentries = ix->nshown;
	h.tmin = ix->tmin;
	h.tmax = ix->tmax;
	qsort(ix->entries, ix->nshown, sizeof(ix->entries[0]), by_value);
	for (i = 0; i < ix->nshown; i++)
		h.bucket[(ix->entries[i] >> 56) + 1]++;
	for (i = 1; i <= IDX_BUCKETS; i++)
		h.bucket[i] += h.bucket[i - 1];
	snprintf(from, sizeof(from), "%016llx.new", (unsigned long long)ix->first);
	snprintf(to, sizeof(to), "%016llx.idx", (unsigned long long)ix->first);
	fd = seg_open(st, ix->first, "new", O_WRONLY | O_CREAT | O_TRUNC);
	if (fd == -1) {
		log_warn("audit trail: %s/%s", st->shown, from);
		return;
	}
	ok = write_all(fd, &h, sizeof(h)) &&
	    write_all(fd, ix->offsets, ix->count * sizeof(ix->offsets[0])) &&
	    write_all(fd, ix->entries, ix->nshown * sizeof(ix->entries[0])) &&
	    fdatasync(fd) == 0 && renameat(st->dir, from, st->dir, to) == 0;
	if (!ok) {
		log_warn("audit trail: %s/%s", st->shown, to);
		(void)unlinkat(st->dir, from, 0);
	}
	close(fd);
}

bool
index_load(const struct audit_store *st, struct seg *s)
{
	struct idx_head h;
	struct stat sb;
	int fd;
	bool ok;

	if ((fd = seg_open(st, s->first, "idx", O_RDONLY)) == -1)
		return false;
	ok = pread(fd, &h, sizeof(h), 0) == sizeof(h) && fstat(fd, &sb) == 0 &&
	    memcmp(h.magic, IDX_MAGIC, sizeof(h.magic)) == 0 && h.first == s->first &&
	    h.count > 0 &&
	    (uint64_t)sb.st_size ==
		sizeof(h) + (uint64_t)h.count * sizeof(uint32_t) +
		    (uint64_t)h.nentries * sizeof(uint64_t);
	close(fd);
	if (ok) {
		s->count = h.count;
		s->tmin = h.tmin;
		s->tmax = h.tmax;
	}
	return ok;
}
