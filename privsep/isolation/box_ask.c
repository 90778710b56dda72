/*
 * What a sandbox is asked, and what becomes of the answers.
 *
 * ide-session is the user's own process.  Each of its messages must carry the
 * number of a question that is open and be of a kind that answers it; anything
 * else ends the sandbox.  A descriptor that it hands out goes to that user's
 * own connections only, and is looked at before.
 */
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <bsd/string.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../fdpass.h"
#include "../log.h"
#include "box.h"
#include "isolation.h"

static const long ask_ms[] = {
	[ASK_CONNECT] = BOX_CONNECT_MS,
	[ASK_PORT] = BOX_PORT_MS,
	[ASK_EXEC] = 0, /* a command takes what it takes */
	[ASK_SHOW] = BOX_ASK_MS,
	[ASK_READY] = BOX_CONNECT_MS,
	[ASK_STOP] = 0, /* the box's own timer */
	[ASK_REMOVE] = 0,
	[ASK_LOOK] = BOX_ASK_MS,
	[ASK_RELIEVE] = BOX_ASK_MS,
	[ASK_OURS] = BOX_ASK_MS,
};

/* Answers go to the auth that asked; one that was started since knows nothing
 * of its predecessor's questions. */
static uint32_t epoch = 1;

uint32_t
answer_epoch(void)
{
	return epoch;
}

void
answer_new_epoch(void)
{
	epoch++;
}

void
answer_fail(uint32_t e, uint32_t id, uint32_t code, const char *text)
{
	struct m_fail f;

	if (e != epoch || isolation.auth == NULL)
		return;
	memset(&f, 0, sizeof(f));
	f.code = code;
	strlcpy(f.text, text, sizeof(f.text));
	chan_send(isolation.auth, M_SB_FAIL, id, -1, &f, sizeof(f));
}

void
answer_ok(uint32_t e, uint32_t id, const char *text)
{
	struct m_ok ok;

	if (e != epoch || isolation.auth == NULL)
		return;
	memset(&ok, 0, sizeof(ok));
	strlcpy(ok.text, text, sizeof(ok.text));
	chan_send(isolation.auth, M_SB_OK, id, -1, &ok, sizeof(ok));
}

/* A home that goes, once its volume stands ready no more. */
struct removal {
	uint32_t epoch;
	uint32_t id;
	char user[WIRE_NAME];
	uint32_t uid;
};

static void
on_unready(void *arg)
{
	struct removal *r = arg;

	answer_removal(r->epoch, r->id, r->user, r->uid);
	free(r);
}

void
answer_removal(uint32_t e, uint32_t id, const char *user, uint32_t uid)
{
	struct removal *later;
	struct m_fail f;

	later = calloc(1, sizeof(*later));
	if (later == NULL)
		fatalx("out of memory");
	later->epoch = e;
	later->id = id;
	later->uid = uid;
	strlcpy(later->user, user, sizeof(later->user));
	if (ready_release(uid, on_unready, later))
		return;
	free(later);
	if (storage_remove(user, uid, &f) == -1)
		answer_fail(e, id, f.code, f.text);
	else
		answer_ok(e, id, "removed");
}

void
answer_row(uint32_t e, uint32_t id, const struct m_sandbox *row)
{
	if (e != epoch || isolation.auth == NULL)
		return;
	chan_send(isolation.auth, M_SB_ROW, id, -1, row, sizeof(*row));
}

/* What is known of its memory, before the row that ends the answer. */
void
answer_memory(uint32_t e, uint32_t id, const struct watch *w)
{
	unsigned int i;

	if (e != epoch || isolation.auth == NULL)
		return;
	chan_send(
	    isolation.auth, M_SB_PROCESSES, id, -1, &w->processes, sizeof(w->processes));
	for (i = 0; i < w->nnotes; i++)
		chan_send(
		    isolation.auth, M_SB_MEMORY, id, -1, &w->note[i], sizeof(w->note[i]));
}

static void
ask_free(struct ask *a)
{
	unsigned int i;

	TAILQ_REMOVE(&a->box->asks, a, entry);
	a->box->nasks--;
	if (a->kind == ASK_EXEC)
		a->box->nexecs--;
	for (i = 0; i < 3; i++)
		if (a->fd[i] != -1)
			close(a->fd[i]);
	if (a->timer != NULL)
		event_free(a->timer);
	free(a->exec);
	free(a);
}

