/* Those who ask for something of the API: see auth_peer.h. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bsd/stdlib.h>
#include <bsd/string.h>

#include "auth_peer.h"

#define JOBS_OF_ONE 4
#define JOBS_MAX    256

static TAILQ_HEAD(, job) jobs = TAILQ_HEAD_INITIALIZER(jobs);
static unsigned int njobs;

/* What each message costs, and which of its bytes are strings. */
#define S_(st, m)                                                                        \
	{                                                                                \
		offsetof(struct st, m), sizeof(((struct st *)0)->m)                      \
	}
#define EDIT_STRINGS                                                                     \
	{                                                                                \
		S_(m_account_edit, user), S_(m_account_edit, name),                      \
		    S_(m_account_edit, email), S_(m_account_edit, display),              \
		    S_(m_account_edit, roles), S_(m_account_edit, metadata),             \
		    S_(m_account_edit, password)                                         \
	}
#define LIST_STRINGS                                                                     \
	{                                                                                \
		S_(m_list, cursor), S_(m_list, find), S_(m_list, user), S_(m_list, role) \
	}
#define REF_STRINGS                                                                      \
	{                                                                                \
		S_(m_account_ref, user)                                                  \
	}
#define SESSION_STRINGS                                                                  \
	{                                                                                \
		S_(m_session_ref, session)                                               \
	}
#define STRINGS_MAX 10

static const struct {
	enum msg_type type;
	enum cost cost;
	struct {
		size_t offset;
		size_t size;
	} str[STRINGS_MAX];
} sound[] = {
	{ M_REGISTER, COST_COMMIT, EDIT_STRINGS },
	{ M_RESET_USE, COST_COMMIT, { S_(m_reset_use, password) } },
	{ M_ME, COST_LOOK, REF_STRINGS },
	{ M_ME_PUT, COST_COMMIT, EDIT_STRINGS },
	{ M_ME_PASSWORD, COST_COMMIT, { S_(m_password, old), S_(m_password, fresh) } },
	{ M_ME_SESSIONS, COST_ASK, LIST_STRINGS },
	{ M_ME_SESSION_END, COST_COMMIT, SESSION_STRINGS },
	{ M_ME_SESSIONS_END, COST_COMMIT, REF_STRINGS },
	{ M_ME_USAGE, COST_ASK, REF_STRINGS },
	{ M_ME_ACTIVITY, COST_LOOK, { { 0, 0 } } },
	{ M_SETTINGS_GET, COST_LOOK, REF_STRINGS },
	{ M_SETTINGS_PUT, COST_ASK, { S_(m_settings, text) } },
	{ M_TOKEN_ADD, COST_COMMIT, { S_(m_token_add, name), S_(m_token_add, scopes) } },
	{ M_TOKEN_LIST, COST_ASK, LIST_STRINGS },
	{ M_TOKEN_END, COST_COMMIT, SESSION_STRINGS },
	{ M_USERS, COST_ASK, LIST_STRINGS },
	{ M_USER_GET, COST_LOOK, REF_STRINGS },
	{ M_USER_ADD, COST_COMMIT, EDIT_STRINGS },
	{ M_USER_PUT, COST_COMMIT, EDIT_STRINGS },
	{ M_USER_LIMITS, COST_COMMIT, { S_(m_account_limits, user) } },
	{ M_USER_DELETE, COST_COMMIT, { S_(m_account_delete, user) } },
	{ M_USER_APPROVE, COST_COMMIT, REF_STRINGS },
	{ M_USER_DISABLE, COST_COMMIT, REF_STRINGS },
	{ M_USER_ENABLE, COST_COMMIT, REF_STRINGS },
	{ M_USER_RESET, COST_COMMIT, REF_STRINGS },
	{ M_ROLES, COST_LOOK, LIST_STRINGS },
	{ M_SESSIONS, COST_ASK, LIST_STRINGS },
	{ M_SESSION_KILL, COST_COMMIT, SESSION_STRINGS },
	{ M_SESSIONS_KILL, COST_COMMIT, REF_STRINGS },
	{ M_SANDBOXES, COST_ASK, LIST_STRINGS },
	{ M_SANDBOX_KILL, COST_COMMIT, REF_STRINGS },
	{ M_STATS, COST_ASK, REF_STRINGS },
	{ M_RATELIMITS, COST_COMMIT, LIST_STRINGS },
	{ M_USER_TOKENS, COST_ASK, LIST_STRINGS },
	{ M_CTL_TOKEN_ADD, COST_COMMIT,
	    { S_(m_user_token, user), S_(m_user_token, name),
		S_(m_user_token, scopes) } },
	{ M_USER_TOKEN_END, COST_COMMIT, SESSION_STRINGS },
	{ M_SHARE_ADD, COST_COMMIT, { S_(m_share_add, user) } },
	{ M_SHARE_LIST, COST_ASK, LIST_STRINGS },
	{ M_SHARE_END, COST_COMMIT, { S_(m_share_ref, user) } },
};

