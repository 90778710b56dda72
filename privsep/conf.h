/*
 * The configuration, as parsed from ided.conf(5).
 *
 * Plain old data: no pointers, every array bounded, every string terminated, so
 * that a section travels to the process it concerns as it stands, in a sealed
 * memory file (conf_section_send, conf_section_recv in confsend.h).  A process
 * gets the sections that it needs and no other.
 *
 * Units: durations are seconds, sizes are bytes, shares are percent.
 * Zero never means "unlimited": where a limit may be absent, a flag says so.
 */
#ifndef PRIVSEP_CONF_H
#define PRIVSEP_CONF_H

#include <sys/socket.h>
#include <sys/un.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "permission.h"

#define CONF_PATH_MAX     1024 /* a path, terminator included */
#define CONF_NAME_MAX     64   /* a name: role, ide, macro */
#define CONF_DOMAIN_MAX   256  /* a host name or pattern */
#define CONF_LISTEN_MAX   32
#define CONF_FROM_MAX     8 /* addresses of proxies, of one listener */
#define CONF_LOCATION_MAX 64
#define CONF_LIMITS_MAX   256 /* roles and users with limits of their own */
#define CONF_ROLE_MAX     32  /* beside those that are built in */
#define CONF_HEADER_MAX   8   /* header lines of one location */
#define CONF_ARG_MAX      16  /* extra arguments of the IDE */
#define CONF_ARGLEN_MAX   256
#define CONF_TABLE_MAX    16   /* of addresses */
#define CONF_PREFIX_MAX   1024 /* addresses in all tables, those of files aside */
#define CONF_EGRESS_MAX   128
#define CONF_RESOLVER_MAX 3 /* more than these no C library looks at */
#define CONF_INEFFECT_MAX 64
#define CONF_BIND_MAX     16 /* folders of the site's own in sandboxes */
/* What limits may be, of all users and of one. */
#define CONF_MEMORY_MIN     (64ULL << 20)
#define CONF_MEMORY_MAX     (64ULL << 40)
#define CONF_CPU_MIN        1
#define CONF_CPU_MAX        409600
#define CONF_PROCESSES_MIN  16
#define CONF_PROCESSES_MAX  1000000
#define CONF_STORAGE_MIN    (1ULL << 20)
#define CONF_STORAGE_MAX    (1024ULL << 40)
#define CONF_HOME_FILES_MIN 1000
#define CONF_HOME_FILES_MAX 1000000000
#define CONF_SESSIONS_MAX   1000
#define CONF_IO_WEIGHT      100
#define CONF_NO_LIMIT       UINT64_MAX
#define CONF_SPARE_MAX      64 /* spare sandboxes */
/* Of whoever is reached by TLS, unless another one is named. */
#define CONF_CA_DEFAULT "/etc/ssl/certs/ca-certificates.crt"

enum conf_log_to {
	LOG_TO_STDERR,
	LOG_TO_FILE,
	LOG_TO_SYSLOG,
};
enum conf_log_format {
	LOG_FORMAT_TEXT,
	LOG_FORMAT_JSON,
};
/* Levels are syslog(3)'s LOG_ERR .. LOG_DEBUG, so that one number serves both. */

/* What every process knows. */
struct conf_common {
	char data[CONF_PATH_MAX];    /* store and homes */
	char runtime[CONF_PATH_MAX]; /* sockets */
	uint8_t log_to;              /* enum conf_log_to */
	uint8_t log_format;          /* enum conf_log_format */
	uint8_t log_level;           /* LOG_ERR .. LOG_DEBUG */
	char log_file[CONF_PATH_MAX];
};

enum conf_listen_kind {
	LISTEN_TLS,      /* HTTPS */
	LISTEN_REDIRECT, /* plain HTTP, answers with the https address */
	LISTEN_PLAIN,    /* plain HTTP; loopback and unix only */
	LISTEN_METRICS   /* plain HTTP; /metrics and /healthz only */
};

