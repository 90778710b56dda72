/*
 * The one SSL_CTX of a worker: made in the zygote, shared by all its children.
 * There is no secret in it.
 */
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>

#include <string.h>

#include "../privsep/log.h"
#include "keyprov.h"
#include "tls.h"
#include "tls_int.h"

#define CHAIN_MAX        16   /* certificates above the server's own */
#define TICKET_KEYS      80   /* bytes; see no_ticket_keys() */
#define SESSION_LIFETIME 7200 /* seconds; keys has the last word */

SSL_CTX *tls_ctx;

static const char suites12[] = "ECDHE+AESGCM:ECDHE+CHACHA20";
static const char suites13[] = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:"
			       "TLS_CHACHA20_POLY1305_SHA256";
static const char groups[] = "X25519:P-256:P-384";
static const char session_context[] = "ided";

/* In this order of preference; each with its length, as on the wire. */
static const unsigned char protocols[] = "\x02h2\x08http/1.1";

/*
 * The schemes that keys signs under with a key of this kind, and no other, so
 * that none is agreed on that would be refused.
 */
static const char *
schemes_for(const EVP_PKEY *pub)
{
	static const struct {
		const char *group;
		const char *schemes;
	} curves[] = {
		{ "prime256v1", "ECDSA+SHA256" },
		{ "secp384r1", "ECDSA+SHA384" },
		{ "secp521r1", "ECDSA+SHA512" },
	};
	char group[64];
	size_t i;

	if (EVP_PKEY_is_a(pub, "RSA"))
		return "rsa_pss_rsae_sha256:rsa_pss_rsae_sha384:"
		       "rsa_pss_rsae_sha512:RSA+SHA256";
	if (EVP_PKEY_is_a(pub, "ED25519"))
		return "ed25519";
	if (!EVP_PKEY_is_a(pub, "EC") ||
	    EVP_PKEY_get_group_name(pub, group, sizeof(group), NULL) != 1)
		return NULL;
	for (i = 0; i < sizeof(curves) / sizeof(curves[0]); i++)
		if (strcmp(group, curves[i].group) == 0)
			return curves[i].schemes;
	return NULL;
}

