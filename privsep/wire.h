/*
 * What messages carry: fixed-layout structs of fixed-width integers and bounded
 * char arrays, no pointers, no implicit padding.  A sender zeroes a struct before it
 * fills it; a receiver checks each char array with wire_str() before it reads it as a
 * string, and every number against its own bounds.
 */
#ifndef PRIVSEP_WIRE_H
#define PRIVSEP_WIRE_H

#include <netinet/in.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define WIRE_NAME     33 /* a user's name: at most 32 bytes */
#define WIRE_EMAIL    255
#define WIRE_ROLE     33
#define WIRE_PASSWORD 1025 /* at most 1024 bytes */
#define WIRE_AGENT    256  /* user agent, cut */
#define WIRE_QUERY    1024 /* query of the last opened folder */
#define WIRE_TEXT     512  /* a sentence for a person */
#define WIRE_TOKEN    32   /* 256 random bits */
#define WIRE_SESSION  17   /* public id of a session: 16 hex digits */
#define WIRE_OWNER    16   /* tells one user's port tokens from another's */
#define WIRE_RID      17   /* request id: 16 hex digits */
#define WIRE_ARGV     8192 /* arguments, each terminated, one after another */
#define WIRE_EVENT    48
#define WIRE_LOG      1600

#define WIRE_FIELD 32 /* name of a field of a request */

#define wire_str(a) (memchr((a), '\0', sizeof(a)) != NULL)

#include "wire_sandbox.h"

#include "wire_account.h"
#include "wire_metrics.h"
#include "wire_port.h"

/* Where a connection comes from; IPv4 is mapped into IPv6.  All zero: unix. */
struct wire_addr {
	uint8_t ip[16];
	uint16_t port;
	uint8_t unix_peer;
	uint8_t pad[5];
};

/* M_WORKER_AUTH (with its channel's end), M_WORKER_KEYS: a new connection. */
struct m_worker {
	uint64_t id;    /* the worker's number, never used again */
	uint32_t bound; /* to a user, as an earlier auth said */
	uint32_t pad;
	struct wire_addr source;
};

/*
 * M_WORKER_NOTE: auth's and keys' word to master about a worker, or, when the
 * worker may be gone already, about where it came from.
 */
struct m_worker_note {
	uint64_t id;
	uint32_t kind; /* enum wire_note */
	uint32_t pad;
	struct wire_addr source;
};
enum wire_note {
	NOTE_BOUND = 1,
	NOTE_GUEST, /* to no user, but it holds something of somebody's */
	NOTE_LOGIN_FAILED,
	NOTE_OVER,     /* it serves nobody any more, and is to leave */
	NOTE_VIOLATION /* it broke a rule, and is to be killed; all that keys says */
};

/* M_PENALTY: a source is refused from now on. */
struct m_penalty {
	struct wire_addr source; /* of IPv6, the /64 */
	uint32_t seconds;
	char why[20];
};

/* M_KILL: this worker of the zygote's, at once. */
struct m_kill {
	uint64_t id;
};

/* M_WORKER_EXIT: the zygote saw one of its children end. */
struct m_worker_exit {
	uint64_t id;
	int32_t pid;    /* -1: it could not even be forked */
	int32_t status; /* as from waitpid(2) */
};

/* M_LEASE: requests that may be served without asking (lease.h). */
enum wire_limit {
	LIMIT_NONE,
	LIMIT_WEB,
	LIMIT_API,
	LIMIT_CLASSES, /* that a worker asks of */
	LIMIT_USER = LIMIT_CLASSES,
	LIMIT_LOGIN,
};
struct wire_lease {
	uint32_t class; /* enum wire_limit */
	uint32_t serial;
	uint32_t granted; /* 0: refused */
	uint32_t limit;   /* of the window that leaves least */
	uint32_t left;    /* in it, beside what is granted */
	uint32_t pad;
	int64_t until; /* ms; not after that */
	int64_t reset; /* in so many ms some of what was used counts no more */
};
/* M_LEASE_ASK, M_LEASE_BACK: how much of the last one was used.  M_LEASE_RECALL: that
 * one is wanted back. */
