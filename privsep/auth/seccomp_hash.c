/*
 * What a hash helper may ask of the kernel: memory, and messages.
 */
#include <sys/socket.h>

#include <fcntl.h>

#include "../seccomp_rows.h"

static const struct sandbox_row rows[] = {
	/* channels */
	ALLOW(sendmsg),
	ALLOW(recvmsg),
	/* a new log's descriptor: is it one? (chan.c) */
	ALLOW_IF(newfstatat, { 3, AT_EMPTY_PATH, AT_EMPTY_PATH }),
	ALLOW(fstat),
	ALLOW(close),
	ALLOW(write), /* log */
	/* what any process needs: seccomp_rows.h */
	ROWS_LOOP,
	ROWS_MEMORY,
	ROWS_SELF,
	/* libc looks for these and lives without them */
	DENY(openat),
	DENY(ioctl),
};

const struct sandbox sandbox_hash = {
	.name = "hash",
	.rows = rows,
	.nrows = sizeof(rows) / sizeof(rows[0]),
	.limits = { .nofile = 64, .may_write = true /* the log */ },
};
