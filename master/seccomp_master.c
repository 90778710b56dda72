/*
 * What the master may ask of the kernel.  It accepts connections and passes
 * descriptors on; it opens nothing, starts nothing and signals nobody.
 */
#include <sys/socket.h>

#include <fcntl.h>

#include "../privsep/sandbox.h"

static const struct sandbox_row rows[] = {
	/* connections and channels */
	{ SCMP_SYS(accept4), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(sendmsg), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(recvmsg), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(sendto), ACT_ALLOW, { { 0 } } },   /* service manager */
	{ SCMP_SYS(recvfrom), ACT_ALLOW, { { 0 } } }, /* libevent's signals */
	/* only pairs, which reach nobody else */
	{ SCMP_SYS(socketpair), ACT_ALLOW, { { 0, ~0ULL, AF_UNIX } } },
	/* what came is what the message table says (chan.c) */
	{ SCMP_SYS(getsockopt), ACT_ALLOW, { { 1, ~0ULL, SOL_SOCKET } } },
	{ SCMP_SYS(newfstatat), ACT_ALLOW, { { 3, AT_EMPTY_PATH, AT_EMPTY_PATH } } },
	{ SCMP_SYS(fstat), ACT_ALLOW, { { 0 } } },
	/* copies of listening sockets, for a successor */
	{ SCMP_SYS(fcntl), ACT_ALLOW, { { 1, ~0ULL, F_DUPFD_CLOEXEC } } },
	{ SCMP_SYS(close), ACT_ALLOW, { { 0 } } },
	/* log, start's result, a new configuration */
	{ SCMP_SYS(write), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(writev), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(pwrite64), ACT_ALLOW, { { 0 } } }, /* heartbeat file */
	{ SCMP_SYS(read), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(pread64), ACT_ALLOW, { { 0 } } },
	/* event loop */
	{ SCMP_SYS(epoll_wait), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(epoll_pwait), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(epoll_ctl), ACT_ALLOW, { { 0 } } },
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
	/* signals: handlers only note them */
	{ SCMP_SYS(rt_sigaction), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(rt_sigprocmask), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(rt_sigreturn), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(getpid), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(exit), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(exit_group), ACT_ALLOW, { { 0 } } },
	/* libc looks for these and lives without them */
	{ SCMP_SYS(openat), ACT_ERRNO, { { 0 } } },
	{ SCMP_SYS(ioctl), ACT_ERRNO, { { 0 } } },
};

const struct sandbox sandbox_master = {
	.name = "master",
	.rows = rows,
	.nrows = sizeof(rows) / sizeof(rows[0]),
	.limits = { .nofile = 65536, .may_write = true },
};
