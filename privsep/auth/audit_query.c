/*
 * Questions to the audit trail.  Each is answered a slice at a time, so that nobody
 * else waits; a page ends when it has its rows, or when enough records have been
 * looked at.  Its cursor says where the next one begins: it holds the number of a
 * record and part of its hash, so that one that leads nowhere any more is known for
 * what it is.
 *
 * Looking through the trail is costly where no index helps.  So those who ask the very
 * same while it is looked through share that: whoever may ask at all may see all of
 * it.  What was found is remembered by its number; each gets it as fast as he takes it.
 */
#include <sys/param.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bsd/string.h>
#include <bsd/sys/queue.h>

#include "audit_store.h"
#include "auth.h"
#include "../hex.h"

#define LOOKS_MAX  64
#define JOBS_MAX   256
#define JOBS_OWNER 2
#define ROWS       50
#define SLICE_MS   2
#define SLICE      2000   /* records, at most, in one go */
#define PAGE_LOOKS 400000 /* records that a page looks at */
#define AHEAD      32     /* rows that may wait in a queue */
#define PAUSE_MS   5
#define SINCE_MAX  64 /* new records that one who shares looks at */

/* Whoever asked, and how much of what was found is on its way. */
struct job {
	TAILQ_ENTRY(job) entry;
	struct look *look;
	struct chan *chan;
	uint32_t id;
	void *owner;
	void (*done)(void *);
	uint32_t sent;
};

/* One walk through the trail, for one or for many. */
enum look_is {
	LOOK_ON,
	LOOK_MORE, /* it is over: a page is full */
	LOOK_END,  /* ... the trail's end */
	LOOK_BAD
};
struct look {
	TAILQ_ENTRY(look) entry;
	TAILQ_HEAD(, job) jobs;
	struct m_audit_query q;
	struct audit_scan scan;
	enum look_is is;
	bool waits;     /* for records that are not there yet */
	uint64_t head;  /* the trail's, when it began */
	uint64_t *rows; /* their numbers; room for q.limit, or one when it follows */
	uint32_t nrows;
	uint32_t looked;
	struct event *timer;
};

static TAILQ_HEAD(, look) looks = TAILQ_HEAD_INITIALIZER(looks);
static unsigned int nlooks, njobs;

/* What a cursor says; in hex on its way. */
struct cursor {
	uint8_t version;
	uint8_t oldest_first;
	uint8_t pad[6];
	uint64_t at;     /* the next record */
	uint64_t anchor; /* one that must be there, and hash so; 0: none */
	uint8_t hash[8];
	uint64_t query; /* of which query it is */
};
_Static_assert(2 * sizeof(struct cursor) < WIRE_AUDIT_CURSOR, "a cursor fits");

static void
look_free(struct look *l)
{
	TAILQ_REMOVE(&looks, l, entry);
	nlooks--;
	audit_scan_end(&l->scan);
	event_free(l->timer);
	free(l->rows);
	free(l);
}

/* The last one who wants it has it looked for no more. */
static void
job_free(struct job *j)
{
	struct look *l = j->look;

	TAILQ_REMOVE(&l->jobs, j, entry);
	njobs--;
	free(j);
	if (TAILQ_EMPTY(&l->jobs))
		look_free(l);
}

static void
fail(struct chan *c, uint32_t id, enum wire_fail code, const char *text)
{
	struct m_fail m;
	size_t n;

	memset(&m, 0, sizeof(m));
	m.code = code;
	strlcpy(m.text, text, sizeof(m.text));
	/* "cursor: it is stale": which of the question it is. */
	if (code == FAIL_INVALID && (n = strcspn(text, ":,")) < sizeof(m.field))
		memcpy(m.field, text, n);
	chan_send(c, M_FAIL, id, -1, &m, sizeof(m));
}

static uint64_t
fingerprint(const struct m_audit_query *q)
{
	const struct {
		const char *s;
	} parts[] = { { q->user }, { q->event }, { q->source }, { q->outcome },
		{ q->text } };
	char numbers[64];
	uint64_t h = 14695981039346656037u;
	const char *p;
	size_t i;

	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		for (p = parts[i].s; *p != '\0'; p++)
			h = (h ^ (uint8_t)*p) * 1099511628211u;
		h = (h ^ 0x100) * 1099511628211u;
	}
	snprintf(numbers, sizeof(numbers), "%" PRId64 " %" PRId64 " %u", q->from, q->to,
	    q->oldest_first != 0);
	for (p = numbers; *p != '\0'; p++)
		h = (h ^ (uint8_t)*p) * 1099511628211u;
	return h;
}

