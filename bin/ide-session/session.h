/*
 * ide-session: the first process of a user's sandbox, under the user's own uid.
 * It starts the IDE, hands out connections to it, runs commands, and reaps.
 *
 * session.c	start, isolation's channel, the end
 * become.c	from nobody to the user
 * ide.c	the IDE
 * ide_wait.c	those who wait for a connection to it
 * port.c	connections to ports of the user's programs
 * run.c	commands, and how any program is started
 * windows.c	where VS Code's windows say that they are open
 * watch.c	which processes take memory
 * output.c	the log file
 */
#ifndef BIN_IDE_SESSION_SESSION_H
#define BIN_IDE_SESSION_SESSION_H

#include <sys/types.h>

#include <event2/event.h>

#include <stdbool.h>
#include <stdint.h>

#include "../../privsep/chan.h"

#define IDE_NODE    "node/bin/node"
#define IDE_MAIN    "server/out/server-main.js"
#define IDE_CLI     "cli" /* code, for the user's shells */
#define IDE_WINDOWS "cli/session.js"
#define IDE_POLICY  "cli/policy.js" /* starts IDE_MAIN, with rules for extensions */
/* In the runtime folder. */
#define IDE_SOCKET     "code.sock"
#define WINDOWS_SOCKET "user/windows.sock"
#define PATH_LEN       1200
#define GALLERY_LEN    400

struct session {
	struct event_base *base;
	const char *user;
	const char *home;
	const char *run;     /* runtime folder */
	const char *ide;     /* the IDE's */
	const char *below;   /* the path that its pages are below */
	const char *proxy;   /* VSCODE_PROXY_URI, or NULL */
	const char *gallery; /* where extensions come from, or NULL */
	bool marketplace;    /* it is laid out as code-marketplace is */
	const char *rules;   /* for extensions, or NULL: all are allowed */
	char socket[108];
	char windows[108]; /* empty: there is none */
	char **ide_args;   /* ends with NULL */
	bool ide_now;      /* it starts with the session */
	bool stopping;
};

extern struct session session;

/* session.c */
struct timeval session_ms(long ms);
int64_t session_now(void);
/* The answer to what was asked with that id: not done. */
void session_fail(struct chan *, uint32_t id, enum wire_fail, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* become.c */
void become_prepare(void); /* first of all */
void become_user(void);    /* once it is told who that is; no user: it leaves */

/* ide.c */
void ide_init(void);
void ide_want(void); /* somebody waits: start it if it is not there */
bool ide_reap(pid_t pid, int status);
void ide_accepts(void);
bool ide_is_running(void);
uint32_t ide_restarts(void);

/* ide_wait.c */
void wait_add(struct chan *c, uint32_t id);
void wait_forget(const struct chan *c);
bool wait_serve(void); /* true when nobody waits any more */
void wait_fail(const char *text);

/* port.c */
void port_connect(struct chan *c, uint32_t id, uint32_t port);
void port_forget(const struct chan *c);

/* run.c */
pid_t run_program(char *const argv[], const int fd[3]);
void run_exec(struct chan *c, struct msg *m);
void run_exec_fd(struct chan *c, struct msg *m);
void run_forget(const struct chan *c);
bool run_reap(pid_t pid, int status);

/* windows.c */
void windows_init(void);
bool windows_reap(pid_t pid);

/* watch.c */
void watch_look(struct chan *c, struct msg *m);
void watch_relieve(struct chan *c, struct msg *m);
void watch_hang_up(void);

/* output.c */
void output_init(void);
int output_pipe(void); /* the end that a program writes to */

#endif
