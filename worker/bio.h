/*
 * A socket under TLS, as OpenSSL sees it (BIO_meth_new(3)): what the client's and
 * those to services have in common.
 */
#ifndef WORKER_BIO_H
#define WORKER_BIO_H

#include <openssl/bio.h>

/* Read and write as BIO_meth_set_read(3) has them; made once, in the zygote. */
BIO_METHOD *bio_kind(
    const char *name, int (*)(BIO *, char *, int), int (*)(BIO *, const char *, int));

/* The socket stays the caller's; NULL when memory ran out. */
BIO *bio_of(const BIO_METHOD *, int fd);
int bio_fd(BIO *);

/* What a read or a write of len bytes said, for OpenSSL to see. */
int bio_was_read(BIO *, ssize_t n);
int bio_was_written(BIO *, ssize_t n);

#endif
