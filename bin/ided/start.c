/* Starting: see start.h. */
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <bsd/stdlib.h>
#include <bsd/string.h>
#include <bsd/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "../../privsep/backup.h"
#include "../../privsep/chan.h"
#include "../../privsep/confsend.h"
#include "../../privsep/listen.h"
#include "../../privsep/log.h"
#include "../../privsep/master_start.h"
#include "../../privsep/sandbox.h"
#include "../../privsep/spawn.h"
#include "start.h"

#ifndef VERSION
#define VERSION "0.1"
#endif

#define ARGS_MAX (2 * 64 + 8)

/* The arguments that isolation reads the configuration with. */
static void
isolation_args(const struct start *st, const char *argv[ARGS_MAX])
{
	unsigned int i, n = 0;

	argv[n++] = "ided-isolation";
	if (st->check)
		argv[n++] = "-n";
	if (st->verbose)
		argv[n++] = "-v";
	argv[n++] = "-f";
	argv[n++] = st->file;
	for (i = 0; i < st->ndef; i++) {
		argv[n++] = "-D";
		argv[n++] = st->defarg[i];
	}
	argv[n] = NULL;
}

int
start_check(const struct start *st)
{
	struct start with_n = *st;
	const char *argv[ARGS_MAX];
	char path[PATH_MAX];
	pid_t pid;
	int status;

	with_n.check = true;
	isolation_args(&with_n, argv);
	snprintf(path, sizeof(path), "%s/ided-isolation", spawn_dir());
	pid = fork();
	if (pid == -1) {
		fprintf(stderr, "ided: fork: %s\n", strerror(errno));
		return -1;
	}
	if (pid == 0) {
		execve(path, (char *const *)(uintptr_t)argv, st->envp);
		fprintf(stderr, "ided: %s: %s; is ided installed whole?\n", path,
		    strerror(errno));
		_exit(1);
	}
	while (waitpid(pid, &status, 0) == -1)
		if (errno != EINTR)
			return -1;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}

static int
complain(const char *what, const char *on, const char *remedy)
{
	fprintf(stderr, "ided: %s %s: %s%s%s\n", what, on, strerror(errno),
	    *remedy ? "; " : "", remedy);
	return -1;
}

/* A folder of ours: there, root's, and not open to others. */
static int
own_folder(const char *path, mode_t mode)
{
	struct stat st;

	if (mkdir(path, mode) == 0) {
		/* Whatever our umask is. */
		if (chmod(path, mode) == -1)
			return complain("cannot set the mode of", path, "");
	} else if (errno != EEXIST) {
		return complain("cannot make", path, "its parent folder must exist");
	}
	if (lstat(path, &st) == -1)
		return complain("cannot look at", path, "");
	if (!S_ISDIR(st.st_mode) || st.st_uid != 0 || (st.st_mode & 022) != 0) {
		fprintf(stderr,
		    "ided: %s: must be a folder that belongs to root and "
		    "that only root can write to: chown root, chmod 0755\n",
		    path);
		return -1;
	}
	return 0;
}

/* An empty folder: what master, keys and hash helpers have as their root. */
static int
empty_root(const char *runtime)
{
	char path[CONF_PATH_MAX + 16];
	int fd;

	snprintf(path, sizeof(path), "%s/empty", runtime);
	if (own_folder(path, 0555) == -1)
		return -1;
	fd = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1)
		return complain("cannot open", path, "");
	return fd;
}

/* A predecessor that was killed takes a moment to go with all its processes. */
#define PREDECESSOR_MS      3000
#define PREDECESSOR_STEP_MS 20
/* One that handed its sockets over finishes its connections first. */
#define HANDOVER_MS 15000

static int patience_ms = PREDECESSOR_MS;

static bool
wait_once_more(int *waited_ms)
{
	if (*waited_ms >= patience_ms)
		return false;
	*waited_ms += PREDECESSOR_STEP_MS;
	(void)poll(NULL, 0, PREDECESSOR_STEP_MS);
	return true;
}

