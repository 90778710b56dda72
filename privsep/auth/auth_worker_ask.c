/*
 * What workers ask for.  Whom it is done for is whom the channel is bound to, never
 * what the message says; strings end, or the worker does.
 */
#include <stdlib.h>
#include <string.h>

#include <bsd/stdlib.h>
#include <bsd/string.h>

#include "auth_peer.h"
#include "auth_share.h"

static void
on_request(struct chan *c, struct msg *m)
{
	const struct m_request *r = MSG_DATA(m, m_request);
	struct worker *w = c->arg;

	/* Before each question there may be one, at no cost. */
	if (w->told)
		worker_charge(w, COST_LOOK);
	w->told = true;
	if (!wire_str(r->rid) || !wire_str(r->agent)) {
		worker_bad(w, "request without an end of a string");
		return;
	}
	strlcpy(w->rid, r->rid, sizeof(w->rid));
	strlcpy(w->agent, r->agent, sizeof(w->agent));
	w->itself = (r->flags & REQUEST_ITSELF) != 0;
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
	if (!wire_str(l->name) || !wire_str(l->password)) {
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
	worker_charge(c->arg, COST_ASK);
	sandbox_ide(c->arg, m->head.id);
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

static void
on_hold(struct chan *c, struct msg *m)
{
	struct worker *w = c->arg;
	bool on = MSG_DATA(m, m_hold)->on != 0;

	worker_charge(w, COST_LOOK);
	if (on == w->holds || w->visits)
		return;
	w->holds = on;
	present_hold(w->uid, on);
}

/*
 * A page tells when something was last done in it: just now, or now and then that nothing
 * was.  Whoever comes back to a sandbox that sleeps does not wait until its browser finds
 * out that nobody answers.
 */
static void
on_activity(struct chan *c, struct msg *m)
{
	struct worker *w = c->arg;
	struct asker who;
	int64_t at;

	if (!asker_begin(c, m, &who))
		return;
	at = auth_now() - MSG_DATA(m, m_activity)->idle;
	session_beat_at(w->live, at);
	present_beat_at(w->uid, at);
	if (present_attended(w->uid))
		sandbox_coming(w->uid, w->user);
	asker_ok(&who, "%s", "");
}

/* --- ports: auth_port.c, auth_sandbox.c --- */

static void
on_port(struct chan *c, struct msg *m)
{
	worker_charge(c->arg, COST_ASK);
	sandbox_port(c->arg, m->head.id, MSG_DATA(m, m_port)->port);
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

const struct chan_handler worker_handlers[] = {
	{ M_REQUEST, on_request },
	{ M_AUTH_TOKEN, on_token },
	{ M_LOGIN, on_login },
	{ M_LOGOUT, on_logout },
	{ M_IDE, on_ide },
	{ M_LAST, on_last },
	{ M_MINT, on_mint },
	{ M_UPDATE, update_on_ask },
	{ M_PORTAL, on_portal },
	{ M_SESSION_END, on_session_end },
	{ M_BEAT, on_beat },
	{ M_HOLD, on_hold },
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
	{ M_ME_ACTIVITY, on_activity },
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
