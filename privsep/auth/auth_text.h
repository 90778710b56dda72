/*
 * Text that people give themselves: names to show, e-mail addresses.
 *
 * The rules, which ided-api(7) states as well:
 *
 * - UTF-8, made NFC; an address is case-folded too, and its domain is written as
 *   DNS has it (IDNA 2008, "xn--..."), so that one address is one account's;
 * - no character that is not seen or that changes how others are seen: controls,
 *   formats (zero width, direction), private use, what Unicode has not assigned,
 *   spaces other than one U+0020 between words;
 * - no compatibility character (full width, ligature, mathematical letter): they
 *   look like what they stand for;
 * - the letters of one text are of one script.  Latin may stand beside Japanese,
 *   Chinese and Korean: what Unicode's UTS 39 calls highly restrictive;
 * - at most four marks on one letter.
 *
 * Names of accounts are a-z, 0-9, '.', '_' and '-', and need no such rules; but one
 * that a reader takes for a reserved one is refused: policy_name_like().
 */
#ifndef AUTH_TEXT_H
#define AUTH_TEXT_H

#include <stddef.h>

#include "../wire.h"

/*
 * In place.  NULL, or what is wrong with it, a sentence that begins in lower case.
 * What is wrong is left as it was.
 */
const char *text_display(char text[WIRE_DISPLAY]);
const char *text_email(char text[WIRE_EMAIL]);
/* For text that is only to be found: folded as far as it can be. */
void text_fold(const char *text, char *out, size_t size);

#endif
