/*
 * idectl audit query, tail, export: records as they come, one line each.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <bsd/string.h>

#include "../../privsep/log.h"
#include "audit.h"
#include "idectl.h"

enum form {
	FORM_TEXT,
	FORM_JSON,
	FORM_CSV,
};

struct options {
	struct m_audit_query q;
	enum form form;
	bool all;         /* page after page */
	const char *key;  /* verify */
	const char *data; /* verify */
};

_Noreturn static void
usage(const char *verb)
{
	static const char filters[] = "[-u user] [-e event] [-a address] [-o outcome] "
				      "[-g text] [-s since] [-b before]";

	if (strcmp(verb, "verify") == 0)
		fprintf(
		    stderr, "usage: idectl audit verify [-d data] [-k key] [FILE ...]\n");
	else if (strcmp(verb, "tail") == 0)
		fprintf(stderr, "usage: idectl audit tail [-f] [-n count] %s\n", filters);
	else if (strcmp(verb, "export") == 0)
		fprintf(
		    stderr, "usage: idectl audit export [-F json | csv] %s\n", filters);
	else
		fprintf(stderr,
		    "usage: idectl audit query [-r] [-n count] [-c cursor] %s\n",
		    filters);
	exit(EXIT_USAGE);
}

static void
take(char *to, size_t size, const char *what, const char *value)
{
	if (strlcpy(to, value, size) >= size)
		die("%s: at most %zu bytes", what, size - 1);
}

/* 2026-01-31, 2026-01-31T12:00:00[Z] (UTC), seconds since the epoch, or 2h: ago. */
static int64_t
when(const char *s)
{
	static const char *const forms[] = { "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S",
		"%Y-%m-%dT%H:%M", "%Y-%m-%d" };
	static const struct {
		char unit;
		int64_t seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 },
		{ 'w', 604800 } };
	struct tm tm;
	const char *end;
	char *unit;
	long long n;
	size_t i;

	for (i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		memset(&tm, 0, sizeof(tm));
		if ((end = strptime(s, forms[i], &tm)) != NULL && *end == '\0')
			return (int64_t)timegm(&tm) * 1000;
	}
	errno = 0;
	n = strtoll(s, &unit, 10);
	if (errno == 0 && unit != s && n >= 0 && n < 100000000000LL) {
		if (*unit == '\0')
			return n * 1000;
		for (i = 0; i < sizeof(units) / sizeof(units[0]); i++)
			if (unit[0] == units[i].unit && unit[1] == '\0')
				return ((int64_t)time(NULL) - n * units[i].seconds) *
				    1000;
	}
	die("%s: a time is 2026-01-31, 2026-01-31T12:00:00, or 2h, 7d and so on ago", s);
}

static void
filter(struct options *o, int c, const char *verb)
{
	struct m_audit_query *q = &o->q;
	char *end;

	switch (c) {
	case 'u':
		take(q->user, sizeof(q->user), "-u", optarg);
		break;
	case 'e':
		take(q->event, sizeof(q->event), "-e", optarg);
		break;
	case 'a':
		take(q->source, sizeof(q->source), "-a", optarg);
		break;
	case 'o':
		take(q->outcome, sizeof(q->outcome), "-o", optarg);
		break;
	case 'g':
		take(q->text, sizeof(q->text), "-g", optarg);
		break;
	case 's':
		q->from = when(optarg);
		break;
	case 'b':
		q->to = when(optarg);
		break;
	case 'c':
		take(q->cursor, sizeof(q->cursor), "-c", optarg);
		break;
	case 'n':
		q->limit = (uint32_t)strtoul(optarg, &end, 10);
		if (*end != '\0' || q->limit == 0 || q->limit > WIRE_AUDIT_ROWS)
			die("-n %s: 1 to %d", optarg, WIRE_AUDIT_ROWS);
		break;
	case 'r':
		q->oldest_first = 1;
		break;
	case 'f':
		q->follow = 1;
		break;
	case 'F':
		if (strcmp(optarg, "csv") == 0)
			o->form = FORM_CSV;
		else if (strcmp(optarg, "json") == 0)
			o->form = FORM_JSON;
		else
			usage(verb);
		break;
	case 'k':
		o->key = optarg;
		break;
	case 'd':
		o->data = optarg;
		break;
	default:
		usage(verb);
	}
}

