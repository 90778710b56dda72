/* What users' programs may ask of the kernel. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include <linux/fs.h>
#include <linux/netlink.h>
#include <linux/tiocl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "privsep/isolation/sandbox_steps.h"
#include "privsep/isolation/seccomp_user.h"

/* System calls: what container runtimes block on x86_64, all of it. */

static const char *const blocked[] = { "_sysctl", "acct", "add_key", "afs_syscall", "bpf",
	"chroot", "clock_settime", "clone3", "create_module", "delete_module",
	"fanotify_init", "finit_module", "fsconfig", "fsmount", "fsopen", "fspick",
	"get_kernel_syms", "get_mempolicy", "getpmsg", "init_module", "io_uring_enter",
	"io_uring_register", "io_uring_setup", "ioperm", "iopl", "kcmp",
	"kexec_file_load", "kexec_load", "keyctl", "lookup_dcookie", "mbind",
	"migrate_pages", "mount", "mount_setattr", "move_mount", "move_pages",
	"nfsservctl", "open_by_handle_at", "open_tree", "perf_event_open", "pidfd_getfd",
	"pivot_root", "process_madvise", "putpmsg", "query_module", "quotactl",
	"quotactl_fd", "reboot", "request_key", "security", "set_mempolicy",
	"set_mempolicy_home_node", "setdomainname", "sethostname", "setns",
	"settimeofday", "swapoff", "swapon", "sysfs", "syslog", "tuxcall", "umount2",
	"unshare", "uselib", "userfaultfd", "ustat", "vhangup", "vserver" };

/* How often a list names a call, by name or by argument. */
static unsigned int
count(const struct seccomp_list *list, int nr)
{
	const char *calls;
	unsigned int i, n = 0;
	char call[64];

	for (i = 0; i < list->ngroups; i++)
		for (calls = list->groups[i].calls;
		     seccomp_next(&calls, call, sizeof(call));)
			n += seccomp_number(call) == nr;
	for (i = 0; i < list->nrows; i++)
		if (list->rows[i].nr == nr) {
			n++; /* several rows of one call are one answer */
			break;
		}
	return n;
}

static void
test_not_allowed(void **state)
{
	unsigned int i;
	int nr;

	(void)state;
	assert_int_equal(sizeof(blocked) / sizeof(blocked[0]), 68);
	for (i = 0; i < sizeof(blocked) / sizeof(blocked[0]); i++) {
		nr = seccomp_number(blocked[i]);
		assert_int_not_equal(nr, __NR_SCMP_ERROR);
		if (count(&seccomp_user_allowed, nr) != 0)
			fail_msg("%s is allowed", blocked[i]);
		if (nr != SCMP_SYS(clone3) && count(&seccomp_user_refused, nr) != 1)
			fail_msg("%s has no reason to be refused", blocked[i]);
	}
}

static void
check_names(const struct seccomp_list *list)
{
	const char *calls;
	unsigned int i;
	char call[64];

	for (i = 0; i < list->ngroups; i++) {
		assert_true(strlen(list->groups[i].why) > 5);
		for (calls = list->groups[i].calls;
		     seccomp_next(&calls, call, sizeof(call));)
			if (seccomp_number(call) == __NR_SCMP_ERROR)
				fail_msg("%s: no such call", call);
		assert_int_equal(*calls, '\0');
	}
}

/* Refused for some of its arguments. */
static bool
by_argument(int nr)
{
	unsigned int i;

	for (i = 0; i < seccomp_user_refused.nrows; i++)
		if (seccomp_user_refused.rows[i].nr == nr)
			return true;
	return false;
}

/* No call is forgotten, and none stands in two places. */
static void
test_complete(void **state)
{
	unsigned int yes, no;
	char *name;
	int nr;

	(void)state;
	check_names(&seccomp_user_allowed);
	check_names(&seccomp_user_namespaces);
	check_names(&seccomp_user_refused);
	for (nr = 0; nr <= SECCOMP_NEWEST; nr++) {
		name = seccomp_syscall_resolve_num_arch(seccomp_arch_native(), nr);
		yes = count(&seccomp_user_allowed, nr);
		no = count(&seccomp_user_refused, nr);
		if (nr == SCMP_SYS(clone3))
			assert_int_equal(yes + no, 0);
		else if (by_argument(nr))
			assert_true(yes == 1 && no == 1);
		else if ((name != NULL && yes + no != 1) || yes + no > 1)
			fail_msg("%s (%d) is allowed %u times and refused %u times",
			    name != NULL ? name : "?", nr, yes, no);
		free(name);
	}
	for (nr = 451; nr <= SECCOMP_NEWEST; nr++)
		if (count(&seccomp_user_allowed, nr) + count(&seccomp_user_refused, nr) !=
		    1)
			fail_msg("%d is forgotten", nr);
}

