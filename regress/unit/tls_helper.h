/*
 * For the tests of TLS: the keys process in a child, certificates, and a client
 * and a server in one process.
 */
#ifndef UNIT_TLS_HELPER_H
#define UNIT_TLS_HELPER_H

#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/sha.h>

#include "../../privsep/chan.h"
#include "../../privsep/keys/key.h"
#include "../../privsep/keys/serve.h"
#include "../../privsep/keys/session.h"
#include "../../privsep/log.h"
#include "../../worker/tls.h"

enum kind {
	P256,
	P384,
	P521,
	RSA2048,
	ED25519,
	KINDS,
	STRANGER = KINDS,
};

static struct {
	EVP_PKEY *key;
	X509 *cert;
	struct conf_for_worker conf;
} kinds[KINDS + 1]; /* the last one: keys never has its key */

/* The keys process, in a child: as keys.c, without its sandbox. */

static struct event_base *base;
static struct chan isolation, master; /* our ends */
static pid_t keys_pid;

static inline void
on_key(struct chan *c, struct msg *m)
{
	const char *why;

	(void)c;
	if (key_load(m->fd, MSG_DATA(m, m_key)->keyid, &why) == -1)
		log_warnx("key: %s", why);
}

static inline void
on_worker(struct chan *c, struct msg *m)
{
	(void)c;
	serve_join(msg_take_fd(m), MSG_DATA(m, m_worker));
}

static inline void
on_gone(struct chan *c, const char *why)
{
	(void)c;
	(void)why;
	_exit(0);
}

static const struct chan_handler from_isolation[] = { { M_KEY, on_key },
	{ M_NONE, NULL } };
static const struct chan_handler from_master[] = { { M_WORKER_KEYS, on_worker },
	{ M_NONE, NULL } };

static inline void
keys_start(void)
{
	static struct chan i, m;
	int ifds[2], mfds[2];

	if (chan_pair(ifds) == -1 || chan_pair(mfds) == -1 || (keys_pid = fork()) == -1)
		exit(2);
	if (keys_pid == 0) {
		close(ifds[1]);
		close(mfds[1]);
		key_memory();
		sess_init();
		base = event_base_new();
		serve_init(base, &m);
		chan_init(&i, ifds[0], P_KEYS, P_ISOLATION, base, from_isolation, on_gone,
		    NULL);
		chan_init(
		    &m, mfds[0], P_KEYS, P_MASTER, base, from_master, on_gone, NULL);
		event_base_dispatch(base);
		_exit(1);
	}
	close(ifds[0]);
	close(mfds[0]);
	chan_init(&isolation, ifds[1], P_ISOLATION, P_KEYS, NULL, NULL, NULL, NULL);
	chan_init(&master, mfds[1], P_MASTER, P_KEYS, NULL, NULL, NULL, NULL);
}

static inline void
give_key(enum kind k)
{
	struct m_key m;
	BIO *bio = BIO_new(BIO_s_mem());
	char *p;
	long len;
	int fd = memfd_create("key", MFD_CLOEXEC);

	PEM_write_bio_PrivateKey(bio, kinds[k].key, NULL, NULL, 0, NULL, NULL);
	len = BIO_get_mem_data(bio, &p);
	if (write(fd, p, (size_t)len) != len)
		exit(2);
	BIO_free(bio);
	memset(&m, 0, sizeof(m));
	memcpy(m.keyid, kinds[k].conf.keyid, sizeof(m.keyid));
	chan_send(&isolation, M_KEY, 0, fd, &m, sizeof(m));
}

static inline void
worker_channel(struct chan *c)
{
	struct m_worker who;
	int fds[2];

	memset(&who, 0, sizeof(who));
	if (chan_pair(fds) == -1 ||
	    chan_send(&master, M_WORKER_KEYS, 0, fds[0], &who, sizeof(who)) == -1)
		exit(2);
	chan_init(c, fds[1], P_WORKER, P_KEYS, NULL, NULL, NULL, NULL);
}

/* Keys and certificates. */

static inline X509 *
certify(EVP_PKEY *key, const char *cn)
{
	X509 *x = X509_new();
	X509_NAME *n = X509_get_subject_name(x);

	X509_set_version(x, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), -60);
	X509_gmtime_adj(X509_getm_notAfter(x), 86400);
	X509_NAME_add_entry_by_txt(
	    n, "CN", MBSTRING_ASC, (const unsigned char *)cn, -1, -1, 0);
	X509_set_issuer_name(x, n);
	X509_set_pubkey(x, key);
	if (X509_sign(x, key, EVP_PKEY_is_a(key, "ED25519") ? NULL : EVP_sha256()) <= 0)
		exit(2);
	return x;
}

