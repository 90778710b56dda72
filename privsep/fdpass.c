/* A descriptor beside a message: see fdpass.h. */
#include <sys/socket.h>

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "fdpass.h"

#define ROOM 8 /* a surplus arrives, and is closed */

ssize_t
fdpass_send(int to, const struct iovec *iov, size_t n, int fd, int flags)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int))];
	} ctl;
	struct cmsghdr *cm;
	struct msghdr m;
	ssize_t sent;

	memset(&m, 0, sizeof(m));
	m.msg_iov = (struct iovec *)(uintptr_t)iov;
	m.msg_iovlen = n;
	if (fd != -1) {
		memset(&ctl, 0, sizeof(ctl));
		m.msg_control = ctl.buf;
		m.msg_controllen = sizeof(ctl.buf);
		cm = CMSG_FIRSTHDR(&m);
		cm->cmsg_level = SOL_SOCKET;
		cm->cmsg_type = SCM_RIGHTS;
		cm->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cm), &fd, sizeof(int));
	}
	do {
		sent = sendmsg(to, &m, flags | MSG_NOSIGNAL);
	} while (sent == -1 && errno == EINTR);
	return sent;
}

static void
take(struct msghdr *m, struct fdpass *got)
{
	struct cmsghdr *cm;
	size_t i, n;
	int fd;

	for (cm = CMSG_FIRSTHDR(m); cm != NULL; cm = CMSG_NXTHDR(m, cm)) {
		if (cm->cmsg_level != SOL_SOCKET || cm->cmsg_type != SCM_RIGHTS) {
			got->sound = false;
			continue;
		}
		n = (cm->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (i = 0; i < n; i++) {
			memcpy(&fd, CMSG_DATA(cm) + i * sizeof(int), sizeof(int));
			if (got->fd == -1) {
				got->fd = fd;
			} else {
				close(fd);
				got->sound = false;
			}
		}
	}
}

ssize_t
fdpass_recv(int from, struct iovec *iov, size_t n, int flags, struct fdpass *got)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int) * ROOM)];
	} ctl;
	struct msghdr m;
	ssize_t len;

	*got = (struct fdpass){ .fd = -1, .sound = true };
	memset(&m, 0, sizeof(m));
	m.msg_iov = iov;
	m.msg_iovlen = n;
	m.msg_control = ctl.buf;
	m.msg_controllen = sizeof(ctl.buf);
	do {
		len = recvmsg(from, &m, flags | MSG_CMSG_CLOEXEC);
	} while (len == -1 && errno == EINTR);
	if (len == -1)
		return -1;
	take(&m, got);
	if ((m.msg_flags & MSG_CTRUNC) != 0)
		got->sound = false;
	got->cut = (m.msg_flags & MSG_TRUNC) != 0;
	return len;
}

int
sock_opt(int fd, int option)
{
	socklen_t len;
	int v;

	len = sizeof(v);
	return getsockopt(fd, SOL_SOCKET, option, &v, &len) == -1 ? -1 : v;
}
