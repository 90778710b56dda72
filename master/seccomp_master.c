/*
 * What the master may ask of the kernel.  It accepts connections and passes
 * descriptors on; it opens nothing, starts nothing and signals nobody.
 */
#include <sys/socket.h>

#include <fcntl.h>

#include "../privsep/seccomp_rows.h"

static const struct sandbox_row rows[] = {
	/* connections and channels */
	ALLOW(accept4),
	ALLOW(sendmsg),
	ALLOW(recvmsg),
	ALLOW(sendto),   /* service manager */
	ALLOW(recvfrom), /* libevent's signals */
	/* only pairs, which reach nobody else */
	ALLOW_IF(socketpair, { 0, ~0ULL, AF_UNIX }),
	/* what came is what the message table says (chan.c) */
	ALLOW_IF(getsockopt, { 1, ~0ULL, SOL_SOCKET }),
	ALLOW_IF(newfstatat, { 3, AT_EMPTY_PATH, AT_EMPTY_PATH }),
	ALLOW(fstat),
	/* copies of listening sockets, for a successor */
	ALLOW_IF(fcntl, { 1, ~0ULL, F_DUPFD_CLOEXEC }),
	ALLOW(close),
	/* log, start's result, a new configuration */
	ALLOW(write),
	ALLOW(writev),
	ALLOW(pwrite64), /* heartbeat file */
	ALLOW(read),
	ALLOW(pread64),
	/* handlers only note signals */
	ALLOW(rt_sigaction),
	/* what any process needs: seccomp_rows.h */
	ROWS_LOOP,
	ROWS_MEMORY,
	ROWS_SELF,
	/* libc looks for these and lives without them */
	DENY(openat),
	DENY(ioctl),
};

const struct sandbox sandbox_master = {
	.name = "master",
	.rows = rows,
	.nrows = sizeof(rows) / sizeof(rows[0]),
	.limits = { .nofile = 65536, .may_write = true },
};
