/*
 * A new configuration: isolation reads and checks it.  What it says of each error
 * goes into the log and to the one who asked, what it changes into the audit trail.
 */
#include <string.h>

#include <bsd/string.h>

#include "auth.h"
#include "auth_ctl.h"

#define RELOAD_TIMEOUT 120 /* seconds */
#define WHY_MAX        800 /* of the errors, in the trail */

static struct {
	bool running;
	struct ctl *ctl; /* who asked; NULL: SIGHUP */
	bool again;      /* a signal came meanwhile: the file may be another now */
	char actor[WIRE_AUDIT_ACTOR];
	uint64_t changes;
	uint64_t errors;
	char why[WHY_MAX]; /* the first of them */
} reload;

static void
reload_end(bool ok, enum wire_fail code, const char *text)
{
	struct ctl *c = reload.ctl;

	reload.running = false;
	reload.ctl = NULL;
	if (ok)
		(void)audit_event(AUDIT_RELOAD_DONE, LOG_S("text", text),
		    LOG_N("changes", reload.changes), LOG_S("actor", reload.actor));
	else
		(void)audit_event(AUDIT_RELOAD_REFUSED, LOG_S("text", text),
		    LOG_N("errors", reload.errors), LOG_S("why", reload.why),
		    LOG_S("actor", reload.actor));
	if (c != NULL && ok)
		ctl_ok(c, "%s", text);
	else if (c != NULL)
		ctl_fail(c, code, "%s", text);
	if (reload.again) {
		reload.again = false;
		reload_start(NULL);
	}
}

static void
on_error(const struct m_ok *line)
{
	log_event(LOG_WARNING, "reload.text", LOG_S("text", line->text));
	if (reload.ctl != NULL)
		chan_send(&reload.ctl->chan, M_ROW_TEXT, reload.ctl->id, -1, line,
		    sizeof(*line));
	reload.errors++;
	/* Whole lines, as many as there is room for: errors says how many there were. */
	if (strlen(reload.why) + 2 + strlen(line->text) < sizeof(reload.why)) {
		strlcat(
		    reload.why, reload.why[0] != '\0' ? "; " : "", sizeof(reload.why));
		strlcat(reload.why, line->text, sizeof(reload.why));
	}
}

static void
on_change(const struct m_change *c)
{
	reload.changes += c->more > 0 ? c->more : 1;
	if (c->more == 0)
		(void)audit_event(AUDIT_RELOAD_CHANGED, LOG_S("keyword", c->keyword),
		    LOG_S("old", c->old), LOG_S("new", c->fresh),
		    LOG_S("actor", reload.actor));
}

static bool
on_reload(void *owner, uint32_t tag, struct msg *m)
{
	const struct m_change *c;
	const struct m_fail *f;
	const struct m_ok *t;

	(void)owner;
	(void)tag;
	if (m == NULL) {
		reload_end(false, FAIL_TIMEOUT, "no answer in time");
		return true;
	}
	switch (m->head.type) {
	case M_SB_FAIL:
		f = MSG_DATA(m, m_fail);
		reload_end(false, FAIL_INVALID, wire_str(f->text) ? f->text : "");
		return true;
	case M_SB_TEXT:
		t = MSG_DATA(m, m_ok);
		if (wire_str(t->text))
			on_error(t);
		return false;
	case M_SB_CHANGE:
		c = MSG_DATA(m, m_change);
		if (wire_str(c->keyword) && wire_str(c->old) && wire_str(c->fresh))
			on_change(c);
		return false;
	case M_SB_OK:
		t = MSG_DATA(m, m_ok);
		if (!wire_str(t->text))
			return false;
		reload_end(true, 0,
		    t->text[0] != '\0' ? t->text : "the new configuration is in effect");
		return true;
	default:
		return false;
	}
}

void
reload_start(struct ctl *c)
{
	if (reload.running) {
		if (c != NULL)
			ctl_fail(c, FAIL_BUSY, "another reload is under way");
		else
			reload.again = true;
		return;
	}
	reload.running = true;
	reload.ctl = c;
	reload.changes = reload.errors = 0;
	reload.why[0] = '\0';
	strlcpy(reload.actor, c != NULL ? c->actor : "signal", sizeof(reload.actor));
	if (ask(&auth.isolation, M_SB_RELOAD, NULL, 0, RELOAD_TIMEOUT, on_reload, &reload,
		0) == 0)
		reload_end(false, FAIL_BUSY, "too many requests are under way");
}

/* It goes on without the one who asked. */
void
reload_forget(const struct ctl *c)
{
	if (reload.ctl == c)
		reload.ctl = NULL;
}
