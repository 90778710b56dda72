/*
 * Passwords: changed by whose they are, and reset by a one-time link.
 *
 * A link's secret is the uid and 224 random bits; the store keeps its SHA-256.  It is
 * spent by the password that it sets, and void after a day.
 */
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <string.h>

#include <bsd/stdlib.h>
#include <bsd/string.h>

#include "auth_peer.h"
#include "auth_policy.h"
#include "store_record.h"

#define RESET_LIFETIME 86400

static void
sha256(const uint8_t *p, size_t len, uint8_t md[STORE_KEY])
{
	if (EVP_Digest(p, len, md, NULL, EVP_sha256(), NULL) != 1)
		fatalx("SHA-256 failed");
}

/* The password of old is void from now on, and so is all that came of it. */
void
user_reset(struct chan *chan, struct msg *m)
{
	struct store_account a;
	enum store_result r;
	struct m_reset row;
	struct asker who;

	if (!asker_begin(chan, m, &who) ||
	    !asker_subject(&who, MSG_DATA(m, m_account_ref)->user, &a))
		return;
	memset(&row, 0, sizeof(row));
	strlcpy(row.name, a.name, sizeof(row.name));
	record_put32be(row.token, a.uid);
	arc4random_buf(row.token + 4, sizeof(row.token) - 4);
	row.expires = auth_now() + RESET_LIFETIME;
	sha256(row.token, sizeof(row.token), a.reset_key);
	a.reset_expires = row.expires;
	a.hash[0] = '\0';
	a.version++;
	a.token_version++;
	a.updated = auth_now();
	if (asker_audit(&who, AUDIT_USER_RESET, &a, "")) {
		if ((r = store_account_put(auth.store, &a)) == STORE_OK)
			r = session_revoke_user(a.uid, REVOKED_PASSWORD, who.actor);
		if (r != STORE_OK) {
			asker_undone(&who, AUDIT_USER_RESET, &a, r);
		} else {
			asker_row(&who, M_ROW_RESET, &row, sizeof(row));
			asker_ok(&who,
			    "the password of %s is void, all sessions ended; the link "
			    "sets a new one, once, within a day",
			    a.name);
		}
	}
	explicit_bzero(&row, sizeof(row));
	explicit_bzero(&a, sizeof(a));
}

/* The account that a link is for; false, and answered in one way, if it is for none. */
static bool
reset_account(
    const struct asker *who, const uint8_t token[WIRE_RESET], struct store_account *a)
{
	uint8_t key[STORE_KEY];

	sha256(token, WIRE_RESET, key);
	if (store_account_by_uid(auth.store, record_get32be(token), a) == STORE_OK &&
	    a->reset_expires > auth_now() &&
	    CRYPTO_memcmp(key, a->reset_key, sizeof(key)) == 0)
		return true;
	explicit_bzero(a, sizeof(*a));
	asker_fail(who, FAIL_INVALID, "token",
	    "this link is not valid, or not any more: ask an administrator for another");
	return false;
}

static enum store_result
password_set(struct store_account *a, const char *encoded)
{
	strlcpy(a->hash, encoded, sizeof(a->hash));
	a->must_change = false;
	a->reset_expires = 0;
	a->version++;
	a->token_version++;
	a->updated = a->password_at = auth_now();
	return store_account_put(auth.store, a);
}

static void
no_hash(struct job *j)
{
	asker_fail(&j->who, FAIL_UNAVAILABLE, NULL,
	    "the password could not be hashed: try again");
	job_end(j);
}

static void
on_reset(void *owner, uint32_t tag, enum wire_hashed result, const char *encoded)
{
	struct job *j = job_on(owner);
	struct store_account a;
	enum store_result r;

	(void)tag;
	if (result != HASHED_YES) {
		no_hash(j);
		return;
	}
	/* Once: of two who have it, the first. */
	if (reset_account(&j->who, j->u.reset.token, &a)) {
		if (asker_audit(&j->who, AUDIT_USER_RESET_USED, &a, "")) {
			if ((r = password_set(&a, encoded)) == STORE_OK)
				r = session_revoke_user(a.uid, REVOKED_PASSWORD, a.name);
			if (r != STORE_OK)
				asker_undone(&j->who, AUDIT_USER_RESET_USED, &a, r);
			else
				asker_ok(&j->who, "the password is set: log in with it");
		}
		explicit_bzero(&a, sizeof(a));
	}
	job_end(j);
}

