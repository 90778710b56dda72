/* A descriptor beside a message: the one place that frames it (unix(7), SCM_RIGHTS). */
#ifndef PRIVSEP_FDPASS_H
#define PRIVSEP_FDPASS_H

#include <sys/types.h>
#include <sys/uio.h>

/* sendmsg(2), with fd unless it is -1, which stays the caller's. */
ssize_t fdpass_send(int to, const struct iovec *iov, size_t n, int fd, int flags);

#endif
