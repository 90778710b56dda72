/* API tokens as text: see token_text.h. */
#include <string.h>

#include "token_text.h"

#define PREFIX "ided_"
#define SECRET 43
#define SUM    6

static const char digits[] =
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/* As of zip and PNG. */
static uint32_t
crc32(const char *p, size_t len)
{
	uint32_t c = 0xffffffff;
	size_t i;
	int k;

	for (i = 0; i < len; i++) {
		c ^= (uint8_t)p[i];
		for (k = 0; k < 8; k++)
			c = c >> 1 ^ (0xedb88320 & (0 - (c & 1)));
	}
	return ~c;
}

/* n digits for the number in v, of len bytes, most significant first; v is spent. */
static void
put(char *dst, size_t n, uint8_t *v, size_t len)
{
	uint32_t rest;
	size_t i;

	while (n-- > 0) {
		rest = 0;
		for (i = 0; i < len; i++) {
			rest = rest << 8 | v[i];
			v[i] = (uint8_t)(rest / 62);
			rest %= 62;
		}
		dst[n] = digits[rest];
	}
}

/* The other way round; false for what is no digit, or too large. */
static bool
get(uint8_t *v, size_t len, const char *src, size_t n)
{
	const char *d;
	uint32_t carry;
	size_t i, k;

	memset(v, 0, len);
	for (k = 0; k < n; k++) {
		if (src[k] == '\0' || (d = strchr(digits, src[k])) == NULL)
			return false;
		carry = (uint32_t)(d - digits);
		for (i = len; i-- > 0;) {
			carry += (uint32_t)v[i] * 62;
			v[i] = (uint8_t)carry;
			carry >>= 8;
		}
		if (carry != 0)
			return false;
	}
	return true;
}

static void
sum(const char *text, char dst[SUM])
{
	uint32_t c = crc32(text, sizeof(PREFIX) - 1 + SECRET);
	uint8_t v[4] = { (uint8_t)(c >> 24), (uint8_t)(c >> 16), (uint8_t)(c >> 8),
		(uint8_t)c };

	put(dst, SUM, v, sizeof(v));
}

void
token_text(const uint8_t token[WIRE_TOKEN], char text[TOKEN_TEXT + 1])
{
	uint8_t v[WIRE_TOKEN];

	memcpy(v, token, sizeof(v));
	memcpy(text, PREFIX, sizeof(PREFIX) - 1);
	put(text + sizeof(PREFIX) - 1, SECRET, v, sizeof(v));
	sum(text, text + sizeof(PREFIX) - 1 + SECRET);
	text[TOKEN_TEXT] = '\0';
	explicit_bzero(v, sizeof(v));
}

bool
token_text_parse(uint8_t token[WIRE_TOKEN], const char *text, size_t len)
{
	char want[SUM];

	if (len != TOKEN_TEXT || memcmp(text, PREFIX, sizeof(PREFIX) - 1) != 0)
		return false;
	sum(text, want);
	return memcmp(want, text + TOKEN_TEXT - SUM, SUM) == 0 &&
	    get(token, WIRE_TOKEN, text + sizeof(PREFIX) - 1, SECRET);
}
