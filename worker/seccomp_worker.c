/* The worker's sandbox: the list is in seccomp_worker.h. */
#include "seccomp_worker.h"

static const struct sandbox_row rows[] = { WORKER_ROWS };

const struct sandbox sandbox_worker = {
	.name = "worker",
	.rows = rows,
	.nrows = sizeof(rows) / sizeof(rows[0]),
	.limits = { .nofile = 512, .nproc = 0, .fsize = 0, .as = 512UL << 20 },
	/* Landlock is the zygote's, which a child cannot leave. */
};
