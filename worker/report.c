/*
 * What browsers report of a content security policy: W3C CSP Level 3, 5, and the
 * Reporting API.  Anybody can send one, so it is a line in the log and no more: names
 * cut, queries left out, and a few for a connection.
 */
#include <jansson.h>

#include <stdio.h>
#include <string.h>

#include "../privsep/log.h"
#include "respond.h"
#include "routes.h"
#include "worker.h"

#define REPORT_MAX  (32 * 1024) /* bytes of a body */
#define REPORTS_MAX 8           /* in one of them */
#define LINES_MAX   20          /* of one connection */
#define PART        160

static unsigned int lines;

/* An address without its query, or a word. */
static const char *
part(char buf[PART], const json_t *report, const char *name, const char *other)
{
	const char *s = json_string_value(json_object_get(report, name));

	if (s == NULL)
		s = json_string_value(json_object_get(report, other));
	snprintf(buf, PART, "%.*s", (int)strcspn(s != NULL ? s : "", "?#"),
	    s != NULL ? s : "");
	return (buf);
}

static void
report_log(const struct stream *s, const json_t *report)
{
	char what[PART], blocked[PART], where[PART];

	if (!json_is_object(report) || lines >= LINES_MAX)
		return;
	lines++;
	log_event(LOG_NOTICE, "csp.report", LOG_S("rid", s->rid),
	    LOG_S("directive",
		part(what, report, "effectiveDirective", "effective-directive")),
	    LOG_S("blocked", part(blocked, report, "blockedURL", "blocked-uri")),
	    LOG_S("page", part(where, report, "documentURL", "document-uri")),
	    LOG_S("user", s->w->bound ? s->w->who.name : ""));
}

static void
report_body(struct stream *s, char *body, size_t len)
{
	json_t *j = json_loadb(body, len, 0, NULL);
	struct answer a;

	if (j == NULL) {
		respond_error(s, 400, NULL);
		return;
	}
	for (size_t i = 0; i < json_array_size(j) && i < REPORTS_MAX; i++)
		report_log(s, json_object_get(json_array_get(j, i), "body"));
	if (json_is_object(j))
		report_log(s, json_object_get(j, "csp-report"));
	json_decref(j);
	answer_init(&a, s, ANSWER_DATA);
	answer_send(&a, 204, NULL, 0);
}

void
csp_report(struct stream *s, const char *rest)
{
	(void)rest;
	if (s->head.content_length > REPORT_MAX)
		respond_error(s, 413, NULL);
	else
		body_collect(s, report_body);
}