/* A cell of a spreadsheet is data, whatever it begins with. */
static void
csv_cell(const char *s, bool last)
{
	putchar('"');
	if (s[0] != '\0' && strchr("=+-@\t\r", s[0]) != NULL)
		putchar('\'');
	for (; *s != '\0'; s++) {
		if (*s == '"')
			putchar('"');
		putchar(*s);
	}
	fputs(last ? "\"\r\n" : "\",", stdout);
}

/* Control characters as in the log, so that a record is one line. */
static void
csv_text(const char *s)
{
	char safe[4 * WIRE_AUDIT_DETAIL];

	log_escape(safe, sizeof(safe), s);
	csv_cell(safe, false);
}

/* The details as they stand in the line: name=value, separated by blanks. */
static void
details(const struct m_audit *r, char *buf, size_t size)
{
	const char *name, *value;
	char safe[4 * WIRE_AUDIT_DETAIL];
	uint32_t at = 0;
	size_t n = 0;
	char kind;

	buf[0] = '\0';
	while (n < size && audit_detail_next(r, &at, &name, &kind, &value)) {
		log_escape(safe, sizeof(safe), value);
		n += (size_t)snprintf(
		    buf + n, size - n, "%s%s=%s", n > 0 ? " " : "", name, safe);
	}
}

static void
print_csv(const struct m_audit *r)
{
	static bool headed;
	char buf[8 * WIRE_AUDIT_DETAIL], hash[AUDIT_HEX + 1];

	if (!headed)
		fputs("seq,time,event,outcome,actor,user,source,agent,session,rid,detail,"
		      "hash\r\n",
		    stdout);
	headed = true;
	printf("%" PRIu64 ",", r->seq);
	audit_time_text(buf, r->time);
	csv_cell(buf, false);
	csv_text(r->event);
	csv_text(r->outcome);
	csv_text(r->actor);
	csv_text(r->user);
	csv_text(r->source);
	csv_text(r->agent);
	csv_text(r->session);
	csv_text(r->rid);
	details(r, buf, sizeof(buf));
	csv_cell(buf, false);
	audit_hex(hash, r->hash, sizeof(r->hash));
	csv_cell(hash, true);
}

static void
print_text(const struct m_audit *r)
{
	static const char *const names[] = { "user", "actor", "source", "session" };
	const char *values[] = { r->user, r->actor, r->source, r->session };
	char buf[8 * WIRE_AUDIT_DETAIL];
	size_t i;

	audit_time_text(buf, r->time);
	printf("%" PRIu64 " %s %s", r->seq, buf, r->event);
	if (strcmp(r->outcome, "ok") != 0)
		printf(" %s", r->outcome);
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (values[i][0] == '\0' || (i == 1 && strcmp(r->user, r->actor) == 0))
			continue;
		log_escape(buf, sizeof(buf), values[i]);
		printf(" %s=%s", names[i], buf);
	}
	details(r, buf, sizeof(buf));
	printf("%s%s\n", buf[0] != '\0' ? " " : "", buf);
}

static void
print(const struct m_audit *row, enum form form)
{
	static char line[AUDIT_LINE_MAX];
	struct m_audit r = *row;

	if (!audit_record_ok(&r))
		die("a record that is none");
	switch (form) {
	case FORM_TEXT:
		print_text(&r);
		break;
	case FORM_CSV:
		print_csv(&r);
		break;
	case FORM_JSON:
		fwrite(line, 1, audit_line(&r, line), stdout);
		putchar('\n');
		break;
	}
	if (ferror(stdout))
		die("output failed");
}

