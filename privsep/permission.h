/*
 * Who may do what: the one table of permissions, and the one that says which of
 * them each message of a worker or of idectl needs.
 *
 *	P(NAME, "name", what it allows)		PERMISSION_TABLE
 *	A(MESSAGE, NAME, flags)			ACCESS_TABLE
 *
 * An account has roles, a role has permissions: three are built in (permission.c),
 * others are defined in ided.conf(5).  Auth's dispatcher looks a message up in
 * ACCESS_TABLE and refuses it before its handler runs (access_row()); a message
 * without a row, and a row without such a message, does not compile.
 *
 * NOBODY stands for no permission at all: what somebody who is not known yet may
 * say (msg.h tells in which state of the channel), and the flow of descriptors
 * that belongs to a message before it.
 */
#ifndef PRIVSEP_PERMISSION_H
#define PRIVSEP_PERMISSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "msg.h"

/* clang-format off */
#define PERMISSION_TABLE(P)							\
/* What everyone has of their own. */						\
P(ACCOUNT_OWN,	"account.own",	"the own account, its sessions, tokens and settings")	\
P(IDE_USE,	"ide.use",	"an own sandbox, the IDE and the ports in it")		\
P(PORTS_SHARE,	"ports.share",	"share ports of the own sandbox, as far as proxy share allows it") \
P(LOCATION_USE,	"location.use",	"the site's own services, as far as these allow it")	\
/* Other people's. */								\
P(DASHBOARD_VIEW, "dashboard.view", "the administrators' overview and its figures")	\
P(USERS_READ,	"users.read",	"list accounts and look at them")			\
P(USERS_MANAGE,	"users.manage",	"make, change, approve, disable and delete accounts")	\
P(ROLES_READ,	"roles.read",	"list roles and what they permit")			\
P(SESSIONS_READ, "sessions.read", "list sessions of all users")				\
P(SESSIONS_MANAGE, "sessions.manage", "end sessions of other users")			\
P(TOKENS_READ,	"tokens.read",	"list tokens of other users")				\
P(TOKENS_MANAGE, "tokens.manage", "make and revoke tokens of other users")			\
P(SANDBOXES_VIEW, "sandboxes.view", "list sandboxes and what they use")			\
P(SANDBOXES_STOP, "sandboxes.stop", "stop sandboxes of other users")			\
P(SANDBOXES_EXEC, "sandboxes.exec", "run commands in sandboxes of other users")		\
P(AUDIT_READ,	"audit.read",	"query, export and verify the audit trail")		\
P(LIMITS_READ,	"limits.read",	"see who reaches a rate limit")				\
P(IMAGES_MANAGE, "images.manage", "build and deploy images")				\
P(EXTENSIONS_MANAGE, "extensions.manage", "say which extensions there are")		\
P(DAEMON_VIEW,	"daemon.view",	"see what ided is doing")				\
P(DAEMON_MANAGE, "daemon.manage", "reload, upgrade, stop, back up and restore ided")

/* Still allowed while a password must be changed first. */
#define A_CHANGING 0x01

