/* A connection, within one time, and a proxy's CONNECT. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fetch.h"
#include "../clock.h"

#define CONNECT_MS 5000 /* for one address, if there are more */

static int64_t deadline;

void
fetch_begin(void)
{
	deadline = clock_ms(CLOCK_MONOTONIC) + FETCH_SECONDS * 1000;
}

static int
wait_until(int fd, short what, int64_t until)
{
	struct pollfd p = { .fd = fd, .events = what };
	int64_t left;
	int n;

	if (until > deadline)
		until = deadline;
	do {
		left = until - clock_ms(CLOCK_MONOTONIC);
		if (left <= 0)
			return 0;
		n = poll(&p, 1, (int)left);
	} while (n == -1 && errno == EINTR);
	return n > 0;
}

int
fetch_wait(int fd, short what)
{
	return wait_until(fd, what, deadline);
}

static int
connect_one(const struct sockaddr_storage *addr, socklen_t len, bool last)
{
	socklen_t size = sizeof(int);
	int fd, error = 0;

	fd = socket(addr->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return -1;
	if (connect(fd, (const struct sockaddr *)addr, len) == -1) {
		error = errno;
		if (error == EINPROGRESS) {
			error = ETIMEDOUT;
			if (wait_until(fd, POLLOUT,
				last ? deadline :
				       clock_ms(CLOCK_MONOTONIC) + CONNECT_MS) &&
			    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == -1)
				error = errno;
		}
	}
	if (error == 0)
		return fd;
	close(fd);
	errno = error;
	return -1;
}

int
fetch_connect(const struct fetch_to *to, char why[FETCH_WHY])
{
	unsigned int i;
	int fd = -1;

	for (i = 0; i < to->n && fd == -1; i++)
		fd = connect_one(&to->addr[i], to->len[i], i + 1 == to->n);
	if (fd == -1)
		snprintf(why, FETCH_WHY, "no connection: %s", strerror(errno));
	return fd;
}

static bool
write_all(int fd, const char *p, size_t len)
{
	ssize_t n;

	while (len > 0) {
		n = write(fd, p, len);
		if (n == -1 && errno != EAGAIN && errno != EINTR)
			return false;
		if (n == -1 && !fetch_wait(fd, POLLOUT))
			return false;
		if (n > 0) {
			p += n;
			len -= (size_t)n;
		}
	}
	return true;
}

int
fetch_tunnel(int fd, const struct https_url *u, char why[FETCH_WHY])
{
	char buf[FETCH_HEAD_MAX], name[HTTPS_AUTHORITY_MAX];
	size_t len = 0;
	unsigned int status;
	ssize_t n;
	int r;

	https_authority_text(u, true, name);
	r = snprintf(
	    buf, sizeof(buf), "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", name, name);
	snprintf(why, FETCH_WHY, "the proxy does not answer");
	if (!write_all(fd, buf, (size_t)r))
		return -1;
	/* We speak first in TLS: what comes after the head would be nobody's. */
	while (fetch_head(buf, len) == 0) {
		n = len == sizeof(buf) ? 0 : read(fd, buf + len, sizeof(buf) - len);
		if (n == 0 || (n == -1 && errno != EAGAIN && errno != EINTR) ||
		    (n == -1 && !fetch_wait(fd, POLLIN)))
			return -1;
		if (n > 0)
			len += (size_t)n;
	}
	status = fetch_status(buf, len);
	if (status == 200 && fetch_head(buf, len) == len)
		return 0;
	snprintf(why, FETCH_WHY, "the proxy answers CONNECT with %u", status);
	return -1;
}
