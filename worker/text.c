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

#define PAGE  4096UL
#define LARGE (2UL << 20)
#define WORTH (256UL << 10) /* a segment below this is not */

#define DOWN(a, size) ((a) & ~((size)-1))
#define UP(a, size)   DOWN((a) + (size)-1, size)

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25 /* Linux 6.1 */
#endif

/* Large pages in the place of [from, to), with what stands in [start, end).  The old
 * mapping is gone in one step. */
static bool
replace(uintptr_t from, uintptr_t to, uintptr_t start, uintptr_t end, int prot)
{
	size_t size = to - from;
	uint8_t *map, *copy;
	bool ok;

	map = mmap(NULL, size + LARGE, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (map == MAP_FAILED)
		return false;
	copy = (uint8_t *)UP((uintptr_t)map, LARGE);
	(void)madvise(copy, size, MADV_HUGEPAGE);
	memcpy(copy + (start - from), (const void *)start, end - start);
	ok = madvise(copy, size, MADV_COLLAPSE) == 0 && mprotect(copy, size, prot) == 0 &&
	    mremap(copy, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)from) !=
		MAP_FAILED;
	/* What is left of it: the ends, or all. */
	(void)munmap(map, size + LARGE);
	return ok;
}

/* Takes free address space; false when something is there. */
static bool
reserve(uintptr_t from, uintptr_t to)
{
	void *p;

	if (from == to)
		return true;
	p = mmap((void *)from, to - from, PROT_NONE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
	if (p != MAP_FAILED && p != (void *)from)
		(void)munmap(p, to - from); /* before Linux 4.17 */
	return p == (void *)from;
}

static void
release(uintptr_t from, uintptr_t to)
{
	if (from < to)
		(void)munmap((void *)from, to - from);
}

/* The linker leaves the space around a segment free, up to where a large page begins
 * and ends (-z max-page-size).  Where it did not, the segment keeps its ends. */
static void
segment(uintptr_t start, uintptr_t end, int prot)
{
	uintptr_t from, to;

	start = DOWN(start, PAGE);
	end = UP(end, PAGE);
	from = DOWN(start, LARGE);
	to = UP(end, LARGE);
	if (!reserve(from, start))
		from = start = UP(start, LARGE);
	if (!reserve(end, to))
		to = end = DOWN(end, LARGE);
	if (start < end && replace(from, to, start, end, prot))
		return;
	release(from, start);
	release(end, to);
	log_debug("no large pages for a part of the code");
}

/* What is not written to, or not any more now that it is relocated; but not the
 * headers, which nobody looks at again. */
static int
segments(struct dl_phdr_info *info, size_t size, void *arg)
{
	const ElfW(Phdr) * p;
	uintptr_t start;
	int i;

	(void)size;
	(void)arg;
	for (i = 0; i < info->dlpi_phnum; i++) {
		p = &info->dlpi_phdr[i];
		if (p->p_memsz < WORTH || p->p_offset == 0 ||
		    !(p->p_type == PT_GNU_RELRO ||
			(p->p_type == PT_LOAD && (p->p_flags & PF_W) == 0)))
			continue;
		start = info->dlpi_addr + p->p_vaddr;
		segment(start, start + p->p_memsz,
		    PROT_READ | (p->p_flags & PF_X ? PROT_EXEC : 0));
	}
	return 1; /* the program comes first: no library */
}

void
text_large(void)
{
	(void)dl_iterate_phdr(segments, NULL);
}
