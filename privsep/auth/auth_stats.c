/* Sandboxes and figures, for the API: what isolation and master know. */
#include <stdlib.h>
#include <string.h>

#include <bsd/string.h>

#include "auth_peer.h"
#include "auth_share.h"

#define ASK_TIMEOUT  20 /* seconds */
#define STOP_TIMEOUT 60

#define TALLY_TIMEOUT 2 /* master does not wait much longer */

static void
busy(struct job *j)
{
	asker_fail(&j->who, FAIL_BUSY, NULL, "too many requests are under way");
	job_end(j);
}

/*
 * Isolation knows all that run, in no order: a page is the first of them, by name,
 * behind the cursor, and one more, which tells that there is another page.
 */
static void
keep(struct job *j, const struct m_sandbox *row)
{
	const struct m_list *l = &j->u.list;
	uint32_t i;

	if (!wire_str(row->user) || strcmp(row->user, l->cursor) <= 0)
		return;
	for (i = j->n; i > 0 && strcmp(j->rows[i - 1].user, row->user) > 0; i--)
		;
	if (i > l->limit)
		return;
	if (j->n <= l->limit)
		j->n++;
	memmove(&j->rows[i + 1], &j->rows[i], (j->n - 1 - i) * sizeof(*row));
	j->rows[i] = *row;
}

static bool
on_list_row(void *owner, uint32_t tag, struct msg *m)
{
	struct job *j = job_on(owner);
	uint32_t i, n;

	(void)tag;
	if (m == NULL) {
		asker_fail(&j->who, FAIL_TIMEOUT, NULL, "no answer in time");
	} else if (m->head.type == M_SB_ROW) {
		keep(j, MSG_DATA(m, m_sandbox));
		return false;
	} else {
		n = j->n > j->u.list.limit ? j->u.list.limit : j->n;
		for (i = 0; i < n; i++) {
			present_tell(&j->rows[i]);
			asker_row(
			    &j->who, M_ROW_SANDBOX, &j->rows[i], sizeof(j->rows[i]));
		}
		asker_page(&j->who, n < j->n ? j->rows[n - 1].user : "");
	}
	job_end(j);
	return true;
}

void
sandboxes_list(struct chan *chan, struct msg *m)
{
	struct m_list *l = (struct m_list *)(void *)m->u.bytes;
	struct asker who;
	struct job *j;

	if (!asker_begin(chan, m, &who) || !asker_list_of_names(&who, l) ||
	    (j = job_new(&who)) == NULL)
		return;
	j->u.list = *l;
	if ((j->rows = calloc(l->limit + 1, sizeof(*j->rows))) == NULL ||
	    ask(&auth.isolation, M_SB_LIST, NULL, 0, ASK_TIMEOUT, on_list_row, j, 0) == 0)
		busy(j);
}

static bool
on_killed(void *owner, uint32_t tag, struct msg *m)
{
	struct job *j = job_on(owner);
	const struct m_fail *f;

	(void)tag;
	if (m == NULL) {
		asker_fail(&j->who, FAIL_TIMEOUT, NULL, "no answer in time");
	} else if (m->head.type == M_SB_FAIL) {
		f = MSG_DATA(m, m_fail);
		asker_fail(&j->who, (enum wire_fail)f->code, NULL, "%s",
		    wire_str(f->text) ? f->text : "");
	} else if (m->head.type == M_SB_OK) {
		asker_ok(&j->who, "the sandbox stopped");
	} else {
		return false;
	}
	job_end(j);
	return true;
}

void
sandbox_kill(struct chan *chan, struct msg *m)
{
	struct store_account a;
	struct asker who;
	struct m_sb sb;
	struct job *j;

	if (!asker_begin(chan, m, &who) ||
	    !asker_account(&who, MSG_DATA(m, m_account_ref)->user, &a))
		return;
	if ((j = job_new(&who)) != NULL) {
		if (!audit_event(AUDIT_SANDBOX_STOP, LOG_S("user", a.name),
			LOG_S("actor", who.actor))) {
			asker_fail(&who, FAIL_NO_SPACE, NULL, "%s", AUDIT_REFUSED);
			job_end(j);
		} else {
			present_ends(a.uid, WHY_STOPPED);
			sandbox_payload(&sb, a.uid, a.name);
			if (ask(&auth.isolation, M_SB_STOP, &sb, sizeof(sb), STOP_TIMEOUT,
				on_killed, j, 0) == 0)
				busy(j);
		}
	}
	explicit_bzero(&a, sizeof(a));
}

/* Whatever isolation says, it is this user's that was asked for. */
static bool
on_usage(void *owner, uint32_t tag, struct msg *m)
{
	struct job *j = job_on(owner);
	struct m_sandbox row;

	(void)tag;
	if (m != NULL && (m->head.type == M_SB_PROCESSES || m->head.type == M_SB_MEMORY))
		return false;
	if (m == NULL) {
		asker_fail(&j->who, FAIL_TIMEOUT, NULL, "no answer in time");
		job_end(j);
		return true;
	}
	memset(&row, 0, sizeof(row));
	if (m->head.type == M_SB_ROW && MSG_DATA(m, m_sandbox)->uid == j->uid)
		row = *MSG_DATA(m, m_sandbox);
	memset(row.user, 0, sizeof(row.user));
	strlcpy(row.user, j->who.actor, sizeof(row.user));
	row.uid = j->uid;
	present_tell(&row);
	asker_row(&j->who, M_ROW_SANDBOX, &row, sizeof(row));
	asker_ok(&j->who, "%s", "");
	job_end(j);
	return true;
}

