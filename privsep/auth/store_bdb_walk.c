/*
 * Berkeley DB behind store.h: every page and every record is looked at.  A store of
 * some thousand accounts is when it is opened (store_bdb_sums.c).  A larger one is opened
 * at once, and looked at a little at a time while it is used; when that finds damage, a
 * file is left that has the next opening look at everything first.
 *
 * In the middle of it the store may change: what is looked at is one record at a time,
 * with what leads to it.
 */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../log.h"
#include "store_bdb.h"

#define STAGES     (2 * T_MAX)
#define PAGES_STEP 64
#define CLOCK_STEP 4  /* records between two looks at the clock */
#define HURRY      16 /* when the engine gave up: so much faster */

static int64_t
now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static bool
over(int64_t until)
{
	return until != 0 && now_us() >= until;
}

bool
bdb_has_form(enum table t)
{
	return t != T_SETTINGS && t != T_META && t != T_ONCE && t != T_SHARE;
}

int
bdb_record_ok(enum table t, const DBT *k, const DBT *d, struct store_counts *seen)
{
	union {
		struct store_account a;
		struct store_session s;
		struct store_token t;
	} u;
	int r = 0;

	switch (t) {
	case T_ACCOUNT:
		r = bdb_decoded(account_decode(&u.a, d->data, d->size));
		if (r == 0 && (k->size != 4 || record_get32be(k->data) != u.a.uid))
			r = BDB_BAD_RECORD;
		if (r == 0)
			bdb_count_account(seen, &u.a, 1);
		break;
	case T_SESSION:
		r = bdb_decoded(session_decode(&u.s, d->data, d->size));
		seen->sessions++;
		break;
	case T_TOKEN:
		r = bdb_decoded(token_decode(&u.t, d->data, d->size));
		seen->tokens++;
		break;
	default:
		return 0;
	}
	explicit_bzero(&u, sizeof(u));
	if (r == 0 && t != T_ACCOUNT && k->size != STORE_KEY)
		r = BDB_BAD_RECORD;
	return r;
}

/* Does each of a table's indexes lead to the record? */
static int
indexes_lead_to(struct store *st, enum table t, const DBT *k, const DBT *d)
{
	DBT key, p, none;
	int i, r;

	for (i = 0; i < T_MAX; i++) {
		if (bdb_tables[i].of != (int)t)
			continue;
		r = bdb_tables[i].key(st->db[i], k, d, &key);
		if (r == DB_DONOTINDEX)
			continue;
		if (r != 0)
			return r;
		p = *k;
		p.flags = 0;
		memset(&none, 0, sizeof(none));
		none.flags = DB_DBT_USERMEM | DB_DBT_PARTIAL;
		key.flags = 0;
		r = st->db[i]->pget(st->db[i], NULL, &key, &p, &none, DB_GET_BOTH);
		free(key.data);
		if (r != 0)
			return r == DB_NOTFOUND ? BDB_BAD_RECORD : r;
	}
	return 0;
}

/* An entry of an index: is that the key of the record that it leads to? */
static int
entry_ok(struct store *st, enum table t, const DBT *k, const DBT *p, const DBT *d)
{
	DBT key;
	int r;

	r = bdb_tables[t].key(st->db[t], p, d, &key);
	if (r != 0)
		return r == DB_DONOTINDEX ? BDB_BAD_RECORD : r;
	if (key.size != k->size || memcmp(key.data, k->data, k->size) != 0)
		r = BDB_BAD_RECORD;
	free(key.data);
	return r;
}

struct place {
	DBC *c;
	DBT k, p, d;
	uint8_t kbuf[WIRE_EMAIL], pbuf[64], buf[STORE_RECORD_MAX];
};

