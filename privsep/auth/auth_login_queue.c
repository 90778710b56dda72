/*
 * Which attempts to log in may be made, and whose turn it is.
 *
 * Hashes are what is dear, and everybody may ask for them.  Turns go round by source:
 * nobody's second attempt is made before everybody's first, where those that have
 * failed count as well.  Who is logged in where he asks from is a source of his own,
 * before all others.  Among those who come as often, whose account is tried least goes
 * first; and, where so many wait that the first of them will have given up, who came
 * last.  Where there is no room, who would be last in turn is told to come again.
 *
 * None of it asks whether there is such an account.
 */
#include <openssl/evp.h>

#include <string.h>

#include <bsd/stdlib.h>
#include <bsd/string.h>

#include "auth_login.h"
#include "auth_policy.h"

#define QUEUE_MAX     64 /* that wait */
#define QUEUE_LONG    16 /* from here on, who came last goes first */
#define QUEUE_SOURCE  32 /* of one source */
#define QUEUE_ACCOUNT 16 /* for one account, from strange sources */
#define UNIX_FACTOR   20 /* a local socket hides who is behind it */
#define SLOW_FACTOR   10 /* times the limit, from anywhere: slow down */
#define SLOW_STEP_MS  200
#define SLOW_MAX_MS   2000

static struct {
	struct rate *source;
	struct rate *local;   /* the same for local sockets */
	struct rate *both;    /* one account from one source */
	struct rate *account; /* one account from anywhere */
	struct event *timer;  /* for those that are slowed down */
} lg;

void
login_config(void)
{
	const struct conf_rate *r = &auth.conf.ratelimit.login;
	uint32_t local, slow;

	local = r->count > UINT32_MAX / UNIX_FACTOR ? UINT32_MAX : r->count * UNIX_FACTOR;
	slow = r->count > UINT32_MAX / SLOW_FACTOR / 2 ? UINT32_MAX :
							 r->count * SLOW_FACTOR * 2;
	if (lg.source == NULL) {
		lg.source = rate_new(r->count, r->period, RATE_ENTRIES);
		lg.local = rate_new(local, r->period, 16);
		lg.both = rate_new(r->count, r->period, RATE_ENTRIES);
		lg.account = rate_new(slow, r->period, RATE_ENTRIES);
	}
	if (lg.source == NULL || lg.local == NULL || lg.both == NULL ||
	    lg.account == NULL)
		fatalx("out of memory");
	rate_config(lg.source, r->count, r->period);
	rate_config(lg.local, local, r->period);
	rate_config(lg.both, r->count, r->period);
	rate_config(lg.account, slow, r->period);
}

static struct rate *
source_table(const struct login *l)
{
	return l->source.unix_peer != 0 ? lg.local : lg.source;
}

/* An account, which may not exist, from one source or any.  Of a source alone it is the
 * prefix, which can be shown. */
static void
key(uint8_t out[RATE_KEY], const char *what, const char *name, const uint8_t *prefix)
{
	static uint8_t secret[32];
	static bool made;
	uint8_t buf[sizeof(secret) + 8 + WIRE_EMAIL + 16], md[32];

	if (!made) {
		arc4random_buf(secret, sizeof(secret));
		made = true;
	}
	memset(buf, 0, sizeof(buf));
	memcpy(buf, secret, sizeof(secret));
	strlcpy((char *)buf + sizeof(secret), what, 8);
	strlcpy((char *)buf + sizeof(secret) + 8, name, WIRE_EMAIL);
	if (prefix != NULL)
		memcpy(buf + sizeof(secret) + 8 + WIRE_EMAIL, prefix, 16);
	if (EVP_Digest(buf, sizeof(buf), md, NULL, EVP_sha256(), NULL) != 1)
		fatalx("SHA-256 failed");
	memcpy(out, md, RATE_KEY);
}

void
login_keys(struct login *l)
{
	uint8_t prefix[16];

	addr_prefix(&l->source, prefix);
	memcpy(l->by_source, prefix, sizeof(l->by_source));
	key(l->by_both, "both", l->name, prefix);
	key(l->by_account, "any", l->name, NULL);
}

