/*
 * The store: every operation, on disk and in memory; a disk that is full; and
 * what it refuses to open, with the remedy.
 */
#include "store_helper.h"

static void
accounts_in(struct store *st)
{
	struct store_account a = account("alice", "alice@example.com"), b;
	struct store_account c = account("bob", "");
	struct store_counts n;
	char at[WIRE_NAME] = "";

	assert_int_equal(store_account_next(st, "", &b), STORE_NOT_FOUND);
	assert_int_equal(store_account_add(st, &c), STORE_OK);
	assert_int_equal(c.uid, FIRST);
	assert_int_equal(store_account_add(st, &a), STORE_OK);
	assert_int_equal(a.uid, FIRST + 1);

	/* names and addresses are unique, and a refusal changes nothing */
	b = account("alice", "");
	assert_int_equal(store_account_add(st, &b), STORE_NAME_TAKEN);
	b = account("carol", "alice@example.com");
	assert_int_equal(store_account_add(st, &b), STORE_EMAIL_TAKEN);
	b = account("Carol", "");
	assert_int_equal(store_account_add(st, &b), STORE_INVALID);
	assert_int_equal(store_account_by_name(st, "carol", &b), STORE_NOT_FOUND);

	assert_int_equal(store_account_by_name(st, "alice", &b), STORE_OK);
	same_account(&a, &b);
	assert_int_equal(store_account_by_uid(st, a.uid, &b), STORE_OK);
	same_account(&a, &b);
	assert_int_equal(store_account_by_email(st, "alice@example.com", &b), STORE_OK);
	same_account(&a, &b);
	assert_int_equal(store_account_by_email(st, "", &b), STORE_NOT_FOUND);
	assert_int_equal(store_account_by_uid(st, 1, &b), STORE_NOT_FOUND);

	/* changes, the address among them */
	strlcpy(a.email, "a2@example.com", sizeof(a.email));
	a.has_mint = true;
	memset(a.mint, 3, sizeof(a.mint));
	a.active = false;
	assert_int_equal(store_account_put(st, &a), STORE_OK);
	assert_int_equal(
	    store_account_by_email(st, "alice@example.com", &b), STORE_NOT_FOUND);
	assert_int_equal(store_account_by_email(st, "a2@example.com", &b), STORE_OK);
	same_account(&a, &b);
	strlcpy(c.email, "a2@example.com", sizeof(c.email));
	assert_int_equal(store_account_put(st, &c), STORE_EMAIL_TAKEN);
	c.email[0] = '\0';
	strlcpy(c.name, "robert", sizeof(c.name));
	assert_int_equal(store_account_put(st, &c), STORE_INVALID);
	strlcpy(c.name, "bob", sizeof(c.name));
	b = c;
	b.uid = FIRST + 50;
	assert_int_equal(store_account_put(st, &b), STORE_NOT_FOUND);

	/* in the order of names */
	assert_int_equal(store_account_next(st, at, &b), STORE_OK);
	assert_string_equal(b.name, "alice");
	assert_int_equal(store_account_next(st, "alice", &b), STORE_OK);
	assert_string_equal(b.name, "bob");
	assert_int_equal(store_account_next(st, "bob", &b), STORE_NOT_FOUND);
	assert_int_equal(store_account_next(st, "alicf", &b), STORE_OK);
	assert_string_equal(b.name, "bob");

	/* a uid is gone with its user */
	assert_int_equal(store_account_delete(st, a.uid), STORE_OK);
	assert_int_equal(store_account_delete(st, a.uid), STORE_NOT_FOUND);
	assert_int_equal(
	    store_account_by_email(st, "a2@example.com", &b), STORE_NOT_FOUND);
	b = account("alice", "alice@example.com");
	assert_int_equal(store_account_add(st, &b), STORE_OK);
	assert_int_equal(b.uid, FIRST + 2);
	store_count(st, &n);
	assert_int_equal(n.accounts, 2);
}

