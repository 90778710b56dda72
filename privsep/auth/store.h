/*
 * Accounts and sessions on disk: the one interface to whatever engine keeps
 * them.  Only auth opens a store, and only one auth at a time.
 *
 * A call that changes something returns STORE_OK when the change is on the disk,
 * and leaves everything as it was otherwise.  The exceptions lose nothing that
 * matters and say so.
 */
#ifndef AUTH_STORE_H
#define AUTH_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../wire.h"

#define STORE_KEY 32 /* SHA-256 of a session's token */

enum store_result {
	STORE_OK,
	STORE_NOT_FOUND,
	STORE_NAME_TAKEN,
	STORE_EMAIL_TAKEN,
	STORE_NO_UID,  /* the range of uids is used up */
	STORE_INVALID, /* not a sound record; nothing was written */
	STORE_NO_SPACE,
	STORE_ERROR /* logged; the store heals itself, or auth ends */,
};

struct store_account {
	uint32_t uid; /* out of the range, never given twice */
	bool active;
	bool has_mint;
	bool pending;     /* registered, and waits for an administrator */
	bool must_change; /* the password, before anything else */
	char name[WIRE_NAME];
	char email[WIRE_EMAIL]; /* as auth_text.h folds it; "" for none */
	char display[WIRE_DISPLAY];
	char roles[WIRE_ROLES]; /* the first tells the limits */
	char hash[WIRE_HASH];   /* encoded Argon2id; "" while only a link sets it */
	uint32_t version;       /* counted up by every change that somebody makes */
	uint32_t token_version; /* tokens of another one are void */
	int64_t created;
	int64_t updated;
	int64_t last_login;
	int64_t password_at; /* since when it has its password */
	struct wire_limits limits;
	char metadata[WIRE_METADATA]; /* a JSON object for workers; "" for none */
	uint8_t reset_key[STORE_KEY]; /* SHA-256 of a one-time link's secret */
	int64_t reset_expires;        /* 0: no such link is out */
	uint8_t mint[WIRE_MINT];
	char last_query[WIRE_QUERY];
};

/* What a connection acts for: a session by cookie; a family of tokens, which is a
 * session with another secret; an API token, which is kept as one (store_token). */
enum store_kind {
	STORE_COOKIE,
	STORE_FAMILY,
	STORE_API,
};

struct store_session {
	uint8_t key[STORE_KEY];
	char id[WIRE_SESSION]; /* what lists and logs show */
	uint32_t uid;
	int64_t created;
	uint16_t created_ms; /* which of a second came first */
	int64_t seen;
	int64_t expires;
	struct wire_addr source;
	char agent[WIRE_AGENT];
	uint8_t kind;        /* enum store_kind */
	uint32_t generation; /* of the family's refresh token that is good */
};

/* A named token for programs. */
struct store_token {
	uint8_t key[STORE_KEY]; /* SHA-256 of it */
	char id[WIRE_SESSION];  /* what lists and logs show */
	uint32_t uid;
	char name[WIRE_LABEL];
	char scopes[WIRE_SCOPES]; /* names of permissions */
	int64_t created;
	int64_t expires; /* 0: never */
	int64_t seen;    /* 0: never */
};

struct store_options {
	const char *home;  /* as seen from inside the root folder */
	const char *shown; /* the same as a person knows it */
	bool memory;       /* nothing on disk: development, tests */
	uint32_t patience; /* milliseconds to wait for a predecessor to be gone */
	uint32_t uid_first;
	uint32_t uid_count;
	/* With more records than this it opens at once, and store_check() looks at
	 * them while it runs; 0: the default. */
	uint32_t check_at_start;
};

/* A creating call that may come again: what it made. */
struct store_once {
	uint8_t key[STORE_KEY]; /* of who asked, and of the Idempotency-Key */
	uint8_t body[32];       /* SHA-256 of what was asked */
	uint32_t uid;           /* of the account that was made */
	int64_t at;
};

struct store_settings {
	uint64_t version;
	char text[WIRE_SETTINGS];
};

/* A port of a sandbox that its user shares, while that sandbox lives. */
struct store_share {
	uint8_t id[WIRE_SHARE];
	uint32_t uid;
	uint16_t port;
	uint8_t with; /* enum wire_share_with */
	int64_t created;
	int64_t expires; /* 0: with the sandbox */
	int64_t started; /* the sandbox */
};

struct store_counts {
	uint32_t accounts;
	uint32_t active;
	uint32_t pending;
	uint32_t emails; /* accounts that have one */
	uint32_t sessions;
	uint32_t tokens;
};

struct store;

/* NULL with a message that says what to do in err. */
struct store *store_open(const struct store_options *opt, char *err, size_t errlen);
void store_close(struct store *);

/* Called before each durable commit: what has to be on the disk before it. */
void store_set_barrier(struct store *, void (*)(void));

/* A reload may move the range; what was given out stays. */
void store_set_range(struct store *, uint32_t uid_first, uint32_t uid_count);

/* Checkpoints and old logs: to be called about once a minute. */
void store_tick(struct store *);
/* The same, if there is so much to recover by now that it would be waited for: to be
 * called about once a second. */
void store_tick_if_much(struct store *);

void store_count(struct store *, struct store_counts *);
/* Transactions that changed it, since it was opened. */
uint64_t store_changes(const struct store *);

/*
 * Goes on, for so many microseconds, with looking at what was not looked at when the
 * store was opened; *done when there is no more of it.  STORE_ERROR with the remedy in
 * err: the store is damaged, and will not be opened again before it is repaired.
 */
enum store_result store_check(
    struct store *, uint32_t us, bool *done, char *err, size_t errlen);
/* From the beginning: what is done once may be done again. */
void store_check_again(struct store *);