struct m_lease_ask {
	uint32_t class;
	uint32_t serial;
	uint32_t used;
	uint32_t pad;
};

/* M_CONN: the accepted socket comes with it. */
struct m_conn {
	uint64_t id;
	struct wire_addr source;
	uint32_t kind;    /* enum conf_listen_kind */
	uint32_t nonce;   /* makes request ids unique */
	uint32_t proxied; /* a PROXY header comes first: M_SOURCE is awaited */
	uint32_t pad;
	struct wire_lease lease;
};

/*
 * M_SOURCE: whom a proxy in front speaks for.  Said once, before a byte of the
 * client's was read: what the proxy, which is listed, has sent is all that this
 * worker has seen.  unix_peer: for nobody but itself.
 */
struct m_source {
	struct wire_addr source;
};

/* M_HEART */
struct m_heart {
	int64_t last; /* somebody was active, ms since the epoch; 0: never */
	int64_t ago;  /* ... so many ms before now, whatever the clock was set to */
};

/* M_FORK: with the worker's end of its channel to master. */
struct m_fork {
	uint64_t id;
};

/* M_WORKER_STAGE: how far a connection has come. */
struct m_stage {
	uint32_t stage;    /* enum wire_stage */
	uint32_t requests; /* served since the last one */
	uint64_t bytes_in;
	uint64_t bytes_out;
};
enum wire_stage {
	STAGE_IDLE = 1,
	STAGE_BAD_REQUEST,
	STAGE_TIMEOUT,
};

/* M_LOG: a worker's line. */
struct m_log {
	uint32_t level;
	char event[WIRE_EVENT];
	char text[WIRE_LOG];
	uint32_t pad;
};

/* M_SIGN: sign a digest for CertificateVerify or ServerKeyExchange. */
#define WIRE_TBS_MAX 1024 /* what TLS signs is far shorter */
#define WIRE_SIG_MAX 1024
#define WIRE_KEYID   32 /* SHA-256 of the public key's SPKI */
struct m_sign {
	uint8_t keyid[WIRE_KEYID];
	uint32_t scheme; /* TLS SignatureScheme, RFC 8446 4.2.3 */
	uint32_t len;
	uint8_t tbs[WIRE_TBS_MAX]; /* the message, not its digest */
};
struct m_signed {
	uint32_t ok;
	uint32_t len;
	uint8_t sig[WIRE_SIG_MAX];
};

/* M_SESS_PUT, M_SESS_GET: TLS sessions are kept by keys, under a random id,
 * given out once. */
#define WIRE_SESSID  32
#define WIRE_SESSDER 4096
struct m_sess {
	uint8_t id[WIRE_SESSID];
	uint32_t len; /* 0 in an answer: not found */
	uint32_t pad;
	uint8_t der[WIRE_SESSDER]; /* as much of it as len says is sent */
};
#define WIRE_SESS(len) (offsetof(struct m_sess, der) + (len))

/* Who a connection is bound to. */
struct wire_who {
	char name[WIRE_NAME];
	char role[WIRE_ROLE]; /* the first of roles */
	char session[WIRE_SESSION];
	char pad[5];
	uint32_t uid;
	uint32_t must_change; /* the password must be changed first */
	uint64_t permits;     /* what the roles permit: permission.h */
	char roles[WIRE_ROLES];
	int64_t expires; /* of the session, seconds since the epoch */
	char last_query[WIRE_QUERY];
};

enum wire_auth {
	AUTH_OK = 1,
	AUTH_DENIED,     /* no such session, wrong name or password */
	AUTH_OTHER_USER, /* this connection is another user's: 421 */
	AUTH_RATE_LIMITED,
	AUTH_BUSY /* hash helpers' queue is full */
};

