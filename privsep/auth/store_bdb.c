/*
 * Berkeley DB behind store.h: the environment, opened, healed and closed.
 *
 * Private to this process, transactional, recovered at every start.  There is
 * no lock subsystem: one thread of one process has nobody to lock out, and a
 * lock that is never taken cannot be left behind.  That there is only one
 * process is seen to by a lock on the folder.
 */
#include <sys/statvfs.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <bsd/string.h>

#include "../log.h"
#include "store_bdb.h"

#define CACHE_BYTES      (8u << 20)
#define LOG_FILE_BYTES   (2u << 20)
#define LOG_BUF_BYTES    (256u << 10)
#define LOG_MEMORY_BYTES (8u << 20)           /* in-memory mode keeps the log there */
#define FREE_TO_WRITE    (2 * LOG_FILE_BYTES) /* so that the log never hits the end */
#define RECOVER_BYTES    (8u << 20)           /* of log: some hundred milliseconds */
#define HEAL_SECONDS     1
#define CHECK_AT_START   20000 /* records: less than a second */

void
bdb_dbt(DBT *d, const void *data, size_t len)
{
	memset(d, 0, sizeof(*d));
	d->data = (void *)(uintptr_t)data;
	d->size = (u_int32_t)len;
}

void
bdb_buf(DBT *d, void *buf, size_t size)
{
	memset(d, 0, sizeof(*d));
	d->data = buf;
	d->ulen = (u_int32_t)size;
	d->flags = DB_DBT_USERMEM;
}

int
bdb_index_get(
    struct store *st, DB_TXN *txn, enum table t, const char *key, DBT *p, DBT *d)
{
	DB *db = st->db[t];
	DBT k;

	bdb_dbt(&k, key, strlen(key));
	return db->pget(db, txn, &k, p, d, 0);
}

int
bdb_index_next(struct store *st, enum table t, const char *key, DBT *p, DBT *d)
{
	char kbuf[WIRE_NAME]; /* names and ids: no index has longer keys */
	DB *db = st->db[t];
	DBC *c;
	DBT k;
	int r;

	if ((r = db->cursor(db, NULL, &c, 0)) != 0)
		return r;
	strlcpy(kbuf, key, sizeof(kbuf));
	bdb_buf(&k, kbuf, sizeof(kbuf));
	k.size = (u_int32_t)strlen(kbuf);
	r = c->pget(c, &k, p, d, DB_SET_RANGE);
	if (r == 0 && k.size == strlen(key) && memcmp(kbuf, key, k.size) == 0)
		r = c->pget(c, &k, p, d, DB_NEXT);
	c->close(c);
	return r;
}

int
bdb_decoded(enum record_result r)
{
	switch (r) {
	case RECORD_OK:
		return 0;
	case RECORD_NEWER:
		return BDB_NEWER_RECORD;
	case RECORD_BAD:
		break;
	}
	return BDB_BAD_RECORD;
}

static void
on_error(const DB_ENV *env, const char *prefix, const char *text)
{
	struct store *st = env->app_private;

	(void)prefix;
	/* The first says what is wrong, the others what comes of it. */
	if (st->why[0] == '\0')
		strlcpy(st->why, text, sizeof(st->why));
	log_debug("store: %s", text);
}

static void
on_event(DB_ENV *env, u_int32_t event, void *info)
{
	struct store *st = env->app_private;

	if (event == DB_EVENT_PANIC && info != NULL)
		st->panic = *(const int *)info;
}

