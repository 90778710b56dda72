/*
 * The audit trail: see audit.h.
 *
 * Records are accepted into a batch, which one fdatasync(2) of the store and one of
 * the file make durable at the end of the loop's turn.  Until then nothing that
 * auth sends goes out (chan_hold()), and nothing that the store commits is
 * committed (audit_flush() is called first): whatever comes of a turn, its records
 * are on the disk before anybody can see it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <bsd/string.h>

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>

#include "../backup.h"
#include "audit.h"
#include "audit_file.h"
#include "audit_part.h"
#include "audit_store.h"
#include "audit_syslog.h"
#include "auth.h"
#include "../clock.h"

#define BACKLOG          256      /* facts that wait for room on the disk */
#define UNLOGGED_EVERY   10       /* seconds */
#define KEEP_AFTER_STEP  86400000 /* ms */
#define STEP_MS          2000     /* of the wall clock, that are worth a record */
#define JOURNAL_SEGMENTS 1        /* kept for the file where the store is not asked for */
#define FILE_WAIT        5000     /* milliseconds, for isolation's file */
#define ROTATE_AGAIN     60       /* seconds, when there was no new file */

#define A_ROW_(n, event, level, outcome, flags, keys)                                    \
	[AUDIT_##n] = { (event), (level), (outcome), (flags), (keys) },
const struct audit_row audit_table[AUDIT_MAX] = { AUDIT_TABLE(A_ROW_) };
#undef A_ROW_

static struct {
	char dir[64];
	struct audit_store *st;
	bool file;          /* one is asked for */
	struct event *turn; /* the end of the loop's turn */
	bool dirty;
	struct m_audit backlog[BACKLOG];
	unsigned int nbacklog;
	uint64_t lost;
	uint64_t refused;
	uint64_t records; /* since auth began, as is */
	uint64_t refused_ever;
	uint64_t unlogged; /* what syslog lost, and nobody was told of */
	uint64_t unlogged_ever;
	int64_t unlogged_at;
	int64_t offset; /* of the wall clock to auth_ms() */
	int64_t warned;
	int64_t keep_until; /* nothing is removed before that, auth_ms() */
	bool full;          /* something was refused, or had to wait */
	int64_t since;      /* this configuration */
	int64_t rotate_at;
	bool restored; /* BACKUP_RESTORED is still there */
} tr;

int64_t
audit_wall_ms(void)
{
	return clock_ms(CLOCK_REALTIME);
}

struct audit_store *
audit_trail(void)
{
	return tr.st;
}

/* Is it one of the words of keys? */
static bool
has_key(const char *keys, const char *key)
{
	size_t n = strlen(key);
	const char *p;

	for (p = keys; (p = strstr(p, key)) != NULL; p += n)
		if ((p == keys || p[-1] == ' ') && (p[n] == ' ' || p[n] == '\0'))
			return true;
	return false;
}

static const struct {
	const char *key;
	size_t at;
	size_t size;
} columns[] = {
#define COLUMN(f)                                                                        \
	{                                                                                \
#f, offsetof(struct m_audit, f), sizeof(((struct m_audit *)0)->f)        \
	}
	COLUMN(actor),
	COLUMN(user),
	COLUMN(source),
	COLUMN(agent),
	COLUMN(session),
	COLUMN(rid),
	COLUMN(outcome),
#undef COLUMN
};

static void
fill_value(struct m_audit *r, const struct audit_row *row, const struct log_value *v)
{
	char num[24];
	size_t i;

	if (!has_key(row->keys, v->key) && strcmp(v->key, "outcome") != 0)
		log_warnx("BUG: %s has no key %s", row->event, v->key);
	if (v->kind == LOG_VALUE_INT) {
		snprintf(num, sizeof(num), "%" PRId64, v->num);
		(void)audit_detail(r, v->key, 'n', num);
		return;
	}
	for (i = 0; i < sizeof(columns) / sizeof(columns[0]); i++)
		if (strcmp(v->key, columns[i].key) == 0) {
			strlcpy((char *)r + columns[i].at, v->str != NULL ? v->str : "",
			    columns[i].size);
			return;
		}
	if (!audit_detail(r, v->key, 's', v->str != NULL ? v->str : ""))
		log_warnx("BUG: %s: its details are too long", row->event);
}

/* Whose request auth works at; empty strings while it is nobody's. */
static struct {
	char source[sizeof(((struct m_audit *)0)->source)];
	char agent[WIRE_AGENT];
	char rid[WIRE_RID];
	char session[WIRE_SESSION];
} rq;

void
audit_request(const char *source, const char *agent, const char *rid, const char *session)
{
	strlcpy(rq.source, source, sizeof(rq.source));
	strlcpy(rq.agent, agent, sizeof(rq.agent));
	strlcpy(rq.rid, rid, sizeof(rq.rid));
	strlcpy(rq.session, session, sizeof(rq.session));
}

void
audit_no_request(void)
{
	rq.source[0] = rq.agent[0] = rq.rid[0] = rq.session[0] = '\0';
}

static void
fill_request(struct m_audit *r)
{
	if (rq.source[0] == '\0' ||
	    (r->source[0] != '\0' && strcmp(r->source, rq.source) != 0))
		return;
	strlcpy(r->source, rq.source, sizeof(r->source));
	if (r->agent[0] == '\0')
		strlcpy(r->agent, rq.agent, sizeof(r->agent));
	if (r->rid[0] == '\0')
		strlcpy(r->rid, rq.rid, sizeof(r->rid));
	if (r->session[0] == '\0')
		strlcpy(r->session, rq.session, sizeof(r->session));
}

static void
fill(struct m_audit *r, const struct audit_row *row, const struct log_value *values)
{
	memset(r, 0, sizeof(*r));
	r->time = audit_wall_ms();
	strlcpy(r->event, row->event, sizeof(r->event));
	strlcpy(r->outcome, row->outcome, sizeof(r->outcome));
	for (; values->kind != LOG_VALUE_END; values++)
		fill_value(r, row, values);
	fill_request(r);
}

static bool
room(void)
{
	return audit_store_room(tr.st) && (!tr.file || audit_file_room());
}

static int
level_of(const struct m_audit *r)
{
	unsigned int i;

	for (i = 0; i < AUDIT_MAX && strcmp(audit_table[i].event, r->event) != 0; i++)
		;
	return i < AUDIT_MAX ? audit_table[i].level : LOG_NOTICE;
}

/* There is room for it. */
static void
record(struct m_audit *r)
{
	static char line[AUDIT_LINE_MAX];
	uint8_t buf[AUDIT_RECORD_MAX];
	size_t len, n;

	r->seq = audit_store_head(tr.st, r->prev) + 1;
	len = audit_line(r, line);
	if ((n = audit_encode(r, buf)) == 0)
		fatalx("BUG: audit trail: %s is no record", r->event);
	audit_store_append(tr.st, r, buf, n);
	tr.records++;
	if (tr.file)
		audit_file_add(line, len);
	if (auth.conf.audit.syslog)
		audit_syslog_add(level_of(r), r, line, len);
	if (!tr.dirty) {
		tr.dirty = true;
		chan_hold(true, audit_flush);
		event_active(tr.turn, EV_TIMEOUT, 0);
	}
	if (audit_store_pending(tr.st) > AUDIT_BATCH_MAX - 2 * AUDIT_RECORD_MAX ||
	    (tr.file && audit_file_pending() > AUDIT_BATCH_MAX))
		audit_flush();
}

static void
no_room(void)
{
	int64_t now = auth_ms();

	/* At the start, and at a reload: isolation is about to send it. */
	if (tr.file && !audit_file_is_open() && now - tr.since < FILE_WAIT)
		return;
	tr.full = true;
	if (tr.warned != 0 && now - tr.warned < 10000)
		return;
	tr.warned = now;
	log_warnx("audit trail: %s: what would have to be recorded is refused until "
		  "there is",
	    tr.file && !audit_file_is_open() ? "there is no file to write to" :
					       "no space is left");
}

static bool
keep(const struct m_audit *r, bool fact)
{
	no_room();
	if (!fact) {
		tr.refused++;
		tr.refused_ever++;
		return false;
	}
	if (tr.nbacklog < BACKLOG)
		tr.backlog[tr.nbacklog++] = *r;
	else
		tr.lost++;
	return true;
}

bool
audit_waits(void)
{
	return tr.st != NULL && tr.nbacklog == 0 && room();
}

bool
audit_event_values(enum audit_event event, const struct log_value *values)
{
	const struct audit_row *row = &audit_table[event];
	static struct m_audit r;
	bool quiet;

	quiet = (row->flags == L_LOG || row->flags == L_ALL) &&
	    !audit_pace(event, values);
	if (tr.st != NULL && quiet && row->flags == L_ALL)
		return true;
	if (tr.st != NULL) {
		fill(&r, row, values);
		/* In the order in which they happened; a file begins with its own. */
		if ((tr.nbacklog == 0 || event == AUDIT_TRAIL_FILE) && room())
			record(&r);
		else if (!keep(&r, (row->flags & L_FACT) != 0))
			return false;
	}
	if (!quiet)
		log_event_values(row->level, row->event, values);
	return true;
}

void
audit_counts(uint64_t *records, uint64_t *refused, uint64_t *lost)
{
	*records = tr.records;
	*refused = tr.refused_ever;
	*lost = tr.unlogged_ever;
}

void
audit_flush(void)
{
	if (!tr.dirty)
		return;
	/* Nobody was told anything: to go on would be to lie. */
	if (audit_store_sync(tr.st) == -1)
		fatal("audit trail: %s", auth.conf.common.data);
	if (audit_file_sync() == -1)
		fatal("audit trail: %s", auth.conf.audit.file);
	tr.dirty = false;
	chan_hold(false, NULL);
	audit_syslog_durable();
	audit_query_kick();
}

static void
on_turn(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	audit_flush();
}

void
audit_prepare(const char *dir)
{
	strlcpy(tr.dir, dir, sizeof(tr.dir));
	if (mkdir(dir, 0700) == -1 && errno != EEXIST)
		fatal("%s/store%s", auth.conf.common.data, dir);
}

static const char *
restored_path(void)
{
	static char path[sizeof(tr.dir) + 16];

	snprintf(path, sizeof(path), "%s/%s", tr.dir, BACKUP_RESTORED);
	return path;
}

/* It was put here by idectl, from a backup, and says so itself. */
static void
tell_restored(void)
{
	struct backup_restored r;
	int fd;

	fd = open(restored_path(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1)
		return;
	tr.restored = true;
	if (read(fd, &r, sizeof(r)) == sizeof(r))
		(void)audit_event(AUDIT_RESTORED, LOG_N("made_ms", r.made),
		    LOG_N("restored_ms", r.restored));
	close(fd);
}

/* The record of it is on the disk. */
static void
restored_told(void)
{
	if (!tr.restored || tr.nbacklog > 0 || tr.dirty)
		return;
	tr.restored = false;
	(void)unlink(restored_path());
}

static void
start(void)
{
	char shown[sizeof(auth.conf.common.data) + 16], err[1400];

	snprintf(shown, sizeof(shown), "%s/store/audit", auth.conf.common.data);
	if ((tr.st = audit_store_open(tr.dir, shown, err, sizeof(err))) == NULL)
		fatalx("audit trail: %s", err);
	if (tr.turn == NULL &&
	    (tr.turn = event_new(auth.base, -1, 0, on_turn, NULL)) == NULL)
		fatalx("out of memory");
	tr.offset = audit_wall_ms() - auth_ms();
	audit_head_start();
	(void)audit_event(AUDIT_TRAIL_START, LOG_S("version", VERSION),
	    LOG_N("torn", audit_store_torn(tr.st)));
	tell_restored();
}

void
audit_config(void)
{
	const struct conf_audit *c = &auth.conf.audit;
	bool on = c->file[0] != '\0' || c->store || c->syslog;

	if (!on && tr.st != NULL)
		audit_close("it is not configured any more");
	audit_flush();
	tr.file = c->file[0] != '\0';
	tr.since = auth_ms();
	if (!tr.file)
		audit_file_close();
	audit_syslog_config(c->syslog, c->syslog_facility);
	if (on && tr.st == NULL)
		start();
}

/* What had to wait, and how much was refused meanwhile. */
static void
catch_up(void)
{
	unsigned int i;

	if ((tr.nbacklog == 0 && !tr.full) || !room())
		return;
	for (i = 0; i < tr.nbacklog && room(); i++)
		record(&tr.backlog[i]);
	tr.nbacklog -= i;
	memmove(tr.backlog, tr.backlog + i, tr.nbacklog * sizeof(tr.backlog[0]));
	if (tr.nbacklog > 0 || !tr.full)
		return;
	tr.full = false;
	(void)audit_event(
	    AUDIT_TRAIL_FULL, LOG_N("refused", tr.refused), LOG_N("lost", tr.lost));
	tr.refused = tr.lost = 0;
	tr.warned = 0;
}

/* Another file, in the place of the one that is there. */
static void
ask_file(void)
{
	const struct m_audit_rotate m = {
		audit_file_is_open() ? audit_file_day() : audit_wall_ms() / 86400000
	};

	tr.rotate_at = auth_ms();
	chan_send(&auth.isolation, M_AUDIT_ROTATE, 0, -1, &m, sizeof(m));
}

/* Written to from now on, or put aside by isolation, which opens another one. */
void
audit_take_file(int fd)
{
	const struct conf_audit *c = &auth.conf.audit;
	const char *why;

	if (tr.st == NULL || !tr.file) {
		close(fd);
		return;
	}
	audit_flush();
	switch (audit_file_take(fd, tr.st, &why)) {
	case FILE_GOES_ON:
		break;
	case FILE_BEGINS:
		/* What was asked for is there: the next one need not wait. */
		tr.rotate_at = 0;
		(void)audit_event(AUDIT_TRAIL_FILE, LOG_S("file", c->file));
		break;
	case FILE_ODD:
		(void)audit_event(
		    AUDIT_TRAIL_FILE_ODD, LOG_S("file", c->file), LOG_S("why", why));
		ask_file();
		break;
	case FILE_FAILED:
		log_warn("audit trail: %s", c->file);
		audit_file_close();
		break;
	}
	catch_up();
}

/* A record that syslog loses is still in the trail. */
static void
tell_unlogged(void)
{
	int64_t now = auth_ms();
	uint64_t lost;

	if (audit_syslog_tick())
		chan_send(&auth.isolation, M_AUDIT_SYSLOG_ASK, 0, -1, NULL, 0);
	lost = audit_syslog_lost();
	tr.unlogged += lost;
	tr.unlogged_ever += lost;
	if (tr.unlogged == 0 ||
	    (tr.unlogged_at != 0 && now - tr.unlogged_at < UNLOGGED_EVERY * 1000))
		return;
	tr.unlogged_at = now;
	(void)audit_event(AUDIT_TRAIL_SYSLOG, LOG_N("lost", tr.unlogged));
	/* To say that the word of it was lost, too, would have no end. */
	tr.unlogged = 0;
	tr.unlogged_ever += audit_syslog_lost();
}

/* Times in the trail may go back; why, it says itself. */
static void
watch_clock(void)
{
	int64_t offset = audit_wall_ms() - auth_ms(), by = offset - tr.offset;

	if (by > -STEP_MS && by < STEP_MS)
		return;
	tr.offset = offset;
	if (by > 0)
		tr.keep_until = auth_ms() + KEEP_AFTER_STEP;
	(void)audit_event(AUDIT_TRAIL_CLOCK, LOG_N("by_ms", by));
}

/* A clock that is set back over midnight, and goes over it again, makes no new day;
 * one that was wrong by days does. */
static bool
is_new_day(void)
{
	int64_t today = audit_wall_ms() / 86400000, day = audit_file_day();

	return auth.conf.audit.rotate_daily != 0 && (today > day || today < day - 1);
}

/* A new file, each day or when someone took it away. */
static void
rotate(void)
{
	int64_t now = auth_ms();

	if (!tr.file || (tr.rotate_at != 0 && now - tr.rotate_at < ROTATE_AGAIN * 1000))
		return;
	if (audit_file_is_open() && !is_new_day() && !audit_file_removed())
		return;
	ask_file();
}

static void
prune(void)
{
	const struct conf_audit *c = &auth.conf.audit;
	int64_t before = INT64_MAX;
	uint64_t through;

	/* Of a clock that went forward much would be too old; it may be wrong. */
	if (backup_running() || auth_ms() < tr.keep_until)
		return;
	if (c->store)
		before = audit_wall_ms() - (int64_t)c->store_keep * 1000;
	through = audit_store_prune(tr.st, before, c->store ? 0 : JOURNAL_SEGMENTS);
	if (through != 0 && c->store)
		(void)audit_event(AUDIT_TRAIL_PRUNED, LOG_N("through", through));
}

void
audit_tick(void)
{
	audit_pace_tell(false);
	if (tr.st == NULL)
		return;
	catch_up();
	restored_told();
	tell_unlogged();
	watch_clock();
	rotate();
	prune();
	audit_store_tick(tr.st);
	if (!tr.dirty)
		audit_head_sign();
}

void
audit_close(const char *why)
{
	if (tr.st == NULL)
		return;
	catch_up();
	audit_pace_tell(true);
	(void)audit_event(AUDIT_TRAIL_STOP, LOG_S("why", why));
	audit_flush();
	audit_file_close();
	audit_syslog_close();
	audit_store_close(tr.st);
	tr.st = NULL;
}
