/*
 * A small IDE in VS Code's place, where that is too large: takes the arguments
 * that ide-session gives, listens on --socket-path, and answers every request
 * with a page.  Installed as node; what it is told to run it does not read.
 */
#include <sys/socket.h>
#include <sys/un.h>

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CLIENTS 64
#define HEAD    8192

static const char page[] =
    "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 18\r\n\r\n"
    "<p>a small IDE</p>";

static struct client {
	size_t len;
	char head[HEAD];
} clients[CLIENTS];

static int
listen_on(const char *path)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd;

	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
	if (fd == -1 || bind(fd, (void *)&un, sizeof(un)) == -1 || listen(fd, 64) == -1) {
		perror(path);
		exit(1);
	}
	return fd;
}

/* Requests have no body here; -1 when the client is done. */
static int
answer(int fd, struct client *c)
{
	ssize_t n;
	char *end;

	n = read(fd, c->head + c->len, HEAD - 1 - c->len);
	if (n <= 0)
		return -1;
	c->len += (size_t)n;
	c->head[c->len] = '\0';
	while ((end = strstr(c->head, "\r\n\r\n")) != NULL) {
		end += 4;
		if (write(fd, page, sizeof(page) - 1) != sizeof(page) - 1)
			return -1;
		c->len -= (size_t)(end - c->head);
		memmove(c->head, end, c->len + 1);
	}
	return c->len == HEAD - 1 ? -1 : 0;
}

int
main(int argc, char *argv[])
{
	struct pollfd p[CLIENTS + 1];
	const char *path = NULL;
	int i, fd;

	(void)signal(SIGPIPE, SIG_IGN);
	for (i = 1; i + 1 < argc; i++)
		if (strcmp(argv[i], "--socket-path") == 0)
			path = argv[i + 1];
	if (path == NULL)
		return 2;
	for (i = 0; i < CLIENTS; i++)
		p[i] = (struct pollfd){ -1, POLLIN, 0 };
	p[CLIENTS] = (struct pollfd){ listen_on(path), POLLIN, 0 };
	for (;;) {
		if (poll(p, CLIENTS + 1, -1) == -1)
			continue;
		for (i = 0; i < CLIENTS; i++)
			if (p[i].fd != -1 && p[i].revents != 0 &&
			    answer(p[i].fd, &clients[i]) == -1) {
				close(p[i].fd);
				p[i].fd = -1;
			}
		if (p[CLIENTS].revents == 0)
			continue;
		fd = accept4(p[CLIENTS].fd, NULL, NULL, SOCK_CLOEXEC);
		for (i = 0; fd != -1 && i < CLIENTS; i++)
			if (p[i].fd == -1) {
				clients[i].len = 0;
				p[i].fd = fd;
				fd = -1;
			}
		if (fd != -1)
			close(fd);
	}
}
