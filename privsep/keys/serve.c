/* Answers to workers: see serve.h. */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../chan.h"
#include "../log.h"
#include "serve.h"
#include "session.h"
#include "sign.h"

#define SWEEP 60 /* seconds between looks for expired sessions */

struct peer {
	struct chan chan;
	uint64_t id; /* the worker's */
	struct wire_addr source;
	unsigned int puts;
	unsigned int gets;
};

static struct event_base *loop;
static struct chan *to_master;
static struct event *sweep_ev;
static unsigned int peers;

static void answer_sign(struct chan *, struct msg *);
static void answer_sess_put(struct chan *, struct msg *);
static void answer_sess_get(struct chan *, struct msg *);

static const struct chan_handler from_worker[] = {
	{ M_SIGN, answer_sign },
	{ M_SESS_PUT, answer_sess_put },
	{ M_SESS_GET, answer_sess_get },
	{ M_NONE, NULL },
};

/* Sessions age while the machine sleeps, and whatever is done to its clock. */
static int64_t
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return ts.tv_sec;
}

static void
sweep(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	sess_expire(now());
}

void
serve_init(struct event_base *base, struct chan *master)
{
	const struct timeval every = { SWEEP, 0 };

	loop = base;
	to_master = master;
	sweep_ev = event_new(base, -1, EV_PERSIST, sweep, NULL);
	if (sweep_ev == NULL || event_add(sweep_ev, &every) == -1)
		fatalx("out of memory");
}

static void
peer_free(struct peer *p)
{
	chan_close(&p->chan);
	explicit_bzero(p, sizeof(*p));
	free(p);
	peers--;
}

/* Whoever broke a rule is master's to punish. */
static void
peer_bad(struct peer *p)
{
	const struct m_worker_note m = { p->id, NOTE_VIOLATION, 0, p->source };

	chan_send(to_master, M_WORKER_NOTE, 0, -1, &m, sizeof(m));
	peer_free(p);
}

/* chan.c has logged a violation of the message table already. */
static void
peer_gone(struct chan *c, const char *why)
{
	if (why != NULL)
		peer_bad(c->arg);
	else
		peer_free(c->arg);
}

static void
peer_violation(struct peer *p, const char *message, const char *why)
{
	log_event(LOG_WARNING, "worker.violation", LOG_N("worker", p->id),
	    LOG_S("message", message), LOG_S("why", why));
	peer_bad(p);
}

void
serve_join(int fd, const struct m_worker *who)
{
	struct peer *p;

	if (peers >= SERVE_PEERS_MAX || (p = calloc(1, sizeof(*p))) == NULL) {
		log_warnx("too many workers in their handshake; one is refused");
		close(fd);
		return;
	}
	p->id = who->id;
	p->source = who->source;
	peers++;
	chan_init(&p->chan, fd, P_KEYS, P_WORKER, loop, from_worker, peer_gone, p);
}

unsigned int
serve_peers(void)
{
	return peers;
}

static void
answer_sign(struct chan *c, struct msg *m)
{
	struct peer *p = c->arg;
	struct m_signed ans;
	const char *why;

	/* One for life: from here on the message table refuses M_SIGN, and
	 * M_SESS_GET, which an honest worker sends before it. */
	c->state = S_BOUND;
	switch (sign_tls(MSG_DATA(m, m_sign), &ans, &why)) {
	case SIGN_OK:
		break;
	case SIGN_FAILED:
		log_event(LOG_WARNING, "sign.failed", LOG_N("worker", p->id),
		    LOG_S("why", why));
		break;
	case SIGN_VIOLATION:
		peer_violation(p, "SIGN", why);
		return;
	}
	chan_send(c, M_SIGNED, m->head.id, -1, &ans, sizeof(ans));
}

static void
answer_sess_put(struct chan *c, struct msg *m)
{
	const struct m_sess *s = MSG_DATA(m, m_sess);
	struct peer *p = c->arg;

	if (s->len == 0 || s->len > m->head.len - WIRE_SESS(0)) {
		peer_violation(p, "SESS_PUT", "length out of bounds");
		return;
	}
	if (++p->puts > SERVE_PUTS) {
		peer_violation(p, "SESS_PUT", "more sessions than a handshake makes");
		return;
	}
	sess_put(s->id, s->der, s->len, now());
}

static void
answer_sess_get(struct chan *c, struct msg *m)
{
	const struct m_sess *s = MSG_DATA(m, m_sess);
	struct peer *p = c->arg;
	static struct m_sess ans;

	if (s->len != 0) {
		peer_violation(p, "SESS_GET", "a question with an answer in it");
		return;
	}
	if (++p->gets > SERVE_GETS) {
		peer_violation(p, "SESS_GET", "more sessions than a handshake resumes");
		return;
	}
	_Static_assert(SESS_DER_MAX <= sizeof(ans.der), "a session fits its message");
	memset(&ans, 0, WIRE_SESS(0));
	memcpy(ans.id, s->id, sizeof(ans.id));
	ans.len = (uint32_t)sess_take(s->id, ans.der, now());
	chan_send(c, M_SESS, m->head.id, -1, &ans, WIRE_SESS(ans.len));
	explicit_bzero(&ans, WIRE_SESS(ans.len));
}
