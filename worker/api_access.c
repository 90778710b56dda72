/*
 * What one comes in by, and what is seen of it: logins, tokens, sessions of the portal,
 * settings, the audit trail.  Rows of the API: see api.h.
 */
#include "../privsep/audit_text.h"
#include "api.h"
#include "routes.h"

/* clang-format off */
const struct api_field api_login_in[] = {
	API_F("username", API_STRING, api_login, username),
	API_F("password", API_SECRET, api_login, password),
	API_F("to", API_STRING, api_login, to), API_END };
const struct api_field api_logged_in[] = {
	API_F("username", API_STRING, api_login, username),
	API_F("role", API_STRING, api_login, role),
	API_F("expires", API_I64, api_login, expires),
	API_F("to", API_STRING, api_login, to),
	API_F("token", API_HEX, api_login, token), API_END };
const struct api_field api_refresh_in[] = {
	API_F("refreshToken", API_SECRET, api_pair, refresh, .flags = API_REQUIRED, .min = 1), API_END };
const struct api_field api_pair_out[] = {
	API_F("username", API_STRING, api_pair, username),
	API_F("tokenType", API_STRING, api_pair, type),
	API_F("accessToken", API_STRING, api_pair, access),
	API_F("expiresIn", API_U64, api_pair, access_seconds),
	API_F("refreshToken", API_STRING, api_pair, refresh),
	API_F("refreshExpiresIn", API_U64, api_pair, refresh_seconds),
	API_F("session", API_STRING, api_pair, session), API_END };
static const struct api_field who[] = {
	API_F("username", API_STRING, wire_who, name),
	API_F("role", API_STRING, wire_who, role),
	API_F("session", API_STRING, wire_who, session),
	API_F("expires", API_TIME, wire_who, expires),
	API_F("mustChangePassword", API_BOOL, wire_who, must_change), API_END };

/* The portal's. */
static const char *const states[] = { "stopped", "starting", "running", "stopping", "frozen", NULL };
const struct api_field api_portal_session[] = {
	API_F("id", API_STRING, m_session, session),
	API_F("agent", API_STRING, m_session, agent),
	API_F("address", API_ADDRESS, m_session, source),
	API_F("created", API_TIME, m_session, created),
	API_F("seen", API_TIME, m_session, seen),
	API_F("expires", API_TIME, m_session, expires),
	API_F("connections", API_U32, m_session, connections),
	API_F("current", API_BOOL, m_session, current), API_END };
const struct api_field api_portal_process[] = {
	API_F("name", API_STRING, m_process, name),
	{ .name = "kind", .type = API_STRING, .size = 64 },
	API_F("pid", API_U32, m_process, pid),
	API_F("memory", API_U64, m_process, memory),
	API_F("grown", API_I64, m_process, grown), API_END };
const struct api_field api_portal_note[] = {
	API_F("at", API_TIME, m_memory, at),
	{ .name = "event", .type = API_STRING, .size = 64 },
	{ .name = "text", .type = API_STRING, .size = 512 }, API_END };
static const struct api_field environment[] = {
	API_F("state", API_WORD, m_sandbox, state, .words = states),
	API_F("memory", API_U64, m_sandbox, memory),
	API_F("memoryMax", API_U64, m_sandbox, memory_max),
	API_F("processes", API_U32, m_sandbox, processes),
	API_F("received", API_U64, m_sandbox, received),
	API_F("sent", API_U64, m_sandbox, sent),
	API_F("storage", API_U64, m_sandbox, storage),
	API_F("storageMax", API_U64, m_sandbox, storage_max),
	API_F("files", API_U64, m_sandbox, files),
	API_F("filesMax", API_U64, m_sandbox, files_max),
	{ .name = "largest", .type = API_ROWS, .sub = api_portal_process },
	{ .name = "notes", .type = API_ROWS, .sub = api_portal_note }, API_END };
const struct api_field api_portal[] = {
	{ .name = "sessions", .type = API_ROWS, .sub = api_portal_session },
	{ .name = "environment", .type = API_OBJECT, .sub = environment }, API_END };
const struct api_field api_end_in[] = {
	API_F("session", API_STRING, m_session_id, session, .flags = API_REQUIRED, .min = 1), API_END };

/* API tokens. */
static const struct api_field page_in[] = { API_PAGE_IN, API_END };
static const struct api_field token[] = {
	API_F("id", API_STRING, m_token, id),
	API_F("name", API_STRING, m_token, name),
	API_F("scopes", API_NAMES, m_token, scopes),
	API_F("created", API_TIME, m_token, created),
	API_F("expires", API_TIME, m_token, expires),
	API_F("lastUsed", API_TIME, m_token, seen), API_END };
