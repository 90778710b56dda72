/*
 * auth: users, sessions and policy.  The only process that opens the store; it
 * reads no byte from the network and has no capability.
 *
 * One thread, one event loop.  Nothing in it waits: what takes time is a hash
 * (hash helpers), a sandbox (isolation) or a commit of the store, and each of
 * them is bounded per worker, per user and in all.
 */
#ifndef AUTH_AUTH_H
#define AUTH_AUTH_H

#include <sys/types.h>

#include <netinet/in.h>

#include <event2/event.h>

#include <bsd/sys/queue.h>
#include <bsd/sys/tree.h>

#include <stdbool.h>
#include <stdint.h>

#include "../addr_text.h"
#include "../chan.h"
#include "../confsend.h"
#include "../lease.h"
#include "../log.h"
#include "../sandbox.h"
#include "audit.h"
#include "store.h"

/* auth.c */
struct auth {
	struct event_base *base;
	struct conf_for_auth conf;
	struct store *store;
	struct chan master;
	struct chan isolation;
	struct chan keys; /* closed while there is none */
	int64_t started;
	struct wire_notes notes;
	struct {
		uint64_t logins;
		uint64_t failed;
		uint64_t limited;
		uint64_t expired;
		uint64_t revoked;
	} count;
};

extern struct auth auth;

/* auth_util.c: a step of the machine's clock moves no session's end. */
int64_t auth_now(void); /* seconds since the epoch */
int64_t auth_now_ms(void);
int64_t auth_ms(void); /* milliseconds of no particular epoch */

/* auth_worker.c: one channel per worker. */
struct live;

struct worker {
	TAILQ_ENTRY(worker) entry;
	LIST_ENTRY(worker) of_session;
	struct chan chan;
	uint64_t id; /* as master knows it */
	struct wire_addr source;
	char from[INET6_ADDRSTRLEN];
	uint32_t uid; /* 0: bound to nobody yet */
	char user[WIRE_NAME];
	/* What it asks next is for this request. */
	char rid[WIRE_RID];
	char agent[WIRE_AGENT];
	bool told;                 /* ... as it has just said */
	bool itself;               /* a page does it, whether anybody is there or not */
	bool holds;                /* the sandbox, as nothing tells who is there */
	permits have;              /* what its user's roles permit */
	bool changing;             /* the password must be changed first */
	permits scopes;            /* ... and what its token is limited to */
	int64_t until;             /* its access token's end; 0: it has none */
	struct token_issue *issue; /* tokens that are being signed for it */
	struct lease lease[LIMIT_CLASSES];
	struct live *live; /* the session that it acts for */
	uint16_t port;     /* that it is for, of chan.state S_PORT; 0: none */
	bool visits;       /* it is for what somebody shares: S_SHARE */
	struct wire_share share;
	bool over;       /* revoked or logged out: nothing more */
	int64_t back_by; /* when it must have said who it is; 0: any time */
	int32_t credit;  /* see worker_charge() */
	int64_t credit_at;
	struct event *timer;
};

/* Work that a worker causes. */
enum cost {
	COST_LOOK = 1,
	COST_ASK = 5,
	COST_COMMIT = 20,
};
/* auth_worker_ask.c: what each message does; in which state it is taken, msg.h says. */
extern const struct chan_handler worker_handlers[];
void worker_charge(struct worker *, enum cost);
/* What is done now is for its request: audit_request(). */
void worker_request(const struct worker *);
/* It broke a rule that the table does not know; it is gone. */
void worker_bad(struct worker *, const char *why);
void worker_new(const struct m_worker *, int fd);
void worker_close(struct worker *);
bool worker_bind(
    struct worker *, const struct store_account *, const struct store_session *);
/* The same, for one port and nothing else. */
bool worker_bind_port(struct worker *, const struct store_account *,
    const struct store_session *, uint16_t port);
