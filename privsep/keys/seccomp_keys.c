/*
 * What keys may ask of the kernel.  It computes and answers: it opens nothing,
 * makes no socket, starts nothing and signals nobody.  The files that it
 * writes are given to it.
 */
#include <sys/socket.h>

#include <fcntl.h>

#include "../seccomp_rows.h"
#include "keys.h"

static const struct sandbox_row rows[] = {
	/* channels */
	ALLOW(sendmsg),
	ALLOW(recvmsg),
	ALLOW(close),
	/* what came is what the message table says (chan.c) */
	ALLOW_IF(getsockopt, { 1, ~0ULL, SOL_SOCKET }),
	ALLOW_IF(newfstatat, { 3, AT_EMPTY_PATH, AT_EMPTY_PATH }),
	ALLOW(fstat),
	/* the file of a new key; those of keys for auth; log lines */
	ALLOW(pread64),
	ALLOW(pwrite64),
	ALLOW(fdatasync),
	ALLOW(ftruncate),
	ALLOW(write),
	/* what any process needs: seccomp_rows.h */
	ROWS_LOOP,
	ROWS_MEMORY,
	ROWS_SELF,
	/* libc looks for these and lives without them */
	DENY(openat),
	DENY(ioctl),
};

const struct sandbox sandbox_keys = {
	.name = "keys",
	.rows = rows,
	.nrows = sizeof(rows) / sizeof(rows[0]),
	.limits = { .nofile = 8192 + 64, .may_write = true },
};
