/*
 * Control groups: memory, cpu and processes of each user, in version 2 or in
 * version 1, where every controller has a tree of its own.
 *
 * Our groups stand in one group at the top of each tree, named after the
 * runtime folder: two ideds on one machine do not meet, and a stop of ided's
 * own service does not take users' sandboxes along.
 */
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../log.h"
#include "sandbox_steps.h"

#define CPU_PERIOD 100000 /* microseconds */

/* The trees: in version 2 only the first is used, for everything. */
static struct tree {
	const char *controller;
	unsigned int bit;
	int top; /* our group at its top, or -1 */
} trees[CGROUP_TREES] = {
	{ "memory", CGROUP_MEMORY, -1 }, { "cpu", CGROUP_CPU, -1 },
	{ "pids", CGROUP_PIDS, -1 }, { "cpuacct", 0, -1 }, /* only counts */
};

static bool v2;
static unsigned int have;
static char top_name[32];

static int
file_write(int dir, const char *name, const char *text)
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

static ssize_t
file_read(int dir, const char *name, char *buf, size_t len)
{
	ssize_t n;
	int fd;

	fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd == -1)
		return -1;
	n = read(fd, buf, len - 1);
	close(fd);
	if (n >= 0)
		buf[n] = '\0';
	return n;
}

static bool
has_word(const char *list, const char *word)
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

/* Our group at the top of a tree that is mounted at path. */
static int
top_open(const char *path)
{
	int dir, fd;

	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir == -1)
		return -1;
	if (mkdirat(dir, top_name, 0755) == -1 && errno != EEXIST)
		fd = -1;
	else
		fd = openat(
		    dir, top_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	close(dir);
	return fd;
}

static void
find_v2(const char *path)
{
	static const char on[] = "+memory +cpu +pids";
	char list[256];
	unsigned int i, found = 0;
	int dir;

	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir == -1)
		return;
	if (file_read(dir, "cgroup.controllers", list, sizeof(list)) > 0)
		for (i = 0; i < 3; i++)
			if (has_word(list, trees[i].controller))
				found |= trees[i].bit;
	if (found == CGROUP_ALL)
		(void)file_write(dir, "cgroup.subtree_control", on);
	close(dir);
	if (found != CGROUP_ALL || (trees[0].top = top_open(path)) == -1)
		return;
	if (file_write(trees[0].top, "cgroup.subtree_control", on) == -1) {
		close(trees[0].top);
		trees[0].top = -1;
		return;
	}
	v2 = true;
	have = CGROUP_ALL;
}

/* One line of /proc/self/mounts: device path type options. */
static void
find_line(char *line, bool second)
{
	char *save = NULL, *path, *type, *opt;
	unsigned int i;

	(void)strtok_r(line, " ", &save);
	path = strtok_r(NULL, " ", &save);
	type = strtok_r(NULL, " ", &save);
	opt = strtok_r(NULL, " ", &save);
	if (opt == NULL)
		return;
	if (second && strcmp(type, "cgroup2") == 0)
		find_v2(path);
	if (second || strcmp(type, "cgroup") != 0)
		return;
	for (i = 0; i < CGROUP_TREES; i++)
		if (trees[i].top == -1 && has_word(opt, trees[i].controller) &&
		    (trees[i].top = top_open(path)) != -1)
			have |= trees[i].bit;
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
	while (getline(&line, &size, f) != -1 && !v2)
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
	if (!v2)
		find_all(false);
}

unsigned int
cgroup_have(void)
{
	return have;
}

const char *
cgroup_version(void)
{
	return v2 ? "v2" : have != 0 ? "v1" : "none";
}

