/*
 * The root of zygote and workers: a read-only tmpfs with the IDE's static files
 * at /ide, certificates to verify services by, and nothing else, in a mount namespace of
 * its own, so that the host does not see it.  isolation enters the namespace to start the
 * zygote and leaves it again.
 */
#include <sys/mount.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../log.h"
#include "isolation.h"

#define RO (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)

static void
bind_static(const char *root)
{
	char from[CONF_PATH_MAX + 16], to[CONF_PATH_MAX + 32];
	struct mount_attr ma;
	int fd;

	snprintf(from, sizeof(from), "%s/static", isolation.conf.ide.path);
	snprintf(to, sizeof(to), "%s/ide", root);
	memset(&ma, 0, sizeof(ma));
	ma.attr_set = RO;
	ma.propagation = MS_PRIVATE;
	fd = open_tree(AT_FDCWD, from, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (fd == -1)
		fatal("%s: the IDE's static files (is it installed?)", from);
	if (mkdir(to, 0755) == -1 ||
	    mount_setattr(fd, "", AT_EMPTY_PATH, &ma, sizeof(ma)) == -1 ||
	    move_mount(fd, "", AT_FDCWD, to, MOVE_MOUNT_F_EMPTY_PATH) == -1)
		fatal("workers' root: %s", from);
	close(fd);
}

/*
 * Those who sign the certificate of a service that is reached by TLS, at /ca-<number of
 * its location>.  One that is not there (any more) is missed by that service alone.
 */
static void
bind_authorities(const char *root, unsigned int at, const struct conf_location *l)
{
	char to[CONF_PATH_MAX + 48];
	struct mount_attr ma;
	int fd, file;

	snprintf(to, sizeof(to), "%s/ca-%u", root, at);
	memset(&ma, 0, sizeof(ma));
	ma.attr_set = RO;
	ma.propagation = MS_PRIVATE;
	fd = open_tree(AT_FDCWD, l->ca, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (fd == -1) {
		log_warn("location \"%s\": ca \"%s\"", l->prefix, l->ca);
		return;
	}
	file = open(to, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0444);
	if (file == -1 || mount_setattr(fd, "", AT_EMPTY_PATH, &ma, sizeof(ma)) == -1 ||
	    move_mount(fd, "", AT_FDCWD, to, MOVE_MOUNT_F_EMPTY_PATH) == -1)
		fatal("workers' root: %s", l->ca);
	close(file);
	close(fd);
}

/* Any failure between here and worker_root_out is the end: half in a foreign
 * namespace is no place to go on from. */
void
worker_root_in(int *root)
{
	char path[CONF_PATH_MAX + 16];
	struct mount_attr ma;
	uint32_t i;

	if (unshare(CLONE_NEWNS) == -1 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == -1)
		fatal("workers' root: mount namespace");
	snprintf(path, sizeof(path), "%s/empty", isolation.conf.common.runtime);
	if (mount("workers", path, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
		"size=64k,nr_inodes=128,mode=0755") == -1)
		fatal("workers' root: tmpfs");
	bind_static(path);
	for (i = 0; i < isolation.conf.nlocation; i++)
		if (isolation.conf.location[i].kind == LOCATION_PROXY_TLS)
			bind_authorities(path, i, &isolation.conf.location[i]);
	memset(&ma, 0, sizeof(ma));
	ma.attr_set = RO;
	if (mount_setattr(AT_FDCWD, path, 0, &ma, sizeof(ma)) == -1)
		fatal("workers' root: read-only");
	*root = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (*root == -1)
		fatal("workers' root");
}

void
worker_root_out(int root)
{
	close(root);
	if (setns(isolation.hostns, CLONE_NEWNS) == -1 || chdir("/") == -1)
		fatal("leaving the workers' mount namespace");
}
