/*
 * Storage of the sandboxes that run, and what is left over of homes.
 *
 * isolation has the folder of a mounted volume open, to ask it for numbers.  To
 * unmount may take long, as may a change of size: both are jobs.
 */
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <linux/fs.h>

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../dir.h"
#include "../log.h"
#include "../memory_text.h"
#include "box.h"
#include "isolation.h"
#include "jobs.h"
#include "sandbox_steps.h"
#include "storage.h"
#include "tree.h"

static time_t began;

struct storage_dirs
storage_dirs(void)
{
	struct storage_dirs d = { isolation.homes, isolation.volumes };

	return d;
}

/* At start: what cannot be had is named, and ends the start where it must. */
void
storage_start(const struct conf_isolation *conf)
{
	struct storage_dirs dirs = storage_dirs();
	enum wire_storage mode;
	char why[256] = "";

	began = time(NULL);
	if (storage_choose(&dirs, conf, &mode, why, sizeof(why)) == -1)
		fatalx("isolation: storage has no limit that holds: %s", why);
	storage_set_mode(mode);
	if (mode == STORAGE_IS_ACCOUNTING)
		log_event(LOG_WARNING, "isolation.not-held",
		    LOG_S("what", "storage limits that hold: homes are only counted"),
		    LOG_S("why", why));
	log_event(LOG_INFO, "isolation.storage", LOG_S("by", storage_name(mode)));
}

void
storage_found(struct box *b, enum wire_storage by, int home, int loop)
{
	if (b->storage.home != -1)
		close(b->storage.home);
	b->storage.by = by;
	b->storage.home = home;
	b->storage.loop = loop;
	ready_taken(b->uid);
}

/* A sandbox that was found running has its home mounted: so are we told of it. */
void
storage_adopt(struct box *b)
{
	struct volume v;

	b->storage.by = storage_mode();
	if (!volume_exists(isolation.volumes, b->uid))
		return;
	b->storage.by = STORAGE_IS_VOLUME;
	if (volume_find(isolation.volumes, b->uid, &v) == -1) {
		log_warn("volume of uid %u, which is in use", b->uid);
		return;
	}
	b->storage.home = openat(
	    v.mount, ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	b->storage.loop = v.loop;
	volume_close(&v);
}

/* Jobs: the child has its own copy of what they are about. */

struct leaving {
	int home;
	int gate;
	bool trim;
};

static int
run_unmount(void *arg, void *answer)
{
	struct fstrim_range all = { 0, UINT64_MAX, 0 };
	struct leaving *l = arg;

	/* Until isolation has closed its own, and this is the last: it is here that
	 * the volume is unmounted. */
	while (read(l->gate, answer, 1) == -1 && errno == EINTR)
		;
	/* What ext4 has not given back to the disk when it is unmounted, as a mount
	 * with discard should, it does not give back any more. */
	if (l->trim &&
	    (syncfs(l->home) == -1 ||
		(ioctl(l->home, FITRIM, &all) == -1 && errno != EOPNOTSUPP)))
		log_warn("volume: what was removed in it keeps its room on the disk");
	close(l->home);
	return 0;
}

bool
storage_unmount(int *home, bool trim,
    void (*done)(void *owner, int error, const void *answer), void *owner)
{
	struct leaving leaving = { *home, -1, trim };
	struct job job = { .name = "unmount", .run = run_unmount, .arg = &leaving };
	int gate[2] = { -1, -1 }, r;

	if (*home == -1)
		return false;
	r = pipe2(gate, O_CLOEXEC);
	if (r == 0) {
		job.fd[0] = leaving.home;
		job.fd[1] = leaving.gate = gate[0];
		job.nfd = 2;
		job.done = done;
		job.owner = owner;
		r = job_start(&job);
	}
	if (r == -1)
		log_warn("a volume is unmounted without a process of its own");
	close(*home);
	*home = -1;
	if (gate[0] != -1) {
		close(gate[0]);
		close(gate[1]);
	}
	return r == 0;
}

static void (*released)(struct box *);

static void
on_released(void *owner, int error, const void *answer)
{
	(void)error;
	(void)answer;
	released(owner);
}

bool
storage_release(struct box *b, void (*fn)(struct box *))
{
	released = fn;
	return storage_unmount(&b->storage.home, true, on_released, b);
}

static int
run_limit(void *arg, void *answer)
{
	struct box *b = arg;
	struct volume v;
	int r;

	/* The file again: it is opened by its name and looked at. */
	if (volume_find(isolation.volumes, b->uid, &v) == -1) {
		snprintf(answer, JOB_ANSWER, "%s", strerror(errno));
		return errno;
	}
	r = volume_limit(
	    b->storage.home, v.image, v.loop, &b->limits, answer, JOB_ANSWER);
	volume_close(&v);
	return r == 0 ? 0 : EIO;
}

static void
on_limit(void *owner, int error, const void *answer)
{
	const struct box *b = owner;

	if (error != 0)
		log_event(LOG_WARNING, "volume.limit", LOG_S("user", b->user),
		    LOG_N("uid", b->uid),
		    LOG_S("why", answer != NULL ? answer : "killed"));
}

/* Of a sandbox that runs; new ones see to it at their start. */
void
storage_limits(struct box *b)
{
	struct job job = { .name = "resize", .run = run_limit, .arg = b };

	switch (b->storage.by) {
	case STORAGE_IS_QUOTA:
		if (quota_limit(isolation.homes, b->uid, b->limits.storage,
			b->limits.files) == -1)
			log_warn("quota of uid %u", b->uid);
		return;
	case STORAGE_IS_VOLUME:
		if (b->storage.home == -1 ||
		    volume_limited(b->storage.home, b->storage.loop, &b->limits))
			return;
		job.fd[0] = b->storage.home;
		job.fd[1] = isolation.volumes;
		job.nfd = 2;
		job.len = JOB_ANSWER;
		job.done = on_limit;
		job.owner = b;
		if (job_start(&job) == -1)
			log_warn("volume of uid %u: its limit", b->uid);
		return;
	case STORAGE_IS_ACCOUNTING:
	case STORAGE_IS_UNKNOWN:
		return;
	}
}

/*
 * What has left its place is removed by and by: .gone-<uid>..., .old-<uid> where
 * there is a volume that has all of it, and .new-<uid>.img of a start that died.
 */

/* It is older than we are, and nobody is at it. */
static bool
stale(int dir, const char *name)
{
	struct stat st;
	int fd;
	bool r;

	fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd == -1)
		return false;
	r = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == 0 &&
	    (st.st_mode & 0077) == 0 && st.st_ctime < began &&
	    flock(fd, LOCK_EX | LOCK_NB) == 0;
	close(fd);
	return r;
}

