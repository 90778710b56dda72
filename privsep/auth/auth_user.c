/* Accounts: looked at, made and changed. */
#include <openssl/evp.h>

#include <stdio.h>
#include <string.h>

#include <bsd/string.h>

#include "auth_peer.h"
#include "auth_policy.h"
#include "auth_text.h"
#include "store_record.h"

#define SESSIONS_SHOWN 1024

static enum wire_account
state_of(const struct store_account *a)
{
	return a->pending ? ACCOUNT_PENDING :
	    a->active     ? ACCOUNT_ACTIVE :
			    ACCOUNT_DISABLED;
}

void
account_row(const struct store_account *a, struct m_account *row)
{
	static struct store_session s[SESSIONS_SHOWN];

	memset(row, 0, sizeof(*row));
	strlcpy(row->name, a->name, sizeof(row->name));
	strlcpy(row->email, a->email, sizeof(row->email));
	strlcpy(row->display, a->display, sizeof(row->display));
	strlcpy(row->roles, a->roles, sizeof(row->roles));
	strlcpy(row->metadata, a->metadata, sizeof(row->metadata));
	permits_text(account_permits(a), row->permits, sizeof(row->permits));
	row->uid = a->uid;
	row->state = state_of(a);
	row->must_change = a->must_change;
	row->sessions = (uint32_t)store_session_of_user(
	    auth.store, a->uid, s, SESSIONS_SHOWN);
	row->version = a->version;
	row->reset = a->reset_expires > auth_now();
	row->created = a->created;
	row->updated = a->updated;
	row->last_login = a->last_login;
	row->password_at = a->password_at;
	row->limits = a->limits;
}

void
account_answer(const struct asker *who, const struct store_account *a, const char *text)
{
	struct m_account row;

	account_row(a, &row);
	asker_row(who, M_ROW_ACCOUNT, &row, sizeof(row));
	asker_ok(who, "%s", text);
}

/* Roles that there are, and that permit nothing that the asker may not do. */
static bool
roles_given(const struct asker *who, const char *roles)
{
	char name[WIRE_ROLE];
	const char *at = roles;

	if (!roles_ok(roles)) {
		asker_fail(who, FAIL_INVALID, "roles",
		    "an account has one to %d roles, none of them twice", ROLES_MAX);
		return false;
	}
	while (roles_next(&at, name))
		if (role_find(auth.conf.role, auth.conf.nroles, name) == NULL) {
			asker_fail(who, FAIL_INVALID, "roles",
			    "there is no role %s: admin, operator and user are built "
			    "in, others are in ided.conf",
			    name);
			return false;
		}
	if ((roles_permit(auth.conf.role, auth.conf.nroles, roles) & ~who->have) != 0) {
		asker_fail(who, FAIL_DENIED, "roles",
		    "nobody gives a role that permits more than they may do "
		    "themselves");
		return false;
	}
	return true;
}

bool
account_version_ok(
    const struct asker *who, uint32_t version, const struct store_account *a)
{
	if (version == 0 || version == a->version)
		return true;
	asker_fail(who, FAIL_CHANGED, "version",
	    "%s was changed meanwhile: look at it again", a->name);
	return false;
}

bool
account_edit(const struct asker *who, struct m_account_edit *e, struct store_account *a)
{
	const char *why;

	if (!account_version_ok(who, e->version, a))
		return false;
	if (e->set & EDIT_EMAIL) {
		if ((why = text_email(e->email)) != NULL) {
			asker_fail(who, FAIL_INVALID, "email", "e-mail address: %s", why);
			return false;
		}
		if (strcmp(e->email, a->email) != 0 &&
		    !account_email_unlike(who, e->email, a->email, e->lookalike != 0))
			return false;
		strlcpy(a->email, e->email, sizeof(a->email));
	}
	if (e->set & EDIT_DISPLAY) {
		if ((why = text_display(e->display)) != NULL) {
			asker_fail(
			    who, FAIL_INVALID, "displayName", "name to show: %s", why);
			return false;
		}
		strlcpy(a->display, e->display, sizeof(a->display));
	}
	if (e->set & EDIT_ROLES) {
		if (!roles_given(who, e->roles))
			return false;
		strlcpy(a->roles, e->roles, sizeof(a->roles));
	}
	if (e->set & EDIT_METADATA)
		strlcpy(a->metadata, e->metadata, sizeof(a->metadata));
	if (e->set & EDIT_MUST_CHANGE)
		a->must_change = e->must_change != 0;
	return true;
}

