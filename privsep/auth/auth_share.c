/*
 * Ports that users share (proxy share in ided.conf(5)).
 *
 * A share is one port of one sandbox, as it runs now.  It ends with that sandbox: what
 * listens on the port of the next one may be something else.  It has a name of its own,
 * 80 random bits, which is a part of its address, and which nothing has that comes after
 * it.
 *
 * Whether a share is good is asked each time (share_find()), of the configuration, of
 * the owner's account and of the clock; who changes one of these says share_review(), so
 * that connections of visitors end at once.
 */
#include <openssl/crypto.h>

#include <stdio.h>
#include <string.h>
#include <stdlib.h>

#include <bsd/stdlib.h>
#include <bsd/string.h>

#include "../share_text.h"
#include "auth_peer.h"
#include "auth_share.h"

#define ASK_TIMEOUT  20
#define LOOK_SECONDS 60 /* between looks at all, should nobody have said anything */
#define MOST_SECONDS (365 * 86400)

static unsigned int nshares;
static bool unknown; /* there are some whose sandbox may be gone */

static int
compare(const struct share *a, const struct share *b)
{
	return memcmp(a->is.id, b->is.id, sizeof(a->is.id));
}

static RB_HEAD(shares, share) shares = RB_INITIALIZER(&shares);
RB_GENERATE_INTERNAL(shares, share, entry, compare, static __attribute__((unused)))

/* --- good or not --- */

static bool
with_allowed(uint8_t with)
{
	return with == SHARE_WITH_USERS ? auth.conf.share != SHARE_OFF :
	    with == SHARE_WITH_PUBLIC   ? auth.conf.share == SHARE_PUBLIC :
					  false;
}

/* NULL if it may go on; else why not. */
static const char *
over_why(const struct share *sh)
{
	const struct store_share *s = &sh->is;
	struct store_account a;
	const char *why = NULL;

	if (sh->over)
		return "over";
	if (s->expires != 0 && s->expires <= auth_now())
		return "time";
	if (!with_allowed(s->with) || !sandbox_port_allowed(s->port) ||
	    (auth.conf.share_for != 0 && s->created + auth.conf.share_for <= auth_now()))
		return "policy";
	if (store_account_by_uid(auth.store, s->uid, &a) != STORE_OK ||
	    !account_usable(&a))
		why = "account";
	else if ((account_permits(&a) & PERMIT(PERMISSION_PORTS_SHARE)) == 0)
		why = "permission";
	explicit_bzero(&a, sizeof(a));
	return why;
}

/* Whatever the store says to it, it is over; who cannot write that down tries again. */
static void
share_end(struct share *sh, const char *why, const char *actor)
{
	enum store_result r;

	if (!sh->over)
		(void)audit_event(AUDIT_PORT_UNSHARED, LOG_S("user", sh->user),
		    LOG_N("port", sh->is.port), LOG_S("share", sh->name),
		    LOG_S("reason", why), LOG_S("actor", actor));
	sh->over = true;
	visit_end(sh);
	r = store_share_delete(auth.store, sh->is.id);
	if (r != STORE_OK && r != STORE_NOT_FOUND)
		return;
	RB_REMOVE(shares, &shares, sh);
	nshares--;
	free(sh);
}

struct share *
share_find(const struct wire_share *what)
{
	struct share want, *sh;
	const char *why;

	memcpy(want.is.id, what->id, sizeof(want.is.id));
	sh = RB_FIND(shares, &shares, &want);
	if (sh == NULL || sh->is.port != what->port)
		return NULL;
	if ((why = over_why(sh)) == NULL)
		return sh;
	share_end(sh, why, "auth");
	return NULL;
}

void
share_review(uint32_t uid)
{
	struct share *sh, *next;
	const char *why;

	RB_FOREACH_SAFE(sh, shares, &shares, next)
	if ((uid == 0 || sh->is.uid == uid) && (why = over_why(sh)) != NULL)
		share_end(sh, why, "auth");
}

/* --- the sandbox --- */

void
share_sandbox_gone(uint32_t uid)
{
	struct share *sh, *next;

	RB_FOREACH_SAFE(sh, shares, &shares, next)
	if (sh->is.uid == uid)
		share_end(sh, "sandbox", "auth");
}

