/* Berkeley DB behind store.h: accounts. */
#include <errno.h>
#include <string.h>

#include <bsd/string.h>

#include "store_bdb.h"

/* 0, or the engine's error. */
static int
get_by_uid(struct store *st, DB_TXN *txn, uint32_t uid, struct store_account *a)
{
	uint8_t key[4], buf[STORE_RECORD_MAX];
	DB *db = st->db[T_ACCOUNT];
	DBT k, d;
	int r;

	record_put32be(key, uid);
	bdb_dbt(&k, key, sizeof(key));
	bdb_buf(&d, buf, sizeof(buf));
	if ((r = db->get(db, txn, &k, &d, 0)) == 0)
		r = bdb_decoded(account_decode(a, buf, d.size));
	explicit_bzero(buf, sizeof(buf));
	return r;
}

static int
get_by_index(
    struct store *st, DB_TXN *txn, enum table t, const char *key, struct store_account *a)
{
	uint8_t pbuf[64], buf[STORE_RECORD_MAX];
	DBT p, d;
	int r;

	bdb_buf(&p, pbuf, sizeof(pbuf));
	bdb_buf(&d, buf, sizeof(buf));
	if ((r = bdb_index_get(st, txn, t, key, &p, &d)) == 0)
		r = bdb_decoded(account_decode(a, buf, d.size));
	explicit_bzero(buf, sizeof(buf));
	return r;
}

static int
put(struct store *st, DB_TXN *txn, const struct store_account *a, u_int32_t flags)
{
	uint8_t key[4], buf[STORE_RECORD_MAX];
	DB *db = st->db[T_ACCOUNT];
	size_t len;
	DBT k, d;
	int r;

	if ((len = account_encode(a, buf)) == 0)
		return EINVAL;
	record_put32be(key, a->uid);
	bdb_dbt(&k, key, sizeof(key));
	bdb_dbt(&d, buf, len);
	r = db->put(db, txn, &k, &d, flags);
	explicit_bzero(buf, sizeof(buf));
	return r;
}

/* Is the e-mail address another account's?  0 or the engine's error. */
static int
email_taken(struct store *st, DB_TXN *txn, const struct store_account *a, bool *taken)
{
	struct store_account other;
	int r;

	*taken = false;
	if (a->email[0] == '\0')
		return 0;
	r = get_by_index(st, txn, T_EMAIL, a->email, &other);
	if (r == 0)
		*taken = other.uid != a->uid;
	explicit_bzero(&other, sizeof(other));
	return r == DB_NOTFOUND ? 0 : r;
}

static int
name_taken(struct store *st, DB_TXN *txn, const char *name, bool *taken)
{
	struct store_account other;
	int r;

	r = get_by_index(st, txn, T_NAME, name, &other);
	*taken = r == 0;
	explicit_bzero(&other, sizeof(other));
	return r == DB_NOTFOUND ? 0 : r;
}

/* The next uid that was never given out; 0 in *uid when the range is used up. */
static int
next_uid(struct store *st, DB_TXN *txn, uint32_t *uid)
{
	uint64_t end = (uint64_t)st->uid_first + st->uid_count;
	uint32_t next = 0;
	int r;

	*uid = 0;
	r = bdb_meta_get(st, txn, META_NEXT_UID, &next);
	if (r != 0 && r != DB_NOTFOUND)
		return r;
	if (next < st->uid_first)
		next = st->uid_first;
	if (next >= end || next >= UINT32_MAX - 1 || next == 0)
		return 0;
	*uid = next;
	return bdb_meta_put(st, txn, META_NEXT_UID, next + 1);
}

void
bdb_count_account(struct store_counts *n, const struct store_account *a, int by)
{
	n->accounts += (uint32_t)by;
	n->active += a->active ? (uint32_t)by : 0;
	n->pending += a->pending ? (uint32_t)by : 0;
	n->emails += a->email[0] != '\0' ? (uint32_t)by : 0;
}

enum store_result
store_account_add(struct store *st, struct store_account *a)
{
	return store_account_add_once(st, a, NULL);
}

