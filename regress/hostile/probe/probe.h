/*
 * What is asked from inside a user's sandbox, and what the kernel answers.
 *
 * A question is a line of words; its answer is "ok", the name of an error, "SIG"
 * and a signal's name, or what was asked for.
 *
 * probe.c	questions from standard input, and tables of attempts
 * calls.c	system calls by name and number
 * files.c	files, mounts, devices
 * processes.c	processes, signals, priorities, identities
 * network.c	sockets, and being reachable
 * ipc.c	shared memory, queues, terminals
 * bombs.c	what takes until it is refused
 */
#ifndef HOSTILE_PROBE_H
#define HOSTILE_PROBE_H

#include <stdbool.h>

#define WORDS 8 /* of a question, itself included */

struct question {
	const char *name;
	void (*fn)(char **arg);
};

/* Each ends with a NULL name. */
extern const struct question call_questions[], file_questions[], process_questions[],
    network_questions[], ipc_questions[], bomb_questions[];

void result(long r); /* of a call: "ok", or errno's name */
void died(int status);
int local(int type, const char *name, bool abstract, bool serve);
int inet(const char *addr, const char *port, bool serve);

/* Subcommands. */
int serve(char **arg);
int load(void);
void ids(void);

#endif
