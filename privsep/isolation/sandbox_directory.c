/*
 * The strategy `directory', for kernels without namespaces: own uid and home, no
 * capability, limits, seccomp, and Landlock and control groups where there are
 * any.  Users see the host's files that anybody may read, one another's processes
 * in the list, and the host's network: ided-isolation(7) says what that means.
 */
#include <sys/stat.h>
#include <sys/syscall.h>

#include <linux/openat2.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../log.h"
#include "box.h"
#include "isolation.h"
#include "sandbox_steps.h"

static void
paths(struct setup *s)
{
	const struct conf *c = s->conf;

	snprintf(
	    s->path.home, sizeof(s->path.home), "%s/home/%s", c->common.data, s->user);
	snprintf(
	    s->path.run, sizeof(s->path.run), "%s/user/%u", c->common.runtime, s->uid);
	snprintf(s->path.ide, sizeof(s->path.ide), "%s", c->ide.path);
}

/* runtime/user/<uid>: the user's own, below a folder that is root's. */
static int
setup_run_folder(struct setup *s)
{
	struct open_how how;
	struct stat st;
	char name[16];
	int fd, r;

	snprintf(name, sizeof(name), "%u", s->uid);
	if (mkdirat(isolation.users, name, 0700) == -1 && errno != EEXIST)
		return -1;
	memset(&how, 0, sizeof(how));
	how.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
	fd = (int)syscall(SYS_openat2, isolation.users, name, &how, sizeof(how));
	if (fd == -1)
		return -1;
	/* Its name is root's to give, so it is ours or was given away by us. */
	r = fstat(fd, &st) == -1 || (st.st_uid != 0 && st.st_uid != s->uid) ? -1 : 0;
	if (r == 0 && (fchown(fd, s->uid, s->uid) == -1 || fchmod(fd, 0700) == -1))
		r = -1;
	close(fd);
	return r;
}

static const struct setup_step blank[] = {
	{ "closing descriptors", setup_keep },
	{ "choosing who ends first", setup_oom },
	{ "preparing Landlock", setup_ruleset },
	{ "entering the control group", setup_cgroup },
	{ NULL, NULL },
};

static const struct setup_step inside[] = {
	{ "closing descriptors", setup_fds },
	{ NULL, NULL },
};

static const struct setup_step ready[] = {
	{ "making Landlock's rules", setup_rules },
	{ NULL, NULL },
};

static const struct setup_step owned[] = {
	{ "opening the home", setup_home },
	{ "making the runtime folder", setup_run_folder },
	{ "adding to Landlock's rules", setup_rules_user },
	{ NULL, NULL },
};

static const struct setup_step joined[] = {
	{ NULL, NULL },
};

/*
 * There is no pid 1 whose end takes all along.  A process that is the user can
 * signal the user's processes, all of them, and nobody else's.
 */
static void
end_all(uint32_t uid)
{
	pid_t pid;

	pid = fork();
	if (pid == -1)
		log_warn("ending the processes of uid %u", uid);
	if (pid != 0)
		return;
	if (setresgid(uid, uid, uid) == -1 || setresuid(uid, uid, uid) == -1 ||
	    getuid() != uid)
		_exit(1);
	(void)kill(-1, SIGKILL);
	_exit(0);
}

const struct strategy strategy_directory = {
	.name = "directory",
	.blank = blank,
	.inside = inside,
	.ready = ready,
	.owned = owned,
	.joined = joined,
	.last = 0,
	.paths = paths,
	.end_all = end_all,
	.weaker = "isolation directory: users see the host's readable files, the list "
		  "of processes and the host's network; see ided-isolation(7)",
};
