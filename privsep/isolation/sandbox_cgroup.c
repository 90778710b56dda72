/*
 * Control groups: the trees, and a group per sandbox in each of them.
 *
 * Our groups stand in one group at the top of each tree, named after the
 * runtime folder: two ideds on one machine do not meet, and a stop of ided's
 * own service does not take users' sandboxes along.
 *
 * A group is made before its user is known, and a name cannot change in version 2:
 * hence they have numbers, and whose it is stands in the sandbox's folder.
 *
 * A tree of version 2 is used whether it has controllers or not: a process is
 * born into it, and all in it are killed with one write.
 */
#include <sys/stat.h>
#include <sys/syscall.h>

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../dir.h"
#include "../log.h"
#include "sandbox_cgroup.h"
#include "sandbox_steps.h"

/* Our group at the top of each tree; that of version 2, if any, is the first. */
static int tops[CGROUP_TREES];
static unsigned int ntops;
static bool v2;
static char top_name[32];

static struct {
	const char *v1;
	const char *v2; /* NULL: no controller of its own there */
	int at;         /* index in tops, or -1 */
} controllers[CG_MAX] = {
	[CG_MEMORY] = { "memory", "memory", -1 },
	[CG_CPU] = { "cpu", "cpu", -1 },
	[CG_PIDS] = { "pids", "pids", -1 },
	[CG_IO] = { "blkio", "io", -1 },
	[CG_ACCT] = { "cpuacct", NULL, -1 },
	[CG_FREEZE] = { "freezer", NULL, -1 },
};

int
cgroup_write(int dir, const char *name, const char *text)
{
	int fd, error;
	ssize_t n;

	fd = openat(dir, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd == -1)
		return -1;
	n = write(fd, text, strlen(text));
	error = errno;
	close(fd);
	errno = error;
	return n == -1 ? -1 : 0;
}

ssize_t
cgroup_read(int dir, const char *name, char *buf, size_t len)
{
	size_t have = 0;
	ssize_t n;
	int fd;

	fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd == -1)
		return -1;
	while (have < len - 1 && (n = read(fd, buf + have, len - 1 - have)) > 0)
		have += (size_t)n;
	close(fd);
	buf[have] = '\0';
	return (ssize_t)have;
}

bool
cgroup_word(const char *list, const char *word)
{
	size_t len = strlen(word);
	const char *p = list;

	while ((p = strstr(p, word)) != NULL) {
		if ((p == list || p[-1] == ',' || p[-1] == ' ') &&
		    (p[len] == ',' || isspace((unsigned char)p[len]) || p[len] == '\0'))
			return true;
		p += len;
	}
	return false;
}

/* Our group at the top of a tree that is mounted at path; its index, or -1. */
static int
top_open(const char *path)
{
	int dir, fd = -1;

	if (ntops == CGROUP_TREES)
		return -1;
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir == -1)
		return -1;
	if (mkdirat(dir, top_name, 0755) == 0 || errno == EEXIST)
		fd = openat(
		    dir, top_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	close(dir);
	if (fd == -1)
		return -1;
	tops[ntops] = fd;
	return (int)ntops++;
}

/* A controller that is there may still not be had: by a user of its own, or
 * because of who stands in the group that the tree begins with. */
static bool
switch_on(int dir, const char *list, const char *name)
{
	char on[32];

	snprintf(on, sizeof(on), "+%s", name);
	if (!cgroup_word(list, name) ||
	    cgroup_write(dir, "cgroup.subtree_control", on) == -1)
		return false;
	return cgroup_write(tops[0], "cgroup.subtree_control", on) == 0;
}

static void
find_v2(const char *path)
{
	char list[256] = "";
	unsigned int i;
	int dir;

	if (v2 || top_open(path) == -1)
		return;
	v2 = true;
	controllers[CG_FREEZE].at = 0;
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir == -1)
		return;
	(void)cgroup_read(dir, "cgroup.controllers", list, sizeof(list));
	for (i = 0; i < CG_MAX; i++)
		if (controllers[i].v2 != NULL && switch_on(dir, list, controllers[i].v2))
			controllers[i].at = 0;
	close(dir);
	if (controllers[CG_CPU].at == 0)
		controllers[CG_ACCT].at = 0;
}

