/* What print.c and the makers of rows share. */
#ifndef IDECTL_PRINT_H
#define IDECTL_PRINT_H

#include <jansson.h>

#include "idectl.h"

void set(json_t *, const char *key, json_t *value);
/* Bytes from elsewhere: what is no UTF-8 is escaped. */
json_t *string(const char *, size_t size);
#define STR(a) string((a), sizeof(a))
/* A list of words with a space between them. */
json_t *names(const char *, size_t size);

/* print_token.c */
json_t *row_token(const struct m_token *);
json_t *row_token_made(const struct m_token_made *);
json_t *row_limit(const struct m_limit *);
json_t *row_share(const struct m_share *);

#endif
