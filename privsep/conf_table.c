/*
 * The keywords of ided.conf(5): one row each.  A new keyword is a new row, its
 * default in conf_default.c and its paragraph in ided.conf(5).
 *
 * The last column says why a keyword has no effect yet.  The work that gives it
 * one removes the text.
 */
#include <stddef.h>
#include <string.h>
#include <syslog.h>

#include "conf_parse.h"
#include "wire.h"

#define KB 1024ULL
#define MB (1024 * KB)
#define GB (1024 * MB)
#define TB (1024 * GB)

#define MINUTE 60ULL
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)
#define YEAR   (365 * DAY)

#define C(f)    offsetof(struct conf, f), sizeof(((struct conf *)0)->f)
#define L(f)    offsetof(struct conf_listen, f), sizeof(((struct conf_listen *)0)->f)
#define P(f)    offsetof(struct conf_location, f), sizeof(((struct conf_location *)0)->f)
#define W(f)    offsetof(struct conf_limits, f), sizeof(((struct conf_limits *)0)->f)
#define NOWHERE 0, 0

/* Of all users, and of some. */
#define MEMORY    CONF_MEMORY_MIN, CONF_MEMORY_MAX
#define CPU       CONF_CPU_MIN, CONF_CPU_MAX
#define PROCESSES CONF_PROCESSES_MIN, CONF_PROCESSES_MAX
#define STORAGE   CONF_STORAGE_MIN, CONF_STORAGE_MAX
#define FILES     CONF_HOME_FILES_MIN, CONF_HOME_FILES_MAX

static const struct conf_word log_to[] = {
	{ "stderr", LOG_TO_STDERR, NULL },
	{ "syslog", LOG_TO_SYSLOG, NULL },
	{ "file", LOG_TO_FILE, NULL },
	{ NULL, 0, NULL },
};

static const struct conf_word log_level[] = {
	{ "error", LOG_ERR, NULL },
	{ "warning", LOG_WARNING, NULL },
	{ "notice", LOG_NOTICE, NULL },
	{ "info", LOG_INFO, NULL },
	{ "debug", LOG_DEBUG, NULL },
	{ NULL, 0, NULL },
};

static const struct conf_word log_format[] = {
	{ "text", LOG_FORMAT_TEXT, NULL },
	{ "json", LOG_FORMAT_JSON, NULL },
	{ NULL, 0, NULL },
};

static const struct conf_word auth_mode[] = {
	{ "multi", AUTH_MULTI, NULL },
	{ "single", AUTH_SINGLE, NULL },
	{ "none", AUTH_NONE, NULL },
	{ NULL, 0, NULL },
};

static const struct conf_word token_algorithm[] = {
	{ "eddsa", JWT_EDDSA, NULL },
	{ "rs256", JWT_RS256, NULL },
	{ NULL, 0, NULL },
};

static const struct conf_word registration[] = {
	{ "closed", REGISTRATION_CLOSED, NULL },
	{ "approval", REGISTRATION_APPROVAL, NULL },
	{ "open", REGISTRATION_OPEN, NULL },
	{ NULL, 0, NULL },
};

static const struct conf_word isolation_kind[] = {
	{ "namespace", ISOLATION_NAMESPACE, NULL },
	{ "directory", ISOLATION_DIRECTORY, NULL },
	{ "container", ISOLATION_CONTAINER,
	    "isolation container is not in effect yet: "
	    "it works as namespace" },
	{ NULL, 0, NULL },
};

static const struct conf_word require[] = {
	{ "seccomp", REQUIRE_SECCOMP, NULL },
	{ "cgroup", REQUIRE_CGROUP, NULL },
	{ "landlock", REQUIRE_LANDLOCK, NULL },
	{ "storage", REQUIRE_STORAGE, NULL },
	{ "network", REQUIRE_NETWORK, NULL },
	{ NULL, 0, NULL },
};

static const struct conf_word storage_by[] = {
	{ "quota", STORAGE_QUOTA, NULL },
	{ "volume", STORAGE_VOLUME, NULL },
	{ "accounting", STORAGE_ACCOUNTING, NULL },
	{ NULL, 0, NULL },
};

static const struct conf_word proxy_paths[] = {
	{ "restricted", PATHS_RESTRICTED, NULL },
	{ "open", PATHS_OPEN, NULL },
	{ "off", PATHS_OFF, NULL },
	{ NULL, 0, NULL },
};

