/*
 * Versions as semver.org 2.0.0 has them, strictly: MAJOR.MINOR.PATCH, each a number
 * without leading zeros, then "-" and what comes before a release, "+" and what says
 * how it was built.
 */
#ifndef PRIVSEP_SEMVER_H
#define PRIVSEP_SEMVER_H

#include <stdbool.h>

#define SEMVER_MAX 64 /* a version, terminator included; longer ones are none */

bool semver_ok(const char *);

/*
 * Section 11: below, equal or above, as strcmp(3).  Both are semver_ok().  Numbers may
 * have any number of digits; how something was built does not count.
 */
int semver_compare(const char *, const char *);

#endif
