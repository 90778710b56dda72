/* The control socket: see idectl.h. */
#include <sys/socket.h>
#include <sys/un.h>

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bsd/string.h>

#include "idectl.h"

static struct chan ided;

_Noreturn void
die(const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "idectl: ");
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\n");
	exit(EXIT_FAILED);
}

void
ctl_connect(const char *path)
{
	static const struct chan_handler none[] = { { M_NONE, NULL } };
	struct sockaddr_un sun;
	int fd;

	memset(&sun, 0, sizeof(sun));
	sun.sun_family = AF_UNIX;
	if (strlcpy(sun.sun_path, path, sizeof(sun.sun_path)) >= sizeof(sun.sun_path))
		die("%s: path too long", path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd == -1)
		die("socket: %s", strerror(errno));
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == -1)
		die("%s: %s: %s", path, strerror(errno),
		    errno == EACCES || errno == EPERM ?
			"idectl is for root" :
			"is ided running, and is this its socket (-s)?");
	chan_init(&ided, fd, P_CTL, P_AUTH, NULL, none, NULL, NULL);
}

int
ctl_fd(void)
{
	return ided.fd;
}

void
ctl_send(enum msg_type type, int fd, const void *payload, size_t len)
{
	if (chan_send(&ided, type, 1, fd, payload, len) == -1)
		die("ided closed the connection%s",
		    geteuid() == 0 ? "" : ": idectl is for root");
}

/* The next message; waits for at most timeout seconds, -1 for ever. */
void
ctl_recv(struct msg *m, int timeout)
{
	struct pollfd p = { ided.fd, POLLIN, 0 };
	const char *why;
	int r;

	while ((r = chan_recv(&ided, m, &why)) == -1) {
		r = poll(&p, 1, timeout == -1 ? -1 : timeout * 1000);
		if (r == 0)
			die("ided does not answer");
		if (r == -1 && errno != EINTR)
			die("poll: %s", strerror(errno));
	}
	if (r == 0)
		die("ided closed the connection%s",
		    geteuid() == 0 ? "" : ": idectl is for root");
	if (r == -2)
		die("ided does not speak as this idectl does (%s): are both of "
		    "the same version?",
		    why);
}
