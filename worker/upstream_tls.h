/*
 * TLS to a service of the site's own: the certificate must be the service's, and there
 * is no other way to it.  As upstream.c reads and writes, for one that has it.
 */
#ifndef WORKER_UPSTREAM_TLS_H
#define WORKER_UPSTREAM_TLS_H

#include <sys/types.h>

#include <openssl/ssl.h>

#include <stdbool.h>
#include <stddef.h>

/* In the zygote: of the location with that number, by those who sign its certificate
 * (worker_root.c puts them there); NULL when there is nobody to verify it by. */
SSL_CTX *upstream_tls_prepare(unsigned int at);

/* A connection that is not shaken hands over yet; NULL when there can be none. */
SSL *upstream_tls_new(SSL_CTX *, const char *name, int fd);

enum upstream_tls {
	UPSTREAM_TLS_DONE,
	UPSTREAM_TLS_READ,  /* when more can be read */
	UPSTREAM_TLS_WRITE, /* when more can be written */
	UPSTREAM_TLS_FAILED
};
/* One step of it; *why when it failed. */
enum upstream_tls upstream_tls_shake(SSL *, const char **why);
/* As recvmsg(2) and sendmsg(2) that do not wait. */
ssize_t upstream_tls_read(SSL *, void *buf, size_t len);
ssize_t upstream_tls_write(SSL *, const void *buf, size_t len);
/* Is there more that was read already? */
bool upstream_tls_pending(const SSL *);
/* Says that no more is sent. */
void upstream_tls_shutdown(SSL *);
void upstream_tls_free(SSL *);

#endif /* WORKER_UPSTREAM_TLS_H */
