/*
 * Workers.  A worker is known by its channel: what it may have is decided by
 * whom the channel is bound to, which the first valid credential does for life.
 * Assume that the worker on the other end belongs to an attacker.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bsd/stdlib.h>
#include <bsd/string.h>

#include "auth_peer.h"
#include "auth_share.h"

#define WORKERS_MAX 16000
#define LINGER      5  /* seconds that a revoked one has to leave */
#define RETURN      10 /* ... and one of an earlier auth to say who it is */

/* Work that a worker may cause: a burst, and so much per second. */
#define CREDIT_MAX  400
#define CREDIT_RATE 100

static TAILQ_HEAD(, worker) workers = TAILQ_HEAD_INITIALIZER(workers);
static unsigned int nworkers;
static unsigned int nreturning; /* that have a back_by */

static void on_token(struct chan *, struct msg *);
static void on_login(struct chan *, struct msg *);
static void on_logout(struct chan *, struct msg *);
static void on_ide(struct chan *, struct msg *);
static void on_last(struct chan *, struct msg *);
static void on_mint(struct chan *, struct msg *);
static void on_portal(struct chan *, struct msg *);
static void on_session_end(struct chan *, struct msg *);
static void on_beat(struct chan *, struct msg *);
/* ports */
static void on_port(struct chan *, struct msg *);
static void on_port_code(struct chan *, struct msg *);
static void on_port_enter(struct chan *, struct msg *);
static void on_port_token(struct chan *, struct msg *);

/* In which state each is taken stands in msg.h. */
static const struct chan_handler handlers[] = {
	{ M_AUTH_TOKEN, on_token },
	{ M_LOGIN, on_login },
	{ M_LOGOUT, on_logout },
	{ M_IDE, on_ide },
	{ M_LAST, on_last },
	{ M_MINT, on_mint },
	{ M_PORTAL, on_portal },
	{ M_SESSION_END, on_session_end },
	{ M_BEAT, on_beat },
	{ M_JWT_USE, token_on_use },
	{ M_JWT_REFRESH, token_on_refresh },
	{ M_JWKS, token_on_jwks },
	{ M_API_TOKEN, token_on_api },
	{ M_TOKEN_ADD, token_on_add },
	{ M_TOKEN_LIST, token_on_list },
	{ M_AUDIT_QUERY, audit_on_query },
	{ M_TOKEN_END, token_on_end },
	/* ports */
	{ M_PORT, on_port },
	{ M_PORT_CODE, on_port_code },
	{ M_PORT_ENTER, on_port_enter },
	{ M_PORT_TOKEN, on_port_token },
	/* shared ports */
	{ M_SHARE_ADD, share_on_add },
	{ M_SHARE_LIST, share_on_list },
	{ M_SHARE_END, share_on_end },
	{ M_SHARE_CODE, visit_on_code },
	{ M_SHARE_ENTER, visit_on_enter },
	{ M_SHARE_TOKEN, visit_on_token },
	{ M_SHARE_VISIT, visit_on_visit },
	{ M_SHARE_PORT, visit_on_port },
	{ M_SHARE_SIGN, visit_on_sign },
	/* services of the site's own */
	{ M_LOCATION, location_on_connect },
	{ M_LOCATION_FILE, location_on_file },
	{ M_LOCATION_SIGN, location_on_sign },
	/* the API */
	{ M_REGISTER, registers },
	{ M_RESET_USE, reset_use },
	{ M_ME, me_get },
	{ M_ME_PUT, me_put },
	{ M_ME_PASSWORD, me_password },
	{ M_ME_SESSIONS, me_sessions },
	{ M_ME_SESSION_END, me_session_end },
	{ M_ME_SESSIONS_END, me_sessions_end },
	{ M_ME_USAGE, me_usage },
	{ M_SETTINGS_GET, settings_get },
	{ M_SETTINGS_PUT, settings_put },
	{ M_USERS, users_list },
	{ M_USER_GET, user_get },
	{ M_USER_ADD, user_add },
	{ M_USER_PUT, user_put },
	{ M_USER_LIMITS, user_limits },
	{ M_USER_DELETE, user_delete },
	{ M_USER_APPROVE, user_approve },
	{ M_USER_DISABLE, user_disable },
	{ M_USER_ENABLE, user_enable },
	{ M_USER_RESET, user_reset },
	{ M_ROLES, roles_list },
	{ M_SESSIONS, sessions_list },
	{ M_SESSION_KILL, session_kill },
	{ M_SESSIONS_KILL, sessions_kill },
	{ M_SANDBOXES, sandboxes_list },
	{ M_SANDBOX_KILL, sandbox_kill },
	{ M_STATS, stats_get },
	{ M_RATELIMITS, ratelimits_list },
	{ M_USER_TOKENS, user_tokens },
	{ M_USER_TOKEN_END, user_token_end },
	/* rate limits */
	{ M_LEASE_ASK, limit_on_word },
	{ M_LEASE_BACK, limit_on_word },
	{ M_NONE, NULL },
};