static void
sessions_in(struct store *st)
{
	struct store_account a = account("dora", ""), b = account("emil", "");
	struct store_session s[4], t, list[8];
	uint32_t users[4], version;
	uint64_t before;
	struct store_counts n, after;
	unsigned int i;
	size_t found;

	assert_int_equal(store_account_add(st, &a), STORE_OK);
	assert_int_equal(store_account_add(st, &b), STORE_OK);
	for (i = 0; i < 4; i++) {
		s[i] = session(i < 3 ? a.uid : b.uid, i + 1);
		assert_int_equal(store_session_add(st, &s[i]), STORE_OK);
	}
	assert_int_equal(store_session_add(st, &s[0]), STORE_NAME_TAKEN);
	t = session(a.uid, 99);
	memcpy(t.id, s[0].id, sizeof(t.id));
	assert_int_equal(store_session_add(st, &t), STORE_NAME_TAKEN);
	memcpy(t.id, "nothex", 7);
	assert_int_equal(store_session_add(st, &t), STORE_INVALID);

	assert_int_equal(store_session_by_key(st, s[2].key, &t), STORE_OK);
	same_session(&s[2], &t);
	assert_int_equal(store_session_by_id(st, s[3].id, &t), STORE_OK);
	same_session(&s[3], &t);
	assert_int_equal(store_session_of_user(st, a.uid, list, 8), 3);
	assert_int_equal(store_session_of_user(st, a.uid, list, 2), 2);
	assert_int_equal(store_session_of_user(st, b.uid, list, 8), 1);
	same_session(&s[3], &list[0]);
	assert_int_equal(store_session_of_user(st, 5, list, 8), 0);

	assert_int_equal(store_session_next(st, "", &t), STORE_OK);
	same_session(&s[0], &t);
	assert_int_equal(store_session_next(st, s[0].id, &t), STORE_OK);
	same_session(&s[1], &t);
	assert_int_equal(store_session_next(st, s[3].id, &t), STORE_NOT_FOUND);

	/* a login: both, or neither */
	t = session(a.uid, 98);
	assert_int_equal(store_session_login(st, &t, 1800000001), STORE_OK);
	assert_int_equal(store_account_by_uid(st, a.uid, &a), STORE_OK);
	assert_int_equal(a.last_login, 1800000001);
	assert_int_equal(store_session_login(st, &t, 1800000002), STORE_NAME_TAKEN);
	assert_int_equal(store_account_by_uid(st, a.uid, &a), STORE_OK);
	assert_int_equal(a.last_login, 1800000001);
	assert_int_equal(store_session_delete(st, t.key), STORE_OK);
	t = session(5, 98);
	assert_int_equal(store_session_login(st, &t, 1800000002), STORE_NOT_FOUND);
	assert_int_equal(store_session_by_key(st, t.key, &t), STORE_NOT_FOUND);

	assert_int_equal(store_session_seen(st, s[1].key, 1800000000), STORE_OK);
	assert_int_equal(store_session_by_key(st, s[1].key, &t), STORE_OK);
	assert_int_equal(t.seen, 1800000000);
	t = session(a.uid, 77);
	assert_int_equal(store_session_seen(st, t.key, 1), STORE_NOT_FOUND);

	assert_int_equal(store_session_delete(st, s[0].key), STORE_OK);
	assert_int_equal(store_session_delete(st, s[0].key), STORE_NOT_FOUND);
	assert_int_equal(store_session_by_id(st, s[0].id, &t), STORE_NOT_FOUND);
	/* one whose time is up */
	t = session(a.uid, 97);
	assert_int_equal(store_session_add(st, &t), STORE_OK);
	store_count(st, &n);
	assert_int_equal(store_session_expire(st, t.key), STORE_OK);
	assert_int_equal(store_session_expire(st, t.key), STORE_NOT_FOUND);
	assert_int_equal(store_session_by_key(st, t.key, &t), STORE_NOT_FOUND);
	n.sessions--;
	store_count(st, &after);
	assert_memory_equal(&n, &after, sizeof(n));
	assert_int_equal(store_session_delete_user(st, a.uid, s[2].key), STORE_OK);
	assert_int_equal(store_session_of_user(st, a.uid, list, 8), 1);
	same_session(&s[2], &list[0]);
	/* those who have any, and all of theirs at once */
	t = session(a.uid, 60);
	assert_int_equal(store_session_add(st, &t), STORE_OK);
	assert_int_equal(store_session_users(st, 0, users, 4, &found), STORE_OK);
	assert_int_equal(found, 2);
	assert_true(users[0] == a.uid && users[1] == b.uid && a.uid < b.uid);
	assert_int_equal(store_session_users(st, 0, users, 1, &found), STORE_OK);
	assert_int_equal(found, 1);
	assert_int_equal(store_session_users(st, a.uid, users + 1, 4, &found), STORE_OK);
	assert_int_equal(found, 1);
	assert_int_equal(users[1], b.uid);
	assert_int_equal(store_session_users(st, b.uid, users, 4, &found), STORE_OK);
	assert_int_equal(found, 0);
	assert_int_equal(store_session_users(st, UINT32_MAX, users, 4, &found), STORE_OK);
	assert_int_equal(found, 0);
	before = store_changes(st);
	users[0] = a.uid;
	users[1] = b.uid;
	users[2] = 4000000; /* nobody */
	assert_int_equal(store_session_delete_users(st, users, 3), STORE_OK);
	assert_int_equal(store_changes(st), before + 1);
	version = a.token_version;
	assert_int_equal(store_account_by_uid(st, a.uid, &a), STORE_OK);
	assert_int_equal(a.token_version, version + 1);
	assert_int_equal(store_session_of_user(st, a.uid, list, 8), 0);
	assert_int_equal(store_session_of_user(st, b.uid, list, 8), 0);
	store_count(st, &n);
	assert_int_equal(n.sessions, 0);
	assert_int_equal(store_session_add(st, &s[2]), STORE_OK);
	assert_int_equal(store_session_add(st, &s[3]), STORE_OK);
	/* a user goes with all sessions */
	assert_int_equal(store_account_delete(st, a.uid), STORE_OK);
	assert_int_equal(store_session_by_key(st, s[2].key, &t), STORE_NOT_FOUND);
	store_count(st, &n);
	assert_int_equal(n.sessions, 1);
	assert_int_equal(store_session_delete_user(st, b.uid, NULL), STORE_OK);
	assert_int_equal(store_account_delete(st, b.uid), STORE_OK);
	store_count(st, &n);
	assert_int_equal(n.sessions, 0);
}