static bool
strings_ok(const struct msg *m, size_t row)
{
	size_t i;

	for (i = 0; i < STRINGS_MAX && sound[row].str[i].size > 0; i++)
		if (memchr(m->u.bytes + sound[row].str[i].offset, '\0',
			sound[row].str[i].size) == NULL)
			return false;
	return true;
}

bool
asker_begin(struct chan *chan, const struct msg *m, struct asker *who)
{
	size_t i;

	memset(who, 0, sizeof(*who));
	who->id = m->head.id;
	if (chan->peer == P_CTL)
		who->c = chan->arg;
	else
		who->w = chan->arg;
	for (i = 0; i < sizeof(sound) / sizeof(sound[0]); i++)
		if (sound[i].type == (enum msg_type)m->head.type)
			break;
	if (i == sizeof(sound) / sizeof(sound[0]) || !strings_ok(m, i)) {
		if (who->c != NULL)
			ctl_bad(who->c, "string without an end");
		else
			worker_bad(who->w, "string without an end");
		return false;
	}
	if (who->c != NULL) {
		who->have = who->c->have;
		strlcpy(who->actor, who->c->actor, sizeof(who->actor));
		strlcpy(who->from, "unix", sizeof(who->from));
		return ctl_begin(who->c, m);
	}
	worker_charge(who->w, sound[i].cost);
	who->uid = who->w->uid;
	who->have = who->w->have;
	strlcpy(who->actor, who->w->user, sizeof(who->actor));
	strlcpy(who->rid, who->w->rid, sizeof(who->rid));
	strlcpy(who->agent, who->w->agent, sizeof(who->agent));
	if (who->w->live != NULL)
		strlcpy(who->session, who->w->live->id, sizeof(who->session));
	who->source = who->w->source;
	strlcpy(who->from, who->w->from, sizeof(who->from));
	return true;
}

void
asker_request(const struct asker *who)
{
	audit_request(who->from, who->agent, who->rid, who->session);
}

static struct chan *
chan_of(const struct asker *who)
{
	return who->c != NULL ? &who->c->chan : &who->w->chan;
}

void
asker_row(const struct asker *who, enum msg_type type, const void *row, size_t len)
{
	chan_send(chan_of(who), type, who->id, -1, row, len);
}

static void
end(const struct asker *who, enum msg_type type, const void *last, size_t len)
{
	chan_send(chan_of(who), type, who->id, -1, last, len);
	if (who->c != NULL)
		ctl_done(who->c);
}

void
asker_ok(const struct asker *who, const char *fmt, ...)
{
	struct m_ok m;
	va_list ap;

	memset(&m, 0, sizeof(m));
	va_start(ap, fmt);
	vsnprintf(m.text, sizeof(m.text), fmt, ap);
	va_end(ap);
	end(who, M_OK, &m, sizeof(m));
}

void
asker_page(const struct asker *who, const char *next)
{
	struct m_page m;

	memset(&m, 0, sizeof(m));
	strlcpy(m.next, next, sizeof(m.next));
	end(who, M_PAGE, &m, sizeof(m));
}

void
asker_fail(
    const struct asker *who, enum wire_fail code, const char *field, const char *fmt, ...)
{
	struct m_fail m;
	va_list ap;

	memset(&m, 0, sizeof(m));
	m.code = code;
	va_start(ap, fmt);
	vsnprintf(m.text, sizeof(m.text), fmt, ap);
	va_end(ap);
	if (field != NULL)
		strlcpy(m.field, field, sizeof(m.field));
	end(who, M_FAIL, &m, sizeof(m));
}