void
worker_close(struct worker *w)
{
	if (w->uid != 0 && !w->visits)
		present_unbind(w->uid);
	session_leave(w);
	login_forget(w);
	ask_forget(w);
	audit_query_forget(w);
	token_forget(w);
	jobs_forget(w);
	limit_close(w);
	nreturning -= w->back_by != 0;
	chan_close(&w->chan);
	if (w->timer != NULL)
		event_free(w->timer);
	TAILQ_REMOVE(&workers, w, entry);
	nworkers--;
	explicit_bzero(w, sizeof(*w));
	free(w);
}

static void
on_gone(struct chan *c, const char *why)
{
	struct worker *w = c->arg;

	if (why != NULL) {
		(void)audit_event(AUDIT_WORKER_VIOLATION, LOG_N("worker", w->id),
		    LOG_S("source", w->from), LOG_S("user", w->user), LOG_S("why", why));
		worker_note(w, NOTE_VIOLATION);
	} else if ((w->uid != 0 || w->visits) && !w->over) {
		/* An honest one ends.  What this one holds of its user's could
		 * not be taken away any more. */
		worker_note(w, NOTE_OVER);
	}
	worker_close(w);
}

/* The worker broke a rule that the table does not know. */
void
worker_bad(struct worker *w, const char *why)
{
	on_gone(&w->chan, why);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;

	(void)fd;
	(void)what;
	if (w->over)
		worker_close(w);
	else
		chan_pause(&w->chan, false);
}

static void
timer(struct worker *w, int64_t ms)
{
	struct timeval tv = { ms / 1000, (ms % 1000) * 1000 };

	event_add(w->timer, &tv);
}

/*
 * Who asks for much is read slowly: a flood waits in the worker's own socket and
 * costs the others nothing.
 */
void
worker_charge(struct worker *w, enum cost cost)
{
	int64_t now = auth_ms();
	int64_t credit;

	credit = w->credit + (now - w->credit_at) * CREDIT_RATE / 1000;
	if (credit >= CREDIT_MAX)
		credit = CREDIT_MAX;
	if (credit != w->credit)
		w->credit_at = now;
	w->credit = (int32_t)credit - (int32_t)cost;
	if (w->credit < 0) {
		chan_pause(&w->chan, true);
		timer(w, (1 - w->credit) * 1000 / CREDIT_RATE);
	}
}

/* Before any handler: what permission.h's table says of the message. */
static bool
on_permit(struct chan *c, const struct msg *m)
{
	struct worker *w = c->arg;
	enum msg_type type = (enum msg_type)m->head.type;
	const struct access_row *row = access_row(type);
	char text[WIRE_TEXT];

	if (access_ok(type, w->have, w->changing))
		return true;
	worker_charge(w, COST_LOOK);
	(void)audit_event(AUDIT_ACCESS_DENIED, LOG_S("user", w->user),
	    LOG_S("source", w->from), LOG_S("message", msg_name(type)),
	    LOG_S("permission", permission_table[row->permission].name),
	    LOG_S("actor", w->user));
	if (w->changing && (row->flags & A_CHANGING) == 0)
		worker_fail(w, m->head.id, FAIL_MUST_CHANGE,
		    "the password must be changed first");
	else {
		snprintf(text, sizeof(text), "this needs the permission %s",
		    permission_table[row->permission].name);
		worker_fail(w, m->head.id, FAIL_DENIED, text);
	}
	return false;
}

