/*
 * Control groups.
 *
 * sandbox_cgroup.c	the trees, and a group per sandbox in each: made, entered,
 *			killed, removed
 * sandbox_shares.c	what a group may have: memory, swap, cpu, processes, io
 *
 * Version 2 has one tree for all controllers, version 1 a tree for each; a
 * machine may have some controllers here and others there.
 */
#ifndef ISOLATION_SANDBOX_CGROUP_H
#define ISOLATION_SANDBOX_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include "../conf.h"
#include "../wire.h"

enum cgroup_controller {
	CG_MEMORY,
	CG_CPU,
	CG_PIDS,
	CG_IO,
	CG_ACCT,   /* only counts; version 2 does it in cpu */
	CG_FREEZE, /* of version 2 itself, without any controller */
	CG_MAX,
};

#define CGROUP_TREES (CG_MAX + 1)

/* sandbox_cgroup.c */
void cgroup_find(const char *runtime);
const char *cgroup_version(void); /* v2, v1, v1+v2 or none */
bool cgroup_is_v2(enum cgroup_controller c);
int cgroup_top(enum cgroup_controller c); /* ours; -1: not there */
int cgroup_open(enum cgroup_controller c, uint32_t group);
int cgroup_make(uint32_t group);
unsigned int cgroup_fds(int fds[CGROUP_TREES]); /* that are open */
int cgroup_fd(uint32_t group);                  /* for CLONE_INTO_CGROUP; -1: not v2 */
void cgroup_kill(uint32_t group);
int cgroup_freeze(uint32_t group, bool freeze); /* 0, or -1 with errno */
int cgroup_remove(uint32_t group);
void cgroup_each(void (*fn)(uint32_t group));
void cgroup_leave(void);
int cgroup_write(int dir, const char *name, const char *text);
ssize_t cgroup_read(int dir, const char *name, char *buf, size_t len);
bool cgroup_word(const char *list, const char *word);

/* sandbox_shares.c */
void shares_find(int homes); /* after cgroup_find: what this machine can hold */
/* Each share that is wanted and that nothing here holds. */
void shares_lacking(const struct conf_limits *conf,
    void (*fn)(void *arg, const char *what, const char *why), void *arg);
/* 0, or -1 and the log has said it: whatever was there before; of a new group; of one
 * that has just those limits. */
int shares_set(uint32_t group, const struct conf_limits *conf);
int shares_fresh(uint32_t group, const struct conf_limits *conf);
int shares_change(
    uint32_t group, const struct conf_limits *was, const struct conf_limits *conf);
void shares_usage(uint32_t group, struct m_sandbox *row);
/* Told of when a user's memory passes that; -1: cannot be had.  In version 1 it is
 * readable then, and the kernel has to be told of it first, which waits for all CPUs:
 * not for isolation itself.  In version 2 there is an edge, again and again. */
int shares_alarm(uint32_t group, uint64_t bytes);
bool shares_alarm_untold(void);
int shares_alarm_tell(uint32_t group, uint64_t bytes, int alarm); /* 0, or an errno */

#endif
