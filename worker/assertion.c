/*
 * Words about who asks, for other programs: see assertion.h.
 */
#include <bsd/sys/queue.h>

#include <stdlib.h>
#include <string.h>

#include "../privsep/log.h"
#include "assertion.h"
#include "relay.h"
#include "respond.h"
#include "routes.h"
#include "session.h"

#define SPARE 20000 /* ms that one must be good for */

/* A request that waits for one. */
struct wait {
	TAILQ_ENTRY(wait) entry;
	struct stream *s;
	struct assertion *a;
	assertion_fn go;
};
static TAILQ_HEAD(, wait) waits = TAILQ_HEAD_INITIALIZER(waits);

static void
wait_free(struct wait *wt)
{
	wt->s->on_close = NULL;
	wt->s->arg = NULL;
	TAILQ_REMOVE(&waits, wt, entry);
	free(wt);
}

static void
wait_close(struct stream *s)
{
	wait_free(s->arg);
}

static bool
take(struct assertion *a, const struct m_location_signed *m)
{
	const struct wire_jwt *j = &m->assertion.jwt;

	if (!wire_str(j->issuer) || !wire_str(j->name) || !wire_str(j->session) ||
	    !wire_str(j->jti) || !wire_str(j->kid) || !wire_str(m->assertion.location) ||
	    !wire_str(m->assertion.roles) ||
	    jwt_assertion_text(&m->assertion, &m->sig, a->text) == 0)
		return (false);
	a->until = relay_now() + (j->expires - j->issued) * 1000 - SPARE;
	return (true);
}

static void
on_signed(void *arg, struct msg *m)
{
	struct assertion *a = arg;
	struct wait *wt, *next;
	assertion_fn go;
	struct stream *s;
	bool ok;

	a->question = 0;
	ok = m != NULL && m->head.type == M_LOCATION_SIGNED &&
	    take(a, MSG_DATA(m, m_location_signed));
	for (wt = TAILQ_FIRST(&waits); wt != NULL; wt = next) {
		next = TAILQ_NEXT(wt, entry);
		if (wt->a != a)
			continue;
		s = wt->s;
		go = wt->go;
		wait_free(wt);
		if (ok)
			go(s);
		else
			auth_error(s, m);
		/* Whoever was served may have been the last of its kind. */
		next = TAILQ_FIRST(&waits);
	}
}

void
assertion_with(struct stream *s, struct assertion *a, enum msg_type type,
    const void *payload, size_t len, assertion_fn go)
{
	struct wait *wt;

	if (a->until > relay_now()) {
		go(s);
		return;
	}
	if (a->question == 0)
		a->question = auth_ask(
		    s->w, request_of(s), type, payload, len, on_signed, a);
	if (a->question == 0) {
		respond_error(s, 503, "The login service is not there.");
		return;
	}
	if ((wt = calloc(1, sizeof(*wt))) == NULL)
		fatal("calloc");
	wt->s = s;
	wt->a = a;
	wt->go = go;
	s->arg = wt;
	s->on_close = wait_close;
	TAILQ_INSERT_TAIL(&waits, wt, entry);
}
