/*
 * Services of the site's own (location in ided.conf(5)): who may have them, and what
 * such a service is told about the user.  Isolation connects and opens; a worker gets
 * the descriptor.
 *
 * What is said about the user is a token (jwt.h) for that one service, good for a
 * minute; keys signs it, and everybody can verify it.
 *
 * A service that cannot be reached is asked no more for a while (circuit.h), whoever
 * wants it: what is counted is what isolation sees, not what workers say.
 */
#include <stdio.h>
#include <string.h>

#include <bsd/string.h>

#include "../circuit.h"
#include "../location.h"
#include "auth.h"

#define CONNECT_TIMEOUT 20 /* seconds */

static struct {
	uint8_t id[WIRE_LOCATION]; /* whose it is */
	struct circuit c;
} circuits[CONF_LOCATION_MAX];
static uint32_t opened;

/* --- circuits --- */

static struct circuit *
circuit_of(uint32_t at)
{
	uint8_t id[WIRE_LOCATION];

	location_id(&auth.conf.location[at], id);
	if (memcmp(circuits[at].id, id, sizeof(id)) != 0) {
		memset(&circuits[at], 0, sizeof(circuits[at]));
		memcpy(circuits[at].id, id, sizeof(id));
	}
	return &circuits[at].c;
}

static void
heard(uint32_t at, bool ok)
{
	struct circuit *c;

	if (at >= auth.conf.nlocation)
		return; /* there are fewer now */
	c = circuit_of(at);
	if (!circuit_result(c, ok, auth_ms()))
		return;
	opened += circuit_is_open(c);
	log_event(circuit_is_open(c) ? LOG_WARNING : LOG_NOTICE,
	    circuit_is_open(c) ? "circuit.open" : "circuit.closed",
	    LOG_S("location", auth.conf.location[at].prefix));
}

void
location_stats(uint32_t *failing, uint32_t *failed)
{
	uint32_t i;

	*failed = opened;
	*failing = 0;
	for (i = 0; i < auth.conf.nlocation; i++)
		*failing += circuit_is_open(circuit_of(i));
}

/* --- who may --- */

static bool
has_role(const char *roles, const char *role)
{
	char name[WIRE_ROLE];

	while (roles_next(&roles, name))
		if (strcmp(name, role) == 0)
			return true;
	return false;
}

/*
 * The location that is meant, if the user may have it, as the account is now; NULL,
 * and answered, if not.
 */
static const struct conf_location *
allowed(struct worker *w, uint32_t id, const uint8_t name[WIRE_LOCATION],
    struct store_account *a)
{
	const struct conf_location *l;
	char need[CONF_NAME_MAX + 8];
	enum store_result r;

	l = location_find(auth.conf.location, auth.conf.nlocation, name);
	if (l == NULL) {
		worker_fail(w, id, FAIL_UNAVAILABLE,
		    "there is no such service any more: load the page again");
		return NULL;
	}
	r = store_account_by_uid(auth.store, w->uid, a);
	if (r != STORE_OK) {
		worker_store_fail(w, id, r);
		return NULL;
	}
	if (l->role[0] == '\0' || has_role(a->roles, l->role))
		return l;
	snprintf(need, sizeof(need), "role %s", l->role);
	(void)audit_event(AUDIT_ACCESS_DENIED, LOG_S("user", w->user),
	    LOG_S("source", w->from), LOG_S("message", l->prefix),
	    LOG_S("permission", need), LOG_S("actor", w->user));
	worker_fail(w, id, FAIL_DENIED, "this service is for others than you");
	return NULL;
}

/* Likewise, where isolation is to be asked for it. */
static const struct conf_location *
may_ask(struct worker *w, uint32_t id, const uint8_t name[WIRE_LOCATION])
{
	const struct conf_location *l;
	struct store_account a;

	memset(&a, 0, sizeof(a));
	l = allowed(w, id, name, &a);
	explicit_bzero(&a, sizeof(a));
	return l != NULL && sandbox_may_ask(w, id) ? l : NULL;
}

/* --- a connection --- */

