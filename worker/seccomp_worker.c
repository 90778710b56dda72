/* The worker's sandbox: the list is in seccomp_worker.h. */
#include "seccomp_worker.h"

static const struct sandbox_row rows[] = { WORKER_ROWS };

const struct sandbox sandbox_worker = {
	.name = "worker",
	.rows = rows,
	.nrows = sizeof(rows) / sizeof(rows[0]),
	.limits = { WORKER_LIMITS },
	/* Landlock is the zygote's, which a child cannot leave. */
};
