/*
 * Files as block devices.
 *
 * An image is locked (flock(2)) by the open file that its device holds, for as
 * long as there is a device: one that can be locked has none, and gets one; one
 * that cannot has one, and that is looked for.  There are never two.
 */
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <linux/loop.h>

#include <bsd/stdlib.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "storage.h"

#define CONTROL "/dev/loop-control"
#define TRIES   64

#define MINOR_MAX ((1 << 20) - 1) /* of the kernel */

static int
device_open(int number, int flags)
{
	char path[32];

	snprintf(path, sizeof(path), "/dev/loop%d", number);
	return open(path, flags | O_NOFOLLOW | O_CLOEXEC);
}

bool
loop_usable(char *why, size_t len)
{
	int fd, loop = -1, number = -1;

	fd = open(CONTROL, O_RDWR | O_CLOEXEC);
	if (fd != -1)
		number = ioctl(fd, LOOP_CTL_GET_FREE);
	/* A /dev of somebody's own making does not get what the kernel makes. */
	if (number != -1)
		loop = device_open(number, O_RDONLY);
	if (number == -1)
		snprintf(why, len, CONTROL ": %s", strerror(errno));
	else if (loop == -1)
		snprintf(why, len, "/dev/loop%d: %s", number, strerror(errno));
	if (loop != -1)
		close(loop);
	if (fd != -1)
		close(fd);
	return loop != -1;
}

/* The device as stat(2) has it, in the kernel's own coding. */
static uint64_t
kernel_dev(dev_t dev)
{
	return (uint64_t)(minor(dev) & 0xff) | (uint64_t)major(dev) << 8 |
	    (uint64_t)(minor(dev) & ~0xffU) << 12;
}

/* That of an entry of /sys/block; -1: it is none of ours. */
static int
device_number(const char *name)
{
	const char *bad;
	int number;

	if (strncmp(name, "loop", 4) != 0)
		return -1;
	number = (int)strtonum(name + 4, 0, MINOR_MAX, &bad);
	return bad == NULL ? number : -1;
}

static bool
holds(int loop, const struct stat *st)
{
	struct loop_info64 info;

	return ioctl(loop, LOOP_GET_STATUS64, &info) == 0 &&
	    info.lo_device == kernel_dev(st->st_dev) && info.lo_inode == st->st_ino;
}

/* Which device has which file, as it was a moment ago. */
static struct seen {
	uint64_t dev, ino;
	int number;
} * seen;
static unsigned int nseen;

static void
see(int number)
{
	struct loop_info64 info;
	struct seen *more;
	int fd;

	fd = device_open(number, O_RDONLY);
	if (fd != -1 && ioctl(fd, LOOP_GET_STATUS64, &info) == 0 &&
	    (more = reallocarray(seen, nseen + 1, sizeof(seen[0]))) != NULL) {
		seen = more;
		seen[nseen++] = (struct seen){ info.lo_device, info.lo_inode, number };
	}
	if (fd != -1)
		close(fd);
}

void
loop_see_all(bool begin)
{
	struct dirent *de;
	int number;
	DIR *d;

	free(seen);
	seen = NULL;
	nseen = 0;
	d = begin ? opendir("/sys/block") : NULL;
	if (d == NULL)
		return;
	while ((de = readdir(d)) != NULL)
		if ((number = device_number(de->d_name)) != -1)
			see(number);
	closedir(d);
}

/* Others' as well: nobody is to notice. */
static int
open_holding(int number, const struct stat *st)
{
	int fd = device_open(number, O_RDONLY);

	if (fd == -1 || holds(fd, st))
		return fd;
	close(fd);
	return -1;
}

/* It is looked at again: what was seen, or is guessed, is no more than a hint. */
static int
find_seen(const struct stat *st, int *number)
{
	unsigned int i;
	int fd;

	if (*number != -1 && (fd = open_holding(*number, st)) != -1)
		return fd;
	for (i = 0; i < nseen; i++) {
		if (seen[i].dev != kernel_dev(st->st_dev) || seen[i].ino != st->st_ino)
			continue;
		*number = seen[i].number;
		if ((fd = open_holding(*number, st)) != -1)
			return fd;
	}
	return -1;
}

int
loop_find(int image, int *number)
{
	struct dirent *de;
	struct stat st;
	int fd;
	DIR *d;

	if (fstat(image, &st) == -1)
		return -1;
	fd = find_seen(&st, number);
	if (fd != -1)
		return fd;
	d = opendir("/sys/block");
	if (d == NULL)
		return -1;
	while (fd == -1 && (de = readdir(d)) != NULL) {
		*number = device_number(de->d_name);
		if (*number != -1)
			fd = open_holding(*number, &st);
	}
	closedir(d);
	if (fd == -1) {
		*number = -1;
		errno = ENOENT;
	}
	return fd;
}

static int
configure(int image, int number)
{
	struct loop_config config;
	int fd, error;

	fd = device_open(number, O_RDWR);
	if (fd == -1)
		return -1;
	memset(&config, 0, sizeof(config));
	config.fd = (uint32_t)image;
	config.block_size = VOLUME_BLOCK;
	/* It goes with its last user, whoever is killed. */
	config.info.lo_flags = LO_FLAGS_AUTOCLEAR | LO_FLAGS_DIRECT_IO;
	if (ioctl(fd, LOOP_CONFIGURE, &config) == 0)
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

int
loop_attach(int image, int *number)
{
	unsigned int i;
	int control, fd = -1, error;

	if (flock(image, LOCK_EX | LOCK_NB) == -1) {
		if (errno == EWOULDBLOCK)
			errno = EBUSY;
		return -1;
	}
	control = open(CONTROL, O_RDWR | O_CLOEXEC);
	if (control == -1)
		return -1;
	/* Somebody else may take the one that was free. */
	for (i = 0; fd == -1 && i < TRIES; i++) {
		*number = ioctl(control, LOOP_CTL_GET_FREE);
		if (*number == -1)
			break;
		fd = configure(image, *number);
		if (fd == -1 && errno != EBUSY)
			break;
	}
	error = errno;
	close(control);
	errno = error;
	return fd;
}

/* The file has grown. */
int
loop_grown(int loop)
{
	return ioctl(loop, LOOP_SET_CAPACITY, 0);
}
