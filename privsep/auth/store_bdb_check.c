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
	if (!take_lock(st->dir, patience)) {
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
		struct store_token t;
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
		else if (t == T_TOKEN)
			r = bdb_decoded(token_decode(&u.t, buf, d.size));
		if (r == 0 &&
		    ((t == T_ACCOUNT &&
			 (k.size != 4 || record_get32be(kbuf) != u.a.uid)) ||
			((t == T_SESSION || t == T_TOKEN) && k.size != STORE_KEY)))
			r = BDB_BAD_RECORD;
		if (r != 0)
			break;
		if (t == T_ACCOUNT) {
			st->counts.active += u.a.active;
			st->counts.pending += u.a.pending;
		}
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
 * Every page names the log record that changed it last.  Pages that are ahead of the
 * log mean that log files were taken away: what is written from then on would be lost
 * in the next recovery.  The engine itself does not look.
 */
struct log_end {
	uint32_t file;
	uint32_t offset;
};

static int
check_file(const struct store *st, const char *file, const struct log_end *end, int bad)
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
 * fails, and one in between is not there, that is the reason.
 */
int
bdb_check_files(struct store *st)
{
	struct log_end end = { 0, UINT32_MAX };
	const struct dirent *e;
	DIR *d;
	int fd, r = 0, t;
	uint32_t n, first = UINT32_MAX, count = 0;

	fd = openat(st->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1)
		return errno;
	if ((d = fdopendir(fd)) == NULL) {
		r = errno;
		close(fd);
		return r;
	}
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
		r = check_file(st, bdb_file((enum table)t), &end, BDB_NO_LOG);
		if (r == ENOENT)
			r = 0; /* it is made */
	}
	return r;
}

/* Once more with the end of the log as the engine has found it. */
static int
check_log(struct store *st)
{
	struct log_end end;
	DB_LOG_STAT *l;
	int r, t;

	if (st->memory)
		return 0;
	if ((r = st->env->log_stat(st->env, &l, 0)) != 0)
		return r;
	end.file = l->st_cur_file;
	end.offset = l->st_cur_offset;
	free(l);
	for (t = 0; r == 0 && t < T_MAX; t++)
		r = check_file(st, bdb_file((enum table)t), &end, BDB_BAD_LOG);
	return r;
}

int
bdb_check(struct store *st)
{
	uint32_t meta, tokens, n;
	int r;

	if ((r = check_log(st)) != 0)
		return r;
	/* The version first: what a newer one wrote is not damage. */
	if ((r = bdb_meta_get(st, NULL, META_VERSION, &n)) == 0 && n > STORE_VERSION)
		return BDB_NEWER_RECORD;
	memset(&st->counts, 0, sizeof(st->counts));
	if ((r = walk(st, T_META, &meta)) != 0 ||
	    (r = walk(st, T_ACCOUNT, &st->counts.accounts)) != 0 ||
	    (r = walk(st, T_SESSION, &st->counts.sessions)) != 0 ||
	    (r = walk(st, T_TOKEN, &tokens)) != 0)
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
	if ((r = walk_index(st, T_TOKEN_ID, &n)) != 0)
		return r;
	if (n != tokens)
		return BDB_BAD_RECORD;
	if ((r = walk_index(st, T_TOKEN_USER, &n)) != 0)
		return r;
	if (n != tokens)
		return BDB_BAD_RECORD;
	return check_version(st);
}

/* Is it the machine that has failed, rather than what is in the files? */
static bool
is_passing(int r)
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
	if (is_passing(r)) {
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