/* An address, or those that begin with the same len bits. */
struct conf_prefix {
	uint8_t family; /* AF_INET, AF_INET6 */
	uint8_t len;
	uint8_t addr[16];
};

struct conf_listen {
	struct sockaddr_storage addr; /* AF_INET, AF_INET6 or AF_UNIX */
	uint32_t addrlen;
	uint8_t kind;           /* enum conf_listen_kind */
	uint8_t proxy_protocol; /* PROXY v1/v2 header comes first */
	uint16_t line;          /* where it stands, for errors */
	uint32_t nfrom;         /* who may send one; unix: whoever can connect */
	struct conf_prefix from[CONF_FROM_MAX];
};

/* Admission and the pool of workers: master. */
struct conf_prefork {
	uint32_t spare;
	uint32_t max;
	uint32_t per_source;
	uint32_t startups_begin; /* sshd's MaxStartups start:rate:full */
	uint32_t startups_rate;  /* percent, 1..100 */
	uint32_t startups_full;
	uint32_t handshake_timeout;
	uint32_t header_timeout;
	uint32_t idle_timeout;
	uint64_t body; /* largest request body, uploads aside */
};

struct conf_tls {
	char certificate[CONF_PATH_MAX];
	char key[CONF_PATH_MAX];
	uint8_t tls12; /* protocols offered */
	uint8_t tls13;
};

enum conf_auth_mode {
	AUTH_MULTI,
	AUTH_SINGLE,
	AUTH_NONE,
};
enum conf_registration {
	REGISTRATION_CLOSED,
	REGISTRATION_APPROVAL,
	REGISTRATION_OPEN,
};

struct conf_auth {
	uint8_t mode;            /* enum conf_auth_mode */
	char account[33];        /* the one of single and none */
	char password_hash[128]; /* its password; "" when the store has it */
	uint8_t registration;    /* enum conf_registration */
	uint32_t password_min;
	uint32_t password_classes; /* 1..4 of lower, upper, digit, other */
	uint64_t argon2_memory;
	uint32_t argon2_passes;
	uint32_t argon2_lanes;
	uint32_t argon2_helpers; /* 1..4 */
	uint32_t session_lifetime;
	uint32_t session_idle;
	uint32_t session_max; /* per user */
	uint32_t token_access;
	uint32_t token_refresh;
	uint32_t token_rotate;   /* a key signs for so long */
	uint8_t token_algorithm; /* enum wire_jwt_alg */
	char token_issuer[128];  /* WIRE_ISSUER */
};

struct conf_rate {
	uint32_t count;
	uint32_t period;
};

struct conf_ratelimit {
	struct conf_rate login;
	struct conf_rate api;
	struct conf_rate web;
	struct conf_rate user;
};

enum conf_isolation_kind {
	ISOLATION_NAMESPACE,
	ISOLATION_DIRECTORY,
	ISOLATION_CONTAINER,
};
enum conf_network {
	NETWORK_PRIVATE,
	NETWORK_NONE,
	NETWORK_HOST,
};

#define REQUIRE_SECCOMP  0x01
#define REQUIRE_CGROUP   0x02
#define REQUIRE_LANDLOCK 0x04
#define REQUIRE_STORAGE  0x08
#define REQUIRE_NETWORK  0x10

/* What makes a user's storage end where it must. */
enum conf_storage {
	STORAGE_BEST, /* the first of these that there is */
	STORAGE_QUOTA,
	STORAGE_VOLUME,
	STORAGE_ACCOUNTING,
};

/* Seen inside under the path that it has outside. */
struct conf_bind {
	char path[CONF_PATH_MAX];
	uint8_t write;
};