static void
in_memory(void **state)
{
	struct store *st = open_store(true);

	(void)state;
	accounts_in(st);
	sessions_in(st);
	store_tick(st);
	store_close(st);
}

static void
on_disk(void **state)
{
	struct store_account a;
	struct store_counts n;
	struct store *st;

	(void)state;
	empty_dir();
	st = open_store(false);
	accounts_in(st);
	sessions_in(st);
	store_tick(st);
	store_close(st);
	st = open_store(false);
	store_count(st, &n);
	assert_int_equal(n.accounts, 2);
	assert_int_equal(n.sessions, 0);
	assert_int_equal(store_account_by_name(st, "alice", &a), STORE_OK);
	assert_int_equal(a.uid, FIRST + 2);
	/* what was given out stays so over a restart */
	a = account("frank", "");
	assert_int_equal(store_account_add(st, &a), STORE_OK);
	assert_int_equal(a.uid, FIRST + 5);
	store_close(st);
}

static void
uids_end(void **state)
{
	struct store_account a;
	struct store *st = open_store(true);
	char name[8];
	unsigned int i;

	(void)state;
	store_set_range(st, 500, 3);
	for (i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "u%u", i);
		a = account(name, "");
		assert_int_equal(store_account_add(st, &a), STORE_OK);
		assert_int_equal(a.uid, 500 + i);
	}
	a = account("u3", "");
	assert_int_equal(store_account_add(st, &a), STORE_NO_UID);
	assert_int_equal(store_account_delete(st, 501), STORE_OK);
	assert_int_equal(store_account_add(st, &a), STORE_NO_UID);
	store_set_range(st, 500, 4);
	assert_int_equal(store_account_add(st, &a), STORE_OK);
	assert_int_equal(a.uid, 503);
	store_close(st);
}

static void
write_file(const char *name, const void *p, size_t len, off_t at, int flags)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | flags, 0600);
	assert_int_not_equal(fd, -1);
	assert_int_equal(pwrite(fd, p, len, at), len);
	close(fd);
}

static void
fill(unsigned int users)
{
	struct store *st = open_store(false);
	struct store_account a;
	char name[16];
	unsigned int i;

	for (i = 0; i < users; i++) {
		snprintf(name, sizeof(name), "user%u", i);
		a = account(name, "");
		assert_int_equal(store_account_add(st, &a), STORE_OK);
	}
	store_close(st);
}

