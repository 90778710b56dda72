/*
 * What is asked from inside a user's sandbox, and what the kernel answers.
 * Reads lines, each a question, and answers each with one line: "ok", the name
 * of an error, "SIG" and a signal's name, or what was asked for.
 *
 *	probe			questions from standard input
 *	probe serve PATH NAME PORT KEY	be reachable in every way, until killed
 *	probe forks N SECONDS	make processes until refused, at most N
 *	probe memory MB		touch so much
 *	probe uid		as whom it runs
 */
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

static void
result(long r)
{
	const char *name = r == -1 ? strerrorname_np(errno) : "ok";

	printf("%s\n", name == NULL ? "unknown" : name);
}

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

static void
q_open(char **arg)
{
	int flags = strchr(arg[2], 'w') != NULL ? O_RDWR : O_RDONLY;
	int fd = open(arg[1], flags | O_CLOEXEC | O_NONBLOCK);

	result(fd == -1 ? -1 : 0);
	if (fd != -1)
		close(fd);
}

static void
q_write(char **arg)
{
	int fd = open(arg[1], O_WRONLY | O_CLOEXEC | O_NONBLOCK);

	result(fd == -1 || write(fd, arg[2], strlen(arg[2])) == -1 ? -1 : 0);
	if (fd != -1)
		close(fd);
}

static void
q_create(char **arg)
{
	int fd = open(arg[1], O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	result(fd == -1 ? -1 : 0);
	if (fd != -1)
		close(fd);
}

static void
q_list(char **arg)
{
	struct dirent **e;
	int i, n = scandir(arg[1], &e, NULL, alphasort);

	if (n == -1) {
		result(-1);
		return;
	}
	for (i = 0; i < n; i++)
		if (strcmp(e[i]->d_name, ".") != 0 && strcmp(e[i]->d_name, "..") != 0)
			printf("%s ", e[i]->d_name);
	printf("\n");
}

static void
q_mknod(char **arg)
{
	mode_t type = *arg[2] == 'b' ? S_IFBLK : S_IFCHR;

	result(mknod(arg[1], type | 0666,
	    makedev(strtoul(arg[3], NULL, 0), strtoul(arg[4], NULL, 0))));
}

/* A local socket, by path or by an abstract name. */
static int
local(int type, const char *name, bool abstract, bool serve)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd, r;
	socklen_t len;

	fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	snprintf(un.sun_path + abstract, sizeof(un.sun_path) - 1, "%s", name);
	len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + abstract +
	    strlen(name));
	r = serve ? bind(fd, (void *)&un, len) : connect(fd, (void *)&un, len);
	if (serve && r == 0)
		return listen(fd, 64);
	close(fd);
	return r;
}

/* Of whatever type it is that listens. */
static int
local_any(const char *name, bool abstract)
{
	int r = local(SOCK_STREAM, name, abstract, false);

	if (r == -1 && errno == EPROTOTYPE)
		r = local(SOCK_SEQPACKET, name, abstract, false);
	return r;
}

static void
q_path(char **arg)
{
	result(local_any(arg[1], false));
}

static void
q_abstract(char **arg)
{
	result(local_any(arg[1], true));
}

static int
inet(const char *addr, const char *port, bool serve)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	int fd, r;

	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	in.sin_port = htons((uint16_t)atoi(port));
	in.sin_addr.s_addr = inet_addr(addr);
	r = serve ? bind(fd, (void *)&in, sizeof(in)) :
		    connect(fd, (void *)&in, sizeof(in));
	if (serve && r == 0)
		return listen(fd, 64);
	if (r == 0)
		close(fd);
	return r;
}

static void
q_tcp(char **arg)
{
	result(inet(arg[1], arg[2], false));
}

static void
q_socket(char **arg)
{
	int fd = socket(atoi(arg[1]), atoi(arg[2]), atoi(arg[3]));

	result(fd == -1 ? -1 : 0);
	if (fd != -1)
		close(fd);
}

static void
q_kill(char **arg)
{
	result(kill(atoi(arg[1]), atoi(arg[2])));
}

/* Every process that there is, for this one. */
static void
q_pids(char **arg)
{
	pid_t pid;

	(void)arg;
	for (pid = 1; pid <= 65536; pid++)
		if (kill(pid, 0) == 0 || errno != ESRCH)
			printf("%d ", (int)pid);
	printf("\n");
}

