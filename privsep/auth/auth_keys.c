/*
 * The channel to keys.  Isolation makes a new one whenever either end is new; what
 * was asked over the old one runs into its time limit.
 */
#include "auth.h"
#include "token_jwt.h"

static void on_public(struct chan *, struct msg *);

static const struct chan_handler from_keys[] = {
	{ M_JWT_KEYS, on_public },
	{ M_JWT_SIGNED, ask_answer },
	{ M_JWT_ASSERTED, ask_answer },
	{ M_AUDIT_SIGNED, ask_answer },
	{ M_NONE, NULL },
};

/* What tokens may be signed with: told at every change, or asked for. */
static void
on_public(struct chan *c, struct msg *m)
{
	token_keys_set(MSG_DATA(m, m_jwt_keys));
	if (m->head.id != 0)
		ask_answer(c, m);
}

static void
on_gone(struct chan *c, const char *why)
{
	if (why != NULL)
		log_warnx("channel to %s: %s", proc_name(c->peer), why);
}

void
keys_join(int fd)
{
	chan_close(&auth.keys);
	chan_init(&auth.keys, fd, P_AUTH, P_KEYS, auth.base, from_keys, on_gone, NULL);
}