static const struct conf_word galleries[] = {
	{ "open-vsx", GALLERY_OPEN_VSX, NULL },
	{ "code-marketplace", GALLERY_CODE_MARKETPLACE, NULL },
	{ NULL, 0, NULL },
};

static const struct conf_word extension[] = {
	{ "allow", 1, NULL },
	{ "deny", 0, NULL },
	{ NULL, 0, NULL },
};

static const struct conf_word proxy_share[] = {
	{ "off", SHARE_OFF, NULL },
	{ "users", SHARE_USERS, NULL },
	{ "public", SHARE_PUBLIC, NULL },
	{ NULL, 0, NULL },
};

static const struct conf_word whose[] = {
	{ "role", LIMITS_ROLE, NULL },
	{ "user", LIMITS_USER, NULL },
	{ NULL, 0, NULL },
};

static const struct conf_word network[] = {
	{ "private", NETWORK_PRIVATE, NULL },
	{ "none", NETWORK_NONE, NULL },
	{ "host", NETWORK_HOST, NULL },
	{ NULL, 0, NULL },
};

static const struct conf_word user_namespaces[] = {
	{ "deny", 0, NULL },
	{ "allow", 1, NULL },
	{ NULL, 0, NULL },
};

static const struct conf_word egress[] = {
	{ "allow", 1, NULL },
	{ "deny", 0, NULL },
	{ NULL, 0, NULL },
};

static const struct conf_word headers[] = {
	{ "strict", HEADERS_STRICT, NULL },
	{ "balanced", HEADERS_BALANCED, NULL },
	{ "development", HEADERS_DEVELOPMENT, NULL },
	{ NULL, 0, NULL },
};

static const struct conf_word facility[] = {
	{ "auth", LOG_AUTH >> 3, NULL },
	{ "authpriv", LOG_AUTHPRIV >> 3, NULL },
	{ "daemon", LOG_DAEMON >> 3, NULL },
	{ "local0", LOG_LOCAL0 >> 3, NULL },
	{ "local1", LOG_LOCAL1 >> 3, NULL },
	{ "local2", LOG_LOCAL2 >> 3, NULL },
	{ "local3", LOG_LOCAL3 >> 3, NULL },
	{ "local4", LOG_LOCAL4 >> 3, NULL },
	{ "local5", LOG_LOCAL5 >> 3, NULL },
	{ "local6", LOG_LOCAL6 >> 3, NULL },
	{ "local7", LOG_LOCAL7 >> 3, NULL },
	{ NULL, 0, NULL },
};

static const struct conf_word rotate[] = {
	{ "daily", 1, NULL },
	{ "never", 0, NULL },
	{ NULL, 0, NULL },
};

