/* Who waits for a connection to the IDE: bounded in number and in time. */
#include <sys/socket.h>
#include <sys/un.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "session.h"

#define WAITS_MAX 128
#define WAIT_MS   20000

static struct wait {
	struct chan *chan;
	uint32_t id;
	int64_t until;
} waits[WAITS_MAX];
static unsigned int nwaits;

/* A connection, or -1 while there is nobody who accepts it. */
static int
ide_connect(void)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd;

	memcpy(un.sun_path, session.socket, sizeof(session.socket));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return -1;
	if (connect(fd, (struct sockaddr *)&un, sizeof(un)) == -1) {
		close(fd);
		return -1;
	}
	ide_accepts();
	return fd;
}

void
wait_add(struct chan *c, uint32_t id)
{
	int fd;

	if (nwaits == 0 && ide_is_running() && (fd = ide_connect()) != -1) {
		chan_send(c, M_SESSION_FD, id, fd, NULL, 0);
		return;
	}
	if (nwaits == WAITS_MAX) {
		session_fail(c, id, FAIL_BUSY, "too many wait for the IDE");
		return;
	}
	waits[nwaits].chan = c;
	waits[nwaits].id = id;
	waits[nwaits].until = session_now() + WAIT_MS;
	nwaits++;
	ide_want();
}

void
wait_forget(const struct chan *c)
{
	unsigned int i, n = 0;

	for (i = 0; i < nwaits; i++)
		if (waits[i].chan != c)
			waits[n++] = waits[i];
	nwaits = n;
}

/* To all who wait, in their order, as long as there are connections. */
bool
wait_serve(void)
{
	unsigned int done = 0;
	int64_t now = session_now();
	int fd;

	while (done < nwaits) {
		fd = ide_connect();
		if (fd != -1)
			chan_send(
			    waits[done].chan, M_SESSION_FD, waits[done].id, fd, NULL, 0);
		else if (waits[done].until <= now)
			session_fail(waits[done].chan, waits[done].id, FAIL_TIMEOUT,
			    "the IDE did not start in time");
		else
			break;
		done++;
	}
	memmove(waits, waits + done, (nwaits - done) * sizeof(waits[0]));
	nwaits -= done;
	return nwaits == 0;
}

void
wait_fail(const char *text)
{
	unsigned int i;

	for (i = 0; i < nwaits; i++)
		session_fail(waits[i].chan, waits[i].id, FAIL_UNAVAILABLE, "%s", text);
	nwaits = 0;
}
