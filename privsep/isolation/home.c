/*
 * Users' names and homes.
 *
 * data/home is root's alone, so what stands in it can only have been made by
 * root; a home's inside is the user's, and nothing in there is trusted to stay
 * what it was a moment ago: it is opened without following links, and what is
 * made there is made with the user's own rights.
 */
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>

#include <linux/openat2.h>

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "box.h"
#include "sandbox_steps.h"
#include "storage.h"
#include "tree.h"

#define MAKING "trusted.ided.making"

static const char *const folders[] = { "data", "settings", "extensions", "workspaces",
	"logs", NULL };

void
fault_set(struct m_fail *f, uint32_t code, const char *fmt, ...)
{
	va_list ap;

	memset(f, 0, sizeof(*f));
	f->code = code;
	va_start(ap, fmt);
	vsnprintf(f->text, sizeof(f->text), fmt, ap);
	va_end(ap);
}

/* [a-z][a-z0-9._-]{0,31}: no slash, no dot first, nothing to quote. */
bool
user_name_ok(const char name[WIRE_NAME])
{
	size_t i, len = strnlen(name, WIRE_NAME);

	if (len == 0 || len >= WIRE_NAME || name[0] < 'a' || name[0] > 'z')
		return false;
	for (i = 1; i < len; i++)
		if ((name[i] < 'a' || name[i] > 'z') &&
		    (name[i] < '0' || name[i] > '9') && name[i] != '.' &&
		    name[i] != '_' && name[i] != '-')
			return false;
	return true;
}

static int
open_folder(int dir, const char *name)
{
	struct open_how how;

	memset(&how, 0, sizeof(how));
	how.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
	how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
	return (int)syscall(SYS_openat2, dir, name, &how, sizeof(how));
}

static uint32_t
code_of(int error)
{
	switch (error) {
	case ENOSPC:
	case EDQUOT:
		return FAIL_NO_SPACE;
	case ENOMEM:
	case EAGAIN:
		return FAIL_BUSY;
	default:
		return FAIL_UNAVAILABLE;
	}
}

/* Why a name did not open as a folder, for a person. */
static void
not_a_folder(int dir, const char *name, const char *what, uint32_t uid, struct m_fail *f)
{
	struct stat st;
	int error = errno;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == -1)
		fault_set(f, code_of(error), "%s: %s", what, strerror(error));
	else if (S_ISLNK(st.st_mode))
		fault_set(f, FAIL_INVALID,
		    "%s is a symbolic link where a "
		    "folder is expected: remove it",
		    what);
	else if (!S_ISDIR(st.st_mode))
		fault_set(f, FAIL_INVALID, "%s is no folder: remove it", what);
	else if (error == EACCES && st.st_uid == uid)
		fault_set(f, FAIL_DENIED,
		    "%s cannot be opened by its own user (mode %04o): make it 0700", what,
		    (unsigned int)st.st_mode & 07777);
	else if (error == EACCES)
		fault_set(f, FAIL_DENIED, "%s belongs to another user", what);
	else
		fault_set(f, code_of(error), "%s: %s", what, strerror(error));
	errno = error;
}

/* That of a start that died: empty, or marked as being made by us. */
static void
home_clear(int homes, const char *name)
{
	int fd;
	bool ours;

	if (unlinkat(homes, name, AT_REMOVEDIR) == 0 || errno != ENOTEMPTY)
		return;
	fd = open_folder(homes, name);
	ours = fd != -1 && fgetxattr(fd, MAKING, NULL, 0) == 0;
	if (fd != -1)
		close(fd);
	if (ours)
		(void)tree_remove(homes, name);
}

/*
 * A home is made under another name and renamed when all of it is there and the
 * user's, so that one that is there is always whole.
 */
static int
home_make(int homes, const char *user, uint32_t uid, const struct home_new *fresh,
    struct m_fail *f)
{
	char name[32];
	bool marked;
	int fd = -1, error;

	snprintf(name, sizeof(name), ".new-%u", uid);
	home_clear(homes, name);
	if (mkdirat(homes, name, 0700) == -1)
		goto bad;
	fd = open_folder(homes, name);
	if (fd == -1 || (fresh->project && quota_mark(fd, uid) == -1))
		goto bad;
	marked = fsetxattr(fd, MAKING, "", 0, 0) == 0;
	if (home_fill(fd, user, uid, fresh, f) == -1 || fchown(fd, uid, uid) == -1 ||
	    fchmod(fd, 0700) == -1 ||
	    syscall(SYS_renameat2, homes, name, homes, user, 1U /* RENAME_NOREPLACE */) ==
		-1)
		goto bad;
	/* While it had the other name, it had to be known as ours. */
	if (marked)
		(void)fremovexattr(fd, MAKING);
	return fd;
bad:
	error = errno;
	if (f->code == 0 && error == EEXIST)
		fault_set(f, FAIL_UNAVAILABLE,
		    "home of %s: %s is in the way, in the folder of homes: remove it",
		    user, name);
	else if (f->code == 0)
		fault_set(f, code_of(error), "home of %s: %s", user,
		    error == ENOSPC ? "the server's disk is full" : strerror(error));
	if (fd != -1) {
		close(fd);
		(void)tree_remove(homes, name);
	}
	errno = error;
	return -1;
}