#define ACCESS_TABLE(A)								\
/* A worker: which request it speaks of. */					\
A(REQUEST,		NOBODY,		A_CHANGING)				\
/* A worker: who it is. */							\
A(AUTH_TOKEN,		NOBODY,		A_CHANGING)				\
A(LOGIN,		NOBODY,		A_CHANGING)				\
/* ... which a token of whatever scopes may say. */				\
A(LOGOUT,		NOBODY,		A_CHANGING)				\
A(BEAT,			NOBODY,		A_CHANGING)				\
A(HOLD,			NOBODY,		A_CHANGING)				\
/* A worker: tokens.  A key is public, and a token says who it is. */		\
A(JWT_USE,		NOBODY,		A_CHANGING)				\
A(JWT_REFRESH,		NOBODY,		A_CHANGING)				\
A(JWKS,			NOBODY,		A_CHANGING)				\
A(API_TOKEN,		NOBODY,		A_CHANGING)				\
A(TOKEN_ADD,		ACCOUNT_OWN,	0)					\
A(TOKEN_LIST,		ACCOUNT_OWN,	0)					\
A(TOKEN_END,		ACCOUNT_OWN,	0)					\
/* A worker: what it may serve. */						\
A(LEASE_ASK,		NOBODY,		A_CHANGING)				\
A(LEASE_BACK,		NOBODY,		A_CHANGING)				\
/* A worker: the own sandbox. */						\
A(IDE,			IDE_USE,	0)					\
A(LAST,			IDE_USE,	0)					\
A(MINT,			IDE_USE,	0)					\
A(UPDATE,		IDE_USE,	0)					\
A(PORTAL,		ACCOUNT_OWN,	A_CHANGING)				\
/* A worker: ports of the own sandbox. */					\
A(PORT,			IDE_USE,	0)					\
A(PORT_CODE,		IDE_USE,	0)					\
A(PORT_ENTER,		NOBODY,		0)					\
A(PORT_TOKEN,		NOBODY,		0)					\
/* Shared ports: the own ones, or all for idectl; visitors. */			\
A(SHARE_ADD,		PORTS_SHARE,	0)					\
A(SHARE_LIST,		ACCOUNT_OWN,	0)					\
A(SHARE_END,		ACCOUNT_OWN,	0)					\
A(SHARE_CODE,		ACCOUNT_OWN,	0)					\
A(SHARE_ENTER,		NOBODY,		0)					\
A(SHARE_TOKEN,		NOBODY,		0)					\
A(SHARE_VISIT,		NOBODY,		A_CHANGING)				\
A(SHARE_PORT,		NOBODY,		0)					\
A(SHARE_SIGN,		NOBODY,		0)					\
/* A worker: services of the site's own. */					\
A(LOCATION,		LOCATION_USE,	0)					\
A(LOCATION_FILE,	LOCATION_USE,	0)					\
A(LOCATION_SIGN,	LOCATION_USE,	0)					\
A(SESSION_END,		ACCOUNT_OWN,	A_CHANGING)				\
/* A worker: the own account. */						\
A(REGISTER,		NOBODY,		A_CHANGING)				\
A(RESET_USE,		NOBODY,		A_CHANGING)				\
A(ME,			ACCOUNT_OWN,	A_CHANGING)				\
A(ME_PUT,		ACCOUNT_OWN,	0)					\
A(ME_PASSWORD,		ACCOUNT_OWN,	A_CHANGING)				\
A(ME_SESSIONS,		ACCOUNT_OWN,	A_CHANGING)				\
A(ME_SESSION_END,	ACCOUNT_OWN,	A_CHANGING)				\
A(ME_SESSIONS_END,	ACCOUNT_OWN,	A_CHANGING)				\
A(ME_USAGE,		ACCOUNT_OWN,	0)					\
A(ME_ACTIVITY,		ACCOUNT_OWN,	0)					\
A(SETTINGS_GET,		ACCOUNT_OWN,	0)					\
A(SETTINGS_PUT,		ACCOUNT_OWN,	0)					\
/* Other accounts: a worker, and idectl. */					\
A(USERS,		USERS_READ,	0)					\
A(USER_GET,		USERS_READ,	0)					\
A(USER_ADD,		USERS_MANAGE,	0)					\
A(USER_PUT,		USERS_MANAGE,	0)					\
A(USER_LIMITS,		USERS_MANAGE,	0)					\
A(USER_DELETE,		USERS_MANAGE,	0)					\
A(USER_APPROVE,		USERS_MANAGE,	0)					\
A(USER_DISABLE,		USERS_MANAGE,	0)					\
A(USER_ENABLE,		USERS_MANAGE,	0)					\
A(USER_RESET,		USERS_MANAGE,	0)					\
A(ROLES,		ROLES_READ,	0)					\
A(SESSIONS,		SESSIONS_READ,	0)					\
A(SESSION_KILL,		SESSIONS_MANAGE, 0)					\
A(SESSIONS_KILL,	SESSIONS_MANAGE, 0)					\
A(SANDBOXES,		SANDBOXES_VIEW,	0)					\
A(SANDBOX_KILL,		SANDBOXES_STOP,	0)					\
A(STATS,		DASHBOARD_VIEW,	0)					\
/* Tokens of other users. */							\
A(USER_TOKENS,		TOKENS_READ,	0)					\
A(CTL_TOKEN_ADD,	TOKENS_MANAGE,	0)					\
A(USER_TOKEN_END,	TOKENS_MANAGE,	0)					\
A(CTL_ROTATE,		DAEMON_MANAGE,	0)					\
A(RATELIMITS,		LIMITS_READ,	0)					\
/* idectl. */									\
A(CTL_SANDBOX_LIST,	SANDBOXES_VIEW,	0)					\
A(CTL_SANDBOX_SHOW,	SANDBOXES_VIEW,	0)					\
A(CTL_SANDBOX_STOP,	SANDBOXES_STOP,	0)					\
A(CTL_EXEC,		SANDBOXES_EXEC,	0)					\
A(CTL_EXEC_FD,		SANDBOXES_EXEC,	0)					\
A(CTL_STATUS,		DAEMON_VIEW,	0)					\
/* The audit trail. */								\
A(AUDIT_QUERY,		AUDIT_READ,	0)					\
A(CTL_AUDIT_QUERY,	AUDIT_READ,	0)					\
A(CTL_AUDIT_WHERE,	AUDIT_READ,	0)					\
A(CTL_RELOAD,		DAEMON_MANAGE,	0)					\
A(CTL_STOP,		DAEMON_MANAGE,	0)					\
A(CTL_HANDOVER,		DAEMON_MANAGE,	0)					\
A(CTL_LEAVE,		DAEMON_MANAGE,	0)					\
A(CTL_BACKUP,		DAEMON_MANAGE,	0)					\
A(CTL_BACKUP_FD,	DAEMON_MANAGE,	0)
/* clang-format on */

