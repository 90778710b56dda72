/*
 * A client's HTTP/2 bytes, cut as the first byte says, into the front as the
 * worker runs it.  Whatever comes, each stream is closed once, and nothing is
 * left.
 */
#include "answers.h"

#define PREFACE                                                                          \
	"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"                                               \
	"\0\0\0\4\0\0\0\0\0"

const struct front front_h1;

void
respond_error(struct stream *s, unsigned int status, const char *text)
{
	check(status >= 400 && status < 600);
	stream_respond(s, status, NULL, 0, text == NULL ? 0 : (int64_t)strlen(text));
	if (text != NULL)
		stream_write(s, text, strlen(text));
	stream_end(s);
}

void
worker_exit(const char *why)
{
	(void)why;
	abort();
}

/* A connection without a socket. */
static struct conn *
transport(void)
{
	static struct conf_for_worker conf;
	static struct conn c;
	static uint8_t in[CONN_IN_MAX];

	if (worker.base == NULL) {
		log_init("fuzz", STDERR_FILENO, 0, LOG_EMERG, false);
		check((worker.base = event_base_new()) != NULL);
		worker.conf = &conf;
		worker.master.self = P_WORKER;
		worker.master.peer = P_MASTER;
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
