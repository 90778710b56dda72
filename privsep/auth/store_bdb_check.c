/*
 * Berkeley DB behind store.h: is what is there ours, whole and understood?  And
 * if it is not, what is a person to do?
 */
#include <sys/file.h>
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store_bdb.h"

/* One entry of the store's folder; false with the remedy in err. */
static bool
entry_ok(const struct store *st, const char *name, char *err, size_t errlen)
{
	struct stat sb;

	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
	    strcmp(name, "lost+found") == 0)
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

/* The folder must be ours alone, and no other ided may work in it. */
bool
bdb_home(struct store *st, char *err, size_t errlen)
{
	const struct dirent *e;
	struct stat sb;
	DIR *d;
	bool ok = true;
	int fd;

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
	if (flock(st->dir, LOCK_EX | LOCK_NB) == -1) {
		snprintf(err, errlen,
		    "%s is in use by another ided: stop that "
		    "one first",
		    st->shown);
		return false;
	}
	fd = openat(st->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1 || (d = fdopendir(fd)) == NULL) {
		snprintf(err, errlen, "%s: %s", st->shown, strerror(errno));
		if (fd != -1)
			close(fd);
		return false;
	}
	while (ok && (e = readdir(d)) != NULL)
		ok = entry_ok(st, e->d_name, err, errlen);
	closedir(d);
	return ok;
}

/*
 * Walk a table: each record must decode and be found again through each of its
 * indexes; every page's checksum is seen on the way.
 */
static int
walk(struct store *st, enum table t, uint32_t *count)
{
	union {
		struct store_account a;
		struct store_session s;
	} u;
	uint8_t kbuf[64], buf[STORE_RECORD_MAX];
	DBT k, d;
	DBC *c;
	int r;

	*count = 0;
	if ((r = st->db[t]->cursor(st->db[t], NULL, &c, 0)) != 0)
		return r;
	for (;;) {
		bdb_buf(&k, kbuf, sizeof(kbuf));
		bdb_buf(&d, buf, sizeof(buf));
		if ((r = c->get(c, &k, &d, DB_NEXT)) != 0)
			break;
		if (t == T_ACCOUNT)
			r = bdb_decoded(account_decode(&u.a, buf, d.size));
		else if (t == T_SESSION)
			r = bdb_decoded(session_decode(&u.s, buf, d.size));
		if (r == 0 &&
		    ((t == T_ACCOUNT &&
			 (k.size != 4 || record_get32be(kbuf) != u.a.uid)) ||
			(t == T_SESSION && k.size != STORE_KEY)))
			r = BDB_BAD_RECORD;
		if (r != 0)
			break;
		++*count;
	}
	c->close(c);
	if (r == DB_BUFFER_SMALL)
		r = BDB_BAD_RECORD;
	return r == DB_NOTFOUND ? 0 : r;
}

/* How many records an index leads to; each must be there. */
static int
walk_index(struct store *st, enum table t, uint32_t *count)
{
	uint8_t kbuf[WIRE_EMAIL], pbuf[64], buf[STORE_RECORD_MAX];
	DBT k, p, d;
	DBC *c;
	int r;

	*count = 0;
	if ((r = st->db[t]->cursor(st->db[t], NULL, &c, 0)) != 0)
		return r;
	for (;;) {
		bdb_buf(&k, kbuf, sizeof(kbuf));
		bdb_buf(&p, pbuf, sizeof(pbuf));
		bdb_buf(&d, buf, sizeof(buf));
		if ((r = c->pget(c, &k, &p, &d, DB_NEXT)) != 0)
			break;
		++*count;
	}
	c->close(c);
	if (r == DB_BUFFER_SMALL || r == DB_SECONDARY_BAD)
		r = BDB_BAD_RECORD;
	return r == DB_NOTFOUND ? 0 : r;
}

static int
check_version(struct store *st)
{
	uint32_t v;
	int r;

	r = bdb_meta_get(st, NULL, META_VERSION, &v);
	if (r == 0 && v == 0)
		return BDB_BAD_RECORD;
	if (r == 0 && v >= STORE_VERSION)
		return v > STORE_VERSION ? BDB_NEWER_RECORD : 0;
	if (r != 0 && r != DB_NOTFOUND)
		return r;
	/* A store that was just made has nothing in it. */
	if (r == DB_NOTFOUND && (st->counts.accounts != 0 || st->counts.sessions != 0))
		return BDB_BAD_RECORD;
	/* Before the first record of this version is written: an earlier ided that
	 * finds it is to know why it does not understand. */
	return bdb_meta_put(st, NULL, META_VERSION, STORE_VERSION);
}