void
worker_new(const struct m_worker *m, int fd)
{
	struct worker *w;

	if (nworkers >= WORKERS_MAX || (w = calloc(1, sizeof(*w))) == NULL) {
		log_warnx("too many workers");
		close(fd);
		return;
	}
	w->id = m->id;
	w->source = m->source;
	addr_text(&w->source, w->from);
	w->scopes = PERMIT_ALL;
	w->credit = CREDIT_MAX;
	w->credit_at = auth_ms();
	if ((w->timer = evtimer_new(auth.base, on_timer, w)) == NULL)
		fatalx("out of memory");
	TAILQ_INSERT_TAIL(&workers, w, entry);
	nworkers++;
	if (m->bound != 0) {
		w->back_by = auth_ms() + RETURN * 1000;
		nreturning++;
	}
	chan_init(&w->chan, fd, P_AUTH, P_WORKER, auth.base, handlers, on_gone, w);
	w->chan.permit = on_permit;
}

/*
 * A worker that was bound under an earlier auth may hold what that one gave it.
 * It tells its token again at once, or it is not to be trusted with it.
 */
void
worker_tick(void)
{
	struct worker *w, *next;
	int64_t now = auth_ms();

	if (nreturning == 0)
		return;
	TAILQ_FOREACH_SAFE(w, &workers, entry, next) {
		if (w->back_by == 0 || w->back_by > now)
			continue;
		worker_note(w, NOTE_OVER);
		worker_close(w);
	}
}

void
worker_until(int64_t now)
{
	struct worker *w;

	TAILQ_FOREACH(w, &workers, entry)
		if (w->until != 0 && w->until <= now && !w->over)
			worker_revoke(w, REVOKED_EXPIRED);
}

unsigned int
worker_count(void)
{
	return nworkers;
}

unsigned int
worker_bound(void)
{
	const struct worker *w;
	unsigned int n = 0;

	TAILQ_FOREACH(w, &workers, entry)
		n += w->uid != 0 && !w->over;
	return n;
}

struct worker *
worker_first(void)
{
	return TAILQ_FIRST(&workers);
}

/* It has said who it is, after an earlier auth knew. */
static void
returned(struct worker *w)
{
	nreturning -= w->back_by != 0;
	w->back_by = 0;
}

static bool
act_for(struct worker *w, const struct store_account *a, const struct store_session *s)
{
	if (w->uid != 0 && w->uid != a->uid)
		return false;
	if (w->uid == 0) {
		returned(w);
		w->uid = a->uid;
		strlcpy(w->user, a->name, sizeof(w->user));
		w->chan.state = w->visits ? S_SHARE : S_BOUND;
		if (!w->visits)
			present_bind(w->uid, w->user);
		worker_note(w, NOTE_BOUND);
		limit_bind(w);
	}
	if (s->kind != STORE_FAMILY)
		w->until = 0;
	if (s->kind != STORE_API)
		w->scopes = PERMIT_ALL;
	w->have = account_permits(a) & w->scopes;
	w->changing = a->must_change;
	session_join(w, s);
	session_beat(w->live);
	return true;
}

/*
 * Bind to a user for life, and act for that session from now on.  False if the
 * worker is another user's already.
 */
bool
worker_bind(
    struct worker *w, const struct store_account *a, const struct store_session *s)
{
	if (!act_for(w, a, s))
		return false;
	present_beat(w->uid);
	return true;
}

/* One's own sandbox is not used by a visit to another's. */
bool
worker_bind_share(struct worker *w, const struct store_account *a,
    const struct store_session *s, const struct wire_share *share)
{
	w->visits = true;
	w->share = *share;
	w->chan.state = S_SHARE;
	return act_for(w, a, s);
}

void
worker_bind_guest(struct worker *w, const struct wire_share *share)
{
	returned(w);
	w->visits = true;
	w->share = *share;
	w->chan.state = S_SHARE;
	worker_note(w, NOTE_GUEST);
}

