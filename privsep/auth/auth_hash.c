/*
 * The hash helpers.  Each computes one hash at a time; what waits for them is
 * bounded.  A helper that dies takes no request with it: the request is tried
 * again by the next one, and fails if none comes in time.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bsd/string.h>

#include "auth.h"
#include "auth_policy.h"

#define HELPERS_MAX 4
#define TASKS_MAX   96
#define WAIT_MS     10000 /* for a helper to come */
#define LOST_MAX    3     /* helpers that one request may cost */
#define RUN_MS      60000 /* no hash that we allow takes so long */

struct task {
	TAILQ_ENTRY(task) entry;
	enum msg_type type;
	struct m_hash request;
	hash_fn fn;
	void *owner;
	uint32_t tag;
	uint32_t id;
	bool busy;         /* in use */
	unsigned int lost; /* helpers that died over it */
	int64_t since;     /* queued or started */
};

struct helper {
	struct chan chan;
	bool present;
	struct task *task;
};

static struct helper helpers[HELPERS_MAX];
static struct task tasks[TASKS_MAX];
static TAILQ_HEAD(, task) queue = TAILQ_HEAD_INITIALIZER(queue);

static void on_hashed(struct chan *, struct msg *);

static const struct chan_handler handlers[] = {
	{ M_HASHED, on_hashed },
	{ M_NONE, NULL },
};

static void
task_end(struct task *t, enum wire_hashed result, const char *encoded)
{
	hash_fn fn = t->fn;
	void *owner = t->owner;
	uint32_t tag = t->tag;

	explicit_bzero(t, sizeof(*t));
	if (owner != NULL)
		fn(owner, tag, result, encoded);
}

static void
task_run(struct helper *h, struct task *t)
{
	static uint32_t id;

	TAILQ_REMOVE(&queue, t, entry);
	t->id = ++id;
	t->since = auth_ms();
	h->task = t;
	/* A failure to send ends in on_gone(), which queues it again. */
	chan_send(&h->chan, t->type, t->id, -1, &t->request, sizeof(t->request));
}

static void
run(void)
{
	unsigned int i;
	struct task *t;

	for (i = 0; i < HELPERS_MAX; i++) {
		if (!helpers[i].present || helpers[i].task != NULL)
			continue;
		if ((t = TAILQ_FIRST(&queue)) == NULL)
			return;
		task_run(&helpers[i], t);
	}
}

static void
helper_lost(struct helper *h)
{
	struct task *t = h->task;

	h->present = false;
	h->task = NULL;
	if (t == NULL)
		return;
	if (++t->lost >= LOST_MAX) {
		task_end(t, HASHED_FAILED, NULL);
		return;
	}
	t->since = auth_ms();
	TAILQ_INSERT_HEAD(&queue, t, entry);
	run();
}

static void
on_gone(struct chan *c, const char *why)
{
	log_event(LOG_WARNING, "hash.lost", LOG_S("why", why != NULL ? why : "it ended"));
	helper_lost(c->arg);
	login_kick();
}

static void
on_hashed(struct chan *c, struct msg *m)
{
	const struct m_hashed *a = MSG_DATA(m, m_hashed);
	struct helper *h = c->arg;
	struct task *t = h->task;
	char encoded[WIRE_HASH];

	if (t == NULL || t->id != m->head.id || !wire_str(a->encoded) ||
	    a->ok > HASHED_FAILED) {
		chan_close(c);
		on_gone(c, "answer to no request");
		return;
	}
	h->task = NULL;
	strlcpy(encoded, a->encoded, sizeof(encoded));
	task_end(t, (enum wire_hashed)a->ok, encoded);
	explicit_bzero(encoded, sizeof(encoded));
	run();
	login_kick();
}

void
hash_join(int fd)
{
	unsigned int i;

	for (i = 0; i < HELPERS_MAX; i++)
		if (!helpers[i].present)
			break;
	if (i == HELPERS_MAX) {
		log_warnx("one hash helper too many");
		close(fd);
		return;
	}
	chan_init(&helpers[i].chan, fd, P_AUTH, P_HASH, auth.base, handlers, on_gone,
	    &helpers[i]);
	helpers[i].present = true;
	helpers[i].task = NULL;
	run();
	login_kick();
}

bool
hash_present(void)
{
	unsigned int i;

	for (i = 0; i < HELPERS_MAX; i++)
		if (helpers[i].present)
			return true;
	return false;
}

/* Helpers that have nothing to do, and nothing that waits for them. */
unsigned int
hash_free(void)
{
	unsigned int i, n = 0;
	const struct task *t;

	for (i = 0; i < HELPERS_MAX; i++)
		n += helpers[i].present && helpers[i].task == NULL;
	TAILQ_FOREACH(t, &queue, entry)
		n -= n > 0;
	return n;
}

static bool
submit(enum msg_type type, const char *password, const char *encoded, hash_fn fn,
    void *owner, uint32_t tag)
{
	struct hash_params want;
	struct task *t;
	unsigned int i;

	for (i = 0; i < TASKS_MAX && tasks[i].busy; i++)
		;
	if (i == TASKS_MAX)
		return false;
	t = &tasks[i];
	memset(t, 0, sizeof(*t));
	policy_hash_want(&auth.conf.auth, &want);
	t->type = type;
	strlcpy(t->request.password, password, sizeof(t->request.password));
	strlcpy(t->request.encoded, encoded, sizeof(t->request.encoded));
	t->request.memory_kib = want.memory_kib;
	t->request.passes = want.passes;
	t->request.lanes = want.lanes;
	t->fn = fn;
	t->owner = owner;
	t->tag = tag;
	t->busy = true;
	t->since = auth_ms();
	TAILQ_INSERT_TAIL(&queue, t, entry);
	run();
	return true;
}

bool
hash_make(const char *password, hash_fn fn, void *owner, uint32_t tag)
{
	return submit(M_HASH_MAKE, password, "", fn, owner, tag);
}

bool
hash_verify(
    const char *password, const char *encoded, hash_fn fn, void *owner, uint32_t tag)
{
	return submit(M_HASH_VERIFY, password, encoded, fn, owner, tag);
}

/* The one that asked is gone; what runs already runs to its end. */
void
hash_forget(const void *owner)
{
	unsigned int i;

	for (i = 0; i < TASKS_MAX; i++)
		if (tasks[i].busy && tasks[i].owner == owner)
			tasks[i].owner = NULL;
}

void
hash_tick(void)
{
	int64_t now = auth_ms();
	struct task *t, *next;
	unsigned int i;

	TAILQ_FOREACH_SAFE(t, &queue, entry, next) {
		/* While helpers work, the queue moves. */
		if (hash_present() || now - t->since < WAIT_MS)
			continue;
		TAILQ_REMOVE(&queue, t, entry);
		task_end(t, HASHED_FAILED, NULL);
	}
	for (i = 0; i < HELPERS_MAX; i++) {
		if (!helpers[i].present || helpers[i].task == NULL ||
		    now - helpers[i].task->since < RUN_MS)
			continue;
		/* Its end of the channel closed, it leaves. */
		chan_close(&helpers[i].chan);
		on_gone(&helpers[i].chan, "no answer in time");
	}
}
