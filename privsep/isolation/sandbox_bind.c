/*
 * What the site gives its users of its own: `bind' in the configuration.
 *
 * Users may write to some of it, so no link in it is ever followed, neither on the
 * way to what is bound nor on the way to where: both are opened component by
 * component, and mounted by what was opened.
 */
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <linux/openat2.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "box.h"
#include "sandbox_steps.h"

int
bind_open(const char *path)
{
	struct open_how how;

	memset(&how, 0, sizeof(how));
	how.flags = O_PATH | O_CLOEXEC;
	how.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
	return (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
}

static int
place_make(int dir, const char *name, bool folder)
{
	int fd;

	if (folder)
		return mkdirat(dir, name, 0755);
	fd = openat(
	    dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd == -1)
		return -1;
	close(fd);
	return 0;
}

/* One step further in the new root, made if it is not there.  Closes dir. */
static int
place_step(int dir, const char *name, bool folder)
{
	const int flags = O_PATH | O_NOFOLLOW | O_CLOEXEC | (folder ? O_DIRECTORY : 0);
	struct stat st;
	int fd, error;

	fd = openat(dir, name, flags);
	if (fd == -1 && errno == ENOENT && place_make(dir, name, folder) == 0)
		fd = openat(dir, name, flags);
	error = errno;
	if (fd != -1 && (fstat(fd, &st) == -1 || S_ISLNK(st.st_mode))) {
		close(fd);
		fd = -1;
		error = ELOOP;
	}
	close(dir);
	errno = error;
	return fd;
}

/* Where path is to be in the new root, which is the working directory. */
static int
place_open(const char *path, bool folder)
{
	char name[256];
	size_t len;
	int fd;

	fd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	while (fd != -1 && *(path += strspn(path, "/")) != '\0') {
		len = strcspn(path, "/");
		if (len >= sizeof(name)) {
			close(fd);
			errno = ENAMETOOLONG;
			return -1;
		}
		memcpy(name, path, len);
		name[len] = '\0';
		path += len;
		fd = place_step(fd, name, folder || path[strspn(path, "/")] != '\0');
	}
	return fd;
}

static int
mount_at(int what, int where, bool write)
{
	struct mount_attr ma;
	int fd, r = -1, error;

	fd = open_tree(
	    what, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE);
	if (fd == -1)
		return -1;
	memset(&ma, 0, sizeof(ma));
	ma.attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
	    (write ? 0 : MOUNT_ATTR_RDONLY);
	ma.propagation = MS_PRIVATE;
	if (mount_setattr(fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &ma, sizeof(ma)) == 0)
		r = move_mount(
		    fd, "", where, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
	error = errno;
	close(fd);
	errno = error;
	return r;
}

static int
bind_one(const struct conf_bind *b)
{
	struct stat st;
	int what, where = -1, r = -1, error;

	what = bind_open(b->path);
	if (what == -1)
		return -1;
	if (fstat(what, &st) == 0 &&
	    (where = place_open(b->path, S_ISDIR(st.st_mode))) != -1)
		r = mount_at(what, where, b->write);
	error = errno;
	if (where != -1)
		close(where);
	close(what);
	errno = error;
	return r;
}

int
setup_site_binds(struct setup *s)
{
	const struct conf_isolation *conf = &s->conf->isolation;
	uint32_t i;

	for (i = 0; i < conf->nbind; i++)
		if (bind_one(&conf->bind[i]) == -1) {
			fault_set(&s->fault, FAIL_UNAVAILABLE, "bind %.100s: %s",
			    conf->bind[i].path,
			    errno == ELOOP ? "a symbolic link is on the way" :
					     strerror(errno));
			return -1;
		}
	return 0;
}
