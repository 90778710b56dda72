/* The files of the audit trail for a backup: see audit_store.h. */
#include <sys/stat.h>

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <bsd/string.h>

#include "audit_index.h"

/* Of each segment.  What is beside it may be missing. */
static const char *const kinds[] = { "seg", "idx", "torn" };
#define NKINDS (sizeof(kinds) / sizeof(kinds[0]))

void
audit_copy_begin(const struct audit_store *st, struct audit_copy *c)
{
	memset(c, 0, sizeof(*c));
	c->nseg = st->nseg;
	c->first = st->seg[0].first;
	c->size = st->size;
}

static bool
open_part(const struct audit_store *st, struct audit_copy *c)
{
	size_t i = c->next / NKINDS, kind = c->next % NKINDS;
	struct stat sb;

	if (i == c->nseg) {
		strlcpy(c->name, AUDIT_MARK, sizeof(c->name));
		c->fd = openat(st->dir, c->name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	} else {
		snprintf(c->name, sizeof(c->name), "%016llx.%s",
		    (unsigned long long)st->seg[i].first, kinds[kind]);
		c->fd = seg_open(st, st->seg[i].first, kinds[kind], O_RDONLY);
	}
	if (c->fd == -1)
		return false;
	if (fstat(c->fd, &sb) == -1) {
		close(c->fd);
		return false;
	}
	/* The last one grows; its index is of more, or not yet there. */
	c->part = (uint64_t)sb.st_size;
	if (i + 1 == c->nseg && kind == 0)
		c->part = c->size;
	return true;
}

enum audit_copy_result
audit_copy_next(const struct audit_store *st, struct audit_copy *c)
{
	bool needed;

	if (st->nseg < c->nseg || st->seg[0].first != c->first)
		return COPY_FAILED;
	for (; c->next <= c->nseg * NKINDS; c->next++) {
		needed = c->next < c->nseg * NKINDS && c->next % NKINDS == 0;
		/* The index of the last segment is made from what is copied of it. */
		if (c->next == (c->nseg - 1) * NKINDS + 1)
			continue;
		if (open_part(st, c)) {
			c->next++;
			return COPY_FILE;
		}
		if (needed)
			return COPY_FAILED;
	}
	return COPY_END;
}