/* ... for a shared port and nothing else, as a visitor; as nobody at all. */
bool worker_bind_share(struct worker *, const struct store_account *,
    const struct store_session *, const struct wire_share *);
void worker_bind_guest(struct worker *, const struct wire_share *);
struct worker *worker_first(void);
void worker_revoke(struct worker *, enum wire_revoked);
/* Roles have another meaning: of those who are bound, too. */
void worker_roles(void);
/* Its user has changed the password. */
void worker_changed(struct worker *);
void worker_note(const struct worker *, enum wire_note);
/* The same about a source, whose worker (id, or 0) may be gone. */
void source_note(uint64_t id, const struct wire_addr *, enum wire_note);
/* Those who were bound under an earlier auth have so long to say to whom. */
void worker_tick(void);
/* Those whose access token is over. */
void worker_until(int64_t now);
void worker_who(struct worker *, uint32_t id, enum wire_auth, uint32_t retry_after);
void worker_who_ok(struct worker *, uint32_t id, const uint8_t *token,
    const struct store_account *, const struct store_session *);
void worker_who_is(
    struct wire_who *, const struct store_account *, const struct store_session *);
void worker_fail(struct worker *, uint32_t id, enum wire_fail, const char *text);
void worker_ok(struct worker *, uint32_t id, const char *text);
void worker_store_fail(struct worker *, uint32_t id, enum store_result);
void worker_who_fill(
    struct wire_who *, const struct store_account *, const struct store_session *);
unsigned int worker_count(void);
unsigned int worker_bound(void); /* of them, to some user */
/* Nothing more is taken of it: it has had its last answer. */
void worker_end(struct worker *);

/* auth_session.c: sessions, and those that some worker acts for right now. */
struct live {
	RB_ENTRY(live) entry;
	char id[WIRE_SESSION];
	uint8_t key[STORE_KEY];
	uint32_t uid;
	int64_t created;
	int64_t seen;
	int64_t flushed; /* what the store knows of seen */
	int64_t expires;
	uint8_t kind; /* enum store_kind */
	unsigned int nworkers;
	LIST_HEAD(, worker) workers;
};

/* 256 random bits, and what the store keeps of them. */
void session_token(uint8_t token[WIRE_TOKEN], uint8_t key[STORE_KEY]);
/* With room made for it; it is not in the store yet. */
enum store_result session_new(const struct store_account *, const struct wire_addr *,
    const char *agent, uint8_t token[WIRE_TOKEN], struct store_session *);
enum store_result session_find(
    const uint8_t token[WIRE_TOKEN], struct store_session *, struct store_account *);
enum store_result session_find_id(
    const char *id, struct store_session *, struct store_account *);
enum store_result session_revoke(
    const struct store_session *, enum wire_revoked, const char *by);
enum store_result session_revoke_user(uint32_t uid, enum wire_revoked, const char *by);
/* Of several, in one go: uids that go up. */
enum store_result session_revoke_users(
    const uint32_t *uid, size_t n, enum wire_revoked, const char *by);
/* All of the worker's user but its own. */
enum store_result session_revoke_others(struct worker *, enum wire_revoked);
/* The same for sessions that the store has forgotten already. */
void session_drop_user(uint32_t uid, enum wire_revoked);
/* A family of tokens, instead. */
void session_family(struct store_session *);
/* Those who act for what has that public id. */
void session_drop(const char *id, enum wire_revoked);
void session_join(struct worker *, const struct store_session *);
void session_leave(struct worker *);
void session_beat(struct live *);
void session_beat_at(struct live *, int64_t at);
void session_row(const struct store_session *, const char *user, const char *current,
    struct m_session *);
unsigned int session_live(void); /* that some worker acts for */
void session_tick(void);
void session_flush(void);

