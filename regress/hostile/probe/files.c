/* Files, mounts and devices. */
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include <linux/fs.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "probe.h"

static void
q_open(char **arg)
{
	int flags = strchr(arg[2], 'w') != NULL ? O_RDWR : O_RDONLY;
	int fd = open(arg[1], flags | O_CLOEXEC | O_NONBLOCK);

	result(fd == -1 ? -1 : 0);
	if (fd != -1)
		close(fd);
}

static void
q_write(char **arg)
{
	int fd = open(arg[1], O_WRONLY | O_CLOEXEC | O_NONBLOCK);

	result(fd == -1 || write(fd, arg[2], strlen(arg[2])) == -1 ? -1 : 0);
	if (fd != -1)
		close(fd);
}

static void
q_create(char **arg)
{
	int fd = open(arg[1], O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	result(fd == -1 ? -1 : 0);
	if (fd != -1)
		close(fd);
}

static void
q_list(char **arg)
{
	struct dirent **e;
	int i, n = scandir(arg[1], &e, NULL, alphasort);

	if (n == -1) {
		result(-1);
		return;
	}
	for (i = 0; i < n; i++)
		if (strcmp(e[i]->d_name, ".") != 0 && strcmp(e[i]->d_name, "..") != 0)
			printf("%s ", e[i]->d_name);
	printf("\n");
}

static void
q_mknod(char **arg)
{
	mode_t type = *arg[2] == 'b' ? S_IFBLK : S_IFCHR;

	result(mknod(arg[1], type | 0666,
	    makedev(strtoul(arg[3], NULL, 0), strtoul(arg[4], NULL, 0))));
}

static void
q_mount(char **arg)
{
	result(mount(arg[1], arg[2], arg[3], 0, NULL));
}

static void
q_readlink(char **arg)
{
	char buf[4096];
	ssize_t n = readlink(arg[1], buf, sizeof(buf) - 1);

	if (n == -1) {
		result(-1);
		return;
	}
	buf[n] = '\0';
	printf("%s\n", buf);
}

static void
q_stat(char **arg)
{
	struct stat st;

	result(stat(arg[1], &st));
}

static void
q_unlink(char **arg)
{
	result(unlink(arg[1]));
}

static void
q_chmod(char **arg)
{
	result(chmod(arg[1], (mode_t)strtoul(arg[2], NULL, 8)));
}

static void
q_read(char **arg)
{
	char buf[256];
	int fd = open(arg[1], O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n = fd == -1 ? -1 : read(fd, buf, sizeof(buf));

	if (n == -1)
		result(-1);
	else
		printf("%zd bytes\n", n);
}

static void
q_link(char **arg)
{
	result(link(arg[1], arg[2]));
}

static void
q_symlink(char **arg)
{
	(void)unlink(arg[2]);
	result(symlink(arg[1], arg[2]));
}

static void
q_rename(char **arg)
{
	result(rename(arg[1], arg[2]));
}

static void
q_chown(char **arg)
{
	result(chown(arg[1], (uid_t)atoi(arg[2]), (gid_t)atoi(arg[2])));
}

static void
q_setxattr(char **arg)
{
	/* A capability set of version 2 with all of them. */
	static const unsigned char caps[20] = { 1, 0, 0, 2, 255, 255, 255, 255 };

	result(setxattr(arg[1], arg[2], caps, sizeof(caps), 0));
}

/* Immutable: what only root could take off again. */
static void
q_immutable(char **arg)
{
	int fd = open(arg[1], O_RDONLY | O_CLOEXEC);
	int flags = 0;

	if (fd != -1)
		(void)ioctl(fd, FS_IOC_GETFLAGS, &flags);
	flags |= FS_IMMUTABLE_FL;
	result(fd == -1 ? -1 : ioctl(fd, FS_IOC_SETFLAGS, &flags));
}

/* A file by its handle: past all directories. */
static void
q_handle(char **arg)
{
	union {
		struct file_handle h;
		char room[sizeof(struct file_handle) + 128];
	} u;
	int id;

	memset(&u, 0, sizeof(u));
	u.h.handle_bytes = 128;
	result(name_to_handle_at(AT_FDCWD, arg[1], &u.h, &id, 0));
}

/* What a handle of the root of most file systems looks like: number 2. */
static void
q_unhandle(char **arg)
{
	union {
		struct file_handle h;
		char room[sizeof(struct file_handle) + 8];
	} u;
	const unsigned int two[2] = { 2, 0 };
	int fd = open(arg[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	memset(&u, 0, sizeof(u));
	u.h.handle_bytes = sizeof(two);
	u.h.handle_type = 1;
	memcpy(u.room + sizeof(struct file_handle), two, sizeof(two));
	result(open_by_handle_at(fd, &u.h, O_RDONLY));
}

static void
q_umount(char **arg)
{
	result(umount2(arg[1], MNT_DETACH));
}

static void
q_remount(char **arg)
{
	result(mount(NULL, arg[1], NULL, MS_REMOUNT | MS_BIND, NULL));
}

static void
q_bindmount(char **arg)
{
	result(mount(arg[1], arg[2], NULL, MS_BIND, NULL));
}

/* Up and out, by a root below the working directory. */
static void
q_chroot(char **arg)
{
	(void)mkdir(arg[1], 0700);
	result(chroot(arg[1]));
}

/* Its own executable, while it runs: what container runtimes were taken over by. */
static void
q_overwrite(char **arg)
{
	int fd = open(arg[1], O_WRONLY | O_CLOEXEC);

	result(fd);
}

/* A folder and a link in its place, in turns, as fast as it goes, until input ends;
 * and one that is there and is not. */
static void
q_swap(char **arg)
{
	char link_name[128], none_name[128];
	struct timeval no = { 0, 0 };
	long n = 0;
	fd_set in;

	snprintf(link_name, sizeof(link_name), "%s.link", arg[1]);
	snprintf(none_name, sizeof(none_name), "%s.none", arg[1]);
	(void)symlink(arg[2], link_name);
	printf("swapping\n");
	fflush(stdout);
	for (;; n++) {
		(void)renameat2(AT_FDCWD, arg[1], AT_FDCWD, link_name, RENAME_EXCHANGE);
		if (n % 3 == 0) {
			(void)rename(arg[1], none_name);
			(void)symlink(arg[2], arg[1]);
			(void)unlink(arg[1]);
			(void)rename(none_name, arg[1]);
		}
		FD_ZERO(&in);
		FD_SET(STDIN_FILENO, &in);
		if (n % 64 == 0 && select(1, &in, NULL, NULL, &no) != 0)
			break;
	}
	printf("%ld times\n", n);
}

/* Run it, and say as whom it ran. */
static void
q_run(char **arg)
{
	char *const argv[] = { arg[1], (char *)(uintptr_t) "uid", NULL };
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		execv(arg[1], argv);
		result(-1);
		fflush(stdout);
		_exit(0);
	}
	(void)waitpid(pid, &status, 0);
}

static void
q_fds(char **arg)
{
	int fd;

	(void)arg;
	for (fd = 0; fd < 4096; fd++)
		if (fcntl(fd, F_GETFD) != -1)
			printf("%d ", fd);
	printf("\n");
}

const struct question file_questions[] = {
	{ "open", q_open },
	{ "read", q_read },
	{ "write", q_write },
	{ "create", q_create },
	{ "list", q_list },
	{ "mknod", q_mknod },
	{ "readlink", q_readlink },
	{ "stat", q_stat },
	{ "unlink", q_unlink },
	{ "link", q_link },
	{ "symlink", q_symlink },
	{ "rename", q_rename },
	{ "chmod", q_chmod },
	{ "chown", q_chown },
	{ "setxattr", q_setxattr },
	{ "immutable", q_immutable },
	{ "handle", q_handle },
	{ "unhandle", q_unhandle },
	{ "mount", q_mount },
	{ "umount", q_umount },
	{ "remount", q_remount },
	{ "bindmount", q_bindmount },
	{ "chroot", q_chroot },
	{ "overwrite", q_overwrite },
	{ "swap", q_swap },
	{ "run", q_run },
	{ "fds", q_fds },
	{ NULL, NULL },
};
