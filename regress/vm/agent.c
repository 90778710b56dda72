/*
 * The first process of the VM once it is up: runs what the host asks for.
 *
 * One connection is one command.  The host sends the length of a script (four
 * bytes, network order), the script, and then its standard input until it shuts
 * its side; it gets frames of a byte ('1' output, '2' errors, 'x' exit status), a
 * length and so many bytes.
 */
#include <sys/socket.h>
#include <sys/wait.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PORT       7
#define SCRIPT_MAX (1 << 20)

static void
die(const char *what)
{
	perror(what);
	exit(1);
}

static bool
read_all(int fd, void *to, size_t len)
{
	char *p = to;
	ssize_t n;

	while (len > 0) {
		n = read(fd, p, len);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		p += n;
		len -= (size_t)n;
	}
	return true;
}

static bool
write_all(int fd, const void *from, size_t len)
{
	const char *p = from;
	ssize_t n;

	while (len > 0) {
		n = write(fd, p, len);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		p += n;
		len -= (size_t)n;
	}
	return true;
}

static bool
frame(int fd, char kind, const void *data, uint32_t len)
{
	char head[5];
	uint32_t n = htonl(len);

	head[0] = kind;
	memcpy(head + 1, &n, sizeof(n));
	return write_all(fd, head, sizeof(head)) && write_all(fd, data, len);
}

static void
run(int conn, char *script, const int in[2], const int out[2], const int err[2])
{
	close(conn);
	setsid();
	if (dup2(in[0], 0) == -1 || dup2(out[1], 1) == -1 || dup2(err[1], 2) == -1)
		_exit(125);
	execl("/bin/sh", "sh", "-c", script, (char *)NULL);
	_exit(127);
}

/* Both pipes until their end; what comes from the host goes to the command. */
static void
relay(int conn, int in, int out, int err)
{
	struct pollfd p[3] = { { conn, POLLIN, 0 }, { out, POLLIN, 0 },
		{ err, POLLIN, 0 } };
	char buf[16384];
	ssize_t n;
	int i;

	while (p[1].fd != -1 || p[2].fd != -1) {
		if (poll(p, 3, -1) == -1 && errno != EINTR)
			return;
		for (i = 0; i < 3; i++) {
			if (p[i].fd == -1 || p[i].revents == 0)
				continue;
			n = read(p[i].fd, buf, sizeof(buf));
			if (n > 0 && i == 0 && write_all(in, buf, (size_t)n))
				continue;
			if (n > 0 && i > 0) {
				if (!frame(conn, i == 1 ? '1' : '2', buf, (uint32_t)n))
					return;
				continue;
			}
			if (i == 0)
				close(in);
			p[i].fd = -1;
		}
	}
}

static void
serve(int conn)
{
	int in[2], out[2], err[2], status;
	uint32_t len, code;
	char *script;
	pid_t pid;

	(void)signal(SIGCHLD, SIG_DFL);
	if (!read_all(conn, &len, sizeof(len)) || (len = ntohl(len)) > SCRIPT_MAX ||
	    (script = calloc(1, (size_t)len + 1)) == NULL ||
	    !read_all(conn, script, len) || pipe2(in, O_CLOEXEC) == -1 ||
	    pipe2(out, O_CLOEXEC) == -1 || pipe2(err, O_CLOEXEC) == -1)
		_exit(1);
	pid = fork();
	if (pid == 0)
		run(conn, script, in, out, err);
	close(in[0]);
	close(out[1]);
	close(err[1]);
	if (pid != -1)
		relay(conn, in[1], out[0], err[0]);
	if (pid == -1 || waitpid(pid, &status, 0) == -1)
		_exit(1);
	code = htonl(WIFEXITED(status) ? (uint32_t)WEXITSTATUS(status) :
					 128 + (uint32_t)WTERMSIG(status));
	(void)frame(conn, 'x', &code, sizeof(code));
	_exit(0);
}

int
main(void)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	int listener, conn;

	/* Orphans are reaped by the kernel. */
	(void)signal(SIGCHLD, SIG_IGN);
	(void)signal(SIGPIPE, SIG_IGN);
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (listener == -1 || bind(listener, (void *)&in, sizeof(in)) == -1 ||
	    listen(listener, 64) == -1)
		die("agent");
	printf("vm: ready\n");
	fflush(stdout);
	for (;;) {
		conn = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		if (conn == -1)
			continue;
		if (fork() == 0)
			serve(conn);
		close(conn);
	}
}
