/*
 * What auth_login.c, an attempt to log in, and auth_login_queue.c, which of them may be
 * made and whose turn it is, have in common.
 */
#ifndef AUTH_LOGIN_H
#define AUTH_LOGIN_H

#include "auth.h"
#include "auth_rate.h"

enum login_state {
	L_FREE,
	L_WAITING,
	L_RUNNING,
	L_ANSWERING,
	L_REHASHING,
};

struct login {
	TAILQ_ENTRY(login) entry;
	enum login_state state;
	struct worker *worker; /* NULL: gone meanwhile */
	uint32_t id;
	uint64_t order;
	struct wire_addr source;
	char from[INET6_ADDRSTRLEN];
	char name[WIRE_EMAIL];
	char password[WIRE_PASSWORD];
	char agent[WIRE_AGENT];
	char rid[WIRE_RID];
	bool tokens;    /* are wanted, not a cookie */
	uint32_t turn;  /* the lowest goes first */
	uint32_t crowd; /* then whose account the fewest try */
	uint8_t by_source[RATE_KEY];
	uint8_t by_both[RATE_KEY];
	uint8_t by_account[RATE_KEY];
	int64_t not_before;
	int64_t started;      /* queued, then run */
	uint32_t uid;         /* 0: no such user */
	char hash[WIRE_HASH]; /* that the password is held against */
	struct event *timer;
};

TAILQ_HEAD(login_list, login);
extern struct login_list logins; /* that are under way */

/* auth_login.c: what is no success, and the end of it. */
void login_answer(struct login *, enum wire_auth result, uint32_t retry);

/* auth_login_queue.c */
void login_keys(struct login *); /* from its source and name */
/* A place among those that wait; false: there is none for it. */
bool login_queue(struct login *, int64_t now);
/* Whose turn it is; NULL: nobody's. */
struct login *login_next(int64_t now);
/* Is the account or the source at its end?  The worse of both counts. */
enum rate_verdict login_verdict(const struct login *, int64_t now, uint32_t *retry);
void login_limited(struct login *, uint32_t retry); /* it is: answers so */
void login_hold(const struct login *, int64_t now);
void login_leave(const struct login *, bool failed);

#endif
