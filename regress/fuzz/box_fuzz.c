/*
 * An ide-session that belongs to an attacker, before isolation as it runs: any
 * message in any order, with any descriptor.  Auth gets one answer at most to each of
 * its questions, of a kind that fits it, and of descriptors only connected
 * sockets of the user's own; a rule that is broken ends the sandbox.
 */
#include <sys/socket.h>
#include <sys/un.h>

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../privsep/isolation/box_ask.c"
#include "fuzz.h"

#define ASKED 64

struct isolation isolation;

static struct box box;
static struct chan session, auth_ours, auth_end;
static bool killed;
static struct {
	enum ask_kind kind;
	bool answered;
} asked[ASKED + 1]; /* by auth's number */
static uint32_t nasked;
static int mine[2] = { -1, -1 };  /* a connected pair of this uid */
static int other = -1, file = -1; /* what is none */

/* --- the rest of isolation --- */

struct timeval
isolation_ms(long ms)
{
	return ((struct timeval){ ms / 1000, ms % 1000 * 1000 });
}

void
box_kill(struct box *b, const char *why)
{
	check(b == &box && why != NULL);
	killed = true;
}

void
box_thaw(struct box *b)
{
	b->frozen = false;
}

void
box_row(const struct box *b, struct m_sandbox *row)
{
	memset(row, 0, sizeof(*row));
	row->uid = b->uid;
}

void
watch_seen(struct box *b, const struct m_processes *p)
{
	(void)p;
	check(b == &box);
}

void
watch_relieved(struct box *b, const struct m_process *p)
{
	(void)p;
	check(b == &box);
}

bool
ready_release(uint32_t uid, void (*gone)(void *), void *arg)
{
	(void)uid;
	(void)gone;
	(void)arg;
	return (false);
}

int
storage_remove(const char *user, uint32_t uid, struct m_fail *f)
{
	(void)user;
	(void)f;
	check(uid == box.uid);
	return 0;
}

/* What is a port's: box_port.c. */
bool
box_port_ok(int fd, uint16_t port)
{
	check(fd != -1 && port != 0);
	return false;
}

static void
gone(struct chan *c, const char *why)
{
	(void)c;
	(void)why;
	killed = true;
}

/* --- what auth hears --- */

static void
auth_hears(void)
{
	static struct msg m;
	const char *why;
	struct stat a, b;
	uint32_t id;

	while (chan_recv(&auth_end, &m, &why) == 1) {
		id = m.head.id;
		check(id >= 1 && id <= nasked);
		if (m.head.type == M_SB_PROCESSES || m.head.type == M_SB_MEMORY) {
			check(asked[id].kind == ASK_SHOW && !asked[id].answered);
			continue;
		}
		check(!asked[id].answered);
		asked[id].answered = true;
		switch (m.head.type) {
		case M_SB_FD:
			check(asked[id].kind == ASK_CONNECT);
			check(fstat(m.fd, &a) == 0 && fstat(mine[0], &b) == 0);
			check(a.st_ino == b.st_ino);
			check((fcntl(m.fd, F_GETFL) & O_NONBLOCK) != 0);
			break;
		case M_SB_ROW:
			check(asked[id].kind == ASK_SHOW);
			break;
		case M_SB_EXIT:
			check(asked[id].kind == ASK_EXEC);
			check(MSG_DATA(&m, m_exit)->status <= 0xff);
			break;
		case M_SB_OK:
			check(asked[id].kind == ASK_STOP);
			break;
		case M_SB_FAIL:
			check(wire_str(MSG_DATA(&m, m_fail)->text));
			for (const char *p = MSG_DATA(&m, m_fail)->text; *p != '\0'; p++)
				check(*p >= ' ' && *p <= '~');
			break;
		default:
			abort();
		}
		if (m.fd != -1)
			close(m.fd);
	}
}

static void
auth_asks(uint8_t how)
{
	static const enum ask_kind kinds[] = { ASK_CONNECT, ASK_EXEC, ASK_SHOW,
		ASK_STOP };
	enum ask_kind kind = kinds[how & 3];
	struct m_exec x;
	int fd[3];

	if (nasked == ASKED)
		return;
	asked[++nasked].kind = kind;
	asked[nasked].answered = false;
	if (kind != ASK_EXEC) {
		box_ask(&box, kind, nasked, NULL, NULL);
		return;
	}
	memset(&x, 0, sizeof(x));
	for (int i = 0; i < 3; i++) {
		int p[2];

		check(pipe2(p, O_CLOEXEC) == 0);
		fd[i] = p[0];
		close(p[1]);
	}
	box_ask(&box, kind, nasked, &x, fd);
}

/* --- what the session says --- */

