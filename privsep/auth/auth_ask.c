/*
 * Questions to isolation and master, and whose they are.  An answer reaches the
 * one that asked and nobody else: it is known by the number that auth gave, and
 * numbers of questions that were given up lead nowhere.
 */
#include <string.h>

#include "auth.h"

#define ASK_MAX 4096 /* a power of two: the slot is part of the id */

struct question {
	uint32_t id; /* 0: free */
	struct chan *chan;
	ask_fn fn;
	void *owner;
	uint32_t tag;
	uint16_t about;   /* which port or location */
	uint32_t uid;     /* whose sandbox it is about; 0: none's */
	int64_t deadline; /* INT64_MAX: none */
};

static struct question questions[ASK_MAX];
static unsigned int asked;

static struct question *
slot_free(void)
{
	static unsigned int next;
	unsigned int i;

	for (i = 0; i < ASK_MAX; i++) {
		next = (next + 1) % ASK_MAX;
		if (questions[next].id == 0)
			return &questions[next];
	}
	return NULL;
}

static uint32_t
uid_of(enum msg_type type, const void *payload)
{
	if (type == M_SB_PORT)
		return ((const struct m_sb_port *)payload)->sb.uid;
	if (type == M_SB_CONNECT || type == M_SB_SHOW || type == M_SB_STOP ||
	    type == M_SB_READY || type == M_SB_REMOVE)
		return ((const struct m_sb *)payload)->uid;
	return 0;
}

/*
 * Returns the question's number, 0 when there are too many or the channel is
 * gone.  timeout in seconds; 0 for what may take as long as it likes.
 */
uint32_t
ask(struct chan *c, enum msg_type type, const void *payload, size_t len, int timeout,
    ask_fn fn, void *owner, uint32_t tag)
{
	static uint32_t generation;
	struct question *q;
	uint32_t id;

	if ((q = slot_free()) == NULL)
		return 0;
	generation = (generation + 1) & (UINT32_MAX / ASK_MAX);
	if (generation == 0)
		generation = 1;
	id = generation * ASK_MAX + (uint32_t)(q - questions);
	if (chan_send(c, type, id, -1, payload, len) == -1)
		return 0;
	*q = (struct question){ .id = id,
		.chan = c,
		.fn = fn,
		.owner = owner,
		.tag = tag,
		.uid = uid_of(type, payload),
		.deadline = timeout == 0 ? INT64_MAX : auth_ms() + timeout * 1000 };
	asked++;
	return id;
}

static void
forget(struct question *q)
{
	memset(q, 0, sizeof(*q));
	asked--;
}

unsigned int
ask_count(const void *owner)
{
	unsigned int i, n = 0;

	for (i = 0; i < ASK_MAX && asked > 0; i++)
		if (questions[i].id != 0 && questions[i].owner == owner)
			n++;
	return n;
}

unsigned int
ask_count_user(uint32_t uid)
{
	unsigned int i, n = 0;

	for (i = 0; i < ASK_MAX && asked > 0; i++)
		if (questions[i].id != 0 && questions[i].uid == uid)
			n++;
	return n;
}

void
ask_forget(const void *owner)
{
	unsigned int i;

	for (i = 0; i < ASK_MAX && asked > 0; i++)
		if (questions[i].id != 0 && questions[i].owner == owner)
			forget(&questions[i]);
}

uint16_t
ask_which(uint32_t id)
{
	const struct question *q = &questions[id % ASK_MAX];

	return id != 0 && q->id == id ? q->about : 0;
}

void
ask_which_set(uint32_t id, uint16_t what)
{
	struct question *q = &questions[id % ASK_MAX];

	if (id != 0 && q->id == id)
		q->about = what;
}

void
ask_answer(struct chan *c, struct msg *m)
{
	struct question *q = &questions[m->head.id % ASK_MAX], old;

	if (m->head.id == 0 || q->id != m->head.id || q->chan != c) {
		log_debug("%s: answer to no question", msg_name(m->head.type));
		return;
	}
	old = *q;
	if (old.fn(old.owner, old.tag, m) && q->id == old.id)
		forget(q);
}

void
ask_tick(void)
{
	struct question old;
	int64_t now = auth_ms();
	unsigned int i;

	for (i = 0; i < ASK_MAX && asked > 0; i++) {
		if (questions[i].id == 0 || questions[i].deadline > now)
			continue;
		old = questions[i];
		forget(&questions[i]);
		(void)old.fn(old.owner, old.tag, NULL);
	}
}
