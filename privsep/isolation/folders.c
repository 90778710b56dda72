/*
 * The folders that isolation works in: made where they are missing, verified
 * where they are not, and opened once, so that no path is walked again.
 */
#include <sys/stat.h>
#include <sys/syscall.h>

#include <linux/openat2.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "../dir.h"
#include "../log.h"
#include "../spawn.h"
#include "isolation.h"

static int
top_open(const char *path)
{
	int fd;

	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1)
		fatal("%s", path);
	return fd;
}

/* The folder below: ours by owner and mode, or isolation does not start. */
static int
folder_open(
    int dir, const char *where, const char *name, uint32_t uid, uint32_t gid, mode_t mode)
{
	struct open_how how;
	struct stat st;
	int fd;
	bool made;

	made = mkdirat(dir, name, 0700) == 0;
	if (!made && errno != EEXIST)
		fatal("%s/%s: cannot be made", where, name);
	memset(&how, 0, sizeof(how));
	how.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
	fd = (int)syscall(SYS_openat2, dir, name, &how, sizeof(how));
	if (fd == -1)
		fatal("%s/%s: a folder is expected there", where, name);
	if (made && (fchown(fd, uid, gid) == -1 || fchmod(fd, mode) == -1))
		fatal("%s/%s: owner and mode", where, name);
	if (fstat(fd, &st) == -1)
		fatal("%s/%s", where, name);
	if (st.st_uid != uid)
		fatalx("%s/%s: belongs to uid %u, must belong to %u: chown it", where,
		    name, (unsigned int)st.st_uid, uid);
	if ((st.st_mode & 07777) != mode && fchmod(fd, mode) == -1)
		fatal("%s/%s: mode", where, name);
	return fd;
}

/* What several processes have as their root must hold nothing. */
static void
must_be_empty(int dir, const char *path)
{
	struct dirent *de;
	DIR *d;

	if ((d = dir_entries(dir)) == NULL)
		fatal("%s/empty", path);
	while ((de = readdir(d)) != NULL)
		if (strcmp(de->d_name, ".") != 0 && strcmp(de->d_name, "..") != 0)
			fatalx("%s/empty: must be empty, remove %s", path, de->d_name);
	closedir(d);
}

void
folders_open(void)
{
	const char *data = isolation.conf.common.data;
	const char *runtime = isolation.conf.common.runtime;
	const struct account *auth = &accounts[ACCOUNT_AUTH];
	int dir;

	dir = top_open(data);
	/* Without a root of their own, users walk there. */
	isolation.homes = folder_open(dir, data, "home", 0, 0,
	    isolation.conf.isolation.kind == ISOLATION_DIRECTORY ? 0711 : 0700);
	isolation.volumes = folder_open(dir, data, "volume", 0, 0, 0700);
	isolation.store = folder_open(dir, data, "store", auth->uid, auth->gid, 0700);
	isolation.keys = folder_open(dir, data, "keys", 0, 0, 0700);
	close(dir);
	dir = top_open(runtime);
	isolation.empty = folder_open(dir, runtime, "empty", 0, 0, 0555);
	isolation.boxes = folder_open(dir, runtime, "sandbox", 0, 0, 0700);
	isolation.users = folder_open(dir, runtime, "user", 0, 0, 0711);
	isolation.runtime = dir;
	must_be_empty(isolation.empty, runtime);
}