/* M_REQUEST: what a worker asks next is for this request of this browser. */
struct m_request {
	char rid[WIRE_RID];
	char agent[WIRE_AGENT];
	char pad[7];
};
/* M_AUTH_TOKEN */
struct m_auth_token {
	uint8_t token[WIRE_TOKEN];
};
/* M_LOGIN */
struct m_login {
	char name[WIRE_EMAIL]; /* name or e-mail address */
	char password[WIRE_PASSWORD];
	uint8_t tokens; /* a family of tokens is wanted: M_TOKENS answers */
	char pad[7];
};
/* M_WHO answers both; token is set after a login only. */
struct m_who {
	uint32_t result;      /* enum wire_auth */
	uint32_t retry_after; /* seconds, when rate limited */
	uint8_t token[WIRE_TOKEN];
	struct wire_who who;
};

/* M_PORT_ENTERED: who came in; token and owner make the port's cookie. */
struct m_port_entered {
	uint32_t result;     /* enum wire_auth */
	uint32_t same_owner; /* as the browser's last token */
	uint8_t token[WIRE_TOKEN];
	uint8_t owner[WIRE_OWNER];
	struct wire_who who;
};

/* M_REVOKED: the session of this connection is over. */
struct m_revoked {
	uint32_t reason; /* enum wire_revoked */
	uint32_t pad;
};
enum wire_revoked {
	REVOKED_LOGOUT = 1,
	REVOKED_ADMIN,
	REVOKED_DISABLED,
	REVOKED_EXPIRED,
	REVOKED_REUSE,    /* a refresh token came a second time */
	REVOKED_PASSWORD, /* it was changed */
	REVOKED_ROLE,     /* the session goes on, its connections end */
	REVOKED_SHARE,    /* what it visits is not shared any more */
};

/* M_IDE: a connection to the user's own IDE is wanted; M_IDE_FD carries it. */
struct m_ide {
	uint32_t running; /* ... if its sandbox runs: it is not to be started */
	uint32_t pad;
};
/* M_FAIL, M_SB_FAIL: why not. */
struct m_fail {
	uint32_t code; /* enum wire_fail */
	char text[WIRE_TEXT];
	char field[WIRE_FIELD]; /* that is wrong; "" for none */
};
enum wire_fail {
	FAIL_INTERNAL = 1,
	FAIL_BUSY,
	FAIL_TIMEOUT,
	FAIL_NOT_FOUND,
	FAIL_EXISTS,
	FAIL_INVALID,
	FAIL_DENIED,
	FAIL_NO_SPACE,
	FAIL_UNAVAILABLE,
	FAIL_MUST_CHANGE, /* the password, first */
	FAIL_CHANGED,     /* by someone else meanwhile */
	FAIL_LIMITED,     /* too often: later */
};

/* M_LAST: the query of the last opened folder or workspace; like M_BEAT it has
 * no answer. */
struct m_last {
	char query[WIRE_QUERY];
};

/* M_MINTED: the half key of VS Code's secret storage, stable per user. */
#define WIRE_MINT 32
struct m_minted {
	uint8_t key[WIRE_MINT];
};

/* M_FETCHED: what a feed of releases said, or why it is not known. */
struct m_fetched {
	uint32_t ok;
	char version[WIRE_VERSION];
	char why[160];
};

/* M_UPDATED: the newest release; version is "" while it is unknown. */
struct m_update {
	int64_t checked; /* in seconds; 0: not yet */
	char version[WIRE_VERSION];
};

/* M_SESSION_END: a user ends one of the own sessions. */
struct m_session_id {
	char session[WIRE_SESSION];
	char pad[7];
};

/* One session, in lists. */
struct m_session {
	char session[WIRE_SESSION];
	char user[WIRE_NAME];
	char agent[WIRE_AGENT];
	char pad[6];
	struct wire_addr source;
	int64_t created;
	int64_t seen;
	int64_t expires;
	uint32_t connections;
	uint32_t current; /* the asker's own */
};

