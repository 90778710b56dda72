/*
 * Questions to isolation and master, and whose they are.  An answer reaches the
 * one that asked and nobody else: it is known by the number that auth gave, and
 * numbers of questions that were given up lead nowhere.
 *
 * Those that only look at something may be asked by many at once, and are costly
 * where there are many sandboxes or files.  Who asks the very same as somebody whose
 * answer has not begun yet shares that one: it is worked out once.  What is shared
 * is what auth is told; whether somebody may ask was decided before, and what of it
 * each of them is told is decided after, for each on its own.
 */
#include <stdlib.h>
#include <string.h>

#include "auth.h"

#define ASK_MAX  4096  /* a power of two: the slot is part of the id */
#define SHARE_MS 10000 /* an older one may have been lost, and is not waited for */

struct question {
	uint32_t id; /* 0: free */
	struct chan *chan;
	ask_fn fn; /* NULL: nobody's any more, but others share it */
	void *owner;
	uint32_t tag;
	uint16_t about;   /* which port or location */
	uint32_t uid;     /* whose sandbox it is about; 0: none's */
	int64_t deadline; /* INT64_MAX: none */
	/* of one that may be shared, as long as that is so: what was asked, and when */
	enum msg_type type;
	void *payload;
	size_t len;
	int64_t at;
	LIST_HEAD(, question) sharers;
	LIST_ENTRY(question) entry;
	struct question *sent; /* whose answer it shares; NULL: it was sent itself */
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

/* They change nothing, and no answer to them has a descriptor. */
static bool
only_looks(enum msg_type type)
{
	return type == M_SB_LIST || type == M_SB_SHOW || type == M_STATUS_ASK;
}

/* The very same, that was sent and has no answer yet. */
static struct question *
find_same(const struct chan *c, enum msg_type type, const void *payload, size_t len)
{
	int64_t since = auth_ms() - SHARE_MS;
	struct question *q;

	for (q = questions; q < questions + ASK_MAX && asked > 0; q++)
		if (q->id != 0 && q->payload != NULL && q->chan == c && q->type == type &&
		    q->len == len && q->at > since &&
		    (len == 0 || memcmp(q->payload, payload, len) == 0))
			return q;
	return NULL;
}

static void
share_over(struct question *q)
{
	if (q->payload == NULL)
		return;
	explicit_bzero(q->payload, q->len);
	free(q->payload);
	q->payload = NULL;
}

static void
share_begin(struct question *q, enum msg_type type, const void *payload, size_t len)
{
	if (!only_looks(type))
		return;
	if ((q->payload = malloc(len + 1)) == NULL)
		fatalx("out of memory");
	if (len > 0)
		memcpy(q->payload, payload, len);
	q->type = type;
	q->len = len;
	q->at = auth_ms();
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
	struct question *q, *same = NULL;
	uint32_t id;

	if ((q = slot_free()) == NULL)
		return 0;
	generation = (generation + 1) & (UINT32_MAX / ASK_MAX);
	if (generation == 0)
		generation = 1;
	id = generation * ASK_MAX + (uint32_t)(q - questions);
	if (only_looks(type))
		same = find_same(c, type, payload, len);
	if (same == NULL && chan_send(c, type, id, -1, payload, len) == -1)
		return 0;
	*q = (struct question){ .id = id,
		.chan = c,
		.fn = fn,
		.owner = owner,
		.tag = tag,
		.uid = uid_of(type, payload),
		.deadline = timeout == 0 ? INT64_MAX : auth_ms() + timeout * 1000,
		.sent = same };
	LIST_INIT(&q->sharers);
	asked++;
	if (same == NULL) {
		share_begin(q, type, payload, len);
	} else {
		LIST_INSERT_HEAD(&same->sharers, q, entry);
		log_debug("%s: an answer is shared", msg_name(type));
	}
	return id;
}

static void
clear(struct question *q)
{
	share_over(q);
	memset(q, 0, sizeof(*q));
	asked--;
}

/* Whoever asked waits no more; one that others share stays for them. */
static void
forget(struct question *q)
{
	struct question *sent = q->sent;

	if (!LIST_EMPTY(&q->sharers)) {
		q->fn = NULL;
		q->owner = NULL;
		q->uid = 0;
		q->deadline = INT64_MAX;
		return;
	}
	if (sent != NULL)
		LIST_REMOVE(q, entry);
	clear(q);
	if (sent != NULL && sent->fn == NULL && LIST_EMPTY(&sent->sharers))
		clear(sent);
}

unsigned int
ask_count(const void *owner)
{
	unsigned int i, n = 0;

	for (i = 0; i < ASK_MAX && asked > 0; i++)
		if (questions[i].id != 0 && questions[i].fn != NULL &&
		    questions[i].owner == owner)
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
		if (questions[i].id != 0 && questions[i].fn != NULL &&
		    questions[i].owner == owner)
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

static void
tell(uint32_t id, struct msg *m)
{
	struct question *q = &questions[id % ASK_MAX], old = *q;

	if (old.id == id && old.fn != NULL && old.fn(old.owner, old.tag, m) &&
	    q->id == id && q->fn != NULL)
		forget(q);
}

void
ask_answer(struct chan *c, struct msg *m)
{
	static uint32_t ids[ASK_MAX]; /* whoever is told may have others forgotten */
	struct question *q = &questions[m->head.id % ASK_MAX], *s;
	size_t n = 0;

	if (m->head.id == 0 || q->id != m->head.id || q->chan != c || q->sent != NULL) {
		log_debug("%s: answer to no question", msg_name(m->head.type));
		return;
	}
	/* Who asks from now on would miss this part of the answer. */
	share_over(q);
	LIST_FOREACH(s, &q->sharers, entry)
		ids[n++] = s->id;
	tell(q->id, m);
	while (n > 0)
		tell(ids[--n], m);
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
