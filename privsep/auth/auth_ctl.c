/*
 * The control socket.  Who speaks is root, by SO_PEERCRED; what it may say is in
 * msg.h like everything else.
 */
#include <sys/socket.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bsd/string.h>

#include "auth.h"
#include "auth_ctl.h"

#define CTLS_MAX        32
#define LIST_AHEAD      64 /* rows that may wait in our queue */
#define LIST_PAUSE_MS   5
#define ACCEPT_PAUSE_MS 500

static TAILQ_HEAD(, ctl) ctls = TAILQ_HEAD_INITIALIZER(ctls);
static unsigned int nctls;
static struct event *ev_listen, *ev_again;

static void on_session_list(struct chan *, struct msg *);
static void on_session_revoke(struct chan *, struct msg *);
static void on_session_revoke_all(struct chan *, struct msg *);
static void on_reload(struct chan *, struct msg *);
static void on_stop(struct chan *, struct msg *);

static const struct chan_handler handlers[] = {
	{ M_CTL_USER_ADD, ctl_user_add },
	{ M_CTL_USER_LIST, ctl_user_list },
	{ M_CTL_USER_SHOW, ctl_user_show },
	{ M_CTL_USER_PASSWD, ctl_user_passwd },
	{ M_CTL_USER_DISABLE, ctl_user_disable },
	{ M_CTL_USER_ENABLE, ctl_user_enable },
	{ M_CTL_USER_DELETE, ctl_user_delete },
	{ M_CTL_SESSION_LIST, on_session_list },
	{ M_CTL_SESSION_REVOKE, on_session_revoke },
	{ M_CTL_SESSION_REVOKE_ALL, on_session_revoke_all },
	{ M_CTL_SANDBOX_LIST, ctl_sandbox_list },
	{ M_CTL_SANDBOX_SHOW, ctl_sandbox_show },
	{ M_CTL_SANDBOX_STOP, ctl_sandbox_stop },
	{ M_CTL_EXEC, ctl_exec },
	{ M_CTL_EXEC_FD, ctl_exec_fd },
	{ M_CTL_STATUS, ctl_status },
	{ M_CTL_RELOAD, on_reload },
	{ M_CTL_STOP, on_stop },
	{ M_CTL_HANDOVER, ctl_handover },
	{ M_CTL_LEAVE, ctl_leave },
	{ M_CTL_AUDIT_QUERY, ctl_audit_query },
	{ M_CTL_AUDIT_WHERE, ctl_audit_where },
	{ M_NONE, NULL },
};

static void
ctl_close(struct ctl *c)
{
	hash_forget(c);
	ask_forget(c);
	reload_forget(c);
	ctl_exec_forget(c);
	audit_query_forget(c);
	chan_close(&c->chan);
	event_free(c->timer);
	TAILQ_REMOVE(&ctls, c, entry);
	nctls--;
	explicit_bzero(c, sizeof(*c));
	free(c);
	if (ev_listen != NULL)
		event_add(ev_listen, NULL);
}

static void
on_gone(struct chan *chan, const char *why)
{
	struct ctl *c = chan->arg;

	if (why != NULL)
		(void)audit_event(
		    AUDIT_IDECTL_VIOLATION, LOG_S("actor", c->actor), LOG_S("why", why));
	ctl_close(c);
}

void
ctl_bad(struct ctl *c, const char *why)
{
	on_gone(&c->chan, why);
}

static void
command_end(struct ctl *c)
{
	c->command = M_NONE;
	c->list = LIST_NONE;
	explicit_bzero(&c->edit, sizeof(c->edit));
	ctl_exec_forget(c);
}

void
ctl_ok(struct ctl *c, const char *fmt, ...)
{
	struct m_ok m;
	va_list ap;

	memset(&m, 0, sizeof(m));
	va_start(ap, fmt);
	vsnprintf(m.text, sizeof(m.text), fmt, ap);
	va_end(ap);
	chan_send(&c->chan, M_OK, c->id, -1, &m, sizeof(m));
	command_end(c);
}

void
ctl_fail(struct ctl *c, enum wire_fail code, const char *fmt, ...)
{
	struct m_fail m;
	va_list ap;

	memset(&m, 0, sizeof(m));
	m.code = code;
	va_start(ap, fmt);
	vsnprintf(m.text, sizeof(m.text), fmt, ap);
	va_end(ap);
	chan_send(&c->chan, M_FAIL, c->id, -1, &m, sizeof(m));
	command_end(c);
}

void
ctl_exit(struct ctl *c, int status)
{
	const struct m_exit m = { status, 0 };

	chan_send(&c->chan, M_CTL_EXIT, c->id, -1, &m, sizeof(m));
	command_end(c);
}

void
ctl_done(struct ctl *c)
{
	command_end(c);
}

