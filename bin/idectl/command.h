/* The commands of idectl, and what each of them sends. */
#ifndef IDECTL_COMMAND_H
#define IDECTL_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include "idectl.h"

/* What a command was given. */
struct given {
	const char *email;    /* -e; NULL: not given, as the next two */
	const char *display;  /* -n */
	const char *metadata; /* -m */
	const char *role;
	const char *find;         /* -f */
	const char *state;        /* -s */
	bool change;              /* -c */
	bool link;                /* -l */
	bool lookalike;           /* -L */
	const char *program;      /* -b */
	const char *of;           /* -u USER */
	char flags[8];            /* those that are alone: -e, -g, -n, -r, -w */
	bool user;                /* -u: the argument is a user */
	bool all;                 /* -a */
	char cursor[WIRE_CURSOR]; /* where the page before ended */
	int argc;
	char **argv;
};

struct command {
	const char *noun;
	const char *verb; /* NULL: there is none */
	const char *usage;
	const char *help;
	const char *options; /* as for getopt(3); NULL: it has a file of its own */
	int min;             /* arguments */
	int max;
	enum msg_type type;
	enum shape shape;
	void (*send)(const struct command *, const struct given *);
};

extern const struct command commands[];
extern const size_t ncommands;

/* How it is called, or, of NULL, how all are; and the end. */
_Noreturn void command_usage(const struct command *);

#endif
