/*
 * Who the connection acts for: see session.h.
 *
 * Requests that come before auth has answered wait in a list; one question is
 * asked at a time, and one good answer settles them all.  The channel to auth is
 * asked for with the first of them, or by a login.  When auth dies, what
 * runs goes on for AWAY_TIME; within it auth must be back and must know the
 * token still, or everything is closed.
 */
#include <bsd/stdlib.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <string.h>
#include <time.h>

#include "../privsep/log.h"
#include "conn.h"
#include "credential.h"
#include "limit.h"
#include "jwt_parse.h"
#include "port.h"
#include "question.h"
#include "respond.h"
#include "session.h"

#define AWAY_TIME 5  /* s */
#define BEAT_TIME 30 /* s; half of what /healthz calls alive */

static struct {
	struct stream *wait; /* list of those who wait to be known */
	bool asked;          /* who it is, is on its way */
	uint8_t asking[WIRE_TOKEN];
	uint8_t asking_kind;
	struct m_jwt asking_jwt;
	struct m_jwt jwt; /* that the connection is bound by, or was last */
	bool was_denied;
	uint8_t denied[WIRE_TOKEN];
	uint8_t denied_kind;
	bool leaving;
	bool wanted; /* M_WANT_AUTH was sent */
	bool again;  /* a new auth was told the token, and has not answered */
	struct event *away;
	time_t beat;
	unsigned int holds; /* WebSockets that hold the sandbox */
} se;

static void ask_next(struct worker *);
static void away_start(struct worker *);

/* Auth is wanted: for the first time, or again after it died. */
void
auth_want(struct worker *w)
{
	if (!se.wanted)
		(void)chan_send(&w->master, M_WANT_AUTH, 0, -1, NULL, 0);
	se.wanted = true;
	away_start(w);
}

/* Before it knows us, a bound worker's word would break the rules. */
bool
auth_there(const struct worker *w)
{
	return (w->auth_joined && !se.again);
}

/* --- those who wait --- */

static void
wait_remove(struct stream *s)
{
	struct stream **p;

	for (p = &se.wait; *p != NULL; p = &(*p)->who_next)
		if (*p == s) {
			*p = s->who_next;
			break;
		}
	s->who_next = NULL;
	s->on_close = NULL;
	explicit_bzero(s->who_token, sizeof(s->who_token));
}

/* It is known now; goes on where session_who() was called. */
static void
wait_over(struct stream *s, unsigned int who)
{
	session_fn fn = s->who_fn;

	wait_remove(s);
	s->paused = false;
	fn(s, who);
	if (s->closed || s->paused)
		return;
	if (s->status == 0 && s->on_body == NULL && s->on_body_end == NULL)
		s->paused = true;
	else
		stream_pause(s, false);
}

static void
wait_refuse(unsigned int status, const char *text)
{
	struct stream *s;

	while ((s = se.wait) != NULL) {
		wait_remove(s);
		respond_error(s, status, text);
	}
}

/* A credential that is not this connection's: whoever sends it is to come
 * back on a connection of its own. */
static void
misdirected(struct stream *s)
{
	conn_drain(s->w);
	respond_error(s, 421, NULL);
}

static bool
is_bound_token(const struct worker *w, const uint8_t *token, uint8_t kind)
{
	return (kind == w->token_kind &&
	    CRYPTO_memcmp(token, w->token, WIRE_TOKEN) == 0); /* constant time */
}

static bool
is_denied(const uint8_t *token, uint8_t kind)
{
	return (se.was_denied && kind == se.denied_kind &&
	    memcmp(token, se.denied, WIRE_TOKEN) == 0);
}

static void
wait_bound(struct worker *w)
{
	struct stream *s;

	while ((s = se.wait) != NULL) {
		if (is_bound_token(w, s->who_token, s->who_kind))
			wait_over(s, WHO_USER);
		else {
			wait_remove(s);
			misdirected(s);
		}
	}
}

static void
wait_denied(void)
{
	struct stream *s = se.wait, *next;

	for (; s != NULL; s = next) {
		next = s->who_next;
		if (is_denied(s->who_token, s->who_kind)) {
			wait_over(s, WHO_NOBODY);
			next = se.wait; /* it may be another list now */
		}
	}
}

/* --- binding --- */