bool
worker_bind_port(struct worker *w, const struct store_account *a,
    const struct store_session *s, uint16_t port)
{
	if (w->uid != 0 && w->port != port)
		return false;
	if (!worker_bind(w, a, s))
		return false;
	w->port = port;
	w->chan.state = S_PORT;
	return true;
}

void
worker_roles(void)
{
	struct store_account a;
	struct worker *w;

	TAILQ_FOREACH(w, &workers, entry) {
		if (w->uid == 0)
			continue;
		w->have = 0;
		if (store_account_by_uid(auth.store, w->uid, &a) == STORE_OK)
			w->have = account_permits(&a) & w->scopes;
		explicit_bzero(&a, sizeof(a));
	}
}

void
worker_changed(struct worker *w)
{
	struct worker *o;

	TAILQ_FOREACH(o, &workers, entry)
		if (o->uid == w->uid)
			o->changing = false;
}

void
worker_end(struct worker *w)
{
	session_leave(w);
	login_forget(w);
	ask_forget(w);
	audit_query_forget(w);
	token_forget(w);
	jobs_forget(w);
	limit_close(w);
	w->over = true;
	/* Nothing that it says counts any more; what it holds already (a way to
	 * the user's sandbox) goes with it, when master ends it. */
	worker_note(w, NOTE_OVER);
	chan_pause(&w->chan, true);
	timer(w, LINGER * 1000);
}

void
worker_revoke(struct worker *w, enum wire_revoked why)
{
	const struct m_revoked m = { (uint32_t)why, 0 };

	worker_end(w);
	chan_send(&w->chan, M_REVOKED, 0, -1, &m, sizeof(m));
}

void
worker_note(const struct worker *w, enum wire_note kind)
{
	source_note(w->id, &w->source, kind);
}

void
source_note(uint64_t id, const struct wire_addr *source, enum wire_note kind)
{
	const struct m_worker_note m = { id, (uint32_t)kind, 0, *source };

	chan_send(&auth.master, M_WORKER_NOTE, 0, -1, &m, sizeof(m));
}

void
worker_who(struct worker *w, uint32_t id, enum wire_auth result, uint32_t retry_after)
{
	struct m_who m;

	memset(&m, 0, sizeof(m));
	m.result = result;
	m.retry_after = retry_after;
	chan_send(&w->chan, M_WHO, id, -1, &m, sizeof(m));
	if (result == AUTH_OTHER_USER) {
		(void)audit_event(AUDIT_WORKER_OTHER_USER, LOG_N("worker", w->id),
		    LOG_S("user", w->user), LOG_S("source", w->from));
		worker_note(w, NOTE_OVER);
		worker_close(w);
	}
}

void
worker_who_is(
    struct wire_who *who, const struct store_account *a, const struct store_session *s)
{
	strlcpy(who->name, a->name, sizeof(who->name));
	role_first(a->roles, who->role);
	strlcpy(who->roles, a->roles, sizeof(who->roles));
	who->permits = account_permits(a);
	who->must_change = a->must_change;
	strlcpy(who->session, s->id, sizeof(who->session));
	who->uid = a->uid;
	who->expires = s->expires;
}

void
worker_who_fill(
    struct wire_who *who, const struct store_account *a, const struct store_session *s)
{
	const char *query = present_query(a->uid);

	worker_who_is(who, a, s);
	strlcpy(who->last_query, query != NULL ? query : a->last_query,
	    sizeof(who->last_query));
}

void
worker_who_ok(struct worker *w, uint32_t id, const uint8_t *token,
    const struct store_account *a, const struct store_session *s)
{
	struct m_who m;

	memset(&m, 0, sizeof(m));
	m.result = AUTH_OK;
	if (token != NULL)
		memcpy(m.token, token, sizeof(m.token));
	worker_who_fill(&m.who, a, s);
	m.who.permits = w->have;
	m.who.must_change = w->changing;
	chan_send(&w->chan, M_WHO, id, -1, &m, sizeof(m));
	explicit_bzero(&m, sizeof(m));
}

