/*
 * The worker's code in large pages.
 *
 * Code that is mapped from a file is not in a forked process's page tables: each
 * worker finds its way to some sixty pieces of it by as many page faults, and
 * the kernel takes them all apart again at its end.  So the zygote puts its code
 * and constants where they stand, but in anonymous pages of 2 MB, which a fork
 * shares with an entry each.
 *
 * What the kernel does not give is left as it was: it only costs time.
 */
#include <sys/mman.h>

#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "../privsep/log.h"
#include "text.h"

#define LARGE (2UL << 20)

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25 /* Linux 6.1 */
#endif

#define UP(a)   (((a) + LARGE - 1) & ~(LARGE - 1))
#define DOWN(a) ((a) & ~(LARGE - 1))

/* A large page at each LARGE of [to, end), filled with what stands there; data
 * ends before end.  The old mapping is gone in one step. */
static void
replace(uintptr_t to, uintptr_t data, uintptr_t end, int prot)
{
	size_t size = end - to;
	uint8_t *map, *copy;

	map = mmap(NULL, size + LARGE, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (map == MAP_FAILED)
		return;
	copy = (uint8_t *)UP((uintptr_t)map);
	(void)madvise(copy, size, MADV_HUGEPAGE);
	memcpy(copy, (const void *)to, data - to);
	if (madvise(copy, size, MADV_COLLAPSE) == -1 ||
	    mprotect(copy, size, prot) == -1 ||
	    mremap(copy, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)to) ==
		MAP_FAILED)
		log_debug("no large pages for the code");
	/* What is left of it: the ends, or all. */
	(void)munmap(map, size + LARGE);
}

/*
 * The program's own segments that are not written to.  The linker leaves the space
 * up to the next one free (-z max-page-size).
 */
static int
segments(struct dl_phdr_info *info, size_t size, void *arg)
{
	uintptr_t start, data, end, next;
	const ElfW(Phdr) * p, *q;
	int i;

	(void)size;
	(void)arg;
	for (i = 0; i + 1 < info->dlpi_phnum; i++) {
		p = &info->dlpi_phdr[i];
		q = &info->dlpi_phdr[i + 1];
		if (p->p_type != PT_LOAD || q->p_type != PT_LOAD || p->p_flags & PF_W)
			continue;
		start = UP(info->dlpi_addr + p->p_vaddr);
		data = info->dlpi_addr + p->p_vaddr + p->p_memsz;
		next = info->dlpi_addr + q->p_vaddr;
		if (p->p_memsz < LARGE / 2)
			continue;
		end = UP(data) <= DOWN(next) ? UP(data) : DOWN(data);
		if (data > end)
			data = end;
		if (start < end)
			replace(start, data, end,
			    PROT_READ | (p->p_flags & PF_X ? PROT_EXEC : 0));
	}
	return 1; /* the program comes first: no library */
}

void
text_large(void)
{
	(void)dl_iterate_phdr(segments, NULL);
}
