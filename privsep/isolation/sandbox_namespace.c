/*
 * The strategy `namespace': a user's programs in namespaces and a root of their
 * own.  What needs no user is done before there is one.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "isolation.h"
#include "sandbox_steps.h"

static int
setup_enter_empty(struct setup *s)
{
	return fchdir(s->empty);
}

static int
setup_namespaces(struct setup *s)
{
	return unshare((int)ns_blank(&s->conf->isolation));
}

/* The new root is the working directory, and the host is left and seen again. */
static int
setup_remember(struct setup *s)
{
	s->root = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	s->ownns = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	return s->root == -1 || s->ownns == -1 ? -1 : 0;
}

static int
setup_to_host(struct setup *s)
{
	(void)s;
	return setns(isolation.hostns, CLONE_NEWNS);
}

static int
setup_to_own(struct setup *s)
{
	return setns(s->ownns, CLONE_NEWNS) == -1 ? -1 : fchdir(s->root);
}

/* Without a user, as root. */
static const struct setup_step blank[] = {
	{ "closing descriptors", setup_keep },
	{ "choosing who ends first", setup_oom },
	{ "reaching the host's network", setup_network_host },
	{ "preparing Landlock", setup_ruleset },
	{ "entering the empty folder", setup_enter_empty },
	{ "making namespaces", setup_namespaces },
	{ "making mounts private", setup_private },
	{ "starting the loopback interface", setup_loopback },
	{ "making the network's interfaces", setup_pair },
	{ "mounting the root", setup_root },
	{ "binding the system", setup_binds },
	{ "binding what the site gives", setup_site_binds },
	{ "making /dev", setup_dev },
	{ "mounting /tmp", setup_tmp },
	{ "writing /etc", setup_etc },
	{ "finding the way back", setup_remember },
	{ "leaving the host's root", setup_pivot },
	{ "entering the control group", setup_cgroup },
	{ NULL, NULL },
};

/* As the sandbox's first process. */
static const struct setup_step inside[] = {
	{ "closing descriptors", setup_fds },
	{ "mounting /proc", setup_proc },
	{ NULL, NULL },
};

/* When that waits. */
static const struct setup_step ready[] = {
	{ "making Landlock's rules", setup_rules },
	{ NULL, NULL },
};

/* For a user: the home is the host's; the order is part of the design. */
static const struct setup_step owned[] = {
	{ "returning to the host", setup_to_host },
	{ "opening the home", setup_home },
	{ "taking the home", setup_home_tree },
	{ "entering the sandbox", setup_to_own },
	{ "naming the host", setup_hostname },
	{ "writing the user into /etc", setup_etc_user },
	{ "sizing /tmp", setup_tmp_user },
	{ "mounting the home", setup_home_mount },
	{ "closing the root", setup_root_close },
	{ "adding to Landlock's rules", setup_rules_user },
	{ NULL, NULL },
};

static const struct setup_step joined[] = {
	{ "making the network", setup_network },
	{ NULL, NULL },
};

/* Where things are, seen from inside. */
static void
paths(struct setup *s)
{
	snprintf(s->path.home, sizeof(s->path.home), "/home/%s", s->user);
	snprintf(s->path.run, sizeof(s->path.run), "%s", INSIDE_RUN);
	snprintf(s->path.ide, sizeof(s->path.ide), "%s", INSIDE_IDE);
}

const struct strategy strategy_namespace = {
	.name = "namespace",
	.blank = blank,
	.inside = inside,
	.ready = ready,
	.owned = owned,
	.joined = joined,
	.last = NS_LAST,
	.paths = paths,
};
