/*
 * The log in the user's home: what the IDE prints and our own lines, in
 * logs/ide.log, never more than twice OUTPUT_MAX.
 */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../../privsep/conf.h"
#include "../../privsep/log.h"
#include "session.h"

#define OUTPUT_MAX (1024 * 1024)

static char path[PATH_LEN], old[sizeof(path) + 8];
static int file = -1;
static off_t written;

static void
open_file(void)
{
	struct stat st;
	int fd;

	fd = open(path,
	    O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	/* Never none: the lines then go nowhere. */
	if (fd == -1)
		fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (fd == -1)
		return;
	written = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? st.st_size : 0;
	if (file != -1)
		close(file);
	file = fd;
	log_set_fd(file);
	/* What libc says when it ends us. */
	(void)dup2(file, STDERR_FILENO);
}

static void
output_write(const char *buf, size_t len)
{
	if (written > OUTPUT_MAX) {
		(void)rename(path, old);
		open_file();
	}
	if (file != -1 && write(file, buf, len) > 0)
		written += (off_t)len;
}

static void
on_output(evutil_socket_t fd, short what, void *arg)
{
	struct event **ev = arg;
	char buf[8192];
	ssize_t n;

	(void)what;
	n = read((int)fd, buf, sizeof(buf));
	if (n > 0) {
		output_write(buf, (size_t)n);
		return;
	}
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	event_free(*ev);
	*ev = NULL;
	close((int)fd);
}

void
output_init(void)
{
	snprintf(path, sizeof(path), "%s/logs/ide.log", session.home);
	snprintf(old, sizeof(old), "%s.1", path);
	open_file();
}

/* One reader: that of a former IDE is given up, whoever still writes there. */
int
output_pipe(void)
{
	static struct event *ev;
	static int reader = -1;
	int p[2];

	if (ev != NULL) {
		event_free(ev);
		close(reader);
		ev = NULL;
	}
	if (pipe2(p, O_CLOEXEC) == -1)
		return -1;
	reader = p[0];
	(void)fcntl(reader, F_SETFL, O_NONBLOCK);
	ev = event_new(session.base, reader, EV_READ | EV_PERSIST, on_output, &ev);
	if (ev == NULL || event_add(ev, NULL) == -1) {
		close(p[0]);
		close(p[1]);
		return -1;
	}
	return p[1];
}
