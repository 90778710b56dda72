/*
 * Records and lines of the audit trail, as somebody else may have written them.  What
 * is taken for one must be sound, and come out again as it went in.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../privsep/audit_record.h"
#include "../../privsep/audit_sign.h"
#include "../../privsep/audit_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(int ok)
{
	if (!ok)
		abort();
}

static void
record(const uint8_t *data, size_t size)
{
	static char line[AUDIT_LINE_MAX], csv[AUDIT_CSV_MAX];
	uint8_t buf[AUDIT_RECORD_MAX], prev[WIRE_HASH256], hash[WIRE_HASH256];
	struct m_audit r, again;
	uint64_t seq;
	size_t n, len, i;

	if ((n = audit_decode(&r, data, size)) == 0)
		return;
	check(n <= size && audit_record_ok(&r));
	check(audit_encode(&r, buf) == n && memcmp(buf, data, n) == 0);
	again = r;
	len = audit_line(&again, line);
	check(len > 0 && len < AUDIT_LINE_MAX && line[len - 1] == '}');
	for (i = 0; i < len; i++)
		check((unsigned char)line[i] >= 0x20 && line[i] != 0x7f);
	check(audit_line_check(line, len, &seq, prev, hash) && seq == r.seq);
	len = audit_csv(&r, csv);
	check(len <= AUDIT_CSV_MAX && memcmp(csv + len - 2, "\r\n", 2) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t prev[WIRE_HASH256], hash[WIRE_HASH256];
	struct m_audit_signed s;
	char text[64];
	uint64_t seq;
	int64_t ms;

	record(data, size);
	(void)audit_line_check((const char *)data, size, &seq, prev, hash);
	if (size < sizeof(text)) {
		memcpy(text, data, size);
		text[size] = '\0';
		if (audit_when(text, 1700000000000, &ms))
			check(ms >= 0);
	}
	if (size == sizeof(s)) {
		memcpy(&s, data, sizeof(s));
		(void)audit_sign_verify(&s, s.key);
	}
	return 0;
}