bool
session_bind(
    struct worker *w, const struct wire_who *who, const uint8_t token[WIRE_TOKEN])
{
	if (!wire_str(who->name) || !wire_str(who->role) || !wire_str(who->session) ||
	    !wire_str(who->last_query) ||
	    (w->bound && strcmp(w->who.name, who->name) != 0)) {
		log_warnx("BUG: unsound answer of auth");
		return (false);
	}
	w->bound = true;
	w->auth.state = S_BOUND;
	w->who = *who;
	memcpy(w->token, token, WIRE_TOKEN);
	w->token_kind = w->site == SITE_SHARE ? CRED_SHARE :
	    w->site == SITE_PORT              ? CRED_PORT :
						CRED_SESSION;
	return (true);
}

bool
session_bind_jwt(struct worker *w, const struct m_tokens *t, struct slice access)
{
	uint8_t id[WIRE_TOKEN];

	SHA256((const uint8_t *)access.p, access.len, id);
	if (!session_bind(w, &t->who, id))
		return (false);
	w->token_kind = CRED_JWT;
	se.jwt = t->access;
	return (true);
}

/* Auth's answer to who it is, for those who wait. */
static void
on_who(void *arg, struct msg *m)
{
	struct worker *w = arg;
	const struct m_who *a;

	se.asked = false;
	if (m == NULL)
		return; /* they wait for auth to come back */
	/* A row would leave the question open, and its answer be another's. */
	if (m->head.type != M_WHO && m->head.type != M_FAIL) {
		conn_abort(w->conn, "auth's answer is unsound");
		return;
	}
	a = MSG_DATA(m, m_who);
	switch (m->head.type == M_WHO ? a->result : 0) {
	case AUTH_OK:
		if (session_bind(w, &a->who, se.asking)) {
			w->token_kind = se.asking_kind;
			if (se.asking_kind == CRED_JWT)
				se.jwt = se.asking_jwt;
			wait_bound(w);
		} else
			conn_abort(w->conn, "auth's answer is unsound");
		break;
	case AUTH_DENIED:
		memcpy(se.denied, se.asking, WIRE_TOKEN);
		se.denied_kind = se.asking_kind;
		se.was_denied = true;
		wait_denied();
		ask_next(w);
		break;
	case AUTH_OTHER_USER:
		conn_drain(w);
		wait_refuse(421, NULL);
		break;
	case AUTH_RATE_LIMITED:
		wait_refuse(429, NULL);
		break;
	default:
		wait_refuse(503, NULL);
		break;
	}
	explicit_bzero(se.asking, sizeof(se.asking));
}

static bool
ask_who(struct worker *w, const struct m_request *of, uint8_t kind,
    const uint8_t token[WIRE_TOKEN], const struct m_jwt *jwt, auth_fn fn)
{
	struct m_auth_token t;
	struct m_share_token p;
	bool ok;

	if (kind == CRED_JWT)
		return (auth_ask(w, of, M_JWT_USE, jwt, sizeof(*jwt), fn, w) != 0);
	if (kind == CRED_PORT || kind == CRED_SHARE) {
		memset(&p, 0, sizeof(p));
		memcpy(p.token.token, token, sizeof(p.token.token));
		p.token.port = w->port.port;
		p.share = w->port;
		ok = (kind == CRED_SHARE ?
			     auth_ask(w, of, M_SHARE_TOKEN, &p, sizeof(p), fn, w) :
			     auth_ask(w, of, M_PORT_TOKEN, &p.token, sizeof(p.token), fn,
				 w)) != 0;
		explicit_bzero(&p, sizeof(p));
		return (ok);
	}
	memcpy(t.token, token, WIRE_TOKEN);
	ok = auth_ask(w, of, kind == CRED_API ? M_API_TOKEN : M_AUTH_TOKEN, &t, sizeof(t),
		 fn, w) != 0;
	explicit_bzero(&t, sizeof(t));
	return (ok);
}

static void
ask_next(struct worker *w)
{
	if (se.asked || se.wait == NULL || !w->auth_joined)
		return;
	memcpy(se.asking, se.wait->who_token, WIRE_TOKEN);
	se.asking_kind = se.wait->who_kind;
	/* It was one when its stream began to wait. */
	if (se.asking_kind == CRED_JWT)
		(void)jwt_parse(&se.asking_jwt, credential_bearer(se.wait));
	se.asked = ask_who(
	    w, request_of(se.wait), se.asking_kind, se.asking, &se.asking_jwt, on_who);
	if (!se.asked)
		wait_refuse(503, NULL);
}

