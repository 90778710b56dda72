/* Nobody gets a name or an address that is taken for somebody else's. */
#include <string.h>

#include <bsd/string.h>

#include "auth_peer.h"
#include "like.h"

static bool
next_name(void *arg, const char *from, char key[WIRE_EMAIL])
{
	char name[WIRE_NAME];

	(void)arg;
	if (store_name_from(auth.store, from, name) != STORE_OK)
		return false;
	strlcpy(key, name, WIRE_EMAIL);
	return true;
}

static bool
next_email(void *arg, const char *from, char key[WIRE_EMAIL])
{
	(void)arg;
	return store_email_from(auth.store, from, key) == STORE_OK;
}

static bool
unlike(const struct asker *who, const char *field, const char *text, const char *own,
    like_next next)
{
	char found[WIRE_EMAIL];

	if (text[0] == '\0')
		return true;
	switch (like_find(next, NULL, text, own, found)) {
	case LIKE_NONE:
		return true;
	case LIKE_ONE:
		asker_fail(who, FAIL_INVALID, field,
		    "this looks like what another user has: take one that is told apart "
		    "from it");
		break;
	case LIKE_MANY:
		asker_fail(who, FAIL_INVALID, field,
		    "too many users have what begins like this: take one that begins in "
		    "another way");
		break;
	}
	return false;
}

bool
account_name_unlike(const struct asker *who, const char *name)
{
	return unlike(who, "username", name, "", next_name);
}

bool
account_email_unlike(const struct asker *who, const char *email, const char *own)
{
	return unlike(who, "email", email, own, next_email);
}
