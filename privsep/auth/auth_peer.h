/*
 * Those who ask for something of the API: a worker for its user, or idectl for
 * root.  Both say the same messages (msg.h), and what answers them here knows no
 * difference but this: who it is, and what may be done.
 *
 * A handler begins with asker_begin(), which has checked every string of the
 * message, charged the worker for it and, for idectl, begun a command.  It ends with
 * one of asker_ok(), asker_page() and asker_fail(), at once or later; what is to
 * come later is a job, which is forgotten with whoever wanted it.
 */
#ifndef AUTH_PEER_H
#define AUTH_PEER_H

#include "audit.h"
#include "auth.h"
#include "auth_ctl.h"

struct asker {
	struct worker *w; /* one of them */
	struct ctl *c;
	uint32_t id;
	uint32_t uid; /* 0: root */
	permits have;
	char actor[WIRE_NAME]; /* who it is, in the audit trail */
	struct wire_addr source;
	char from[INET6_ADDRSTRLEN];
	char rid[WIRE_RID];
	char agent[WIRE_AGENT];
	char session[WIRE_SESSION];
};

/* False, and the channel closed, when the message is not sound. */
bool asker_begin(struct chan *, const struct msg *, struct asker *);
/* What is done now is for it again: audit_request(). */
void asker_request(const struct asker *);
void asker_row(const struct asker *, enum msg_type, const void *row, size_t len);
void asker_ok(const struct asker *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void asker_page(const struct asker *, const char *next);
/* field: that is wrong, by its name in the API; NULL for none. */
void asker_fail(const struct asker *, enum wire_fail, const char *field, const char *fmt,
    ...) __attribute__((format(printf, 4, 5)));
void asker_store_fail(const struct asker *, enum store_result, const char *what);

/*
 * Before it is done: false, and answered, where it cannot be written down.  text is
 * what the event is about beside the account; "" for nothing.
 */
bool asker_audit(const struct asker *, enum audit_event, const struct store_account *,
    const char *text);
/* What was announced and did not happen; answered. */
void asker_undone(const struct asker *, enum audit_event, const struct store_account *,
    enum store_result);

/* The account that is meant, by name or uid; false, and answered, if there is none. */
bool asker_account(const struct asker *, const char *user, struct store_account *);
/* The same, and it is to be changed: nobody changes who may do more than he may. */
bool asker_subject(const struct asker *, const char *user, struct store_account *);

/* A list of accounts, as far as it has come: auth_users.c. */
struct user_walk {
	struct m_list list;
	char find[2 * WIRE_FIND]; /* folded */
	char name[WIRE_NAME];     /* the last that was looked at */
	uint32_t uid;
	uint32_t rows;
	uint32_t looked;
	int64_t until; /* of this slice */
};

/* What waits for a hash or for another process, or for its turn. */
struct job {
	TAILQ_ENTRY(job) entry;
	struct asker who;
	uint32_t uid;  /* the account that it is about */
	uint32_t what; /* whoever made it knows */
	uint64_t number;
	bool gate;  /* holds a place of those who try passwords */
	bool turns; /* goes on a slice at a time, with others that do: job_turn() */
	struct store_once once;
	union {
		struct m_account_edit edit;
		struct m_password password;
		struct m_reset_use reset;
		struct m_account_delete gone;
		struct m_stats stats;
		struct m_list list;
		struct m_share_add share;
		struct user_walk walk;
	} u;
	struct m_sandbox *rows; /* of a page that is put in order; n of them */
	uint32_t n;
};

/* NULL, and answered, when one has too many. */
struct job *job_new(const struct asker *);
/* It goes on: what is done now is for whoever wanted it. */
struct job *job_on(void *job);
/* By its number, for what goes on when who asked has gone: then NULL. */
struct job *job_of(uint64_t number);
/* Of those that take turns, the next after that number; NULL: there are none. */
struct job *job_turn(uint64_t number);
void job_end(struct job *);
/* A worker or a connection of idectl is gone. */
void jobs_forget(const void *owner);

/* auth_everyone.c: the sessions of all users but the asker end. */
void everyone_kill(const struct asker *);

/* auth_once.c: is this creating call one that was answered before? */
enum once_is {
	ONCE_FIRST,   /* no, or nobody asks: *once is what to keep with what it makes */
	ONCE_AGAIN,   /* yes: *once says what it made */
	ONCE_REFUSED, /* its key came with another call: answered */
};
bool once_wanted(const struct wire_once *);
enum once_is once_look(
    const struct asker *, const struct wire_once *, struct store_once *once);
/* What it made is not there any more: answered. */
void once_gone(const struct asker *);

/* auth_user.c */
void account_row(const struct store_account *, struct m_account *);
/* A row, and the text that ends it. */
void account_answer(const struct asker *, const struct store_account *, const char *text);
/*
 * E-mail, name to show, roles and metadata of an edit into an account, as far as
 * set says: false, and answered, at the first that is wrong.
 */
bool account_edit(const struct asker *, struct m_account_edit *, struct store_account *);
/* Is it still what the asker has seen?  0: that was not said.  Likewise. */
bool account_version_ok(
    const struct asker *, uint32_t version, const struct store_account *);
/* auth_like.c: is it told apart from what others have, or meant not to be?  Likewise. */
bool account_name_unlike(const struct asker *, const char *name, bool meant);
bool account_email_unlike(
    const struct asker *, const char *email, const char *own, bool meant);
/* Appends what it looks like, if anything: for the audit trail. */
void account_name_like(char *text, size_t size, const char *name);
void account_email_like(char *text, size_t size, const char *email, const char *own);
bool account_password_ok(
    const struct asker *, const char *field, const char *name, const char *password);
/* Made from an edit; roles are set already. */
void account_make(
    struct asker *, struct m_account_edit *, struct store_account *, enum audit_event);

void user_get(struct chan *, struct msg *);
void user_add(struct chan *, struct msg *);
void user_put(struct chan *, struct msg *);
void me_get(struct chan *, struct msg *);
void me_put(struct chan *, struct msg *);
/* auth_user_limits.c */
void user_limits(struct chan *, struct msg *);
/* auth_user_state.c */
void user_approve(struct chan *, struct msg *);
void user_disable(struct chan *, struct msg *);
void user_enable(struct chan *, struct msg *);
void user_delete(struct chan *, struct msg *);
void registers(struct chan *, struct msg *);
/* auth_password.c */
void user_reset(struct chan *, struct msg *);
void reset_use(struct chan *, struct msg *);
void me_password(struct chan *, struct msg *);
/* auth_users.c */
void users_list(struct chan *, struct msg *);
/* auth_list.c */
/* Limit and cursor of a page, in the order of names, or of ids: false, and answered,
 * when they are no good; of one page has none that goes on.  asker_list() leaves the
 * cursor to its caller. */
bool asker_list(const struct asker *, struct m_list *);
void asker_bad_cursor(const struct asker *);
bool asker_list_of_one(const struct asker *, struct m_list *);
bool asker_list_of_names(const struct asker *, struct m_list *);
bool asker_list_of_ids(const struct asker *, struct m_list *);
bool asker_list_of_shares(const struct asker *, struct m_list *);
void roles_list(struct chan *, struct msg *);
void sessions_list(struct chan *, struct msg *);
void me_sessions(struct chan *, struct msg *);
void session_kill(struct chan *, struct msg *);
void sessions_kill(struct chan *, struct msg *);
void me_session_end(struct chan *, struct msg *);
void me_sessions_end(struct chan *, struct msg *);
/* auth_stats.c */
void sandboxes_list(struct chan *, struct msg *);
void sandbox_kill(struct chan *, struct msg *);
void me_usage(struct chan *, struct msg *);
void stats_get(struct chan *, struct msg *);
/* token_admin.c */
void user_tokens(struct chan *, struct msg *);
void ctl_token_add(struct chan *, struct msg *);
void user_token_end(struct chan *, struct msg *);
/* auth_refused.c */
void ratelimits_list(struct chan *, struct msg *);
/* auth_settings.c */
void settings_get(struct chan *, struct msg *);
void settings_put(struct chan *, struct msg *);

#endif
