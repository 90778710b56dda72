/*
 * What auth asks.  auth is the only process that isolation hears, and even its
 * words are bounded: a name is a name, a uid is of the configured range, and
 * nothing else in a message ever becomes part of a path or a command here.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../log.h"
#include "box.h"
#include "isolation.h"
#include "sandbox_steps.h"

#define EXECS_MAX 16   /* commands whose descriptors are on their way */
#define EXEC_MS   5000 /* for them to arrive */

/* A command that waits for its three descriptors. */
static struct exec {
	bool used;
	uint32_t id;
	uint32_t epoch;
	struct m_exec exec;
	int fd[3];
	struct event *timer;
} execs[EXECS_MAX];

static bool
valid(const char user[WIRE_NAME], const char role[WIRE_ROLE], uint32_t uid)
{
	const struct conf_isolation *conf = &isolation.conf.isolation;

	/* A role only picks limits; one that is unknown has none of its own. */
	return user_name_ok(user) && memchr(role, '\0', WIRE_ROLE) != NULL &&
	    uid >= conf->uid_first && uid - conf->uid_first < conf->uid_count;
}

/* If there is no sandbox. */
enum absent {
	REFUSE,
	START,
	START_IDE, /* and the IDE, which is what it is wanted for */
};

/* The sandbox that is meant; NULL, and answered, if there can be none. */
static struct box *
find(uint32_t id, const char user[WIRE_NAME], const char role[WIRE_ROLE], uint32_t uid,
    const struct wire_limits *own, enum absent absent)
{
	struct m_fail fault;
	struct box *b;

	if (!valid(user, role, uid)) {
		log_event(LOG_WARNING, "request.invalid", LOG_N("uid", uid));
		answer_fail(answer_epoch(), id, FAIL_INVALID, "no name or uid of a user");
		return NULL;
	}
	b = box_find(uid);
	if (b != NULL && strcmp(b->user, user) != 0) {
		answer_fail(answer_epoch(), id, FAIL_INVALID,
		    "the uid's session is another user's");
		return NULL;
	}
	if (b == NULL && absent == REFUSE) {
		answer_fail(
		    answer_epoch(), id, FAIL_NOT_FOUND, "the user has no session");
		return NULL;
	}
	if (b != NULL && absent != REFUSE)
		box_limits_of(b, role, own);
	else if (b == NULL &&
	    (b = box_start(user, role, uid, own, absent == START_IDE, &fault)) == NULL)
		answer_fail(answer_epoch(), id, fault.code, fault.text);
	return b;
}

static bool
ending(const struct box *b, uint32_t id)
{
	if (b->state != SANDBOX_STOPPING)
		return false;
	if (!b->ran && b->fault.code != 0)
		answer_fail(answer_epoch(), id, b->fault.code, b->fault.text);
	else
		answer_fail(
		    answer_epoch(), id, FAIL_BUSY, "the session is ending; try again");
	return true;
}

static void
on_connect(struct chan *c, struct msg *m)
{
	const struct m_sb *r = MSG_DATA(m, m_sb);
	struct box *b = box_find(r->uid);

	(void)c;
	if (r->awake != 0 && (b == NULL || b->frozen)) {
		answer_fail(answer_epoch(), m->head.id, FAIL_UNAVAILABLE,
		    b == NULL ? "your environment is not running, as nobody used it: "
				"reload the page to start it" :
				"your environment sleeps, as nobody used it: do "
				"something in the page to wake it");
		return;
	}
	b = find(m->head.id, r->user, r->role, r->uid, &r->limits, START_IDE);
	if (b != NULL && !ending(b, m->head.id))
		box_ask(b, ASK_CONNECT, m->head.id, NULL, NULL);
}

/* Who asks for it comes, and hears then why there is none. */
static void
on_make(struct chan *c, struct msg *m)
{
	const struct m_sb *r = MSG_DATA(m, m_sb);

	(void)c;
	(void)find(m->head.id, r->user, r->role, r->uid, &r->limits, START);
}