struct conf_isolation {
	uint8_t kind;    /* enum conf_isolation_kind */
	uint8_t network; /* enum conf_network */
	uint8_t require; /* REQUIRE_* */
	uint32_t uid_first;
	uint32_t uid_count;
	uint64_t memory;
	uint64_t swap; /* beside the memory; 0 is none */
	uint32_t cpu;  /* percent of one cpu: 200 is two */
	uint32_t processes;
	uint64_t storage;
	uint32_t io_weight; /* against other users; CONF_IO_WEIGHT is the kernel's */
	uint64_t io_read;   /* bytes per second, or CONF_NO_LIMIT */
	uint64_t io_write;
	uint32_t spare; /* sandboxes kept ready for a user */
	uint64_t files;
	uint8_t storage_by;       /* enum conf_storage */
	char skel[CONF_PATH_MAX]; /* "" when not set */
	uint32_t idle_freeze;     /* 0: never */
	uint32_t idle_stop;
	uint32_t memory_warn; /* percent */
	uint32_t memory_critical;
	uint32_t memory_every;   /* between looks */
	uint8_t user_namespaces; /* users' programs may make them */
	uint32_t nbind;
	struct conf_bind bind[CONF_BIND_MAX];
};

/* table <name> */
struct conf_addresses {
	char name[CONF_NAME_MAX];
	char file[CONF_PATH_MAX]; /* "": they are in the configuration */
	uint32_t first;           /* in prefix[] */
	uint32_t count;
	uint8_t defined;
};

enum conf_egress_to {
	EGRESS_ANY,
	EGRESS_PREFIX,
	EGRESS_TABLE,
};

struct conf_egress {
	uint8_t allow;
	uint8_t to;    /* enum conf_egress_to */
	uint8_t proto; /* IPPROTO_TCP, IPPROTO_UDP; 0: every protocol */
	struct conf_prefix prefix;
	uint32_t table;
	uint16_t port_first; /* 0: every port */
	uint16_t port_last;
};

enum conf_resolver {
	RESOLVER_HOST, /* those of the host that can be reached */
	RESOLVER_LIST,
};

/* The way out of private networks: isolation. */
struct conf_net {
	struct conf_prefix pool[2]; /* IPv4, IPv6 */
	uint32_t connections;       /* of one sandbox at once */
	uint8_t resolver_from;      /* enum conf_resolver */
	uint32_t nresolver;
	struct conf_prefix resolver[CONF_RESOLVER_MAX];
	uint32_t ntable;
	struct conf_addresses table[CONF_TABLE_MAX];
	uint32_t nprefix;
	struct conf_prefix prefix[CONF_PREFIX_MAX];
	uint32_t negress;
	struct conf_egress egress[CONF_EGRESS_MAX];
};

enum conf_limits_for {
	LIMITS_ROLE,
	LIMITS_USER,
};

/*
 * What a role or a user has instead of what isolation says; 0: the same.  What
 * conf_limits() gives has them all, and what is the same for everybody.
 */
struct conf_limits {
	uint8_t whose; /* enum conf_limits_for */
	char name[CONF_NAME_MAX];
	uint64_t memory;
	uint32_t cpu;
	uint32_t processes;
	uint64_t storage;
	uint64_t files;
	uint64_t swap;
	uint32_t io_weight;
	uint64_t io_read;
	uint64_t io_write;
};

/* How a gallery of extensions lays out its addresses. */
enum conf_gallery {
	GALLERY_OPEN_VSX,
	GALLERY_CODE_MARKETPLACE,
};

#define CONF_GALLERY_MAX    256
#define CONF_EXTENSIONS_MAX 64
#define CONF_EXTENSION_MAX  128

/* Whether users may have it. */
struct conf_extension {
	char id[CONF_EXTENSION_MAX]; /* a publisher, or "publisher.name"; lower case */
	uint32_t allow;
};

