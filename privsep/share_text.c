/* Names of shared ports: see share_text.h. */
#include <string.h>

#include "share_text.h"

static const char digits[] = "0123456789abcdefghijklmnopqrstuv";

void
share_text(const uint8_t id[WIRE_SHARE], char text[WIRE_SHARE_TEXT])
{
	uint32_t bits = 0;
	unsigned int have = 0;
	size_t i, n = 0;

	for (i = 0; i < WIRE_SHARE; i++) {
		bits = bits << 8 | id[i];
		for (have += 8; have >= 5; have -= 5)
			text[n++] = digits[bits >> (have - 5) & 31];
	}
	text[n] = '\0';
}

bool
share_text_parse(uint8_t id[WIRE_SHARE], const char *text, size_t len)
{
	unsigned int have = 0;
	uint32_t bits = 0;
	const char *d;
	size_t i, n = 0;

	if (len != WIRE_SHARE_TEXT - 1)
		return false;
	for (i = 0; i < len; i++) {
		if ((d = memchr(digits, text[i], 32)) == NULL)
			return false;
		bits = bits << 5 | (uint32_t)(d - digits);
		if ((have += 5) >= 8) {
			have -= 8;
			id[n++] = (uint8_t)(bits >> have);
		}
	}
	return true;
}