/* What nobody has started listens nowhere. */
static void
on_port(struct chan *c, struct msg *m)
{
	const struct m_sb_port *r = MSG_DATA(m, m_sb_port);
	struct box *b;

	(void)c;
	if (box_find(r->sb.uid) == NULL) {
		answer_fail(answer_epoch(), m->head.id, FAIL_UNAVAILABLE,
		    r->started != 0 ?
			"this port is not shared any more" :
			"your environment is not running: open VS Code to start it");
		return;
	}
	b = find(m->head.id, r->sb.user, r->sb.role, r->sb.uid, &r->sb.limits, REFUSE);
	if (b == NULL || ending(b, m->head.id))
		return;
	/* A visitor finds what was shared, or nothing, and wakes nobody. */
	if (r->started != 0 && (b->started != r->started || b->frozen))
		answer_fail(answer_epoch(), m->head.id, FAIL_UNAVAILABLE,
		    b->frozen ? "the environment of the one who shares this port sleeps" :
				"this port is not shared any more");
	else if (r->port == 0)
		answer_fail(answer_epoch(), m->head.id, FAIL_INVALID, "no port");
	else if (!box_port_possible())
		answer_fail(answer_epoch(), m->head.id, FAIL_DENIED,
		    "ports are reached only in a network of the sandbox's own");
	else
		box_ask_port(b, m->head.id, r->port);
}

/* Its home is made, and it runs, whether its user is here or not. */
static void
on_ready(struct chan *c, struct msg *m)
{
	const struct m_sb *r = MSG_DATA(m, m_sb);
	struct box *b = find(m->head.id, r->user, r->role, r->uid, &r->limits, START);

	(void)c;
	if (b != NULL && !ending(b, m->head.id))
		box_ask(b, ASK_READY, m->head.id, NULL, NULL);
}

/* Of one that runs; another is told with its start. */
static void
on_limits(struct chan *c, struct msg *m)
{
	const struct m_sb *r = MSG_DATA(m, m_sb);
	struct box *b;

	(void)c;
	if (!valid(r->user, r->role, r->uid))
		return;
	b = box_find(r->uid);
	if (b == NULL)
		(void)ready_release(r->uid, NULL, NULL);
	else if (strcmp(b->user, r->user) == 0)
		box_limits_of(b, r->role, &r->limits);
}

/* Its user is there, and may open the IDE soon. */
static void
on_coming(struct chan *c, struct msg *m)
{
	const struct m_sb *r = MSG_DATA(m, m_sb);
	struct conf_limits limits;
	struct box *b;

	(void)c;
	if (!valid(r->user, r->role, r->uid))
		return;
	if ((b = box_find(r->uid)) != NULL) {
		if (strcmp(b->user, r->user) == 0)
			box_thaw(b);
		return;
	}
	limits_resolve(r->user, r->role, &r->limits, &limits);
	ready_begin(r->user, r->uid, &limits);
}

static void
show_absent(uint32_t epoch, uint32_t id, const struct m_sb *r)
{
	struct conf_limits limits;
	struct m_sandbox row;

	memset(&row, 0, sizeof(row));
	memcpy(row.user, r->user, sizeof(row.user));
	row.uid = r->uid;
	row.state = SANDBOX_ABSENT;
	limits_resolve(r->user, r->role, &r->limits, &limits);
	limits_row(&limits, &row);
	usage_row(NULL, r->uid, &row);
	answer_row(epoch, id, &row);
}

/* A question about a sandbox that waits for its home to be counted. */
struct show {
	uint32_t epoch;
	uint32_t id;
	struct m_sb sb;
};

static void
show_now(void *arg)
{
	struct show *show = arg;
	struct m_sandbox row;
	struct box *b;

	if (show->epoch != answer_epoch()) {
		free(show); /* who asked is gone */
		return;
	}
	b = box_find(show->sb.uid);
	if (b == NULL) {
		show_absent(show->epoch, show->id, &show->sb);
	} else if (b->state == SANDBOX_RUNNING && !b->frozen) {
		box_ask(b, ASK_SHOW, show->id, NULL, NULL);
	} else {
		box_row(b, &row);
		answer_row(show->epoch, show->id, &row);
	}
	free(show);
}