static void
cursor_write(const struct look *l, char text[WIRE_AUDIT_CURSOR])
{
	struct m_audit r;
	struct cursor c;

	memset(&c, 0, sizeof(c));
	c.version = 1;
	c.oldest_first = l->q.oldest_first != 0;
	c.at = l->scan.at;
	c.anchor = c.oldest_first ? c.at - 1 : c.at;
	if (c.anchor != 0 && audit_store_get(audit_trail(), c.anchor, &r))
		memcpy(c.hash, r.hash, sizeof(c.hash));
	else
		c.anchor = 0;
	c.query = fingerprint(&l->q);
	hex_put(text, (const uint8_t *)&c, sizeof(c));
}

/* Where to go on; NULL, or a sentence. */
static const char *
cursor_read(const struct m_audit_query *q, uint64_t *at)
{
	struct audit_store *st = audit_trail();
	struct m_audit r;
	struct cursor c;

	if (strlen(q->cursor) != 2 * sizeof(c) ||
	    !hex_get((uint8_t *)&c, sizeof(c), q->cursor) || c.version != 1)
		return "cursor: this is none";
	if (c.query != fingerprint(q) || c.oldest_first != (q->oldest_first != 0))
		return "cursor: it belongs to another query: ask without it";
	if (c.anchor != 0 && c.anchor < audit_store_first(st))
		return "cursor: it is stale, the records that it points to are not kept "
		       "any more: ask without it";
	if (c.anchor != 0 &&
	    (!audit_store_get(st, c.anchor, &r) ||
		memcmp(c.hash, r.hash, sizeof(c.hash)) != 0))
		return "cursor: it is stale, it points into another trail than this one: "
		       "ask without it";
	*at = c.at;
	return NULL;
}

/* The rows are out, or what was found cannot be read. */
static void
finish(struct job *j)
{
	const struct look *l = j->look;
	void (*done)(void *) = j->done;
	void *owner = j->owner;
	struct m_audit_page page;
	struct m_ok ok;

	if (l->is == LOOK_BAD) {
		fail(j->chan, j->id, FAIL_INTERNAL,
		    "a record cannot be read: run `idectl audit verify'");
	} else {
		memset(&page, 0, sizeof(page));
		page.rows = l->q.follow != 0 ? 0 : j->sent;
		page.end = l->is == LOOK_END;
		/* Oldest first, others will come: the cursor leads to them. */
		if (audit_trail() != NULL &&
		    (l->is == LOOK_MORE || l->q.oldest_first != 0))
			cursor_write(l, page.cursor);
		chan_send(j->chan, M_ROW_AUDIT_PAGE, j->id, -1, &page, sizeof(page));
		memset(&ok, 0, sizeof(ok));
		chan_send(j->chan, M_OK, j->id, -1, &ok, sizeof(ok));
	}
	job_free(j);
	if (done != NULL)
		done(owner);
}

static void
again(struct look *l, int ms)
{
	struct timeval tv = { 0, ms * 1000 };

	event_add(l->timer, &tv);
}

static bool
has_room(const struct job *j)
{
	return j->chan->out_count < AHEAD;
}

/* What was found before and is not on its way yet. */
static void
catch_up(struct job *j)
{
	struct look *l = j->look;
	struct m_audit r;

	while (j->sent < l->nrows && has_room(j)) {
		if (!audit_store_get(audit_trail(), l->rows[j->sent], &r)) {
			l->is = LOOK_BAD;
			return;
		}
		chan_send(j->chan, M_ROW_AUDIT, j->id, -1, &r, sizeof(r));
		j->sent++;
	}
}

/* To those who have all before it, at once. */
static void
found(struct look *l, const struct m_audit *r)
{
	struct job *j;

	/* One who follows is alone. */
	if (l->q.follow != 0)
		TAILQ_FIRST(&l->jobs)->sent = l->nrows = 0;
	l->rows[l->nrows++] = r->seq;
	TAILQ_FOREACH(j, &l->jobs, entry)
		if (j->sent == l->nrows - 1 && has_room(j)) {
			chan_send(j->chan, M_ROW_AUDIT, j->id, -1, r, sizeof(*r));
			j->sent++;
		}
}

