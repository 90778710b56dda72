/*
 * Berkeley DB behind store.h: is what is there ours, whole and understood?  And
 * if it is not, what is a person to do?
 */
#include <sys/file.h>
#include <sys/param.h>
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../dir.h"
#include "../log.h"
#include "store_bdb.h"

/* Memory that the engine's tools share through files and leave behind: ours is
 * private, and nobody else has any business here. */
static bool
is_region(const char *name)
{
	return strncmp(name, "__db.", 5) == 0 && strlen(name) == 8 &&
	    strspn(name + 5, "0123456789") == 3;
}

/* One entry of the store's folder; false with the remedy in err. */
static bool
entry_ok(const struct store *st, const char *name, char *err, size_t errlen)
{
	struct stat sb;

	if (is_region(name) && unlinkat(st->dir, name, 0) == 0)
		return true;
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
	    strcmp(name, "lost+found") == 0 || strcmp(name, "audit") == 0)
		return true;
	if (fstatat(st->dir, name, &sb, AT_SYMLINK_NOFOLLOW) == -1) {
		snprintf(err, errlen, "%s/%s: %s", st->shown, name, strerror(errno));
		return false;
	}
	if (strcmp(name, "DB_CONFIG") == 0)
		snprintf(err, errlen,
		    "%s/DB_CONFIG would change how the store "
		    "is kept: remove it",
		    st->shown);
	else if (!S_ISREG(sb.st_mode))
		snprintf(err, errlen, "%s/%s is not a file: remove it", st->shown, name);
	else if (sb.st_uid != geteuid())
		snprintf(err, errlen,
		    "%s/%s belongs to uid %u: run "
		    "`chown -R %u %s'",
		    st->shown, name, sb.st_uid, geteuid(), st->shown);
	else if ((sb.st_mode & 077) != 0)
		snprintf(err, errlen,
		    "%s/%s is open to others: run "
		    "`chmod -R go= %s'",
		    st->shown, name, st->shown);
	else
		return true;
	return false;
}

/* The one before us may be about to leave. */
static bool
take_lock(int fd, uint32_t patience)
{
	const struct timespec step = { 0, 20000000 };
	uint32_t waited;

	for (waited = 0; flock(fd, LOCK_EX | LOCK_NB) == -1; waited += 20) {
		if (errno != EWOULDBLOCK || waited >= patience)
			return false;
		if (waited == 0)
			log_info("waiting for the one before to be done with the store");
		(void)nanosleep(&step, NULL);
	}
	return true;
}

