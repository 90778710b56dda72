/* Berkeley DB behind store.h: sessions. */
#include <errno.h>
#include <string.h>

#include <bsd/string.h>

#include "store_bdb.h"

static int
get(struct store *st, DB_TXN *txn, const uint8_t key[STORE_KEY], struct store_session *s)
{
	uint8_t buf[STORE_RECORD_MAX];
	DB *db = st->db[T_SESSION];
	DBT k, d;
	int r;

	bdb_dbt(&k, key, STORE_KEY);
	bdb_buf(&d, buf, sizeof(buf));
	if ((r = db->get(db, txn, &k, &d, 0)) == 0)
		r = bdb_decoded(session_decode(s, buf, d.size));
	if (r == 0)
		memcpy(s->key, key, STORE_KEY);
	return r;
}

static int
put(struct store *st, DB_TXN *txn, const struct store_session *s, u_int32_t flags)
{
	uint8_t buf[STORE_RECORD_MAX];
	DB *db = st->db[T_SESSION];
	size_t len;
	DBT k, d;

	if ((len = session_encode(s, buf)) == 0)
		return EINVAL;
	bdb_dbt(&k, s->key, STORE_KEY);
	bdb_dbt(&d, buf, len);
	return db->put(db, txn, &k, &d, flags);
}

/* What a lookup through an index gave. */
static int
found(struct store_session *s, const DBT *p, const DBT *d)
{
	int r;

	if (p->size != STORE_KEY)
		return BDB_BAD_RECORD;
	if ((r = bdb_decoded(session_decode(s, d->data, d->size))) == 0)
		memcpy(s->key, p->data, STORE_KEY);
	return r;
}

/* With the account's last login, unless that is 0. */
static enum store_result
add(struct store *st, const struct store_session *s, int64_t last_login)
{
	uint8_t buf[STORE_RECORD_MAX], pbuf[64];
	struct store_counts n;
	enum store_result res;
	DB_TXN *txn;
	DBT p, d;
	int r;

	if (session_encode(s, buf) == 0)
		return STORE_INVALID;
	if ((res = bdb_begin(st, &txn)) != STORE_OK)
		return res;
	bdb_buf(&p, pbuf, sizeof(pbuf));
	bdb_buf(&d, buf, sizeof(buf));
	r = bdb_index_get(st, txn, T_ID, s->id, &p, &d);
	if (r == 0)
		r = DB_KEYEXIST;
	else if (r == DB_NOTFOUND)
		r = put(st, txn, s, DB_NOOVERWRITE);
	if (r == DB_KEYEXIST) {
		(void)txn->abort(txn);
		return STORE_NAME_TAKEN;
	}
	if (r == 0 && last_login != 0)
		r = bdb_account_login(st, txn, s->uid, last_login);
	n = st->counts;
	n.sessions++;
	return bdb_end_counted(st, txn, r, &n, true);
}

enum store_result
store_session_add(struct store *st, const struct store_session *s)
{
	return add(st, s, 0);
}

enum store_result
store_session_login(struct store *st, const struct store_session *s, int64_t last_login)
{
	return add(st, s, last_login);
}

enum store_result
store_session_by_key(
    struct store *st, const uint8_t key[STORE_KEY], struct store_session *s)
{
	if (!bdb_ready(st))
		return STORE_ERROR;
	return bdb_result(st, get(st, NULL, key, s));
}

enum store_result
store_session_by_id(struct store *st, const char *id, struct store_session *s)
{
	uint8_t pbuf[STORE_KEY], buf[STORE_RECORD_MAX];
	DBT p, d;
	int r;

	if (!bdb_ready(st))
		return STORE_ERROR;
	bdb_buf(&p, pbuf, sizeof(pbuf));
	bdb_buf(&d, buf, sizeof(buf));
	if ((r = bdb_index_get(st, NULL, T_ID, id, &p, &d)) == 0)
		r = found(s, &p, &d);
	return bdb_result(st, r);
}

enum store_result
store_session_next(struct store *st, const char *id, struct store_session *s)
{
	uint8_t pbuf[STORE_KEY], buf[STORE_RECORD_MAX];
	DBT p, d;
	int r;

	if (!bdb_ready(st))
		return STORE_ERROR;
	bdb_buf(&p, pbuf, sizeof(pbuf));
	bdb_buf(&d, buf, sizeof(buf));
	if ((r = bdb_index_next(st, T_ID, id, &p, &d)) == 0)
		r = found(s, &p, &d);
	return bdb_result(st, r);
}

size_t
store_session_of_user(struct store *st, uint32_t uid, struct store_session *s, size_t max)
{
	uint8_t kbuf[4], pbuf[STORE_KEY], buf[STORE_RECORD_MAX];
	u_int32_t how = DB_SET;
	size_t n = 0;
	DB *db;
	DBT k, p, d;
	DBC *c;
	int r;

	if (!bdb_ready(st))
		return 0;
	db = st->db[T_USER];
	if ((r = db->cursor(db, NULL, &c, 0)) != 0) {
		(void)bdb_result(st, r);
		return 0;
	}
	while (n < max) {
		record_put32be(kbuf, uid);
		bdb_buf(&k, kbuf, sizeof(kbuf));
		k.size = sizeof(kbuf);
		bdb_buf(&p, pbuf, sizeof(pbuf));
		bdb_buf(&d, buf, sizeof(buf));
		if ((r = c->pget(c, &k, &p, &d, how)) != 0 ||
		    (r = found(&s[n], &p, &d)) != 0)
			break;
		how = DB_NEXT_DUP;
		n++;
	}
	c->close(c);
	if (r != 0 && r != DB_NOTFOUND)
		(void)bdb_result(st, r);
	return n;
}

enum store_result
store_session_seen(struct store *st, const uint8_t key[STORE_KEY], int64_t seen)
{
	struct store_session s;
	enum store_result res;
	DB_TXN *txn;
	int r;

	if ((res = bdb_begin(st, &txn)) != STORE_OK)
		return res;
	if ((r = get(st, txn, key, &s)) == 0) {
		s.seen = seen;
		r = put(st, txn, &s, 0);
	}
	return bdb_end(st, txn, r, false);
}

enum store_result
store_session_rotate(
    struct store *st, const uint8_t key[STORE_KEY], uint32_t generation, int64_t seen)
{
	struct store_session s;
	enum store_result res;
	DB_TXN *txn;
	int r;

	if ((res = bdb_begin(st, &txn)) != STORE_OK)
		return res;
	if ((r = get(st, txn, key, &s)) == 0) {
		s.generation = generation;
		s.seen = seen;
		r = put(st, txn, &s, 0);
	}
	return bdb_end(st, txn, r, true);
}

static enum store_result delete (
    struct store *st, const uint8_t key[STORE_KEY], bool durable) {
	struct store_counts n; enum store_result res; DB * db; DB_TXN * txn; DBT k;

	if ((res = bdb_begin(st, &txn)) != STORE_OK) return res;
	db = st->db[T_SESSION];
	bdb_dbt(&k, key, STORE_KEY);
	n = st->counts;
	n.sessions--;
	return bdb_end_counted(st, txn, db->del(db, txn, &k, 0), &n, durable);
}

enum store_result
store_session_delete(struct store *st, const uint8_t key[STORE_KEY])
{
	return delete (st, key, true);
}

enum store_result
store_session_expire(struct store *st, const uint8_t key[STORE_KEY])
{
	return delete (st, key, false);
}