bool
account_password_ok(
    const struct asker *who, const char *field, const char *name, const char *password)
{
	char buf[WIRE_TEXT];
	const char *why;

	why = policy_password(&auth.conf.auth, name, password, buf, sizeof(buf));
	if (why != NULL)
		asker_fail(who, FAIL_INVALID, field, "%s", why);
	return why == NULL;
}

void
user_get(struct chan *chan, struct msg *m)
{
	struct store_account a;
	struct asker who;

	if (!asker_begin(chan, m, &who) ||
	    !asker_account(&who, MSG_DATA(m, m_account_ref)->user, &a))
		return;
	account_answer(&who, &a, "");
	explicit_bzero(&a, sizeof(a));
}

static bool
me(const struct asker *who, struct store_account *a)
{
	enum store_result r;

	if ((r = store_account_by_uid(auth.store, who->uid, a)) == STORE_OK)
		return true;
	asker_store_fail(who, r, "account");
	return false;
}

void
me_get(struct chan *chan, struct msg *m)
{
	struct store_account a;
	struct asker who;

	if (!asker_begin(chan, m, &who) || !me(&who, &a))
		return;
	account_answer(&who, &a, "");
	explicit_bzero(&a, sizeof(a));
}

/* Was this very call answered before?  True when it is answered now. */
static bool
made_before(const struct asker *who, const struct wire_once *once, struct store_once *o)
{
	struct store_account a;

	switch (once_look(who, once, o)) {
	case ONCE_FIRST:
		return false;
	case ONCE_REFUSED:
		return true;
	case ONCE_AGAIN:
		break;
	}
	if (store_account_by_uid(auth.store, o->uid, &a) != STORE_OK)
		once_gone(who);
	else
		account_answer(who, &a, "made before");
	explicit_bzero(&a, sizeof(a));
	return true;
}

static enum store_result
add(const struct job *j, struct store_account *a)
{
	struct store_once o = j->once;

	if (!once_wanted(&j->u.edit.once))
		return store_account_add(auth.store, a);
	return store_account_add_once(auth.store, a, &o);
}

/* The hash is there, or none was wanted: "". */
static void
made(struct job *j, const char *encoded)
{
	struct m_account_edit *e = &j->u.edit;
	enum audit_event event = (enum audit_event)j->what;
	struct store_account a;
	enum store_result r;
	char text[WIRE_TEXT];

	/* While this one was hashed the same call may have come a second time, or one
	 * for what looks like it. */
	if (made_before(&j->who, &e->once, &j->once) ||
	    !account_name_unlike(&j->who, e->name, e->lookalike != 0) ||
	    !account_email_unlike(&j->who, e->email, "", e->lookalike != 0)) {
		job_end(j);
		return;
	}
	memset(&a, 0, sizeof(a));
	strlcpy(a.name, e->name, sizeof(a.name));
	strlcpy(a.email, e->email, sizeof(a.email));
	strlcpy(a.display, e->display, sizeof(a.display));
	strlcpy(a.roles, e->roles, sizeof(a.roles));
	strlcpy(a.metadata, e->metadata, sizeof(a.metadata));
	strlcpy(a.hash, encoded, sizeof(a.hash));
	a.active = e->active != 0;
	a.pending = event == AUDIT_USER_REGISTERED && !a.active;
	a.must_change = e->must_change != 0;
	a.version = 1;
	a.created = a.updated = a.password_at = auth_now();
	strlcpy(text, a.pending ? "waits for approval" : "", sizeof(text));
	if (e->lookalike) {
		account_name_like(text, sizeof(text), a.name);
		account_email_like(text, sizeof(text), a.email, "");
	}
	if (asker_audit(&j->who, event, &a, text)) {
		if ((r = add(j, &a)) != STORE_OK)
			asker_undone(&j->who, event, &a, r);
		else {
			snprintf(text, sizeof(text),
			    "user %s added with role %s and uid %u%s", a.name, a.roles,
			    a.uid,
			    a.pending ? "; an administrator has to approve it" : "");
			account_answer(&j->who, &a, text);
		}
	}
	explicit_bzero(&a, sizeof(a));
	job_end(j);
}

static void
on_made(void *owner, uint32_t tag, enum wire_hashed result, const char *encoded)
{
	struct job *j = job_on(owner);

	(void)tag;
	if (result != HASHED_YES) {
		asker_fail(&j->who, FAIL_UNAVAILABLE, NULL,
		    "the password could not be hashed: try again");
		job_end(j);
		return;
	}
	made(j, encoded);
}

