/*
 * Records of the audit trail for people: times, and rows of a spreadsheet.
 */
#ifndef PRIVSEP_AUDIT_TEXT_H
#define PRIVSEP_AUDIT_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire.h"

/*
 * 2026-01-31, 2026-01-31T12:00, …:00:00, with or without Z (UTC in any case);
 * seconds since the epoch; or how long ago: 90s, 15m, 2h, 7d, 3w.  In milliseconds.
 */
bool audit_when(const char *text, int64_t now, int64_t *ms);

/* name=value of the details, control characters escaped; cut to size. */
void audit_details(const struct m_audit *, char *buf, size_t size);

/*
 * A row of CSV (RFC 4180), with its end.  What a spreadsheet would take for a formula
 * gets an apostrophe before it, and control characters are escaped: a cell is data.
 */
#define AUDIT_CSV_MAX 16384
#define AUDIT_CSV_HEAD                                                                   \
	"seq,time,event,outcome,actor,user,source,agent,session,rid,detail,hash\r\n"
size_t audit_csv(const struct m_audit *, char buf[AUDIT_CSV_MAX]);

#endif
