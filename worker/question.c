/* Questions to auth, and who hears the answers: see session.h and question.h. */
#include <bsd/stdlib.h>
#include <bsd/string.h>

#include <string.h>

#include "activity.h"
#include "question.h"
#include "respond.h"
#include "session.h"

#define QUESTIONS 64 /* that may be open at once */

/* What is to be asked once there is somebody to ask. */
struct held {
	struct m_request of;
	enum msg_type type;
	size_t len;
	uint8_t payload[];
};

struct question {
	uint32_t id; /* 0: free */
	auth_fn fn;  /* NULL: forgotten, its answer is still to come */
	void *arg;
	struct held *held;
};

static struct question questions[QUESTIONS];
static struct m_request told; /* what the last one was for */
static uint32_t last_id;

/* It may hold a password. */
static void
held_free(struct question *q)
{
	if (q->held != NULL)
		freezero(q->held, sizeof(*q->held) + q->held->len);
	q->held = NULL;
}

static bool
held_set(struct question *q, const struct m_request *of, enum msg_type type,
    const void *payload, size_t len)
{
	if ((q->held = malloc(sizeof(*q->held) + len)) == NULL)
		return (false);
	q->held->of = *of;
	q->held->type = type;
	q->held->len = len;
	if (len > 0)
		memcpy(q->held->payload, payload, len);
	return (true);
}

void
questions_begin(void)
{
	memset(&told, 0, sizeof(told));
}

const struct m_request *
request_of(const struct stream *s)
{
	static struct m_request m;
	struct slice agent = stream_header(s, HDR_USER_AGENT);
	size_t n = 0;

	memset(&m, 0, sizeof(m));
	strlcpy(m.rid, s->rid, sizeof(m.rid));
	m.flags = activity_itself(s) ? REQUEST_ITSELF : 0;
	/* What is printable of it, cut. */
	for (size_t i = 0; i < agent.len && n + 1 < sizeof(m.agent); i++)
		if (agent.p[i] >= ' ' && agent.p[i] <= '~')
			m.agent[n++] = agent.p[i];
	return (&m);
}

/* If it cannot be sent, the channel's end answers it. */
static bool
say(struct worker *w, const struct m_request *of, enum msg_type type, uint32_t id,
    const void *payload, size_t len)
{
	if (memcmp(of, &told, sizeof(told)) != 0) {
		told = *of;
		if (chan_send(&w->auth, M_REQUEST, 0, -1, of, sizeof(*of)) == -1)
			return (false);
	}
	return (chan_send(&w->auth, type, id, -1, payload, len) == 0);
}

/* Auth is there: what was held goes out. */
void
questions_send(struct worker *w)
{
	struct question *q;

	for (q = questions; q < questions + QUESTIONS; q++) {
		if (q->held == NULL)
			continue;
		(void)say(w, &q->held->of, q->held->type, q->id, q->held->payload,
		    q->held->len);
		held_free(q);
	}
}

/* Nobody will answer any more: all of them, or what is held only. */
void
questions_fail(bool all)
{
	struct question q;

	for (size_t i = 0; i < QUESTIONS; i++) {
		if (!all && questions[i].held == NULL)
			continue;
		q = questions[i];
		held_free(&questions[i]);
		questions[i].id = 0;
		if (q.id != 0 && q.fn != NULL)
			q.fn(q.arg, NULL);
	}
}

/* Of one who is bound, what auth must hear first after it was away. */
static bool
says_who(enum msg_type type)
{
	return (type == M_AUTH_TOKEN || type == M_JWT_USE || type == M_API_TOKEN ||
	    type == M_PORT_TOKEN || type == M_SHARE_TOKEN || type == M_SHARE_VISIT);
}

uint32_t
auth_ask(struct worker *w, const struct m_request *of, enum msg_type type,
    const void *payload, size_t len, auth_fn fn, void *arg)
{
	static const struct m_request nobodys;
	struct question *q = NULL;

	if (of == NULL)
		of = &nobodys;

	for (size_t i = 0; q == NULL && i < QUESTIONS; i++)
		if (questions[i].id == 0)
			q = &questions[i];
	/* A user's question waits for nobody: when auth comes back, who the user
	 * is comes first. */
	if (q == NULL ||
	    ((w->bound || w->guest) && !auth_there(w) &&
		!(w->auth_joined && says_who(type))))
		return (0);
	if (++last_id == 0)
		last_id = 1;
	if (w->auth_joined) {
		if (!say(w, of, type, last_id, payload, len))
			return (0);
	} else {
		if (!held_set(q, of, type, payload, len))
			return (0);
		auth_want(w);
	}
	q->id = last_id;
	q->fn = fn;
	q->arg = arg;
	return (q->id);
}

void
auth_forget(struct worker *w, uint32_t id)
{
	(void)w;
	for (size_t i = 0; i < QUESTIONS; i++) {
		if (questions[i].id != id || id == 0)
			continue;
		questions[i].fn = NULL;
		if (questions[i].held != NULL) {
			held_free(&questions[i]);
			questions[i].id = 0;
		}
	}
}

static void
ask_close(struct stream *s)
{
	auth_forget(s->w, s->question);
}

void
auth_ask_for(
    struct stream *s, enum msg_type type, const void *payload, size_t len, auth_fn fn)
{
	s->question = auth_ask(s->w, request_of(s), type, payload, len, fn, s);
	if (s->question == 0)
		respond_error(s, 503, NULL);
	else
		s->on_close = ask_close;
}

/* An answer, or one row of it. */
void
question_answer(struct chan *c, struct msg *m)
{
	/* Behind a row an M_OK or M_FAIL is still to come. */
	bool row = strncmp(msg_name(m->head.type), "ROW_", 4) == 0;
	auth_fn fn;

	(void)c;
	for (size_t i = 0; i < QUESTIONS; i++) {
		if (questions[i].id != m->head.id || m->head.id == 0)
			continue;
		fn = questions[i].fn;
		if (!row)
			questions[i].id = 0;
		if (fn != NULL)
			fn(questions[i].arg, m);
		return;
	}
}
