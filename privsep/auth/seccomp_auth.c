/*
 * What auth may ask of the kernel.  It works on the files of the store's folder,
 * which is its root, and on channels; it starts nothing, signals nobody, and
 * makes no socket.
 */
#include <sys/socket.h>

#include <fcntl.h>

#include "../sandbox.h"

static const struct sandbox_row rows[] = {
	/* channels and the control socket */
	{ SCMP_SYS(accept4), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(sendmsg), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(recvmsg), ACT_ALLOW, { { 0 } } },
	/* who speaks to the control socket, and what kind a descriptor is */
	{ SCMP_SYS(getsockopt), ACT_ALLOW, { { 1, ~0ULL, SOL_SOCKET } } },
	/* a port's connection leads to that port */
	{ SCMP_SYS(getpeername), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(close), ACT_ALLOW, { { 0 } } },
	/* the store: its root holds nothing else */
	{ SCMP_SYS(openat), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(newfstatat), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(fstat), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(fstatfs), ACT_ALLOW, { { 0 } } }, /* is there space? */
	{ SCMP_SYS(lseek), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(read), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(write), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(pread64), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(pwrite64), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(fsync), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(fdatasync), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(ftruncate), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(fcntl), ACT_ALLOW, { { 1, ~0ULL, F_SETFD } } },
	{ SCMP_SYS(fcntl), ACT_ALLOW, { { 1, ~0ULL, F_GETFD } } },
	{ SCMP_SYS(fcntl), ACT_ALLOW, { { 1, ~0ULL, F_GETFL } } },
	{ SCMP_SYS(getdents64), ACT_ALLOW, { { 0 } } }, /* logs to remove */
	{ SCMP_SYS(unlink), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(rename), ACT_ALLOW, { { 0 } } },
	/* the audit trail: space before it is needed, old segments */
	{ SCMP_SYS(fallocate), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(renameat), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(unlinkat), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(access), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(flock), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(getcwd), ACT_ALLOW, { { 0 } } }, /* the engine; it is / */
	/* event loop */
	{ SCMP_SYS(epoll_wait), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(epoll_pwait), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(epoll_ctl), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(clock_gettime), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(gettimeofday), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(restart_syscall), ACT_ALLOW, { { 0 } } },
	/* the engine yields where it would spin */
	{ SCMP_SYS(sched_yield), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(select), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(pselect6), ACT_ALLOW, { { 0 } } },
	/* memory: nothing that can be executed */
	{ SCMP_SYS(brk), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(mmap), ACT_ALLOW, { { 2, 4 /* PROT_EXEC */, 0 } } },
	{ SCMP_SYS(mprotect), ACT_ALLOW, { { 2, 4, 0 } } },
	{ SCMP_SYS(mremap), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(munmap), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(madvise), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(futex), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(getrandom), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(rt_sigprocmask), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(rt_sigreturn), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(getpid), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(gettid), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(geteuid), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(exit), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(exit_group), ACT_ALLOW, { { 0 } } },
	/* libc looks for these and lives without them */
	{ SCMP_SYS(ioctl), ACT_ERRNO, { { 0 } } },
	/* how much memory is there?  asked by qsort(3), before it sorts much */
	{ SCMP_SYS(sysinfo), ACT_ERRNO, { { 0 } } },
	/* how many processors are there?  asked when the store heals */
	{ SCMP_SYS(sched_getaffinity), ACT_ERRNO, { { 0 } } },
};

const struct sandbox sandbox_auth = {
	.name = "auth",
	.rows = rows,
	.nrows = sizeof(rows) / sizeof(rows[0]),
	.limits = { .nofile = 20000, .may_write = true },
	.paths = { { "/", true } },
};