/* --- auth comes and goes --- */

static void
on_away(int fd, short what, void *arg)
{
	struct worker *w = arg;

	(void)fd;
	(void)what;
	if ((w->bound || w->guest) && w->conn != NULL)
		conn_abort(w->conn, "auth did not come back");
	else
		wait_refuse(503, NULL);
	questions_fail(false);
}

static void
away_start(struct worker *w)
{
	static const struct timeval tv = { AWAY_TIME, 0 };

	if (se.away == NULL && (se.away = event_new(w->base, -1, 0, on_away, w)) == NULL)
		fatalx("event_new");
	if (!event_pending(se.away, EV_TIMEOUT, NULL))
		event_add(se.away, &tv);
}

static bool
bind_again(struct worker *w, const struct wire_who *who)
{
	uint8_t kind = w->token_kind, token[WIRE_TOKEN];
	bool ok;

	memcpy(token, w->token, sizeof(token));
	ok = session_bind(w, who, token);
	w->token_kind = kind;
	explicit_bzero(token, sizeof(token));
	return (ok);
}

/* A restarted auth's word on the token that we are bound by. */
/* Who visits what another one shares is at nothing of the own. */
static bool
has_own(const struct worker *w)
{
	return (w->bound && w->site != SITE_SHARE);
}

static void
hold_send(struct worker *w)
{
	const struct m_hold m = { .on = se.holds > 0 };

	if (has_own(w) && auth_there(w))
		(void)chan_send(&w->auth, M_HOLD, 0, -1, &m, sizeof(m));
}

static void
on_again(void *arg, struct msg *m)
{
	struct worker *w = arg;
	const struct m_who *a;

	if (m == NULL)
		return; /* the time to come back runs on */
	a = MSG_DATA(m, m_who);
	if (m->head.type != M_WHO || a->result != AUTH_OK || !bind_again(w, &a->who)) {
		conn_abort(w->conn, "the session is over");
		return;
	}
	event_del(se.away);
	se.again = false;
	if (se.holds > 0)
		hold_send(w);
	wait_bound(w);
}

/* ... and on what a guest is at. */
static void
on_visited(void *arg, struct msg *m)
{
	struct worker *w = arg;

	if (m == NULL)
		return;
	if (m->head.type != M_SHARE_VISITED ||
	    MSG_DATA(m, m_share_visited)->what != VISIT_GUEST) {
		conn_abort(w->conn, "the port is not shared any more");
		return;
	}
	event_del(se.away);
	se.again = false;
}

static void
on_revoked(struct chan *c, struct msg *m)
{
	struct worker *w = c->arg;

	(void)m;
	if (!se.leaving && w->conn != NULL)
		conn_abort(w->conn, "session revoked");
}

static void
on_gone(struct chan *c, const char *why)
{
	struct worker *w = c->arg;

	if (why != NULL)
		log_warnx("channel to auth: %s", why);
	w->auth_joined = false;
	se.again = false;
	limit_auth_gone();
	questions_fail(true);
	if (w->bound || w->guest || se.wait != NULL)
		away_start(w);
}

static const struct chan_handler from_auth[] = {
	{ M_WHO, question_answer },
	{ M_IDE_FD, question_answer },
	{ M_PORT_FD, question_answer },
	{ M_LOCATION_FD, question_answer },
	{ M_LOCATION_FILE_FD, question_answer },
	{ M_LOCATION_SIGNED, question_answer },
	{ M_SHARE_VISITED, question_answer },
	{ M_ROW_SHARE, question_answer },
	{ M_PORT_CODED, question_answer },
	{ M_PORT_ENTERED, question_answer },
	{ M_FAIL, question_answer },
	{ M_MINTED, question_answer },
	{ M_UPDATED, question_answer },
	{ M_ROW_SESSION, question_answer },
	{ M_ROW_ACCOUNT, question_answer },
	{ M_ROW_RESET, question_answer },
	{ M_ROW_DELETED, question_answer },
	{ M_ROW_ROLE, question_answer },
	{ M_ROW_STATS, question_answer },
	{ M_ROW_LIMIT, question_answer },
	{ M_ROW_SETTINGS, question_answer },
	{ M_PAGE, question_answer },
	{ M_ROW_SANDBOX, question_answer },
	{ M_ROW_PROCESSES, question_answer },
	{ M_ROW_MEMORY, question_answer },
	{ M_TOKENS, question_answer },
	{ M_JWKS_KEYS, question_answer },
	{ M_ROW_TOKEN_MADE, question_answer },
	{ M_ROW_TOKEN, question_answer },
	{ M_ROW_AUDIT, question_answer },
	{ M_ROW_AUDIT_PAGE, question_answer },
	{ M_OK, question_answer },
	{ M_LEASE, limit_on_lease },
	{ M_LEASE_RECALL, limit_on_recall },
	{ M_REVOKED, on_revoked },
	{ M_NONE, NULL },
};

