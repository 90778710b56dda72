/*
 * The memory of a hash helper: see hash_memory.h.
 *
 * It is in large pages where there are any (madvise(2), MADV_HUGEPAGE): with those of
 * 4 KiB a third of the time goes into faults, and into finding them.
 */
#include <sys/mman.h>

#include "../log.h"
#include "hash_memory.h"

#define LARGE ((size_t)2 << 20) /* a large page */

static struct {
	void *p;
	size_t size;
} taken;

int
hash_memory_take(uint8_t **memory, size_t len)
{
	uintptr_t at;
	void *p;

	*memory = NULL;
	if (taken.p != NULL || len > SIZE_MAX - LARGE)
		return -1;
	p = mmap(NULL, len + LARGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
	    -1, 0);
	if (p == MAP_FAILED)
		return -1;
	taken.p = p;
	taken.size = len + LARGE;
	/* A kernel without them does the same, slower. */
	(void)madvise(p, taken.size, MADV_HUGEPAGE);
	at = (uintptr_t)p + LARGE - 1;
	*memory = (uint8_t *)(at - at % LARGE);
	return 0;
}

void
hash_memory_keep(uint8_t *memory, size_t len)
{
	(void)memory;
	(void)len;
}

void
hash_memory_drop(void)
{
	if (taken.p != NULL && munmap(taken.p, taken.size) == -1)
		fatal("munmap");
	taken.p = NULL;
}
