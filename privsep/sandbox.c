/* Giving up for good: see sandbox.h. */
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <linux/capability.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "sandbox.h"

#ifdef SANITIZED
/*
 * A build with sanitizers (SAN=1, never installed).  A report is written by the
 * process itself, from inside its sandbox: nothing to be looked up, no terminal
 * to be asked.  The search for leaks takes what regress/leaks adds, and shadow
 * memory takes address space.
 */
const char *__asan_default_options(void);

const char *
__asan_default_options(void)
{
	return "detect_leaks=0:abort_on_error=1:symbolize=0:color=never";
}
#define LIMIT_AS false
/* What the sanitizers' own code calls. */
static const int sanitizer_calls[] = { SCMP_SYS(sigaltstack), SCMP_SYS(gettid),
	SCMP_SYS(sched_yield), SCMP_SYS(prctl), SCMP_SYS(rt_sigaction),
	SCMP_SYS(readlink), SCMP_SYS(write), SCMP_SYS(getpid), SCMP_SYS(madvise),
	SCMP_SYS(munmap), SCMP_SYS(tgkill), SCMP_SYS(mprotect), SCMP_SYS(mmap) };
/* /proc/self/maps, for a report: it does without (libc itself has openat only). */
#define SANITIZER_REFUSED SCMP_SYS(open)
#else
#define LIMIT_AS true
#endif

/* Rights of Landlock's later ABIs that Debian 12's headers may lack. */
#ifndef LANDLOCK_ACCESS_FS_REFER
#define LANDLOCK_ACCESS_FS_REFER (1ULL << 13)
#endif
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif
#ifndef LANDLOCK_ACCESS_FS_IOCTL_DEV
#define LANDLOCK_ACCESS_FS_IOCTL_DEV (1ULL << 15)
#endif
#define LL_NET_BIND_TCP        (1ULL << 0)
#define LL_NET_CONNECT_TCP     (1ULL << 1)
#define LL_SCOPE_ABSTRACT_UNIX (1ULL << 0)
#define LL_SCOPE_SIGNAL        (1ULL << 1)

#define LL_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define LL_WRITE                                                                         \
	(LL_READ | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_FILE |      \
	    LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REMOVE_DIR |                \
	    LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_TRUNCATE)

/* linux/landlock.h of any version: only the first nfields that the ABI has. */
struct ll_attr {
	uint64_t fs;
	uint64_t net;
	uint64_t scoped;
};

static void
no_capabilities(void)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct d[2];

	memset(d, 0, sizeof(d));
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == -1)
		fatal("giving up ambient capabilities");
	if (syscall(SYS_capset, &h, d) == -1)
		fatal("giving up capabilities");
}

static void
undumpable(void)
{
	struct rlimit none = { 0, 0 };

	/* After the last change of uid and the last exec: both reset it. */
	if (setrlimit(RLIMIT_CORE, &none) == -1)
		fatal("RLIMIT_CORE");
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1)
		fatal("PR_SET_DUMPABLE");
}

static void
enter_root(int fd)
{
	if (fchdir(fd) == -1)
		fatal("entering the root folder");
	if (chroot(".") == -1)
		fatal("chroot");
	if (chdir("/") == -1)
		fatal("chdir");
	close(fd);
}

void
sandbox_stay(void)
{
	no_capabilities();
	undumpable();
	if (geteuid() == 0 || getuid() == 0)
		fatalx("this process must not run as root");
}

void
sandbox_root(void)
{
	/* Run by its descriptor, a program has no name. */
	(void)prctl(PR_SET_NAME, program_invocation_short_name, 0, 0, 0);
	if (syscall(SYS_close_range, FD_FIRST_FREE, ~0U, 0) == -1)
		fatal("close_range");
	enter_root(FD_ROOT);
	sandbox_stay();
}

void
sandbox_drop(int rootfd, uint32_t uid, uint32_t gid)
{
	enter_root(rootfd);
	if (setgroups(0, NULL) == -1)
		fatal("setgroups");
	if (setresgid(gid, gid, gid) == -1)
		fatal("setresgid");
	if (setresuid(uid, uid, uid) == -1)
		fatal("setresuid");
	no_capabilities();
	undumpable();
	if (setuid(0) != -1)
		fatalx("root could be had again");
}

static void
limit(int what, const char *name, uint64_t v)
{
	struct rlimit r, old;

	if (getrlimit((__rlimit_resource_t)what, &old) == -1)
		fatal("%s", name);
	/* Without CAP_SYS_RESOURCE a limit can only be lowered. */
	if (old.rlim_max != RLIM_INFINITY && v > old.rlim_max)
		v = old.rlim_max;
	r.rlim_cur = r.rlim_max = v;
	if (setrlimit((__rlimit_resource_t)what, &r) == -1)
		fatal("%s", name);
}

