/*
 * What every process may ask of the kernel, on one screen: filters.txt is made from
 * the tables and must be what is in them, so that a change of a permission shows up
 * as one.  And: what is made of a table does what the table says.
 */
#include "filters_helper.h"

#define GOLDEN "regress/unit/filters.txt"
#define COLUMN 90

/* --- the tables as text --- */

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void
print_names(FILE *f, const char *act, char **names, size_t n)
{
	size_t i, at = 0;

	if (n == 0)
		return;
	qsort(names, n, sizeof(*names), by_name);
	for (i = 0; i < n; i++) {
		if (at == 0 || at + 1 + strlen(names[i]) > COLUMN)
			at = (size_t)fprintf(f, "%s\t%s", at == 0 ? "" : "\n", act) + 6;
		at += (size_t)fprintf(f, " %s", names[i]);
		free(names[i]);
	}
	fprintf(f, "\n");
}

static void
print_arguments(FILE *f, const char *act, const struct sandbox_row *row)
{
	char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, row->nr);
	unsigned int i;

	fprintf(f, "\t%s %s", act, name);
	for (i = 0; i < SANDBOX_ARGS && row->args[i].mask != 0; i++) {
		fprintf(f, "%s argument %u", i == 0 ? "" : ",", row->args[i].arg);
		if (row->args[i].mask != ~0ULL)
			fprintf(f, " & %#llx", (unsigned long long)row->args[i].mask);
		fprintf(f, " = %#llx", (unsigned long long)row->args[i].value);
	}
	fprintf(f, "\n");
	free(name);
}

static void
print_rows(FILE *f, const struct sandbox_row *rows, unsigned int nrows)
{
	static const char *const acts[] = {
		[ACT_ALLOW] = "allow ", [ACT_ERRNO] = "refuse"
	};
	char *names[512];
	unsigned int act, i;
	size_t n;

	for (act = ACT_ALLOW; act <= ACT_ERRNO; act++) {
		n = 0;
		for (i = 0; i < nrows; i++)
			if (rows[i].act == (enum sandbox_act)act &&
			    rows[i].args[0].mask == 0)
				names[n++] = seccomp_syscall_resolve_num_arch(
				    SCMP_ARCH_NATIVE, rows[i].nr);
		print_names(f, acts[act], names, n);
		for (i = 0; i < nrows; i++)
			if (rows[i].act == (enum sandbox_act)act &&
			    rows[i].args[0].mask != 0)
				print_arguments(f, acts[act], &rows[i]);
	}
}

static void
print_list(FILE *f, const struct seccomp_list *list, const char *act)
{
	const char *p;
	char *names[512], call[64];
	unsigned int i;
	size_t n = 0;

	for (i = 0; i < list->ngroups; i++)
		for (p = list->groups[i].calls; seccomp_next(&p, call, sizeof(call));)
			names[n++] = strdup(call);
	for (i = 0; i < list->nrows; i++)
		if (list->rows[i].args[0].mask == 0)
			names[n++] = seccomp_syscall_resolve_num_arch(
			    SCMP_ARCH_NATIVE, list->rows[i].nr);
	print_names(f, act, names, n);
	for (i = 0; i < list->nrows; i++)
		if (list->rows[i].args[0].mask != 0)
			print_arguments(f, act, &list->rows[i]);
}

static void
print_all(FILE *f)
{
	size_t i;

	fprintf(f,
	    "System calls of each process, made from the tables (filters_test.c).\n"
	    "What is not named kills the process.  A worker has the zygote's\n"
	    "filter and its own; all of them have that of isolation, which\n"
	    "refuses what it does not name, as a sandbox's does.\n");
	for (i = 0; i < NPROCESSES; i++) {
		fprintf(f, "\n%s: %u\n", processes[i]->name, calls(processes[i]));
		print_rows(f, processes[i]->rows, processes[i]->nrows);
	}
	fprintf(f, "\nisolation: what users' programs may call, and\n");
	print_list(f, &seccomp_isolation_own, "allow ");
	fprintf(f, "\nusers' programs\n");
	print_list(f, &seccomp_user_allowed, "allow ");
	fprintf(f, "\nusers' programs, with user-namespaces\n");
	print_list(f, &seccomp_user_namespaces, "allow ");
	fprintf(f, "\nusers' programs never\n");
	print_list(f, &seccomp_user_refused, "refuse");
}

