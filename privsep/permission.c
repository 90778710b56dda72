/* Permissions, roles and what each message needs: see permission.h. */
#include <string.h>

#include <bsd/string.h>

#include "permission.h"

#define P_ROW_(n, name, what) [PERMISSION_##n] = { name, what },
const struct permission_row permission_table[PERMISSION_MAX] = {
	[PERMISSION_NOBODY] = { "", "nothing" }, PERMISSION_TABLE(P_ROW_)
};

_Static_assert(PERMISSION_MAX < 64, "a set of permissions has 64 bits");

#define OWN                                                                              \
	(PERMIT(PERMISSION_ACCOUNT_OWN) | PERMIT(PERMISSION_IDE_USE) |                   \
	    PERMIT(PERMISSION_PORTS_SHARE) | PERMIT(PERMISSION_LOCATION_USE))

/* An operator builds, deploys and looks after what runs, and manages no users. */
const struct role roles_builtin[ROLES_BUILTIN] = {
	{ "admin", PERMIT_ALL },
	{ "operator",
	    OWN | PERMIT(PERMISSION_DASHBOARD_VIEW) | PERMIT(PERMISSION_USERS_READ) |
		PERMIT(PERMISSION_ROLES_READ) | PERMIT(PERMISSION_SESSIONS_READ) |
		PERMIT(PERMISSION_SANDBOXES_VIEW) | PERMIT(PERMISSION_SANDBOXES_STOP) |
		PERMIT(PERMISSION_LIMITS_READ) | PERMIT(PERMISSION_IMAGES_MANAGE) |
		PERMIT(PERMISSION_EXTENSIONS_MANAGE) | PERMIT(PERMISSION_DAEMON_VIEW) },
	{ "user", OWN },
};

/*
 * Every message that auth takes from a worker or from idectl has exactly one row,
 * and there is no other: each row is one of them, none comes twice (the compiler
 * warns of that), and there are as many of both.
 */
#define NEEDS(f, t)             (((f) & (P_WORKER | P_CTL)) != 0 && ((t)&P_AUTH) != 0)
#define NEEDS_(n, f, t, s, ...) NEEDS_##n = NEEDS(f, t),
enum { MSG_TABLE(NEEDS_) };
#define COUNT_MSG_(n, f, t, s, ...) +(NEEDS(f, t) ? 1 : 0)
#define COUNT_ROW_(n, p, f)         +1
#define IS_MSG_(n, p, f)            _Static_assert(NEEDS_##n, "not for auth: " #n);
ACCESS_TABLE(IS_MSG_)
_Static_assert((0 MSG_TABLE(COUNT_MSG_)) == (0 ACCESS_TABLE(COUNT_ROW_)),
    "a message to auth has no row in ACCESS_TABLE: who may send it?");

static const struct {
	struct access_row row;
	bool there;
} access_table[M_MAX] = {
#define A_ROW_(n, p, f) [M_##n] = { { PERMISSION_##p, f }, true },
	ACCESS_TABLE(A_ROW_)
};

const struct access_row *
access_row(enum msg_type type)
{
	if (type >= M_MAX || !access_table[type].there)
		return NULL;
	return &access_table[type].row;
}

bool
access_ok(enum msg_type type, permits have, bool changing)
{
	const struct access_row *row = access_row(type);

	if (row == NULL || (changing && (row->flags & A_CHANGING) == 0))
		return false;
	return row->permission == PERMISSION_NOBODY ||
	    (have & PERMIT(row->permission)) != 0;
}

enum permission
permission_find(const char *name, size_t len)
{
	unsigned int p;

	for (p = PERMISSION_NOBODY + 1; p < PERMISSION_MAX; p++)
		if (strlen(permission_table[p].name) == len &&
		    memcmp(permission_table[p].name, name, len) == 0)
			return (enum permission)p;
	return PERMISSION_NOBODY;
}

bool
permits_parse(const char *text, permits *set)
{
	enum permission p;
	size_t n;

	*set = 0;
	if (*text == '\0')
		return true;
	for (;; text += n + 1) {
		n = strcspn(text, " ");
		p = permission_find(text, n);
		if (p == PERMISSION_NOBODY || (*set & PERMIT(p)) != 0)
			return false;
		*set |= PERMIT(p);
		if (text[n] == '\0')
			return true;
	}
}

const char *
permits_text(permits set, char *text, size_t size)
{
	unsigned int p;

	text[0] = '\0';
	for (p = PERMISSION_NOBODY + 1; p < PERMISSION_MAX; p++) {
		if ((set & PERMIT(p)) == 0)
			continue;
		if (text[0] != '\0')
			strlcat(text, " ", size);
		strlcat(text, permission_table[p].name, size);
	}
	return text;
}

bool
role_name_ok(const char *name)
{
	size_t n = strnlen(name, WIRE_ROLE);

	return n > 0 && n < WIRE_ROLE && name[0] >= 'a' && name[0] <= 'z' &&
	    strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._-") == n;
}

bool
roles_next(const char **at, char name[WIRE_ROLE])
{
	size_t n = strcspn(*at, " ");

	if (n == 0 || n >= WIRE_ROLE)
		return false;
	memcpy(name, *at, n);
	name[n] = '\0';
	*at += n;
	if (**at == ' ')
		++*at;
	return true;
}

void
role_first(const char *roles, char name[WIRE_ROLE])
{
	memset(name, 0, WIRE_ROLE);
	(void)roles_next(&roles, name);
}

bool
roles_ok(const char *roles)
{
	char name[ROLES_MAX][WIRE_ROLE];
	const char *at = roles;
	size_t i, n = 0, len = strlen(roles);

	if (len == 0 || roles[len - 1] == ' ')
		return false;
	while (n < ROLES_MAX && roles_next(&at, name[n])) {
		if (!role_name_ok(name[n]))
			return false;
		for (i = 0; i < n; i++)
			if (strcmp(name[i], name[n]) == 0)
				return false;
		n++;
	}
	return n > 0 && *at == '\0';
}

const struct role *
role_find(const struct role *more, size_t nmore, const char *name)
{
	size_t i;

	for (i = 0; i < ROLES_BUILTIN; i++)
		if (strcmp(roles_builtin[i].name, name) == 0)
			return &roles_builtin[i];
	for (i = 0; i < nmore; i++)
		if (strcmp(more[i].name, name) == 0)
			return &more[i];
	return NULL;
}

permits
roles_permit(const struct role *more, size_t nmore, const char *roles)
{
	char name[WIRE_ROLE];
	const struct role *r;
	permits set = PERMIT(PERMISSION_ACCOUNT_OWN);

	while (roles_next(&roles, name))
		if ((r = role_find(more, nmore, name)) != NULL)
			set |= r->permit;
	return set;
}