/* The asker is told; what ide-session may still answer is let pass, once. */
static void
on_time(evutil_socket_t fd, short what, void *arg)
{
	struct ask *a = arg;
	struct m_sandbox row;

	(void)fd;
	(void)what;
	if (a->kind == ASK_SHOW) {
		box_row(a->box, &row);
		answer_row(a->epoch, a->id, &row);
	} else if (a->kind == ASK_LOOK) {
		watch_seen(a->box, NULL);
	} else if (a->kind == ASK_CONNECT || a->kind == ASK_PORT ||
	    a->kind == ASK_READY) {
		answer_fail(a->epoch, a->id, a->box->waits ? FAIL_BUSY : FAIL_TIMEOUT,
		    a->box->waits ?
			"your home is being checked or moved to a place of its own: "
			"try again in a minute" :
			"the session did not answer in time");
	}
	if (a->number == 0) {
		ask_free(a);
		return;
	}
	a->late = true;
}

static void
send_exec(struct ask *a)
{
	struct m_exec_fd which;
	unsigned int i;

	chan_send(
	    &a->box->chan, M_SESSION_EXEC, a->number, -1, a->exec, sizeof(*a->exec));
	for (i = 0; i < 3; i++) {
		memset(&which, 0, sizeof(which));
		which.which = i;
		chan_send(&a->box->chan, M_SESSION_EXEC_FD, a->number, a->fd[i], &which,
		    sizeof(which));
		a->fd[i] = -1;
	}
	free(a->exec);
	a->exec = NULL;
}

static void
ask_send(struct ask *a)
{
	static uint32_t number;
	struct m_session_what w;
	struct chan *c = &a->box->chan;

	if (++number == 0)
		number = 1;
	a->number = number;
	switch (a->kind) {
	case ASK_CONNECT:
	case ASK_PORT:
		memset(&w, 0, sizeof(w));
		w.what = a->kind == ASK_PORT ? WHAT_PORT : WHAT_IDE;
		w.port = a->port;
		chan_send(c, M_SESSION_CONNECT, a->number, -1, &w, sizeof(w));
		break;
	case ASK_EXEC:
		send_exec(a);
		break;
	case ASK_SHOW:
	case ASK_READY:
	case ASK_OURS:
		chan_send(c, M_SESSION_ASK, a->number, -1, NULL, 0);
		break;
	case ASK_LOOK:
		chan_send(c, M_SESSION_LOOK, a->number, -1, NULL, 0);
		break;
	case ASK_RELIEVE:
		chan_send(c, M_SESSION_RELIEVE, a->number, -1, NULL, 0);
		break;
	case ASK_STOP:
	case ASK_REMOVE:
		break;
	}
}

static struct ask *
ask_new(struct box *b, enum ask_kind kind, uint32_t id)
{
	struct timeval tv;
	struct ask *a;

	a = calloc(1, sizeof(*a));
	if (a == NULL)
		return NULL;
	a->box = b;
	a->kind = kind;
	a->id = id;
	a->epoch = epoch;
	a->fd[0] = a->fd[1] = a->fd[2] = -1;
	if (ask_ms[kind] != 0) {
		tv = isolation_ms(ask_ms[kind]);
		a->timer = evtimer_new(isolation.base, on_time, a);
		if (a->timer == NULL || event_add(a->timer, &tv) == -1)
			fatalx("sandbox: out of memory");
	}
	TAILQ_INSERT_TAIL(&b->asks, a, entry);
	b->nasks++;
	if (kind == ASK_EXEC)
		b->nexecs++;
	return a;
}

static void
too_much(uint32_t id)
{
	if (id != 0) /* somebody's question */
		answer_fail(epoch, id, FAIL_BUSY, "the session has too much to do");
}

void
box_ask_port(struct box *b, uint32_t id, uint16_t port)
{
	struct ask *a = NULL;

	box_thaw(b);
	if (b->nasks < BOX_ASKS_MAX)
		a = ask_new(b, ASK_PORT, id);
	if (a == NULL) {
		too_much(id);
		return;
	}
	a->port = port;
	if (b->state == SANDBOX_RUNNING)
		ask_send(a);
}

/* exec is copied; the descriptors in fd are taken, whatever comes of it. */
void
box_ask(
    struct box *b, enum ask_kind kind, uint32_t id, const struct m_exec *exec, int fd[3])
{
	struct ask *a = NULL;
	struct m_exec *copy = NULL;
	unsigned int i;

