/*
 * VS Code's own command line, inside a user's sandbox: open files in a window that
 * is open, and extensions.  See bin/ide-session/cli/.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bsd/string.h>

#include "idectl.h"

#define ARGS 260

static char *argv[ARGS + 1];
static int argc;

static void
arg(const char *s)
{
	if (argc == ARGS)
		die("too many arguments: at most %d", ARGS);
	argv[argc++] = (char *)(uintptr_t)s;
	argv[argc] = NULL;
}

static void
begin(void)
{
	argc = 0;
	arg("code");
}

/* The user whose sandbox is the only one. */
static const char *
only_user(void)
{
	static char user[WIRE_NAME];
	const struct m_sandbox *s;
	unsigned int n = 0;
	struct msg m;

	ctl_send(M_CTL_SANDBOX_LIST, -1, NULL, 0);
	for (;;) {
		ctl_recv(&m, CTL_WAIT);
		if (m.head.type == M_FAIL) {
			print_fail(MSG_DATA(&m, m_fail));
			exit(EXIT_FAILED);
		}
		if (m.head.type == M_OK)
			break;
		if (m.head.type != M_ROW_SANDBOX)
			continue;
		s = MSG_DATA(&m, m_sandbox);
		if (n++ == 0 && wire_str(s->user))
			strlcpy(user, s->user, sizeof(user));
	}
	if (n != 1)
		die("%s: say with -u whose is meant",
		    n == 0 ? "no sandbox runs" : "several sandboxes run");
	return user;
}

int
code_open(const char *user, const char *options, char **files)
{
	if (user == NULL)
		user = only_user();
	begin();
	for (; *options != '\0'; options++)
		arg(*options == 'g'     ? "--goto" :
			*options == 'r' ? "--reuse-window" :
			*options == 'n' ? "--new-window" :
					  "--wait");
	arg("--");
	for (; *files != NULL; files++)
		arg(*files);
	return exec_run(user, argv);
}

/* A package on this machine is passed on; anything else is a name. */
static int
install_one(const char *user, const char *what)
{
	size_t len = strlen(what);
	int fd;

	begin();
	arg("--install-extension");
	if (len < 5 || strcmp(what + len - 5, ".vsix") != 0) {
		arg(what);
		arg("--force");
		return exec_run(user, argv);
	}
	if ((fd = open(what, O_RDONLY | O_CLOEXEC)) == -1)
		die("%s: %s", what, strerror(errno));
	if (dup2(fd, STDIN_FILENO) == -1)
		die("%s: %s", what, strerror(errno));
	close(fd);
	arg("-");
	arg("--force");
	return exec_run(user, argv);
}

int
code_ext(const char *user, const char *verb, char **names)
{
	int status, worst = EXIT_SUCCESS;

	if (user == NULL)
		user = only_user();
	if (strcmp(verb, "list") == 0) {
		begin();
		arg("--list-extensions");
		arg("--show-versions");
		return exec_run(user, argv);
	}
	for (; *names != NULL; names++) {
		if (strcmp(verb, "install") == 0) {
			status = install_one(user, *names);
		} else {
			begin();
			arg("--uninstall-extension");
			arg(*names);
			status = exec_run(user, argv);
		}
		if (status != EXIT_SUCCESS)
			worst = status;
	}
	return worst;
}
