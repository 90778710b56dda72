/*
 * Berkeley DB behind store.h: a copy while it is in use.
 *
 * Tables first, then the log that leads from the checkpoint before them to the end:
 * whoever opens the copy recovers it, as after a crash.  Two things have to hold for
 * that.  A page is read whole, as nobody else writes while we read: there is one
 * thread.  And there is no checkpoint until the end: recovery begins at the last one
 * in the log, and pages that were copied before it would lack what it had written.
 */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <bsd/string.h>

#include "store_bdb.h"

/* The oldest file of the log, by its number. */
static int
first_log(struct store *st, uint32_t *n)
{
	char **list;
	int r;

	if ((r = st->env->log_archive(st->env, &list, DB_ARCH_LOG)) != 0)
		return r;
	if (list == NULL)
		return ENOENT;
	*n = strlen(list[0]) > 4 ? (uint32_t)strtoul(list[0] + 4, NULL, 10) : 0;
	free(list);
	return *n != 0 ? 0 : ENOENT;
}

enum store_result
store_backup_begin(struct store *st)
{
	int r;

	if (st->memory)
		return STORE_INVALID;
	if (!bdb_ready(st))
		return STORE_ERROR;
	if ((r = bdb_checkpoint(st)) == 0 &&
	    (r = st->env->log_set_config(st->env, DB_LOG_AUTO_REMOVE, 0)) == 0)
		r = first_log(st, &st->backup.first);
	if (r != 0)
		return bdb_result(st, r);
	st->backup.on = true;
	st->backup.healed = st->healed;
	st->backup.last = 0;
	return STORE_OK;
}

bool
store_backup_sound(const struct store *st)
{
	return st->backup.on && !st->broken && st->healed == st->backup.healed;
}

void
store_backup_end(struct store *st)
{
	if (!st->backup.on)
		return;
	st->backup.on = false;
	if (!st->broken && st->env != NULL)
		(void)st->env->log_set_config(st->env, DB_LOG_AUTO_REMOVE, 1);
}

static enum store_result
part(struct store *st, const char *name, struct store_part *p)
{
	struct stat sb;

	strlcpy(p->name, name, sizeof(p->name));
	p->fd = openat(st->dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (p->fd == -1 || fstat(p->fd, &sb) == -1) {
		if (p->fd != -1)
			close(p->fd);
		p->fd = -1;
		return bdb_result(st, errno);
	}
	p->size = (uint64_t)sb.st_size;
	return STORE_OK;
}

enum store_result
store_backup_table(struct store *st, unsigned int i, struct store_part *p)
{
	enum store_result r;

	if (i >= T_MAX)
		return STORE_NOT_FOUND;
	r = part(st, bdb_tables[i].file, p);
	p->size -= p->size % BDB_PAGE;
	return r;
}

enum store_result
store_backup_mark(struct store *st)
{
	DB_LOG_STAT *l;
	int r;

	if ((r = st->env->log_flush(st->env, NULL)) != 0 ||
	    (r = st->env->log_stat(st->env, &l, 0)) != 0)
		return bdb_result(st, r);
	st->backup.last = l->st_cur_file;
	st->backup.offset = l->st_cur_offset;
	free(l);
	return STORE_OK;
}

enum store_result
store_backup_log(struct store *st, unsigned int i, struct store_part *p)
{
	enum store_result r;
	char name[24];

	if (i > st->backup.last - st->backup.first)
		return STORE_NOT_FOUND;
	snprintf(name, sizeof(name), "log.%010u", st->backup.first + i);
	r = part(st, name, p);
	if (r == STORE_OK && st->backup.first + i == st->backup.last) {
		if (p->size < st->backup.offset) {
			close(p->fd);
			p->fd = -1;
			return STORE_ERROR;
		}
		p->size = st->backup.offset;
	}
	return r;
}
