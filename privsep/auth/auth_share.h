/*
 * Ports that users share, and their visitors: auth_share.c knows which are, and ends
 * them; auth_visit.c lets visitors in.
 */
#ifndef AUTH_SHARE_H
#define AUTH_SHARE_H

#include <bsd/sys/tree.h>

#include "auth.h"

#define SHARES_MAX  4096
#define SHARES_USER 16
#define SHARE_SEEN  16 /* addresses of guests that are remembered */

struct share {
	RB_ENTRY(share) entry;
	struct store_share is;
	char name[WIRE_SHARE_TEXT];
	char user[WIRE_NAME];
	bool known; /* the sandbox that it is of is there */
	bool over;  /* but the store could not be told */
	uint8_t seen[SHARE_SEEN][16];
	unsigned int nseen;
};

/* --- auth_share.c --- */

/* NULL when there is none, or policy has it no more. */
struct share *share_find(const struct wire_share *);
/* What may still go on, as the account and the policy are now; uid 0: all. */
void share_review(uint32_t uid);
void share_load(void);
void share_tick(void);
void share_sandbox_gone(uint32_t uid);
void share_count(uint32_t *users, uint32_t *public);
/* Requests of owners: SHARE_ADD, SHARE_LIST, SHARE_END. */
void share_on_add(struct chan *, struct msg *);
void share_on_list(struct chan *, struct msg *);
void share_on_end(struct chan *, struct msg *);

/* --- auth_visit.c --- */

/* Connections of visitors that there are since auth began, and those refused. */
void visit_count(uint64_t *visits, uint64_t *refused);
unsigned int visit_workers(const struct share *);
/* It is over: their connections close. */
void visit_end(const struct share *);
void visit_on_code(struct chan *, struct msg *);
void visit_on_enter(struct chan *, struct msg *);
void visit_on_token(struct chan *, struct msg *);
void visit_on_visit(struct chan *, struct msg *);
void visit_on_port(struct chan *, struct msg *);
void visit_on_sign(struct chan *, struct msg *);

/* --- auth_port.c: of what is the user's own, the id is 0 --- */

bool port_token_make(
    const struct store_session *, const struct wire_share *, uint8_t token[WIRE_TOKEN]);
enum store_result port_token_find(const uint8_t token[WIRE_TOKEN],
    const struct wire_share *, struct store_session *, struct store_account *);
void port_code_give(struct worker *, uint32_t id, const uint8_t nonce[WIRE_TOKEN],
    const struct wire_share *);
/* The session that a code was made for.  Whatever comes of it, it was used. */
bool port_code_take(const struct m_port_enter *, const struct wire_share *,
    struct store_session *, struct store_account *);
void port_owner(uint32_t uid, uint8_t owner[WIRE_OWNER]);
void port_pseudonym(
    const char *session, const struct wire_share *, char id[WIRE_SESSION]);

#endif