/* auth_present.c: users with a connection, or a sandbox that waits to be idle. */
void present_bind(const struct worker *);
void present_unbind(const struct worker *);
void present_hold(uint32_t uid, bool on);
/* Something was done: now, or then. */
void present_beat(uint32_t uid);
void present_beat_at(uint32_t uid, int64_t at);
/* What idle sandboxes come to first: their sleep, or their end; after so long. */
int64_t present_first(void);
/* Whether somebody has just done something. */
bool present_attended(uint32_t uid);
void present_last(uint32_t uid, const char *query);
/* What the store does not know yet; NULL when it knows. */
const char *present_query(uint32_t uid);
bool present_idle(uint32_t uid, int64_t duration);
bool present_rests(const struct m_sandbox *, int64_t duration);
/* Why it still runs, and for how long; or why it does not. */
void present_tell(struct m_sandbox *);
/* It is about to end, for that reason. */
void present_ends(uint32_t uid, enum wire_why why);
void present_gone(uint32_t uid, const char *name);
/* Whether the sandbox was known to be open, and whether it is now. */
bool present_open(uint32_t uid, bool open);
void present_tick(void);
void present_flush(void);

/* auth_login.c */
void login_start(struct worker *, uint32_t id, struct m_login *);
void login_forget(const struct worker *);
void login_kick(void);
void login_tick(void);
void login_config(void);
/* Sources of failed logins. */
size_t login_top(struct wire_top *, size_t max);
/* Who tells a password elsewhere is held to the same limits; each begin has its end. */
bool login_gate_begin(const struct wire_addr *, const char *name, uint32_t *retry);
void login_gate_end(const struct wire_addr *, const char *name, bool failed);

/* auth_hash.c: the hash helpers and the queue before them. */
typedef void (*hash_fn)(void *owner, uint32_t tag, enum wire_hashed, const char *encoded);
void hash_join(int fd);
bool hash_present(void);
unsigned int hash_free(void);
bool hash_make(const char *password, hash_fn, void *owner, uint32_t tag);
bool hash_verify(
    const char *password, const char *encoded, hash_fn, void *owner, uint32_t tag);
void hash_forget(const void *owner);
void hash_tick(void);

/* auth_ask.c: questions to isolation and master.  m is NULL when no answer came
 * in time; the function returns whether that was the last one. */
typedef bool (*ask_fn)(void *owner, uint32_t tag, struct msg *m);
uint32_t ask(struct chan *, enum msg_type, const void *payload, size_t len, int timeout,
    ask_fn, void *owner, uint32_t tag);
unsigned int ask_count(const void *owner);
unsigned int ask_count_user(uint32_t uid);
void ask_forget(const void *owner);
/* Which port or location a question is about, whose answer is just being looked at;
 * 0: none. */
uint16_t ask_which(uint32_t id);
void ask_which_set(uint32_t id, uint16_t what);
void ask_answer(struct chan *, struct msg *);
void ask_tick(void);

/* auth_stats.c: figures for master. */
void on_tally_ask(struct chan *, struct msg *);

/* auth_keys.c: the channel to keys, joined by isolation. */
void keys_join(int fd);
/* auth_port.c: ports of a sandbox, and the sign-on of their origins */
bool sandbox_port_allowed(uint16_t port);
void sandbox_port_code(struct worker *, uint32_t id, const struct m_port_code *);
void sandbox_port_enter(struct worker *, uint32_t id, const struct m_port_enter *);
void sandbox_port_token(struct worker *, uint32_t id, const struct m_port_token *);
void sandbox_port_fd(struct worker *, uint32_t id, uint16_t port, struct msg *);

/* auth_limit.c: rate limits of users. */
void limit_config(void);
void limit_bind(struct worker *);
void limit_close(struct worker *);
void limit_on_word(struct chan *, struct msg *);
void limit_tick(void);
/* Users that come near a limit: of a class, or LIMIT_USER. */
size_t limit_top(uint32_t class, struct wire_top *, size_t max);