/* One page; true when it was the last one. */
static bool
page(struct options *o, enum form form, struct m_audit *keep, unsigned int *n)
{
	struct m_audit_page p;
	struct msg m;

	memset(&p, 0, sizeof(p));
	ctl_send(M_CTL_AUDIT_QUERY, -1, &o->q, sizeof(o->q));
	for (;;) {
		ctl_recv(&m, o->q.follow != 0 ? -1 : CTL_WAIT);
		switch (m.head.type) {
		case M_ROW_AUDIT:
			if (keep != NULL)
				keep[(*n)++] = *MSG_DATA(&m, m_audit);
			else
				print(MSG_DATA(&m, m_audit), form);
			if (o->q.follow != 0)
				fflush(stdout);
			break;
		case M_AUDIT_PAGE:
			p = *MSG_DATA(&m, m_audit_page);
			p.cursor[sizeof(p.cursor) - 1] = '\0';
			break;
		case M_OK:
			memcpy(o->q.cursor, p.cursor, sizeof(o->q.cursor));
			return p.end != 0;
		case M_FAIL:
			fflush(stdout);
			print_fail(MSG_DATA(&m, m_fail));
			exit(EXIT_FAILED);
		default:
			die("unexpected answer %s", msg_name(m.head.type));
		}
	}
}

static int
query(struct options *o)
{
	bool end = page(o, o->form, NULL, NULL);

	if (o->q.cursor[0] == '\0' || (end && o->q.oldest_first == 0))
		return EXIT_SUCCESS;
	if (o->form == FORM_JSON)
		printf("{\"cursor\":\"%s\"}\n", o->q.cursor);
	else if (!end)
		fprintf(stderr, "idectl: there is more: -c %s\n", o->q.cursor);
	return EXIT_SUCCESS;
}

static int export(struct options *o)
{
	o->q.oldest_first = 1;
	o->q.limit = WIRE_AUDIT_ROWS;
	while (!page(o, o->form, NULL, NULL))
		;
	return EXIT_SUCCESS;
}

/* The last ones, oldest first, and what comes after them. */
static int
tail(struct options *o)
{
	static struct m_audit last[WIRE_AUDIT_ROWS];
	bool follow = o->q.follow != 0;
	unsigned int i, n = 0;

	o->q.follow = 0;
	if (o->q.limit == 0)
		o->q.limit = 10;
	(void)page(o, o->form, last, &n);
	for (i = n; i > 0; i--)
		print(&last[i - 1], o->form);
	fflush(stdout);
	if (!follow)
		return EXIT_SUCCESS;
	/* From the one after the newest of them; else from what is still to come. */
	o->q.cursor[0] = '\0';
	o->q.after = n > 0 ? last[0].seq : UINT64_MAX;
	o->q.oldest_first = o->q.follow = 1;
	(void)page(o, o->form, NULL, NULL);
	return EXIT_SUCCESS;
}

int
audit_run(const char *verb, const char *socket, int argc, char **argv)
{
	static const struct {
		const char *verb;
		const char *options;
	} verbs[] = {
		{ "query", "+u:e:a:o:g:s:b:n:c:r" },
		{ "tail", "+u:e:a:o:g:s:b:n:f" },
		{ "export", "+u:e:a:o:g:s:b:F:" },
		{ "verify", "+d:k:" },
	};
	struct options o;
	size_t i;
	int c;

	memset(&o, 0, sizeof(o));
	o.form = json ? FORM_JSON : FORM_TEXT;
	for (i = 0; strcmp(verbs[i].verb, verb) != 0; i++)
		;
	optind = 1;
	while ((c = getopt(argc, argv, verbs[i].options)) != -1)
		filter(&o, c, verb);
	if (strcmp(verb, "verify") == 0)
		return audit_verify(socket, o.data, o.key, argv + optind, argc - optind);
	if (optind != argc)
		usage(verb);
	signal(SIGPIPE, SIG_DFL);
	ctl_connect(socket);
	if (strcmp(verb, "tail") == 0)
		return tail(&o);
	if (strcmp(verb, "query") == 0)
		return query(&o);
	if (o.form == FORM_TEXT)
		o.form = FORM_JSON;
	return export(&o);
}