/* Under the filter, in a process of its own: 0, or the number of a failure. */
static int
under_filter(bool namespaces, int (*fn)(void))
{
	struct conf *conf = calloc(1, sizeof(*conf));
	struct setup s;
	int status;
	pid_t pid;

	assert_non_null(conf);
	conf->isolation.user_namespaces = namespaces;
	pid = fork();
	assert_int_not_equal(pid, -1);
	if (pid == 0) {
		memset(&s, 0, sizeof(s));
		s.conf = conf;
		seccomp_user_compile();
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1 ||
		    setup_seccomp(&s) == -1)
			_exit(255);
		_exit(fn());
	}
	free(conf);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int
call_blocked(void)
{
	unsigned int i;
	int nr, want;

	for (i = 0; i < sizeof(blocked) / sizeof(blocked[0]); i++) {
		nr = seccomp_number(blocked[i]);
		if (nr < 0)
			continue;
		want = strcmp(blocked[i], "clone3") == 0 ? ENOSYS : EPERM;
		errno = 0;
		if (syscall(nr, -1L, -1L, -1L, -1L, -1L, -1L) != -1 || errno != want)
			return (int)i + 1;
	}
	return 0;
}

static void
test_blocked(void **state)
{
	int i;

	(void)state;
	i = under_filter(false, call_blocked);
	if (i != 0)
		fail_msg("%s is not refused", i > 68 ? "the filter" : blocked[i - 1]);
}

#define REFUSED(e, want)                                                                 \
	do {                                                                             \
		errno = 0;                                                               \
		if ((e) != -1 || errno != (want))                                        \
			return __LINE__ % 200 + 1;                                       \
	} while (0)
#define NOT_REFUSED(e)                                                                   \
	do {                                                                             \
		errno = 0;                                                               \
		if ((e) == -1 && errno == EPERM)                                         \
			return __LINE__ % 200 + 1;                                       \
	} while (0)

#define ANONYMOUS (MAP_PRIVATE | MAP_ANONYMOUS)

