/*
 * GET /api/admin/audit: pages of the audit trail, as JSON or as CSV.  Auth decides who
 * may; what is asked for is held against its bounds here, each fault by its name.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <bsd/stdlib.h>

#include "../privsep/audit_record.h"
#include "../privsep/audit_text.h"
#include "../privsep/log.h"
#include "respond.h"
#include "routes.h"
#include "session.h"
#include "url.h"
#include "worker.h"

#define ROWS 500

struct pages {
	struct stream *s;
	uint32_t question;
	bool csv;
	json_t *records;
	char *text; /* CSV */
	size_t len;
	struct m_audit_page page;
};

/* Strings of the query as they go to auth. */
static const struct param {
	const char *name;
	size_t at;
	size_t size;
} params[] = {
#define PARAM(n, f)                                                                      \
	{                                                                                \
		(n), offsetof(struct m_audit_query, f),                                  \
		    sizeof(((struct m_audit_query *)0)->f)                               \
	}
	PARAM("user", user),
	PARAM("event", event),
	PARAM("address", source),
	PARAM("outcome", outcome),
	PARAM("q", text),
	PARAM("cursor", cursor),
#undef PARAM
};
/* ... and those that are read here. */
static const char *const others[] = { "from", "to", "limit", "order", "format" };

static void
bad(struct stream *s, const char *name, const char *what)
{
	char text[160];

	snprintf(text, sizeof(text), "%s: %s", name, what);
	respond_error(s, 400, text);
}

static bool
known(const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < sizeof(params) / sizeof(params[0]); i++)
		if (strlen(params[i].name) == len &&
		    memcmp(params[i].name, name, len) == 0)
			return (true);
	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (strlen(others[i]) == len && memcmp(others[i], name, len) == 0)
			return (true);
	return (false);
}

/* Every parameter that came is one of ours. */
static bool
only_known(struct stream *s)
{
	const char *p = s->query.p, *end = p + s->query.len, *amp, *eq;
	char text[96];
	size_t n;

	while (p != NULL && p < end) {
		amp = memchr(p, '&', (size_t)(end - p));
		if (amp == NULL)
			amp = end;
		eq = memchr(p, '=', (size_t)(amp - p));
		n = (size_t)((eq != NULL ? eq : amp) - p);
		if (!known(p, n)) {
			snprintf(text, sizeof(text), "%.*s: there is no such parameter",
			    (int)(n < 40 ? n : 40), p);
			respond_error(s, 400, text);
			return (false);
		}
		p = amp + 1;
	}
	return (true);
}

