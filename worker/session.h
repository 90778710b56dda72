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

#define SESSION_COOKIE	"__Host-ided"

/* M_CONN_AUTH: the channel to auth, for the first time or after it died. */
void	session_join(struct worker *w, int fd);

enum session_who {
	WHO_NOBODY,	/* no credential, or none that is good */
	WHO_USER,	/* w->who */
	WHO_ANSWERED,	/* refused, and the answer is on its way */
	WHO_GONE	/* the stream was closed while auth thought */
};

/*
 * Who sends this request?  fn is called once, at once or later, and not for
 * WHO_ANSWERED and WHO_GONE.  Until then the stream belongs to session.c (arg and
 * on_close are its).
 */
typedef void (*session_fn)(struct stream *s, enum session_who who);
void	session_who(struct stream *s, session_fn fn);

/* Log in with name and password; fn as an answer to auth_ask(): M_WHO. */
struct m_login;

/*
 * Ask auth.  fn gets the answer: the one message, or several rows (M_ROW_…)
 * and an M_OK or M_FAIL that ends them; NULL when auth is gone and the
 * question with it.  Whoever asked takes the descriptor with msg_take_fd().
 * Returns the question's number, for auth_forget(); 0 when there are too many
 * questions or auth is away (fn is not called then): answer 503.
 */
typedef void (*auth_fn)(void *arg, struct msg *m);
uint32_t auth_ask(struct worker *w, enum msg_type type, const void *payload,
	    size_t len, auth_fn fn, void *arg);
/* The asker is gone: the answer is thrown away, its descriptor closed. */
void	auth_forget(struct worker *w, uint32_t id);

/* Someone is at work: tells auth, at most once a minute. */
void	session_beat(struct worker *w);

#endif /* WORKER_SESSION_H */
