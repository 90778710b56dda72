/*
 * Homes, for the process that makes a sandbox: which kind it is, found, made, or
 * moved from a folder into a volume.
 *
 * A move can be interrupted at any moment.  The copy is complete and on the disk
 * before the folder loses its name; only then does the volume get its own, and
 * only after that is the folder removed:
 *
 *	home/ann				the folder is the home
 *	home/ann		volume/.new-N.img	so it is still; begun anew
 *	home/.old-N	volume/.new-N.img	it gets its name back; begun anew
 *	home/.old-N	volume/N.img		the volume is the home
 *			volume/N.img		and nothing else is left
 */
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../log.h"
#include "box.h"
#include "sandbox_steps.h"
#include "storage.h"
#include "tree.h"

#define FILES_OPEN 1024 /* of a copy of folders nested as deeply as may be */
#define NOREPLACE  1U   /* RENAME_NOREPLACE */

static enum wire_storage mode = STORAGE_IS_ACCOUNTING;

enum wire_storage
storage_mode(void)
{
	return mode;
}

void
storage_set_mode(enum wire_storage m)
{
	mode = m;
}

static bool
volumes_usable(char *why, size_t len)
{
	const char *tool = tool_missing();
	struct statvfs sys;
	int fs;

	if (tool != NULL) {
		snprintf(why, len, "%s is missing: install e2fsprogs", tool);
		return false;
	}
	fs = (int)syscall(SYS_fsopen, "ext4", 0);
	if (fs == -1) {
		snprintf(why, len, "this kernel has no ext4: %s", strerror(errno));
		return false;
	}
	close(fs);
	/* Where blocks are withheld. */
	if (statvfs("/sys/fs/ext4", &sys) == -1 || (sys.f_flag & ST_RDONLY) != 0) {
		snprintf(why, len, "/sys/fs/ext4 is not there or read-only");
		return false;
	}
	return loop_usable(why, len);
}

int
storage_choose(const struct storage_dirs *dirs, const struct conf_isolation *conf,
    enum wire_storage *chosen, char *why, size_t len)
{
	enum conf_storage want = conf->storage_by;
	char volume[160] = "";

	if (want == STORAGE_BEST || want == STORAGE_QUOTA) {
		*chosen = STORAGE_IS_QUOTA;
		if (quota_enforced(dirs->homes))
			return 0;
		snprintf(why, len,
		    "the file system of data enforces no project quotas: mount it with "
		    "prjquota");
		if (want == STORAGE_QUOTA)
			return -1;
	}
	if (want == STORAGE_BEST || want == STORAGE_VOLUME) {
		*chosen = STORAGE_IS_VOLUME;
		if (conf->kind == ISOLATION_DIRECTORY)
			snprintf(
			    volume, sizeof(volume), "isolation directory mounts nothing");
		else if (volumes_usable(volume, sizeof(volume)))
			return 0;
		snprintf(why, len, "no volumes can be made: %s", volume);
		if (want == STORAGE_VOLUME)
			return -1;
	}
	*chosen = STORAGE_IS_ACCOUNTING;
	if (want == STORAGE_ACCOUNTING)
		snprintf(why, len, "storage is configured to be counted only");
	return (conf->require & REQUIRE_STORAGE) != 0 ? -1 : 0;
}

enum wire_storage
storage_of(const struct storage_dirs *dirs, uint32_t uid)
{
	return volume_exists(dirs->volumes, uid) ? STORAGE_IS_VOLUME : mode;
}

static void
old_name(char name[32], uint32_t uid)
{
	snprintf(name, 32, ".old-%u", uid);
}

static void
tell(struct setup *s, enum setup_what what, int home, int loop)
{
	struct setup_report r;

	memset(&r, 0, sizeof(r));
	r.what = what;
	r.storage = s->mounted ? STORAGE_IS_VOLUME : mode;
	r.loop = loop;
	report_send(s->report, &r, home);
}

static int
fault_of(struct setup *s, const char *what)
{
	int error = errno;

	if (s->fault.code == 0)
		fault_set(&s->fault,
		    error == ENOSPC || error == EDQUOT ? FAIL_NO_SPACE : FAIL_UNAVAILABLE,
		    "home of %s: %s: %s", s->user, what,
		    error == ENOSPC ? "the server's disk is full" : strerror(error));
	errno = error;
	return -1;
}

