/*
 * Lists of roles and sessions, a page at a time, and the end of sessions.
 *
 * A cursor is the name, or the id, of the last that was looked at: a page goes on
 * behind it, whether it is still there or not.  A page looks at SCAN_MAX records at
 * most, so that a search for what nobody has keeps nobody else waiting.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bsd/string.h>

#include "../share_text.h"
#include "auth_peer.h"
#include "store_record.h"

#define SCAN_MAX     2000
#define LIMIT        50
#define SESSIONS_MAX 1024 /* of one user; the configuration allows 1000 */

bool
asker_list(const struct asker *who, struct m_list *l)
{
	if (l->limit == 0)
		l->limit = LIMIT;
	if (l->limit <= WIRE_ROWS)
		return true;
	asker_fail(who, FAIL_INVALID, "limit", "a page has 1 to %d rows", WIRE_ROWS);
	return false;
}

void
asker_bad_cursor(const struct asker *who)
{
	asker_fail(who, FAIL_INVALID, "cursor",
	    "this cursor is none of this list's: begin again without it");
}

bool
asker_list_of_one(const struct asker *who, struct m_list *l)
{
	if (!asker_list(who, l))
		return false;
	if (l->cursor[0] == '\0')
		return true;
	asker_bad_cursor(who);
	return false;
}

bool
asker_list_of_names(const struct asker *who, struct m_list *l)
{
	if (!asker_list(who, l))
		return false;
	if (l->cursor[0] == '\0' || account_name_ok(l->cursor))
		return true;
	asker_bad_cursor(who);
	return false;
}

static void
role_row(const struct asker *who, const struct role *r, bool builtin)
{
	struct m_role row;

	memset(&row, 0, sizeof(row));
	strlcpy(row.name, r->name, sizeof(row.name));
	row.builtin = builtin;
	permits_text(
	    r->permit | PERMIT(PERMISSION_ACCOUNT_OWN), row.permits, sizeof(row.permits));
	asker_row(who, M_ROW_ROLE, &row, sizeof(row));
}

/* Those that are built in, and the configuration's, in its order. */
static const struct role *
role_at(uint32_t i)
{
	if (i < ROLES_BUILTIN)
		return &roles_builtin[i];
	i -= ROLES_BUILTIN;
	return i < auth.conf.nroles && i < CONF_ROLE_MAX ? &auth.conf.role[i] : NULL;
}

void
roles_list(struct chan *chan, struct msg *m)
{
	struct m_list *l = (struct m_list *)(void *)m->u.bytes;
	const struct role *r, *last = NULL;
	uint32_t i = 0, rows = 0;
	struct asker who;

	if (!asker_begin(chan, m, &who) || !asker_list(&who, l))
		return;
	if (l->cursor[0] != '\0') {
		while ((r = role_at(i)) != NULL && strcmp(r->name, l->cursor) != 0)
			i++;
		if (r == NULL) {
			asker_bad_cursor(&who);
			return;
		}
		i++;
	}
	for (; (r = role_at(i)) != NULL && rows < l->limit; i++, rows++) {
		role_row(&who, r, i < ROLES_BUILTIN);
		last = r;
	}
	asker_page(&who, r != NULL && last != NULL ? last->name : "");
}

static int
by_id(const void *a, const void *b)
{
	return strcmp(
	    ((const struct store_session *)a)->id, ((const struct store_session *)b)->id);
}

/* Of one user, in the order of their ids. */
static void
sessions_of(const struct asker *who, const struct m_list *l, uint32_t uid,
    const char *user, const char *current)
{
	static struct store_session s[SESSIONS_MAX];
	struct m_session row;
	const char *last = "";
	uint32_t rows = 0;
	size_t i, n;

	n = store_session_of_user(auth.store, uid, s, SESSIONS_MAX);
	qsort(s, n, sizeof(s[0]), by_id);
	for (i = 0; i < n && rows < l->limit; i++) {
		if (strcmp(s[i].id, l->cursor) <= 0)
			continue;
		session_row(&s[i], user, current, &row);
		asker_row(who, M_ROW_SESSION, &row, sizeof(row));
		last = s[i].id;
		rows++;
	}
	asker_page(who, i < n ? last : "");
}

bool
asker_list_of_ids(const struct asker *who, struct m_list *l)
{
	if (!asker_list(who, l))
		return false;
	if (l->cursor[0] == '\0' || session_id_ok(l->cursor))
		return true;
	asker_bad_cursor(who);
	return false;
}

bool
asker_list_of_shares(const struct asker *who, struct m_list *l)
{
	uint8_t id[WIRE_SHARE];

	if (!asker_list(who, l))
		return false;
	if (l->cursor[0] == '\0' || share_text_parse(id, l->cursor, strlen(l->cursor)))
		return true;
	asker_bad_cursor(who);
	return false;
}

void
me_sessions(struct chan *chan, struct msg *m)
{
	struct m_list *l = (struct m_list *)(void *)m->u.bytes;
	struct asker who;

	if (asker_begin(chan, m, &who) && asker_list_of_ids(&who, l))
		sessions_of(&who, l, who.uid, who.w->user,
		    who.w->live != NULL ? who.w->live->id : "");
}

