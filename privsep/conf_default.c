/*
 * The defaults.  They need no file beside them to be sound, save that someone
 * must say where to listen and which certificate to show.
 */
#include <string.h>
#include <syslog.h>

#include <bsd/string.h>

#include "conf.h"
#include "wire.h"

#define KB 1024ULL
#define MB (1024 * KB)
#define GB (1024 * MB)

#define MINUTE 60U
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

static void
default_prefork(struct conf_prefork *prefork)
{
	prefork->spare = 16;
	prefork->max = 4096;
	prefork->per_source = 64;
	prefork->startups_begin = 64;
	prefork->startups_rate = 30;
	prefork->startups_full = 512;
	prefork->handshake_timeout = 10;
	prefork->header_timeout = 10;
	prefork->idle_timeout = 75;
	prefork->body = 1 * MB;
}

static void
default_auth(struct conf_auth *auth)
{
	auth->mode = AUTH_MULTI;
	strlcpy(auth->account, "coder", sizeof(auth->account));
	auth->registration = REGISTRATION_APPROVAL;
	auth->password_min = 12;
	auth->password_classes = 3;
	auth->argon2_memory = 64 * MB;
	auth->argon2_passes = 3;
	auth->argon2_lanes = 1;
	auth->argon2_helpers = 2;
	auth->session_lifetime = DAY;
	auth->session_idle = 2 * HOUR;
	auth->session_max = 5;
	auth->token_access = 15 * MINUTE;
	auth->token_refresh = 7 * DAY;
	auth->token_rotate = 30 * DAY;
	auth->token_algorithm = JWT_EDDSA;
	strlcpy(auth->token_issuer, "ided", sizeof(auth->token_issuer));
}

static void
default_ratelimit(struct conf_ratelimit *limit)
{
	limit->login = (struct conf_rate){ 5, 15 * MINUTE };
	limit->api = (struct conf_rate){ 100, 15 * MINUTE };
	limit->web = (struct conf_rate){ 10000, 15 * MINUTE };
	limit->user = (struct conf_rate){ 5000, HOUR };
}

static void
default_isolation(struct conf_isolation *isolation)
{
	isolation->kind = ISOLATION_NAMESPACE;
	isolation->network = NETWORK_PRIVATE;
	isolation->require = 0;
	isolation->uid_first = 200000;
	isolation->uid_count = 65536;
	isolation->memory = 2 * GB;
	isolation->swap = 0;
	isolation->cpu = 200;
	isolation->processes = 512;
	isolation->storage = 5 * GB;
	isolation->io_weight = CONF_IO_WEIGHT;
	isolation->io_read = CONF_NO_LIMIT;
	isolation->io_write = CONF_NO_LIMIT;
	isolation->spare = 2;
	isolation->files = 500000;
	isolation->idle_stop = 2 * HOUR;
	isolation->memory_warn = 85;
	isolation->memory_critical = 95;
	isolation->memory_every = 10;
}

/*
 * Both networks are seen by sandboxes and the host alone, as what leaves the host
 * has the host's address.  That of IPv4 was set aside for subscribers behind
 * their provider's translator, and is long enough to give each of the first four
 * million uids an address of its own; that of IPv6 spells "ided".
 */
static void
default_net(struct conf_net *net)
{
	static const struct conf_prefix pool[2] = {
		{ AF_INET, 10, { 100, 64 } },
		{ AF_INET6, 64, { 0xfd, 'i', 'd', 'e', 'd' } },
	};

	memcpy(net->pool, pool, sizeof(net->pool));
	net->connections = 4096;
	net->resolver_from = RESOLVER_HOST;
}

static void
default_ide(struct conf_ide *ide)
{
	strlcpy(ide->name, "code", sizeof(ide->name));
	strlcpy(ide->path, "/usr/local/lib/ided/vscode", sizeof(ide->path));
	strlcpy(ide->arg[0], "--disable-telemetry", sizeof(ide->arg[0]));
	ide->nargs = 1;
}

static void
default_http(struct conf_http *http)
{
	http->headers = HEADERS_BALANCED;
	http->brotli = 5;
	http->brotli_on = 1;
	http->gzip = 6;
	http->gzip_on = 1;
	http->zstd = 8;
	http->zstd_on = 1;
	http->compress_min = 1 * KB;
	strlcpy(http->app_name, "ided", sizeof(http->app_name));
}

void
conf_defaults(struct conf *conf)
{
	memset(conf, 0, sizeof(*conf));

	strlcpy(conf->common.data, "/var/ided", sizeof(conf->common.data));
	strlcpy(conf->common.runtime, "/run/ided", sizeof(conf->common.runtime));
	conf->common.log_to = LOG_TO_STDERR;
	conf->common.log_format = LOG_FORMAT_TEXT;
	conf->common.log_level = LOG_INFO;

	conf->tls.tls12 = 1;
	conf->tls.tls13 = 1;

	default_prefork(&conf->prefork);
	default_auth(&conf->auth);
	default_ratelimit(&conf->ratelimit);
	default_isolation(&conf->isolation);
	default_net(&conf->net);
	default_ide(&conf->ide);
	default_http(&conf->http);

	/* Not there until named; these hold for what the block leaves out. */
	conf->proxy.paths = PATHS_RESTRICTED;
	conf->proxy.port_first = 1024;
	conf->proxy.port_last = 65535;
	conf->proxy.pool = 100;
	conf->proxy.pool_idle = 10;
	conf->proxy.keepalive = 30;
	conf->proxy.timeout = 30;
	conf->audit.rotate_daily = 1;
	conf->audit.keep_files = 90;
	conf->audit.store_keep = 365 * DAY;
	conf->audit.syslog_facility = LOG_AUTHPRIV >> 3;
	strlcpy(conf->audit.syslog_path, "/dev/log", sizeof(conf->audit.syslog_path));
	strlcpy(conf->update.ca, CONF_CA_DEFAULT, sizeof(conf->update.ca));
}