static void
fresh_home(const struct setup *s, struct home_new *fresh)
{
	memset(fresh, 0, sizeof(*fresh));
	fresh->skel = s->conf->isolation.skel;
	fresh->storage = s->limits.storage;
	fresh->files = s->limits.files;
	fresh->project = mode == STORAGE_IS_QUOTA;
}

/* The mount's root, as a folder to work in. */
static int
root_of(const struct volume *v)
{
	return openat(v->mount, ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* On the disk: what is in the volume, and the volume. */
static int
settle(int root, const struct volume *v)
{
	return syncfs(root) == -1 ? -1 : fsync(v->image);
}

/* The first home of a user, in a volume. */
static int
volume_first(struct setup *s, struct volume *v)
{
	static const struct storage_use nothing;
	struct home_new fresh;
	int root, r;

	if (volume_make(s->dirs.volumes, s->user, s->uid, &s->limits, &nothing, v,
		&s->fault) == -1)
		return -1;
	fresh_home(s, &fresh);
	root = root_of(v);
	r = root == -1 ? -1 : home_fill(root, s->user, s->uid, &fresh, &s->fault);
	if (r == 0)
		r = fchmod(root, 0700);
	if (r == 0)
		r = settle(root, v);
	if (r == 0)
		r = volume_keep(s->dirs.volumes, s->uid);
	if (r == -1)
		(void)fault_of(s, "making it");
	if (root != -1)
		close(root);
	if (r == 0)
		return 0;
	volume_close(v);
	volume_drop(s->dirs.volumes, s->uid);
	return -1;
}

static void
waits(void *arg)
{
	tell(arg, SETUP_WAITS, -1, -1);
}

static int
copy(struct setup *s, int from, const struct volume *v)
{
	const struct patience patience = { waits, s };
	const struct tree_rules rules = { .patience = &patience };
	struct tree_report report;
	int root, r;

	root = root_of(v);
	if (root == -1)
		return fault_of(s, "moving it into a volume");
	r = tree_copy(from, root, &rules, &report);
	if (r == 0)
		r = tree_same(from, root, &patience, &report);
	if (r == -1)
		fault_set(&s->fault,
		    errno == ENOSPC || errno == EDQUOT ? FAIL_NO_SPACE : FAIL_UNAVAILABLE,
		    "home of %s cannot be moved into a volume: %s: %s", s->user,
		    report.path, report.why);
	else if ((r = settle(root, v)) == -1)
		(void)fault_of(s, "moving it into a volume");
	close(root);
	return r;
}

/* The names, in the order that the table above tells. */
static int
rename_moved(struct setup *s)
{
	char old[32];

	old_name(old, s->uid);
	if (syscall(SYS_renameat2, s->dirs.homes, s->user, s->dirs.homes, old,
		NOREPLACE) == -1 ||
	    fsync(s->dirs.homes) == -1 || volume_keep(s->dirs.volumes, s->uid) == -1)
		return fault_of(s, "moving it into a volume");
	return 0;
}

static void
more_files(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == -1 || r.rlim_cur >= FILES_OPEN)
		return;
	r.rlim_cur = r.rlim_max < FILES_OPEN ? r.rlim_max : FILES_OPEN;
	(void)setrlimit(RLIMIT_NOFILE, &r);
}

/* What was there may be more than the limit: then nothing can be added to it. */
static void
limit_moved(struct setup *s, struct volume *v)
{
	char why[64];
	int root = root_of(v);

	if (root == -1 ||
	    volume_limit(root, v->image, v->loop, &s->limits, why, sizeof(why)) != 0)
		log_warnx("volume of uid %u: its limit: %s", s->uid,
		    root == -1 ? strerror(errno) : why);
	if (root != -1)
		close(root);
}

static int
volume_move(struct setup *s, int from, struct volume *v)
{
	struct tree_report report;
	struct storage_use room;

	waits(s);
	more_files();
	if (tree_count(from, 0, &report) == -1)
		return fault_of(s, "counting it");
	memset(&room, 0, sizeof(room));
	room.bytes = report.bytes;
	room.files = report.files;
	log_event(LOG_NOTICE, "home.moves", LOG_S("user", s->user), LOG_N("uid", s->uid),
	    LOG_N("bytes", (int64_t)room.bytes), LOG_N("files", (int64_t)room.files));
	if (volume_make(
		s->dirs.volumes, s->user, s->uid, &s->limits, &room, v, &s->fault) == -1)
		return -1;
	if (copy(s, from, v) == -1 || rename_moved(s) == -1) {
		volume_close(v);
		return -1;
	}
	limit_moved(s, v);
	log_event(LOG_NOTICE, "home.moved", LOG_S("user", s->user), LOG_N("uid", s->uid));
	tell(s, SETUP_MOVED, -1, -1);
	return 0;
}

/* Of a move that did not come to its end: see the table. */
static int
recover(struct setup *s)
{
	char old[32];
	struct stat st;

	old_name(old, s->uid);
	if (fstatat(s->dirs.homes, s->user, &st, AT_SYMLINK_NOFOLLOW) == 0 ||
	    fstatat(s->dirs.homes, old, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return 0;
	if (syscall(SYS_renameat2, s->dirs.homes, old, s->dirs.homes, s->user,
		NOREPLACE) == -1)
		return fault_of(s, "giving it its name back");
	log_event(
	    LOG_NOTICE, "home.recovered", LOG_S("user", s->user), LOG_N("uid", s->uid));
	return 0;
}

static int
take_volume(struct setup *s, struct volume *v)
{
	int root;

	root = root_of(v);
	if (root == -1) {
		(void)fault_of(s, "its folder");
		volume_close(v);
		return -1;
	}
	s->mounted = true;
	tell(s, SETUP_HOME, root, v->loop);
	close(root);
	s->home = v->mount;
	v->mount = -1;
	volume_close(v);
	return 0;
}

static int
home_volume(struct setup *s)
{
	const struct patience patience = { waits, s };
	struct volume v;
	int from, r;

	if (volume_exists(s->dirs.volumes, s->uid)) {
		v.loop = s->loop;
		r = volume_open(s->dirs.volumes, s->user, s->uid, &s->limits, &patience,
		    &v, &s->fault);
		return r == -1 ? -1 : take_volume(s, &v);
	}
	from = home_open(s->dirs.homes, s->user, s->uid, NULL, &s->fault);
	if (from == -1 && s->fault.code != 0)
		return -1;
	r = from == -1 ? volume_first(s, &v) : volume_move(s, from, &v);
	if (from != -1)
		close(from);
	return r == -1 ? -1 : take_volume(s, &v);
}

static int
home_folder(struct setup *s)
{
	const struct patience patience = { waits, s };
	struct home_new fresh;

	fresh_home(s, &fresh);
	s->home = home_open(s->dirs.homes, s->user, s->uid, &fresh, &s->fault);
	if (s->home == -1)
		return -1;
	if (mode == STORAGE_IS_QUOTA) {
		if (!quota_marked(s->home, s->uid)) {
			waits(s);
			more_files();
			if (quota_mark_tree(s->home, s->uid, &patience) == -1)
				return fault_of(s, "counting it to its project");
		}
		if (quota_limit(s->home, s->uid, s->limits.storage, s->limits.files) ==
		    -1)
			return fault_of(s, "its quota");
	}
	tell(s, SETUP_HOME, -1, -1);
	return 0;
}

int
setup_home(struct setup *s)
{
	bool volume = volume_exists(s->dirs.volumes, s->uid);
	int r;

	if (volume && s->conf->isolation.kind == ISOLATION_DIRECTORY) {
		fault_set(&s->fault, FAIL_UNAVAILABLE,
		    "the home of %s is a volume, which isolation directory cannot mount",
		    s->user);
		errno = ENOTSUP;
		return -1;
	}
	if (!volume && recover(s) == -1)
		return -1;
	r = volume || mode == STORAGE_IS_VOLUME ? home_volume(s) : home_folder(s);
	return r == -1 ? -1 : home_folders(s->home, s->user, s->uid, &s->fault);
}
