/*
 * TLS of a worker against the keys process: every kind of key and protocol,
 * resumption, what is refused.  "tls_test bench" counts handshakes instead.
 */
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

enum kind { P256, P384, P521, RSA2048, ED25519, KINDS };

static struct {
	EVP_PKEY *key;
	X509	*cert;
	struct conf_for_worker conf;
} kinds[KINDS];

/* The keys process, in a child: as keys.c, without its sandbox. */

static struct event_base *base;
static struct chan isolation, master; /* our ends */
static pid_t keys_pid;

static void
on_key(struct chan *c, struct msg *m)
{
	const char *why;

	(void)c;
	if (key_load(m->fd, MSG_DATA(m, m_key)->keyid, &why) == -1)
		log_warnx("key: %s", why);
}

static void
on_worker(struct chan *c, struct msg *m)
{
	(void)c;
	serve_join(msg_take_fd(m), MSG_DATA(m, m_worker));
}

static void
on_gone(struct chan *c, const char *why)
{
	(void)c;
	(void)why;
	_exit(0);
}

static const struct chan_handler from_isolation[] = { { M_KEY, on_key }, { M_NONE, NULL } };
static const struct chan_handler from_master[] = { { M_WORKER_KEYS, on_worker }, { M_NONE, NULL } };

static void
keys_start(void)
{
	static struct chan i, m;
	int ifds[2], mfds[2];

	if (chan_pair(ifds) == -1 || chan_pair(mfds) == -1 ||
	    (keys_pid = fork()) == -1)
		exit(2);
	if (keys_pid == 0) {
		close(ifds[1]);
		close(mfds[1]);
		key_memory();
		sess_init();
		base = event_base_new();
		serve_init(base);
		chan_init(&i, ifds[0], P_KEYS, P_ISOLATION, base,
		    from_isolation, on_gone, NULL);
		chan_init(&m, mfds[0], P_KEYS, P_MASTER, base, from_master,
		    on_gone, NULL);
		event_base_dispatch(base);
		_exit(1);
	}
	close(ifds[0]);
	close(mfds[0]);
	chan_init(&isolation, ifds[1], P_ISOLATION, P_KEYS, NULL, NULL, NULL, NULL);
	chan_init(&master, mfds[1], P_MASTER, P_KEYS, NULL, NULL, NULL, NULL);
}

static void
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

static void
worker_channel(struct chan *c)
{
	struct m_worker who;
	int fds[2];

	memset(&who, 0, sizeof(who));
	if (chan_pair(fds) == -1)
		exit(2);
	chan_send(&master, M_WORKER_KEYS, 0, fds[0], &who, sizeof(who));
	chan_init(c, fds[1], P_WORKER, P_KEYS, NULL, NULL, NULL, NULL);
}

/* Keys and certificates. */

static X509 *
certify(EVP_PKEY *key, const char *cn)
{
	X509 *x = X509_new();
	X509_NAME *n = X509_get_subject_name(x);

	X509_set_version(x, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), -60);
	X509_gmtime_adj(X509_getm_notAfter(x), 86400);
	X509_NAME_add_entry_by_txt(n, "CN", MBSTRING_ASC,
	    (const unsigned char *)cn, -1, -1, 0);
	X509_set_issuer_name(x, n);
	X509_set_pubkey(x, key);
	if (X509_sign(x, key, EVP_PKEY_is_a(key, "ED25519") ? NULL :
	    EVP_sha256()) <= 0)
		exit(2);
	return x;
}

static void
make_kind(enum kind k)
{
	struct conf_for_worker *conf = &kinds[k].conf;
	EVP_PKEY *key = k == RSA2048 ?
	    EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048) :
	    k == ED25519 ? EVP_PKEY_Q_keygen(NULL, NULL, "ED25519") :
	    EVP_PKEY_Q_keygen(NULL, NULL, "EC",
	    k == P256 ? "P-256" : k == P384 ? "P-384" : "P-521");
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
	SSL	*server;
	SSL	*client;
	struct chan keys;
	int	 fds[2];
	const char *why;	/* why the server failed */
};

