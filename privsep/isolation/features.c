/*
 * What this kernel has of what sandboxes are made of.  What cannot be done
 * without ends the start; what can is named in one line, and `require' in the
 * configuration makes it end the start too.
 */
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <linux/seccomp.h>

#include <bsd/string.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../log.h"
#include "../sandbox.h"
#include "isolation.h"
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

static const char *const namespaces[] = { "mnt", "pid", "ipc", "uts", "net", "cgroup" };

static void
lacking(char *list, size_t len, const char *what, bool required)
{
	if (required)
		fatalx("isolation: this machine has no %s, which the "
		       "configuration requires",
		    what);
	if (list[0] != '\0')
		strlcat(list, ", ", len);
	strlcat(list, what, len);
}

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

void
features_check(const struct conf_isolation *conf)
{
	static const struct {
		unsigned int bit;
		const char *what;
	} groups[] = {
		{ CGROUP_MEMORY, "control group for memory" },
		{ CGROUP_CPU, "control group for cpu" },
		{ CGROUP_PIDS, "control group for processes" },
	};
	char list[256] = "";
	unsigned int i;
	int abi = sandbox_landlock_abi();

	check_needed(conf);
	for (i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
		if ((cgroup_have() & groups[i].bit) == 0)
			lacking(list, sizeof(list), groups[i].what,
			    (conf->require & REQUIRE_CGROUP) != 0);
	if (abi == 0)
		lacking(list, sizeof(list), "Landlock",
		    (conf->require & REQUIRE_LANDLOCK) != 0);
	if (abi > 0 && conf->user_namespaces)
		lacking(list, sizeof(list), "Landlock for files (user-namespaces allow)",
		    false);
	if (abi > 0 && abi < 6)
		lacking(list, sizeof(list), "Landlock for signals and abstract sockets",
		    false);
	if (strategy_of(conf->kind)->weaker != NULL)
		log_event(LOG_WARNING, "isolation.weaker",
		    LOG_S("what", strategy_of(conf->kind)->weaker));
	if (list[0] != '\0')
		log_event(LOG_WARNING, "isolation.lacking", LOG_S("what", list));
	log_event(LOG_INFO, "isolation.has", LOG_S("cgroup", cgroup_version()),
	    LOG_N("landlock", abi));
}
