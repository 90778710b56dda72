/*
 * Project quotas: every file in a home belongs to a project whose number is the
 * user's uid, and the file system refuses what is over the project's limits.
 *
 * A file's owner could move it to another project; users' programs are refused
 * the calls for that (seccomp_user.c).
 */
#include <sys/ioctl.h>
#include <sys/quota.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <linux/dqblk_xfs.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <linux/quota.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../dir.h"
#include "storage.h"
#include "tree.h"

#ifndef SYS_quotactl_fd
#define SYS_quotactl_fd 443
#endif

#define DEPTH 1000
#define OFTEN 4096 /* entries, between signs of life */

static int
quota(int dir, unsigned int what, uint32_t id, void *arg)
{
	return (int)syscall(SYS_quotactl_fd, dir, QCMD(what, PRJQUOTA), id, arg);
}

/* Counting alone is no limit. */
bool
quota_enforced(int dir)
{
	struct fs_quota_statv st;

	memset(&st, 0, sizeof(st));
	st.qs_version = FS_QSTATV_VERSION1;
	return quota(dir, Q_XGETQSTATV, 0, &st) == 0 &&
	    (st.qs_flags & FS_QUOTA_PDQ_ENFD) != 0;
}

/* 0, or -1: the file system has no projects, or none for this kind of file. */
static int
mark(int fd, uint32_t uid, bool folder)
{
	struct fsxattr x;

	if (ioctl(fd, FS_IOC_FSGETXATTR, &x) == -1)
		return -1;
	if (x.fsx_projid == uid &&
	    (!folder || (x.fsx_xflags & FS_XFLAG_PROJINHERIT) != 0))
		return 0;
	x.fsx_projid = uid;
	if (folder)
		x.fsx_xflags |= FS_XFLAG_PROJINHERIT;
	return ioctl(fd, FS_IOC_FSSETXATTR, &x);
}

int
quota_mark(int dir, uint32_t uid)
{
	return mark(dir, uid, true);
}

bool
quota_marked(int dir, uint32_t uid)
{
	struct fsxattr x;

	return ioctl(dir, FS_IOC_FSGETXATTR, &x) == 0 && x.fsx_projid == uid &&
	    (x.fsx_xflags & FS_XFLAG_PROJINHERIT) != 0;
}

static int
mark_file(int dir, const char *name, uint32_t uid)
{
	struct open_how how;
	int fd, r;

	memset(&how, 0, sizeof(how));
	how.flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
	how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS |
	    RESOLVE_NO_XDEV;
	fd = (int)syscall(SYS_openat2, dir, name, &how, sizeof(how));
	if (fd == -1)
		return errno == ENOENT || errno == ELOOP || errno == EXDEV ? 0 : -1;
	r = mark(fd, uid, false);
	close(fd);
	return r;
}

/*
 * Every folder and file of a home that was made before there were quotas.  What
 * cannot be opened (links, pipes, sockets) holds nothing, and does not count.  The
 * top comes last: while it is not marked, this is not done.
 */
int
quota_mark_tree(int top, uint32_t uid, const struct patience *patience)
{
	DIR **level, *d;
	struct dirent *de;
	struct stat st;
	unsigned int depth = 0, seen = 0;
	int fd, r = 0, error;

	level = calloc(DEPTH, sizeof(level[0]));
	if (level == NULL || (level[depth++] = dir_entries(top)) == NULL) {
		error = errno;
		free(level);
		errno = error;
		return -1;
	}
	while (r == 0 && depth > 0) {
		d = level[depth - 1];
		errno = 0;
		de = readdir(d);
		if (de == NULL) {
			r = errno != 0 ? -1 : mark(dirfd(d), uid, true);
			error = errno;
			closedir(d);
			depth--;
			errno = error;
			continue;
		}
		if (++seen % OFTEN == 0)
			patience->fn(patience->arg);
		if (strcmp(de->d_name, ".") == 0 || strcmp(de->d_name, "..") == 0 ||
		    fstatat(dirfd(d), de->d_name, &st, AT_SYMLINK_NOFOLLOW) == -1)
			continue;
		if (S_ISREG(st.st_mode)) {
			r = mark_file(dirfd(d), de->d_name, uid);
		} else if (S_ISDIR(st.st_mode)) {
			fd = tree_open(dirfd(d), de->d_name);
			if (fd == -1 && errno == EXDEV)
				continue; /* a mount */
			if (fd != -1 && depth == DEPTH) {
				close(fd);
				fd = -1;
				errno = ELOOP;
			}
			r = (level[depth] = dir_take(fd)) == NULL ? -1 : 0;
			depth += r == 0;
		}
	}
	error = errno;
	while (depth > 0)
		closedir(level[--depth]);
	free(level);
	errno = error;
	return r;
}

int
quota_limit(int dir, uint32_t uid, uint64_t bytes, uint64_t files)
{
	struct if_dqblk q;

	memset(&q, 0, sizeof(q));
	q.dqb_bhardlimit = (bytes + QIF_DQBLKSIZE - 1) / QIF_DQBLKSIZE;
	q.dqb_ihardlimit = files;
	q.dqb_valid = QIF_LIMITS;
	return quota(dir, Q_SETQUOTA, uid, &q);
}

int
quota_use(int dir, uint32_t uid, struct storage_use *use)
{
	struct if_dqblk q;

	memset(&q, 0, sizeof(q));
	memset(use, 0, sizeof(*use));
	if (quota(dir, Q_GETQUOTA, uid, &q) == -1)
		return errno == ENOENT || errno == ESRCH ? 0 : -1; /* nothing there yet */
	use->bytes = q.dqb_curspace;
	use->files = q.dqb_curinodes;
	return 0;
}