static inline void
make_kind(enum kind k)
{
	struct conf_for_worker *conf = &kinds[k].conf;
	EVP_PKEY *key = k == RSA2048 ?
	    EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048) :
	    k == ED25519 ? EVP_PKEY_Q_keygen(NULL, NULL, "ED25519") :
			   EVP_PKEY_Q_keygen(NULL, NULL, "EC",
			       k == P384     ? "P-384" :
				   k == P521 ? "P-521" :
					       "P-256");
	uint8_t *spki = NULL;
	BIO *bio = BIO_new(BIO_s_mem());
	char *p;
	int len;

	kinds[k].key = key;
	kinds[k].cert = certify(key, "ided.test");
	PEM_write_bio_X509(bio, kinds[k].cert);
	PEM_write_bio_X509(bio, kinds[k].cert); /* as a chain, for its length */
	conf->certlen = (uint32_t)BIO_get_mem_data(bio, &p);
	memcpy(conf->cert, p, conf->certlen);
	BIO_free(bio);
	conf->tls12 = conf->tls13 = 1;
	len = i2d_PUBKEY(key, &spki);
	SHA256(spki, (size_t)len, conf->keyid);
	OPENSSL_free(spki);
}

/* A client and a server in one process, in turns over a socket pair. */

struct pair {
	SSL *server;
	SSL *client;
	struct chan keys;
	int fds[2];
	const char *why; /* why the server failed */
};

static int tickets;
static SSL_SESSION *ticket;

static inline int
got_ticket(SSL *ssl, SSL_SESSION *s)
{
	(void)ssl;
	tickets++;
	SSL_SESSION_free(ticket);
	ticket = s;
	return 1;
}

static inline SSL_CTX *
client_ctx(enum kind k, int min, int max)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	SSL_CTX_set_min_proto_version(ctx, min);
	SSL_CTX_set_max_proto_version(ctx, max);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), kinds[k].cert);
	SSL_CTX_set_session_cache_mode(
	    ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx, got_ticket);
	return ctx;
}

static inline void
pair_open(struct pair *p, SSL_CTX *ctx)
{
	memset(p, 0, sizeof(*p));
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, p->fds) ==
	    -1)
		exit(2);
	worker_channel(&p->keys);
	p->server = tls_new(p->fds[0], &p->keys);
	p->client = SSL_new(ctx);
	SSL_set_fd(p->client, p->fds[1]);
	SSL_set_connect_state(p->client);
}

/* True when both are done; the server alone decides when it has failed. */
static inline bool
pair_shake(struct pair *p)
{
	int s = 0, c = 0, i;
	short want;

	for (i = 0; i < 20; i++) {
		if (c != 1)
			c = SSL_connect(p->client);
		if (s == 0)
			s = tls_handshake(p->server, &want, &p->why);
		if (s == -1)
			return false;
		if (s == 1 && c == 1) {
			chan_close(&p->keys);
			return true;
		}
		if (c != 1 && SSL_get_error(p->client, c) != SSL_ERROR_WANT_READ)
			c = 0; /* an alert: the server is to read it */
	}
	return false;
}

static inline bool
pair_talk(struct pair *p)
{
	char buf[16];

	return SSL_write(p->client, "hello", 5) == 5 &&
	    SSL_read(p->server, buf, sizeof(buf)) == 5 && memcmp(buf, "hello", 5) == 0 &&
	    SSL_write(p->server, "world", 5) == 5 &&
	    SSL_read(p->client, buf, sizeof(buf)) == 5 && memcmp(buf, "world", 5) == 0;
}

static inline void
pair_close(struct pair *p)
{
	SSL_shutdown(p->client); /* or its session counts as bad */
	SSL_free(p->server);
	SSL_free(p->client);
	chan_close(&p->keys);
	close(p->fds[0]);
	close(p->fds[1]);
	ERR_clear_error();
}

/* One connection; returns whether it came about, with what is asked about it. */
static inline bool
connect_with(SSL_CTX *ctx, SSL_SESSION *resume, bool *reused)
{
	struct pair p;
	bool ok;

	pair_open(&p, ctx);
	if (resume != NULL)
		SSL_set_session(p.client, resume);
	ok = pair_shake(&p) && pair_talk(&p);
	if (reused != NULL)
		*reused = ok && SSL_session_reused(p.client) == 1 &&
		    SSL_session_reused(p.server) == 1;
	pair_close(&p);
	return ok;
}

static inline bool
connects(enum kind k, int version, const char *sigalgs)
{
	SSL_CTX *ctx = client_ctx(k, version, version);
	bool ok;

	if (sigalgs != NULL)
		assert_int_equal(SSL_CTX_set1_sigalgs_list(ctx, sigalgs), 1);
	ok = connect_with(ctx, NULL, NULL);
	SSL_CTX_free(ctx);
	return ok;
}

#endif
