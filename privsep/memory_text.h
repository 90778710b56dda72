/*
 * What is told of a sandbox, its memory and storage, in words: to its user, to
 * administrators and to the log.
 */
#ifndef PRIVSEP_MEMORY_TEXT_H
#define PRIVSEP_MEMORY_TEXT_H

#include <stddef.h>

#include "wire.h"

#define MEMORY_TEXT 256

/* By value; NULL ends. */
extern const char *const sandbox_states[]; /* enum wire_sandbox */
extern const char *const sandbox_whys[];   /* enum wire_why; the first is "" */

const char *process_kind_name(uint32_t kind);
const char *memory_event_name(uint32_t event);
const char *storage_name(uint32_t by); /* enum wire_storage */
/* A sentence.  m is checked already: its strings end. */
void memory_text(char *buf, size_t len, const struct m_memory *m);

#endif