void
asker_store_fail(const struct asker *who, enum store_result r, const char *what)
{
	static const struct {
		enum store_result r;
		enum wire_fail code;
		const char *field;
	} codes[] = {
		{ STORE_NOT_FOUND, FAIL_NOT_FOUND, NULL },
		{ STORE_NAME_TAKEN, FAIL_EXISTS, "username" },
		{ STORE_EMAIL_TAKEN, FAIL_EXISTS, "email" },
		{ STORE_NO_UID, FAIL_UNAVAILABLE, NULL },
		{ STORE_INVALID, FAIL_INVALID, NULL },
		{ STORE_NO_SPACE, FAIL_NO_SPACE, NULL },
	};
	size_t i;

	for (i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (codes[i].r == r) {
			asker_fail(who, codes[i].code, codes[i].field, "%s: %s", what,
			    store_strerror(r));
			return;
		}
	asker_fail(who, FAIL_INTERNAL, NULL, "%s: %s", what, store_strerror(r));
}

bool
asker_audit(const struct asker *who, enum audit_event event,
    const struct store_account *a, const char *text)
{
	struct log_value v[10];
	size_t n = 0;

	v[n++] = (struct log_value)LOG_S("user", a->name);
	if (a->uid != 0) /* one that is new has none yet */
		v[n++] = (struct log_value)LOG_N("uid", a->uid);
	v[n++] = (struct log_value)LOG_S("role", a->roles);
	v[n++] = (struct log_value)LOG_S("actor", who->actor);
	v[n++] = (struct log_value)LOG_S("source", who->from);
	if (who->rid[0] != '\0')
		v[n++] = (struct log_value)LOG_S("rid", who->rid);
	if (who->agent[0] != '\0')
		v[n++] = (struct log_value)LOG_S("agent", who->agent);
	if (text[0] != '\0')
		v[n++] = (struct log_value)LOG_S("text", text);
	v[n] = (struct log_value){ LOG_VALUE_END, NULL, NULL, 0 };
	if (audit_event_values(event, v))
		return true;
	asker_fail(who, FAIL_NO_SPACE, NULL, "%s", AUDIT_REFUSED);
	return false;
}

void
asker_undone(const struct asker *who, enum audit_event event,
    const struct store_account *a, enum store_result r)
{
	(void)audit_event(AUDIT_USER_ERROR, LOG_S("user", a->name),
	    LOG_S("event", audit_table[event].event), LOG_S("why", store_strerror(r)),
	    LOG_S("actor", who->actor));
	asker_store_fail(who, r, a->name);
}

bool
asker_account(const struct asker *who, const char *user, struct store_account *a)
{
	enum store_result r = STORE_NOT_FOUND;
	char name[WIRE_NAME];
	uint64_t uid = 0;
	const char *p;

	strlcpy(name, user, sizeof(name));
	fold(name);
	if (name[0] >= '0' && name[0] <= '9') {
		for (p = name; *p >= '0' && *p <= '9' && uid <= UINT32_MAX; p++)
			uid = uid * 10 + (uint64_t)(*p - '0');
		if (*p == '\0' && uid <= UINT32_MAX)
			r = store_account_by_uid(auth.store, (uint32_t)uid, a);
	} else if (name[0] != '\0') {
		r = store_account_by_name(auth.store, name, a);
	}
	if (r == STORE_NOT_FOUND)
		asker_fail(who, FAIL_NOT_FOUND, NULL, "no user %s", name);
	else if (r != STORE_OK)
		asker_store_fail(who, r, name);
	return r == STORE_OK;
}

bool
asker_subject(const struct asker *who, const char *user, struct store_account *a)
{
	if (!asker_account(who, user, a))
		return false;
	if ((account_permits(a) & ~who->have) == 0)
		return true;
	asker_fail(who, FAIL_DENIED, NULL, "%s may do more than you may", a->name);
	explicit_bzero(a, sizeof(*a));
	return false;
}

struct job *
job_new(const struct asker *who)
{
	static uint64_t number;
	unsigned int own = 0;
	struct job *j;

	TAILQ_FOREACH(j, &jobs, entry)
		own += j->who.w == who->w && j->who.c == who->c;
	if (own >= JOBS_OF_ONE || njobs >= JOBS_MAX ||
	    (j = calloc(1, sizeof(*j))) == NULL) {
		asker_fail(who, FAIL_BUSY, NULL, "too many requests are under way");
		return NULL;
	}
	j->who = *who;
	j->number = ++number;
	TAILQ_INSERT_TAIL(&jobs, j, entry);
	njobs++;
	return j;
}

struct job *
job_on(void *job)
{
	struct job *j = job;

	asker_request(&j->who);
	return j;
}

struct job *
job_of(uint64_t number)
{
	struct job *j;

	TAILQ_FOREACH(j, &jobs, entry)
		if (j->number == number)
			return j;
	return NULL;
}

struct job *
job_turn(uint64_t number)
{
	struct job *j, *first = NULL;

	TAILQ_FOREACH(j, &jobs, entry) {
		if (!j->turns)
			continue;
		if (j->number > number)
			return j;
		if (first == NULL)
			first = j;
	}
	return first;
}

void
job_end(struct job *j)
{
	/* Who leaves before the answer has failed. */
	if (j->gate)
		login_gate_end(&j->who.source, j->who.actor, true);
	hash_forget(j);
	ask_forget(j);
	TAILQ_REMOVE(&jobs, j, entry);
	njobs--;
	free(j->rows);
	freezero(j, sizeof(*j));
}

void
jobs_forget(const void *owner)
{
	struct job *j, *next;

	TAILQ_FOREACH_SAFE(j, &jobs, entry, next)
		if ((const void *)j->who.w == owner || (const void *)j->who.c == owner)
			job_end(j);
}
