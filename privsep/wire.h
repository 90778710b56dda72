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
#define WIRE_FIELD    32 /* name of a field of a request */

#define wire_str(a) (memchr((a), '\0', sizeof(a)) != NULL)

/* Where a connection comes from; IPv4 is mapped into IPv6.  All zero: unix. */
struct wire_addr {
	uint8_t ip[16];
	uint16_t port;
	uint8_t unix_peer;
	uint8_t pad[5];
};

/* By job; in this order, as some hold what is in those before. */
#include "wire_sandbox.h"
#include "wire_account.h"
#include "wire_audit.h"
#include "wire_metrics.h"
#include "wire_port.h"
#include "wire_worker.h"

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
	uint8_t flags; /* REQUEST_* */
	char pad[6];
};
#define REQUEST_ITSELF 0x01 /* a page does it, whether anybody is there or not */

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

/* M_HOLD: there is a WebSocket, and nothing that tells whether somebody is at it; or
 * there is none any more.  It has no answer. */
struct m_hold {
	uint32_t on;
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

/* M_BACKUP: it may begin, and lie beside the keys, which are root's alone. */
struct m_backup {
	char data[WIRE_AUDIT_PATH]; /* `data' of the configuration */
};

/* They hold a struct wire_who. */
#include "wire_token.h"
#include "wire_location.h"

#endif