struct conf_ide {
	char name[CONF_NAME_MAX];
	char path[CONF_PATH_MAX];
	char gallery[CONF_GALLERY_MAX]; /* "": VS Code's own choice */
	uint32_t gallery_as;            /* enum conf_gallery */
	uint32_t nextensions;
	struct conf_extension extension[CONF_EXTENSIONS_MAX];
	uint32_t nargs;
	char arg[CONF_ARG_MAX][CONF_ARGLEN_MAX];
};

/* Ports below /proxy/ and /absproxy/, where they share the main origin. */
enum conf_paths {
	PATHS_RESTRICTED, /* their pages may reach nothing else of the site */
	PATHS_OPEN,
	PATHS_OFF,
};

/* With whom users may share what listens in their sandboxes. */
enum conf_share {
	SHARE_OFF,
	SHARE_USERS, /* who are logged in */
	SHARE_PUBLIC,
};

struct conf_proxy {
	char domain[CONF_DOMAIN_MAX]; /* "" when not set */
	char site[CONF_DOMAIN_MAX];   /* the main origin's; "": of domain */
	char abs_base[CONF_PATH_MAX]; /* before /absproxy/'s paths; "": nothing */
	uint8_t paths;                /* enum conf_paths */
	uint8_t share;                /* enum conf_share */
	uint32_t share_for;           /* no longer than so many seconds; 0: no end */
	uint16_t port_first;          /* that may be reached */
	uint16_t port_last;
	uint32_t pool;
	uint32_t pool_idle;
	uint32_t keepalive;
	uint32_t timeout;
};

enum conf_location_kind {
	LOCATION_PROXY_UNIX,
	LOCATION_PROXY_TCP,
	LOCATION_PROXY_TLS,
	LOCATION_ROOT,
};

struct conf_location {
	char prefix[CONF_NAME_MAX];
	uint8_t kind;               /* enum conf_location_kind */
	char target[CONF_PATH_MAX]; /* path, or host:port */
	char role[CONF_NAME_MAX];   /* "" when none is required */
	uint32_t nheaders;
	char header[CONF_HEADER_MAX][CONF_ARGLEN_MAX]; /* "Name: value" */
	char rewrite[CONF_ARGLEN_MAX];                 /* "" when the path stays */
	char ca[CONF_PATH_MAX];     /* of tls: who signs the service's certificate */
	char name[CONF_DOMAIN_MAX]; /* ... and the name in it; "": the target's */
	uint16_t line;
};

enum conf_headers {
	HEADERS_STRICT,
	HEADERS_BALANCED,
	HEADERS_DEVELOPMENT,
};

/* What workers need to serve HTTP. */
struct conf_http {
	uint8_t headers; /* enum conf_headers */
	uint8_t headers_report_only;
	uint32_t brotli; /* level on the fly, 0..11 */
	uint8_t brotli_on;
	uint32_t gzip; /* 1..9 */
	uint8_t gzip_on;
	uint32_t zstd; /* 1..12 */
	uint8_t zstd_on;
	uint32_t compress_min;
	char app_name[CONF_NAME_MAX];  /* default "ided" */
	char contact[CONF_ARGLEN_MAX]; /* of security.txt; "": the site itself */
	char base[CONF_NAME_MAX];      /* "/tools", or "": at the root */
};

/* What a site's own pages look like; "" and 0: as they are. */
#define COLOUR_SET 0x1000000 /* and 0xrrggbb */
struct conf_brand {
	char welcome[CONF_ARGLEN_MAX]; /* {{app}} in it is app_name */
	char text[2 * CONF_ARGLEN_MAX];
	char logo[CONF_PATH_MAX];
	uint32_t accent;
	uint32_t accent_dark;
	uint32_t background;
	uint32_t background_dark;
};

struct conf_audit {
	char file[CONF_PATH_MAX]; /* "" when not set */
	uint8_t rotate_daily;
	uint32_t keep_files;
	uint8_t store;
	uint32_t store_keep;
	uint8_t syslog;
	uint8_t syslog_facility; /* as in RFC 5424 */
	char syslog_path[CONF_PATH_MAX];
};