enum store_result
store_account_add_once(struct store *st, struct store_account *a, struct store_once *once)
{
	struct store_account check = *a;
	uint8_t buf[STORE_RECORD_MAX];
	enum store_result res;
	struct store_counts n;
	bool name = false, email = false;
	uint32_t uid = 0;
	DB_TXN *txn;
	size_t len;
	int r;

	check.uid = 1;
	len = account_encode(&check, buf);
	explicit_bzero(&check, sizeof(check));
	explicit_bzero(buf, sizeof(buf));
	if (len == 0)
		return STORE_INVALID;
	if ((res = bdb_begin(st, &txn)) != STORE_OK)
		return res;
	a->uid = 0;
	if ((r = name_taken(st, txn, a->name, &name)) == 0 &&
	    (r = email_taken(st, txn, a, &email)) == 0 && !name && !email &&
	    (r = next_uid(st, txn, &uid)) == 0 && uid != 0) {
		a->uid = uid;
		r = put(st, txn, a, DB_NOOVERWRITE);
		if (r == 0 && once != NULL) {
			once->uid = uid;
			r = bdb_once_put(st, txn, once);
		}
	}
	if (r == 0 && (name || email || uid == 0)) {
		(void)txn->abort(txn);
		return name ? STORE_NAME_TAKEN : email ? STORE_EMAIL_TAKEN : STORE_NO_UID;
	}
	n = st->counts;
	bdb_count_account(&n, a, 1);
	return bdb_end_counted(st, txn, r, &n, true);
}

enum store_result
store_account_by_uid(struct store *st, uint32_t uid, struct store_account *a)
{
	if (!bdb_ready(st))
		return STORE_ERROR;
	return bdb_result(st, get_by_uid(st, NULL, uid, a));
}

enum store_result
store_account_by_name(struct store *st, const char *name, struct store_account *a)
{
	if (!bdb_ready(st))
		return STORE_ERROR;
	return bdb_result(st, get_by_index(st, NULL, T_NAME, name, a));
}

enum store_result
store_account_by_email(struct store *st, const char *email, struct store_account *a)
{
	if (!bdb_ready(st))
		return STORE_ERROR;
	return bdb_result(st, get_by_index(st, NULL, T_EMAIL, email, a));
}

/* Only the key of the index: the record is not looked at. */
static enum store_result
key_from(struct store *st, enum table t, const char *from, char *key, size_t size)
{
	DBT k, d;
	DBC *c;
	DB *db;
	int r;

	if (!bdb_ready(st))
		return STORE_ERROR;
	db = st->db[t];
	if (strlcpy(key, from, size) >= size)
		return STORE_NOT_FOUND;
	if ((r = db->cursor(db, NULL, &c, 0)) != 0)
		return bdb_result(st, r);
	bdb_buf(&k, key, size - 1);
	k.size = (u_int32_t)strlen(from);
	bdb_buf(&d, NULL, 0);
	d.flags |= DB_DBT_PARTIAL;
	r = c->get(c, &k, &d, DB_SET_RANGE);
	c->close(c);
	key[r == 0 ? k.size : 0] = '\0';
	return bdb_result(st, r);
}

enum store_result
store_name_from(struct store *st, const char *from, char name[WIRE_NAME])
{
	return key_from(st, T_NAME, from, name, WIRE_NAME);
}

enum store_result
store_email_from(struct store *st, const char *from, char email[WIRE_EMAIL])
{
	return key_from(st, T_EMAIL, from, email, WIRE_EMAIL);
}

enum store_result
store_account_next(struct store *st, const char *name, struct store_account *a)
{
	uint8_t pbuf[64], buf[STORE_RECORD_MAX];
	DBT p, d;
	int r;

	if (!bdb_ready(st))
		return STORE_ERROR;
	bdb_buf(&p, pbuf, sizeof(pbuf));
	bdb_buf(&d, buf, sizeof(buf));
	if ((r = bdb_index_next(st, T_NAME, name, &p, &d)) == 0)
		r = bdb_decoded(account_decode(a, buf, d.size));
	explicit_bzero(buf, sizeof(buf));
	return bdb_result(st, r);
}

