/*
 * What users' programs may ask of the kernel.
 *
 * An allow-list: what is not here is refused with EPERM, and what is newer than
 * this list does not exist (ENOSYS), so that libraries fall back.  It is
 * stricter than what container runtimes allow without capabilities, and leaves
 * everything that compilers, debuggers (of one's own processes), node, python
 * and git need.  A second filter holds what is refused by argument, because an
 * allow-list cannot say "all but".
 */
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <linux/netlink.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <linux/tiocl.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../log.h"
#include "../sandbox.h"
#include "sandbox_steps.h"

/* clang-format off */
#define A(name)		{ SCMP_SYS(name), ACT_ALLOW, { { 0, 0, 0 } } }
#define N(nr)		{ (nr), ACT_ALLOW, { { 0, 0, 0 } } }
/* clang-format on */
/* The kernel looks at 32 bits of these arguments, hence so do we: a value with
 * bits above them is the same value to it. */
#define LOW32 0xffffffffULL
/* clang-format off */
#define A1(name, arg, mask, value)					\
	{ SCMP_SYS(name), ACT_ALLOW, { { (arg), (mask), (value) } } }
#define A2(name, a0, m0, v0, a1, m1, v1)				\
	{ SCMP_SYS(name), ACT_ALLOW, { { (a0), (m0), (v0) }, { (a1), (m1), (v1) } } }
/* clang-format on */

#define NEW_NAMESPACE                                                                    \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |                   \
	    (uint64_t)CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)