static int
get(struct place *at, enum table t, u_int32_t how)
{
	bool index = bdb_tables[t].of != -1;
	u_int32_t size = at->k.size;

	bdb_buf(&at->k, at->kbuf, sizeof(at->kbuf));
	at->k.size = size;
	bdb_buf(&at->p, at->pbuf, sizeof(at->pbuf));
	bdb_buf(&at->d, at->buf, sizeof(at->buf));
	if (!bdb_has_form(t))
		at->d.flags |= DB_DBT_PARTIAL;
	return index ? at->c->pget(at->c, &at->k, &at->p, &at->d, how) :
		       at->c->get(at->c, &at->k, &at->d, how);
}

static bool
is_last(const struct bdb_walk *w, const struct place *at)
{
	return w->within && at->k.size == w->len && memcmp(at->kbuf, w->key, w->len) == 0;
}

/* The records of a table, from where the walk is; DB_NOTFOUND at its end. */
static int
walk_table(struct store *st, enum table t, struct place *at, int64_t until)
{
	struct bdb_walk *w = &st->walk;
	u_int32_t how = w->within ? DB_SET_RANGE : DB_FIRST;
	unsigned int n;
	int r;

	memcpy(at->kbuf, w->key, w->len);
	at->k.size = (u_int32_t)w->len;
	r = get(at, t, how);
	if (r == 0 && is_last(w, at))
		r = get(at, t, DB_NEXT_NODUP);
	for (n = 0; r == 0; n++) {
		/* Records under one key belong together. */
		if (n % CLOCK_STEP == CLOCK_STEP - 1 && !is_last(w, at) && over(until))
			return 0;
		if (bdb_tables[t].of != -1)
			r = entry_ok(st, t, &at->k, &at->p, &at->d);
		else if ((r = bdb_record_ok(t, &at->k, &at->d, &w->seen)) == 0 &&
		    !w->counting)
			r = indexes_lead_to(st, t, &at->k, &at->d);
		if (r != 0)
			break;
		w->within = true;
		w->len = at->k.size;
		memcpy(w->key, at->kbuf, w->len);
		r = get(at, t, DB_NEXT);
	}
	return r;
}

/* One stage, or part of it; *end: it is done. */
static int
stage(struct store *st, int64_t until, bool *end)
{
	struct bdb_walk *w = &st->walk;
	enum table t = (enum table)(w->stage % T_MAX);
	struct place at;
	int r;

	*end = false;
	if (w->stage < T_MAX) {
		*end = st->memory;
		for (r = 0; r == 0 && !*end && !over(until);) {
			r = bdb_check_pages(st, t, &w->page, PAGES_STEP);
			*end = w->page == UINT64_MAX;
		}
		return r;
	}
	*end = w->counting && t != T_ACCOUNT && t != T_SESSION && t != T_TOKEN;
	if (*end)
		return 0;
	if ((r = st->db[t]->cursor(st->db[t], NULL, &at.c, 0)) != 0)
		return r;
	/* What is read once is not to drive out what is in use. */
	(void)at.c->set_priority(at.c, DB_PRIORITY_VERY_LOW);
	r = walk_table(st, t, &at, until);
	at.c->close(at.c);
	explicit_bzero(&at, sizeof(at));
	*end = r == DB_NOTFOUND;
	if (r == DB_BUFFER_SMALL || r == DB_SECONDARY_BAD)
		r = BDB_BAD_RECORD;
	return *end ? 0 : r;
}

static void
begin(struct store *st, bool counting)
{
	memset(&st->walk, 0, sizeof(st->walk));
	st->walk.wanted = true;
	st->walk.counting = counting;
	st->walk.stage = counting ? T_MAX : 0;
	st->walk.changes = st->changes;
}

/* At the end: what was counted is what is so, if nothing has changed meanwhile. */
static int
finish(struct store *st)
{
	struct bdb_walk *w = &st->walk;
	DB_TXN *txn;
	int r;

	w->wanted = false;
	if (w->changes != st->changes ||
	    (st->counted && memcmp(&w->seen, &st->counts, sizeof(w->seen)) == 0))
		return 0;
	if (st->counted)
		log_warnx("store: %s: accounts and sessions were miscounted", st->shown);
	if ((r = st->env->txn_begin(st->env, NULL, &txn, 0)) != 0)
		return r;
	if ((r = bdb_counts_put(st, txn, &w->seen)) != 0) {
		(void)txn->abort(txn);
		return r;
	}
	if ((r = txn->commit(txn, DB_TXN_SYNC)) == 0) {
		st->counts = w->seen;
		st->counted = true;
	}
	return r;
}

