/*
 * The languages of the pages that somebody sees who is not known yet: English, and
 * those that lang.c has.
 */
#ifndef WORKER_LANG_H
#define WORKER_LANG_H

#include "slice.h"

/* The language, by its tag, that suits an Accept-Language best; RFC 9110 12.5.4. */
const char *lang_pick(struct slice accept);
/* A text of ours in that language; English where there is no other. */
const char *lang_text(const char *lang, const char *english);

#endif /* WORKER_LANG_H */
