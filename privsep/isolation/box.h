/*
 * A user's sandbox, as isolation keeps it.
 *
 * What ide-session says is a stranger's word: each of its messages must answer
 * something that was asked, within a time limit, and the worst that it can
 * bring about is the end of its own sandbox.
 */
#ifndef ISOLATION_BOX_H
#define ISOLATION_BOX_H

#include <sys/types.h>

#include <bsd/sys/queue.h>
#include <event2/event.h>

#include <stdbool.h>
#include <stdint.h>

#include "../chan.h"
#include "../conf.h"
#include "../wire.h"
#include "memory_watch.h"
#include "storage.h"

#define BOX_ASKS_MAX  64 /* of one user, unanswered */
#define BOX_EXECS_MAX 16 /* commands of one user that run */
#define BOX_NOTES     8  /* about its memory, kept */

#define BOX_START_MS   15000  /* until ide-session listens */
#define BOX_WAIT_MS    600000 /* of a home that takes long, without a sign of life */
#define BOX_CONNECT_MS 25000  /* IDE's own start-up included */
#define BOX_PORT_MS    15000
#define BOX_ASK_MS     5000
#define BOX_STOP_MS    5000 /* then its processes are killed */

enum ask_kind {
	ASK_CONNECT, /* M_SB_CONNECT: a descriptor */
	ASK_PORT,    /* M_SB_PORT: the same */
	ASK_EXEC,    /* M_SB_EXEC: an exit status */
	ASK_SHOW,    /* M_SB_SHOW: a row */
	ASK_READY,   /* M_SB_READY: a row, of one that runs */
	ASK_STOP,    /* M_SB_STOP: its end */
	ASK_REMOVE,  /* M_SB_REMOVE: that of the home, too */
	ASK_LOOK,    /* nobody\'s: its processes */
	ASK_RELIEVE, /* nobody\'s: one process less */
	ASK_OURS     /* nobody's: what an adopted sandbox does */
};

/* Something that auth waits for. */
struct ask {
	TAILQ_ENTRY(ask) entry;
	struct box *box;
	enum ask_kind kind;
	uint32_t id;     /* auth's number */
	uint32_t epoch;  /* of the auth that asked */
	uint32_t number; /* ours, towards ide-session; 0: not sent */
	uint16_t port;   /* of ASK_PORT */
	bool late;       /* answered already: its time was over */
	struct m_exec *exec;
	int fd[3]; /* of ASK_EXEC */
	struct event *timer;
};
TAILQ_HEAD(asks, ask);

/* What is known of a sandbox's memory: box_watch.c. */
struct watch {
	struct memory_watch memory;
	uint64_t used, max;
	unsigned int pending; /* WATCH_*, until the processes are known */
	struct m_processes processes;
	struct m_memory note[BOX_NOTES]; /* oldest first */
	unsigned int nnotes;
	int alarm;
	bool untold; /* the kernel does not know of it yet */
	bool more;   /* it has been heard of again, too early to look */
	struct event *ev_alarm, *ev_again;
};

struct box {
	TAILQ_ENTRY(box) entry;
	char user[WIRE_NAME];
	char role[WIRE_ROLE];
	uint32_t uid;
	uint32_t group;            /* control group */
	struct wire_limits own;    /* that auth told */
	struct conf_limits limits; /* of this user */
	enum wire_sandbox state;
	int64_t started;  /* seconds since the epoch */
	int64_t since_ms; /* of the start, to tell how long it took */
	pid_t pid;
	int pidfd;
	bool ran;  /* it was RUNNING once */
	bool dead; /* its pid 1 has ended */
	bool ide_running;
	bool frozen;
	struct box_storage storage;
	bool made;        /* the set-up has done its part */
	bool waits;       /* the home is moved into a volume, or checked */
	struct chan chan; /* to ide-session */
	bool joined;
	/* While it starts. */
	int report;
	pid_t helper;
	struct event *ev_report;
	struct m_fail fault; /* why it ended, if it is known */
	/* While it lives, and while it ends. */
	struct event *ev_end;
	struct event *ev_timer;
	unsigned int sweeps;
	pid_t detach; /* takes its network interface away */
	bool for_ide; /* it is started for who wants the IDE */
	struct asks asks;
	unsigned int nasks;
	unsigned int nexecs;
	struct watch watch;
};

/* box.c: state STARTING -> RUNNING -> STOPPING -> gone. */
struct box *box_find(uint32_t uid);
struct box *box_start(const char *user, const char *role, uint32_t uid,
    const struct wire_limits *own, bool for_ide, struct m_fail *fault);