static int
group_open(const struct tree *t, uint32_t uid)
{
	char name[16];

	snprintf(name, sizeof(name), "%u", uid);
	return openat(t->top, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
}

/* The files that hold limits.  The order matters: swap is memory and swap
 * together in version 1 and may not be less than memory. */
static const struct {
	unsigned int tree; /* in version 1 */
	const char *v1;
	const char *v2;
	enum {
		MEMORY,
		SWAP,
		PERIOD,
		QUOTA,
		PIDS,
	} value;
	enum {
		MAY, /* another row sees to it */
		IF_THERE,
		MUST,
	} how;
} limit_files[] = {
	/* When memory rises swap comes first, when it falls swap comes last. */
	{ 0, "memory.memsw.limit_in_bytes", NULL, SWAP, MAY },
	{ 0, "memory.limit_in_bytes", "memory.max", MEMORY, MUST },
	{ 0, "memory.memsw.limit_in_bytes", "memory.swap.max", SWAP, IF_THERE },
	{ 1, "cpu.cfs_period_us", NULL, PERIOD, MUST },
	{ 1, "cpu.cfs_quota_us", "cpu.max", QUOTA, MUST },
	{ 2, "pids.max", "pids.max", PIDS, MUST },
};

static void
limit_text(char *buf, size_t len, int value, const struct conf_isolation *conf)
{
	uint64_t quota = (uint64_t)conf->cpu * (CPU_PERIOD / 100);

	switch (value) {
	case MEMORY:
		snprintf(buf, len, "%" PRIu64, conf->memory);
		break;
	case SWAP:
		snprintf(buf, len, "%" PRIu64, v2 ? 0 : conf->memory);
		break;
	case PERIOD:
		snprintf(buf, len, "%d", CPU_PERIOD);
		break;
	case QUOTA:
		if (v2)
			snprintf(buf, len, "%" PRIu64 " %d", quota, CPU_PERIOD);
		else
			snprintf(buf, len, "%" PRIu64, quota);
		break;
	case PIDS:
		snprintf(buf, len, "%u", conf->processes);
		break;
	}
}

int
cgroup_limits(uint32_t uid, const struct conf_isolation *conf)
{
	const char *name;
	char text[64];
	unsigned int i, t;
	int dir, r;

	for (i = 0; i < sizeof(limit_files) / sizeof(limit_files[0]); i++) {
		t = v2 ? 0 : limit_files[i].tree;
		name = v2 ? limit_files[i].v2 : limit_files[i].v1;
		if (trees[t].top == -1 || name == NULL)
			continue;
		dir = group_open(&trees[t], uid);
		if (dir == -1)
			return -1;
		limit_text(text, sizeof(text), limit_files[i].value, conf);
		r = file_write(dir, name, text);
		close(dir);
		if (r == -1 && limit_files[i].how != MAY &&
		    (limit_files[i].how == MUST || errno != ENOENT)) {
			log_warn("control group of uid %u: %s", uid, name);
			return -1;
		}
	}
	return 0;
}

int
cgroup_make(uint32_t uid, const struct conf_isolation *conf)
{
	char name[16];
	unsigned int i;

	snprintf(name, sizeof(name), "%u", uid);
	for (i = 0; i < CGROUP_TREES; i++)
		if (trees[i].top != -1 && mkdirat(trees[i].top, name, 0755) == -1 &&
		    errno != EEXIST)
			return -1;
	return cgroup_limits(uid, conf);
}

unsigned int
cgroup_fds(int fds[CGROUP_TREES])
{
	unsigned int i, n = 0;

	for (i = 0; i < CGROUP_TREES; i++)
		if (trees[i].top != -1)
			fds[n++] = trees[i].top;
	return n;
}

int
cgroup_fd(uint32_t uid)
{
	return v2 ? group_open(&trees[0], uid) : -1;
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

	if (v2)
		return 0; /* born in it */
	for (i = 0; i < CGROUP_TREES; i++) {
		if (trees[i].top == -1)
			continue;
		dir = group_open(&trees[i], s->uid);
		if (dir == -1)
			return -1;
		r = file_write(dir, "tasks", "0");
		close(dir);
		if (r == -1)
			return -1;
	}
	return 0;
}

/* Is that process, held by a pidfd, in this group still? */
static bool
in_group(int pid, uint32_t uid)
{
	char path[64], want[64], text[4096];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/cgroup", pid);
	snprintf(want, sizeof(want), "/%s/%u\n", top_name, uid);
	n = file_read(AT_FDCWD, path, text, sizeof(text));
	return n > 0 && strstr(text, want) != NULL;
}

static void
kill_one(int pid, uint32_t uid)
{
	int fd;

	fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (fd == -1)
		return;
	if (in_group(pid, uid))
		(void)syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0);
	close(fd);
}

