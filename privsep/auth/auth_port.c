/*
 * Ports of a user's sandbox, and the sign-on of the origins that they have.
 *
 * A port's origin (3000.ide.example.com) never sees the session's cookie.  Its own
 * comes about so: the browser is sent to the main origin, where its session gets a
 * code (sandbox_port_code), and back with it; the port's origin hands in the code and
 * gets a token (sandbox_port_enter).
 *
 * A code is good once, for CODE_LIFE seconds, for one port, and for the browser that
 * asked: it is bound to the SHA-256 of a nonce that only that one has.
 *
 * A token is good for one port of one session, and as long as that: it is the
 * session's id, and a MAC over it, the port and what the store keeps of the session.
 * Nothing of it is stored.  The secret is isolation's (conf_for_auth), so that a
 * restarted auth knows them still.
 *
 * The address of a shared port has its own of both, for visitors (auth_share.c): a
 * share's name is a part of what they are good for.
 */
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <stdio.h>
#include <string.h>

#include <bsd/stdlib.h>
#include <bsd/string.h>

#include "../port.h"
#include "../audit_record.h"
#include "auth.h"
#include "auth_share.h"
#include "../hex.h"

#define CODE_LIFE  60   /* seconds: a browser's way there and back */
#define CODES_MAX  1024 /* that are under way */
#define CODES_USER 32   /* ... of one user */
#define ID_LEN     8    /* of a session's id, as bytes */
#define MAC_LEN    (WIRE_TOKEN - ID_LEN)

static struct code {
	uint8_t code[WIRE_TOKEN];
	uint8_t nonce[WIRE_TOKEN];
	char session[WIRE_SESSION];
	uint32_t uid;            /* 0: free */
	struct wire_share share; /* its id is 0 when it is the user's own */
	int64_t until;           /* auth_ms() */
} codes[CODES_MAX];

bool
sandbox_port_allowed(uint16_t port)
{
	return port >= auth.conf.port_first && port <= auth.conf.port_last;
}

/* --- tokens --- */

static void
mac(const void *data, size_t len, uint8_t out[32])
{
	unsigned int n = 32;

	if (HMAC(EVP_sha256(), auth.conf.port_secret, sizeof(auth.conf.port_secret), data,
		len, out, &n) == NULL ||
	    n != 32)
		fatalx("HMAC failed");
}

static bool
id_bytes(const char *id, uint8_t out[ID_LEN])
{
	return strlen(id) == 2 * ID_LEN && hex_get(out, ID_LEN, id);
}

/* Where a port is meant that nobody shares. */
static bool
is_own(const struct wire_share *what)
{
	static const uint8_t none[WIRE_SHARE];

	return memcmp(what->id, none, sizeof(none)) == 0;
}

bool
port_token_make(const struct store_session *s, const struct wire_share *what,
    uint8_t token[WIRE_TOKEN])
{
	struct {
		char what[16];
		uint8_t key[STORE_KEY];
		uint8_t id[ID_LEN];
		uint8_t port[2];
		uint8_t share[WIRE_SHARE]; /* of one that is shared */
	} in = { .port = { (uint8_t)(what->port >> 8), (uint8_t)what->port } };
	bool own = is_own(what);
	uint8_t out[32];

	if (!id_bytes(s->id, token))
		return false;
	strlcpy(in.what, own ? "port" : "share", sizeof(in.what));
	memcpy(in.id, token, ID_LEN);
	memcpy(in.key, s->key, sizeof(in.key));
	memcpy(in.share, what->id, sizeof(in.share));
	mac(&in, own ? sizeof(in) - sizeof(in.share) : sizeof(in), out);
	memcpy(token + ID_LEN, out, MAC_LEN);
	explicit_bzero(&in, sizeof(in));
	explicit_bzero(out, sizeof(out));
	return true;
}

