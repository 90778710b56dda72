/*
 * idectl audit query, tail, export: records as they come, one line each.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <bsd/string.h>

#include "../../privsep/audit_text.h"
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

static int64_t
when(const char *s)
{
	int64_t ms;

	if (!audit_when(s, (int64_t)time(NULL) * 1000, &ms))
		die("%s: a time is 2026-01-31, 2026-01-31T12:00:00, or 2h, 7d and so on "
		    "ago",
		    s);
	return ms;
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

static void
print_csv(const struct m_audit *r)
{
	static bool headed;
	char buf[AUDIT_CSV_MAX];

	if (!headed)
		fputs(AUDIT_CSV_HEAD, stdout);
	headed = true;
	fwrite(buf, 1, audit_csv(r, buf), stdout);
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
	audit_details(r, buf, sizeof(buf));
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
		case M_ROW_AUDIT_PAGE:
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