void
me_usage(struct chan *chan, struct msg *m)
{
	struct asker who;
	struct m_sb sb;
	struct job *j;

	if (!asker_begin(chan, m, &who) || (j = job_new(&who)) == NULL)
		return;
	j->uid = who.uid;
	sandbox_payload(&sb, who.uid, who.actor);
	if (ask(&auth.isolation, M_SB_SHOW, &sb, sizeof(sb), ASK_TIMEOUT, on_usage, j,
		0) == 0)
		busy(j);
}

/* What auth itself counts. */
static void
own_figures(struct m_stats *s, const struct store_counts *n)
{
	strlcpy(s->version, VERSION, sizeof(s->version));
	s->users = n->accounts;
	s->users_active = n->active;
	s->users_pending = n->pending;
	s->users_disabled = n->accounts - n->active - n->pending;
	s->sessions = n->sessions;
	s->sessions_live = session_live();
	s->connections = worker_bound();
	s->logins = auth.count.logins;
	s->logins_failed = auth.count.failed;
	s->logins_limited = auth.count.limited;
	s->sessions_expired = auth.count.expired;
	s->sessions_revoked = auth.count.revoked;
	s->notes = auth.notes;
	location_stats(&s->services_failing, &s->services_failed);
}

static bool
on_master(void *owner, uint32_t tag, struct msg *m)
{
	struct job *j = job_on(owner);
	struct m_stats *s = &j->u.stats;
	const struct m_status *st;
	struct store_counts n;

	(void)tag;
	if (m != NULL && m->head.type != M_STATUS_MASTER)
		return false;
	if (m == NULL) {
		asker_fail(&j->who, FAIL_TIMEOUT, NULL, "no answer in time");
		job_end(j);
		return true;
	}
	st = MSG_DATA(m, m_status);
	store_count(auth.store, &n);
	own_figures(s, &n);
	s->started = st->started;
	s->sandboxes = j->what;
	s->accepted = st->accepted;
	s->refused = st->refused;
	s->requests = st->requests;
	s->crashes = st->crashes;
	s->workers = st->workers;
	s->spare = st->spare;
	s->unauthenticated = st->unauthenticated;
	s->penalised = st->penalised;
	asker_row(&j->who, M_ROW_STATS, s, sizeof(*s));
	asker_ok(&j->who, "%s", "");
	job_end(j);
	return true;
}

/* How many sandboxes run; then, what master has counted. */
static bool
on_counted(void *owner, uint32_t tag, struct msg *m)
{
	struct job *j = job_on(owner);

	(void)tag;
	if (m != NULL && m->head.type == M_SB_ROW) {
		j->what++;
		return false;
	}
	if (ask(&auth.master, M_STATUS_ASK, NULL, 0, ASK_TIMEOUT, on_master, j, 0) == 0)
		busy(j);
	return true;
}

void
stats_get(struct chan *chan, struct msg *m)
{
	struct asker who;
	struct job *j;

	if (!asker_begin(chan, m, &who) || (j = job_new(&who)) == NULL)
		return;
	if (ask(&auth.isolation, M_SB_LIST, NULL, 0, ASK_TIMEOUT, on_counted, j, 0) == 0)
		busy(j);
}

/* --- figures for master, who asks for them once at a time --- */

static struct m_tally tally;

static void
tally_send(uint32_t id)
{
	struct store_counts n;

	store_count(auth.store, &n);
	own_figures(&tally.stats, &n);
	tally.api_tokens = n.tokens;
	share_count(&tally.shares_users, &tally.shares_public);
	visit_count(&tally.visits, &tally.visits_refused);
	update_stats(&tally.release);
	tally.store_changes = store_changes(auth.store);
	audit_counts(&tally.audit_records, &tally.audit_refused, &tally.audit_unlogged);
	chan_send(&auth.master, M_TALLY, id, -1, &tally, sizeof(tally));
}

static bool
on_tally_row(void *owner, uint32_t id, struct msg *m)
{
	const struct m_sandbox *row;

	(void)owner;
	if (m != NULL && m->head.type == M_SB_ROW) {
		row = MSG_DATA(m, m_sandbox);
		tally.stats.sandboxes++;
		tally.sandboxes_frozen += row->state == SANDBOX_FROZEN;
		tally.memory += row->memory;
		tally.processes += row->processes;
		tally.cpu_usec += row->cpu_usec;
		tally.received += row->received;
		tally.sent += row->sent;
		return false;
	}
	tally_send(id);
	return true;
}

void
on_tally_ask(struct chan *c, struct msg *m)
{
	(void)c;
	memset(&tally, 0, sizeof(tally));
	if (ask(&auth.isolation, M_SB_LIST, NULL, 0, TALLY_TIMEOUT, on_tally_row, NULL,
		m->head.id) == 0)
		tally_send(m->head.id);
}
