/*
 * The name of a shared port, as addresses, lists and the audit trail show it: its 80 bits
 * in 16 characters of RFC 4648 7, in lower case.  There is one spelling.
 */
#ifndef PRIVSEP_SHARE_TEXT_H
#define PRIVSEP_SHARE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "wire.h"

void share_text(const uint8_t id[WIRE_SHARE], char text[WIRE_SHARE_TEXT]);
/* len bytes that need no end; false, and id is undefined, if that is no such name. */
bool share_text_parse(uint8_t id[WIRE_SHARE], const char *text, size_t len);

#endif
