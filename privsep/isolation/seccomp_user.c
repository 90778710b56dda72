/*
 * What users' programs may ask of the kernel.
 *
 * An allow-list: what is not allowed here is refused with EPERM, and what is newer
 * than this list does not exist (ENOSYS), so that libraries fall back.  Every call
 * up to SECCOMP_NEWEST stands in one of these tables, also those that are refused,
 * so that none is forgotten and each has its reason.  It is stricter than what
 * container runtimes allow without capabilities, and leaves all that compilers,
 * debuggers of one's own processes, node, python and git need.
 *
 * ided-isolation(7) tells users and administrators the same.
 */
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <linux/fs.h>
#include <linux/netlink.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <linux/tiocl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <errno.h>
#include <unistd.h>

#include "../sandbox.h"
#include "sandbox_steps.h"
#include "seccomp_user.h"

#define COUNT(a) ((unsigned int)(sizeof(a) / sizeof((a)[0])))

/* clang-format off */
static const struct seccomp_group allowed_groups[] = {
	{ "files by name: what can be reached that way is for mounts and Landlock to say",
	  "access chdir chmod chown creat faccessat faccessat2 fchdir fchmodat fchmodat2 "
	  "fchownat futimesat getcwd lchown link linkat lstat mkdir mkdirat newfstatat "
	  "open openat openat2 readlink readlinkat rename renameat renameat2 rmdir stat "
	  "statfs statx symlink symlinkat truncate umask unlink unlinkat utime utimensat "
	  "utimes" },
	{ "files that are open",
	  "close close_range copy_file_range dup dup2 dup3 fadvise64 fallocate fchmod "
	  "fchown fcntl fdatasync flock fstat fstatfs fsync ftruncate getdents getdents64 "
	  "ioctl lseek pipe pipe2 pread64 preadv preadv2 pwrite64 pwritev pwritev2 read "
	  "readahead readv sendfile splice sync sync_file_range syncfs tee vmsplice write "
	  "writev" },
	{ "extended attributes: trusted and security ones take capabilities",
	  "fgetxattr flistxattr fremovexattr fsetxattr getxattr lgetxattr listxattr "
	  "llistxattr lremovexattr lsetxattr removexattr setxattr" },
	{ "waiting for files and time",
	  "epoll_create epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 epoll_wait "
	  "eventfd eventfd2 inotify_add_watch inotify_init inotify_init1 inotify_rm_watch "
	  "poll ppoll pselect6 select signalfd signalfd4 timerfd_create timerfd_gettime "
	  "timerfd_settime" },
	{ "memory of one's own",
	  "brk madvise map_shadow_stack membarrier memfd_create memfd_secret mincore "
	  "mlock mlock2 mlockall mmap mprotect mremap mseal msync munlock munlockall "
	  "munmap pkey_alloc pkey_free pkey_mprotect" },
	{ "messages, semaphores and memory to share: the ipc namespace is the sandbox's own",
	  "mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedsend mq_unlink msgctl "
	  "msgget msgrcv msgsnd semctl semget semop semtimedop shmat shmctl shmdt shmget" },
	{ "time, to be read and waited for",
	  "alarm clock_getres clock_gettime clock_nanosleep getitimer gettimeofday "
	  "nanosleep pause setitimer time timer_create timer_delete timer_getoverrun "
	  "timer_gettime timer_settime times" },
	{ "processes and threads: the pid namespace is the sandbox's own",
	  "arch_prctl execve execveat exit exit_group fork futex futex_requeue futex_wait "
	  "futex_waitv futex_wake get_robust_list getcpu getpgid getpgrp getpid getppid "
	  "getrusage getsid gettid kill pidfd_open pidfd_send_signal prctl "
	  "process_mrelease restart_syscall rseq set_robust_list set_tid_address setpgid "
	  "setsid sysinfo tgkill tkill uname vfork wait4 waitid" },
	{ "priorities and limits: they can only be lowered",
	  "getpriority getrlimit ioprio_get ioprio_set prlimit64 sched_get_priority_max "
	  "sched_get_priority_min sched_getaffinity sched_getattr sched_getparam "
	  "sched_getscheduler sched_rr_get_interval sched_setaffinity sched_setattr "
	  "sched_setparam sched_setscheduler sched_yield setpriority setrlimit" },
	{ "signals",
	  "rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn "
	  "rt_sigsuspend rt_sigtimedwait rt_tgsigqueueinfo sigaltstack" },
	{ "debuggers: one uid in one pid namespace, and nothing in there has privileges",
	  "process_vm_readv process_vm_writev ptrace" },
	{ "identities: there is one, these name it or fail",
	  "capget capset getegid geteuid getgid getgroups getresgid getresuid getuid "
	  "setfsgid setfsuid setgid setgroups setregid setresgid setresuid setreuid "
	  "setuid" },
	{ "sockets that are there: which kinds can be made is said by argument below",
	  "accept accept4 bind connect getpeername getsockname getsockopt listen recvfrom "
	  "recvmmsg recvmsg sendmmsg sendmsg sendto setsockopt shutdown" },
	{ "random numbers, and sandboxes of the users' own",
	  "getrandom landlock_add_rule landlock_create_ruleset landlock_restrict_self "
	  "seccomp" },
};