/*
 * Every page names the log record that changed it last.  Pages that are ahead of
 * the log mean that log files were taken away: what is written from then on
 * would be lost in the next recovery.  The engine itself does not look.
 */
static int
check_file(const struct store *st, const char *file, const DB_LOG_STAT *end)
{
	uint32_t lsn[2]; /* file and offset, as the engine has them */
	ssize_t n;
	off_t at;
	int fd, r = 0;

	fd = openat(st->dir, file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1)
		return errno;
	for (at = 0; r == 0; at += BDB_PAGE) {
		n = pread(fd, lsn, sizeof(lsn), at);
		if (n != sizeof(lsn))
			break;
		if (lsn[0] > end->st_cur_file ||
		    (lsn[0] == end->st_cur_file && lsn[1] > end->st_cur_offset))
			r = BDB_BAD_LOG;
	}
	close(fd);
	return r;
}

static int
check_log(struct store *st)
{
	DB_LOG_STAT *end;
	const char *file;
	int r, t;

	if (st->memory)
		return 0;
	if ((r = st->env->log_stat(st->env, &end, 0)) != 0)
		return r;
	for (t = 0; r == 0 && t < T_MAX; t++)
		if ((file = bdb_file((enum table)t)) != NULL)
			r = check_file(st, file, end);
	free(end);
	return r;
}

int
bdb_check(struct store *st)
{
	uint32_t meta, n;
	int r;

	if ((r = check_log(st)) != 0)
		return r;
	/* The version first: what a newer one wrote is not damage. */
	if ((r = bdb_meta_get(st, NULL, META_VERSION, &n)) == 0 && n > STORE_VERSION)
		return BDB_NEWER_RECORD;
	if ((r = walk(st, T_META, &meta)) != 0 ||
	    (r = walk(st, T_ACCOUNT, &st->counts.accounts)) != 0 ||
	    (r = walk(st, T_SESSION, &st->counts.sessions)) != 0)
		return r;
	if ((r = walk_index(st, T_NAME, &n)) != 0)
		return r;
	if (n != st->counts.accounts)
		return BDB_BAD_RECORD;
	if ((r = walk_index(st, T_EMAIL, &n)) != 0)
		return r;
	if (n > st->counts.accounts)
		return BDB_BAD_RECORD;
	if ((r = walk_index(st, T_ID, &n)) != 0)
		return r;
	if (n != st->counts.sessions)
		return BDB_BAD_RECORD;
	if ((r = walk_index(st, T_USER, &n)) != 0)
		return r;
	if (n != st->counts.sessions)
		return BDB_BAD_RECORD;
	return check_version(st);
}

/* What a person is to do about it. */
void
bdb_explain(const struct store *st, int r, char *err, size_t errlen)
{
	const char *why = st->why[0] != '\0' ? st->why : db_strerror(r);

	switch (r) {
	case BDB_NEWER_RECORD:
		snprintf(err, errlen,
		    "%s was written by a newer ided than this "
		    "one (which knows version %d): install that ided again, or "
		    "restore a backup made before it; nothing was changed",
		    st->shown, STORE_VERSION);
		break;
	case BDB_BAD_RECORD:
	case BDB_BAD_LOG:
		why = r == BDB_BAD_LOG ? "log.* files are missing" :
					 "a record or an index is not sound";
		/* FALLTHROUGH */
	default:
		snprintf(err, errlen,
		    "%s is damaged (%s): keep a copy of the "
		    "folder, then restore it from a backup",
		    st->shown, why);
		break;
	case ENOSPC:
	case EDQUOT:
		snprintf(err, errlen,
		    "%s: no space left: free at least %u MB "
		    "there and start again; nothing was lost",
		    st->shown, BDB_FREE_AT_START >> 20);
		break;
	case EACCES:
	case EPERM:
	case EROFS:
		snprintf(err, errlen,
		    "%s cannot be written (%s): it must belong "
		    "to uid %u and be mounted for writing",
		    st->shown, strerror(r), geteuid());
		break;
	case DB_VERSION_MISMATCH:
	case DB_OLD_VERSION:
		snprintf(err, errlen,
		    "%s was written by another version of "
		    "Berkeley DB (%s): this one is %s",
		    st->shown, why, DB_VERSION_STRING);
		break;
	case ENOMEM:
		snprintf(err, errlen, "%s: out of memory", st->shown);
		break;
	}
}
