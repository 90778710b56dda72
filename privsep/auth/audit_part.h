/* What the files of the audit trail (audit.c) tell each other. */
#ifndef AUTH_AUDIT_PART_H
#define AUTH_AUDIT_PART_H

#include "audit.h"

int64_t audit_wall_ms(void);

/* audit_head.c: the trail's head is signed by keys. */
void audit_head_start(void);
/* All that was recorded is on the disk: is it time? */
void audit_head_sign(void);

/*
 * audit_pace.c: what strangers can cause at will.  False, and counted, for what is to be
 * left out; how much that was is told every few seconds, or now.
 */
bool audit_pace(enum audit_event, const struct log_value *);
void audit_pace_tell(bool now);

#endif