int
home_open(int homes, const char *user, uint32_t uid, const struct home_new *fresh,
    struct m_fail *f)
{
	char what[64];
	struct stat st;
	int fd;

	memset(f, 0, sizeof(*f));
	snprintf(what, sizeof(what), "home of %s", user);
	fd = open_folder(homes, user);
	if (fd == -1 && errno == ENOENT)
		return fresh == NULL ? -1 : home_make(homes, user, uid, fresh, f);
	if (fd == -1) {
		not_a_folder(homes, user, what, uid, f);
		return -1;
	}
	if (fstat(fd, &st) == -1) {
		fault_set(f, FAIL_INTERNAL, "%s: %s", what, strerror(errno));
	} else if (st.st_uid != uid) {
		fault_set(f, FAIL_DENIED,
		    "%s belongs to uid %u, not to %u: "
		    "move it away or give it to its user",
		    what, (unsigned int)st.st_uid, uid);
	} else if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
		fault_set(f, FAIL_DENIED,
		    "%s may be written to by others "
		    "(mode %04o): make it 0700",
		    what, (unsigned int)st.st_mode & 07777);
	} else {
		return fd;
	}
	close(fd);
	errno = EPERM;
	return -1;
}

/* A folder of the home: there and the user's, or not there at all (1). */
static int
folder_check(int home, const char *name, const char *user, uint32_t uid, struct m_fail *f)
{
	char what[96];
	struct stat st;
	int fd;

	snprintf(what, sizeof(what), "folder %s in the home of %s", name, user);
	fd = open_folder(home, name);
	if (fd == -1 && errno == ENOENT)
		return 1;
	if (fd == -1) {
		not_a_folder(home, name, what, uid, f);
		return -1;
	}
	if (fstat(fd, &st) == -1 || st.st_uid != uid) {
		fault_set(f, FAIL_DENIED, "%s belongs to another user", what);
		close(fd);
		errno = EPERM;
		return -1;
	}
	close(fd);
	return 0;
}

/* The end of the session's log, which is written to at its start. */
static void
log_look(int home)
{
	struct open_how how;
	struct stat st;
	char byte;
	int dir, fd = -1;

	memset(&how, 0, sizeof(how));
	how.flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOATIME | O_CLOEXEC;
	how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
	dir = open_folder(home, "logs");
	if (dir != -1) {
		fd = (int)syscall(SYS_openat2, dir, "ide.log", &how, sizeof(how));
		close(dir);
	}
	if (fd == -1)
		return;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0)
		(void)!pread(fd, &byte, 1, st.st_size - 1);
	close(fd);
}

void
home_look(int home)
{
	struct stat st;
	unsigned int i;

	for (i = 0; folders[i] != NULL; i++)
		(void)fstatat(home, folders[i], &st, AT_SYMLINK_NOFOLLOW);
	log_look(home);
}

/* First all are looked at, then what is missing is made: a home that is not as
 * it must be is left as it is. */
static int
folders_make(int home, const char *user, uint32_t uid, struct m_fail *f)
{
	bool missing[sizeof(folders) / sizeof(folders[0])];
	unsigned int i;
	int r;

	for (i = 0; folders[i] != NULL; i++) {
		r = folder_check(home, folders[i], user, uid, f);
		if (r == -1)
			return -1;
		missing[i] = r == 1;
	}
	for (i = 0; folders[i] != NULL; i++)
		if (missing[i] && mkdirat(home, folders[i], 0700) == -1) {
			r = errno;
			fault_set(f, code_of(r),
			    "folder %s in the home of %s: "
			    "%s",
			    folders[i], user, strerror(r));
			errno = r;
			return -1;
		}
	return 0;
}

/* With the user's own rights: nothing that only root could make or open. */
int
home_folders(int home, const char *user, uint32_t uid, struct m_fail *f)
{
	int r, error;

	/* setfsuid(2) tells no errors; asking again with -1 does. */
	(void)setfsgid(uid);
	(void)setfsuid(uid);
	if ((uint32_t)setfsuid((uid_t)-1) == uid &&
	    (uint32_t)setfsgid((gid_t)-1) == uid) {
		r = folders_make(home, user, uid, f);
	} else {
		fault_set(
		    f, FAIL_INTERNAL, "home of %s: cannot act as uid %u", user, uid);
		errno = EPERM;
		r = -1;
	}
	error = errno;
	(void)setfsuid(0);
	(void)setfsgid(0);
	errno = error;
	return r;
}
