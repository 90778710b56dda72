/* idectl sandbox … and status: what isolation and master know. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bsd/stdlib.h>
#include <bsd/string.h>

#include "auth.h"
#include "auth_ctl.h"

#define LIST_TIMEOUT   20 /* seconds */
#define STOP_TIMEOUT   60
#define STATUS_TIMEOUT 5
#define EXEC_ARGS      256
#define EXEC_WAIT      10
#define AUDIT_ARGV     1024

/* Rows go on to idectl; false while more are to come. */
static bool
on_rows(void *owner, uint32_t tag, struct msg *m)
{
	struct ctl *c = owner;
	struct m_sandbox row;
	const struct m_fail *f;
	const struct m_ok *ok;

	(void)tag;
	if (m == NULL) {
		ctl_fail(c, FAIL_TIMEOUT, "isolation did not answer in time");
		return true;
	}
	switch (m->head.type) {
	case M_SB_PROCESSES:
	case M_SB_MEMORY:
		memory_rows(&c->chan, c->id, m);
		return false;
	case M_SB_ROW:
		row = *MSG_DATA(m, m_sandbox);
		present_tell(&row);
		if (wire_str(row.user))
			chan_send(&c->chan, M_ROW_SANDBOX, c->id, -1, &row, sizeof(row));
		/* The one that was asked for. */
		if (c->command == M_CTL_SANDBOX_SHOW) {
			ctl_ok(c, "%s", "");
			return true;
		}
		return false;
	case M_SB_OK:
		ok = MSG_DATA(m, m_ok);
		if (c->command == M_CTL_SANDBOX_SHOW)
			ctl_fail(c, FAIL_NOT_FOUND, "no sandbox is running");
		else
			ctl_ok(c, "%s", wire_str(ok->text) ? ok->text : "");
		return true;
	case M_SB_FAIL:
		f = MSG_DATA(m, m_fail);
		ctl_fail(
		    c, (enum wire_fail)f->code, "%s", wire_str(f->text) ? f->text : "");
		return true;
	default:
		return false;
	}
}

void
ctl_sandbox_list(struct chan *chan, struct msg *m)
{
	struct ctl *c = chan->arg;

	if (!ctl_begin(c, m))
		return;
	if (ask(&auth.isolation, M_SB_LIST, NULL, 0, LIST_TIMEOUT, on_rows, c, 0) == 0)
		ctl_fail(c, FAIL_BUSY, "too many requests are under way");
}

static void
ask_about(struct ctl *c, struct msg *m, enum msg_type type, int timeout)
{
	const struct m_name *n = MSG_DATA(m, m_name);
	struct store_account a;
	struct m_sb sb;

	if (!ctl_begin(c, m) || !ctl_account(c, n->name, sizeof(n->name), &a))
		return;
	sandbox_payload(&sb, a.uid, a.name);
	explicit_bzero(&a, sizeof(a));
	if (type == M_SB_STOP &&
	    !audit_event(
		AUDIT_SANDBOX_STOP, LOG_S("user", sb.user), LOG_S("actor", c->actor))) {
		ctl_fail(c, FAIL_NO_SPACE, "%s", AUDIT_REFUSED);
		return;
	}
	if (type == M_SB_STOP)
		present_ends(sb.uid, WHY_STOPPED);
	if (ask(&auth.isolation, type, &sb, sizeof(sb), timeout, on_rows, c, 0) == 0)
		ctl_fail(c, FAIL_BUSY, "too many requests are under way");
}

void
ctl_sandbox_show(struct chan *chan, struct msg *m)
{
	ask_about(chan->arg, m, M_SB_SHOW, LIST_TIMEOUT);
}

void
ctl_sandbox_stop(struct chan *chan, struct msg *m)
{
	ask_about(chan->arg, m, M_SB_STOP, STOP_TIMEOUT);
}

/* Exactly argc strings, each with an end, in exactly len bytes. */
static bool
argv_ok(const struct m_exec *e)
{
	uint32_t i, n = 0;

	if (e->argc == 0 || e->argc > EXEC_ARGS || e->len == 0 ||
	    e->len > sizeof(e->argv) || e->argv[0] == '\0' || e->argv[e->len - 1] != '\0')
		return false;
	for (i = 0; i < e->len; i++)
		n += e->argv[i] == '\0';
	return n == e->argc;
}

/* All arguments in one line; what is cut is seen to be cut. */
static bool
audit_exec(const struct ctl *c)
{
	const struct m_exec *e = c->exec;
	char line[AUDIT_ARGV];
	uint32_t i;

	for (i = 0; i < e->len - 1 && i < sizeof(line) - 4; i++)
		line[i] = e->argv[i] == '\0' ? ' ' : e->argv[i];
	strlcpy(line + i, i < e->len - 1 ? "..." : "", 4);
	return audit_event(AUDIT_SANDBOX_EXEC, LOG_S("actor", c->actor),
	    LOG_S("user", e->user), LOG_N("argc", e->argc), LOG_S("argv", line));
}

void
ctl_exec_forget(struct ctl *c)
{
	unsigned int i;

	for (i = 0; i < 3; i++) {
		if (c->fds[i] != -1)
			close(c->fds[i]);
		c->fds[i] = -1;
	}
	if (c->exec != NULL)
		explicit_bzero(c->exec, sizeof(*c->exec));
	free(c->exec);
	c->exec = NULL;
}