static void
q_ptrace(char **arg)
{
	long r = ptrace(PTRACE_SEIZE, atoi(arg[1]), NULL, NULL);

	result(r);
	if (r == 0)
		(void)ptrace(PTRACE_DETACH, atoi(arg[1]), NULL, NULL);
}

static void
q_vmread(char **arg)
{
	char buf[8];
	struct iovec here = { buf, sizeof(buf) }, there = { (void *)0x10000, 8 };

	result(process_vm_readv(atoi(arg[1]), &here, 1, &there, 1, 0));
}

static void
q_pidfd(char **arg)
{
	int fd = (int)syscall(SYS_pidfd_open, atoi(arg[1]), 0);

	result(fd == -1 ? -1 : 0);
	if (fd != -1)
		close(fd);
}

static void
q_shm(char **arg)
{
	result(shmget((key_t)strtol(arg[1], NULL, 0), 1, 0));
}

static void
q_queue(char **arg)
{
	mqd_t q = mq_open(arg[1], O_RDONLY);

	result(q == (mqd_t)-1 ? -1 : 0);
	if (q != (mqd_t)-1)
		mq_close(q);
}

static void
q_setuid(char **arg)
{
	result(setresuid((uid_t)atoi(arg[1]), (uid_t)atoi(arg[1]), (uid_t)atoi(arg[1])));
}

static void
q_setgroups(char **arg)
{
	gid_t g = (gid_t)atoi(arg[1]);

	result(syscall(SYS_setgroups, 1, &g));
}

/* Run it, and say as whom it ran. */
static void
q_run(char **arg)
{
	char *const argv[] = { arg[1], (char *)(uintptr_t) "uid", NULL };
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		execv(arg[1], argv);
		result(-1);
		fflush(stdout);
		_exit(0);
	}
	(void)waitpid(pid, &status, 0);
}

static void
q_ids(char **arg)
{
	uid_t r, e, s;

	(void)arg;
	(void)getresuid(&r, &e, &s);
	printf("%u %u %u\n", r, e, s);
}

static void
q_fds(char **arg)
{
	int fd;

	(void)arg;
	for (fd = 0; fd < 4096; fd++)
		if (fcntl(fd, F_GETFD) != -1)
			printf("%d ", fd);
	printf("\n");
}

/* Type into one's own terminal, as a program that wants to escape from its
 * caller's sandbox does. */
static void
q_terminal(char **arg)
{
	unsigned long request = strtoul(arg[1], NULL, 0);
	char *name, c = 'x', sub[2] = { 3, 0 };
	int master, slave, status, error;
	pid_t pid;

	master = posix_openpt(O_RDWR | O_NOCTTY);
	if (master == -1 || unlockpt(master) == -1 || (name = ptsname(master)) == NULL) {
		result(-1);
		return;
	}
	pid = fork();
	if (pid == 0) {
		setsid();
		slave = open(name, O_RDWR);
		if (slave == -1)
			_exit(errno);
		error = syscall(SYS_ioctl, slave, request,
			    (request & 0xffffffff) == TIOCLINUX ? sub : &c) == -1 ?
		    errno :
		    0;
		_exit(error);
	}
	(void)waitpid(pid, &status, 0);
	close(master);
	errno = WEXITSTATUS(status);
	result(errno == 0 ? 0 : -1);
}

static void
q_mount(char **arg)
{
	result(mount(arg[1], arg[2], arg[3], 0, NULL));
}

static void
q_readlink(char **arg)
{
	char buf[4096];
	ssize_t n = readlink(arg[1], buf, sizeof(buf) - 1);

	if (n == -1) {
		result(-1);
		return;
	}
	buf[n] = '\0';
	printf("%s\n", buf);
}

static void
q_stat(char **arg)
{
	struct stat st;

	result(stat(arg[1], &st));
}

static void
q_unlink(char **arg)
{
	result(unlink(arg[1]));
}

static void
q_chmod(char **arg)
{
	result(chmod(arg[1], (mode_t)strtoul(arg[2], NULL, 8)));
}