/* Those that run, and then the end of the list. */
static bool
on_list_row(void *owner, uint32_t tag, struct msg *m)
{
	const struct m_sandbox *row;
	struct share *sh, *next;

	(void)owner;
	(void)tag;
	if (m == NULL || m->head.type == M_SB_FAIL)
		return true;
	row = MSG_DATA(m, m_sandbox);
	RB_FOREACH_SAFE(sh, shares, &shares, next)
	if (m->head.type != M_SB_ROW && !sh->known)
		share_end(sh, "sandbox", "auth");
	else if (m->head.type == M_SB_ROW && sh->is.uid == row->uid &&
	    sh->is.started == row->started)
		sh->known = true;
	if (m->head.type == M_SB_ROW)
		return false;
	unknown = false;
	return true;
}

void
share_tick(void)
{
	static int64_t looked;
	int64_t now = auth_now();
	struct share *sh, *next;

	RB_FOREACH_SAFE(sh, shares, &shares, next)
	if (sh->over || (sh->is.expires != 0 && sh->is.expires <= now))
		share_end(sh, "time", "auth");
	if (now - looked < LOOK_SECONDS && !unknown)
		return;
	looked = now;
	share_review(0);
	if (unknown && ask_count(&shares) == 0)
		(void)ask(&auth.isolation, M_SB_LIST, NULL, 0, ASK_TIMEOUT, on_list_row,
		    &shares, 0);
}

static struct share *
share_new(const struct store_share *s, const char *user)
{
	struct share *sh;

	if ((sh = calloc(1, sizeof(*sh))) == NULL)
		fatalx("out of memory");
	sh->is = *s;
	share_text(s->id, sh->name);
	strlcpy(sh->user, user, sizeof(sh->user));
	RB_INSERT(shares, &shares, sh);
	nshares++;
	return sh;
}

void
share_load(void)
{
	const uint8_t *at = NULL;
	struct store_account a;
	struct store_share s;
	enum store_result r;
	uint8_t id[WIRE_SHARE];

	while ((r = store_share_next(auth.store, at, &s)) == STORE_OK) {
		memcpy(id, s.id, sizeof(id));
		at = id;
		memset(&a, 0, sizeof(a));
		/* Of one who is not there any more: over, by what over_why() says. */
		(void)store_account_by_uid(auth.store, s.uid, &a);
		if (nshares < SHARES_MAX)
			share_new(&s, a.name);
		explicit_bzero(&a, sizeof(a));
		unknown = true;
	}
	if (r != STORE_NOT_FOUND)
		log_warnx("shared ports: %s", store_strerror(r));
}

void
share_count(uint32_t *users, uint32_t *public)
{
	struct share *sh;

	*users = *public = 0;
	RB_FOREACH(sh, shares, &shares)
	if (!sh->over)
		(*(sh->is.with == SHARE_WITH_PUBLIC ? public : users))++;
}

/* --- owners --- */

static void
address_make(const struct share *sh, char address[WIRE_SHARE_ADDRESS])
{
	static const char place[] = "{{port}}";
	const char *form = auth.conf.port_address, *at = strstr(form, place);

	if (at == NULL)
		return;
	snprintf(address, WIRE_SHARE_ADDRESS, "%.*s%u-%s%s", (int)(at - form), form,
	    sh->is.port, sh->name, at + sizeof(place) - 1);
}

static void
row(const struct asker *who, const struct share *sh)
{
	struct m_share m;

	memset(&m, 0, sizeof(m));
	strlcpy(m.user, sh->user, sizeof(m.user));
	m.port = sh->is.port;
	m.with = sh->is.with;
	m.visitors = visit_workers(sh);
	m.created = sh->is.created;
	m.expires = sh->is.expires;
	address_make(sh, m.address);
	asker_row(who, M_ROW_SHARE, &m, sizeof(m));
}

/* Whose ports are meant: one's own, or from idectl, anybody's. */
static bool
owner_of(const struct asker *who, const char *user, struct store_account *a)
{
	enum store_result r;

	if (who->c != NULL)
		return asker_subject(who, user, a);
	if (user[0] != '\0') {
		asker_fail(who, FAIL_DENIED, NULL, "ports are shared by their own user");
		return false;
	}
	if ((r = store_account_by_uid(auth.store, who->uid, a)) == STORE_OK)
		return true;
	asker_store_fail(who, r, who->actor);
	return false;
}

static struct share *
share_of(uint32_t uid, uint32_t port)
{
	struct share *sh;

	RB_FOREACH(sh, shares, &shares)
	if (sh->is.uid == uid && sh->is.port == port && !sh->over)
		return sh;
	return NULL;
}

static unsigned int
shares_of(uint32_t uid)
{
	struct share *sh;
	unsigned int n = 0;

	RB_FOREACH(sh, shares, &shares)
	n += sh->is.uid == uid;
	return n;
}

