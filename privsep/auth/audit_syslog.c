/* The audit trail to syslog: see audit_syslog.h. */
#include <sys/socket.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../audit_record.h"
#include "../log.h"
#include "audit_syslog.h"
#include "auth.h"
#include "../hex.h"

#define QUEUE_MAX (1u << 20)
#define DATAGRAM  8192 /* bytes of a line; syslog services cut what is longer */
#define HEAD_MAX  48
#define AT_A_TIME 200  /* datagrams, then others have their turn */
#define AGAIN     2000 /* milliseconds, between two sockets */
#define LENGTH    sizeof(uint16_t)

static struct {
	bool on;
	unsigned int facility;
	int fd;
	struct event *writable;
	char *buf;
	size_t from;    /* the first that is not sent, */
	size_t durable; /* ... that is not on the disk yet, */
	size_t end;     /* ... and where the next one comes */
	uint64_t lost;
	int64_t asked;
} q = { .fd = -1 };

static void
leave(void)
{
	if (q.writable != NULL)
		event_free(q.writable);
	q.writable = NULL;
	if (q.fd != -1)
		close(q.fd);
	q.fd = -1;
}

static size_t
first_length(void)
{
	uint16_t n;

	memcpy(&n, q.buf + q.from, LENGTH);
	return n;
}

/* False: not now, or not on this socket. */
static bool
send_first(void)
{
	struct iovec iov = { q.buf + q.from + LENGTH, first_length() };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };

	while (sendmsg(q.fd, &mh, MSG_DONTWAIT | MSG_NOSIGNAL) == -1) {
		if (errno == EINTR)
			continue;
		if (errno == EMSGSIZE) {
			q.lost++;
			break;
		}
		if (errno == EAGAIN)
			event_add(q.writable, NULL);
		else if (errno != ENOBUFS)
			leave(); /* it went away; tick asks for another one */
		return false;
	}
	q.from += LENGTH + iov.iov_len;
	return true;
}

static void
send_some(void)
{
	unsigned int n;

	for (n = 0; q.fd != -1 && q.from < q.durable; n++) {
		if (n == AT_A_TIME) {
			event_add(q.writable, NULL);
			break;
		}
		if (!send_first())
			break;
	}
	if (q.from == q.end)
		q.from = q.durable = q.end = 0;
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	send_some();
}

void
audit_syslog_config(bool on, unsigned int facility)
{
	q.on = on;
	q.facility = facility;
	q.asked = auth_ms(); /* isolation sends one unasked */
	if (!on)
		audit_syslog_close();
	else if (q.buf == NULL && (q.buf = malloc(QUEUE_MAX)) == NULL)
		fatalx("audit trail: out of memory");
}

void
audit_syslog_take(int fd)
{
	if (!q.on) {
		close(fd);
		return;
	}
	leave();
	q.fd = fd;
	q.writable = event_new(auth.base, fd, EV_WRITE, on_writable, NULL);
	if (q.writable == NULL)
		fatalx("out of memory");
	send_some();
}

/* Of a line that is too long, what finds it in the trail. */
static size_t
short_line(const struct m_audit *r, size_t len, char *buf, size_t size)
{
	char time[32], hash[AUDIT_HEX + 1];

	audit_time_text(time, r->time);
	hex_put(hash, r->hash, sizeof(r->hash));
	return (size_t)snprintf(buf, size,
	    "{\"v\":%d,\"seq\":%llu,\"time\":\"%s\",\"event\":\"%s\",\"outcome\":\"%s\","
	    "\"bytes\":%zu,\"hash\":\"%s\"}",
	    AUDIT_VERSION, (unsigned long long)r->seq, time, r->event, r->outcome, len,
	    hash);
}

static bool
room(size_t n)
{
	if (QUEUE_MAX - q.end < n && q.from > 0) {
		memmove(q.buf, q.buf + q.from, q.end - q.from);
		q.durable -= q.from;
		q.end -= q.from;
		q.from = 0;
	}
	return QUEUE_MAX - q.end >= n;
}

void
audit_syslog_add(int level, const struct m_audit *r, const char *line, size_t len)
{
	char cut[512], head[HEAD_MAX];
	uint16_t all;
	size_t n;

	if (!q.on)
		return;
	if (len > DATAGRAM - HEAD_MAX) {
		len = short_line(r, len, cut, sizeof(cut));
		line = cut;
	}
	n = (size_t)snprintf(head, sizeof(head),
	    "<%u>ided-audit[%d]: ", q.facility << 3 | (unsigned int)level, (int)getpid());
	if (!room(LENGTH + n + len)) {
		q.lost++;
		return;
	}
	all = (uint16_t)(n + len);
	memcpy(q.buf + q.end, &all, LENGTH);
	memcpy(q.buf + q.end + LENGTH, head, n);
	memcpy(q.buf + q.end + LENGTH + n, line, len);
	q.end += LENGTH + all;
}

void
audit_syslog_durable(void)
{
	if (!q.on)
		return;
	q.durable = q.end;
	send_some();
}

uint64_t
audit_syslog_lost(void)
{
	uint64_t lost = q.lost;

	q.lost = 0;
	return lost;
}

bool
audit_syslog_tick(void)
{
	int64_t now = auth_ms();

	if (!q.on)
		return false;
	send_some();
	if (q.fd != -1 || now - q.asked < AGAIN)
		return false;
	q.asked = now;
	return true;
}

void
audit_syslog_close(void)
{
	uint64_t n;

	if (q.buf == NULL)
		return;
	/* What a service does not take at once, it does not get any more. */
	for (n = 0; q.fd != -1 && q.from < q.durable && send_first();)
		;
	for (; q.from < q.durable; n++)
		q.from += LENGTH + first_length();
	n += audit_syslog_lost();
	if (n > 0)
		log_event(LOG_WARNING, "audit.syslog", LOG_N("lost", n));
	leave();
	free(q.buf);
	q.buf = NULL;
	q.from = q.durable = q.end = 0;
	q.on = false;
}
