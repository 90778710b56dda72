/*
 * The system calls of isolation itself.
 *
 * A filter cannot be taken off again, and every process that isolation starts
 * lives under this one as well: auth, keys, workers, and users' programs.  So
 * the list is what users' programs may call and, beyond that, what making a
 * sandbox takes.  For the same reason a call that is not listed is refused
 * (EPERM) and does not kill: under a killing filter a user's program would die
 * where it only probes what the kernel has, as node does with io_uring.  The
 * other processes' own filters kill.
 */
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <linux/netlink.h>
#include <linux/seccomp.h>

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "../log.h"
#include "../sandbox.h"
#include "isolation.h"
#include "seccomp_user.h"

static const struct sandbox_row more[] = {
	/* Making namespaces, and the sandbox's first process. */
	ALLOW(clone),
	ALLOW(clone3),
	ALLOW(unshare),
	ALLOW(setns),
	ALLOW(sethostname),
	ALLOW(setdomainname),
	/* The rules of its network; interfaces and routes are the user's list's. */
	ALLOW_IF(socket, { 0, LOW32, AF_NETLINK }, { 2, LOW32, NETLINK_NETFILTER }),
	/* The sandbox's root, and the workers'. */
	ALLOW(mount),
	ALLOW(umount2),
	ALLOW(pivot_root),
	ALLOW(chroot),
	ALLOW(open_tree),
	ALLOW(move_mount),
	ALLOW(mount_setattr),
	/* Volumes, and quotas. */
	ALLOW(fsopen),
	ALLOW(fsconfig),
	ALLOW(fsmount),
	ALLOW(quotactl_fd),
};

const struct seccomp_list seccomp_isolation_own = { NULL, 0, more,
	sizeof(more) / sizeof(more[0]) };

void
seccomp_isolation(void)
{
	const struct seccomp_list *const lists[] = { &seccomp_user_allowed,
		&seccomp_isolation_own, NULL };
	struct sock_fprog prog;

	prog = seccomp_build("isolation", lists, SCMP_ACT_ERRNO(EPERM), SCMP_ACT_ALLOW);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		fatal("PR_SET_NO_NEW_PRIVS");
	sandbox_install(&prog);
	free(prog.filter);
}
