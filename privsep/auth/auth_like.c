/* Nobody gets a name or an address that is taken for somebody else's. */
#include <stdio.h>
#include <string.h>

#include <bsd/string.h>

#include "auth_peer.h"
#include "auth_policy.h"
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
unlike(const struct asker *who, const char *field, enum like found)
{
	/* Whom it may be said to that it can be had all the same. */
	const char *how = (who->have & PERMIT(PERMISSION_USERS_MANAGE)) != 0 ?
	    ", or say that it is meant (allowLookalike; idectl user add -L)" :
	    "";

	switch (found) {
	case LIKE_NONE:
		return true;
	case LIKE_ONE:
		asker_fail(who, FAIL_INVALID, field,
		    "this looks like what another user has: take one that is told apart "
		    "from it%s",
		    how);
		break;
	case LIKE_MANY:
		asker_fail(who, FAIL_INVALID, field,
		    "too many users have what begins like this: take one that begins in "
		    "another way%s",
		    how);
		break;
	}
	return false;
}

static enum like
find(const char *text, const char *own, like_next next, char found[WIRE_EMAIL])
{
	found[0] = '\0';
	return text[0] != '\0' ? like_find(next, NULL, text, own, found) : LIKE_NONE;
}

bool
account_name_unlike(const struct asker *who, const char *name, bool meant)
{
	char found[WIRE_EMAIL];
	const char *why;

	if (meant)
		return true;
	if ((why = policy_name_like(name)) == NULL)
		return unlike(who, "username", find(name, "", next_name, found));
	asker_fail(who, FAIL_INVALID, "username", "%s", why);
	return false;
}

bool
account_email_unlike(
    const struct asker *who, const char *email, const char *own, bool meant)
{
	char found[WIRE_EMAIL];

	return meant || unlike(who, "email", find(email, own, next_email, found));
}

static void
append(char *text, size_t size, const char *field, const char *like)
{
	size_t n = strlen(text);

	snprintf(text + n, size - n, "%s%s allowed to look like %s", n > 0 ? "; " : "",
	    field, like);
}

void
account_name_like(char *text, size_t size, const char *name)
{
	char found[WIRE_EMAIL];

	switch (find(name, "", next_name, found)) {
	case LIKE_NONE:
		if (policy_name_like(name) != NULL)
			append(text, size, "username", "a reserved one");
		break;
	case LIKE_ONE:
		append(text, size, "username", found);
		break;
	case LIKE_MANY:
		append(text, size, "username", "any other");
		break;
	}
}

void
account_email_like(char *text, size_t size, const char *email, const char *own)
{
	char found[WIRE_EMAIL];
	enum like is = find(email, own, next_email, found);

	if (is != LIKE_NONE)
		append(text, size, "email", is == LIKE_ONE ? found : "any other");
}