void
login_limited(struct login *l, uint32_t retry)
{
	int64_t now = auth_ms();
	uint32_t r;

	auth.count.limited++;
	if (rate_look(source_table(l), l->by_source, now, &r) == RATE_DENY)
		rate_denied(source_table(l), l->by_source, now);
	(void)audit_event(AUDIT_LOGIN_LIMITED, LOG_S("user", l->name),
	    LOG_S("source", l->from), LOG_N("retry", retry), LOG_S("rid", l->rid),
	    LOG_S("agent", l->agent));
	login_answer(l, AUTH_RATE_LIMITED, retry);
}

enum rate_verdict
login_verdict(const struct login *l, int64_t now, uint32_t *retry)
{
	enum rate_verdict s, b;
	uint32_t rs, rb;

	s = rate_look(source_table(l), l->by_source, now, &rs);
	b = rate_look(lg.both, l->by_both, now, &rb);
	*retry = rs > rb ? rs : rb;
	return s > b ? s : b;
}

void
login_hold(const struct login *l, int64_t now)
{
	rate_begin(source_table(l), l->by_source, now);
	rate_begin(lg.both, l->by_both, now);
	rate_begin(lg.account, l->by_account, now);
}

void
login_leave(const struct login *l, bool failed)
{
	int64_t now = auth_ms();

	rate_end(source_table(l), l->by_source, now, failed);
	rate_end(lg.both, l->by_both, now, failed);
	rate_end(lg.account, l->by_account, now, failed);
}

typedef bool (*like_fn)(const struct login *, const struct login *);

static bool
anybody(const struct login *l, const struct login *n)
{
	(void)l;
	(void)n;
	return true;
}

static bool
same_source(const struct login *l, const struct login *n)
{
	return memcmp(l->by_source, n->by_source, RATE_KEY) == 0;
}

static bool
same_both(const struct login *l, const struct login *n)
{
	return memcmp(l->by_both, n->by_both, RATE_KEY) == 0;
}

static bool
same_account(const struct login *l, const struct login *n)
{
	return memcmp(l->by_account, n->by_account, RATE_KEY) == 0;
}

static bool
slowed_too(const struct login *l, const struct login *n)
{
	return l->not_before != 0 && n->not_before != 0 && same_account(l, n);
}

static unsigned int
waiting(void)
{
	const struct login *l;
	unsigned int n = 0;

	TAILQ_FOREACH(l, &logins, entry)
		n += l->state == L_WAITING;
	return n;
}

/* Those like it that wait or are being made. */
static uint32_t
under_way(const struct login *n, like_fn like)
{
	const struct login *l;
	uint32_t c = 0;

	TAILQ_FOREACH(l, &logins, entry)
		c += l != n && (l->state == L_WAITING || l->state == L_RUNNING) &&
		    like(l, n);
	return c;
}

/* Where in the order is it?  That is settled when it comes. */
static void
take_turn(struct login *n, bool known, int64_t now)
{
	if (known)
		n->turn = rate_failures(lg.both, n->by_both, now) +
		    under_way(n, same_both);
	else
		n->turn = 1 + rate_failures(source_table(n), n->by_source, now) +
		    under_way(n, same_source);
	n->crowd = rate_failures(lg.account, n->by_account, now) +
	    under_way(n, same_account);
}

static bool
before(const struct login *a, const struct login *b, bool many)
{
	if (a->turn != b->turn)
		return a->turn < b->turn;
	if (a->crowd != b->crowd)
		return a->crowd < b->crowd;
	return many ? a->order > b->order : a->order < b->order;
}

struct login *
login_next(int64_t now)
{
	bool many = waiting() >= QUEUE_LONG;
	struct login *l, *first = NULL;
	uint32_t retry;

	TAILQ_FOREACH(l, &logins, entry) {
		if (l->state != L_WAITING || l->not_before > now ||
		    (first != NULL && before(first, l, many)))
			continue;
		if (login_verdict(l, now, &retry) != RATE_WAIT)
			first = l;
	}
	return first;
}