/*
 * Everything is looked at before the hash is made, which takes a fifth of a second;
 * the store looks again.
 */
void
account_make(struct asker *who, struct m_account_edit *e, struct store_account *a,
    enum audit_event event)
{
	struct store_account other;
	struct store_once once;
	const char *why;
	struct job *j;

	fold(e->name);
	if ((why = policy_name(e->name)) != NULL) {
		asker_fail(who, FAIL_INVALID, "username", "%s", why);
		return;
	}
	strlcpy(a->name, e->name, sizeof(a->name));
	e->version = 0;
	if (made_before(who, &e->once, &once) || !account_edit(who, e, a))
		return;
	if (!account_name_unlike(who, e->name, e->lookalike != 0))
		return;
	if ((e->set & EDIT_PASSWORD) &&
	    !account_password_ok(who, "password", e->name, e->password))
		return;
	if (store_account_by_name(auth.store, e->name, &other) == STORE_OK) {
		explicit_bzero(&other, sizeof(other));
		asker_store_fail(who, STORE_NAME_TAKEN, e->name);
		return;
	}
	if (e->email[0] != '\0' &&
	    store_account_by_email(auth.store, e->email, &other) == STORE_OK) {
		explicit_bzero(&other, sizeof(other));
		asker_store_fail(who, STORE_EMAIL_TAKEN, e->email);
		return;
	}
	if ((j = job_new(who)) == NULL)
		return;
	j->u.edit = *e;
	j->once = once;
	j->what = event;
	if ((e->set & EDIT_PASSWORD) == 0) {
		made(j, "");
		return;
	}
	if (!hash_make(e->password, on_made, j, 0)) {
		asker_fail(who, FAIL_BUSY, NULL, "the hash helpers are busy: try again");
		job_end(j);
		return;
	}
	explicit_bzero(j->u.edit.password, sizeof(j->u.edit.password));
}

void
user_add(struct chan *chan, struct msg *m)
{
	struct m_account_edit *e = (struct m_account_edit *)(void *)m->u.bytes;
	struct store_account a;
	struct asker who;

	if (!asker_begin(chan, m, &who))
		return;
	memset(&a, 0, sizeof(a));
	if ((e->set & EDIT_ROLES) == 0)
		strlcpy(e->roles, "user", sizeof(e->roles));
	e->set |= EDIT_ROLES;
	if ((e->set & EDIT_ACTIVE) == 0)
		e->active = 1;
	account_make(&who, e, &a, AUDIT_USER_ADDED);
}

/* What an edit changes, for the audit trail: beside each name, what cannot be seen in
 * the record. */
static const char *
edit_text(const struct m_account_edit *e, const struct store_account *old, char *text,
    size_t size)
{
	static const struct {
		uint32_t bit;
		const char *name;
	} names[] = { { EDIT_EMAIL, "email" }, { EDIT_DISPLAY, "displayName" },
		{ EDIT_ROLES, "roles" }, { EDIT_METADATA, "metadata" },
		{ EDIT_MUST_CHANGE, "mustChangePassword" } };
	size_t i;

	text[0] = '\0';
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if ((e->set & names[i].bit) == 0)
			continue;
		strlcat(text, text[0] != '\0' ? " " : "", size);
		strlcat(text, names[i].name, size);
	}
	if (e->set & EDIT_ROLES) {
		strlcat(text, "; roles were ", size);
		strlcat(text, old->roles, size);
	}
	if (e->lookalike && (e->set & EDIT_EMAIL))
		account_email_like(text, size, e->email, old->email);
	return text;
}

/* What may be done changes: nothing that runs on an earlier word goes on. */
static void
put(const struct asker *who, const struct m_account_edit *e,
    const struct store_account *old, struct store_account *a)
{
	permits before = account_permits(old), after = account_permits(a);
	char text[WIRE_TEXT];
	enum store_result r;

	a->version++;
	a->updated = auth_now();
	if (before != after || (a->must_change && !old->must_change))
		a->token_version++;
	if (!asker_audit(
		who, AUDIT_USER_CHANGED, a, edit_text(e, old, text, sizeof(text))))
		return;
	if ((r = store_account_put(auth.store, a)) != STORE_OK) {
		asker_undone(who, AUDIT_USER_CHANGED, a, r);
		return;
	}
	snprintf(text, sizeof(text), "user %s changed", a->name);
	account_answer(who, a, text);
	if (before != after || a->must_change != old->must_change ||
	    strcmp(old->roles, a->roles) != 0)
		session_drop_user(a->uid, REVOKED_ROLE);
}