struct box *box_new(
    const char *user, const char *role, uint32_t uid, const struct wire_limits *own);
int box_join(struct box *b);
void box_runs(struct box *b);
void box_stop(struct box *b); /* asks it to end, kills it later */
void box_kill(struct box *b, const char *why);
int box_freeze(struct box *b); /* until it is asked something */
void box_thaw(struct box *b);
void box_end(struct box *b); /* its processes are gone */
bool box_reap(pid_t pid);
void box_watch(struct box *b);
void box_list(void (*fn)(struct box *, void *), void *arg);
void box_row(const struct box *b, struct m_sandbox *row);
void fault_set(struct m_fail *f, uint32_t code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* box_folder.c: runtime/sandbox/<uid>, root's alone. */
struct box_folder {
	char user[WIRE_NAME];
	char role[WIRE_ROLE];
	struct wire_limits own;
	uint32_t group;
	int64_t started;
};
int box_folder(uint32_t uid, bool make);
/* The control socket alone, and then what tells whose it is. */
int box_folder_bind(uint32_t uid);
int box_folder_fill(const struct box *b);
int box_folder_role(uint32_t uid, const char *role, const struct wire_limits *own);
int box_folder_connect(uint32_t uid);
bool box_folder_read(uint32_t uid, struct box_folder *out); /* false: not filled */
void box_folder_remove(uint32_t uid);
void box_folder_each(void (*fn)(uint32_t uid));

/* box_limits.c: what a user may have */
/* Of the configuration, and over it the user's own. */
void limits_resolve(const char *user, const char *role, const struct wire_limits *own,
    struct conf_limits *out);
void box_limits_all(void); /* of a new configuration */
void box_limits_of(struct box *b, const char *role, const struct wire_limits *own);
void limits_row(const struct conf_limits *limits, struct m_sandbox *row);

/* box_ask.c */
extern const struct chan_handler box_handlers[];
void box_ask(
    struct box *b, enum ask_kind kind, uint32_t id, const struct m_exec *exec, int fd[3]);
void box_ask_port(struct box *b, uint32_t id, uint16_t port);
void box_ask_all(struct box *b);  /* it runs: send what waited */
void box_ask_over(struct box *b); /* it is gone: answer what waits */
void box_ask_stopping(struct box *b);
void answer_fail(uint32_t epoch, uint32_t id, uint32_t code, const char *text);
void answer_ok(uint32_t epoch, uint32_t id, const char *text);
void answer_memory(uint32_t epoch, uint32_t id, const struct watch *w);
void answer_row(uint32_t epoch, uint32_t id, const struct m_sandbox *row);
void answer_removal(uint32_t epoch, uint32_t id, const char *user, uint32_t uid);
uint32_t answer_epoch(void);
void answer_new_epoch(void);

/*
 * sandbox_spare.c: sandboxes that are made but for their user.  spare_take gives one,
 * new where there is none, to be told its user by sandbox_give(); report (non-
 * blocking) tells how it went.  0, or -1 with errno and what could not be had.
 */
#define GROUP_MAX   ((1U << 28) - 1)
#define GROUP_TRIES 65536 /* that are all taken */
struct spare {
	pid_t pid; /* of the set-up, our child */
	int report;
	uint32_t group;
	struct conf_limits limits; /* of the group */
};
int spare_take(struct spare *s, const char **what);
void spare_end(struct spare *s); /* one that nobody gets */
void spare_fill(void);           /* as many as the configuration says */
void spare_renew(void);          /* the configuration has changed */
bool spare_reap(pid_t pid);
void spare_leave(void);
/* And all that runs in it, in its own time; false: it is going already. */
bool group_end(uint32_t group);

/* box_port.c: connections to ports of the user's programs */
bool box_port_possible(void);
bool box_port_ok(int fd, uint16_t port);
/* What VS Code is to make of ports; false: nothing in particular. */
bool box_proxy_uri(const struct conf *conf, char *buf, size_t size);

/* box_watch.c */
void watch_configure(void);
void watch_begin(struct box *b);
void watch_renew(struct box *b); /* its limit is another */
void watch_end(struct box *b);
void watch_seen(struct box *b, const struct m_processes *ps);
void watch_relieved(struct box *b, const struct m_process *p);
void watch_clean(struct m_process *p);

/* box_adopt.c */
void box_adopt_all(void);

#endif