/* A user is meant; "" where all are. */
struct m_name {
	char name[WIRE_NAME];
	char pad[7];
};

/* M_OK: done; text says what was. */
struct m_ok {
	char text[WIRE_TEXT];
};

/* M_SB_CHANGE: what a reload changed; in the last one, how many more there were. */
#define WIRE_KEYWORD 112
#define WIRE_VALUE   160
struct m_change {
	char keyword[WIRE_KEYWORD];
	char old[WIRE_VALUE];
	char fresh[WIRE_VALUE];
	uint32_t more;
	uint32_t pad;
};

/* M_SB_CONNECT, M_SB_STOP, M_SB_REMOVE, M_SB_SHOW, M_SB_EXEC: auth to isolation. */
struct m_sb {
	char user[WIRE_NAME];
	char role[WIRE_ROLE]; /* tells the limits */
	uint8_t running;      /* M_SB_CONNECT: only to one that runs */
	char pad[1];
	uint32_t uid;
	struct wire_limits limits; /* of this user's own, over all others */
};
/* M_SB_PORT: a port inside. */
struct m_sb_port {
	struct m_sb sb;
	int64_t started; /* of a visitor: only of the sandbox that was started then */
	uint16_t port;
	uint8_t pad[6];
};
struct m_exec {
	char user[WIRE_NAME];
	char role[WIRE_ROLE]; /* "" from idectl, as the uid is 0: auth fills them in */
	char pad[2];
	uint32_t uid;
	uint32_t argc;
	uint32_t len; /* bytes used of argv */
	uint32_t pad2;
	struct wire_limits limits; /* as m_sb's */
	char argv[WIRE_ARGV];
};
/* M_…_EXEC_FD: 0, 1 and 2 follow the exec message, one each. */
struct m_exec_fd {
	uint32_t which;
	uint32_t pad;
};
struct m_exit {
	int32_t status; /* exit code, or 128 + signal */
	uint32_t pad;
};

/* M_STATUS_MASTER, M_STATUS */
struct m_status {
	int64_t started;
	uint64_t accepted;
	uint64_t refused; /* early drop, per source, penalty */
	uint64_t requests;
	uint64_t crashes;
	uint32_t workers;
	uint32_t spare;
	uint32_t unauthenticated;
	uint32_t penalised;
	uint32_t users;
	uint32_t sessions;
	uint32_t sandboxes;
	int32_t pid;
	struct wire_notes notes;
	uint32_t services_failing; /* as m_stats's */
	uint32_t services_failed;
	struct wire_release release;
	char version[16];
};

/* M_KEY: a key with its file's descriptor. */
struct m_key {
	uint8_t keyid[WIRE_KEYID];
};

/* M_LISTEN: one listening socket of a new configuration. */
struct m_listen {
	uint32_t index; /* into the configuration */
	uint32_t pad;
};

/* M_HANDOVER_DONE: the listening sockets have been handed out. */
struct m_handover {
	uint32_t managed; /* a service manager keeps them, and starts ided again */
	uint32_t pad;
};
/* M_CTL_LEAVE, M_LEAVE: make room for a successor; pid 0: the manager's. */
struct m_leave {
	int32_t pid;
	uint32_t pad;
};

/* M_HASH_MAKE, M_HASH_VERIFY and their answers.  An encoded hash is below 200
 * bytes with the salt and tag sizes that we use. */
#define WIRE_HASH 256
struct m_hash {
	char password[WIRE_PASSWORD];
	char encoded[WIRE_HASH];
	char pad[7];
	uint32_t memory_kib;
	uint32_t passes;
	uint32_t lanes;
	uint32_t pad2;
};
enum wire_hashed { HASHED_NO, HASHED_YES, HASHED_FAILED /* not computed */ };
struct m_hashed {
	uint32_t ok; /* enum wire_hashed */
	char encoded[WIRE_HASH];
	uint32_t pad;
};

