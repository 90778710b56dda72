/*
 * Where calls end that a program never makes.
 *
 * The libraries that are linked into a worker or ide-session can look names up and
 * load code, and those of a worker make sockets.  Neither does any of it, so the
 * Makefile has the linker put this in the place of the functions (ABSENT), and their
 * code stays out.
 */
#include "log.h"

void absent(void);

void
absent(void)
{
	fatalx("BUG: a call that this program never makes");
}
