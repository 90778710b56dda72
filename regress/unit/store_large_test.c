/*
 * A store that is too large to be looked at whole when it is opened: it opens at once,
 * knows how many records it has, and is looked at while it is used.  What is damaged
 * is found, and the store is not opened again.
 */
#include "store_helper.h"

#define USERS 300

static struct store *
try_open(uint32_t at_start)
{
	struct store_options o = options(false);

	o.check_at_start = at_start;
	return store_open(&o, err, sizeof(err));
}

static struct store *
open_large(void)
{
	struct store *st = try_open(1);

	if (st == NULL)
		fail_msg("store_open: %s", err);
	return st;
}

static void
fill(void)
{
	struct store *st;
	struct store_account a;
	struct store_session s;
	char name[16], email[32];
	unsigned int i;

	empty_dir();
	st = open_large();
	for (i = 0; i < USERS; i++) {
		snprintf(name, sizeof(name), "user%u", i);
		snprintf(email, sizeof(email), "user%u@example.com", i);
		a = account(name, i % 3 == 0 ? email : "");
		a.pending = i % 5 == 0;
		a.active = !a.pending;
		assert_int_equal(store_account_add(st, &a), STORE_OK);
		s = session(a.uid, i + 1);
		assert_int_equal(store_session_add(st, &s), STORE_OK);
		s = session(a.uid, i + 10001);
		assert_int_equal(store_session_add(st, &s), STORE_OK);
	}
	store_close(st);
}

/* To its end, however many steps it takes. */
static enum store_result
check(struct store *st, unsigned int *steps)
{
	enum store_result r = STORE_OK;
	bool done = false;

	for (*steps = 0; r == STORE_OK && !done; ++*steps)
		r = store_check(st, 50, &done, err, sizeof(err));
	return r;
}

static void
counts_are(struct store *st, uint32_t accounts, uint32_t pending, uint32_t emails,
    uint32_t sessions)
{
	struct store_counts n;

	store_count(st, &n);
	assert_int_equal(n.accounts, accounts);
	assert_int_equal(n.active, accounts - pending);
	assert_int_equal(n.pending, pending);
	assert_int_equal(n.emails, emails);
	assert_int_equal(n.sessions, sessions);
	assert_int_equal(n.tokens, 0);
}

static void
sound(void **state)
{
	struct store_account a;
	unsigned int steps;
	struct store *st;
	bool done;

	(void)state;
	fill();
	st = open_large();
	counts_are(st, USERS, USERS / 5, USERS / 3, 2 * USERS);
	assert_true(st->walk.wanted);
	assert_int_equal(check(st, &steps), STORE_OK);
	assert_true(steps > 3);
	assert_false(st->walk.wanted);
	/* and it stays so, until it is asked for again */
	assert_int_equal(store_check(st, 50, &done, err, sizeof(err)), STORE_OK);
	assert_true(done);
	store_check_again(st);
	assert_int_equal(store_check(st, 50, &done, err, sizeof(err)), STORE_OK);
	assert_false(done);
	/* each change is counted, and where the store is opened again it still is */
	assert_int_equal(store_account_by_name(st, "user3", &a), STORE_OK);
	assert_int_equal(store_account_delete(st, a.uid), STORE_OK);
	assert_int_equal(store_account_by_name(st, "user5", &a), STORE_OK);
	a.pending = false;
	a.active = true;
	assert_int_equal(store_account_put(st, &a), STORE_OK);
	assert_int_equal(store_session_delete_user(st, a.uid, NULL), STORE_OK);
	counts_are(st, USERS - 1, USERS / 5 - 1, USERS / 3 - 1, 2 * USERS - 4);
	store_close(st);
	st = open_large();
	counts_are(st, USERS - 1, USERS / 5 - 1, USERS / 3 - 1, 2 * USERS - 4);
	store_close(st);
	/* All at once comes to the same. */
	st = try_open(UINT32_MAX);
	assert_non_null(st);
	assert_false(st->walk.wanted);
	counts_are(st, USERS - 1, USERS / 5 - 1, USERS / 3 - 1, 2 * USERS - 4);
	store_close(st);
}

