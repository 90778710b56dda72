/*
 * A copy of a store while it is in use: what was acknowledged before the mark is in it
 * and what came later is not, however tables, log and writes take turns.
 */
#include "store_helper.h"

static char to[64];

/* As much of it as belongs to the copy, or some of that. */
static void
copy(const struct store_part *p, uint64_t from, uint64_t until)
{
	static uint8_t buf[65536];
	char path[128];
	uint64_t at;
	size_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", to, p->name);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	assert_true(fd != -1);
	for (at = from; at < until; at += n) {
		n = until - at < sizeof(buf) ? (size_t)(until - at) : sizeof(buf);
		assert_int_equal(pread(p->fd, buf, n, (off_t)at), n);
		assert_int_equal(pwrite(fd, buf, n, (off_t)at), n);
	}
	close(fd);
}

static void
add(struct store *st, unsigned int from, unsigned int n)
{
	struct store_account a;
	struct store_session s;
	char name[16], email[32];
	unsigned int i;

	for (i = from; i < from + n; i++) {
		snprintf(name, sizeof(name), "u%04u", i);
		snprintf(email, sizeof(email), "u%04u@example.com", i);
		a = account(name, email);
		assert_int_equal(store_account_add(st, &a), STORE_OK);
		s = session(a.uid, i + 1);
		assert_int_equal(store_session_add(st, &s), STORE_OK);
	}
}

/* The copy opens by itself and holds the first n. */
static void
holds(unsigned int n)
{
	struct store_counts c;
	struct store_account a;
	struct store_session s;
	struct store *st;
	char was[64], name[20];
	unsigned int i;

	strlcpy(was, dir, sizeof(was));
	strlcpy(dir, to, sizeof(dir));
	st = open_store(false);
	store_count(st, &c);
	assert_int_equal(c.accounts, n);
	assert_int_equal(c.sessions, n);
	for (i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "u%04u", i);
		assert_int_equal(store_account_by_name(st, name, &a), STORE_OK);
		snprintf(name, sizeof(name), "%016x", i + 1);
		assert_int_equal(store_session_by_id(st, name, &s), STORE_OK);
		assert_int_equal(s.uid, a.uid);
	}
	/* It goes on. */
	add(st, n, 10);
	store_close(st);
	empty_dir();
	strlcpy(dir, was, sizeof(dir));
}

/* With writes, and attempts at a checkpoint, between any two steps. */
static void
in_use(void **state)
{
	enum store_result r;
	struct store_part p;
	unsigned int i, n = 100;
	struct store *st;
	uint64_t half;

	(void)state;
	empty_dir();
	st = open_store(false);
	add(st, 0, n);
	assert_int_equal(store_backup_begin(st), STORE_OK);
	for (i = 0; (r = store_backup_table(st, i, &p)) == STORE_OK; i++) {
		half = p.size / 2 / BDB_PAGE * BDB_PAGE;
		copy(&p, 0, half);
		add(st, n, 20);
		n += 20;
		store_tick(st);
		copy(&p, half, p.size);
		close(p.fd);
		add(st, n, 20);
		n += 20;
		store_tick(st);
	}
	assert_int_equal(r, STORE_NOT_FOUND);
	assert_true(i > 5);
	assert_int_equal(store_backup_mark(st), STORE_OK);
	add(st, n, 50);
	for (i = 0; (r = store_backup_log(st, i, &p)) == STORE_OK; i++) {
		copy(&p, 0, p.size);
		close(p.fd);
		add(st, n + 50 + i * 10, 10);
	}
	assert_int_equal(r, STORE_NOT_FOUND);
	assert_true(i > 0);
	assert_true(store_backup_sound(st));
	store_backup_end(st);
	store_tick(st);
	store_close(st);
	holds(n);
}

/* Once it had to be recovered, what was copied before does not fit any more. */
static void
healed(void **state)
{
	struct store_account a;
	struct store *st;

	(void)state;
	empty_dir();
	st = open_store(false);
	add(st, 0, 1);
	assert_false(store_backup_sound(st));
	assert_int_equal(store_backup_begin(st), STORE_OK);
	assert_true(store_backup_sound(st));
	assert_int_equal(st->env->set_flags(st->env, DB_PANIC_ENVIRONMENT, 1), 0);
	assert_int_equal(store_account_by_name(st, "u0000", &a), STORE_ERROR);
	assert_false(store_backup_sound(st));
	st->healed = 0;
	assert_int_equal(store_account_by_name(st, "u0000", &a), STORE_OK);
	assert_false(store_backup_sound(st));
	store_backup_end(st);
	assert_int_equal(store_backup_begin(st), STORE_OK);
	store_backup_end(st);
	store_close(st);
}

/* The log does not go while it is copied, and does afterwards. */
static void
log_goes(void **state)
{
	static struct store_settings set;
	struct store_account a;
	struct store_part p;
	struct store *st;
	unsigned int i;
	char first[24];

	(void)state;
	empty_dir();
	st = open_store(false);
	assert_int_equal(store_backup_begin(st), STORE_OK);
	assert_int_equal(store_backup_mark(st), STORE_OK);
	assert_int_equal(store_backup_log(st, 0, &p), STORE_OK);
	strlcpy(first, p.name, sizeof(first));
	close(p.fd);
	add(st, 0, 1);
	assert_int_equal(store_account_by_name(st, "u0000", &a), STORE_OK);
	memset(&set, 0, sizeof(set));
	memset(set.text, ' ', sizeof(set.text) - 1);
	/* Twice as much as one of its files holds. */
	for (i = 0; i < (4u << 20) / sizeof(set.text); i++) {
		set.version = i;
		assert_int_equal(store_settings_put(st, a.uid, &set), STORE_OK);
		if (i % 64 == 0)
			store_tick(st);
	}
	assert_int_equal(store_backup_log(st, 0, &p), STORE_OK);
	assert_string_equal(p.name, first);
	close(p.fd);
	assert_int_equal(store_backup_mark(st), STORE_OK);
	for (i = 1; store_backup_log(st, i, &p) == STORE_OK; i++)
		close(p.fd);
	assert_true(i > 1); /* or there was not enough to show anything */
	store_backup_end(st);
	for (i = 0; i < 3; i++)
		store_tick(st);
	assert_int_equal(store_backup_begin(st), STORE_OK);
	assert_int_equal(store_backup_mark(st), STORE_OK);
	assert_int_equal(store_backup_log(st, 0, &p), STORE_OK);
	assert_string_not_equal(p.name, first);
	close(p.fd);
	store_backup_end(st);
	store_close(st);
}

static void
in_memory(void **state)
{
	struct store *st = open_store(true);

	(void)state;
	assert_int_equal(store_backup_begin(st), STORE_INVALID);
	assert_false(store_backup_sound(st));
	store_backup_end(st);
	store_close(st);
}

static int
make_both(void **state)
{
	return make_dir(state) == -1 ? -1 : folder(to);
}

static int
remove_both(void **state)
{
	return rmdir(to) == -1 ? -1 : remove_dir(state);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_use),
		cmocka_unit_test(healed),
		cmocka_unit_test(log_goes),
		cmocka_unit_test(in_memory),
	};

	return cmocka_run_group_tests(tests, make_both, remove_both);
}