/* A session's name for one share: another share's visitor cannot be told by it. */
void
port_pseudonym(const char *session, const struct wire_share *what, char id[WIRE_SESSION])
{
	struct {
		char what[16];
		char session[WIRE_SESSION];
		uint8_t share[WIRE_SHARE];
	} in;
	uint8_t out[32];

	memset(&in, 0, sizeof(in));
	strlcpy(in.what, "visitor", sizeof(in.what));
	strlcpy(in.session, session, sizeof(in.session));
	memcpy(in.share, what->id, sizeof(in.share));
	mac(&in, sizeof(in), out);
	hex_put(id, out, (WIRE_SESSION - 1) / 2);
	explicit_bzero(out, sizeof(out));
}

/* Tells whether two tokens of a browser were the same user's, and nothing else. */
void
port_owner(uint32_t uid, uint8_t owner[WIRE_OWNER])
{
	struct {
		char what[16];
		uint8_t uid[4];
	} in = { .what = "owner",
		.uid = { (uint8_t)(uid >> 24), (uint8_t)(uid >> 16), (uint8_t)(uid >> 8),
		    (uint8_t)uid } };
	uint8_t out[32];

	mac(&in, sizeof(in), out);
	memcpy(owner, out, WIRE_OWNER);
}

enum store_result
port_token_find(const uint8_t token[WIRE_TOKEN], const struct wire_share *what,
    struct store_session *s, struct store_account *a)
{
	uint8_t want[WIRE_TOKEN];
	char id[WIRE_SESSION];
	enum store_result r;

	hex_put(id, token, ID_LEN);
	if (!sandbox_port_allowed(what->port))
		return STORE_NOT_FOUND;
	if ((r = session_find_id(id, s, a)) != STORE_OK)
		return r;
	if (!port_token_make(s, what, want) ||
	    CRYPTO_memcmp(want, token, sizeof(want)) != 0)
		r = STORE_NOT_FOUND;
	explicit_bzero(want, sizeof(want));
	return r;
}

void
sandbox_port_token(struct worker *w, uint32_t id, const struct m_port_token *t)
{
	const struct wire_share own = { .port = t->port };
	struct store_session s;
	struct store_account a;
	enum store_result r;
	struct m_who m;

	r = port_token_find(t->token, &own, &s, &a);
	if (r == STORE_OK && !worker_bind_port(w, &a, &s, t->port)) {
		worker_who(w, id, AUTH_OTHER_USER, 0); /* w is gone */
	} else if (r == STORE_OK) {
		memset(&m, 0, sizeof(m));
		m.result = AUTH_OK;
		worker_who_is(&m.who, &a, &s);
		chan_send(&w->chan, M_WHO, id, -1, &m, sizeof(m));
		explicit_bzero(&m, sizeof(m));
	} else if (r == STORE_NOT_FOUND) {
		worker_who(w, id, AUTH_DENIED, 0);
	} else {
		worker_fail(w, id, FAIL_INTERNAL, store_strerror(r));
	}
	explicit_bzero(&a, sizeof(a));
	explicit_bzero(&s, sizeof(s));
}

/* --- codes --- */

static void
code_free(struct code *c)
{
	explicit_bzero(c, sizeof(*c));
}

/* A free one; else the user's oldest, if these are too many, or the oldest of all. */
static struct code *
code_new(uint32_t uid)
{
	struct code *c, *all = NULL, *own = NULL, *none = NULL;
	int64_t now = auth_ms();
	unsigned int n = 0;

	for (c = codes; c < codes + CODES_MAX; c++) {
		if (c->uid != 0 && c->until <= now)
			code_free(c);
		if (c->uid == 0) {
			none = c;
			continue;
		}
		if (all == NULL || c->until < all->until)
			all = c;
		if (c->uid != uid)
			continue;
		n++;
		if (own == NULL || c->until < own->until)
			own = c;
	}
	c = n >= CODES_USER ? own : none != NULL ? none : all;
	code_free(c);
	return c;
}