/* A parameter; "" when it is not there.  False, and answered, when it is no good. */
static bool
param(struct stream *s, const char *name, char *dst, size_t size)
{
	const char *p;
	json_t *utf8;
	ssize_t n;

	n = url_query(dst, size, s->query, (struct slice){ name, strlen(name) });
	if (n == URL_ABSENT) {
		dst[0] = '\0';
		return (true);
	}
	if (n < 0) {
		bad(s, name, "malformed, given twice, or too long");
		return (false);
	}
	for (p = dst; *p != '\0'; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			break;
	if ((size_t)(p - dst) != (size_t)n) {
		bad(s, name, "control characters have no place in it");
		return (false);
	}
	if ((utf8 = json_string(dst)) == NULL) {
		bad(s, name, "this is no UTF-8");
		return (false);
	}
	json_decref(utf8);
	return (true);
}

static bool
param_time(struct stream *s, const char *name, int64_t *ms)
{
	struct timespec now;
	char text[48];

	*ms = 0;
	if (!param(s, name, text, sizeof(text)))
		return (false);
	clock_gettime(CLOCK_REALTIME, &now);
	if (text[0] == '\0' || audit_when(text, (int64_t)now.tv_sec * 1000, ms))
		return (true);
	bad(s, name,
	    "a time is 2026-01-31, 2026-01-31T12:00:00Z, or 2h, 7d and so on ago");
	return (false);
}

static bool
choice(struct stream *s, const char *name, const char *no, const char *yes, bool *is)
{
	char text[16], what[48];

	*is = false;
	if (!param(s, name, text, sizeof(text)))
		return (false);
	*is = strcmp(text, yes) == 0;
	if (text[0] == '\0' || *is || strcmp(text, no) == 0)
		return (true);
	snprintf(what, sizeof(what), "%s or %s", no, yes);
	bad(s, name, what);
	return (false);
}

static bool
question(struct stream *s, struct m_audit_query *q, bool *csv)
{
	const char *why;
	char text[16];
	bool oldest;
	size_t i;

	memset(q, 0, sizeof(*q));
	if (!only_known(s))
		return (false);
	for (i = 0; i < sizeof(params) / sizeof(params[0]); i++)
		if (!param(s, params[i].name, (char *)q + params[i].at, params[i].size))
			return (false);
	if (!param_time(s, "from", &q->from) || !param_time(s, "to", &q->to) ||
	    !choice(s, "order", "newest", "oldest", &oldest) ||
	    !choice(s, "format", "json", "csv", csv) ||
	    !param(s, "limit", text, sizeof(text)))
		return (false);
	q->oldest_first = oldest;
	if (text[0] != '\0') {
		q->limit = (uint32_t)strtonum(text, 1, ROWS, &why);
		if (why != NULL) {
			bad(s, "limit", "a number from 1 to 500");
			return (false);
		}
	}
	return (true);
}

static void
pages_close(struct stream *s)
{
	struct pages *p = s->arg;

	auth_forget(s->w, p->question);
	json_decref(p->records);
	free(p->text);
	free(p);
}

static void
add(struct pages *p, const struct m_audit *row)
{
	static char line[AUDIT_LINE_MAX];
	struct m_audit r = *row;
	char *t;

	if (!audit_record_ok(&r))
		return;
	if (!p->csv) {
		json_array_append_new(
		    p->records, json_loadb(line, audit_line(&r, line), 0, NULL));
		return;
	}
	if ((t = realloc(p->text, p->len + AUDIT_CSV_MAX)) == NULL)
		fatal("realloc");
	p->text = t;
	p->len += audit_csv(&r, t + p->len);
}

static void
answer_csv(struct pages *p)
{
	struct answer a;

	answer_init(&a, p->s, ANSWER_DATA);
	answer_add(&a, SLICE("content-type"), SLICE("text/csv; charset=utf-8"));
	answer_add(&a, SLICE("content-disposition"),
	    SLICE("attachment; filename=\"audit.csv\""));
	answer_add(&a, SLICE("cache-control"), SLICE("no-store"));
	if (p->page.cursor[0] != '\0')
		answer_fmt(&a, SLICE("ided-cursor"), "%s", p->page.cursor);
	answer_send(&a, 200, p->text, p->len);
}

static void
answered(void *arg, struct msg *m)
{
	struct pages *p = arg;
	json_t *cursor;

	if (m != NULL && m->head.type == M_ROW_AUDIT) {
		add(p, MSG_DATA(m, m_audit));
		return;
	}
	if (m != NULL && m->head.type == M_ROW_AUDIT_PAGE) {
		p->page = *MSG_DATA(m, m_audit_page);
		p->page.cursor[sizeof(p->page.cursor) - 1] = '\0';
		return;
	}
	p->question = 0;
	if (m != NULL && m->head.type == M_FAIL && wire_str(MSG_DATA(m, m_fail)->text) &&
	    MSG_DATA(m, m_fail)->code == FAIL_INVALID) {
		/* Which parameter it is, auth says. */
		respond_error(p->s, 400, MSG_DATA(m, m_fail)->text);
	} else if (m == NULL || m->head.type != M_OK) {
		auth_error(p->s, m);
	} else if (p->csv) {
		answer_csv(p);
	} else {
		cursor = p->page.cursor[0] != '\0' ? json_string(p->page.cursor) :
						     json_null();
		respond_data(p->s,
		    json_pack("{s:O, s:o, s:b}", "records", p->records, "cursor", cursor,
			"end", p->page.end != 0));
	}
}

void
api_audit(struct stream *s, const char *rest)
{
	struct m_audit_query q;
	struct pages *p;
	bool csv;

	(void)rest;
	if (!question(s, &q, &csv))
		return;
	if ((p = calloc(1, sizeof(*p))) == NULL || (p->records = json_array()) == NULL)
		fatal("calloc");
	p->s = s;
	p->csv = csv;
	if (csv && (p->text = strdup(AUDIT_CSV_HEAD)) == NULL)
		fatal("strdup");
	p->len = csv ? strlen(AUDIT_CSV_HEAD) : 0;
	s->arg = p;
	s->on_close = pages_close;
	p->question = auth_ask(s->w, M_AUDIT_QUERY, &q, sizeof(q), answered, p);
	if (p->question == 0)
		respond_error(s, 503, NULL);
}