static const struct sandbox_row allowed[] = {
	/* Files. */
	A(access),
	A(chdir),
	A(chmod),
	A(chown),
	A(close),
	A(close_range),
	A(copy_file_range),
	A(creat),
	A(dup),
	A(dup2),
	A(dup3),
	A(faccessat),
	A(faccessat2),
	A(fadvise64),
	A(fallocate),
	A(fchdir),
	A(fchmod),
	A(fchmodat),
	N(452) /* fchmodat2 */,
	A(fchown),
	A(fchownat),
	A(fcntl),
	A(fdatasync),
	A(fgetxattr),
	A(flistxattr),
	A(flock),
	A(fremovexattr),
	A(fsetxattr),
	A(fstat),
	A(fstatfs),
	A(fsync),
	A(ftruncate),
	A(futimesat),
	A(getcwd),
	A(getdents),
	A(getdents64),
	A(getxattr),
	A(ioctl),
	A(lchown),
	A(lgetxattr),
	A(link),
	A(linkat),
	A(listxattr),
	A(llistxattr),
	A(lremovexattr),
	A(lseek),
	A(lsetxattr),
	A(lstat),
	A(mkdir),
	A(mkdirat),
	A1(mknod, 1, S_IFMT, 0), /* files, queues, sockets: no device */
	A1(mknod, 1, S_IFMT, S_IFREG),
	A1(mknod, 1, S_IFMT, S_IFIFO),
	A1(mknod, 1, S_IFMT, S_IFSOCK),
	A1(mknodat, 2, S_IFMT, 0),
	A1(mknodat, 2, S_IFMT, S_IFREG),
	A1(mknodat, 2, S_IFMT, S_IFIFO),
	A1(mknodat, 2, S_IFMT, S_IFSOCK),
	A(newfstatat),
	A(open),
	A(openat),
	A(openat2),
	A(pipe),
	A(pipe2),
	A(pread64),
	A(preadv),
	A(preadv2),
	A(pwrite64),
	A(pwritev),
	A(pwritev2),
	A(read),
	A(readahead),
	A(readlink),
	A(readlinkat),
	A(readv),
	A(removexattr),
	A(rename),
	A(renameat),
	A(renameat2),
	A(rmdir),
	A(sendfile),
	A(setxattr),
	A(splice),
	A(stat),
	A(statfs),
	A(statx),
	A(symlink),
	A(symlinkat),
	A(sync),
	A(sync_file_range),
	A(syncfs),
	A(tee),
	A(truncate),
	A(umask),
	A(unlink),
	A(unlinkat),
	A(utime),
	A(utimensat),
	A(utimes),
	A(vmsplice),
	A(write),
	A(writev),
	N(451) /* cachestat */,

	/* Waiting for files. */
	A(epoll_create),
	A(epoll_create1),
	A(epoll_ctl),
	A(epoll_pwait),
	A(epoll_pwait2),
	A(epoll_wait),
	A(eventfd),
	A(eventfd2),
	A(inotify_add_watch),
	A(inotify_init),
	A(inotify_init1),
	A(inotify_rm_watch),
	A(io_cancel),
	A(io_destroy),
	A(io_getevents),
	A(io_pgetevents),
	A(io_setup),
	A(io_submit),
	A(poll),
	A(ppoll),
	A(pselect6),
	A(select),
	A(signalfd),
	A(signalfd4),
	A(timerfd_create),
	A(timerfd_gettime),
	A(timerfd_settime),

	/* Memory. */
	A(brk),
	A(madvise),
	A(membarrier),
	A(memfd_create),
	A(memfd_secret),
	A(mincore),
	A(mlock),
	A(mlock2),
	A(mlockall),
	A(mmap),
	A(mprotect),
	A(mremap),
	A(msync),
	A(munlock),
	A(munlockall),
	A(munmap),
	A(pkey_alloc),
	A(pkey_free),
	A(pkey_mprotect),
	N(453) /* map_shadow_stack */,
	N(462) /* mseal */,

	/* Messages, semaphores and memory shared inside the sandbox: an ipc
	 * namespace of its own. */
	A(mq_getsetattr),
	A(mq_notify),
	A(mq_open),
	A(mq_timedreceive),
	A(mq_timedsend),
	A(mq_unlink),
	A(msgctl),
	A(msgget),
	A(msgrcv),
	A(msgsnd),
	A(semctl),
	A(semget),
	A(semop),
	A(semtimedop),
	A(shmat),
	A(shmctl),
	A(shmdt),
	A(shmget),

	/* Time. */
	A(alarm),
	A(clock_getres),
	A(clock_gettime),
	A(clock_nanosleep),
	A(getitimer),
	A(gettimeofday),
	A(nanosleep),
	A(pause),
	A(setitimer),
	A(time),
	A(timer_create),
	A(timer_delete),
	A(timer_getoverrun),
	A(timer_gettime),
	A(timer_settime),
	A(times),

	/* Processes and threads; no new namespace. */
	A(arch_prctl),
	A1(clone, 0, NEW_NAMESPACE, 0),
	A(execve),
	A(execveat),
	A(exit),
	A(exit_group),
	A(fork),
	A(futex),
	A(futex_waitv),
	N(454) /* futex_wake */,
	N(455) /* futex_wait */,
	N(456) /* futex_requeue */,
	A(get_robust_list),
	A(getcpu),
	A(getpgid),
	A(getpgrp),
	A(getpid),
	A(getppid),
	A(getpriority),
	A(getrlimit),
	A(getrusage),
	A(getsid),
	A(gettid),
	A(ioprio_get),
	A(ioprio_set),
	A(kill),
	A(pidfd_open),
	A(pidfd_send_signal),
	A(prctl),
	A(prlimit64),
	A(process_mrelease),
	A(restart_syscall),
	A(rseq),
	A(sched_get_priority_max),
	A(sched_get_priority_min),
	A(sched_getaffinity),
	A(sched_getattr),
	A(sched_getparam),
	A(sched_getscheduler),
	A(sched_rr_get_interval),
	A(sched_setaffinity),
	A(sched_setattr),
	A(sched_setparam),
	A(sched_setscheduler),
	A(sched_yield),
	A(set_robust_list),
	A(set_tid_address),
	A(setpgid),
	A(setpriority),
	A(setrlimit),
	A(setsid),
	A(sysinfo),
	A(tgkill),
	A(tkill),
	A(uname),
	A(vfork),
	A(wait4),
	A(waitid),

	/* Signals. */
	A(rt_sigaction),
	A(rt_sigpending),
	A(rt_sigprocmask),
	A(rt_sigqueueinfo),
	A(rt_sigreturn),
	A(rt_sigsuspend),
	A(rt_sigtimedwait),
	A(rt_tgsigqueueinfo),
	A(sigaltstack),

	/* Debuggers: one uid in one pid namespace, and none of it has privileges. */
	A(process_vm_readv),
	A(process_vm_writev),
	A(ptrace),
	A1(personality, 0, LOW32, 0x0),
	A1(personality, 0, LOW32, 0x8),
	A1(personality, 0, LOW32, 0x20000),
	A1(personality, 0, LOW32, 0x20008),
	A1(personality, 0, LOW32, 0x40000), /* no random layout, gdb */
	A1(personality, 0, LOW32, 0xffffffff),

	/* Identities: there is one, these ask for it or fail. */
	A(capget),
	A(capset),
	A(getegid),
	A(geteuid),
	A(getgid),
	A(getgroups),
	A(getresgid),
	A(getresuid),
	A(getuid),
	A(setfsgid),
	A(setfsuid),
	A(setgid),
	A(setgroups),
	A(setregid),
	A(setresgid),
	A(setresuid),
	A(setreuid),
	A(setuid),

	/* Networks: internet, local sockets, and what lists interfaces. */
	A1(socket, 0, LOW32, AF_UNIX),
	A1(socket, 0, LOW32, AF_INET),
	A1(socket, 0, LOW32, AF_INET6),
	A2(socket, 0, LOW32, AF_NETLINK, 2, LOW32, NETLINK_ROUTE),
	A1(socketpair, 0, LOW32, AF_UNIX),
	A(accept),
	A(accept4),
	A(bind),
	A(connect),
	A(getpeername),
	A(getsockname),
	A(getsockopt),
	A(listen),
	A(recvfrom),
	A(recvmmsg),
	A(recvmsg),
	A(sendmmsg),
	A(sendmsg),
	A(sendto),
	A(setsockopt),
	A(shutdown),

	/* Random numbers, and sandboxes of the users' own. */
	A(getrandom),
	A(landlock_add_rule),
	A(landlock_create_ruleset),
	A(landlock_restrict_self),
	A(seccomp),
};

