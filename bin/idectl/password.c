/* Passwords: see idectl.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bsd/readpassphrase.h>

#include "idectl.h"

/* Byte by byte: what follows the line belongs to somebody else. */
static void
read_line(char *buf, size_t size)
{
	size_t n = 0;
	ssize_t r;
	char c;

	while ((r = read(STDIN_FILENO, &c, 1)) != 0) {
		if (r == -1 && errno == EINTR)
			continue;
		if (r == -1)
			die("standard input: %s", strerror(errno));
		if (c == '\n')
			break;
		if (c == '\0' || n + 1 >= size) {
			explicit_bzero(buf, size);
			die("a password has at most %zu bytes and no NUL", size - 1);
		}
		buf[n++] = c;
	}
	buf[n] = '\0';
	if (r == 0 && n == 0)
		die("no password on standard input");
}

void
password_read(char *buf, size_t size)
{
	char again[WIRE_PASSWORD];
	int same;

	if (!isatty(STDIN_FILENO)) {
		read_line(buf, size);
		return;
	}
	if (readpassphrase("Password: ", buf, size, RPP_REQUIRE_TTY) == NULL ||
	    readpassphrase("Password again: ", again, sizeof(again), RPP_REQUIRE_TTY) ==
		NULL) {
		explicit_bzero(buf, size);
		die("no password was read");
	}
	same = strcmp(buf, again) == 0;
	explicit_bzero(again, sizeof(again));
	if (!same) {
		explicit_bzero(buf, size);
		die("the passwords differ");
	}
}
