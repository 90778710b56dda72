/* Accounts: registered, approved, disabled, enabled, deleted. */
#include <stdio.h>
#include <string.h>

#include <bsd/string.h>

#include "auth_peer.h"
#include "auth_policy.h"
#include "auth_rate.h"
#include "store_record.h"

#define READY_TIMEOUT  90 /* seconds */
#define REMOVE_TIMEOUT 60 /* the sandbox ends first */

/*
 * Who registers costs a hash and a place in the list of those who wait: so often per
 * source as it may fail to log in.
 */
static bool
register_allowed(const struct asker *who)
{
	const struct conf_rate *conf = &auth.conf.ratelimit.login;
	static struct rate *rate;
	int64_t now = auth_ms();
	uint8_t prefix[RATE_KEY];
	uint32_t retry;

	if (rate == NULL &&
	    (rate = rate_new(conf->count, conf->period, RATE_ENTRIES)) == NULL)
		fatalx("out of memory");
	rate_config(rate, conf->count, conf->period);
	addr_prefix(&who->w->source, prefix);
	if (rate_look(rate, prefix, now, &retry) != RATE_GO) {
		asker_fail(who, FAIL_LIMITED, NULL,
		    "too many accounts were asked for from here: try again in %u seconds",
		    retry > 0 ? retry : 1);
		return false;
	}
	rate_begin(rate, prefix, now);
	rate_end(rate, prefix, now, true);
	return true;
}

void
registers(struct chan *chan, struct msg *m)
{
	struct m_account_edit *e = (struct m_account_edit *)(void *)m->u.bytes;
	struct store_account a;
	struct asker who;

	if (!asker_begin(chan, m, &who))
		return;
	if (auth.conf.auth.registration == REGISTRATION_CLOSED) {
		asker_fail(&who, FAIL_DENIED, NULL,
		    "accounts are made by an administrator here");
		return;
	}
	if (!register_allowed(&who))
		return;
	/* Nobody yet, on whatever connection. */
	who.uid = 0;
	who.have = roles_permit(NULL, 0, "user");
	strlcpy(who.actor, "registration", sizeof(who.actor));
	strlcpy(e->roles, "user", sizeof(e->roles));
	e->set = EDIT_ROLES | EDIT_PASSWORD | (e->set & (EDIT_EMAIL | EDIT_DISPLAY));
	e->metadata[0] = '\0';
	e->must_change = e->lookalike = 0;
	e->active = auth.conf.auth.registration == REGISTRATION_OPEN;
	memset(&a, 0, sizeof(a));
	account_make(&who, e, &a, AUDIT_USER_REGISTERED);
}

/* Home and sandbox are ready, or not: the account is approved in either case. */
static bool
on_ready(void *owner, uint32_t tag, struct msg *m)
{
	struct job *j = job_on(owner);
	const struct m_fail *f;
	struct store_account a;
	char text[2 * WIRE_TEXT];

	(void)tag;
	if (m != NULL && m->head.type != M_SB_ROW && m->head.type != M_SB_FAIL)
		return false;
	if (m != NULL && m->head.type == M_SB_ROW) {
		snprintf(text, sizeof(text),
		    "user %s approved; home and sandbox are ready", j->u.gone.user);
	} else {
		f = m != NULL ? MSG_DATA(m, m_fail) : NULL;
		snprintf(text, sizeof(text),
		    "user %s approved; the sandbox did not start, and is tried again "
		    "when the user comes: %s",
		    j->u.gone.user,
		    f != NULL && wire_str(f->text) ? f->text : "no answer in time");
	}
	if (store_account_by_uid(auth.store, j->uid, &a) == STORE_OK)
		account_answer(&j->who, &a, text);
	else
		asker_store_fail(&j->who, STORE_NOT_FOUND, j->u.gone.user);
	explicit_bzero(&a, sizeof(a));
	job_end(j);
	return true;
}

static void
make_ready(const struct asker *who, const struct store_account *a)
{
	struct m_sb sb;
	struct job *j;

	if ((j = job_new(who)) == NULL)
		return;
	j->uid = a->uid;
	strlcpy(j->u.gone.user, a->name, sizeof(j->u.gone.user));
	sandbox_payload(&sb, a->uid, a->name);
	if (ask(&auth.isolation, M_SB_READY, &sb, sizeof(sb), READY_TIMEOUT, on_ready, j,
		0) == 0)
		(void)on_ready(j, 0, NULL);
}

/* What state a command takes an account to. */
struct change {
	enum audit_event event;
	bool active;
	bool pending; /* only one that is so */
	const char *done;
};

static bool
changed(const struct asker *who, const struct change *c, struct store_account *a)
{
	enum store_result r;

	if (c->pending && !a->pending) {
		asker_fail(
		    who, FAIL_CHANGED, NULL, "%s does not wait for approval", a->name);
		return false;
	}
	if (!c->active && who->uid == a->uid && who->uid != 0) {
		asker_fail(who, FAIL_DENIED, NULL,
		    "nobody disables themselves: ask another administrator");
		return false;
	}
	if (!asker_audit(who, c->event, a, ""))
		return false;
	a->active = c->active;
	a->pending = false;
	a->version++;
	a->updated = auth_now();
	if (!c->active)
		a->token_version++;
	if ((r = store_account_put(auth.store, a)) == STORE_OK && !c->active) {
		/* Should this fail, no session of an inactive user is valid. */
		r = session_revoke_user(a->uid, REVOKED_DISABLED, who->actor);
		session_drop_user(a->uid, REVOKED_DISABLED);
		sandbox_stop_user(a->uid, a->name, WHY_STOPPED);
	}
	if (r != STORE_OK)
		asker_undone(who, c->event, a, r);
	return r == STORE_OK;
}

