/*
 * ided(8): reads the configuration, opens what needs root, starts the
 * privileged side, and becomes the unprivileged master.
 */
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <bsd/string.h>
#include <bsd/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "../../privsep/chan.h"
#include "../../privsep/conf.h"
#include "../../privsep/confsend.h"
#include "../../privsep/listen.h"
#include "../../privsep/log.h"
#include "../../privsep/sandbox.h"
#include "../../privsep/spawn.h"
#include "start.h"

#define DEFINES_MAX 64

static struct conf conf;

static void
usage(void)
{
	fprintf(stderr, "usage: ided [-dnv] [-D macro=value] [-f file]\n");
	exit(1);
}

static void
print_error(void *arg, const char *line)
{
	(void)arg;
	fprintf(stderr, "%s\n", line);
}

static void
options(struct start *st, int argc, char *argv[])
{
	static struct conf_define defs[DEFINES_MAX];
	char *eq;
	int c;

	st->file = "/etc/ided/ided.conf";
	st->def = defs;
	while ((c = getopt(argc, argv, "dnvD:f:")) != -1) {
		switch (c) {
		case 'd':
			st->foreground = true;
			break;
		case 'n':
			st->check = true;
			break;
		case 'v':
			st->verbose = true;
			break;
		case 'f':
			st->file = optarg;
			break;
		case 'D':
			eq = strchr(optarg, '=');
			if (eq == NULL || eq == optarg || st->ndef == DEFINES_MAX) {
				fprintf(stderr,
				    "ided: -D %s: expected macro=value, "
				    "at most %d of them\n",
				    optarg, DEFINES_MAX);
				exit(1);
			}
			st->defarg[st->ndef] = strdup(optarg);
			*eq = '\0';
			defs[st->ndef].name = optarg;
			defs[st->ndef].value = eq + 1;
			st->ndef++;
			break;
		default:
			usage();
		}
	}
	if (argc != optind)
		usage();
}

int
main(int argc, char *argv[], char *envp[])
{
	static char absolute[PATH_MAX];
	struct start st;
	int errors;

	setproctitle_init(argc, argv, envp);
	memset(&st, 0, sizeof(st));
	st.envp = environ;
	options(&st, argc, argv);
	/* isolation reads it again on a reload, from another folder. */
	if (realpath(st.file, absolute) != NULL)
		st.file = absolute;
	errors = conf_parse(&conf, st.file, st.def, st.ndef, st.envp, print_error, NULL);
	if (errors > 0) {
		fprintf(stderr,
		    "ided: %d error%s in the configuration; nothing was "
		    "started\n",
		    errors, errors == 1 ? "" : "s");
		return 1;
	}
	if (st.verbose)
		conf.common.log_level = LOG_DEBUG;
	if (st.check && geteuid() != 0) {
		fprintf(stderr,
		    "ided: the configuration's grammar is sound; run as "
		    "root to check files, keys and accounts as well\n");
		return 0;
	}
	if (geteuid() != 0) {
		fprintf(stderr,
		    "ided: must be started as root: it gives root up once "
		    "its sockets are open\n");
		return 1;
	}
	if (start_check(&st) != 0)
		return 1;
	if (st.check) {
		fprintf(stderr, "ided: configuration OK\n");
		return 0;
	}
	return start_all(&st, &conf);
}
