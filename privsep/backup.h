/*
 * What auth writes into a pipe for a backup: files one after another, each a head
 * and as many bytes as that says; a head without a name is the end, and without it
 * there is no backup.
 */
#ifndef PRIVSEP_BACKUP_H
#define PRIVSEP_BACKUP_H

#include <stdint.h>

#define BACKUP_NAME 56

struct backup_head {
	char name[BACKUP_NAME]; /* below the folder of the data */
	uint64_t size;
};

/* Beside the trail of a store that was restored, until auth has recorded it. */
#define BACKUP_RESTORED "restored"
struct backup_restored {
	int64_t made; /* milliseconds since the epoch */
	int64_t restored;
};

/* In a store of which all is to be looked at before it is used. */
#define BACKUP_CHECK "check"

/* In the folder of the data while a restore is under way, or did not get to its end:
 * ided does not start beside it. */
#define BACKUP_UNFINISHED "restore-unfinished"

#endif
