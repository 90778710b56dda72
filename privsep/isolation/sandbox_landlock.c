/*
 * Landlock: a second lock on files behind the mounts, and from ABI 6 on abstract
 * sockets and signals, which matters with `network host'.
 */
#include <sys/stat.h>
#include <sys/syscall.h>

#include <linux/landlock.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../sandbox.h"
#include "sandbox_steps.h"

/* Rights and fields of later ABIs, which Debian 12's headers lack. */
#define FS_TRUNCATE         (1ULL << 14) /* ABI 3 */
#define FS_IOCTL_DEV        (1ULL << 15) /* ABI 5 */
#define SCOPE_ABSTRACT_UNIX (1ULL << 0)  /* ABI 6 */
#define SCOPE_SIGNAL        (1ULL << 1)
#define FS_ABI1             ((1ULL << 13) - 1)

struct ruleset_attr {
	uint64_t fs;
	uint64_t net;
	uint64_t scoped;
};

#define READ                                                                             \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE |                     \
	    LANDLOCK_ACCESS_FS_READ_DIR)
#define ANY                                                                              \
	(~(uint64_t)(LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK |      \
	    FS_IOCTL_DEV))
#define WRITE                                                                            \
	(LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR |                    \
	    LANDLOCK_ACCESS_FS_WRITE_FILE | FS_TRUNCATE)

/* All that makes sense for what is no folder. */
#define FILE_RIGHTS                                                                      \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE |                     \
	    LANDLOCK_ACCESS_FS_WRITE_FILE | FS_TRUNCATE | FS_IOCTL_DEV)

static const struct {
	const char *path; /* "~": the home */
	uint64_t rights;
} rules[] = {
	{ "/", READ }, /* everything here is meant to be seen */
	{ "~", ANY }, { "/tmp", ANY }, { INSIDE_RUN, ANY },
	{ "/dev", WRITE | FS_IOCTL_DEV }, { "/dev/shm", ANY }, { "/dev/mqueue", ANY },
	{ "/proc", WRITE }, /* own comm, oom_score_adj */
};

static int
rule_add(int ruleset, const char *path, uint64_t rights)
{
	struct landlock_path_beneath_attr beneath;
	struct stat st;
	int r = -1;

	memset(&beneath, 0, sizeof(beneath));
	beneath.allowed_access = rights;
	beneath.parent_fd = open(path, O_PATH | O_CLOEXEC);
	if (beneath.parent_fd == -1)
		return -1;
	if (fstat(beneath.parent_fd, &st) == 0) {
		if (!S_ISDIR(st.st_mode))
			beneath.allowed_access &= FILE_RIGHTS;
		r = (int)syscall(SYS_landlock_add_rule, ruleset,
		    LANDLOCK_RULE_PATH_BENEATH, &beneath, 0);
	}
	close(beneath.parent_fd);
	return r;
}

static int
rules_add(int ruleset, const struct setup *s, uint64_t handled)
{
	const struct conf_isolation *conf = &s->conf->isolation;
	char home[64];
	uint32_t i;

	snprintf(home, sizeof(home), "/home/%s", s->user);
	for (i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		if (rule_add(ruleset, rules[i].path[0] == '~' ? home : rules[i].path,
			rules[i].rights & handled) == -1)
			return -1;
	for (i = 0; i < conf->nbind; i++)
		if (conf->bind[i].write &&
		    rule_add(ruleset, conf->bind[i].path, ANY & handled) == -1)
			return -1;
	return 0;
}

int
setup_landlock(struct setup *s)
{
	struct ruleset_attr attr;
	size_t size = sizeof(attr.fs);
	int abi = sandbox_landlock_abi(), fd, r = 0;

	if (abi == 0)
		return 0; /* named at start; `require' made it fatal there */
	memset(&attr, 0, sizeof(attr));
	attr.fs = FS_ABI1;
	if (abi >= 2)
		attr.fs |= LANDLOCK_ACCESS_FS_REFER;
	if (abi >= 3)
		attr.fs |= FS_TRUNCATE;
	if (abi >= 5)
		attr.fs |= FS_IOCTL_DEV;
	if (abi >= 6) {
		attr.scoped = SCOPE_ABSTRACT_UNIX | SCOPE_SIGNAL;
		size = sizeof(attr);
	}
	if (s->conf->isolation.user_namespaces) {
		attr.fs = 0; /* with files it would forbid all mounts; named at start */
		if (attr.scoped == 0)
			return 0;
	}
	fd = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
	if (fd == -1)
		return -1;
	if (attr.fs != 0)
		r = rules_add(fd, s, attr.fs);
	if (r == 0)
		r = (int)syscall(SYS_landlock_restrict_self, fd, 0);
	close(fd);
	return r;
}
