/*
 * Trees copied: a home into its volume, with everything that a file has, and a
 * skeleton into a new home, with what we let it have.
 *
 * A walk over both trees at once, one level of folders for each step down.  Hard
 * links are kept by a folder of our own at the top of the copy, in which every
 * file with several names stands once more, under its number, until the end.
 */
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include <linux/openat2.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../dir.h"
#include "tree.h"

#define DEPTH    400 /* two descriptors each */
#define PROGRESS (8 << 20)
#define CHUNK    (256 << 10)

enum mode {
	COPY,
	CHECK,
	COMPARE,
};

struct level {
	DIR *d;
	int to; /* -1 where nothing is written or compared */
	struct stat st;
	char name[NAME_MAX + 1];
};

struct copy {
	enum mode mode;
	const struct tree_rules *rules;
	struct tree_report *report;
	struct level level[DEPTH];
	unsigned int depth;
	dev_t dev;
	uint64_t told; /* bytes at the last progress */
	int links;     /* folder of hard links, or -1 */
	char links_name[32];
	char buf[CHUNK];
};

/* The path of an entry, as far as it fits, without what a terminal obeys. */
static void
set_path(struct copy *c, const char *name)
{
	char *to = c->report->path;
	size_t n = 0, i;
	unsigned int k;
	const char *s;

	for (k = 1; k <= c->depth; k++) {
		s = k < c->depth ? c->level[k].name : name;
		for (i = 0; s[i] != '\0' && n < TREE_PATH - 1; i++)
			to[n++] = s[i] >= ' ' && s[i] <= '~' ? s[i] : '?';
		if (k < c->depth && n < TREE_PATH - 1)
			to[n++] = '/';
	}
	to[n] = '\0';
}

static int fail(struct copy *, const char *, const char *, ...)
    __attribute__((format(printf, 3, 4)));

/* Of the entry that stands below the deepest level; errno stays. */
static int
fail(struct copy *c, const char *name, const char *fmt, ...)
{
	int error = errno;
	va_list ap;

	set_path(c, name);
	va_start(ap, fmt);
	vsnprintf(c->report->why, sizeof(c->report->why), fmt, ap);
	va_end(ap);
	errno = error;
	return -1;
}

static int
failed(struct copy *c, const char *name)
{
	return fail(c, name, "%s", strerror(errno));
}

static int
refuse(struct copy *c, const char *name, int error, const char *why)
{
	errno = error;
	return fail(c, name, "%s", why);
}

static struct level *
here(struct copy *c)
{
	return &c->level[c->depth - 1];
}

static int
open_file(int dir, const char *name, int flags)
{
	struct open_how how;

	memset(&how, 0, sizeof(how));
	how.flags = (uint64_t)flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
	how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS |
	    RESOLVE_NO_XDEV;
	return (int)syscall(SYS_openat2, dir, name, &how, sizeof(how));
}

static void
progress(struct copy *c)
{
	const struct patience *p = c->rules->patience;

	if (p == NULL ||
	    (c->report->bytes - c->told < PROGRESS && c->report->files % 1024 != 0))
		return;
	c->told = c->report->bytes;
	p->fn(p->arg);
}

/* Only what users may set, and access lists. */
static bool
wanted(const char *attr)
{
	return strncmp(attr, "user.", 5) == 0 || strncmp(attr, "trusted.", 8) == 0 ||
	    strncmp(attr, "system.posix_acl_", 17) == 0;
}

static int
copy_attributes(int from, int to)
{
	static char list[XATTR_LIST_MAX], value[XATTR_SIZE_MAX];
	ssize_t len, n;
	char *p;

	len = flistxattr(from, list, sizeof(list));
	if (len == -1)
		return errno == ENOTSUP ? 0 : -1;
	for (p = list; p < list + len; p += strlen(p) + 1) {
		if (!wanted(p))
			continue;
		n = fgetxattr(from, p, value, sizeof(value));
		if (n == -1 || fsetxattr(to, p, value, (size_t)n, 0) == -1)
			return -1;
	}
	return 0;
}