/* While it is looked at it changes: before the place, behind it, and at it. */
static void
changing(void **state)
{
	struct store_account a;
	struct store_session s;
	enum store_result r = STORE_OK;
	bool done = false;
	struct store *st;
	char name[16];
	unsigned int i;

	(void)state;
	fill();
	st = open_large();
	for (i = 0; !done && i < 100000; i++) {
		snprintf(name, sizeof(name), "user%u", arc4random_uniform(USERS));
		r = store_account_by_name(st, name, &a);
		if (r == STORE_OK && i % 4 != 0) {
			s = session(a.uid, 20000 + i);
			assert_int_equal(store_session_add(st, &s), STORE_OK);
			assert_int_equal(store_account_delete(st, a.uid), STORE_OK);
		} else if (r == STORE_OK) {
			a.email[0] = '\0';
			assert_int_equal(store_account_put(st, &a), STORE_OK);
		} else {
			a = account(name, "");
			assert_int_equal(store_account_add(st, &a), STORE_OK);
		}
		r = store_check(st, 20, &done, err, sizeof(err));
		if (r != STORE_OK)
			fail_msg("%s", err);
	}
	assert_true(done);
	store_close(st);
}

static void
write_at(const char *name, off_t at)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY);
	assert_int_not_equal(fd, -1);
	assert_int_equal(pwrite(fd, "XXXXXXXX", 8, at), 8);
	close(fd);
}

/* Found, named, and not opened again: not even by a walk that stops early. */
static void
found(struct store *st, const char *what)
{
	unsigned int steps, i;

	if (check(st, &steps) != STORE_ERROR || strstr(err, "is damaged") == NULL)
		fail_msg("%s: not found", what);
	store_close(st);
	for (i = 0; i < 2; i++)
		if (try_open(1) != NULL || strstr(err, "is damaged") == NULL)
			fail_msg("%s: opened again (%s)", what, err);
}

/* Bytes that the disk has turned, on every kind of page of every large file. */
static void
pages(void **state)
{
	static const enum table tables[] = { T_ACCOUNT, T_NAME, T_SESSION, T_USER, T_ID };
	struct store *st;
	struct stat sb;
	char path[512];
	unsigned int i;
	off_t at;

	(void)state;
	for (i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		fill();
		snprintf(path, sizeof(path), "%s/%s", dir, bdb_tables[tables[i]].file);
		assert_int_equal(stat(path, &sb), 0);
		assert_true(sb.st_size >= 4 * BDB_PAGE);
		at = sb.st_size / BDB_PAGE / 2 * BDB_PAGE + 2000;
		write_at(bdb_tables[tables[i]].file, at);
		if ((st = try_open(1)) != NULL)
			found(st, bdb_tables[tables[i]].file);
		else
			assert_non_null(strstr(err, "is damaged"));
	}
}

/* An index without its table; and whom to let one lead to. */
static struct store *
open_names(struct store_account *a)
{
	struct store *st = open_large();
	DB *db;

	assert_int_equal(store_account_by_name(st, "user7", a), STORE_OK);
	store_close(st);
	st = open_large();
	st->db[T_ACCOUNT]->close(st->db[T_ACCOUNT], 0);
	st->db[T_ACCOUNT] = NULL;
	st->db[T_NAME]->close(st->db[T_NAME], 0);
	assert_int_equal(db_create(&db, st->env, 0), 0);
	st->db[T_NAME] = db;
	assert_int_equal(db->open(db, NULL, bdb_tables[T_NAME].file, NULL, DB_BTREE,
			     DB_AUTO_COMMIT, 0),
	    0);
	return st;
}

static void
del_raw(struct store *st, enum table t, const void *key, size_t klen)
{
	DBT k;

	bdb_dbt(&k, key, klen);
	assert_int_equal(st->db[t]->del(st->db[t], NULL, &k, 0), 0);
}