static void
on_show(struct chan *c, struct msg *m)
{
	const struct m_sb *r = MSG_DATA(m, m_sb);
	struct show *show;

	(void)c;
	if ((!valid(r->user, r->role, r->uid) || box_find(r->uid) != NULL) &&
	    find(m->head.id, r->user, r->role, r->uid, &r->limits, REFUSE) == NULL)
		return;
	show = calloc(1, sizeof(*show));
	if (show == NULL)
		fatalx("out of memory");
	show->epoch = answer_epoch();
	show->id = m->head.id;
	show->sb = *r;
	if (!usage_wait(r->user, r->uid, show_now, show))
		show_now(show);
}

static void
list_row(struct box *b, void *arg)
{
	struct m_sandbox row;

	box_row(b, &row);
	answer_row(answer_epoch(), *(uint32_t *)arg, &row);
}

static void
on_list(struct chan *c, struct msg *m)
{
	uint32_t id = m->head.id;

	(void)c;
	box_list(list_row, &id);
	answer_ok(answer_epoch(), id, "");
}

static void
on_stop(struct chan *c, struct msg *m)
{
	const struct m_sb *r = MSG_DATA(m, m_sb);
	struct box *b = find(m->head.id, r->user, r->role, r->uid, &r->limits, REFUSE);

	(void)c;
	if (b == NULL)
		return;
	box_ask(b, ASK_STOP, m->head.id, NULL, NULL);
	box_stop(b);
}

static void
on_freeze(struct chan *c, struct msg *m)
{
	const struct m_sb *r = MSG_DATA(m, m_sb);
	struct box *b = find(m->head.id, r->user, r->role, r->uid, &r->limits, REFUSE);

	(void)c;
	if (b == NULL)
		return;
	if (box_freeze(b) == -1)
		answer_fail(answer_epoch(), m->head.id,
		    errno == EBUSY ? FAIL_BUSY : FAIL_UNAVAILABLE, strerror(errno));
	else
		answer_ok(answer_epoch(), m->head.id, "frozen");
}

/* The home of a user who is no more, once nobody is in it. */
static void
on_remove(struct chan *c, struct msg *m)
{
	const struct m_sb *r = MSG_DATA(m, m_sb);
	struct box *b;

	(void)c;
	if (valid(r->user, r->role, r->uid) && box_find(r->uid) == NULL) {
		answer_removal(answer_epoch(), m->head.id, r->user, r->uid);
		return;
	}
	b = find(m->head.id, r->user, r->role, r->uid, &r->limits, REFUSE);
	if (b == NULL)
		return;
	box_ask(b, ASK_REMOVE, m->head.id, NULL, NULL);
	box_stop(b);
}

static void
exec_free(struct exec *e)
{
	unsigned int i;

	for (i = 0; i < 3; i++)
		if (e->fd[i] != -1)
			close(e->fd[i]);
	if (e->timer != NULL)
		event_free(e->timer);
	memset(e, 0, sizeof(*e));
}

static void
on_exec_late(evutil_socket_t fd, short what, void *arg)
{
	struct exec *e = arg;

	(void)fd;
	(void)what;
	answer_fail(
	    e->epoch, e->id, FAIL_TIMEOUT, "the command's descriptors did not come");
	exec_free(e);
}

/* Arguments, each terminated, one after another: as many as announced. */
static bool
exec_valid(const struct m_exec *x)
{
	uint32_t i, n = 0;

	if (!valid(x->user, x->role, x->uid) || x->argc == 0 || x->argc > 1024 ||
	    x->len == 0 || x->len > sizeof(x->argv) || x->argv[x->len - 1] != '\0' ||
	    x->argv[0] == '\0')
		return false;
	for (i = 0; i < x->len; i++)
		n += x->argv[i] == '\0';
	return n == x->argc;
}