void
cgroup_kill(uint32_t uid)
{
	char text[16384], *p, *end;
	unsigned int i;
	int dir;
	long pid;

	for (i = 0; i < CGROUP_TREES; i++) {
		if (trees[i].top == -1 || (dir = group_open(&trees[i], uid)) == -1)
			continue;
		if (v2 && file_write(dir, "cgroup.kill", "1") == 0) {
			close(dir);
			return;
		}
		/* Who is left over is few: its pid 1 took the others along. */
		if (file_read(dir, "cgroup.procs", text, sizeof(text)) > 0)
			for (p = text; (pid = strtol(p, &end, 10)) > 0 && *end == '\n';
			     p = end + 1)
				kill_one((int)pid, uid);
		close(dir);
	}
}

int
cgroup_remove(uint32_t uid)
{
	char name[16];
	unsigned int i;
	int r = 0;

	snprintf(name, sizeof(name), "%u", uid);
	for (i = 0; i < CGROUP_TREES; i++)
		if (trees[i].top != -1 &&
		    unlinkat(trees[i].top, name, AT_REMOVEDIR) == -1 && errno != ENOENT)
			r = -1;
	return r;
}

static uint64_t
number(unsigned int tree, uint32_t uid, const char *v1name, const char *v2name,
    const char *key)
{
	char text[8192], *p = text;
	uint64_t n = 0;
	int dir;

	if (v2)
		tree = 0;
	if (trees[tree].top == -1 || (dir = group_open(&trees[tree], uid)) == -1)
		return 0;
	if (file_read(dir, v2 ? v2name : v1name, text, sizeof(text)) > 0) {
		if (key != NULL && (p = strstr(text, key)) != NULL)
			p += strlen(key);
		if (p != NULL)
			n = strtoull(p, NULL, 10);
	}
	close(dir);
	return n;
}

void
cgroup_usage(uint32_t uid, struct m_sandbox *row)
{
	uint64_t cache, cpu;

	row->memory = number(0, uid, "memory.usage_in_bytes", "memory.current", NULL);
	/* What the kernel gives back when it is asked to is not use. */
	cache = number(0, uid, "memory.stat", "memory.stat",
	    v2 ? "inactive_file " : "total_inactive_file ");
	row->memory -= cache < row->memory ? cache : row->memory;
	cpu = number(3, uid, "cpuacct.usage", "cpu.stat", v2 ? "usage_usec " : NULL);
	row->cpu_usec = v2 ? cpu : cpu / 1000;
	row->processes = (uint32_t)number(2, uid, "pids.current", "pids.current", NULL);
}

/*
 * Version 1 tells through an eventfd when the group's use passes a number of
 * bytes; in version 2 memory.high slows the group down at that number instead,
 * until it has been looked at.
 */
int
cgroup_alarm(uint32_t uid, uint64_t bytes)
{
	char text[64];
	int dir, usage = -1, ev = -1;

	if (v2 || trees[0].top == -1 || (dir = group_open(&trees[0], uid)) == -1)
		return -1;
	usage = openat(dir, "memory.usage_in_bytes", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ev = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	snprintf(text, sizeof(text), "%d %d %" PRIu64, ev, usage, bytes);
	if (usage == -1 || ev == -1 ||
	    file_write(dir, "cgroup.event_control", text) == -1) {
		if (ev != -1)
			close(ev);
		ev = -1;
	}
	if (usage != -1)
		close(usage);
	close(dir);
	return ev;
}

/* Every group that is there, by its uid. */
void
cgroup_each(void (*fn)(uint32_t uid))
{
	struct dirent *de;
	unsigned int i;
	DIR *d;
	int fd;

	for (i = 0; i < CGROUP_TREES; i++) {
		if (trees[i].top == -1)
			continue;
		fd = openat(trees[i].top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd == -1 || (d = fdopendir(fd)) == NULL)
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

	for (i = 0; i < CGROUP_TREES; i++) {
		if (trees[i].top == -1)
			continue;
		snprintf(link, sizeof(link), "/proc/self/fd/%d", trees[i].top);
		n = readlink(link, path, sizeof(path) - 1);
		if (n <= 0)
			continue;
		path[n] = '\0';
		(void)rmdir(path);
	}
}
