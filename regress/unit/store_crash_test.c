/*
 * The store's process is killed before each single call that changes a file: while the
 * store is made, while it is written to, at a checkpoint, where a log ends and the
 * next begins, and while it recovers from having been killed.  Afterwards it must open,
 * with everything that was acknowledged, every time.
 *
 * A call that writes may also be cut short, as by a machine that stops in the middle.
 * That is tried with the log only: a page is one block of the disk.
 */
#include "store_helper.h"

#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>

#include <limits.h>

#define NEVER   UINT_MAX
#define ACK_MAX 64

typedef void (*job_fn)(int acks);

/* What the job has said so far, in order. */
static uint32_t acks[ACK_MAX];
static size_t nacks;

static void
said(int fd, uint32_t n)
{
	if (write(fd, &n, sizeof(n)) != sizeof(n))
		_exit(3);
}

static bool
is_file(pid_t pid, unsigned long long fd, const char *name)
{
	char path[64], to[512];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/fd/%llu", pid, fd);
	n = readlink(path, to, sizeof(to) - 1);
	if (n <= 0)
		return false;
	to[n] = '\0';
	return strstr(to, dir) == to && strstr(to, name) != NULL;
}

/* Does the call change something in the folder? */
static bool
changes(pid_t pid, const struct user_regs_struct *r)
{
	switch (r->orig_rax) {
	case SYS_write:
	case SYS_pwrite64:
	case SYS_ftruncate:
	case SYS_fsync:
	case SYS_fdatasync:
	case SYS_fallocate:
		return is_file(pid, r->rdi, "");
	case SYS_openat:
		return (r->rdx & O_CREAT) != 0;
	case SYS_open:
		return (r->rsi & O_CREAT) != 0;
	case SYS_rename:
	case SYS_unlink:
	case SYS_unlinkat:
	case SYS_renameat:
		return true;
	default:
		return false;
	}
}

static pid_t
start(job_fn job, int p[2])
{
	pid_t pid;

	assert_int_equal(pipe(p), 0);
	pid = fork();
	assert_int_not_equal(pid, -1);
	if (pid == 0) {
		close(p[0]);
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) == -1)
			_exit(77);
		raise(SIGSTOP);
		job(p[1]);
		_exit(0);
	}
	close(p[1]);
	return pid;
}

/*
 * Run the job and kill it before its call number at (or in the middle of it); what was
 * said is added to acks.  Returns how many calls there were; *done: it came to its end.
 */