int
bdb_meta_get(struct store *st, DB_TXN *txn, const char *key, uint32_t *v)
{
	uint8_t b[4];
	DBT k, d;
	int r;

	bdb_dbt(&k, key, strlen(key));
	bdb_buf(&d, b, sizeof(b));
	r = st->db[T_META]->get(st->db[T_META], txn, &k, &d, 0);
	if (r != 0)
		return r;
	if (d.size != sizeof(b))
		return BDB_BAD_RECORD;
	*v = (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 |
	    (uint32_t)b[3] << 24;
	return 0;
}

int
bdb_meta_put(struct store *st, DB_TXN *txn, const char *key, uint32_t v)
{
	uint8_t b[4] = { (uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16),
		(uint8_t)(v >> 24) };
	DBT k, d;

	bdb_dbt(&k, key, strlen(key));
	bdb_dbt(&d, b, sizeof(b));
	return st->db[T_META]->put(st->db[T_META], txn, &k, &d, 0);
}

static uint64_t
space(const struct store *st)
{
	struct statvfs v;

	if (st->memory || st->reckless || fstatvfs(st->dir, &v) == -1)
		return UINT64_MAX;
	return (uint64_t)v.f_bavail * v.f_frsize;
}

static int
env_open(struct store *st)
{
	u_int32_t flags = DB_INIT_TXN | DB_INIT_LOG | DB_INIT_MPOOL | DB_CREATE |
	    DB_PRIVATE;
	DB_ENV *env;
	int r;

	st->why[0] = '\0';
	st->panic = 0;
	if ((r = db_env_create(&st->env, 0)) != 0) {
		st->env = NULL;
		return r;
	}
	env = st->env;
	env->app_private = st;
	env->set_errcall(env, on_error);
	(void)env->set_event_notify(env, on_event);
	/* It looks for one in the usual places, and there is none here. */
	if (!st->memory && (r = env->set_tmp_dir(env, st->home)) != 0)
		return r;
	if ((r = env->set_cachesize(env, 0, CACHE_BYTES, 1)) != 0)
		return r;
	if (st->memory) {
		if ((r = env->log_set_config(env, DB_LOG_IN_MEMORY, 1)) != 0 ||
		    (r = env->set_lg_bsize(env, LOG_MEMORY_BYTES)) != 0)
			return r;
	} else {
		flags |= DB_RECOVER;
		if ((r = env->log_set_config(env, DB_LOG_AUTO_REMOVE, 1)) != 0 ||
		    (r = env->set_lg_bsize(env, LOG_BUF_BYTES)) != 0 ||
		    (r = env->set_lg_max(env, LOG_FILE_BYTES)) != 0)
			return r;
	}
	return env->open(env, st->home, flags, 0600);
}

static int
table_open(struct store *st, enum table t)
{
	const char *file = st->memory ? NULL : bdb_tables[t].file;
	const char *name = st->memory ? bdb_tables[t].file : NULL;
	u_int32_t flags = DB_CHKSUM;
	DB *db;
	int r;

	if ((r = db_create(&db, st->env, 0)) != 0)
		return r;
	st->db[t] = db;
	if (bdb_tables[t].many)
		flags |= DB_DUPSORT;
	if ((r = db->set_flags(db, flags)) != 0 ||
	    (r = db->set_pagesize(db, BDB_PAGE)) != 0)
		return r;
	return db->open(db, NULL, file, name, DB_BTREE, DB_CREATE | DB_AUTO_COMMIT, 0600);
}

/*
 * DB_CREATE: an index that was lost is made again, from all the records.  One that is
 * empty as it has to be is not: the engine would look at all of them each time.
 */
static int
index_open(struct store *st, enum table t)
{
	DB *db = st->db[bdb_tables[t].of];
	u_int32_t flags = DB_AUTO_COMMIT;

	if (!st->counted || bdb_count_of(&st->counts, t) > 0)
		flags |= DB_CREATE;
	return db->associate(db, NULL, st->db[t], bdb_tables[t].key, flags);
}

static void
bdb_close(struct store *st)
{
	int t;

	if (st->env != NULL && st->db[T_META] != NULL && !st->broken)
		(void)bdb_checkpoint(st);
	/* Indexes before what they are of. */
	for (t = T_MAX - 1; t >= 0; t--) {
		if (st->db[t] != NULL)
			st->db[t]->close(st->db[t], st->broken ? DB_NOSYNC : 0);
		st->db[t] = NULL;
	}
	if (st->env != NULL) {
		st->env->close(st->env, 0);
	}
	st->env = NULL;
}

static int
bdb_open(struct store *st)
{
	int r, t;

	st->broken = false;
	r = st->memory ? 0 : bdb_check_files(st);
	if (r == 0)
		r = env_open(st);
	for (t = 0; r == 0 && t < T_MAX; t++)
		r = table_open(st, (enum table)t);
	if (r == 0)
		r = bdb_counts_load(st);
	for (t = 0; r == 0 && t < T_MAX; t++)
		if (bdb_tables[t].of != -1)
			r = index_open(st, (enum table)t);
	if (r == 0)
		r = bdb_check(st);
	if (r != 0) {
		st->broken = true;
		bdb_close(st);
	}
	return r;
}

struct store *
store_open(const struct store_options *opt, char *err, size_t errlen)
{
	struct store *st;
	int r;

	if ((st = calloc(1, sizeof(*st))) == NULL) {
		strlcpy(err, "out of memory", errlen);
		return NULL;
	}
	st->dir = -1;
	st->memory = opt->memory;
	st->check_at_start = opt->check_at_start != 0 ? opt->check_at_start :
							CHECK_AT_START;
	store_set_range(st, opt->uid_first, opt->uid_count);
	strlcpy(st->shown, opt->shown, sizeof(st->shown));
	/* Never none: the engine would read DB_CONFIG from anywhere. */
	if (strlcpy(st->home, opt->home, sizeof(st->home)) >= sizeof(st->home)) {
		snprintf(err, errlen, "%s: path too long", st->shown);
		goto fail;
	}
	if (!st->memory && !bdb_home(st, opt->patience, err, errlen))
		goto fail;
	if (space(st) < BDB_FREE_AT_START) {
		bdb_explain(st, ENOSPC, err, errlen);
		goto fail;
	}
	if ((r = bdb_open(st)) != 0) {
		bdb_explain(st, r, err, errlen);
		goto fail;
	}
	return st;
fail:
	if (st->dir != -1)
		close(st->dir);
	free(st);
	return NULL;
}

void
store_close(struct store *st)
{
	if (st == NULL)
		return;
	bdb_close(st);
	if (st->dir != -1)
		close(st->dir);
	free(st);
}

void
store_set_barrier(struct store *st, void (*barrier)(void))
{
	st->barrier = barrier;
}

void
store_set_range(struct store *st, uint32_t uid_first, uint32_t uid_count)
{
	st->uid_first = uid_first;
	st->uid_count = uid_count;
}

/* In memory there is nothing to recover from. */
static bool
heal(struct store *st)
{
	struct timespec ts;
	char err[1400];
	int r;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	if (st->memory || ts.tv_sec - st->healed < HEAL_SECONDS)
		return false;
	st->healed = ts.tv_sec;
	bdb_close(st);
	if (space(st) < FREE_TO_WRITE)
		r = ENOSPC;
	else
		r = bdb_open(st);
	if (r != 0) {
		bdb_explain(st, r, err, sizeof(err));
		log_warnx("store: %s", err);
		st->broken = true;
		return false;
	}
	log_info("store: recovered");
	return true;
}

bool
bdb_ready(struct store *st)
{
	return (!st->broken && st->env != NULL) || heal(st);
}

enum store_result
bdb_result(struct store *st, int r)
{
	switch (r) {
	case 0:
		return STORE_OK;
	case DB_NOTFOUND:
		return STORE_NOT_FOUND;
	case ENOSPC:
	case EDQUOT:
		log_warnx("store: %s: no space left", st->shown);
		return STORE_NO_SPACE;
	case DB_RUNRECOVERY:
		st->broken = st->suspect = true;
		break;
	default:
		break;
	}
	log_warnx("store: %s: %s", st->shown,
	    r == BDB_BAD_RECORD || r == BDB_NEWER_RECORD || r == DB_BUFFER_SMALL ?
		"a record is not sound" :
		st->why[0] != '\0' ? st->why :
				     db_strerror(r));
	st->why[0] = '\0';
	return STORE_ERROR;
}

enum store_result
bdb_begin(struct store *st, DB_TXN **txn)
{
	*txn = NULL;
	if (!bdb_ready(st))
		return space(st) < FREE_TO_WRITE ? STORE_NO_SPACE : STORE_ERROR;
	if (space(st) < FREE_TO_WRITE)
		return bdb_result(st, ENOSPC);
	return bdb_result(st, st->env->txn_begin(st->env, NULL, txn, 0));
}

enum store_result
bdb_end(struct store *st, DB_TXN *txn, int r, bool durable)
{
	int a;

	if (r == 0 && durable && st->barrier != NULL)
		st->barrier();
	if (r == 0) {
		st->changes++;
		return bdb_result(
		    st, txn->commit(txn, durable ? DB_TXN_SYNC : DB_TXN_WRITE_NOSYNC));
	}
	if ((a = txn->abort(txn)) != 0)
		(void)bdb_result(st, a);
	return bdb_result(st, r);
}

uint64_t
store_changes(const struct store *st)
{
	return st->changes;
}

void
store_tick(struct store *st)
{
	int r;

	if (!bdb_ready(st) || st->memory || st->backup.on || space(st) < FREE_TO_WRITE)
		return;
	if ((r = bdb_checkpoint(st)) != 0)
		(void)bdb_result(st, r);
}

void
store_tick_if_much(struct store *st)
{
	if (bdb_ready(st) && !st->memory && bdb_to_recover(st) >= RECOVER_BYTES)
		store_tick(st);
}

void
store_count(struct store *st, struct store_counts *c)
{
	*c = st->counts;
}

const char *
store_strerror(enum store_result r)
{
	switch (r) {
	case STORE_OK:
		return "done";
	case STORE_NOT_FOUND:
		return "not found";
	case STORE_NAME_TAKEN:
		return "a user of this name exists";
	case STORE_EMAIL_TAKEN:
		return "a user with this e-mail address exists";
	case STORE_NO_UID:
		return "no uid is left: make `uids' of the configuration larger";
	case STORE_INVALID:
		return "not a sound record";
	case STORE_NO_SPACE:
		return "no space is left on the store's disk: free some, nothing "
		       "was lost";
	case STORE_ERROR:
		break;
	}
	return "the store failed; the log says how";
}