enum store_result
store_account_each(struct store *st, uint32_t *uid,
    bool (*each)(void *, const struct store_account *), void *arg)
{
	uint8_t key[4], buf[STORE_RECORD_MAX];
	u_int32_t how = DB_SET_RANGE;
	struct store_account a;
	DBT k, d;
	DBC *c;
	DB *db;
	int r;

	if (!bdb_ready(st))
		return STORE_ERROR;
	if (*uid == UINT32_MAX)
		return STORE_NOT_FOUND;
	db = st->db[T_ACCOUNT];
	if ((r = db->cursor(db, NULL, &c, 0)) != 0)
		return bdb_result(st, r);
	/* What is passed by is not to drive out what is in use. */
	(void)c->set_priority(c, DB_PRIORITY_VERY_LOW);
	record_put32be(key, *uid + 1);
	do {
		bdb_buf(&k, key, sizeof(key));
		k.size = sizeof(key);
		bdb_buf(&d, buf, sizeof(buf));
		if ((r = c->get(c, &k, &d, how)) != 0 ||
		    (r = bdb_decoded(account_decode(&a, buf, d.size))) != 0)
			break;
		*uid = a.uid;
		how = DB_NEXT;
	} while (each(arg, &a));
	c->close(c);
	explicit_bzero(buf, sizeof(buf));
	explicit_bzero(&a, sizeof(a));
	return bdb_result(st, r);
}

enum store_result
store_account_put(struct store *st, const struct store_account *a)
{
	struct store_counts n;
	struct store_account old;
	uint8_t buf[STORE_RECORD_MAX];
	enum store_result res;
	bool email = false, renamed = false;
	DB_TXN *txn;
	size_t len;
	int r;

	len = account_encode(a, buf);
	explicit_bzero(buf, sizeof(buf));
	if (len == 0)
		return STORE_INVALID;
	if ((res = bdb_begin(st, &txn)) != STORE_OK)
		return res;
	if ((r = get_by_uid(st, txn, a->uid, &old)) == 0) {
		renamed = strcmp(old.name, a->name) != 0;
		if (!renamed && (r = email_taken(st, txn, a, &email)) == 0 && !email)
			r = put(st, txn, a, 0);
	}
	if (r == 0 && (renamed || email)) {
		(void)txn->abort(txn);
		res = renamed ? STORE_INVALID : STORE_EMAIL_TAKEN;
	} else {
		n = st->counts;
		if (r == 0) {
			bdb_count_account(&n, &old, -1);
			bdb_count_account(&n, a, 1);
		}
		res = bdb_end_counted(st, txn, r, &n, true);
	}
	explicit_bzero(&old, sizeof(old));
	return res;
}

int
bdb_account_login(struct store *st, DB_TXN *txn, uint32_t uid, int64_t last_login)
{
	struct store_account a;
	int r;

	if ((r = get_by_uid(st, txn, uid, &a)) == 0) {
		a.last_login = last_login;
		r = put(st, txn, &a, 0);
	}
	explicit_bzero(&a, sizeof(a));
	return r;
}

/* Every session of a user but one: 0 or the engine's error. */
static int
delete_sessions(
    struct store *st, DB_TXN *txn, uint32_t uid, const uint8_t *but, uint32_t *deleted)
{
	uint8_t kbuf[4], pbuf[STORE_KEY], buf[STORE_RECORD_MAX];
	DB *db = st->db[T_USER];
	u_int32_t how = DB_SET;
	DBT k, p, d;
	DBC *c;
	int r;

	*deleted = 0;
	if ((r = db->cursor(db, txn, &c, 0)) != 0)
		return r;
	for (;;) {
		record_put32be(kbuf, uid);
		bdb_buf(&k, kbuf, sizeof(kbuf));
		k.size = sizeof(kbuf);
		bdb_buf(&p, pbuf, sizeof(pbuf));
		bdb_buf(&d, buf, sizeof(buf));
		if ((r = c->pget(c, &k, &p, &d, how)) != 0)
			break;
		how = DB_NEXT_DUP;
		if (but != NULL && p.size == STORE_KEY &&
		    memcmp(pbuf, but, STORE_KEY) == 0)
			continue;
		if ((r = c->del(c, 0)) != 0)
			break;
		++*deleted;
	}
	c->close(c);
	return r == DB_NOTFOUND ? 0 : r;
}