/* One ided per data folder: the lock is held as long as isolation lives. */
static int
lock(const struct conf *conf)
{
	char path[CONF_PATH_MAX + 16];
	int fd, waited = 0;

	snprintf(path, sizeof(path), "%s/lock", conf->common.data);
	fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd == -1)
		return complain("cannot open", path, "");
	while (flock(fd, LOCK_EX | LOCK_NB) == -1) {
		if (errno == EWOULDBLOCK && wait_once_more(&waited))
			continue;
		if (errno == EWOULDBLOCK)
			fprintf(stderr,
			    "ided: %s is in use by a running ided; stop it "
			    "first (idectl stop), or replace it (idectl upgrade)\n",
			    conf->common.data);
		else
			complain("cannot lock", path, "");
		close(fd);
		return -1;
	}
	return fd;
}

/* Half of a store, or a store without its keys, is not to be taken for a new one. */
static int
whole(const struct conf *conf)
{
	char path[CONF_PATH_MAX + 32];

	snprintf(path, sizeof(path), "%s/" BACKUP_UNFINISHED, conf->common.data);
	if (access(path, F_OK) == -1)
		return 0;
	fprintf(stderr,
	    "ided: %s was left by a restore that was interrupted: run idectl restore "
	    "again, which says what to do\n",
	    path);
	return -1;
}

static int
open_syslog(void)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd;

	strlcpy(un.sun_path, "/dev/log", sizeof(un.sun_path));
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1 || connect(fd, (void *)&un, sizeof(un)) == -1)
		return complain("cannot log to syslog", "/dev/log",
		    "start a syslog service, or set: log to file \"...\"");
	return fd;
}

static int
open_log(const struct conf *conf)
{
	int fd;

	switch (conf->common.log_to) {
	case LOG_TO_SYSLOG:
		return open_syslog();
	case LOG_TO_FILE:
		fd = open(conf->common.log_file,
		    O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0640);
		if (fd == -1)
			return complain("cannot open the log", conf->common.log_file,
			    "its folder must exist and belong to root");
		return fd;
	default:
		return fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	}
}

/* systemd's datagram socket, connected while names can still be looked up. */
static int
open_notify(void)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	const char *path = getenv("NOTIFY_SOCKET");
	size_t len;
	int fd;

	if (path == NULL || (path[0] != '/' && path[0] != '@'))
		return -1;
	len = strlcpy(un.sun_path, path, sizeof(un.sun_path));
	if (len >= sizeof(un.sun_path))
		return -1;
	if (path[0] == '@')
		un.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd != -1 &&
	    connect(fd, (void *)&un,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) == -1) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* Sockets; on an error those opened so far are closed by our exit. */
static int
open_listeners(const struct conf *conf, int fds[CONF_LISTEN_MAX])
{
	char err[512];
	uint32_t i;
	int bad = 0;

	for (i = 0; i < CONF_LISTEN_MAX; i++)
		fds[i] = -1;
	for (i = 0; i < conf->nlisten; i++) {
		fds[i] = listen_open(&conf->listen[i], err, sizeof(err));
		if (fds[i] == -1) {
			fprintf(stderr, "ided: %s\n", err);
			bad++;
		}
	}
	listen_inherit_end();
	return bad == 0 ? 0 : -1;
}

/*
 * Into the background: the one who started us waits until all of ided is up, or
 * has said why not.
 */
static int
background(void)
{
	char result = 1;
	int p[2];
	pid_t pid;
	ssize_t n;

	if (pipe2(p, O_CLOEXEC) == -1)
		return complain("cannot make", "a pipe", "");
	pid = fork();
	if (pid == -1)
		return complain("cannot", "fork", "");
	if (pid == 0) {
		close(p[0]);
		setsid();
		return p[1];
	}
	close(p[1]);
	do {
		n = read(p[0], &result, 1);
	} while (n == -1 && errno == EINTR);
	_exit(n == 1 ? result : 1);
}

static int
start_isolation(const struct start *st, const struct conf *conf, int channel, int control,
    int lockfd, int log)
{
	const char *argv[ARGS_MAX];
	struct spawn s;
	pid_t pid;

	memset(&s, 0, sizeof(s));
	isolation_args(st, argv);
	s.program = "ided-isolation";
	s.argv = (char *const *)(uintptr_t)argv;
	s.envp = st->envp;
	s.parent = channel;
	s.conf = conf_section_send(conf, sizeof(*conf));
	if (s.conf == -1)
		return complain("cannot hand over", "the configuration", "");
	s.root = lockfd; /* isolation keeps the host's root: the slot holds the lock */
	s.log = log;
	s.extra = control;
	s.master = -1;
	pid = spawn(&s);
	close(s.conf);
	return pid == -1 ? complain("cannot start", "ided-isolation", "") : 0;
}

