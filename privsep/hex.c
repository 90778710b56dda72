/* Hexadecimal digits: see hex.h. */
#include "hex.h"

void
hex_put(char *to, const uint8_t *bytes, size_t len)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		*to++ = digits[bytes[i] >> 4];
		*to++ = digits[bytes[i] & 0xf];
	}
	*to = '\0';
}

static bool
lower(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

bool
hex_get(uint8_t *bytes, size_t len, const char *from)
{
	for (size_t i = 0; i < len; i++) {
		if (!lower(from[2 * i]) || !lower(from[2 * i + 1]))
			return false;
		bytes[i] = (uint8_t)(hex_digit(from[2 * i]) << 4 |
		    hex_digit(from[2 * i + 1]));
	}
	return true;
}
