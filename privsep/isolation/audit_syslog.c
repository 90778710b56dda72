/* The audit trail's socket to syslog, connected for auth, which has no folder. */
#include <sys/socket.h>
#include <sys/un.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <bsd/string.h>

#include "../log.h"
#include "isolation.h"

static int
syslog_connect(const char *path)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd, saved;

	strlcpy(un.sun_path, path, sizeof(un.sun_path));
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd != -1 && connect(fd, (void *)&un, sizeof(un)) == -1) {
		saved = errno;
		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

/* auth asks again, for as long as there is none: that is said once. */
void
audit_syslog_give(struct chan *auth)
{
	const struct conf_audit *c = &isolation.conf.audit;
	static bool told;
	int fd;

	if (!c->syslog)
		return;
	if ((fd = syslog_connect(c->syslog_path)) == -1) {
		if (!told)
			log_warn("audit syslog \"%s\"", c->syslog_path);
		told = true;
		return;
	}
	if (told)
		log_info("audit syslog \"%s\" is there again", c->syslog_path);
	told = false;
	chan_send(auth, M_AUDIT_SYSLOG, 0, fd, NULL, 0);
}

void
audit_syslog_ask(struct chan *auth, struct msg *m)
{
	(void)m;
	audit_syslog_give(auth);
}