	box_thaw(b);
	if (exec != NULL && (copy = malloc(sizeof(*copy))) != NULL)
		*copy = *exec;
	if (b->nasks < BOX_ASKS_MAX &&
	    (kind != ASK_EXEC || (b->nexecs < BOX_EXECS_MAX && copy != NULL)))
		a = ask_new(b, kind, id);
	if (a == NULL) {
		free(copy);
		for (i = 0; fd != NULL && i < 3; i++)
			close(fd[i]);
		too_much(id);
		return;
	}
	a->exec = copy;
	for (i = 0; fd != NULL && i < 3; i++)
		a->fd[i] = fd[i];
	if (b->state == SANDBOX_RUNNING)
		ask_send(a);
}

void
box_ask_all(struct box *b)
{
	struct ask *a;

	TAILQ_FOREACH(a, &b->asks, entry)
		if (a->number == 0)
			ask_send(a);
}

void
box_ask_stopping(struct box *b)
{
	chan_send(&b->chan, M_SESSION_STOP, 0, -1, NULL, 0);
}

void
box_ask_over(struct box *b)
{
	struct m_sandbox row;
	struct ask *a;

	while ((a = TAILQ_FIRST(&b->asks)) != NULL) {
		switch (a->late ? ASK_OURS : a->kind) {
		case ASK_CONNECT:
		case ASK_PORT:
		case ASK_READY:
		case ASK_EXEC:
			answer_fail(a->epoch, a->id,
			    b->fault.code != 0 ? b->fault.code : FAIL_UNAVAILABLE,
			    b->fault.code != 0 ? b->fault.text : "the session has ended");
			break;
		case ASK_STOP:
			answer_ok(a->epoch, a->id, "stopped");
			break;
		case ASK_REMOVE:
			answer_removal(a->epoch, a->id, b->user, b->uid);
			break;
		case ASK_SHOW:
			box_row(b, &row);
			row.state = SANDBOX_ABSENT;
			answer_row(a->epoch, a->id, &row);
			break;
		case ASK_LOOK:
		case ASK_RELIEVE:
		case ASK_OURS:
			break;
		}
		ask_free(a);
	}
}

/* The question that a message answers, or the end of the sandbox. */
static struct ask *
ask_find(struct box *b, const struct msg *m, bool (*fits)(enum ask_kind))
{
	struct ask *a;

	TAILQ_FOREACH(a, &b->asks, entry)
		if (a->number != 0 && a->number == m->head.id && fits(a->kind))
			return a;
	log_event(LOG_WARNING, "sandbox.violation", LOG_S("user", b->user),
	    LOG_S("message", msg_name(m->head.type)),
	    LOG_S("why", "answers nothing that was asked"));
	box_kill(b, "the session broke the rules of its channel");
	return NULL;
}

static bool
fits_connect(enum ask_kind k)
{
	return k == ASK_CONNECT || k == ASK_PORT;
}

static bool
fits_exec(enum ask_kind k)
{
	return k == ASK_EXEC;
}

static bool
fits_fail(enum ask_kind k)
{
	return k == ASK_CONNECT || k == ASK_PORT || k == ASK_EXEC;
}

static bool
fits_state(enum ask_kind k)
{
	return k == ASK_SHOW || k == ASK_READY || k == ASK_OURS;
}

static bool
fits_look(enum ask_kind k)
{
	return k == ASK_LOOK;
}

static bool
fits_relieve(enum ask_kind k)
{
	return k == ASK_RELIEVE;
}

/* A connected stream to a process of this very user, and nothing else. */
static bool
socket_ok(const struct box *b, int fd)
{
	struct sockaddr_un un;
	struct ucred cred;
	struct stat st;
	socklen_t len = sizeof(un);
	int flags;

	if (fstat(fd, &st) == -1 || !S_ISSOCK(st.st_mode) ||
	    sock_opt(fd, SO_DOMAIN) != AF_UNIX || sock_opt(fd, SO_TYPE) != SOCK_STREAM ||
	    sock_opt(fd, SO_ACCEPTCONN) != 0 ||
	    getpeername(fd, (struct sockaddr *)&un, &len) == -1)
		return false;
	len = sizeof(cred);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == -1 ||
	    cred.uid != b->uid)
		return false;
	/* O_NONBLOCK is the open file's: the session could take it off again,
	 * which is why workers never count on it alone. */
	flags = fcntl(fd, F_GETFL);
	return flags != -1 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) != -1;
}

