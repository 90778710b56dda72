/*
 * What auth may ask of the kernel.  It works on the files of the store's folder,
 * which is its root, and on channels; it starts nothing, signals nobody, and
 * makes no socket.
 */
#include <sys/socket.h>

#include <fcntl.h>

#include "../seccomp_rows.h"

static const struct sandbox_row rows[] = {
	/* channels and the control socket */
	ALLOW(accept4),
	ALLOW(sendmsg),
	ALLOW(recvmsg),
	/* who speaks to the control socket, and what kind a descriptor is */
	ALLOW_IF(getsockopt, { 1, ~0ULL, SOL_SOCKET }),
	/* a port's connection leads to that port */
	ALLOW(getpeername),
	ALLOW(close),
	/* the store: its root holds nothing else */
	ALLOW(openat),
	ALLOW(newfstatat),
	ALLOW(fstat),
	ALLOW(fstatfs), /* is there space? */
	ALLOW(lseek),
	ALLOW(read),
	ALLOW(write),
	ALLOW(pread64),
	ALLOW(pwrite64),
	ALLOW(fsync),
	ALLOW(fdatasync),
	ALLOW(ftruncate),
	ALLOW_IF(fcntl, { 1, ~0ULL, F_SETFD }),
	ALLOW_IF(fcntl, { 1, ~0ULL, F_GETFD }),
	ALLOW_IF(fcntl, { 1, ~0ULL, F_GETFL }),
	ALLOW(getdents64), /* logs to remove */
	ALLOW(unlink),
	ALLOW(rename),
	/* the audit trail: space before it is needed, old segments */
	ALLOW(fallocate),
	ALLOW(renameat),
	ALLOW(unlinkat),
	ALLOW(access),
	ALLOW(flock),
	ALLOW(getcwd), /* the engine; it is / */
	/* the engine yields where it would spin */
	ALLOW(sched_yield),
	ALLOW(select),
	ALLOW(pselect6),
	/* who it is itself */
	ALLOW(gettid),
	ALLOW(geteuid),
	/* what any process needs: seccomp_rows.h */
	ROWS_LOOP,
	ROWS_MEMORY,
	ROWS_SELF,
	/* libc looks for these and lives without them */
	DENY(ioctl),
	/* how much memory is there?  asked by qsort(3), before it sorts much */
	DENY(sysinfo),
	/* how many processors are there?  asked when the store heals */
	DENY(sched_getaffinity),
};

const struct sandbox sandbox_auth = {
	.name = "auth",
	.rows = rows,
	.nrows = sizeof(rows) / sizeof(rows[0]),
	.limits = { .nofile = 20000, .may_write = true },
	.paths = { { "/", true } },
};
