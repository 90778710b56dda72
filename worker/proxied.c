/* The header of a proxy in front: see proxied.h. */
#include <sys/socket.h>

#include <arpa/inet.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "../privsep/log.h"
#include "proxied.h"

#define V1_MAX  107 /* bytes of a line, its end included */
#define V2_HEAD 16

enum {
	V2_LOCAL = 0x20,
	V2_PROXY = 0x21,
	V2_UNSPEC = 0x00,
	V2_TCP4 = 0x11,
	V2_TCP6 = 0x21,
	V2_UNIX = 0x31,
};

static const uint8_t v2_signature[12] = "\r\n\r\n\0\r\nQUIT\n";

static struct {
	struct worker *w;
	struct event *ev_read, *ev_late;
	void (*done)(const struct wire_addr *);
	int fd;
	size_t len;
	uint8_t buf[PROXIED_MAX];
} in;

static void
nobody(struct wire_addr *a)
{
	memset(a, 0, sizeof(*a));
	a->unix_peer = 1;
}

static void
set_v4(struct wire_addr *a, const uint8_t ip[4], uint16_t port)
{
	memset(a, 0, sizeof(*a));
	a->ip[10] = a->ip[11] = 0xff;
	memcpy(a->ip + 12, ip, 4);
	a->port = port;
}

static void
set_v6(struct wire_addr *a, const uint8_t ip[16], uint16_t port)
{
	memset(a, 0, sizeof(*a));
	memcpy(a->ip, ip, 16);
	a->port = port;
}

/* The next word of a line, its space or the line's end eaten; "" when none. */
static const char *
word(char **line)
{
	char *start = *line, *end = start + strcspn(start, " ");

	*line = *end == ' ' ? end + 1 : end;
	*end = '\0';
	return start;
}

static bool
port_of(const char *s, uint16_t *port)
{
	unsigned int n = 0;
	size_t i;

	for (i = 0; s[i] >= '0' && s[i] <= '9' && i < 5; i++)
		n = n * 10 + (unsigned int)(s[i] - '0');
	*port = (uint16_t)n;
	return i > 0 && s[i] == '\0' && n <= UINT16_MAX && (s[0] != '0' || i == 1);
}

/* "TCP4 SOURCE DESTINATION PORT PORT", or "UNKNOWN" and whatever follows. */
static bool
line_parse(char *line, struct wire_addr *source)
{
	const char *family, *from, *to, *from_port, *to_port;
	uint8_t ip[16], other[16];
	uint16_t port, port2;
	int af;

	family = word(&line);
	if (strcmp(family, "UNKNOWN") == 0) {
		nobody(source);
		return true;
	}
	af = strcmp(family, "TCP4") == 0 ? AF_INET :
	    strcmp(family, "TCP6") == 0  ? AF_INET6 :
					   AF_UNSPEC;
	from = word(&line);
	to = word(&line);
	from_port = word(&line);
	to_port = word(&line);
	if (af == AF_UNSPEC || *line != '\0' || inet_pton(af, from, ip) != 1 ||
	    inet_pton(af, to, other) != 1 || !port_of(from_port, &port) ||
	    !port_of(to_port, &port2))
		return false;
	if (af == AF_INET)
		set_v4(source, ip, port);
	else
		set_v6(source, ip, port);
	return true;
}

static enum proxied_result
parse_v1(const uint8_t *buf, size_t len, struct wire_addr *source, size_t *size)
{
	static const char start[] = "PROXY ";
	size_t n = sizeof(start) - 1;
	char line[V1_MAX + 1];
	const uint8_t *end;

	if (memcmp(buf, start, len < n ? len : n) != 0)
		return PROXIED_ERROR;
	end = memchr(buf, '\r', len < V1_MAX - 1 ? len : V1_MAX - 1);
	if (end == NULL)
		return len < V1_MAX - 1 ? PROXIED_MORE : PROXIED_ERROR;
	if ((size_t)(end - buf) + 1 == len)
		return PROXIED_MORE;
	*size = (size_t)(end - buf) + 2;
	if (end[1] != '\n' || *size < n + 2 || memchr(buf, '\0', *size) != NULL)
		return PROXIED_ERROR;
	memcpy(line, buf + n, *size - n - 2);
	line[*size - n - 2] = '\0';
	return line_parse(line, source) ? PROXIED_DONE : PROXIED_ERROR;
}