/* A tree may have several controllers. */
static void
find_v1(const char *path, const char *opt)
{
	unsigned int i;
	int at = -1;

	for (i = 0; i < CG_MAX; i++) {
		if (controllers[i].at != -1 || !cgroup_word(opt, controllers[i].v1))
			continue;
		if (at == -1 && (at = top_open(path)) == -1)
			return;
		controllers[i].at = at;
	}
}

/* One line of /proc/self/mounts: device path type options. */
static void
find_line(char *line, bool second)
{
	char *save = NULL, *path, *type, *opt;

	(void)strtok_r(line, " ", &save);
	path = strtok_r(NULL, " ", &save);
	type = strtok_r(NULL, " ", &save);
	opt = strtok_r(NULL, " ", &save);
	if (opt == NULL)
		return;
	if (second && strcmp(type, "cgroup2") == 0)
		find_v2(path);
	if (!second && strcmp(type, "cgroup") == 0)
		find_v1(path, opt);
}

static void
find_all(bool second)
{
	char *line = NULL;
	size_t size = 0;
	FILE *f;

	f = fopen("/proc/self/mounts", "re");
	if (f == NULL)
		return;
	while (getline(&line, &size, f) != -1)
		find_line(line, second);
	free(line);
	fclose(f);
}

void
cgroup_find(const char *runtime)
{
	uint32_t h = 2166136261U;
	const char *p;

	for (p = runtime; *p != '\0'; p++)
		h = (h ^ (uint8_t)*p) * 16777619U;
	snprintf(top_name, sizeof(top_name), "ided-%08x", h);
	find_all(true);
	find_all(false);
}

/* By where the controllers are; one of version 2 without any only kills. */
const char *
cgroup_version(void)
{
	bool one = false, two = false;
	unsigned int i;

	for (i = 0; i < CG_FREEZE; i++) {
		two = two || cgroup_is_v2(i);
		one = one || controllers[i].at > (v2 ? 0 : -1);
	}
	if (one)
		return two ? "v1+v2" : "v1";
	return two ? "v2" : "none";
}

bool
cgroup_is_v2(enum cgroup_controller c)
{
	return v2 && controllers[c].at == 0;
}

int
cgroup_top(enum cgroup_controller c)
{
	return controllers[c].at == -1 ? -1 : tops[controllers[c].at];
}

static int
group_open(int top, uint32_t group)
{
	char name[16];

	snprintf(name, sizeof(name), "%u", group);
	return openat(top, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
}

int
cgroup_open(enum cgroup_controller c, uint32_t group)
{
	errno = ENOENT;
	return controllers[c].at == -1 ? -1 : group_open(cgroup_top(c), group);
}

/* In all trees or in none: EEXIST if there is one of that number in any of them. */
int
cgroup_make(uint32_t group)
{
	char name[16];
	unsigned int i;
	int error;

	snprintf(name, sizeof(name), "%u", group);
	for (i = 0; i < ntops; i++) {
		if (mkdirat(tops[i], name, 0755) == 0)
			continue;
		error = errno;
		while (i-- > 0)
			(void)unlinkat(tops[i], name, AT_REMOVEDIR);
		errno = error;
		return -1;
	}
	return 0;
}

unsigned int
cgroup_fds(int fds[CGROUP_TREES])
{
	memcpy(fds, tops, ntops * sizeof(tops[0]));
	return ntops;
}

int
cgroup_fd(uint32_t group)
{
	return v2 ? group_open(tops[0], group) : -1;
}

/*
 * Version 1: the set-up enters itself, before it has any child.  `tasks' with
 * 0 moves the single thread that asks, without the global lock of
 * cgroup.procs, which costs tens of milliseconds.
 */
int
setup_cgroup(struct setup *s)
{
	unsigned int i;
	int dir, r;

	for (i = v2 ? 1 : 0; i < ntops; i++) {
		dir = group_open(tops[i], s->group);
		if (dir == -1)
			return -1;
		r = cgroup_write(dir, "tasks", "0");
		close(dir);
		if (r == -1)
			return -1;
	}
	return 0;
}

/* Is that process, held by a pidfd, in this group still? */
static bool
in_group(int pid, uint32_t group)
{
	char path[64], want[64], text[4096];

	snprintf(path, sizeof(path), "/proc/%d/cgroup", pid);
	snprintf(want, sizeof(want), "/%s/%u\n", top_name, group);
	return cgroup_read(AT_FDCWD, path, text, sizeof(text)) > 0 &&
	    strstr(text, want) != NULL;
}

static void
kill_one(int pid, uint32_t group)
{
	int fd;

	fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (fd == -1)
		return;
	if (in_group(pid, group))
		(void)syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0);
	close(fd);
}

