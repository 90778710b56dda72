/*
 * How a long-lived process is started: fork, and exec of its own executable
 * under its own uid, with the descriptors of sandbox.h and nothing else.
 * Called as root by ided's start (for isolation) and by isolation (for the
 * rest).
 */
#ifndef PRIVSEP_SPAWN_H
#define PRIVSEP_SPAWN_H

#include <sys/types.h>

#include <stdbool.h>
#include <stdint.h>

struct spawn {
	const char *program; /* name of the executable, beside ours */
	char *const *argv;
	char *const *envp;
	uint32_t uid; /* 0 only for isolation */
	uint32_t gid;
	int parent;       /* becomes FD_PARENT */
	int conf;         /* FD_CONF, or -1 */
	int root;         /* FD_ROOT, or -1 */
	int log;          /* FD_LOG */
	int extra;        /* FD_EXTRA, or -1 */
	int master;       /* FD_MASTER, or -1 */
	uint64_t memlock; /* RLIMIT_MEMLOCK to set, 0 to leave */
};

/* Returns the child's pid, or -1 with errno; the descriptors stay the caller's. */
pid_t spawn(const struct spawn *s);

/* The folder that holds the executables of privileged helpers: that of the
 * running program's build tree, or the installed LIBEXECDIR. */
const char *spawn_dir(void);

/* Accounts that processes run as. */
struct account {
	const char *name;
	uint32_t uid;
	uint32_t gid;
};
enum account_id {
	ACCOUNT_MASTER,
	ACCOUNT_WORKER,
	ACCOUNT_AUTH,
	ACCOUNT_KEYS,
	ACCOUNT_MAX,
};
extern struct account accounts[ACCOUNT_MAX];
/* Look them up; returns 0, or -1 and the name that is missing. */
int accounts_load(const char **missing);

#endif
