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
	    ALLOW_IF(clone, { 0, 0x7e020000 /* CLONE_NEW* */, 0 }),
	ALLOW(wait4),
	ALLOW(set_robust_list),
	ALLOW(rt_sigprocmask),
	ALLOW_IF(kill, { 1, LOW32, SIGKILL }),
	/* heap.c, in the child: pages that it is going to fill */
	ALLOW_IF(madvise, { 2, ~0ULL, 23 /* MADV_POPULATE_WRITE */ }),
	/* in the child: dies with its parent, and has fewer rights */
	ALLOW_IF(prctl, { 0, LOW32, PR_SET_PDEATHSIG }, { 1, ~0ULL, SIGKILL }),
	ALLOW(getppid),
	ALLOW_IF(seccomp, { 0, ~0ULL, SECCOMP_SET_MODE_FILTER }),
	ALLOW_IF(prlimit64, { 0, ~0ULL, 0 /* itself */ }),
};

const struct sandbox sandbox_zygote = {
	.name = "zygote",
	.rows = rows,
	.nrows = sizeof(rows) / sizeof(rows[0]),
	.limits = { WORKER_LIMITS, .may_fork = true },
	.paths = { { "/", false }, { NULL, false } },
};
