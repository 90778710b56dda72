/*
 * The Berkeley DB engine's own header: store_bdb.c opens and heals the
 * environment, store_bdb_check.c, _walk.c, _sums.c and _count.c see whether it is sound,
 * store_bdb_account.c, _session.c, _token.c and _more.c work in it.
 */
#ifndef AUTH_STORE_BDB_H
#define AUTH_STORE_BDB_H

#include <db.h>

#include "../backup.h"
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
	T_SHARE,      /* shared ports, by their id */
	T_MAX
};

struct bdb_table {
	const char *file;
	int of; /* the table that this one is an index of; -1: it is none */
	int (*key)(DB *, const DBT *, const DBT *, DBT *);
	bool many;    /* records under one key */
	size_t count; /* where struct store_counts has how many keys lead to records */
};

extern const struct bdb_table bdb_tables[T_MAX];

/* How far a look at everything has come: store_bdb_walk.c. */
struct bdb_walk {
	bool wanted;
	bool counting;      /* records are counted, and no more */
	unsigned int stage; /* the pages of each file, then the records of each */
	uint64_t page;
	bool within; /* a table: key is the last that was looked at */
	uint8_t key[WIRE_EMAIL];
	size_t len;
	struct store_counts seen;
	uint64_t changes; /* that there were when it began */
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
	struct store_counts counts; /* as the store has them, too */
	bool counted;               /* so it has */
	uint64_t changes;           /* commits since it was opened */
	uint64_t marked;            /* what of them a checkpoint has seen */
	uint32_t check_at_start;
	bool suspect; /* the engine gave up, and why is not known */
	struct bdb_walk walk;
	char why[256]; /* the engine's first complaint since it was last heard */
	bool log_gap;  /* a file in the middle of the log is not there */
	void (*barrier)(void);
	int panic; /* what made the engine give up; 0: it did not say */
	/* store_bdb_backup.c */
	struct {
		bool on; /* no checkpoint, and no file of the log goes */
		int64_t healed;
		uint32_t first; /* files of the log */
		uint32_t last;
		uint32_t offset; /* where that ends */
	} backup;
};

/* Everything that touches the engine starts with one of these: they heal what
 * is broken, and look for space before something is written. */
bool bdb_ready(struct store *);
enum store_result bdb_begin(struct store *, DB_TXN **);
/* Commit on r == 0, abort otherwise. */
enum store_result bdb_end(struct store *, DB_TXN *, int r, bool durable);
/* Durably, and with these counts from then on. */
enum store_result bdb_end_counted(
    struct store *, DB_TXN *, int r, const struct store_counts *, bool durable);
enum store_result bdb_result(struct store *, int r);

/* store_bdb_account.c */
int bdb_account_login(struct store *, DB_TXN *, uint32_t uid, int64_t last_login);

/* All of a user's API tokens; says how many. */
int bdb_delete_tokens(struct store *, DB_TXN *, uint32_t uid, uint32_t *deleted);

#define BDB_PAGE 4096

/* store_bdb_check.c: the folder, with the remedy in err; is all of it of one time? */
#define BDB_FREE_AT_START  (16u << 20)
#define BDB_PAGES_AT_START 4096 /* of each file */
bool bdb_home(struct store *, uint32_t patience, char *err, size_t errlen);
int bdb_check_files(struct store *); /* before it is opened */
int bdb_check_log(struct store *);   /* when it is */
/* Up to so many pages of a file from *page on; *page is UINT64_MAX at its end. */
int bdb_check_pages(struct store *, enum table, uint64_t *page, uint64_t most);
bool bdb_passing(int r); /* the machine has failed, not what is in the files */
void bdb_explain(const struct store *, int r, char *err, size_t errlen);

/* store_bdb_walk.c: every record.  Of tables that have one, the form is looked at; of
 * others the pages, and no more. */
#define BDB_CHECK_FILE                                                                   \
	BACKUP_CHECK /* is there while all is to be looked at before use                 \
		      */
int bdb_check(struct store *);
bool bdb_has_form(enum table);
/* The record as such, and that it is where it belongs. */
int bdb_record_ok(enum table, const DBT *k, const DBT *d, struct store_counts *seen);

/* store_bdb_sums.c: all of them at once, and counted. */
int bdb_check_all(struct store *, struct store_counts *seen);

/* store_bdb_count.c */
int bdb_counts_load(struct store *);
int bdb_counts_put(struct store *, DB_TXN *, const struct store_counts *);
void bdb_count_account(struct store_counts *, const struct store_account *, int by);
uint32_t bdb_count_of(const struct store_counts *, enum table index);
int bdb_checkpoint(struct store *);
uint64_t bdb_to_recover(struct store *); /* bytes of log since the last one */

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

#define META_VERSION    "version"
#define META_NEXT_UID   "next-uid"
#define META_COUNTS     "counts"
#define META_CHECKPOINT "checkpoint"

#endif