static unsigned int
run(job_fn job, unsigned int at, bool torn, bool *done)
{
	struct user_regs_struct r;
	unsigned int n = 0;
	bool entry = false, cut = false;
	int p[2], status;
	pid_t pid = start(job, p);
	ssize_t got;

	*done = false;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip(); /* nobody may trace here */
	assert_true(WIFSTOPPED(status));
	assert_int_equal(ptrace(PTRACE_SETOPTIONS, pid, NULL,
			     (void *)(PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD)),
	    0);
	for (;;) {
		ptrace(PTRACE_SYSCALL, pid, NULL, NULL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (!WIFSTOPPED(status))
			break;
		if (WSTOPSIG(status) != (SIGTRAP | 0x80))
			continue;
		entry = !entry;
		if (cut)
			kill(pid, SIGKILL);
		if (!entry)
			continue;
		assert_int_equal(ptrace(PTRACE_GETREGS, pid, NULL, &r), 0);
		if (!changes(pid, &r) || n++ != at)
			continue;
		if (!torn || r.orig_rax != SYS_write || r.rdx < 2 ||
		    !is_file(pid, r.rdi, "/log.")) {
			kill(pid, SIGKILL);
			continue;
		}
		r.rdx /= 2;
		assert_int_equal(ptrace(PTRACE_SETREGS, pid, NULL, &r), 0);
		cut = true;
	}
	if (WIFEXITED(status)) {
		assert_int_equal(WEXITSTATUS(status), 0);
		*done = true;
	} else {
		assert_int_equal(WTERMSIG(status), SIGKILL);
	}
	while (nacks < ACK_MAX && (got = read(p[0], &acks[nacks], sizeof(acks[0]))) > 0) {
		assert_int_equal(got, sizeof(acks[0]));
		nacks++;
	}
	close(p[0]);
	return n;
}

/* --- what is done to the store --- */

#define USERS 3

/* An account, a session, a change and an end of each; then a checkpoint. */
static void
work(struct store *st, int fd, uint32_t from)
{
	struct store_account a;
	struct store_session s;
	char name[WIRE_NAME];
	uint32_t i;

	for (i = from; i < from + USERS; i++) {
		snprintf(name, sizeof(name), "u%u", i);
		a = account(name, "");
		if (store_account_add(st, &a) != STORE_OK)
			_exit(2);
		said(fd, i * 10 + 1);
		s = session(a.uid, i + 1);
		if (store_session_add(st, &s) != STORE_OK)
			_exit(2);
		said(fd, i * 10 + 2);
		if (store_session_seen(st, s.key, s.seen + 5) != STORE_OK)
			_exit(2);
		a.last_login = 1700001234;
		if (store_account_put(st, &a) != STORE_OK)
			_exit(2);
		said(fd, i * 10 + 3);
		if (i % 2 == 0 && store_session_delete(st, s.key) != STORE_OK)
			_exit(2);
		said(fd, i * 10 + 4);
		if (i % 2 == 1)
			store_tick(st);
	}
}

static void
job_make(int fd)
{
	struct store *st = open_store(false);

	work(st, fd, 0);
	store_close(st);
}

static void
job_write(int fd)
{
	struct store *st = open_store(false);

	work(st, fd, USERS);
	store_tick(st);
	store_tick(st);
	store_close(st);
}

static void
job_open(int fd)
{
	(void)fd;
	store_close(open_store(false));
}

/* What was acknowledged is there, and what is there is whole. */
static void
check(unsigned int at)
{
	struct store_account a;
	struct store_session s, t;
	struct store_options o = options(false);
	struct store *st;
	char name[WIRE_NAME];
	uint32_t u;
	size_t i;

	st = store_open(&o, err, sizeof(err));
	if (st == NULL)
		fail_msg("killed at call %u: %s", at, err);
	for (i = 0; i < nacks; i++) {
		u = acks[i] / 10;
		snprintf(name, sizeof(name), "u%u", u);
		if (store_account_by_name(st, name, &a) != STORE_OK)
			fail_msg("killed at call %u: %s is lost", at, name);
		s = session(a.uid, u + 1);
		switch (acks[i] % 10) {
		case 2:
			if (u % 2 == 1 && store_session_by_key(st, s.key, &t) != STORE_OK)
				fail_msg("killed at call %u: session %u is lost", at, u);
			break;
		case 3:
			assert_int_equal(a.last_login, 1700001234);
			break;
		case 4:
			if (u % 2 == 0)
				assert_int_equal(
				    store_session_by_key(st, s.key, &t), STORE_NOT_FOUND);
			break;
		}
	}
	store_close(st);
}

/* --- copies of the folder --- */

static void
copy_dir(const char *from, const char *to)
{
	char cmd[256];

	snprintf(cmd, sizeof(cmd), "cp -a --sparse=always %s/. %s/", from, to);
	assert_int_equal(system(cmd), 0);
}

static char base[64], broken[64];

static void
drop(const char *path)
{
	char cmd[256];

	snprintf(cmd, sizeof(cmd), "rm -rf %s", path);
	assert_int_equal(system(cmd), 0);
}

/* --- the rounds --- */

/* Every so many of the calls are tried; all of them with STORE_ROUNDS. */
static unsigned int
step(unsigned int calls, unsigned int most)
{
	if (getenv("STORE_ROUNDS") != NULL || calls <= most)
		return 1;
	return (calls + most - 1) / most;
}

/* Killed at each call of the job; then, at some of those, again while it recovers. */
static void
every_call(job_fn job, const char *from, unsigned int most)
{
	unsigned int at, calls, again, more, tried = 0, twice = 0;
	bool done, torn;

	nacks = 0;
	empty_dir();
	if (from != NULL)
		copy_dir(from, dir);
	calls = run(job, NEVER, false, &done);
	assert_true(done);
	assert_true(calls > 20);
	for (at = arc4random_uniform(step(calls, most)); at < calls;
	     at += step(calls, most)) {
		for (torn = false;; torn = true) {
			nacks = 0;
			empty_dir();
			if (from != NULL)
				copy_dir(from, dir);
			run(job, at, torn, &done);
			assert_false(done);
			tried++;
			if (tried % 8 == 0) {
				drop(broken);
				assert_int_equal(mkdir(broken, 0700), 0);
				copy_dir(dir, broken);
				more = run(job_open, NEVER, false, &done);
				assert_true(done);
				for (again = arc4random_uniform(step(more, 4));
				     again < more; again += step(more, 4)) {
					empty_dir();
					copy_dir(broken, dir);
					run(job_open, again, false, &done);
					check(at);
					twice++;
				}
			} else {
				check(at);
			}
			if (torn)
				break;
		}
	}
	print_message("%u calls, killed %u times, and %u times again in recovery\n",
	    calls, tried, twice);
}

static void
making(void **state)
{
	(void)state;
	assert_int_equal(folder(broken), 0);
	every_call(job_make, NULL, 60);
	drop(broken);
}

/* A store that is in use for a while: its log is about to end. */
static void
fill_log(void)
{
	struct store *st = open_store(false);
	struct store_account a;
	struct store_session s;
	DB_LOG_STAT *l;
	uint32_t n = 1000;

	a = account("filler", "");
	assert_int_equal(store_account_add(st, &a), STORE_OK);
	for (;; n++) {
		assert_int_equal(st->env->log_stat(st->env, &l, 0), 0);
		if (l->st_cur_offset > 2 * 1024 * 1024 - 12000) {
			free(l);
			break;
		}
		free(l);
		s = session(a.uid, n);
		assert_int_equal(store_session_add(st, &s), STORE_OK);
		if (n % 3 != 0)
			assert_int_equal(store_session_delete(st, s.key), STORE_OK);
	}
	/* As one that was killed leaves it: nothing is closed, the log is all. */
	copy_dir(dir, base);
	store_close(st);
}

static void
log_ends(void **state)
{
	char last[128], away[128];
	DB_LOG_STAT *l;
	struct store *st;
	bool done;

	(void)state;
	assert_int_equal(folder(base), 0);
	assert_int_equal(folder(broken), 0);
	empty_dir();
	fill_log();
	nacks = 0;
	empty_dir();
	copy_dir(base, dir);
	run(job_write, NEVER, false, &done);
	assert_true(done);
	st = open_store(false);
	assert_int_equal(st->env->log_stat(st->env, &l, 0), 0);
	assert_true(l->st_cur_file > 1);
	snprintf(last, sizeof(last), "%s/log.%010u", dir, l->st_cur_file);
	free(l);
	store_close(st);
	/* The newest log alone is taken away, and comes back. */
	snprintf(away, sizeof(away), "%s/away", dir);
	assert_int_equal(rename(last, away), 0);
	refused("log.* files are missing");
	assert_int_equal(rename(away, last), 0);
	check(0);
	every_call(job_write, base, 60);
	drop(base);
	drop(broken);
}

/* A log in the middle that recovery needs: it is asked for, and nothing is lost. */
static void
log_missing(void **state)
{
	struct store *st;
	struct store_account a;
	struct store_session s;
	char middle[128], away[128];
	DB_LOG_STAT *l;
	uint32_t n, file;
	int i;

	(void)state;
	assert_int_equal(folder(base), 0);
	empty_dir();
	st = open_store(false);
	a = account("ann", "");
	assert_int_equal(store_account_add(st, &a), STORE_OK);
	for (n = 1, file = 1; file < 3; n++) {
		s = session(a.uid, n);
		assert_int_equal(store_session_add(st, &s), STORE_OK);
		if (n % 100 != 0)
			continue;
		assert_int_equal(st->env->log_stat(st->env, &l, 0), 0);
		file = l->st_cur_file;
		free(l);
	}
	copy_dir(dir, base); /* as one that is killed leaves it */
	store_close(st);
	empty_dir();
	copy_dir(base, dir);
	snprintf(middle, sizeof(middle), "%s/log.0000000002", dir);
	snprintf(away, sizeof(away), "%s/away", dir);
	assert_int_equal(rename(middle, away), 0);
	for (i = 0; i < 3; i++)
		refused("log.* files are missing");
	assert_int_equal(rename(away, middle), 0);
	st = open_store(false);
	s = session(a.uid, n - 1);
	assert_int_equal(store_session_by_key(st, s.key, &s), STORE_OK);
	store_close(st);
	drop(base);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(making),
		cmocka_unit_test(log_ends),
		cmocka_unit_test(log_missing),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