void
ctl_store_fail(struct ctl *c, enum store_result r, const char *what)
{
	static const struct {
		enum store_result r;
		enum wire_fail code;
	} codes[] = {
		{ STORE_NOT_FOUND, FAIL_NOT_FOUND },
		{ STORE_NAME_TAKEN, FAIL_EXISTS },
		{ STORE_EMAIL_TAKEN, FAIL_EXISTS },
		{ STORE_NO_UID, FAIL_UNAVAILABLE },
		{ STORE_INVALID, FAIL_INVALID },
		{ STORE_NO_SPACE, FAIL_NO_SPACE },
	};
	enum wire_fail code = FAIL_INTERNAL;
	size_t i;

	for (i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (codes[i].r == r)
			code = codes[i].code;
	ctl_fail(c, code, "%s: %s", what, store_strerror(r));
}

bool
ctl_begin(struct ctl *c, const struct msg *m)
{
	if (c->command != M_NONE) {
		ctl_bad(c, "a command while another is under way");
		return false;
	}
	c->command = (enum msg_type)m->head.type;
	c->id = m->head.id;
	return true;
}

bool
ctl_account(struct ctl *c, const char *name, size_t size, struct store_account *a)
{
	enum store_result r;

	if (memchr(name, '\0', size) == NULL) {
		ctl_bad(c, "name without an end");
		return false;
	}
	r = store_account_by_name(auth.store, name, a);
	if (r == STORE_NOT_FOUND)
		ctl_fail(c, FAIL_NOT_FOUND, "no user %s", name);
	else if (r != STORE_OK)
		ctl_store_fail(c, r, name);
	return r == STORE_OK;
}

/* The next row, or what ended the list. */
static enum store_result
list_row(struct ctl *c)
{
	struct store_account a;
	struct store_session s;
	struct m_session srow;
	struct m_user urow;
	enum store_result r;

	if (c->list == LIST_USERS) {
		if ((r = store_account_next(auth.store, c->after, &a)) != STORE_OK)
			return r;
		strlcpy(c->after, a.name, sizeof(c->after));
		ctl_user_row(&a, &urow);
		explicit_bzero(&a, sizeof(a));
		chan_send(&c->chan, M_ROW_USER, c->id, -1, &urow, sizeof(urow));
		return STORE_OK;
	}
	if ((r = store_session_next(auth.store, c->after, &s)) != STORE_OK)
		return r;
	strlcpy(c->after, s.id, sizeof(c->after));
	if (c->uid != 0 && c->uid != s.uid)
		return STORE_OK;
	if (store_account_by_uid(auth.store, s.uid, &a) != STORE_OK)
		return STORE_OK;
	session_row(&s, a.name, "", &srow);
	explicit_bzero(&a, sizeof(a));
	explicit_bzero(&s, sizeof(s));
	chan_send(&c->chan, M_ROW_SESSION, c->id, -1, &srow, sizeof(srow));
	return STORE_OK;
}

static void
ctl_timer(struct ctl *c, int ms)
{
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	event_add(c->timer, &tv);
}

static void
list_more(struct ctl *c)
{
	enum store_result r = STORE_OK;
	unsigned int i;

	/* Others get their turn, and idectl reads at its own pace. */
	for (i = 0; i < LIST_AHEAD && r == STORE_OK && c->chan.out_count < LIST_AHEAD;
	     i++)
		r = list_row(c);
	if (r == STORE_OK)
		ctl_timer(c, LIST_PAUSE_MS);
	else if (r == STORE_NOT_FOUND)
		ctl_ok(c, "%s", "");
	else
		ctl_store_fail(c, r, "list");
}

void
ctl_list_start(struct ctl *c, enum ctl_list list, uint32_t uid)
{
	c->list = list;
	c->after[0] = '\0';
	c->uid = uid;
	list_more(c);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct ctl *c = arg;

	(void)fd;
	(void)what;
	if (c->list != LIST_NONE)
		list_more(c);
	else if (c->exec != NULL)
		ctl_fail(c, FAIL_TIMEOUT, "no descriptors came");
}

static void
on_session_list(struct chan *chan, struct msg *m)
{
	struct ctl *c = chan->arg;
	const struct m_name *n = MSG_DATA(m, m_name);
	struct store_account a;

	if (!ctl_begin(c, m))
		return;
	if (n->name[0] == '\0') {
		ctl_list_start(c, LIST_SESSIONS, 0);
	} else if (ctl_account(c, n->name, sizeof(n->name), &a)) {
		ctl_list_start(c, LIST_SESSIONS, a.uid);
		explicit_bzero(&a, sizeof(a));
	}
}

static void
on_session_revoke(struct chan *chan, struct msg *m)
{
	struct ctl *c = chan->arg;
	const struct m_session_id *id = MSG_DATA(m, m_session_id);
	struct store_session s;
	enum store_result r;

	if (!ctl_begin(c, m))
		return;
	if (!wire_str(id->session)) {
		ctl_bad(c, "session id without an end");
		return;
	}
	r = store_session_by_id(auth.store, id->session, &s);
	if (r == STORE_OK)
		r = session_revoke(&s, REVOKED_ADMIN, c->actor);
	explicit_bzero(&s, sizeof(s));
	if (r == STORE_NOT_FOUND)
		ctl_fail(c, FAIL_NOT_FOUND, "no session %s", id->session);
	else if (r != STORE_OK)
		ctl_store_fail(c, r, id->session);
	else
		ctl_ok(c, "session %s ended", id->session);
}

static enum store_result
revoke_everyone(struct ctl *c, unsigned int *n)
{
	char after[WIRE_NAME] = "";
	struct store_account a;
	enum store_result r;

	*n = 0;
	while ((r = store_account_next(auth.store, after, &a)) == STORE_OK) {
		strlcpy(after, a.name, sizeof(after));
		r = session_revoke_user(a.uid, REVOKED_ADMIN, c->actor);
		explicit_bzero(&a, sizeof(a));
		if (r != STORE_OK)
			return r;
		++*n;
	}
	return r == STORE_NOT_FOUND ? STORE_OK : r;
}

static void
on_session_revoke_all(struct chan *chan, struct msg *m)
{
	struct ctl *c = chan->arg;
	const struct m_name *n = MSG_DATA(m, m_name);
	struct store_account a;
	enum store_result r;
	unsigned int users;

	if (!ctl_begin(c, m))
		return;
	if (n->name[0] == '\0') {
		if ((r = revoke_everyone(c, &users)) != STORE_OK)
			ctl_store_fail(c, r, "sessions");
		else
			ctl_ok(c, "all sessions of %u users ended", users);
		return;
	}
	if (!ctl_account(c, n->name, sizeof(n->name), &a))
		return;
	r = session_revoke_user(a.uid, REVOKED_ADMIN, c->actor);
	explicit_bzero(&a, sizeof(a));
	if (r != STORE_OK)
		ctl_store_fail(c, r, n->name);
	else
		ctl_ok(c, "all sessions of %s ended", n->name);
}

static void
on_reload(struct chan *chan, struct msg *m)
{
	struct ctl *c = chan->arg;

	if (!ctl_begin(c, m))
		return;
	if (!audit_event(AUDIT_RELOAD, LOG_S("actor", c->actor)))
		ctl_fail(c, FAIL_NO_SPACE, "%s", AUDIT_REFUSED);
	else
		reload_start(c);
}

static void
on_stop(struct chan *chan, struct msg *m)
{
	struct ctl *c = chan->arg;

	if (!ctl_begin(c, m))
		return;
	/* Never refused: to stop is what an administrator does about a full disk. */
	(void)audit_event(AUDIT_STOP, LOG_S("actor", c->actor));
	if (chan_send(&auth.master, M_STOP, 0, -1, NULL, 0) == -1)
		ctl_fail(c, FAIL_UNAVAILABLE, "master does not answer");
	else
		ctl_ok(c, "ided stops; sandboxes go on running");
}

/* Who is root may do all there is; what that is, permission.h's table says. */
static bool
on_permit(struct chan *chan, const struct msg *m)
{
	struct ctl *c = chan->arg;

	if (access_ok((enum msg_type)m->head.type, c->have, false))
		return true;
	if (ctl_begin(c, m))
		ctl_fail(c, FAIL_DENIED, "not permitted");
	return false;
}

static void
ctl_new(int fd, const struct ucred *peer)
{
	struct ctl *c;

	if ((c = calloc(1, sizeof(*c))) == NULL)
		fatalx("out of memory");
	c->fds[0] = c->fds[1] = c->fds[2] = -1;
	if ((c->timer = evtimer_new(auth.base, on_timer, c)) == NULL)
		fatalx("out of memory");
	snprintf(c->actor, sizeof(c->actor), "uid %u pid %d", peer->uid, peer->pid);
	TAILQ_INSERT_TAIL(&ctls, c, entry);
	if (++nctls >= CTLS_MAX)
		event_del(ev_listen);
	c->have = PERMIT_ALL;
	chan_init(&c->chan, fd, P_AUTH, P_CTL, auth.base, handlers, on_gone, c);
	c->chan.permit = on_permit;
}

static void
on_accept(evutil_socket_t lfd, short what, void *arg)
{
	struct timeval pause = { 0, ACCEPT_PAUSE_MS * 1000 };
	struct ucred peer;
	socklen_t len = sizeof(peer);
	int fd;

	(void)what;
	(void)arg;
	fd = accept4(lfd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd == -1) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM ||
		    errno == ENOBUFS) {
			/* Not to be asked again at once, and for ever. */
			event_del(ev_listen);
			event_add(ev_again, &pause);
		}
		return;
	}
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == -1 || peer.uid != 0) {
		(void)audit_event(AUDIT_IDECTL_REFUSED, LOG_N("uid", peer.uid));
		close(fd);
		return;
	}
	ctl_new(fd, &peer);
}

static void
on_again(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	event_add(ev_listen, NULL);
}

void
ctl_listen(int fd)
{
	evutil_make_socket_nonblocking(fd);
	ev_listen = event_new(auth.base, fd, EV_READ | EV_PERSIST, on_accept, NULL);
	ev_again = evtimer_new(auth.base, on_again, NULL);
	if (ev_listen == NULL || ev_again == NULL)
		fatalx("out of memory");
	event_add(ev_listen, NULL);
}
