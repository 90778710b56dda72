/*
 * Whole trees of files, copied, counted and removed by root.
 *
 * What is in them is a user's: no name in it is followed anywhere (openat2 with
 * RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS), no mount is crossed, nothing is
 * opened that could wait, and neither depth nor number is trusted.
 */
#ifndef ISOLATION_TREE_H
#define ISOLATION_TREE_H

#include <stdbool.h>
#include <stdint.h>

#define TREE_PATH 256 /* of what is told about, cut */

/* What may take long lets it be known now and then that it goes on. */
struct patience {
	void (*fn)(void *arg);
	void *arg;
};

struct tree_rules {
	/* A skeleton: a new owner, modes 0700 and 0600, no special files, and no
	 * more than this of it.  Otherwise everything is copied as it is. */
	bool skeleton;
	uint32_t uid;
	uint64_t max_bytes;
	uint64_t max_files;
	const struct patience *patience; /* NULL: nobody waits */
};

struct tree_report {
	uint64_t bytes;
	uint64_t files;
	bool partial; /* of tree_count: there is more, too deep to see */
	/* Of a failure: where, fit to be printed, and why, with errno set. */
	char path[TREE_PATH];
	char why[128];
};

/* A folder of a user's, without following anything; -1 with errno. */
int tree_open(int dir, const char *name);

/* tree_copy.c: the contents of one folder into another; 0, or -1. */
int tree_copy(
    int from, int to, const struct tree_rules *rules, struct tree_report *report);
/* Does the second have all that the first has?  0, or -1 and where not. */
int tree_same(
    int from, int to, const struct patience *patience, struct tree_report *report);
/* Would it be copied?  Nothing is written. */
int tree_check(int from, const struct tree_rules *rules, struct tree_report *report);

/* tree_remove.c: a folder and all in it, or a file; 0, or -1 with errno. */
int tree_remove(int dir, const char *name);

/* tree_count.c: bytes on disk and entries, so many entries a second (0: as fast
 * as it goes); 0, or -1 with errno. */
int tree_count(int top, unsigned int per_second, struct tree_report *report);

#endif