static bool
on_answer(void *owner, uint32_t tag, struct msg *m)
{
	struct worker *w = owner;
	uint32_t at;

	if (m == NULL) {
		worker_fail(w, tag, FAIL_TIMEOUT, "the service did not answer in time");
		return true;
	}
	at = (uint32_t)ask_which(m->head.id) - 1;
	if (m->head.type == M_SB_FD) {
		heard(at, true);
		chan_send(&w->chan, M_LOCATION_FD, tag, msg_take_fd(m), NULL, 0);
		present_beat(w->uid);
	} else if (m->head.type == M_SB_FAIL) {
		/* Too busy is not gone. */
		if (MSG_DATA(m, m_fail)->code == FAIL_NOT_FOUND ||
		    MSG_DATA(m, m_fail)->code == FAIL_TIMEOUT)
			heard(at, false);
		sandbox_pass_fail(w, tag, m);
	} else {
		return false;
	}
	return true;
}

void
location_on_connect(struct chan *c, struct msg *m)
{
	const struct m_location *q = MSG_DATA(m, m_location);
	struct worker *w = c->arg;
	const struct conf_location *l;
	char text[WIRE_TEXT];
	unsigned int seconds;
	uint32_t question;

	worker_charge(w, COST_ASK);
	if ((l = may_ask(w, m->head.id, q->location)) == NULL)
		return;
	seconds = circuit_try(circuit_of((uint32_t)(l - auth.conf.location)), auth_ms());
	if (seconds != 0) {
		snprintf(text, sizeof(text),
		    "The service at %s cannot be reached; it is tried again in %u s.",
		    l->prefix, seconds);
		worker_fail(w, m->head.id, FAIL_UNAVAILABLE, text);
		return;
	}
	question = ask(&auth.isolation, M_SB_LOCATION, q, sizeof(*q), CONNECT_TIMEOUT,
	    on_answer, w, m->head.id);
	if (question == 0)
		worker_fail(w, m->head.id, FAIL_BUSY, "too many requests are under way");
	else
		ask_which_set(question, (uint16_t)(l - auth.conf.location + 1));
}

/* --- a file --- */

static bool
on_file(void *owner, uint32_t tag, struct msg *m)
{
	struct worker *w = owner;

	if (m == NULL)
		worker_fail(w, tag, FAIL_TIMEOUT, "the file was not opened in time");
	else if (m->head.type == M_SB_FILE_FD)
		chan_send(&w->chan, M_LOCATION_FILE_FD, tag, msg_take_fd(m), NULL, 0);
	else if (m->head.type == M_SB_FAIL)
		sandbox_pass_fail(w, tag, m);
	else
		return false;
	return true;
}

void
location_on_file(struct chan *c, struct msg *m)
{
	const struct m_location_file *q = MSG_DATA(m, m_location_file);
	struct worker *w = c->arg;

	worker_charge(w, COST_LOOK);
	if (!wire_str(q->path)) {
		worker_bad(w, "path without an end");
		return;
	}
	if (may_ask(w, m->head.id, q->location) == NULL)
		return;
	if (ask(&auth.isolation, M_SB_FILE, q, sizeof(*q), CONNECT_TIMEOUT, on_file, w,
		m->head.id) == 0)
		worker_fail(w, m->head.id, FAIL_BUSY, "too many requests are under way");
}

/* --- who it is --- */

static void
fill(struct wire_assertion *as, const struct worker *w, const struct conf_location *l,
    const struct store_account *a)
{
	memset(as, 0, sizeof(*as));
	strlcpy(as->jwt.name, a->name, sizeof(as->jwt.name));
	strlcpy(as->jwt.session, w->live->id, sizeof(as->jwt.session));
	as->jwt.uid = a->uid;
	strlcpy(as->location, l->prefix, sizeof(as->location));
	strlcpy(as->roles, a->roles, sizeof(as->roles));
}

void
location_on_sign(struct chan *c, struct msg *m)
{
	const struct m_location *q = MSG_DATA(m, m_location);
	struct worker *w = c->arg;
	const struct conf_location *l;
	struct wire_assertion as;
	struct store_account a;

	worker_charge(w, COST_ASK);
	memset(&a, 0, sizeof(a));
	l = allowed(w, m->head.id, q->location, &a);
	if (l != NULL && w->live == NULL) {
		worker_fail(w, m->head.id, FAIL_UNAVAILABLE, "the session is over");
		l = NULL;
	}
	if (l != NULL && sandbox_may_ask(w, m->head.id)) {
		fill(&as, w, l, &a);
		assertion_sign(w, m->head.id, &as);
	}
	explicit_bzero(&a, sizeof(a));
}