/* Records that are none, and indexes that do not fit. */
static void
records(void **state)
{
	uint8_t key[4], buf[STORE_RECORD_MAX];
	struct store_account a;
	struct store *st;
	unsigned int steps;
	size_t len;
	char path[512];

	(void)state;
	fill();
	st = open_large();
	record_put32be(key, FIRST + USERS + 5);
	put_raw(st, T_ACCOUNT, key, 4, "\001garbage", 8);
	found(st, "no record");

	fill();
	st = open_large();
	a = account("zoe", "");
	a.uid = FIRST;
	len = account_encode(&a, buf);
	record_put32be(key, FIRST + USERS + 1);
	put_raw(st, T_ACCOUNT, key, 4, buf, len);
	found(st, "another's key");

	fill();
	st = open_names(&a);
	record_put32be(key, a.uid);
	put_raw(st, T_NAME, "zz", 2, key, 4);
	store_close(st);
	found(open_large(), "a name too many");

	/* As many as there are to be. */
	fill();
	st = open_names(&a);
	del_raw(st, T_NAME, "user8", 5);
	record_put32be(key, a.uid);
	put_raw(st, T_NAME, "user8", 5, key, 4);
	store_close(st);
	found(open_large(), "a name that leads to somebody else");

	fill();
	st = open_names(&a);
	del_raw(st, T_NAME, "user8", 5);
	store_close(st);
	found(open_large(), "a name too few");

	/* Wrong counts are no damage: they are put right. */
	fill();
	st = open_large();
	st->counts.accounts += 7;
	assert_int_equal(bdb_counts_put(st, NULL, &st->counts), 0);
	store_close(st);
	st = open_large();
	assert_int_equal(check(st, &steps), STORE_OK);
	counts_are(st, USERS, USERS / 5, USERS / 3, 2 * USERS);
	store_close(st);
	st = open_large();
	counts_are(st, USERS, USERS / 5, USERS / 3, 2 * USERS);
	store_close(st);

	/* When it is asked for, all is looked at first, once. */
	snprintf(path, sizeof(path), "%s/" BDB_CHECK_FILE, dir);
	close(open(path, O_WRONLY | O_CREAT, 0600));
	st = open_large();
	assert_false(st->walk.wanted);
	assert_int_equal(access(path, F_OK), -1);
	store_close(st);
}

/* What a store says it is: an earlier version counted nothing, or wrongly. */
static void
earlier(void **state)
{
	static const uint8_t four[4] = { 4 };
	struct store_account a;
	char path[512];
	struct store *st;

	(void)state;
	fill();
	st = open_large();
	st->counts.sessions += 9;
	assert_int_equal(bdb_counts_put(st, NULL, &st->counts), 0);
	put_raw(st, T_META, META_VERSION, strlen(META_VERSION), four, 4);
	store_close(st);
	st = open_large();
	counts_are(st, USERS, USERS / 5, USERS / 3, 2 * USERS);
	store_close(st);
	/* an index that is gone is made again */
	snprintf(path, sizeof(path), "%s/account-name.db", dir);
	assert_int_equal(unlink(path), 0);
	st = open_large();
	assert_int_equal(store_account_by_name(st, "user7", &a), STORE_OK);
	store_close(st);
	/* the log is gone */
	snprintf(path, sizeof(path), "%s/log.0000000001", dir);
	assert_int_equal(unlink(path), 0);
	assert_null(try_open(1));
	assert_non_null(strstr(err, "log.* files are missing"));
}

/* Killed at any moment: the counts are those of the records. */
static void
killed(void **state)
{
	struct store_counts n, m;
	struct timespec wait;
	struct store_account a;
	struct store *st;
	unsigned int round, i;
	char name[16];
	pid_t pid;

	(void)state;
	fill();
	for (round = 0; round < 12; round++) {
		pid = fork();
		assert_int_not_equal(pid, -1);
		if (pid == 0) {
			st = open_large();
			for (i = 0;; i++) {
				snprintf(name, sizeof(name), "r%u-%u", round, i);
				a = account(name, "");
				if (store_account_add(st, &a) != STORE_OK ||
				    (i % 3 == 0 &&
					store_account_delete(st, a.uid) != STORE_OK))
					_exit(1);
				if (i % 64 == 63)
					store_tick(st);
			}
		}
		wait = (struct timespec){ 0, 10000000 + arc4random_uniform(50000000) };
		nanosleep(&wait, NULL);
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		st = open_large();
		store_count(st, &n);
		store_close(st);
		st = try_open(UINT32_MAX); /* counts them */
		assert_non_null(st);
		store_count(st, &m);
		store_close(st);
		assert_memory_equal(&n, &m, sizeof(n));
	}
	assert_true(n.accounts > USERS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sound),
		cmocka_unit_test(changing),
		cmocka_unit_test(pages),
		cmocka_unit_test(records),
		cmocka_unit_test(earlier),
		cmocka_unit_test(killed),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
