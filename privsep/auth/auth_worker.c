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

void
worker_close(struct worker *w)
{
	if (w->uid != 0 && !w->visits)
		present_unbind(w);
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

	w->told = false;
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

void
worker_request(const struct worker *w)
{
	audit_request(w->from, w->agent, w->rid, w->live != NULL ? w->live->id : "");
}

/* Before any handler: what permission.h's table says of the message. */
static bool
on_permit(struct chan *c, const struct msg *m)
{
	struct worker *w = c->arg;
	enum msg_type type = (enum msg_type)m->head.type;
	const struct access_row *row = access_row(type);
	char text[WIRE_TEXT];

	worker_request(w);
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
	chan_init(&w->chan, fd, P_AUTH, P_WORKER, auth.base, worker_handlers, on_gone, w);
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

/*
 * Bind to a user for life, and act for that session from now on.  False if the
 * worker is another user's already.
 */
bool
worker_bind(
    struct worker *w, const struct store_account *a, const struct store_session *s)
{
	if (w->uid != 0 && w->uid != a->uid)
		return false;
	if (w->uid == 0) {
		returned(w);
		w->uid = a->uid;
		strlcpy(w->user, a->name, sizeof(w->user));
		w->chan.state = w->visits ? S_SHARE : S_BOUND;
		if (!w->visits)
			present_bind(w);
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
	if (!w->itself)
		session_beat(w->live);
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
	return worker_bind(w, a, s);
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
