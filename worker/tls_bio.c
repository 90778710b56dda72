/*
 * The client's socket under TLS: see bio.h.
 *
 * It does what OpenSSL's own does, and two things more.  It looks at the first
 * bytes: someone may speak HTTP to the TLS port.  And what the end follows at once
 * waits for it in the kernel (MSG_MORE), so that the last answer, the alert that
 * closes TLS and the end of the stream are one segment.
 */
#include <sys/socket.h>

#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "bio.h"
#include "tls.h"
#include "tls_int.h"

static BIO_METHOD *method;

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
	ssize_t n = read(bio_fd(b), p, (size_t)len);

	if (n > 0 && tls_conn.nseen < sizeof(tls_conn.seen)) {
		look(p, (int)n);
		if (tls_conn.plain) {
			BIO_clear_retry_flags(b);
			return -1;
		}
	}
	return bio_was_read(b, n);
}

static int
bio_write(BIO *b, const char *p, int len)
{
	struct iovec iov = { (void *)(uintptr_t)p, (size_t)len };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

	return bio_was_written(
	    b, sendmsg(bio_fd(b), &m, MSG_NOSIGNAL | (tls_conn.more ? MSG_MORE : 0)));
}

void
tls_bio_prepare(void)
{
	if (method == NULL)
		method = bio_kind("socket", bio_read, bio_write);
}

BIO *
tls_bio_new(int fd)
{
	return bio_of(method, fd);
}
