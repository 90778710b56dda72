/*
 * Questions to the audit trail.  Each is answered a slice at a time, so that nobody
 * else waits; a page ends when it has its rows, or when enough records have been
 * looked at.  Its cursor says where the next one begins: it holds the number of a
 * record and part of its hash, so that one that leads nowhere any more is known for
 * what it is.
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

#define JOBS_MAX   64
#define JOBS_OWNER 2
#define ROWS       50
#define SLICE_MS   2
#define SLICE      2000   /* records, at most, in one go */
#define PAGE_LOOKS 400000 /* records that a page looks at */
#define AHEAD      32     /* rows that may wait in a queue */
#define PAUSE_MS   5

struct job {
	TAILQ_ENTRY(job) entry;
	struct chan *chan;
	uint32_t id;
	void *owner;
	void (*done)(void *);
	struct m_audit_query q;
	struct audit_scan scan;
	bool waits; /* for records that are not there yet */
	uint32_t rows;
	uint32_t looks;
	struct event *timer;
};

static TAILQ_HEAD(, job) jobs = TAILQ_HEAD_INITIALIZER(jobs);
static unsigned int njobs;

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
job_free(struct job *j)
{
	TAILQ_REMOVE(&jobs, j, entry);
	njobs--;
	audit_scan_end(&j->scan);
	event_free(j->timer);
	free(j);
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
cursor_write(const struct job *j, char text[WIRE_AUDIT_CURSOR])
{
	struct m_audit r;
	struct cursor c;

	memset(&c, 0, sizeof(c));
	c.version = 1;
	c.oldest_first = j->q.oldest_first != 0;
	c.at = j->scan.at;
	c.anchor = c.oldest_first ? c.at - 1 : c.at;
	if (c.anchor != 0 && audit_store_get(audit_trail(), c.anchor, &r))
		memcpy(c.hash, r.hash, sizeof(c.hash));
	else
		c.anchor = 0;
	c.query = fingerprint(&j->q);
	audit_hex(text, (const uint8_t *)&c, sizeof(c));
}

/* Where to go on; NULL, or a sentence. */
static const char *
cursor_read(const struct m_audit_query *q, uint64_t *at)
{
	struct audit_store *st = audit_trail();
	struct m_audit r;
	struct cursor c;

	if (strlen(q->cursor) != 2 * sizeof(c) ||
	    !audit_unhex((uint8_t *)&c, sizeof(c), q->cursor) || c.version != 1)
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

static bool
detail_has(const struct m_audit *r, const char *text)
{
	const char *name, *value;
	uint32_t at = 0;
	char kind;

	while (audit_detail_next(r, &at, &name, &kind, &value))
		if (strcasestr(value, text) != NULL)
			return true;
	return false;
}

static bool
event_fits(const char *event, const char *wanted)
{
	size_t n = strlen(wanted);

	if (n > 0 && wanted[n - 1] == '.')
		return strncmp(event, wanted, n) == 0;
	return strcmp(event, wanted) == 0;
}

static bool
fits(const struct m_audit *r, const struct m_audit_query *q)
{
	return (q->user[0] == '\0' || strcmp(r->user, q->user) == 0 ||
		   strcmp(r->actor, q->user) == 0) &&
	    (q->event[0] == '\0' || event_fits(r->event, q->event)) &&
	    (q->source[0] == '\0' || strcmp(r->source, q->source) == 0) &&
	    (q->outcome[0] == '\0' || strcmp(r->outcome, q->outcome) == 0) &&
	    r->time >= q->from && (q->to == 0 || r->time <= q->to) &&
	    (q->text[0] == '\0' || strcasestr(r->event, q->text) != NULL ||
		strcasestr(r->actor, q->text) != NULL ||
		strcasestr(r->user, q->text) != NULL ||
		strcasestr(r->source, q->text) != NULL ||
		strcasestr(r->agent, q->text) != NULL ||
		strcasestr(r->session, q->text) != NULL ||
		strcasestr(r->rid, q->text) != NULL || detail_has(r, q->text));
}

/* The rows are out; more says whether there may be others. */
static void
finish(struct job *j, bool more, bool end)
{
	void (*done)(void *) = j->done;
	void *owner = j->owner;
	struct m_audit_page page;
	struct m_ok ok;

	memset(&page, 0, sizeof(page));
	page.rows = j->rows;
	page.end = end;
	if (more)
		cursor_write(j, page.cursor);
	chan_send(j->chan, M_ROW_AUDIT_PAGE, j->id, -1, &page, sizeof(page));
	memset(&ok, 0, sizeof(ok));
	chan_send(j->chan, M_OK, j->id, -1, &ok, sizeof(ok));
	job_free(j);
	if (done != NULL)
		done(owner);
}

static void
again(struct job *j, int ms)
{
	struct timeval tv = { 0, ms * 1000 };

	event_add(j->timer, &tv);
}

/* The end of the trail, as it is now. */
static void
at_end(struct job *j)
{
	if (j->q.follow != 0)
		j->waits = true;
	else
		/* Oldest first, others will come: the cursor leads to them. */
		finish(j, j->q.oldest_first != 0, true);
}

static void
run(struct job *j)
{
	int64_t until = auth_ms() + SLICE_MS;
	struct m_audit r;
	unsigned int i;

	if (audit_trail() == NULL) {
		finish(j, false, true);
		return;
	}
	for (i = 0; i < SLICE; i++) {
		if (j->chan->out_count >= AHEAD) {
			again(j, PAUSE_MS);
			return;
		}
		if (j->rows >= j->q.limit ||
		    (j->looks >= PAGE_LOOKS && j->q.follow == 0)) {
			finish(j, true, false);
			return;
		}
		if ((i & 63) == 63 && auth_ms() > until)
			break;
		j->looks++;
		switch (audit_scan_next(audit_trail(), &j->scan, &r)) {
		case SCAN_RECORD:
			if (!fits(&r, &j->q))
				break;
			chan_send(j->chan, M_ROW_AUDIT, j->id, -1, &r, sizeof(r));
			if (j->q.follow == 0)
				j->rows++;
			break;
		case SCAN_MOVED:
			break;
		case SCAN_END:
			at_end(j);
			return;
		case SCAN_ERROR:
			fail(j->chan, j->id, FAIL_INTERNAL,
			    "a record cannot be read: run `idectl audit verify'");
			if (j->done != NULL)
				j->done(j->owner);
			job_free(j);
			return;
		}
	}
	again(j, 0);
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
	struct job *j;

	TAILQ_FOREACH(j, &jobs, entry)
		if (j->waits) {
			j->waits = false;
			again(j, 0);
		}
}

void
audit_query_forget(const void *owner)
{
	struct job *j, *next;

	TAILQ_FOREACH_SAFE(j, &jobs, entry, next)
		if (j->owner == owner)
			job_free(j);
}

/* The narrowest index that there is for it. */
static void
choose(struct audit_scan *sc, const struct m_audit_query *q)
{
	size_t n = strlen(q->event);

	sc->keyed = true;
	if (q->user[0] != '\0')
		sc->key = audit_key(AUDIT_KEY_WHO, q->user);
	else if (q->source[0] != '\0')
		sc->key = audit_key(AUDIT_KEY_SOURCE, q->source);
	else if (n > 0 && q->event[n - 1] != '.')
		sc->key = audit_key(AUDIT_KEY_EVENT, q->event);
	else
		sc->keyed = false;
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

static unsigned int
jobs_of(const void *owner)
{
	const struct job *j;
	unsigned int n = 0;

	TAILQ_FOREACH(j, &jobs, entry)
		n += j->owner == owner;
	return n;
}

static const char *
begin(struct job *j, enum wire_fail *code)
{
	struct audit_store *st = audit_trail();
	uint8_t hash[WIRE_HASH256];
	const char *why;

	*code = FAIL_INVALID;
	if ((why = wrong(&j->q)) != NULL)
		return why;
	if (j->q.limit == 0)
		j->q.limit = ROWS;
	j->scan.newest_first = j->q.oldest_first == 0;
	j->scan.from = j->q.from;
	j->scan.to = j->q.to == 0 ? INT64_MAX : j->q.to;
	j->scan.at = j->scan.newest_first ? audit_store_head(st, hash) : 1;
	if (!j->scan.newest_first && j->q.after != 0)
		j->scan.at = MIN(j->q.after, audit_store_head(st, hash)) + 1;
	choose(&j->scan, &j->q);
	return j->q.cursor[0] == '\0' ? NULL : cursor_read(&j->q, &j->scan.at);
}

/* done is called when the last answer is on its way, whatever it is. */
void
audit_query(struct chan *c, uint32_t id, const struct m_audit_query *q, void *owner,
    const char *actor, const char *source, void (*done)(void *owner))
{
	enum wire_fail code = FAIL_UNAVAILABLE;
	const char *why = NULL;
	struct job *j;

	if (audit_trail() == NULL || !auth.conf.audit.store) {
		why =
		    "the audit trail is not kept in the store: `audit { store }' in the "
		    "configuration has it kept there";
	} else if (njobs >= JOBS_MAX || jobs_of(owner) >= JOBS_OWNER) {
		code = FAIL_BUSY;
		why = "too many questions to the audit trail are under way";
	} else if (q->cursor[0] == '\0' && !say(q, actor, source)) {
		code = FAIL_NO_SPACE;
		why = AUDIT_REFUSED;
	}
	if (why != NULL) {
		fail(c, id, code, why);
		if (done != NULL)
			done(owner);
		return;
	}
	/* What has been recorded can be found. */
	audit_flush();
	if ((j = calloc(1, sizeof(*j))) == NULL ||
	    (j->timer = evtimer_new(auth.base, on_timer, j)) == NULL)
		fatalx("out of memory");
	j->chan = c;
	j->id = id;
	j->owner = owner;
	j->done = done;
	j->q = *q;
	audit_scan_begin(&j->scan);
	TAILQ_INSERT_TAIL(&jobs, j, entry);
	njobs++;
	if ((why = begin(j, &code)) != NULL) {
		fail(c, id, code, why);
		job_free(j);
		if (done != NULL)
			done(owner);
		return;
	}
	run(j);
}
