/* The message receiver: any bytes, in any state, from any peer to any process. */
#include <sys/socket.h>

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../privsep/chan.h"
#include "../../privsep/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct msg m;
	const struct msg_row *row;
	const char *why;
	struct chan c;
	int fds[2], r;

	if (len < 4 || len > MSG_PAYLOAD_MAX + 64 || chan_pair(fds) == -1)
		return 0;
	log_init("fuzz", STDERR_FILENO, 0, LOG_CRIT, false);
	chan_init(
	    &c, fds[0], 1 << (data[0] % 9), 1 << (data[1] % 9), NULL, NULL, NULL, NULL);
	c.state = data[2] % 3 + 1;
	if (send(fds[1], data + 3, len - 3, MSG_DONTWAIT) == -1)
		abort();
	r = chan_recv(&c, &m, &why);
	if (r == 1) {
		/* What is let through is what the table says. */
		row = &msg_table[m.head.type];
		if (m.head.type == M_NONE || m.head.type >= M_MAX ||
		    m.head.len != len - 3 - sizeof(m.head) || m.head.len < row->min ||
		    m.head.len > row->max || (row->from & c.peer) == 0 ||
		    (row->to & c.self) == 0 || (row->state & c.state) == 0 ||
		    row->fd != FD_NONE)
			abort();
	} else if (r != -2 || why == NULL) {
		abort();
	}
	chan_close(&c);
	close(fds[1]);
	return 0;
}
