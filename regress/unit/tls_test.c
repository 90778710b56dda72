/*
 * TLS of a worker against the keys process: every kind of key and protocol,
 * resumption, what is refused.  "tls_test bench" counts handshakes instead.
 */
#include "tls_helper.h"

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
	/* PKCS#1 is named for the certificate, which is signed with it. */
	static const char *const pss[] = { "rsa_pss_rsae_sha256:RSA+SHA256",
		"rsa_pss_rsae_sha384:RSA+SHA256", "rsa_pss_rsae_sha512:RSA+SHA256" };
	size_t i;

	(void)state;
	give_key(RSA2048);
	tls_prepare(&kinds[RSA2048].conf);
	for (i = 0; i < 3; i++) {
		assert_true(connects(RSA2048, TLS1_2_VERSION, pss[i]));
		assert_true(connects(RSA2048, TLS1_3_VERSION, pss[i]));
	}
	assert_true(connects(RSA2048, TLS1_2_VERSION, "RSA+SHA256"));
	assert_false(connects(RSA2048, TLS1_3_VERSION, "RSA+SHA256"));
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
		SSL_CTX_set_alpn_protos(
		    ctx, (const unsigned char *)offer, (unsigned int)len);
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

/* What tls_prepare says when the machine's OpenSSL is called that. */
static void
prepare_says(const char *openssl, char *said, size_t size)
{
	struct conf_for_worker conf = kinds[P256].conf;
	int fds[2], err = dup(STDERR_FILENO);
	ssize_t n;

	assert_int_equal(pipe(fds), 0);
	assert_true(snprintf(conf.openssl, sizeof(conf.openssl), "%s", openssl) >= 0);
	log_init("test", fds[1], LOG_FORMAT_TEXT, LOG_INFO, false);
	tls_prepare(&conf);
	log_init("test", err, LOG_FORMAT_TEXT, LOG_CRIT, false);
	close(fds[1]);
	n = read(fds[0], said, size - 1);
	assert_true(n >= 0);
	said[n] = '\0';
	close(fds[0]);
}

static void
test_other_library(void **state)
{
	char said[1024];

	(void)state;
	prepare_says(OpenSSL_version(OPENSSL_VERSION), said, sizeof(said));
	assert_string_equal(said, "");
	prepare_says("OpenSSL 9.9.9", said, sizeof(said));
	assert_non_null(strstr(said, "tls.library"));
	assert_non_null(strstr(said, "OpenSSL 9.9.9"));
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
	short want;

	(void)state;
	/* The channel ends while the handshake is under way. */
	pair_open(&p, ctx);
	shutdown(p.keys.fd, SHUT_RDWR);
	assert_false(pair_shake(&p));
	assert_non_null(p.why);
	assert_non_null(strstr(p.why, "keys"));
	pair_close(&p);
	/* A certificate whose key it has not. */
	tls_prepare(&kinds[STRANGER].conf);
	pair_open(&p, ctx);
	assert_false(pair_shake(&p));
	assert_non_null(p.why);
	assert_non_null(strstr(p.why, "keys"));
	pair_close(&p);
	tls_prepare(&kinds[P256].conf);
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
	assert_int_equal(tls_handshake(p.server, &want, &p.why), -1);
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
						_exit(connect_with(ctx, NULL, NULL) ? 0 :
										      1);
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
		cmocka_unit_test(test_other_library),
		cmocka_unit_test(test_two_keys),
		cmocka_unit_test(test_bad_certificates),
		cmocka_unit_test(test_without_keys),
		cmocka_unit_test(test_in_a_fork),
	};
	int k, r;

	signal(SIGPIPE, SIG_IGN);
	keys_start(); /* before OpenSSL is used here: it sets its memory */
	for (k = 0; k <= STRANGER; k++)
		make_kind((enum kind)k);
	if (argc > 1 && strcmp(argv[1], "bench") == 0)
		return bench();
	r = cmocka_run_group_tests(tests, NULL, NULL);
	chan_close(&isolation);
	waitpid(keys_pid, NULL, 0);
	return r;
}
