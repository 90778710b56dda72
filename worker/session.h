/*
 * Who the connection acts for, and questions to auth.
 *
 * A connection is bound to one user by auth's first good word and stays so.
 * From then on a request's token is compared with the bound one, here and in
 * constant time, and costs no message.
 */
#ifndef WORKER_SESSION_H
#define WORKER_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "../privsep/chan.h"
#include "stream.h"
#include "worker.h"

#define SESSION_COOKIE "__Host-ided"
/* Whose the browser was last: the start of the SHA-256 of the name. */
#define LAST_COOKIE "__Host-ided-last"

/* M_CONN_AUTH: the channel to auth, for the first time or after it died. */
void session_join(struct worker *w, int fd);

enum {
	WHO_NOBODY, /* no credential, or none that is good */
	WHO_USER    /* w->who */
};

/*
 * Who sends this request?  fn is called once, at once or later; not at all
 * if the request was refused (and answered) or the client left.  Until then the
 * stream belongs to session.c (on_close is its).
 */
typedef void (*session_fn)(struct stream *s, unsigned int who);
void session_who(struct stream *s, session_fn fn);

/* Auth says who it is, to a login: from now on the connection is that user's.
 * False when what it says is not sound, or another user than before. */
bool session_bind(
    struct worker *w, const struct wire_who *who, const uint8_t token[WIRE_TOKEN]);
/* The same with new tokens; access is that one's text. */
bool session_bind_jwt(struct worker *w, const struct m_tokens *t, struct slice access);
/* The user leaves: the end of the session, which auth will announce, is not to
 * cut off the answer that says so. */
void session_leaving(struct worker *w);

/* Is auth there, and does it know whom the connection is bound to? */
bool auth_there(const struct worker *w);

/*
 * Ask auth.  fn gets the answer: the one message, or several rows (M_ROW_…)
 * and an M_OK or M_FAIL that ends them; NULL when auth is gone and the
 * question with it.  Whoever asked takes the descriptor with msg_take_fd().
 * Returns the question's number, for auth_forget(); 0 when there are too many
 * questions or auth is away (fn is not called then): answer 503.
 */
typedef void (*auth_fn)(void *arg, struct msg *m);
uint32_t auth_ask(struct worker *w, const struct m_request *, enum msg_type type,
    const void *payload, size_t len, auth_fn fn, void *arg);
/* Which request it is for, as auth writes it down; good until the next call. */
const struct m_request *request_of(const struct stream *s);
/* The same for a stream, which is fn's arg: forgotten when it closes, answered
 * with 503 when nothing can be asked. */
void auth_ask_for(
    struct stream *s, enum msg_type type, const void *payload, size_t len, auth_fn fn);
/* The asker is gone: the answer is thrown away, its descriptor closed. */
void auth_forget(struct worker *w, uint32_t id);

/* Someone is at work: tells auth, at most once a minute. */
void session_beat(struct worker *w);
/* There is one WebSocket more, or less, that tells nothing of who is at it. */
void session_hold(struct worker *w, bool on);

#endif /* WORKER_SESSION_H */
