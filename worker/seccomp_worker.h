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

#include <sys/mman.h>
#include <sys/socket.h>

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include "../privsep/sandbox.h"
#include "zygote.h"

#define STATIC_FLAGS (O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)

/* Both have these limits; a worker may have no process besides. */
#define WORKER_LIMITS .nofile = 512, .nproc = 0, .fsize = 0, .as = 512UL << 20

/* clang-format off */
/* Not TCP_ULP, by which a socket gets other code of the kernel's. */
#define SET_TCP_(option)							\
	ALLOW_IF(setsockopt, { 1, LOW32, IPPROTO_TCP }, { 2, LOW32, option })
#define WORKER_ROWS								\
	/* the connection, its upstreams, the channels */			\
	ALLOW(read), ALLOW(write), ALLOW(recvmsg), ALLOW(sendmsg),		\
	ALLOW(shutdown), ALLOW(close),						\
	ALLOW_IF(getsockopt, { 1, ~0ULL, SOL_SOCKET }),			\
	ALLOW_IF(getsockopt, { 1, ~0ULL, IPPROTO_TCP }, { 2, ~0ULL, TCP_INFO }), \
	ALLOW_IF(setsockopt, { 1, ~0ULL, SOL_SOCKET }, { 2, ~0ULL, SO_LINGER }), \
	SET_TCP_(TCP_NODELAY), SET_TCP_(TCP_NOTSENT_LOWAT),			\
	SET_TCP_(TCP_USER_TIMEOUT),						\
	/* static files: below the one folder, to read */			\
	ALLOW_IF(openat, { 0, LOW32, FD_STATIC }, { 2, LOW32, STATIC_FLAGS }),	\
	ALLOW(pread64), ALLOW(fstat),						\
	ALLOW_IF(newfstatat, { 3, AT_EMPTY_PATH, AT_EMPTY_PATH }),		\
	/* event loop; the time, where it is not to be had without a call */	\
	ALLOW(poll), ALLOW(clock_gettime), ALLOW(gettimeofday),		\
	ALLOW(restart_syscall) /* one that was stopped goes on */,		\
	/* memory: nothing that can be executed, nor becomes so */		\
	ALLOW(brk), ALLOW(munmap), ALLOW(mremap),				\
	ALLOW_IF(mmap, { 2, PROT_EXEC, 0 }),					\
	ALLOW(futex) /* what libraries do once */, ALLOW(getrandom),		\
	ALLOW(getpid) /* was it forked?  the generator of random numbers */,	\
	ALLOW(exit_group),
/* clang-format on */

#endif
