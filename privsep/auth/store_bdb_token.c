/* Berkeley DB behind store.h: API tokens. */
#include <errno.h>
#include <string.h>

#include <bsd/string.h>

#include "store_bdb.h"

static int
get(struct store *st, DB_TXN *txn, const uint8_t key[STORE_KEY], struct store_token *t)
{
	uint8_t buf[STORE_RECORD_MAX];
	DB *db = st->db[T_TOKEN];
	DBT k, d;
	int r;

	bdb_dbt(&k, key, STORE_KEY);
	bdb_buf(&d, buf, sizeof(buf));
	if ((r = db->get(db, txn, &k, &d, 0)) == 0)
		r = bdb_decoded(token_decode(t, buf, d.size));
	if (r == 0)
		memcpy(t->key, key, STORE_KEY);
	return r;
}

static int
put(struct store *st, DB_TXN *txn, const struct store_token *t, u_int32_t flags)
{
	uint8_t buf[STORE_RECORD_MAX];
	DB *db = st->db[T_TOKEN];
	size_t len;
	DBT k, d;

	if ((len = token_encode(t, buf)) == 0)
		return EINVAL;
	bdb_dbt(&k, t->key, STORE_KEY);
	bdb_dbt(&d, buf, len);
	return db->put(db, txn, &k, &d, flags);
}

/* What a lookup through an index gave. */
static int
found(struct store_token *t, const DBT *p, const DBT *d)
{
	int r;

	if (p->size != STORE_KEY)
		return BDB_BAD_RECORD;
	if ((r = bdb_decoded(token_decode(t, d->data, d->size))) == 0)
		memcpy(t->key, p->data, STORE_KEY);
	return r;
}

enum store_result
store_token_add(struct store *st, const struct store_token *t)
{
	return store_token_add_once(st, t, NULL);
}

enum store_result
store_token_add_once(
    struct store *st, const struct store_token *t, struct store_once *once)
{
	uint8_t buf[STORE_RECORD_MAX];
	struct store_counts n;
	enum store_result res;
	DB_TXN *txn;
	int r;

	if (token_encode(t, buf) == 0)
		return STORE_INVALID;
	if ((res = bdb_begin(st, &txn)) != STORE_OK)
		return res;
	/* A key of the index that is there already fails the same way. */
	r = put(st, txn, t, DB_NOOVERWRITE);
	if (r == 0 && once != NULL) {
		once->uid = t->uid;
		r = bdb_once_put(st, txn, once);
	}
	if (r == DB_KEYEXIST) {
		(void)txn->abort(txn);
		return STORE_NAME_TAKEN;
	}
	n = st->counts;
	n.tokens++;
	return bdb_end_counted(st, txn, r, &n, true);
}

enum store_result
store_token_by_key(struct store *st, const uint8_t key[STORE_KEY], struct store_token *t)
{
	if (!bdb_ready(st))
		return STORE_ERROR;
	return bdb_result(st, get(st, NULL, key, t));
}

enum store_result
store_token_by_id(struct store *st, const char *id, struct store_token *t)
{
	uint8_t pbuf[STORE_KEY], buf[STORE_RECORD_MAX];
	DBT p, d;
	int r;

	if (!bdb_ready(st))
		return STORE_ERROR;
	bdb_buf(&p, pbuf, sizeof(pbuf));
	bdb_buf(&d, buf, sizeof(buf));
	if ((r = bdb_index_get(st, NULL, T_TOKEN_ID, id, &p, &d)) == 0)
		r = found(t, &p, &d);
	return bdb_result(st, r);
}

enum store_result
store_token_next(struct store *st, const char *id, struct store_token *t)
{
	uint8_t pbuf[STORE_KEY], buf[STORE_RECORD_MAX];
	DBT p, d;
	int r;

	if (!bdb_ready(st))
		return STORE_ERROR;
	bdb_buf(&p, pbuf, sizeof(pbuf));
	bdb_buf(&d, buf, sizeof(buf));
	if ((r = bdb_index_next(st, T_TOKEN_ID, id, &p, &d)) == 0)
		r = found(t, &p, &d);
	return bdb_result(st, r);
}

/* Walk a user's: takes up to max of them, or deletes them all (t is NULL). */
static int
of_user(struct store *st, DB_TXN *txn, uint32_t uid, struct store_token *t, size_t max,
    size_t *n)
{
	uint8_t kbuf[4], pbuf[STORE_KEY], buf[STORE_RECORD_MAX];
	DB *db = st->db[T_TOKEN_USER];
	u_int32_t how = DB_SET;
	DBT k, p, d;
	DBC *c;
	int r;

	*n = 0;
	if ((r = db->cursor(db, txn, &c, 0)) != 0)
		return r;
	while (t == NULL || *n < max) {
		record_put32be(kbuf, uid);
		bdb_buf(&k, kbuf, sizeof(kbuf));
		k.size = sizeof(kbuf);
		bdb_buf(&p, pbuf, sizeof(pbuf));
		bdb_buf(&d, buf, sizeof(buf));
		if ((r = c->pget(c, &k, &p, &d, how)) != 0)
			break;
		how = DB_NEXT_DUP;
		if ((r = t == NULL ? c->del(c, 0) : found(&t[*n], &p, &d)) != 0)
			break;
		++*n;
	}
	c->close(c);
	return r == DB_NOTFOUND ? 0 : r;
}

size_t
store_token_of_user(struct store *st, uint32_t uid, struct store_token *t, size_t max)
{
	size_t n;

	if (!bdb_ready(st))
		return 0;
	(void)bdb_result(st, of_user(st, NULL, uid, t, max, &n));
	return n;
}

int
bdb_delete_tokens(struct store *st, DB_TXN *txn, uint32_t uid, uint32_t *deleted)
{
	size_t n;
	int r;

	r = of_user(st, txn, uid, NULL, 0, &n);
	*deleted = (uint32_t)n;
	return r;
}

enum store_result
store_token_seen(struct store *st, const uint8_t key[STORE_KEY], int64_t seen)
{
	struct store_token t;
	enum store_result res;
	DB_TXN *txn;
	int r;

	if ((res = bdb_begin(st, &txn)) != STORE_OK)
		return res;
	if ((r = get(st, txn, key, &t)) == 0) {
		t.seen = seen;
		r = put(st, txn, &t, 0);
	}
	return bdb_end(st, txn, r, false);
}

enum store_result
store_token_delete(struct store *st, const uint8_t key[STORE_KEY])
{
	struct store_counts n;
	enum store_result res;
	DB *db;
	DB_TXN *txn;
	DBT k;

	if ((res = bdb_begin(st, &txn)) != STORE_OK)
		return res;
	db = st->db[T_TOKEN];
	bdb_dbt(&k, key, STORE_KEY);
	n = st->counts;
	n.tokens--;
	return bdb_end_counted(st, txn, db->del(db, txn, &k, 0), &n, true);
}