static const struct api_field token_made[] = {
	API_F("id", API_STRING, m_token_made, is.id),
	API_F("name", API_STRING, m_token_made, is.name),
	API_F("scopes", API_NAMES, m_token_made, is.scopes),
	API_F("created", API_TIME, m_token_made, is.created),
	API_F("expires", API_TIME, m_token_made, is.expires),
	API_F("lastUsed", API_TIME, m_token_made, is.seen),
	API_F("token", API_TOKEN, m_token_made, token), API_END };
static const struct api_field token_in[] = {
	API_F("name", API_STRING, m_token_add, name, .flags = API_REQUIRED, .min = 1),
	API_F("scopes", API_NAMES, m_token_add, scopes, .flags = API_REQUIRED),
	API_F("expiresIn", API_U64, m_token_add, lifetime, .flags = API_NULL, .min = 1, .max = 10ULL * 365 * 86400), API_END };
static const struct api_field token_ref[] = {
	API_F("id", API_STRING, m_session_ref, session, .flags = API_PATH | API_REQUIRED, .min = 1), API_END };

/* Shared ports. */
static const char *const share_with[] = { "", "users", "public", NULL };
static const struct api_field share[] = {
	API_F("port", API_U32, m_share, port),
	API_F("with", API_WORD, m_share, with, .words = share_with),
	API_F("address", API_STRING, m_share, address),
	API_F("visitors", API_U32, m_share, visitors),
	API_F("created", API_TIME, m_share, created),
	API_F("expires", API_TIME, m_share, expires), API_END };
static const struct api_field share_in[] = {
	API_F("port", API_U32, m_share_add, port, .flags = API_PATH | API_REQUIRED, .min = 1, .max = 65535),
	API_F("with", API_WORD, m_share_add, with, .flags = API_REQUIRED, .words = share_with),
	API_F("expiresIn", API_U64, m_share_add, lifetime, .flags = API_NULL, .min = 1, .max = 365ULL * 86400), API_END };
static const struct api_field share_ref[] = {
	API_F("port", API_U32, m_share_ref, port, .flags = API_PATH | API_REQUIRED, .min = 1, .max = 65535), API_END };

/* The audit trail: its records are as audit_record.h writes them. */
struct audit_in {
	struct m_audit_query q;
	uint32_t csv;
};
static const char *const orders[] = { "newest", "oldest", NULL };
static const char *const forms[] = { "json", "csv", NULL };
static const struct api_field audit_in[] = {
	API_F("cursor", API_STRING, m_audit_query, cursor, .flags = API_QUERY),
	API_F("limit", API_U32, m_audit_query, limit, .flags = API_QUERY, .min = 1, .max = 500),
	API_F("user", API_STRING, m_audit_query, user, .flags = API_QUERY),
	API_F("event", API_STRING, m_audit_query, event, .flags = API_QUERY),
	API_F("address", API_STRING, m_audit_query, source, .flags = API_QUERY),
	API_F("outcome", API_STRING, m_audit_query, outcome, .flags = API_QUERY),
	API_F("q", API_STRING, m_audit_query, text, .flags = API_QUERY),
	API_F("from", API_WHEN, m_audit_query, from, .flags = API_QUERY),
	API_F("to", API_WHEN, m_audit_query, to, .flags = API_QUERY),
	API_F("order", API_WORD, m_audit_query, oldest_first, .flags = API_QUERY, .words = orders),
	API_F("format", API_WORD, audit_in, csv, .flags = API_QUERY, .words = forms), API_END };
static const struct api_field audit_out[] = {
	{ .name = "v", .type = API_U32 },
	API_F("seq", API_U64, m_audit, seq),
	{ .name = "time", .type = API_TIME },
	API_F("event", API_STRING, m_audit, event),
	API_F("outcome", API_STRING, m_audit, outcome, .flags = API_MAYBE),
	API_F("actor", API_STRING, m_audit, actor, .flags = API_MAYBE),
	API_F("user", API_STRING, m_audit, user, .flags = API_MAYBE),
	API_F("source", API_STRING, m_audit, source, .flags = API_MAYBE),
	API_F("agent", API_STRING, m_audit, agent, .flags = API_MAYBE),
	API_F("session", API_STRING, m_audit, session, .flags = API_MAYBE),
	API_F("rid", API_STRING, m_audit, rid, .flags = API_MAYBE),
	API_F("detail", API_JSON, m_audit, detail, .flags = API_MAYBE),
	API_F("prev", API_HEX, m_audit, prev),
	API_F("hash", API_HEX, m_audit, hash), API_END };