/* A row a line. */
/* clang-format off */
const struct conf_row conf_rows[] = {
/* block, name, kind, options, flags, where, min, max, words, environment, why not */

{ B_TOP, "data", K_PATH, 0, 0, C(common.data), 0, 0, NULL, "IDED_DATA", NULL },
/* The names of sockets are short: leave room for what comes below it. */
{ B_TOP, "runtime", K_PATH, 0, 0, C(common.runtime), 0, 80, NULL, "IDED_RUNTIME", NULL },
{ B_TOP, "log", K_NONE, B_LOG, 0, NOWHERE, 0, 0, NULL, "IDED_LOG", NULL },
{ B_LOG, "to", K_LOGTO, 0, 0, C(common.log_to), 0, 0, log_to, NULL, NULL },
{ B_LOG, "level", K_WORD, 0, 0, C(common.log_level), 0, 0, log_level, NULL, NULL },
{ B_LOG, "format", K_WORD, 0, 0, C(common.log_format), 0, 0, log_format, NULL, NULL },
{ B_TOP, "base-path", K_BASE, 0, 0, C(http.base), 0, 0, NULL, "IDED_BASE_PATH", NULL },
{ B_TOP, "app-name", K_TEXT, 0, 0, C(http.app_name), 0, 0, NULL, "IDED_APP_NAME", NULL },
{ B_TOP, "security-contact", K_TEXT, 0, 0, C(http.contact), 0, 0, NULL, "IDED_SECURITY_CONTACT", NULL },

{ B_TOP, "listen", K_LISTEN, B_LISTEN, KW_MULTI, NOWHERE, 0, 0, NULL, "IDED_LISTEN", NULL },
{ B_LISTEN, "tls", K_FLAG, 0, 0, L(kind), LISTEN_TLS, 0, NULL, NULL, NULL },
{ B_LISTEN, "redirect", K_FLAG, 0, 0, L(kind), LISTEN_REDIRECT, 0, NULL, NULL, NULL },
{ B_LISTEN, "proxy-protocol", K_FLAG, 0, 0, L(proxy_protocol), 1, 0, NULL, NULL, NULL },
{ B_LISTEN, "from", K_FROM, 0, KW_MULTI, NOWHERE, 0, 0, NULL, NULL, NULL },

{ B_TOP, "tls", K_BLOCK, B_TLS, 0, NOWHERE, 0, 0, NULL, NULL, NULL },
{ B_TLS, "certificate", K_PATH, 0, 0, C(tls.certificate), 0, 0, NULL, "IDED_TLS_CERTIFICATE", NULL },
{ B_TLS, "key", K_PATH, 0, 0, C(tls.key), 0, 0, NULL, "IDED_TLS_KEY", NULL },
{ B_TLS, "protocols", K_PROTOCOLS, 0, 0, NOWHERE, 0, 0, NULL, "IDED_TLS_PROTOCOLS", NULL },

{ B_TOP, "prefork", K_BLOCK, B_PREFORK, 0, NOWHERE, 0, 0, NULL, NULL, NULL },
{ B_PREFORK, "spare", K_NUMBER, 0, 0, C(prefork.spare), 1, 1024, NULL, "IDED_PREFORK_SPARE", NULL },
{ B_PREFORK, "max", K_NUMBER, 0, 0, C(prefork.max), 1, 32768, NULL, "IDED_PREFORK_MAX", NULL },
{ B_PREFORK, "per-source", K_NUMBER, 0, 0, C(prefork.per_source), 1, 32768, NULL, "IDED_PREFORK_PER_SOURCE", NULL },
{ B_PREFORK, "startups", K_STARTUPS, 0, 0, NOWHERE, 1, 32768, NULL, "IDED_PREFORK_STARTUPS", NULL },
{ B_PREFORK, "handshake-timeout", K_DURATION, 0, 0, C(prefork.handshake_timeout), 1, HOUR, NULL, "IDED_PREFORK_HANDSHAKE_TIMEOUT", NULL },
{ B_PREFORK, "header-timeout", K_DURATION, 0, 0, C(prefork.header_timeout), 1, HOUR, NULL, "IDED_PREFORK_HEADER_TIMEOUT", NULL },
{ B_PREFORK, "idle-timeout", K_DURATION, 0, 0, C(prefork.idle_timeout), 1, DAY, NULL, "IDED_PREFORK_IDLE_TIMEOUT", NULL },
{ B_PREFORK, "body", K_SIZE, 0, 0, C(prefork.body), 1 * KB, 1 * GB, NULL, "IDED_PREFORK_BODY", NULL },

{ B_TOP, "auth", K_BLOCK, B_AUTH, 0, NOWHERE, 0, 0, NULL, NULL, NULL },
{ B_AUTH, "mode", K_WORD, 0, 0, C(auth.mode), 0, 0, auth_mode, "IDED_AUTH_MODE", NULL },
{ B_AUTH, "account", K_TEXT, 0, 0, C(auth.account), 0, 0, NULL, "IDED_AUTH_ACCOUNT", NULL },
{ B_AUTH, "password-hash", K_TEXT, 0, KW_SECRET, C(auth.password_hash), 0, 0, NULL, "IDED_AUTH_PASSWORD_HASH", NULL },
{ B_AUTH, "registration", K_WORD, 0, 0, C(auth.registration), 0, 0, registration, "IDED_AUTH_REGISTRATION", NULL },
{ B_AUTH, "password", K_NONE, B_PASSWORD, 0, NOWHERE, 0, 0, NULL, "IDED_AUTH_PASSWORD", NULL },
{ B_PASSWORD, "min", K_NUMBER, 0, 0, C(auth.password_min), 8, 1024, NULL, NULL, NULL },
{ B_PASSWORD, "classes", K_NUMBER, 0, 0, C(auth.password_classes), 1, 4, NULL, NULL, NULL },
{ B_AUTH, "argon2", K_NONE, B_ARGON2, 0, NOWHERE, 0, 0, NULL, "IDED_AUTH_ARGON2", NULL },
{ B_ARGON2, "memory", K_SIZE, 0, 0, C(auth.argon2_memory), 19 * MB, 4 * GB, NULL, NULL, NULL },
{ B_ARGON2, "passes", K_NUMBER, 0, 0, C(auth.argon2_passes), 1, 64, NULL, NULL, NULL },
{ B_ARGON2, "lanes", K_NUMBER, 0, 0, C(auth.argon2_lanes), 1, 16, NULL, NULL, NULL },
{ B_ARGON2, "helpers", K_NUMBER, 0, 0, C(auth.argon2_helpers), 1, 4, NULL, NULL, NULL },
{ B_AUTH, "session", K_NONE, B_SESSION, 0, NOWHERE, 0, 0, NULL, "IDED_AUTH_SESSION", NULL },
{ B_SESSION, "lifetime", K_DURATION, 0, 0, C(auth.session_lifetime), 1, YEAR, NULL, NULL, NULL },
{ B_SESSION, "idle", K_DURATION, 0, 0, C(auth.session_idle), 1, YEAR, NULL, NULL, NULL },
{ B_SESSION, "max", K_NUMBER, 0, 0, C(auth.session_max), 1, CONF_SESSIONS_MAX, NULL, NULL, NULL },
{ B_AUTH, "token", K_NONE, B_TOKEN, 0, NOWHERE, 0, 0, NULL, "IDED_AUTH_TOKEN", NULL },
{ B_TOKEN, "access", K_DURATION, 0, 0, C(auth.token_access), 1, 30 * DAY, NULL, NULL, NULL },
{ B_TOKEN, "refresh", K_DURATION, 0, 0, C(auth.token_refresh), 1, YEAR, NULL, NULL, NULL },
{ B_TOKEN, "rotate", K_DURATION, 0, 0, C(auth.token_rotate), HOUR, YEAR, NULL, NULL, NULL },
{ B_TOKEN, "algorithm", K_WORD, 0, 0, C(auth.token_algorithm), 0, 0, token_algorithm, NULL, NULL },
{ B_TOKEN, "issuer", K_TEXT, 0, 0, C(auth.token_issuer), 0, 0, NULL, NULL, NULL },

{ B_TOP, "role", K_ROLE, 0, KW_MULTI, NOWHERE, 0, 0, NULL, NULL, NULL },

{ B_TOP, "ratelimit", K_BLOCK, B_RATELIMIT, 0, NOWHERE, 0, 0, NULL, NULL, NULL },
{ B_RATELIMIT, "login", K_RATE, 0, 0, C(ratelimit.login), 1, 1000000, NULL, "IDED_RATELIMIT_LOGIN", NULL },
{ B_RATELIMIT, "api", K_RATE, 0, 0, C(ratelimit.api), 1, 1000000, NULL, "IDED_RATELIMIT_API", NULL },
{ B_RATELIMIT, "web", K_RATE, 0, 0, C(ratelimit.web), 1, 1000000, NULL, "IDED_RATELIMIT_WEB", NULL },
{ B_RATELIMIT, "user", K_RATE, 0, 0, C(ratelimit.user), 1, 1000000, NULL, "IDED_RATELIMIT_USER", NULL },

{ B_TOP, "isolation", K_BLOCK, B_ISOLATION, 0, NOWHERE, 0, 0, NULL, NULL, NULL },
{ B_ISOLATION, "", K_WORD, 0, 0, C(isolation.kind), 0, 0, isolation_kind, "IDED_ISOLATION", NULL },
{ B_ISOLATION, "require", K_SET, 0, 0, C(isolation.require), 0, 0, require, "IDED_ISOLATION_REQUIRE", NULL },
{ B_ISOLATION, "uids", K_UIDS, 0, 0, NOWHERE, 0, 0, NULL, "IDED_ISOLATION_UIDS", NULL },
{ B_ISOLATION, "network", K_WORD, 0, 0, C(isolation.network), 0, 0, network, "IDED_ISOLATION_NETWORK", NULL },
{ B_ISOLATION, "user-namespaces", K_WORD, 0, 0, C(isolation.user_namespaces), 0, 0, user_namespaces, "IDED_ISOLATION_USER_NAMESPACES", NULL },
{ B_ISOLATION, "bind", K_BIND, 0, KW_MULTI, NOWHERE, 0, 0, NULL, "IDED_ISOLATION_BIND", NULL },
{ B_ISOLATION, "network-pool", K_NETPOOL, 0, 0, NOWHERE, 0, 0, NULL, "IDED_ISOLATION_NETWORK_POOL", NULL },
{ B_ISOLATION, "resolver", K_RESOLVER, 0, 0, NOWHERE, 0, 0, NULL, "IDED_ISOLATION_RESOLVER", NULL },
{ B_ISOLATION, "connections", K_NUMBER, 0, 0, C(net.connections), 16, 1000000, NULL, "IDED_ISOLATION_CONNECTIONS", NULL },
{ B_ISOLATION, "table", K_TABLE, 0, KW_MULTI, NOWHERE, 0, 0, NULL, NULL, NULL },
{ B_ISOLATION, "egress", K_EGRESS, 0, KW_MULTI, NOWHERE, 0, 0, egress, NULL, NULL },
{ B_ISOLATION, "spare", K_NUMBER, 0, 0, C(isolation.spare), 0, CONF_SPARE_MAX, NULL, "IDED_ISOLATION_SPARE", NULL },
{ B_ISOLATION, "memory", K_SIZE, 0, 0, C(isolation.memory), MEMORY, NULL, "IDED_ISOLATION_MEMORY", NULL },
{ B_ISOLATION, "swap", K_SIZE, 0, 0, C(isolation.swap), 0, 64 * TB, NULL, "IDED_ISOLATION_SWAP", NULL },
{ B_ISOLATION, "cpu", K_PERCENT, 0, 0, C(isolation.cpu), CPU, NULL, "IDED_ISOLATION_CPU", NULL },
{ B_ISOLATION, "processes", K_NUMBER, 0, 0, C(isolation.processes), PROCESSES, NULL, "IDED_ISOLATION_PROCESSES", NULL },
{ B_ISOLATION, "io-weight", K_NUMBER, 0, 0, C(isolation.io_weight), 1, 1000, NULL, "IDED_ISOLATION_IO_WEIGHT", NULL },
{ B_ISOLATION, "io-read", K_SIZE, 0, 0, C(isolation.io_read), 64 * KB, 1 * TB, NULL, "IDED_ISOLATION_IO_READ", NULL },
{ B_ISOLATION, "io-write", K_SIZE, 0, 0, C(isolation.io_write), 64 * KB, 1 * TB, NULL, "IDED_ISOLATION_IO_WRITE", NULL },
{ B_ISOLATION, "storage", K_SIZE, B_STORAGE, 0, C(isolation.storage), STORAGE, NULL, "IDED_ISOLATION_STORAGE", NULL },
{ B_STORAGE, "by", K_WORD, 0, 0, C(isolation.storage_by), 0, 0, storage_by, NULL, NULL },
{ B_ISOLATION, "files", K_NUMBER, 0, 0, C(isolation.files), FILES, NULL, "IDED_ISOLATION_FILES", NULL },
{ B_ISOLATION, "skel", K_PATH, 0, 0, C(isolation.skel), 0, 0, NULL, "IDED_ISOLATION_SKEL", NULL },
{ B_ISOLATION, "idle-freeze", K_DURATION, 0, 0, C(isolation.idle_freeze), 1, YEAR, NULL, "IDED_ISOLATION_IDLE_FREEZE", NULL },
{ B_ISOLATION, "idle-stop", K_DURATION, 0, 0, C(isolation.idle_stop), 1, YEAR, NULL, "IDED_ISOLATION_IDLE_STOP", NULL },
{ B_ISOLATION, "memory-warn", K_PERCENT, B_MEMWARN, 0, C(isolation.memory_warn), 1, 99, NULL, "IDED_ISOLATION_MEMORY_WARN", NULL },
{ B_MEMWARN, "critical", K_PERCENT, 0, 0, C(isolation.memory_critical), 2, 100, NULL, NULL, NULL },
{ B_MEMWARN, "every", K_DURATION, 0, 0, C(isolation.memory_every), 1, HOUR, NULL, NULL, NULL },

{ B_TOP, "limits", K_BLOCK, B_LIMITS, KW_MULTI, NOWHERE, 0, 0, NULL, NULL, NULL },
{ B_LIMITS, "", K_WHOSE, 0, KW_NEEDED, W(whose), 0, 0, whose, NULL, NULL },
{ B_LIMITS, "memory", K_SIZE, 0, 0, W(memory), MEMORY, NULL, NULL, NULL },
{ B_LIMITS, "cpu", K_PERCENT, 0, 0, W(cpu), CPU, NULL, NULL, NULL },
{ B_LIMITS, "processes", K_NUMBER, 0, 0, W(processes), PROCESSES, NULL, NULL, NULL },
{ B_LIMITS, "storage", K_SIZE, 0, 0, W(storage), STORAGE, NULL, NULL, NULL },
{ B_LIMITS, "files", K_NUMBER, 0, 0, W(files), FILES, NULL, NULL, NULL },

{ B_TOP, "ide", K_BLOCK, B_IDE, 0, NOWHERE, 0, 0, NULL, NULL, NULL },
{ B_IDE, "", K_NAME, 0, 0, C(ide.name), 0, 0, NULL, "IDED_IDE", NULL },
{ B_IDE, "path", K_PATH, 0, 0, C(ide.path), 0, 0, NULL, "IDED_IDE_PATH", NULL },
{ B_IDE, "gallery", K_URL, B_GALLERY, 0, C(ide.gallery), 0, 0, NULL, "IDED_IDE_GALLERY", NULL },
{ B_GALLERY, "as", K_WORD, 0, 0, C(ide.gallery_as), 0, 0, galleries, NULL, NULL },
{ B_IDE, "extension", K_EXTENSION, 0, KW_MULTI, NOWHERE, 0, 0, extension, NULL, NULL },
{ B_IDE, "argument", K_ARGUMENT, 0, KW_MULTI, NOWHERE, 0, 0, NULL, "IDED_IDE_ARGUMENT", NULL },

{ B_TOP, "proxy", K_BLOCK, B_PROXY, 0, NOWHERE, 0, 0, NULL, NULL, NULL },
{ B_PROXY, "domain", K_DOMAIN, 0, 0, C(proxy.domain), 0, 0, NULL, "IDED_PROXY_DOMAIN", NULL },
{ B_PROXY, "site", K_NAME, 0, 0, C(proxy.site), 0, 0, NULL, "IDED_PROXY_SITE", NULL },
{ B_PROXY, "ports", K_PORTS, 0, 0, NOWHERE, 0, 0, NULL, "IDED_PROXY_PORTS", NULL },
{ B_PROXY, "paths", K_WORD, 0, 0, C(proxy.paths), 0, 0, proxy_paths, "IDED_PROXY_PATHS", NULL },
{ B_PROXY, "share", K_WORD, B_SHARE, 0, C(proxy.share), 0, 0, proxy_share, "IDED_PROXY_SHARE", NULL },
{ B_SHARE, "for", K_DURATION, 0, 0, C(proxy.share_for), 1, YEAR, NULL, NULL, NULL },
{ B_PROXY, "abs-base-path", K_PATH, 0, 0, C(proxy.abs_base), 0, 0, NULL, "IDED_PROXY_ABS_BASE_PATH", NULL },
{ B_PROXY, "pool", K_NUMBER, B_POOL, 0, C(proxy.pool), 1, 65536, NULL, "IDED_PROXY_POOL", NULL },
{ B_POOL, "idle", K_NUMBER, 0, 0, C(proxy.pool_idle), 1, 65536, NULL, NULL, NULL },
{ B_POOL, "keepalive", K_DURATION, 0, 0, C(proxy.keepalive), 1, HOUR, NULL, NULL, NULL },
{ B_PROXY, "timeout", K_DURATION, 0, 0, C(proxy.timeout), 1, HOUR, NULL, "IDED_PROXY_TIMEOUT", NULL },

{ B_TOP, "location", K_BLOCK, B_LOCATION, KW_MULTI, NOWHERE, 0, 0, NULL, NULL, NULL },
{ B_LOCATION, "", K_PREFIX, 0, KW_NEEDED, P(prefix), 0, 0, NULL, NULL, NULL },
{ B_LOCATION, "proxy", K_TARGET, B_TARGET, 0, P(target), 0, 0, NULL, NULL, NULL },
{ B_TARGET, "tls", K_FLAG, 0, 0, P(kind), LOCATION_PROXY_TLS, 0, NULL, NULL, NULL },
{ B_TARGET, "ca", K_PATH, 0, 0, P(ca), 0, 0, NULL, NULL, NULL },
{ B_TARGET, "name", K_NAME, 0, 0, P(name), 0, 0, NULL, NULL, NULL },
{ B_LOCATION, "root", K_PATH, 0, 0, P(target), 0, 0, NULL, NULL, NULL },
{ B_LOCATION, "require", K_NONE, B_REQUIRE, 0, NOWHERE, 0, 0, NULL, NULL, NULL },
{ B_REQUIRE, "role", K_NAME, 0, 0, P(role), 0, 0, NULL, NULL, NULL },
{ B_LOCATION, "header", K_HEADER, 0, KW_MULTI | KW_SECRET, NOWHERE, 0, 0, NULL, NULL, NULL },
{ B_LOCATION, "rewrite", K_PATH, 0, 0, P(rewrite), 0, 0, NULL, NULL, NULL },

{ B_TOP, "headers", K_WORD, B_HEADERS, 0, C(http.headers), 0, 0, headers, "IDED_HEADERS", NULL },
{ B_HEADERS, "report-only", K_FLAG, 0, 0, C(http.headers_report_only), 1, 0, NULL, NULL, NULL },
{ B_TOP, "compression", K_COMPRESSION, B_COMPRESSION, 0, NOWHERE, 0, 0, NULL, "IDED_COMPRESSION", NULL },
{ B_COMPRESSION, "brotli", K_NUMBER, 0, 0, C(http.brotli), 0, 11, NULL, NULL, NULL },
{ B_COMPRESSION, "zstd", K_NUMBER, 0, 0, C(http.zstd), 1, 12, NULL, NULL, NULL },
{ B_COMPRESSION, "gzip", K_NUMBER, 0, 0, C(http.gzip), 1, 9, NULL, NULL, NULL },
{ B_COMPRESSION, "minimum", K_SIZE, 0, 0, C(http.compress_min), 1, 16 * MB, NULL, NULL, NULL },

/* What our own pages look like. */
{ B_TOP, "brand", K_BLOCK, B_BRAND, 0, NOWHERE, 0, 0, NULL, NULL, NULL },
{ B_BRAND, "welcome", K_TEXT, 0, 0, C(brand.welcome), 0, 0, NULL, "IDED_BRAND_WELCOME", NULL },
{ B_BRAND, "text", K_TEXT, 0, 0, C(brand.text), 0, 0, NULL, "IDED_BRAND_TEXT", NULL },
{ B_BRAND, "logo", K_PATH, 0, 0, C(brand.logo), 0, 0, NULL, "IDED_BRAND_LOGO", NULL },
{ B_BRAND, "accent", K_COLOUR, B_ACCENT, 0, C(brand.accent), 0, 0, NULL, "IDED_BRAND_ACCENT", NULL },
{ B_ACCENT, "dark", K_COLOUR, 0, 0, C(brand.accent_dark), 0, 0, NULL, NULL, NULL },
{ B_BRAND, "background", K_COLOUR, B_BACKGROUND, 0, C(brand.background), 0, 0, NULL, "IDED_BRAND_BACKGROUND", NULL },
{ B_BACKGROUND, "dark", K_COLOUR, 0, 0, C(brand.background_dark), 0, 0, NULL, NULL, NULL },

{ B_TOP, "audit", K_BLOCK, B_AUDIT, 0, NOWHERE, 0, 0, NULL, NULL, NULL },
{ B_AUDIT, "file", K_PATH, B_FILE, 0, C(audit.file), 0, 0, NULL, "IDED_AUDIT_FILE", NULL },
{ B_FILE, "rotate", K_WORD, 0, 0, C(audit.rotate_daily), 0, 0, rotate, NULL, NULL },
{ B_FILE, "keep", K_NUMBER, 0, 0, C(audit.keep_files), 1, 100000, NULL, NULL, NULL },
{ B_AUDIT, "store", K_FLAG, B_STORE, 0, C(audit.store), 1, 0, NULL, "IDED_AUDIT_STORE", NULL },
{ B_STORE, "keep", K_DURATION, 0, 0, C(audit.store_keep), DAY, 100 * YEAR, NULL, NULL, NULL },
{ B_AUDIT, "syslog", K_FLAG, B_SYSLOG, 0, C(audit.syslog), 1, 0, NULL, "IDED_AUDIT_SYSLOG", NULL },
{ B_SYSLOG, "facility", K_WORD, 0, 0, C(audit.syslog_facility), 0, 0, facility, NULL, NULL },
/* A socket's name is short. */
{ B_SYSLOG, "to", K_PATH, 0, 0, C(audit.syslog_path), 0, 107, NULL, NULL, NULL },

{ B_TOP, "metrics", K_METRICS, 0, 0, NOWHERE, 0, 0, NULL, "IDED_METRICS", NULL },
{ B_TOP, "heartbeat", K_PATH, 0, 0, C(heartbeat), 0, 0, NULL, "IDED_HEARTBEAT", NULL },
{ B_TOP, "idle-exit", K_DURATION, 0, 0, C(idle_exit), 10, YEAR, NULL, "IDED_IDLE_EXIT", NULL },
{ B_TOP, "update-check", K_URL, B_UPDATE, 0, C(update.feed), 0, 0, NULL, "IDED_UPDATE_CHECK", NULL },
{ B_UPDATE, "ca", K_PATH, 0, 0, C(update.ca), 0, 0, NULL, NULL, NULL },
};
/* clang-format on */

