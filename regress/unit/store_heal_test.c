/*
 * A sound store is never refused, and heals itself while it runs: what other programs
 * left in its folder, a predecessor that is not gone yet, an engine that gave up.
 */
#include "store_helper.h"

#include <sys/file.h>
#include <sys/resource.h>

#include "../../privsep/sandbox.h"

extern const struct sandbox sandbox_auth;

static unsigned int
open_fds(void)
{
	struct dirent *e;
	unsigned int n = 0;
	DIR *d = opendir("/proc/self/fd");

	assert_non_null(d);
	while ((e = readdir(d)) != NULL)
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

static void
one_user(struct store *st, const char *name)
{
	struct store_account a = account(name, "");

	assert_int_equal(store_account_add(st, &a), STORE_OK);
}

/* As after an error that it does not get over by itself. */
static void
give_up(struct store *st)
{
	struct store_account a;

	assert_int_equal(st->env->set_flags(st->env, DB_PANIC_ENVIRONMENT, 1), 0);
	assert_int_equal(store_account_by_name(st, "ann", &a), STORE_ERROR);
	assert_true(st->broken);
	st->healed = 0; /* not to wait for a second */
}

/* Again and again, without a file that stays open. */
static void
heals(void **state)
{
	struct store_account a;
	unsigned int i, fds = 0;
	char name[16];
	struct store *st;

	(void)state;
	empty_dir();
	st = open_store(false);
	one_user(st, "ann");
	for (i = 0; i < 40; i++) {
		give_up(st);
		assert_int_equal(store_account_by_name(st, "ann", &a), STORE_OK);
		snprintf(name, sizeof(name), "u%u", i);
		one_user(st, name);
		if (i == 4)
			fds = open_fds();
	}
	assert_int_equal(open_fds(), fds);
	store_close(st);
	st = open_store(false);
	assert_int_equal(store_account_by_name(st, "u39", &a), STORE_OK);
	store_close(st);
}

/* The same in auth's own sandbox: what recovery asks of the kernel is listed. */
static void
heals_confined(void **state)
{
	struct store_options o = options(false);
	struct store_account a;
	struct store *st;
	int status, i;
	pid_t pid;

	(void)state;
	if (geteuid() != 0)
		skip();
	empty_dir();
	pid = fork();
	assert_int_not_equal(pid, -1);
	if (pid == 0) {
		if (chroot(dir) == -1 || chdir("/") == -1)
			_exit(10);
		o.home = "/."; /* as auth.c */
		if ((st = store_open(&o, err, sizeof(err))) == NULL)
			_exit(11);
		a = account("ann", "");
		if (store_account_add(st, &a) != STORE_OK)
			_exit(12);
		sandbox_enter(&sandbox_auth);
		for (i = 0; i < 3; i++) {
			st->env->set_flags(st->env, DB_PANIC_ENVIRONMENT, 1);
			st->healed = 0;
			if (store_account_by_name(st, "ann", &a) != STORE_ERROR)
				_exit(13);
			if (store_account_by_name(st, "ann", &a) != STORE_OK)
				_exit(14);
			a.last_login = i + 1;
			if (store_account_put(st, &a) != STORE_OK)
				_exit(15);
			store_tick(st);
		}
		store_close(st);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* db5.3_recover -e and its like leave files of shared memory behind. */
static void
left_by_tools(void **state)
{
	struct store_account a;
	char path[128];
	struct store *st;
	unsigned int i;
	int fd;

	(void)state;
	empty_dir();
	st = open_store(false);
	one_user(st, "ann");
	store_close(st);
	for (i = 1; i <= 3; i++) {
		snprintf(path, sizeof(path), "%s/__db.%03u", dir, i);
		fd = open(path, O_WRONLY | O_CREAT, 0664);
		assert_int_equal(write(fd, "region of another size", 22), 22);
		assert_int_equal(fchmod(fd, 0664), 0);
		if (geteuid() == 0)
			assert_int_equal(fchown(fd, 12345, 12345), 0);
		close(fd);
	}
	snprintf(path, sizeof(path), "db5.3_recover -e -h %s", dir);
	if (access("/usr/bin/db5.3_recover", X_OK) == 0)
		assert_int_equal(system(path), 0);
	st = open_store(false);
	assert_int_equal(store_account_by_name(st, "ann", &a), STORE_OK);
	snprintf(path, sizeof(path), "%s/__db.001", dir);
	assert_int_equal(access(path, F_OK), -1);
	store_close(st);
}

/* Whoever comes waits for who goes, and not for ever. */
static void
predecessor(void **state)
{
	struct store_options o = options(false);
	struct timespec t = { 0, 400000000 };
	struct store_account a;
	struct store *st;
	int p[2], status;
	pid_t pid;

	(void)state;
	empty_dir();
	assert_int_equal(pipe(p), 0);
	pid = fork();
	assert_int_not_equal(pid, -1);
	if (pid == 0) {
		st = open_store(false);
		a = account("ann", "");
		if (store_account_add(st, &a) != STORE_OK || write(p[1], "x", 1) != 1)
			_exit(1);
		nanosleep(&t, NULL);
		store_close(st);
		_exit(0);
	}
	assert_int_equal(read(p[0], err, 1), 1);
	refused("in use by another ided");
	o.patience = 60000;
	st = store_open(&o, err, sizeof(err));
	if (st == NULL)
		fail_msg("%s", err);
	assert_int_equal(store_account_by_name(st, "ann", &a), STORE_OK);
	store_close(st);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(p[0]);
	close(p[1]);
}

/* A machine that has no descriptor to give says nothing about the store. */
static void
not_the_stores_fault(void **state)
{
	static const int passing[] = { ENOMEM, EMFILE, ENFILE, EIO, EAGAIN, EBUSY };
	struct store_options o = options(false);
	struct rlimit was, few;
	struct store *st;
	unsigned int i, n, refusals = 0;
	bool rounds = getenv("STORE_ROUNDS") != NULL;

	(void)state;
	empty_dir();
	st = open_store(false);
	one_user(st, "ann");
	for (i = 0; i < sizeof(passing) / sizeof(passing[0]); i++) {
		st->why[0] = '\0';
		st->panic = 0;
		bdb_explain(st, passing[i], err, sizeof(err));
		assert_null(strstr(err, "damaged"));
		assert_non_null(strstr(err, "nothing was changed"));
		st->panic = passing[i];
		bdb_explain(st, DB_RUNRECOVERY, err, sizeof(err));
		assert_null(strstr(err, "damaged"));
	}
	st->panic = 0;
	store_close(st);
	/* For real: where the first descriptor is wanted and, if there is time (the
	 * engine waits twelve seconds for another), at every place. */
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	few = was;
	for (n = open_fds() - 1; n < open_fds() - 1 + (rounds ? 20 : 1); n++) {
		few.rlim_cur = n;
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
		st = store_open(&o, err, sizeof(err));
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
		if (st != NULL) {
			store_close(st);
			continue;
		}
		refusals++;
		if (strstr(err, "damaged") != NULL)
			fail_msg("with %u descriptors: %s", n, err);
	}
	assert_true(refusals > 0);
	st = open_store(false);
	store_close(st);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(heals),
		cmocka_unit_test(heals_confined),
		cmocka_unit_test(left_by_tools),
		cmocka_unit_test(predecessor),
		cmocka_unit_test(not_the_stores_fault),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
