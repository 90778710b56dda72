/*
 * A program that is confined as a worker is, and calls everything: what the list
 * names passes, all else dies of SIGSYS.  Each call from a process of its own.
 */
#include "filters_helper.h"

#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#define NEWEST    470
#define URETPROBE 335
#define UPROBE    336

static struct sock_fprog worker_filter;

/* As worker/zygote.c does it. */
static void
confine(void)
{
	sandbox_enter(&sandbox_zygote);
	sandbox_no_process();
	sandbox_install(&worker_filter);
}

/* Does the call get past the filter?  What comes of it does not matter. */
static bool
passes(long nr, const long args[6])
{
	int status;
	long r;
	pid_t pid;

	pid = fork();
	assert_int_not_equal(pid, -1);
	if (pid == 0) {
		signal(SIGALRM, SIG_DFL);
		alarm(10); /* for one that waits */
		confine();
		r = syscall(nr, args[0], args[1], args[2], args[3], args[4], args[5]);
		(void)syscall(SYS_exit_group, r == -1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	/* Newer kernels ask no filter about these two; called from where no probe
	 * is they do nothing. */
	if (nr == URETPROBE || nr == UPROBE)
		return WIFEXITED(status) && WEXITSTATUS(status) == 0;
	return !WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS;
}

/* Arguments that no call can do anything with, but for those that a row wants. */
static void
arguments(long args[6], const struct sandbox_row *row)
{
	unsigned int i;
	uint64_t *a;

	for (i = 0; i < 6; i++)
		args[i] = -1;
	for (i = 0; row != NULL && i < SANDBOX_ARGS && row->args[i].mask != 0; i++) {
		a = (uint64_t *)&args[row->args[i].arg];
		*a = (*a & ~row->args[i].mask) | row->args[i].value;
	}
}

static bool
row_matches(const struct sandbox_row *row, const long args[6])
{
	unsigned int i;

	for (i = 0; i < SANDBOX_ARGS && row->args[i].mask != 0; i++)
		if (((uint64_t)args[row->args[i].arg] & row->args[i].mask) !=
		    row->args[i].value)
			return false;
	return true;
}

static bool
listed(const struct sandbox *sb, long nr, const long args[6])
{
	unsigned int i;

	for (i = 0; i < sb->nrows; i++)
		if (sb->rows[i].nr == nr && sb->rows[i].act == ACT_ALLOW &&
		    row_matches(&sb->rows[i], args))
			return true;
	return false;
}

static void
not_with_sanitizers(void)
{
#if defined(__SANITIZE_ADDRESS__) || !defined(__x86_64__)
	skip(); /* they call more, and the filter of such a build allows it */
#endif
}

static void
test_every_call(void **state)
{
	long args[6], nr;
	unsigned int passed = 0, died = 0;
	bool want, got;

	(void)state;
	not_with_sanitizers();
	worker_filter = sandbox_compile_less(&sandbox_worker, &sandbox_zygote);
	for (nr = 0; nr <= NEWEST; nr++) {
		arguments(args, NULL);
		want = listed(&sandbox_worker, nr, args);
		got = passes(nr, args);
		if (got != want)
			fail_msg("call %ld %s", nr, got ? "passes" : "dies");
		passed += got;
		died += !got;
	}
	print_message("with senseless arguments %u pass, %u die\n", passed, died);
}

static void
test_allowed_arguments(void **state)
{
	bool seen[NEWEST + 1] = { false };
	const struct sandbox_row *row;
	unsigned int i, n = 0;
	long args[6];

	(void)state;
	not_with_sanitizers();
	for (i = 0; i < sandbox_worker.nrows; i++) {
		row = &sandbox_worker.rows[i];
		arguments(args, row);
		/* A worker has both lists. */
		assert_true(listed(&sandbox_zygote, row->nr, args));
		if (!passes(row->nr, args))
			fail_msg("call %d dies", row->nr);
		n += !seen[row->nr];
		seen[row->nr] = true;
	}
	print_message("%u calls pass in all\n", n);
	assert_int_equal(n, calls(&sandbox_worker));
	assert_true(n <= 45);
}

static int
by_value(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* As much as a full segment of the audit trail has: the library looks at the machine
 * first. */
static void
test_auth_sorts_much(void **state)
{
	enum { ENTRIES = 16384 };
	uint64_t *v;
	int status;
	pid_t pid;

	(void)state;
	not_with_sanitizers();
	pid = fork();
	assert_int_not_equal(pid, -1);
	if (pid == 0) {
		v = calloc(ENTRIES, sizeof(*v));
		for (unsigned int i = 0; v != NULL && i < ENTRIES; i++)
			v[i] = (i * 7919u) % ENTRIES;
		sandbox_enter(&sandbox_auth);
		if (v != NULL)
			qsort(v, ENTRIES, sizeof(*v), by_value);
		(void)syscall(SYS_exit_group, v == NULL || v[5] != 5);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

#define L(x) ((long)(intptr_t)(x))

/* With arguments that mean something. */
static void
test_attempts(void **state)
{
	static char *const argv[] = { (char *)(uintptr_t) "true", NULL };
	static int one = 1;
	const struct {
		const char *what;
		long nr;
		long args[6];
	} attempts[] = {
		{ "open", SYS_open, { L("/etc/passwd"), O_RDONLY } },
		{ "openat, by path", SYS_openat,
		    { AT_FDCWD, L("/etc/passwd"), O_RDONLY } },
		{ "openat, to write", SYS_openat,
		    { 5, L("x"), O_WRONLY | O_CREAT, 0600 } },
		{ "openat, a folder", SYS_openat,
		    { 5, L("."), O_DIRECTORY | O_CLOEXEC } },
		{ "openat2", SYS_openat2, { 5, L("x") } },
		{ "stat of a path", SYS_newfstatat,
		    { AT_FDCWD, L("/etc/passwd"), 0, 0 } },
		{ "socket", SYS_socket, { AF_INET, SOCK_STREAM, 0 } },
		{ "unix socket", SYS_socket, { AF_UNIX, SOCK_STREAM, 0 } },
		{ "connect", SYS_connect, { 0, 0, 0 } },
		{ "bind", SYS_bind, { 0, 0, 0 } },
		{ "listen", SYS_listen, { 0, 5 } },
		{ "accept4", SYS_accept4, { 0, 0, 0, 0 } },
		{ "execve", SYS_execve, { L("/bin/true"), L(argv), 0 } },
		{ "execveat", SYS_execveat, { 5, L(""), L(argv), 0, AT_EMPTY_PATH } },
		{ "fork", SYS_fork, { 0 } },
		{ "clone", SYS_clone, { SIGCHLD } },
		{ "clone, a thread", SYS_clone, { 0x50f00 } },
		{ "clone3", SYS_clone3, { 0, 0 } },
		{ "kill", SYS_kill, { getpid(), 0 } },
		{ "kill -9", SYS_kill, { getpid(), SIGKILL } },
		{ "tgkill", SYS_tgkill, { getpid(), getpid(), 0 } },
		{ "ptrace", SYS_ptrace, { PTRACE_TRACEME } },
		{ "process_vm_readv", SYS_process_vm_readv, { getpid() } },
		{ "pidfd_open", SYS_pidfd_open, { getpid(), 0 } },
		{ "pidfd_getfd", SYS_pidfd_getfd, { 0, 0, 0 } },
		{ "kcmp", SYS_kcmp, { getpid(), getpid() } },
		{ "to be dumpable", SYS_prctl, { PR_SET_DUMPABLE, 1 } },
		{ "to outlive the zygote", SYS_prctl, { PR_SET_PDEATHSIG, 0 } },
		{ "to outlive the zygote", SYS_prctl, { PR_SET_PDEATHSIG, SIGKILL } },
		{ "another filter", SYS_seccomp, { SECCOMP_SET_MODE_FILTER, 0, 0 } },
		{ "a limit", SYS_prlimit64, { 0, RLIMIT_NOFILE, 0, 0 } },
		{ "code to run", SYS_mmap,
		    { 0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1 } },
		{ "memory to run", SYS_mprotect, { 0, 4096, PROT_EXEC } },
		{ "memfd_create", SYS_memfd_create, { L("x"), 0 } },
		{ "pkey_mprotect", SYS_pkey_mprotect, { 0, 4096, PROT_EXEC, -1 } },
		{ "an owner of signals", SYS_fcntl, { 0, F_SETOWN, 1 } },
		{ "dup by fcntl", SYS_fcntl, { 0, F_DUPFD, 100 } },
		{ "dup", SYS_dup, { 0 } },
		{ "ioctl TIOCSTI", SYS_ioctl, { 0, 0x5412, L("x") } },
		{ "TCP_ULP", SYS_setsockopt, { 0, IPPROTO_TCP, TCP_ULP, L("tls"), 3 } },
		{ "SO_REUSEADDR", SYS_setsockopt,
		    { 0, SOL_SOCKET, SO_REUSEADDR, L(&one), 4 } },
		{ "IP options", SYS_setsockopt, { 0, IPPROTO_IP, 4, L(&one), 4 } },
		{ "setuid", SYS_setuid, { 0 } },
		{ "unshare", SYS_unshare, { 0x10000000 } },
		{ "chroot", SYS_chroot, { L("/") } },
		{ "chdir", SYS_chdir, { L("/") } },
		{ "io_uring", SYS_io_uring_setup, { 1, 0 } },
		{ "bpf", SYS_bpf, { 0, 0, 0 } },
		{ "userfaultfd", SYS_userfaultfd, { 0 } },
		{ "keyctl", SYS_keyctl, { 0 } },
		{ "shmget", SYS_shmget, { 0, 4096, 0600 } },
		{ "mq_open", SYS_mq_open, { L("x"), O_CREAT, 0600, 0 } },
		{ "unlink", SYS_unlink, { L("x") } },
		{ "a call for x32", SYS_read | 0x40000000L, { -1, 0, 0 } },
		{ "a call that is none", 100000, { 0 } },
	};
	size_t i;

	(void)state;
	not_with_sanitizers();
	for (i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++)
		if (passes(attempts[i].nr, attempts[i].args))
			fail_msg("%s passes", attempts[i].what);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_call),
		cmocka_unit_test(test_auth_sorts_much),
		cmocka_unit_test(test_allowed_arguments),
		cmocka_unit_test(test_attempts),
	};

	log_init("test", STDERR_FILENO, 0, LOG_CRIT, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
