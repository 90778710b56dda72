/*
 * auth mode single and none: there is one account, made at the first start, and
 * nobody else is let in.
 *
 * With none there is no login.  A browser without a credential shows a token that
 * anybody could show, all zeros, and it stands for one session of that account,
 * made when it is missing.  Only loopback and local sockets are listened on then
 * (conf_verify.c), and in every other mode that token is worth nothing.
 */
#include <string.h>

#include <bsd/string.h>

#include "auth.h"
#include "auth_policy.h"

static void (*ready)(void);
static char given[WIRE_PASSWORD]; /* from the environment, until it is hashed */

bool
account_usable(const struct store_account *a)
{
	return a->active &&
	    (auth.conf.auth.mode == AUTH_MULTI ||
		strcmp(a->name, auth.conf.auth.account) == 0);
}

bool
single_token(const uint8_t token[WIRE_TOKEN])
{
	static const uint8_t zeros[WIRE_TOKEN];

	return memcmp(token, zeros, WIRE_TOKEN) == 0;
}

/* The session of nobody's browser; expired: the store has one, and its time is over. */
enum store_result
single_session(const uint8_t key[STORE_KEY], struct store_session *s)
{
	static const struct wire_addr nowhere;
	uint8_t token[WIRE_TOKEN];
	struct store_account a;
	enum store_result r;

	if (auth.conf.auth.mode != AUTH_NONE)
		return STORE_NOT_FOUND;
	r = store_session_by_key(auth.store, key, s);
	if (r == STORE_OK && policy_session_alive(&auth.conf.auth, s, auth_now()))
		return STORE_OK;
	if (r == STORE_OK)
		(void)session_revoke(s, REVOKED_EXPIRED, "time");
	else if (r != STORE_NOT_FOUND)
		return r;
	r = store_account_by_name(auth.store, auth.conf.auth.account, &a);
	if (r == STORE_OK)
		r = session_new(&a, &nowhere, "auth mode none", token, s);
	explicit_bzero(token, sizeof(token));
	explicit_bzero(&a, sizeof(a));
	if (r != STORE_OK)
		return r;
	memcpy(s->key, key, STORE_KEY);
	return store_session_add(auth.store, s);
}

static void
done(void)
{
	explicit_bzero(given, sizeof(given));
	ready();
}

/* The account with that hash, made if need be. */
static void
put(struct store_account *a, bool there, const char *hash, const char *from)
{
	enum store_result r;

	strlcpy(a->hash, hash, sizeof(a->hash));
	a->updated = auth_now();
	if (!audit_event(there ? AUDIT_USER_PASSWORD : AUDIT_USER_ADDED,
		LOG_S("user", a->name), LOG_S("actor", from)))
		fatalx("account %s: %s", a->name, AUDIT_REFUSED);
	r = there ? store_account_put(auth.store, a) : store_account_add(auth.store, a);
	if (r == STORE_OK && there)
		r = session_revoke_user(a->uid, REVOKED_ADMIN, from);
	if (r != STORE_OK && r != STORE_NOT_FOUND)
		fatalx("account %s: %s", a->name, store_strerror(r));
}

/* What the store has, or what it is to have; false: it has none. */
static bool
account(struct store_account *a)
{
	struct hash_params want;
	enum store_result r;

	r = store_account_by_name(auth.store, auth.conf.auth.account, a);
	if (r == STORE_OK)
		return true;
	if (r != STORE_NOT_FOUND)
		fatalx("account %s: %s", auth.conf.auth.account, store_strerror(r));
	memset(a, 0, sizeof(*a));
	strlcpy(a->name, auth.conf.auth.account, sizeof(a->name));
	strlcpy(a->roles, "admin", sizeof(a->roles));
	policy_hash_want(&auth.conf.auth, &want);
	policy_hash_dummy(&want, a->hash);
	a->active = true;
	a->created = auth_now();
	return false;
}

static void
on_made(void *owner, uint32_t tag, enum wire_hashed result, const char *encoded)
{
	struct store_account a;
	bool there;

	(void)owner;
	(void)tag;
	if (result == HASHED_YES) {
		there = account(&a);
		put(&a, there, encoded, "environment");
		explicit_bzero(&a, sizeof(a));
	} else {
		log_warnx("the password of %s was not set: no hash helper answered; use "
			  "`idectl user passwd %s'",
		    auth.conf.auth.account, auth.conf.auth.account);
	}
	done();
}

/* A password that is the account's already ends no session. */
static void
on_compared(void *owner, uint32_t tag, enum wire_hashed result, const char *encoded)
{
	(void)owner;
	(void)tag;
	(void)encoded;
	if (result == HASHED_YES)
		done();
	else if (!hash_make(given, on_made, &ready, 0))
		fatalx("BUG: the queue of hashes is full at start");
}

static void
from_environment(const struct store_account *a, bool there)
{
	char buf[WIRE_TEXT];
	const char *why;

	if ((why = policy_password(&auth.conf.auth, a->name, given, buf, sizeof(buf))) !=
	    NULL)
		fatalx("IDED_ADMIN_PASSWORD: %s", why);
	if (there ? !hash_verify(given, a->hash, on_compared, &ready, 0) :
		    !hash_make(given, on_made, &ready, 0))
		fatalx("BUG: the queue of hashes is full at start");
}

void
single_first(void (*after)(void))
{
	const char *hash = auth.conf.auth.password_hash;
	struct hash_params p;
	struct store_account a;
	const char *why;
	bool there;

	ready = after;
	strlcpy(given, auth.conf.admin_password, sizeof(given));
	explicit_bzero(auth.conf.admin_password, sizeof(auth.conf.admin_password));
	explicit_bzero(auth.conf.admin_name, sizeof(auth.conf.admin_name));
	if ((why = policy_name(auth.conf.auth.account)) != NULL ||
	    (why = policy_name_like(auth.conf.auth.account)) != NULL)
		fatalx("auth account: %s", why);
	if (hash[0] != '\0' && !policy_hash_params(hash, &p))
		fatalx("auth password-hash: not an Argon2id hash as ided makes them");
	there = account(&a);
	if (hash[0] != '\0') {
		if (!there || strcmp(a.hash, hash) != 0)
			put(&a, there, hash, "configuration");
		done();
	} else if (given[0] != '\0') {
		from_environment(&a, there);
	} else {
		if (!there) {
			put(&a, false, a.hash, "configuration");
			if (auth.conf.auth.mode == AUTH_SINGLE)
				log_warnx("%s has no password yet: "
					  "`idectl user passwd %s'",
				    a.name, a.name);
		}
		done();
	}
	explicit_bzero(&a, sizeof(a));
}
