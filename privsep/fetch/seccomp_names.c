/*
 * What the process that looks a name up may ask of the kernel: to read files, and to
 * speak to a name server or to a local service that knows names.  Which of these it will
 * be the machine says (nsswitch.conf(5)): hence more than libc itself takes, but no
 * program, no process, no file that is written, and no other kind of socket.
 */
#include <sys/socket.h>

#include <fcntl.h>

#include "../seccomp_rows.h"
#include "fetch.h"

#define FIONREAD 0x541b
#define TCGETS   0x5401

static const struct sandbox_row rows[] = {
	/* files, to read them */
	ALLOW_IF(openat, { 2, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY }),
	ALLOW(read),
	ALLOW(pread64),
	ALLOW(lseek),
	ALLOW(close),
	ALLOW(fstat),
	ALLOW(stat),
	ALLOW(lstat),
	ALLOW(newfstatat),
	ALLOW(statx),
	ALLOW(statfs),
	ALLOW(fstatfs),
	ALLOW(access),
	ALLOW(faccessat),
	ALLOW(readlink),
	ALLOW(readlinkat),
	ALLOW(getdents64),
	ALLOW(fcntl),
	ALLOW(dup),
	/* the answer */
	ALLOW(write),
	ALLOW(writev),
	/* who knows names */
	ALLOW_IF(socket, { 0, ~0ULL, AF_UNIX }),
	ALLOW_IF(socket, { 0, ~0ULL, AF_INET }),
	ALLOW_IF(socket, { 0, ~0ULL, AF_INET6 }),
	ALLOW(connect),
	ALLOW(sendto),
	ALLOW(sendmsg),
	ALLOW(sendmmsg),
	ALLOW(recvfrom),
	ALLOW(recvmsg),
	ALLOW(shutdown),
	ALLOW(getsockname),
	ALLOW(getpeername),
	ALLOW(getsockopt),
	ALLOW(setsockopt),
	ALLOW_IF(ioctl, { 1, ~0ULL, FIONREAD }),
	/* waiting for it */
	ALLOW(poll),
	ALLOW(ppoll),
	ALLOW(select),
	ALLOW(pselect6),
	ALLOW(epoll_create1),
	ALLOW(timerfd_create),
	ALLOW(timerfd_settime),
	ALLOW(eventfd2),
	ALLOW(nanosleep),
	ALLOW(clock_nanosleep),
	ALLOW(time),
	/* memory: modules are mapped, and nothing that can be written is executed */
	ALLOW(brk),
	ALLOW_IF(mmap, { 2, PROT_EXEC, 0 }),
	ALLOW_IF(mmap, { 2, PROT_EXEC | PROT_WRITE, PROT_EXEC }),
	ALLOW_IF(mprotect, { 2, PROT_EXEC, 0 }),
	ALLOW(mremap),
	ALLOW(munmap),
	ALLOW(madvise),
	ALLOW(futex),
	/* itself */
	ALLOW(getppid),
	ALLOW(gettid),
	ALLOW(getuid),
	ALLOW(geteuid),
	ALLOW(getgid),
	ALLOW(getegid),
	ALLOW(uname),
	ALLOW(sysinfo),
	ALLOW(getcwd),
	ALLOW(sched_yield),
	ALLOW(rt_sigaction),
	ALLOW(sigaltstack),
	/* what any process needs: seccomp_rows.h */
	ROWS_LOOP,
	ROWS_SELF,
	/* what libc and modules look for, and live without */
	DENY_IF(socket, { 0, ~0ULL, AF_NETLINK }),
	DENY_IF(ioctl, { 1, ~0ULL, TCGETS }),
	DENY(bind),
	DENY(socketpair),
	DENY(pipe2),
	DENY(clone),
	DENY(clone3),
	DENY(prctl),
	DENY(prlimit64),
	DENY(sched_getaffinity),
	DENY(inotify_init1),
	DENY(memfd_create),
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
