/* Listening sockets: see listen.h. */
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "listen.h"

#define BACKLOG 4096

void
listen_name(const struct conf_listen *l, char *buf, size_t len)
{
	const struct sockaddr_in6 *in6 = (const void *)&l->addr;
	const struct sockaddr_in *in = (const void *)&l->addr;
	const struct sockaddr_un *un = (const void *)&l->addr;
	char ip[INET6_ADDRSTRLEN];

	switch (l->addr.ss_family) {
	case AF_INET:
		inet_ntop(AF_INET, &in->sin_addr, ip, sizeof(ip));
		snprintf(buf, len, "%s port %u", ip, ntohs(in->sin_port));
		break;
	case AF_INET6:
		if (IN6_IS_ADDR_UNSPECIFIED(&in6->sin6_addr)) {
			snprintf(buf, len, "* port %u", ntohs(in6->sin6_port));
			break;
		}
		inet_ntop(AF_INET6, &in6->sin6_addr, ip, sizeof(ip));
		snprintf(buf, len, "[%s] port %u", ip, ntohs(in6->sin6_port));
		break;
	default:
		snprintf(buf, len, "unix \"%s\"", un->sun_path);
		break;
	}
}

static int
fail(int fd, const struct conf_listen *l, const char *what, char *err, size_t errlen)
{
	char name[160];
	int e = errno;

	listen_name(l, name, sizeof(name));
	snprintf(err, errlen, "listen on %s: %s: %s%s", name, what, strerror(e),
	    e == EADDRINUSE        ? "; stop what uses it, or choose another port" :
		e == EADDRNOTAVAIL ? "; this machine has no such address" :
				     "");
	if (fd != -1)
		close(fd);
	errno = e;
	return -1;
}

/* A socket file whose owner is gone is in the way; any other file is not ours. */
static int
unlink_stale(const struct sockaddr_un *un, int type)
{
	struct stat st;
	int fd, alive;

	if (lstat(un->sun_path, &st) == -1)
		return errno == ENOENT ? 0 : -1;
	if (!S_ISSOCK(st.st_mode)) {
		errno = EEXIST;
		return -1;
	}
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return -1;
	alive = connect(fd, (const void *)un, sizeof(*un)) == 0 || errno == EAGAIN;
	close(fd);
	if (alive) {
		errno = EADDRINUSE;
		return -1;
	}
	return unlink(un->sun_path);
}

static int
bind_unix(int fd, const struct sockaddr_un *un, int type, mode_t mode)
{
	mode_t old;
	int r;

	if (unlink_stale(un, type) == -1)
		return -1;
	/* Closed from its first moment on: no race between bind and chmod. */
	old = umask(0777 & ~mode);
	r = bind(fd, (const void *)un, sizeof(*un));
	umask(old);
	return r;
}

#define INHERIT_FIRST 3 /* SD_LISTEN_FDS_START */

static int inherited[CONF_LISTEN_MAX];
static unsigned int ninherited;

static bool
number_of(const char *name, long max, long *n)
{
	const char *s = getenv(name);
	char *end;

	if (s == NULL || *s == '\0')
		return false;
	errno = 0;
	*n = strtol(s, &end, 10);
	return errno == 0 && *end == '\0' && *n >= 0 && *n <= max;
}

unsigned int
listen_inherit(void)
{
	long pid, n, i;
	int flags;

	if (number_of("LISTEN_PID", INT32_MAX, &pid) && pid == (long)getpid() &&
	    number_of("LISTEN_FDS", CONF_LISTEN_MAX, &n))
		for (i = 0; i < n; i++) {
			flags = fcntl(INHERIT_FIRST + (int)i, F_GETFD);
			if (flags != -1 &&
			    fcntl(INHERIT_FIRST + (int)i, F_SETFD, flags | FD_CLOEXEC) !=
				-1)
				inherited[ninherited++] = INHERIT_FIRST + (int)i;
		}
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	return ninherited;
}

void
listen_inherit_end(void)
{
	while (ninherited > 0)
		close(inherited[--ninherited]);
}

static bool
same_address(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	const struct sockaddr_in *a4 = (const void *)a, *b4 = (const void *)b;
	const struct sockaddr_in6 *a6 = (const void *)a, *b6 = (const void *)b;
	const struct sockaddr_un *au = (const void *)a, *bu = (const void *)b;

	if (a->ss_family != b->ss_family)
		return false;
	switch (a->ss_family) {
	case AF_INET:
		return a4->sin_port == b4->sin_port &&
		    a4->sin_addr.s_addr == b4->sin_addr.s_addr;
	case AF_INET6:
		return a6->sin6_port == b6->sin6_port &&
		    memcmp(&a6->sin6_addr, &b6->sin6_addr, sizeof(a6->sin6_addr)) == 0;
	case AF_UNIX:
		return strncmp(au->sun_path, bu->sun_path, sizeof(au->sun_path)) == 0;
	default:
		return false;
	}
}

/* One that was handed over, listens, and is of that address; or -1. */
static int
take_inherited(const struct conf_listen *l)
{
	struct sockaddr_storage ss;
	socklen_t len;
	unsigned int i;
	int fd, v, flags;

	for (i = 0; i < ninherited; i++) {
		fd = inherited[i];
		memset(&ss, 0, sizeof(ss));
		len = sizeof(ss);
		if (getsockname(fd, (struct sockaddr *)&ss, &len) == -1 ||
		    !same_address(&ss, &l->addr))
			continue;
		len = sizeof(v);
		if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &v, &len) == -1 || v != 1)
			continue;
		flags = fcntl(fd, F_GETFL);
		if (flags == -1 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) == -1)
			continue;
		inherited[i] = inherited[--ninherited];
		return fd;
	}
	return -1;
}

int
listen_open(const struct conf_listen *l, char *err, size_t errlen)
{
	int on = 1, off = 0;
	int fd, r;

	fd = take_inherited(l);
	if (fd != -1)
		return fd;
	fd = socket(l->addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return fail(fd, l, "socket", err, errlen);
	if (l->addr.ss_family == AF_UNIX) {
		r = bind_unix(fd, (const void *)&l->addr, SOCK_STREAM, 0660);
	} else {
		if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == -1)
			return fail(fd, l, "SO_REUSEADDR", err, errlen);
		/* The wildcard of IPv6 serves IPv4 as well. */
		if (l->addr.ss_family == AF_INET6 &&
		    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) == -1)
			return fail(fd, l, "IPV6_V6ONLY", err, errlen);
		/* Inherited by what is accepted. */
		if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == -1)
			return fail(fd, l, "TCP_NODELAY", err, errlen);
		r = bind(fd, (const void *)&l->addr, l->addrlen);
	}
	if (r == -1)
		return fail(fd, l, "bind", err, errlen);
	if (listen(fd, BACKLOG) == -1)
		return fail(fd, l, "listen", err, errlen);
	return fd;
}

int
listen_control(const char *runtime, char *err, size_t errlen)
{
	struct conf_listen l;
	struct sockaddr_un *un = (void *)&l.addr;
	int fd;

	memset(&l, 0, sizeof(l));
	un->sun_family = AF_UNIX;
	if ((size_t)snprintf(un->sun_path, sizeof(un->sun_path), "%s/ided.sock",
		runtime) >= sizeof(un->sun_path)) {
		errno = ENAMETOOLONG;
		return fail(-1, &l, "runtime folder", err, errlen);
	}
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1 || bind_unix(fd, un, SOCK_SEQPACKET, 0600) == -1 ||
	    listen(fd, 16) == -1)
		return fail(fd, &l, "control socket", err, errlen);
	return fd;
}