/*
 * Tokens as JWT (jwt.h).  A token's claims, as a struct: times in seconds since the
 * epoch, nbf is iat.
 */
#define WIRE_ISSUER  128
#define WIRE_KID     17 /* 16 hex digits */
#define WIRE_JTI     33 /* 32 hex digits */
#define WIRE_JWT_SIG 512
#define JWT_TIME_MAX 253402300799LL /* the year 9999 */
struct wire_jwt {
	char issuer[WIRE_ISSUER];
	char name[WIRE_NAME];
	char session[WIRE_SESSION]; /* the family: sid */
	char jti[WIRE_JTI];
	char kid[WIRE_KID];
	char pad[4];
	uint32_t alg; /* enum wire_jwt_alg */
	uint32_t use; /* enum wire_jwt_use */
	uint32_t uid;
	uint32_t version;    /* of all of the user's tokens */
	uint32_t generation; /* of the family: counts refreshments */
	uint32_t pad2;
	int64_t issued;
	int64_t expires;
};
enum wire_jwt_alg { JWT_EDDSA = 1, JWT_RS256 };
enum wire_jwt_use { JWT_ACCESS = 1, JWT_REFRESH };
struct wire_jwt_sig {
	uint32_t len;
	uint8_t bytes[WIRE_JWT_SIG];
	uint32_t pad;
};

/* API tokens. */
#define WIRE_LABEL  65  /* a name for a person: at most 64 bytes */
#define WIRE_SCOPES 512 /* PERMITS_TEXT */

/* M_JWT_USE, M_JWT_REFRESH: what a worker read in a token; auth believes only what
 * the signature holds for (jwt.h). */
struct m_jwt {
	struct wire_jwt jwt;
	struct wire_jwt_sig sig;
};
/* M_TOKENS: a new pair, to a login or a refreshment. */
struct m_tokens {
	struct m_jwt access;
	struct m_jwt refresh;
	struct wire_who who;
};
/* M_TOKEN_ADD */
struct m_token_add {
	char name[WIRE_LABEL];
	char scopes[WIRE_SCOPES]; /* names of permissions, a space between */
	char pad[7];
	uint64_t lifetime; /* seconds; 0: for ever */
	struct wire_once once;
};
/* M_CTL_TOKEN_ADD: an API token for a user */
struct m_user_token {
	char user[WIRE_NAME];
	char name[WIRE_LABEL];
	char scopes[WIRE_SCOPES]; /* names of permissions */
	char pad[6];
	uint64_t lifetime; /* seconds; 0: for ever */
};

/* M_ROW_TOKEN */
struct m_token {
	char id[WIRE_SESSION];
	char user[WIRE_NAME];
	char name[WIRE_LABEL];
	char scopes[WIRE_SCOPES];
	char pad[5];
	int64_t created;
	int64_t expires; /* 0: never */
	int64_t seen;    /* 0: never */
};
/* M_ROW_TOKEN_MADE: with its secret, which is shown this once; all zero: it was. */
struct m_token_made {
	struct m_token is;
	uint8_t token[WIRE_TOKEN];
};

/*
 * Services of the site's own: locations of the configuration.  Which one is told by a
 * digest of all that the configuration says about it (location.h), so that two
 * processes that speak of one mean the same, whatever was reloaded meanwhile.
 *
 * M_LOCATION: a connection to it is wanted; M_LOCATION_FD carries it.  M_SB_LOCATION:
 * auth allows it.  M_LOCATION_SIGN: a word about the user for it, M_LOCATION_SIGNED.
 */
#define WIRE_LOCATION 16
#define WIRE_PREFIX   64
#define WIRE_FILE     1024
struct m_location {
	uint8_t location[WIRE_LOCATION];
};
/* M_LOCATION_FILE, M_SB_FILE: a file below its root, no '/' first; M_LOCATION_FILE_FD */
struct m_location_file {
	uint8_t location[WIRE_LOCATION];
	char path[WIRE_FILE];
};
/* M_JWT_ASSERT: who it is, for that service alone; auth alone may have it signed.
 * M_JWT_ASSERTED: with alg and kid, and no signature when there can be none. */
