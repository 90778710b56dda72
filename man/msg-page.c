/*
 * Prints ided-msg(7) from the message table, so that the page cannot differ
 * from what is enforced.  Run by make.
 */
#include <stdio.h>

#include "../privsep/msg.h"

static const char *const fds[] = { "-", "channel", "socket", "file", "pipe", "listener",
	"datagram socket" };

static void
roles(unsigned int bits)
{
	const char *sep = "";
	unsigned int p;

	for (p = P_MASTER; p <= P_FETCH; p <<= 1)
		if ((bits & p) != 0) {
			printf("%s%s", sep, proc_name((enum proc)p));
			sep = ", ";
		}
}

static void
states(unsigned int bits)
{
	static const char *const names[] = { "new", "bound", "port", "share" };
	const char *sep = "";
	unsigned int i;

	if (bits == S_ANY) {
		printf("any");
		return;
	}
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if ((bits & (1U << i)) != 0) {
			printf("%s%s", sep, names[i]);
			sep = ", ";
		}
}

int
main(void)
{
	const struct msg_row *r;
	unsigned int t;

	printf(
	    ".Dd November 24, 2026\n.Dt IDED-MSG 7\n.Os\n.Sh NAME\n.Nm ided-msg\n"
	    ".Nd what the processes of ided may say to each other\n.Sh DESCRIPTION\n"
	    "Every message that may pass between two processes of\n.Xr ided 8 .\n"
	    "The receiver checks sender, state, length and descriptor against this\n"
	    "table before it looks at a message; whatever differs closes the channel\n"
	    "and is logged as\n.Li channel.violation ;\na worker dies of it.\n"
	    "The state is of the receiving end:\n.Li new\nuntil the channel acts for a "
	    "user,\n.Li bound\nfrom then on,\n.Li port\nwhere it is for one port of "
	    "the "
	    "user's sandbox and nothing else, and\n.Li share\nwhere it is for one port "
	    "that somebody shares.\n"
	    "Lengths are of the payload, in bytes.\n.Bl -tag -width Ds\n");
	for (t = M_NONE + 1; t < M_MAX; t++) {
		r = &msg_table[t];
		printf(".It Li %s\nfrom ", r->name);
		roles(r->from);
		printf(" to ");
		roles(r->to);
		printf("; state ");
		states(r->state);
		printf("; length ");
		if (r->min == r->max)
			printf("%u", r->min);
		else
			printf("%u to %u", r->min, r->max);
		printf("; descriptor %s\n", fds[r->fd]);
	}
	printf(".El\n.Sh SEE ALSO\n.Xr ided 8\n");
	return 0;
}
