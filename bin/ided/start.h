/* The start of ided, as root and up to the point where root is given up. */
#ifndef BIN_IDED_START_H
#define BIN_IDED_START_H

#include <stdbool.h>

#include "../../privsep/conf.h"

struct start {
	const char *file;
	const struct conf_define *def;
	const char *defarg[64]; /* as given: macro=value */
	unsigned int ndef;
	char *const *envp;
	bool foreground;
	bool check;
	bool verbose;
};

/* Run the checks of files, keys and accounts (ided-isolation -n, so that no
 * certificate is parsed in the process that becomes the master).  0 when all is
 * well; errors have been printed. */
int start_check(const struct start *st);
/* Start everything; returns the exit code. */
int start_all(const struct start *st, const struct conf *conf);

#endif
