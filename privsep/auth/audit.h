/*
 * The audit trail: what happened, to whom, who did it, from where, and what came
 * of it.  This is the one list of what is audited:
 *
 *	A(name, event, level, outcome, flags, keys)
 *
 * name     AUDIT_<name> in the code
 * event    noun.verb, in records and in the log, where every record is a line too
 * level    of that line
 * outcome  ok, denied or failed, unless the caller gives another one
 * flags    L_NONE: it is about to be done, and is not where it cannot be recorded;
 *          L_FACT: it has happened already.  Where strangers can cause a fact at
 *          will, lines in the log (L_LOG), or the records as well (L_ALL), come at a
 *          bounded rate; the number of those left out is a record of its own
 * keys     what may be said of it.  actor (who did it), user (whom it is about),
 *          source, agent, session, rid and outcome are columns of every record,
 *          any other key is a detail of this event
 *
 * No key ever holds a password, a token, or what a user's file or terminal holds.
 */
#ifndef AUTH_AUDIT_H
#define AUTH_AUDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../log.h"

enum audit_flags {
	L_NONE = 0,
	L_FACT = 0x1,
	L_LOG = 0x2 | L_FACT,
	L_ALL = 0x4 | L_FACT,
};

/* clang-format off */
#define AUDIT_TABLE(A)								\
/* Logins and sessions. */							\
A(LOGIN_OK,	"login.ok",	LOG_INFO,	"ok",	  L_NONE, "user source session rid actor agent")	\
A(LOGIN_FAILED,	"login.failed",	LOG_NOTICE,	"denied", L_LOG,  "user source rid agent")		\
A(LOGIN_LIMITED, "login.limited", LOG_NOTICE,	"denied", L_ALL,  "user source retry rid agent")	\
A(LOGIN_ERROR,	"login.error",	LOG_WARNING,	"failed", L_FACT, "user source rid why agent")		\
A(LOGOUT,	"logout",	LOG_INFO,	"ok",	  L_NONE, "user source session actor")		\
A(SESSION_REVOKED, "session.revoked", LOG_INFO,	"ok",	  L_NONE, "session uid reason actor user")	\
/* Tokens. */									\
A(TOKEN_REFRESHED, "token.refreshed", LOG_INFO,	"ok",	  L_NONE, "user source session actor")		\
A(TOKEN_REUSED,	"token.reused",	LOG_WARNING,	"denied", L_FACT, "user source session generation actor") \
A(TOKEN_DENIED,	"token.denied",	LOG_NOTICE,	"denied", L_ALL,  "source why")				\
A(TOKEN_ADDED,	"token.added",	LOG_NOTICE,	"ok",	  L_NONE, "user source session token name scopes expires actor") \
A(TOKEN_REVOKED, "token.revoked", LOG_NOTICE,	"ok",	  L_NONE, "user source token name actor")	\
A(TOKEN_ROTATED, "token.rotated", LOG_NOTICE,	"ok",	  L_NONE, "forget actor")			\
/* Accounts. */									\
A(USER_ADDED,	"user.added",	LOG_NOTICE,	"ok",	  L_NONE, "user uid role actor source rid agent text") \
A(USER_PASSWORD, "user.password", LOG_NOTICE,	"ok",	  L_NONE, "user uid role actor source rid agent text") \
A(USER_DISABLED, "user.disabled", LOG_NOTICE,	"ok",	  L_NONE, "user uid role actor source rid agent text") \
A(USER_ENABLED,	"user.enabled",	LOG_NOTICE,	"ok",	  L_NONE, "user uid role actor source rid agent text") \
A(USER_DELETED,	"user.deleted",	LOG_NOTICE,	"ok",	  L_NONE, "user uid role actor source rid agent text") \
A(USER_REGISTERED, "user.registered", LOG_NOTICE, "ok",	  L_NONE, "user uid role actor source rid agent text") \
A(USER_APPROVED, "user.approved", LOG_NOTICE,	"ok",	  L_NONE, "user uid role actor source rid agent text") \
A(USER_CHANGED,	"user.changed",	LOG_NOTICE,	"ok",	  L_NONE, "user uid role actor source rid agent text") \
A(USER_LIMITS,	"user.limits",	LOG_NOTICE,	"ok",	  L_NONE, "user uid role actor source rid agent text") \
A(USER_RESET,	"user.reset",	LOG_NOTICE,	"ok",	  L_NONE, "user uid role actor source rid agent text") \
A(USER_RESET_USED, "user.reset.used", LOG_NOTICE, "ok",	  L_NONE, "user uid role actor source rid agent text") \
A(USER_PASSWORD_WRONG, "user.password.wrong", LOG_NOTICE, "denied", L_LOG, "user uid role actor source rid agent text") \
A(USER_ERROR,	"user.error",	LOG_WARNING,	"failed", L_FACT, "user event why actor")		\
/* Sandboxes. */								\
A(SANDBOX_OPEN,	"sandbox.open",	LOG_INFO,	"ok",	  L_NONE, "user source session rid actor")	\
A(SANDBOX_GONE,	"sandbox.gone",	LOG_INFO,	"ok",	  L_FACT, "uid user")				\
A(SANDBOX_MEMORY, "sandbox.memory", LOG_WARNING, "ok",	  L_ALL,  "user uid event used max process text") \
A(SANDBOX_STORAGE, "sandbox.storage", LOG_WARNING, "ok",  L_ALL,  "user uid event by used max files files_max") \
A(SANDBOX_STOP,	"sandbox.stop",	LOG_NOTICE,	"ok",	  L_NONE, "user actor")				\
A(SANDBOX_STOPPED, "sandbox.stopped", LOG_INFO,	"ok",	  L_FACT, "user uid")				\
A(SANDBOX_STOP_FAILED, "sandbox.stop.failed", LOG_WARNING, "failed", L_FACT, "user uid")			\
A(SANDBOX_FROZEN, "sandbox.frozen", LOG_INFO,	"ok",	  L_FACT, "user uid")				\
A(SANDBOX_ORPHAN, "sandbox.orphan", LOG_NOTICE,	"ok",	  L_FACT, "user uid")				\
A(SANDBOX_IDLE,	"sandbox.idle",	LOG_INFO,	"ok",	  L_FACT, "user uid")				\
A(SANDBOX_EXEC,	"sandbox.exec",	LOG_NOTICE,	"ok",	  L_NONE, "actor user argc argv")		\
A(SANDBOX_EXEC_END, "sandbox.exec.end", LOG_NOTICE, "ok", L_FACT, "actor status")			\
/* Ports: the sign-on of an origin of their own. */				\
A(PORT_ENTERED,	"port.entered",	LOG_INFO,	"ok",	  L_NONE, "user source session port actor")	\
A(PORT_DENIED,	"port.denied",	LOG_NOTICE,	"denied", L_ALL,  "source port why")			\
/* ... and those that are shared. */						\
A(PORT_SHARED,	"port.shared",	LOG_NOTICE,	"ok",	  L_NONE, "user port share with expires actor source rid")	\
A(PORT_UNSHARED, "port.unshared", LOG_NOTICE,	"ok",	  L_FACT, "user port share reason actor")	\
A(PORT_VISITED,	"port.visited",	LOG_INFO,	"ok",	  L_ALL,  "user owner source session port share actor")	\
/* The daemon itself. */							\
A(RELOAD,	"reload",	LOG_NOTICE,	"ok",	  L_NONE, "actor")				\
A(RELOAD_CHANGED, "reload.changed", LOG_NOTICE,	"ok",	  L_FACT, "keyword old new actor")		\
A(RELOAD_DONE,	"reload.done",	LOG_NOTICE,	"ok",	  L_FACT, "text changes actor")			\
A(RELOAD_REFUSED, "reload.refused", LOG_WARNING, "failed", L_FACT, "text errors why actor")		\
A(STOP,		"stop",		LOG_NOTICE,	"ok",	  L_FACT, "actor")				\
A(UPGRADE,	"upgrade",	LOG_NOTICE,	"ok",	  L_NONE, "actor")				\
A(UPGRADE_LEAVE, "upgrade.leave", LOG_NOTICE,	"ok",	  L_FACT, "actor successor")			\
A(BACKUP,	"backup",	LOG_NOTICE,	"ok",	  L_NONE, "actor")				\
A(BACKUP_END,	"backup.end",	LOG_NOTICE,	"ok",	  L_FACT, "actor bytes through why")		\
A(RESTORED,	"restored",	LOG_WARNING,	"ok",	  L_FACT, "made_ms restored_ms")		\
/* Who broke a rule. */								\
A(WORKER_VIOLATION, "worker.violation", LOG_WARNING, "denied", L_ALL, "worker source user why")		\
A(WORKER_OTHER_USER, "worker.other_user", LOG_NOTICE, "denied", L_ALL, "worker user source")		\
A(ACCESS_DENIED,	"access.denied", LOG_NOTICE,	"denied", L_ALL,  "user source message permission actor")	\
A(SOURCE_PENALISED, "source.penalised", LOG_NOTICE, "denied", L_ALL, "source seconds why")		\
A(LIMIT_REFUSED, "ratelimit.refused", LOG_NOTICE, "denied", L_FACT, "user source limit refused")		\
A(IDECTL_VIOLATION, "idectl.violation", LOG_WARNING, "denied", L_FACT, "actor why")			\
A(IDECTL_REFUSED, "idectl.refused", LOG_WARNING, "denied", L_ALL, "uid")				\
/* The trail itself. */								\
A(TRAIL_READ,	"audit.read",	LOG_INFO,	"ok",	  L_NONE, "actor source filter")		\
A(TRAIL_START,	"audit.start",	LOG_INFO,	"ok",	  L_FACT, "version torn")			\
A(TRAIL_STOP,	"audit.stop",	LOG_INFO,	"ok",	  L_FACT, "why")				\
A(TRAIL_FILE,	"audit.file",	LOG_INFO,	"ok",	  L_FACT, "file")				\
A(TRAIL_FILE_ODD, "audit.file.odd", LOG_WARNING, "failed", L_FACT, "file why")				\
A(TRAIL_CHECKPOINT, "audit.checkpoint", LOG_DEBUG, "ok",  L_FACT, "of hash key signature time_ms")	\
A(TRAIL_OLDER,	"audit.older",	LOG_ERR,	"failed", L_FACT, "head signed")			\
A(TRAIL_PRUNED,	"audit.pruned",	LOG_INFO,	"ok",	  L_FACT, "through")				\
A(TRAIL_SUPPRESSED, "audit.suppressed", LOG_WARNING, "ok", L_FACT, "event records source user most")	\
A(TRAIL_FULL,	"audit.full",	LOG_WARNING,	"failed", L_FACT, "refused lost")			\
A(TRAIL_SYSLOG,	"audit.syslog",	LOG_WARNING,	"failed", L_FACT, "lost")				\
A(TRAIL_CLOCK,	"audit.clock",	LOG_WARNING,	"ok",	  L_FACT, "by_ms")				\
/* end */
/* clang-format on */

