/*
 * ided-isolation [-nv] -f file [-D macro=value] ...
 *
 * Started by ided with the descriptors of sandbox.h; with -n it only checks
 * what the configuration names and says what is wrong.
 */
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <bsd/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../log.h"
#include "../sandbox.h"
#include "../spawn.h"
#include "box.h"
#include "isolation.h"
#include "jobs.h"
#include "net.h"
#include "sandbox_cgroup.h"
#include "sandbox_steps.h"

#define DEFINES_MAX 64

extern char **environ;

struct isolation isolation;
static int exit_code;

static const struct chan_handler nothing[] = {
	{ M_NONE, NULL },
};

struct timeval
isolation_ms(long ms)
{
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	return tv;
}

/* The children leave when their channels close; the sandboxes stay. */
void
isolation_leave(int code)
{
	if (code != 0)
		exit_code = code;
	event_base_loopbreak(isolation.base);
}

static void
on_master_gone(struct chan *c, const char *why)
{
	(void)c;
	(void)why;
	isolation_leave(0);
}

static void
on_child(evutil_socket_t sig, short what, void *arg)
{
	pid_t pid;
	int status;

	(void)sig;
	(void)what;
	(void)arg;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (!children_reap(pid, status) && !job_reap(pid, status) &&
		    !fetch_reap(pid, status) && !box_reap(pid))
			(void)spare_reap(pid);
}

static void
print_error(void *arg, const char *line)
{
	(void)arg;
	fprintf(stderr, "%s\n", line);
}

/* -n: the same as at a start, and nothing is started. */
static int
check(void)
{
	static struct sections s;
	char err[CONF_PATH_MAX + 256];
	int errors;

	errors = conf_parse(&isolation.conf, isolation.conf_file, isolation.def,
	    isolation.ndef, environ, print_error, NULL);
	if (errors == 0)
		errors = conf_check(&isolation.conf, print_error, NULL);
	if (errors == 0 && sections_read(&s, &isolation.conf, err, sizeof(err)) == -1) {
		print_error(NULL, err);
		errors = 1;
	}
	return errors == 0 ? 0 : 1;
}

static bool
options(int argc, char *argv[])
{
	static struct conf_define defs[DEFINES_MAX];
	bool only_check = false;
	char *eq;
	int c;

	isolation.def = defs;
	while ((c = getopt(argc, argv, "nvf:D:")) != -1) {
		switch (c) {
		case 'n':
			only_check = true;
			break;
		case 'v':
			isolation.verbose = true;
			break;
		case 'f':
			isolation.conf_file = optarg;
			break;
		case 'D':
			eq = strchr(optarg, '=');
			if (eq == NULL || isolation.ndef == DEFINES_MAX)
				fatalx("-D %s", optarg);
			*eq = '\0';
			defs[isolation.ndef].name = optarg;
			defs[isolation.ndef++].value = eq + 1;
			break;
		default:
			fatalx("usage: ided-isolation [-nv] -f file "
			       "[-D macro=value]");
		}
	}
	if (isolation.conf_file == NULL || optind != argc)
		fatalx("started by hand? ided starts it");
	return only_check;
}

/* Descriptors that were given, none of which a child gets by accident. */
static void
descriptors(void)
{
	int fd;

	for (fd = FD_PARENT; fd < FD_FIRST_FREE; fd++)
		(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
	if (syscall(SYS_close_range, FD_FIRST_FREE, ~0U, 0) == -1)
		fatal("close_range");
	isolation.control = fcntl(FD_EXTRA, F_DUPFD_CLOEXEC, FD_FIRST_FREE);
	if (isolation.control == -1)
		fatal("idectl's socket");
	close(FD_EXTRA);
	isolation.hostns = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	if (isolation.hostns == -1)
		fatal("/proc/self/ns/mnt");
}

static void
undumpable(void)
{
	/* Not 0, which users' programs would inherit: see sandbox_user.c. */
	struct rlimit none = { 1, 1 };

	if (setrlimit(RLIMIT_CORE, &none) == -1 ||
	    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1)
		fatal("core dumps");
}

static void
prepare(void)
{
	static struct sections s;
	char err[CONF_PATH_MAX + 256];
	const char *missing;

	if (accounts_load(&missing) == -1)
		fatalx("no account \"%s\"", missing);
	if (sections_read(&s, &isolation.conf, err, sizeof(err)) == -1)
		fatalx("%s", err);
	sections_take(&s);
	if (audit_file_check(isolation.conf.audit.file) == -1)
		fatal("audit file \"%s\"", isolation.conf.audit.file);
	(void)spawn_dir();
	folders_open();
	cgroup_find(isolation.conf.common.runtime);
	shares_find(isolation.homes);
	features_check(&isolation.conf.isolation);
	storage_start(&isolation.conf.isolation);
	sandbox_prepare();
}

static void
serve(void)
{
	struct event *child;

	isolation.base = event_base_new();
	if (isolation.base == NULL)
		fatalx("no event loop");
	child = evsignal_new(isolation.base, SIGCHLD, on_child, NULL);
	if (child == NULL || event_add(child, NULL) == -1)
		fatalx("no signal event");
	chan_init(&isolation.master, FD_PARENT, P_ISOLATION, P_MASTER, isolation.base,
	    nothing, on_master_gone, NULL);
	caps_keep();
	seccomp_isolation();
	net_start();
	box_adopt_all();
	net_sweep();
	usage_start();
	storage_sweep();
	watch_configure();
	reload_heart();
	children_start();
	spare_fill();
	event_base_dispatch(isolation.base);
	fetch_leave();
	net_leave();
	spare_leave();
	cgroup_leave();
	event_free(child);
}

int
main(int argc, char *argv[], char *envp[])
{
	const struct conf_common *common = &isolation.conf.common;

	/* Before anything copies the environment. */
	sections_admin();
	setproctitle_init(argc, argv, envp);
	log_init("isolation", STDERR_FILENO, LOG_FORMAT_TEXT, LOG_INFO, false);
	if (options(argc, argv))
		return check();
	/* Run by its descriptor, a program has no name. */
	(void)prctl(PR_SET_NAME, "ided-isolation", 0, 0, 0);
	undumpable();
	descriptors();
	conf_section_recv(FD_CONF, &isolation.conf, sizeof(isolation.conf));
	log_init("isolation", FD_LOG, common->log_format, common->log_level,
	    common->log_to == LOG_TO_SYSLOG);
	(void)signal(SIGPIPE, SIG_IGN);
	umask(077);
	if (chdir("/") == -1)
		fatal("/");
	setproctitle("-ided: isolation");
	prepare();
	serve();
	return exit_code;
}