struct wire_assertion {
	struct wire_jwt jwt; /* use, version and generation: 0 */
	char location[WIRE_PREFIX];
	char roles[WIRE_ROLES];
};
struct m_location_signed {
	struct wire_assertion assertion;
	struct wire_jwt_sig sig;
};

/* M_KEYSTORE, with the file that token keys are kept in: at start, at a reload. */
struct m_keystore {
	uint32_t alg;     /* of new keys */
	uint32_t rotate;  /* seconds that one signs */
	uint32_t overlap; /* ... and after which no token of its is good any more */
	uint32_t pad;
};
/* M_JWT_SIGN: both tokens of a pair; keys fills in alg and kid. */
struct m_jwt_sign {
	struct wire_jwt access;
	struct wire_jwt refresh;
};
struct m_jwt_signed {
	uint32_t ok;
	uint32_t alg;
	char kid[WIRE_KID];
	char pad[7];
	struct wire_jwt_sig access;
	struct wire_jwt_sig refresh;
};
/* M_JWT_KEYS: the public keys that tokens may be signed with.  Of an Ed25519 key
 * its 32 bytes, of an RSA key the modulus; its exponent is 65537. */
#define WIRE_JWT_KEYS 8
#define WIRE_JWT_PUB  512
struct wire_jwt_key {
	char kid[WIRE_KID];
	char pad[7];
	uint32_t alg;
	uint32_t len;
	uint8_t pub[WIRE_JWT_PUB];
};
struct m_jwt_keys {
	uint32_t count;
	uint32_t pad;
	struct wire_jwt_key key[WIRE_JWT_KEYS];
};
/* M_JWT_ROTATE: a new key at once; forget: the others are good for nothing more. */
struct m_jwt_rotate {
	uint32_t forget;
	uint32_t pad;
};

/* M_KEY_FILE: a file of the audit trail's key, which isolation opens. */
struct m_key_file {
	uint32_t which; /* enum wire_key_file */
	uint32_t pad;
};
enum wire_key_file {
	KEY_FILE_AUDIT = 1,  /* the key of its checkpoints */
	KEY_FILE_AUDIT_PUB,  /* its public half, for people */
	KEY_FILE_AUDIT_LAST, /* the last checkpoint signed */
};

/* M_AUDIT_SIGN, M_AUDIT_SIGNED: a checkpoint of the audit trail (audit_sign.h). */
#define WIRE_HASH256    32
#define WIRE_ED25519    32
#define WIRE_ED25519SIG 64
struct m_audit_sign {
	uint64_t seq; /* of the last record */
	int64_t time; /* milliseconds since the epoch */
	uint8_t hash[WIRE_HASH256];
};
struct m_audit_signed {
	struct m_audit_sign what;
	uint64_t last;   /* seq of the last one signed */
	uint32_t result; /* enum wire_audit_sign */
	uint32_t pad;
	uint8_t key[WIRE_ED25519]; /* public half */
	uint8_t sig[WIRE_ED25519SIG];
};
enum wire_audit_sign {
	AUDIT_SIGN_OK = 1,
	AUDIT_SIGN_OLDER, /* than one that was signed */
	AUDIT_SIGN_FAILED,
};

