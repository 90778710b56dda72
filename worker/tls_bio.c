/*
 * The socket under TLS, as OpenSSL sees it (BIO_meth_new(3)).
 *
 * It does what OpenSSL's own does, and two things more.  It looks at the first
 * bytes: someone may speak HTTP to the TLS port.  And what the end follows at once
 * waits for it in the kernel (MSG_MORE), so that the last answer, the alert that
 * closes TLS and the end of the stream are one segment.
 */
#include <sys/socket.h>

#include <openssl/bio.h>

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "../privsep/log.h"
#include "tls.h"
#include "tls_int.h"

static BIO_METHOD *method;

static int
fd_of(BIO *b)
{
	return (int)(intptr_t)BIO_get_data(b);
}

/* Two capital letters begin no TLS record. */
static void
look(const char *p, int len)
{
	struct tls_conn *t = &tls_conn;
	size_t n = sizeof(t->text) - t->ntext;

	n = (size_t)len < n ? (size_t)len : n;
	memcpy(t->text + t->ntext, p, n);
	t->ntext += n;
	while (len-- > 0 && t->nseen < sizeof(t->seen))
		t->seen[t->nseen++] = *p++;
	t->plain = t->nseen == sizeof(t->seen) && t->seen[0] >= 'A' &&
	    t->seen[0] <= 'Z' && t->seen[1] >= 'A' && t->seen[1] <= 'Z';
}

static int
bio_read(BIO *b, char *p, int len)
{
	ssize_t n;

	BIO_clear_retry_flags(b);
	n = read(fd_of(b), p, (size_t)len);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		BIO_set_retry_read(b);
	else if (n == 0)
		BIO_set_flags(b, BIO_FLAGS_IN_EOF);
	if (n > 0 && tls_conn.nseen < sizeof(tls_conn.seen)) {
		look(p, (int)n);
		if (tls_conn.plain)
			return -1;
	}
	return (int)n;
}

static int
bio_write(BIO *b, const char *p, int len)
{
	struct iovec iov = { (void *)(uintptr_t)p, (size_t)len };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	BIO_clear_retry_flags(b);
	n = sendmsg(fd_of(b), &m, MSG_NOSIGNAL | (tls_conn.more ? MSG_MORE : 0));
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		BIO_set_retry_write(b);
	return (int)n;
}

static long
bio_ctrl(BIO *b, int cmd, long num, void *ptr)
{
	(void)num;
	(void)ptr;
	switch (cmd) {
	case BIO_CTRL_FLUSH:
		return 1; /* nothing is kept here */
	case BIO_CTRL_EOF:
		return BIO_test_flags(b, BIO_FLAGS_IN_EOF) != 0;
	default:
		return 0;
	}
}

void
tls_bio_prepare(void)
{
	if (method != NULL)
		return;
	method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket");
	if (method == NULL || BIO_meth_set_read(method, bio_read) != 1 ||
	    BIO_meth_set_write(method, bio_write) != 1 ||
	    BIO_meth_set_ctrl(method, bio_ctrl) != 1)
		fatalx("TLS: out of memory");
}

BIO *
tls_bio_new(int fd)
{
	BIO *b;

	b = BIO_new(method);
	if (b == NULL)
		return NULL;
	BIO_set_data(b, (void *)(intptr_t)fd);
	BIO_set_init(b, 1);
	return b;
}
