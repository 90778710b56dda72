/*
 * Visitors of shared ports: who is let in, and what they get.
 *
 * A worker that is for a share (S_SHARE) has one thing, connections to that port.  It
 * is bound to the visitor, if that is a user, so that the end of the visitor's session
 * ends it; of a public one nobody is asked who it is.  Neither is a word of the
 * owner's: what visitors do does not start the sandbox, nor keep it from being idle.
 */
#include <stdio.h>
#include <string.h>

#include <bsd/string.h>

#include "auth_peer.h"
#include "auth_share.h"

#define PORT_TIMEOUT 20
#define ASKS_WORKER  32 /* as the owner's own: auth_sandbox.c */
#define ASKS_OWNER   64 /* of all visitors of one owner, whose own are not held up */

static uint64_t visits, refused;

void
visit_count(uint64_t *v, uint64_t *r)
{
	*v = visits;
	*r = refused;
}

static bool
is_for(const struct worker *w, const struct share *sh)
{
	return w->visits && w->share.port == sh->is.port &&
	    memcmp(w->share.id, sh->is.id, sizeof(w->share.id)) == 0;
}

unsigned int
visit_workers(const struct share *sh)
{
	const struct worker *w;
	unsigned int n = 0;

	for (w = worker_first(); w != NULL; w = TAILQ_NEXT(w, entry))
		n += !w->over && is_for(w, sh);
	return n;
}

void
visit_end(const struct share *sh)
{
	struct worker *w, *next;

	for (w = worker_first(); w != NULL; w = next) {
		next = TAILQ_NEXT(w, entry);
		if (!w->over && is_for(w, sh))
			worker_revoke(w, REVOKED_SHARE);
	}
}

/* A worker is for one share, as it is for one user. */
static bool
agrees(struct worker *w, const struct wire_share *what)
{
	if (!w->visits ||
	    (w->share.port == what->port &&
		memcmp(w->share.id, what->id, sizeof(what->id)) == 0))
		return true;
	worker_bad(w, "another shared port on the same connection");
	return false;
}

/* There was none of that name, and never will be: names are not guessed. */
static void
denied(const struct worker *w, const struct wire_share *what, const char *why)
{
	refused++;
	(void)audit_event(AUDIT_PORT_DENIED, LOG_S("source", w->from),
	    LOG_N("port", what->port), LOG_S("why", why));
}

/* --- users --- */

void
visit_on_code(struct chan *c, struct msg *m)
{
	const struct m_share_code *q = MSG_DATA(m, m_share_code);
	struct worker *w = c->arg;

	worker_charge(w, COST_ASK);
	if (w->live == NULL || share_find(&q->share) == NULL) {
		denied(w, &q->share, "no such share");
		worker_fail(w, m->head.id, FAIL_NOT_FOUND,
		    "this port is not shared, or not any more");
		return;
	}
	port_code_give(w, m->head.id, q->code.nonce, &q->share);
}

void
visit_on_enter(struct chan *c, struct msg *m)
{
	const struct m_share_enter *q = MSG_DATA(m, m_share_enter);
	struct worker *w = c->arg;
	struct m_port_entered out;
	struct store_session s;
	struct store_account a;
	struct share *sh;

	worker_charge(w, COST_LOOK);
	if (!agrees(w, &q->share))
		return;
	memset(&out, 0, sizeof(out));
	memset(&s, 0, sizeof(s));
	memset(&a, 0, sizeof(a));
	out.result = AUTH_DENIED;
	if (!port_code_take(&q->enter, &q->share, &s, &a))
		denied(w, &q->share, "no such code");
	else if ((sh = share_find(&q->share)) == NULL)
		denied(w, &q->share, "no such share");
	else if (port_token_make(&s, &q->share, out.token) &&
	    worker_bind_share(w, &a, &s, &q->share)) {
		visits++;
		(void)audit_event(AUDIT_PORT_VISITED, LOG_S("user", a.name),
		    LOG_S("owner", sh->user), LOG_S("source", w->from),
		    LOG_S("session", s.id), LOG_N("port", sh->is.port),
		    LOG_S("share", sh->name), LOG_S("actor", a.name));
		out.result = AUTH_OK;
		port_owner(a.uid, out.owner);
		out.same_owner = memcmp(out.owner, q->enter.owner, WIRE_OWNER) == 0;
		worker_who_is(&out.who, &a, &s);
	}
	if (out.result != AUTH_OK)
		explicit_bzero(out.token, sizeof(out.token));
	chan_send(&w->chan, M_PORT_ENTERED, m->head.id, -1, &out, sizeof(out));
	explicit_bzero(m->u.bytes, sizeof(struct m_share_enter));
	explicit_bzero(&out, sizeof(out));
	explicit_bzero(&a, sizeof(a));
	explicit_bzero(&s, sizeof(s));
}

