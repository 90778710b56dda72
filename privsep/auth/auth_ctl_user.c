/* idectl user …: accounts. */
#include <string.h>

#include <bsd/string.h>

#include "auth.h"
#include "auth_ctl.h"
#include "auth_policy.h"
#include "store_record.h"

#define REMOVE_TIMEOUT 60 /* seconds: the sandbox ends first */

void
ctl_user_row(const struct store_account *a, struct m_user *row)
{
	static struct store_session s[1024];

	memset(row, 0, sizeof(*row));
	strlcpy(row->name, a->name, sizeof(row->name));
	strlcpy(row->email, a->email, sizeof(row->email));
	strlcpy(row->role, a->role, sizeof(row->role));
	row->uid = a->uid;
	row->active = a->active;
	row->sessions = (uint32_t)store_session_of_user(
	    auth.store, a->uid, s, sizeof(s) / sizeof(s[0]));
	row->created = a->created;
	row->updated = a->updated;
	row->last_login = a->last_login;
}

/* Before it is done; false, and answered, where that cannot be written down. */
static bool
audit(struct ctl *c, enum audit_event event, const struct store_account *a)
{
	/* One that is new has no uid yet. */
	if (a->uid == 0 ? audit_event(event, LOG_S("user", a->name),
			      LOG_S("role", a->role), LOG_S("actor", c->actor)) :
			  audit_event(event, LOG_S("user", a->name), LOG_N("uid", a->uid),
			      LOG_S("role", a->role), LOG_S("actor", c->actor)))
		return true;
	ctl_fail(c, FAIL_NO_SPACE, "%s", AUDIT_REFUSED);
	return false;
}

/* What was announced and did not happen. */
static void
undone(struct ctl *c, enum audit_event event, const struct store_account *a,
    enum store_result r)
{
	(void)audit_event(AUDIT_USER_ERROR, LOG_S("user", a->name),
	    LOG_S("event", audit_table[event].event), LOG_S("why", store_strerror(r)),
	    LOG_S("actor", c->actor));
	ctl_store_fail(c, r, a->name);
}

/* Take over what came, every string of it with an end. */
static bool
edit_take(struct ctl *c, struct msg *m)
{
	const struct m_user_edit *e = MSG_DATA(m, m_user_edit);

	if (!wire_str(e->name) || !wire_str(e->email) || !wire_str(e->role) ||
	    !wire_str(e->password)) {
		ctl_bad(c, "string without an end");
		return false;
	}
	c->edit = *e; /* the channel wipes the message itself */
	return true;
}

static bool
password_ok(struct ctl *c)
{
	char buf[WIRE_TEXT];
	const char *why;

	why = policy_password(
	    &auth.conf.auth, c->edit.name, c->edit.password, buf, sizeof(buf));
	if (why != NULL)
		ctl_fail(c, FAIL_INVALID, "%s", why);
	return why == NULL;
}

/* NULL when the rest of an edit is sound. */
static const char *
edit_wrong(struct m_user_edit *e)
{
	const char *why;

	if ((why = policy_name(e->name)) != NULL)
		return why;
	fold(e->email);
	if (e->email[0] != '\0' && !account_email_ok(e->email))
		return "this is no e-mail address";
	if (e->role[0] == '\0')
		strlcpy(e->role, "user", sizeof(e->role));
	if (role_find(auth.conf.role, auth.conf.nroles, e->role) == NULL)
		return "there is no such role: admin, operator and user are built in, "
		       "others are in ided.conf";
	return NULL;
}

static void
on_added(void *owner, uint32_t tag, enum wire_hashed result, const char *encoded)
{
	struct ctl *c = owner;
	struct store_account a;
	enum store_result r;

	(void)tag;
	if (result != HASHED_YES) {
		ctl_fail(c, FAIL_UNAVAILABLE, "the password could not be hashed");
		return;
	}
	memset(&a, 0, sizeof(a));
	strlcpy(a.name, c->edit.name, sizeof(a.name));
	strlcpy(a.email, c->edit.email, sizeof(a.email));
	strlcpy(a.role, c->edit.role, sizeof(a.role));
	strlcpy(a.hash, encoded, sizeof(a.hash));
	a.active = true;
	a.created = a.updated = auth_now();
	if (!audit(c, AUDIT_USER_ADDED, &a))
		;
	else if ((r = store_account_add(auth.store, &a)) != STORE_OK)
		undone(c, AUDIT_USER_ADDED, &a, r);
	else
		ctl_ok(c, "user %s added with role %s and uid %u", a.name, a.role, a.uid);
	explicit_bzero(&a, sizeof(a));
}