/* Who is left over is few: its pid 1 took the others along. */
static void
kill_each(int dir, uint32_t group)
{
	char text[16384], *p, *end;
	long pid;

	if (cgroup_read(dir, "cgroup.procs", text, sizeof(text)) <= 0)
		return;
	for (p = text; (pid = strtol(p, &end, 10)) > 0 && *end == '\n'; p = end + 1)
		kill_one((int)pid, group);
}

/*
 * In version 2 the kernel does it to all at once (from 5.14).  The others are
 * looked through all the same: what was started when there was no version 2 is
 * in those alone.
 */
void
cgroup_kill(uint32_t group)
{
	unsigned int i;
	int dir;

	for (i = 0; i < ntops; i++) {
		dir = group_open(tops[i], group);
		if (dir == -1)
			continue;
		if (i > 0 || !v2 || cgroup_write(dir, "cgroup.kill", "1") == -1)
			kill_each(dir, group);
		close(dir);
	}
}

int
cgroup_freeze(uint32_t group, bool freeze)
{
	int dir, r, error;

	dir = cgroup_open(CG_FREEZE, group);
	if (dir == -1)
		return -1;
	if (cgroup_is_v2(CG_FREEZE))
		r = cgroup_write(dir, "cgroup.freeze", freeze ? "1" : "0");
	else
		r = cgroup_write(dir, "freezer.state", freeze ? "FROZEN" : "THAWED");
	error = errno;
	close(dir);
	errno = error;
	return r;
}

int
cgroup_remove(uint32_t group)
{
	char name[16];
	unsigned int i;
	int r = 0;

	snprintf(name, sizeof(name), "%u", group);
	for (i = 0; i < ntops; i++)
		if (unlinkat(tops[i], name, AT_REMOVEDIR) == -1 && errno != ENOENT)
			r = -1;
	return r;
}

/* Every group that is there. */
void
cgroup_each(void (*fn)(uint32_t group))
{
	struct dirent *de;
	unsigned int i;
	DIR *d;

	for (i = 0; i < ntops; i++) {
		if ((d = dir_entries(tops[i])) == NULL)
			continue;
		while ((de = readdir(d)) != NULL)
			if (isdigit((unsigned char)de->d_name[0]))
				fn((uint32_t)strtoul(de->d_name, NULL, 10));
		closedir(d);
	}
}

/* At the end: our own group goes too, if no sandbox is left in it. */
void
cgroup_leave(void)
{
	char path[PATH_MAX], link[64];
	unsigned int i;
	ssize_t n;

	for (i = 0; i < ntops; i++) {
		snprintf(link, sizeof(link), "/proc/self/fd/%d", tops[i]);
		n = readlink(link, path, sizeof(path) - 1);
		if (n <= 0)
			continue;
		path[n] = '\0';
		(void)rmdir(path);
	}
}