/* The same again is no other share; what differs is not changed under visitors. */
static void
there_already(
    const struct asker *who, const struct share *sh, const struct m_share_add *add)
{
	if (sh->is.with == add->with && add->lifetime == 0) {
		row(who, sh);
		asker_ok(who, "port %u of %s is shared already", add->port, sh->user);
	} else {
		asker_fail(who, FAIL_EXISTS, "port",
		    "port %u is shared already: end that first", add->port);
	}
}

/* Policy, and what is there already; false, and answered. */
static bool
may_add(
    const struct asker *who, const struct m_share_add *add, const struct store_account *a)
{
	struct share *sh;

	if (auth.conf.share == SHARE_OFF)
		asker_fail(who, FAIL_DENIED, NULL,
		    "ports are not shared here: proxy share in ided.conf(5) is off");
	else if (add->with != SHARE_WITH_USERS && add->with != SHARE_WITH_PUBLIC)
		asker_fail(who, FAIL_INVALID, "with", "users or public was expected");
	else if (!with_allowed((uint8_t)add->with))
		asker_fail(who, FAIL_DENIED, "with",
		    "ports are shared with users alone here, not with the public");
	else if ((account_permits(a) & PERMIT(PERMISSION_PORTS_SHARE)) == 0)
		asker_fail(who, FAIL_DENIED, NULL, "%s lacks the permission ports.share",
		    a->name);
	else if (add->port == 0 || add->port > UINT16_MAX ||
	    !sandbox_port_allowed((uint16_t)add->port))
		asker_fail(who, FAIL_INVALID, "port", "from %u to %u was expected",
		    auth.conf.port_first, auth.conf.port_last);
	else if (add->lifetime > MOST_SECONDS)
		asker_fail(who, FAIL_INVALID, "expiresIn", "a year at most was expected");
	else if (auth.conf.share_for != 0 && add->lifetime > auth.conf.share_for)
		asker_fail(who, FAIL_INVALID, "expiresIn",
		    "ports are shared for at most %u seconds here", auth.conf.share_for);
	else if ((sh = share_of(a->uid, add->port)) != NULL)
		there_already(who, sh, add);
	else if (shares_of(a->uid) >= SHARES_USER)
		asker_fail(
		    who, FAIL_EXISTS, NULL, "%d ports are shared at most", SHARES_USER);
	else if (nshares >= SHARES_MAX)
		asker_fail(who, FAIL_BUSY, NULL, "too many ports are shared");
	else
		return true;
	return false;
}

static const char *
with_text(uint32_t with)
{
	return with == SHARE_WITH_PUBLIC ? "public" : "users";
}

static void
add_now(struct job *j, const struct store_account *a, int64_t started)
{
	const struct m_share_add *add = &j->u.share;
	struct store_share s;
	enum store_result r;
	struct share *sh;
	char name[WIRE_SHARE_TEXT];
	uint64_t lifetime = add->lifetime != 0 ? add->lifetime : auth.conf.share_for;

	memset(&s, 0, sizeof(s));
	arc4random_buf(s.id, sizeof(s.id));
	s.uid = a->uid;
	s.port = (uint16_t)add->port;
	s.with = (uint8_t)add->with;
	s.created = auth_now();
	s.expires = lifetime != 0 ? s.created + (int64_t)lifetime : 0;
	s.started = started;
	share_text(s.id, name);
	if (!audit_event(AUDIT_PORT_SHARED, LOG_S("user", a->name), LOG_N("port", s.port),
		LOG_S("share", name), LOG_S("with", with_text(s.with)),
		LOG_N("expires", s.expires), LOG_S("actor", j->who.actor),
		LOG_S("source", j->who.from), LOG_S("rid", j->who.rid))) {
		asker_fail(&j->who, FAIL_NO_SPACE, NULL, "%s", AUDIT_REFUSED);
		return;
	}
	if ((r = store_share_add(auth.store, &s)) != STORE_OK) {
		(void)audit_event(AUDIT_PORT_UNSHARED, LOG_S("user", a->name),
		    LOG_N("port", s.port), LOG_S("share", name),
		    LOG_S("reason", store_strerror(r)), LOG_S("actor", "auth"));
		asker_store_fail(&j->who, r, "the port");
		return;
	}
	sh = share_new(&s, a->name);
	sh->known = true;
	row(&j->who, sh);
	asker_ok(
	    &j->who, "port %u of %s is shared: %s", s.port, a->name, with_text(s.with));
}

