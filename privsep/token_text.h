/*
 * API tokens as text: "ided_", 43 digits of base 62 for 256 bits, and 6 for a
 * CRC-32 of all before.  Scanners that look for secrets in what people publish know
 * one by ided_[0-9A-Za-z]{49} and its checksum, and who mistypes one asks nobody.
 */
#ifndef PRIVSEP_TOKEN_TEXT_H
#define PRIVSEP_TOKEN_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire.h"

#define TOKEN_TEXT (5 + 43 + 6) /* bytes, without a NUL */

/* Terminated. */
void token_text(const uint8_t token[WIRE_TOKEN], char text[TOKEN_TEXT + 1]);
/* Only what token_text() writes. */
bool token_text_parse(uint8_t token[WIRE_TOKEN], const char *text, size_t len);

#endif