/* M_AUDIT_QUERY, M_CTL_AUDIT_QUERY: records that fit all that is set. */
#define WIRE_AUDIT_CURSOR 88
#define WIRE_AUDIT_TEXT   128
#define WIRE_AUDIT_ROWS   1000
struct m_audit_query {
	char cursor[WIRE_AUDIT_CURSOR]; /* where the page before ended; "" at first */
	char user[WIRE_EMAIL + 1];      /* who did it, or whom it is about */
	char event[WIRE_EVENT];         /* all that begin so, when it ends with a dot */
	char source[48];
	char outcome[16];
	char text[WIRE_AUDIT_TEXT]; /* somewhere in it, in whatever case */
	int64_t from;               /* milliseconds since the epoch */
	uint64_t after;             /* oldest first: from the record after this one on */
	int64_t to;                 /* 0: no end */
	uint32_t limit;             /* rows; 0: 50 */
	uint32_t oldest_first;
	uint32_t follow; /* oldest first: wait for more at the end */
	uint32_t pad;
};
/* M_ROW_AUDIT_PAGE: after the rows. */
struct m_audit_page {
	char cursor[WIRE_AUDIT_CURSOR]; /* "" when there can be nothing more */
	uint32_t rows;
	uint32_t end; /* of the trail, as it is now */
};
/* M_AUDIT_WHERE: what idectl needs to verify the trail itself. */
#define WIRE_AUDIT_PATH 1104
struct m_audit_where {
	char data[WIRE_AUDIT_PATH]; /* `data' of the configuration; "" when nothing is
				       audited */
	char file[WIRE_AUDIT_PATH]; /* "" when there is none */
	uint64_t first;
	uint64_t head;
	uint8_t hash[WIRE_HASH256];
};

/* M_LIMITED: so often, since it was told last, an address was refused (refused.h). */
struct m_limited {
	uint8_t key[16]; /* an address, or a /64; zeros: several */
	uint32_t class;  /* enum wire_limit */
	uint32_t count;
};
/* M_LIMITS: addresses that were refused, or come near it. */
#define WIRE_TOPS 16 /* of each class */
struct wire_top {
	uint8_t key[16];
	uint32_t class;
	uint32_t of;
	uint32_t used;
	uint32_t refused;
	int64_t reset; /* seconds until some of it counts no more */
};
struct m_limits {
	uint32_t count;
	uint32_t pad;
	struct wire_top top[(LIMIT_CLASSES - 1) * WIRE_TOPS];
};
/* M_ROW_LIMIT: the same for people, of users and logins as well. */
struct m_limit {
	char limit[8]; /* login, web, api, user */
	char who[56];  /* an address, or a user's name */
	uint32_t of;
	uint32_t used;
	uint32_t refused;
	uint32_t pad;
	int64_t reset;
};

/* M_BACKUP: it may begin, and lie beside the keys, which are root's alone. */
struct m_backup {
	char data[WIRE_AUDIT_PATH]; /* `data' of the configuration */
};

/* M_AUDIT_ROTATE: the day that the file is of, since the epoch. */
struct m_audit_rotate {
	int64_t day;
};

/*
 * One record of the audit trail (audit_record.h); M_ROW_AUDIT.  detail holds
 * len bytes: name, NUL, 's' or 'n' (a string, a number), value, NUL, and so on.
 */
#define WIRE_AUDIT_ACTOR  64
#define WIRE_AUDIT_DETAIL 1536
struct m_audit {
	uint64_t seq;
	int64_t time; /* milliseconds since the epoch, of the wall clock */
	char event[WIRE_EVENT];
	char outcome[16];
	char actor[WIRE_AUDIT_ACTOR];
	char source[48];
	char user[WIRE_EMAIL];
	char session[WIRE_SESSION];
	char rid[WIRE_RID];
	char pad[7];
	char agent[WIRE_AGENT];
	uint32_t len;
	uint32_t pad2;
	char detail[WIRE_AUDIT_DETAIL];
	uint8_t prev[WIRE_HASH256];
	uint8_t hash[WIRE_HASH256];
};

/* Between isolation and ide-session: see bin/ide-session. */
struct m_session_what {
	uint32_t what; /* enum wire_what */
	uint32_t port; /* of WHAT_PORT */
};
enum wire_what { WHAT_IDE = 1, WHAT_PORT };

struct m_session_state {
	uint32_t ide_running;
	uint32_t ide_restarts;
};

#endif
