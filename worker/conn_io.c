/*
 * The socket, TLS or plain, and the two buffers before it: see conn.h.
 *
 * Both are one stretch of memory each.  Input moves down when there is no room at
 * its end, so that a front always sees one piece; output is filled at the end
 * and leaves at the front, in whole TLS records while there are any.
 */
#include <sys/types.h>
#include <sys/socket.h>

#include <linux/tcp.h> /* a tcp_info with all of its fields */
#include <netinet/in.h>

#include <openssl/err.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../privsep/log.h"
#include "conn_int.h"
#include "tls.h"

#define RECORD       16384        /* of one TLS record */
#define PIN_LIMIT    (32 * 1024)  /* input moves down above this */
#define UNSENT_MAX   (256 * 1024) /* unsent bytes in the kernel */
#define USER_TIMEOUT 15000        /* ms without an acknowledgement */

void
io_options(struct conn *c)
{
	static const int on = 1, unsent = UNSENT_MAX, user = USER_TIMEOUT;

	/* None of them exists for a unix socket, none is needed to work. */
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(c->fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof(unsent));
	setsockopt(c->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &user, sizeof(user));
}

/* A laptop that sleeps for a moment need not lose its WebSocket. */
void
io_tunnel(struct conn *c)
{
	static const int user = 8 * USER_TIMEOUT;

	setsockopt(c->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &user, sizeof(user));
}

/* What the kernel has of ours: it was written, and may be far from taken. */
struct io_sent
io_sent(const struct conn *c)
{
	struct tcp_info ti;
	socklen_t len = sizeof(ti);

	memset(&ti, 0, sizeof(ti));
	if (getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &ti, &len) == -1)
		return ((struct io_sent){ c->bytes_out, false, false }); /* unix */
	return ((struct io_sent){
	    ti.tcpi_bytes_acked, ti.tcpi_notsent_bytes > 0, ti.tcpi_unacked > 0 });
}

