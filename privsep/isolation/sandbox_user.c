/*
 * What the first process gives up before there is a user.  The rest, with the
 * superuser's uid, it gives up when it is told who that is: bin/ide-session/become.c.
 */
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <linux/capability.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "box.h"
#include "sandbox_cgroup.h"
#include "sandbox_steps.h"

struct limit_row {
	int what;
	rlim_t soft;
	rlim_t hard;
};

static const struct limit_row limits[] = {
	/* Descriptors bound what can be in flight over sockets as well. */
	{ RLIMIT_NOFILE, OPEN_FILES_MAX, OPEN_FILES_MAX },
	/* 1, not 0: a program that the host pipes core dumps to runs as the
	 * host's root, and only the value 1 keeps it from being run. */
	{ RLIMIT_CORE, 1, 1 },
	{ RLIMIT_MEMLOCK, 8 << 20, 8 << 20 },
	{ RLIMIT_MSGQUEUE, 819200, 819200 },
	/* Timers are signals to come; the kernel looks them up one by one. */
	{ RLIMIT_SIGPENDING, 8192, 8192 },
	{ RLIMIT_NICE, 0, 0 },
	{ RLIMIT_RTPRIO, 0, 0 },
	{ RLIMIT_STACK, 8 << 20, RLIM_INFINITY },
};

/* Without CAP_SYS_RESOURCE a limit can only be lowered. */
static int
limit_set(int what, rlim_t soft, rlim_t hard)
{
	struct rlimit old, r;

	if (getrlimit((__rlimit_resource_t)what, &old) == -1)
		return -1;
	r.rlim_max = hard < old.rlim_max ? hard : old.rlim_max;
	r.rlim_cur = soft < r.rlim_max ? soft : r.rlim_max;
	return setrlimit((__rlimit_resource_t)what, &r);
}

int
setup_limits(struct setup *s)
{
	unsigned int i;

	(void)s;
	for (i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
		if (limit_set(limits[i].what, limits[i].soft, limits[i].hard) == -1)
			return -1;
	return 0;
}

/* Where a control group counts them, it alone does: a new limit then counts for
 * what runs, which none of ours would be raised for.  0: no limit of ours. */
uint32_t
limit_processes(const struct conf_limits *l)
{
	return cgroup_top(CG_PIDS) != -1 ? 0 : l->processes;
}

/*
 * When memory runs out, on the machine or in the control group, the kernel ends
 * the largest process, and adds this to its size.  Set by root it is also the
 * least that a program inside can give itself: above all of the system's, whose
 * own is 0, and above ided's.
 */
int
setup_oom(struct setup *s)
{
	(void)s;
	return cgroup_write(AT_FDCWD, "/proc/self/oom_score_adj", "100");
}

/*
 * The superuser's uid stays for now, with the rights to take a user's: what the
 * bounding set lacks is not had again by an exec.
 */
int
setup_rights(struct setup *s)
{
	static const uint32_t kept = 1U << CAP_SETUID | 1U << CAP_SETGID |
	    1U << CAP_SETPCAP;
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct d[2];
	int cap;

	(void)s;
	if (setsid() == -1 && errno != EPERM)
		return -1;
	for (cap = 0; cap <= 63; cap++)
		if ((cap > 31 || (kept & 1U << cap) == 0) &&
		    prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == -1 && errno != EINVAL)
			return -1;
	memset(d, 0, sizeof(d));
	d[0].effective = d[0].permitted = kept;
	if (setgroups(0, NULL) == -1 ||
	    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == -1 ||
	    syscall(SYS_capset, &h, d) == -1)
		return -1;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}
