/*
 * Sandboxes, as far as they concern auth: who may have which.  What a worker
 * gets is a connected descriptor of the sandbox of the user that its channel is
 * bound to, and of no other; isolation does the work.
 */
#include <stdlib.h>
#include <string.h>

#include <bsd/string.h>

#include "auth.h"

#define CONNECT_TIMEOUT 90 /* seconds: the IDE may have to start */
#define ASK_TIMEOUT     20
#define PORT_TIMEOUT    20
#define STOP_TIMEOUT    60
#define ASKS_WORKER     32  /* questions under way of one worker */
#define ASKS_USER       128 /* of all workers of one user */
#define PORTAL_SESSIONS 64  /* rows on the portal */

/* The account as it is now, not as it was when a connection began. */
void
sandbox_payload(struct m_sb *m, uint32_t uid, const char *name)
{
	struct store_account a;

	memset(m, 0, sizeof(*m));
	strlcpy(m->user, name, sizeof(m->user));
	m->uid = uid;
	if (store_account_by_uid(auth.store, uid, &a) == STORE_OK) {
		role_first(a.roles, m->role);
		m->limits = a.limits;
	}
	explicit_bzero(&a, sizeof(a));
}

void
sandbox_limits_user(uint32_t uid, const char *name)
{
	struct m_sb m;

	sandbox_payload(&m, uid, name);
	chan_send(&auth.isolation, M_SB_LIMITS, 0, -1, &m, sizeof(m));
}

void
sandbox_coming(uint32_t uid, const char *name)
{
	struct m_sb m;

	sandbox_payload(&m, uid, name);
	chan_send(&auth.isolation, M_SB_COMING, 0, -1, &m, sizeof(m));
}

void
sandbox_pass_fail(struct worker *w, uint32_t id, const struct msg *m)
{
	const struct m_fail *f = MSG_DATA(m, m_fail);

	if (wire_str(f->text))
		worker_fail(w, id, f->code, f->text);
	else
		worker_fail(w, id, FAIL_INTERNAL, "internal error");
}

static bool
on_connect(void *owner, uint32_t tag, struct msg *m)
{
	struct worker *w = owner;
	uint16_t port;

	if (m == NULL) {
		worker_fail(w, tag, FAIL_TIMEOUT, "the sandbox did not answer in time");
	} else if (m->head.type == M_SB_FD) {
		port = ask_which(m->head.id);
		if (port == 0) {
			chan_send(&w->chan, M_IDE_FD, tag, msg_take_fd(m), NULL, 0);
		} else {
			sandbox_port_fd(w, tag, port, m);
			present_beat(w->uid);
		}
	} else if (m->head.type == M_SB_FAIL) {
		sandbox_pass_fail(w, tag, m);
	} else {
		return false;
	}
	return true;
}

/* May this worker ask once more?  Its answer says so if not. */
bool
sandbox_may_ask(struct worker *w, uint32_t id)
{
	if (ask_count(w) < ASKS_WORKER && ask_count_user(w->uid) < ASKS_USER)
		return true;
	worker_fail(w, id, FAIL_BUSY, "too many requests are under way");
	return false;
}

void
sandbox_ide(struct worker *w, uint32_t id)
{
	struct m_sb m;

	if (!sandbox_may_ask(w, id))
		return;
	sandbox_payload(&m, w->uid, w->user);
	/* A window that nobody looks at comes back for ever: it finds what is there. */
	m.awake = w->itself && !present_attended(w->uid);
	if (!w->itself)
		present_beat(w->uid);
	/* The first of its user's connections has it started.  It is made while the
	 * record goes to the disk; nothing runs in it before that is there. */
	if (!m.awake && !present_open(w->uid, true)) {
		if (audit_waits())
			chan_send(&auth.isolation, M_SB_MAKE, 0, -1, &m, sizeof(m));
		if (!audit_event(AUDIT_SANDBOX_OPEN, LOG_S("user", w->user),
			LOG_S("source", w->from),
			LOG_S("session", w->live != NULL ? w->live->id : ""),
			LOG_S("actor", w->user))) {
			(void)present_open(w->uid, false);
			worker_fail(w, id, FAIL_NO_SPACE, AUDIT_REFUSED);
			return;
		}
	}
	if (ask(&auth.isolation, M_SB_CONNECT, &m, sizeof(m), CONNECT_TIMEOUT, on_connect,
		w, id) == 0)
		worker_fail(w, id, FAIL_BUSY, "too many requests are under way");
}

