/* idectl audit …: see audit.c and audit_verify.c. */
#ifndef IDECTL_AUDIT_H
#define IDECTL_AUDIT_H

#include <stdbool.h>

#include "../../privsep/audit_record.h"

/* The exit status of a verb; socket is where ided is asked. */
int audit_run(const char *verb, const char *socket, int argc, char **argv);

/* What is verified: with FILES only those, else what ided, or data, has. */
int audit_verify(
    const char *socket, const char *data, const char *key, char **files, int nfiles);

#endif
