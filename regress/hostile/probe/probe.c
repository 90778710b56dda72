/*
 * probe			questions from standard input
 * probe table [NAME ...]	attempts from standard input, those named or all
 * probe serve PATH NAME PORT KEY	be reachable in every way, until killed
 * probe load			be busy, until standard input ends
 * probe uid			as whom it runs
 *
 * A table has lines of three columns with a bar between: the attempt's name, the
 * question, and the answer that there must be, or several with "or" between; "#" begins a
 * comment.  Each is asked in a process of its own, and answered by a line "ok NAME:
 * ANSWER" or "not ok NAME: ANSWER instead of WANTED".
 */
#include <sys/types.h>
#include <sys/wait.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "probe.h"

static const struct question *const questions[] = { call_questions, file_questions,
	process_questions, network_questions, ipc_questions, bomb_questions };

void
result(long r)
{
	const char *name = r == -1 ? strerrorname_np(errno) : "ok";

	printf("%s\n", name == NULL ? "unknown" : name);
}

void
died(int status)
{
	printf("SIG%s\n", sigabbrev_np(WTERMSIG(status)));
}

static void
ask(char *line)
{
	static char none[] = "";
	char *arg[WORDS], *p;
	const struct question *q;
	size_t i;
	int n = 0;

	for (p = strtok(line, " \n"); p != NULL && n < WORDS; p = strtok(NULL, " \n"))
		arg[n++] = p;
	for (; n < WORDS; n++)
		arg[n] = none;
	for (i = 0; i < sizeof(questions) / sizeof(questions[0]); i++)
		for (q = questions[i]; q->name != NULL; q++)
			if (strcmp(q->name, arg[0]) == 0) {
				q->fn(arg);
				fflush(stdout);
				return;
			}
	printf("what?\n");
	fflush(stdout);
}

/* In a process of its own, which may not come back from it. */
static void
answer(char *question, char *buf, size_t size)
{
	size_t len = 0;
	ssize_t n;
	int p[2], status;
	pid_t pid;

	if (pipe(p) == -1 || (pid = fork()) == -1) {
		snprintf(buf, size, "no process to ask in");
		return;
	}
	if (pid == 0) {
		(void)dup2(p[1], STDOUT_FILENO);
		close(p[0]);
		close(p[1]);
		ask(question);
		_exit(0);
	}
	close(p[1]);
	while (len < size - 1 && (n = read(p[0], buf + len, size - 1 - len)) > 0)
		len += (size_t)n;
	close(p[0]);
	while (waitpid(pid, &status, 0) == -1 && errno == EINTR)
		;
	if (WIFSIGNALED(status))
		len += (size_t)snprintf(
		    buf + len, size - len, "SIG%s", sigabbrev_np(WTERMSIG(status)));
	while (len > 0 && (buf[len - 1] == '\n' || buf[len - 1] == ' '))
		len--;
	buf[len] = '\0';
}

static char *
trim(char *s)
{
	size_t len;

	s += strspn(s, " \t");
	for (len = strlen(s); len > 0 && strchr(" \t\n", s[len - 1]) != NULL; len--)
		s[len - 1] = '\0';
	return s;
}

/* "this" or "this or that": for what not every kernel has. */
static bool
wanted(const char *want, const char *got)
{
	static const char or [] = " or ";
	const char *end;

	while ((end = strstr(want, or)) != NULL) {
		if (strncmp(want, got, (size_t)(end - want)) == 0 &&
		    got[end - want] == '\0')
			return true;
		want = end + sizeof(or) - 1;
	}
	return strcmp(want, got) == 0;
}

/* One attempt; 1 if it did not end as it must. */
static int
attempt(char *line, int argc, char *argv[])
{
	static char got[65536];
	char *name = strtok(line, "|"), *question = strtok(NULL, "|");
	char *want = strtok(NULL, "|");
	int i;

	if (name == NULL || question == NULL || want == NULL) {
		printf("not ok %s: a line of three columns\n", name);
		return 1;
	}
	name = trim(name);
	want = trim(want);
	for (i = 0; i < argc && strcmp(argv[i], name) != 0; i++)
		;
	if (argc > 0 && i == argc)
		return 0;
	fflush(stdout);
	answer(question, got, sizeof(got));
	if (wanted(want, got)) {
		printf("ok %s: %s\n", name, got);
		return 0;
	}
	printf("not ok %s: %s instead of %s\n", name, got, want);
	return 1;
}

static int
table(int argc, char *argv[])
{
	char line[8192];
	int bad = 0;

	while (fgets(line, sizeof(line), stdin) != NULL)
		if (line[0] != '#' && line[strspn(line, " \t\n")] != '\0')
			bad += attempt(line, argc, argv);
	return bad > 0;
}

int
main(int argc, char *argv[])
{
	char line[8192];

	if (argc == 6 && strcmp(argv[1], "serve") == 0)
		return serve(argv + 2);
	if (argc >= 2 && strcmp(argv[1], "table") == 0)
		return table(argc - 2, argv + 2);
	if (argc == 2 && strcmp(argv[1], "load") == 0)
		return load();
	if (argc == 2 && strcmp(argv[1], "uid") == 0) {
		ids();
		return 0;
	}
	while (fgets(line, sizeof(line), stdin) != NULL)
		ask(line);
	return 0;
}