/* 0: so far it is sound. */
static int
walk(struct store *st, int64_t until)
{
	struct bdb_walk *w = &st->walk;
	bool end;
	int r;

	while (w->stage < STAGES) {
		if ((r = stage(st, until, &end)) != 0 || !end)
			return r;
		w->stage++;
		w->page = 0;
		w->within = false;
		w->len = 0;
	}
	return w->wanted ? finish(st) : 0;
}

/* Before anybody works in it. */
static int
count_now(struct store *st)
{
	begin(st, true);
	return walk(st, 0);
}

static int
check_now(struct store *st)
{
	struct bdb_walk *w = &st->walk;
	bool end = true;
	int r = 0;

	begin(st, false);
	for (; w->stage < T_MAX; w->stage++, w->page = 0)
		if ((r = stage(st, 0, &end)) != 0)
			return r;
	w->stage = STAGES;
	if ((r = bdb_check_all(st, &w->seen)) == 0)
		r = finish(st);
	return r;
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

/* Is everything to be looked at before use? */
static bool
asked_for(const struct store *st)
{
	struct stat sb;

	return !st->memory &&
	    fstatat(st->dir, BDB_CHECK_FILE, &sb, AT_SYMLINK_NOFOLLOW) == 0;
}

static void
ask_for(const struct store *st)
{
	int fd;

	fd = openat(
	    st->dir, BDB_CHECK_FILE, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd == -1 || fsync(st->dir) == -1)
		log_warn("store: %s/%s", st->shown, BDB_CHECK_FILE);
	if (fd != -1)
		close(fd);
}

static bool
is_small(const struct store *st)
{
	const struct store_counts *n = &st->counts;

	return (uint64_t)n->accounts + n->sessions + n->tokens <= st->check_at_start;
}

int
bdb_check(struct store *st)
{
	bool asked = asked_for(st);
	uint32_t n;
	int r;

	if ((r = bdb_check_log(st)) != 0)
		return r;
	/* The version first: what a newer one wrote is not damage. */
	if ((r = bdb_meta_get(st, NULL, META_VERSION, &n)) == 0 && n > STORE_VERSION)
		return BDB_NEWER_RECORD;
	if (!st->counted && (r = count_now(st)) != 0)
		return r;
	if (asked || is_small(st)) {
		if ((r = check_now(st)) != 0)
			return r;
		st->suspect = false;
	} else {
		begin(st, false);
	}
	if ((r = check_version(st)) == 0 && asked)
		(void)unlinkat(st->dir, BDB_CHECK_FILE, 0);
	return r;
}

void
store_check_again(struct store *st)
{
	begin(st, false);
}

enum store_result
store_check(struct store *st, uint32_t us, bool *done, char *err, size_t errlen)
{
	int r;

	*done = false;
	if (!bdb_ready(st))
		return STORE_OK; /* which says why, and looks at it when it is */
	if (st->suspect)
		us *= HURRY;
	r = st->walk.wanted ? walk(st, now_us() + us) : 0;
	*done = r == 0 && !st->walk.wanted;
	if (*done)
		st->suspect = false;
	if (r == 0)
		return STORE_OK;
	if (bdb_passing(r == DB_RUNRECOVERY && st->panic > 0 ? st->panic : r) ||
	    r == ENOSPC || r == EDQUOT) {
		(void)bdb_result(st, r);
		return STORE_OK;
	}
	bdb_explain(st, r, err, errlen);
	ask_for(st);
	if (r == DB_RUNRECOVERY)
		st->broken = true;
	return STORE_ERROR;
}
