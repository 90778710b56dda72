/*
 * What this kernel has of what sandboxes are made of.  What cannot be done
 * without ends the start; what can is named, a line each, and `require' in the
 * configuration makes it end the start too.
 */
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <linux/seccomp.h>

#include <bsd/stdlib.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../log.h"
#include "../sandbox.h"
#include "isolation.h"
#include "sandbox_cgroup.h"
#include "sandbox_steps.h"

/* System calls without which there is no sandbox at all. */
static const struct {
	long nr;
	const char *name;
} needed[] = {
	{ SYS_openat2, "openat2 (Linux 5.6)" },
	{ SYS_pidfd_open, "pidfd_open (Linux 5.3)" },
	{ SYS_close_range, "close_range (Linux 5.9)" },
	{ SYS_mount_setattr, "mount_setattr (Linux 5.12)" },
	{ SYS_open_tree, "open_tree (Linux 5.2)" },
};

#define FILE_SIZE_MIN 256 /* bytes that an open file takes of a user's memory */
/* What a process's own filters of system calls may be, as the kernel's programs: seven
 * of 4096 steps, of 16 bytes each at most. */
#define FILTERS_SIZE (7 * 4096 * 16)

static const char *const namespaces[] = { "mnt", "pid", "ipc", "uts", "net", "cgroup" };

static bool
has_seccomp(void)
{
	uint32_t action = SECCOMP_RET_KILL_PROCESS;

	return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

static void
check_needed(const struct conf_isolation *conf)
{
	char path[32];
	unsigned int i;

	for (i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
		if (syscall(needed[i].nr, -1, NULL, 0, 0, 0) == -1 && errno == ENOSYS)
			fatalx("isolation: this kernel has no %s", needed[i].name);
	for (i = 0; conf->kind != ISOLATION_DIRECTORY &&
	     i < sizeof(namespaces) / sizeof(namespaces[0]);
	     i++) {
		snprintf(path, sizeof(path), "/proc/self/ns/%s", namespaces[i]);
		if (access(path, F_OK) == -1)
			fatalx(
			    "isolation: this kernel has no %s namespaces", namespaces[i]);
	}
	if (!has_seccomp())
		fatalx("isolation: this kernel has no seccomp filters");
}

/* What Landlock has learned, and from which of its ABIs on. */
static const struct {
	int abi;
	const char *what;
} landlock[] = {
	{ 1, "Landlock" },
	{ 2, "Landlock for moves between folders" },
	{ 3, "Landlock for truncation" },
	{ 4, "Landlock for TCP" },
	{ 5, "Landlock for ioctl on devices" },
	{ 6, "Landlock for signals and abstract sockets" },
};

struct lacking {
	const struct conf_isolation *conf;
	features_fn fn;
	void *arg;
};

static void
share_lacking(void *arg, const char *what, const char *why)
{
	struct lacking *l = arg;

	l->fn(l->arg, what, why, (l->conf->require & REQUIRE_CGROUP) != 0);
}

int64_t
sysctl_number(const char *name)
{
	char path[128], buf[32];
	const char *bad;
	int64_t v;

	if ((size_t)snprintf(path, sizeof(path), "/proc/sys/%s", name) >= sizeof(path) ||
	    cgroup_read(AT_FDCWD, path, buf, sizeof(buf)) <= 0)
		return -1;
	buf[strcspn(buf, "\n")] = '\0';
	v = strtonum(buf, 0, INT64_MAX, &bad);
	return bad == NULL ? v : -1;
}

/*
 * What the kernel has so many of for all users together, and counts for none of
 * them: one user must not be able to take half of it.
 */
static void
numbers_lacking(const struct conf_limits *conf, features_fn fn, void *arg)
{
	const uint64_t files = (uint64_t)conf->processes * OPEN_FILES_MAX;
	const uint64_t room = conf->memory / FILE_SIZE_MIN;
	const struct {
		const char *what;
		const char *sysctl;
		uint64_t one;
	} numbers[] = {
		{ "open files for all users", "fs/file-max",
		    files < room ? files : room },
		{ "process numbers for all users", "kernel/pid_max", conf->processes },
		{ "threads for all users", "kernel/threads-max", conf->processes },
		{ "filters of system calls for all users", "net/core/bpf_jit_limit",
		    (uint64_t)conf->processes * FILTERS_SIZE },
	};
	char why[96];
	unsigned int i;
	int64_t all;

	for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		all = sysctl_number(numbers[i].sysctl);
		if (all <= 0 || (uint64_t)all / 2 >= numbers[i].one)
			continue;
		snprintf(why, sizeof(why), "%s is %lld, and one user may take %llu",
		    numbers[i].sysctl, (long long)all,
		    (unsigned long long)numbers[i].one);
		fn(arg, numbers[i].what, why, false);
	}
}

void
features_lacking(const struct conf_isolation *conf, features_fn fn, void *arg)
{
	struct lacking l = { conf, fn, arg };
	struct conf_limits all;
	char why[64];
	unsigned int i;
	int abi = sandbox_landlock_abi();

	conf_limits_all(conf, &all);
	shares_lacking(&all, share_lacking, &l);
	numbers_lacking(&all, fn, arg);
	if (conf->idle_freeze != 0 && cgroup_top(CG_FREEZE) == -1)
		fn(arg, "freezing of idle sandboxes", "there is no control group for it",
		    (conf->require & REQUIRE_CGROUP) != 0);
	if (abi > 0 && conf->user_namespaces)
		fn(arg, "Landlock for files", "user-namespaces are allowed", false);
	for (i = 0; i < sizeof(landlock) / sizeof(landlock[0]); i++) {
		if (abi >= landlock[i].abi)
			continue;
		snprintf(why, sizeof(why), "the kernel's ABI is %d, this takes %d", abi,
		    landlock[i].abi);
		/* `require' is met by any: what it has not, other layers hold. */
		fn(arg, landlock[i].what,
		    abi == 0 ? "the kernel has none, or does not use it" : why,
		    abi == 0 && (conf->require & REQUIRE_LANDLOCK) != 0);
		if (abi == 0)
			break;
	}
}

static void
name_lacking(void *arg, const char *what, const char *why, bool required)
{
	unsigned int *missing = arg;

	log_event(required ? LOG_ERR : LOG_WARNING, "isolation.not-held",
	    LOG_S("what", what), LOG_S("why", why));
	if (required)
		(*missing)++;
}

void
features_check(const struct conf_isolation *conf)
{
	unsigned int missing = 0;

	check_needed(conf);
	if (strategy_of(conf->kind)->weaker != NULL)
		log_event(LOG_WARNING, "isolation.weaker",
		    LOG_S("what", strategy_of(conf->kind)->weaker));
	features_lacking(conf, name_lacking, &missing);
	if (missing > 0) {
		cgroup_leave();
		fatalx("isolation: this machine does not hold what the configuration "
		       "requires");
	}
	log_event(LOG_INFO, "isolation.has", LOG_S("cgroup", cgroup_version()),
	    LOG_N("landlock", sandbox_landlock_abi()));
}