/* The feed of releases: nobody is asked unless it is named. */
struct conf_update {
	char feed[CONF_PATH_MAX]; /* an address of https; "" when not set */
	char ca[CONF_PATH_MAX];   /* who signs its certificate */
};

struct conf {
	struct conf_common common;
	uint32_t nlisten;
	struct conf_listen listen[CONF_LISTEN_MAX];
	struct conf_tls tls;
	struct conf_prefork prefork;
	struct conf_auth auth;
	uint32_t nroles;
	struct role role[CONF_ROLE_MAX];
	struct conf_ratelimit ratelimit;
	struct conf_isolation isolation;
	struct conf_net net;
	uint32_t nlimits;
	struct conf_limits limits[CONF_LIMITS_MAX];
	struct conf_ide ide;
	struct conf_proxy proxy;
	uint32_t nlocation;
	struct conf_location location[CONF_LOCATION_MAX];
	struct conf_http http;
	struct conf_brand brand;
	struct conf_audit audit;
	char heartbeat[CONF_PATH_MAX]; /* "" when not set */
	uint32_t idle_exit;            /* of the whole server; 0: never */
	struct conf_update update;
	/* Keywords that were set and whose feature is not in effect. */
	uint32_t nineffect;
	char ineffect[CONF_INEFFECT_MAX][CONF_ARGLEN_MAX];
};

/* A macro given on the command line. */
struct conf_define {
	const char *name;
	const char *value;
};

/*
 * Called once per error with a whole line, "file:line: expected …, got …"
 * (no newline).  conf_parse reports all errors of the files, not the first.
 */
typedef void (*conf_error_fn)(void *arg, const char *line);

/*
 * Fill *conf from the defaults, the file, the defines and the IDED_… variables
 * of envp, in rising precedence.  Relative include paths are relative to the
 * including file.  Touches nothing but the files that it reads: whether what is
 * named there exists is checked by conf_check.
 * Returns the number of errors reported; 0 means *conf is complete and sound.
 */
int conf_parse(struct conf *conf, const char *file, const struct conf_define *def,
    unsigned int ndef, char *const envp[], conf_error_fn error, void *arg);

/*
 * The same from memory, without include: for tests and fuzzing.
 */
int conf_parse_buf(struct conf *conf, const char *name, const char *buf, uint64_t len,
    const struct conf_define *def, unsigned int ndef, char *const envp[],
    conf_error_fn error, void *arg);

/*
 * Look at the world outside the file, as root, before anything is started:
 * certificate and key readable, matching and not open to others; folders there,
 * owned and closed as they must be; the IDE installed; accounts present.  Each
 * error says what to do.  Returns the number of errors reported.
 */
int conf_check(const struct conf *conf, conf_error_fn error, void *arg);

/*
 * ADDRESS or ADDRESS/LENGTH: NULL, or what is wrong with it, "" where there is
 * no more to say.  And back, and whether one holds all of another.
 */
const char *conf_prefix_parse(const char *s, struct conf_prefix *out);
const char *conf_prefix_text(const struct conf_prefix *p, char *buf, size_t size);
bool conf_prefix_holds(const struct conf_prefix *p, const struct conf_prefix *q);

void conf_defaults(struct conf *conf);

/*
 * What differs between two of them, a call for each keyword; "" is one that is not
 * set, or, of what may hold a secret, one that is not told.
 */
struct m_change;
typedef void (*conf_change_fn)(void *arg, const struct m_change *);
void conf_diff(const struct conf *old, const struct conf *fresh, conf_change_fn, void *);

/*
 * The one place where limits come together: what isolation says, over it what
 * "limits" says for that role, and over that, for that user.
 */
void conf_limits(
    const struct conf *conf, const char *user, const char *role, struct conf_limits *out);
/* Those of isolation alone. */
void conf_limits_all(const struct conf_isolation *all, struct conf_limits *out);

#endif