void
worker_fail(struct worker *w, uint32_t id, enum wire_fail code, const char *text)
{
	struct m_fail m;

	memset(&m, 0, sizeof(m));
	m.code = code;
	strlcpy(m.text, text, sizeof(m.text));
	chan_send(&w->chan, M_FAIL, id, -1, &m, sizeof(m));
}

void
worker_ok(struct worker *w, uint32_t id, const char *text)
{
	struct m_ok m;

	memset(&m, 0, sizeof(m));
	strlcpy(m.text, text, sizeof(m.text));
	chan_send(&w->chan, M_OK, id, -1, &m, sizeof(m));
}

/* What went wrong in the store, for someone outside. */
void
worker_store_fail(struct worker *w, uint32_t id, enum store_result r)
{
	if (r == STORE_NO_SPACE)
		worker_fail(w, id, FAIL_NO_SPACE, "no space is left");
	else if (r == STORE_NOT_FOUND)
		worker_fail(w, id, FAIL_NOT_FOUND, "not found");
	else
		worker_fail(w, id, FAIL_INTERNAL, "internal error");
}

static void
on_token(struct chan *c, struct msg *m)
{
	struct worker *w = c->arg;
	struct store_session s;
	struct store_account a;
	enum store_result r;

	worker_charge(w, COST_LOOK);
	r = session_find(MSG_DATA(m, m_auth_token)->token, &s, &a);
	explicit_bzero(m->u.bytes, sizeof(struct m_auth_token));
	if (w->over)
		; /* its own session had just run out: it has been told */
	else if (r == STORE_NOT_FOUND)
		worker_who(w, m->head.id, AUTH_DENIED, 0);
	else if (r != STORE_OK)
		worker_store_fail(w, m->head.id, r);
	else if (!worker_bind(w, &a, &s))
		worker_who(w, m->head.id, AUTH_OTHER_USER, 0); /* w is gone */
	else
		worker_who_ok(w, m->head.id, NULL, &a, &s);
	explicit_bzero(&a, sizeof(a));
	explicit_bzero(&s, sizeof(s));
}

static void
on_login(struct chan *c, struct msg *m)
{
	struct worker *w = c->arg;
	struct m_login *l = (struct m_login *)(void *)m->u.bytes;

	worker_charge(w, COST_COMMIT);
	if (!wire_str(l->name) || !wire_str(l->password) || !wire_str(l->agent) ||
	    !wire_str(l->rid)) {
		worker_bad(w, "login without an end of a string");
		return;
	}
	login_start(w, m->head.id, l);
	explicit_bzero(l, sizeof(*l));
}

static void
on_logout(struct chan *c, struct msg *m)
{
	struct worker *w = c->arg;
	struct store_session s;
	enum store_result r;

	worker_charge(w, COST_COMMIT);
	/* What a program holds for months ends when it is revoked. */
	if (w->live->kind == STORE_API) {
		worker_ok(w, m->head.id, "the connection ends");
		worker_end(w);
		return;
	}
	memset(&s, 0, sizeof(s));
	memcpy(s.key, w->live->key, sizeof(s.key));
	strlcpy(s.id, w->live->id, sizeof(s.id));
	s.uid = w->uid;
	if (!audit_event(AUDIT_LOGOUT, LOG_S("user", w->user), LOG_S("source", w->from),
		LOG_S("session", s.id), LOG_S("actor", w->user))) {
		explicit_bzero(&s, sizeof(s));
		worker_fail(w, m->head.id, FAIL_NO_SPACE, AUDIT_REFUSED);
		return;
	}
	/* It gets its answer; the others of this session are revoked. */
	session_leave(w);
	r = session_revoke(&s, REVOKED_LOGOUT, w->user);
	explicit_bzero(&s, sizeof(s));
	if (r != STORE_OK && r != STORE_NOT_FOUND)
		worker_store_fail(w, m->head.id, r);
	else
		worker_ok(w, m->head.id, "logged out");
	worker_end(w);
}

