/* From tables of system calls to filters that the kernel takes. */
#include <sys/stat.h>
#include <sys/syscall.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../log.h"
#include "seccomp_user.h"

/* Calls that are newer than Debian 12's libseccomp; the same on all architectures. */
static const struct {
	const char *name;
	int nr;
} newer[] = {
	{ "cachestat", 451 },
	{ "fchmodat2", 452 },
	{ "map_shadow_stack", 453 },
	{ "futex_wake", 454 },
	{ "futex_wait", 455 },
	{ "futex_requeue", 456 },
	{ "statmount", 457 },
	{ "listmount", 458 },
	{ "lsm_get_self_attr", 459 },
	{ "lsm_set_self_attr", 460 },
	{ "lsm_list_modules", 461 },
	{ "mseal", 462 },
#ifdef __x86_64__
	{ "uretprobe", 335 },
#endif
};

int
seccomp_number(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(newer) / sizeof(newer[0]); i++)
		if (strcmp(newer[i].name, name) == 0)
			return newer[i].nr;
	return seccomp_syscall_resolve_name(name);
}

bool
seccomp_next(const char **calls, char *buf, size_t len)
{
	size_t n;

	*calls += strspn(*calls, " ");
	n = strcspn(*calls, " ");
	if (n == 0 || n >= len)
		return false;
	memcpy(buf, *calls, n);
	buf[n] = '\0';
	*calls += n;
	return true;
}

static void
add_row(
    scmp_filter_ctx ctx, const char *name, const struct sandbox_row *row, uint32_t action)
{
	struct scmp_arg_cmp cmp[SANDBOX_ARGS];
	unsigned int i, n = 0;
	int r;

	if (row->nr < 0)
		return; /* not on this architecture */
	for (i = 0; i < SANDBOX_ARGS && row->args[i].mask != 0; i++)
		cmp[n++] = (struct scmp_arg_cmp){ row->args[i].arg, SCMP_CMP_MASKED_EQ,
			row->args[i].mask, row->args[i].value };
	r = seccomp_rule_add_exact_array(ctx, action, row->nr, n, cmp);
	if (r < 0 && r != -EEXIST)
		fatalx("seccomp: %s: call %d: %s", name, row->nr, strerror(-r));
}

static void
add_group(scmp_filter_ctx ctx, const char *name, const struct seccomp_group *group,
    uint32_t action)
{
	struct sandbox_row row;
	const char *calls = group->calls;
	char call[64];

	memset(&row, 0, sizeof(row));
	while (seccomp_next(&calls, call, sizeof(call))) {
		row.nr = seccomp_number(call);
		if (row.nr == __NR_SCMP_ERROR)
			fatalx("seccomp: %s: %s: no such call", name, call);
		add_row(ctx, name, &row, action);
	}
	if (*calls != '\0')
		fatalx("seccomp: %s: no end in sight: %s", name, calls);
}

static void
add_list(scmp_filter_ctx ctx, const char *name, const struct seccomp_list *list,
    uint32_t action)
{
	unsigned int i;

	for (i = 0; i < list->ngroups; i++)
		add_group(ctx, name, &list->groups[i], action);
	for (i = 0; i < list->nrows; i++)
		add_row(ctx, name, &list->rows[i], action);
}

/* Is a call allowed by name, whatever its arguments? */
static bool
has_call(const struct seccomp_list *const lists[], int nr)
{
	unsigned int i, k;
	const char *calls;
	char call[64];

	for (i = 0; lists[i] != NULL; i++) {
		for (k = 0; k < lists[i]->ngroups; k++)
			for (calls = lists[i]->groups[k].calls;
			     seccomp_next(&calls, call, sizeof(call));)
				if (seccomp_number(call) == nr)
					return true;
		for (k = 0; k < lists[i]->nrows; k++)
			if (lists[i]->rows[k].nr == nr &&
			    lists[i]->rows[k].args[0].mask == 0)
				return true;
	}
	return false;
}

/* libc tries clone3 first, and falls back only if there is no such call; the same
 * goes for whatever is newer than our tables. */
static void
add_absent(scmp_filter_ctx ctx, const char *name, bool clone3)
{
	int nr, r;

	if (clone3 &&
	    (r = seccomp_rule_add_exact(
		 ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0)) < 0)
		fatalx("seccomp: %s: clone3: %s", name, strerror(-r));
	for (nr = SECCOMP_NEWEST + 1; nr <= SECCOMP_LAST; nr++)
		if ((r = seccomp_rule_add_exact(ctx, SCMP_ACT_ERRNO(ENOSYS), nr, 0)) < 0)
			fatalx("seccomp: %s: call %d: %s", name, nr, strerror(-r));
}

static struct sock_fprog export(scmp_filter_ctx ctx, const char *name)
{
	struct sock_fprog prog;
	struct stat st;
	int fd;

	fd = (int)syscall(SYS_memfd_create, "seccomp", 1U /* MFD_CLOEXEC */);
	if (fd == -1 || seccomp_export_bpf(ctx, fd) < 0 || fstat(fd, &st) == -1)
		fatalx("seccomp: %s: export", name);
	prog.len = (unsigned short)((size_t)st.st_size / sizeof(struct sock_filter));
	prog.filter = malloc((size_t)st.st_size);
	if (prog.filter == NULL ||
	    pread(fd, prog.filter, (size_t)st.st_size, 0) != st.st_size)
		fatal("seccomp: %s", name);
	close(fd);
	return prog;
}

struct sock_fprog
seccomp_build(const char *name, const struct seccomp_list *const lists[],
    uint32_t otherwise, uint32_t action)
{
	struct sock_fprog prog;
	scmp_filter_ctx ctx;
	unsigned int i;

	ctx = seccomp_init(otherwise);
	if (ctx == NULL ||
	    seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS) < 0 ||
	    seccomp_attr_set(ctx, SCMP_FLTATR_CTL_NNP, 0) < 0)
		fatalx("seccomp: %s: cannot begin", name);
	/* A tree instead of a list: the time is the same for all calls. */
	(void)seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	for (i = 0; lists[i] != NULL; i++)
		add_list(ctx, name, lists[i], action);
	if (action == SCMP_ACT_ALLOW)
		add_absent(ctx, name, !has_call(lists, SCMP_SYS(clone3)));
	prog = export(ctx, name);
	seccomp_release(ctx);
	return prog;
}
