/*
 * The file system that a user sees: a small tmpfs with read-only binds of the
 * system, private places to write, and the home.  Nothing of the host is
 * reachable that is not listed here.
 */
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "box.h"
#include "sandbox_steps.h"

#define NOEXEC MOUNT_ATTR_NOEXEC
#define SAFE   (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)
#define RO     (MOUNT_ATTR_RDONLY | SAFE)

struct bind_row {
	const char *from;
	const char *to; /* below the new root */
	uint64_t attr;
	bool must;
};

static const struct bind_row binds[] = {
	{ "/usr", "usr", RO, true },
	/* Trust anchors, but not /etc/ssl/private. */
	{ "/etc/ssl/certs", "etc/ssl/certs", RO | NOEXEC, false },
	{ "/etc/ssl/openssl.cnf", "etc/ssl/openssl.cnf", RO | NOEXEC, false },
	{ "/etc/ca-certificates", "etc/ca-certificates", RO | NOEXEC, false },
	{ "/etc/alternatives", "etc/alternatives", RO, false },
	{ "/etc/ld.so.cache", "etc/ld.so.cache", RO | NOEXEC, false },
	{ "/etc/ld.so.conf", "etc/ld.so.conf", RO | NOEXEC, false },
	{ "/etc/ld.so.conf.d", "etc/ld.so.conf.d", RO | NOEXEC, false },
	{ "/etc/bash.bashrc", "etc/bash.bashrc", RO | NOEXEC, false },
	{ "/etc/inputrc", "etc/inputrc", RO | NOEXEC, false },
	{ "/etc/terminfo", "etc/terminfo", RO | NOEXEC, false },
	{ "/etc/services", "etc/services", RO | NOEXEC, false },
	{ "/etc/protocols", "etc/protocols", RO | NOEXEC, false },
	{ "/etc/mime.types", "etc/mime.types", RO | NOEXEC, false },
	{ "/etc/fonts", "etc/fonts", RO | NOEXEC, false },
	{ "/etc/debian_version", "etc/debian_version", RO | NOEXEC, false },
};

/* Devices: a bind of the host's node each, and none can be made. */
static const struct {
	const char *from;
	const char *to;
	unsigned int major, minor;
} devices[] = {
	{ "/dev/null", "dev/null", 1, 3 },
	{ "/dev/zero", "dev/zero", 1, 5 },
	{ "/dev/full", "dev/full", 1, 7 },
	{ "/dev/random", "dev/random", 1, 8 },
	{ "/dev/urandom", "dev/urandom", 1, 9 },
	{ "/dev/tty", "dev/tty", 5, 0 },
};

static const struct {
	const char *target;
	const char *name;
} links[] = {
	{ "/proc/self/fd", "dev/fd" },
	{ "/proc/self/fd/0", "dev/stdin" },
	{ "/proc/self/fd/1", "dev/stdout" },
	{ "/proc/self/fd/2", "dev/stderr" },
	{ "pts/ptmx", "dev/ptmx" },
	{ "../tmp", "var/tmp" },
	{ "../run", "var/run" },
	{ "/proc/self/mounts", "etc/mtab" },
	{ "../usr/lib/os-release", "etc/os-release" },
};

static const char *const dirs[] = { "dev", "dev/mqueue", "dev/pts", "dev/shm", "etc",
	"etc/ssl", "home", "opt", "opt/ide", "proc", "root", "run", "run/ide", "tmp",
	"usr", "var" };

/* What merged-usr systems have as links into /usr, and others as folders. */
static const char *const tops[] = { "bin", "lib", "lib32", "lib64", "libx32", "sbin" };

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

int
setup_private(struct setup *s)
{
	(void)s;
	return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
}

