/* Accounts, sessions, sandboxes and figures: the rows of the API.  See api.h. */
#include <string.h>

#include <bsd/string.h>

#include "../privsep/memory_text.h"
#include "api.h"
#include "routes.h"

/* clang-format off */
#define F	API_F
#define END	API_END

static const char *const states[] = { "", "active", "disabled", "pending", NULL };
static const char *const workspaces[] = { "", "keep", "remove", NULL };
static const char *const kept[] = { "", "kept", "removed", NULL };

#define LIMITS(st) \
	F("memory", API_U64, st, limits.memory, .flags = API_NULL, .bit = LIMIT_MEMORY, .max = 1ULL << 46), \
	F("storage", API_U64, st, limits.storage, .flags = API_NULL, .bit = LIMIT_STORAGE, .max = 1ULL << 50), \
	F("files", API_U64, st, limits.files, .flags = API_NULL, .bit = LIMIT_FILES, .max = 1000000000), \
	F("cpu", API_U32, st, limits.cpu, .flags = API_NULL, .bit = LIMIT_CPU, .max = 409600), \
	F("processes", API_U32, st, limits.processes, .flags = API_NULL, .bit = LIMIT_PROCESSES, .max = 1000000), \
	F("sessions", API_U32, st, limits.sessions, .flags = API_NULL, .bit = LIMIT_SESSIONS, .max = 1000)

static const struct api_field limits_out[] = { LIMITS(m_account), END };
static const struct api_field account[] = {
	F("id", API_U32, m_account, uid),
	F("username", API_STRING, m_account, name),
	F("email", API_STRING, m_account, email),
	F("displayName", API_STRING, m_account, display),
	F("roles", API_NAMES, m_account, roles),
	F("permissions", API_NAMES, m_account, permits),
	F("state", API_WORD, m_account, state, .words = states),
	F("mustChangePassword", API_BOOL, m_account, must_change),
	F("resetPending", API_BOOL, m_account, reset),
	F("sessions", API_U32, m_account, sessions),
	F("version", API_U32, m_account, version),
	F("created", API_TIME, m_account, created),
	F("updated", API_TIME, m_account, updated),
	F("lastLogin", API_TIME, m_account, last_login),
	F("passwordChanged", API_TIME, m_account, password_at),
	F("metadata", API_JSON, m_account, metadata),
	{ .name = "limits", .type = API_OBJECT, .sub = limits_out }, END };
static const struct api_field session[] = {
	F("id", API_STRING, m_session, session),
	F("username", API_STRING, m_session, user),
	F("device", API_STRING, m_session, agent),
	F("address", API_ADDRESS, m_session, source),
	F("created", API_TIME, m_session, created),
	F("lastActivity", API_TIME, m_session, seen),
	F("expires", API_TIME, m_session, expires),
	F("connections", API_U32, m_session, connections),
	F("current", API_BOOL, m_session, current), END };
static const struct api_field sandbox[] = {
	F("username", API_STRING, m_sandbox, user),
	F("state", API_WORD, m_sandbox, state, .words = sandbox_states),
	F("started", API_TIME, m_sandbox, started),
	F("memory", API_U64, m_sandbox, memory),
	F("memoryMax", API_U64, m_sandbox, memory_max),
	F("cpuMicroseconds", API_U64, m_sandbox, cpu_usec),
	F("cpuMax", API_U32, m_sandbox, cpu_max),
	F("processes", API_U32, m_sandbox, processes),
	F("processesMax", API_U32, m_sandbox, processes_max),
	F("storage", API_U64, m_sandbox, storage),
	F("storageMax", API_U64, m_sandbox, storage_max),
	F("files", API_U64, m_sandbox, files),
	F("filesMax", API_U64, m_sandbox, files_max),
	F("received", API_U64, m_sandbox, received),
	F("sent", API_U64, m_sandbox, sent),
	F("connections", API_U32, m_sandbox, connections),
	F("active", API_TIME, m_sandbox, active), F("worked", API_TIME, m_sandbox, worked),
	F("stops", API_TIME, m_sandbox, stops), F("ended", API_TIME, m_sandbox, ended),
	F("why", API_WORD, m_sandbox, why, .flags = API_NULL, .words = sandbox_whys), END };