static void
newer(void **state)
{
	static const uint8_t two[4] = { STORE_VERSION + 1 }, one[4] = { 1 };
	struct store_account a = account("zoe", "");
	uint8_t buf[STORE_RECORD_MAX], key[4];
	struct store *st;
	size_t len;

	(void)state;
	empty_dir();
	st = open_store(false);
	put_raw(st, T_META, META_VERSION, strlen(META_VERSION), two, 4);
	store_close(st);
	refused("newer ided");
	refused("nothing was changed");

	empty_dir();
	st = open_store(false);
	put_raw(st, T_META, META_VERSION, strlen(META_VERSION), one, 4);
	a.uid = FIRST;
	len = account_encode(&a, buf);
	buf[0] = STORE_VERSION + 1;
	record_put32be(key, a.uid);
	put_raw(st, T_ACCOUNT, key, 4, buf, len);
	store_close(st);
	refused("newer ided");
}

static void
damaged(void **state)
{
	struct store_account a = account("zoe", "");
	uint8_t buf[STORE_RECORD_MAX], key[4];
	struct store *st;
	size_t len;
	off_t at;
	char path[512];
	int i;

	(void)state;
	/* a record that is no record, and one under another's key */
	empty_dir();
	st = open_store(false);
	record_put32be(key, FIRST);
	put_raw(st, T_ACCOUNT, key, 4, "\001garbage", 8);
	store_close(st);
	refused("is damaged");
	empty_dir();
	st = open_store(false);
	a.uid = FIRST;
	len = account_encode(&a, buf);
	record_put32be(key, FIRST + 1);
	put_raw(st, T_ACCOUNT, key, 4, buf, len);
	store_close(st);
	refused("restore it from a backup");

	/* bytes that the disk has turned, on every kind of page */
	for (at = 100; at < 4096 * 4; at += 4096 + 500) {
		empty_dir();
		fill(100);
		write_file("account.db", "XXXXXXXX", 8, at, 0);
		refused("is damaged");
	}
	/* logs gone: the pages are ahead of them */
	empty_dir();
	fill(20);
	snprintf((char *)buf, sizeof(buf), "%s/log.0000000001", dir);
	snprintf(path, sizeof(path), "%s/away", dir);
	assert_int_equal(rename((char *)buf, path), 0);
	/* however often it is tried: nothing is made in their place */
	for (i = 0; i < 3; i++)
		refused("log.* files are missing: put them back");
	assert_int_equal(access((char *)buf, F_OK), -1);
	assert_int_equal(rename(path, (char *)buf), 0);
	st = open_store(false);
	assert_int_equal(store_account_by_name(st, "user19", &a), STORE_OK);
	store_close(st);
	/* a file that is none of ours */
	empty_dir();
	write_file("account.db", "hello", 5, 0, O_CREAT);
	refused("is damaged");
}

/* An index that is gone is made again; nothing else is lost with it. */
static void
index_lost(void **state)
{
	struct store_account a;
	char path[512];
	struct store *st;

	(void)state;
	empty_dir();
	fill(20);
	snprintf(path, sizeof(path), "%s/account-name.db", dir);
	assert_int_equal(unlink(path), 0);
	st = open_store(false);
	assert_int_equal(store_account_by_name(st, "user7", &a), STORE_OK);
	store_close(st);
}

static void
not_ours(void **state)
{
	struct store *st;
	char path[512];

	(void)state;
	empty_dir();
	chmod(dir, 0755);
	refused("chmod 700");
	chmod(dir, 0700);
	if (geteuid() == 0) {
		assert_int_equal(chown(dir, 12345, 0), 0);
		refused("belongs to uid 12345");
		assert_int_equal(chown(dir, 0, 0), 0);
	}
	write_file("DB_CONFIG", "set_flags DB_TXN_NOSYNC\n", 24, 0, O_CREAT);
	refused("DB_CONFIG");
	empty_dir();
	snprintf(path, sizeof(path), "%s/account.db", dir);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	refused("is not a file");
	empty_dir();
	write_file("account.db", "", 0, 0, O_CREAT);
	chmod(path, 0644);
	refused("open to others");
	empty_dir();
	/* two at once */
	st = open_store(false);
	refused("in use by another");
	store_close(st);
	empty_dir();
	assert_int_equal(rmdir(dir), 0);
	refused("No such file");
	mkdir(dir, 0700);
}

