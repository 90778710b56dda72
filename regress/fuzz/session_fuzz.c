/*
 * Who a connection acts for: requests with any credential, an auth that says
 * what it likes, dies, comes back, revokes, in any order.  A request is a user's
 * only with the token that auth said is that user's, and the connection is one
 * user's for life.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Its state is that of a process, and here many live in one. */
#include "../../worker/question.c"
#include "../../worker/session.c"
#include "../../worker/limit.h"
#include "../../worker/routes.h"
#include "fuzz.h"

#define STREAMS 8
#define TOKENS  3 /* of ann, of ann too, of bob */

struct request {
	struct stream s;
	char field[256];
	uint8_t token[WIRE_TOKEN];
	bool has_token; /* a plain one, known to be in field */
	bool open;
	bool known;
};

static struct worker w;
static struct request requests[STREAMS];
static struct chan auth; /* its end, as long as there is one */
static bool auth_is_there, aborted;
static uint8_t tokens[TOKENS][WIRE_TOKEN];
static const char *const owners[TOKENS] = { "ann", "ann", "bob" };
static bool approved[TOKENS]; /* in this life, by auth */
static const char *bound_to;  /* whom it was bound to first */
static uint32_t asked[16];    /* numbers of open questions */
static enum msg_type asked_type[16];
static uint8_t asked_token[16][WIRE_TOKEN];
static unsigned int nasked;

/* --- the rest of the worker --- */

struct worker worker;

static void
front_respond(struct stream *s, unsigned int status, const struct header *h, size_t n,
    int64_t length)
{
	(void)s;
	(void)status;
	(void)n;
	(void)length;
}

static void
front_nothing(struct stream *s)
{
	(void)s;
}

static void
front_pause(struct stream *s, bool pause)
{
	(void)s;
	(void)pause;
}

static const struct stream_front front = {
	.respond = front_respond,
	.end = front_nothing,
	.reset = front_nothing,
	.pause = front_pause,
};

void
worker_rid(char rid[WIRE_RID])
{
	memset(rid, '0', WIRE_RID - 1);
	rid[WIRE_RID - 1] = '\0';
}

void
worker_count(uint32_t n, uint64_t i, uint64_t o)
{
	(void)n;
	(void)i;
	(void)o;
}

struct slice
cookie_of(const struct stream *s, const char *name)
{
	(void)s;
	(void)name;
	return ((struct slice){ NULL, 0 });
}

void
respond_error(struct stream *s, unsigned int status, const char *text)
{
	(void)text;
	check(status >= 400 && status < 600);
	stream_respond(s, status, NULL, 0, 0);
	stream_end(s);
}

void
conn_drain(struct worker *which)
{
	which->draining = true;
}

void
conn_abort(struct conn *c, const char *why)
{
	(void)c;
	check(why != NULL);
	aborted = true;
}

/* What is counted goes to master, who is not here. */
void
traffic_count(const struct stream *s, int64_t us)
{
	(void)s;
	check(us >= 0);
}

void
traffic_flush(void)
{
}

/* Leases have a unit test of their own; here, only that what comes is whole. */
void
limit_on_lease(struct chan *c, struct msg *m)
{
	(void)c;
	check(m->head.len == sizeof(struct wire_lease));
}

void
limit_on_recall(struct chan *c, struct msg *m)
{
	(void)c;
	check(m->head.len == sizeof(struct m_lease_ask));
}

void
limit_auth_gone(void)
{
}

/* --- auth --- */

static void
auth_leave(void)
{
	if (auth_is_there)
		chan_close(&auth);
	auth_is_there = false;
	nasked = 0;
}

static void
auth_come(void)
{
	int fds[2];

	auth_leave();
	check(chan_pair(fds) == 0);
	chan_init(&auth, fds[0], P_AUTH, P_WORKER, NULL, NULL, NULL, NULL);
	auth.state = w.bound ? S_BOUND : S_NEW;
	auth_is_there = true;
	session_join(&w, fds[1]);
}

static void
auth_hear(void)
{
	static struct msg m;
	const char *why;

	while (auth_is_there && chan_recv(&auth, &m, &why) == 1) {
		if (nasked == 16 || m.head.type == M_BEAT || m.head.type == M_HOLD ||
		    m.head.type == M_REQUEST)
			continue;
		asked[nasked] = m.head.id;
		asked_type[nasked] = m.head.type;
		if (m.head.type == M_AUTH_TOKEN)
			memcpy(asked_token[nasked], MSG_DATA(&m, m_auth_token)->token,
			    WIRE_TOKEN);
		nasked++;
	}
}