/* Allowed only with `user-namespaces' in the configuration. */
static const struct seccomp_group namespace_groups[] = {
	{ "namespaces inside a user namespace of one's own, and what containers do there",
	  "chroot clone mount mount_setattr move_mount open_tree pivot_root setdomainname "
	  "sethostname setns umount2 unshare" },
};

static const struct seccomp_group refused_groups[] = {
	{ "the tree of mounts",
	  "chroot fsconfig fsmount fsopen fspick listmount mount mount_setattr move_mount "
	  "open_tree pivot_root statmount umount2" },
	{ "namespaces: their code is where most ways out begin",
	  "setns unshare" },
	{ "modules and kernels",
	  "create_module delete_module finit_module get_kernel_syms init_module "
	  "kexec_file_load kexec_load query_module reboot" },
	{ "the machine as a whole: its name, ports, swap, accounting, terminals, log",
	  "acct ioperm iopl setdomainname sethostname swapoff swapon syslog vhangup" },
	{ "the clock, which all users share",
	  "adjtimex clock_adjtime clock_settime settimeofday" },
	{ "keyrings: they know no namespace, hence no borders between users",
	  "add_key keyctl request_key" },
	{ "large interfaces with a history of holes, which no development tool needs",
	  "bpf fanotify_init fanotify_mark io_uring_enter io_uring_register "
	  "io_uring_setup lookup_dcookie perf_event_open userfaultfd" },
	{ "descriptors and memory of other processes, past ptrace's checks",
	  "kcmp pidfd_getfd process_madvise" },
	{ "files past their names, and quotas",
	  "name_to_handle_at open_by_handle_at quotactl quotactl_fd" },
	{ "asynchronous files of the old kind: the kernel has so many for all users together",
	  "io_cancel io_destroy io_getevents io_pgetevents io_setup io_submit" },
	{ "which pages of a file are in memory, also of those that all users share",
	  "cachestat" },
	{ "where memory lies in the machine",
	  "get_mempolicy mbind migrate_pages move_pages set_mempolicy "
	  "set_mempolicy_home_node" },
	{ "security modules' own",
	  "lsm_get_self_attr lsm_list_modules lsm_set_self_attr" },
	{ "segments and calls that only old programs, or none, have made",
	  "_sysctl afs_syscall epoll_ctl_old epoll_wait_old get_thread_area getpmsg "
	  "modify_ldt nfsservctl putpmsg remap_file_pages security set_thread_area sysfs "
	  "tuxcall uretprobe uselib ustat vserver" },
};

#define A1(name, arg, mask, value)						\
	{ SCMP_SYS(name), ACT_ALLOW, { { (arg), (mask), (value) } } }
#define A2(name, a0, m0, v0, a1, m1, v1)					\
	{ SCMP_SYS(name), ACT_ALLOW, { { (a0), (m0), (v0) }, { (a1), (m1), (v1) } } }
#define A3(name, a0, m0, v0, a1, m1, v1, a2, m2, v2)				\
	{ SCMP_SYS(name), ACT_ALLOW,						\
	  { { (a0), (m0), (v0) }, { (a1), (m1), (v1) }, { (a2), (m2), (v2) } } }

#define TYPE 0xfULL /* of a socket, without SOCK_CLOEXEC and SOCK_NONBLOCK */
#define INTERNET(family)							\
	A3(socket, 0, LOW32, (family), 1, TYPE, SOCK_STREAM, 2, LOW32, 0),	\
	A3(socket, 0, LOW32, (family), 1, TYPE, SOCK_STREAM, 2, LOW32, IPPROTO_TCP), \
	A3(socket, 0, LOW32, (family), 1, TYPE, SOCK_DGRAM, 2, LOW32, 0),	\
	A3(socket, 0, LOW32, (family), 1, TYPE, SOCK_DGRAM, 2, LOW32, IPPROTO_UDP)

#define NEW_NAMESPACE								\
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |		\
	 (uint64_t)CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)

