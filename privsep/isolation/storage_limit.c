/*
 * How large a volume is, and how much of it can be used.
 *
 * The file system is made rather too large, and the blocks beyond the limit are
 * withheld (reserved_clusters): that makes the limit exact, and lets it fall while
 * the volume is in use.  For a larger one the file and the file system grow.
 */
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include <linux/fs.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "storage.h"

#define MB ((uint64_t)1024 * 1024)

#define GROUP (128 * MB) /* one group of blocks, of 4096 bytes each */
#define INODE 256        /* bytes */

#define EXT4_IOC_RESIZE_FS _IOW('f', 16, uint64_t)

static uint64_t
capacity(const struct statfs *fs)
{
	return (uint64_t)fs->f_blocks * (uint64_t)fs->f_bsize;
}

/* How large a file has to be to hold that much: rather too large, for what is
 * too much is withheld, and takes no room. */
uint64_t
volume_size(uint64_t bytes, uint64_t inodes, unsigned int journal_mb)
{
	uint64_t size = bytes + VOLUME_HELD + inodes * INODE + journal_mb * MB + 8 * MB;

	/* Two maps, descriptors and here and there a copy of them for each group. */
	size += (size / GROUP + 1) * 64 * 1024 + size / 256;
	/* A group has 32768 inodes at most. */
	if (size < inodes / 32768 * GROUP)
		size = inodes / 32768 * GROUP;
	return (size + 4095) & ~4095ULL;
}

static int
grow(int home, int image, int loop, uint64_t size)
{
	struct stat st;
	uint64_t blocks = size / VOLUME_BLOCK;
	char path[32];
	int fd, r, error;

	if (fstat(image, &st) == -1)
		return -1;
	if ((uint64_t)st.st_size < size && ftruncate(image, (off_t)size) == -1)
		return -1;
	snprintf(path, sizeof(path), "/dev/loop%d", loop);
	fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1)
		return -1;
	r = loop_grown(fd);
	if (r == 0)
		r = ioctl(home, EXT4_IOC_RESIZE_FS, &blocks);
	error = errno;
	/* As before, or each attempt would add to the file. */
	if (r == -1 && ftruncate(image, st.st_size) == 0)
		(void)loop_grown(fd);
	close(fd);
	errno = error;
	return r;
}

static int
withheld_open(int loop, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/fs/ext4/loop%d/reserved_clusters", loop);
	return open(path, flags | O_CLOEXEC);
}

/* Blocks that nobody gets, now and until it is unmounted. */
static int
withhold(int loop, uint64_t blocks)
{
	char text[32];
	int fd, n;

	fd = withheld_open(loop, O_WRONLY);
	if (fd == -1)
		return -1;
	n = snprintf(text, sizeof(text), "%" PRIu64, blocks);
	n = write(fd, text, (size_t)n) == n ? 0 : -1;
	close(fd);
	return n;
}

static uint64_t
too_much(const struct statfs *fs, const struct conf_limits *limits)
{
	return capacity(fs) > limits->storage ?
	    (capacity(fs) - limits->storage) / (uint64_t)fs->f_bsize :
	    0;
}

bool
volume_limited(int home, int loop, const struct conf_limits *limits)
{
	struct statfs fs;
	char text[32];
	ssize_t n;
	int fd;

	if (fstatfs(home, &fs) == -1 || capacity(&fs) < limits->storage + VOLUME_HELD)
		return false;
	fd = withheld_open(loop, O_RDONLY);
	n = fd != -1 ? read(fd, text, sizeof(text) - 1) : -1;
	if (fd != -1)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	return n > 0 && strtoull(text, NULL, 10) == too_much(&fs, limits);
}

/* The size that adds what is missing: some of it goes to the file system. */
uint64_t
volume_size_grown(uint64_t size, uint64_t missing)
{
	return (size + missing * 17 / 16 + 4 * MB) & ~4095ULL;
}

int
volume_limit(int home, int image, int loop, const struct conf_limits *limits, char *why,
    size_t len)
{
	uint64_t want = limits->storage + VOLUME_HELD;
	struct statfs fs;
	struct stat st;
	unsigned int i;
	int r = 0;

	if (fstatfs(home, &fs) == -1) {
		snprintf(why, len, "%s", strerror(errno));
		return -1;
	}
	for (i = 0; r == 0 && i < 4 && capacity(&fs) < want; i++) {
		r = fstat(image, &st);
		if (r == 0)
			r = grow(home, image, loop,
			    volume_size_grown(
				(uint64_t)st.st_size, want - capacity(&fs)));
		if (r == 0)
			r = fstatfs(home, &fs);
	}
	/* Without CAP_SYS_RESOURCE a file system in use does not grow. */
	if (r == -1)
		snprintf(why, len, "%s",
		    errno == EPERM ? "it grows at the next start" : strerror(errno));
	if (withhold(loop, too_much(&fs, limits)) == 0)
		return r == -1 ? 1 : 0;
	snprintf(why, len, "reserved_clusters: %s", strerror(errno));
	return -1;
}
