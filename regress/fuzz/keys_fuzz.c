/*
 * Workers that belong to an attacker, before keys as it runs: anything to be
 * signed, sessions to be kept and had back, in any order, on several channels.  One
 * signature for a channel at most, over what a TLS server signs and nothing else;
 * a session is given out once, as it was put.
 */
#include <sys/mman.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../privsep/chan.h"
#include "../../privsep/keys/key.h"
#include "../../privsep/keys/serve.h"
#include "../../privsep/keys/session.h"
#include "../../privsep/keys/sign.h"
#include "../../privsep/log.h"
#include "fuzz.h"

#define WORKERS 4
#define KEYS    2

static struct peer {
	struct chan chan;
	bool open;
	bool was_signed;
	struct m_sign asked;
} peers[WORKERS];

static struct event_base *base;
static struct chan to_master, master; /* keys's end and master's */
static EVP_PKEY *keys[KEYS];          /* their public halves, as it were */
static uint8_t keyids[KEYS][WIRE_KEYID];
static struct m_sess kept[256]; /* by the first byte of the id */

/* --- what the attacker hears --- */

/* RFC 8446 4.4.3, or a ServerKeyExchange that begins with two randoms. */
static bool
is_tls(const struct m_sign *r)
{
	static const char context[] = "TLS 1.3, server CertificateVerify";

	if (r->len > 98 && memcmp(r->tbs + 64, context, sizeof(context)) == 0) {
		for (int i = 0; i < 64; i++)
			if (r->tbs[i] != ' ')
				return (false);
		return (r->len == 98 + 32 || r->len == 98 + 48);
	}
	return (r->len > 68 && r->tbs[64] == 3 && r->len == 68U + r->tbs[67]);
}

static bool
verifies(const struct m_sign *r, const struct m_signed *a)
{
	const char *md = r->scheme == 0x0403 || r->scheme == 0x0804 ||
		r->scheme == 0x0401 ?
	    "SHA256" :
	    r->scheme == 0x0805 ? "SHA384" :
				  "SHA512";
	EVP_PKEY *k = memcmp(r->keyid, keyids[0], WIRE_KEYID) == 0 ? keys[0] : keys[1];
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pctx;
	bool ok;

	check(EVP_DigestVerifyInit_ex(ctx, &pctx, md, NULL, NULL, k, NULL) == 1);
	if (EVP_PKEY_is_a(k, "RSA")) {
		EVP_PKEY_CTX_set_rsa_padding(pctx,
		    r->scheme >> 8 == 8 ? RSA_PKCS1_PSS_PADDING : RSA_PKCS1_PADDING);
		if (r->scheme >> 8 == 8)
			EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST);
	}
	ok = EVP_DigestVerify(ctx, a->sig, a->len, r->tbs, r->len) == 1;
	EVP_MD_CTX_free(ctx);
	return (ok);
}

static void
hears(struct peer *p)
{
	static struct msg m;
	const struct m_signed *a;
	const struct m_sess *s;
	const char *why;
	int r;

	while (p->open && (r = chan_recv(&p->chan, &m, &why)) != -1) {
		check(r != -2);
		if (r == 0) {
			chan_close(&p->chan);
			p->open = false;
		} else if (m.head.type == M_SIGNED) {
			a = MSG_DATA(&m, m_signed);
			if (a->ok != 0) {
				check(!p->was_signed && is_tls(&p->asked));
				check(verifies(&p->asked, a));
			}
			p->was_signed = true;
		} else {
			check(m.head.type == M_SESS);
			s = MSG_DATA(&m, m_sess);
			/* Exactly as much as there is, whatever was said before. */
			check(m.head.len == WIRE_SESS(s->len));
			if (s->len == 0)
				continue;
			check(memcmp(s, &kept[s->id[0]], WIRE_SESS(s->len)) == 0);
			kept[s->id[0]].len = 0; /* had once, and no more */
		}
	}
}

static void
hear(void)
{
	static struct msg m;
	const char *why;

	event_base_loop(base, EVLOOP_NONBLOCK);
	for (int i = 0; i < WORKERS; i++)
		hears(&peers[i]);
	while (chan_recv(&master, &m, &why) == 1)
		check(m.head.type == M_WORKER_NOTE);
}

/* --- what the attacker says --- */

static void
says_sign(struct peer *p, uint8_t how)
{
	static const uint32_t schemes[] = { 0x0403, 0x0804, 0x0401, 0x0503, 0x0805,
		0x0806, 0x0603, 0x0201 };
	struct m_sign r;

	memset(&r, 0, sizeof(r));
	memcpy(r.keyid, keyids[how & 1], WIRE_KEYID);
	r.scheme = schemes[how >> 1 & 7];
	if (how & 0x10) {
		memset(r.tbs, ' ', 64);
		memcpy(r.tbs + 64, "TLS 1.3, server CertificateVerify", 34);
		r.len = 98 + (how & 0x20 ? 48 : 32);
	} else {
		r.tbs[64] = 3;
		r.tbs[66] = how & 0x20 ? 0x17 : 0x1d;
		r.tbs[67] = how & 0x20 ? 65 : 32;
		r.tbs[68] = how & 0x20 ? 4 : 9;
		r.len = 68U + r.tbs[67];
	}
	if (how & 0x80)
		fill((uint8_t *)&r, sizeof(r));
	if (!p->was_signed)
		p->asked = r;
	(void)chan_send(&p->chan, M_SIGN, next(), -1, &r, sizeof(r));
}

