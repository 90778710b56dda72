/* Namespaces. */
#include <sys/syscall.h>

#include <linux/sched.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "sandbox_steps.h"

/*
 * fork(2) with namespaces, a pidfd and, on cgroup v2, the control group that
 * the new process is born in.  Called in single-threaded processes only.
 */
pid_t
ns_clone(uint64_t flags, int cgroup, int *pidfd)
{
	struct clone_args a;

	memset(&a, 0, sizeof(a));
	a.flags = flags;
	a.exit_signal = SIGCHLD;
	if (pidfd != NULL) {
		a.flags |= CLONE_PIDFD;
		a.pidfd = (uint64_t)(uintptr_t)pidfd;
	}
	if (cgroup != -1) {
		a.flags |= CLONE_INTO_CGROUP;
		a.cgroup = (uint64_t)cgroup;
	}
	return (pid_t)syscall(SYS_clone3, &a, sizeof(a));
}

/* What is there before there is a user; NS_LAST is for the first process. */
uint64_t
ns_blank(const struct conf_isolation *conf)
{
	uint64_t flags = CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS;

	if (conf->network != NETWORK_HOST)
		flags |= CLONE_NEWNET;
	return flags;
}

int
setup_hostname(struct setup *s)
{
	if (sethostname(s->user, strlen(s->user)) == -1)
		return -1;
	return setdomainname("", 0);
}