/* Policy says which, and a worker that is for one port gets no other. */
void
sandbox_port(struct worker *w, uint32_t id, uint16_t port)
{
	struct m_sb_port m;
	uint32_t question;

	if (!sandbox_port_allowed(port) || (w->chan.state == S_PORT && w->port != port)) {
		worker_fail(w, id, FAIL_DENIED, "this port may not be reached");
		return;
	}
	if (!sandbox_may_ask(w, id))
		return;
	memset(&m, 0, sizeof(m));
	sandbox_payload(&m.sb, w->uid, w->user);
	m.port = port;
	question = ask(
	    &auth.isolation, M_SB_PORT, &m, sizeof(m), PORT_TIMEOUT, on_connect, w, id);
	if (question == 0)
		worker_fail(w, id, FAIL_BUSY, "too many requests are under way");
	else
		ask_which_set(question, port);
}

static void
portal_sessions(struct worker *w, uint32_t id)
{
	static struct store_session s[PORTAL_SESSIONS];
	struct m_session row;
	struct m_ok done;
	size_t i, n;

	n = store_session_of_user(auth.store, w->uid, s, PORTAL_SESSIONS);
	for (i = 0; i < n; i++) {
		session_row(&s[i], w->user, w->live != NULL ? w->live->id : "", &row);
		chan_send(&w->chan, M_ROW_SESSION, id, -1, &row, sizeof(row));
	}
	memset(&done, 0, sizeof(done));
	chan_send(&w->chan, M_OK, id, -1, &done, sizeof(done));
}

/* Of one's own sandbox, or of any for idectl: processes, and notes on memory. */
void
memory_rows(struct chan *c, uint32_t id, struct msg *m)
{
	struct m_processes *ps = (void *)m->u.bytes;
	const struct m_memory *note = MSG_DATA(m, m_memory);
	uint32_t i;

	if (m->head.type == M_SB_MEMORY) {
		if (wire_str(note->user) && wire_str(note->process.name))
			chan_send(c, M_ROW_MEMORY, id, -1, note, sizeof(*note));
		return;
	}
	if (ps->count > WIRE_PROCESSES)
		return;
	for (i = 0; i < ps->count; i++)
		if (!wire_str(ps->process[i].name))
			return;
	chan_send(c, M_ROW_PROCESSES, id, -1, ps, sizeof(*ps));
}

/* A sandbox first (one that is not there, if need be), sessions, and M_OK. */
static bool
on_show(void *owner, uint32_t tag, struct msg *m)
{
	struct worker *w = owner;
	struct m_sandbox row;

	if (m != NULL &&
	    (m->head.type == M_SB_PROCESSES || m->head.type == M_SB_MEMORY)) {
		memory_rows(&w->chan, tag, m);
		return false;
	}
	memset(&row, 0, sizeof(row));
	if (m != NULL && m->head.type == M_SB_ROW) {
		row = *MSG_DATA(m, m_sandbox);
		/* Whatever isolation says, it is this user's that was asked for. */
		if (row.uid != w->uid)
			memset(&row, 0, sizeof(row));
	}
	memset(row.user, 0, sizeof(row.user));
	strlcpy(row.user, w->user, sizeof(row.user));
	row.uid = w->uid;
	present_tell(&row);
	chan_send(&w->chan, M_ROW_SANDBOX, tag, -1, &row, sizeof(row));
	portal_sessions(w, tag);
	return true;
}