const size_t conf_nrows = sizeof(conf_rows) / sizeof(conf_rows[0]);

_Static_assert(sizeof(conf_rows) / sizeof(conf_rows[0]) <= CONF_ROW_MAX,
    "CONF_ROW_MAX is too small");

const struct conf_row *
conf_row_find(enum conf_block block, const char *name)
{
	size_t i;

	for (i = 0; i < conf_nrows; i++) {
		if (conf_rows[i].block == block && strcmp(conf_rows[i].name, name) == 0)
			return &conf_rows[i];
	}
	return NULL;
}

const struct conf_row *
conf_row_env(const char *name)
{
	size_t i;

	for (i = 0; i < conf_nrows; i++) {
		if (conf_rows[i].env != NULL && strcmp(conf_rows[i].env, name) == 0)
			return &conf_rows[i];
	}
	return NULL;
}

/* The row that a block or a set of options belongs to; NULL for the top. */
const struct conf_row *
conf_row_opening(enum conf_block block)
{
	size_t i;

	for (i = 0; i < conf_nrows; i++) {
		if (conf_rows[i].sub == block)
			return &conf_rows[i];
	}
	return NULL;
}

size_t
conf_row_index(const struct conf_row *row)
{
	return (size_t)(row - conf_rows);
}

/* How to call it in an error: a label has the name of its block. */
const char *
conf_row_name(const struct conf_row *row)
{
	return row->name[0] != '\0' ? row->name : conf_row_opening(row->block)->name;
}

