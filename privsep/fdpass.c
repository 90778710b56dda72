/* A descriptor beside a message: see fdpass.h. */
#include <sys/socket.h>

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "fdpass.h"

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
