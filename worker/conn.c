/*
 * The one connection of this process: events, the handshake, the way of input
 * to the front and of output to the socket.  See conn.h.
 *
 * All input goes through conn_run() and all output through conn_flush(), both
 * called from the event loop only.
 */
#include <sys/socket.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../privsep/log.h"
#include "conn_int.h"
#include "respond.h"
#include "tls.h"

#define DRAIN_ROUNDS 16 /* of writing, before it is others' turn */

/* The connection is over in every sense. */
void
conn_over(struct conn *c, const char *why)
{
	if (c->front != NULL)
		c->front->gone(c, why);
	worker_count(0, c->bytes_in, c->bytes_out);
	close(c->fd);
	worker_exit(why);
}

/* Says the last word, and waits a moment for the client's. */
static void
conn_linger(struct conn *c)
{
	if (c->ssl != NULL)
		SSL_shutdown(c->ssl);
	if (c->eof || shutdown(c->fd, SHUT_WR) == -1)
		conn_over(c, "done");
	conn_phase(c, PHASE_LINGER);
}

static void
conn_flush(struct conn *c)
{
	for (int i = 0; i < DRAIN_ROUNDS; i++) {
		(void)output_push(c);
		if (c->abort != NULL || !c->over || conn_pending(c) >= CONN_OUT_LOW)
			break;
		c->over = false;
		if (c->ending)
			break;
		c->running = true;
		c->front->drain(c);
		c->running = false;
	}
	if (c->abort != NULL || conn_pending(c) > 0)
		return;
	output_shrink(c);
	if (c->ending && c->phase != PHASE_LINGER)
		conn_linger(c);
}

/* Which events, for what there is to do. */
static void
conn_interest(struct conn *c)
{
	bool rd, wr;

	rd = !c->eof &&
	    (c->phase == PHASE_LINGER ||
		(!c->ending && !c->paused && (c->end < CONN_IN_MAX || c->off > c->pin)));
	wr = conn_pending(c) > 0;
	if (rd != c->reading) {
		rd ? event_add(c->ev_read, NULL) : event_del(c->ev_read);
		c->reading = rd;
	}
	if (wr != c->writing) {
		wr ? event_add(c->ev_write, NULL) : event_del(c->ev_write);
		c->writing = wr;
	}
	/* Work is left that no descriptor will tell of. */
	if (c->abort != NULL || c->kicked || (c->more && rd) ||
	    (c->over && conn_pending(c) < CONN_OUT_LOW))
		event_active(c->ev_soon, 0, 0);
}

/*
 * Hands input to the front until it makes no progress, then writes.
 * Everything that happens to the connection comes through here at last.
 */
void
conn_run(struct conn *c)
{
	size_t used;

	if (c->running) {
		c->kicked = true;
		return;
	}
	c->running = true;
	do {
		c->kicked = false;
		used = 0;
		if (c->abort != NULL || c->ending)
			break;
		if (c->more && !c->paused)
			input_fill(c);
		input_room(c);
		used = c->front->input(c, c->in + c->off, c->end - c->off);
		c->off += used;
		if (c->eof && !c->eof_told && used == 0 && !c->kicked &&
		    !conn_ending(c)) {
			c->eof_told = true;
			c->front->eof(c);
		}
	} while (used > 0 || c->kicked);
	c->running = false;

	conn_flush(c);
	if (c->abort != NULL)
		conn_over(c, c->abort);
	conn_interest(c);
	time_arm(c);
}

static void
on_read(int fd, short what, void *arg)
{
	struct conn *c = arg;

	(void)fd;
	(void)what;
	if (c->phase == PHASE_LINGER) {
		if (!input_discard(c))
			conn_over(c, "done");
		return;
	}
	input_fill(c);
	conn_run(c);
}

static void
on_write(int fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	conn_run(arg);
}

static void
on_soon(int fd, short what, void *arg)
{
	struct conn *c = arg;

	(void)fd;
	(void)what;
	if (c->phase != PHASE_LINGER && c->front != NULL)
		conn_run(c);
}

/* --- the handshake --- */

/* Where a plain request would have had to go; false when it is none to be sent on. */
static bool
plain_target(struct conn *c, size_t len, char *to, size_t size)
{
	static struct http_head head;
	ssize_t n;

	http_head_init(&head);
	n = read(c->fd, c->in + len, CONN_IN_MAX - len);
	len += n > 0 ? (size_t)n : 0;
	if (http_request_parse(&head, (char *)c->in, len) != HTTP_DONE ||
	    (head.method != METHOD_GET && head.method != METHOD_HEAD) ||
	    head.body != BODY_NONE || head.target.p[0] != '/')
		return (false);
	n = snprintf(to, size, "https://%.*s%.*s",
	    head.port == 443 ? (int)head.hostname.len : (int)head.host.len, head.host.p,
	    (int)head.target.len, head.target.p);
	return (n > 0 && (size_t)n < size);
}