#define A_ENUM_(n, ...) AUDIT_##n,
enum audit_event { AUDIT_TABLE(A_ENUM_) AUDIT_MAX };
#undef A_ENUM_

struct audit_row {
	const char *event;
	int level;
	const char *outcome;
	unsigned int flags; /* enum audit_flags */
	const char *keys;
};
extern const struct audit_row audit_table[AUDIT_MAX];

/*
 * audit_event(AUDIT_LOGIN_OK, LOG_S("user", name), LOG_S("actor", name), ...);
 *
 * Called before what it is about is done, and before its answer: nothing that auth
 * sends afterwards leaves before the record is on the disk.  False when it cannot
 * be written: then it is not to be done, and the answer is AUDIT_REFUSED.  What has
 * happened anyway is kept until there is room.  When what was announced fails
 * after all, a second record says so.
 */
#define audit_event(event, ...)                                                          \
	audit_event_values((event),                                                      \
	    (const struct log_value[]){ __VA_ARGS__, { LOG_VALUE_END, NULL, NULL, 0 } })
bool audit_event_values(enum audit_event, const struct log_value *);

/*
 * What auth does from here on is for a request from that address: records have these
 * columns, where they say nothing else.  Over when the handler has run (chan_after()).
 */
void audit_request(
    const char *source, const char *agent, const char *rid, const char *session);
void audit_no_request(void);

#define AUDIT_REFUSED "the audit trail cannot be written: no space is left"

/* Before the sandbox: the folder. */
void audit_prepare(const char *dir);
/* A configuration is in effect, the first one or another. */
void audit_config(void);
/* The file to write to, from isolation. */
void audit_take_file(int fd);
void audit_tick(void);
/* What was recorded is on the disk when this returns; it does so or ends. */
void audit_flush(void);
bool audit_waits(void); /* a record would be accepted, and is then waited for */
/* Records made, what was refused as none could be, and what syslog lost of them,
 * since auth began. */
void audit_counts(uint64_t *records, uint64_t *refused, uint64_t *lost);
void audit_close(const char *why);
/* audit_query.c: questions to the trail, of a worker or of idectl. */
struct chan;
struct m_audit_query;
void audit_query(struct chan *, uint32_t id, const struct m_audit_query *, void *owner,
    const char *actor, const char *source, void (*done)(void *owner));
void audit_query_forget(const void *owner);
/* There is more to read. */
void audit_query_kick(void);

/* What the trail is kept in; NULL while nothing is audited. */
struct audit_store *audit_trail(void);

#endif