static const struct {
	const char *name;
	void (*fn)(char **);
} questions[] = {
	{ "call", q_call },
	{ "number", q_number },
#ifdef __x86_64__
	{ "int80", q_int80 },
#endif
	{ "open", q_open },
	{ "write", q_write },
	{ "create", q_create },
	{ "list", q_list },
	{ "mknod", q_mknod },
	{ "path", q_path },
	{ "abstract", q_abstract },
	{ "tcp", q_tcp },
	{ "socket", q_socket },
	{ "kill", q_kill },
	{ "pids", q_pids },
	{ "ptrace", q_ptrace },
	{ "vmread", q_vmread },
	{ "pidfd", q_pidfd },
	{ "shm", q_shm },
	{ "queue", q_queue },
	{ "setuid", q_setuid },
	{ "setgroups", q_setgroups },
	{ "run", q_run },
	{ "ids", q_ids },
	{ "fds", q_fds },
	{ "terminal", q_terminal },
	{ "mount", q_mount },
	{ "readlink", q_readlink },
	{ "stat", q_stat },
	{ "unlink", q_unlink },
	{ "chmod", q_chmod },
};

static void
ask(char *line)
{
	static char none[] = "";
	char *arg[8], *p;
	size_t i;
	int n = 0;

	for (p = strtok(line, " \n"); p != NULL && n < 8; p = strtok(NULL, " \n"))
		arg[n++] = p;
	for (; n < 8; n++)
		arg[n] = none;
	for (i = 0; i < sizeof(questions) / sizeof(questions[0]); i++)
		if (strcmp(questions[i].name, arg[0]) == 0) {
			questions[i].fn(arg);
			fflush(stdout);
			return;
		}
	printf("what?\n");
	fflush(stdout);
}

/* Everything that another user must not reach. */
static int
serve(char **arg)
{
	char queue[64];
	struct mq_attr attr = { .mq_maxmsg = 1, .mq_msgsize = 8 };
	int fd;

	snprintf(queue, sizeof(queue), "/%s", arg[1]);
	if (local(SOCK_STREAM, arg[0], false, true) == -1 ||
	    local(SOCK_STREAM, arg[1], true, true) == -1 ||
	    inet("127.0.0.1", arg[2], true) == -1 ||
	    shmget((key_t)strtol(arg[3], NULL, 0), 4096, IPC_CREAT | 0666) == -1 ||
	    mq_open(queue, O_CREAT | O_RDWR, 0666, &attr) == (mqd_t)-1 ||
	    (fd = open("/dev/shm/public", O_CREAT | O_RDWR, 0666)) == -1 ||
	    (fd = open("/tmp/public", O_CREAT | O_RDWR, 0666)) == -1) {
		result(-1);
		return 1;
	}
	(void)chmod("/tmp/public", 0666);
	(void)chmod(arg[0], 0777);
	printf("ready\n");
	fflush(stdout);
	for (;;)
		pause();
}

static int
forks(long most, unsigned int seconds)
{
	pid_t *pid = calloc((size_t)most, sizeof(*pid));
	long n;

	for (n = 0; n < most; n++) {
		pid[n] = fork();
		if (pid[n] == 0) {
			sleep(60);
			_exit(0);
		}
		if (pid[n] == -1)
			break;
	}
	printf("%ld %s\n", n, n < most ? strerrorname_np(errno) : "ok");
	fflush(stdout);
	sleep(seconds);
	while (n-- > 0)
		(void)kill(pid[n], SIGKILL);
	return 0;
}

static int
memory(size_t mb)
{
	size_t i;
	char *p;

	for (i = 0; i < mb; i++) {
		p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (p == MAP_FAILED)
			break;
		memset(p, 1, 1 << 20);
	}
	printf("%zu\n", i);
	return 0;
}

int
main(int argc, char *argv[])
{
	char line[8192];

	if (argc == 6 && strcmp(argv[1], "serve") == 0)
		return serve(argv + 2);
	if (argc == 4 && strcmp(argv[1], "forks") == 0)
		return forks(atol(argv[2]), (unsigned int)atoi(argv[3]));
	if (argc == 3 && strcmp(argv[1], "memory") == 0)
		return memory((size_t)atol(argv[2]));
	if (argc == 2 && strcmp(argv[1], "uid") == 0) {
		q_ids(NULL);
		return 0;
	}
	while (fgets(line, sizeof(line), stdin) != NULL)
		ask(line);
	return 0;
}
