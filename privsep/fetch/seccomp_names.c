/*
 * What the process that looks a name up may ask of the kernel: to read files, and to
 * speak to a name server or to a local service that knows names.  Which of these it will
 * be the machine says (nsswitch.conf(5)): hence more than libc itself takes, but no
 * program, no process, no file that is written, and no other kind of socket.
 */
#include <sys/socket.h>

#include <fcntl.h>

#include "fetch.h"

#define FIONREAD 0x541b
#define TCGETS   0x5401

static const struct sandbox_row rows[] = {
	/* files, to read them */
	{ SCMP_SYS(openat), ACT_ALLOW,
	    { { 2, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY } } },
	{ SCMP_SYS(read), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(pread64), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(lseek), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(close), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(fstat), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(stat), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(lstat), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(newfstatat), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(statx), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(statfs), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(fstatfs), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(access), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(faccessat), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(readlink), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(readlinkat), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(getdents64), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(fcntl), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(dup), ACT_ALLOW, { { 0 } } },
	/* the answer */
	{ SCMP_SYS(write), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(writev), ACT_ALLOW, { { 0 } } },
	/* who knows names */
	{ SCMP_SYS(socket), ACT_ALLOW, { { 0, ~0ULL, AF_UNIX } } },
	{ SCMP_SYS(socket), ACT_ALLOW, { { 0, ~0ULL, AF_INET } } },
	{ SCMP_SYS(socket), ACT_ALLOW, { { 0, ~0ULL, AF_INET6 } } },
	{ SCMP_SYS(connect), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(sendto), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(sendmsg), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(sendmmsg), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(recvfrom), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(recvmsg), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(shutdown), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(getsockname), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(getpeername), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(getsockopt), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(setsockopt), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(ioctl), ACT_ALLOW, { { 1, ~0ULL, FIONREAD } } },
	/* waiting for it */
	{ SCMP_SYS(poll), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(ppoll), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(select), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(pselect6), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(epoll_create1), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(epoll_ctl), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(epoll_wait), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(epoll_pwait), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(timerfd_create), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(timerfd_settime), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(eventfd2), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(nanosleep), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(clock_nanosleep), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(clock_gettime), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(gettimeofday), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(time), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(restart_syscall), ACT_ALLOW, { { 0 } } },
	/* memory: modules are mapped, and nothing that can be written is executed */
	{ SCMP_SYS(brk), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(mmap), ACT_ALLOW, { { 2, 4 /* PROT_EXEC */, 0 } } },
	{ SCMP_SYS(mmap), ACT_ALLOW, { { 2, 6 /* and PROT_WRITE */, 4 } } },
	{ SCMP_SYS(mprotect), ACT_ALLOW, { { 2, 4, 0 } } },
	{ SCMP_SYS(mremap), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(munmap), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(madvise), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(futex), ACT_ALLOW, { { 0 } } },
	/* itself */
	{ SCMP_SYS(getrandom), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(getpid), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(getppid), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(gettid), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(getuid), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(geteuid), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(getgid), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(getegid), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(uname), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(sysinfo), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(getcwd), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(sched_yield), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(rt_sigaction), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(rt_sigprocmask), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(rt_sigreturn), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(sigaltstack), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(exit), ACT_ALLOW, { { 0 } } },
	{ SCMP_SYS(exit_group), ACT_ALLOW, { { 0 } } },
	/* what libc and modules look for, and live without */
	{ SCMP_SYS(socket), ACT_ERRNO, { { 0, ~0ULL, AF_NETLINK } } },
	{ SCMP_SYS(ioctl), ACT_ERRNO, { { 1, ~0ULL, TCGETS } } },
	{ SCMP_SYS(bind), ACT_ERRNO, { { 0 } } },
	{ SCMP_SYS(socketpair), ACT_ERRNO, { { 0 } } },
	{ SCMP_SYS(pipe2), ACT_ERRNO, { { 0 } } },
	{ SCMP_SYS(clone), ACT_ERRNO, { { 0 } } },
	{ SCMP_SYS(clone3), ACT_ERRNO, { { 0 } } },
	{ SCMP_SYS(prctl), ACT_ERRNO, { { 0 } } },
	{ SCMP_SYS(prlimit64), ACT_ERRNO, { { 0 } } },
	{ SCMP_SYS(sched_getaffinity), ACT_ERRNO, { { 0 } } },
	{ SCMP_SYS(inotify_init1), ACT_ERRNO, { { 0 } } },
	{ SCMP_SYS(memfd_create), ACT_ERRNO, { { 0 } } },
};

const struct sandbox sandbox_names = {
	.name = "names",
	.rows = rows,
	.nrows = sizeof(rows) / sizeof(rows[0]),
	.limits = { .nofile = 64, .as = 256ULL << 20, .may_write = true /* the log */ },
	.paths = { { "/etc", false }, { "/run", false }, { "/usr", false },
	    { "/lib", false } },
	.tcp = true,
};