static void
on_fd(struct chan *c, struct msg *m)
{
	struct box *b = c->arg;
	struct ask *a = ask_find(b, m, fits_connect);

	if (a == NULL)
		return;
	if (a->kind == ASK_PORT ? !box_port_ok(m->fd, a->port) : !socket_ok(b, m->fd)) {
		log_event(LOG_WARNING, "sandbox.violation", LOG_S("user", b->user),
		    LOG_S("message", "SESSION_FD"),
		    LOG_S("why", "descriptor of the wrong kind or peer"));
		box_kill(b, "the session broke the rules of its channel");
		return;
	}
	if (a->kind == ASK_CONNECT)
		b->ide_running = true;
	if (!a->late && a->epoch == epoch && isolation.auth != NULL)
		chan_send(isolation.auth, M_SB_FD, a->id, msg_take_fd(m), NULL, 0);
	ask_free(a);
}

/* A stranger's sentence: printable ASCII, whatever it was. */
static void
clean(char *dst, size_t len, const char *src)
{
	size_t i;

	for (i = 0; i + 1 < len && src[i] != '\0'; i++)
		dst[i] = src[i] >= ' ' && src[i] <= '~' ? src[i] : '?';
	dst[i] = '\0';
}

static void
on_fail(struct chan *c, struct msg *m)
{
	const struct m_fail *f = MSG_DATA(m, m_fail);
	struct box *b = c->arg;
	struct ask *a = ask_find(b, m, fits_fail);
	char text[WIRE_TEXT];
	uint32_t code = FAIL_UNAVAILABLE;

	if (a == NULL)
		return;
	strlcpy(text, "the session cannot", sizeof(text));
	if (wire_str(f->text) && f->text[0] != '\0')
		clean(text, sizeof(text), f->text);
	if (f->code >= FAIL_INTERNAL && f->code <= FAIL_UNAVAILABLE)
		code = f->code;
	if (!a->late)
		answer_fail(a->epoch, a->id, code, text);
	ask_free(a);
}

static void
on_exit_status(struct chan *c, struct msg *m)
{
	struct ask *a = ask_find(c->arg, m, fits_exec);
	struct m_exit x;

	if (a == NULL)
		return;
	memset(&x, 0, sizeof(x));
	x.status = MSG_DATA(m, m_exit)->status & 0xff;
	if (a->epoch == epoch && isolation.auth != NULL)
		chan_send(isolation.auth, M_SB_EXIT, a->id, -1, &x, sizeof(x));
	ask_free(a);
}

static void
on_state(struct chan *c, struct msg *m)
{
	struct box *b = c->arg;
	struct ask *a = ask_find(b, m, fits_state);
	struct m_sandbox row;

	if (a == NULL)
		return;
	b->ide_running = MSG_DATA(m, m_session_state)->ide_running == 1;
	if ((a->kind == ASK_SHOW || a->kind == ASK_READY) && !a->late) {
		box_row(b, &row);
		if (a->kind == ASK_SHOW)
			answer_memory(a->epoch, a->id, &b->watch);
		answer_row(a->epoch, a->id, &row);
	}
	ask_free(a);
}

static void
on_processes(struct chan *c, struct msg *m)
{
	struct ask *a = ask_find(c->arg, m, fits_look);
	bool late;

	if (a == NULL)
		return;
	late = a->late;
	ask_free(a);
	if (!late)
		watch_seen(c->arg, MSG_DATA(m, m_processes));
}

static void
on_relieved(struct chan *c, struct msg *m)
{
	struct ask *a = ask_find(c->arg, m, fits_relieve);

	if (a == NULL)
		return;
	ask_free(a);
	watch_relieved(c->arg, MSG_DATA(m, m_process));
}

const struct chan_handler box_handlers[] = {
	{ M_SESSION_FD, on_fd },
	{ M_SESSION_FAIL, on_fail },
	{ M_SESSION_EXIT, on_exit_status },
	{ M_SESSION_STATE, on_state },
	{ M_SESSION_PROCESSES, on_processes },
	{ M_SESSION_RELIEVED, on_relieved },
	{ M_NONE, NULL },
};