/* Owner, mode, attributes, times: in the order in which none spoils another. */
static int
dress(struct copy *c, int from, int to, const struct stat *st)
{
	struct timespec times[2] = { st->st_atim, st->st_mtim };
	mode_t mode = st->st_mode & 07777;
	uid_t uid = st->st_uid;
	gid_t gid = st->st_gid;
	int r;

	if (c->rules->skeleton) {
		mode = S_ISDIR(st->st_mode) || (mode & 0111) != 0 ? 0700 : 0600;
		uid = gid = c->rules->uid;
	}
	if (fchown(to, uid, gid) == -1)
		return -1;
	/* Without CAP_FSETID, set-gid is for who is in the group. */
	(void)setfsgid(gid);
	r = fchmod(to, mode);
	(void)setfsgid(0);
	if (r == -1)
		return -1;
	if (!c->rules->skeleton && copy_attributes(from, to) == -1)
		return -1;
	return futimens(to, times);
}

static int
write_all(int to, const char *buf, size_t len, off_t at)
{
	ssize_t n;

	while (len > 0) {
		n = pwrite(to, buf, len, at);
		if (n == -1)
			return -1;
		buf += n;
		len -= (size_t)n;
		at += n;
	}
	return 0;
}

/* The parts that hold data; holes stay holes. */
static int
copy_data(struct copy *c, int from, int to, off_t size)
{
	off_t at = 0, end;
	ssize_t n;

	while (at < size) {
		at = lseek(from, at, SEEK_DATA);
		if (at == -1)
			break;
		end = lseek(from, at, SEEK_HOLE);
		if (end == -1)
			return -1;
		while (at < end) {
			n = pread(from, c->buf,
			    end - at < CHUNK ? (size_t)(end - at) : CHUNK, at);
			if (n == -1 ||
			    (n > 0 && write_all(to, c->buf, (size_t)n, at) == -1))
				return -1;
			if (n == 0)
				break;
			at += n;
			c->report->bytes += (uint64_t)n;
			progress(c);
		}
	}
	/* ENXIO: there is no data from there on. */
	if (at == -1 && errno != ENXIO)
		return -1;
	return ftruncate(to, size);
}

/* The file with that number, if it has been copied under another name: 1. */
static int
link_known(struct copy *c, const struct stat *st, const char *name)
{
	char number[32];

	if (c->links == -1)
		return 0;
	snprintf(number, sizeof(number), "%" PRIu64, (uint64_t)st->st_ino);
	if (linkat(c->links, number, here(c)->to, name, 0) == 0)
		return 1;
	return errno == ENOENT ? 0 : failed(c, name);
}

static int
link_remember(struct copy *c, const struct stat *st, const char *name)
{
	char number[32];
	unsigned int i;

	/* A name that neither tree has. */
	for (i = 0; c->links == -1; i++) {
		snprintf(c->links_name, sizeof(c->links_name), ".ided-links-%u", i);
		if (faccessat(dirfd(c->level[0].d), c->links_name, F_OK,
			AT_SYMLINK_NOFOLLOW) == 0)
			continue;
		if (mkdirat(c->level[0].to, c->links_name, 0700) == -1)
			return failed(c, name);
		c->links = tree_open(c->level[0].to, c->links_name);
		if (c->links == -1)
			return failed(c, name);
	}
	snprintf(number, sizeof(number), "%" PRIu64, (uint64_t)st->st_ino);
	if (linkat(here(c)->to, name, c->links, number, 0) == -1)
		return failed(c, name);
	return 0;
}