void
sandbox_portal(struct worker *w, uint32_t id)
{
	struct m_sb m;

	if (!sandbox_may_ask(w, id))
		return;
	sandbox_payload(&m, w->uid, w->user);
	if (ask(&auth.isolation, M_SB_SHOW, &m, sizeof(m), ASK_TIMEOUT, on_show, w, id) ==
	    0)
		worker_fail(w, id, FAIL_BUSY, "too many requests are under way");
	else if (w->live != NULL && w->live->kind != STORE_API)
		chan_send(&auth.isolation, M_SB_COMING, 0, -1, &m, sizeof(m));
}

static bool
on_stopped(void *owner, uint32_t tag, struct msg *m)
{
	bool failed = m == NULL || m->head.type == M_SB_FAIL;

	/* Of who has none, nothing was to stop. */
	if (m == NULL || !failed || MSG_DATA(m, m_fail)->code != FAIL_NOT_FOUND)
		(void)audit_event(
		    failed ? AUDIT_SANDBOX_STOP_FAILED : AUDIT_SANDBOX_STOPPED,
		    LOG_S("user", owner), LOG_N("uid", tag));
	free(owner);
	return true;
}

/* Nobody waits for it. */
void
sandbox_stop_user(uint32_t uid, const char *name, enum wire_why why)
{
	struct m_sb m;
	char *user;

	present_ends(uid, why);
	/* The account may be gone when it is done. */
	if ((user = strdup(name)) == NULL)
		fatalx("out of memory");
	sandbox_payload(&m, uid, name);
	if (ask(&auth.isolation, M_SB_STOP, &m, sizeof(m), STOP_TIMEOUT, on_stopped, user,
		uid) == 0)
		free(user);
}

/* It thaws by itself, when somebody wants something of it. */
static bool
on_frozen(void *owner, uint32_t tag, struct msg *m)
{
	char user[WIRE_NAME];

	(void)owner;
	if (m != NULL && m->head.type == M_SB_OK)
		(void)audit_event(AUDIT_SANDBOX_FROZEN,
		    LOG_S("user", account_name(tag, user)), LOG_N("uid", tag));
	return true;
}

static void
sandbox_freeze(uint32_t uid, const char *name)
{
	struct m_sb m;

	sandbox_payload(&m, uid, name);
	(void)ask(&auth.isolation, M_SB_FREEZE, &m, sizeof(m), ASK_TIMEOUT, on_frozen,
	    NULL, uid);
}

/* One of the sandboxes that run: is anybody still using it? */
static bool
on_idle_row(void *owner, uint32_t tag, struct msg *m)
{
	const struct m_sandbox *row;
	struct store_account a;
	enum store_result r;
	bool rests;

	(void)owner;
	(void)tag;
	if (m == NULL || m->head.type != M_SB_ROW)
		return true;
	row = MSG_DATA(m, m_sandbox);
	if ((row->state != SANDBOX_RUNNING && row->state != SANDBOX_FROZEN) ||
	    !wire_str(row->user))
		return false;
	rests = present_rests(row, auth.conf.idle_stop);
	r = store_account_by_uid(auth.store, row->uid, &a);
	if (r == STORE_NOT_FOUND || (r == STORE_OK && !a.active)) {
		(void)audit_event(AUDIT_SANDBOX_ORPHAN, LOG_S("user", row->user),
		    LOG_N("uid", row->uid));
		sandbox_stop_user(row->uid, row->user, WHY_STOPPED);
	} else if (r == STORE_OK && rests &&
	    present_idle(row->uid, auth.conf.idle_stop)) {
		(void)audit_event(
		    AUDIT_SANDBOX_IDLE, LOG_S("user", row->user), LOG_N("uid", row->uid));
		sandbox_stop_user(row->uid, row->user, WHY_IDLE);
	} else if (r == STORE_OK && row->state == SANDBOX_RUNNING &&
	    auth.conf.idle_freeze != 0 && present_idle(row->uid, auth.conf.idle_freeze)) {
		sandbox_freeze(row->uid, row->user);
	}
	explicit_bzero(&a, sizeof(a));
	return false;
}

void
sandbox_idle(void)
{
	(void)ask(&auth.isolation, M_SB_LIST, NULL, 0, ASK_TIMEOUT, on_idle_row, NULL, 0);
}