static void
test_golden(void **state)
{
	char *text, want[1 << 16];
	size_t len, n, line = 1, at = 0, i;
	const char *out = getenv("FILTERS_OUT");
	FILE *f;

	(void)state;
	assert_non_null(f = open_memstream(&text, &len));
	print_all(f);
	fclose(f);
	if (out != NULL) {
		assert_non_null(f = fopen(out, "w"));
		assert_int_equal(fwrite(text, 1, len, f), len);
		fclose(f);
	}
	if ((f = fopen(GOLDEN, "r")) == NULL)
		fail_msg("%s is missing: make filters", GOLDEN);
	n = fread(want, 1, sizeof(want) - 1, f);
	want[n] = '\0';
	fclose(f);
	for (i = 0; i < len && i < n && text[i] == want[i]; i++)
		if (text[i] == '\n') {
			line++;
			at = i + 1;
		}
	if (i != len || i != n)
		fail_msg("%s:%zu: the tables say\n%.*s\nIf that is wanted: make filters",
		    GOLDEN, line, (int)strcspn(text + at, "\n"), text + at);
	free(text);
}

/* --- what is compiled --- */

/* The filters that a process has; the kernel takes the stricter answer of them. */
struct filters {
	struct sock_fprog prog[2];
	unsigned int n;
};

static uint32_t
ask(const struct filters *f, uint32_t arch, int nr, const uint64_t args[6])
{
	struct seccomp_data d = { nr, arch, 0, { 0 } };
	uint32_t r, worst = SECCOMP_RET_ALLOW;
	unsigned int i;

	memcpy(d.args, args, sizeof(d.args));
	for (i = 0; i < f->n; i++) {
		r = filter_run(&f->prog[i], &d);
		if ((int32_t)(r & SECCOMP_RET_ACTION_FULL) <
		    (int32_t)(worst & SECCOMP_RET_ACTION_FULL))
			worst = r;
	}
	return worst;
}

static uint32_t
verdict(enum sandbox_act act)
{
	return act == ACT_ALLOW ? SECCOMP_RET_ALLOW :
				  (uint32_t)(SECCOMP_RET_ERRNO | EACCES);
}

static bool
matches(const struct sandbox_row *row, const uint64_t args[6])
{
	unsigned int i;

	for (i = 0; i < SANDBOX_ARGS && row->args[i].mask != 0; i++)
		if ((args[row->args[i].arg] & row->args[i].mask) != row->args[i].value)
			return false;
	return true;
}

/* By the table, for any arguments. */
static uint32_t
expected(const struct sandbox *sb, int nr, const uint64_t args[6])
{
	unsigned int i;

	for (i = 0; i < sb->nrows; i++)
		if (sb->rows[i].nr == nr && matches(&sb->rows[i], args))
			return verdict(sb->rows[i].act);
	return SECCOMP_RET_KILL_PROCESS;
}

/* A row's own arguments, and each of them with one bit turned. */
static void
check_row(
    const struct sandbox *sb, const struct filters *f, const struct sandbox_row *row)
{
	uint64_t args[6], turned[6];
	unsigned int i, bit;

	for (i = 0; i < 6; i++)
		args[i] = 0x5555aaaa5555aaaaULL;
	for (i = 0; i < SANDBOX_ARGS && row->args[i].mask != 0; i++)
		args[row->args[i].arg] = (args[row->args[i].arg] & ~row->args[i].mask) |
		    row->args[i].value;
	assert_int_equal(ask(f, AUDIT_ARCH_X86_64, row->nr, args), verdict(row->act));
	for (i = 0; i < SANDBOX_ARGS && row->args[i].mask != 0; i++)
		for (bit = 0; bit < 64; bit++) {
			memcpy(turned, args, sizeof(turned));
			turned[row->args[i].arg] ^= 1ULL << bit;
			if (ask(f, AUDIT_ARCH_X86_64, row->nr, turned) !=
			    expected(sb, row->nr, turned))
				fail_msg("%s: call %d: argument %u, bit %u", sb->name,
				    row->nr, row->args[i].arg, bit);
		}
}

