/*
 * The sessions of everybody end: those who have any, so many in one transaction, and
 * others have their turn in between.  Once it has begun it comes to its end, whether
 * who asked waits for it or not.
 */
#include <string.h>

#include <bsd/string.h>

#include "auth_peer.h"

#define AT_A_TIME 64 /* users */

static struct {
	bool running;
	struct event *next;
	uint64_t job; /* of who asked */
	struct asker who;
	uint32_t but;   /* this user's go on */
	uint32_t after; /* the last one whose sessions were looked at */
	uint32_t users;
} all;

static void
finish(enum store_result r)
{
	struct job *j = job_of(all.job);

	all.running = false;
	log_event(r == STORE_OK ? LOG_NOTICE : LOG_WARNING, "sessions.ended",
	    LOG_N("users", all.users), LOG_S("actor", all.who.actor),
	    LOG_S("result", store_strerror(r)));
	if (j == NULL)
		return;
	if (r == STORE_OK)
		asker_ok(&j->who, "all sessions of %u users ended", all.users);
	else
		asker_store_fail(&j->who, r, "sessions");
	job_end(j);
}

static void
on_next(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval at_once = { 0, 0 };
	uint32_t uid[AT_A_TIME];
	enum store_result r;
	size_t i, n, k;

	(void)fd;
	(void)what;
	(void)arg;
	r = store_session_users(auth.store, all.after, uid, AT_A_TIME, &n);
	if (r != STORE_OK || n == 0) {
		finish(r);
		return;
	}
	all.after = uid[n - 1];
	for (i = k = 0; i < n; i++)
		if (uid[i] != all.but)
			uid[k++] = uid[i];
	asker_request(&all.who);
	if (k > 0)
		r = session_revoke_users(uid, k, REVOKED_ADMIN, all.who.actor);
	audit_no_request();
	if (r != STORE_OK) {
		finish(r);
		return;
	}
	all.users += (uint32_t)k;
	event_add(all.next, &at_once);
}

/* Only who may do everything says so. */
void
everyone_kill(const struct asker *who)
{
	struct job *j;

	if (who->have != PERMIT_ALL) {
		asker_fail(
		    who, FAIL_DENIED, NULL, "their users may do more than you may");
		return;
	}
	if (all.running) {
		asker_fail(who, FAIL_BUSY, NULL, "the sessions of all users end already");
		return;
	}
	if ((j = job_new(who)) == NULL)
		return;
	if (all.next == NULL &&
	    (all.next = evtimer_new(auth.base, on_next, NULL)) == NULL)
		fatalx("out of memory");
	all.running = true;
	all.job = j->number;
	all.but = who->uid;
	all.after = all.users = 0;
	all.who = *who;
	on_next(-1, 0, NULL);
}