/* The folder must be ours alone, and no other ided may work in it. */
bool
bdb_home(struct store *st, uint32_t patience, char *err, size_t errlen)
{
	const struct dirent *e;
	struct stat sb;
	DIR *d;
	bool ok = true;

	st->dir = open(st->home, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (st->dir == -1 || fstat(st->dir, &sb) == -1) {
		snprintf(err, errlen, "%s: %s", st->shown, strerror(errno));
		return false;
	}
	if (sb.st_uid != geteuid() || (sb.st_mode & 077) != 0) {
		snprintf(err, errlen,
		    "%s belongs to uid %u with mode %o: run "
		    "`chown -R %u %s' and `chmod 700 %s'",
		    st->shown, sb.st_uid, sb.st_mode & 07777, geteuid(), st->shown,
		    st->shown);
		return false;
	}
	if (!take_lock(st->dir, patience)) {
		snprintf(err, errlen,
		    "%s is in use by another ided: stop that "
		    "one first",
		    st->shown);
		return false;
	}
	if ((d = dir_entries(st->dir)) == NULL) {
		snprintf(err, errlen, "%s: %s", st->shown, strerror(errno));
		return false;
	}
	while (ok && (e = readdir(d)) != NULL)
		ok = entry_ok(st, e->d_name, err, errlen);
	closedir(d);
	return ok;
}

/*
 * Every page names the log record that changed it last.  Pages that are ahead of the
 * log mean that log files were taken away: what is written from then on would be lost
 * in the next recovery.  The engine itself does not look.
 */
struct log_end {
	uint32_t file;
	uint32_t offset;
};

/* Up to so many pages of a file from *page on; *page is UINT64_MAX at its end. */
static int
check_pages(const struct store *st, const char *file, const struct log_end *end, int bad,
    uint64_t *page, uint64_t most)
{
	uint32_t lsn[2]; /* file and offset, as the engine has them */
	ssize_t n;
	int fd, r = 0;

	fd = openat(st->dir, file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1)
		return errno;
	for (; r == 0 && most > 0; most--, ++*page) {
		n = pread(fd, lsn, sizeof(lsn), (off_t)(*page * BDB_PAGE));
		if (n != sizeof(lsn)) {
			*page = UINT64_MAX;
			break;
		}
		if (lsn[0] > end->file || (lsn[0] == end->file && lsn[1] > end->offset))
			r = bad;
	}
	close(fd);
	return r;
}

/* The number in a log file's name, 0 if it is none. */
static uint32_t
log_number(const char *name)
{
	if (strncmp(name, "log.", 4) != 0 || strlen(name) != 14 ||
	    strspn(name + 4, "0123456789") != 10)
		return 0;
	return (uint32_t)strtoul(name + 4, NULL, 10);
}

/*
 * Before the engine sees them, as it would make what it does not find: no page may be
 * newer than the newest file of the log.  Older ones may be gone; only if recovery
 * fails, and one in between is not there, that is the reason.  Of large files this sees
 * the beginning; the rest is seen later, and what was changed last always is, see
 * bdb_checkpoint().
 */
int
bdb_check_files(struct store *st)
{
	struct log_end end = { 0, UINT32_MAX };
	const struct dirent *e;
	DIR *d;
	int r = 0, t;
	uint32_t n, first = UINT32_MAX, count = 0;
	uint64_t page;

	if ((d = dir_entries(st->dir)) == NULL)
		return errno;
	while ((e = readdir(d)) != NULL) {
		if ((n = log_number(e->d_name)) == 0)
			continue;
		count++;
		first = MIN(first, n);
		end.file = MAX(end.file, n);
	}
	closedir(d);
	st->log_gap = count > 0 && end.file - first + 1 != count;
	for (t = 0; r == 0 && t < T_MAX; t++) {
		page = 0;
		r = check_pages(
		    st, bdb_tables[t].file, &end, BDB_NO_LOG, &page, BDB_PAGES_AT_START);
		if (r == ENOENT)
			r = 0; /* it is made */
	}
	return r;
}

/* With the end of the log as the engine has found it. */
static int
log_end(struct store *st, struct log_end *end)
{
	DB_LOG_STAT *l;
	int r;

	if ((r = st->env->log_stat(st->env, &l, 0)) != 0)
		return r;
	end->file = l->st_cur_file;
	end->offset = l->st_cur_offset;
	free(l);
	return 0;
}

int
bdb_check_pages(struct store *st, enum table t, uint64_t *page, uint64_t most)
{
	struct log_end end;
	int r;

	if ((r = log_end(st, &end)) != 0)
		return r;
	return check_pages(st, bdb_tables[t].file, &end, BDB_BAD_LOG, page, most);
}

int
bdb_check_log(struct store *st)
{
	uint64_t page;
	int r = 0, t;

	for (t = 0; r == 0 && t < T_MAX && !st->memory; t++) {
		page = 0;
		r = bdb_check_pages(st, (enum table)t, &page, BDB_PAGES_AT_START);
	}
	return r;
}

/* Is it the machine that has failed, rather than what is in the files? */
bool
bdb_passing(int r)
{
	return r == ENOMEM || r == EMFILE || r == ENFILE || r == EAGAIN || r == EINTR ||
	    r == EBUSY || r == EIO || r == ETIMEDOUT || r == ESTALE || r == ENODEV;
}

/* What a person is to do about it. */
void
bdb_explain(const struct store *st, int r, char *err, size_t errlen)
{
	const char *why = st->why[0] != '\0' ? st->why : db_strerror(r);

	if (r == DB_RUNRECOVERY && st->panic > 0)
		r = st->panic;
	if (st->log_gap &&
	    (r == DB_RUNRECOVERY || r == DB_NOTFOUND || r == ENOENT || r == EINVAL))
		r = BDB_NO_LOG;
	if (bdb_passing(r)) {
		snprintf(err, errlen,
		    "%s cannot be used now (%s): that is this machine's doing, see its "
		    "own log, and start again; nothing was changed",
		    st->shown, strerror(r));
		return;
	}
	switch (r) {
	case BDB_NEWER_RECORD:
		snprintf(err, errlen,
		    "%s was written by a newer ided than this one (which knows version "
		    "%d): install that ided again, or restore a backup made before it; "
		    "nothing was changed",
		    st->shown, STORE_VERSION);
		break;
	case BDB_NO_LOG:
		snprintf(err, errlen,
		    "%s: log.* files are missing: put them back, or keep a copy of the "
		    "folder and restore it from a backup; nothing was changed",
		    st->shown);
		break;
	case BDB_BAD_LOG:
	case BDB_BAD_RECORD:
		why = r == BDB_BAD_LOG ? "its log.* files are older than the rest" :
					 "a record or an index is not sound";
		/* FALLTHROUGH */
	default:
		snprintf(err, errlen,
		    "%s is damaged (%s): keep a copy of the folder, then restore it "
		    "from a backup",
		    st->shown, why);
		break;
	case ENOSPC:
	case EDQUOT:
		snprintf(err, errlen,
		    "%s: no space left: free at least %u MB there and start again; "
		    "nothing was lost",
		    st->shown, BDB_FREE_AT_START >> 20);
		break;
	case EACCES:
	case EPERM:
	case EROFS:
		snprintf(err, errlen,
		    "%s cannot be written (%s): it must belong to uid %u and be mounted "
		    "for writing",
		    st->shown, strerror(r), geteuid());
		break;
	case DB_VERSION_MISMATCH:
	case DB_OLD_VERSION:
		snprintf(err, errlen,
		    "%s was written by another version of Berkeley DB (%s): this one is "
		    "%s",
		    st->shown, why, DB_VERSION_STRING);
		break;
	}
}
