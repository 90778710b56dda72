/*
 * What ided-fetch may ask of the kernel: to use the one connection that it has, and
 * one message.  It opens no file, makes no socket and starts nothing.
 */
#include "../seccomp_rows.h"
#include "fetch.h"

static const struct sandbox_row rows[] = {
	/* the feed, or a proxy */
	ALLOW(poll),
	ALLOW(read),
	ALLOW(write),
	ALLOW(close),
	/* the answer */
	ALLOW(sendmsg),
	/* what any process needs: seccomp_rows.h */
	ROWS_TIME,
	ROWS_MEMORY,
	ROWS_SELF,
	/* libc and OpenSSL look for these and live without them */
	DENY(openat),
	DENY(ioctl),
	/* TCP_NODELAY and TLS in the kernel */
	DENY(setsockopt),
};

const struct sandbox sandbox_fetch = {
	.name = "fetch",
	.rows = rows,
	.nrows = sizeof(rows) / sizeof(rows[0]),
	.limits = { .nofile = 64, .as = 256ULL << 20, .may_write = true /* the log */ },
};
