/*
 * From nobody to the user.  Until then it has the superuser's uid, in namespaces of
 * its own, and with it the rights to take another uid and none besides; system
 * calls are those of users' programs already.  Nothing of a user's can be reached,
 * and nobody can speak to it but the process that made it.
 */
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <linux/capability.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../privsep/fdpass.h"
#include "../../privsep/session_start.h"
#include "session.h"

static bool has_ruleset;

static _Noreturn void refused(const char *, ...) __attribute__((format(printf, 1, 2)));

/* Who asked for the sandbox hears why there is none. */
static _Noreturn void
refused(const char *fmt, ...)
{
	struct setup_report r;
	struct iovec iov = { &r, sizeof(r) };
	va_list ap;

	memset(&r, 0, sizeof(r));
	r.what = SETUP_FAILED;
	r.fault.code = FAIL_UNAVAILABLE;
	va_start(ap, fmt);
	vsnprintf(r.fault.text, sizeof(r.fault.text), fmt, ap);
	va_end(ap);
	(void)fdpass_send(FD_SESSION_REPORT, &iov, 1, -1, 0);
	_exit(1);
}

static bool
receive(struct session_who *who)
{
	struct iovec iov = { who, sizeof(*who) };
	struct fdpass got;

	if (fdpass_recv(FD_SESSION_WHO, &iov, 1, 0, &got) != (ssize_t)sizeof(*who) ||
	    !got.sound || got.cut || got.fd == -1)
		return false;
	if (got.fd != FD_SESSION_CONTROL &&
	    (dup3(got.fd, FD_SESSION_CONTROL, O_CLOEXEC) == -1 || close(got.fd) == -1))
		return false;
	return memchr(who->user, '\0', sizeof(who->user)) != NULL &&
	    memchr(who->home, '\0', sizeof(who->home)) != NULL &&
	    memchr(who->run, '\0', sizeof(who->run)) != NULL && who->uid != 0;
}

static int
no_bounding_set(void)
{
	int cap;

	for (cap = 0; cap <= CAP_LAST_CAP; cap++)
		if (prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1 &&
		    prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == -1)
			return -1;
	return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
}

static int
no_capabilities(void)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct d[2];

	memset(d, 0, sizeof(d));
	return (int)syscall(SYS_capset, &h, d);
}

/* A limit can only be lowered. */
static int
limit_processes(uint32_t n)
{
	struct rlimit r;

	if (n == 0)
		return 0;
	if (getrlimit(RLIMIT_NPROC, &r) == -1)
		return -1;
	if (r.rlim_max > n)
		r.rlim_max = n;
	r.rlim_cur = r.rlim_max;
	return setrlimit(RLIMIT_NPROC, &r);
}

static int
take_identity(const struct session_who *who)
{
	if (limit_processes(who->processes) == -1 || no_bounding_set() == -1 ||
	    setgroups(0, NULL) == -1 || setresgid(who->uid, who->uid, who->uid) == -1 ||
	    setresuid(who->uid, who->uid, who->uid) == -1 || no_capabilities() == -1)
		return -1;
	/* The user's other programs have the same uid: they may not trace it.  The
	 * kernel forgets it with the change of the uid. */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1)
		return -1;
	if (setuid(0) == -1 && getuid() == who->uid && geteuid() == who->uid)
		return 0;
	errno = EPERM;
	return -1;
}

/* What is there for it has been put into the ruleset meanwhile. */
static int
enter_landlock(void)
{
	if (!has_ruleset)
		return 0;
	return syscall(SYS_landlock_restrict_self, FD_SESSION_RULESET, 0) == -1 ?
	    -1 :
	    close(FD_SESSION_RULESET);
}

void
become_prepare(void)
{
	int fd;

	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	/* Before anything is opened that could get its number. */
	has_ruleset = fcntl(FD_SESSION_RULESET, F_GETFD) != -1;
	/* Nothing else is to get the number of what is still to come. */
	if (dup3(STDIN_FILENO, FD_SESSION_CONTROL, O_CLOEXEC) == -1)
		_exit(1);
	for (fd = FD_SESSION_REPORT; fd <= FD_SESSION_LAST; fd++)
		(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
}

void
become_user(void)
{
	static struct session_who who;

	/* An end without a word: no user came. */
	if (write(FD_SESSION_WHO, "", 1) != 1 || !receive(&who))
		_exit(0);
	close(FD_SESSION_WHO);
	if (take_identity(&who) == -1)
		refused("becoming the user: %s", strerror(errno));
	umask(022);
	if (chdir(who.home) == -1)
		refused("home %.300s: %s: every folder above it must be open to users "
			"(mode 0711)",
		    who.home, strerror(errno));
	if (enter_landlock() == -1)
		refused("entering Landlock: %s", strerror(errno));
	session.user = who.user;
	session.home = who.home;
	session.run = who.run;
	session.ide_now = who.ide == 1;
}