static int
token_of(const uint8_t *token)
{
	for (int i = 0; i < TOKENS; i++)
		if (memcmp(tokens[i], token, WIRE_TOKEN) == 0)
			return (i);
	return (-1);
}

/* The token that this number asks about, if any does. */
static int
token_asked(uint32_t id)
{
	for (unsigned int i = 0; i < nasked; i++)
		if (asked[i] == id && asked_type[i] == M_AUTH_TOKEN)
			return (token_of(asked_token[i]));
	return (-1);
}

/* To a question after a credential, or to none at all: what, by input. */
static void
auth_says_who(unsigned int i, uint8_t how)
{
	struct m_who m;
	uint32_t id = how & 0x80 || nasked == 0 ? next() : asked[i % nasked];
	int t = token_asked(id);

	memset(&m, 0, sizeof(m));
	m.result = t == -1 ? AUTH_DENIED : AUTH_OK;
	if (t != -1)
		snprintf(m.who.name, sizeof(m.who.name), "%s", owners[t]);
	switch (how & 7) {
	case 0:
	case 1:
	case 2:
	case 3: /* the truth */
		break;
	case 4:
		m.result = next() % 8;
		/* Nobody's name comes with what is no yes. */
		if (m.result == AUTH_OK && t == -1)
			m.result = AUTH_DENIED;
		break;
	case 5: /* no end of a string */
		memset(m.who.name, 'a', sizeof(m.who.name));
		m.result = AUTH_OK;
		break;
	case 6:
		memset(m.who.last_query, 'a', sizeof(m.who.last_query));
		m.result = AUTH_OK;
		break;
	case 7:
		m.result = AUTH_DENIED;
		break;
	}
	if (m.result == AUTH_OK && t != -1 && (how & 7) < 5)
		approved[t] = true;
	(void)chan_send(&auth, M_WHO, id, -1, &m, sizeof(m));
}

static void
auth_says(uint8_t how)
{
	struct m_fail fail;
	struct m_revoked r = { REVOKED_ADMIN, 0 };
	struct m_session row;
	struct m_ok ok;
	unsigned int i = next();
	uint32_t id;

	auth_hear();
	if (!auth_is_there)
		return;
	id = nasked == 0 ? next() : asked[i % nasked];
	switch (how % 6) {
	case 0:
	case 1:
		auth_says_who(i, next());
		break;
	case 2:
		memset(&fail, 0, sizeof(fail));
		fail.code = next();
		(void)chan_send(&auth, M_FAIL, id, -1, &fail, sizeof(fail));
		break;
	case 3:
		(void)chan_send(&auth, M_REVOKED, 0, -1, &r, sizeof(r));
		break;
	case 4:
		memset(&row, next(), sizeof(row));
		(void)chan_send(&auth, M_ROW_SESSION, id, -1, &row, sizeof(row));
		break;
	case 5:
		memset(&ok, 0, sizeof(ok));
		(void)chan_send(&auth, M_OK, id, -1, &ok, sizeof(ok));
		break;
	}
}

/* --- requests --- */

static void
on_answer_to(void *arg, struct msg *m)
{
	struct stream *s = arg;

	check(!s->closed);
	if (m != NULL &&
	    (m->head.type == M_ROW_SESSION || m->head.type == M_ROW_SANDBOX ||
		m->head.type == M_ROW_PROCESSES || m->head.type == M_ROW_MEMORY))
		return;
	respond_error(s, 500, NULL);
}

static void
on_known(struct stream *s, unsigned int who)
{
	struct request *r = (struct request *)(void *)s;
	int t;

	check(r->open && !r->known && !s->closed);
	r->known = true;
	if (who != WHO_USER) {
		respond_error(s, 401, NULL);
		return;
	}
	t = token_of(r->token);
	check(w.bound && r->has_token && t != -1 && approved[t]);
	if (bound_to == NULL)
		bound_to = owners[t];
	check(strcmp(owners[t], bound_to) == 0 && strcmp(w.who.name, bound_to) == 0);
	if (next() & 1)
		auth_ask_for(s, M_PORTAL, NULL, 0, on_answer_to);
	else
		respond_error(s, 404, NULL);
}

/* Ours, and where a program is asked. */
static const struct route places[] = { { .path = "/" }, { .path = "/", .flags = R_APP } };