/* From here on the working directory, an empty folder, is the new root. */
int
setup_root(struct setup *s)
{
	unsigned int i;

	(void)s;
	if (mount("root", ".", "tmpfs", MS_NOSUID | MS_NODEV,
		"size=4m,nr_inodes=4k,mode=0755") == -1)
		return -1;
	/* "." is still what lies below; the mount is found by its name. */
	if (chdir("../empty") == -1)
		return -1;
	umask(0);
	for (i = 0; i < COUNT(dirs); i++)
		if (mkdir(dirs[i], 0755) == -1)
			return -1;
	return 0;
}

/* The place that something of that kind is mounted on. */
static int
make_place(const char *to, mode_t mode)
{
	int fd;

	if (S_ISDIR(mode))
		return mkdir(to, 0755) == -1 && errno != EEXIST ? -1 : 0;
	fd = open(to, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd == -1)
		return -1;
	close(fd);
	return 0;
}

int
mnt_bind(int dir, const char *from, const char *to, uint64_t attr, bool recursive)
{
	struct mount_attr ma;
	struct stat st;
	unsigned int rec = recursive ? AT_RECURSIVE : 0;
	int fd, r = -1, error;

	fd = open_tree(dir, from,
	    OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | rec |
		(from[0] == '\0' ? AT_EMPTY_PATH : 0));
	if (fd == -1)
		return -1;
	memset(&ma, 0, sizeof(ma));
	ma.attr_set = attr;
	ma.propagation = MS_PRIVATE;
	if (fstat(fd, &st) == 0 && make_place(to, st.st_mode) == 0 &&
	    mount_setattr(fd, "", AT_EMPTY_PATH | rec, &ma, sizeof(ma)) == 0)
		r = move_mount(fd, "", AT_FDCWD, to, MOVE_MOUNT_F_EMPTY_PATH);
	error = errno;
	close(fd);
	errno = error;
	return r;
}

static int
bind_top(const char *name)
{
	char path[32], target[64];
	struct stat st;
	ssize_t n;

	snprintf(path, sizeof(path), "/%s", name);
	if (lstat(path, &st) == -1)
		return errno == ENOENT ? 0 : -1;
	if (!S_ISLNK(st.st_mode))
		return mnt_bind(AT_FDCWD, path, name, RO, true);
	n = readlink(path, target, sizeof(target) - 1);
	if (n == -1)
		return -1;
	target[n] = '\0';
	return symlink(target, name);
}

int
setup_binds(struct setup *s)
{
	unsigned int i;

	for (i = 0; i < COUNT(binds); i++)
		if (mnt_bind(AT_FDCWD, binds[i].from, binds[i].to, binds[i].attr, true) ==
			-1 &&
		    (binds[i].must || errno != ENOENT)) {
			fault_set(&s->fault, FAIL_INTERNAL, "%s: %s", binds[i].from,
			    strerror(errno));
			return -1;
		}
	for (i = 0; i < COUNT(tops); i++)
		if (bind_top(tops[i]) == -1)
			return -1;
	if (mnt_bind(AT_FDCWD, s->conf->ide.path, "opt/ide", RO, true) == -1) {
		fault_set(&s->fault, FAIL_UNAVAILABLE,
		    "the IDE at %s: %s: "
		    "is it installed?",
		    s->conf->ide.path, strerror(errno));
		return -1;
	}
	return 0;
}

int
setup_dev(struct setup *s)
{
	struct stat st;
	unsigned int i;

	for (i = 0; i < COUNT(devices); i++) {
		if (mnt_bind(AT_FDCWD, devices[i].from, devices[i].to,
			MOUNT_ATTR_NOSUID | NOEXEC, false) == -1 ||
		    stat(devices[i].to, &st) == -1)
			return -1;
		if (!S_ISCHR(st.st_mode) ||
		    st.st_rdev != makedev(devices[i].major, devices[i].minor)) {
			fault_set(&s->fault, FAIL_INTERNAL,
			    "%s is not the device that it should be", devices[i].from);
			errno = ENODEV;
			return -1;
		}
	}
	for (i = 0; i < COUNT(links); i++)
		if (symlink(links[i].target, links[i].name) == -1)
			return -1;
	/* Message queues are files of the own ipc namespace: Landlock refuses all
	 * of them unless their file system has a place. */
	if (mount("mqueue", "dev/mqueue", "mqueue", MS_NOSUID | MS_NODEV | MS_NOEXEC,
		NULL) == -1)
		return -1;
	/* The kernel has 3072 terminals for all users together: a share, not more. */
	return mount("devpts", "dev/pts", "devpts", MS_NOSUID | MS_NOEXEC,
	    "newinstance,ptmxmode=0666,mode=0620,gid=5,max=256");
}

