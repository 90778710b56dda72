/* Tables of system calls by name, in groups that have a reason each. */
#ifndef ISOLATION_SECCOMP_USER_H
#define ISOLATION_SECCOMP_USER_H

#include "../sandbox.h"

struct seccomp_group {
	const char *why;
	const char *calls; /* names, parted by blanks */
};

struct seccomp_list {
	const struct seccomp_group *groups;
	unsigned int ngroups;
	const struct sandbox_row *rows; /* calls by argument */
	unsigned int nrows;
};

#define SECCOMP_NEWEST 462 /* newest call known here (mseal) */
#define SECCOMP_LAST   511 /* later ones: not there (ENOSYS) */

/* seccomp_user.c */
extern const struct seccomp_list seccomp_user_allowed;
extern const struct seccomp_list seccomp_user_namespaces; /* if configured */
extern const struct seccomp_list seccomp_user_refused;
void seccomp_user_compile(void);

/* seccomp_isolation.c: what isolation may call beyond them. */
extern const struct seccomp_list seccomp_isolation_own;

/* seccomp_build.c */

/* A filter of several lists, ended by NULL: `action' for what stands in one of them,
 * else `otherwise'.  What cannot be built is fatal. */
struct sock_fprog seccomp_build(const char *name,
    const struct seccomp_list *const lists[], uint32_t otherwise, uint32_t action);

/* The number of a call; negative where this architecture has no such call, and
 * __NR_SCMP_ERROR where none has. */
int seccomp_number(const char *name);
/* The next name of a group, in buf; false at its end. */
bool seccomp_next(const char **calls, char *buf, size_t len);

#endif
