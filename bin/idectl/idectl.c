/* idectl(8): the administrator's word to a running ided. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bsd/string.h>

#include "audit.h"
#include "backup.h"
#include "command.h"
#include "idectl.h"
#include "import.h"

#define SOCKET "/run/ided/ided.sock"

bool json;

static void
usage_line(FILE *to, const struct command *c)
{
	char left[96];

	snprintf(left, sizeof(left), "%s%s%s %s", c->noun, c->verb != NULL ? " " : "",
	    c->verb != NULL ? c->verb : "", c->usage);
	fprintf(to, "  %-46s %s\n", left, c->help);
}

static void
usage_all(FILE *to, const char *noun)
{
	size_t i;

	fprintf(to, "usage: idectl [-hj] [-s socket] command ...\n");
	for (i = 0; i < ncommands; i++)
		if (noun == NULL || strcmp(noun, commands[i].noun) == 0)
			usage_line(to, &commands[i]);
}

_Noreturn void
command_usage(const struct command *c)
{
	if (c != NULL) {
		fprintf(stderr, "usage: idectl [-hj] [-s socket]\n");
		usage_line(stderr, c);
	} else {
		usage_all(stderr, NULL);
	}
	exit(EXIT_USAGE);
}

static const struct command *
command_find(int argc, char **argv)
{
	size_t i;

	if (argc == 0)
		command_usage(NULL);
	for (i = 0; i < ncommands; i++)
		if (strcmp(argv[0], commands[i].noun) == 0 &&
		    (commands[i].verb == NULL ||
			(argc > 1 && strcmp(argv[1], commands[i].verb) == 0)))
			return &commands[i];
	for (i = 0; i < ncommands; i++)
		if (strcmp(argv[0], commands[i].noun) == 0) {
			usage_all(stderr, argv[0]);
			exit(EXIT_USAGE);
		}
	fprintf(stderr, "idectl: no command `%s'\n", argv[0]);
	command_usage(NULL);
}

static void
flag(struct given *g, int o)
{
	if (strchr(g->flags, o) == NULL)
		g->flags[strlen(g->flags)] = (char)o;
}

/* Options and arguments that follow the command's words. */
static void
parse(const struct command *c, int argc, char **argv, struct given *g)
{
	int o, words = c->verb != NULL ? 2 : 1;

	memset(g, 0, sizeof(*g));
	g->role = g->find = g->state = "";
	argc -= words - 1;
	argv += words - 1;
	optind = 1;
	while ((o = getopt(argc, argv, c->options)) != -1) {
		switch (o) {
		case 'e':
			if (optarg != NULL)
				g->email = optarg;
			else
				flag(g, o);
			break;
		case 'r':
			if (optarg != NULL)
				g->role = optarg;
			else
				flag(g, o);
			break;
		case 'n':
			if (optarg != NULL)
				g->display = optarg;
			else
				flag(g, o);
			break;
		case 'f':
			if (optarg != NULL)
				g->find = optarg;
			else
				flag(g, o);
			break;
		case 's':
			g->state = optarg;
			break;
		case 'c':
			g->change = true;
			break;
		case 'l':
			g->link = true;
			break;
		case 'm':
			g->metadata = optarg;
			break;
		case 'L':
			g->lookalike = true;
			break;
		case 'b':
			g->program = optarg;
			break;
		case 'u':
			g->user = true;
			g->of = optarg;
			break;
		case 'g':
		case 'p':
		case 'w':
			flag(g, o);
			break;
		case 'a':
			g->all = true;
			break;
		default:
			command_usage(c);
		}
	}
	g->argc = argc - optind;
	g->argv = argv + optind;
	if (g->argc < c->min || g->argc > c->max)
		command_usage(c);
}

/* By default, code-server's own place. */
static int
run_import(const struct given *g)
{
	static char path[4096];
	const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");

	if (g->argc > 0)
		strlcpy(path, g->argv[0], sizeof(path));
	else if (config != NULL && config[0] == '/')
		snprintf(path, sizeof(path), "%s/code-server/config.yaml", config);
	else
		snprintf(path, sizeof(path), "%s/.config/code-server/config.yaml",
		    home != NULL ? home : "");
	return import_run(path, strchr(g->flags, 'e') != NULL);
}

static int
run_exec(const struct command *c, const struct given *g)
{
	char **argv = g->argv + 1;

	if (strcmp(argv[0], "--") == 0)
		argv++;
	if (argv[0] == NULL)
		command_usage(c);
	return exec_run(g->argv[0], argv);
}

static int
run(const struct command *c, struct given *g)
{
	struct msg m;
	const struct m_ok *ok;
	const struct m_page *page;
	char text[WIRE_TEXT];

	if (strcmp(c->noun, "open") == 0)
		return code_open(g->of, g->flags, g->argv);
	if (strcmp(c->noun, "ext") == 0)
		return code_ext(g->of, c->verb, g->argv);
	if (c->type == M_CTL_EXEC)
		return run_exec(c, g);
	if (c->type == M_CTL_HANDOVER)
		return upgrade_run(g->program, g->argv);
	c->send(c, g);
	for (;;) {
		ctl_recv(&m, CTL_WAIT);
		switch (m.head.type) {
		case M_OK:
			ok = MSG_DATA(&m, m_ok);
			strlcpy(text, wire_str(ok->text) ? ok->text : "", sizeof(text));
			print_end(c->shape, text);
			return EXIT_SUCCESS;
		case M_PAGE:
			page = MSG_DATA(&m, m_page);
			if (!wire_str(page->next))
				die("a page without an end");
			strlcpy(g->cursor, page->next, sizeof(g->cursor));
			if (g->cursor[0] != '\0') {
				c->send(c, g);
				break;
			}
			print_end(c->shape, "");
			return EXIT_SUCCESS;
		case M_FAIL:
			print_fail(MSG_DATA(&m, m_fail));
			return EXIT_FAILED;
		default:
			print_row(&m);
			break;
		}
	}
}

/* Commands that have files, and options, of their own. */
static int
run_own(const struct command *c, const char *socket, int argc, char **argv)
{
	optind = 1;
	if (strcmp(c->noun, "backup") == 0)
		return backup_run(socket, argc, argv);
	if (strcmp(c->noun, "restore") == 0)
		return restore_run(argc, argv);
	return audit_run(c->verb, socket, argc - 1, argv + 1);
}

int
main(int argc, char *argv[])
{
	const char *path = SOCKET;
	const struct command *c;
	struct given g;
	int o;

	while ((o = getopt(argc, argv, "+hjs:")) != -1) {
		switch (o) {
		case 'h':
			usage_all(stdout, NULL);
			return EXIT_SUCCESS;
		case 'j':
			json = true;
			break;
		case 's':
			path = optarg;
			break;
		default:
			command_usage(NULL);
		}
	}
	c = command_find(argc - optind, argv + optind);
	if (c->options == NULL)
		return run_own(c, path, argc - optind, argv + optind);
	parse(c, argc - optind, argv + optind, &g);
	signal(SIGPIPE, SIG_IGN);
	if (strcmp(c->noun, "import") == 0) /* ided need not run */
		return run_import(&g);
	ctl_connect(path);
	return run(c, &g);
}
