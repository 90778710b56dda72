/* /proc of the sandbox: its own processes, and nothing that tells or steers the host. */
#include <sys/mount.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "sandbox_steps.h"

/* Read as empty: the kernel's memory and symbols, how it was started, keys of all
 * users, what other users' disks, interrupts, locks and processors are busy with. */
/* clang-format off */
static const char *const masked_files[] = {
	"proc/kcore", "proc/kallsyms", "proc/kmsg", "proc/config.gz", "proc/modules",
	"proc/iomem", "proc/ioports", "proc/mtrr", "proc/slabinfo", "proc/vmallocinfo",
	"proc/kpagecount", "proc/kpageflags", "proc/kpagecgroup", "proc/buddyinfo",
	"proc/pagetypeinfo", "proc/zoneinfo",
	"proc/allocinfo", "proc/bootconfig", "proc/cmdline", "proc/consoles",
	"proc/sysrq-trigger",
	"proc/keys", "proc/key-users",
	"proc/diskstats", "proc/partitions", "proc/interrupts", "proc/softirqs",
	"proc/locks", "proc/latency_stats", "proc/sched_debug", "proc/schedstat",
	"proc/timer_list",
};
/* clang-format on */
/* An empty folder in their place. */
static const char *const masked_dirs[] = {
	"proc/acpi",
	"proc/scsi",
	"proc/asound",
	"proc/driver",
	"proc/dynamic_debug",
	"proc/fs", /* what journals of other users' volumes are busy with */
	"proc/pressure",
};
/* May be read. */
static const char *const readonly[] = {
	"proc/sys",
	"proc/bus",
	"proc/irq",
	"proc/tty",
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

int
setup_proc(struct setup *s)
{
	unsigned int i;

	(void)s;
	if (mount("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC,
		"hidepid=2") == -1)
		return -1;
	/* dev/null is ours already, and was verified. */
	for (i = 0; i < COUNT(masked_files); i++)
		if (access(masked_files[i], F_OK) == 0 &&
		    mount("dev/null", masked_files[i], NULL, MS_BIND, NULL) == -1)
			return -1;
	for (i = 0; i < COUNT(masked_dirs); i++)
		if (access(masked_dirs[i], F_OK) == 0 &&
		    mount("tmpfs", masked_dirs[i], "tmpfs",
			MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY,
			"size=4k,nr_inodes=2,mode=0555") == -1)
			return -1;
	for (i = 0; i < COUNT(readonly); i++)
		if (access(readonly[i], F_OK) == 0 &&
		    mnt_bind(AT_FDCWD, readonly[i], readonly[i],
			MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
			    MOUNT_ATTR_NOEXEC,
			true) == -1)
			return -1;
	return 0;
}