void
session_join(struct worker *w, int fd)
{
	if (w->auth_joined) {
		/* The new one is announced before we noticed the old one's end. */
		chan_close(&w->auth);
		on_gone(&w->auth, NULL);
	}
	chan_init(&w->auth, fd, P_WORKER, P_AUTH, w->base, from_auth, on_gone, w);
	questions_begin();
	w->auth_joined = true;
	if (!w->bound && !w->guest) {
		if (se.away != NULL)
			event_del(se.away);
		questions_send(w);
		ask_next(w);
		return;
	}
	away_start(w);
	se.again = true;
	if (!w->bound)
		(void)auth_ask(
		    w, NULL, M_SHARE_VISIT, &w->port, sizeof(w->port), on_visited, w);
	else
		(void)ask_who(w, NULL, w->token_kind, w->token, &se.jwt, on_again);
}

/* --- requests --- */

/* May auth be asked about it on this connection? */
static bool
may_ask(const struct worker *w, const struct stream *s, uint8_t kind)
{
	/* A newer one of the family that it is bound by, perhaps. */
	return (!w->bound ||
	    (kind == CRED_JWT && w->token_kind == CRED_JWT && auth_there(w) &&
		!se.leaving && s->by_bearer));
}

static void
wait_add(struct stream *s, session_fn fn, const uint8_t token[WIRE_TOKEN], uint8_t kind)
{
	struct worker *w = s->w;
	struct stream **p;

	for (p = &se.wait; *p != NULL; p = &(*p)->who_next)
		;
	*p = s;
	s->who_next = NULL;
	s->who_fn = fn;
	s->on_close = wait_remove;
	memcpy(s->who_token, token, WIRE_TOKEN);
	s->who_kind = kind;
	if (w->auth_joined)
		ask_next(w);
	else
		auth_want(w);
}

void
session_who(struct stream *s, session_fn fn)
{
	struct worker *w = s->w;
	uint8_t token[WIRE_TOKEN], kind;
	struct m_jwt jwt;

	switch (credential(s, token, &kind)) {
	case -1:
		respond_error(s, 400,
		    "Two session cookies were sent. Please "
		    "delete the cookies of this site.");
		return;
	case 0:
		fn(s, WHO_NOBODY);
		return;
	}
	if (w->bound && is_bound_token(w, token, kind))
		fn(s, WHO_USER);
	else if (!may_ask(w, s, kind))
		misdirected(s);
	else if (is_denied(token, kind) ||
	    (kind == CRED_JWT && !jwt_parse(&jwt, credential_bearer(s))))
		fn(s, WHO_NOBODY);
	else
		wait_add(s, fn, token, kind);
	explicit_bzero(token, sizeof(token));
}

void
session_leaving(struct worker *w)
{
	/* No request can be this user's from here on. */
	arc4random_buf(w->token, sizeof(w->token));
	se.leaving = true;
}

void
session_beat(struct worker *w)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	if (!has_own(w) || !auth_there(w) ||
	    (se.beat != 0 && ts.tv_sec - se.beat < BEAT_TIME))
		return;
	se.beat = ts.tv_sec == 0 ? 1 : ts.tv_sec;
	(void)chan_send(&w->auth, M_BEAT, 0, -1, NULL, 0);
}

void
session_hold(struct worker *w, bool on)
{
	bool first = se.holds == 0;

	se.holds += on ? 1 : -1;
	if (first || se.holds == 0)
		hold_send(w);
}