void
ctl_exec(struct chan *chan, struct msg *m)
{
	struct ctl *c = chan->arg;
	const struct m_exec *e = MSG_DATA(m, m_exec);
	struct timeval tv = { EXEC_WAIT, 0 };
	struct store_account a;

	if (!ctl_begin(c, m))
		return;
	if (!argv_ok(e)) {
		ctl_bad(c, "arguments of an exec");
		return;
	}
	if (!ctl_account(c, e->user, sizeof(e->user), &a))
		return;
	if (!a.active) {
		ctl_fail(c, FAIL_DENIED, "%s is disabled", a.name);
		return;
	}
	if ((c->exec = malloc(sizeof(*c->exec))) == NULL)
		fatalx("out of memory");
	*c->exec = *e;
	memset(c->exec->user, 0, sizeof(c->exec->user));
	strlcpy(c->exec->user, a.name, sizeof(c->exec->user));
	memset(c->exec->argv + e->len, 0, sizeof(c->exec->argv) - e->len);
	memset(c->exec->pad, 0, sizeof(c->exec->pad));
	memset(c->exec->role, 0, sizeof(c->exec->role));
	role_first(a.roles, c->exec->role);
	c->exec->uid = a.uid;
	c->exec->limits = a.limits;
	explicit_bzero(&a, sizeof(a));
	event_add(c->timer, &tv);
}

static bool
on_exec(void *owner, uint32_t tag, struct msg *m)
{
	struct ctl *c = owner;
	const struct m_fail *f;
	int status;

	(void)tag;
	if (m != NULL && m->head.type == M_SB_EXIT) {
		status = MSG_DATA(m, m_exit)->status;
		(void)audit_event(AUDIT_SANDBOX_EXEC_END, LOG_S("actor", c->actor),
		    LOG_N("status", status));
		ctl_exit(c, status);
		return true;
	}
	if (m != NULL && m->head.type == M_SB_FAIL) {
		f = MSG_DATA(m, m_fail);
		ctl_fail(
		    c, (enum wire_fail)f->code, "%s", wire_str(f->text) ? f->text : "");
		return true;
	}
	return false;
}

static void
exec_start(struct ctl *c)
{
	struct m_exec_fd which = { 0, 0 };
	uint32_t i, id;

	event_del(c->timer);
	if (!audit_exec(c)) {
		ctl_fail(c, FAIL_NO_SPACE, "%s", AUDIT_REFUSED);
		return;
	}
	id = ask(&auth.isolation, M_SB_EXEC, c->exec, sizeof(*c->exec), 0, on_exec, c, 0);
	if (id == 0) {
		ctl_fail(c, FAIL_BUSY, "too many requests are under way");
		return;
	}
	for (i = 0; i < 3; i++) {
		which.which = i;
		chan_send(
		    &auth.isolation, M_SB_EXEC_FD, id, c->fds[i], &which, sizeof(which));
		c->fds[i] = -1;
	}
	ctl_exec_forget(c);
}

void
ctl_exec_fd(struct chan *chan, struct msg *m)
{
	struct ctl *c = chan->arg;
	uint32_t which = MSG_DATA(m, m_exec_fd)->which;

	/* Those of an exec that was refused are still on their way. */
	if (c->exec == NULL)
		return;
	if (m->head.id != c->id || which > 2 || c->fds[which] != -1) {
		ctl_bad(c, "descriptor of no exec");
		return;
	}
	c->fds[which] = msg_take_fd(m);
	if (c->fds[0] != -1 && c->fds[1] != -1 && c->fds[2] != -1)
		exec_start(c);
}

static bool
on_master(void *owner, uint32_t tag, struct msg *m)
{
	struct ctl *c = owner;
	struct store_counts n;
	struct m_status s;

	(void)tag;
	if (m == NULL) {
		ctl_fail(c, FAIL_TIMEOUT, "master did not answer in time");
		return true;
	}
	if (m->head.type != M_STATUS_MASTER)
		return false;
	s = *MSG_DATA(m, m_status);
	s.version[sizeof(s.version) - 1] = '\0';
	store_count(auth.store, &n);
	s.users = n.accounts;
	s.sessions = n.sessions;
	s.sandboxes = c->sandboxes;
	s.notes = auth.notes;
	location_stats(&s.services_failing, &s.services_failed);
	update_stats(&s.release);
	chan_send(&c->chan, M_STATUS, c->id, -1, &s, sizeof(s));
	ctl_ok(c, "%s", "");
	return true;
}

static void
status_master(struct ctl *c)
{
	if (ask(&auth.master, M_STATUS_ASK, NULL, 0, STATUS_TIMEOUT, on_master, c, 0) ==
	    0)
		ctl_fail(c, FAIL_BUSY, "too many requests are under way");
}

static bool
on_counted(void *owner, uint32_t tag, struct msg *m)
{
	struct ctl *c = owner;

	(void)tag;
	if (m != NULL && m->head.type == M_SB_ROW) {
		c->sandboxes++;
		return false;
	}
	status_master(c);
	return true;
}

void
ctl_status(struct chan *chan, struct msg *m)
{
	struct ctl *c = chan->arg;

	if (!ctl_begin(c, m))
		return;
	c->sandboxes = 0;
	if (ask(&auth.isolation, M_SB_LIST, NULL, 0, STATUS_TIMEOUT, on_counted, c, 0) ==
	    0)
		status_master(c);
}