/* Fills in a->uid. */
enum store_result store_account_add(struct store *, struct store_account *a);
/* The same, and what is to be known when the call comes again: both or neither.
 * Fills in once->uid. */
enum store_result store_account_add_once(
    struct store *, struct store_account *a, struct store_once *once);
enum store_result store_once_get(
    struct store *, const uint8_t key[STORE_KEY], struct store_once *);
/* Forgets those that are older, some at a time. */
enum store_result store_once_sweep(struct store *, int64_t before);
enum store_result store_settings_get(
    struct store *, uint32_t uid, struct store_settings *);
enum store_result store_settings_put(
    struct store *, uint32_t uid, const struct store_settings *);
enum store_result store_account_by_name(
    struct store *, const char *name, struct store_account *);
enum store_result store_account_by_email(
    struct store *, const char *email, struct store_account *);
enum store_result store_account_by_uid(
    struct store *, uint32_t uid, struct store_account *);
/* The first name, or e-mail address, that is not before from in the order of bytes. */
enum store_result store_name_from(struct store *, const char *from, char name[WIRE_NAME]);
enum store_result store_email_from(
    struct store *, const char *from, char email[WIRE_EMAIL]);
/* The one that follows name ("" for the first) in the order of names. */
enum store_result store_account_next(
    struct store *, const char *name, struct store_account *);
/* Shows those whose uids come behind *uid, in that order, until each() wants no more of
 * them; *uid is that of the last one.  STORE_NOT_FOUND: there are no others. */
enum store_result store_account_each(struct store *, uint32_t *uid,
    bool (*each)(void *arg, const struct store_account *), void *arg);
/* Replaces the account with a->uid; its name cannot change. */
enum store_result store_account_put(struct store *, const struct store_account *a);
/* With all its sessions. */
enum store_result store_account_delete(struct store *, uint32_t uid);

enum store_result store_session_add(struct store *, const struct store_session *);
/* The same, and that its user has logged in: both or neither. */
enum store_result store_session_login(
    struct store *, const struct store_session *, int64_t last_login);
enum store_result store_session_by_key(
    struct store *, const uint8_t key[STORE_KEY], struct store_session *);
enum store_result store_session_by_id(
    struct store *, const char *id, struct store_session *);
/* The one that follows id ("" for the first) in the order of ids. */
enum store_result store_session_next(
    struct store *, const char *id, struct store_session *);
/* Up to max sessions of a user; returns how many there are in s. */
size_t store_session_of_user(
    struct store *, uint32_t uid, struct store_session *s, size_t max);
/* Not durable: a crash of the machine may take back the last ones. */
enum store_result store_session_seen(
    struct store *, const uint8_t key[STORE_KEY], int64_t seen);
enum store_result store_session_delete(struct store *, const uint8_t key[STORE_KEY]);
/* One whose time is up, likewise not durable: it is over, whether it is there or not. */
enum store_result store_session_expire(struct store *, const uint8_t key[STORE_KEY]);
/* The refresh token of a generation is the one that is good. */
enum store_result store_session_rotate(
    struct store *, const uint8_t key[STORE_KEY], uint32_t generation, int64_t seen);
/* All sessions of a user but the one with that key (NULL: all). */
enum store_result store_session_delete_user(
    struct store *, uint32_t uid, const uint8_t *but);

/* Up to max users that have sessions and come after that one, in the order of uids;
 * *n of them. */
enum store_result store_session_users(
    struct store *, uint32_t after, uint32_t *uid, size_t max, size_t *n);
/* All sessions of these users, and that their tokens are void: of all or of none. */
enum store_result store_session_delete_users(
    struct store *, const uint32_t *uid, size_t n);

enum store_result store_token_add(struct store *, const struct store_token *);
/* As store_account_add_once(). */
enum store_result store_token_add_once(
    struct store *, const struct store_token *, struct store_once *once);
enum store_result store_token_by_key(
    struct store *, const uint8_t key[STORE_KEY], struct store_token *);
enum store_result store_token_by_id(struct store *, const char *id, struct store_token *);
/* The one that follows id ("" for the first) in the order of ids. */
enum store_result store_token_next(struct store *, const char *id, struct store_token *);
/* Up to max of a user's; returns how many there are in t. */
size_t store_token_of_user(
    struct store *, uint32_t uid, struct store_token *t, size_t max);
/* Not durable, as store_session_seen(). */
enum store_result store_token_seen(
    struct store *, const uint8_t key[STORE_KEY], int64_t seen);
enum store_result store_token_delete(struct store *, const uint8_t key[STORE_KEY]);

enum store_result store_share_add(struct store *, const struct store_share *);
enum store_result store_share_delete(struct store *, const uint8_t id[WIRE_SHARE]);
/* The one that follows id (NULL for the first) in the order of ids. */
enum store_result store_share_next(
    struct store *, const uint8_t *id, struct store_share *);

/*
 * A copy while it is in use: tables, then a mark, then logs, which lead up to it; all
 * that was acknowledged before the mark is in them.  In between others may work in
 * the store, as long as it stays sound.
 */
struct store_part {
	char name[24]; /* in the store's folder */
	uint64_t size; /* as much of the file as belongs to the copy */
	int fd;
};
enum store_result store_backup_begin(struct store *);
/* STORE_NOT_FOUND: there are no more.  Multiples of 64 KB are read at once. */
enum store_result store_backup_table(struct store *, unsigned int i, struct store_part *);
enum store_result store_backup_mark(struct store *);
enum store_result store_backup_log(struct store *, unsigned int i, struct store_part *);
bool store_backup_sound(const struct store *);
void store_backup_end(struct store *);

/* A sentence for a person. */
const char *store_strerror(enum store_result);

#endif
