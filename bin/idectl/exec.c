/*
 * A command inside a user's sandbox.  Its three streams are pipes of ours: the
 * terminal never gets there, nor does any other descriptor.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bsd/string.h>

#include "idectl.h"

#define BUF      65536
#define QUIET_MS 500 /* after the exit, for what still holds a pipe */

struct in {
	int fd; /* our end of the command's standard input */
	char buf[BUF];
	size_t at;
	size_t len;
};

struct out {
	int fd; /* our end */
	int to;
};

static void
pack(struct m_exec *m, const char *user, char **argv)
{
	size_t n;

	memset(m, 0, sizeof(*m));
	if (strlcpy(m->user, user, sizeof(m->user)) >= sizeof(m->user))
		die("%s: no such user", user);
	for (; *argv != NULL; argv++) {
		n = strlen(*argv) + 1;
		if (n > sizeof(m->argv) - m->len)
			die("the command is too long: at most %zu bytes",
			    sizeof(m->argv));
		memcpy(m->argv + m->len, *argv, n);
		m->len += (uint32_t)n;
		m->argc++;
	}
}

static void
shut(int *fd)
{
	if (*fd != -1)
		close(*fd);
	*fd = -1;
}

/* From our standard input into the buffer. */
static void
fill(struct in *in)
{
	ssize_t n;

	n = read(STDIN_FILENO, in->buf, sizeof(in->buf));
	if (n == -1 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		shut(&in->fd);
		return;
	}
	in->at = 0;
	in->len = (size_t)n;
}

static void
drain(struct in *in)
{
	ssize_t n;

	n = write(in->fd, in->buf + in->at, in->len);
	if (n == -1 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n == -1) {
		/* The command does not read any more. */
		shut(&in->fd);
		return;
	}
	in->at += (size_t)n;
	in->len -= (size_t)n;
}

static void
copy(struct out *o)
{
	char buf[BUF];
	ssize_t n, w, done;

	n = read(o->fd, buf, sizeof(buf));
	if (n == -1 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		shut(&o->fd);
		return;
	}
	for (done = 0; done < n; done += w) {
		w = write(o->to, buf + done, (size_t)(n - done));
		if (w == -1 && errno == EINTR)
			w = 0;
		else if (w == -1) {
			/* As in a pipeline: it will hear of it. */
			shut(&o->fd);
			return;
		}
	}
}

/* True once the command has ended, with its status. */
static bool
ended(int *status)
{
	struct msg m;

	ctl_recv(&m, 10);
	if (m.head.type == M_CTL_EXIT) {
		*status = MSG_DATA(&m, m_exit)->status;
	} else if (m.head.type == M_FAIL) {
		print_fail(MSG_DATA(&m, m_fail));
		*status = EXIT_FAILED;
	} else {
		die("unexpected answer %s", msg_name(m.head.type));
	}
	return true;
}

static int
relay(struct in *in, struct out out[2])
{
	struct pollfd p[4];
	bool over = false;
	int r, status = EXIT_FAILED;

	for (;;) {
		p[0].fd = over ? -1 : ctl_fd();
		p[0].events = POLLIN;
		p[1].fd = out[0].fd;
		p[1].events = POLLIN;
		p[2].fd = out[1].fd;
		p[2].events = POLLIN;
		/* Either there is something to pass on, or to get. */
		p[3].fd = in->fd == -1 || over ? -1 : in->len > 0 ? in->fd : STDIN_FILENO;
		p[3].events = in->len > 0 ? POLLOUT : POLLIN;
		if (over && out[0].fd == -1 && out[1].fd == -1)
			return status;
		r = poll(p, 4, over ? QUIET_MS : -1);
		if (r == -1 && errno == EINTR)
			continue;
		if (r == -1)
			die("poll: %s", strerror(errno));
		if (r == 0)
			return status;
		if (p[1].fd != -1 && p[1].revents != 0)
			copy(&out[0]);
		if (p[2].fd != -1 && p[2].revents != 0)
			copy(&out[1]);
		if (p[3].fd != -1 && p[3].revents != 0) {
			if (in->len > 0)
				drain(in);
			else
				fill(in);
		}
		if (p[0].fd != -1 && p[0].revents != 0)
			over = ended(&status);
	}
}

int
exec_run(const char *user, char **argv)
{
	struct m_exec_fd which = { 0, 0 };
	static struct in in;
	static struct m_exec m;
	struct out out[2];
	int pipes[3][2];
	uint32_t i;

	pack(&m, user, argv);
	for (i = 0; i < 3; i++)
		if (pipe2(pipes[i], O_CLOEXEC) == -1)
			die("pipe: %s", strerror(errno));
	ctl_send(M_CTL_EXEC, -1, &m, sizeof(m));
	for (i = 0; i < 3; i++) {
		which.which = i;
		/* The far end goes with the message and is closed here. */
		ctl_send(M_CTL_EXEC_FD, pipes[i][i == 0 ? 0 : 1], &which, sizeof(which));
	}
	in.fd = pipes[0][1];
	if (fcntl(in.fd, F_SETFL, O_NONBLOCK) == -1)
		die("pipe: %s", strerror(errno));
	out[0] = (struct out){ pipes[1][0], STDOUT_FILENO };
	out[1] = (struct out){ pipes[2][0], STDERR_FILENO };
	return relay(&in, out);
}