static void
says(uint8_t how)
{
	static uint8_t buf[MSG_PAYLOAD_MAX];
	static const enum msg_type types[] = { M_SESSION_FD, M_SESSION_FAIL,
		M_SESSION_EXIT, M_SESSION_STATE, M_SESSION_PROCESSES,
		M_SESSION_RELIEVED };
	enum msg_type t = types[(how & 7) % 6];
	size_t n, len = msg_table[t].max;
	struct ask *a = TAILQ_FIRST(&box.asks);
	uint32_t id;
	int fd = -1;

	if (how & 0x80) { /* no message at all */
		n = next() % 64;
		for (size_t i = 0; i < n; i++)
			buf[i] = next();
		(void)!send(session.fd, buf, n, MSG_DONTWAIT | MSG_NOSIGNAL);
		return;
	}
	for (int i = next() % 8; a != NULL && i > 0; i--)
		a = TAILQ_NEXT(a, entry);
	id = a == NULL || (how & 0x40) ? next() : a->number;
	memset(buf, how & 0x20 ? 'a' : 0, len);
	if (how & 0x10)
		for (n = next(); n > 0 && len > 0; n--)
			buf[(next() | (size_t)next() << 8) % len] = next();
	if (t == M_SESSION_FD) {
		n = next() % 4;
		fd = dup(n == 0 ? other : n == 1 ? file : mine[0]);
		check(fd != -1);
	}
	(void)chan_send(&session, t, id, fd, buf, len);
}

/* A socket of somebody else's, whose peer is gone, and what is no socket. */
static void
descriptors(void)
{
	int fds[2];

	check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, mine) == 0);
	check(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fds) == 0);
	other = fds[0];
	check((file = open("/dev/null", O_RDWR | O_CLOEXEC)) != -1);
}

static void
begin(void)
{
	static const struct chan_handler none[] = { { M_NONE, NULL } };
	int fds[2];

	if (isolation.base == NULL) {
		log_init("fuzz", STDERR_FILENO, 0, LOG_EMERG, false);
		check((isolation.base = event_base_new()) != NULL);
		check(chan_pair(fds) == 0);
		chan_init(&auth_ours, fds[0], P_ISOLATION, P_AUTH, isolation.base, none,
		    gone, NULL);
		chan_init(&auth_end, fds[1], P_AUTH, P_ISOLATION, NULL, NULL, NULL, NULL);
		isolation.auth = &auth_ours;
		descriptors();
	}
	memset(&box, 0, sizeof(box));
	TAILQ_INIT(&box.asks);
	box.uid = getuid();
	box.state = SANDBOX_STARTING;
	check(chan_pair(fds) == 0);
	chan_init(&box.chan, fds[0], P_ISOLATION, P_SESSION, isolation.base, box_handlers,
	    gone, &box);
	chan_init(&session, fds[1], P_SESSION, P_ISOLATION, NULL, NULL, NULL, NULL);
	killed = false;
	nasked = 0;
	answer_new_epoch();
}

static void
session_hears(void)
{
	static struct msg m;
	const char *why;

	while (chan_recv(&session, &m, &why) == 1)
		if (m.fd != -1)
			close(m.fd);
}

static void
happens(uint8_t op)
{
	struct ask *a;

	switch (op & 7) {
	case 0:
	case 1:
	case 2:
		says(next());
		break;
	case 3:
	case 4:
		auth_asks(next());
		break;
	case 5:
		if (box.state == SANDBOX_STARTING) {
			box.state = SANDBOX_RUNNING;
			box_ask_all(&box);
		} else {
			static const enum ask_kind ours[] = { ASK_LOOK, ASK_RELIEVE,
				ASK_OURS };

			if (op & 0x80) /* nobody's question has no number of auth's */
				box_ask(&box, ours[(op >> 3) % 3], 0, NULL, NULL);
		}
		break;
	case 6: /* a question's time is over */
		a = TAILQ_FIRST(&box.asks);
		for (int i = op >> 3; a != NULL && i > 0; i--)
			a = TAILQ_NEXT(a, entry);
		if (a != NULL && a->timer != NULL && !a->late) {
			event_del(a->timer);
			on_time(-1, 0, a);
		}
		break;
	case 7:
		if (op & 0x80) /* another auth */
			answer_new_epoch();
		else
			box_ask_stopping(&box);
		break;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	in = data;
	left = size > 1024 ? 1024 : size;
	begin();
	while (left > 0 && !killed) {
		happens(next());
		event_base_loop(isolation.base, EVLOOP_NONBLOCK);
		auth_hears();
		session_hears();
	}
	chan_close(&box.chan);
	box_ask_over(&box);
	auth_hears();
	check(TAILQ_EMPTY(&box.asks) && box.nasks == 0 && box.nexecs == 0);
	chan_close(&session);
	event_base_loop(isolation.base, EVLOOP_NONBLOCK);
	return (0);
}