/*
 * Memory that counts against the user's own limit, and bounds of its own: as many
 * files as pages, because an empty one takes memory too.  How much is said when
 * there is a user (size 0: as little as can be).
 */
static int
mount_tmpfs(const char *where, uint64_t size, unsigned long flags, const char *more)
{
	char opt[128];

	if (size < 4096)
		size = 4096;
	snprintf(opt, sizeof(opt), "size=%llu,nr_inodes=%llu,%s",
	    (unsigned long long)size, (unsigned long long)(size / 4096), more);
	return mount("tmpfs", where, "tmpfs", MS_NOSUID | MS_NODEV | flags, opt);
}

int
setup_tmp(struct setup *s)
{
	(void)s;
	if (mount_tmpfs("tmp", 0, 0, "mode=1777") == -1 ||
	    mount_tmpfs("dev/shm", 0, MS_NOEXEC, "mode=1777") == -1)
		return -1;
	return mount_tmpfs("run/ide", 0, MS_NOEXEC, "mode=0700");
}

int
setup_tmp_user(struct setup *s)
{
	uint64_t memory = s->limits.memory, run = memory / 16;

	/* Full, all of them leave room for processes: files in memory cannot be
	 * ended, and everything else would. */
	if (run > 16 << 20)
		run = 16 << 20;
	if (mount_tmpfs("tmp", memory / 2, MS_REMOUNT, "mode=1777") == -1 ||
	    mount_tmpfs("dev/shm", memory / 4, MS_REMOUNT | MS_NOEXEC, "mode=1777") ==
		-1 ||
	    mount_tmpfs("run/ide", run, MS_REMOUNT | MS_NOEXEC, "mode=0700") == -1)
		return -1;
	return chown("run/ide", s->uid, s->uid);
}

/* Before the namespaces: a mount can be taken of what is ours only. */
int
setup_home_tree(struct setup *s)
{
	struct mount_attr ma;
	int fd;

	if (s->mounted)
		return 0;
	fd = open_tree(s->home, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	if (fd == -1)
		return -1;
	memset(&ma, 0, sizeof(ma));
	ma.attr_set = SAFE;
	ma.propagation = MS_PRIVATE;
	if (mount_setattr(fd, "", AT_EMPTY_PATH, &ma, sizeof(ma)) == -1) {
		close(fd);
		return -1;
	}
	close(s->home);
	s->home = fd;
	return 0;
}

int
setup_home_mount(struct setup *s)
{
	char to[64];

	snprintf(to, sizeof(to), "home/%s", s->user);
	if (mkdir(to, 0755) == -1 ||
	    move_mount(s->home, "", AT_FDCWD, to, MOVE_MOUNT_F_EMPTY_PATH) == -1)
		return -1;
	close(s->home);
	s->home = -1;
	return 0;
}

/* The host's root goes away. */
int
setup_pivot(struct setup *s)
{
	(void)s;
	if (syscall(SYS_pivot_root, ".", ".") == -1 || umount2(".", MNT_DETACH) == -1)
		return -1;
	return chdir("/");
}

/* All that is to be in the new root is there. */
int
setup_root_close(struct setup *s)
{
	struct mount_attr ma;

	(void)s;
	memset(&ma, 0, sizeof(ma));
	ma.attr_set = RO;
	return mount_setattr(AT_FDCWD, ".", 0, &ma, sizeof(ma));
}