static const struct sandbox_row allowed_rows[] = {
	/* Files, queues and sockets; no device. */
	A1(mknod, 1, S_IFMT, 0),
	A1(mknod, 1, S_IFMT, S_IFREG),
	A1(mknod, 1, S_IFMT, S_IFIFO),
	A1(mknod, 1, S_IFMT, S_IFSOCK),
	A1(mknodat, 2, S_IFMT, 0),
	A1(mknodat, 2, S_IFMT, S_IFREG),
	A1(mknodat, 2, S_IFMT, S_IFIFO),
	A1(mknodat, 2, S_IFMT, S_IFSOCK),

	/* A process or thread, in the namespaces of its parent. */
	A1(clone, 0, NEW_NAMESPACE, 0),

	/* To ask for it, Linux, a layout that is the same each time (gdb). */
	A1(personality, 0, LOW32, 0x0),
	A1(personality, 0, LOW32, 0x8),
	A1(personality, 0, LOW32, 0x20000),
	A1(personality, 0, LOW32, 0x20008),
	A1(personality, 0, LOW32, 0x40000),
	A1(personality, 0, LOW32, 0xffffffff),

	/* Local sockets, TCP, UDP, and what lists interfaces: nothing raw, no
	 * protocol whose code is loaded for the asking. */
	A1(socket, 0, LOW32, AF_UNIX),
	A1(socketpair, 0, LOW32, AF_UNIX),
	INTERNET(AF_INET),
	INTERNET(AF_INET6),
	A2(socket, 0, LOW32, AF_NETLINK, 2, LOW32, NETLINK_ROUTE),
};

/* All but these: in a filter of its own, as an allow-list cannot say it. */
static const struct sandbox_row refused_rows[] = {
	/* Typing into a terminal for somebody else, taking the console's output,
	 * and line disciplines, whose code is loaded for the asking. */
	A1(ioctl, 1, LOW32, TIOCSTI),
	A1(ioctl, 1, LOW32, TIOCLINUX),
	A1(ioctl, 1, LOW32, TIOCCONS),
	A1(ioctl, 1, LOW32, TIOCSETD),
	/* Which project a file counts to, and what is made in a folder: out of one's
	 * quota. */
	A1(ioctl, 1, LOW32, FS_IOC_FSSETXATTR),
	A1(ioctl, 1, LOW32, FS_IOC_SETFLAGS),
	/* Large pages of the pool that the host has set aside, for whom it has: they
	 * count to nobody's memory. */
	A1(mmap, 3, MAP_HUGETLB, MAP_HUGETLB),
	A1(memfd_create, 1, MFD_HUGETLB, MFD_HUGETLB),
	A1(shmget, 2, SHM_HUGETLB, SHM_HUGETLB),
	/* Other code of the kernel's for a connection, TLS among it: large, and with a
	 * history of holes. */
	A2(setsockopt, 1, LOW32, IPPROTO_TCP, 2, LOW32, TCP_ULP),
	/* Programs for the kernel: it has so many bytes of them for all users together,
	 * and without any left nobody gets a filter of system calls either. */
	A2(setsockopt, 1, LOW32, SOL_SOCKET, 2, LOW32, SO_ATTACH_FILTER),
	A2(setsockopt, 1, LOW32, SOL_SOCKET, 2, LOW32, SO_ATTACH_REUSEPORT_CBPF),
};
/* clang-format on */

const struct seccomp_list seccomp_user_allowed = { allowed_groups, COUNT(allowed_groups),
	allowed_rows, COUNT(allowed_rows) };
const struct seccomp_list seccomp_user_namespaces = { namespace_groups,
	COUNT(namespace_groups), NULL, 0 };
const struct seccomp_list seccomp_user_refused = { refused_groups, COUNT(refused_groups),
	refused_rows, COUNT(refused_rows) };
static struct sock_fprog allow_prog, namespaces_prog, refuse_prog;

void
seccomp_user_compile(void)
{
	const struct seccomp_list *const allow[] = { &seccomp_user_allowed, NULL };
	const struct seccomp_list *const namespaces[] = { &seccomp_user_allowed,
		&seccomp_user_namespaces, NULL };
	const struct seccomp_list by_argument = { NULL, 0, refused_rows,
		COUNT(refused_rows) };
	const struct seccomp_list *const refuse[] = { &by_argument, NULL };

	allow_prog = seccomp_build("user", allow, SCMP_ACT_ERRNO(EPERM), SCMP_ACT_ALLOW);
	namespaces_prog = seccomp_build(
	    "user with namespaces", namespaces, SCMP_ACT_ERRNO(EPERM), SCMP_ACT_ALLOW);
	refuse_prog = seccomp_build(
	    "user by argument", refuse, SCMP_ACT_ALLOW, SCMP_ACT_ERRNO(EPERM));
}

int
setup_seccomp(struct setup *s)
{
	const struct sock_fprog *prog = s->conf->isolation.user_namespaces ?
	    &namespaces_prog :
	    &allow_prog;

	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &refuse_prog) != 0)
		return -1;
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, prog);
}
