/* System calls by name and number, and by other ways in. */
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/user.h>
#include <sys/wait.h>

#include <linux/filter.h>
#include <linux/seccomp.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "probe.h"

/* Docker's list of what is refused without capabilities, by x86_64's numbers. */
static const struct {
	const char *name;
	long nr;
} calls[] = {
	{ "_sysctl", 156 },
	{ "acct", 163 },
	{ "add_key", 248 },
	{ "afs_syscall", 183 },
	{ "bpf", 321 },
	{ "chroot", 161 },
	{ "clock_settime", 227 },
	{ "clone3", 435 },
	{ "create_module", 174 },
	{ "delete_module", 176 },
	{ "fanotify_init", 300 },
	{ "finit_module", 313 },
	{ "fsconfig", 431 },
	{ "fsmount", 432 },
	{ "fsopen", 430 },
	{ "fspick", 433 },
	{ "get_kernel_syms", 177 },
	{ "get_mempolicy", 239 },
	{ "getpmsg", 181 },
	{ "init_module", 175 },
	{ "io_uring_enter", 426 },
	{ "io_uring_register", 427 },
	{ "io_uring_setup", 425 },
	{ "ioperm", 173 },
	{ "iopl", 172 },
	{ "kcmp", 312 },
	{ "kexec_file_load", 320 },
	{ "kexec_load", 246 },
	{ "keyctl", 250 },
	{ "lookup_dcookie", 212 },
	{ "mbind", 237 },
	{ "migrate_pages", 256 },
	{ "mount", 165 },
	{ "mount_setattr", 442 },
	{ "move_mount", 429 },
	{ "move_pages", 279 },
	{ "nfsservctl", 180 },
	{ "open_by_handle_at", 304 },
	{ "open_tree", 428 },
	{ "perf_event_open", 298 },
	{ "pidfd_getfd", 438 },
	{ "pivot_root", 155 },
	{ "process_madvise", 440 },
	{ "putpmsg", 182 },
	{ "query_module", 178 },
	{ "quotactl", 179 },
	{ "quotactl_fd", 443 },
	{ "reboot", 169 },
	{ "request_key", 249 },
	{ "security", 185 },
	{ "set_mempolicy", 238 },
	{ "set_mempolicy_home_node", 450 },
	{ "setdomainname", 171 },
	{ "sethostname", 170 },
	{ "setns", 308 },
	{ "settimeofday", 164 },
	{ "swapoff", 168 },
	{ "swapon", 167 },
	{ "sysfs", 139 },
	{ "syslog", 103 },
	{ "tuxcall", 184 },
	{ "umount2", 166 },
	{ "unshare", 272 },
	{ "uselib", 134 },
	{ "userfaultfd", 323 },
	{ "ustat", 136 },
	{ "vhangup", 153 },
	{ "vserver", 236 },
};

/* In a process of its own: the answer may be a signal. */
static void
call_in_child(long nr, unsigned long a, unsigned long b, unsigned long c)
{
	int p[2], status, error = 0;
	pid_t pid;

	if (pipe(p) == -1 || (pid = fork()) == -1) {
		result(-1);
		return;
	}
	if (pid == 0) {
		error = syscall(nr, a, b, c, a, b, c) == -1 ? errno : 0;
		(void)!write(p[1], &error, sizeof(error));
		_exit(0);
	}
	close(p[1]);
	if (read(p[0], &error, sizeof(error)) != sizeof(error))
		error = -1;
	close(p[0]);
	while (waitpid(pid, &status, 0) == -1 && errno == EINTR)
		;
	if (WIFSIGNALED(status)) {
		printf("SIG%s\n", sigabbrev_np(WTERMSIG(status)));
	} else if (error == -1) {
		printf("ended\n"); /* a thread or a child that left with the call */
	} else {
		errno = error;
		result(error == 0 ? 0 : -1);
	}
}

static void
q_call(char **arg)
{
	unsigned long v = strtoul(arg[2], NULL, 0);
	size_t i;

	for (i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (strcmp(calls[i].name, arg[1]) == 0) {
			call_in_child(calls[i].nr, v, v, v);
			return;
		}
	printf("no such call\n");
}

static void
q_number(char **arg)
{
	call_in_child(strtol(arg[1], NULL, 0), strtoul(arg[2], NULL, 0),
	    strtoul(arg[3], NULL, 0), strtoul(arg[4], NULL, 0));
}

#ifdef __x86_64__
/* A child that lets itself be traced and asks for the number of its parent. */
static pid_t
traced(const struct sock_fprog *filter)
{
	int status;
	pid_t pid = fork();

	if (pid != 0)
		return pid != -1 && waitpid(pid, &status, 0) == pid &&
			WIFSTOPPED(status) ?
		    pid :
		    -1;
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) == -1 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1 ||
	    (filter != NULL &&
		syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, filter) == -1))
		_exit(1);
	(void)raise(SIGSTOP);
	(void)syscall(SYS_getppid);
	_exit(0);
}

