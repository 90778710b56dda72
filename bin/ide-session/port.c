/*
 * Connections to ports of the user's own programs, made from the inside: to
 * 127.0.0.1, and where nobody listens there, to ::1.  Bounded in number and in time.
 */
#include <sys/socket.h>

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include "../../privsep/log.h"
#include "session.h"

#define CONNECTS_MAX 128
#define CONNECT_MS   10000

static struct connect {
	struct chan *chan; /* NULL: free */
	uint32_t id;
	uint16_t port;
	int family;
	int fd;
	int64_t until;
	struct event *ev;
} connects[CONNECTS_MAX];

static void attempt(struct connect *);

static void
end(struct connect *c)
{
	if (c->ev != NULL)
		event_free(c->ev);
	if (c->fd != -1)
		close(c->fd);
	memset(c, 0, sizeof(*c));
	c->fd = -1;
}

/* Nobody there: the other address, then the answer that nobody is. */
static void
failed(struct connect *c, int error)
{
	if (c->ev != NULL)
		event_free(c->ev);
	c->ev = NULL;
	if (c->fd != -1)
		close(c->fd);
	c->fd = -1;
	if (c->family == AF_INET && error != ETIMEDOUT) {
		c->family = AF_INET6;
		attempt(c);
		return;
	}
	if (error == ETIMEDOUT)
		session_fail(c->chan, c->id, FAIL_TIMEOUT,
		    "the program on port %u does not take the connection", c->port);
	else
		session_fail(c->chan, c->id, FAIL_NOT_FOUND, "nothing listens on port %u",
		    c->port);
	end(c);
}

static void
on_connected(evutil_socket_t fd, short what, void *arg)
{
	struct connect *c = arg;
	socklen_t len = sizeof(int);
	int error = 0;

	if ((what & EV_TIMEOUT) != 0)
		error = ETIMEDOUT;
	else if (getsockopt((int)fd, SOL_SOCKET, SO_ERROR, &error, &len) == -1)
		error = errno;
	if (error != 0) {
		failed(c, error);
		return;
	}
	chan_send(c->chan, M_SESSION_FD, c->id, c->fd, NULL, 0);
	c->fd = -1; /* the channel's now */
	end(c);
}

static int
dial(const struct connect *c)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_port = htons(c->port),
		.sin_addr = { htonl(INADDR_LOOPBACK) } };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6,
		.sin6_port = htons(c->port),
		.sin6_addr = IN6ADDR_LOOPBACK_INIT };
	int fd, r;

	fd = socket(c->family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
	if (fd == -1)
		return -1;
	r = c->family == AF_INET ? connect(fd, (struct sockaddr *)&in, sizeof(in)) :
				   connect(fd, (struct sockaddr *)&in6, sizeof(in6));
	if (r == -1 && errno != EINPROGRESS) {
		r = errno;
		close(fd);
		errno = r;
		return -1;
	}
	return fd;
}

static void
attempt(struct connect *c)
{
	int64_t left = c->until - session_now();
	struct timeval tv = session_ms(left > 1 ? (long)left : 1);

	c->fd = dial(c);
	if (c->fd == -1) {
		failed(c, errno);
		return;
	}
	c->ev = event_new(session.base, c->fd, EV_WRITE, on_connected, c);
	if (c->ev == NULL || event_add(c->ev, &tv) == -1)
		fatalx("out of memory");
}

void
port_connect(struct chan *to, uint32_t id, uint32_t port)
{
	struct connect *c = NULL;
	unsigned int i;

	for (i = 0; i < CONNECTS_MAX && c == NULL; i++)
		if (connects[i].chan == NULL)
			c = &connects[i];
	if (port == 0 || port > 65535) {
		session_fail(to, id, FAIL_INVALID, "there is no port %u", port);
		return;
	}
	if (c == NULL) {
		session_fail(to, id, FAIL_BUSY, "too many wait for port %u", port);
		return;
	}
	memset(c, 0, sizeof(*c));
	c->chan = to;
	c->id = id;
	c->port = (uint16_t)port;
	c->family = AF_INET;
	c->until = session_now() + CONNECT_MS;
	attempt(c);
}

/* The asker is gone. */
void
port_forget(const struct chan *from)
{
	unsigned int i;

	for (i = 0; i < CONNECTS_MAX; i++)
		if (connects[i].chan != NULL && connects[i].chan == from)
			end(&connects[i]);
}
