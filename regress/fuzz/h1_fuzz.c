/*
 * A client's HTTP/1.1 bytes, cut as the first byte says, through the transport
 * and the front as the worker runs them: requests one after another, bodies, a
 * WebSocket's tunnel, the end in any phase.  Whatever comes, each stream is closed
 * once, and nothing is left.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <unistd.h>

#include "answers.h"

/* Its state is that of a process, and here many live in one. */
#include "../../worker/h1.c"

const struct front front_h2;

static jmp_buf over;

/* The process ends here; what follows is the next one's. */
void
worker_exit(const char *why)
{
	(void)why;
	longjmp(over, 1);
}

/* A client that reads all, or one that reads nothing. */
static int
client(bool reads)
{
	static int null = -1, full[2] = { -1, -1 };

	if (null == -1) {
		check((null = open("/dev/null", O_WRONLY)) != -1);
		check(pipe2(full, O_NONBLOCK) == 0);
		while (write(full[1], output, sizeof(output)) > 0)
			;
	}
	return (dup(reads ? null : full[1]));
}

static struct conn *
transport(bool reads)
{
	static struct conf_for_worker conf;
	static struct conn made, c;
	static uint8_t in[CONN_IN_MAX];

	if (worker.base == NULL) {
		log_init("fuzz", STDERR_FILENO, 0, LOG_EMERG, false);
		check((worker.base = event_base_new()) != NULL);
		worker.conf = &conf;
		worker.master.self = P_WORKER;
		worker.master.peer = P_MASTER;
		worker.master.closed = true;
		made.ev_read = evtimer_new(worker.base, never, NULL);
		made.ev_write = evtimer_new(worker.base, never, NULL);
		made.ev_timer = evtimer_new(worker.base, never, NULL);
		made.ev_soon = evtimer_new(worker.base, never, NULL);
		check(made.ev_read != NULL && made.ev_write != NULL &&
		    made.ev_timer != NULL && made.ev_soon != NULL);
		check((c.out = malloc(OUT_MIN)) != NULL);
		c.out_size = OUT_MIN;
	}
	made.out = c.out;
	made.out_size = c.out_size;
	c = made;
	c.w = &worker;
	c.fd = client(reads);
	c.in = in;
	c.front = &front_h1;
	c.armed = INT64_MAX;
	worker.conn = &c;
	worker.draining = false;
	return (&c);
}

/* As on_read() does, with bytes that come from here. */
static void
feed(struct conn *c, const uint8_t *data, size_t len)
{
	size_t n;

	while (len > 0 && c->phase != PHASE_LINGER) {
		n = input_room(c) ? CONN_IN_MAX - c->end : 0;
		if (n > len)
			n = len;
		memcpy(c->in + c->end, data, n);
		c->end += n;
		data += n;
		len -= n;
		conn_run(c);
		check(c->off <= c->end && c->end <= CONN_IN_MAX && c->pin <= CONN_IN_MAX);
		/* It is not read for now: so the client waits. */
		if (n == 0)
			break;
	}
}

static void
lives(struct conn *c, const uint8_t *data, size_t size)
{
	size_t piece = data[0] == 0 ? CONN_IN_MAX : data[0], n;

	conn_phase(c, PHASE_HEADER);
	front_h1.start(c);
	memset(c->state, 0, sizeof(struct h1));
	front_h1.start(c);
	for (size_t i = 2; i < size; i += n) {
		n = size - i < piece ? size - i : piece;
		feed(c, data + i, n);
		if (i == 2 && (data[1] & 4) != 0)
			conn_drain(&worker);
	}
	if ((data[1] & 8) != 0) {
		c->eof = true;
		conn_run(c);
	}
	if ((data[1] & 16) != 0 &&
	    (c->phase == PHASE_HEADER || c->phase == PHASE_IDLE ||
		c->phase == PHASE_BODY)) {
		front_h1.timeout(c, c->phase);
		conn_run(c);
	}
	/* The client begins to read. */
	close(c->fd);
	c->fd = client(true);
	conn_run(c);
	conn_over(c, "gone");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return (0);
	if (setjmp(over) == 0)
		lives(transport((data[1] & 1) != 0), data, size);
	check(open_streams == 0);
	return (0);
}
