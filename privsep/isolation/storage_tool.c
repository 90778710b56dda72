/*
 * mke2fs, e2fsck and resize2fs, on a file that root has made and that is the only one
 * they may write to: they run without capabilities, under Landlock where there is one,
 * with a fixed environment and no configuration of theirs, and what they are given is
 * numbers and a descriptor.
 */
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <linux/capability.h>
#include <linux/landlock.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../log.h"
#include "../sandbox.h"
#include "sandbox_steps.h"
#include "storage.h"
#include "tree.h"

#define FD_IMAGE 3
#define IMAGE    "/proc/self/fd/3"
#define ARGS_MAX 24
#define CPU_MAX  3600 /* seconds; a check of terabytes takes minutes */
#define OFTEN    1000 /* ms, between signs of life */

#define FS_ABI1  ((1ULL << 13) - 1)
#define TRUNCATE (1ULL << 14) /* ABI 3 */

static const char *const places[][2] = {
	[TOOL_MAKE] = { "/sbin/mke2fs", "/usr/sbin/mke2fs" },
	[TOOL_CHECK] = { "/sbin/e2fsck", "/usr/sbin/e2fsck" },
	[TOOL_GROW] = { "/sbin/resize2fs", "/usr/sbin/resize2fs" },
};

/* What they are made of, to be read and run. */
static const char *const readable[] = { "/usr", "/lib", "/lib64", "/bin", "/sbin",
	"/etc/ld.so.cache", "/proc", "/dev/null", "/dev/urandom" };

/* Root's, and nobody else's to write to. */
static const char *
place(enum tool tool)
{
	struct stat st;
	unsigned int i;

	for (i = 0; i < 2; i++)
		if (stat(places[tool][i], &st) == 0 && S_ISREG(st.st_mode) &&
		    st.st_uid == 0 && (st.st_mode & (S_IWGRP | S_IWOTH)) == 0)
			return places[tool][i];
	return NULL;
}

const char *
tool_missing(void)
{
	if (place(TOOL_MAKE) == NULL)
		return "mke2fs";
	if (place(TOOL_CHECK) == NULL)
		return "e2fsck";
	return place(TOOL_GROW) == NULL ? "resize2fs" : NULL;
}

static void
allow(int ruleset, const char *path, uint64_t rights)
{
	struct landlock_path_beneath_attr beneath;
	struct stat st;

	memset(&beneath, 0, sizeof(beneath));
	beneath.parent_fd = open(path, O_PATH | O_CLOEXEC);
	if (beneath.parent_fd == -1 || fstat(beneath.parent_fd, &st) == -1)
		return;
	if (!S_ISDIR(st.st_mode))
		rights &= LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE |
		    LANDLOCK_ACCESS_FS_WRITE_FILE | TRUNCATE;
	beneath.allowed_access = rights;
	(void)syscall(
	    SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0);
	close(beneath.parent_fd);
}

static int
confine(void)
{
	const uint64_t read = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE |
	    LANDLOCK_ACCESS_FS_READ_DIR;
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct d[2];
	struct rlimit cpu = { CPU_MAX, CPU_MAX };
	uint64_t handled = FS_ABI1;
	int abi = sandbox_landlock_abi(), fd;
	unsigned int i;

	memset(d, 0, sizeof(d));
	if (setrlimit(RLIMIT_CPU, &cpu) == -1 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		return -1;
	if (abi > 0) {
		if (abi >= 3)
			handled |= TRUNCATE;
		fd = (int)syscall(
		    SYS_landlock_create_ruleset, &handled, sizeof(handled), 0);
		if (fd == -1)
			return -1;
		for (i = 0; i < sizeof(readable) / sizeof(readable[0]); i++)
			allow(fd, readable[i], read);
		allow(fd, IMAGE,
		    handled &
			(LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE |
			    TRUNCATE));
		if (syscall(SYS_landlock_restrict_self, fd, 0) == -1)
			return -1;
		close(fd);
	}
	return (int)syscall(SYS_capset, &h, d);
}

_Noreturn static void
become(const char *path, char *const argv[], int image, int out)
{
	static char env[][40] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C",
		"MKE2FS_CONFIG=/dev/null", "E2FSCK_CONFIG=/dev/null", "MKE2FS_SYNC=0" };
	char *envp[] = { env[0], env[1], env[2], env[3], env[4], NULL };
	int null;

	null = open("/dev/null", O_RDWR);
	image = fcntl(image, F_DUPFD, 16);
	out = fcntl(out, F_DUPFD, 16);
	if (null == -1 || image == -1 || out == -1 || dup2(null, 0) == -1 ||
	    dup2(out, 1) == -1 || dup2(out, 2) == -1 || dup2(image, FD_IMAGE) == -1 ||
	    syscall(SYS_close_range, FD_IMAGE + 1, ~0U, 0) == -1 || confine() == -1)
		_exit(126);
	execve(path, argv, envp);
	_exit(127);
}

