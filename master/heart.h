/*
 * When somebody was last active: for /healthz, for the heartbeat file, and for the
 * end of a server that nobody uses.
 */
#ifndef MASTER_HEART_H
#define MASTER_HEART_H

#include <stdint.h>

void heart_init(void);
/* Somebody is active, as auth says. */
void heart_beat(void);
/* ms since the epoch, 0: nobody was yet; and how long ago by a clock that nobody sets. */
int64_t heart_last(int64_t *ago);
/* The file to write it to from now on. */
void heart_file(int fd);

#endif /* MASTER_HEART_H */