/* close(2) then throws away what was not taken, and tells the client. */
void
io_reset(struct conn *c)
{
	static const struct linger now = { 1, 0 };

	setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

/* What reading and writing say: bytes, or one of these. */
#define IO_AGAIN (-1)
#define IO_EOF   (-2)
#define IO_FAIL  (-3)

static ssize_t
tls_result(struct conn *c, int rv)
{
	switch (SSL_get_error(c->ssl, rv)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		/* No renegotiation (tls.c), so each wants its own side. */
		return (IO_AGAIN);
	case SSL_ERROR_ZERO_RETURN:
		return (IO_EOF);
	default:
		ERR_clear_error();
		return (IO_FAIL);
	}
}

static ssize_t
io_read(struct conn *c, uint8_t *p, size_t len)
{
	ssize_t n;

	if (c->ssl != NULL) {
		ERR_clear_error();
		n = SSL_read(c->ssl, p, (int)len);
		if (n <= 0)
			return (tls_result(c, (int)n));
		c->more = SSL_has_pending(c->ssl) != 0;
		return (n);
	}
	n = read(c->fd, p, len);
	if (n > 0) {
		c->more = (size_t)n == len;
		return (n);
	}
	if (n == 0)
		return (IO_EOF);
	return (errno == EAGAIN || errno == EINTR ? IO_AGAIN : IO_FAIL);
}

static ssize_t
io_write(struct conn *c, const uint8_t *p, size_t len)
{
	ssize_t n;

	/* The last word goes with the end (conn_linger). */
	if (c->ssl != NULL) {
		ERR_clear_error();
		tls_more(c->ending);
		n = SSL_write(c->ssl, p, (int)(len < RECORD ? len : RECORD));
		return (n > 0 ? n : tls_result(c, (int)n));
	}
	n = write(c->fd, p, len);
	if (n >= 0)
		return (n);
	return (errno == EAGAIN || errno == EINTR ? IO_AGAIN : IO_FAIL);
}

/* Makes room at the end of the input; false when it is full. */
bool
input_room(struct conn *c)
{
	if (c->off == c->end)
		c->off = c->end = c->pin;
	else if (c->off > c->pin &&
	    (c->end == CONN_IN_MAX || (c->pin == 0 && c->off > PIN_LIMIT))) {
		memmove(c->in + c->pin, c->in + c->off, c->end - c->off);
		c->end -= c->off - c->pin;
		c->off = c->pin;
	}
	return (c->end < CONN_IN_MAX);
}

/* Reads what there is, as far as there is room. */
void
input_fill(struct conn *c)
{
	ssize_t n;

	do {
		if (!input_room(c))
			return;
		c->more = false;
		n = io_read(c, c->in + c->end, CONN_IN_MAX - c->end);
		if (n > 0) {
			c->end += (size_t)n;
			c->bytes_in += (size_t)n;
		} else if (n == IO_EOF) {
			c->eof = true;
		} else if (n == IO_FAIL && c->abort == NULL) {
			c->abort = "connection lost";
		}
	} while (c->more);
}

/*
 * After the last word: eats what still comes, so that the client gets to read
 * the answer before a reset throws it away.  False when that is over.
 */
bool
input_discard(struct conn *c)
{
	ssize_t n;

	while ((n = io_read(c, c->in, CONN_IN_MAX)) > 0) {
		c->lingered += (size_t)n;
		if (c->lingered > LINGER_BYTES)
			return (false);
	}
	return (n == IO_AGAIN);
}

uint8_t *
conn_reserve(struct conn *c, size_t want)
{
	uint8_t *p;
	size_t used = c->out_end - c->out_off, size;

	if (c->out_size - c->out_end >= want)
		return (c->out + c->out_end);
	if (used <= c->out_off && c->out_size - used >= want) {
		memcpy(c->out, c->out + c->out_off, used);
	} else {
		for (size = c->out_size; size - used < want; size *= 2)
			if (size >= OUT_MAX)
				fatalx("BUG: output beyond its bound");
		if ((p = malloc(size)) == NULL)
			fatal("malloc");
		memcpy(p, c->out + c->out_off, used);
		free(c->out);
		c->out = p;
		c->out_size = size;
	}
	c->out_off = 0;
	c->out_end = used;
	return (c->out + used);
}

void
conn_commit(struct conn *c, size_t len)
{
	if (len == 0)
		return;
	if (c->out_end == c->out_off)
		time_output(c);
	c->out_end += len;
	if (c->out_end - c->out_off >= CONN_OUT_LOW)
		c->over = true;
	/* It leaves when the loop has nothing more urgent, all in one. */
	if (!c->running)
		event_active(c->ev_soon, 0, 0);
}

void
conn_write(struct conn *c, const void *data, size_t len)
{
	if (len == 0)
		return;
	memcpy(conn_reserve(c, len), data, len);
	conn_commit(c, len);
}

size_t
conn_pending(const struct conn *c)
{
	return (c->out_end - c->out_off);
}

size_t
conn_room(const struct conn *c)
{
	size_t n = conn_pending(c);

	if (c->ending || c->abort != NULL)
		return (0);
	return (n < CONN_OUT_HIGH ? CONN_OUT_HIGH - n : 0);
}

/* Writes what the socket takes; false when it takes no more. */
bool
output_push(struct conn *c)
{
	ssize_t n;

	while (c->out_off < c->out_end) {
		n = io_write(c, c->out + c->out_off, c->out_end - c->out_off);
		if (n <= 0) {
			if (n != IO_AGAIN && c->abort == NULL)
				c->abort = "connection lost";
			return (false);
		}
		c->out_off += (size_t)n;
		c->bytes_out += (size_t)n;
	}
	c->out_off = c->out_end = 0;
	return (true);
}

/* An idle connection keeps little. */
void
output_shrink(struct conn *c)
{
	if (c->out_size <= OUT_KEEP || conn_pending(c) > 0)
		return;
	free(c->out);
	if ((c->out = malloc(OUT_MIN)) == NULL)
		fatal("malloc");
	c->out_size = OUT_MIN;
	c->out_off = c->out_end = 0;
}