static bool
goes(int dir, const char *name, int volumes)
{
	unsigned long uid;
	char *end;

	if (strncmp(name, ".gone-", 6) == 0)
		return isdigit((unsigned char)name[6]);
	if (strncmp(name, ".new-", 5) == 0 && isdigit((unsigned char)name[5]))
		return dir == volumes && stale(dir, name);
	if (strncmp(name, ".old-", 5) != 0 || !isdigit((unsigned char)name[5]))
		return false;
	uid = strtoul(name + 5, &end, 10);
	return *end == '\0' && uid <= UINT32_MAX && volume_exists(volumes, (uint32_t)uid);
}

static int
sweep(int dir, int volumes)
{
	struct dirent *de;
	int r = 0;
	DIR *d;

	if ((d = dir_entries(dir)) == NULL)
		return errno;
	while ((de = readdir(d)) != NULL) {
		if (!goes(dir, de->d_name, volumes))
			continue;
		if (tree_remove(dir, de->d_name) == 0)
			continue;
		r = errno;
		log_warn("%s in data, which is to go, stays", de->d_name);
	}
	closedir(d);
	return r;
}

static int
run_sweep(void *arg, void *answer)
{
	int r, s;

	(void)arg;
	(void)answer;
	r = sweep(isolation.homes, isolation.volumes);
	s = sweep(isolation.volumes, isolation.volumes);
	return r != 0 ? r : s;
}

static bool sweeping, again;

static void
on_swept(void *owner, int error, const void *answer)
{
	(void)owner;
	(void)error;
	(void)answer;
	sweeping = false;
	if (again)
		storage_sweep();
}

void
storage_sweep(void)
{
	struct job job = { .name = "remove", .low = true, .run = run_sweep };

	again = sweeping;
	if (sweeping)
		return;
	job.fd[0] = isolation.homes;
	job.fd[1] = isolation.volumes;
	job.nfd = 2;
	job.done = on_swept;
	sweeping = job_start(&job) == 0;
	if (!sweeping)
		log_warn("removing what has left its place");
}

/* Under a name that is to go; what is not there is gone. */
static int
put_away(const char *name, uint32_t uid)
{
	char gone[48];
	unsigned int i;

	for (i = 0; i < 1000; i++) {
		snprintf(gone, sizeof(gone), ".gone-%u-%u", uid, i);
		if (syscall(SYS_renameat2, isolation.homes, name, isolation.homes, gone,
			1U /* RENAME_NOREPLACE */) == 0 ||
		    errno == ENOENT)
			return 0;
		if (errno != EEXIST)
			return -1;
	}
	return -1;
}

/* A home, of whatever kind, of a user who is no more. */
int
storage_remove(const char *user, uint32_t uid, struct m_fail *f)
{
	char old[32];
	int fd;

	fd = home_open(isolation.homes, user, uid, NULL, f);
	if (fd == -1 && f->code != 0)
		return -1; /* another's, or none of our making */
	if (fd != -1)
		close(fd);
	snprintf(old, sizeof(old), ".old-%u", uid);
	if ((fd != -1 && put_away(user, uid) == -1) || put_away(old, uid) == -1 ||
	    volume_remove(isolation.volumes, uid) == -1) {
		fault_set(f, errno == EBUSY ? FAIL_BUSY : FAIL_UNAVAILABLE,
		    "home of %s: %s", user,
		    errno == EBUSY ? "it is in use" : strerror(errno));
		return -1;
	}
	if (quota_enforced(isolation.homes))
		(void)quota_limit(isolation.homes, uid, 0, 0);
	log_event(LOG_NOTICE, "home.removed", LOG_S("user", user), LOG_N("uid", uid));
	storage_sweep();
	return 0;
}
