/*
 * What a user may have of the machine, as control groups hold it, and what he
 * has.
 *
 * A row a file.  Whether this machine can hold a row is found out once; one that
 * it can hold and that cannot be written is an error, and no sandbox starts.
 */
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../log.h"
#include "sandbox_cgroup.h"

#define CPU_PERIOD   100000 /* microseconds */
#define SOCKETS_PART 8      /* of as much as the memory, beside it */

enum value { MEMORY, SWAP, SOCKETS, GROUP, PERIOD, QUOTA, PIDS, WEIGHT, RBPS, WBPS };

static struct share {
	const char *what; /* the keyword; NULL: a part of another's */
	enum cgroup_controller of;
	const char *v1; /* NULL: nothing to write there */
	const char *v2;
	enum value value;
	bool try;  /* may fail */
	bool held; /* by this machine */
} shares[] = {
	/* Version 1 counts memory and swap together, and refuses any order of
	 * writing in which that is less than memory: up first, then down. */
	{ NULL, CG_MEMORY, "memory.memsw.limit_in_bytes", NULL, SWAP, true, false },
	{ "memory", CG_MEMORY, "memory.limit_in_bytes", "memory.max", MEMORY, false,
	    false },
	{ "swap", CG_MEMORY, "memory.memsw.limit_in_bytes", "memory.swap.max", SWAP,
	    false, false },
	/* What waits in sockets counts apart in version 1, and to nobody at all unless
	 * it has a limit. */
	{ NULL, CG_MEMORY, "memory.kmem.tcp.limit_in_bytes", NULL, SOCKETS, false,
	    false },
	/* Out of memory: the largest process ends, not the whole session. */
	{ NULL, CG_MEMORY, NULL, "memory.oom.group", GROUP, true, false },
	{ NULL, CG_CPU, "cpu.cfs_period_us", NULL, PERIOD, false, false },
	{ "cpu", CG_CPU, "cpu.cfs_quota_us", "cpu.max", QUOTA, false, false },
	{ "processes", CG_PIDS, "pids.max", "pids.max", PIDS, false, false },
	/* Of two schedulers one acts, which is found out apart. */
	{ NULL, CG_IO, "blkio.bfq.weight", "io.bfq.weight", WEIGHT, true, false },
	{ "io-weight", CG_IO, NULL, "io.weight", WEIGHT, true, false },
	{ "io-read", CG_IO, "blkio.throttle.read_bps_device", "io.max", RBPS, false,
	    false },
	{ "io-write", CG_IO, "blkio.throttle.write_bps_device", "io.max", WBPS, false,
	    false },
};

#define NSHARES (sizeof(shares) / sizeof(shares[0]))

static char disk[32]; /* major:minor of what homes are on; "" for none */

static const char *
share_file(const struct share *s)
{
	return cgroup_is_v2(s->of) ? s->v2 : s->v1;
}

/* The disk itself, not its partition, is what the kernel counts for. */
static void
disk_find(int homes)
{
	char path[64];
	struct stat st;
	ssize_t n;

	if (fstat(homes, &st) == -1)
		return;
	snprintf(disk, sizeof(disk), "%u:%u", major(st.st_dev), minor(st.st_dev));
	snprintf(path, sizeof(path), "/sys/dev/block/%s/partition", disk);
	if (access(path, F_OK) == 0) {
		snprintf(path, sizeof(path), "/sys/dev/block/%s/../dev", disk);
		n = cgroup_read(AT_FDCWD, path, disk, sizeof(disk));
		disk[n > 0 ? strcspn(disk, "\n") : 0] = '\0';
	}
	snprintf(path, sizeof(path), "/sys/dev/block/%s/queue", disk);
	if (disk[0] == '\0' || access(path, F_OK) == -1)
		disk[0] = '\0';
}

/* Weights are kept by the scheduler bfq, or in version 2 by the cost model. */
static bool
weight_acts(void)
{
	char path[64], text[1024], want[48];
	int top = cgroup_top(CG_IO);
	char *p;

	snprintf(path, sizeof(path), "/sys/dev/block/%s/queue/scheduler", disk);
	if (cgroup_read(AT_FDCWD, path, text, sizeof(text)) > 0 &&
	    strstr(text, "[bfq]") != NULL)
		return true;
	if (!cgroup_is_v2(CG_IO) ||
	    cgroup_read(top, "../io.cost.qos", text, sizeof(text)) <= 0)
		return false;
	snprintf(want, sizeof(want), "%s enable=1", disk);
	p = strstr(text, want);
	return p != NULL && (p == text || p[-1] == '\n');
}

