/*
 * What gateway.mjs has both gateways speak to: a server in VS Code's place that
 * costs next to nothing, so that what is measured is the gateway.  Installed as
 * node; takes the arguments that ide-session gives and listens on --socket-path.
 *
 *	GET .../bytes/N		so many bytes
 *	PUT, POST		the body is read and thrown away
 *	Upgrade			each WebSocket message of up to 125 bytes comes back; of
 *				one of 64 KiB or more the same length, once it is whole
 */
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>

#define HEAD   16384
#define PIECE  (256 * 1024)
#define EVENTS 64
#define GUID   "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

struct client {
	int fd;
	bool echo;
	uint64_t to_read;  /* of a request's body */
	uint64_t to_write; /* of an answer's */
	uint64_t message;  /* a large one that comes, by its length */
	size_t len;
	char buf[HEAD];
};

static const char done[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
static int loop;
static char piece[PIECE];

static void
die(const char *what)
{
	perror(what);
	exit(1);
}

static int
listen_on(const char *path)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd;

	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
	if (fd == -1 || bind(fd, (void *)&un, sizeof(un)) == -1 || listen(fd, 64) == -1)
		die(path);
	return fd;
}

static void
watch(struct client *c, int op, uint32_t events)
{
	struct epoll_event e = { events, { .ptr = c } };

	if (epoll_ctl(loop, op, c->fd, &e) == -1)
		die("epoll_ctl");
}

static void
over(struct client *c)
{
	close(c->fd);
	free(c);
}

/* Heads and messages are small: a socket that takes none of it is no client of ours. */
static bool
say(struct client *c, const void *p, size_t len)
{
	return send(c->fd, p, len, MSG_NOSIGNAL) == (ssize_t)len;
}

