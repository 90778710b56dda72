/*
 * A descriptor beside a message: the one place that frames it, and takes it out
 * (unix(7), SCM_RIGHTS).
 */
#ifndef PRIVSEP_FDPASS_H
#define PRIVSEP_FDPASS_H

#include <sys/types.h>
#include <sys/uio.h>

#include <stdbool.h>

/* sendmsg(2), with fd unless it is -1, which stays the caller's. */
ssize_t fdpass_send(int to, const struct iovec *iov, size_t n, int fd, int flags);

struct fdpass {
	int fd;     /* the caller's, close-on-exec; -1: none came */
	bool sound; /* there was no other, which is closed then, nor was one lost */
	bool cut;   /* the message was longer than there was room for */
};

/*
 * recvmsg(2), with one descriptor or none.  There is room for more than one, since what
 * does not fit is not closed by every kernel, nor by all means noticed.
 */
ssize_t fdpass_recv(int from, struct iovec *iov, size_t n, int flags, struct fdpass *got);

/* What kind of socket it is: an option of level SOL_SOCKET, -1 where it has none. */
int sock_opt(int fd, int option);

#endif
