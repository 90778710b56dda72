/*
 * Bytes as hexadecimal digits, and back.
 */
#ifndef PRIVSEP_HEX_H
#define PRIVSEP_HEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Writes 2 * len digits, in lower case, and a NUL. */
void hex_put(char *to, const uint8_t *bytes, size_t len);

/*
 * Reads 2 * len digits, in lower case only: there is one way to write a key.
 * Looks at no more than that, and stops at the first that is none: then false, and
 * bytes holds nothing of use.
 */
bool hex_get(uint8_t *bytes, size_t len, const char *from);

/* What a digit of either case is worth; -1: it is none. */
static inline int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

#endif
