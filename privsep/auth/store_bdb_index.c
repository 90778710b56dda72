/* Berkeley DB behind store.h: its tables, and the keys of those that are indexes. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store_bdb.h"

/* The engine frees it. */
static int
index_key(DBT *key, const void *p, size_t len)
{
	memset(key, 0, sizeof(*key));
	key->data = malloc(len);
	if (key->data == NULL)
		return ENOMEM;
	memcpy(key->data, p, len);
	key->size = (u_int32_t)len;
	key->flags = DB_DBT_APPMALLOC;
	return 0;
}

static int
index_name(DB *db, const DBT *pkey, const DBT *data, DBT *key)
{
	struct store_account a;

	(void)db;
	(void)pkey;
	if (account_decode(&a, data->data, data->size) != RECORD_OK)
		return DB_DONOTINDEX;
	return index_key(key, a.name, strlen(a.name));
}

static int
index_email(DB *db, const DBT *pkey, const DBT *data, DBT *key)
{
	struct store_account a;

	(void)db;
	(void)pkey;
	if (account_decode(&a, data->data, data->size) != RECORD_OK || a.email[0] == '\0')
		return DB_DONOTINDEX;
	return index_key(key, a.email, strlen(a.email));
}

static int
index_id(DB *db, const DBT *pkey, const DBT *data, DBT *key)
{
	struct store_session s;

	(void)db;
	(void)pkey;
	if (session_decode(&s, data->data, data->size) != RECORD_OK)
		return DB_DONOTINDEX;
	return index_key(key, s.id, strlen(s.id));
}

static int
index_user(DB *db, const DBT *pkey, const DBT *data, DBT *key)
{
	struct store_session s;
	uint8_t uid[4];

	(void)db;
	(void)pkey;
	if (session_decode(&s, data->data, data->size) != RECORD_OK)
		return DB_DONOTINDEX;
	record_put32be(uid, s.uid);
	return index_key(key, uid, sizeof(uid));
}

static int
index_token_id(DB *db, const DBT *pkey, const DBT *data, DBT *key)
{
	struct store_token t;

	(void)db;
	(void)pkey;
	if (token_decode(&t, data->data, data->size) != RECORD_OK)
		return DB_DONOTINDEX;
	return index_key(key, t.id, strlen(t.id));
}

static int
index_token_user(DB *db, const DBT *pkey, const DBT *data, DBT *key)
{
	struct store_token t;
	uint8_t uid[4];

	(void)db;
	(void)pkey;
	if (token_decode(&t, data->data, data->size) != RECORD_OK)
		return DB_DONOTINDEX;
	record_put32be(uid, t.uid);
	return index_key(key, uid, sizeof(uid));
}

#define COUNT(f) offsetof(struct store_counts, f)

const struct bdb_table bdb_tables[T_MAX] = {
	[T_META] = { "meta.db", -1, NULL, false, 0 },
	[T_ACCOUNT] = { "account.db", -1, NULL, false, 0 },
	[T_NAME] = { "account-name.db", T_ACCOUNT, index_name, false, COUNT(accounts) },
	[T_EMAIL] = { "account-email.db", T_ACCOUNT, index_email, false, COUNT(emails) },
	[T_SESSION] = { "session.db", -1, NULL, false, 0 },
	[T_ID] = { "session-id.db", T_SESSION, index_id, false, COUNT(sessions) },
	[T_USER] = { "session-user.db", T_SESSION, index_user, true, COUNT(sessions) },
	[T_TOKEN] = { "token.db", -1, NULL, false, 0 },
	[T_TOKEN_ID] = { "token-id.db", T_TOKEN, index_token_id, false, COUNT(tokens) },
	[T_TOKEN_USER] = { "token-user.db", T_TOKEN, index_token_user, true,
	    COUNT(tokens) },
	[T_SETTINGS] = { "settings.db", -1, NULL, false, 0 },
	[T_ONCE] = { "once.db", -1, NULL, false, 0 },
	[T_SHARE] = { "share.db", -1, NULL, false, 0 },
};
