/* Who asks the audit trail: a worker for its user, and idectl. */
#include <stdio.h>
#include <string.h>

#include <bsd/string.h>

#include "audit_store.h"
#include "auth.h"
#include "auth_ctl.h"

static bool
strings_ok(const struct m_audit_query *q)
{
	return wire_str(q->cursor) && wire_str(q->user) && wire_str(q->event) &&
	    wire_str(q->source) && wire_str(q->outcome) && wire_str(q->text);
}

void
audit_on_query(struct chan *c, struct msg *m)
{
	struct worker *w = c->arg;
	struct m_audit_query q = *MSG_DATA(m, m_audit_query);

	worker_charge(w, COST_ASK);
	if (!strings_ok(&q)) {
		worker_bad(w, "question without an end of a string");
		return;
	}
	q.follow = 0;
	audit_query(c, m->head.id, &q, w, w->user, w->from, NULL);
}

static void
on_done(void *owner)
{
	ctl_done(owner);
}

void
ctl_audit_query(struct chan *chan, struct msg *m)
{
	struct ctl *c = chan->arg;
	const struct m_audit_query *q = MSG_DATA(m, m_audit_query);

	if (!ctl_begin(c, m))
		return;
	if (!strings_ok(q))
		ctl_bad(c, "question without an end of a string");
	else
		audit_query(chan, c->id, q, c, c->actor, "", on_done);
}

void
ctl_audit_where(struct chan *chan, struct msg *m)
{
	struct ctl *c = chan->arg;
	struct m_audit_where w;

	if (!ctl_begin(c, m))
		return;
	memset(&w, 0, sizeof(w));
	if (audit_trail() != NULL) {
		audit_flush();
		strlcpy(w.data, auth.conf.common.data, sizeof(w.data));
		strlcpy(w.file, auth.conf.audit.file, sizeof(w.file));
		w.first = audit_store_first(audit_trail());
		w.head = audit_store_head(audit_trail(), w.hash);
	}
	chan_send(chan, M_AUDIT_WHERE, c->id, -1, &w, sizeof(w));
	ctl_ok(c, "%s", "");
}