/* What is left of a body; false when the client is gone. */
static bool
write_body(struct client *c)
{
	ssize_t n;

	while (c->to_write > 0) {
		n = send(c->fd, piece, c->to_write < PIECE ? (size_t)c->to_write : PIECE,
		    MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n == -1 && errno == EAGAIN) {
			watch(c, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
			return true;
		}
		if (n == -1)
			return false;
		c->to_write -= (uint64_t)n;
	}
	return true;
}

static bool
upgrade(struct client *c, const char *key)
{
	unsigned char md[EVP_MAX_MD_SIZE];
	char text[256], accept[64];
	unsigned int len;

	snprintf(text, sizeof(text), "%.24s" GUID, key);
	if (EVP_Digest(text, strlen(text), md, &len, EVP_sha1(), NULL) != 1)
		return false;
	EVP_EncodeBlock((unsigned char *)accept, md, (int)len);
	len = (unsigned int)snprintf(text, sizeof(text),
	    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
	    "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
	    accept);
	c->echo = true;
	return len < sizeof(text) && say(c, text, len);
}

/* The value of a header, which the clients spell in more than one way. */
static const char *
value_of(const char *head, const char *name)
{
	const char *p = strcasestr(head, name);

	return p == NULL ? NULL : p + strlen(name);
}

/* One whole head, ended by a zero. */
static bool
answer(struct client *c, char *head)
{
	const char *v, *end = strchr(head, '\r');
	char text[1024];
	int n;

	if ((v = value_of(head, "\r\nSec-WebSocket-Key: ")) != NULL)
		return upgrade(c, v);
	if ((v = value_of(head, "\r\nContent-Length: ")) != NULL)
		c->to_read = strtoull(v, NULL, 10);
	v = strstr(head, "/bytes/");
	c->to_write = v != NULL && v < end ? strtoull(v + 7, NULL, 10) : 0;
	n = snprintf(text, sizeof(text),
	    "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n"
	    "Content-Length: %llu\r\n\r\n",
	    (unsigned long long)c->to_write);
	/* A small answer is one piece, as a server would send it. */
	if (c->to_write > 0 && c->to_write < sizeof(text) - (size_t)n) {
		memset(text + n, 'x', (size_t)c->to_write);
		n += (int)c->to_write;
		c->to_write = 0;
	}
	return c->to_read > 0 ? true : say(c, text, (size_t)n) && write_body(c);
}

/* So many bytes of a request's body have come: with the last one it is answered. */
static bool
body(struct client *c, size_t n)
{
	unsigned char head[10] = { 0x82, 127 };

	c->to_read -= n;
	if (c->to_read > 0)
		return true;
	if (c->message == 0)
		return say(c, done, sizeof(done) - 1);
	for (int i = 0; i < 8; i++)
		head[2 + i] = (unsigned char)(c->message >> (56 - 8 * i));
	c->to_write = c->message;
	c->message = 0;
	return say(c, head, sizeof(head)) && write_body(c);
}

/* A large message, of which nothing but its length comes back. */
static bool
large(struct client *c)
{
	const unsigned char *p = (const unsigned char *)c->buf;
	size_t n = c->len - 14;

	for (int i = 0; i < 8; i++)
		c->message = c->message << 8 | p[2 + i];
	c->to_read = c->message;
	c->len = 0;
	return c->message > n && body(c, n);
}

/* Whole messages of what has come, each as it came but for its mask; short ones. */
static bool
echo(struct client *c)
{
	unsigned char *p = (unsigned char *)c->buf;
	size_t left = c->len, len;

	if (left >= 2 && (p[1] & 0x7f) == 127)
		return left < 14 || large(c);
	while (left >= 6) {
		len = p[1] & 0x7f;
		if (len > 125 || (p[0] & 0xf) == 8)
			return false;
		if (left < 6 + len)
			break;
		for (size_t i = 0; i < len; i++)
			p[6 + i] ^= p[2 + i % 4];
		p[4] = p[0];
		p[5] = (unsigned char)len;
		if (!say(c, p + 4, 2 + len))
			return false;
		p += 6 + len;
		left -= 6 + len;
	}
	memmove(c->buf, p, left);
	c->len = left;
	return true;
}

static bool
taken(struct client *c)
{
	char *end;

	while (!c->echo && (end = memmem(c->buf, c->len, "\r\n\r\n", 4)) != NULL) {
		end[2] = '\0';
		end += 4;
		if (!answer(c, c->buf))
			return false;
		c->len -= (size_t)(end - c->buf);
		memmove(c->buf, end, c->len);
		if (c->to_read > 0) {
			size_t n = c->len < c->to_read ? c->len : (size_t)c->to_read;

			c->len -= n;
			memmove(c->buf, c->buf + n, c->len);
			return body(c, n);
		}
	}
	return c->echo ? echo(c) : true;
}

static bool
readable(struct client *c)
{
	static char sink[PIECE];
	ssize_t n;

	if (c->to_read > 0) {
		n = read(c->fd, sink, c->to_read < PIECE ? (size_t)c->to_read : PIECE);
		if (n <= 0)
			return false;
		return body(c, (size_t)n);
	}
	n = read(c->fd, c->buf + c->len, HEAD - c->len);
	if (n <= 0)
		return false;
	c->len += (size_t)n;
	return taken(c) && c->len < HEAD;
}

static bool
writable(struct client *c)
{
	watch(c, EPOLL_CTL_MOD, EPOLLIN);
	return write_body(c);
}

static void
accept_one(int server)
{
	struct client *c = calloc(1, sizeof(*c));

	if (c == NULL)
		die("calloc");
	c->fd = accept4(server, NULL, NULL, SOCK_CLOEXEC);
	if (c->fd == -1) {
		free(c);
		return;
	}
	watch(c, EPOLL_CTL_ADD, EPOLLIN);
}

int
main(int argc, char *argv[])
{
	struct epoll_event e[EVENTS];
	struct client server;
	const char *path = NULL;

	(void)signal(SIGPIPE, SIG_IGN);
	for (int i = 1; i + 1 < argc; i++)
		if (strcmp(argv[i], "--socket-path") == 0)
			path = argv[i + 1];
	if (path == NULL)
		return 2;
	memset(piece, 'x', sizeof(piece));
	loop = epoll_create1(EPOLL_CLOEXEC);
	server.fd = listen_on(path);
	watch(&server, EPOLL_CTL_ADD, EPOLLIN);
	for (;;) {
		int n = epoll_wait(loop, e, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			struct client *c = e[i].data.ptr;

			if (c == &server)
				accept_one(server.fd);
			else if (((e[i].events & EPOLLOUT) && !writable(c)) ||
			    ((e[i].events & ~(uint32_t)EPOLLOUT) && !readable(c)))
				over(c);
		}
	}
}
