/*
 * What the files of TLS share, and nobody else includes.
 *
 * tls.c	the connection: made, shaken hands with, asked about
 * tls_bio.c	the socket under it
 * tls_ctx.c	the one SSL_CTX, made ready before any client
 * tls_keys.c	what is asked of keys during a handshake
 * tls_warm.c	handshakes of the zygote with itself
 */
#ifndef WORKER_TLS_INT_H
#define WORKER_TLS_INT_H

#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <stdbool.h>
#include <stdint.h>

#include "../privsep/chan.h"

#define TLS_PLAIN_MAX    2048
#define TLS_KEYS_TIMEOUT 5000 /* ms for an answer of keys */

/* What is known during the handshake of this process's one connection. */
struct tls_conn {
	struct chan *keys; /* NULL: nobody to ask */
	uint8_t keyid[WIRE_KEYID];
	bool asked; /* for a session; once is all there is */
	uint8_t asked_id[WIRE_SESSID];
	SSL_SESSION *got; /* what it brought, in case of a second hello */
	const char *why;  /* what went wrong with keys */

	char seen[2]; /* the first bytes that came */
	size_t nseen;
	bool plain;               /* they are not TLS, but may be HTTP */
	char text[TLS_PLAIN_MAX]; /* then: what came, as far as it fits */
	size_t ntext;
	bool more; /* what is written waits for what follows it */
};

extern struct tls_conn tls_conn;

/* tls_keys.c */
void tls_keys_start(struct chan *keys);
void tls_keys_end(void);
void tls_keys_callbacks(SSL_CTX *ctx);

/* tls_ctx.c: a context for this certificate, whose key the provider has;
 * NULL with *why. */
SSL_CTX *tls_ctx_make(
    X509 *cert, STACK_OF(X509) * chain, bool tls12, bool tls13, const char **why);
extern SSL_CTX *tls_ctx;

/* tls_bio.c: made ready in the zygote; NULL when memory ran out. */
void tls_bio_prepare(void);
BIO *tls_bio_new(int fd);

/* tls_warm.c */
void tls_warm(SSL_CTX *ctx, bool tls12, bool tls13);

#endif