/* Has this account been at this source's before, and is it still? */
static bool
known_source(const struct login *l)
{
	struct store_session s[16];
	struct store_account a;
	uint8_t mine[16], other[16];
	enum store_result r;
	size_t i, n;

	if (strchr(l->name, '@') != NULL)
		r = store_account_by_email(auth.store, l->name, &a);
	else
		r = store_account_by_name(auth.store, l->name, &a);
	if (r != STORE_OK)
		return false;
	n = store_session_of_user(auth.store, a.uid, s, 16);
	explicit_bzero(&a, sizeof(a));
	addr_prefix(&l->source, mine);
	for (i = 0; i < n; i++) {
		addr_prefix(&s[i].source, other);
		if (memcmp(mine, other, sizeof(mine)) == 0 &&
		    policy_session_alive(&auth.conf.auth, &s[i], auth_now()))
			return true;
	}
	return false;
}

static void
on_slow(evutil_socket_t fd, short what, void *arg)
{
	const struct login *l;
	int64_t now = auth_ms();

	(void)fd;
	(void)what;
	(void)arg;
	login_kick();
	TAILQ_FOREACH(l, &logins, entry)
		if (l->state == L_WAITING && l->not_before > now)
			return;
	event_del(lg.timer);
}

/*
 * An account under attack from many sources answers later, and never not at
 * all; not to those who are logged in from where they ask.
 */
static void
slow_down(struct login *l, int64_t now)
{
	uint32_t n, limit = auth.conf.ratelimit.login.count;
	struct timeval tv = { 0, 0 };
	int64_t ms;

	n = rate_failures(lg.account, l->by_account, now);
	if (limit > UINT32_MAX / SLOW_FACTOR || n < limit * SLOW_FACTOR ||
	    known_source(l))
		return;
	ms = SLOW_STEP_MS * (int64_t)(n / limit - SLOW_FACTOR + 1);
	if (ms > SLOW_MAX_MS)
		ms = SLOW_MAX_MS;
	l->not_before = now + ms;
	if (lg.timer == NULL &&
	    (lg.timer = event_new(auth.base, -1, EV_PERSIST, on_slow, NULL)) == NULL)
		fatalx("out of memory");
	tv.tv_usec = SLOW_STEP_MS / 2 * 1000;
	if (!evtimer_pending(lg.timer, NULL))
		event_add(lg.timer, &tv);
}

/* Is there room for one more like it?  If need be, the last in turn makes it. */
static bool
room_among(const struct login *n, like_fn like, unsigned int max)
{
	struct login *l, *last = NULL;
	unsigned int c = 0;

	TAILQ_FOREACH(l, &logins, entry) {
		if (l->state != L_WAITING || l == n || !like(l, n))
			continue;
		if (last == NULL || before(last, l, true))
			last = l;
		c++;
	}
	if (c < max)
		return true;
	if (before(last, n, true))
		return false;
	login_answer(last, AUTH_BUSY, 1);
	return true;
}

bool
login_queue(struct login *n, int64_t now)
{
	bool known;

	slow_down(n, now);
	/* Looked up only where it matters: what it takes tells who has sessions. */
	known = (waiting() > 1 || hash_free() == 0) && known_source(n);
	take_turn(n, known, now);
	return room_among(n, same_source, QUEUE_SOURCE) &&
	    room_among(n, slowed_too, QUEUE_ACCOUNT) && room_among(n, anybody, QUEUE_MAX);
}

size_t
login_top(struct wire_top *top, size_t max)
{
	return rate_top(lg.source, LIMIT_LOGIN, auth_ms(), top, max);
}

/* As an attempt to log in, for who tells a password elsewhere. */
static void
gate_keys(const struct wire_addr *source, const char *name, struct login *l)
{
	memset(l, 0, sizeof(*l));
	l->source = *source;
	strlcpy(l->name, name, sizeof(l->name));
	login_keys(l);
}

bool
login_gate_begin(const struct wire_addr *source, const char *name, uint32_t *retry)
{
	static struct login l;

	gate_keys(source, name, &l);
	if (login_verdict(&l, auth_ms(), retry) != RATE_GO)
		return false;
	login_hold(&l, auth_ms());
	return true;
}

void
login_gate_end(const struct wire_addr *source, const char *name, bool failed)
{
	static struct login l;

	gate_keys(source, name, &l);
	login_leave(&l, failed);
	if (failed)
		source_note(0, source, NOTE_LOGIN_FAILED);
}
