/* Rows of answers, each as a JSON object. */
#ifndef IDECTL_ROWS_H
#define IDECTL_ROWS_H

#include <jansson.h>

#include "idectl.h"

void set(json_t *, const char *key, json_t *value);
/* Bytes from elsewhere: what is no UTF-8 is escaped. */
json_t *string(const char *, size_t size);
#define STR(a) string((a), sizeof(a))

/* NULL: it is a part of one that is still to come. */
json_t *row_of(const struct msg *);

#endif