static void
test_compiled(void **state)
{
	static const uint64_t zero[6];
	const struct sandbox *sb;
	struct filters f;
	unsigned int i, p;
	int nr;

	(void)state;
#if defined(__SANITIZE_ADDRESS__) || !defined(__x86_64__)
	skip(); /* a build with sanitizers allows what they call */
#endif
	for (p = 0; p < NPROCESSES; p++) {
		sb = processes[p];
		if (sb == &sandbox_worker) {
			f.n = 2;
			f.prog[0] = sandbox_compile(&sandbox_zygote);
			f.prog[1] = sandbox_compile_less(sb, &sandbox_zygote);
		} else {
			f.n = 1;
			f.prog[0] = sandbox_compile(sb);
		}
		for (i = 0; i < sb->nrows; i++)
			check_row(sb, &f, &sb->rows[i]);
		for (nr = -2; nr < 1024; nr++) {
			if (ask(&f, AUDIT_ARCH_X86_64, nr, zero) !=
			    expected(sb, nr, zero))
				fail_msg("%s: call %d", sb->name, nr);
			/* As a 32-bit program would, or one for x32. */
			assert_int_equal(
			    ask(&f, AUDIT_ARCH_I386, nr, zero), SECCOMP_RET_KILL_PROCESS);
			assert_int_equal(
			    ask(&f, AUDIT_ARCH_X86_64, nr | 0x40000000, zero),
			    SECCOMP_RET_KILL_PROCESS);
		}
		for (i = 0; i < f.n; i++)
			free(f.prog[i].filter);
	}
}

/* --- what must never be in a table --- */

static void
test_never(void **state)
{
	static const struct {
		int nr;
		const struct sandbox *but; /* the one that may */
	} never[] = {
		{ SCMP_SYS(execve), NULL },
		{ SCMP_SYS(execveat), NULL },
		{ SCMP_SYS(fork), NULL },
		{ SCMP_SYS(vfork), NULL },
		{ SCMP_SYS(clone), &sandbox_zygote },
		{ SCMP_SYS(clone3), NULL },
		{ SCMP_SYS(kill), &sandbox_zygote },
		{ SCMP_SYS(tkill), NULL },
		{ SCMP_SYS(tgkill), NULL },
		{ SCMP_SYS(pidfd_send_signal), NULL },
		{ SCMP_SYS(pidfd_getfd), NULL },
		{ SCMP_SYS(ptrace), NULL },
		{ SCMP_SYS(process_vm_readv), NULL },
		{ SCMP_SYS(process_vm_writev), NULL },
		{ SCMP_SYS(kcmp), NULL },
		{ SCMP_SYS(socket), &sandbox_names },
		{ SCMP_SYS(socketpair), &sandbox_master },
		{ SCMP_SYS(connect), &sandbox_names },
		{ SCMP_SYS(bind), NULL },
		{ SCMP_SYS(open), NULL },
		{ SCMP_SYS(openat2), NULL },
		{ SCMP_SYS(unlink), &sandbox_auth },
		{ SCMP_SYS(rename), &sandbox_auth },
		{ SCMP_SYS(link), NULL },
		{ SCMP_SYS(symlink), NULL },
		{ SCMP_SYS(chmod), NULL },
		{ SCMP_SYS(mount), NULL },
		{ SCMP_SYS(setns), NULL },
		{ SCMP_SYS(unshare), NULL },
		{ SCMP_SYS(chroot), NULL },
		{ SCMP_SYS(setuid), NULL },
		{ SCMP_SYS(setresuid), NULL },
		{ SCMP_SYS(capset), NULL },
		{ SCMP_SYS(prctl), &sandbox_zygote },
		{ SCMP_SYS(seccomp), &sandbox_zygote },
		{ SCMP_SYS(memfd_create), NULL },
		{ SCMP_SYS(shmat), NULL },
		{ SCMP_SYS(bpf), NULL },
		{ SCMP_SYS(io_uring_setup), NULL },
		{ SCMP_SYS(userfaultfd), NULL },
		{ SCMP_SYS(keyctl), NULL },
		{ SCMP_SYS(perf_event_open), NULL },
	};
	const struct sandbox_row *row;
	size_t i, p;

	(void)state;
	for (p = 0; p < NPROCESSES; p++)
		for (i = 0; i < sizeof(never) / sizeof(never[0]); i++) {
			row = row_of(processes[p], never[i].nr);
			if (row != NULL && row->act == ACT_ALLOW &&
			    processes[p] != never[i].but)
				fail_msg(
				    "%s may call %d", processes[p]->name, never[i].nr);
		}
	assert_true(calls(&sandbox_worker) <= 45);
	print_message("a worker may call %u\n", calls(&sandbox_worker));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_compiled),
		cmocka_unit_test(test_never),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
