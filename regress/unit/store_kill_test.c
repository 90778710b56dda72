/*
 * A writer that is killed at any moment: nothing that it acknowledged may be
 * missing afterwards.  STORE_ROUNDS in the environment asks for more of it.
 */
#include "store_helper.h"

/*
 * A writer that is killed: it says over a pipe what has been acknowledged, and
 * all of that must be there.
 */
struct ack {
	uint32_t n;
	char what; /* 'a'dded, 's'ession, 'd'eleted session */
};

static void
writer(int fd, uint32_t n)
{
	struct store_account a;
	struct store_session s;
	struct store *st = open_store(false);
	struct ack k;
	char name[WIRE_NAME], email[WIRE_EMAIL];

	store_set_range(st, FIRST, 1000000);
	for (;; n++) {
		snprintf(name, sizeof(name), "w%u", n);
		snprintf(email, sizeof(email), "w%u@example.com", n);
		a = account(name, email);
		s = session(1, n);
		if (store_account_add(st, &a) != STORE_OK)
			_exit(1);
		k = (struct ack){ n, 'a' };
		if (write(fd, &k, sizeof(k)) == -1)
			_exit(1);
		s.uid = a.uid;
		if (store_session_add(st, &s) != STORE_OK)
			_exit(1);
		k.what = 's';
		if (write(fd, &k, sizeof(k)) == -1)
			_exit(1);
		if (n % 3 == 0) {
			if (store_session_delete(st, s.key) != STORE_OK)
				_exit(1);
			k.what = 'd';
			if (write(fd, &k, sizeof(k)) == -1)
				_exit(1);
		}
		if (n % 50 == 0)
			store_tick(st);
	}
}

/* Berkeley DB's own word on each file: no page is broken, no index differs. */
static void
verify_files(void)
{
	struct dirent *e;
	char path[512], command[600];
	size_t len, seen = 0;
	DIR *d;

	assert_non_null(d = opendir(dir));
	while ((e = readdir(d)) != NULL) {
		len = strlen(e->d_name);
		if (len < 4 || strcmp(e->d_name + len - 3, ".db") != 0 ||
		    strncmp(e->d_name, "__db", 4) == 0)
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		snprintf(command, sizeof(command), "db5.3_verify -q %s", path);
		if (system(command) != 0)
			fail_msg("%s", command);
		seen++;
	}
	closedir(d);
	assert_true(seen > 0);
}

static void
verify(const struct ack *acks, size_t n)
{
	struct store *st = open_store(false);
	struct store_account a;
	struct store_session s, t;
	char name[WIRE_NAME], email[WIRE_EMAIL];
	enum store_result r;
	size_t i;

	for (i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "w%u", acks[i].n);
		snprintf(email, sizeof(email), "w%u@example.com", acks[i].n);
		s = session(1, acks[i].n);
		switch (acks[i].what) {
		case 'a':
			assert_int_equal(store_account_by_name(st, name, &a), STORE_OK);
			assert_int_equal(store_account_by_email(st, email, &a), STORE_OK);
			break;
		case 's':
			r = store_session_by_key(st, s.key, &t);
			/* a later one may have deleted it, said or unsaid */
			if (acks[i].n % 3 != 0 || r == STORE_OK) {
				assert_int_equal(r, STORE_OK);
				assert_int_equal(
				    store_session_by_id(st, s.id, &t), STORE_OK);
			}
			break;
		default:
			assert_int_equal(
			    store_session_by_key(st, s.key, &t), STORE_NOT_FOUND);
			break;
		}
	}
	store_close(st);
	verify_files();
}

static void
killed(void **state)
{
	static struct ack acks[1 << 20];
	const char *rounds = getenv("STORE_ROUNDS");
	int round, total = rounds != NULL ? atoi(rounds) : 25;
	size_t n = 0, before;
	uint32_t next = 1;
	int p[2], status;
	struct timespec wait;
	ssize_t got;
	pid_t pid;

	(void)state;
	empty_dir();
	for (round = 0; round < total; round++) {
		assert_int_equal(pipe(p), 0);
		pid = fork();
		assert_int_not_equal(pid, -1);
		if (pid == 0) {
			close(p[0]);
			writer(p[1], next);
		}
		close(p[1]);
		wait = (struct timespec){ 0, (long)arc4random_uniform(150000000) };
		nanosleep(&wait, NULL);
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		before = n;
		while (n < sizeof(acks) / sizeof(acks[0]) &&
		    (got = read(p[0], &acks[n], sizeof(acks[0]))) > 0) {
			assert_int_equal(got, sizeof(acks[0]));
			next = acks[n].n + 1;
			n++;
		}
		close(p[0]);
		/* One more may have been written and not said. */
		next++;
		verify(acks + before, n - before);
	}
	assert_true(n < sizeof(acks) / sizeof(acks[0]));
	verify(acks, n);
	print_message("%d rounds, %zu acknowledged writes, none lost\n", total, n);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(killed),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
