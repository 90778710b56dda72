/*
 * A new configuration: isolation reads and checks it; what it says of each error
 * goes into the log and to the one who asked.
 */
#include <string.h>

#include <bsd/string.h>

#include "auth.h"
#include "auth_ctl.h"

#define RELOAD_TIMEOUT 120 /* seconds */

static struct {
	bool running;
	struct ctl *ctl; /* who asked; NULL: SIGHUP */
	bool again;      /* a signal came meanwhile: the file may be another now */
} reload;

static void
reload_end(bool ok, enum wire_fail code, const char *text)
{
	struct ctl *c = reload.ctl;

	reload.running = false;
	reload.ctl = NULL;
	(void)audit_event(
	    ok ? AUDIT_RELOAD_DONE : AUDIT_RELOAD_REFUSED, LOG_S("text", text));
	if (c != NULL && ok)
		ctl_ok(c, "%s", text);
	else if (c != NULL)
		ctl_fail(c, code, "%s", text);
	if (reload.again) {
		reload.again = false;
		reload_start(NULL);
	}
}

static bool
on_reload(void *owner, uint32_t tag, struct msg *m)
{
	const struct m_fail *f;
	const struct m_ok *t;

	(void)owner;
	(void)tag;
	if (m == NULL) {
		reload_end(false, FAIL_TIMEOUT, "no answer in time");
		return true;
	}
	if (m->head.type == M_SB_FAIL) {
		f = MSG_DATA(m, m_fail);
		reload_end(false, FAIL_INVALID, wire_str(f->text) ? f->text : "");
		return true;
	}
	if (m->head.type != M_SB_TEXT && m->head.type != M_SB_OK)
		return false;
	t = MSG_DATA(m, m_ok);
	if (!wire_str(t->text))
		return false;
	if (m->head.type == M_SB_OK) {
		reload_end(true, 0,
		    t->text[0] != '\0' ? t->text : "the new configuration is in effect");
		return true;
	}
	log_event(LOG_WARNING, "reload.text", LOG_S("text", t->text));
	if (reload.ctl != NULL)
		chan_send(
		    &reload.ctl->chan, M_ROW_TEXT, reload.ctl->id, -1, t, sizeof(*t));
	return false;
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
