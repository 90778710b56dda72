/*
 * The making of a sandbox, in a process that is forked for it, and in the first
 * process that it clones, which becomes ide-session: what they know, and the steps.
 * Each step succeeds or ends the attempt; what a failed attempt made goes with its
 * namespaces, its folder and control group are removed by isolation.
 */
#ifndef ISOLATION_SANDBOX_STEPS_H
#define ISOLATION_SANDBOX_STEPS_H

#include <linux/filter.h>

#include <stdbool.h>
#include <stdint.h>

#include "../conf.h"
#include "../session_start.h"
#include "../wire.h"
#include "storage.h"

struct setup {
	const struct conf *conf;
	const struct strategy *strategy;
	uint32_t group; /* control group */
	int report;     /* to isolation: pidfd, or what went wrong */
	struct storage_dirs dirs;
	int root;            /* the new one, of setup_remember */
	int ownns;           /* mount namespace */
	int empty;           /* runtime/empty, to mount on */
	int hostnet, ownnet; /* of setup_network_host, setup_pair */
	unsigned int outer, inner;
	int ruleset; /* of Landlock, and which rights it speaks of */
	uint64_t handled;
	int who;       /* to the first process; in it, to its maker */
	pid_t first;   /* the first process */
	int first_pid; /* and its pidfd */
	/* Of the user, once there is one. */
	char user[WIRE_NAME];
	uint32_t uid; /* and gid */
	struct conf_limits limits;
	uint32_t ide; /* as in session_who */
	int control;  /* bound socket, for ide-session */
	int home;     /* of setup_home, setup_home_tree */
	bool mounted; /* home is a mount already */
	int loop;     /* the device that its volume has, as a guess, or -1 */
	struct {
		char home[SESSION_PATH];
		char run[SESSION_PATH];
		char ide[CONF_PATH_MAX];
	} path;              /* as the user's programs see them */
	struct m_fail fault; /* why a step failed, if it knows better */
};

/* For whom a sandbox becomes: to the process that made its blank half, with the
 * control socket. */
struct setup_who {
	char user[WIRE_NAME];
	char pad[3];
	uint32_t uid;
	int32_t loop;              /* of a volume that stands ready, or -1 */
	uint32_t ide;              /* as in session_who */
	struct conf_limits limits; /* of this user */
};

/*
 * A strategy: what makes a sandbox, in its order.  blank and ready are done before
 * there is a user, before and after the first process is cloned with the flags
 * `last'; owned for a user, until the first process is told; joined at the same time
 * as that becomes the user.  All of it as root in the set-up's process; inside by the
 * first process, which then is confined as in all strategies.
 */
struct setup;
struct setup_step;
struct strategy {
	const char *name;
	const struct setup_step *blank;
	const struct setup_step *inside;
	const struct setup_step *ready;
	const struct setup_step *owned;
	const struct setup_step *joined;
	uint64_t last;
	void (*paths)(struct setup *s); /* as the user's programs see them */
	void (*end_all)(uint32_t uid);  /* what its first process leaves, or NULL */
	const char *weaker;             /* what it does not hold, or NULL */
};
extern const struct strategy strategy_namespace;
extern const struct strategy strategy_directory;
const struct strategy *strategy_of(uint8_t kind); /* enum conf_isolation_kind */

struct setup_step {
	const char *name;
	int (*fn)(struct setup *); /* 0, or -1 with errno */
};

/*
 * sandbox_start.c: a process that makes the blank half, in that control group, and
 * waits on report, a SOCK_SEQPACKET end; -1 with errno.  sandbox_give tells it the
 * user.
 */
pid_t sandbox_start(int report, uint32_t group);
int sandbox_give(int to, const struct setup_who *who, int control);
int setup_keep(struct setup *s);
int setup_fds(struct setup *s);
int setup_stdio(struct setup *s);
int setup_recv(int from, void *data, size_t len, int *fd);
void report_send(int to, const struct setup_report *r, int fd);
void signals_reset(void);
void sandbox_prepare(void); /* once: executable, filters */

/* home.c, home_first.c */
struct home_new {
	const char *skel; /* NULL or "": none */
	uint64_t storage; /* limits of the user */
	uint64_t files;
	bool project; /* of a project quota */
};

struct tree_rules;
bool user_name_ok(const char name[WIRE_NAME]);
/* A folder of data/home; where there is none, a new one, or ENOENT and no fault if
 * fresh is NULL. */
int home_open(int homes, const char *user, uint32_t uid, const struct home_new *fresh,
    struct m_fail *f);
void home_look(int home); /* what a start reads of it is in memory then */
int home_folders(int home, const char *user, uint32_t uid, struct m_fail *f);
int home_fill(int home, const char *user, uint32_t uid, const struct home_new *fresh,
    struct m_fail *f);
int skel_open(const char *path, const char **why);
void skel_rules(struct tree_rules *rules, uint32_t uid, uint64_t storage, uint64_t files);

/* sandbox_cgroup.c */
int setup_cgroup(struct setup *s);

/* sandbox_ns.c */
pid_t ns_clone(uint64_t flags, int cgroup, int *pidfd);
uint64_t ns_blank(const struct conf_isolation *conf);
#define NS_LAST (CLONE_NEWPID | CLONE_NEWCGROUP)
int setup_hostname(struct setup *s);

/* net_setup.c */
int setup_network_host(struct setup *s);
int setup_loopback(struct setup *s);
int setup_pair(struct setup *s);
int setup_network(struct setup *s);

/* sandbox_mnt.c, sandbox_proc.c, sandbox_etc.c */
int setup_private(struct setup *s);
int setup_root(struct setup *s);
int setup_binds(struct setup *s);
int setup_dev(struct setup *s);
int setup_tmp(struct setup *s);
int setup_tmp_user(struct setup *s);
int setup_home_tree(struct setup *s);
int setup_home_mount(struct setup *s);
int setup_pivot(struct setup *s);
int setup_root_close(struct setup *s);
int setup_proc(struct setup *s);
int setup_etc(struct setup *s);
int setup_etc_user(struct setup *s);
int mnt_bind(int dir, const char *from, const char *to, uint64_t attr, bool recursive);

/* sandbox_bind.c */
int bind_open(const char *path); /* O_PATH, over no link; -1 with errno */
int setup_site_binds(struct setup *s);

/* sandbox_user.c, sandbox_landlock.c, seccomp_user.c */
#define OPEN_FILES_MAX 65536 /* of a process */
int setup_limits(struct setup *s);
int setup_oom(struct setup *s);
int setup_rights(struct setup *s);
uint32_t limit_processes(const struct conf_limits *l);
int setup_ruleset(struct setup *s);
int setup_rules(struct setup *s);
int setup_rules_user(struct setup *s);
int setup_seccomp(struct setup *s);
/* Where things are, seen from inside. */
#define INSIDE_IDE "/opt/ide"
#define INSIDE_RUN "/run/ide"

#endif
