/*
 * What a worker may ask of the kernel: these 36 calls, all else kills it.  It
 * can open files only below its static root and only to read them; it cannot
 * make sockets or processes, signal, or run anything.
 *
 * The zygote's list holds these rows too (a child cannot have more than its
 * parent), hence a header.
 */
#ifndef WORKER_SECCOMP_WORKER_H
#define WORKER_SECCOMP_WORKER_H

#include <sys/socket.h>

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include "../privsep/sandbox.h"
#include "zygote.h"

/* clang-format off */
#define ALLOW_(call) { SCMP_SYS(call), ACT_ALLOW, { { 0 } } }
/* clang-format on */
#define STATIC_FLAGS (O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)

/* Both have these limits; a worker may have no process besides. */
#define WORKER_LIMITS .nofile = 512, .nproc = 0, .fsize = 0, .as = 512UL << 20

/* clang-format off */
#define WORKER_ROWS								\
	/* the connection, its upstreams, the channels */			\
	ALLOW_(read), ALLOW_(readv), ALLOW_(write), ALLOW_(writev),		\
	ALLOW_(recvmsg), ALLOW_(sendmsg), ALLOW_(recvfrom), ALLOW_(sendto),	\
	ALLOW_(shutdown), ALLOW_(close),					\
	/* libevent asks how much there is to read */				\
	{ SCMP_SYS(ioctl), ACT_ALLOW, { { 1, 0xffffffff, 0x541b /* FIONREAD */ } } }, \
	{ SCMP_SYS(getsockopt), ACT_ALLOW, { { 1, ~0ULL, SOL_SOCKET } } },	\
	{ SCMP_SYS(getsockopt), ACT_ALLOW, { { 1, ~0ULL, IPPROTO_TCP },	\
	    { 2, ~0ULL, TCP_INFO } } },						\
	{ SCMP_SYS(setsockopt), ACT_ALLOW, { { 1, ~0ULL, IPPROTO_TCP } } },	\
	{ SCMP_SYS(setsockopt), ACT_ALLOW, { { 1, ~0ULL, SOL_SOCKET },		\
	    { 2, ~0ULL, SO_LINGER } } },					\
	{ SCMP_SYS(fcntl), ACT_ALLOW, { { 1, ~0ULL, F_GETFL } } },		\
	{ SCMP_SYS(fcntl), ACT_ALLOW, { { 1, ~0ULL, F_SETFL } } },		\
	/* static files: below the one folder, to read */			\
	{ SCMP_SYS(openat), ACT_ALLOW, { { 0, 0xffffffff, FD_STATIC },		\
	    { 2, 0xffffffff, STATIC_FLAGS } } },				\
	ALLOW_(pread64), ALLOW_(fstat),						\
	{ SCMP_SYS(newfstatat), ACT_ALLOW, { { 3, AT_EMPTY_PATH, AT_EMPTY_PATH } } }, \
	/* event loop, time */							\
	ALLOW_(poll), ALLOW_(clock_gettime), ALLOW_(gettimeofday),		\
	ALLOW_(restart_syscall),						\
	/* memory: nothing that can be executed */				\
	ALLOW_(brk), ALLOW_(munmap), ALLOW_(mremap), ALLOW_(madvise),		\
	{ SCMP_SYS(mmap), ACT_ALLOW, { { 2, 4 /* PROT_EXEC */, 0 } } },		\
	{ SCMP_SYS(mprotect), ACT_ALLOW, { { 2, 4, 0 } } },			\
	ALLOW_(futex), ALLOW_(getrandom),					\
	/* signals are only ever the kernel's (SIGPIPE is ignored) */		\
	ALLOW_(rt_sigprocmask), ALLOW_(rt_sigreturn), ALLOW_(rt_sigaction),	\
	ALLOW_(getpid), ALLOW_(exit), ALLOW_(exit_group),
/* clang-format on */

#endif