#define P_ENUM_(n, ...) PERMISSION_##n,
enum permission {
	PERMISSION_NOBODY,
	PERMISSION_TABLE(P_ENUM_) PERMISSION_MAX,
};
#undef P_ENUM_

/* A set of permissions. */
typedef uint64_t permits;
#define PERMIT(p)  ((permits)1 << (p))
#define PERMIT_ALL (PERMIT(PERMISSION_MAX) - 2)

struct permission_row {
	const char *name;
	const char *what;
};
/* By enum permission. */
extern const struct permission_row permission_table[PERMISSION_MAX];

/* Bytes of a name that are not terminated; PERMISSION_NOBODY if there is none. */
enum permission permission_find(const char *name, size_t len);
/*
 * Names separated by single spaces: what tokens are limited to, and lists show.
 * permits_parse() is false, and *set undefined, on a name that is unknown, comes
 * twice, or on anything else that permits_text() does not write.
 */
bool permits_parse(const char *text, permits *set);
/* Returns text, cut if it does not fit (PERMITS_TEXT always does). */
#define PERMITS_TEXT 512
const char *permits_text(permits set, char *text, size_t size);

/*
 * Roles.  Names are as those of accounts; an account has up to ROLES_MAX of them,
 * separated by single spaces, the first is the one whose "limits" hold.
 */
#define ROLES_MAX 8
struct role {
	char name[WIRE_ROLE];
	permits permit;
};
extern const struct role roles_builtin[];
#define ROLES_BUILTIN 3

/* The next name of a list, from *at on; false at its end. */
bool roles_next(const char **at, char name[WIRE_ROLE]);
/* The first of them; "" if there is none. */
void role_first(const char *roles, char name[WIRE_ROLE]);
/* Well formed: sound names, none twice, one at least. */
bool roles_ok(const char *roles);
bool role_name_ok(const char *name);
/* NULL when there is none; more are those of the configuration. */
const struct role *role_find(const struct role *more, size_t nmore, const char *name);
/* What all of them permit together, and account.own, which everyone has; a role that
 * does not exist (any more) permits nothing. */
permits roles_permit(const struct role *more, size_t nmore, const char *roles);

/* What a message of a worker or of idectl needs; NULL: auth takes no such message. */
struct access_row {
	enum permission permission;
	uint8_t flags;
};
const struct access_row *access_row(enum msg_type type);
/* May it be said by one who has these?  changing: the password must be changed. */
bool access_ok(enum msg_type type, permits have, bool changing);

#endif
