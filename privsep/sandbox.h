/*
 * How a process of ided gives up what it does not need, for good.
 *
 * The allow-list of system calls is a table (one file per process, beside it):
 * everything that is not listed kills the process.  There is no switch to turn
 * it off, and failing to install it is fatal.
 */
#ifndef PRIVSEP_SANDBOX_H
#define PRIVSEP_SANDBOX_H

#include <linux/filter.h>
#include <seccomp.h>

#include <stdbool.h>
#include <stdint.h>

enum sandbox_act {
	ACT_ALLOW,
	ACT_ERRNO /* refused with EACCES: what libc probes and survives */
};

/* One argument's test: (arg & mask) == value; mask 0 ends the list. */
struct sandbox_arg {
	unsigned int arg; /* 0..5 */
	uint64_t mask;    /* ~0 for equality */
	uint64_t value;
};

#define SANDBOX_ARGS 3

/*
 * The kernel looks at 32 bits of most arguments, hence so do we: a value with bits
 * above them is the same value to it.
 */
#define LOW32 0xffffffffULL

/* A system call may have several rows: any one of them that matches decides. */
struct sandbox_row {
	int nr; /* SCMP_SYS(name) */
	enum sandbox_act act;
	struct sandbox_arg args[SANDBOX_ARGS];
};

/* clang-format off */
#define ALLOW(call)		{ SCMP_SYS(call), ACT_ALLOW, { { 0, 0, 0 } } }
#define ALLOW_IF(call, ...)	{ SCMP_SYS(call), ACT_ALLOW, { __VA_ARGS__ } }
#define DENY(call)		{ SCMP_SYS(call), ACT_ERRNO, { { 0, 0, 0 } } }
#define DENY_IF(call, ...)	{ SCMP_SYS(call), ACT_ERRNO, { __VA_ARGS__ } }
/* clang-format on */

struct sandbox_limits {
	uint64_t nofile;
	uint64_t nproc; /* 0: no new process at all */
	uint64_t fsize; /* 0: no file may grow */
	uint64_t as;    /* address space, ~0 to leave as it is */
	bool may_fork;  /* leave RLIMIT_NPROC alone */
	bool may_write; /* leave RLIMIT_FSIZE alone */
};

#define SANDBOX_LANDLOCK_MAX 4

struct sandbox_path {
	const char *path; /* as seen after the chroot */
	bool write;       /* read only otherwise */
};

struct sandbox {
	const char *name;
	const struct sandbox_row *rows;
	unsigned int nrows;
	struct sandbox_limits limits;
	struct sandbox_path
	    paths[SANDBOX_LANDLOCK_MAX]; /* path NULL ends; none: no file */
	bool tcp;                        /* may bind and connect TCP */
};

/* Fixed descriptors of an exec'd process; everything above is closed. */
#define FD_PARENT     3 /* channel from isolation */
#define FD_CONF       4 /* its configuration, a sealed memory file */
#define FD_ROOT       5 /* the folder that becomes its root */
#define FD_LOG        6 /* where its log lines go */
#define FD_EXTRA      7 /* auth: the control socket; keys: the key file */
#define FD_MASTER     8 /* channel to master; for hash helpers, to auth */
#define FD_FIRST_FREE 9

/*
 * Called first thing by an exec'd process, which runs under its own uid with
 * CAP_SYS_CHROOT and nothing else: makes FD_ROOT its root, gives up the last
 * capability, becomes undumpable, closes what it was not given.
 */
void sandbox_root(void);

/* The same for one that stays where it is and what it has: no capability, undumpable. */
void sandbox_stay(void);

/* For the process that starts as root and stays: become uid:gid in root. */
void sandbox_drop(int rootfd, uint32_t uid, uint32_t gid);

/* The rest: rlimits, no_new_privs, Landlock, seccomp. */
void sandbox_enter(const struct sandbox *sb);

/*
 * For the zygote's children.  Their list is what the parent's filter and this one
 * allow both: the second one has only to take away what the parent may do besides,
 * so it is short, and quick to install for every one of them.  Compiled once;
 * sandbox_install makes one system call.
 */
struct sock_fprog sandbox_compile_less(
    const struct sandbox *sb, const struct sandbox *parent);
struct sock_fprog sandbox_compile(const struct sandbox *sb);
void sandbox_install(const struct sock_fprog *prog);
void sandbox_no_process(void); /* RLIMIT_NPROC; the other limits are inherited */
void sandbox_limits(const struct sandbox_limits *l);
void sandbox_landlock(const struct sandbox *sb);

/* Landlock's ABI, 0 where there is none. */
int sandbox_landlock_abi(void);

#endif