static bool
is_full(const struct look *l)
{
	return l->q.follow == 0 && (l->nrows >= l->q.limit || l->looked >= PAGE_LOOKS);
}

/* Is there one who has all that was found, and takes more? */
static bool
is_wanted(const struct look *l)
{
	const struct job *j;

	TAILQ_FOREACH(j, &l->jobs, entry)
		if (j->sent == l->nrows && has_room(j))
			return true;
	return false;
}

/* A slice; false when nobody takes more for now. */
static bool
walk(struct look *l)
{
	int64_t until = auth_ms() + SLICE_MS;
	struct m_audit r;
	unsigned int i;

	for (i = 0; i < SLICE && l->is == LOOK_ON && !l->waits; i++) {
		if (is_full(l)) {
			l->is = LOOK_MORE;
			break;
		}
		if (!is_wanted(l))
			return false;
		if ((i & 63) == 63 && auth_ms() > until)
			break;
		l->looked++;
		switch (audit_scan_next(audit_trail(), &l->scan, &r)) {
		case SCAN_RECORD:
			if (audit_match(&r, &l->q))
				found(l, &r);
			break;
		case SCAN_MOVED:
			break;
		case SCAN_END:
			/* As it is now. */
			if (l->q.follow != 0)
				l->waits = true;
			else
				l->is = LOOK_END;
			break;
		case SCAN_ERROR:
			l->is = LOOK_BAD;
			break;
		}
	}
	return true;
}

static void
run(struct look *l)
{
	struct job *j, *next;
	bool on;

	if (audit_trail() == NULL) {
		l->is = LOOK_END;
		l->nrows = 0;
	}
	TAILQ_FOREACH(j, &l->jobs, entry)
		catch_up(j);
	on = walk(l);
	if (l->is == LOOK_ON) {
		if (!l->waits)
			again(l, on ? 0 : PAUSE_MS);
		return;
	}
	again(l, PAUSE_MS); /* for those who are slow */
	/* The last one takes l with him. */
	TAILQ_FOREACH_SAFE(j, &l->jobs, entry, next)
		if (l->is == LOOK_BAD || j->sent >= l->nrows)
			finish(j);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	run(arg);
}

void
audit_query_kick(void)
{
	struct look *l;

	TAILQ_FOREACH(l, &looks, entry)
		if (l->waits) {
			l->waits = false;
			again(l, 0);
		}
}

/* One of a hundred and more, and rarely: looked for again after each. */
static struct job *
job_of(const void *owner, unsigned int *n)
{
	struct job *j, *last = NULL;
	struct look *l;

	*n = 0;
	TAILQ_FOREACH(l, &looks, entry)
		TAILQ_FOREACH(j, &l->jobs, entry)
			if (j->owner == owner) {
				last = j;
				(*n)++;
			}
	return last;
}

void
audit_query_forget(const void *owner)
{
	struct job *j;
	unsigned int n;

	while ((j = job_of(owner, &n)) != NULL)
		job_free(j);
}

static const char *
wrong(const struct m_audit_query *q)
{
	if (q->limit > WIRE_AUDIT_ROWS)
		return "limit: at most 1000";
	if (q->from < 0 || q->to < 0 || (q->to != 0 && q->from > q->to))
		return "from, to: the first is to be before the second";
	if (q->follow != 0 && q->oldest_first == 0)
		return "follow: only oldest first";
	return NULL;
}

/* What was looked for, in the trail itself; the pages that follow are of the same. */
static bool
say(const struct m_audit_query *q, const char *actor, const char *source)
{
	char filter[640];

	snprintf(filter, sizeof(filter),
	    "user=%s event=%s source=%s outcome=%s text=%s from=%" PRId64 " to=%" PRId64,
	    q->user, q->event, q->source, q->outcome, q->text, q->from, q->to);
	return audit_event(AUDIT_TRAIL_READ, LOG_S("actor", actor),
	    LOG_S("source", source), LOG_S("filter", filter));
}

static const char *
begin(struct look *l)
{
	struct audit_store *st = audit_trail();
	uint8_t hash[WIRE_HASH256];

	l->head = audit_store_head(st, hash);
	l->scan.newest_first = l->q.oldest_first == 0;
	l->scan.from = l->q.from;
	l->scan.to = l->q.to == 0 ? INT64_MAX : l->q.to;
	l->scan.at = l->scan.newest_first ? l->head : 1;
	if (!l->scan.newest_first && l->q.after != 0)
		l->scan.at = MIN(l->q.after, l->head) + 1;
	audit_match_index(&l->scan, &l->q);
	return l->q.cursor[0] == '\0' ? NULL : cursor_read(&l->q, &l->scan.at);
}