/* A disk that is full: what was there stays, what fails says so, and it passes. */
static void
full_disk(void **state)
{
	struct store_account a = account("early", "");
	struct store_session s;
	static char zero[1 << 16];
	struct store *st;
	char path[512];
	uint32_t n;
	int fd;

	(void)state;
	empty_dir();
	if (geteuid() != 0 || mount("none", dir, "tmpfs", 0, "size=24m,mode=0700") == -1)
		skip();
	st = open_store(false);
	assert_int_equal(store_account_add(st, &a), STORE_OK);
	snprintf(path, sizeof(path), "%s/big", dir);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	while (write(fd, zero, sizeof(zero)) > 0)
		;
	s = session(a.uid, 1);
	assert_int_equal(store_session_add(st, &s), STORE_NO_SPACE);
	a.active = false;
	assert_int_equal(store_account_put(st, &a), STORE_NO_SPACE);
	assert_int_equal(store_account_by_name(st, "early", &a), STORE_OK);
	assert_true(a.active);
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(store_session_add(st, &s), STORE_OK);
	/* and without the look ahead: the engine itself hits the end */
	st->reckless = true;
	while (write(fd, zero, sizeof(zero)) > 0)
		;
	for (n = 2; n < 100000; n++) {
		s = session(a.uid, n);
		if (store_session_add(st, &s) != STORE_OK)
			break;
	}
	assert_int_not_equal(store_session_add(st, &s), STORE_OK);
	assert_int_equal(ftruncate(fd, 0), 0);
	st->reckless = false;
	sleep(1);
	assert_int_equal(store_account_by_name(st, "early", &a), STORE_OK);
	assert_int_equal(store_session_add(st, &s), STORE_OK);
	store_close(st);
	while (write(fd, zero, sizeof(zero)) > 0)
		;
	refused("no space left");
	close(fd);
	unlink(path);
	st = open_store(false);
	assert_int_equal(store_session_by_key(st, s.key, &s), STORE_OK);
	store_close(st);
	umount(dir);
}

struct seen {
	uint32_t uid[8];
	size_t n;
	size_t most;
};

static bool
see(void *arg, const struct store_account *a)
{
	struct seen *s = arg;

	s->uid[s->n++] = a->uid;
	return s->n < s->most;
}

/* In the order of uids, as many as are wanted, from any place on. */
static void
each(void **state)
{
	struct seen s = { .most = 8 };
	struct store_account a;
	uint32_t at = 0, i;
	struct store *st;
	char name[8];

	(void)state;
	empty_dir();
	st = open_store(false);
	assert_int_equal(store_account_each(st, &at, see, &s), STORE_NOT_FOUND);
	assert_int_equal(s.n, 0);
	for (i = 0; i < 5; i++) {
		snprintf(name, sizeof(name), "u%u", 9 - i);
		a = account(name, "");
		assert_int_equal(store_account_add(st, &a), STORE_OK);
	}
	assert_int_equal(store_account_delete(st, FIRST + 2), STORE_OK);
	s.most = 2;
	assert_int_equal(store_account_each(st, &at, see, &s), STORE_OK);
	assert_int_equal(s.n, 2);
	assert_int_equal(at, FIRST + 1);
	s.most = 8;
	/* behind one that is not there */
	at = FIRST + 2;
	assert_int_equal(store_account_each(st, &at, see, &s), STORE_NOT_FOUND);
	assert_int_equal(s.n, 4);
	assert_int_equal(s.uid[2], FIRST + 3);
	assert_int_equal(s.uid[3], FIRST + 4);
	assert_int_equal(at, FIRST + 4);
	at = UINT32_MAX;
	assert_int_equal(store_account_each(st, &at, see, &s), STORE_NOT_FOUND);
	assert_int_equal(s.n, 4);
	store_close(st);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_memory),
		cmocka_unit_test(on_disk),
		cmocka_unit_test(uids_end),
		cmocka_unit_test(each),
		cmocka_unit_test(newer),
		cmocka_unit_test(damaged),
		cmocka_unit_test(index_lost),
		cmocka_unit_test(not_ours),
		cmocka_unit_test(full_disk),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
