/*
 * What messages about accounts carry, those of the API and of idectl alike: see
 * wire.h.
 *
 * A request's strings are empty, and its numbers 0, where nothing was said; where that
 * is something too, a bit in "set" tells.
 */
#ifndef PRIVSEP_WIRE_ACCOUNT_H
#define PRIVSEP_WIRE_ACCOUNT_H

#include <stdint.h>

#define WIRE_DISPLAY  200 /* a name to show: at most 64 characters */
#define WIRE_ROLES    272 /* names of roles, a space between them */
#define WIRE_METADATA 1024
#define WIRE_SETTINGS 12288
#define WIRE_CURSOR   128
#define WIRE_FIND     72
#define WIRE_PERMITS  512
#define WIRE_RESET    32 /* random bytes of a one-time link */

/*
 * A creating call that may come twice: hashes of its Idempotency-Key and of all that
 * it says.  All zero: there is none.
 */
struct wire_once {
	uint8_t key[32];
	uint8_t body[32];
};

enum wire_account {
	ACCOUNT_ACTIVE = 1,
	ACCOUNT_DISABLED,
	ACCOUNT_PENDING, /* registered, and not approved yet */
};

/* M_ROW_ACCOUNT */
struct m_account {
	char name[WIRE_NAME];
	char email[WIRE_EMAIL];
	char display[WIRE_DISPLAY];
	char roles[WIRE_ROLES];
	char metadata[WIRE_METADATA]; /* a JSON object, which only workers read */
	char permits[WIRE_PERMITS];
	uint32_t uid;
	uint32_t state; /* enum wire_account */
	uint32_t must_change;
	uint32_t sessions;
	uint32_t version;
	uint32_t reset; /* a one-time link is out */
	int64_t created;
	int64_t updated;
	int64_t last_login;
	int64_t password_at;
	struct wire_limits limits;
};

/* M_REGISTER, M_USER_ADD, M_USER_PUT, M_ME_PUT */
struct m_account_edit {
	char user[WIRE_NAME]; /* whom it is about: a name, or a uid in digits */
	char name[WIRE_NAME]; /* of a new one */
	char email[WIRE_EMAIL];
	char display[WIRE_DISPLAY];
	char roles[WIRE_ROLES];
	char metadata[WIRE_METADATA];
	char password[WIRE_PASSWORD];
	char pad[2];
	uint32_t set;     /* EDIT_* */
	uint32_t version; /* that was seen; 0: whichever it is */
	uint32_t active;
	uint32_t must_change;
	uint32_t
	    lookalike; /* it may look like what others have: an administrator's word */
	struct wire_once once;
};
#define EDIT_EMAIL       0x001
#define EDIT_DISPLAY     0x002
#define EDIT_ROLES       0x004
#define EDIT_METADATA    0x008
#define EDIT_PASSWORD    0x010
#define EDIT_ACTIVE      0x020
#define EDIT_MUST_CHANGE 0x040

/* M_USER_LIMITS */
struct m_account_limits {
	char user[WIRE_NAME];
	char pad[3];
	uint32_t set;     /* LIMIT_*: which of them */
	uint32_t version; /* of the account, as whoever changes them saw it; 0: any */
	uint32_t pad2;
	struct wire_limits limits;
};

/* M_USER_GET, M_USER_APPROVE, M_USER_DISABLE, M_USER_ENABLE, M_USER_RESET,
 * M_SANDBOX_KILL, M_SESSIONS_KILL, and those that need no user */
struct m_account_ref {
	char user[WIRE_NAME];
	char pad[7];
};

/* M_ME_ACTIVITY: a page of the user's tells when something was last done in it. */
struct m_activity {
	uint32_t idle; /* seconds since then */
	uint32_t pad;
};

/* M_USER_DELETE; M_ROW_DELETED */
struct m_account_delete {
	char user[WIRE_NAME];
	char pad[3];
	uint32_t workspace; /* enum wire_workspace */
	uint32_t version;   /* that was seen; 0: whichever it is */
};
enum wire_workspace { WORKSPACE_KEEP = 1, WORKSPACE_REMOVE };
struct m_account_deleted {
	char name[WIRE_NAME];
	char pad[7];
	uint32_t uid;
	uint32_t workspace; /* what became of it */
	char path[WIRE_TEXT];
};

/* A page of a list.  What does not concern a list is empty. */
struct m_list {
	char cursor[WIRE_CURSOR]; /* where the page before ended */
	char find[WIRE_FIND];     /* part of a name or an address */
	char user[WIRE_NAME];
	char role[WIRE_ROLE];
	char pad[2];
	uint32_t state; /* enum wire_account */
	uint32_t limit; /* rows, 1 to WIRE_ROWS */
};
#define WIRE_ROWS 200
/* M_PAGE ends a page; next is empty after the last. */
struct m_page {
	char next[WIRE_CURSOR];
};

/* M_ME_PASSWORD */
struct m_password {
	char old[WIRE_PASSWORD];
	char fresh[WIRE_PASSWORD];
	char pad[6];
};

/* M_ROW_RESET: the one-time link's secret, and M_RESET_USE, which spends it. */
struct m_reset {
	char name[WIRE_NAME];
	char pad[7];
	uint8_t token[WIRE_RESET];
	int64_t expires;
};
struct m_reset_use {
	uint8_t token[WIRE_RESET];
	char password[WIRE_PASSWORD];
	char pad[7];
};

/* M_SETTINGS_PUT, M_ROW_SETTINGS: a JSON object, which only workers read. */
struct m_settings {
	uint64_t version; /* that it was made from */
	char text[WIRE_SETTINGS];
};

/* M_SESSION_KILL, M_ME_SESSION_END; likewise M_TOKEN_END, M_USER_TOKEN_END */
struct m_session_ref {
	char session[WIRE_SESSION];
	char pad[7];
};

/* M_ROW_ROLE */
struct m_role {
	char name[WIRE_ROLE];
	char pad[3];
	uint32_t builtin;
	char permits[WIRE_PERMITS];
};

/* M_ROW_STATS */
struct m_stats {
	char version[16];
	int64_t started;
	uint32_t users;
	uint32_t users_active;
	uint32_t users_disabled;
	uint32_t users_pending;
	uint32_t sessions;
	uint32_t sessions_live; /* that a connection acts for */
	uint32_t connections;   /* of users who are known */
	uint32_t sandboxes;
	uint64_t logins;
	uint64_t logins_failed;
	uint64_t logins_limited;
	uint64_t sessions_expired;
	uint64_t sessions_revoked;
	uint64_t accepted;
	uint64_t refused;
	uint64_t requests;
	uint64_t crashes;
	uint32_t workers;
	uint32_t spare;
	uint32_t unauthenticated;
	uint32_t penalised;
	struct wire_notes notes;
	uint32_t services_failing; /* that nobody is let through to for now */
	uint32_t services_failed;  /* how often that came about */
};

#endif
