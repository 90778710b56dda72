/*
 * What a new home holds: a copy of the skeleton, and settings for the IDE where
 * the skeleton has none.
 */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "box.h"
#include "sandbox_steps.h"
#include "tree.h"

#define SKEL_BYTES (64ULL << 20)
#define SKEL_FILES 10000
#define DEPTH      4

/* Files that a home begins with; their folders are made as well. */
static const struct {
	const char *folder[DEPTH];
	const char *name;
	const char *text;
} first[] = {
	/* The user may change them; those of a workspace come before them. */
	{ { "data", "data", "Machine", NULL }, "settings.json",
	    "{\n"
	    "\t\"telemetry.telemetryLevel\": \"off\",\n"
	    "\t\"update.mode\": \"none\"\n"
	    "}\n" },
};

void
skel_rules(struct tree_rules *rules, uint32_t uid, uint64_t storage, uint64_t files)
{
	memset(rules, 0, sizeof(*rules));
	rules->skeleton = true;
	rules->uid = uid;
	rules->max_bytes = storage < SKEL_BYTES ? storage : SKEL_BYTES;
	rules->max_files = files < SKEL_FILES ? files : SKEL_FILES;
}

/* Who may write to it decides what all new users begin with. */
int
skel_open(const char *path, const char **why)
{
	struct stat st;
	int fd;

	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1 || fstat(fd, &st) == -1) {
		*why = strerror(errno);
		if (fd != -1)
			close(fd);
		return -1;
	}
	if (st.st_uid == 0 && (st.st_mode & (S_IWGRP | S_IWOTH)) == 0)
		return fd;
	*why = "others than root may write to it: chown root and chmod go-w";
	close(fd);
	return -1;
}

static int
skeleton(int home, const char *user, uint32_t uid, const struct home_new *fresh,
    struct m_fail *f)
{
	struct tree_report report;
	struct tree_rules rules;
	const char *why;
	int fd, r, error;

	if (fresh->skel == NULL || fresh->skel[0] == '\0')
		return 0;
	fd = skel_open(fresh->skel, &why);
	if (fd == -1) {
		fault_set(f, FAIL_UNAVAILABLE, "home of %s: skeleton %.300s: %s", user,
		    fresh->skel, why);
		return -1;
	}
	skel_rules(&rules, uid, fresh->storage, fresh->files);
	r = tree_copy(fd, home, &rules, &report);
	error = errno;
	if (r == -1)
		fault_set(f,
		    error == ENOSPC || error == EDQUOT ? FAIL_NO_SPACE : FAIL_UNAVAILABLE,
		    "home of %s: skeleton %.150s/%.150s: %s", user, fresh->skel,
		    report.path, report.why);
	close(fd);
	errno = error;
	return r;
}

/* The folder below, made if need be; the descriptor of the one above is closed. */
static int
step(int dir, const char *name, uint32_t uid)
{
	int fd = -1;

	if (mkdirat(dir, name, 0700) == 0) {
		fd = tree_open(dir, name);
		if (fd != -1 && fchown(fd, uid, uid) == -1) {
			close(fd);
			fd = -1;
		}
	} else if (errno == EEXIST) {
		fd = tree_open(dir, name);
	}
	close(dir);
	return fd;
}

static int
write_first(int dir, const char *name, const char *text, uint32_t uid)
{
	size_t len = strlen(text);
	int fd, r;

	fd = openat(
	    dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd == -1)
		return errno == EEXIST ? 0 : -1;
	r = write(fd, text, len) == (ssize_t)len && fchown(fd, uid, uid) == 0 ? 0 : -1;
	close(fd);
	return r;
}

static int
defaults(int home, uint32_t uid)
{
	unsigned int i, k;
	int fd, r;

	for (i = 0; i < sizeof(first) / sizeof(first[0]); i++) {
		fd = openat(home, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		for (k = 0; fd != -1 && first[i].folder[k] != NULL; k++)
			fd = step(fd, first[i].folder[k], uid);
		if (fd == -1 && (errno == ELOOP || errno == ENOTDIR))
			continue; /* the skeleton has something else there */
		if (fd == -1)
			return -1;
		r = write_first(fd, first[i].name, first[i].text, uid);
		close(fd);
		if (r == -1)
			return -1;
	}
	return 0;
}

int
home_fill(int home, const char *user, uint32_t uid, const struct home_new *fresh,
    struct m_fail *f)
{
	if (skeleton(home, user, uid, fresh, f) == -1)
		return -1;
	return defaults(home, uid);
}
