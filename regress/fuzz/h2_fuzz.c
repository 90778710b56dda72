/*
 * A client's HTTP/2 bytes, cut as the first byte says, into the front as the
 * worker runs it, with nobody behind the connection.  What answers does all
 * that a stream can do: long and short answers, echoes, tunnels, pauses, resets.
 * Whatever comes, each stream is closed once, and nothing is left.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../worker/conn_int.h"
#include "../../worker/h2.h"
#include "../../worker/respond.h"
#include "../../worker/tls.h"

#define PREFACE                                                                          \
	"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"                                               \
	"\0\0\0\4\0\0\0\0\0"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static unsigned int open_streams;
static uint8_t output[1024 * 1024];

static void
check(bool ok)
{
	if (!ok)
		abort();
}

/* --- the rest of the worker, as far as the front wants it --- */

struct worker worker;
const struct front front_h1;

void
worker_exit(const char *why)
{
	(void)why;
	abort();
}

void
worker_stage(enum wire_stage stage)
{
	check(stage == STAGE_BAD_REQUEST);
}

void
worker_count(uint32_t requests, uint64_t in, uint64_t out)
{
	check(requests == 1 && in == 0 && out == 0);
}

void
worker_rid(char rid[WIRE_RID])
{
	memset(rid, '0', WIRE_RID - 1);
	rid[WIRE_RID - 1] = '\0';
}

void
respond_error(struct stream *s, unsigned int status, const char *text)
{
	check(status >= 400 && status < 600);
	stream_respond(s, status, NULL, 0, text == NULL ? 0 : (int64_t)strlen(text));
	if (text != NULL)
		stream_write(s, text, strlen(text));
	stream_end(s);
}

SSL *
tls_new(int fd, struct chan *keys)
{
	(void)fd;
	(void)keys;
	return (NULL);
}

int
tls_handshake(SSL *ssl, short *want, const char **why)
{
	(void)ssl;
	(void)want;
	(void)why;
	return (-1);
}

bool
tls_is_h2(const SSL *ssl)
{
	(void)ssl;
	return (true);
}

const char *
tls_server_name(const SSL *ssl)
{
	(void)ssl;
	return ("");
}

/* --- what answers --- */

static void
on_body(struct stream *s, const uint8_t *data, size_t len)
{
	check(!s->closed && !s->body_done && !s->paused);
	if (s->head.target.len > 2 && s->head.target.p[2] == 'p')
		stream_pause(s, true);
	if (len > 3 && data[0] == 'r')
		stream_reset(s);
	else if (len > 3 && data[0] == 'e')
		stream_end(s);
	else
		stream_write(s, data, len);
}

static void
on_body_end(struct stream *s)
{
	check(s->body_done);
	stream_end(s);
}

static void
on_drain(struct stream *s)
{
	stream_write(s, output, stream_room(s));
	stream_pause(s, false);
}

static void
on_close(struct stream *s)
{
	check(s->arg == output);
	s->arg = NULL;
	open_streams--;
}

void
stream_request(struct stream *s)
{
	static const struct header h[] = { HEADER("a", "b") };
	const struct http_head *head = &s->head;
	uint8_t *p;

	/* What http1.h promises. */
	check(http_is_token(head->token) && http_authority(head->host, NULL, NULL) &&
	    head->nheader <= HTTP_HEADER_MAX);
	check(http_target_check(head->method, head->target) == HTTP_E_NONE);
	for (size_t i = 0; i < head->nheader; i++)
		check(http_is_token(head->header[i].name) &&
		    http_is_value(head->header[i].value));
	open_streams++;
	s->arg = output;
	s->on_close = on_close;
	s->on_drain = on_drain;
	if (s->websocket && head->target.len > 1) {
		s->on_body = on_body;
		s->on_body_end = on_body_end;
		stream_upgrade(s, h, 1);
		return;
	}
	switch (head->target.len > 1 ? head->target.p[1] : '\0') {
	case 'e': /* echo */
		s->on_body = on_body;
		s->on_body_end = on_body_end;
		stream_respond(s, 200, h, 1, -1);
		break;
	case 'b': /* big */
		stream_respond(s, 200, h, 1, 10000000);
		while (stream_room(s) > 0 && (p = stream_reserve(s, 16384)) != NULL) {
			memset(p, 'x', 100);
			stream_commit(s, 100);
			stream_write(s, output, 16000);
		}
		break;
	case 'l': /* later, and never */
		break;
	case 'r':
		stream_reset(s);
		break;
	case 's': /* short of what was promised */
		stream_respond(s, 200, h, 1, 100);
		stream_end(s);
		break;
	default:
		stream_respond(s, 204, h, 1, 0);
		stream_end(s);
	}
}

static void
never(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
}

/* A connection without a socket. */
static struct conn *
transport(void)
{
	static struct conf_for_worker conf;
	static struct conn c;
	static uint8_t in[CONN_IN_MAX];

	if (worker.base == NULL) {
		check((worker.base = event_base_new()) != NULL);
		worker.conf = &conf;
		worker.master.closed = true;
		c.ev_timer = evtimer_new(worker.base, never, NULL);
		c.ev_soon = evtimer_new(worker.base, never, NULL);
		check(c.ev_timer != NULL && c.ev_soon != NULL);
		check((c.out = malloc(16384)) != NULL);
		c.out_size = 16384;
	}
	worker.conn = &c;
	c.w = &worker;
	c.fd = -1;
	c.in = in;
	c.front = &front_h2;
	c.state = NULL;
	c.phase = PHASE_HEADER;
	c.armed = INT64_MAX;
	c.ending = c.over = c.kicked = false;
	c.abort = NULL;
	c.out_off = c.out_end = 0;
	c.running = true; /* nothing is done "soon": done() does it */
	return (&c);
}

/* As conn.c does: until there is nothing more to do. */
static void
feed(struct conn *c, const uint8_t *data, size_t len, bool reads)
{
	do {
		c->kicked = false;
		if (conn_ending(c))
			return;
		memcpy(c->in, data, len);
		check(front_h2.input(c, c->in, len) == len);
		len = 0;
		if (reads) {
			c->out_off = c->out_end = 0;
			front_h2.drain(c);
		}
	} while (c->kicked && (reads || conn_room(c) > 0));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct conn *c = transport();
	size_t piece, n;
	bool reads;

	if (size < 2)
		return (0);
	piece = data[0] == 0 ? CONN_IN_MAX : data[0];
	reads = data[1] & 1;
	front_h2.start(c);
	if (data[1] & 2)
		feed(c, (const uint8_t *)PREFACE, sizeof(PREFACE) - 1, reads);
	if (data[1] & 4)
		front_h2.leave(c);
	for (size_t i = 2; i < size; i += n) {
		n = size - i < piece ? size - i : piece;
		feed(c, data + i, n, reads);
	}
	if (data[1] & 8)
		front_h2.eof(c);
	if (data[1] & 16)
		front_h2.timeout(c, PHASE_BODY);
	feed(c, data, 0, true);
	front_h2.gone(c, "over");
	check(open_streams == 0);
	return (0);
}
