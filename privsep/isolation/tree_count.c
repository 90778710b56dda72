/*
 * What a tree holds: for homes whose file system cannot tell.  It takes as long
 * as it takes, in a process of its own, and not faster than it is let.
 */
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../dir.h"
#include "tree.h"

#define DEPTH 256
#define BURST 2048 /* entries before it begins to wait: most homes are small */
#define EVERY 64

/* A file with several names counts a part with each. */
#define PART (1ULL << 20)

struct count {
	DIR *level[DEPTH];
	unsigned int depth;
	dev_t dev;
	uint64_t seen;
	uint64_t parts;
	struct timespec start;
	unsigned int per_second;
	struct tree_report *report;
};

static void
throttle(struct count *c)
{
	struct timespec now, wait;
	int64_t due, past;

	if (c->per_second == 0 || c->seen < BURST || c->seen % EVERY != 0)
		return;
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (c->start.tv_sec == 0)
		c->start = now;
	due = (int64_t)(c->seen - BURST) * 1000 / c->per_second;
	past = (now.tv_sec - c->start.tv_sec) * 1000 +
	    (now.tv_nsec - c->start.tv_nsec) / 1000000;
	if (due <= past)
		return;
	wait.tv_sec = (due - past) / 1000;
	wait.tv_nsec = (due - past) % 1000 * 1000000;
	(void)nanosleep(&wait, NULL);
}

static void
add(struct count *c, const struct stat *st)
{
	uint64_t links = S_ISDIR(st->st_mode) || st->st_nlink == 0 ? 1 : st->st_nlink;

	c->report->bytes += (uint64_t)st->st_blocks * 512 / links;
	c->parts += PART / links;
}

static int
descend(struct count *c, int dir, const char *name)
{
	int fd;

	if (c->depth == DEPTH) {
		c->report->partial = true;
		return 0;
	}
	fd = tree_open(dir, name);
	/* Gone since, another thing now, or a mount of somebody's: not ours. */
	if (fd == -1)
		return errno == EMFILE || errno == ENFILE || errno == ENOMEM ? -1 : 0;
	if ((c->level[c->depth] = dir_take(fd)) == NULL)
		return -1;
	c->depth++;
	return 0;
}

static int
entry(struct count *c, int dir, const char *name)
{
	struct stat st;

	c->seen++;
	throttle(c);
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == -1 || st.st_dev != c->dev)
		return 0;
	add(c, &st);
	return S_ISDIR(st.st_mode) ? descend(c, dir, name) : 0;
}

int
tree_count(int top, unsigned int per_second, struct tree_report *report)
{
	struct count *c;
	struct dirent *de;
	struct stat st;
	DIR *d;
	int r;

	memset(report, 0, sizeof(*report));
	c = calloc(1, sizeof(*c));
	if (c == NULL)
		return -1;
	c->per_second = per_second;
	c->report = report;
	r = fstat(top, &st);
	if (r == 0) {
		c->dev = st.st_dev;
		add(c, &st);
		r = descend(c, top, ".");
	}
	while (r == 0 && c->depth > 0) {
		d = c->level[c->depth - 1];
		de = readdir(d);
		if (de == NULL) {
			closedir(d);
			c->depth--;
		} else if (strcmp(de->d_name, ".") != 0 &&
		    strcmp(de->d_name, "..") != 0) {
			r = entry(c, dirfd(d), de->d_name);
		}
	}
	while (c->depth > 0)
		closedir(c->level[--c->depth]);
	report->files = (c->parts + PART / 2) / PART;
	free(c);
	return r;
}