/* Someone speaks HTTP to the TLS port. */
static void
plain_answer(struct conn *c)
{
	static const char say[] = "This port speaks HTTPS: use an https:// address.\n";
	static char text[HTTP_TARGET_MAX + 1024], to[HTTP_TARGET_MAX + 512];
	bool known = plain_target(c, tls_plain(c->in, CONN_IN_MAX), to, sizeof(to));
	int rounds = 16, len;

	if (!known)
		worker_stage(STAGE_BAD_REQUEST);
	len = snprintf(text, sizeof(text),
	    "HTTP/1.1 %s\r\n%s%s%scontent-type: text/plain; charset=utf-8\r\n"
	    "content-length: %zu\r\nconnection: close\r\n\r\n%s",
	    known ? "308 Permanent Redirect" : "400 Bad Request",
	    known ? "location: " : "", known ? to : "", known ? "\r\n" : "",
	    sizeof(say) - 1, say);
	if (len > 0 && (size_t)len < sizeof(text) &&
	    write(c->fd, text, (size_t)len) > 0) {
		shutdown(c->fd, SHUT_WR);
		/* What lies unread would turn the close into a reset. */
		while (rounds-- > 0 && read(c->fd, c->in, CONN_IN_MAX) > 0)
			;
	}
	conn_over(c, "plain HTTP on a TLS port");
}

static void
conn_speak(struct conn *c)
{
	bool h2 = c->ssl != NULL && tls_is_h2(c->ssl);

	/* Nothing more may be signed for this connection. */
	if (c->w->keys.fd > 0 && !c->w->keys.closed)
		chan_close(&c->w->keys);
	/* Now, where the handshake had its buffers. */
	c->out_size = OUT_MIN;
	if ((c->out = malloc(c->out_size)) == NULL)
		fatal("malloc");
	c->front = h2 ? &front_h2 : &front_h1;
	conn_phase(c, PHASE_HEADER);
	c->running = true;
	c->front->start(c);
	c->running = false;
	c->more = c->ssl != NULL && SSL_has_pending(c->ssl) != 0;
	conn_run(c);
}

static void
on_handshake(int fd, short what, void *arg)
{
	struct conn *c = arg;
	const char *why = "";
	short want = 0;
	int rv;

	(void)fd;
	(void)what;
	rv = tls_handshake(c->ssl, &want, &why);
	if (rv == -1 && tls_saw_plain())
		plain_answer(c);
	if (rv == -1) {
		log_event(LOG_DEBUG, "handshake.failed", LOG_S("why", why));
		worker_stage(STAGE_BAD_REQUEST);
		conn_over(c, "handshake failed");
	}
	if (rv == 0) {
		want &EV_WRITE ? event_add(c->ev_write, NULL) : event_del(c->ev_write);
		return;
	}
	event_del(c->ev_read);
	event_del(c->ev_write);
	event_assign(c->ev_read, c->w->base, c->fd, EV_READ | EV_PERSIST, on_read, c);
	event_assign(c->ev_write, c->w->base, c->fd, EV_WRITE | EV_PERSIST, on_write, c);
	c->reading = c->writing = false;
	conn_speak(c);
}

void
conn_start(struct worker *w, int fd)
{
	static uint8_t input[CONN_IN_MAX];
	static struct conn conn;
	struct conn *c = &conn;
	bool tls = w->kind == LISTEN_TLS;

	c->w = w;
	c->fd = fd;
	c->in = input;
	c->armed = INT64_MAX;
	c->since = time_now();
	w->conn = c;
	io_options(c);
	c->ev_read = event_new(
	    w->base, fd, EV_READ | EV_PERSIST, tls ? on_handshake : on_read, c);
	c->ev_write = event_new(
	    w->base, fd, EV_WRITE | EV_PERSIST, tls ? on_handshake : on_write, c);
	c->ev_timer = event_new(w->base, -1, 0, time_event, c);
	c->ev_soon = event_new(w->base, -1, 0, on_soon, c);
	if (c->ev_read == NULL || c->ev_write == NULL || c->ev_timer == NULL ||
	    c->ev_soon == NULL)
		fatalx("event_new");
	if (!tls) {
		conn_speak(c);
		return;
	}
	if ((c->ssl = tls_new(fd, &w->keys)) == NULL)
		fatalx("out of memory for TLS");
	event_add(c->ev_read, NULL);
	time_arm(c);
}

void
conn_drain(struct worker *w)
{
	struct conn *c = w->conn;
	bool inside;

	w->draining = true;
	if (c == NULL)
		worker_exit("drained");
	if (c->leaving == 0)
		c->leaving = time_now();
	if (c->front == NULL || c->phase == PHASE_LINGER)
		return;
	inside = c->running;
	c->running = true;
	c->front->leave(c);
	c->running = inside;
	time_arm(c);
	event_active(c->ev_soon, 0, 0);
}

/* --- for fronts --- */

struct worker *
conn_worker(struct conn *c)
{
	return (c->w);
}

void *
conn_state(struct conn *c)
{
	return (c->state);
}

void
conn_set_state(struct conn *c, void *state)
{
	c->state = state;
}

bool
conn_is_tls(const struct conn *c)
{
	return (c->ssl != NULL);
}

const char *
conn_server_name(const struct conn *c)
{
	return (c == NULL || c->ssl == NULL ? "" : tls_server_name(c->ssl));
}

void
conn_pin(struct conn *c, size_t n)
{
	c->pin = c->off + n;
}

void
conn_unpin(struct conn *c)
{
	c->pin = 0;
}

void
conn_kick(struct conn *c)
{
	c->kicked = true;
	if (!c->running)
		event_active(c->ev_soon, 0, 0);
}

void
conn_pause(struct conn *c, bool pause)
{
	if (c->paused == pause)
		return;
	c->paused = pause;
	if (!pause)
		time_resume(c);
	conn_kick(c);
}

void
conn_end(struct conn *c)
{
	c->ending = true;
	conn_kick(c);
}

void
conn_abort(struct conn *c, const char *why)
{
	if (c->abort == NULL)
		c->abort = why;
	conn_kick(c);
}

bool
conn_ending(const struct conn *c)
{
	return (c->ending || c->abort != NULL);
}
