/*
 * Volumes: data/volume/<uid>.img is an ext4 file system in a sparse file, and its
 * root is the home.
 *
 * The file is as large as the limit and what the file system needs for itself.
 * The blocks beyond the limit are withheld (reserved_clusters), which is also how
 * a smaller limit comes into effect while the volume is in use; for a larger one
 * the file and the file system grow, in use or not.
 */
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>

#include <linux/mount.h>
#include <linux/openat2.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../log.h"
#include "box.h"
#include "sandbox_steps.h"
#include "storage.h"
#include "tree.h"

#define MB ((uint64_t)1024 * 1024)

#define FREE    (64 * MB) /* of the disk, for anything to be begun */
#define BUSY_MS 2000      /* for a device that is about to go */

static void
image_name(char name[32], uint32_t uid, bool fresh)
{
	snprintf(name, 32, fresh ? ".new-%u.img" : "%u.img", uid);
}

bool
volume_exists(int volumes, uint32_t uid)
{
	struct stat st;
	char name[32];

	image_name(name, uid, false);
	return fstatat(volumes, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static uint32_t
code_of(int error)
{
	return error == ENOSPC || error == EDQUOT                ? FAIL_NO_SPACE :
	    error == ENOMEM || error == EAGAIN || error == EBUSY ? FAIL_BUSY :
								   FAIL_UNAVAILABLE;
}

static int
fault(struct m_fail *f, const char *user, const char *what)
{
	int error = errno;

	fault_set(f, code_of(error), "the volume of %s: %s: %s", user, what,
	    error == ENOSPC ? "the server's disk is full" : strerror(error));
	errno = error;
	return -1;
}

/* An image that root made, and nothing else. */
static int
image_open(int volumes, uint32_t uid)
{
	struct open_how how;
	struct stat st;
	char name[32];
	int fd;

	image_name(name, uid, false);
	memset(&how, 0, sizeof(how));
	how.flags = O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
	how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
	fd = (int)syscall(SYS_openat2, volumes, name, &how, sizeof(how));
	if (fd == -1)
		return -1;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == 0 &&
	    (st.st_mode & 0077) == 0 && st.st_nlink == 1)
		return fd;
	close(fd);
	errno = EPERM;
	return -1;
}

/* Why a file did not open as a volume, for a person. */
static int
image_fault(int volumes, const char *user, uint32_t uid, struct m_fail *f)
{
	int error = errno;
	struct stat st;
	char name[32];

	image_name(name, uid, false);
	if (fstatat(volumes, name, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return fault(f, user, "its file");
	if (S_ISLNK(st.st_mode))
		fault_set(f, FAIL_INVALID,
		    "the volume of %s: %s is a symbolic link where a file is expected: "
		    "remove it",
		    user, name);
	else if (!S_ISREG(st.st_mode))
		fault_set(f, FAIL_INVALID, "the volume of %s: %s is no file: remove it",
		    user, name);
	else if (st.st_uid != 0)
		fault_set(f, FAIL_DENIED,
		    "the volume of %s: %s belongs to uid %u, not to root: chown root",
		    user, name, (unsigned int)st.st_uid);
	else if ((st.st_mode & 0077) != 0)
		fault_set(f, FAIL_DENIED,
		    "the volume of %s: %s is open to others (mode %04o): make it 0600",
		    user, name, (unsigned int)st.st_mode & 07777);
	else if (st.st_nlink != 1)
		fault_set(f, FAIL_DENIED,
		    "the volume of %s: %s has other names: remove them", user, name);
	else
		(void)fault(f, user, "its file");
	errno = error;
	return -1;
}

static int
fs_set(int fs, const char *key, const char *value)
{
	return (int)syscall(SYS_fsconfig, fs,
	    value == NULL ? FSCONFIG_SET_FLAG : FSCONFIG_SET_STRING, key, value, 0);
}

static int
device_mount_with(const char *path, const char *const *option)
{
	int fs, fd = -1, error;

	fs = (int)syscall(SYS_fsopen, "ext4", FSOPEN_CLOEXEC);
	if (fs == -1)
		return -1;
	while (*option != NULL && fs_set(fs, *option, NULL) == 0)
		option++;
	if (*option == NULL && fs_set(fs, "source", path) == 0 &&
	    syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
		fd = (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC,
		    MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
	error = errno;
	close(fs);
	errno = error;
	return fd;
}

/*
 * A mount of the device that stands in no tree, or -1.  What is removed is given
 * back to the disk; what is free is read when it is needed, and not all of it at each
 * start, where the kernel can be told so.
 */
static int
device_mount(int number)
{
	static const char *const options[] = { "no_prefetch_block_bitmaps", "discard",
		NULL };
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/dev/loop%d", number);
	fd = device_mount_with(path, options);
	return fd == -1 && errno == EINVAL ? device_mount_with(path, options + 1) : fd;
}

int
volume_use(int home, struct storage_use *use)
{
	struct statfs fs;

	memset(use, 0, sizeof(*use));
	if (fstatfs(home, &fs) == -1)
		return -1;
	use->bytes = (uint64_t)(fs.f_blocks - fs.f_bfree) * (uint64_t)fs.f_bsize;
	use->files = (uint64_t)(fs.f_files - fs.f_ffree) - VOLUME_INODES;
	use->files_max = (uint64_t)fs.f_files - VOLUME_INODES;
	return 0;
}

/* Nobody has it open: the superblock is up to date. */
int
volume_use_closed(int volumes, uint32_t uid, struct storage_use *use)
{
	struct super super;
	int image, r;

	memset(use, 0, sizeof(*use));
	image = image_open(volumes, uid);
	if (image == -1)
		return -1;
	r = super_read(image, &super);
	close(image);
	if (r == -1)
		return -1;
	use->bytes = (super.blocks - super.free) * super.block_size;
	use->files = super.inodes - super.inodes_free - VOLUME_INODES;
	use->files_max = super.inodes - VOLUME_INODES;
	return 0;
}

void
volume_close(struct volume *v)
{
	if (v->mount != -1)
		close(v->mount);
	if (v->image != -1)
		close(v->image);
	v->mount = v->image = -1;
}

/* The device of an image, found or made.  The mount keeps it. */
static int
attach(struct volume *v)
{
	const struct timespec pause = { 0, 10000000 };
	unsigned int i;
	int loop = -1, error;

	for (i = 0; loop == -1 && i < BUSY_MS / 10; i++) {
		loop = loop_attach(v->image, &v->loop);
		if (loop == -1 && errno != EBUSY)
			return -1;
		if (loop == -1)
			loop = loop_find(v->image, &v->loop);
		/* Locked and without a device: it is about to go. */
		if (loop == -1)
			(void)nanosleep(&pause, NULL);
	}
	if (loop == -1) {
		errno = EBUSY;
		return -1;
	}
	v->mount = device_mount(v->loop);
	error = errno;
	close(loop);
	errno = error;
	return v->mount == -1 ? -1 : 0;
}

static int
check(struct volume *v, const char *user, uint32_t uid, const struct patience *patience,
    struct m_fail *f)
{
	char said[256] = "";
	int r;

	patience->fn(patience->arg);
	r = tool_check(v->image, patience, said, sizeof(said));
	log_event(r == 0 ? LOG_NOTICE : LOG_ERR, "volume.checked", LOG_S("user", user),
	    LOG_N("uid", uid),
	    LOG_S("result",
		r == 0      ? "sound" :
		    r == -1 ? "damaged" :
			      "unknown"),
	    LOG_S("said", said));
	if (r == -1)
		fault_set(f, FAIL_UNAVAILABLE,
		    "the volume of %s is damaged, and only an administrator can mend it: "
		    "e2fsck -f volume/%u.img",
		    user, uid);
	else if (r == 1)
		fault_set(f, FAIL_UNAVAILABLE,
		    "the volume of %s cannot be checked: %.200s", user, said);
	return r == 0 ? 0 : -1;
}

/* A larger limit; if that cannot be, the volume is as large as it was. */
static void
grow_closed(struct volume *v, uint32_t uid, uint64_t storage,
    const struct patience *patience, struct super *super)
{
	uint64_t want = storage + VOLUME_HELD, have;
	char said[200] = "";
	struct stat st;
	unsigned int i;

	for (i = 0; i < 4; i++) {
		have = super->blocks * super->block_size;
		if (have >= want)
			return;
		patience->fn(patience->arg);
		if (fstat(v->image, &st) == -1 ||
		    ftruncate(v->image,
			(off_t)volume_size_grown((uint64_t)st.st_size, want - have)) ==
			-1 ||
		    tool_grow(v->image, patience, said, sizeof(said)) == -1 ||
		    super_read(v->image, super) == -1) {
			log_warn("volume of uid %u: it does not grow: %s", uid, said);
			return;
		}
	}
}

/* Nobody has a device on it: look at it as at the boot of a machine. */
static int
prepare(struct volume *v, const char *user, uint32_t uid, uint64_t storage,
    const struct patience *patience, struct m_fail *f)
{
	struct super super;
	int r;

	if (flock(v->image, LOCK_EX | LOCK_NB) == -1)
		return 0; /* in use */
	r = super_read(v->image, &super);
	if (r == -1 || super.check) {
		r = check(v, user, uid, patience, f);
		if (r == 0)
			r = super_read(v->image, &super);
	}
	if (r == 0)
		grow_closed(v, uid, storage, patience, &super);
	return r;
}

static int
mounted(const char *user, uint32_t uid, const struct conf_limits *limits,
    struct volume *v, struct m_fail *f)
{
	char why[64];
	struct stat st;
	int home, r;

	home = openat(v->mount, ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (home == -1 || fstat(home, &st) == -1) {
		if (home != -1)
			close(home);
		return fault(f, user, "its root");
	}
	if (st.st_uid != uid) {
		close(home);
		fault_set(f, FAIL_DENIED,
		    "the volume of %s belongs to uid %u, not to %u: move it away", user,
		    (unsigned int)st.st_uid, uid);
		errno = EPERM;
		return -1;
	}
	r = volume_limit(home, v->image, v->loop, limits, why, sizeof(why));
	close(home);
	if (r == 1)
		log_warnx("volume of uid %u: less than its limit of %" PRIu64 "M: %s",
		    uid, limits->storage / MB, why);
	if (r != -1)
		return 0;
	fault_set(f, FAIL_UNAVAILABLE, "the volume of %s has no limit: %s", user, why);
	return -1;
}

int
volume_open(int volumes, const char *user, uint32_t uid, const struct conf_limits *limits,
    const struct patience *patience, struct volume *v, struct m_fail *f)
{
	int r;

	v->mount = -1;
	v->image = image_open(volumes, uid);
	if (v->image == -1)
		return image_fault(volumes, user, uid, f);
	r = prepare(v, user, uid, limits->storage, patience, f);
	if (r == 0) {
		r = attach(v);
		if (r == -1)
			(void)fault(f, user, "mounting it");
	}
	if (r == 0)
		r = mounted(user, uid, limits, v, f);
	if (r == -1)
		volume_close(v);
	return r;
}

/*
 * Nothing is done here that takes long or that somebody would have to hear of.  It is
 * looked at before it is locked: who starts a sandbox meanwhile finds it locked, and
 * takes it for one in use.
 */
int
volume_stand(int volumes, const char *user, uint32_t uid,
    const struct conf_limits *limits, struct volume *v)
{
	struct super super;
	struct m_fail f;
	int r;

	v->mount = v->loop = -1;
	v->image = image_open(volumes, uid);
	if (v->image == -1)
		return -1;
	r = super_read(v->image, &super);
	if (r == 0 &&
	    (super.check ||
		super.blocks * super.block_size < limits->storage + VOLUME_HELD ||
		flock(v->image, LOCK_EX | LOCK_NB) == -1))
		r = -1;
	if (r == 0)
		r = attach(v);
	if (r == 0)
		r = mounted(user, uid, limits, v, &f);
	if (r == -1)
		volume_close(v);
	return r;
}

static int
room_on_disk(int volumes, const char *user, uint64_t need, struct m_fail *f)
{
	struct statfs fs;

	if (fstatfs(volumes, &fs) == -1)
		return fault(f, user, "the disk");
	if ((uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize >= need)
		return 0;
	fault_set(f, FAIL_NO_SPACE,
	    "the server's disk has no room for a volume for %s: %" PRIu64 "M are needed",
	    user, need / MB);
	errno = ENOSPC;
	return -1;
}

static int
fill(struct volume *v, const char *user, uint32_t uid, uint64_t size, uint64_t inodes,
    unsigned int journal_mb, struct m_fail *f)
{
	char said[200] = "";

	if (ftruncate(v->image, (off_t)size) == -1)
		return fault(f, user, "its file");
	if (tool_make(v->image, inodes, journal_mb, uid, said, sizeof(said)) == -1) {
		fault_set(f,
		    strstr(said, "No space") != NULL ? FAIL_NO_SPACE : FAIL_UNAVAILABLE,
		    "the volume of %s cannot be made: %s", user, said);
		errno = EIO;
		return -1;
	}
	return attach(v) == -1 ? fault(f, user, "mounting it") : 0;
}

/* Only what we have made. */
void
volume_drop(int volumes, uint32_t uid)
{
	struct stat st;
	char name[32];

	image_name(name, uid, true);
	if (fstatat(volumes, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISREG(st.st_mode) && st.st_uid == 0 && (st.st_mode & 0077) == 0)
		(void)unlinkat(volumes, name, 0);
}

int
volume_make(int volumes, const char *user, uint32_t uid, const struct conf_limits *limits,
    const struct storage_use *room, struct volume *v, struct m_fail *f)
{
	struct conf_limits enough = *limits;
	uint64_t inodes = limits->files;
	unsigned int journal_mb;
	char name[32];

	v->mount = v->image = v->loop = -1;
	if (room_on_disk(volumes, user, room->bytes + FREE, f) == -1)
		return -1;
	/* What is there already fits, whatever the limit is by now. */
	if (enough.storage < room->bytes + room->bytes / 16)
		enough.storage = room->bytes + room->bytes / 16;
	/* A file that is not empty has a block: more inodes could not be used. */
	if (inodes > enough.storage / 1024)
		inodes = enough.storage / 1024;
	if (inodes < room->files + 1000)
		inodes = room->files + 1000;
	inodes += VOLUME_INODES;
	journal_mb = enough.storage < 512 * MB ? 4 : enough.storage < 4096 * MB ? 16 : 32;
	image_name(name, uid, true);
	volume_drop(volumes, uid); /* that of a start that died */
	v->image = openat(
	    volumes, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (v->image == -1 && errno == EEXIST) {
		fault_set(f, FAIL_UNAVAILABLE,
		    "the volume of %s: %s is in the way, in the folder of volumes: "
		    "remove it",
		    user, name);
		return -1;
	}
	/* Whoever finds it sees that it is being made. */
	if (v->image == -1 || flock(v->image, LOCK_EX | LOCK_NB) == -1)
		return fault(f, user, "its file");
	if (fill(v, user, uid, volume_size(enough.storage, inodes, journal_mb), inodes,
		journal_mb, f) == 0 &&
	    unlinkat(v->mount, "lost+found", AT_REMOVEDIR) == 0 &&
	    mounted(user, uid, &enough, v, f) == 0)
		return 0;
	if (f->code == 0)
		(void)fault(f, user, "its root");
	volume_close(v);
	volume_drop(volumes, uid);
	return -1;
}

/* All of it is on the disk before it has its name. */
int
volume_keep(int volumes, uint32_t uid)
{
	char from[32], to[32];

	image_name(from, uid, true);
	image_name(to, uid, false);
	if (syscall(SYS_renameat2, volumes, from, volumes, to,
		1U /* RENAME_NOREPLACE */) == -1)
		return -1;
	return fsync(volumes);
}

int
volume_find(int volumes, uint32_t uid, struct volume *v)
{
	int loop, error;

	v->mount = v->loop = -1;
	v->image = image_open(volumes, uid);
	if (v->image == -1)
		return -1;
	loop = loop_find(v->image, &v->loop);
	if (loop != -1) {
		v->mount = device_mount(v->loop);
		close(loop);
	}
	if (v->mount != -1)
		return 0;
	error = errno;
	volume_close(v);
	errno = error;
	return -1;
}

int
volume_remove(int volumes, uint32_t uid)
{
	char name[32], gone[32];
	int image, r;

	volume_drop(volumes, uid);
	image = image_open(volumes, uid);
	if (image == -1)
		return errno == ENOENT ? 0 : -1;
	r = flock(image, LOCK_EX | LOCK_NB);
	close(image);
	if (r == -1) {
		errno = EBUSY;
		return -1;
	}
	image_name(name, uid, false);
	snprintf(gone, sizeof(gone), ".gone-%u.img", uid);
	return renameat(volumes, name, volumes, gone);
}