static const struct api_field role[] = {
	F("name", API_STRING, m_role, name),
	F("builtIn", API_BOOL, m_role, builtin),
	F("permissions", API_NAMES, m_role, permits), END };
static const struct api_field reset[] = {
	F("username", API_STRING, m_reset, name),
	F("token", API_HEX, m_reset, token),
	F("expires", API_TIME, m_reset, expires), END };
static const struct api_field deleted[] = {
	F("username", API_STRING, m_account_deleted, name),
	F("id", API_U32, m_account_deleted, uid),
	F("workspace", API_WORD, m_account_deleted, workspace, .words = kept), END };
static const struct api_field stats[] = {
	F("version", API_STRING, m_stats, version), F("started", API_TIME, m_stats, started),
	F("users", API_U32, m_stats, users), F("usersActive", API_U32, m_stats, users_active),
	F("usersDisabled", API_U32, m_stats, users_disabled), F("usersPending", API_U32, m_stats, users_pending),
	F("sessions", API_U32, m_stats, sessions), F("sessionsLive", API_U32, m_stats, sessions_live),
	F("connections", API_U32, m_stats, connections), F("sandboxes", API_U32, m_stats, sandboxes),
	F("logins", API_U64, m_stats, logins), F("loginsFailed", API_U64, m_stats, logins_failed),
	F("loginsLimited", API_U64, m_stats, logins_limited), F("sessionsExpired", API_U64, m_stats, sessions_expired),
	F("sessionsRevoked", API_U64, m_stats, sessions_revoked), F("accepted", API_U64, m_stats, accepted),
	F("refused", API_U64, m_stats, refused), F("requests", API_U64, m_stats, requests),
	F("crashes", API_U64, m_stats, crashes), F("workers", API_U32, m_stats, workers),
	F("memoryWarned", API_U32, m_stats, notes.memory_warned), F("memoryCritical", API_U32, m_stats, notes.memory_critical),
	F("memoryLeaks", API_U32, m_stats, notes.memory_leaks), F("memoryEnded", API_U32, m_stats, notes.memory_ended),
	F("storageOver", API_U32, m_stats, notes.storage_over), F("storageFull", API_U32, m_stats, notes.storage_full),
	F("servicesFailing", API_U32, m_stats, services_failing), F("servicesFailed", API_U32, m_stats, services_failed), END };
static const struct api_field token[] = {
	F("id", API_STRING, m_token, id), F("username", API_STRING, m_token, user),
	F("name", API_STRING, m_token, name), F("scopes", API_NAMES, m_token, scopes),
	F("created", API_TIME, m_token, created), F("expires", API_TIME, m_token, expires),
	F("lastUsed", API_TIME, m_token, seen), END };
static const struct api_field limited[] = {
	F("limit", API_STRING, m_limit, limit), F("who", API_STRING, m_limit, who),
	F("refused", API_U32, m_limit, refused), F("used", API_U32, m_limit, used),
	F("of", API_U32, m_limit, of), F("reset", API_I64, m_limit, reset), END };

#define EMAIL	F("email", API_STRING, m_account_edit, email, .bit = EDIT_EMAIL)
#define DISPLAY	F("displayName", API_STRING, m_account_edit, display, .bit = EDIT_DISPLAY)
#define REF(st, m) F("id", API_STRING, st, m, .flags = API_PATH | API_REQUIRED, .min = 1)
#define EDITS	EMAIL, DISPLAY, \
	F("roles", API_NAMES, m_account_edit, roles, .bit = EDIT_ROLES), \
	F("metadata", API_JSON, m_account_edit, metadata, .bit = EDIT_METADATA), \
	F("mustChangePassword", API_BOOL, m_account_edit, must_change, .bit = EDIT_MUST_CHANGE), \
	F("allowLookalike", API_BOOL, m_account_edit, lookalike)

static const struct api_field register_in[] = {
	F("username", API_STRING, m_account_edit, name, .flags = API_REQUIRED, .min = 1),
	F("password", API_SECRET, m_account_edit, password, .flags = API_REQUIRED, .bit = EDIT_PASSWORD), EMAIL, DISPLAY, END };
