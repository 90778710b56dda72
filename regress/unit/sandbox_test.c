/* A child's shorter list of system calls, on top of its parent's. */
#include <sys/prctl.h>
#include <sys/wait.h>

#include <linux/seccomp.h>

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../privsep/conf.h"
#include "../../privsep/log.h"
#include "../../privsep/sandbox.h"

#define COMMON ALLOW(getpid), ALLOW(exit_group), ALLOW(write), ALLOW(rt_sigreturn)

static const struct sandbox_row parent_rows[] = {
	COMMON,
	ALLOW(getppid),
	ALLOW_IF(kill, { 1, ~0ULL, 0 }),
	ALLOW_IF(alarm, { 0, ~0ULL, 0 }),
	ALLOW(seccomp),
};
static const struct sandbox_row child_rows[] = {
	COMMON,
	ALLOW_IF(alarm, { 0, ~0ULL, 0 }),
};
static const struct sandbox_row wider_rows[] = { COMMON, ALLOW(getuid) };
static const struct sandbox_row narrower_rows[] = {
	COMMON,
	ALLOW_IF(getppid, { 0, ~0ULL, 1 }),
};
static const struct sandbox_row other_rows[] = {
	COMMON,
	ALLOW_IF(alarm, { 0, ~0ULL, 1 }),
};

#define SANDBOX(rows_)                                                                   \
	{                                                                                \
		.name = #rows_, .rows = rows_, .nrows = sizeof(rows_) / sizeof(rows_[0]) \
	}

static const struct sandbox parent = SANDBOX(parent_rows);
static const struct sandbox child = SANDBOX(child_rows);
static const struct sandbox wider = SANDBOX(wider_rows);
static const struct sandbox narrower = SANDBOX(narrower_rows);
static const struct sandbox other = SANDBOX(other_rows);

static void
call_getpid(void)
{
	(void)syscall(SCMP_SYS(getpid));
}

static void
call_getppid(void)
{
	(void)getppid();
}

static void
call_kill(void)
{
	(void)kill(0, 0);
}

static void
call_alarm(void)
{
	(void)alarm(0);
}

static void
call_alarm_set(void)
{
	(void)alarm(1);
}

static void
call_seccomp(void)
{
	(void)syscall(SCMP_SYS(seccomp), SECCOMP_SET_MODE_FILTER, 0, NULL);
}

static void
call_getuid(void)
{
	(void)syscall(SCMP_SYS(getuid));
}

/* How it ends when it makes this call under both lists, or the parent's alone. */
static int
status_of(void (*call)(void), bool less)
{
	struct sock_fprog both[2];
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		both[0] = sandbox_compile(&parent);
		both[1] = sandbox_compile_less(&child, &parent);
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
			_exit(2);
		sandbox_install(&both[0]);
		if (less)
			sandbox_install(&both[1]);
		call();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void
test_only_what_both_allow(void **state)
{
	static const struct {
		const char *name;
		void (*call)(void);
		bool parent, child;
	} calls[] = {
		{ "getpid", call_getpid, true, true },
		{ "alarm(0)", call_alarm, true, true },
		{ "alarm(1)", call_alarm_set, false, false },
		{ "getppid", call_getppid, true, false },
		{ "kill", call_kill, true, false },
		{ "seccomp", call_seccomp, true, false },
		{ "getuid", call_getuid, false, false },
	};
	int status, i, less;
	bool ok;

	(void)state;
	for (i = 0; i < (int)(sizeof(calls) / sizeof(calls[0])); i++)
		for (less = 0; less < 2; less++) {
			status = status_of(calls[i].call, less);
			ok = less ? calls[i].child : calls[i].parent;
			if (ok ? !WIFEXITED(status) || WEXITSTATUS(status) != 0 :
				 !WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
				fail_msg("%s, %s: status %x", calls[i].name,
				    less ? "both lists" : "the parent's", status);
		}
}

/* A list that is not a part of the parent's is a mistake, and fatal. */
static void
test_must_be_less(void **state)
{
	static const struct sandbox *const wrong[] = { &wider, &narrower, &other };
	size_t i;
	pid_t pid;
	int status;

	(void)state;
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		pid = fork();
		if (pid == 0) {
			log_init("test", 2, LOG_FORMAT_TEXT, LOG_CRIT, false);
			(void)sandbox_compile_less(wrong[i], &parent);
			_exit(0);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_what_both_allow),
		cmocka_unit_test(test_must_be_less),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