static const struct api_field audit_page[] = {
	API_F("next", API_STRING, m_audit_page, cursor, .flags = API_NULL),
	API_F("end", API_BOOL, m_audit_page, end), API_END };
static const struct api_text audit_csv_text = { .type = "text/csv; charset=utf-8", .file = "audit.csv",
	.head = AUDIT_CSV_HEAD, .max = AUDIT_CSV_MAX, .row = api_audit_text, .wanted = offsetof(struct audit_in, csv) };

#define GET	R_GET
#define POST	R_POST
#define PUT	M_BIT(METHOD_PUT)
#define PATCH	M_BIT(METHOD_PATCH)
#define DELETE	M_BIT(METHOD_DELETE)
#define C(m, p, w, t, st, i_, r_, o_, ...) { .method = m, .path = p, .what = w, .type = M_##t, \
	.size = sizeof(struct st), .in = i_, .row = M_##r_, .out = o_, ##__VA_ARGS__ }
/* With code of its own. */
#define D(m, p, w, f, i_, o_, ...) { .method = m, .path = p, .what = w, .fn = f, .in = i_, .out = o_, ##__VA_ARGS__ }

const struct api_call api_access[] = {
D(POST,	"auth/login",		"log in, for an access and a refresh token", login_tokens, api_login_in, api_pair_out, .flags = API_PUBLIC | API_FORM),
D(POST,	"auth/refresh",		"new tokens for a refresh token, which is good once", api_refresh, api_refresh_in, api_pair_out, .flags = API_PUBLIC),
D(POST,	"auth/logout",		"end the session or the family of tokens", api_logout, NULL, NULL, .flags = API_PUBLIC | API_FORM),
D(GET,	"auth/me",		"who it is", NULL, NULL, who),
D(POST,	"login",		"log in, for a session", login_api, api_login_in, api_logged_in, .flags = API_PUBLIC | API_FORM),
D(POST,	"logout",		"end the session", api_logout, NULL, NULL, .flags = API_PUBLIC | API_FORM),
D(GET,	"me",			"who it is", NULL, NULL, who),
D(GET,	"sessions",		"what the start page shows", api_sessions, NULL, api_portal, .type = M_PORTAL),
D(POST,	"sessions/end",		"end one of the own sessions", api_session_end, api_end_in, NULL, .type = M_SESSION_END, .flags = API_FORM),
D(GET,	"users/me/settings",	"the own settings", api_settings, NULL, NULL, .type = M_SETTINGS_GET, .flags = API_FREE),
D(PUT | PATCH, "users/me/settings", "change members of the own settings", api_settings_change, NULL, NULL, .type = M_SETTINGS_PUT, .flags = API_FREE),
D(GET,	"openapi.json",		"this description", api_openapi, NULL, NULL, .flags = API_PUBLIC | API_FREE | API_BARE),
C(GET,	"users/me/tokens",	"list the own API tokens", TOKEN_LIST, m_list, page_in, ROW_TOKEN, token, .flags = API_LIST),
C(POST,	"users/me/tokens",	"make an API token, shown this once", TOKEN_ADD, m_token_add, token_in, ROW_TOKEN_MADE, token_made,
	.flags = API_MADE | API_ONCE, .once = offsetof(struct m_token_add, once)),
C(DELETE, "users/me/tokens/:id", "revoke an own API token", TOKEN_END, m_session_ref, token_ref, NONE, NULL, .flags = API_LEAVES),
C(GET,	"users/me/ports",	"list the own ports that are shared", SHARE_LIST, m_list, page_in, ROW_SHARE, share, .flags = API_LIST),
C(PUT,	"users/me/ports/:port",	"share a port of the own sandbox, as long as that runs", SHARE_ADD, m_share_add, share_in, ROW_SHARE, share),
C(DELETE, "users/me/ports/:port", "share it no more", SHARE_END, m_share_ref, share_ref, NONE, NULL),
C(GET,	"admin/audit",		"query the audit trail", AUDIT_QUERY, m_audit_query, audit_in, ROW_AUDIT, audit_out, .flags = API_LIST,
	.show = api_audit_row, .page = M_ROW_AUDIT_PAGE, .page_out = audit_page, .text = &audit_csv_text),
{ .method = 0 },
};
/* clang-format on */
