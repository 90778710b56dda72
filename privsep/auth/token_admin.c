/*
 * API tokens of other users: who may see to them lists and ends them, root makes some
 * for programs that have no login; and the keys of tokens are changed at once.
 */
#include <stdio.h>
#include <string.h>

#include <bsd/string.h>

#include "auth_peer.h"
#include "store_record.h"
#include "token.h"
#include "token_jwt.h"

#define SCAN_MAX       2000
#define ROTATE_TIMEOUT 10

static void
row(const struct asker *who, const struct store_token *t, const char *user)
{
	struct m_token m;

	token_row(t, user, &m);
	asker_row(who, M_ROW_TOKEN, &m, sizeof(m));
}

static void
tokens_of(const struct asker *who, const struct m_list *l)
{
	struct store_account a;

	if (!asker_account(who, l->user, &a))
		return;
	token_page(who, l, a.uid, a.name);
	explicit_bzero(&a, sizeof(a));
}

static void
tokens_all(const struct asker *who, const struct m_list *l)
{
	enum store_result r = STORE_OK;
	uint32_t rows = 0, scanned;
	struct store_account a;
	struct store_token t;
	char at[WIRE_SESSION];

	strlcpy(at, l->cursor, sizeof(at));
	for (scanned = 0; scanned < SCAN_MAX && rows < l->limit; scanned++) {
		if ((r = store_token_next(auth.store, at, &t)) != STORE_OK)
			break;
		strlcpy(at, t.id, sizeof(at));
		if (store_account_by_uid(auth.store, t.uid, &a) != STORE_OK)
			continue;
		row(who, &t, a.name);
		rows++;
	}
	explicit_bzero(&a, sizeof(a));
	explicit_bzero(&t, sizeof(t));
	if (r == STORE_NOT_FOUND)
		asker_page(who, "");
	else if (r != STORE_OK)
		asker_store_fail(who, r, "tokens");
	else
		asker_page(who, at);
}

void
user_tokens(struct chan *chan, struct msg *m)
{
	struct m_list *l = (struct m_list *)(void *)m->u.bytes;
	struct asker who;

	if (!asker_begin(chan, m, &who) || !asker_list_of_ids(&who, l))
		return;
	if (l->user[0] != '\0')
		tokens_of(&who, l);
	else
		tokens_all(&who, l);
}

void
ctl_token_add(struct chan *chan, struct msg *m)
{
	static const struct wire_once none;
	const struct m_user_token *add = MSG_DATA(m, m_user_token);
	struct store_account a;
	struct asker who;

	if (!asker_begin(chan, m, &who) || !asker_subject(&who, add->user, &a))
		return;
	token_make(&who,
	    &(struct token_new){ .uid = a.uid,
		.user = a.name,
		.session = "",
		.may = account_permits(&a),
		.name = add->name,
		.scopes = add->scopes,
		.lifetime = add->lifetime,
		.once = &none });
	explicit_bzero(&a, sizeof(a));
}

void
user_token_end(struct chan *chan, struct msg *m)
{
	const char *id = MSG_DATA(m, m_session_ref)->session;
	enum store_result r = STORE_NOT_FOUND;
	struct store_account a;
	struct store_token t;
	struct asker who;
	char uid[16];

	if (!asker_begin(chan, m, &who))
		return;
	memset(&a, 0, sizeof(a));
	if (session_id_ok(id))
		r = store_token_by_id(auth.store, id, &t);
	if (r == STORE_OK) {
		snprintf(uid, sizeof(uid), "%u", t.uid);
		/* The one that asks by it ends after its answer. */
		if (!asker_subject(&who, uid, &a))
			;
		else if (who.w != NULL && who.w->live != NULL &&
		    strcmp(who.w->live->id, t.id) == 0)
			asker_fail(&who, FAIL_DENIED, NULL,
			    "this is the token that asks: use /api/users/me/tokens");
		else if ((r = token_revoke(&t, a.name, who.from, who.actor)) != STORE_OK)
			asker_store_fail(&who, r, id);
		else
			asker_ok(&who, "token %s of %s revoked", id, a.name);
	} else if (r == STORE_NOT_FOUND) {
		asker_fail(&who, FAIL_NOT_FOUND, NULL, "no token %s", id);
	} else {
		asker_store_fail(&who, r, id);
	}
	explicit_bzero(&t, sizeof(t));
	explicit_bzero(&a, sizeof(a));
}

static const char *
newest(const struct m_jwt_keys *k)
{
	return k->count > 0 && k->count <= WIRE_JWT_KEYS ? k->key[k->count - 1].kid : "";
}

/* The answer is the keys that there are now; that they are others, it must show. */
static char before[WIRE_KID];

static bool
on_rotated(void *owner, uint32_t tag, struct msg *m)
{
	struct ctl *c = owner;
	const char *kid;

	if (m == NULL) {
		ctl_fail(c, FAIL_TIMEOUT, "keys did not answer in time");
		return true;
	}
	kid = newest(token_keys());
	if (strcmp(kid, before) == 0)
		ctl_fail(c, FAIL_UNAVAILABLE,
		    "no new key: the last %d are known until what they signed is over; "
		    "wait for that, or make all of it void (-f)",
		    WIRE_JWT_KEYS);
	else if (tag != 0)
		ctl_ok(c, "key %s signs; what was signed before is void", kid);
	else
		ctl_ok(c,
		    "key %s signs; those before it are known until what they "
		    "signed is over",
		    kid);
	return true;
}

void
ctl_rotate(struct chan *chan, struct msg *m)
{
	struct m_jwt_rotate rotate = { MSG_DATA(m, m_jwt_rotate)->forget != 0, 0 };
	struct ctl *c = chan->arg;

	if (!ctl_begin(c, m))
		return;
	strlcpy(before, newest(token_keys()), sizeof(before));
	if (!audit_event(AUDIT_TOKEN_ROTATED, LOG_N("forget", rotate.forget),
		LOG_S("actor", c->actor)))
		ctl_fail(c, FAIL_NO_SPACE, "%s", AUDIT_REFUSED);
	else if (ask(&auth.keys, M_JWT_ROTATE, &rotate, sizeof(rotate), ROTATE_TIMEOUT,
		     on_rotated, c, rotate.forget) == 0)
		ctl_fail(c, FAIL_UNAVAILABLE,
		    "keys is not there, or too many requests are under way");
}
