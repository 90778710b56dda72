/*
 * The capabilities that isolation keeps, each with its reason; all others are
 * given up at start, also for every process started from here.
 */
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <linux/capability.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "../log.h"
#include "isolation.h"

static const int kept[] = {
	CAP_SYS_ADMIN,                 /* namespaces, mounts */
	CAP_SYS_CHROOT,                /* setns back; the children's one chroot */
	CAP_SETUID,                    /* become a user or an account */
	CAP_SETGID, CAP_SETPCAP,       /* empty their bounding sets */
	CAP_CHOWN,                     /* a new home */
	CAP_FOWNER, CAP_DAC_OVERRIDE,  /* homes and the store's folder are not root's */
	CAP_DAC_READ_SEARCH, CAP_KILL, /* end a user's processes */
	CAP_NET_ADMIN,                 /* interfaces, routes and rules of sandboxes */
	CAP_NET_BIND_SERVICE,          /* listeners of a new configuration */
	CAP_SYS_RESOURCE,              /* limits of children, where it can be had */
};

void
caps_keep(void)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct d[2];
	uint64_t keep = 0;
	unsigned int i;
	int cap;

	for (i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		keep |= 1ULL << kept[i];
	for (cap = 0; cap <= 63; cap++)
		if ((keep & (1ULL << cap)) == 0 &&
		    prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == -1 && errno != EINVAL)
			fatal("capability %d", cap);
	if (syscall(SYS_capget, &h, d) == -1)
		fatal("capget");
	d[0].effective = d[0].permitted = d[0].permitted & (uint32_t)keep;
	d[1].effective = d[1].permitted = d[1].permitted & (uint32_t)(keep >> 32);
	/* spawn() hands this one on, and can no longer make it inheritable once
	 * the bounding set is empty. */
	d[0].inheritable = 1U << CAP_SYS_CHROOT;
	d[1].inheritable = 0;
	if (syscall(SYS_capset, &h, d) == -1)
		fatal("capset");
}

/* In a process that is left with this one thing to do; 0, or -1 with errno. */
int
caps_only(int cap)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct d[2];

	memset(d, 0, sizeof(d));
	d[cap / 32].effective = d[cap / 32].permitted = 1U << (cap % 32);
	return (int)syscall(SYS_capset, &h, d);
}
