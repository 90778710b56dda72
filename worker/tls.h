/*
 * TLS of a worker (RFC 8446, RFC 5246): the certificate is here, the private
 * key is in the keys process, and so are the sessions that can be resumed:
 * under random single-use ids, never under a key that a worker holds.
 */
#ifndef WORKER_TLS_H
#define WORKER_TLS_H

#include <openssl/ssl.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../privsep/confsend.h"

struct chan;

/* Zygote: make the one SSL_CTX ready; fatal on a bad certificate. */
void tls_prepare(const struct conf_for_worker *conf);
/* Worker: a server connection over a non-blocking socket.  Signatures and
 * sessions are asked of keys, blocking for at most 5 s, during the handshake.
 * NULL when memory ran out. */
SSL *tls_new(int fd, struct chan *keys);
/* 1 done, 0 wants the events in *want (EV_READ/EV_WRITE), -1 failed: *why is a
 * static or thread-local sentence for the log. */
int tls_handshake(SSL *ssl, short *want, const char **why);
/* After a handshake that failed: the client speaks what may be HTTP.  Nothing was
 * written then. */
bool tls_saw_plain(void);
/* And what it said until then, at most size bytes; how many they are. */
size_t tls_plain(uint8_t *buf, size_t size);
/* What is written from now on is followed by more at once, or by the end. */
void tls_more(bool more);
bool tls_is_h2(const SSL *ssl);
/* The server name the client asked for ("" when none); h2 and Host must agree with it. */
const char *tls_server_name(const SSL *ssl);

#endif
