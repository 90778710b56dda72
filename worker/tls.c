/* The TLS connection of a worker: see tls.h. */
#include <event2/event.h>

#include <openssl/err.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tls.h"
#include "tls_int.h"

struct tls_conn tls_conn;

SSL *
tls_new(int fd, struct chan *keys)
{
	SSL *ssl;
	BIO *bio;

	ssl = SSL_new(tls_ctx);
	bio = tls_bio_new(fd);
	if (ssl == NULL || bio == NULL) {
		SSL_free(ssl);
		BIO_free(bio);
		ERR_clear_error();
		return NULL;
	}
	SSL_set_bio(ssl, bio, bio);
	tls_conn.nseen = tls_conn.ntext = 0;
	tls_conn.plain = tls_conn.more = false;
	SSL_set_accept_state(ssl);
	tls_keys_start(keys);
	return ssl;
}

/* Why the handshake failed; keys' part in it is known best. */
static const char *
reason(int error, int saved_errno)
{
	static char text[128];
	const char *s;

	if (tls_conn.why != NULL)
		return tls_conn.why;
	if (tls_conn.plain)
		return "TLS handshake: http request";
	s = ERR_reason_error_string(ERR_peek_last_error());
	if (s == NULL && error == SSL_ERROR_SYSCALL)
		s = saved_errno != 0 ? strerror(saved_errno) : "connection closed";
	snprintf(
	    text, sizeof(text), "TLS handshake: %s", s != NULL ? s : "unknown error");
	return text;
}

int
tls_handshake(SSL *ssl, short *want, const char **why)
{
	int error, r, saved_errno;

	ERR_clear_error();
	errno = 0;
	r = SSL_accept(ssl);
	if (r == 1) {
		tls_keys_end();
		return 1;
	}
	saved_errno = errno;
	error = SSL_get_error(ssl, r);
	switch (error) {
	case SSL_ERROR_WANT_READ:
		*want = EV_READ;
		return 0;
	case SSL_ERROR_WANT_WRITE:
		*want = EV_WRITE;
		return 0;
	default:
		*why = reason(error, saved_errno);
		ERR_clear_error();
		tls_keys_end();
		return -1;
	}
}

bool
tls_saw_plain(void)
{
	return tls_conn.plain;
}

size_t
tls_plain(uint8_t *buf, size_t size)
{
	size_t n = tls_conn.ntext < size ? tls_conn.ntext : size;

	memcpy(buf, tls_conn.text, n);
	return n;
}

void
tls_more(bool more)
{
	tls_conn.more = more;
}

bool
tls_is_h2(const SSL *ssl)
{
	const unsigned char *proto;
	unsigned int len;

	SSL_get0_alpn_selected(ssl, &proto, &len);
	return len == 2 && memcmp(proto, "h2", 2) == 0;
}

const char *
tls_server_name(const SSL *ssl)
{
	const char *name;

	name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	return name != NULL ? name : "";
}
