/*
 * What the zygote may ask of the kernel: the workers' rows, so that their list is
 * this one less the rest (sandbox_compile_less); and the rest, which is to make a
 * worker, to see it end or to end it, and to take the rest from it.
 */
#include <sys/prctl.h>

#include <linux/seccomp.h>

#include <signal.h>
#include <stddef.h>

#include "seccomp_worker.h"

static const struct sandbox_row rows[] = {
	WORKER_ROWS
	/* one worker more, and the end of one */
	{ SCMP_SYS(clone), ACT_ALLOW, { { 0, 0x7e020000 /* CLONE_NEW* */, 0 } } },
	ALLOW_(wait4),
	ALLOW_(set_robust_list),
	ALLOW_(rt_sigprocmask),
	{ SCMP_SYS(kill), ACT_ALLOW, { { 1, 0xffffffff, SIGKILL } } },
	/* heap.c, in the child: pages that it is going to fill */
	{ SCMP_SYS(madvise), ACT_ALLOW, { { 2, ~0ULL, 23 /* MADV_POPULATE_WRITE */ } } },
	/* in the child: dies with its parent, and has fewer rights */
	{ SCMP_SYS(prctl), ACT_ALLOW,
	    { { 0, 0xffffffff, PR_SET_PDEATHSIG }, { 1, ~0ULL, SIGKILL } } },
	ALLOW_(getppid),
	{ SCMP_SYS(seccomp), ACT_ALLOW, { { 0, ~0ULL, SECCOMP_SET_MODE_FILTER } } },
	{ SCMP_SYS(prlimit64), ACT_ALLOW, { { 0, ~0ULL, 0 /* itself */ } } },
};

const struct sandbox sandbox_zygote = {
	.name = "zygote",
	.rows = rows,
	.nrows = sizeof(rows) / sizeof(rows[0]),
	.limits = { WORKER_LIMITS, .may_fork = true },
	.paths = { { "/", false }, { NULL, false } },
};