static void
says_sess(struct peer *p, uint8_t how, enum msg_type type)
{
	struct m_sess s;
	size_t len = sizeof(s);

	memset(&s, 0, sizeof(s));
	memset(s.id, next(), sizeof(s.id));
	if ((type == M_SESS_PUT) == !(how & 1))
		s.len = 1 + next();
	for (uint32_t i = 0; i < s.len; i++)
		s.der[i] = (uint8_t)(how + i);
	if (how & 0x80)
		fill((uint8_t *)&s, sizeof(s));
	/* The first one keeps the id; what does not fit is not kept. */
	if ((how & 2) != 0 && s.len <= sizeof(s.der))
		len = WIRE_SESS(s.len);
	(void)chan_send(&p->chan, type, next(), -1, &s, len);
	if (type == M_SESS_PUT) {
		unsigned int before = sess_count();

		event_base_loop(base, EVLOOP_NONBLOCK);
		if (sess_count() > before) {
			check(s.len > 0 && s.len <= SESS_DER_MAX);
			memset(s.der + s.len, 0, sizeof(s.der) - s.len);
			kept[s.id[0]] = s;
		}
	}
}

static void
says_any(struct peer *p)
{
	uint8_t buf[64];
	size_t n = next() % sizeof(buf);

	for (size_t i = 0; i < n; i++)
		buf[i] = next();
	(void)!write(p->chan.fd, buf, n);
}

static void
comes(struct peer *p)
{
	struct m_worker m;
	int fds[2];

	if (p->open)
		return;
	check(chan_pair(fds) == 0);
	memset(p, 0, sizeof(*p));
	chan_init(&p->chan, fds[0], P_WORKER, P_KEYS, NULL, NULL, NULL, NULL);
	p->open = true;
	memset(&m, 0, sizeof(m));
	serve_join(fds[1], &m);
}

static void
goes(struct peer *p)
{
	if (p->open)
		chan_close(&p->chan);
	p->open = false;
}

/* --- keys.c's part --- */

static void
key_make(int i)
{
	EVP_PKEY *k = i == 0 ? EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256") :
			       EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
	BIO *bio = BIO_new(BIO_s_mem());
	uint8_t *spki = NULL;
	const char *why;
	char *pem;
	long len;
	int fd, n;

	check(k != NULL &&
	    PEM_write_bio_PKCS8PrivateKey(bio, k, NULL, NULL, 0, NULL, NULL) == 1);
	len = BIO_get_mem_data(bio, &pem);
	check((fd = memfd_create("key", MFD_CLOEXEC)) != -1);
	check(write(fd, pem, (size_t)len) == len);
	n = i2d_PUBKEY(k, &spki);
	check(n > 0 &&
	    EVP_Digest(spki, (size_t)n, keyids[i], NULL, EVP_sha256(), NULL) == 1);
	check(key_load(fd, keyids[i], &why) == 0);
	OPENSSL_free(spki);
	BIO_free(bio);
	close(fd);
	keys[i] = k;
}

/* What only memory of OpenSSL's own heap points at looks lost. */
void __lsan_disable(void) __attribute__((weak));
void __lsan_enable(void) __attribute__((weak));

static void
start(void)
{
	static const struct chan_handler none[] = { { M_NONE, NULL } };
	int fds[2];

	key_memory();
	log_init("fuzz", STDERR_FILENO, 0, LOG_EMERG, false);
	check((base = event_base_new()) != NULL);
	sess_init();
	check(chan_pair(fds) == 0);
	chan_init(&to_master, fds[0], P_KEYS, P_MASTER, base, none, NULL, NULL);
	chan_init(&master, fds[1], P_MASTER, P_KEYS, NULL, NULL, NULL, NULL);
	serve_init(base, &to_master);
	if (__lsan_disable != NULL)
		__lsan_disable();
	for (int i = 0; i < KEYS; i++)
		key_make(i);
	if (__lsan_enable != NULL)
		__lsan_enable();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct peer *p;
	uint8_t op;

	in = data;
	left = size > 1024 ? 1024 : size;
	if (base == NULL)
		start();
	while (left > 0) {
		op = next();
		p = &peers[(op >> 3) % WORKERS];
		comes(p);
		switch (op & 7) {
		case 0:
		case 1:
			says_sign(p, next());
			break;
		case 2:
		case 3:
			says_sess(p, next(), M_SESS_PUT);
			break;
		case 4:
		case 5:
			says_sess(p, next(), M_SESS_GET);
			break;
		case 6:
			says_any(p);
			break;
		case 7:
			goes(p);
			break;
		}
		hear();
	}
	for (int i = 0; i < WORKERS; i++)
		goes(&peers[i]);
	hear();
	check(serve_peers() == 0);
	sess_forget_all();
	memset(kept, 0, sizeof(kept));
	return (0);
}