static int tickets;
static SSL_SESSION *ticket;

static int
got_ticket(SSL *ssl, SSL_SESSION *s)
{
	(void)ssl;
	tickets++;
	SSL_SESSION_free(ticket);
	ticket = s;
	return 1;
}

static SSL_CTX *
client_ctx(enum kind k, int min, int max)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	SSL_CTX_set_min_proto_version(ctx, min);
	SSL_CTX_set_max_proto_version(ctx, max);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), kinds[k].cert);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT |
	    SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx, got_ticket);
	return ctx;
}

static void
pair_open(struct pair *p, SSL_CTX *ctx)
{
	memset(p, 0, sizeof(*p));
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
	    p->fds) == -1)
		exit(2);
	worker_channel(&p->keys);
	p->server = tls_new(p->fds[0], &p->keys);
	p->client = SSL_new(ctx);
	SSL_set_fd(p->client, p->fds[1]);
	SSL_set_connect_state(p->client);
}

/* True when both are done; the server alone decides when it has failed. */
static bool
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

static bool
pair_talk(struct pair *p)
{
	char buf[16];

	return SSL_write(p->client, "hello", 5) == 5 &&
	    SSL_read(p->server, buf, sizeof(buf)) == 5 &&
	    memcmp(buf, "hello", 5) == 0 && SSL_write(p->server, "world", 5) == 5 &&
	    SSL_read(p->client, buf, sizeof(buf)) == 5 &&
	    memcmp(buf, "world", 5) == 0;
}

static void
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
static bool
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

static bool
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

/* Tests. */

static void
test_every_key_and_protocol(void **state)
{
	enum kind k;

	(void)state;
	for (k = 0; k < KINDS; k++) {
		give_key(k);
		tls_prepare(&kinds[k].conf);
		assert_true(connects(k, TLS1_3_VERSION, NULL));
		assert_true(connects(k, TLS1_2_VERSION, NULL));
	}
}

static void
test_rsa_schemes(void **state)
{
	static const char *const tls12[] = { "rsa_pss_rsae_sha256",
		"rsa_pss_rsae_sha384", "rsa_pss_rsae_sha512", "RSA+SHA256" };
	size_t i;

	(void)state;
	give_key(RSA2048);
	tls_prepare(&kinds[RSA2048].conf);
	for (i = 0; i < 4; i++) {
		assert_true(connects(RSA2048, TLS1_2_VERSION, i == 3 ? tls12[i] :
		    (const char *[]){ "rsa_pss_rsae_sha256:RSA+SHA256",
		    "rsa_pss_rsae_sha384:RSA+SHA256",
		    "rsa_pss_rsae_sha512:RSA+SHA256" }[i]));
		if (i < 3)
			assert_true(connects(RSA2048, TLS1_3_VERSION,
			    (const char *[]){ "rsa_pss_rsae_sha256:RSA+SHA256",
			    "rsa_pss_rsae_sha384:RSA+SHA256",
			    "rsa_pss_rsae_sha512:RSA+SHA256" }[i]));
	}
	assert_false(connects(RSA2048, TLS1_2_VERSION, "RSA+SHA1"));
	assert_false(connects(RSA2048, TLS1_2_VERSION, "ECDSA+SHA256"));
}

static void
test_protocol_bounds(void **state)
{
	struct conf_for_worker conf = kinds[P256].conf;

	(void)state;
	give_key(P256);
	tls_prepare(&conf);
	assert_false(connects(P256, TLS1_1_VERSION, NULL));
	conf.tls12 = 0;
	tls_prepare(&conf);
	assert_false(connects(P256, TLS1_2_VERSION, NULL));
	assert_true(connects(P256, TLS1_3_VERSION, NULL));
	conf.tls12 = 1;
	conf.tls13 = 0;
	tls_prepare(&conf);
	assert_true(connects(P256, TLS1_2_VERSION, NULL));
	assert_false(connects(P256, TLS1_3_VERSION, NULL));
	tls_prepare(&kinds[P256].conf);
}