static void
on_ide(struct chan *c, struct msg *m)
{
	struct worker *w = c->arg;

	worker_charge(w, COST_ASK);
	if (!wire_str(MSG_DATA(m, m_ide)->rid)) {
		worker_bad(w, "request id without an end");
		return;
	}
	sandbox_ide(w, m->head.id);
}

static void
on_last(struct chan *c, struct msg *m)
{
	struct worker *w = c->arg;
	const struct m_last *l = MSG_DATA(m, m_last);

	worker_charge(w, COST_LOOK);
	if (!wire_str(l->query)) {
		worker_bad(w, "query without an end");
		return;
	}
	present_last(w->uid, l->query);
}

static void
on_mint(struct chan *c, struct msg *m)
{
	struct worker *w = c->arg;
	struct store_account a;
	enum store_result r;
	struct m_minted key;

	worker_charge(w, COST_ASK);
	r = store_account_by_uid(auth.store, w->uid, &a);
	if (r == STORE_OK && !a.has_mint) {
		arc4random_buf(a.mint, sizeof(a.mint));
		a.has_mint = true;
		r = store_account_put(auth.store, &a);
	}
	if (r == STORE_OK) {
		memcpy(key.key, a.mint, sizeof(key.key));
		chan_send(c, M_MINTED, m->head.id, -1, &key, sizeof(key));
		explicit_bzero(&key, sizeof(key));
	} else {
		worker_store_fail(w, m->head.id, r);
	}
	explicit_bzero(&a, sizeof(a));
}

static void
on_portal(struct chan *c, struct msg *m)
{
	struct worker *w = c->arg;

	worker_charge(w, COST_ASK);
	sandbox_portal(w, m->head.id);
}

static void
on_session_end(struct chan *c, struct msg *m)
{
	struct worker *w = c->arg;
	const struct m_session_id *id = MSG_DATA(m, m_session_id);
	struct store_session s;
	enum store_result r;

	worker_charge(w, COST_COMMIT);
	if (!wire_str(id->session)) {
		worker_bad(w, "session id without an end");
		return;
	}
	/* Another user's session is, for this one, not there. */
	r = store_session_by_id(auth.store, id->session, &s);
	if (r == STORE_OK && s.uid != w->uid)
		r = STORE_NOT_FOUND;
	if (r == STORE_OK && w->live != NULL && strcmp(w->live->id, s.id) == 0) {
		on_logout(c, m);
		explicit_bzero(&s, sizeof(s));
		return;
	}
	if (r == STORE_OK)
		r = session_revoke(&s, REVOKED_LOGOUT, w->user);
	explicit_bzero(&s, sizeof(s));
	if (r != STORE_OK)
		worker_store_fail(w, m->head.id, r);
	else
		worker_ok(w, m->head.id, "session ended");
}

static void
on_beat(struct chan *c, struct msg *m)
{
	struct worker *w = c->arg;

	(void)m;
	worker_charge(w, COST_LOOK);
	session_beat(w->live);
	present_beat(w->uid);
}

/* --- ports: auth_port.c, auth_sandbox.c --- */

static void
on_port(struct chan *c, struct msg *m)
{
	struct worker *w = c->arg;
	const struct m_port *p = MSG_DATA(m, m_port);

	worker_charge(w, COST_ASK);
	if (!wire_str(p->rid)) {
		worker_bad(w, "request id without an end");
		return;
	}
	sandbox_port(w, m->head.id, p->port);
}

static void
on_port_code(struct chan *c, struct msg *m)
{
	worker_charge(c->arg, COST_ASK);
	sandbox_port_code(c->arg, m->head.id, MSG_DATA(m, m_port_code));
}

static void
on_port_enter(struct chan *c, struct msg *m)
{
	worker_charge(c->arg, COST_LOOK);
	sandbox_port_enter(c->arg, m->head.id, MSG_DATA(m, m_port_enter));
	explicit_bzero(m->u.bytes, sizeof(struct m_port_enter));
}

static void
on_port_token(struct chan *c, struct msg *m)
{
	worker_charge(c->arg, COST_LOOK);
	sandbox_port_token(c->arg, m->head.id, MSG_DATA(m, m_port_token));
	explicit_bzero(m->u.bytes, sizeof(struct m_port_token));
}