void
ctl_user_add(struct chan *chan, struct msg *m)
{
	struct ctl *c = chan->arg;
	struct store_account a;
	const char *why;

	if (!ctl_begin(c, m) || !edit_take(c, m))
		return;
	if ((why = edit_wrong(&c->edit)) != NULL) {
		ctl_fail(c, FAIL_INVALID, "%s", why);
		return;
	}
	/* Before a second of hashing; the store looks again. */
	if (store_account_by_name(auth.store, c->edit.name, &a) == STORE_OK) {
		explicit_bzero(&a, sizeof(a));
		ctl_fail(c, FAIL_EXISTS, "%s: %s", c->edit.name,
		    store_strerror(STORE_NAME_TAKEN));
		return;
	}
	if (!password_ok(c))
		return;
	if (!hash_make(c->edit.password, on_added, c, 0))
		ctl_fail(c, FAIL_BUSY, "the hash helpers are busy: try again");
	else
		explicit_bzero(c->edit.password, sizeof(c->edit.password));
}

void
ctl_user_list(struct chan *chan, struct msg *m)
{
	struct ctl *c = chan->arg;

	if (ctl_begin(c, m))
		ctl_list_start(c, LIST_USERS, 0);
}

void
ctl_user_show(struct chan *chan, struct msg *m)
{
	struct ctl *c = chan->arg;
	const struct m_name *n = MSG_DATA(m, m_name);
	struct store_account a;
	struct m_user row;

	if (!ctl_begin(c, m) || !ctl_account(c, n->name, sizeof(n->name), &a))
		return;
	ctl_user_row(&a, &row);
	explicit_bzero(&a, sizeof(a));
	chan_send(chan, M_ROW_USER, c->id, -1, &row, sizeof(row));
	ctl_ok(c, "%s", "");
}

static void
on_passwd(void *owner, uint32_t tag, enum wire_hashed result, const char *encoded)
{
	struct ctl *c = owner;
	struct store_account a;
	enum store_result r;

	(void)tag;
	if (result != HASHED_YES) {
		ctl_fail(c, FAIL_UNAVAILABLE, "the password could not be hashed");
		return;
	}
	r = store_account_by_name(auth.store, c->edit.name, &a);
	if (r != STORE_OK) {
		ctl_store_fail(c, r, c->edit.name);
		return;
	}
	if (!audit(c, AUDIT_USER_PASSWORD, &a)) {
		explicit_bzero(&a, sizeof(a));
		return;
	}
	strlcpy(a.hash, encoded, sizeof(a.hash));
	a.updated = auth_now();
	if ((r = store_account_put(auth.store, &a)) == STORE_OK)
		r = session_revoke_user(a.uid, REVOKED_ADMIN, c->actor);
	if (r != STORE_OK)
		undone(c, AUDIT_USER_PASSWORD, &a, r);
	else
		ctl_ok(c, "password of %s changed; all sessions ended", a.name);
	explicit_bzero(&a, sizeof(a));
}

void
ctl_user_passwd(struct chan *chan, struct msg *m)
{
	struct ctl *c = chan->arg;
	struct store_account a;

	if (!ctl_begin(c, m) || !edit_take(c, m) ||
	    !ctl_account(c, c->edit.name, sizeof(c->edit.name), &a))
		return;
	explicit_bzero(&a, sizeof(a));
	if (!password_ok(c))
		return;
	if (!hash_make(c->edit.password, on_passwd, c, 0))
		ctl_fail(c, FAIL_BUSY, "the hash helpers are busy: try again");
	else
		explicit_bzero(c->edit.password, sizeof(c->edit.password));
}

static enum store_result
set_active(struct store_account *a, bool active)
{
	a->active = active;
	a->updated = auth_now();
	return store_account_put(auth.store, a);
}