/*
 * How many characters to insert, delete, replace or swap with their neighbour
 * to make one word of the other.  Words too long to be one of ours are far away.
 */
size_t
conf_distance(const char *a, const char *b)
{
	enum { WIDTH = 64 };
	size_t d[3][WIDTH + 1], i, j, best, la = strlen(a), lb = strlen(b);
	size_t *cur, *prev, *last;

	if (la > WIDTH || lb > WIDTH)
		return SIZE_MAX;
	for (j = 0; j <= lb; j++)
		d[0][j] = j;
	for (i = 1; i <= la; i++) {
		cur = d[i % 3];
		prev = d[(i + 2) % 3];
		last = d[(i + 1) % 3];
		cur[0] = i;
		for (j = 1; j <= lb; j++) {
			best = prev[j - 1] + (a[i - 1] != b[j - 1]);
			if (prev[j] + 1 < best)
				best = prev[j] + 1;
			if (cur[j - 1] + 1 < best)
				best = cur[j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
			    a[i - 2] == b[j - 1] && last[j - 2] + 1 < best)
				best = last[j - 2] + 1;
			cur[j] = best;
		}
	}
	return d[la % 3][lb];
}

/* Is b what was meant by a, and nearer than what was found before? */
bool
conf_near(const char *a, const char *b, size_t *best)
{
	size_t len = strlen(b), d = conf_distance(a, b);

	if (d >= *best || d > 1 + len / 4 || d >= len)
		return false;
	*best = d;
	return true;
}