static int
copy_file(struct copy *c, const char *name, const struct stat *seen)
{
	struct level *l = here(c);
	struct stat st;
	int from, to = -1, r = -1;

	from = open_file(dirfd(l->d), name, O_RDONLY);
	if (from == -1)
		return failed(c, name);
	if (fstat(from, &st) == -1 || !S_ISREG(st.st_mode) || st.st_ino != seen->st_ino) {
		close(from);
		return refuse(c, name, EAGAIN, "changed while it was copied");
	}
	if (c->mode == CHECK) {
		c->report->bytes += (uint64_t)st.st_size;
		close(from);
		return 0;
	}
	to = openat(
	    l->to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (to == -1 || copy_data(c, from, to, st.st_size) == -1 ||
	    dress(c, from, to, &st) == -1)
		failed(c, name);
	else
		r = 0;
	if (to != -1 && close(to) == -1 && r == 0)
		r = failed(c, name);
	close(from);
	return r;
}

static int
copy_symlink(struct copy *c, const char *name, const struct stat *st)
{
	struct level *l = here(c);
	struct timespec times[2] = { st->st_atim, st->st_mtim };
	uid_t uid = c->rules->skeleton ? c->rules->uid : st->st_uid;
	gid_t gid = c->rules->skeleton ? c->rules->uid : st->st_gid;
	char target[PATH_MAX];
	ssize_t n;

	n = readlinkat(dirfd(l->d), name, target, sizeof(target) - 1);
	if (n == -1)
		return failed(c, name);
	target[n] = '\0';
	if (c->mode == CHECK)
		return 0;
	if (symlinkat(target, l->to, name) == -1 ||
	    fchownat(l->to, name, uid, gid, AT_SYMLINK_NOFOLLOW) == -1 ||
	    utimensat(l->to, name, times, AT_SYMLINK_NOFOLLOW) == -1)
		return failed(c, name);
	return 0;
}

/* Pipes and sockets that nobody is at, and the one device that anyone may make,
 * which is none (0:0). */
static int
copy_special(struct copy *c, const char *name, const struct stat *st)
{
	struct level *l = here(c);
	struct timespec times[2] = { st->st_atim, st->st_mtim };

	if (c->rules->skeleton)
		return refuse(
		    c, name, EINVAL, "is no file, folder or symbolic link: remove it");
	if ((S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode)) && st->st_rdev != 0)
		return refuse(c, name, EINVAL, "is a device: remove it");
	if (c->mode == CHECK)
		return 0;
	if (mknodat(l->to, name, (st->st_mode & S_IFMT) | 0600, st->st_rdev) == -1 ||
	    fchownat(l->to, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) == -1 ||
	    fchmodat(l->to, name, st->st_mode & 07777, 0) == -1 ||
	    utimensat(l->to, name, times, AT_SYMLINK_NOFOLLOW) == -1)
		return failed(c, name);
	return 0;
}

static int
enter(struct copy *c, const char *name, const struct stat *st)
{
	struct level *l = here(c), *next = &c->level[c->depth];
	int fd;

	if (c->depth == DEPTH)
		return refuse(
		    c, name, ELOOP, "folders are nested too deeply: move it up");
	if (c->mode == COPY && mkdirat(l->to, name, 0700) == -1)
		return failed(c, name);
	fd = tree_open(dirfd(l->d), name);
	if (fd == -1)
		return errno == EXDEV ? refuse(c, name, EXDEV, "is a mount: unmount it") :
					failed(c, name);
	memset(next, 0, sizeof(*next));
	next->to = -1;
	next->st = *st;
	snprintf(next->name, sizeof(next->name), "%s", name);
	if (c->mode != CHECK && (next->to = tree_open(l->to, name)) == -1) {
		close(fd);
		return failed(c, name);
	}
	if ((next->d = dir_take(fd)) == NULL) {
		if (next->to != -1)
			close(next->to);
		return failed(c, name);
	}
	c->depth++;
	return 0;
}

static int
links_end(struct copy *c)
{
	if (c->links == -1)
		return 0;
	close(c->links);
	c->links = -1;
	return tree_remove(c->level[0].to, c->links_name);
}

/* Its own times come last: everything in it has touched them. */
static int
leave(struct copy *c)
{
	struct level *l = here(c);
	char name[NAME_MAX + 1];
	int r = 0;

	memcpy(name, l->name, sizeof(name));
	if (c->mode == COPY && c->depth == 1)
		r = links_end(c);
	/* Who owns a new home is its maker's business. */
	if (r == 0 && c->mode == COPY && (c->depth > 1 || !c->rules->skeleton))
		r = dress(c, dirfd(l->d), l->to, &l->st);
	closedir(l->d);
	if (c->depth > 1 && l->to != -1)
		close(l->to);
	c->depth--;
	return r == -1 ? failed(c, name) : 0;
}

