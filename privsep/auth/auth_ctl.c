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
#include "auth_peer.h"
#include "auth_share.h"

#define CTLS_MAX        32
#define ACCEPT_PAUSE_MS 500

static TAILQ_HEAD(, ctl) ctls = TAILQ_HEAD_INITIALIZER(ctls);
static unsigned int nctls;
static struct event *ev_listen, *ev_again;

static void on_reload(struct chan *, struct msg *);
static void on_stop(struct chan *, struct msg *);

static const struct chan_handler handlers[] = {
	{ M_USERS, users_list },
	{ M_USER_GET, user_get },
	{ M_USER_ADD, user_add },
	{ M_USER_PUT, user_put },
	{ M_USER_LIMITS, user_limits },
	{ M_USER_DELETE, user_delete },
	{ M_USER_APPROVE, user_approve },
	{ M_USER_DISABLE, user_disable },
	{ M_USER_ENABLE, user_enable },
	{ M_USER_RESET, user_reset },
	{ M_ROLES, roles_list },
	{ M_SESSIONS, sessions_list },
	{ M_SESSION_KILL, session_kill },
	{ M_SESSIONS_KILL, sessions_kill },
	{ M_RATELIMITS, ratelimits_list },
	{ M_USER_TOKENS, user_tokens },
	{ M_SHARE_ADD, share_on_add },
	{ M_SHARE_LIST, share_on_list },
	{ M_SHARE_END, share_on_end },
	{ M_CTL_TOKEN_ADD, ctl_token_add },
	{ M_USER_TOKEN_END, user_token_end },
	{ M_CTL_ROTATE, ctl_rotate },
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
	{ M_CTL_BACKUP, ctl_backup },
	{ M_CTL_BACKUP_FD, ctl_backup_fd },
	{ M_NONE, NULL },
};

static void
ctl_close(struct ctl *c)
{
	jobs_forget(c);
	ask_forget(c);
	reload_forget(c);
	ctl_exec_forget(c);
	audit_query_forget(c);
	backup_forget(c);
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

void
ctl_done(struct ctl *c)
{
	c->command = M_NONE;
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
	ctl_done(c);
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
	ctl_done(c);
}

void
ctl_exit(struct ctl *c, int status)
{
	const struct m_exit m = { status, 0 };

	chan_send(&c->chan, M_CTL_EXIT, c->id, -1, &m, sizeof(m));
	ctl_done(c);
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

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct ctl *c = arg;

	(void)fd;
	(void)what;
	if (c->exec != NULL)
		ctl_fail(c, FAIL_TIMEOUT, "no descriptors came");
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

	audit_request("unix", "", "", "");
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
	/* Who it is is known from the start. */
	c->chan.state = S_BOUND;
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