void
sessions_list(struct chan *chan, struct msg *m)
{
	struct m_list *l = (struct m_list *)(void *)m->u.bytes;
	const char *current = "";
	enum store_result r = STORE_OK;
	uint32_t rows = 0, scanned;
	struct store_account a;
	struct store_session s;
	struct m_session row;
	char at[WIRE_SESSION];
	struct asker who;

	if (!asker_begin(chan, m, &who) || !asker_list_of_ids(&who, l))
		return;
	if (who.w != NULL && who.w->live != NULL)
		current = who.w->live->id;
	if (l->user[0] != '\0') {
		if (asker_account(&who, l->user, &a))
			sessions_of(&who, l, a.uid, a.name, current);
		explicit_bzero(&a, sizeof(a));
		return;
	}
	strlcpy(at, l->cursor, sizeof(at));
	for (scanned = 0; scanned < SCAN_MAX && rows < l->limit; scanned++) {
		if ((r = store_session_next(auth.store, at, &s)) != STORE_OK)
			break;
		strlcpy(at, s.id, sizeof(at));
		if (store_account_by_uid(auth.store, s.uid, &a) != STORE_OK)
			continue;
		session_row(&s, a.name, current, &row);
		asker_row(&who, M_ROW_SESSION, &row, sizeof(row));
		rows++;
	}
	explicit_bzero(&a, sizeof(a));
	explicit_bzero(&s, sizeof(s));
	if (r == STORE_NOT_FOUND)
		asker_page(&who, "");
	else if (r != STORE_OK)
		asker_store_fail(&who, r, "sessions");
	else
		asker_page(&who, at);
}

/* The session that is meant; another user's is, for its own user, not there. */
static bool
session_of_id(
    const struct asker *who, const char *id, uint32_t uid, struct store_session *s)
{
	enum store_result r = STORE_NOT_FOUND;

	if (session_id_ok(id))
		r = store_session_by_id(auth.store, id, s);
	if (r == STORE_OK && uid != 0 && s->uid != uid)
		r = STORE_NOT_FOUND;
	if (r == STORE_NOT_FOUND)
		asker_fail(who, FAIL_NOT_FOUND, NULL, "no session %s", id);
	else if (r != STORE_OK)
		asker_store_fail(who, r, id);
	return r == STORE_OK;
}

/*
 * The own one too: what acts for it is told after the answer, which a worker that
 * leaves gives before it does.
 */
static void
end_one(const struct asker *who, struct store_session *s, enum wire_revoked why)
{
	struct worker *w = who->w;
	char id[WIRE_SESSION];
	enum store_result r;
	bool own;

	strlcpy(id, s->id, sizeof(id));
	own = w != NULL && w->live != NULL && strcmp(w->live->id, id) == 0;
	if (own)
		session_leave(w);
	r = session_revoke(s, why, who->actor);
	if (r != STORE_OK && r != STORE_NOT_FOUND)
		asker_store_fail(who, r, id);
	else
		asker_ok(who, "session %s ended", id);
	if (own)
		worker_end(w);
}

void
me_session_end(struct chan *chan, struct msg *m)
{
	struct store_session s;
	struct asker who;

	if (!asker_begin(chan, m, &who))
		return;
	if (session_of_id(&who, MSG_DATA(m, m_session_ref)->session, who.uid, &s))
		end_one(&who, &s, REVOKED_LOGOUT);
	explicit_bzero(&s, sizeof(s));
}

void
me_sessions_end(struct chan *chan, struct msg *m)
{
	enum store_result r;
	struct asker who;

	if (!asker_begin(chan, m, &who))
		return;
	if (who.w->live == NULL)
		asker_fail(&who, FAIL_DENIED, NULL, "the session is over");
	else if ((r = session_revoke_others(who.w, REVOKED_LOGOUT)) != STORE_OK)
		asker_store_fail(&who, r, who.actor);
	else
		asker_ok(&who, "all other sessions ended");
}

/* Whose sessions one may end: as with the accounts themselves. */
static bool
may_end(const struct asker *who, uint32_t uid)
{
	struct store_account a;
	bool ok = true;

	if (store_account_by_uid(auth.store, uid, &a) == STORE_OK)
		ok = (account_permits(&a) & ~who->have) == 0;
	explicit_bzero(&a, sizeof(a));
	if (!ok)
		asker_fail(who, FAIL_DENIED, NULL, "its user may do more than you may");
	return ok;
}

void
session_kill(struct chan *chan, struct msg *m)
{
	struct store_session s;
	struct asker who;

	if (!asker_begin(chan, m, &who))
		return;
	if (session_of_id(&who, MSG_DATA(m, m_session_ref)->session, 0, &s) &&
	    may_end(&who, s.uid))
		end_one(&who, &s, REVOKED_ADMIN);
	explicit_bzero(&s, sizeof(s));
}

void
sessions_kill(struct chan *chan, struct msg *m)
{
	const struct m_account_ref *ref = MSG_DATA(m, m_account_ref);
	struct store_account a;
	enum store_result r;
	struct asker who;

	if (!asker_begin(chan, m, &who))
		return;
	if (ref->user[0] == '\0') {
		everyone_kill(&who);
		return;
	}
	if (!asker_subject(&who, ref->user, &a))
		return;
	if (who.w != NULL && a.uid == who.uid && who.w->live != NULL)
		r = session_revoke_others(who.w, REVOKED_ADMIN);
	else
		r = session_revoke_user(a.uid, REVOKED_ADMIN, who.actor);
	if (r != STORE_OK)
		asker_store_fail(&who, r, a.name);
	else
		asker_ok(&who, "all sessions of %s ended", a.name);
	explicit_bzero(&a, sizeof(a));
}