static const struct api_field add_in[] = {
	F("username", API_STRING, m_account_edit, name, .flags = API_REQUIRED, .min = 1),
	F("password", API_SECRET, m_account_edit, password, .bit = EDIT_PASSWORD), EDITS,
	F("active", API_BOOL, m_account_edit, active, .bit = EDIT_ACTIVE), END };
static const struct api_field put_in[] = { REF(m_account_edit, user), EDITS,
	F("password", API_SECRET, m_account_edit, password, .bit = EDIT_PASSWORD),
	F("version", API_U32, m_account_edit, version, .min = 1, .max = UINT32_MAX), END };
static const struct api_field me_in[] = { EMAIL, DISPLAY,
	F("version", API_U32, m_account_edit, version, .min = 1, .max = UINT32_MAX), END };
static const struct api_field password_in[] = {
	F("currentPassword", API_SECRET, m_password, old, .flags = API_REQUIRED),
	F("newPassword", API_SECRET, m_password, fresh, .flags = API_REQUIRED), END };
static const struct api_field reset_in[] = {
	F("token", API_HEX, m_reset_use, token, .flags = API_REQUIRED),
	F("password", API_SECRET, m_reset_use, password, .flags = API_REQUIRED), END };
static const struct api_field ref_in[] = { REF(m_account_ref, user), END };
static const struct api_field activity_in[] = {
	F("idle", API_U32, m_activity, idle, .flags = API_REQUIRED, .max = UINT32_MAX), END };
static const struct api_field of_in[] = {
	F("user", API_STRING, m_account_ref, user, .flags = API_QUERY | API_REQUIRED, .min = 1), END };
static const struct api_field session_in[] = { REF(m_session_ref, session), END };
static const struct api_field limits_in[] = { REF(m_account_limits, user), LIMITS(m_account_limits),
	F("version", API_U32, m_account_limits, version, .min = 1, .max = UINT32_MAX), END };
static const struct api_field delete_in[] = { REF(m_account_delete, user),
	F("workspace", API_WORD, m_account_delete, workspace, .flags = API_QUERY | API_REQUIRED, .words = workspaces),
	F("version", API_U32, m_account_delete, version, .flags = API_QUERY, .min = 1, .max = UINT32_MAX), END };
static const struct api_field page_in[] = { API_PAGE_IN, END };
static const struct api_field users_in[] = { API_PAGE_IN,
	F("q", API_STRING, m_list, find, .flags = API_QUERY),
	F("role", API_STRING, m_list, role, .flags = API_QUERY),
	F("state", API_WORD, m_list, state, .flags = API_QUERY, .words = states), END };
static const struct api_field sessions_in[] = { API_PAGE_IN,
	F("user", API_STRING, m_list, user, .flags = API_QUERY), END };

#define GET	R_GET
#define POST	R_POST
#define PUT	M_BIT(METHOD_PUT)
#define PATCH	M_BIT(METHOD_PATCH)
#define DELETE	M_BIT(METHOD_DELETE)
#define EDIT	.set = offsetof(struct m_account_edit, set), .once = offsetof(struct m_account_edit, once)
#define C(m, p, w, t, st, i_, r_, o_, ...) { .method = m, .path = p, .what = w, .type = M_##t, .size = sizeof(struct st), \
	.in = i_, .row = M_##r_, .out = o_, ##__VA_ARGS__ }

