/*
 * The socket at which VS Code's windows say that they are there, so that `code FILE'
 * finds one from any shell of the session.  What they say is HTTP and JSON, which
 * a program of the user's reads (cli/session.js): one for each connection.
 */
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bsd/string.h>

#include "../../privsep/log.h"
#include "session.h"

#define READERS_MAX 4 /* at once; others wait in the queue */
#define QUEUE       16

static pid_t reader[READERS_MAX];
static struct event *listener;

static void
on_accept(evutil_socket_t from, short what, void *arg)
{
	static char node[PATH_LEN], js[PATH_LEN];
	char *argv[] = { node, js, NULL };
	struct ucred cred;
	socklen_t len = sizeof(cred);
	unsigned int i;
	int fd, to[3];

	(void)what;
	(void)arg;
	for (i = 0; i < READERS_MAX && reader[i] != 0; i++)
		;
	if (i == READERS_MAX) {
		event_del(listener); /* until one of them has ended */
		return;
	}
	if ((fd = accept4((int)from, NULL, NULL, SOCK_CLOEXEC)) == -1)
		return;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == -1 ||
	    cred.uid != geteuid()) {
		close(fd);
		return;
	}
	snprintf(node, sizeof(node), "%s/%s", session.ide, IDE_NODE);
	snprintf(js, sizeof(js), "%s/%s", session.ide, IDE_WINDOWS);
	to[0] = fd;
	to[1] = to[2] = output_pipe();
	if (to[1] != -1 && (reader[i] = run_program(argv, to)) == -1)
		reader[i] = 0;
	close(fd);
	if (to[1] != -1)
		close(to[1]);
}

bool
windows_reap(pid_t pid)
{
	unsigned int i;

	for (i = 0; i < READERS_MAX; i++)
		if (reader[i] == pid) {
			reader[i] = 0;
			event_add(listener, NULL);
			return true;
		}
	return false;
}

/* False: this IDE comes without the program, or there can be no socket. */
static int
windows_socket(struct sockaddr_un *sun)
{
	mode_t old;
	int fd, r;

	if ((fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) == -1)
		return -1;
	(void)unlink(sun->sun_path);
	old = umask(0177);
	r = bind(fd, (struct sockaddr *)sun, sizeof(*sun));
	umask(old);
	if (r == -1 || listen(fd, QUEUE) == -1) {
		close(fd);
		return -1;
	}
	return fd;
}

void
windows_init(void)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	char js[PATH_LEN];
	int fd;

	snprintf(js, sizeof(js), "%s/%s", session.ide, IDE_WINDOWS);
	if (access(js, R_OK) == -1 ||
	    (size_t)snprintf(sun.sun_path, sizeof(sun.sun_path), "%s/%s", session.run,
		WINDOWS_SOCKET) >= sizeof(sun.sun_path))
		return;
	if ((fd = windows_socket(&sun)) == -1) {
		log_warn("%s: `code' will find windows in their own terminals only",
		    sun.sun_path);
		return;
	}
	listener = event_new(session.base, fd, EV_READ | EV_PERSIST, on_accept, NULL);
	if (listener == NULL || event_add(listener, NULL) == -1)
		fatalx("out of memory");
	strlcpy(session.windows, sun.sun_path, sizeof(session.windows));
}