static int
compare(struct copy *c, const char *name, const struct stat *st)
{
	struct stat copy;

	if (fstatat(here(c)->to, name, &copy, AT_SYMLINK_NOFOLLOW) == -1)
		return failed(c, name);
	if (copy.st_mode != st->st_mode || copy.st_uid != st->st_uid ||
	    copy.st_gid != st->st_gid ||
	    (!S_ISDIR(st->st_mode) && copy.st_size != st->st_size) ||
	    (!S_ISDIR(st->st_mode) && copy.st_nlink != st->st_nlink) ||
	    copy.st_mtim.tv_sec != st->st_mtim.tv_sec)
		return refuse(c, name, EIO, "is not as it was in the copy");
	return S_ISDIR(st->st_mode) ? enter(c, name, st) : 0;
}

static int
bounded(struct copy *c, const char *name)
{
	const struct tree_rules *r = c->rules;

	if (r->skeleton && c->report->files > r->max_files)
		return fail(c, name, "more than %" PRIu64 " files", r->max_files);
	if (r->skeleton && c->report->bytes > r->max_bytes)
		return fail(
		    c, name, "more than %" PRIu64 " bytes with this one", r->max_bytes);
	return 0;
}

static int
copy_kind(struct copy *c, const char *name, const struct stat *st)
{
	switch (st->st_mode & S_IFMT) {
	case S_IFREG:
		return copy_file(c, name, st);
	case S_IFLNK:
		return copy_symlink(c, name, st);
	default:
		return copy_special(c, name, st);
	}
}

static int
entry(struct copy *c, const char *name)
{
	struct stat st;
	bool several;
	int r;

	if (fstatat(dirfd(here(c)->d), name, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return failed(c, name);
	c->report->files++;
	if (c->mode == COMPARE) {
		progress(c);
		return compare(c, name, &st);
	}
	if (S_ISDIR(st.st_mode))
		return bounded(c, name) == -1 ? -1 : enter(c, name, &st);
	if (st.st_dev != c->dev)
		return refuse(c, name, EXDEV, "is a mount: unmount it");
	/* In a skeleton each name gets a file of its own. */
	several = c->mode == COPY && !c->rules->skeleton && st.st_nlink > 1;
	r = several ? link_known(c, &st, name) : 0;
	if (r == 0)
		r = copy_kind(c, name, &st);
	else
		several = false;
	if (r == 0 && several)
		r = link_remember(c, &st, name);
	progress(c);
	return r == -1 ? -1 : bounded(c, name);
}

static int
run(struct copy *c, int from, int to)
{
	struct dirent *de;
	int r = 0;

	if (fstat(from, &c->level[0].st) == -1 ||
	    (c->level[0].d = dir_entries(from)) == NULL)
		return failed(c, "");
	c->dev = c->level[0].st.st_dev;
	c->level[0].to = to;
	c->depth = 1;
	while (r == 0 && c->depth > 0) {
		errno = 0;
		de = readdir(here(c)->d);
		if (de == NULL && errno != 0)
			r = failed(c, "");
		else if (de == NULL)
			r = leave(c);
		else if (strcmp(de->d_name, ".") != 0 && strcmp(de->d_name, "..") != 0)
			r = entry(c, de->d_name);
	}
	while (c->depth > 0) {
		c->mode = CHECK; /* half a folder is not dressed */
		(void)leave(c);
	}
	return r;
}

static int
start(enum mode mode, int from, int to, const struct tree_rules *rules,
    struct tree_report *report)
{
	struct copy *c;
	int r, error;

	memset(report, 0, sizeof(*report));
	c = calloc(1, sizeof(*c));
	if (c == NULL) {
		snprintf(report->why, sizeof(report->why), "out of memory");
		return -1;
	}
	c->mode = mode;
	c->rules = rules;
	c->report = report;
	c->links = -1;
	r = run(c, from, to);
	error = errno;
	if (r == -1)
		(void)links_end(c);
	free(c);
	errno = error;
	return r;
}

int
tree_copy(int from, int to, const struct tree_rules *rules, struct tree_report *report)
{
	return start(COPY, from, to, rules, report);
}

int
tree_same(int from, int to, const struct patience *patience, struct tree_report *report)
{
	const struct tree_rules rules = { .patience = patience };

	return start(COMPARE, from, to, &rules, report);
}

int
tree_check(int from, const struct tree_rules *rules, struct tree_report *report)
{
	return start(CHECK, from, -1, rules, report);
}