static bool
per_disk(const struct share *s)
{
	return s->value == RBPS || s->value == WBPS;
}

void
shares_find(int homes)
{
	struct share *s;
	const char *file;
	int top;

	disk_find(homes);
	for (s = shares; s < shares + NSHARES; s++) {
		top = cgroup_top(s->of);
		file = share_file(s);
		s->held = top != -1 && file != NULL &&
		    faccessat(top, file, W_OK, 0) == 0 &&
		    (!per_disk(s) || disk[0] != '\0');
	}
}

static bool
has_swap(void)
{
	char text[512], *p;

	if (cgroup_read(AT_FDCWD, "/proc/swaps", text, sizeof(text)) <= 0)
		return false;
	p = strchr(text, '\n');
	return p != NULL && p[1] != '\0';
}

/* Is the row one that makes a difference, here and with these values? */
static bool
wanted(const struct share *s, const struct conf_limits *conf)
{
	switch (s->value) {
	case SWAP:
		return has_swap();
	case WEIGHT:
		return conf->io_weight != CONF_IO_WEIGHT;
	case RBPS:
		return conf->io_read != CONF_NO_LIMIT;
	case WBPS:
		return conf->io_write != CONF_NO_LIMIT;
	default:
		return true;
	}
}

static void
why_not(const struct share *s, char *why, size_t len)
{
	if (cgroup_top(s->of) == -1)
		snprintf(why, len, "the kernel gives no control group for it");
	else if (s->of == CG_IO && disk[0] == '\0')
		snprintf(why, len, "the homes are on no block device");
	else if (s->value == WEIGHT)
		snprintf(
		    why, len, "disk %s has neither the scheduler bfq nor io.cost", disk);
	else
		snprintf(why, len, "the control group has no %s",
		    share_file(s) != NULL ? share_file(s) : "such file");
}

void
shares_lacking(const struct conf_limits *conf,
    void (*fn)(void *arg, const char *what, const char *why), void *arg)
{
	const struct share *s;
	char why[128];

	for (s = shares; s < shares + NSHARES; s++) {
		if (s->what == NULL || !wanted(s, conf))
			continue;
		if (s->value == WEIGHT ? disk[0] != '\0' && weight_acts() : s->held)
			continue;
		why_not(s, why, sizeof(why));
		fn(arg, s->what, why);
	}
}

/* Bytes per second of the disk; each version has its own word for any number. */
static void
rate_text(char *buf, size_t len, const char *key, uint64_t rate, bool v2)
{
	if (!v2)
		snprintf(buf, len, "%s %" PRIu64, disk, rate == CONF_NO_LIMIT ? 0 : rate);
	else if (rate == CONF_NO_LIMIT)
		snprintf(buf, len, "%s %s=max", disk, key);
	else
		snprintf(buf, len, "%s %s=%" PRIu64, disk, key, rate);
}

static void
share_text(const struct share *s, char *buf, size_t len, const struct conf_limits *conf)
{
	uint64_t quota = (uint64_t)conf->cpu * (CPU_PERIOD / 100);
	bool v2 = cgroup_is_v2(s->of);

	switch (s->value) {
	case MEMORY:
		snprintf(buf, len, "%" PRIu64, conf->memory);
		break;
	case SWAP:
		snprintf(buf, len, "%" PRIu64, conf->swap + (v2 ? 0 : conf->memory));
		break;
	case SOCKETS:
		snprintf(buf, len, "%" PRIu64, conf->memory / SOCKETS_PART);
		break;
	case GROUP:
		snprintf(buf, len, "0");
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
	case WEIGHT:
		snprintf(buf, len, "%u", conf->io_weight);
		break;
	case RBPS:
		rate_text(buf, len, "rbps", conf->io_read, v2);
		break;
	case WBPS:
		rate_text(buf, len, "wbps", conf->io_write, v2);
		break;
	}
}

static int
share_write(const struct share *s, uint32_t group, const struct conf_limits *conf)
{
	char text[64];
	int dir, r;

	dir = cgroup_open(s->of, group);
	if (dir == -1)
		return -1;
	share_text(s, text, sizeof(text), conf);
	r = cgroup_write(dir, share_file(s), text);
	close(dir);
	if (r == 0 || s->try)
		return 0;
	log_warn("control group %u: %s", group, share_file(s));
	return -1;
}

int
shares_set(uint32_t group, const struct conf_limits *conf)
{
	const struct share *s;
	int failed = 0;

	for (s = shares; s < shares + NSHARES; s++)
		if (s->held && share_write(s, group, conf) == -1)
			failed = -1;
	return failed;
}