static uint16_t
be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static enum proxied_result
parse_v2(const uint8_t *buf, size_t len, struct wire_addr *source, size_t *size)
{
	const uint8_t *a = buf + V2_HEAD;
	size_t left;

	if (len < V2_HEAD)
		return PROXIED_MORE;
	left = be16(buf + 14);
	if ((buf[12] != V2_LOCAL && buf[12] != V2_PROXY) || left > PROXIED_MAX - V2_HEAD)
		return PROXIED_ERROR;
	if (len - V2_HEAD < left)
		return PROXIED_MORE;
	*size = V2_HEAD + left;
	nobody(source);
	if (buf[12] == V2_LOCAL || buf[13] == V2_UNSPEC)
		return PROXIED_DONE;
	if (buf[13] == V2_TCP4 && left >= 12)
		set_v4(source, a, be16(a + 8));
	else if (buf[13] == V2_TCP6 && left >= 36)
		set_v6(source, a, be16(a + 32));
	else if (buf[13] != V2_UNIX || left < 216)
		return PROXIED_ERROR;
	return PROXIED_DONE;
}

enum proxied_result
proxied_parse(const uint8_t *buf, size_t len, struct wire_addr *source, size_t *size)
{
	size_t n = sizeof(v2_signature);

	if (len == 0)
		return PROXIED_MORE;
	if (memcmp(buf, v2_signature, len < n ? len : n) == 0)
		return parse_v2(buf, len, source, size);
	return parse_v1(buf, len, source, size);
}

static void
bad(const char *why)
{
	log_event(LOG_WARNING, "proxied.bad", LOG_S("why", why));
	close(in.fd);
	worker_exit(NULL);
}

static void
on_late(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	bad("the proxy did not say in time whom it speaks for");
}

static void
on_read(evutil_socket_t fd, short what, void *arg)
{
	struct iovec iov = { in.buf + in.len, sizeof(in.buf) - in.len };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	enum proxied_result r;
	struct wire_addr source;
	size_t size = 0, take;
	ssize_t n;

	(void)what;
	(void)arg;
	n = recvmsg(fd, &m, MSG_PEEK | MSG_DONTWAIT);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0)
		bad("the connection ended before it");
	r = proxied_parse(in.buf, in.len + (size_t)n, &source, &size);
	if (r == PROXIED_ERROR)
		bad("it is no PROXY header");
	take = r == PROXIED_DONE ? size - in.len : (size_t)n;
	/* What was seen as the header's is taken, and what follows stays. */
	if (take > sizeof(in.buf) - in.len ||
	    read(fd, in.buf + in.len, take) != (ssize_t)take)
		bad("it cannot be read");
	in.len += take;
	if (r == PROXIED_MORE)
		return;
	event_free(in.ev_read);
	event_free(in.ev_late);
	in.done(&source);
}

void
proxied_start(struct worker *w, int fd, void (*done)(const struct wire_addr *))
{
	struct timeval late = { w->conf->prefork.handshake_timeout, 0 };

	in.w = w;
	in.fd = fd;
	in.done = done;
	in.ev_read = event_new(w->base, fd, EV_READ | EV_PERSIST, on_read, NULL);
	in.ev_late = evtimer_new(w->base, on_late, NULL);
	if (in.ev_read == NULL || in.ev_late == NULL)
		fatalx("event_new");
	event_add(in.ev_read, NULL);
	event_add(in.ev_late, &late);
}