static int
call_arguments(void)
{
	/* The kernel looks at the low 32 bits only. */
	const unsigned long high = 1UL << 32;

	REFUSED(syscall(SYS_ioctl, 0, (long)TIOCSTI, "x"), EPERM);
	REFUSED(syscall(SYS_ioctl, 0, TIOCSTI | high, "x"), EPERM);
	REFUSED(syscall(SYS_ioctl, 0, (long)TIOCLINUX, "x"), EPERM);
	REFUSED(syscall(SYS_ioctl, 0, TIOCLINUX | high, "x"), EPERM);
	REFUSED(syscall(SYS_clone, (long)(CLONE_NEWUSER | 17), 0, 0, 0, 0), EPERM);
	REFUSED(syscall(SYS_clone, (long)(CLONE_NEWNET | 17), 0, 0, 0, 0), EPERM);
	REFUSED(syscall(SYS_clone, (long)(CLONE_NEWNS | 17), 0, 0, 0, 0), EPERM);
	REFUSED(socket(AF_VSOCK, SOCK_STREAM, 0), EPERM);
	REFUSED(socket(38 /* AF_ALG */, SOCK_SEQPACKET, 0), EPERM);
	REFUSED(socket(AF_PACKET, SOCK_RAW, 0), EPERM);
	REFUSED(socket(AF_BLUETOOTH, SOCK_RAW, 0), EPERM);
	REFUSED(socket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER), EPERM);
	REFUSED(socket(AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT), EPERM);
	REFUSED(syscall(SYS_ioctl, 0, (long)TIOCCONS, "x"), EPERM);
	REFUSED(syscall(SYS_ioctl, 0, TIOCSETD | high, "x"), EPERM);
	REFUSED(syscall(SYS_ioctl, 0, (long)FS_IOC_FSSETXATTR, "x"), EPERM);
	REFUSED(syscall(SYS_ioctl, 0, FS_IOC_FSSETXATTR | high, "x"), EPERM);
	REFUSED(syscall(SYS_ioctl, 0, (long)FS_IOC_SETFLAGS, "x"), EPERM);
	REFUSED(syscall(SYS_ioctl, 0, FS_IOC_SETFLAGS | high, "x"), EPERM);
	NOT_REFUSED(ioctl(0, FS_IOC_GETFLAGS, NULL));
	REFUSED(
	    (long)mmap(NULL, 2 << 20, PROT_READ, ANONYMOUS | MAP_HUGETLB, -1, 0), EPERM);
	REFUSED((long)mmap(NULL, 2 << 20, PROT_READ,
		    ANONYMOUS | MAP_HUGETLB | 30 << MAP_HUGE_SHIFT, -1, 0),
	    EPERM);
	REFUSED(memfd_create("x", MFD_HUGETLB), EPERM);
	REFUSED(memfd_create("x", MFD_CLOEXEC | MFD_HUGETLB), EPERM);
	REFUSED(shmget(IPC_PRIVATE, 2 << 20, IPC_CREAT | SHM_HUGETLB | 0600), EPERM);
	REFUSED(setsockopt(0, IPPROTO_TCP, TCP_ULP, "tls", 4), EPERM);
	REFUSED(syscall(SYS_setsockopt, 0, IPPROTO_TCP | high, TCP_ULP | high, "tls", 4),
	    EPERM);
	REFUSED(setsockopt(0, SOL_SOCKET, SO_ATTACH_FILTER, "", 16), EPERM);
	REFUSED(setsockopt(0, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, "", 16), EPERM);
	NOT_REFUSED(setsockopt(0, SOL_SOCKET, SO_DETACH_FILTER, "", 4));
	REFUSED(syscall(451 /* cachestat */, 0, NULL, NULL, 0), EPERM);
	NOT_REFUSED((long)mmap(NULL, 4096, PROT_READ, ANONYMOUS, -1, 0));
	NOT_REFUSED(memfd_create("x", MFD_CLOEXEC));
	NOT_REFUSED(setsockopt(0, IPPROTO_TCP, TCP_NODELAY, "", 4));
	NOT_REFUSED(setsockopt(0, SOL_SOCKET, TCP_ULP, "", 4));
	REFUSED(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP), EPERM);
	REFUSED(socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW), EPERM);
	REFUSED(socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP), EPERM);
	REFUSED(socket(AF_INET, SOCK_STREAM, IPPROTO_SCTP), EPERM);
	REFUSED(socket(AF_INET, SOCK_SEQPACKET, IPPROTO_SCTP), EPERM);
	REFUSED(socket(AF_INET, 10 /* SOCK_PACKET */, 0), EPERM);
	REFUSED(mknod("/nonexistent/x", S_IFCHR | 0666, makedev(1, 1)), EPERM);
	REFUSED(mknod("/nonexistent/x", S_IFBLK | 0666, makedev(8, 0)), EPERM);
	REFUSED((int)syscall(SYS_personality, 0x0400000 /* READ_IMPLIES_EXEC */), EPERM);
	REFUSED(syscall(SECCOMP_NEWEST + 1, 0, 0, 0), ENOSYS);
	REFUSED(syscall(SECCOMP_LAST, 0, 0, 0), ENOSYS);
	NOT_REFUSED(socket(AF_UNIX, SOCK_STREAM, 0));
	NOT_REFUSED(socket(AF_INET, SOCK_STREAM, 0));
	NOT_REFUSED(socket(AF_INET6, SOCK_DGRAM, 0));
	NOT_REFUSED(
	    socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP));
	NOT_REFUSED(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_UDP));
	NOT_REFUSED(mkfifo("/nonexistent/x", 0600));
	NOT_REFUSED(mknod("/nonexistent/x", 0600, 0));
	NOT_REFUSED(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
	NOT_REFUSED((int)syscall(SYS_personality, 0xffffffff));
	NOT_REFUSED(ioctl(0, TCGETS, NULL));
	NOT_REFUSED(openat(AT_FDCWD, "/nonexistent", O_RDONLY));
	NOT_REFUSED((int)syscall(SYS_pidfd_open, getpid(), 0));
	return 0;
}

static void
test_arguments(void **state)
{
	int line;

	(void)state;
	line = under_filter(false, call_arguments);
	if (line != 0)
		fail_msg("line %d (modulo 200) does not hold", line - 1);
}

/* With `user-namespaces': those calls, and no other. */
static int
call_namespaces(void)
{
	NOT_REFUSED(syscall(SYS_clone, (long)(CLONE_NEWUSER | CLONE_FS), 0, 0, 0, 0));
	NOT_REFUSED(unshare(0));
	REFUSED(syscall(SYS_clone3, NULL, 0), ENOSYS);
	REFUSED(syscall(SYS_bpf, 0, 0, 0), EPERM);
	REFUSED(syscall(430 /* fsopen */, "x", 0), EPERM);
	REFUSED(socket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER), EPERM);
	REFUSED(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP), EPERM);
	REFUSED(syscall(SYS_ioctl, 0, (long)TIOCSTI, "x"), EPERM);
	return 0;
}

static void
test_namespaces(void **state)
{
	int line;

	(void)state;
	line = under_filter(true, call_namespaces);
	if (line != 0)
		fail_msg("line %d (modulo 200) does not hold", line - 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_not_allowed),
		cmocka_unit_test(test_complete),
		cmocka_unit_test(test_blocked),
		cmocka_unit_test(test_arguments),
		cmocka_unit_test(test_namespaces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
