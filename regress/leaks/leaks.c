/*
 * Linked into programs of a build with sanitizers, so that they look for leaks
 * from inside their sandboxes.
 *
 * LeakSanitizer stops a process by a tracer of its own, which it starts and
 * which reads /proc: nothing that a filter or an empty root of ours permits,
 * and nothing that is needed, as every process of ours has one thread.  So the
 * one function that stops the world (sanitizer_common/sanitizer_stoptheworld.h
 * of GCC 12 and LLVM 14) is replaced by one that has it stopped already: its
 * list holds the calling thread alone.  The linker's --wrap puts it in place,
 * for which the sanitizers' runtime must be linked statically.
 *
 * Our processes leave by _exit(), where LeakSanitizer does not look: that is
 * wrapped too.
 */
#include <sys/syscall.h>

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdnoreturn.h>
#include <unistd.h>

/* enum PtraceRegistersStatus */
#define REGISTERS_AVAILABLE 1

/* class SuspendedThreadsList: its table of virtual functions and nothing else. */
struct threads {
	void *const *vtable;
};

/* GetRegistersAndSP(): the stack is searched from here up, and the registers are
 * on it (below); none are given. */
static int
threads_registers(const struct threads *t, uintptr_t i, void *registers, uintptr_t *sp)
{
	(void)t;
	(void)i;
	(void)registers;
	*sp = (uintptr_t)__builtin_frame_address(0);
	return REGISTERS_AVAILABLE;
}

static uintptr_t
threads_count(const struct threads *t)
{
	(void)t;
	return 1;
}

static unsigned long long
threads_id(const struct threads *t, uintptr_t i)
{
	(void)t;
	(void)i;
	return (unsigned long long)syscall(SYS_gettid);
}

typedef void (*stopped_fn)(const struct threads *, void *);

/* void __sanitizer::StopTheWorld(void (*)(SuspendedThreadsList const &, void *), void *)
 */
void stop_the_world(stopped_fn, void *) __asm__(
    "__wrap__ZN11__sanitizer12StopTheWorldEPFvRKNS_20SuspendedThreadsListEPvES3_");

void
stop_the_world(stopped_fn fn, void *arg)
{
	static void *const vtable[] = { (void *)threads_registers, (void *)threads_count,
		(void *)threads_id };
	const struct threads t = { vtable };

	/* What only a register holds is put on the stack here. */
	__builtin_unwind_init();
	fn(&t, arg);
}

int __lsan_do_recoverable_leak_check(void);
noreturn void __real__exit(int);
noreturn void __wrap__exit(int);

/* Once, at the end, however it comes; a test wants to see that it was done. */
static __attribute__((destructor)) void
look(void)
{
	static bool looked;
	char line[64];
	int n;

	if (looked)
		return;
	looked = true;
	(void)__lsan_do_recoverable_leak_check();
	n = snprintf(line, sizeof(line), "leaks: process %d has looked\n", (int)getpid());
	(void)!write(STDERR_FILENO, line, (size_t)n);
}

noreturn void
__wrap__exit(int status)
{
	look();
	__real__exit(status);
}
