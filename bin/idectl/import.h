/*
 * idectl import code-server: an ided.conf(5) out of what code-server was told.
 *
 * import_read.c	config.yaml and the environment, into values
 * import.c		what each option becomes, and the file
 */
#ifndef IDECTL_IMPORT_H
#define IDECTL_IMPORT_H

#include <stdbool.h>
#include <stddef.h>

#define IMPORT_LIST 32   /* values of one option */
#define IMPORT_TEXT 1024 /* bytes of one, with its end */

struct import_option {
	const char *name;
	enum import_how {
		IMPORT_SPECIAL, /* a part of the file of its own */
		IMPORT_FLAG,    /* VS Code's: --name */
		IMPORT_VALUE,   /* VS Code's: --name=value */
		IMPORT_NOTHING, /* it needs none: what says why */
	} how;
	const char *env;  /* the variable that is the same, or NULL */
	const char *what; /* why it needs nothing */
};
/* Ends with name NULL. */
extern const struct import_option import_options[];
#define IMPORT_OPTIONS 64 /* at most */

struct import_value {
	bool set;       /* and not switched off */
	unsigned int n; /* values */
	char *text[IMPORT_LIST];
};

/* By the place in import_options.  Every error is printed; false if there was one. */
bool import_read(const char *path, struct import_value value[IMPORT_OPTIONS]);
bool import_environment(struct import_value value[IMPORT_OPTIONS]);

/* import.c: writes the file to standard output; the exit status. */
int import_run(const char *path, bool environment);

#endif
