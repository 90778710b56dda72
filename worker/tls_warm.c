/*
 * Handshakes of the zygote with itself, in memory.  OpenSSL fetches algorithms,
 * fills tables and seeds generators when they are first wanted; done here, it is
 * done once and shared by all workers, not once per connection.
 *
 * The key of these handshakes is made for them and freed after them.
 */
#include <openssl/bio.h>
#include <openssl/err.h>

#include "../privsep/log.h"
#include "keyprov.h"
#include "tls_int.h"

#define ROUNDS 16 /* flights; a handshake takes four */

/* As keys would sign, for the key made here. */
static bool
by_ourselves(void *arg, uint32_t scheme, const uint8_t *tbs, size_t tbslen, uint8_t *sig,
    size_t *siglen)
{
	EVP_MD_CTX *ctx;
	bool ok;

	(void)scheme;
	ctx = EVP_MD_CTX_new();
	ok = ctx != NULL &&
	    EVP_DigestSignInit_ex(ctx, NULL, "SHA256", NULL, NULL, arg, NULL) == 1 &&
	    EVP_DigestSign(ctx, sig, siglen, tbs, tbslen) == 1;
	EVP_MD_CTX_free(ctx);
	return ok;
}

static X509 *
self_signed(EVP_PKEY *key)
{
	X509_NAME *name;
	X509 *x;

	x = X509_new();
	if (x == NULL)
		return NULL;
	name = X509_get_subject_name(x);
	if (X509_set_version(x, X509_VERSION_3) == 1 &&
	    ASN1_INTEGER_set(X509_get_serialNumber(x), 1) == 1 &&
	    X509_gmtime_adj(X509_getm_notBefore(x), 0) != NULL &&
	    X509_gmtime_adj(X509_getm_notAfter(x), 3600) != NULL &&
	    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
		(const unsigned char *)"ided", -1, -1, 0) == 1 &&
	    X509_set_issuer_name(x, name) == 1 && X509_set_pubkey(x, key) == 1 &&
	    X509_sign(x, key, EVP_sha256()) > 0)
		return x;
	X509_free(x);
	return NULL;
}

/* Both ends over a pair of BIOs, until nothing moves any more. */
static bool
shake(SSL *server, SSL *client)
{
	unsigned char byte;
	int i, s = 0, c = 0;

	for (i = 0; i < ROUNDS; i++) {
		if (c != 1)
			c = SSL_connect(client);
		if (s != 1)
			s = SSL_accept(server);
		if (s == 1 && c == 1) {
			/* Tickets are read with what follows. */
			(void)SSL_read(client, &byte, 1);
			(void)SSL_write(server, "x", 1);
			return SSL_read(client, &byte, 1) == 1;
		}
	}
	return false;
}

static bool
handshake(SSL_CTX *server_ctx, SSL_CTX *client_ctx, int version)
{
	static const unsigned char protocols[] = "\x02h2\x08http/1.1";
	SSL *server, *client;
	BIO *a = NULL, *b = NULL;
	bool ok = false;

	server = SSL_new(server_ctx);
	client = SSL_new(client_ctx);
	if (server != NULL && client != NULL && BIO_new_bio_pair(&a, 0, &b, 0) == 1) {
		SSL_set_bio(server, a, a);
		SSL_set_bio(client, b, b);
		if (SSL_set_min_proto_version(client, version) == 1 &&
		    SSL_set_max_proto_version(client, version) == 1 &&
		    SSL_set_alpn_protos(client, protocols, sizeof(protocols) - 1) == 0 &&
		    SSL_set_tlsext_host_name(client, "ided") == 1)
			ok = shake(server, client);
	}
	SSL_free(server);
	SSL_free(client);
	ERR_clear_error();
	return ok;
}

void
tls_warm(SSL_CTX *ctx, bool tls12, bool tls13)
{
	SSL_CTX *client, *twin = NULL;
	STACK_OF(X509) * none;
	const char *why = "out of memory";
	EVP_PKEY *key;
	X509 *cert = NULL;

	none = sk_X509_new_null();
	client = SSL_CTX_new(TLS_client_method());
	key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	if (none != NULL && client != NULL && key != NULL &&
	    (cert = self_signed(key)) != NULL)
		twin = tls_ctx_make(cert, none, tls12, tls13, &why);
	if (twin == NULL)
		fatalx("TLS: the first handshake: %s", why);
	SSL_CTX_set_verify(client, SSL_VERIFY_NONE, NULL);
	keyprov_set_signer(by_ourselves, key);
	if ((tls13 && !handshake(twin, client, TLS1_3_VERSION)) ||
	    (tls12 && !handshake(twin, client, TLS1_2_VERSION)))
		fatalx("TLS: the first handshake failed");
	/* That of the real certificate can only come as far as its signature. */
	keyprov_set_signer(NULL, NULL);
	if (tls13)
		(void)handshake(ctx, client, TLS1_3_VERSION);
	if (tls12)
		(void)handshake(ctx, client, TLS1_2_VERSION);
	SSL_CTX_free(twin);
	SSL_CTX_free(client);
	X509_free(cert);
	EVP_PKEY_free(key);
	sk_X509_free(none);
	ERR_clear_error();
}
