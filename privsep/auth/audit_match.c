/* Which records of the audit trail are asked for: see audit_store.h. */
#include <string.h>

#include "audit_store.h"

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

bool
audit_match(const struct m_audit *r, const struct m_audit_query *q)
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

/* The narrowest index that there is for it. */
void
audit_match_index(struct audit_scan *sc, const struct m_audit_query *q)
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

bool
audit_match_same(const struct m_audit_query *a, const struct m_audit_query *b)
{
	return strcmp(a->cursor, b->cursor) == 0 && strcmp(a->user, b->user) == 0 &&
	    strcmp(a->event, b->event) == 0 && strcmp(a->source, b->source) == 0 &&
	    strcmp(a->outcome, b->outcome) == 0 && strcmp(a->text, b->text) == 0 &&
	    a->from == b->from && a->to == b->to && a->after == b->after &&
	    a->limit == b->limit && a->oldest_first == b->oldest_first &&
	    a->follow == b->follow;
}
