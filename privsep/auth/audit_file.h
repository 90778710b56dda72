/*
 * The audit trail as a file: the lines of the records (audit_record.h), one after
 * another.  Isolation opens it, and another one each day; auth has its descriptor
 * and no folder.
 *
 * The store is always ahead of it, by no more than what nobody was told yet: what
 * a crash left out is written at the next start.
 */
#ifndef AUTH_AUDIT_FILE_H
#define AUTH_AUDIT_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "audit_store.h"

#define AUDIT_FILE_CATCH_UP 50000 /* records; a file further behind is not ours */

enum audit_file_state {
	FILE_GOES_ON, /* from its last line */
	FILE_BEGINS,  /* it is empty */
	FILE_ODD,     /* what is in it is not the trail's: *why says how */
	FILE_FAILED   /* errno */
};

/*
 * Take fd over in place of the one before.  A file that goes on gets what it
 * lacks; one that begins gets the records after the head (the first is to be an
 * audit.file), or those from an audit.file on that a crash kept out of it.
 */
enum audit_file_state audit_file_take(int fd, struct audit_store *, const char **why);
bool audit_file_is_open(void);
void audit_file_close(void);

/* Room for one more line? */
bool audit_file_room(void);
void audit_file_add(const char *line, size_t len);
size_t audit_file_pending(void);
int audit_file_sync(void); /* -1 with errno */

/* Days since the epoch: of its first line, or of when it was begun. */
int64_t audit_file_day(void);
/* Has its last name been taken away? */
bool audit_file_removed(void);

#endif
