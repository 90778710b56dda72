/* Channels between processes: see chan.h. */
#include <sys/socket.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "chan.h"
#include "fdpass.h"
#include "log.h"
#include "clock.h"

/* A message that waits for its peer to read. */
struct chan_out {
	struct chan_out *next;
	struct msg_head head;
	int fd;
	uint8_t payload[];
};

static void chan_on_read(evutil_socket_t, short, void *);
static void chan_on_write(evutil_socket_t, short, void *);

static bool holding;
static void (*hold_relief)(void);
static void (*hook_after)(void);

void
chan_hold(bool hold, void (*relief)(void))
{
	holding = hold;
	hold_relief = relief;
}

void
chan_after(void (*after)(void))
{
	hook_after = after;
}

int
chan_pair(int fds[2])
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds);
}

void
chan_init(struct chan *c, int fd, enum proc self, enum proc peer, struct event_base *base,
    const struct chan_handler *handlers, chan_gone_fn gone, void *arg)
{
	memset(c, 0, sizeof(*c));
	c->fd = fd;
	c->self = self;
	c->peer = peer;
	c->state = S_NEW;
	c->handlers = handlers;
	c->gone = gone;
	c->arg = arg;
	c->base = base;
	c->out_max = CHAN_QUEUE_MAX;
	if (base == NULL)
		return;
	c->ev_read = event_new(base, fd, EV_READ | EV_PERSIST, chan_on_read, c);
	if (c->ev_read == NULL)
		fatalx("channel to %s: out of memory", proc_name(peer));
	event_add(c->ev_read, NULL);
}

static void
chan_out_free(struct chan_out *o)
{
	if (o->fd != -1)
		close(o->fd);
	/* A queued message may carry a password or a token. */
	explicit_bzero(o->payload, o->head.len);
	free(o);
}

void
chan_close(struct chan *c)
{
	struct chan_out *o;

	if (c->closed)
		return;
	c->closed = true;
	if (c->ev_read != NULL)
		event_free(c->ev_read);
	if (c->ev_write != NULL)
		event_free(c->ev_write);
	c->ev_read = c->ev_write = NULL;
	while ((o = c->out_head) != NULL) {
		c->out_head = o->next;
		chan_out_free(o);
	}
	c->out_tail = NULL;
	c->out_count = 0;
	if (c->fd != -1)
		close(c->fd);
	c->fd = -1;
}

static void
chan_lost(struct chan *c, const char *why)
{
	chan_gone_fn gone = c->gone;

	if (c->closed)
		return;
	chan_close(c);
	if (gone != NULL)
		gone(c, why);
	if (hook_after != NULL)
		hook_after();
}

/* One sendmsg(2); 0, or -1 with errno. */
static int
chan_write(int fd, const struct msg_head *head, const void *payload, int pass)
{
	const struct iovec iov[2] = { { (void *)(uintptr_t)head, sizeof(*head) },
		{ (void *)(uintptr_t)payload, head->len } };

	return fdpass_send(fd, iov, head->len > 0 ? 2 : 1, pass, MSG_DONTWAIT) == -1 ?
	    -1 :
	    0;
}

static int
chan_enqueue(struct chan *c, const struct msg_head *head, const void *payload, int fd)
{
	struct chan_out *o;

	if (c->out_count >= c->out_max)
		return -1;
	/* Most channels never need it. */
	if (c->ev_write == NULL)
		c->ev_write = event_new(c->base, c->fd, EV_WRITE, chan_on_write, c);
	o = c->ev_write == NULL ? NULL : malloc(sizeof(*o) + head->len);
	if (o == NULL)
		return -1;
	o->next = NULL;
	o->head = *head;
	o->fd = fd;
	if (head->len > 0)
		memcpy(o->payload, payload, head->len);
	if (c->out_tail != NULL)
		c->out_tail->next = o;
	else
		c->out_head = o;
	c->out_tail = o;
	c->out_count++;
	event_add(c->ev_write, NULL);
	return 0;
}

/* Give the peer up from the event loop: the caller may hold on to c. */
static void
chan_give_up(struct chan *c)
{
	c->gone_pending = true;
	if (c->ev_read != NULL)
		event_active(c->ev_read, EV_READ, 0);
}

/* What waits goes out as far as it can; false when the peer is gone. */
static bool
chan_drain(struct chan *c)
{
	struct chan_out *o;

	while ((o = c->out_head) != NULL && !holding) {
		if (chan_write(c->fd, &o->head, o->payload, o->fd) == -1) {
			if (errno != EAGAIN && errno != ENOBUFS && errno != ETOOMANYREFS)
				return false;
			break;
		}
		c->out_head = o->next;
		if (c->out_head == NULL)
			c->out_tail = NULL;
		c->out_count--;
		chan_out_free(o);
	}
	if (o != NULL)
		event_add(c->ev_write, NULL);
	return true;
}

