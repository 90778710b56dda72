/*
 * The memory of one hash: argon2.h's allocate_cbk and free_cbk.
 */
#ifndef PRIVSEP_AUTH_HASH_MEMORY_H
#define PRIVSEP_AUTH_HASH_MEMORY_H

#include <stddef.h>
#include <stdint.h>

/* Takes len bytes, for one hash at a time.  0, or -1 and *memory is NULL. */
int hash_memory_take(uint8_t **memory, size_t len);

/* libargon2 has wiped it and needs it no more; it stays until it is dropped. */
void hash_memory_keep(uint8_t *memory, size_t len);

/* Gives back to the kernel what was taken, if anything was. */
void hash_memory_drop(void);

#endif