void
sandbox_limits(const struct sandbox_limits *l)
{
	limit(RLIMIT_NOFILE, "RLIMIT_NOFILE", l->nofile);
	if (!l->may_fork)
		limit(RLIMIT_NPROC, "RLIMIT_NPROC", l->nproc);
	if (!l->may_write)
		limit(RLIMIT_FSIZE, "RLIMIT_FSIZE", l->fsize);
	if (l->as != 0 && l->as != ~0ULL && LIMIT_AS)
		limit(RLIMIT_AS, "RLIMIT_AS", l->as);
}

void
sandbox_no_process(void)
{
	limit(RLIMIT_NPROC, "RLIMIT_NPROC", 0);
}

int
sandbox_landlock_abi(void)
{
	long abi;

	abi = syscall(
	    SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	return abi < 0 ? 0 : (int)abi;
}

static void
landlock_path(int ruleset, const struct sandbox_path *p, uint64_t handled)
{
	struct landlock_path_beneath_attr beneath;

	memset(&beneath, 0, sizeof(beneath));
	beneath.allowed_access = (p->write ? LL_WRITE : LL_READ) & handled;
	beneath.parent_fd = open(p->path, O_PATH | O_CLOEXEC);
	if (beneath.parent_fd == -1)
		fatal("%s", p->path);
	if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &beneath,
		0) == -1)
		fatal("Landlock: %s", p->path);
	close(beneath.parent_fd);
}

void
sandbox_landlock(const struct sandbox *sb)
{
	struct ll_attr attr;
	size_t size;
	unsigned int i;
	int abi, fd;

	abi = sandbox_landlock_abi();
	if (abi == 0)
		return; /* named at start by isolation; `require' makes it fatal */
	memset(&attr, 0, sizeof(attr));
	attr.fs = (1ULL << 13) - 1;
	if (abi >= 2)
		attr.fs |= LANDLOCK_ACCESS_FS_REFER;
	if (abi >= 3)
		attr.fs |= LANDLOCK_ACCESS_FS_TRUNCATE;
	if (abi >= 5)
		attr.fs |= LANDLOCK_ACCESS_FS_IOCTL_DEV;
	size = sizeof(attr.fs);
	if (abi >= 4) {
		attr.net = sb->tcp ? 0 : LL_NET_BIND_TCP | LL_NET_CONNECT_TCP;
		size = sizeof(attr.fs) + sizeof(attr.net);
	}
	if (abi >= 6) {
		attr.scoped = LL_SCOPE_ABSTRACT_UNIX | LL_SCOPE_SIGNAL;
		size = sizeof(attr);
	}
	fd = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
	if (fd == -1)
		fatal("Landlock");
	for (i = 0; i < SANDBOX_LANDLOCK_MAX && sb->paths[i].path != NULL; i++)
		landlock_path(fd, &sb->paths[i], attr.fs);
	if (syscall(SYS_landlock_restrict_self, fd, 0) == -1)
		fatal("Landlock");
	close(fd);
}

static void
filter_row(scmp_filter_ctx ctx, const struct sandbox *sb, const struct sandbox_row *row)
{
	struct scmp_arg_cmp cmp[SANDBOX_ARGS];
	unsigned int i, n = 0;
	uint32_t action;
	int r;

	for (i = 0; i < SANDBOX_ARGS && row->args[i].mask != 0; i++)
		cmp[n++] = (struct scmp_arg_cmp){ row->args[i].arg, SCMP_CMP_MASKED_EQ,
			row->args[i].mask, row->args[i].value };
	action = row->act == ACT_ERRNO ? SCMP_ACT_ERRNO(EACCES) : SCMP_ACT_ALLOW;
	r = seccomp_rule_add_exact_array(ctx, action, row->nr, n, cmp);
	if (r < 0)
		fatalx("seccomp: %s: rule %d: %s", sb->name, row->nr, strerror(-r));
}

static scmp_filter_ctx
filter_new(const struct sandbox *sb, uint32_t action)
{
	scmp_filter_ctx ctx;

	ctx = seccomp_init(action);
	if (ctx == NULL)
		fatalx("seccomp: %s: out of memory", sb->name);
	/* Calls of another architecture (x32, i386) die as well. */
	if (seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS) < 0 ||
	    seccomp_attr_set(ctx, SCMP_FLTATR_CTL_NNP, 0) < 0)
		fatalx("seccomp: %s: attributes", sb->name);
	return ctx;
}

static scmp_filter_ctx
filter_build(const struct sandbox *sb)
{
	scmp_filter_ctx ctx;
	unsigned int i;

	ctx = filter_new(sb, SCMP_ACT_KILL_PROCESS);
	for (i = 0; i < sb->nrows; i++)
		filter_row(ctx, sb, &sb->rows[i]);
#ifdef SANITIZED
	for (i = 0; i < sizeof(sanitizer_calls) / sizeof(sanitizer_calls[0]); i++)
		if (seccomp_rule_add(ctx, SCMP_ACT_ALLOW, sanitizer_calls[i], 0) < 0)
			fatalx("seccomp: %s: sanitizer", sb->name);
	if (seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EACCES), SANITIZER_REFUSED, 0) < 0)
		fatalx("seccomp: %s: sanitizer", sb->name);