static void
on_exec(struct chan *c, struct msg *m)
{
	const struct m_exec *x = MSG_DATA(m, m_exec);
	struct timeval tv = isolation_ms(EXEC_MS);
	struct exec *e = NULL;
	unsigned int i;

	(void)c;
	if (!exec_valid(x)) {
		answer_fail(
		    answer_epoch(), m->head.id, FAIL_INVALID, "no command of a user");
		return;
	}
	for (i = 0; i < EXECS_MAX && e == NULL; i++)
		if (!execs[i].used)
			e = &execs[i];
	if (e == NULL) {
		answer_fail(
		    answer_epoch(), m->head.id, FAIL_BUSY, "too many commands at once");
		return;
	}
	e->used = true;
	e->id = m->head.id;
	e->epoch = answer_epoch();
	e->exec = *x;
	e->fd[0] = e->fd[1] = e->fd[2] = -1;
	e->timer = evtimer_new(isolation.base, on_exec_late, e);
	if (e->timer == NULL || event_add(e->timer, &tv) == -1)
		fatalx("out of memory");
}

static void
exec_go(struct exec *e)
{
	struct box *b = find(
	    e->id, e->exec.user, e->exec.role, e->exec.uid, &e->exec.limits, START);

	if (b != NULL && !ending(b, e->id)) {
		box_ask(b, ASK_EXEC, e->id, &e->exec, e->fd);
		e->fd[0] = e->fd[1] = e->fd[2] = -1;
	}
	exec_free(e);
}

static void
on_exec_fd(struct chan *c, struct msg *m)
{
	uint32_t which = MSG_DATA(m, m_exec_fd)->which;
	struct exec *e = NULL;
	unsigned int i;

	(void)c;
	for (i = 0; i < EXECS_MAX && e == NULL; i++)
		if (execs[i].used && execs[i].id == m->head.id &&
		    execs[i].epoch == answer_epoch())
			e = &execs[i];
	if (e == NULL || which > 2 || e->fd[which] != -1)
		return; /* refused already; the descriptor is closed for us */
	e->fd[which] = msg_take_fd(m);
	if (e->fd[0] != -1 && e->fd[1] != -1 && e->fd[2] != -1)
		exec_go(e);
}

static void
on_renew(struct chan *c, struct msg *m)
{
	(void)c;
	(void)m;
	children_renew();
}

static void
on_reload(struct chan *c, struct msg *m)
{
	reload_conf(c, m->head.id);
}

static void
on_leave(struct chan *c, struct msg *m)
{
	(void)c;
	(void)m;
	isolation_leave(0);
}

void
requests_auth_gone(void)
{
	unsigned int i;

	answer_new_epoch();
	for (i = 0; i < EXECS_MAX; i++)
		if (execs[i].used)
			exec_free(&execs[i]);
}

const struct chan_handler request_handlers[] = {
	{ M_SB_CONNECT, on_connect },
	{ M_SB_MAKE, on_make },
	{ M_SB_PORT, on_port },
	{ M_SB_LOCATION, location_connect },
	{ M_SB_FILE, location_file },
	{ M_SB_SHOW, on_show },
	{ M_SB_READY, on_ready },
	{ M_SB_LIMITS, on_limits },
	{ M_SB_COMING, on_coming },
	{ M_SB_LIST, on_list },
	{ M_SB_STOP, on_stop },
	{ M_SB_REMOVE, on_remove },
	{ M_SB_FREEZE, on_freeze },
	{ M_SB_EXEC, on_exec },
	{ M_SB_EXEC_FD, on_exec_fd },
	{ M_SB_RENEW, on_renew },
	{ M_SB_RELOAD, on_reload },
	{ M_SB_LEAVE, on_leave },
	{ M_FETCH, fetch_start },
	{ M_AUDIT_ROTATE, audit_file_rotate },
	{ M_AUDIT_SYSLOG_ASK, audit_syslog_ask },
	{ M_NONE, NULL },
};