/* Something to read, or the end. */
static void
wait_for(int from, const struct patience *patience)
{
	struct pollfd p = { from, POLLIN, 0 };

	while (poll(&p, 1, patience != NULL ? OFTEN : -1) == 0)
		patience->fn(patience->arg);
}

/* The end of what it says: that is where it says why. */
static void
hear(int from, const struct patience *patience, char *said, size_t len)
{
	char buf[512];
	size_t have = 0, n, i;
	ssize_t r;

	for (;;) {
		wait_for(from, patience);
		r = read(from, buf, sizeof(buf));
		if (r == 0 || (r == -1 && errno != EINTR))
			break;
		n = r > 0 ? (size_t)r : 0;
		if (n >= len) {
			memcpy(said, buf + n - (len - 1), len - 1);
			have = len - 1;
			continue;
		}
		if (have + n > len - 1) {
			memmove(said, said + have + n - (len - 1), len - 1 - n);
			have = len - 1 - n;
		}
		memcpy(said + have, buf, n);
		have += n;
	}
	/* One line, of what can be printed. */
	while (have > 0 && (said[have - 1] == '\n' || said[have - 1] == ' '))
		have--;
	said[have] = '\0';
	for (i = 0; i < have; i++)
		if (said[i] < ' ' || said[i] > '~')
			said[i] = ' ';
}

/* Its exit status, or -1: it could not be run, or was killed. */
static int
run(enum tool tool, char *argv[], int image, const struct patience *patience, char *said,
    size_t len)
{
	const char *path = place(tool);
	int fd[2], status;
	pid_t pid;

	if (path == NULL || pipe2(fd, O_CLOEXEC) == -1) {
		snprintf(said, len, "%s: %s", argv[0],
		    path == NULL ? "not found: install e2fsprogs" : strerror(errno));
		return -1;
	}
	pid = ns_clone(0, -1, NULL);
	if (pid == 0)
		become(path, argv, image, fd[1]);
	close(fd[1]);
	if (pid == -1) {
		snprintf(said, len, "%s: %s", argv[0], strerror(errno));
		close(fd[0]);
		return -1;
	}
	hear(fd[0], patience, said, len);
	close(fd[0]);
	while (waitpid(pid, &status, 0) == -1)
		if (errno != EINTR)
			return -1;
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	snprintf(said, len, "%s: ended by signal %d", argv[0], WTERMSIG(status));
	return -1;
}

/*
 * Everything is said here, so that volumes are the same on every machine.  No
 * blocks are kept for root, the tables are zero because the file is new, and
 * there is room for the file system to grow in place.
 */
int
tool_make(int image, uint64_t inodes, unsigned int journal_mb, uint32_t uid, char *said,
    size_t len)
{
	static char features[] = "none,has_journal,ext_attr,resize_inode,dir_index,"
				 "filetype,extent,64bit,flex_bg,sparse_super,large_file,"
				 "huge_file,dir_nlink,extra_isize,metadata_csum";
	char count[32], journal[32], extended[128];
	char name[] = "mke2fs", q[] = "-q", force[] = "-F", type[] = "-t",
	     ext4[] = "ext4", m[] = "-m", zero[] = "0", b[] = "-b", block[] = "4096",
	     i[] = "-I", inode[] = "256", n[] = "-N", j[] = "-J", o[] = "-O", e[] = "-e",
	     errors[] = "remount-ro", x[] = "-E", file[] = IMAGE;
	char *argv[ARGS_MAX] = { name, q, force, type, ext4, m, zero, b, block, i, inode,
		n, count, j, journal, o, features, e, errors, x, extended, file, NULL };

	snprintf(count, sizeof(count), "%" PRIu64, inodes);
	snprintf(journal, sizeof(journal), "size=%u", journal_mb);
	snprintf(extended, sizeof(extended),
	    "nodiscard,lazy_itable_init=0,lazy_journal_init=1,assume_storage_prezeroed=1,"
	    "root_owner=%u:%u",
	    uid, uid);
	return run(TOOL_MAKE, argv, image, NULL, said, len) == 0 ? 0 : -1;
}

/* As at the boot of a machine: what is safe to mend is mended, all else is left. */
int
tool_check(int image, const struct patience *patience, char *said, size_t len)
{
	char name[] = "e2fsck", p[] = "-p", file[] = IMAGE;
	char *argv[] = { name, p, file, NULL };
	int status;

	status = run(TOOL_CHECK, argv, image, patience, said, len);
	/* 16 and more: it is not the file system's fault. */
	return status == -1 || status >= 16 ? 1 : (status & ~3) == 0 ? 0 : -1;
}

/* It was found sound, or has been made so. */
int
tool_grow(int image, const struct patience *patience, char *said, size_t len)
{
	char name[] = "resize2fs", force[] = "-f", file[] = IMAGE;
	char *argv[] = { name, force, file, NULL };

	return run(TOOL_GROW, argv, image, patience, said, len) == 0 ? 0 : -1;
}