void
ctl_user_disable(struct chan *chan, struct msg *m)
{
	struct ctl *c = chan->arg;
	const struct m_name *n = MSG_DATA(m, m_name);
	struct store_account a;
	enum store_result r;

	if (!ctl_begin(c, m) || !ctl_account(c, n->name, sizeof(n->name), &a))
		return;
	if (!audit(c, AUDIT_USER_DISABLED, &a)) {
		explicit_bzero(&a, sizeof(a));
		return;
	}
	if ((r = set_active(&a, false)) == STORE_OK) {
		/* Should this fail, no session of an inactive user is valid. */
		r = session_revoke_user(a.uid, REVOKED_DISABLED, c->actor);
		session_drop_user(a.uid, REVOKED_DISABLED);
		sandbox_stop_user(a.uid, a.name);
	}
	if (r != STORE_OK)
		undone(c, AUDIT_USER_DISABLED, &a, r);
	else
		ctl_ok(
		    c, "user %s disabled; all sessions ended, the sandbox stops", a.name);
	explicit_bzero(&a, sizeof(a));
}

void
ctl_user_enable(struct chan *chan, struct msg *m)
{
	struct ctl *c = chan->arg;
	const struct m_name *n = MSG_DATA(m, m_name);
	struct store_account a;
	enum store_result r;

	if (!ctl_begin(c, m) || !ctl_account(c, n->name, sizeof(n->name), &a))
		return;
	if (!audit(c, AUDIT_USER_ENABLED, &a))
		;
	else if ((r = set_active(&a, true)) != STORE_OK)
		undone(c, AUDIT_USER_ENABLED, &a, r);
	else
		ctl_ok(c, "user %s enabled", a.name);
	explicit_bzero(&a, sizeof(a));
}

static bool
on_removed(void *owner, uint32_t tag, struct msg *m)
{
	struct ctl *c = owner;
	const struct m_fail *f;

	if (m != NULL && m->head.type == M_SB_OK) {
		ctl_ok(c,
		    "user %s deleted, and the home removed; uid %u is never given out "
		    "again",
		    c->edit.name, tag);
		return true;
	}
	if (m != NULL && m->head.type != M_SB_FAIL)
		return false;
	f = m != NULL ? MSG_DATA(m, m_fail) : NULL;
	ctl_fail(c, f != NULL ? (enum wire_fail)f->code : FAIL_TIMEOUT,
	    "user %s is deleted, but the home is not removed: %s", c->edit.name,
	    f == NULL             ? "isolation did not answer in time" :
		wire_str(f->text) ? f->text :
				    "");
	return true;
}

/* Its answer comes from on_removed(). */
static void
remove_home(struct ctl *c, const struct store_account *a)
{
	struct m_sb sb;

	memset(&c->edit, 0, sizeof(c->edit));
	strlcpy(c->edit.name, a->name, sizeof(c->edit.name));
	sandbox_payload(&sb, a->uid, a->name);
	if (ask(&auth.isolation, M_SB_REMOVE, &sb, sizeof(sb), REMOVE_TIMEOUT, on_removed,
		c, a->uid) == 0)
		ctl_fail(c, FAIL_BUSY,
		    "user %s is deleted, but the home is not removed: too many requests "
		    "are under way",
		    a->name);
}

void
ctl_user_delete(struct chan *chan, struct msg *m)
{
	struct ctl *c = chan->arg;
	const struct m_user_delete *d = MSG_DATA(m, m_user_delete);
	struct store_account a;
	enum store_result r;

	if (!ctl_begin(c, m) || !ctl_account(c, d->name, sizeof(d->name), &a))
		return;
	if (!audit(c, AUDIT_USER_DELETED, &a)) {
		;
	} else if ((r = store_account_delete(auth.store, a.uid)) != STORE_OK) {
		undone(c, AUDIT_USER_DELETED, &a, r);
	} else {
		session_drop_user(a.uid, REVOKED_DISABLED);
		if (d->remove != 0) {
			remove_home(c, &a);
		} else {
			sandbox_stop_user(a.uid, a.name);
			ctl_ok(c,
			    "user %s deleted; the home in %s stays, and uid %u, which "
			    "owns it, is never given out again",
			    a.name, auth.conf.common.data, a.uid);
		}
	}
	explicit_bzero(&a, sizeof(a));
}
