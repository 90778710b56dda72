/* The filters of all processes: their tables as text, and a machine that runs
 * what is made of them, as the kernel does. */
#ifndef FILTERS_HELPER_H
#define FILTERS_HELPER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../privsep/isolation/seccomp_user.h"
#include "../../privsep/log.h"
#include "../../privsep/sandbox.h"

extern const struct sandbox sandbox_master, sandbox_zygote, sandbox_worker, sandbox_auth,
    sandbox_hash, sandbox_keys, sandbox_fetch, sandbox_names;

static const struct sandbox *const processes[] = { &sandbox_master, &sandbox_zygote,
	&sandbox_worker, &sandbox_auth, &sandbox_hash, &sandbox_keys, &sandbox_fetch,
	&sandbox_names };
#define NPROCESSES (sizeof(processes) / sizeof(processes[0]))

/* What the kernel does with a call: runs the filter as bpf(4) has it. */
static inline uint32_t
filter_run(const struct sock_fprog *prog, const struct seccomp_data *data)
{
	const struct sock_filter *i;
	const uint8_t *packet = (const uint8_t *)data;
	uint32_t a = 0, x = 0, mem[BPF_MEMWORDS] = { 0 };
	size_t pc;
	bool jump;

	for (pc = 0; pc < prog->len; pc++) {
		i = &prog->filter[pc];
		switch (i->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			assert_true(i->k <= sizeof(*data) - sizeof(a));
			memcpy(&a, packet + i->k, sizeof(a));
			continue;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= i->k;
			continue;
		case BPF_ST:
			mem[i->k % BPF_MEMWORDS] = a;
			continue;
		case BPF_LD | BPF_MEM:
			a = mem[i->k % BPF_MEMWORDS];
			continue;
		case BPF_MISC | BPF_TAX:
			x = a;
			continue;
		case BPF_MISC | BPF_TXA:
			a = x;
			continue;
		case BPF_RET | BPF_K:
			return i->k;
		case BPF_RET | BPF_A:
			return a;
		case BPF_JMP | BPF_JA:
			pc += i->k;
			continue;
		case BPF_JMP | BPF_JEQ | BPF_K:
			jump = a == i->k;
			break;
		case BPF_JMP | BPF_JGT | BPF_K:
			jump = a > i->k;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			jump = a >= i->k;
			break;
		case BPF_JMP | BPF_JSET | BPF_K:
			jump = (a & i->k) != 0;
			break;
		default:
			fail_msg("instruction %#x", i->code);
			return 0;
		}
		pc += jump ? i->jt : i->jf;
	}
	fail_msg("no return");
	return 0;
}

static inline const struct sandbox_row *
row_of(const struct sandbox *sb, int nr)
{
	unsigned int i;

	for (i = 0; i < sb->nrows; i++)
		if (sb->rows[i].nr == nr)
			return &sb->rows[i];
	return NULL;
}

/* Different calls that are allowed, whatever the arguments. */
static inline unsigned int
calls(const struct sandbox *sb)
{
	unsigned int i, n = 0;

	for (i = 0; i < sb->nrows; i++)
		n += sb->rows[i].act == ACT_ALLOW &&
		    row_of(sb, sb->rows[i].nr) == &sb->rows[i];
	return n;
}

#endif