#endif
	return ctx;
}

static bool
is_sanitizer_call(int nr)
{
#ifdef __SANITIZE_ADDRESS__
	size_t i;

	for (i = 0; i < sizeof(sanitizer_calls) / sizeof(sanitizer_calls[0]); i++)
		if (sanitizer_calls[i] == nr)
			return true;
#endif
	(void)nr;
	return false;
}

static bool
row_equal(const struct sandbox_row *a, const struct sandbox_row *b)
{
	unsigned int i;

	if (a->nr != b->nr || a->act != b->act)
		return false;
	for (i = 0; i < SANDBOX_ARGS && (a->args[i].mask | b->args[i].mask) != 0; i++)
		if (a->args[i].arg != b->args[i].arg ||
		    a->args[i].mask != b->args[i].mask ||
		    a->args[i].value != b->args[i].value)
			return false;
	return true;
}

static bool
has_row(const struct sandbox *sb, const struct sandbox_row *row)
{
	unsigned int i;

	for (i = 0; i < sb->nrows; i++)
		if (row_equal(&sb->rows[i], row))
			return true;
	return false;
}

static bool
has_call(const struct sandbox *sb, int nr)
{
	unsigned int i;

	for (i = 0; i < sb->nrows; i++)
		if (sb->rows[i].nr == nr)
			return true;
	return false;
}

/* What the parent's list has and the child's has not. */
static scmp_filter_ctx
filter_build_less(const struct sandbox *sb, const struct sandbox *parent)
{
	const struct sandbox_row *row;
	scmp_filter_ctx ctx;
	unsigned int i;

	/* Together they are the child's list only if they agree on all its calls. */
	for (i = 0; i < sb->nrows; i++)
		if (!has_row(parent, &sb->rows[i]))
			fatalx("BUG: seccomp: %s: call %d is not the %s's", sb->name,
			    sb->rows[i].nr, parent->name);
	ctx = filter_new(sb, SCMP_ACT_ALLOW);
	for (i = 0; i < parent->nrows; i++) {
		row = &parent->rows[i];
		if (has_row(sb, row) || is_sanitizer_call(row->nr))
			continue;
		if (has_call(sb, row->nr))
			fatalx("BUG: seccomp: %s: call %d is narrower than the %s's",
			    sb->name, row->nr, parent->name);
		if (seccomp_rule_add(ctx, SCMP_ACT_KILL_PROCESS, row->nr, 0) < 0)
			fatalx("seccomp: %s: rule %d", sb->name, row->nr);
	}
	return ctx;
}

/* The program of a filter, which is freed. */
static struct sock_fprog
filter_export(scmp_filter_ctx ctx, const struct sandbox *sb)
{
	struct sock_fprog prog;
	struct stat st;
	ssize_t n;
	int fd;

	fd = (int)syscall(SYS_memfd_create, "seccomp", 1U /* MFD_CLOEXEC */);
	if (fd == -1 || seccomp_export_bpf(ctx, fd) < 0 || fstat(fd, &st) == -1)
		fatalx("seccomp: %s: export", sb->name);
	seccomp_release(ctx);
	if (st.st_size <= 0 || (size_t)st.st_size % sizeof(struct sock_filter) != 0 ||
	    (size_t)st.st_size / sizeof(struct sock_filter) > BPF_MAXINSNS)
		fatalx(
		    "seccomp: %s: filter of %lld bytes", sb->name, (long long)st.st_size);
	prog.len = (unsigned short)((size_t)st.st_size / sizeof(struct sock_filter));
	prog.filter = malloc((size_t)st.st_size);
	if (prog.filter == NULL)
		fatal("seccomp: %s", sb->name);
	n = pread(fd, prog.filter, (size_t)st.st_size, 0);
	if (n != st.st_size)
		fatal("seccomp: %s: read", sb->name);
	close(fd);
	return prog;
}

struct sock_fprog
sandbox_compile(const struct sandbox *sb)
{
	return filter_export(filter_build(sb), sb);
}

struct sock_fprog
sandbox_compile_less(const struct sandbox *sb, const struct sandbox *parent)
{
	return filter_export(filter_build_less(sb, parent), sb);
}

void
sandbox_install(const struct sock_fprog *prog)
{
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, prog) != 0)
		fatal("seccomp");
}

void
sandbox_enter(const struct sandbox *sb)
{
	struct sock_fprog prog;

	/* Made in a memory file, which may not be written to any more later. */
	prog = sandbox_compile(sb);
	sandbox_limits(&sb->limits);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		fatal("PR_SET_NO_NEW_PRIVS");
	sandbox_landlock(sb);
	sandbox_install(&prog);
	free(prog.filter);
}
