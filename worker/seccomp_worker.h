/*
 * What a worker may ask of the kernel: what it is seen to call, and all else kills
 * it.  It can open files only below its static root and only to read them; it cannot
 * make sockets or processes, signal, or run anything.  There is no way back from a
 * signal either (rt_sigreturn), as it handles none.
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
/* Not TCP_ULP, by which a socket gets other code of the kernel's. */
#define SET_TCP_(option)							\
	{ SCMP_SYS(setsockopt), ACT_ALLOW, { { 1, 0xffffffff, IPPROTO_TCP },	\
	    { 2, 0xffffffff, option } } }
#define WORKER_ROWS								\
	/* the connection, its upstreams, the channels */			\
	ALLOW_(read), ALLOW_(write), ALLOW_(recvmsg), ALLOW_(sendmsg),		\
	ALLOW_(shutdown), ALLOW_(close),					\
	{ SCMP_SYS(getsockopt), ACT_ALLOW, { { 1, ~0ULL, SOL_SOCKET } } },	\
	{ SCMP_SYS(getsockopt), ACT_ALLOW, { { 1, ~0ULL, IPPROTO_TCP },	\
	    { 2, ~0ULL, TCP_INFO } } },						\
	{ SCMP_SYS(setsockopt), ACT_ALLOW, { { 1, ~0ULL, SOL_SOCKET },		\
	    { 2, ~0ULL, SO_LINGER } } },					\
	SET_TCP_(TCP_NODELAY), SET_TCP_(TCP_NOTSENT_LOWAT),			\
	SET_TCP_(TCP_USER_TIMEOUT),						\
	/* static files: below the one folder, to read */			\
	{ SCMP_SYS(openat), ACT_ALLOW, { { 0, 0xffffffff, FD_STATIC },		\
	    { 2, 0xffffffff, STATIC_FLAGS } } },				\
	ALLOW_(pread64), ALLOW_(fstat),						\
	{ SCMP_SYS(newfstatat), ACT_ALLOW, { { 3, AT_EMPTY_PATH, AT_EMPTY_PATH } } }, \
	/* event loop; the time, where it is not to be had without a call */	\
	ALLOW_(poll), ALLOW_(clock_gettime), ALLOW_(gettimeofday),		\
	ALLOW_(restart_syscall) /* one that was stopped goes on */,		\
	/* memory: nothing that can be executed, nor becomes so */		\
	ALLOW_(brk), ALLOW_(munmap), ALLOW_(mremap),				\
	{ SCMP_SYS(mmap), ACT_ALLOW, { { 2, 4 /* PROT_EXEC */, 0 } } },		\
	ALLOW_(futex) /* what libraries do once */, ALLOW_(getrandom),		\
	ALLOW_(getpid) /* was it forked?  the generator of random numbers */,	\
	ALLOW_(exit_group),
/* clang-format on */

#endif
