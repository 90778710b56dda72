/* /etc of the sandbox: what programs ask for, made up for this user alone. */
#include <sys/mount.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "net.h"
#include "sandbox_steps.h"

#define SHELL_PATH "/bin/bash"

static int etc_write(const char *, const char *, ...)
    __attribute__((format(printf, 2, 3)));

static int
etc_write(const char *name, const char *fmt, ...)
{
	char path[64], text[1024];
	va_list ap;
	int fd, len;
	ssize_t n;

	snprintf(path, sizeof(path), "etc/%s", name);
	va_start(ap, fmt);
	len = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (len < 0 || (size_t)len >= sizeof(text)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd == -1)
		return -1;
	n = write(fd, text, (size_t)len);
	close(fd);
	return n == len ? 0 : -1;
}

/* The host's time zone, by its link. */
static int
etc_localtime(void)
{
	static const char zones[] = "/usr/share/zoneinfo/";
	char target[128];
	ssize_t n;

	n = readlink("/etc/localtime", target, sizeof(target) - 1);
	if (n <= 0)
		return 0; /* UTC */
	target[n] = '\0';
	if (strncmp(target, zones, sizeof(zones) - 1) != 0 ||
	    strstr(target, "..") != NULL)
		return 0;
	return symlink(target, "etc/localtime");
}

/* The host's own with its network, the one that is kept for all with a way out. */
static int
etc_resolv(const struct setup *s)
{
	char path[CONF_PATH_MAX + sizeof(NET_RESOLV) + 1] = "/etc/" NET_RESOLV;

	if (s->conf->isolation.network != NETWORK_HOST) {
		if (!net_ready())
			return etc_write(NET_RESOLV, "# no network\n");
		snprintf(path, sizeof(path), "%s/" NET_RESOLV, s->conf->common.runtime);
	}
	if (mnt_bind(AT_FDCWD, path, "etc/" NET_RESOLV,
		MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
		    MOUNT_ATTR_NOEXEC,
		false) == -1 &&
	    errno != ENOENT)
		return -1;
	return 0;
}

/* What is the same for everybody. */
int
setup_etc(struct setup *s)
{
	if (etc_write("host.conf", "multi on\n") == -1 ||
	    etc_write("shells", "/bin/sh\n/bin/bash\n") == -1 ||
	    etc_write("nsswitch.conf",
		"passwd: files\ngroup: files\n"
		"shadow: files\nhosts: files dns\nnetworks: files\n"
		"protocols: files\nservices: files\n") == -1 ||
	    etc_write("profile",
		"PATH=\"$HOME/.local/bin:/usr/local/bin:/usr/bin:/bin:" INSIDE_IDE
		"/cli\"\n"
		"export PATH\n"
		"if [ -n \"$BASH_VERSION\" ] && [ -r /etc/bash.bashrc ]; then\n"
		"\t. /etc/bash.bashrc\nfi\n") == -1)
		return -1;
	return etc_localtime() == -1 || etc_resolv(s) == -1 ? -1 : 0;
}

int
setup_etc_user(struct setup *s)
{
	const char *shell = access(SHELL_PATH, X_OK) == 0 ? SHELL_PATH : "/bin/sh";
	const char *u = s->user;

	if (etc_write("passwd",
		"root:x:0:0:root:/root:/usr/sbin/nologin\n"
		"%s:x:%u:%u::/home/%s:%s\n"
		"nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
		u, s->uid, s->uid, u, shell) == -1 ||
	    etc_write("group",
		"root:x:0:\ntty:x:5:\n%s:x:%u:\n"
		"nogroup:x:65534:\n",
		u, s->uid) == -1 ||
	    etc_write("hosts",
		"127.0.0.1\tlocalhost %s\n"
		"::1\tlocalhost ip6-localhost ip6-loopback\n",
		u) == -1)
		return -1;
	return etc_write("hostname", "%s\n", u);
}