static bool
suite12(const char *suite)
{
	SSL_CTX *ctx = client_ctx(P256, TLS1_2_VERSION, TLS1_2_VERSION);
	bool ok;

	SSL_CTX_set_security_level(ctx, 0);
	assert_int_equal(SSL_CTX_set_cipher_list(ctx, suite), 1);
	ok = connect_with(ctx, NULL, NULL);
	SSL_CTX_free(ctx);
	return ok;
}

static void
test_suites(void **state)
{
	(void)state;
	assert_true(suite12("ECDHE-ECDSA-AES128-GCM-SHA256"));
	assert_true(suite12("ECDHE-ECDSA-AES256-GCM-SHA384"));
	assert_true(suite12("ECDHE-ECDSA-CHACHA20-POLY1305"));
	assert_false(suite12("ECDHE-ECDSA-AES128-SHA256"));
	assert_false(suite12("ECDHE-ECDSA-AES128-SHA"));
	assert_false(suite12("ECDHE-ECDSA-AES128-CCM"));
	assert_false(suite12("ALL:!ECDHE"));
}

static void
test_resumption_once(void **state)
{
	SSL_CTX *ctx = client_ctx(P256, TLS1_3_VERSION, TLS1_3_VERSION);
	SSL_SESSION *first, *second;
	bool reused;

	(void)state;
	tickets = 0;
	assert_true(connect_with(ctx, NULL, &reused));
	assert_false(reused);
	assert_int_equal(tickets, 1);
	assert_int_equal(SSL_SESSION_get_max_early_data(ticket), 0);
	first = ticket;
	SSL_SESSION_up_ref(first);
	assert_true(connect_with(ctx, first, &reused));
	assert_true(reused);
	assert_int_equal(tickets, 2); /* one for the next time */
	second = ticket;
	SSL_SESSION_up_ref(second);
	/* Replayed: a full handshake, and no harm to the other. */
	assert_true(connect_with(ctx, first, &reused));
	assert_false(reused);
	assert_true(connect_with(ctx, second, &reused));
	assert_true(reused);
	SSL_SESSION_free(first);
	SSL_SESSION_free(second);
	SSL_CTX_free(ctx);
}

static void
test_resumption_not_in_tls12(void **state)
{
	SSL_CTX *ctx = client_ctx(P256, TLS1_2_VERSION, TLS1_2_VERSION);
	struct pair p;
	unsigned int len;

	(void)state;
	pair_open(&p, ctx);
	tickets = 0;
	assert_true(pair_shake(&p) && pair_talk(&p));
	assert_false(SSL_SESSION_has_ticket(SSL_get_session(p.client)));
	SSL_SESSION_get_id(SSL_get_session(p.client), &len);
	assert_int_equal(len, 0);
	pair_close(&p);
	SSL_CTX_free(ctx);
}

/* The client guesses a group wrong and has to say hello twice. */
static void
test_second_hello(void **state)
{
	SSL_CTX *ctx = client_ctx(P256, TLS1_3_VERSION, TLS1_3_VERSION);
	SSL_SESSION *s;
	bool reused;

	(void)state;
	assert_int_equal(SSL_CTX_set1_groups_list(ctx, "X448:P-256"), 1);
	assert_true(connect_with(ctx, NULL, NULL));
	s = ticket;
	SSL_SESSION_up_ref(s);
	assert_true(connect_with(ctx, s, &reused));
	assert_true(reused);
	assert_true(connect_with(ctx, s, &reused));
	assert_false(reused);
	SSL_SESSION_free(s);
	SSL_CTX_free(ctx);
}

static bool
alpn(const char *offer, size_t len, bool *h2, int *alert)
{
	SSL_CTX *ctx = client_ctx(P256, TLS1_3_VERSION, TLS1_3_VERSION);
	struct pair p;
	bool ok;

	if (len > 0)
		SSL_CTX_set_alpn_protos(ctx, (const unsigned char *)offer,
		    (unsigned int)len);
	pair_open(&p, ctx);
	ERR_clear_error();
	ok = pair_shake(&p);
	*h2 = ok && tls_is_h2(p.server);
	*alert = 0;
	if (!ok) {
		ERR_clear_error();
		(void)SSL_connect(p.client);
		*alert = ERR_GET_REASON(ERR_peek_last_error());
	}
	pair_close(&p);
	SSL_CTX_free(ctx);
	return ok;
}