/* In the second filter: all but these. */
static const struct sandbox_row refused[] = {
	/* Typing into a terminal for somebody else. */
	A1(ioctl, 1, LOW32, TIOCSTI),
	A1(ioctl, 1, LOW32, TIOCLINUX),
	A1(ioctl, 1, LOW32, TIOCSETD),
};

#define COUNT(a) ((unsigned int)(sizeof(a) / sizeof((a)[0])))

static struct sock_fprog allow_prog, refuse_prog;

const struct sandbox_row *
seccomp_user_rows(unsigned int *n)
{
	*n = COUNT(allowed);
	return allowed;
}

static void
add_row(
    scmp_filter_ctx ctx, const char *name, const struct sandbox_row *row, uint32_t action)
{
	struct scmp_arg_cmp cmp[SANDBOX_ARGS];
	unsigned int i, n = 0;
	int r;

	for (i = 0; i < SANDBOX_ARGS && row->args[i].mask != 0; i++)
		cmp[n++] = (struct scmp_arg_cmp){ row->args[i].arg, SCMP_CMP_MASKED_EQ,
			row->args[i].mask, row->args[i].value };
	r = seccomp_rule_add_exact_array(ctx, action, row->nr, n, cmp);
	if (r < 0 && r != -EEXIST)
		fatalx("seccomp: %s: call %d: %s", name, row->nr, strerror(-r));
}

/* libc tries clone3 first, and falls back only if there is no such call; the
 * same goes for whatever is newer than our table. */
static void
add_absent(scmp_filter_ctx ctx, const char *name, bool clone3)
{
	int nr, r;

	if (clone3 &&
	    (r = seccomp_rule_add_exact(
		 ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0)) < 0)
		fatalx("seccomp: %s: clone3: %s", name, strerror(-r));
	for (nr = SECCOMP_NEWEST + 1; nr <= SECCOMP_LAST; nr++)
		if ((r = seccomp_rule_add_exact(ctx, SCMP_ACT_ERRNO(ENOSYS), nr, 0)) < 0)
			fatalx("seccomp: %s: call %d: %s", name, nr, strerror(-r));
}

static struct sock_fprog export(scmp_filter_ctx ctx, const char *name)
{
	struct sock_fprog prog;
	struct stat st;
	int fd;

	fd = (int)syscall(SYS_memfd_create, "seccomp", 1U /* MFD_CLOEXEC */);
	if (fd == -1 || seccomp_export_bpf(ctx, fd) < 0 || fstat(fd, &st) == -1)
		fatalx("seccomp: %s: export", name);
	prog.len = (unsigned short)((size_t)st.st_size / sizeof(struct sock_filter));
	prog.filter = malloc((size_t)st.st_size);
	if (prog.filter == NULL ||
	    pread(fd, prog.filter, (size_t)st.st_size, 0) != st.st_size)
		fatal("seccomp: %s", name);
	close(fd);
	return prog;
}

/* A filter of several tables: `action' for what is listed, else `otherwise'. */
struct sock_fprog
seccomp_build(const char *name, const struct sandbox_row *const tables[],
    const unsigned int sizes[], uint32_t otherwise, uint32_t action)
{
	struct sock_fprog prog;
	scmp_filter_ctx ctx;
	unsigned int t, i;

	ctx = seccomp_init(otherwise);
	if (ctx == NULL ||
	    seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS) < 0 ||
	    seccomp_attr_set(ctx, SCMP_FLTATR_CTL_NNP, 0) < 0)
		fatalx("seccomp: %s: cannot begin", name);
	/* A tree instead of a list: the time is the same for all calls. */
	(void)seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	for (t = 0; tables[t] != NULL; t++)
		for (i = 0; i < sizes[t]; i++)
			add_row(ctx, name, &tables[t][i], action);
	if (action == SCMP_ACT_ALLOW)
		add_absent(ctx, name, tables[1] == NULL);
	prog = export(ctx, name);
	seccomp_release(ctx);
	return prog;
}

void
seccomp_user_compile(void)
{
	const struct sandbox_row *const allow[] = { allowed, NULL };
	const struct sandbox_row *const refuse[] = { refused, NULL };
	const unsigned int nallow[] = { COUNT(allowed) };
	const unsigned int nrefuse[] = { COUNT(refused) };

	allow_prog = seccomp_build(
	    "user", allow, nallow, SCMP_ACT_ERRNO(EPERM), SCMP_ACT_ALLOW);
	refuse_prog = seccomp_build(
	    "user by argument", refuse, nrefuse, SCMP_ACT_ALLOW, SCMP_ACT_ERRNO(EPERM));
}

int
setup_seccomp(struct setup *s)
{
	(void)s;
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &refuse_prog) != 0)
		return -1;
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &allow_prog);
}
