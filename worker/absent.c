/*
 * Where calls end that no worker makes.
 *
 * The libraries that are linked into a worker can look names up, load code and
 * make sockets.  A worker does none of it, so the Makefile has the linker put
 * this in the place of the functions (ABSENT), and their code stays out.
 */
#include "../privsep/log.h"
#include "worker.h"

void
absent(void)
{
	fatalx("BUG: a call that no worker makes");
}
