/*
 * TLS to the feed.  There is no key in it; who is believed is who the configured
 * authorities vouch for, under the name that is asked.
 */
#include <arpa/inet.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "../log.h"
#include "fetch.h"

#define AUTHORITIES_MAX 1024

static SSL_CTX *ctx;
static SSL *ssl;

static unsigned int
authorities(X509_STORE *store, int fd)
{
	unsigned int n = 0;
	X509 *x;
	FILE *f;

	if ((f = fdopen(fd, "r")) == NULL)
		return 0;
	while (n < AUTHORITIES_MAX && (x = PEM_read_X509(f, NULL, NULL, NULL)) != NULL) {
		n += X509_STORE_add_cert(store, x) == 1;
		X509_free(x);
	}
	fclose(f);
	ERR_clear_error(); /* the end of the text */
	return n;
}

void
fetch_tls_prepare(int ca)
{
	if (OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1)
		fatalx("TLS: cannot begin");
	ctx = SSL_CTX_new(TLS_client_method());
	if (ctx == NULL || SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1)
		fatalx("TLS: out of memory");
	SSL_CTX_set_security_level(ctx, 2);
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	if (authorities(SSL_CTX_get_cert_store(ctx), ca) == 0)
		fatalx("update-check ca: holds no certificate in PEM form");
}

static bool
set_name(const char *host)
{
	X509_VERIFY_PARAM *p = SSL_get0_param(ssl);
	struct in6_addr six;
	struct in_addr four;

	if (inet_pton(AF_INET, host, &four) == 1 || inet_pton(AF_INET6, host, &six) == 1)
		return X509_VERIFY_PARAM_set1_ip_asc(p, host) == 1;
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return SSL_set1_host(ssl, host) == 1 && SSL_set_tlsext_host_name(ssl, host) == 1;
}

/* After a call that returned r: may it be made again? */
static bool
again(int r)
{
	switch (SSL_get_error(ssl, r)) {
	case SSL_ERROR_WANT_READ:
		return fetch_wait(SSL_get_fd(ssl), POLLIN);
	case SSL_ERROR_WANT_WRITE:
		return fetch_wait(SSL_get_fd(ssl), POLLOUT);
	default:
		return false;
	}
}

static bool
handshake(char why[FETCH_WHY])
{
	long bad;
	int r;

	do {
		ERR_clear_error();
		r = SSL_connect(ssl);
	} while (r <= 0 && again(r));
	if (r == 1)
		return true;
	bad = SSL_get_verify_result(ssl);
	if (bad != X509_V_OK)
		snprintf(why, FETCH_WHY, "its certificate: %s",
		    X509_verify_cert_error_string(bad));
	else
		snprintf(why, FETCH_WHY, "no TLS");
	return false;
}

static bool
send_request(const char *request, char why[FETCH_WHY])
{
	size_t left = strlen(request);
	int r;

	while (left > 0) {
		ERR_clear_error();
		r = SSL_write(ssl, request, (int)left);
		if (r <= 0 && !again(r)) {
			snprintf(why, FETCH_WHY, "the request was not taken");
			return false;
		}
		if (r > 0) {
			request += r;
			left -= (size_t)r;
		}
	}
	return true;
}

static int
answer(struct response *res, char why[FETCH_WHY])
{
	/* Chunks take some bytes more than what is in them. */
	static char buf[FETCH_HEAD_MAX + FETCH_BODY_MAX + FETCH_HEAD_MAX];
	enum response_state state = RESPONSE_MORE;
	const char *text = "too large";
	size_t len = 0;
	bool end = false;
	int r;

	while (state == RESPONSE_MORE && len < sizeof(buf)) {
		ERR_clear_error();
		r = SSL_read(ssl, buf + len, (int)(sizeof(buf) - len));
		if (r > 0)
			len += (size_t)r;
		/* Whoever cuts a connection cannot say that this was the end. */
		end = r <= 0 && SSL_get_error(ssl, r) == SSL_ERROR_ZERO_RETURN;
		if (r <= 0 && !end && !again(r)) {
			snprintf(why, FETCH_WHY, "cut short, or too slow");
			return -1;
		}
		if (r > 0 || end)
			state = fetch_response(buf, len, end, res, &text);
	}
	if (state == RESPONSE_DONE)
		return 0;
	snprintf(why, FETCH_WHY, "%s", text);
	return -1;
}

int
fetch_tls(int fd, const char *host, char why[FETCH_WHY])
{
	ssl = SSL_new(ctx);
	if (ssl == NULL || !set_name(host) || SSL_set_fd(ssl, fd) != 1) {
		snprintf(why, FETCH_WHY, "TLS: out of memory");
		return -1;
	}
	return handshake(why) ? 0 : -1;
}

int
fetch_ask(const char *request, struct response *res, char why[FETCH_WHY])
{
	return send_request(request, why) ? answer(res, why) : -1;
}
