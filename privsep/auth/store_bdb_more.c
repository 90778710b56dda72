/* Berkeley DB behind store.h: settings, creating calls that may come again, shared
 * ports. */
#include <errno.h>
#include <string.h>

#include <bsd/string.h>

#include "store_bdb.h"

#define SWEEP_MAX 256 /* records looked at in one go */

/* Version, number of the version, text. */
#define SETTINGS_FORM 1
#define SETTINGS_HEAD (1 + 8)
/* Version, uid, time, SHA-256 of the body. */
#define ONCE_FORM 1
#define ONCE_LEN  (1 + 4 + 8 + 32)
/* Version, uid, port, with, times. */
#define SHARE_FORM 1
#define SHARE_LEN  (1 + 4 + 2 + 1 + 3 * 8)

static void
put64(uint8_t *p, uint64_t v)
{
	record_put32be(p, (uint32_t)(v >> 32));
	record_put32be(p + 4, (uint32_t)v);
}

static uint64_t
get64(const uint8_t *p)
{
	return (uint64_t)record_get32be(p) << 32 | record_get32be(p + 4);
}

enum store_result
store_settings_get(struct store *st, uint32_t uid, struct store_settings *s)
{
	uint8_t key[4], buf[SETTINGS_HEAD + WIRE_SETTINGS];
	size_t len;
	DB *db;
	DBT k, d;
	int r;

	if (!bdb_ready(st))
		return STORE_ERROR;
	db = st->db[T_SETTINGS];
	record_put32be(key, uid);
	bdb_dbt(&k, key, sizeof(key));
	bdb_buf(&d, buf, sizeof(buf));
	if ((r = db->get(db, NULL, &k, &d, 0)) != 0)
		return bdb_result(st, r);
	if (d.size < SETTINGS_HEAD || buf[0] != SETTINGS_FORM)
		return bdb_result(st,
		    d.size > 0 && buf[0] > SETTINGS_FORM ? BDB_NEWER_RECORD :
							   BDB_BAD_RECORD);
	len = d.size - SETTINGS_HEAD;
	if (len >= sizeof(s->text) || memchr(buf + SETTINGS_HEAD, '\0', len) != NULL)
		return bdb_result(st, BDB_BAD_RECORD);
	memset(s, 0, sizeof(*s));
	s->version = get64(buf + 1);
	memcpy(s->text, buf + SETTINGS_HEAD, len);
	return STORE_OK;
}

/* Only of an account that is there. */
enum store_result
store_settings_put(struct store *st, uint32_t uid, const struct store_settings *s)
{
	uint8_t key[4], buf[SETTINGS_HEAD + WIRE_SETTINGS];
	size_t len = strnlen(s->text, sizeof(s->text));
	DB *db;
	enum store_result res;
	DB_TXN *txn;
	DBT k, d;
	int r;

	if (len == sizeof(s->text))
		return STORE_INVALID;
	if ((res = bdb_begin(st, &txn)) != STORE_OK)
		return res;
	db = st->db[T_SETTINGS];
	record_put32be(key, uid);
	bdb_dbt(&k, key, sizeof(key));
	buf[0] = SETTINGS_FORM;
	put64(buf + 1, s->version);
	memcpy(buf + SETTINGS_HEAD, s->text, len);
	bdb_dbt(&d, buf, SETTINGS_HEAD + len);
	r = st->db[T_ACCOUNT]->exists(st->db[T_ACCOUNT], txn, &k, 0);
	if (r == 0)
		r = db->put(db, txn, &k, &d, 0);
	return bdb_end(st, txn, r, true);
}

int
bdb_settings_delete(struct store *st, DB_TXN *txn, uint32_t uid)
{
	uint8_t key[4];
	DBT k;
	int r;

	record_put32be(key, uid);
	bdb_dbt(&k, key, sizeof(key));
	r = st->db[T_SETTINGS]->del(st->db[T_SETTINGS], txn, &k, 0);
	return r == DB_NOTFOUND ? 0 : r;
}

static int
once_decode(const uint8_t *buf, size_t len, struct store_once *o)
{
	if (len > 0 && buf[0] > ONCE_FORM)
		return BDB_NEWER_RECORD;
	if (len != ONCE_LEN || buf[0] != ONCE_FORM)
		return BDB_BAD_RECORD;
	o->uid = record_get32be(buf + 1);
	o->at = (int64_t)get64(buf + 5);
	memcpy(o->body, buf + 13, sizeof(o->body));
	return 0;
}

enum store_result
store_once_get(struct store *st, const uint8_t key[STORE_KEY], struct store_once *o)
{
	uint8_t buf[ONCE_LEN];
	DB *db;
	DBT k, d;
	int r;

	if (!bdb_ready(st))
		return STORE_ERROR;
	db = st->db[T_ONCE];
	memset(o, 0, sizeof(*o));
	memcpy(o->key, key, sizeof(o->key));
	bdb_dbt(&k, key, STORE_KEY);
	bdb_buf(&d, buf, sizeof(buf));
	if ((r = db->get(db, NULL, &k, &d, 0)) == 0)
		r = once_decode(buf, d.size, o);
	return bdb_result(st, r);
}

