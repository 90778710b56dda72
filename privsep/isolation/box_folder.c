/*
 * The folder of a sandbox, runtime/sandbox/<uid>: root's alone, with the control
 * socket `ctl', the number of its control group in `group', the user's name in `user',
 * role in `role' and own limits in `limits'.  It is what a new isolation finds a
 * running sandbox by; without a name it is of a start that died.
 *
 * The socket is bound here, and ide-session listens on it once it is the user:
 * a connection then tells by SO_PEERCRED whose process listens, and no user can
 * put another socket in its place.
 */
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include <linux/openat2.h>

#include <bsd/stdlib.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../dir.h"
#include "../log.h"
#include "box.h"
#include "isolation.h"
#include "sandbox_steps.h"

#define SOCKET_NAME "ctl"
#define USER_NAME   "user"
#define ROLE_NAME   "role"
#define LIMITS_NAME "limits"
#define GROUP_NAME  "group"

static const char *
uid_name(uint32_t uid)
{
	static char name[16];

	snprintf(name, sizeof(name), "%u", uid);
	return name;
}

int
box_folder(uint32_t uid, bool make)
{
	struct open_how how;

	if (make && mkdirat(isolation.boxes, uid_name(uid), 0700) == -1 &&
	    errno != EEXIST)
		return -1;
	memset(&how, 0, sizeof(how));
	how.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
	return (int)syscall(
	    SYS_openat2, isolation.boxes, uid_name(uid), &how, sizeof(how));
}

/* By the open folder, whatever its path is and however long. */
static void
socket_address(struct sockaddr_un *un, int dir)
{
	memset(un, 0, sizeof(*un));
	un->sun_family = AF_UNIX;
	snprintf(
	    un->sun_path, sizeof(un->sun_path), "/proc/self/fd/%d/%s", dir, SOCKET_NAME);
}

static int
write_line(int dir, const char *name, const char *line)
{
	int fd, r;

	fd = openat(
	    dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd == -1)
		return -1;
	r = dprintf(fd, "%s\n", line);
	close(fd);
	return r > 0 ? 0 : -1;
}

/* The line, zeroed behind; its time of writing, where that is wanted. */
static bool
read_line(int dir, const char *name, char *line, size_t size, int64_t *written)
{
	struct stat st;
	ssize_t n;
	int fd;

	memset(line, 0, size);
	fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1)
		return false;
	n = read(fd, line, size - 1);
	if (written != NULL && fstat(fd, &st) == 0)
		*written = st.st_mtime;
	close(fd);
	n = (ssize_t)strcspn(line, "\n");
	memset(line + n, 0, size - (size_t)n);
	return n > 0;
}

/* What is of the user's own, for one that is adopted. */
static int
write_limits(int dir, const struct wire_limits *l)
{
	char line[128];

	snprintf(line, sizeof(line), "%" PRIu64 " %" PRIu64 " %" PRIu64 " %u %u",
	    l->memory, l->storage, l->files, l->cpu, l->processes);
	return write_line(dir, LIMITS_NAME, line);
}

/* Ones that cannot be read are none. */
static void
read_limits(int dir, struct wire_limits *l)
{
	char line[128];

	memset(l, 0, sizeof(*l));
	if (read_line(dir, LIMITS_NAME, line, sizeof(line), NULL) &&
	    sscanf(line, "%" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu32 " %" SCNu32,
		&l->memory, &l->storage, &l->files, &l->cpu, &l->processes) != 5)
		memset(l, 0, sizeof(*l));
}

/* The control socket, bound and not yet listening, for ide-session. */
int
box_folder_bind(uint32_t uid)
{
	struct sockaddr_un un;
	int dir, fd, error;

	dir = box_folder(uid, true);
	if (dir == -1)
		return -1;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	socket_address(&un, dir);
	/* What a start that died may have left. */
	(void)unlinkat(dir, SOCKET_NAME, 0);
	(void)unlinkat(dir, USER_NAME, 0);
	if (fd == -1 || bind(fd, (struct sockaddr *)&un, sizeof(un)) == -1) {
		error = errno;
		if (fd != -1)
			close(fd);
		close(dir);
		errno = error;
		return -1;
	}
	close(dir);
	return fd;
}

/* The name comes last. */
int
box_folder_fill(const struct box *b)
{
	char group[16];
	int dir, r;

	dir = box_folder(b->uid, false);
	if (dir == -1)
		return -1;
	snprintf(group, sizeof(group), "%u", b->group);
	r = write_line(dir, GROUP_NAME, group) == -1 ||
		write_line(dir, ROLE_NAME, b->role) == -1 ||
		write_limits(dir, &b->own) == -1 ||
		write_line(dir, USER_NAME, b->user) == -1 ?
	    -1 :
	    0;
	close(dir);
	return r;
}

int
box_folder_connect(uint32_t uid)
{
	struct sockaddr_un un;
	int dir, fd, error;

	dir = box_folder(uid, false);
	if (dir == -1)
		return -1;
	socket_address(&un, dir);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd != -1 && connect(fd, (struct sockaddr *)&un, sizeof(un)) == -1) {
		error = errno;
		close(fd);
		fd = -1;
		errno = error;
	}
	error = errno;
	close(dir);
	errno = error;
	return fd;
}

/* Those of earlier versions have a group of the uid's number. */
static uint32_t
read_group(int dir, uint32_t uid)
{
	char line[16];
	const char *bad;
	long long n;

	if (!read_line(dir, GROUP_NAME, line, sizeof(line), NULL))
		return uid;
	n = strtonum(line, 1, UINT32_MAX, &bad);
	return bad == NULL ? (uint32_t)n : uid;
}

bool
box_folder_read(uint32_t uid, struct box_folder *out)
{
	bool found;
	int dir;

	memset(out, 0, sizeof(*out));
	dir = box_folder(uid, false);
	if (dir == -1)
		return false;
	found = read_line(dir, USER_NAME, out->user, sizeof(out->user), &out->started);
	(void)read_line(dir, ROLE_NAME, out->role, sizeof(out->role), NULL);
	read_limits(dir, &out->own);
	out->group = read_group(dir, uid);
	close(dir);
	return found && user_name_ok(out->user);
}

int
box_folder_role(uint32_t uid, const char *role, const struct wire_limits *own)
{
	int dir, r;

	dir = box_folder(uid, false);
	if (dir == -1)
		return -1;
	r = write_line(dir, ROLE_NAME, role);
	if (r == 0)
		r = write_limits(dir, own);
	close(dir);
	return r;
}

/* Only what was made here; a folder with anything else in it stays. */
void
box_folder_remove(uint32_t uid)
{
	int dir;

	dir = box_folder(uid, false);
	if (dir == -1)
		return;
	(void)unlinkat(dir, SOCKET_NAME, 0);
	(void)unlinkat(dir, USER_NAME, 0);
	(void)unlinkat(dir, ROLE_NAME, 0);
	(void)unlinkat(dir, LIMITS_NAME, 0);
	(void)unlinkat(dir, GROUP_NAME, 0);
	close(dir);
	if (unlinkat(isolation.boxes, uid_name(uid), AT_REMOVEDIR) == -1)
		log_warn("sandbox folder of uid %u", uid);
}

void
box_folder_each(void (*fn)(uint32_t uid))
{
	struct dirent *de;
	DIR *d;

	if ((d = dir_entries(isolation.boxes)) == NULL)
		fatal("runtime/sandbox");
	while ((de = readdir(d)) != NULL)
		if (isdigit((unsigned char)de->d_name[0]))
			fn((uint32_t)strtoul(de->d_name, NULL, 10));
	closedir(d);
}
