/*
 * What ided-fetch may ask of the kernel: to use the one connection that it has, and
 * one message.  It opens no file, makes no socket and starts nothing.
 */
#include "fetch.h"

static const struct sandbox_row rows[] = {
	/* the feed, or a proxy */
	{ SCMP_SYS(poll), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(read), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(write), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(close), ACT_ALLOW, { { 0 } } },
	/* the answer */
	{ SCMP_SYS(sendmsg), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(clock_gettime), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(gettimeofday), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(restart_syscall), ACT_ALLOW, { { 0 } } },
	/* memory: nothing that can be executed */
	{ SCMP_SYS(brk), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(mmap), ACT_ALLOW, { { 2, 4 /* PROT_EXEC */, 0 } } },
	{ SCMP_SYS(mprotect), ACT_ALLOW, { { 2, 4, 0 } } },
	{ SCMP_SYS(mremap), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(munmap), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(madvise), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(futex), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(getrandom), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(getpid), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(rt_sigprocmask), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(rt_sigreturn), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(exit), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(exit_group), ACT_ALLOW, { { 0 } } },
	/* libc and OpenSSL look for these and live without them */
	{ SCMP_SYS(openat), ACT_ERRNO, { { 0 } } },
	{ SCMP_SYS(ioctl), ACT_ERRNO, { { 0 } } },
	/* TCP_NODELAY and TLS in the kernel */
	{ SCMP_SYS(setsockopt), ACT_ERRNO, { { 0 } } },
};

const struct sandbox sandbox_fetch = {
	.name = "fetch",
	.rows = rows,
	.nrows = sizeof(rows) / sizeof(rows[0]),
	.limits = { .nofile = 64, .as = 256ULL << 20, .may_write = true /* the log */ },
};
