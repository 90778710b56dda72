/*
 * idectl upgrade: the listening sockets go from master to idectl, for the new
 * ided that it starts; then master is told to make room.
 */
#include <string.h>

#include "auth.h"
#include "auth_ctl.h"

#define HANDOVER_TIMEOUT 5 /* seconds */

static bool
on_handed(void *owner, uint32_t tag, struct msg *m)
{
	struct ctl *c = owner;
	struct m_handover h;

	(void)tag;
	if (m == NULL) {
		ctl_fail(c, FAIL_TIMEOUT, "master did not answer in time");
		return true;
	}
	if (m->head.type == M_HANDOVER_LISTEN) {
		chan_send(&c->chan, M_CTL_LISTEN, c->id, msg_take_fd(m), NULL, 0);
		return false;
	}
	if (m->head.type != M_HANDOVER_DONE)
		return false;
	h = *MSG_DATA(m, m_handover);
	chan_send(&c->chan, M_CTL_HANDED, c->id, -1, &h, sizeof(h));
	ctl_ok(c, "%s", "");
	return true;
}

void
ctl_handover(struct chan *chan, struct msg *m)
{
	struct ctl *c = chan->arg;

	if (!ctl_begin(c, m))
		return;
	if (!audit_event(AUDIT_UPGRADE, LOG_S("actor", c->actor))) {
		ctl_fail(c, FAIL_NO_SPACE, "%s", AUDIT_REFUSED);
		return;
	}
	if (ask(&auth.master, M_HANDOVER, NULL, 0, HANDOVER_TIMEOUT, on_handed, c, 0) ==
	    0)
		ctl_fail(c, FAIL_BUSY, "too many requests are under way");
}

void
ctl_leave(struct chan *chan, struct msg *m)
{
	struct ctl *c = chan->arg;
	const struct m_leave l = { MSG_DATA(m, m_leave)->pid, 0 };

	if (!ctl_begin(c, m))
		return;
	(void)audit_event(
	    AUDIT_UPGRADE_LEAVE, LOG_S("actor", c->actor), LOG_N("successor", l.pid));
	if (chan_send(&auth.master, M_LEAVE, 0, -1, &l, sizeof(l)) == -1)
		ctl_fail(c, FAIL_UNAVAILABLE, "master does not answer");
	else
		ctl_ok(c, "%s", "");
}