void
visit_on_token(struct chan *c, struct msg *m)
{
	const struct m_share_token *q = MSG_DATA(m, m_share_token);
	struct worker *w = c->arg;
	struct store_session s;
	struct store_account a;
	enum store_result r;
	struct m_who out;

	worker_charge(w, COST_LOOK);
	if (!agrees(w, &q->share))
		return;
	memset(&out, 0, sizeof(out));
	memset(&s, 0, sizeof(s));
	memset(&a, 0, sizeof(a));
	r = share_find(&q->share) != NULL ?
	    port_token_find(q->token.token, &q->share, &s, &a) :
	    STORE_NOT_FOUND;
	if (r == STORE_NOT_FOUND) {
		worker_who(w, m->head.id, AUTH_DENIED, 0);
	} else if (r != STORE_OK) {
		worker_fail(w, m->head.id, FAIL_INTERNAL, store_strerror(r));
	} else if (!worker_bind_share(w, &a, &s, &q->share)) {
		worker_who(w, m->head.id, AUTH_OTHER_USER, 0); /* w is gone */
	} else {
		visits++;
		out.result = AUTH_OK;
		worker_who_is(&out.who, &a, &s);
		chan_send(&w->chan, M_WHO, m->head.id, -1, &out, sizeof(out));
	}
	explicit_bzero(m->u.bytes, sizeof(struct m_share_token));
	explicit_bzero(&out, sizeof(out));
	explicit_bzero(&a, sizeof(a));
	explicit_bzero(&s, sizeof(s));
}

/* --- everybody --- */

/* Is an address a new one there?  The last few are remembered. */
static bool
first_from(struct share *sh, const struct wire_addr *from)
{
	uint8_t prefix[16];
	unsigned int i;

	addr_prefix(from, prefix);
	for (i = 0; i < SHARE_SEEN && i < sh->nseen; i++)
		if (memcmp(sh->seen[i], prefix, sizeof(prefix)) == 0)
			return false;
	memcpy(sh->seen[sh->nseen++ % SHARE_SEEN], prefix, sizeof(prefix));
	if (sh->nseen == 2 * SHARE_SEEN)
		sh->nseen = SHARE_SEEN;
	return true;
}

void
visit_on_visit(struct chan *c, struct msg *m)
{
	const struct wire_share *what = MSG_DATA(m, wire_share);
	struct m_share_visited out = { VISIT_NONE, 0 };
	struct worker *w = c->arg;
	struct share *sh;

	worker_charge(w, COST_LOOK);
	if (!agrees(w, what))
		return;
	if ((sh = share_find(what)) == NULL)
		denied(w, what, "no such share");
	else if (sh->is.with != SHARE_WITH_PUBLIC)
		out.what = VISIT_SIGN_ON;
	else {
		out.what = VISIT_GUEST;
		if (!w->visits)
			visits++;
		worker_bind_guest(w, what);
		if (first_from(sh, &w->source))
			(void)audit_event(AUDIT_PORT_VISITED, LOG_S("owner", sh->user),
			    LOG_S("source", w->from), LOG_N("port", sh->is.port),
			    LOG_S("share", sh->name));
	}
	chan_send(c, M_SHARE_VISITED, m->head.id, -1, &out, sizeof(out));
}

/* --- what they get --- */

static bool
on_connect(void *owner, uint32_t tag, struct msg *m)
{
	struct worker *w = owner;

	if (m == NULL)
		worker_fail(w, tag, FAIL_TIMEOUT, "the sandbox did not answer in time");
	else if (m->head.type == M_SB_FD)
		sandbox_port_fd(w, tag, w->share.port, m);
	else if (m->head.type == M_SB_FAIL)
		sandbox_pass_fail(w, tag, m);
	else
		return false;
	return true;
}

void
visit_on_port(struct chan *c, struct msg *m)
{
	struct worker *w = c->arg;
	struct m_sb_port q;
	struct share *sh;

	worker_charge(w, COST_ASK);
	if ((sh = share_find(&w->share)) == NULL) {
		/* If it was there a moment ago, this worker has been told. */
		if (!w->over)
			worker_fail(w, m->head.id, FAIL_DENIED,
			    "this port is not shared any more");
		return;
	}
	if (ask_count(w) >= ASKS_WORKER || ask_count_user(sh->is.uid) >= ASKS_OWNER) {
		worker_fail(w, m->head.id, FAIL_BUSY, "too many requests are under way");
		return;
	}
	memset(&q, 0, sizeof(q));
	sandbox_payload(&q.sb, sh->is.uid, sh->user);
	q.port = sh->is.port;
	q.started = sh->is.started;
	if (ask(&auth.isolation, M_SB_PORT, &q, sizeof(q), PORT_TIMEOUT, on_connect, w,
		m->head.id) == 0)
		worker_fail(w, m->head.id, FAIL_BUSY, "too many requests are under way");
}

/*
 * Who visits, for that program alone: its audience is the share's label.  It is told
 * neither the roles nor the session's id, which are no business of another user's.
 */
void
visit_on_sign(struct chan *c, struct msg *m)
{
	struct worker *w = c->arg;
	struct wire_assertion as;
	struct share *sh = share_find(&w->share);

	worker_charge(w, COST_ASK);
	if (w->over)
		return;
	if (sh == NULL || w->live == NULL || ask_count(w) >= ASKS_WORKER) {
		worker_fail(w, m->head.id, FAIL_DENIED, "of nobody nothing is said");
		return;
	}
	memset(&as, 0, sizeof(as));
	strlcpy(as.jwt.name, w->user, sizeof(as.jwt.name));
	port_pseudonym(w->live->id, &w->share, as.jwt.session);
	as.jwt.uid = w->uid;
	snprintf(as.location, sizeof(as.location), "%u-%s", sh->is.port, sh->name);
	strlcpy(as.roles, "visitor", sizeof(as.roles));
	assertion_sign(w, m->head.id, &as);
}
