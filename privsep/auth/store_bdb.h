/*
 * The Berkeley DB engine's own header: store_bdb.c opens and heals the
 * environment, store_bdb_account.c and store_bdb_session.c work in it.
 */
#ifndef AUTH_STORE_BDB_H
#define AUTH_STORE_BDB_H

#include <db.h>

#include "store.h"
#include "store_record.h"

enum table {
	T_META,
	T_ACCOUNT,    /* by uid */
	T_NAME,       /* index of accounts */
	T_EMAIL,      /* index of accounts that have one */
	T_SESSION,    /* by SHA-256 of the token */
	T_ID,         /* index of sessions by public id */
	T_USER,       /* index of sessions by uid */
	T_TOKEN,      /* by SHA-256 of the API token */
	T_TOKEN_ID,   /* index of tokens by public id */
	T_TOKEN_USER, /* index of tokens by uid */
	T_SETTINGS,   /* by uid */
	T_ONCE,       /* creating calls, by their key */
	T_MAX
};

struct store {
	DB_ENV *env;
	DB *db[T_MAX];
	char home[256];
	char shown[1100];
	bool memory;
	bool reckless;  /* do not look for space first: tests */
	bool broken;    /* the engine wants recovery */
	int64_t healed; /* when that was last tried */
	int dir;        /* of home, locked; -1 in memory */
	uint32_t uid_first;
	uint32_t uid_count;
	struct store_counts counts;
	char why[256]; /* the engine's first complaint since it was last heard */
	bool log_gap;  /* a file in the middle of the log is not there */
	void (*barrier)(void);
	int panic; /* what made the engine give up; 0: it did not say */
};

/* Everything that touches the engine starts with one of these: they heal what
 * is broken, and look for space before something is written. */
bool bdb_ready(struct store *);
enum store_result bdb_begin(struct store *, DB_TXN **);
/* Commit on r == 0, abort otherwise. */
enum store_result bdb_end(struct store *, DB_TXN *, int r, bool durable);
enum store_result bdb_result(struct store *, int r);

/* All of a user's API tokens. */
int bdb_delete_tokens(struct store *, DB_TXN *, uint32_t uid);

#define BDB_PAGE 4096
const char *bdb_file(enum table);

/* store_bdb_check.c: the folder, with the remedy in err; every record. */
#define BDB_FREE_AT_START (16u << 20)
bool bdb_home(struct store *, uint32_t patience, char *err, size_t errlen);
int bdb_check_files(struct store *); /* before it is opened */
int bdb_check(struct store *);
void bdb_explain(const struct store *, int r, char *err, size_t errlen);

void bdb_dbt(DBT *, const void *data, size_t len);
void bdb_buf(DBT *, void *buf, size_t size);

/* By an index of strings: the record's key in p and the record in d, which are buffers
 * of the caller's (bdb_buf()); the one of that key, or the first that is behind it. */
int bdb_index_get(struct store *, DB_TXN *, enum table, const char *key, DBT *p, DBT *d);
int bdb_index_next(struct store *, enum table, const char *key, DBT *p, DBT *d);

/* Returned for a record that does not decode; in no range of the engine's. */
#define BDB_BAD_RECORD   (-29999)
#define BDB_NEWER_RECORD (-29998)
#define BDB_BAD_LOG      (-29997)
#define BDB_NO_LOG       (-29996)
int bdb_decoded(enum record_result);

int bdb_meta_get(struct store *, DB_TXN *, const char *key, uint32_t *v);
int bdb_meta_put(struct store *, DB_TXN *, const char *key, uint32_t v);

/* store_bdb_more.c: 0 or the engine's error */
int bdb_settings_delete(struct store *, DB_TXN *, uint32_t uid);
int bdb_once_put(struct store *, DB_TXN *, const struct store_once *);

#define META_VERSION  "version"
#define META_NEXT_UID "next-uid"

#endif
