/* Records of the audit trail, as the API shows them: JSON and rows of a spreadsheet. */
#include "../privsep/audit_record.h"
#include "../privsep/audit_text.h"
#include "api.h"

json_t *
api_audit_row(const void *row)
{
	static char line[AUDIT_LINE_MAX];
	struct m_audit r = *(const struct m_audit *)row;

	if (!audit_record_ok(&r))
		return (NULL);
	return (json_loadb(line, audit_line(&r, line), 0, NULL));
}

size_t
api_audit_text(const void *row, char *text)
{
	struct m_audit r = *(const struct m_audit *)row;

	return (audit_record_ok(&r) ? audit_csv(&r, text) : 0);
}
