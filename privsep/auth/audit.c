/* What is audited: see audit.h. */
#include "audit.h"
#include "auth.h"

#define A_ROW_(n, event, level, outcome, limit, keys)                                    \
	[AUDIT_##n] = { (event), (level), (outcome), (limit), (keys) },
const struct audit_row audit_table[AUDIT_MAX] = { AUDIT_TABLE(A_ROW_) };
#undef A_ROW_

bool
audit_event_values(enum audit_event event, const struct log_value *values)
{
	const struct audit_row *row = &audit_table[event];

	if (row->limit == L_NONE || log_allowed())
		log_event_values(row->level, row->event, values);
	return true;
}