static void
chan_on_write(evutil_socket_t fd, short what, void *arg)
{
	struct chan *c = arg;

	(void)fd;
	(void)what;
	if (!chan_drain(c))
		chan_lost(c, NULL);
}

int
chan_send(struct chan *c, enum msg_type type, uint32_t id, int fd, const void *payload,
    size_t len)
{
	const struct msg_row *row;
	struct msg_head head;

	if (type == M_NONE || type >= M_MAX)
		fatalx("BUG: message type %u", (unsigned int)type);
	row = &msg_table[type];
	if ((row->from & c->self) == 0 || (row->to & c->peer) == 0 || len < row->min ||
	    len > row->max || (fd != -1) != (row->fd != FD_NONE))
		fatalx("BUG: %s from %s to %s with %zu bytes%s", row->name,
		    proc_name(c->self), proc_name(c->peer), len,
		    fd == -1 ? "" : " and a descriptor");
	if (c->closed || c->gone_pending) {
		if (fd != -1)
			close(fd);
		return -1;
	}
	memset(&head, 0, sizeof(head));
	head.version = CHAN_VERSION;
	head.type = (uint16_t)type;
	head.id = id;
	head.len = (uint32_t)len;
	head.has_fd = fd != -1;
	if (holding && hold_relief != NULL && c->out_count >= CHAN_QUEUE_MAX / 2) {
		hold_relief();
		(void)chan_drain(c);
	}
	if (c->out_head == NULL && !holding) {
		if (chan_write(c->fd, &head, payload, fd) == 0) {
			if (fd != -1)
				close(fd);
			return 0;
		}
		/* ETOOMANYREFS: descriptors in flight; it passes. */
		if (errno != EAGAIN && errno != ENOBUFS && errno != ETOOMANYREFS) {
			if (fd != -1)
				close(fd);
			chan_give_up(c);
			return -1;
		}
	}
	if (c->base == NULL || chan_enqueue(c, &head, payload, fd) == -1) {
		if (fd != -1)
			close(fd);
		chan_give_up(c);
		return -1;
	}
	return 0;
}

/* Is the descriptor what the table says that it must be? */
static bool
chan_fd_ok(int fd, enum msg_fd kind)
{
	struct stat st;

	switch (kind) {
	case FD_NONE:
		return false;
	case FD_CHAN:
		return sock_opt(fd, SO_DOMAIN) == AF_UNIX &&
		    sock_opt(fd, SO_TYPE) == SOCK_SEQPACKET;
	case FD_SOCK:
		return sock_opt(fd, SO_TYPE) == SOCK_STREAM &&
		    sock_opt(fd, SO_ACCEPTCONN) == 0;
	case FD_LISTEN:
		return sock_opt(fd, SO_ACCEPTCONN) == 1;
	case FD_DGRAM:
		return sock_opt(fd, SO_DOMAIN) == AF_UNIX &&
		    sock_opt(fd, SO_TYPE) == SOCK_DGRAM;
	case FD_FILE:
		if (fstat(fd, &st) == -1)
			return false;
		/* A log may also be a socket, a terminal or a pipe. */
		return !S_ISDIR(st.st_mode) && !S_ISBLK(st.st_mode);
	case FD_PIPE:
		return fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode);
	}
	return false;
}

/* Everything that the table says about this message; NULL when it holds. */
static const char *
chan_check(const struct chan *c, const struct msg *m, size_t got)
{
	const struct msg_head *h = &m->head;
	const struct msg_row *row;

	if (h->version != CHAN_VERSION)
		return "another version: are old and new executables mixed?";
	if (h->type == M_NONE || h->type >= M_MAX)
		return "unknown message";
	row = &msg_table[h->type];
	if ((row->from & c->peer) == 0)
		return "message that this peer may not send";
	if ((row->to & c->self) == 0)
		return "message that is not for this process";
	if ((row->state & c->state) == 0)
		return "message in the wrong state";
	if (h->len != got)
		return "length differs from what came";
	if (h->len < row->min || h->len > row->max)
		return "length out of bounds";
	if (h->has_fd > 1 || (h->has_fd == 1) != (m->fd != -1))
		return "descriptor announced and not there, or there and not announced";
	if ((m->fd != -1) != (row->fd != FD_NONE))
		return "descriptor missing or not wanted";
	if (m->fd != -1 && !chan_fd_ok(m->fd, row->fd))
		return "descriptor of the wrong kind";
	return NULL;
}

