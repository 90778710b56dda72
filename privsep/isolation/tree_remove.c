/*
 * Removal of a tree, however deep: what is in a folder goes, and a folder in
 * that folder moves up to the top, to be emptied there.  No more than three
 * folders are open at a time.
 */
#include <sys/stat.h>
#include <sys/syscall.h>

#include <linux/openat2.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../dir.h"
#include "tree.h"

int
tree_open(int dir, const char *name)
{
	struct open_how how;

	memset(&how, 0, sizeof(how));
	how.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
	how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS |
	    RESOLVE_NO_XDEV;
	return (int)syscall(SYS_openat2, dir, name, &how, sizeof(how));
}

static bool
dots(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* Gone: 0.  A folder with something in it: 1. */
static int
remove_one(int dir, const char *name)
{
	if (unlinkat(dir, name, 0) == 0)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -1;
	if (unlinkat(dir, name, AT_REMOVEDIR) == 0)
		return 0;
	return errno == ENOTEMPTY || errno == EEXIST ? 1 : -1;
}

/* Under a name that is free. */
static int
move_up(int dir, const char *name, int top)
{
	static unsigned int number;
	char to[32];

	do {
		snprintf(to, sizeof(to), "%u", number++);
		if (syscall(SYS_renameat2, dir, name, top, to,
			1U /* RENAME_NOREPLACE */) == 0)
			return 0;
	} while (errno == EEXIST);
	return -1;
}

/* Empty a folder of the top, its own folders into the top. */
static int
empty(int top, const char *name)
{
	struct dirent *de;
	DIR *d;
	int fd, r = 0, error;

	fd = tree_open(top, name);
	if (fd == -1)
		return -1;
	d = dir_entries(fd);
	if (d == NULL)
		r = -1;
	while (r == 0 && (de = readdir(d)) != NULL) {
		if (dots(de->d_name))
			continue;
		r = remove_one(fd, de->d_name);
		if (r == 1)
			r = move_up(fd, de->d_name, top);
	}
	error = errno;
	if (d != NULL)
		closedir(d);
	close(fd);
	errno = error;
	return r;
}

/* All that stands in it now; 0 when it is empty, 1 when more is to be done. */
static int
pass(int top)
{
	struct dirent *de;
	DIR *d;
	int r = 0, error;
	bool any = false;

	d = dir_entries(top);
	if (d == NULL)
		return -1;
	while (r == 0 && (de = readdir(d)) != NULL) {
		if (dots(de->d_name))
			continue;
		any = true;
		r = remove_one(top, de->d_name);
		if (r != 1)
			continue;
		r = empty(top, de->d_name);
		/* Where a folder is left over, the next pass sees it again. */
		if (r == 0 && unlinkat(top, de->d_name, AT_REMOVEDIR) == -1 &&
		    errno != ENOTEMPTY && errno != EEXIST)
			r = -1;
	}
	error = errno;
	closedir(d);
	errno = error;
	return r == -1 ? -1 : any;
}

int
tree_remove(int dir, const char *name)
{
	int top, r, error;

	r = remove_one(dir, name);
	if (r != 1)
		return r == -1 && errno == ENOENT ? 0 : r;
	top = tree_open(dir, name);
	if (top == -1)
		return -1;
	do {
		r = pass(top);
	} while (r == 1);
	error = errno;
	close(top);
	errno = error;
	return r == -1 ? -1 : unlinkat(dir, name, AT_REMOVEDIR);
}