static void
change(struct chan *chan, struct msg *m, const struct change *c)
{
	struct store_account a;
	char text[WIRE_TEXT];
	struct asker who;

	if (!asker_begin(chan, m, &who) ||
	    !asker_subject(&who, MSG_DATA(m, m_account_ref)->user, &a))
		return;
	if (changed(&who, c, &a)) {
		snprintf(text, sizeof(text), "user %s %s", a.name, c->done);
		if (c->pending)
			make_ready(&who, &a);
		else
			account_answer(&who, &a, text);
	}
	explicit_bzero(&a, sizeof(a));
}

void
user_approve(struct chan *chan, struct msg *m)
{
	static const struct change c = { AUDIT_USER_APPROVED, true, true, "approved" };

	change(chan, m, &c);
}

void
user_disable(struct chan *chan, struct msg *m)
{
	static const struct change c = { AUDIT_USER_DISABLED, false, false,
		"disabled; all sessions ended, the sandbox stops" };

	change(chan, m, &c);
}

void
user_enable(struct chan *chan, struct msg *m)
{
	static const struct change c = { AUDIT_USER_ENABLED, true, false, "enabled" };

	change(chan, m, &c);
}

static void
deleted(const struct job *j, bool removed)
{
	const struct asker *who = &j->who;
	struct m_account_deleted row;

	memset(&row, 0, sizeof(row));
	strlcpy(row.name, j->u.gone.user, sizeof(row.name));
	row.uid = j->uid;
	row.workspace = removed ? WORKSPACE_REMOVE : WORKSPACE_KEEP;
	strlcpy(row.path, auth.conf.common.data, sizeof(row.path));
	asker_row(who, M_ROW_DELETED, &row, sizeof(row));
	if (removed)
		asker_ok(who,
		    "user %s deleted, and the home removed; uid %u is never given out "
		    "again",
		    row.name, row.uid);
	else
		asker_ok(who,
		    "user %s deleted; the home in %s stays, and uid %u, which "
		    "owns it, is never given out again",
		    row.name, row.path, row.uid);
}

static bool
on_removed(void *owner, uint32_t tag, struct msg *m)
{
	struct job *j = job_on(owner);
	const struct m_fail *f;

	(void)tag;
	if (m != NULL && m->head.type != M_SB_OK && m->head.type != M_SB_FAIL)
		return false;
	if (m != NULL && m->head.type == M_SB_OK) {
		deleted(j, true);
	} else {
		f = m != NULL ? MSG_DATA(m, m_fail) : NULL;
		asker_fail(&j->who, f != NULL ? (enum wire_fail)f->code : FAIL_TIMEOUT,
		    "workspace", "user %s is deleted, but the home is not removed: %s",
		    j->u.gone.user,
		    f == NULL             ? "isolation did not answer in time" :
			wire_str(f->text) ? f->text :
					    "");
	}
	job_end(j);
	return true;
}

/* The account first: nothing that it owns can come back to life afterwards. */
static void delete (const struct asker *who, const struct store_account *a, bool remove)
{
	enum store_result r;
	struct m_sb sb;
	struct job *j;

	if ((j = job_new(who)) == NULL)
		return;
	j->uid = a->uid;
	strlcpy(j->u.gone.user, a->name, sizeof(j->u.gone.user));
	sandbox_payload(&sb, a->uid, a->name);
	if (!asker_audit(who, AUDIT_USER_DELETED, a,
		remove ? "workspace removed" : "workspace kept")) {
		job_end(j);
		return;
	}
	if ((r = store_account_delete(auth.store, a->uid)) != STORE_OK) {
		asker_undone(who, AUDIT_USER_DELETED, a, r);
		job_end(j);
		return;
	}
	settings_forget(a->uid);
	session_drop_user(a->uid, REVOKED_DISABLED);
	if (!remove) {
		sandbox_stop_user(a->uid, a->name, WHY_STOPPED);
		deleted(j, false);
		job_end(j);
		return;
	}
	if (ask(&auth.isolation, M_SB_REMOVE, &sb, sizeof(sb), REMOVE_TIMEOUT, on_removed,
		j, 0) == 0)
		(void)on_removed(j, 0, NULL);
}

void
user_delete(struct chan *chan, struct msg *m)
{
	const struct m_account_delete *d = MSG_DATA(m, m_account_delete);
	struct store_account a;
	struct asker who;

	if (!asker_begin(chan, m, &who))
		return;
	if (d->workspace != WORKSPACE_KEEP && d->workspace != WORKSPACE_REMOVE) {
		asker_fail(&who, FAIL_INVALID, "workspace",
		    "say what becomes of the workspace: keep or remove");
		return;
	}
	if (!asker_subject(&who, d->user, &a))
		return;
	if (who.uid == a.uid && who.uid != 0)
		asker_fail(&who, FAIL_DENIED, NULL,
		    "nobody deletes themselves: ask another administrator");
	else if (account_version_ok(&who, d->version, &a))
		delete (&who, &a, d->workspace == WORKSPACE_REMOVE);
	explicit_bzero(&a, sizeof(a));
}
