/*
 * Berkeley DB behind store.h: how many records there are of each kind, kept in the
 * transactions that make it so; and checkpoints.
 */
#include <stdlib.h>
#include <string.h>

#include "store_bdb.h"

/* Version, and each of struct store_counts. */
#define COUNTS_FORM 1
#define COUNTS      (sizeof(struct store_counts) / sizeof(uint32_t))
#define COUNTS_LEN  (1 + 4 * COUNTS)

/* *counted says whether there are any that can be relied on. */
int
bdb_counts_load(struct store *st)
{
	uint32_t n[COUNTS], version;
	uint8_t buf[COUNTS_LEN];
	unsigned int i;
	DBT k, d;
	int r;

	memset(&st->counts, 0, sizeof(st->counts));
	st->counted = false;
	r = bdb_meta_get(st, NULL, META_VERSION, &version);
	/* An earlier ided changes records and does not count. */
	if (r == DB_NOTFOUND || (r == 0 && version != STORE_VERSION))
		return 0;
	if (r != 0)
		return r;
	bdb_dbt(&k, META_COUNTS, strlen(META_COUNTS));
	bdb_buf(&d, buf, sizeof(buf));
	r = st->db[T_META]->get(st->db[T_META], NULL, &k, &d, 0);
	if (r == DB_NOTFOUND)
		return 0;
	if (r != 0)
		return r;
	if (d.size != sizeof(buf) || buf[0] != COUNTS_FORM)
		return BDB_BAD_RECORD;
	for (i = 0; i < COUNTS; i++)
		n[i] = record_get32be(buf + 1 + 4 * i);
	memcpy(&st->counts, n, sizeof(st->counts));
	st->counted = true;
	return 0;
}

int
bdb_counts_put(struct store *st, DB_TXN *txn, const struct store_counts *counts)
{
	uint8_t buf[COUNTS_LEN];
	uint32_t n[COUNTS];
	unsigned int i;
	DBT k, d;

	memcpy(n, counts, sizeof(n));
	buf[0] = COUNTS_FORM;
	for (i = 0; i < COUNTS; i++)
		record_put32be(buf + 1 + 4 * i, n[i]);
	bdb_dbt(&k, META_COUNTS, strlen(META_COUNTS));
	bdb_dbt(&d, buf, sizeof(buf));
	return st->db[T_META]->put(st->db[T_META], txn, &k, &d, 0);
}

enum store_result
bdb_end_counted(
    struct store *st, DB_TXN *txn, int r, const struct store_counts *n, bool durable)
{
	enum store_result res;

	if (r == 0 && memcmp(n, &st->counts, sizeof(*n)) != 0)
		r = bdb_counts_put(st, txn, n);
	if ((res = bdb_end(st, txn, r, durable)) == STORE_OK)
		st->counts = *n;
	return res;
}

/* How many keys an index has. */
uint32_t
bdb_count_of(const struct store_counts *n, enum table t)
{
	uint32_t count;

	memcpy(&count, (const uint8_t *)n + bdb_tables[t].count, sizeof(count));
	return count;
}

/*
 * All that was changed goes to its file.  The table of what belongs to the whole store
 * is changed last: its page names the newest record of the log that any page may name,
 * so that log files that are gone are missed without looking at every page.
 */
int
bdb_checkpoint(struct store *st)
{
	uint32_t n = 0;
	DB_TXN *txn;
	int r;

	if (!st->memory && st->marked != st->changes) {
		if ((r = st->env->txn_begin(st->env, NULL, &txn, 0)) != 0)
			return r;
		r = bdb_meta_get(st, txn, META_CHECKPOINT, &n);
		if (r == 0 || r == DB_NOTFOUND)
			r = bdb_meta_put(st, txn, META_CHECKPOINT, n + 1);
		if (r != 0) {
			(void)txn->abort(txn);
			return r;
		}
		if ((r = txn->commit(txn, DB_TXN_NOSYNC)) != 0)
			return r;
		st->marked = st->changes;
	}
	return st->env->txn_checkpoint(st->env, 0, 0, 0);
}

uint64_t
bdb_to_recover(struct store *st)
{
	uint64_t n;
	DB_LOG_STAT *l;
	int r;

	if ((r = st->env->log_stat(st->env, &l, 0)) != 0) {
		(void)bdb_result(st, r);
		return 0;
	}
	n = (uint64_t)l->st_wc_mbytes << 20 | l->st_wc_bytes;
	free(l);
	return n;
}
