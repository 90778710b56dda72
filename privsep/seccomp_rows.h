/*
 * Rows that the tables of system calls have in common: what any process of ours needs
 * to run at all, and nothing that it could do harm with.  What one may do beyond that
 * stands in its own table; the worker's, which is shorter, is wholly its own.
 */
#ifndef PRIVSEP_SECCOMP_ROWS_H
#define PRIVSEP_SECCOMP_ROWS_H

#include <sys/mman.h>

#include "sandbox.h"

/* clang-format off */
/* The time, and to go on after a stop. */
#define ROWS_TIME								\
	ALLOW(clock_gettime), ALLOW(gettimeofday), ALLOW(restart_syscall)

/* To wait for what one has. */
#define ROWS_LOOP								\
	ALLOW(epoll_wait), ALLOW(epoll_pwait), ALLOW(epoll_ctl), ROWS_TIME

/* Memory: nothing that can be executed, nor becomes so. */
#define ROWS_MEMORY								\
	ALLOW(brk), ALLOW(munmap), ALLOW(mremap), ALLOW(madvise),		\
	ALLOW_IF(mmap, { 2, PROT_EXEC, 0 }),					\
	ALLOW_IF(mprotect, { 2, PROT_EXEC, 0 }), ALLOW(futex)

/* Random numbers, and whether it was forked since; the way back from a signal; the end. */
#define ROWS_SELF								\
	ALLOW(getrandom), ALLOW(getpid), ALLOW(rt_sigprocmask),		\
	ALLOW(rt_sigreturn), ALLOW(exit), ALLOW(exit_group)
/* clang-format on */

#endif
