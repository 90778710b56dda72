/*
 * The memory that workers start with.
 *
 * Making everything ready leaves free pieces of memory all over the heap.  A
 * worker that was given one would write to a page that it shares with the zygote,
 * which the kernel has to copy for it: some fifty pages for a connection.  So the
 * zygote takes them all, for good, and what a worker asks for comes from the
 * heap's end, where it fills one fresh page after the other.
 *
 * Those pages, and those of the stack, a worker asks for in one go: a fault for each
 * of them costs several times as much.
 */
#include <sys/mman.h>

#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "heap.h"

#define LARGE 100000 /* below what malloc(3) maps apart */
#define SMALL 1024   /* sizes up to here are kept apart from each other, */
#define STEP  16     /* in steps of this */
#define TRIES 64

/* What a connection needs at least, as seen. */
#define PAGE    4096UL
#define DOWN(a) ((a) & ~(PAGE - 1))
#define UP(a)   DOWN((a) + PAGE - 1)
#define HEAP    (22 * PAGE)
#define STACK   (4 * PAGE)

#define KEEP_FREE (512 * 1024)  /* at the heap's end */
#define APART     (1024 * 1024) /* pieces from this on are mapped apart */
#define GROW      (256 * 1024)

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif

static uintptr_t fresh; /* the first page at the heap's end */

/* All that was taken, as a list: it is not lost. */
static void **taken;

static char *
take(size_t size)
{
	uintptr_t within, end;
	void **p;

	p = malloc(size);
	if (p == NULL)
		return NULL;
	*p = taken;
	taken = p;
	/* The pages within it are nobody's. */
	within = UP((uintptr_t)(p + 1));
	end = DOWN((uintptr_t)p + size);
	if (within < end)
		(void)madvise((void *)within, end - within, MADV_DONTNEED);
	return (char *)p;
}

/* All pieces of that size before the end.  The first one behind it is given back, if
 * it joins the rest again then; a small one would be put aside. */
static void
take_all(size_t size, const char *end)
{
	char *p;

	do {
		p = take(size);
		if (p == NULL)
			return;
	} while ((uintptr_t)p < (uintptr_t)end);
	if (size <= SMALL)
		return;
	taken = *taken;
	free(p);
}

void
heap_settle(void)
{
	void *brk = sbrk(0);
	char *end, *p;
	size_t size;
	int tries = 0;

	(void)mallopt(M_TOP_PAD, GROW);
	(void)mallopt(M_TRIM_THRESHOLD, KEEP_FREE);
	(void)mallopt(M_MMAP_THRESHOLD, APART);
	/* What makes the heap grow lies at its end. */
	do {
		end = take(LARGE);
		if (end == NULL || ++tries == TRIES)
			return; /* another malloc, that of a sanitizer */
	} while (sbrk(0) == brk);
	for (size = LARGE / 2; size > SMALL; size /= 2)
		take_all(size, end);
	for (size = SMALL; size >= STEP; size -= STEP)
		take_all(size, end);
	p = malloc(LARGE / 2);
	fresh = DOWN((uintptr_t)p);
	free(p);
}

void
heap_worker(void)
{
	char here;

	if (fresh == 0)
		return;
	(void)madvise((void *)fresh, HEAP, MADV_POPULATE_WRITE);
	(void)madvise((void *)(UP((uintptr_t)&here) - STACK), STACK, MADV_POPULATE_WRITE);
}