static void
test_alpn(void **state)
{
	bool h2;
	int alert;

	(void)state;
	assert_true(alpn("\x08http/1.1\x02h2", 12, &h2, &alert));
	assert_true(h2);
	assert_true(alpn("\x08http/1.1", 9, &h2, &alert));
	assert_false(h2);
	assert_true(alpn(NULL, 0, &h2, &alert));
	assert_false(h2);
	assert_false(alpn("\x06spdy/3\x08http/1.0", 16, &h2, &alert));
	assert_int_equal(alert, SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL);
}

static void
test_server_name(void **state)
{
	SSL_CTX *ctx = client_ctx(P256, TLS1_3_VERSION, TLS1_3_VERSION);
	char longest[254];
	SSL_SESSION *s;
	struct pair p;

	(void)state;
	memset(longest, 'a', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	pair_open(&p, ctx);
	assert_true(pair_shake(&p) && pair_talk(&p));
	assert_string_equal(tls_server_name(p.server), "");
	pair_close(&p);
	pair_open(&p, ctx);
	SSL_set_tlsext_host_name(p.client, longest);
	assert_true(pair_shake(&p) && pair_talk(&p));
	assert_string_equal(tls_server_name(p.server), longest);
	pair_close(&p);
	/* The longest name still makes a session that is kept; resumed under
	 * another name, it is that one that counts. */
	s = ticket;
	SSL_SESSION_up_ref(s);
	pair_open(&p, ctx);
	SSL_set_session(p.client, s);
	SSL_set_tlsext_host_name(p.client, "other.test");
	assert_true(pair_shake(&p) && pair_talk(&p));
	assert_string_equal(tls_server_name(p.server), "other.test");
	pair_close(&p);
	pair_open(&p, ctx);
	SSL_set_tlsext_host_name(p.client, longest);
	assert_true(pair_shake(&p) && pair_talk(&p));
	pair_close(&p);
	SSL_SESSION_free(s);
	s = ticket;
	SSL_SESSION_up_ref(s);
	pair_open(&p, ctx);
	SSL_set_session(p.client, s);
	SSL_set_tlsext_host_name(p.client, longest);
	assert_true(pair_shake(&p) && pair_talk(&p));
	assert_true(SSL_session_reused(p.server));
	pair_close(&p);
	SSL_SESSION_free(s);
	SSL_CTX_free(ctx);
}

static void
test_no_renegotiation(void **state)
{
	SSL_CTX *ctx = client_ctx(P256, TLS1_2_VERSION, TLS1_2_VERSION);
	struct pair p;
	char c;

	(void)state;
	pair_open(&p, ctx);
	assert_true(pair_shake(&p) && pair_talk(&p));
	assert_int_equal(SSL_renegotiate(p.client), 1);
	(void)SSL_do_handshake(p.client);
	(void)SSL_read(p.server, &c, 1);
	assert_int_not_equal(SSL_do_handshake(p.client), 1);
	assert_int_equal(SSL_num_renegotiations(p.server), 0);
	pair_close(&p);
	SSL_CTX_free(ctx);
}

/* A reload: workers of the old zygote and of the new one, both served. */
static void
test_two_keys(void **state)
{
	SSL_CTX *old = client_ctx(P256, TLS1_2_VERSION, TLS1_3_VERSION);
	SSL_CTX *new = client_ctx(RSA2048, TLS1_2_VERSION, TLS1_3_VERSION);
	bool ok;
	int status;

	(void)state;
	give_key(P256);
	tls_prepare(&kinds[P256].conf);
	assert_true(connect_with(old, NULL, NULL));
	give_key(RSA2048);
	assert_true(connect_with(old, NULL, NULL));
	if (fork() == 0) { /* the new zygote */
		tls_prepare(&kinds[RSA2048].conf);
		ok = connect_with(new, NULL, NULL) && !connect_with(old, NULL, NULL);
		_exit(ok ? 0 : 1);
	}
	assert_true(wait(&status) > 0 && status == 0);
	assert_true(connect_with(old, NULL, NULL));
	SSL_CTX_free(old);
	SSL_CTX_free(new);
}

static int
prepare_status(const struct conf_for_worker *conf)
{
	int status;

	if (fork() == 0) {
		log_init("test", STDERR_FILENO, 0, -1, false);
		tls_prepare(conf);
		_exit(0);
	}
	assert_true(wait(&status) > 0 && WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void
test_bad_certificates(void **state)
{
	struct conf_for_worker conf = kinds[P256].conf;
	EVP_PKEY *small;
	BIO *bio;
	X509 *x;
	uint8_t *spki = NULL;
	char *p;
	int len;

	(void)state;
	assert_int_equal(prepare_status(&conf), 0);
	conf.keyid[31] ^= 1;
	assert_int_equal(prepare_status(&conf), 1);
	conf = kinds[P256].conf;
	conf.certlen = 0;
	assert_int_equal(prepare_status(&conf), 1);
	conf.certlen = 100;
	assert_int_equal(prepare_status(&conf), 1);
	conf.certlen = sizeof(conf.cert) + 1;
	assert_int_equal(prepare_status(&conf), 1);
	/* Too weak for anybody. */
	small = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)1024);
	x = certify(small, "small");
	bio = BIO_new(BIO_s_mem());
	PEM_write_bio_X509(bio, x);
	conf.certlen = (uint32_t)BIO_get_mem_data(bio, &p);
	memcpy(conf.cert, p, conf.certlen);
	len = i2d_PUBKEY(small, &spki);
	SHA256(spki, (size_t)len, conf.keyid);
	assert_int_equal(prepare_status(&conf), 1);
	OPENSSL_free(spki);
	BIO_free(bio);
	X509_free(x);
	EVP_PKEY_free(small);
}

static void
test_without_keys(void **state)
{
	SSL_CTX *ctx = client_ctx(P256, TLS1_3_VERSION, TLS1_3_VERSION);
	struct pair p;

	(void)state;
	/* The channel ends while the handshake is under way. */
	pair_open(&p, ctx);
	shutdown(p.keys.fd, SHUT_RDWR);
	assert_false(pair_shake(&p));
	assert_non_null(p.why);
	assert_non_null(strstr(p.why, "keys"));
	pair_close(&p);
	/* A certificate whose key they have not. */
	if (fork() == 0) {
		tls_prepare(&kinds[KINDS - 1].conf);
		memset(&kinds[0], 0, sizeof(kinds[0]));
		_exit(0);
	}
	wait(NULL);
	/* The client leaves. */
	pair_open(&p, ctx);
	(void)SSL_connect(p.client);
	close(p.fds[1]);
	p.fds[1] = -1;
	assert_false(pair_shake(&p));
	assert_non_null(p.why);
	pair_close(&p);
	/* Not TLS at all. */
	pair_open(&p, ctx);
	assert_int_equal(write(p.fds[1], "GET / HTTP/1.1\r\n\r\n", 18), 18);
	{
		short want;

		assert_int_equal(tls_handshake(p.server, &want, &p.why), -1);
	}
	assert_non_null(strstr(p.why, "http request"));
	pair_close(&p);
	SSL_CTX_free(ctx);
}

/* As it is in life: the connection in a child of the process that made ready. */
static void
test_in_a_fork(void **state)
{
	SSL_CTX *ctx = client_ctx(P256, TLS1_3_VERSION, TLS1_3_VERSION);
	SSL_SESSION *s;
	uint8_t random[2][32];
	int p[2], i, status;
	bool reused;

	(void)state;
	assert_int_equal(pipe(p), 0);
	for (i = 0; i < 2; i++) {
		if (fork() == 0) {
			struct pair c;
			uint8_t r[32];

			pair_open(&c, ctx);
			if (!pair_shake(&c) || !pair_talk(&c))
				_exit(1);
			SSL_get_server_random(c.server, r, sizeof(r));
			_exit(write(p[1], r, sizeof(r)) == sizeof(r) ? 0 : 1);
		}
		assert_true(wait(&status) > 0 && status == 0);
		assert_int_equal(read(p[0], random[i], 32), 32);
	}
	assert_memory_not_equal(random[0], random[1], 32);
	close(p[0]);
	close(p[1]);
	/* A session made here, resumed by another worker. */
	assert_true(connect_with(ctx, NULL, NULL));
	s = ticket;
	SSL_SESSION_up_ref(s);
	if (fork() == 0)
		_exit(connect_with(ctx, s, &reused) && reused ? 0 : 1);
	assert_true(wait(&status) > 0 && status == 0);
	assert_true(connect_with(ctx, s, &reused));
	assert_false(reused);
	SSL_SESSION_free(s);
	SSL_CTX_free(ctx);
}

/* Figures. */

static double
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int
bench(void)
{
	static const char *const names[KINDS] = { "ECDSA P-256", "ECDSA P-384",
		"ECDSA P-521", "RSA 2048", "Ed25519" };
	enum { N = 2000 };
	SSL_CTX *ctx;
	double t;
	bool reused, forked;
	int k, i, v, st;

	for (k = 0; k < KINDS; k++) {
		give_key((enum kind)k);
		t = now();
		tls_prepare(&kinds[k].conf);
		printf("%s: made ready in %.1f ms\n", names[k], (now() - t) * 1e3);
		for (v = TLS1_2_VERSION; v <= TLS1_3_VERSION; v++) {
			for (forked = false;; forked = true) {
				ctx = client_ctx((enum kind)k, v, v);
				t = now();
				for (i = 0; i < N; i++) {
					if (!forked) {
						connect_with(ctx, NULL, NULL);
						continue;
					}
					if (fork() == 0)
						_exit(connect_with(ctx, NULL, NULL) ? 0 : 1);
					wait(&st);
				}
				t = now() - t;
				printf("%s TLS 1.%d%s: %.0f/s\n", names[k],
				    v == TLS1_3_VERSION ? 3 : 2,
				    forked ? " each in a fork" : "", N / t);
				SSL_CTX_free(ctx);
				if (forked)
					break;
			}
		}
		ctx = client_ctx((enum kind)k, TLS1_3_VERSION, TLS1_3_VERSION);
		connect_with(ctx, NULL, NULL);
		t = now();
		for (i = 0; i < N; i++) {
			SSL_SESSION *s = ticket;

			SSL_SESSION_up_ref(s);
			connect_with(ctx, s, &reused);
			SSL_SESSION_free(s);
			if (!reused)
				return 1;
		}
		printf("%s TLS 1.3 resumed: %.0f/s\n", names[k], N / (now() - t));
		SSL_CTX_free(ctx);
	}
	return 0;
}

int
main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_key_and_protocol),
		cmocka_unit_test(test_rsa_schemes),
		cmocka_unit_test(test_protocol_bounds),
		cmocka_unit_test(test_suites),
		cmocka_unit_test(test_resumption_once),
		cmocka_unit_test(test_resumption_not_in_tls12),
		cmocka_unit_test(test_second_hello),
		cmocka_unit_test(test_alpn),
		cmocka_unit_test(test_server_name),
		cmocka_unit_test(test_no_renegotiation),
		cmocka_unit_test(test_two_keys),
		cmocka_unit_test(test_bad_certificates),
		cmocka_unit_test(test_without_keys),
		cmocka_unit_test(test_in_a_fork),
	};
	int k, r;

	signal(SIGPIPE, SIG_IGN);
	keys_start(); /* before OpenSSL is used here: it sets its memory */
	for (k = 0; k < KINDS; k++)
		make_kind((enum kind)k);
	if (argc > 1 && strcmp(argv[1], "bench") == 0)
		return bench();
	r = cmocka_run_group_tests(tests, NULL, NULL);
	chan_close(&isolation);
	waitpid(keys_pid, NULL, 0);
	return r;
}
