/*
 * Who somebody is, signed for one program that users are let through to: a service of the
 * site's own (auth_location.c) or what listens at a shared port (auth_visit.c).
 */
#include <bsd/stdlib.h>
#include <bsd/string.h>

#include "../audit_record.h"
#include "../jwt.h"
#include "auth.h"
#include "../hex.h"

#define SIGN_TIMEOUT 5 /* seconds */

static void
not_signed(struct worker *w, uint32_t id)
{
	worker_fail(w, id, FAIL_UNAVAILABLE, "tokens cannot be signed now");
}

static bool
on_signed(void *owner, uint32_t tag, struct msg *m)
{
	struct worker *w = owner;
	const struct m_location_signed *s;

	if (m == NULL || m->head.type != M_JWT_ASSERTED ||
	    (s = MSG_DATA(m, m_location_signed))->sig.len == 0)
		not_signed(w, tag);
	else
		chan_send(&w->chan, M_LOCATION_SIGNED, tag, -1, s, sizeof(*s));
	return true;
}

void
assertion_sign(struct worker *w, uint32_t id, struct wire_assertion *as)
{
	struct wire_jwt *j = &as->jwt;
	uint8_t jti[(WIRE_JTI - 1) / 2];

	strlcpy(j->issuer, auth.conf.auth.token_issuer, sizeof(j->issuer));
	arc4random_buf(jti, sizeof(jti));
	hex_put(j->jti, jti, sizeof(jti));
	j->issued = auth_now();
	j->expires = j->issued + JWT_ASSERTION_LIFE;
	if (ask(&auth.keys, M_JWT_ASSERT, as, sizeof(*as), SIGN_TIMEOUT, on_signed, w,
		id) == 0)
		not_signed(w, id);
}