void
reset_use(struct chan *chan, struct msg *m)
{
	const struct m_reset_use *u = MSG_DATA(m, m_reset_use);
	struct store_account a;
	struct asker who;
	struct job *j;
	bool ok;

	if (!asker_begin(chan, m, &who) || !reset_account(&who, u->token, &a))
		return;
	strlcpy(who.actor, a.name, sizeof(who.actor));
	ok = account_password_ok(&who, "password", a.name, u->password);
	explicit_bzero(&a, sizeof(a));
	if (!ok || (j = job_new(&who)) == NULL)
		return;
	j->u.reset = *u;
	if (!hash_make(u->password, on_reset, j, 0)) {
		asker_fail(&who, FAIL_BUSY, NULL, "the hash helpers are busy: try again");
		job_end(j);
		return;
	}
	explicit_bzero(j->u.reset.password, sizeof(j->u.reset.password));
}

/* It is the new one's hash: the other sessions end, this one goes on. */
static void
on_fresh(void *owner, uint32_t tag, enum wire_hashed result, const char *encoded)
{
	struct job *j = job_on(owner);
	struct worker *w = j->who.w;
	struct store_account a;
	enum store_result r;

	(void)tag;
	if (result != HASHED_YES) {
		no_hash(j);
		return;
	}
	if ((r = store_account_by_uid(auth.store, j->uid, &a)) != STORE_OK) {
		asker_store_fail(&j->who, r, j->who.actor);
	} else if (w->live == NULL) {
		asker_fail(&j->who, FAIL_DENIED, NULL, "the session is over");
	} else if (asker_audit(&j->who, AUDIT_USER_PASSWORD, &a, "")) {
		if ((r = password_set(&a, encoded)) == STORE_OK)
			r = session_revoke_others(w, REVOKED_PASSWORD);
		if (r != STORE_OK) {
			asker_undone(&j->who, AUDIT_USER_PASSWORD, &a, r);
		} else {
			worker_changed(w);
			asker_ok(&j->who, "password changed; all other sessions ended");
		}
	}
	explicit_bzero(&a, sizeof(a));
	job_end(j);
}

/* Was the old one right?  Then, and only then, the new one is looked at. */
static void
on_old(void *owner, uint32_t tag, enum wire_hashed result, const char *encoded)
{
	struct job *j = job_on(owner);
	struct m_password *p = &j->u.password;
	struct store_account a;

	(void)tag;
	(void)encoded;
	login_gate_end(&j->who.source, j->who.actor, result == HASHED_NO);
	j->gate = false;
	if (result == HASHED_FAILED) {
		no_hash(j);
		return;
	}
	if (result == HASHED_NO) {
		memset(&a, 0, sizeof(a));
		strlcpy(a.name, j->who.actor, sizeof(a.name));
		a.uid = j->uid;
		if (asker_audit(&j->who, AUDIT_USER_PASSWORD_WRONG, &a, ""))
			asker_fail(&j->who, FAIL_INVALID, "currentPassword",
			    "the current password is wrong");
		job_end(j);
		return;
	}
	if (strcmp(p->old, p->fresh) == 0) {
		asker_fail(&j->who, FAIL_INVALID, "newPassword",
		    "the new password is the old one: take another");
		job_end(j);
		return;
	}
	if (!account_password_ok(&j->who, "newPassword", j->who.actor, p->fresh)) {
		job_end(j);
		return;
	}
	if (!hash_make(p->fresh, on_fresh, j, 0)) {
		asker_fail(
		    &j->who, FAIL_BUSY, NULL, "the hash helpers are busy: try again");
		job_end(j);
		return;
	}
	explicit_bzero(p, sizeof(*p));
}

/* Who has a session does not have the password yet: guessing it is limited. */
void
me_password(struct chan *chan, struct msg *m)
{
	const struct m_password *p = MSG_DATA(m, m_password);
	struct store_account a;
	enum store_result r;
	struct asker who;
	uint32_t retry;
	struct job *j;

	if (!asker_begin(chan, m, &who))
		return;
	if ((r = store_account_by_uid(auth.store, who.uid, &a)) != STORE_OK) {
		asker_store_fail(&who, r, who.actor);
		return;
	}
	if ((j = job_new(&who)) != NULL) {
		j->uid = a.uid;
		j->u.password = *p;
		j->gate = login_gate_begin(&who.source, who.actor, &retry);
		if (!j->gate) {
			asker_fail(&who, FAIL_LIMITED, NULL,
			    "too many wrong passwords: try again in %u seconds",
			    retry > 0 ? retry : 1);
			job_end(j);
		} else if (!hash_verify(p->old, a.hash, on_old, j, 0)) {
			login_gate_end(&who.source, who.actor, false);
			j->gate = false;
			asker_fail(&who, FAIL_BUSY, NULL,
			    "the hash helpers are busy: try again");
			job_end(j);
		}
	}
	explicit_bzero(&a, sizeof(a));
}
