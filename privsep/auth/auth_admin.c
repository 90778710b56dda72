/*
 * The first administrator, from IDED_ADMIN_USERNAME and IDED_ADMIN_PASSWORD: on
 * an empty store and never again.
 */
#include <string.h>

#include <bsd/string.h>

#include "auth.h"
#include "auth_policy.h"

static void (*ready)(void);

static void
wipe(void)
{
	explicit_bzero(auth.conf.admin_password, sizeof(auth.conf.admin_password));
	explicit_bzero(auth.conf.admin_name, sizeof(auth.conf.admin_name));
}

static void
on_made(void *owner, uint32_t tag, enum wire_hashed result, const char *encoded)
{
	struct store_account a;
	enum store_result r;

	(void)owner;
	(void)tag;
	if (result != HASHED_YES) {
		wipe();
		log_warnx("the first administrator was not made: no hash helper "
			  "answered; use `idectl user add -r admin'");
		ready();
		return;
	}
	memset(&a, 0, sizeof(a));
	strlcpy(a.name, auth.conf.admin_name, sizeof(a.name));
	strlcpy(a.roles, "admin", sizeof(a.roles));
	strlcpy(a.hash, encoded, sizeof(a.hash));
	a.active = true;
	a.created = a.updated = a.password_at = auth_now();
	wipe();
	if ((r = store_account_add(auth.store, &a)) != STORE_OK)
		fatalx("the first administrator: %s", store_strerror(r));
	(void)audit_event(AUDIT_USER_ADDED, LOG_S("user", a.name), LOG_N("uid", a.uid),
	    LOG_S("role", a.roles), LOG_S("actor", "environment"));
	explicit_bzero(&a, sizeof(a));
	ready();
}

void
admin_first(void (*done)(void))
{
	struct store_counts n;
	char buf[WIRE_TEXT];
	const char *why;

	ready = done;
	store_count(auth.store, &n);
	if (n.accounts > 0 || auth.conf.admin_name[0] == '\0') {
		wipe();
		ready();
		return;
	}
	auth.conf.admin_name[sizeof(auth.conf.admin_name) - 1] = '\0';
	auth.conf.admin_password[sizeof(auth.conf.admin_password) - 1] = '\0';
	fold(auth.conf.admin_name);
	if ((why = policy_name(auth.conf.admin_name)) != NULL ||
	    (why = policy_name_like(auth.conf.admin_name)) != NULL)
		fatalx("IDED_ADMIN_USERNAME: %s", why);
	if ((why = policy_password(&auth.conf.auth, auth.conf.admin_name,
		 auth.conf.admin_password, buf, sizeof(buf))) != NULL)
		fatalx("IDED_ADMIN_PASSWORD: %s", why);
	if (!hash_make(auth.conf.admin_password, on_made, &ready, 0))
		fatalx("BUG: the queue of hashes is full at start");
}