enum store_result
store_session_delete_user(struct store *st, uint32_t uid, const uint8_t *but)
{
	struct store_counts n;
	enum store_result res;
	uint32_t deleted;
	DB_TXN *txn;
	int r;

	if ((res = bdb_begin(st, &txn)) != STORE_OK)
		return res;
	r = delete_sessions(st, txn, uid, but, &deleted);
	n = st->counts;
	n.sessions -= deleted;
	return bdb_end_counted(st, txn, r, &n, true);
}

static int
end_all(struct store *st, DB_TXN *txn, uint32_t uid, uint32_t *deleted)
{
	struct store_account a;
	int r;

	*deleted = 0;
	/* Tokens of before say another number. */
	if ((r = get_by_uid(st, txn, uid, &a)) == 0) {
		a.token_version++;
		r = put(st, txn, &a, 0);
	}
	explicit_bzero(&a, sizeof(a));
	if (r != 0 && r != DB_NOTFOUND)
		return r;
	return delete_sessions(st, txn, uid, NULL, deleted);
}

enum store_result
store_session_delete_users(struct store *st, const uint32_t *uid, size_t n)
{
	struct store_counts counts;
	enum store_result res;
	uint32_t deleted;
	DB_TXN *txn;
	size_t i;
	int r = 0;

	if ((res = bdb_begin(st, &txn)) != STORE_OK)
		return res;
	counts = st->counts;
	for (i = 0; i < n && r == 0; i++) {
		r = end_all(st, txn, uid[i], &deleted);
		counts.sessions -= deleted;
	}
	return bdb_end_counted(st, txn, r, &counts, true);
}

enum store_result
store_session_users(
    struct store *st, uint32_t after, uint32_t *uid, size_t max, size_t *n)
{
	u_int32_t how = DB_SET_RANGE;
	uint8_t key[4];
	DBT k, d;
	DBC *c;
	DB *db;
	int r;

	*n = 0;
	if (!bdb_ready(st))
		return STORE_ERROR;
	db = st->db[T_USER];
	if (after == UINT32_MAX)
		return STORE_OK;
	if ((r = db->cursor(db, NULL, &c, 0)) != 0)
		return bdb_result(st, r);
	record_put32be(key, after + 1);
	bdb_buf(&k, key, sizeof(key));
	k.size = sizeof(key);
	while (r == 0 && *n < max) {
		/* Only the key of the index. */
		bdb_buf(&d, NULL, 0);
		d.flags |= DB_DBT_PARTIAL;
		if ((r = c->get(c, &k, &d, how)) == 0)
			uid[(*n)++] = record_get32be(key);
		how = DB_NEXT_NODUP;
	}
	c->close(c);
	return r == DB_NOTFOUND ? STORE_OK : bdb_result(st, r);
}

enum store_result
store_account_delete(struct store *st, uint32_t uid)
{
	struct store_account old;
	struct store_counts n;
	enum store_result res;
	uint32_t sessions = 0, tokens = 0;
	uint8_t key[4];
	DB_TXN *txn;
	DBT k;
	int r;

	if ((res = bdb_begin(st, &txn)) != STORE_OK)
		return res;
	record_put32be(key, uid);
	bdb_dbt(&k, key, sizeof(key));
	if ((r = get_by_uid(st, txn, uid, &old)) == 0 &&
	    (r = st->db[T_ACCOUNT]->del(st->db[T_ACCOUNT], txn, &k, 0)) == 0 &&
	    (r = bdb_settings_delete(st, txn, uid)) == 0)
		r = delete_sessions(st, txn, uid, NULL, &sessions);
	if (r == 0)
		r = bdb_delete_tokens(st, txn, uid, &tokens);
	n = st->counts;
	if (r == 0)
		bdb_count_account(&n, &old, -1);
	n.sessions -= sessions;
	n.tokens -= tokens;
	res = bdb_end_counted(st, txn, r, &n, true);
	explicit_bzero(&old, sizeof(old));
	return res;
}