static struct look *
look_new(const struct m_audit_query *q)
{
	struct look *l;

	if ((l = calloc(1, sizeof(*l))) == NULL ||
	    (l->rows = calloc(q->follow != 0 ? 1 : q->limit, sizeof(*l->rows))) == NULL ||
	    (l->timer = evtimer_new(auth.base, on_timer, l)) == NULL)
		fatalx("out of memory");
	TAILQ_INIT(&l->jobs);
	l->q = *q;
	audit_scan_begin(&l->scan);
	TAILQ_INSERT_TAIL(&looks, l, entry);
	nlooks++;
	return l;
}

/*
 * The answer of one that begins at the end of the trail is another one when something
 * has come since that is of it; but that it was asked for.
 */
static bool
is_as_now(const struct look *l)
{
	uint8_t hash[WIRE_HASH256];
	uint64_t head = audit_store_head(audit_trail(), hash), seq;
	struct m_audit r;

	if (l->q.oldest_first != 0 || l->q.cursor[0] != '\0')
		return true;
	if (head - l->head > SINCE_MAX)
		return false;
	for (seq = l->head + 1; seq <= head; seq++)
		if (!audit_store_get(audit_trail(), seq, &r) ||
		    (audit_match(&r, &l->q) && strcmp(r.event, "audit.read") != 0))
			return false;
	return true;
}

static struct look *
look_same(const struct m_audit_query *q)
{
	struct look *l;

	TAILQ_FOREACH(l, &looks, entry)
		if (l->is == LOOK_ON && l->q.follow == 0 && audit_match_same(&l->q, q) &&
		    is_as_now(l))
			return l;
	return NULL;
}

static void
job_new(struct look *l, struct chan *c, uint32_t id, void *owner, void (*done)(void *))
{
	struct job *j;

	if ((j = calloc(1, sizeof(*j))) == NULL)
		fatalx("out of memory");
	j->look = l;
	j->chan = c;
	j->id = id;
	j->owner = owner;
	j->done = done;
	TAILQ_INSERT_TAIL(&l->jobs, j, entry);
	njobs++;
}

/* NULL, or why not. */
static const char *
may(const struct m_audit_query *q, const void *owner, const char *actor,
    const char *source, enum wire_fail *code)
{
	const char *why;
	unsigned int n;

	*code = FAIL_UNAVAILABLE;
	if (audit_trail() == NULL || !auth.conf.audit.store)
		return "the audit trail is not kept in the store: `audit { store }' in "
		       "the configuration has it kept there";
	*code = FAIL_BUSY;
	(void)job_of(owner, &n);
	if (nlooks >= LOOKS_MAX || njobs >= JOBS_MAX || n >= JOBS_OWNER)
		return "too many questions to the audit trail are under way";
	*code = FAIL_NO_SPACE;
	if (q->cursor[0] == '\0' && !say(q, actor, source))
		return AUDIT_REFUSED;
	*code = FAIL_INVALID;
	if ((why = wrong(q)) != NULL)
		return why;
	return NULL;
}

/* done is called when the last answer is on its way, whatever it is. */
void
audit_query(struct chan *c, uint32_t id, const struct m_audit_query *asked, void *owner,
    const char *actor, const char *source, void (*done)(void *owner))
{
	struct m_audit_query q = *asked;
	struct look *l = NULL;
	enum wire_fail code;
	const char *why;

	if (q.limit == 0)
		q.limit = ROWS;
	if ((why = may(&q, owner, actor, source, &code)) == NULL) {
		/* What has been recorded can be found. */
		audit_flush();
		if ((l = look_same(&q)) != NULL) {
			log_debug("audit: a look at the trail is shared");
			job_new(l, c, id, owner, done);
			return; /* its timer is set */
		}
		l = look_new(&q);
		if ((why = begin(l)) != NULL)
			look_free(l);
	}
	if (why != NULL) {
		fail(c, id, code, why);
		if (done != NULL)
			done(owner);
		return;
	}
	job_new(l, c, id, owner, done);
	run(l);
}
