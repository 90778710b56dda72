/*
 * What a backup is kept in: a tar archive, that needs no ided to be looked at.
 *
 *	ided-backup	what it is, and of which version
 *	keys/...	the keys of tokens and of the audit trail
 *	store/...	accounts, sessions, tokens and settings, as copied while in use
 *	store/audit/...	the audit trail
 *	SHA256SUMS	of all of them, as sha256sum(1) writes and checks it
 *
 * The last one makes it whole: without it, it is no backup.
 */
#ifndef IDECTL_ARCHIVE_H
#define IDECTL_ARCHIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARCHIVE_BLOCK 512
#define ARCHIVE_NAME  100
#define ARCHIVE_INFO  "ided-backup"
#define ARCHIVE_SUMS  "SHA256SUMS"
#define ARCHIVE_FORM  "ided backup 1\n" /* what ARCHIVE_INFO begins with */
#define ARCHIVE_FILES 100000
#define ARCHIVE_LINE  (64 + 2 + ARCHIVE_NAME + 1) /* of ARCHIVE_SUMS */

/* A file's head; false when it has no place in it. */
bool archive_head(
    uint8_t block[ARCHIVE_BLOCK], const char *name, uint64_t size, int64_t time);
/* False when it is not one that archive_head() wrote. */
bool archive_parse(
    const uint8_t block[ARCHIVE_BLOCK], char name[ARCHIVE_NAME], uint64_t *size);
/* Bytes that follow a file, up to the next block. */
size_t archive_padding(uint64_t size);
/* keys/NAME, store/NAME, store/audit/NAME, and nothing that leads elsewhere. */
bool archive_name_ok(const char *name);

#endif
