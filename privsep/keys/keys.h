#ifndef PRIVSEP_KEYS_KEYS_H
#define PRIVSEP_KEYS_KEYS_H

#include "../sandbox.h"

extern const struct sandbox sandbox_keys; /* seccomp_keys.c */

#endif
