/*
 * TLS to a service of the site's own: see upstream_tls.h.
 *
 * There is no key in it.  What the service says of itself is verified by the
 * certificates that the configuration names for it, and by no others.
 */
#include <sys/socket.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "../privsep/log.h"
#include "bio.h"
#include "upstream_tls.h"

#define AUTHORITIES_MAX 1024 /* certificates by which one is verified */

static BIO_METHOD *method;

/* --- the socket under it: reads and writes never wait --- */

static int
bio_read(BIO *b, char *p, int len)
{
	struct iovec iov = { p, (size_t)len };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

	return (bio_was_read(b, recvmsg(bio_fd(b), &m, MSG_DONTWAIT)));
}

static int
bio_write(BIO *b, const char *p, int len)
{
	struct iovec iov = { (void *)(uintptr_t)p, (size_t)len };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

	return (bio_was_written(b, sendmsg(bio_fd(b), &m, MSG_DONTWAIT | MSG_NOSIGNAL)));
}

/* --- by whom it is verified --- */

static unsigned int
authorities(X509_STORE *store, const char *file)
{
	unsigned int n = 0;
	X509 *x;
	FILE *f;

	if ((f = fopen(file, "re")) == NULL)
		return (0);
	while (n < AUTHORITIES_MAX && (x = PEM_read_X509(f, NULL, NULL, NULL)) != NULL) {
		n += X509_STORE_add_cert(store, x) == 1;
		X509_free(x);
	}
	fclose(f);
	ERR_clear_error(); /* the end of the text */
	return (n);
}

SSL_CTX *
upstream_tls_prepare(unsigned int at)
{
	char file[32];
	SSL_CTX *ctx;

	if (method == NULL)
		method = bio_kind("upstream", bio_read, bio_write);
	snprintf(file, sizeof(file), "/ca-%u", at);
	ctx = SSL_CTX_new(TLS_client_method());
	if (ctx == NULL || SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1)
		fatalx("TLS: out of memory");
	SSL_CTX_set_security_level(ctx, 2);
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_mode(
	    ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	if (authorities(SSL_CTX_get_cert_store(ctx), file) > 0)
		return (ctx);
	SSL_CTX_free(ctx);
	return (NULL);
}

/* --- a connection --- */

/* It is an address, or a name that is told in the first message. */
static bool
set_name(SSL *ssl, const char *name)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(ssl);

	X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	if (X509_VERIFY_PARAM_set1_ip_asc(param, name) == 1)
		return (true);
	ERR_clear_error();
	return (X509_VERIFY_PARAM_set1_host(param, name, 0) == 1 &&
	    SSL_set_tlsext_host_name(ssl, name) == 1);
}

SSL *
upstream_tls_new(SSL_CTX *ctx, const char *name, int fd)
{
	SSL *ssl = ctx != NULL ? SSL_new(ctx) : NULL;
	BIO *b = ssl != NULL ? bio_of(method, fd) : NULL;

	if (b == NULL || !set_name(ssl, name)) {
		BIO_free(b);
		SSL_free(ssl);
		ERR_clear_error();
		return (NULL);
	}
	SSL_set_bio(ssl, b, b);
	SSL_set_connect_state(ssl);
	return (ssl);
}

enum upstream_tls
upstream_tls_shake(SSL *ssl, const char **why)
{
	long verified;
	int r;

	ERR_clear_error();
	r = SSL_do_handshake(ssl);
	switch (r == 1 ? SSL_ERROR_NONE : SSL_get_error(ssl, r)) {
	case SSL_ERROR_NONE:
		return (UPSTREAM_TLS_DONE);
	case SSL_ERROR_WANT_READ:
		return (UPSTREAM_TLS_READ);
	case SSL_ERROR_WANT_WRITE:
		return (UPSTREAM_TLS_WRITE);
	default:
		break;
	}
	verified = SSL_get_verify_result(ssl);
	*why = verified != X509_V_OK ? X509_verify_cert_error_string(verified) :
				       ERR_reason_error_string(ERR_peek_error());
	if (*why == NULL)
		*why = "the connection was closed";
	ERR_clear_error();
	return (UPSTREAM_TLS_FAILED);
}

static int
size_of(size_t len)
{
	return (len > INT_MAX ? INT_MAX : (int)len);
}

/* As errno; what was not ended in order is no end. */
static ssize_t
error_of(SSL *ssl, int r)
{
	int e = SSL_get_error(ssl, r);

	ERR_clear_error();
	if (e == SSL_ERROR_ZERO_RETURN)
		return (0);
	errno = e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE ? EAGAIN :
									ECONNRESET;
	return (-1);
}

ssize_t
upstream_tls_read(SSL *ssl, void *buf, size_t len)
{
	int r;

	ERR_clear_error();
	r = SSL_read(ssl, buf, size_of(len));
	return (r > 0 ? r : error_of(ssl, r));
}

ssize_t
upstream_tls_write(SSL *ssl, const void *buf, size_t len)
{
	ssize_t n;
	int r;

	ERR_clear_error();
	r = SSL_write(ssl, buf, size_of(len));
	if (r > 0)
		return (r);
	n = error_of(ssl, r);
	if (n == 0)
		errno = EPIPE;
	return (-1);
}

bool
upstream_tls_pending(const SSL *ssl)
{
	return (SSL_pending(ssl) > 0);
}

void
upstream_tls_shutdown(SSL *ssl)
{
	ERR_clear_error();
	(void)SSL_shutdown(ssl);
	ERR_clear_error();
}

void
upstream_tls_free(SSL *ssl)
{
	if (SSL_is_init_finished(ssl))
		upstream_tls_shutdown(ssl);
	SSL_free(ssl);
}
