/*
 * What keys may ask of the kernel.  It computes and answers: it opens nothing,
 * makes no socket, starts nothing and signals nobody.  The files that it
 * writes are given to it.
 */
#include <sys/socket.h>

#include <fcntl.h>

#include "keys.h"

#define PROT_EXEC_BIT 4

static const struct sandbox_row rows[] = {
	/* channels */
	{ SCMP_SYS(sendmsg), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(recvmsg), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(close), ACT_ALLOW, { { 0 } } },
	/* what came is what the message table says (chan.c) */
	{ SCMP_SYS(getsockopt), ACT_ALLOW, { { 1, ~0ULL, SOL_SOCKET } } },
	{ SCMP_SYS(newfstatat), ACT_ALLOW, { { 3, AT_EMPTY_PATH, AT_EMPTY_PATH } } },
	{ SCMP_SYS(fstat), ACT_ALLOW, { { 0 } } },
	/* the file of a new key; those of keys for auth; log lines */
	{ SCMP_SYS(pread64), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(pwrite64), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(fdatasync), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(ftruncate), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(write), ACT_ALLOW, { { 0 } } },
	/* event loop */
	{ SCMP_SYS(epoll_wait), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(epoll_pwait), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(epoll_ctl), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(clock_gettime), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(gettimeofday), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(restart_syscall), ACT_ALLOW, { { 0 } } },
	/* memory: nothing that can be executed */
	{ SCMP_SYS(brk), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(mmap), ACT_ALLOW, { { 2, PROT_EXEC_BIT, 0 } } },
	{ SCMP_SYS(mprotect), ACT_ALLOW, { { 2, PROT_EXEC_BIT, 0 } } },
	{ SCMP_SYS(mremap), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(munmap), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(madvise), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(futex), ACT_ALLOW, { { 0 } } },
	/* the generator of random numbers: seeds, and whether it was forked */
	{ SCMP_SYS(getrandom), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(getpid), ACT_ALLOW, { { 0 } } },
	/* the end */
	{ SCMP_SYS(rt_sigprocmask), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(rt_sigreturn), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(exit), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(exit_group), ACT_ALLOW, { { 0 } } },
	/* libc looks for these and lives without them */
	{ SCMP_SYS(openat), ACT_ERRNO, { { 0 } } },
	{ SCMP_SYS(ioctl), ACT_ERRNO, { { 0 } } },
};

const struct sandbox sandbox_keys = {
	.name = "keys",
	.rows = rows,
	.nrows = sizeof(rows) / sizeof(rows[0]),
	.limits = { .nofile = 8192 + 64, .may_write = true },
};
