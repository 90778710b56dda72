/*
 * What a worker asks of keys during its handshake: a signature, the session
 * that the client wants to resume, and to keep the one that it may resume later.
 */
#include <openssl/crypto.h>
#include <openssl/err.h>

#include <string.h>

#include "keyprov.h"
#include "tls_int.h"

/* Not on the stack, where each would touch pages of its own. */
static struct msg answer;
static struct m_sess sess;

static bool
by_keys(void *arg, uint32_t scheme, const uint8_t *tbs, size_t tbslen, uint8_t *sig,
    size_t *siglen)
{
	struct tls_conn *t = arg;
	const struct m_signed *ans;
	struct m_sign req;

	memset(&req, 0, sizeof(req));
	if (tbslen > sizeof(req.tbs)) {
		t->why = "TLS handshake: more to sign than a message holds";
		return false;
	}
	memcpy(req.keyid, t->keyid, sizeof(req.keyid));
	req.scheme = scheme;
	req.len = (uint32_t)tbslen;
	memcpy(req.tbs, tbs, tbslen);
	if (t->keys == NULL ||
	    chan_call(t->keys, M_SIGN, &req, sizeof(req), M_SIGNED, &answer,
		TLS_KEYS_TIMEOUT) == -1) {
		t->why = "TLS handshake: no answer from keys";
		return false;
	}
	ans = MSG_DATA(&answer, m_signed);
	if (ans->ok == 0 || ans->len > sizeof(ans->sig) || ans->len > *siglen) {
		t->why = "TLS handshake: keys did not sign";
		return false;
	}
	memcpy(sig, ans->sig, ans->len);
	*siglen = ans->len;
	return true;
}

void
tls_keys_start(struct chan *keys)
{
	tls_keys_end();
	tls_conn.keys = keys;
	tls_conn.asked = false;
	tls_conn.why = NULL;
	keyprov_set_signer(by_keys, &tls_conn);
}

void
tls_keys_end(void)
{
	SSL_SESSION_free(tls_conn.got);
	tls_conn.got = NULL;
	tls_conn.keys = NULL;
	keyprov_set_signer(NULL, NULL);
}

/*
 * A ticket is about to be sent: what it stands for goes to keys.  Called within
 * the handshake, so the channel is not needed after it.  Nothing is answered;
 * when it is not kept the client will shake hands in full.
 */
static int
session_new(SSL *ssl, SSL_SESSION *s)
{
	const unsigned char *id;
	unsigned int idlen;
	uint8_t *p = sess.der;
	int len;

	if (tls_conn.keys == NULL || SSL_version(ssl) != TLS1_3_VERSION)
		return 0;
	/* The server's name would only matter to early data, and is long. */
	(void)SSL_SESSION_set1_hostname(s, NULL);
	id = SSL_SESSION_get_id(s, &idlen);
	len = i2d_SSL_SESSION(s, NULL);
	if (idlen != sizeof(sess.id) || len <= 0 || (size_t)len > sizeof(sess.der))
		return 0;
	memset(&sess, 0, WIRE_SESS(0));
	memcpy(sess.id, id, sizeof(sess.id));
	sess.len = (uint32_t)i2d_SSL_SESSION(s, &p);
	(void)chan_send(tls_conn.keys, M_SESS_PUT, 0, -1, &sess, WIRE_SESS(sess.len));
	explicit_bzero(&sess, WIRE_SESS(sess.len));
	return 0; /* no reference was kept */
}

/* Another worker wrote it: it is what it is said to be, or nothing. */
static SSL_SESSION *
decode(const struct m_sess *m, size_t size, const uint8_t id[WIRE_SESSID])
{
	const unsigned char *p = m->der, *have;
	SSL_SESSION *s;
	unsigned int len;

	if (m->len == 0 || m->len > size - WIRE_SESS(0))
		return NULL;
	s = d2i_SSL_SESSION(NULL, &p, (long)m->len);
	ERR_clear_error();
	if (s == NULL)
		return NULL;
	have = SSL_SESSION_get_id(s, &len);
	if (len == WIRE_SESSID && memcmp(have, id, WIRE_SESSID) == 0 &&
	    SSL_SESSION_get_protocol_version(s) == TLS1_3_VERSION)
		return s;
	SSL_SESSION_free(s);
	return NULL;
}

/* The session that keys gives out for the id: this once. */
static SSL_SESSION *
fetch(const uint8_t id[WIRE_SESSID])
{
	SSL_SESSION *s;

	memset(&sess, 0, WIRE_SESS(0));
	memcpy(sess.id, id, sizeof(sess.id));
	if (chan_call(tls_conn.keys, M_SESS_GET, &sess, WIRE_SESS(0), M_SESS, &answer,
		TLS_KEYS_TIMEOUT) == -1)
		return NULL;
	s = decode(MSG_DATA(&answer, m_sess), answer.head.len, id);
	explicit_bzero(&answer.u, answer.head.len);
	return s;
}

/*
 * A client may name several tickets, and names them again when it was asked for
 * another key share; keys is asked for the first of them only.
 */
static SSL_SESSION *
session_get(SSL *ssl, const unsigned char *id, int len, int *copy)
{
	struct tls_conn *t = &tls_conn;

	*copy = 1; /* OpenSSL takes a reference of its own */
	if (t->keys == NULL || SSL_version(ssl) != TLS1_3_VERSION || len != WIRE_SESSID)
		return NULL;
	if (!t->asked) {
		t->asked = true;
		memcpy(t->asked_id, id, WIRE_SESSID);
		t->got = fetch(id);
	}
	if (CRYPTO_memcmp(t->asked_id, id, WIRE_SESSID) != 0)
		return NULL;
	return t->got;
}

/*
 * TLS 1.2 clients use a session as often as they like, and unchanged: they get
 * none.  An empty id in the server's hello tells them (RFC 5246 7.4.1.3); OpenSSL
 * leaves the one in place that it has drawn.
 */
static int
session_never(SSL *ssl, int forward_secure)
{
	(void)forward_secure;
	if (SSL_version(ssl) == TLS1_3_VERSION)
		return 0;
	(void)SSL_SESSION_set1_id(SSL_get_session(ssl), (const unsigned char *)"", 0);
	return 1;
}

void
tls_keys_callbacks(SSL_CTX *ctx)
{
	SSL_CTX_set_session_cache_mode(ctx,
	    SSL_SESS_CACHE_SERVER | SSL_SESS_CACHE_NO_INTERNAL |
		SSL_SESS_CACHE_NO_AUTO_CLEAR);
	SSL_CTX_sess_set_new_cb(ctx, session_new);
	SSL_CTX_sess_set_get_cb(ctx, session_get);
	SSL_CTX_set_not_resumable_session_callback(ctx, session_never);
}