/* auth_refused.c: into the audit trail. */
bool refused_user(const struct m_limited *); /* true: it is told */
void refused_address(const struct m_limited *);

/* token.c: tokens as JWT; token_api.c: API tokens. */
void token_login(struct worker *, uint32_t id, const struct store_account *,
    const struct store_session *);
void token_forget(struct worker *);
void token_tick(void);
void token_on_use(struct chan *, struct msg *);
void token_on_refresh(struct chan *, struct msg *);
void token_on_jwks(struct chan *, struct msg *);
void token_on_api(struct chan *, struct msg *);
void token_on_add(struct chan *, struct msg *);
void token_on_list(struct chan *, struct msg *);
void token_on_end(struct chan *, struct msg *);

/* auth_audit.c */
void audit_on_query(struct chan *, struct msg *);

/* auth_location.c: services of the site's own. */
void location_on_connect(struct chan *, struct msg *);
void location_on_file(struct chan *, struct msg *);
void location_on_sign(struct chan *, struct msg *);
/*
 * auth_assertion.c: as says of whom (name, uid, session), to whom (location) and as what
 * (roles), the rest is set here; the worker gets M_LOCATION_SIGNED or M_FAIL.
 */
void assertion_sign(struct worker *, uint32_t id, struct wire_assertion *as);
/* Services that nobody is let through to for now, and how often that came about. */
void location_stats(uint32_t *failing, uint32_t *failed);

/* auth_sandbox.c */
bool sandbox_may_ask(struct worker *, uint32_t id);
/* What isolation refused, to who asked for it. */
void sandbox_pass_fail(struct worker *, uint32_t id, const struct msg *);
void sandbox_port(struct worker *, uint32_t id, uint16_t port);
void sandbox_ide(struct worker *, uint32_t id);
void sandbox_portal(struct worker *, uint32_t id);
void sandbox_stop_user(uint32_t uid, const char *name, enum wire_why why);
void sandbox_idle(void);
void memory_rows(struct chan *, uint32_t id, struct msg *);
void sandbox_payload(struct m_sb *, uint32_t uid, const char *name);

/* Its limits are other ones now. */
void sandbox_limits_user(uint32_t uid, const char *name);
/* Its user is there, in a browser, and may want it soon. */
void sandbox_coming(uint32_t uid, const char *name);

/* auth_settings.c */
void settings_flush(void);
void settings_forget(uint32_t uid);

/* auth_update.c: the newest release, by the feed that the configuration names. */
void update_config(void);
void update_tick(void);
void update_on_join(struct chan *, struct msg *);
void update_on_ask(struct chan *, struct msg *);
void update_stats(struct wire_release *);

/* auth_admin.c: the first administrator; done is called in any case. */
void admin_first(void (*done)(void));

/* auth_single.c */
void single_first(void (*done)(void));
/* May that account be let in?  An active one; unless it is mode multi, the one. */
bool account_usable(const struct store_account *);
/* The token of those who show none, and the session it stands for: see there. */
bool single_token(const uint8_t token[WIRE_TOKEN]);
enum store_result single_session(const uint8_t key[STORE_KEY], struct store_session *);

/* auth_ctl.c: the control socket; auth_reload.c */
struct ctl;

void ctl_listen(int fd);
void reload_start(struct ctl *);
void reload_forget(const struct ctl *);

/* auth_backup.c: one at a time. */
bool backup_running(void);

/* auth_util.c */
/* What counts as one source: an IPv4 address, an IPv6 /64. */
void addr_prefix(const struct wire_addr *, uint8_t prefix[16]);
void fold(char *); /* to lower case, ASCII only */

/* What those roles of an account permit, as the configuration has them now. */
permits account_permits(const struct store_account *);
/* Returns name; "" for one that is not there. */
const char *account_name(uint32_t uid, char name[WIRE_NAME]);

/* seccomp_auth.c */
extern const struct sandbox sandbox_auth;

#endif
