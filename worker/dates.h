/*
 * Times for people and for RFC 3339, without the C library's time zones, whose
 * file a worker may not open.
 */
#ifndef WORKER_DATES_H
#define WORKER_DATES_H

#include <stddef.h>
#include <stdint.h>

#define DATE_LEN 20 /* "2026-11-24T15:36:17Z" */

/* Years 1970..9999; others come out as the nearest of them. */
void date_format(char out[DATE_LEN + 1], int64_t t);
/* "3 hours ago", "in 2 days", "just now". */
void date_relative(char *dst, size_t size, int64_t t, int64_t now);
/* "3 hours" */
void date_span(char *dst, size_t size, int64_t seconds);
/* "1.5 GB" */
void bytes_format(char *dst, size_t size, uint64_t bytes);

#endif /* WORKER_DATES_H */
