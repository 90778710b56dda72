/*
 * Sockets under TLS: see bio.h.
 */
#include <sys/types.h>

#include <errno.h>
#include <stdint.h>

#include "bio.h"
#include "../privsep/log.h"

static long
ctrl(BIO *b, int cmd, long num, void *ptr)
{
	(void)num;
	(void)ptr;
	switch (cmd) {
	case BIO_CTRL_FLUSH:
		return (1); /* nothing is kept here */
	case BIO_CTRL_EOF:
		return (BIO_test_flags(b, BIO_FLAGS_IN_EOF) != 0);
	default:
		return (0);
	}
}

BIO_METHOD *
bio_kind(
    const char *name, int (*rd)(BIO *, char *, int), int (*wr)(BIO *, const char *, int))
{
	BIO_METHOD *m;

	m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, name);
	if (m == NULL || BIO_meth_set_read(m, rd) != 1 ||
	    BIO_meth_set_write(m, wr) != 1 || BIO_meth_set_ctrl(m, ctrl) != 1)
		fatalx("TLS: out of memory");
	return (m);
}

BIO *
bio_of(const BIO_METHOD *m, int fd)
{
	BIO *b;

	if ((b = BIO_new(m)) == NULL)
		return (NULL);
	BIO_set_data(b, (void *)(intptr_t)fd);
	BIO_set_init(b, 1);
	return (b);
}

int
bio_fd(BIO *b)
{
	return ((int)(intptr_t)BIO_get_data(b));
}

int
bio_was_read(BIO *b, ssize_t n)
{
	BIO_clear_retry_flags(b);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		BIO_set_retry_read(b);
	else if (n == 0)
		BIO_set_flags(b, BIO_FLAGS_IN_EOF);
	return ((int)n);
}

int
bio_was_written(BIO *b, ssize_t n)
{
	BIO_clear_retry_flags(b);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		BIO_set_retry_write(b);
	return ((int)n);
}