/* A client that names protocols and none of ours is told so (RFC 7301 3.2). */
static int
alpn(SSL *ssl, const unsigned char **out, unsigned char *outlen, const unsigned char *in,
    unsigned int inlen, void *arg)
{
	unsigned char *chosen;

	(void)ssl;
	(void)arg;
	if (SSL_select_next_proto(&chosen, outlen, protocols, sizeof(protocols) - 1, in,
		inlen) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

/*
 * Tickets that carry a session under a key are off, but OpenSSL draws that key
 * all the same.  Known keys in its place show that nothing depends on it.
 */
static bool
no_ticket_keys(SSL_CTX *ctx)
{
	unsigned char zero[TICKET_KEYS] = { 0 };

	return SSL_CTX_set_tlsext_ticket_keys(ctx, zero, sizeof(zero)) == 1;
}

static bool
set_protocols(SSL_CTX *ctx, bool tls12, bool tls13)
{
	return (tls12 || tls13) &&
	    SSL_CTX_set_min_proto_version(ctx, tls12 ? TLS1_2_VERSION : TLS1_3_VERSION) ==
	    1 &&
	    SSL_CTX_set_max_proto_version(ctx, tls13 ? TLS1_3_VERSION : TLS1_2_VERSION) ==
	    1;
}

static bool
set_policy(SSL_CTX *ctx)
{
	SSL_CTX_set_security_level(ctx, 2);
	SSL_CTX_set_options(ctx,
	    SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA |
		SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET);
	/* Its buffers it keeps: given back, they would be pages of this process still. */
	SSL_CTX_set_mode(
	    ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_read_ahead(ctx, 1);
	SSL_CTX_set_timeout(ctx, SESSION_LIFETIME);
	SSL_CTX_set_alpn_select_cb(ctx, alpn, NULL);
	return SSL_CTX_set_cipher_list(ctx, suites12) == 1 &&
	    SSL_CTX_set_ciphersuites(ctx, suites13) == 1 &&
	    SSL_CTX_set1_groups_list(ctx, groups) == 1 &&
	    SSL_CTX_set_num_tickets(ctx, 1) == 1 &&
	    SSL_CTX_set_max_early_data(ctx, 0) == 1 &&
	    SSL_CTX_set_recv_max_early_data(ctx, 0) == 1 &&
	    SSL_CTX_set_session_id_context(ctx, (const unsigned char *)session_context,
		sizeof(session_context) - 1) == 1 &&
	    no_ticket_keys(ctx);
}

/* The certificate, then the key: OpenSSL checks that they belong together. */
static bool
set_certificate(SSL_CTX *ctx, X509 *cert, STACK_OF(X509) * chain)
{
	EVP_PKEY *key;
	bool ok;
	int i;

	key = keyprov_key(X509_get0_pubkey(cert));
	ok = key != NULL && SSL_CTX_use_certificate(ctx, cert) == 1 &&
	    SSL_CTX_use_PrivateKey(ctx, key) == 1 &&
	    SSL_CTX_check_private_key(ctx) == 1 && SSL_CTX_set1_chain(ctx, chain) == 1;
	EVP_PKEY_free(key);
	/* What OpenSSL works out about a certificate once, before the fork. */
	X509_check_purpose(cert, -1, 0);
	for (i = 0; i < sk_X509_num(chain); i++)
		X509_check_purpose(sk_X509_value(chain, i), -1, 0);
	return ok;
}

SSL_CTX *
tls_ctx_make(X509 *cert, STACK_OF(X509) * chain, bool tls12, bool tls13, const char **why)
{
	const char *schemes;
	SSL_CTX *ctx;

	schemes = schemes_for(X509_get0_pubkey(cert));
	if (schemes == NULL) {
		*why = "neither ECDSA with P-256, P-384 or P-521, nor RSA, nor "
		       "Ed25519";
		return NULL;
	}
	ctx = SSL_CTX_new(TLS_server_method());
	*why = NULL;
	if (ctx == NULL || !set_protocols(ctx, tls12, tls13) || !set_policy(ctx) ||
	    SSL_CTX_set1_sigalgs_list(ctx, schemes) != 1 ||
	    !set_certificate(ctx, cert, chain)) {
		*why = ERR_reason_error_string(ERR_peek_last_error());
		if (*why == NULL)
			*why = "refused by OpenSSL";
		SSL_CTX_free(ctx);
		return NULL;
	}
	tls_keys_callbacks(ctx);
	return ctx;
}

static X509 *
read_certificate(BIO *bio)
{
	return PEM_read_bio_X509(bio, NULL, NULL, NULL);
}

/* The server's certificate, and those that lead up to its root. */
static X509 *
read_chain(const struct conf_for_worker *conf, STACK_OF(X509) * chain)
{
	X509 *cert, *x;
	BIO *bio;

	if (conf->certlen > sizeof(conf->cert))
		fatalx("TLS certificate: too large");
	bio = BIO_new_mem_buf(conf->cert, (int)conf->certlen);
	if (bio == NULL || (cert = read_certificate(bio)) == NULL ||
	    X509_get0_pubkey(cert) == NULL)
		fatalx("TLS certificate: no certificate in PEM format");
	while ((x = read_certificate(bio)) != NULL)
		if (sk_X509_num(chain) >= CHAIN_MAX || sk_X509_push(chain, x) == 0)
			fatalx("TLS certificate: more than %d above it", CHAIN_MAX);
	BIO_free(bio);
	ERR_clear_error(); /* the end of the text */
	return cert;
}

static void
check_id(X509 *cert, const uint8_t want[WIRE_KEYID])
{
	uint8_t id[SHA256_DIGEST_LENGTH];
	uint8_t *spki = NULL;
	int len;

	len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &spki);
	if (len <= 0)
		fatalx("TLS certificate: no public key");
	SHA256(spki, (size_t)len, id);
	OPENSSL_free(spki);
	if (memcmp(id, want, sizeof(id)) != 0)
		fatalx("TLS certificate: not of the key that keys has");
}

/* The worker holds the OpenSSL that it was built with.  The machine's may have
 * been mended since. */
static void
check_version(const struct conf_for_worker *conf)
{
	const char *own = OpenSSL_version(OPENSSL_VERSION);

	if (conf->openssl[0] != '\0' && strcmp(own, conf->openssl) != 0)
		log_event(LOG_WARNING, "tls.library", LOG_S("worker", own),
		    LOG_S("machine", conf->openssl),
		    LOG_S("hint",
			"build ided again, so that its worker has the machine's"));
}

void
tls_prepare(const struct conf_for_worker *conf)
{
	STACK_OF(X509) * chain;
	const char *why;
	X509 *cert;

	/* The system's openssl.cnf has no say: what is allowed stands here. */
	if (OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_LOAD_SSL_STRINGS |
		    OPENSSL_INIT_LOAD_CRYPTO_STRINGS,
		NULL) != 1)
		fatalx("OpenSSL cannot be initialised");
	check_version(conf);
	keyprov_load();
	tls_bio_prepare();
	chain = sk_X509_new_null();
	if (chain == NULL)
		fatalx("TLS: out of memory");
	cert = read_chain(conf, chain);
	check_id(cert, conf->keyid);
	SSL_CTX_free(tls_ctx);
	tls_ctx = tls_ctx_make(cert, chain, conf->tls12, conf->tls13, &why);
	if (tls_ctx == NULL)
		fatalx("TLS certificate: %s", why);
	memcpy(tls_conn.keyid, conf->keyid, sizeof(tls_conn.keyid));
	X509_free(cert);
	sk_X509_pop_free(chain, X509_free);
	tls_warm(tls_ctx, conf->tls12, conf->tls13);
}