/* What isolation says of the sandbox.  Much may have changed meanwhile. */
static bool
on_shown(void *owner, uint32_t tag, struct msg *m)
{
	struct job *j = job_on(owner);
	const struct m_sandbox *sb;
	struct store_account a;

	(void)tag;
	if (m != NULL && (m->head.type == M_SB_PROCESSES || m->head.type == M_SB_MEMORY))
		return false;
	memset(&a, 0, sizeof(a));
	sb = m != NULL && m->head.type == M_SB_ROW ? MSG_DATA(m, m_sandbox) : NULL;
	if (m == NULL)
		asker_fail(&j->who, FAIL_TIMEOUT, NULL, "no answer in time");
	else if (sb == NULL || sb->uid != j->uid ||
	    (sb->state != SANDBOX_RUNNING && sb->state != SANDBOX_FROZEN))
		asker_fail(&j->who, FAIL_UNAVAILABLE, NULL,
		    "the environment is not running: what is in it is shared as long as "
		    "it does");
	else if (store_account_by_uid(auth.store, j->uid, &a) != STORE_OK ||
	    !account_usable(&a))
		asker_fail(&j->who, FAIL_DENIED, NULL, "the account is not active");
	else if (may_add(&j->who, &j->u.share, &a))
		add_now(j, &a, sb->started);
	explicit_bzero(&a, sizeof(a));
	job_end(j);
	return true;
}

void
share_on_add(struct chan *chan, struct msg *m)
{
	const struct m_share_add *add = MSG_DATA(m, m_share_add);
	struct store_account a;
	struct asker who;
	struct m_sb sb;
	struct job *j;

	if (!asker_begin(chan, m, &who))
		return;
	memset(&a, 0, sizeof(a));
	if (owner_of(&who, add->user, &a) && may_add(&who, add, &a) &&
	    (j = job_new(&who)) != NULL) {
		j->uid = a.uid;
		j->u.share = *add;
		sandbox_payload(&sb, a.uid, a.name);
		if (ask(&auth.isolation, M_SB_SHOW, &sb, sizeof(sb), ASK_TIMEOUT,
			on_shown, j, 0) == 0) {
			asker_fail(
			    &who, FAIL_BUSY, NULL, "too many requests are under way");
			job_end(j);
		}
	}
	explicit_bzero(&a, sizeof(a));
}

void
share_on_list(struct chan *chan, struct msg *m)
{
	struct m_list *l = (struct m_list *)(void *)m->u.bytes;
	const char *next = "";
	struct store_account a;
	struct asker who;
	struct share *sh;
	uint32_t rows = 0;
	bool all;

	if (!asker_begin(chan, m, &who) || !asker_list_of_shares(&who, l))
		return;
	memset(&a, 0, sizeof(a));
	all = who.c != NULL && l->user[0] == '\0';
	if (!all &&
	    !(who.c != NULL ? asker_account(&who, l->user, &a) :
			      owner_of(&who, l->user, &a)))
		return;
	RB_FOREACH(sh, shares, &shares)
	{
		if (sh->over || (!all && sh->is.uid != a.uid) ||
		    strcmp(sh->name, l->cursor) <= 0)
			continue;
		if (rows == l->limit) {
			asker_page(&who, next);
			explicit_bzero(&a, sizeof(a));
			return;
		}
		row(&who, sh);
		rows++;
		next = sh->name;
	}
	asker_page(&who, "");
	explicit_bzero(&a, sizeof(a));
}

void
share_on_end(struct chan *chan, struct msg *m)
{
	const struct m_share_ref *ref = MSG_DATA(m, m_share_ref);
	struct share *sh, *next;
	struct store_account a;
	struct asker who;
	unsigned int n = 0;

	if (!asker_begin(chan, m, &who))
		return;
	memset(&a, 0, sizeof(a));
	if (!owner_of(&who, ref->user, &a))
		return;
	RB_FOREACH_SAFE(sh, shares, &shares, next)
	if (sh->is.uid == a.uid && !sh->over &&
	    (ref->port == 0 || sh->is.port == ref->port)) {
		share_end(sh, who.c != NULL ? "administrator" : "owner", who.actor);
		n++;
	}
	if (n == 0)
		asker_fail(&who, FAIL_NOT_FOUND, "port", "no such port is shared");
	else if (ref->port != 0)
		asker_ok(&who, "port %u of %s is shared no more", ref->port, a.name);
	else
		asker_ok(&who, "no port of %s is shared any more", a.name);
	explicit_bzero(&a, sizeof(a));
}