static void
request(uint8_t how)
{
	struct request *r = &requests[how % STREAMS];
	size_t n = 0;
	int t = next() % (TOKENS + 1);
	uint8_t kind;

	if (r->open)
		return;
	memset(r, 0, sizeof(*r));
	stream_init(&r->s, &w, &front, NULL);
	r->s.route = &places[(how & 0x10) != 0];
	r->open = true;
	if (t < TOKENS) {
		memcpy(r->token, tokens[t], WIRE_TOKEN);
		r->has_token = true;
		n = (size_t)snprintf(r->field, sizeof(r->field), "%s",
		    how & 0x40 ? "Bearer " : "a=b; " SESSION_COOKIE "=");
		for (int i = 0; i < WIRE_TOKEN; i++)
			n += (size_t)snprintf(
			    r->field + n, sizeof(r->field) - n, "%02x", tokens[t][i]);
	} else {
		for (uint8_t c; n < sizeof(r->field) - 1 && (c = next()) != 0;)
			r->field[n++] = (char)c;
	}
	r->s.head.nheader = 1 + ((how & 0x20) != 0);
	for (size_t i = 0; i < r->s.head.nheader; i++) {
		r->s.head.header[i].id = how & 0x40 ? HDR_AUTHORIZATION : HDR_COOKIE;
		r->s.head.header[i].value = (struct slice){ r->field, n };
	}
	/* What was made up may be a good one all the same. */
	if (t == TOKENS)
		r->has_token = credential(&r->s, r->token, &kind) == 1;
	r->s.by_bearer = false;
	session_who(&r->s, on_known);
}

static void
request_close(struct request *r)
{
	if (!r->open)
		return;
	stream_close(&r->s);
	r->open = false;
}

static void
loop(void)
{
	event_base_loop(w.base, EVLOOP_NONBLOCK);
	for (int i = 0; i < STREAMS; i++)
		if (requests[i].open && requests[i].s.ended)
			request_close(&requests[i]);
}

/* --- a life --- */

static void
begin(void)
{
	static struct conf_for_worker conf;
	struct event_base *base = w.base;
	int fds[2];

	if (base == NULL) {
		log_init("fuzz", STDERR_FILENO, 0, LOG_EMERG, false);
		check((base = event_base_new()) != NULL);
		for (int i = 0; i < TOKENS; i++)
			memset(tokens[i], 0x11 * (i + 1), WIRE_TOKEN);
	}
	memset(&w, 0, sizeof(w));
	memset(&se, 0, sizeof(se));
	memset(approved, 0, sizeof(approved));
	w.base = base;
	w.conf = &conf;
	w.conn = (struct conn *)(void *)&w;
	aborted = auth_is_there = false;
	bound_to = NULL;
	nasked = 0;
	check(chan_pair(fds) == 0);
	close(fds[0]);
	chan_init(&w.master, fds[1], P_WORKER, P_MASTER, NULL, NULL, NULL, NULL);
}

static void
end(void)
{
	for (int i = 0; i < STREAMS; i++)
		request_close(&requests[i]);
	check(se.wait == NULL);
	for (int i = 0; i < QUESTIONS; i++) {
		check(questions[i].id == 0 || questions[i].fn == NULL ||
		    questions[i].fn == on_who || questions[i].fn == on_again);
		held_free(&questions[i]);
	}
	auth_leave();
	if (w.auth_joined)
		chan_close(&w.auth);
	chan_close(&w.master);
	if (se.away != NULL)
		event_free(se.away);
	event_base_loop(w.base, EVLOOP_NONBLOCK);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t op;

	in = data;
	left = size > 512 ? 512 : size;
	begin();
	while (left > 0 && !aborted) {
		op = next();
		switch (op % 8) {
		case 0:
		case 1:
		case 2:
			request(next());
			break;
		case 3:
		case 4:
			auth_says(next());
			break;
		case 5:
			auth_come();
			break;
		case 6:
			if (op & 0x80)
				auth_leave();
			else if (op & 0x40)
				session_leaving(&w);
			else
				session_beat(&w);
			break;
		case 7:
			if (op & 0x80 && se.away != NULL &&
			    event_pending(se.away, EV_TIMEOUT, NULL))
				on_away(-1, 0, &w);
			else
				request_close(&requests[next() % STREAMS]);
			break;
		}
		loop();
	}
	end();
	return (0);
}
