/* Folders that are read: see dir.h. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "dir.h"

DIR *
dir_take(int fd)
{
	DIR *d;
	int saved;

	if (fd == -1 || (d = fdopendir(fd)) != NULL)
		return fd == -1 ? NULL : d;
	saved = errno;
	close(fd);
	errno = saved;
	return NULL;
}

DIR *
dir_entries(int dir)
{
	return dir_take(openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}