/* A fresh group has the kernel's values: what is not wanted is so already. */
int
shares_fresh(uint32_t group, const struct conf_limits *conf)
{
	const struct share *s;
	int failed = 0;

	for (s = shares; s < shares + NSHARES; s++)
		if (s->held && (s->of != CG_IO || wanted(s, conf)) &&
		    share_write(s, group, conf) == -1)
			failed = -1;
	return failed;
}

/* Memory and swap have one order of writing, and are written together. */
static bool
differs(const struct share *s, const struct conf_limits *a, const struct conf_limits *b)
{
	char text[2][64];

	if (s->of == CG_MEMORY)
		return a->memory != b->memory || a->swap != b->swap;
	share_text(s, text[0], sizeof(text[0]), a);
	share_text(s, text[1], sizeof(text[1]), b);
	return strcmp(text[0], text[1]) != 0;
}

int
shares_change(
    uint32_t group, const struct conf_limits *was, const struct conf_limits *conf)
{
	const struct share *s;
	int failed = 0;

	for (s = shares; s < shares + NSHARES; s++)
		if (s->held && differs(s, was, conf) && share_write(s, group, conf) == -1)
			failed = -1;
	return failed;
}

/* The number after a key at the beginning of a line; NULL: the first one. */
static uint64_t
number(enum cgroup_controller c, uint32_t group, const char *name, const char *key)
{
	char text[8192], *p = text;
	uint64_t n = 0;
	int dir;

	dir = cgroup_open(c, group);
	if (dir == -1)
		return 0;
	if (cgroup_read(dir, name, text, sizeof(text)) > 0) {
		if (key != NULL)
			while ((p = strstr(p, key)) != NULL && p != text && p[-1] != '\n')
				p++;
		if (p != NULL)
			n = strtoull(p + (key != NULL ? strlen(key) : 0), NULL, 10);
	}
	close(dir);
	return n;
}

/* The group is slowed down there besides, until it has been looked at.  The file is
 * always readable: it is the change of it that wakes who waits for edges.  (An inotify
 * would have to be one of the few that a user, root too, may have.) */
static int
alarm_v2(int dir, uint64_t bytes)
{
	char text[64];
	int fd;

	snprintf(text, sizeof(text), "%" PRIu64, bytes);
	fd = openat(dir, "memory.events", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd != -1 && cgroup_write(dir, "memory.high", text) == -1) {
		close(fd);
		return -1;
	}
	return fd;
}

int
shares_alarm(uint32_t group, uint64_t bytes)
{
	int dir, fd;

	dir = cgroup_open(CG_MEMORY, group);
	if (dir == -1)
		return -1;
	fd = cgroup_is_v2(CG_MEMORY) ? alarm_v2(dir, bytes) :
				       eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	close(dir);
	return fd;
}

bool
shares_alarm_untold(void)
{
	return !cgroup_is_v2(CG_MEMORY);
}

int
shares_alarm_tell(uint32_t group, uint64_t bytes, int alarm)
{
	char text[64];
	int dir, usage, error = 0;

	dir = cgroup_open(CG_MEMORY, group);
	if (dir == -1)
		return errno;
	usage = openat(dir, "memory.usage_in_bytes", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	snprintf(text, sizeof(text), "%d %d %" PRIu64, alarm, usage, bytes);
	if (usage == -1 || cgroup_write(dir, "cgroup.event_control", text) == -1)
		error = errno;
	if (usage != -1)
		close(usage);
	close(dir);
	return error;
}

void
shares_usage(uint32_t group, struct m_sandbox *row)
{
	uint64_t cache;

	if (cgroup_is_v2(CG_MEMORY)) {
		row->memory = number(CG_MEMORY, group, "memory.current", NULL);
		cache = number(CG_MEMORY, group, "memory.stat", "inactive_file ");
	} else {
		row->memory = number(CG_MEMORY, group, "memory.usage_in_bytes", NULL);
		cache = number(CG_MEMORY, group, "memory.stat", "total_inactive_file ");
	}
	/* What the kernel gives back when it is asked to is not use. */
	row->memory -= cache < row->memory ? cache : row->memory;
	row->cpu_usec = cgroup_is_v2(CG_ACCT) ?
	    number(CG_ACCT, group, "cpu.stat", "usage_usec ") :
	    number(CG_ACCT, group, "cpuacct.usage", NULL) / 1000;
	row->processes = (uint32_t)number(CG_PIDS, group, "pids.current", NULL);
}