/* The hash is there.  Meanwhile the account may have become one that the asker may not
 * change. */
static void
put_hashed(struct job *j, const char *encoded)
{
	struct m_account_edit *e = &j->u.edit;
	struct store_account old, a;
	char text[WIRE_TEXT], uid[16];
	enum store_result r;

	snprintf(uid, sizeof(uid), "%u", j->uid);
	if (!asker_subject(&j->who, uid, &a))
		return;
	old = a;
	if (account_edit(&j->who, e, &a) &&
	    asker_audit(&j->who, AUDIT_USER_PASSWORD, &a,
		edit_text(e, &old, text, sizeof(text)))) {
		strlcpy(a.hash, encoded, sizeof(a.hash));
		a.updated = a.password_at = auth_now();
		a.version++;
		a.token_version++;
		a.reset_expires = 0;
		if ((r = store_account_put(auth.store, &a)) == STORE_OK)
			r = session_revoke_user(a.uid, REVOKED_PASSWORD, j->who.actor);
		if (r != STORE_OK) {
			asker_undone(&j->who, AUDIT_USER_PASSWORD, &a, r);
		} else {
			snprintf(text, sizeof(text),
			    "password of %s changed; all sessions ended", a.name);
			account_answer(&j->who, &a, text);
		}
	}
	explicit_bzero(&a, sizeof(a));
	explicit_bzero(&old, sizeof(old));
}

static void
on_password(void *owner, uint32_t tag, enum wire_hashed result, const char *encoded)
{
	struct job *j = job_on(owner);

	(void)tag;
	if (result == HASHED_YES)
		put_hashed(j, encoded);
	else
		asker_fail(&j->who, FAIL_UNAVAILABLE, NULL,
		    "the password could not be hashed: try again");
	job_end(j);
}

static void
put_password(
    const struct asker *who, struct m_account_edit *e, const struct store_account *a)
{
	struct job *j;

	if (!account_password_ok(who, "password", a->name, e->password) ||
	    (j = job_new(who)) == NULL)
		return;
	j->u.edit = *e;
	j->uid = a->uid;
	if (!hash_make(e->password, on_password, j, 0)) {
		asker_fail(who, FAIL_BUSY, NULL, "the hash helpers are busy: try again");
		job_end(j);
		return;
	}
	explicit_bzero(j->u.edit.password, sizeof(j->u.edit.password));
}

/* Nobody takes from oneself what it takes to give it back. */
static bool
may_edit(const struct asker *who, const struct m_account_edit *e,
    const struct store_account *a)
{
	permits after = roles_permit(auth.conf.role, auth.conf.nroles, e->roles);

	if (who->uid != a->uid || who->uid == 0 || (e->set & EDIT_ROLES) == 0 ||
	    (after & PERMIT(PERMISSION_USERS_MANAGE)) != 0)
		return true;
	asker_fail(who, FAIL_DENIED, "roles",
	    "nobody takes users.manage from themselves: ask another administrator");
	return false;
}

void
user_put(struct chan *chan, struct msg *m)
{
	struct m_account_edit *e = (struct m_account_edit *)(void *)m->u.bytes;
	struct store_account old, a;
	struct asker who;

	if (!asker_begin(chan, m, &who) || !asker_subject(&who, e->user, &a))
		return;
	old = a;
	if (!may_edit(&who, e, &a))
		;
	else if (e->set & EDIT_PASSWORD)
		put_password(&who, e, &a);
	else if (account_edit(&who, e, &a))
		put(&who, e, &old, &a);
	explicit_bzero(&a, sizeof(a));
	explicit_bzero(&old, sizeof(old));
}

void
me_put(struct chan *chan, struct msg *m)
{
	struct m_account_edit *e = (struct m_account_edit *)(void *)m->u.bytes;
	struct store_account old, a;
	struct asker who;

	if (!asker_begin(chan, m, &who) || !me(&who, &a))
		return;
	old = a;
	e->set &= EDIT_EMAIL | EDIT_DISPLAY;
	e->lookalike = 0;
	if (account_edit(&who, e, &a))
		put(&who, e, &old, &a);
	explicit_bzero(&a, sizeof(a));
	explicit_bzero(&old, sizeof(old));
}