void
port_code_give(struct worker *w, uint32_t id, const uint8_t nonce[WIRE_TOKEN],
    const struct wire_share *what)
{
	struct m_port_coded out;
	struct code *c;

	c = code_new(w->uid);
	arc4random_buf(c->code, sizeof(c->code));
	memcpy(c->nonce, nonce, sizeof(c->nonce));
	strlcpy(c->session, w->live->id, sizeof(c->session));
	c->uid = w->uid;
	c->share = *what;
	c->until = auth_ms() + CODE_LIFE * 1000;
	memcpy(out.code, c->code, sizeof(out.code));
	chan_send(&w->chan, M_PORT_CODED, id, -1, &out, sizeof(out));
	explicit_bzero(&out, sizeof(out));
}

/* On the main origin: a code for the port. */
void
sandbox_port_code(struct worker *w, uint32_t id, const struct m_port_code *m)
{
	const struct wire_share own = { .port = m->port };

	if (!sandbox_port_allowed(m->port) || w->live == NULL)
		worker_fail(w, id, FAIL_DENIED, "this port may not be reached");
	else
		port_code_give(w, id, m->nonce, &own);
}

bool
port_code_take(const struct m_port_enter *m, const struct wire_share *what,
    struct store_session *s, struct store_account *a)
{
	struct code *c, got;

	for (c = codes; c < codes + CODES_MAX; c++)
		if (c->uid != 0 && CRYPTO_memcmp(c->code, m->code, WIRE_TOKEN) == 0)
			break;
	if (c == codes + CODES_MAX)
		return false;
	got = *c;
	code_free(c);
	return got.until > auth_ms() && got.share.port == what->port &&
	    memcmp(got.share.id, what->id, sizeof(what->id)) == 0 &&
	    CRYPTO_memcmp(got.nonce, m->nonce, WIRE_TOKEN) == 0 &&
	    session_find_id(got.session, s, a) == STORE_OK && s->uid == got.uid;
}

/* On the port's origin: the code becomes a token. */
void
sandbox_port_enter(struct worker *w, uint32_t id, const struct m_port_enter *m)
{
	const struct wire_share own = { .port = m->port };
	struct m_port_entered out;
	struct store_session s;
	struct store_account a;
	bool refused = false;

	memset(&out, 0, sizeof(out));
	out.result = AUTH_DENIED;
	memset(&s, 0, sizeof(s));
	memset(&a, 0, sizeof(a));
	if (!port_code_take(m, &own, &s, &a) || !sandbox_port_allowed(m->port) ||
	    !port_token_make(&s, &own, out.token)) {
		(void)audit_event(AUDIT_PORT_DENIED, LOG_S("source", w->from),
		    LOG_N("port", m->port), LOG_S("why", "no such code"));
	} else if (!audit_event(AUDIT_PORT_ENTERED, LOG_S("user", a.name),
		       LOG_S("source", w->from), LOG_S("session", s.id),
		       LOG_N("port", m->port), LOG_S("actor", a.name))) {
		refused = true;
	} else if (worker_bind_port(w, &a, &s, m->port)) {
		out.result = AUTH_OK;
		port_owner(a.uid, out.owner);
		out.same_owner = CRYPTO_memcmp(out.owner, m->owner, WIRE_OWNER) == 0;
		worker_who_is(&out.who, &a, &s);
	}
	if (out.result != AUTH_OK)
		explicit_bzero(out.token, sizeof(out.token));
	if (refused)
		worker_fail(w, id, FAIL_NO_SPACE, AUDIT_REFUSED);
	else
		chan_send(&w->chan, M_PORT_ENTERED, id, -1, &out, sizeof(out));
	explicit_bzero(&out, sizeof(out));
	explicit_bzero(&a, sizeof(a));
	explicit_bzero(&s, sizeof(s));
}

/* --- connections --- */

void
sandbox_port_fd(struct worker *w, uint32_t id, uint16_t port, struct msg *m)
{
	if (!port_socket_ok(m->fd, port)) {
		log_event(LOG_WARNING, "port.violation", LOG_S("user", w->user),
		    LOG_N("port", port),
		    LOG_S("why", "descriptor of the wrong kind or peer"));
		worker_fail(w, id, FAIL_INTERNAL, "internal error");
		return;
	}
	chan_send(&w->chan, M_PORT_FD, id, msg_take_fd(m), NULL, 0);
}