int
chan_recv(struct chan *c, struct msg *m, const char **why)
{
	struct iovec iov[2];
	struct fdpass got;
	ssize_t n;
	int reset = 0;

	*why = NULL;
	iov[0].iov_base = &m->head;
	iov[0].iov_len = sizeof(m->head);
	iov[1].iov_base = m->u.bytes;
	iov[1].iov_len = sizeof(m->u.bytes);
	m->fd = -1;
	memset(&m->head, 0, sizeof(m->head));
	do {
		n = fdpass_recv(c->fd, iov, 2, MSG_DONTWAIT, &got);
		/* ECONNRESET, once: the peer died with messages unread.  What it
		 * had sent is still there. */
	} while (n == -1 && errno == ECONNRESET && !reset++);
	if (n == -1)
		return errno == EAGAIN ? -1 : 0;
	m->fd = got.fd;
	if (n == 0 && m->fd == -1 && got.sound)
		return 0;
	if ((size_t)n < sizeof(m->head))
		*why = "message without a head";
	else if (got.cut)
		*why = "message too long";
	else if (!got.sound)
		*why = "more than one descriptor";
	else
		*why = chan_check(c, m, (size_t)n - sizeof(m->head));
	if (*why == NULL)
		return 1;
	if (m->fd != -1)
		close(m->fd);
	m->fd = -1;
	return -2;
}

int
msg_take_fd(struct msg *m)
{
	int fd = m->fd;

	m->fd = -1;
	return fd;
}

static void
chan_violation(struct chan *c, const struct msg *m, const char *why)
{
	log_event(LOG_WARNING, "channel.violation", LOG_S("peer", proc_name(c->peer)),
	    LOG_S("message", msg_name(m->head.type)), LOG_N("type", m->head.type),
	    LOG_N("len", m->head.len), LOG_S("why", why));
	chan_lost(c, why);
}

static bool
chan_dispatch(struct chan *c, struct msg *m)
{
	const struct chan_handler *h;

	for (h = c->handlers; h->type != M_NONE; h++)
		if (h->type == (enum msg_type)m->head.type)
			break;
	if (h->type == M_NONE)
		return false;
	if (c->permit == NULL || c->permit(c, m))
		h->fn(c, m);
	if (hook_after != NULL)
		hook_after();
	return true;
}

/* One message; false when there was none. */
static bool
chan_read(struct chan *c)
{
	/* Each process is single-threaded and no handler reads a channel. */
	static struct msg m;
	const char *why;
	bool unhandled = false;
	int r;

	if (c->gone_pending) {
		chan_lost(c, NULL);
		return false;
	}
	/*
	 * One message, then back to the loop, which calls again when there is
	 * more: a handler may close and free the channel, and a busy peer must
	 * not keep others waiting.
	 */
	r = chan_recv(c, &m, &why);
	if (r == -1)
		return false;
	if (r == 0) {
		chan_lost(c, NULL);
		return false;
	}
	if (r == -2) {
		chan_violation(c, &m, why);
		return false;
	}
	if (!chan_dispatch(c, &m))
		unhandled = true;
	if (m.fd != -1)
		close(m.fd);
	m.fd = -1;
	explicit_bzero(m.u.bytes, m.head.len);
	if (unhandled)
		chan_violation(c, &m, "message without a handler");
	return true;
}

static void
chan_on_read(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)chan_read(arg);
}

void
chan_read_rest(struct chan *c)
{
	unsigned int i;

	for (i = 0; i < CHAN_QUEUE_MAX && !c->closed && chan_read(c); i++)
		;
}

void
chan_pause(struct chan *c, bool pause)
{
	if (c->closed || c->ev_read == NULL)
		return;
	if (pause)
		event_del(c->ev_read);
	else
		event_add(c->ev_read, NULL);
}

int
chan_call(struct chan *c, enum msg_type type, const void *payload, size_t len,
    enum msg_type want, struct msg *answer, int timeout_ms)
{
	struct pollfd p;
	const char *why;
	int64_t end;
	int64_t left;
	int r;

	if (chan_send(c, type, 0, -1, payload, len) == -1)
		return -1;
	end = clock_ms(CLOCK_MONOTONIC) + timeout_ms;
	for (;;) {
		r = chan_recv(c, answer, &why);
		if (r == 1) {
			if (answer->head.type == want)
				return 0;
			if (answer->fd != -1)
				close(answer->fd);
			why = "not the answer that was asked for";
			r = -2;
		}
		if (r == -2)
			log_warnx("%s: %s: %s", proc_name(c->peer),
			    msg_name(answer->head.type), why);
		if (r != -1)
			return -1;
		left = end - clock_ms(CLOCK_MONOTONIC);
		if (left <= 0)
			return -1;
		p.fd = c->fd;
		p.events = POLLIN;
		if (poll(&p, 1, (int)left) == -1 && errno != EINTR)
			return -1;
	}
}