/* What users' programs show is then of one origin with ided's own pages. */
static void
name_shared(const struct conf_proxy *proxy)
{
	if (proxy->domain[0] != '\0' || proxy->paths == PATHS_OFF)
		return;
	log_event(LOG_WARNING, "proxy.shared",
	    LOG_S("what",
		proxy->paths == PATHS_OPEN ?
		    "pages of users' programs below /proxy/ may do what their users may" :
		    "pages of users' programs below /proxy/ share ided's own origin and "
		    "are only asked to stay by themselves"),
	    LOG_S("remedy", "proxy { domain \"*.ide.example.com\" }"));
}

static void
name_ineffect(const struct conf *conf)
{
	uint32_t i;

	for (i = 0; i < conf->nineffect; i++)
		log_event(LOG_WARNING, "configuration.ineffective",
		    LOG_S("what", conf->ineffect[i]));
}

static void
raise_nofile(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
		r.rlim_cur = r.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &r);
	}
}

/* When memory runs out, a user's program goes and not one of ours. */
static void
end_last(void)
{
	const char *bad;
	char now[16];
	long long score;
	ssize_t n;
	int fd;

	fd = open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC);
	if (fd == -1)
		return;
	n = read(fd, now, sizeof(now) - 1);
	now[n > 0 ? n : 0] = '\0';
	now[strcspn(now, "\n")] = '\0';
	score = strtonum(now, -1000, 1000, &bad);
	/* Refused where that power was taken away; whoever did has chosen. */
	if (bad == NULL && score > -500)
		(void)!write(fd, "-500", 4);
	close(fd);
}

/* What is no master's business is closed before it begins. */
static void
quiet_stdio(bool foreground)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null == -1)
		return;
	dup2(null, STDIN_FILENO);
	if (!foreground) {
		dup2(null, STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
	}
	if (null > STDERR_FILENO)
		close(null);
}

int
start_all(const struct start *st, const struct conf *conf)
{
	static struct master_start ms;
	const char *missing;
	char err[512];
	int control, lockfd, rootfd, pair[2], waited = 0;

	raise_nofile();
	end_last();
	umask(077);
	ms.parent = -1;
	if (listen_inherit() > 0)
		patience_ms = HANDOVER_MS;
	if (accounts_load(&missing) == -1) {
		fprintf(stderr,
		    "ided: no account \"%s\"; make install and "
		    "systemd-sysusers make it\n",
		    missing);
		return 1;
	}
	if (own_folder(conf->common.runtime, 0711) == -1 ||
	    (rootfd = empty_root(conf->common.runtime)) == -1 ||
	    (lockfd = lock(conf)) == -1 || whole(conf) == -1 ||
	    (ms.log = open_log(conf)) == -1 || open_listeners(conf, ms.listen) == -1)
		return 1;
	while ((control = listen_control(conf->common.runtime, err, sizeof(err))) == -1 &&
	    errno == EADDRINUSE && wait_once_more(&waited))
		;
	if (control == -1) {
		fprintf(stderr, "ided: %s\n", err);
		return 1;
	}
	if (!st->foreground && (ms.parent = background()) == -1)
		return 1;
	ms.notify = open_notify();
	log_init("start", ms.log, conf->common.log_format, conf->common.log_level,
	    conf->common.log_to == LOG_TO_SYSLOG);
	name_ineffect(conf);
	name_shared(&conf->proxy);
	if (chan_pair(pair) == -1 ||
	    start_isolation(st, conf, pair[1], control, lockfd, ms.log) == -1)
		return 1;
	close(pair[1]);
	close(control);
	close(lockfd);
	quiet_stdio(st->foreground);
	ms.isolation = pair[0];
	ms.conf.common = conf->common;
	ms.conf.nlisten = conf->nlisten;
	memcpy(ms.conf.listen, conf->listen, sizeof(ms.conf.listen));
	ms.conf.prefork = conf->prefork;
	ms.conf.idle_exit = conf->idle_exit;
	ms.conf.ratelimit = conf->ratelimit;
	ms.version = VERSION;
	setproctitle("-ided: master");
	/* gmtime_r asks for the time zone file once; afterwards there is none. */
	tzset();
	sandbox_drop(rootfd, accounts[ACCOUNT_MASTER].uid, accounts[ACCOUNT_MASTER].gid);
	return master_main(&ms);
}
