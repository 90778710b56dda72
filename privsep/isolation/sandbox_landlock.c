/*
 * Landlock: a second lock on files behind the mounts, and from ABI 6 on abstract
 * sockets and signals, which matters with `network host'.
 */
#include <sys/stat.h>
#include <sys/syscall.h>

#include <linux/landlock.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "../sandbox.h"
#include "box.h"
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

/* "~" is the home, "run" the runtime folder, "ide" the IDE's. */
struct path_rule {
	const char *path;
	uint64_t rights;
};

static const struct path_rule own_root[] = {
	{ "/", READ }, /* everything here is meant to be seen */
	{ "~", ANY },
	{ "/tmp", ANY },
	{ "run", ANY },
	{ "/dev", WRITE | FS_IOCTL_DEV },
	{ "/dev/shm", ANY },
	{ "/dev/mqueue", ANY },
	{ "/proc", WRITE }, /* own comm, oom_score_adj */
	{ NULL, 0 },
};

/* On the host's own root: the system, and what is the user's. */
static const struct path_rule hosts_root[] = {
	{ "/usr", READ },
	{ "/bin", READ },
	{ "/sbin", READ },
	{ "/lib", READ },
	{ "/lib64", READ },
	{ "/etc", READ },
	{ "/opt", READ },
	{ "ide", READ },
	{ "~", ANY },
	{ "run", ANY },
	{ "/tmp", ANY },
	{ "/dev", WRITE | FS_IOCTL_DEV },
	{ "/dev/shm", ANY },
	{ "/proc", WRITE },
	{ NULL, 0 },
};

static const char *
rule_path(const struct setup *s, const char *path)
{
	if (strcmp(path, "~") == 0)
		return s->path.home;
	if (strcmp(path, "run") == 0)
		return s->path.run;
	if (strcmp(path, "ide") == 0)
		return s->path.ide;
	return path;
}

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

static bool
is_users(const char *path)
{
	return strcmp(path, "~") == 0 || strcmp(path, "run") == 0;
}

/* Either what is the user's, or all else. */
static int
rules_add(struct setup *s, bool users)
{
	bool own = s->strategy == &strategy_namespace;
	const struct path_rule *r;
	const char *path;

	for (r = own ? own_root : hosts_root; r->path != NULL; r++) {
		if (is_users(r->path) != users)
			continue;
		path = rule_path(s, r->path);
		if (rule_add(s->ruleset, path, r->rights & s->handled) == -1 &&
		    (own || errno != ENOENT)) {
			fault_set(&s->fault, FAIL_UNAVAILABLE, "Landlock: %.*s: %s", 300,
			    path, strerror(errno));
			return -1;
		}
	}
	return 0;
}

/* A ruleset without rules, which the first process gets and enters at last. */
int
setup_ruleset(struct setup *s)
{
	struct ruleset_attr attr;
	size_t size = sizeof(attr.fs);
	int abi = sandbox_landlock_abi();

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
	s->handled = attr.fs;
	s->ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
	return s->ruleset == -1 ? -1 : 0;
}

/* Once the first process has mounted its /proc. */
int
setup_rules(struct setup *s)
{
	const struct conf_isolation *conf = &s->conf->isolation;
	uint32_t i;

	if (s->handled == 0)
		return 0;
	if (rules_add(s, false) == -1)
		return -1;
	for (i = 0; i < conf->nbind; i++)
		if (rule_add(s->ruleset, conf->bind[i].path,
			(conf->bind[i].write ? ANY : READ) & s->handled) == -1)
			return -1;
	return 0;
}

int
setup_rules_user(struct setup *s)
{
	return s->handled == 0 ? 0 : rules_add(s, true);
}