int
bdb_once_put(struct store *st, DB_TXN *txn, const struct store_once *o)
{
	uint8_t buf[ONCE_LEN];
	DBT k, d;

	buf[0] = ONCE_FORM;
	record_put32be(buf + 1, o->uid);
	put64(buf + 5, (uint64_t)o->at);
	memcpy(buf + 13, o->body, sizeof(o->body));
	bdb_dbt(&k, o->key, STORE_KEY);
	bdb_dbt(&d, buf, sizeof(buf));
	return st->db[T_ONCE]->put(st->db[T_ONCE], txn, &k, &d, 0);
}

/* Round and round, so many at a time. */
enum store_result
store_once_sweep(struct store *st, int64_t before)
{
	static uint8_t at[STORE_KEY];
	uint8_t kbuf[STORE_KEY], buf[ONCE_LEN];
	struct store_once o;
	enum store_result res;
	DB_TXN *txn;
	unsigned int i;
	DBT k, d;
	DBC *c;
	int r;

	if ((res = bdb_begin(st, &txn)) != STORE_OK)
		return res;
	if ((r = st->db[T_ONCE]->cursor(st->db[T_ONCE], txn, &c, 0)) != 0)
		return bdb_end(st, txn, r, false);
	memcpy(kbuf, at, sizeof(kbuf));
	for (i = 0; i < SWEEP_MAX; i++) {
		bdb_buf(&k, kbuf, sizeof(kbuf));
		k.size = sizeof(kbuf);
		bdb_buf(&d, buf, sizeof(buf));
		if ((r = c->get(c, &k, &d, i == 0 ? DB_SET_RANGE : DB_NEXT)) != 0)
			break;
		memcpy(at, kbuf, sizeof(at));
		if ((r = once_decode(buf, d.size, &o)) != 0 ||
		    (o.at < before && (r = c->del(c, 0)) != 0))
			break;
	}
	c->close(c);
	if (r == DB_NOTFOUND) {
		memset(at, 0, sizeof(at));
		r = 0;
	}
	return bdb_end(st, txn, r, false);
}

/* --- shared ports --- */

static int
share_decode(const uint8_t *buf, size_t len, struct store_share *s)
{
	if (len > 0 && buf[0] > SHARE_FORM)
		return BDB_NEWER_RECORD;
	if (len != SHARE_LEN || buf[0] != SHARE_FORM)
		return BDB_BAD_RECORD;
	s->uid = record_get32be(buf + 1);
	s->port = (uint16_t)(buf[5] << 8 | buf[6]);
	s->with = buf[7];
	s->created = (int64_t)get64(buf + 8);
	s->expires = (int64_t)get64(buf + 16);
	s->started = (int64_t)get64(buf + 24);
	return 0;
}

enum store_result
store_share_add(struct store *st, const struct store_share *s)
{
	uint8_t buf[SHARE_LEN];
	enum store_result res;
	DB_TXN *txn;
	DBT k, d;

	if (s->uid == 0 || s->port == 0 || s->created < 0 || s->expires < 0 ||
	    s->started < 0)
		return STORE_INVALID;
	if ((res = bdb_begin(st, &txn)) != STORE_OK)
		return res;
	buf[0] = SHARE_FORM;
	record_put32be(buf + 1, s->uid);
	buf[5] = (uint8_t)(s->port >> 8);
	buf[6] = (uint8_t)s->port;
	buf[7] = s->with;
	put64(buf + 8, (uint64_t)s->created);
	put64(buf + 16, (uint64_t)s->expires);
	put64(buf + 24, (uint64_t)s->started);
	bdb_dbt(&k, s->id, sizeof(s->id));
	bdb_dbt(&d, buf, sizeof(buf));
	return bdb_end(
	    st, txn, st->db[T_SHARE]->put(st->db[T_SHARE], txn, &k, &d, 0), true);
}

enum store_result
store_share_delete(struct store *st, const uint8_t id[WIRE_SHARE])
{
	enum store_result res;
	DB_TXN *txn;
	DBT k;

	if ((res = bdb_begin(st, &txn)) != STORE_OK)
		return res;
	bdb_dbt(&k, id, WIRE_SHARE);
	return bdb_end(st, txn, st->db[T_SHARE]->del(st->db[T_SHARE], txn, &k, 0), true);
}

enum store_result
store_share_next(struct store *st, const uint8_t *id, struct store_share *s)
{
	uint8_t key[WIRE_SHARE], buf[SHARE_LEN + 1];
	DBT k, d;
	DBC *c;
	int r;

	if (!bdb_ready(st))
		return STORE_ERROR;
	if ((r = st->db[T_SHARE]->cursor(st->db[T_SHARE], NULL, &c, 0)) != 0)
		return bdb_result(st, r);
	bdb_buf(&k, key, sizeof(key));
	bdb_buf(&d, buf, sizeof(buf));
	if (id != NULL) {
		memcpy(key, id, sizeof(key));
		k.size = sizeof(key);
	}
	r = c->get(c, &k, &d, id != NULL ? DB_SET_RANGE : DB_FIRST);
	if (r == 0 && id != NULL && k.size == sizeof(key) &&
	    memcmp(key, id, sizeof(key)) == 0)
		r = c->get(c, &k, &d, DB_NEXT);
	(void)c->close(c);
	if (r != 0)
		return bdb_result(st, r);
	memset(s, 0, sizeof(*s));
	if (k.size != sizeof(s->id))
		return bdb_result(st, BDB_BAD_RECORD);
	memcpy(s->id, key, sizeof(s->id));
	return bdb_result(st, share_decode(buf, d.size, s));
}