/* To its next stop, of that kind of going on; its registers. */
static bool
next_stop(pid_t pid, enum __ptrace_request how, struct user_regs_struct *regs)
{
	int status;

	return ptrace(how, pid, NULL, NULL) != -1 && waitpid(pid, &status, 0) == pid &&
	    WIFSTOPPED(status) && ptrace(PTRACE_GETREGS, pid, NULL, regs) != -1;
}

/* Where it asks for its parent, it has asked for something else. */
static void
change_call(pid_t pid, enum __ptrace_request how, long options, char **arg)
{
	struct user_regs_struct regs;

	if (pid == -1 || ptrace(PTRACE_SETOPTIONS, pid, NULL, options) == -1) {
		result(-1);
		return;
	}
	do {
		if (!next_stop(pid, how, &regs)) {
			printf("it did not stop\n");
			return;
		}
	} while (regs.orig_rax != SYS_getppid);
	regs.orig_rax = strtoul(arg[1], NULL, 0);
	regs.rdi = regs.rsi = regs.rdx = strtoul(arg[2], NULL, 0);
	if (ptrace(PTRACE_SETREGS, pid, NULL, &regs) == -1 ||
	    !next_stop(pid, PTRACE_SYSCALL, &regs)) {
		result(-1);
		return;
	}
	errno = (int)-(long)regs.rax;
	result((long)regs.rax < 0 ? -1 : 0);
}

static void
end_traced(pid_t pid)
{
	if (pid == -1)
		return;
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
}

/* By who traces it, at the entrance. */
static void
q_traced(char **arg)
{
	pid_t pid = traced(NULL);

	change_call(pid, PTRACE_SYSCALL, 0, arg);
	end_traced(pid);
}

/* What a filter of one's own does with that call: with all others nothing. */
static struct sock_fprog
own_filter(unsigned int nr, unsigned int action)
{
	static struct sock_filter code[4];

	code[0] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0);
	code[1] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1);
	code[2] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action);
	code[3] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	return (struct sock_fprog){ 4, code };
}

/* By the same, after filters have been asked. */
static void
q_traced_late(char **arg)
{
	const struct sock_fprog filter = own_filter(SYS_getppid, SECCOMP_RET_TRACE);
	pid_t pid = traced(&filter);

	change_call(pid, PTRACE_CONT, PTRACE_O_TRACESECCOMP, arg);
	end_traced(pid);
}

/* No filters, for who is traced. */
static void
q_suspend(char **arg)
{
	pid_t pid = traced(NULL);

	(void)arg;
	result(ptrace(PTRACE_SETOPTIONS, pid, NULL, 1L << 21 /* SUSPEND_SECCOMP */));
	end_traced(pid);
}

/* A filter of one's own asks another process, who is there to say that all is well. */
static void
q_notified(char **arg)
{
	const struct sock_fprog filter = own_filter(
	    (unsigned int)strtoul(arg[1], NULL, 0), 0x7fc00000U /* USER_NOTIF */);

	(void)alarm(1);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1 ||
	    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 1UL << 3 /* NEW_LISTENER */,
		&filter) == -1)
		printf("no filter: ");
	result(syscall(strtol(arg[1], NULL, 0), 0, 0, 0));
}

static void
q_int80(char **arg)
{
	int status;
	pid_t pid = fork();

	(void)arg;
	if (pid == 0) {
		__asm__ volatile("int $0x80" : : "a"(20L) : "memory");
		_exit(0);
	}
	(void)waitpid(pid, &status, 0);
	if (WIFSIGNALED(status))
		printf("SIG%s\n", sigabbrev_np(WTERMSIG(status)));
	else
		printf("ok\n");
}
#endif

const struct question call_questions[] = {
	{ "call", q_call },
	{ "number", q_number },
#ifdef __x86_64__
	{ "int80", q_int80 },
	{ "traced", q_traced },
	{ "traced-late", q_traced_late },
	{ "suspend", q_suspend },
	{ "notified", q_notified },
#endif
	{ NULL, NULL },
};
