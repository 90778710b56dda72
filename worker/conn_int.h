/*
 * What the files of the transport share, and nobody else includes.
 *
 * conn.c	events, the handshake, the way of input to the front
 * conn_io.c	the socket and its two buffers
 * conn_time.c	deadlines
 */
#ifndef WORKER_CONN_INT_H
#define WORKER_CONN_INT_H

#include <sys/types.h>

#include <event2/event.h>
#include <openssl/ssl.h>

#include <stdbool.h>
#include <stdint.h>

#include "conn.h"
#include "worker.h"

struct conn {
	struct worker *w;
	int fd;
	SSL *ssl;                  /* NULL: plain */
	const struct front *front; /* NULL until the handshake is over */
	void *state;
	enum conn_phase phase;
	struct event *ev_read;
	struct event *ev_write;
	struct event *ev_timer;
	struct event *ev_soon;

	uint8_t *in; /* [0, pin) kept, a gap, [off, end) */
	size_t pin, off, end;
	uint8_t *out;
	size_t out_off, out_end, out_size;

	bool reading; /* ev_read is added */
	bool writing; /* ev_write is added */
	bool paused;  /* conn_pause() */
	bool more;    /* there is input that was not taken */
	bool eof;
	bool eof_told;
	bool running; /* in a front's function */
	bool kicked;
	bool over;         /* output was above the low mark */
	bool ending;       /* conn_end() */
	const char *abort; /* conn_abort() was called */

	int64_t since;    /* start of the phase; times are in ms */
	int64_t leaving;  /* told to drain */
	bool kept;        /* its client was told that it may ask again */
	int64_t armed;    /* when the timer comes */
	int64_t stall_at; /* end of the time to take some output */
	uint64_t stall_acked;
	bool stall_looked;
	int64_t rate_at; /* end of the time to send some body */
	uint64_t rate_got;
	int64_t look_at; /* when to see what the kernel still has of ours */
	uint64_t acked;  /* what the client had taken at the last look */
	bool looked;
	uint64_t bytes_in, bytes_out, lingered;
};

/* Output that has left us, and is not with the client. */
struct io_sent {
	uint64_t acked; /* bytes that it has taken, of all */
	bool unsent;    /* its window leaves no room for more */
	bool unacked;   /* on the way, or lost */
};

#define OUT_MIN      (16 * 1024)   /* output buffer: at first, */
#define OUT_KEEP     (64 * 1024)   /* when nothing is in it, */
#define OUT_MAX      (1024 * 1024) /* and at most */
#define LINGER_BYTES (256 * 1024)  /* eaten after the last word */

/* conn.c */
void conn_run(struct conn *);
void conn_over(struct conn *, const char *why) __attribute__((__noreturn__));

/* conn_io.c */
void io_options(struct conn *);
void io_tunnel(struct conn *);
struct io_sent io_sent(const struct conn *);
void io_reset(struct conn *);
bool input_room(struct conn *);
void input_fill(struct conn *);
bool input_discard(struct conn *);
bool output_push(struct conn *);
void output_shrink(struct conn *);

/* conn_time.c */
int64_t time_now(void);
void time_arm(struct conn *);
void time_output(struct conn *);
void time_resume(struct conn *);
void time_event(int, short, void *);

#endif /* WORKER_CONN_INT_H */
