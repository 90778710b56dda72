/*
 * Between isolation and ide-session, before there is a control channel.
 *
 * ide-session is started without a user: it holds its filters already, and of the
 * superuser's rights those alone that make a user of it.  On FD_SESSION_WHO it says
 * that it waits, one byte, and is told once who it is, with the control socket.
 * The socket's end is its own end.
 */
#ifndef PRIVSEP_SESSION_START_H
#define PRIVSEP_SESSION_START_H

#include <stdint.h>

#include "conf.h"
#include "wire.h"

/* Its descriptors. */
#define FD_SESSION_CONTROL 3 /* free, until it knows who it is */
#define FD_SESSION_REPORT  4 /* struct setup_report; closed when it listens */
#define FD_SESSION_WHO     5
#define FD_SESSION_RULESET 6 /* of Landlock; not there where the kernel has none */
#define FD_SESSION_LAST    6

#define SESSION_PATH (CONF_PATH_MAX + WIRE_NAME + 32)

/* Arguments for the IDE's server: two of ided's, then the configuration's. */
#define SESSION_IDE_ARGS (2 + CONF_ARG_MAX)

/* The rules for extensions, with a sign before each and a comma behind it. */
#define SESSION_EXTENSIONS_MAX (CONF_EXTENSIONS_MAX * (CONF_EXTENSION_MAX + 1) + 1)

struct session_who {
	char user[WIRE_NAME];
	char home[SESSION_PATH]; /* as it is seen from inside */
	char run[SESSION_PATH];  /* the runtime folder */
	uint32_t uid;            /* and gid */
	uint32_t processes;      /* that limit; 0: control groups count them */
	uint32_t ide; /* 1: somebody waits for the IDE, and it starts at once */
};

/* What the report says: messages, then its end once ide-session listens and the
 * set-up has left. */
enum setup_what {
	SETUP_RUNS,   /* pid and pidfd */
	SETUP_FAILED, /* fault */
	SETUP_MADE,   /* the set-up has done its part */
	/* Of storage; the last of them is SETUP_HOME. */
	SETUP_WAITS, /* the home is moved into a volume, or checked: it goes on */
	SETUP_MOVED, /* into a volume */
	SETUP_HOME,  /* storage, loop, and the home's folder, if it is a volume */
};

struct setup_report {
	uint32_t what; /* enum setup_what */
	int32_t pid;
	uint32_t storage; /* enum wire_storage */
	int32_t loop;
	struct m_fail fault;
};

#endif
