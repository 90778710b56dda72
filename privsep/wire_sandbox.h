/*
 * What messages carry of sandboxes: what is wanted of them, what they have and use, and
 * what is told of them.  A part of wire.h.
 */
#ifndef PRIVSEP_WIRE_SANDBOX_H
#define PRIVSEP_WIRE_SANDBOX_H

#include <stdint.h>

/* What one user may have; 0: what the role and the site say. */
struct wire_limits {
	uint64_t memory;
	uint64_t storage;
	uint64_t files;
	uint32_t cpu; /* percent of one cpu */
	uint32_t processes;
	uint32_t sessions;
	uint32_t pad;
};
#define LIMIT_MEMORY    0x01
#define LIMIT_STORAGE   0x02
#define LIMIT_FILES     0x04
#define LIMIT_CPU       0x08
#define LIMIT_PROCESSES 0x10
#define LIMIT_SESSIONS  0x20

enum wire_sandbox {
	SANDBOX_ABSENT,
	SANDBOX_STARTING,
	SANDBOX_RUNNING,
	SANDBOX_STOPPING,
	SANDBOX_FROZEN, /* runs, but its processes wait */
};

/* What makes storage end; only the last one does not. */
enum wire_storage {
	STORAGE_IS_UNKNOWN,
	STORAGE_IS_QUOTA,
	STORAGE_IS_VOLUME,
	STORAGE_IS_ACCOUNTING,
};

/* One sandbox, in lists and on the portal. */
struct m_sandbox {
	char user[WIRE_NAME];
	char pad[3];
	uint32_t uid;
	uint32_t state; /* enum wire_sandbox */
	int32_t pid;    /* of ide-session, on the host */
	int64_t started;
	uint64_t memory;
	uint64_t memory_max;
	uint64_t cpu_usec;
	uint32_t processes;
	uint32_t processes_max;
	uint32_t ide_running;
	uint32_t cpu_max; /* percent of one cpu */
	uint64_t storage; /* bytes of the home */
	uint64_t storage_max;
	uint64_t files;
	uint64_t files_max;
	int64_t storage_at;  /* when these were counted; 0: they were not */
	uint32_t storage_by; /* enum wire_storage */
	uint32_t pad2;
	uint64_t received; /* bytes of its network, since it started */
	uint64_t sent;
	/* By auth, of one that runs: why it does still. */
	int64_t active; /* when its user last did something */
	int64_t worked; /* when its programs last did; 0: not since it is watched */
	int64_t stops;  /* when it is stopped, if nothing more is done; 0: it is not */
	uint32_t connections; /* of its user */
	/* Also of one that does not. */
	uint32_t why;  /* enum wire_why */
	int64_t ended; /* when the last one did, since auth began; 0: none has */
};

/* Why a sandbox is on, or why it is not any more. */
enum wire_why {
	WHY_UNKNOWN,
	WHY_ACTIVITY,   /* its user did something, */
	WHY_WORK,       /* its programs did, */
	WHY_CONNECTION, /* or there is a connection that tells nothing of it */
	WHY_IDLE,       /* nobody did anything for idle-stop, */
	WHY_STOPPED,    /* somebody had it stopped, */
	WHY_ENDED,      /* or it ended by itself */
};

/* A process of a session, as ide-session sees it: the user's word about the
 * user's own. */
#define WIRE_PROCESSES 16
struct m_process {
	uint32_t pid;    /* inside; 0: none */
	uint32_t kind;   /* enum wire_kind */
	uint64_t memory; /* its own, in bytes */
	int64_t grown;   /* over the last ten looks */
	char name[48];
};
enum wire_kind {
	PROCESS_OTHER,
	PROCESS_SERVER,
	PROCESS_EXTENSION_HOST,
	PROCESS_LANGUAGE_SERVER,
	PROCESS_TERMINAL_HOST,
	PROCESS_TERMINAL,
	PROCESS_WATCHER,
	PROCESS_COMMAND,
	PROCESS_KINDS,
};
/* M_SESSION_PROCESSES: the largest, largest first. */
struct m_processes {
	uint32_t count;
	uint32_t total; /* that there are */
	struct m_process process[WIRE_PROCESSES];
};

/* M_SB_MEMORY: what was seen of a sandbox's memory, and what was done. */
struct m_memory {
	char user[WIRE_NAME];
	char pad[3];
	uint32_t uid;
	uint32_t event; /* enum wire_memory */
	uint32_t pad2;
	int64_t at; /* seconds since the epoch */
	uint64_t used;
	uint64_t max;
	int64_t per_minute;       /* of MEMORY_LEAK: growth */
	struct m_process process; /* that it is about */
};
enum wire_memory {
	MEMORY_WARN = 1,
	MEMORY_CRITICAL,
	MEMORY_LEAK,
	MEMORY_ENDED,
};

/* M_SB_STORAGE: what a sandbox's home holds is too much, or nearly. */
#define STORAGE_NEARLY 95 /* percent of a limit that holds */
struct m_storage {
	char user[WIRE_NAME];
	char pad[3];
	uint32_t uid;
	uint32_t event; /* enum wire_storage_event */
	uint32_t by;    /* enum wire_storage */
	uint64_t used;
	uint64_t max;
	uint64_t files;
	uint64_t files_max;
};
enum wire_storage_event {
	STORAGE_OVER = 1, /* a limit that does not hold was passed */
	STORAGE_FULL,     /* one that holds is reached, or nearly */
};

/* How often sandboxes had to be told of, since auth began. */
struct wire_notes {
	uint32_t memory_warned;
	uint32_t memory_critical;
	uint32_t memory_leaks;
	uint32_t memory_ended; /* processes */
	uint32_t storage_over;
	uint32_t storage_full;
};

/* M_SB_CONNECT, M_SB_STOP, M_SB_REMOVE, M_SB_SHOW and more: auth to isolation, and what
 * is ready or gone, back. */
struct m_sb {
	char user[WIRE_NAME];
	char role[WIRE_ROLE]; /* tells the limits */
	uint8_t awake;        /* M_SB_CONNECT: it is neither started nor woken for this */
	char pad[1];
	uint32_t uid;
	struct wire_limits limits; /* of this user's own, over all others */
};
/* M_SB_PORT: a port inside. */
struct m_sb_port {
	struct m_sb sb;
	int64_t started; /* of a visitor: only of the sandbox that was started then */
	uint16_t port;
	uint8_t pad[6];
};
struct m_exec {
	char user[WIRE_NAME];
	char role[WIRE_ROLE]; /* "" from idectl, as the uid is 0: auth fills them in */
	char pad[2];
	uint32_t uid;
	uint32_t argc;
	uint32_t len; /* bytes used of argv */
	uint32_t pad2;
	struct wire_limits limits; /* as m_sb's */
	char argv[WIRE_ARGV];
};
/* M_…_EXEC_FD: 0, 1 and 2 follow the exec message, one each. */
struct m_exec_fd {
	uint32_t which;
	uint32_t pad;
};
struct m_exit {
	int32_t status; /* exit code, or 128 + signal */
	uint32_t pad;
};

/* Between isolation and ide-session: see bin/ide-session. */
struct m_session_what {
	uint32_t what; /* enum wire_what */
	uint32_t port; /* of WHAT_PORT */
};
enum wire_what { WHAT_IDE = 1, WHAT_PORT };

struct m_session_state {
	uint32_t ide_running;
	uint32_t ide_restarts;
};

#endif
