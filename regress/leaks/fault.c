/*
 * A fault for the tests of the tests: a worker that loses memory whenever it is
 * asked for /robots.txt.
 */
#include <stdlib.h>
#include <string.h>

#include "../../worker/routes.h"

#define LOST 41

void __real_robots(struct stream *, const char *);
void __wrap_robots(struct stream *, const char *);

static __attribute__((noinline)) void
lose(void)
{
	char *volatile p = malloc(LOST);

	if (p != NULL)
		memset(p, 'x', LOST);
	p = NULL;
}

void
__wrap_robots(struct stream *s, const char *rest)
{
	lose();
	__real_robots(s, rest);
}