const struct api_call api_account[] = {
C(POST,	"auth/register",	"ask for an account", REGISTER, m_account_edit, register_in, ROW_ACCOUNT, account, .flags = API_PUBLIC | API_MADE | API_ONCE, EDIT),
C(POST,	"auth/reset",		"set a password by a one-time link", RESET_USE, m_reset_use, reset_in, NONE, NULL, .flags = API_PUBLIC),
C(GET,	"users/me",		"the own account", ME, m_account_ref, NULL, ROW_ACCOUNT, account),
C(PATCH, "users/me",		"change the own account", ME_PUT, m_account_edit, me_in, ROW_ACCOUNT, account, EDIT),
C(POST | PUT, "users/me/password", "change the own password, which ends all other sessions", ME_PASSWORD, m_password, password_in, NONE, NULL),
C(GET,	"users/me/sessions",	"list the own sessions", ME_SESSIONS, m_list, page_in, ROW_SESSION, session, .flags = API_LIST),
C(DELETE, "users/me/sessions",	"end all other sessions of one's own", ME_SESSIONS_END, m_account_ref, NULL, NONE, NULL),
C(DELETE, "users/me/sessions/:id", "end one of the own sessions", ME_SESSION_END, m_session_ref, session_in, NONE, NULL, .flags = API_LEAVES),
C(GET,	"users/me/usage",	"what the own sandbox uses", ME_USAGE, m_account_ref, NULL, ROW_SANDBOX, sandbox),
C(POST,	"users/me/activity",	"tell when something was last done in a page", ME_ACTIVITY, m_activity, activity_in, NONE, NULL),
C(GET,	"users",		"list accounts", USERS, m_list, users_in, ROW_ACCOUNT, account, .flags = API_LIST),
C(POST,	"users",		"make an account", USER_ADD, m_account_edit, add_in, ROW_ACCOUNT, account, .flags = API_MADE | API_ONCE, EDIT),
C(GET,	"users/:id",		"an account", USER_GET, m_account_ref, ref_in, ROW_ACCOUNT, account),
C(PATCH | PUT, "users/:id",	"change an account", USER_PUT, m_account_edit, put_in, ROW_ACCOUNT, account, EDIT),
C(DELETE, "users/:id",		"delete an account", USER_DELETE, m_account_delete, delete_in, ROW_DELETED, deleted),
C(POST,	"admin/users/:id/approve", "approve who registered", USER_APPROVE, m_account_ref, ref_in, ROW_ACCOUNT, account),
C(POST,	"admin/users/:id/disable", "disable an account", USER_DISABLE, m_account_ref, ref_in, ROW_ACCOUNT, account),
C(POST,	"admin/users/:id/enable", "enable an account", USER_ENABLE, m_account_ref, ref_in, ROW_ACCOUNT, account),
C(POST,	"admin/users/:id/reset-password", "make a one-time link that sets a password", USER_RESET, m_account_ref, ref_in, ROW_RESET, reset),
C(POST | PUT | PATCH, "admin/users/:id/limits", "limits of one account", USER_LIMITS, m_account_limits, limits_in, ROW_ACCOUNT, account,
	.set = offsetof(struct m_account_limits, set)),
C(GET,	"admin/roles",		"list roles", ROLES, m_list, page_in, ROW_ROLE, role, .flags = API_LIST),
C(GET,	"admin/sessions",	"list sessions", SESSIONS, m_list, sessions_in, ROW_SESSION, session, .flags = API_LIST),
C(DELETE, "admin/sessions",	"end all sessions of a user", SESSIONS_KILL, m_account_ref, of_in, NONE, NULL),
C(DELETE, "admin/sessions/:id",	"end a session", SESSION_KILL, m_session_ref, session_in, NONE, NULL, .flags = API_LEAVES),
C(GET,	"admin/sandboxes",	"list sandboxes", SANDBOXES, m_list, page_in, ROW_SANDBOX, sandbox, .flags = API_LIST),
C(POST,	"admin/sandboxes/:id/stop", "stop a sandbox", SANDBOX_KILL, m_account_ref, ref_in, NONE, NULL),
C(GET,	"admin/tokens",		"list API tokens", USER_TOKENS, m_list, sessions_in, ROW_TOKEN, token, .flags = API_LIST),
C(DELETE, "admin/tokens/:id",	"revoke an API token", USER_TOKEN_END, m_session_ref, session_in, NONE, NULL),
C(GET,	"admin/ratelimits",	"list who was refused by a rate limit, or comes near one", RATELIMITS, m_list, page_in, ROW_LIMIT, limited, .flags = API_LIST),
C(GET,	"admin/stats",		"figures", STATS, m_account_ref, NULL, ROW_STATS, stats),
{ .method = 0 },
};
/* clang-format on */
