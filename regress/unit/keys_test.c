/*
 * The keys process: which keys it takes, what it signs and what not, sessions.
 */
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>

#include "../../privsep/chan.h"
#include "../../privsep/keys/key.h"
#include "../../privsep/keys/serve.h"
#include "../../privsep/keys/session.h"
#include "../../privsep/keys/sign.h"

static struct event_base *base;

/* Keys for the tests. */

static void
keyid(EVP_PKEY *k, uint8_t id[WIRE_KEYID])
{
	uint8_t *spki = NULL;
	int len = i2d_PUBKEY(k, &spki);

	assert_true(len > 0);
	SHA256(spki, (size_t)len, id);
	OPENSSL_free(spki);
}

static int
file_of(const void *data, size_t len)
{
	int fd = memfd_create("key", MFD_CLOEXEC);

	assert_true(fd != -1);
	assert_int_equal(write(fd, data, len), len);
	return fd;
}

/* traditional: "EC PRIVATE KEY" and its like instead of PKCS#8. */
static int
pem_of(EVP_PKEY *k, bool traditional, const EVP_CIPHER *cipher)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *p;
	long len;
	int fd;

	if (traditional)
		assert_int_equal(PEM_write_bio_PrivateKey_traditional(bio, k,
		    cipher, NULL, 0, NULL, cipher != NULL ? (void *)(uintptr_t)"secret" : NULL), 1);
	else
		assert_int_equal(PEM_write_bio_PKCS8PrivateKey(bio, k, cipher,
		    NULL, 0, NULL, cipher != NULL ? (void *)(uintptr_t)"secret" : NULL), 1);
	len = BIO_get_mem_data(bio, &p);
	fd = file_of(p, (size_t)len);
	BIO_free(bio);
	return fd;
}

static EVP_PKEY *
ec(const char *curve)
{
	EVP_PKEY *k = EVP_PKEY_Q_keygen(NULL, NULL, "EC", curve);

	assert_non_null(k);
	return k;
}

static EVP_PKEY *
rsa(size_t bits)
{
	EVP_PKEY *k = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", bits);

	assert_non_null(k);
	return k;
}

static const char *
load(EVP_PKEY *k, int fd)
{
	uint8_t id[WIRE_KEYID];
	const char *why = NULL;

	keyid(k, id);
	if (key_load(fd, id, &why) == 0)
		assert_null(why);
	else
		assert_non_null(why);
	close(fd);
	return why;
}

static void
load_ok(EVP_PKEY *k)
{
	const char *why = load(k, pem_of(k, false, NULL));

	if (why != NULL)
		fail_msg("%s", why);
}

/* Things to be signed. */

static uint32_t
tbs13(uint8_t *tbs, uint32_t hash)
{
	memset(tbs, ' ', 64);
	memcpy(tbs + 64, "TLS 1.3, server CertificateVerify", 34);
	memset(tbs + 98, 0x5a, hash);
	return 98 + hash;
}

static uint32_t
tbs12(uint8_t *tbs, uint8_t group, uint8_t len, uint8_t first)
{
	memset(tbs, 0x11, 64);
	tbs[64] = 3;
	tbs[65] = 0;
	tbs[66] = group;
	tbs[67] = len;
	memset(tbs + 68, 0x22, len);
	tbs[68] = first;
	return 68U + len;
}

static struct m_sign
request(EVP_PKEY *k, uint32_t scheme, enum sign_form form)
{
	struct m_sign r;

	memset(&r, 0, sizeof(r));
	keyid(k, r.keyid);
	r.scheme = scheme;
	r.len = form == FORM_TLS13 ? tbs13(r.tbs, 32) : tbs12(r.tbs, 0x1d, 32, 9);
	return r;
}

static bool
verifies(EVP_PKEY *k, const struct m_sign *r, const struct m_signed *a)
{
	static const struct {
		uint32_t scheme;
		const char *md;
		int pad;
	} how[] = {
		{ 0x0403, "SHA256", 0 }, { 0x0503, "SHA384", 0 },
		{ 0x0603, "SHA512", 0 }, { 0x0804, "SHA256", RSA_PKCS1_PSS_PADDING },
		{ 0x0805, "SHA384", RSA_PKCS1_PSS_PADDING },
		{ 0x0806, "SHA512", RSA_PKCS1_PSS_PADDING },
		{ 0x0401, "SHA256", RSA_PKCS1_PADDING }, { 0x0807, NULL, 0 },
	};
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pctx;
	size_t i;
	bool ok;

	for (i = 0; how[i].scheme != r->scheme; i++)
		;
	assert_int_equal(EVP_DigestVerifyInit_ex(ctx, &pctx, how[i].md, NULL,
	    NULL, k, NULL), 1);
	if (how[i].pad != 0)
		assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(pctx, how[i].pad), 1);
	if (how[i].pad == RSA_PKCS1_PSS_PADDING)
		assert_int_equal(EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx,
		    RSA_PSS_SALTLEN_DIGEST), 1);
	ok = EVP_DigestVerify(ctx, a->sig, a->len, r->tbs, r->len) == 1;
	EVP_MD_CTX_free(ctx);
	return ok;
}

/* Loading. */

static void
test_load_kinds(void **state)
{
	EVP_PKEY *k[] = { ec("P-256"), ec("P-384"), ec("P-521"), rsa(2048),
		EVP_PKEY_Q_keygen(NULL, NULL, "ED25519") };
	static const enum key_type type[] = { KEY_P256, KEY_P384, KEY_P521,
		KEY_RSA, KEY_ED25519 };
	uint8_t id[WIRE_KEYID];
	size_t i;

	(void)state;
	for (i = 0; i < 5; i++) {
		assert_null(load(k[i], pem_of(k[i], false, NULL)));
		if (type[i] != KEY_ED25519)
			assert_null(load(k[i], pem_of(k[i], true, NULL)));
		keyid(k[i], id);
		assert_non_null(key_find(id));
		assert_int_equal(key_find(id)->type, type[i]);
		EVP_PKEY_free(k[i]);
	}
	key_forget_all();
	assert_null(key_find(id));
}

/* Parameters and certificates may stand before the key. */
static void
test_load_among_others(void **state)
{
	EVP_PKEY *k = ec("P-256");
	char text[8192];
	ssize_t n;
	size_t len;
	int fd;

	(void)state;
	len = (size_t)snprintf(text, sizeof(text), "comment\n"
	    "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n"
	    "-----END EC PARAMETERS-----\n");
	fd = pem_of(k, true, NULL);
	n = pread(fd, text + len, sizeof(text) - len, 0);
	close(fd);
	assert_true(n > 0);
	assert_null(load(k, file_of(text, len + (size_t)n)));
	EVP_PKEY_free(k);
	key_forget_all();
}

static void
test_load_refused(void **state)
{
	EVP_PKEY *k = ec("P-256"), *other = ec("P-256"), *small = rsa(1024);
	EVP_PKEY *odd = ec("secp256k1");
	static char large[KEY_FILE_MAX + 1];
	int fd;

	(void)state;
	assert_non_null(load(k, pem_of(other, false, NULL)));
	assert_non_null(load(k, pem_of(k, false, EVP_aes_128_cbc())));
	assert_non_null(load(k, pem_of(k, true, EVP_aes_128_cbc())));
	assert_non_null(load(k, file_of("", 0)));
	assert_non_null(load(k, file_of("no key", 6)));
	memset(large, '\n', sizeof(large));
	assert_non_null(load(k, file_of(large, sizeof(large))));
	assert_non_null(load(small, pem_of(small, false, NULL)));
	assert_non_null(load(odd, pem_of(odd, false, NULL)));
	assert_non_null(load(k, open("/", O_RDONLY | O_DIRECTORY)));
	fd = pem_of(k, false, NULL);
	assert_int_equal(ftruncate(fd, 100), 0);
	assert_non_null(load(k, fd));
	EVP_PKEY_free(k);
	EVP_PKEY_free(other);
	EVP_PKEY_free(small);
	EVP_PKEY_free(odd);
}

static void
test_load_generations(void **state)
{
	EVP_PKEY *k[KEY_GENERATIONS + 2];
	uint8_t id[KEY_GENERATIONS + 2][WIRE_KEYID];
	int i;

	(void)state;
	for (i = 0; i < KEY_GENERATIONS + 2; i++) {
		k[i] = ec("P-256");
		keyid(k[i], id[i]);
		load_ok(k[i]);
		load_ok(k[i]); /* again: in its own place */
		assert_non_null(key_find(id[i]));
	}
	for (i = 0; i < KEY_GENERATIONS + 2; i++) {
		assert_int_equal(key_find(id[i]) != NULL, i >= 2);
		EVP_PKEY_free(k[i]);
	}
	key_forget_all();
}

/*
 * Search this process for the private scalar of a key that it loaded.  The key
 * is made in another process, which tells the scalar in disguise.
 */
#define MASK	0x5a

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ASAN
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define WITH_ASAN
#endif

#ifdef WITH_ASAN /* it keeps what is freed, and its own maps are endless */
static void
test_key_in_secure_heap_only(void **state)
{
	(void)state;
	skip();
}
#else

static void
make_elsewhere(int pem[2], uint8_t masked[32], uint8_t id[WIRE_KEYID])
{
	uint8_t d[32];
	BIGNUM *bn = NULL;
	EVP_PKEY *k;
	int p[2];
	int i, status;

	assert_int_equal(pipe(p), 0);
	pem[0] = memfd_create("key", 0);
	if (fork() == 0) {
		k = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
		EVP_PKEY_get_bn_param(k, OSSL_PKEY_PARAM_PRIV_KEY, &bn);
		BN_bn2binpad(bn, d, sizeof(d));
		for (i = 0; i < 32; i++)
			d[i] ^= MASK;
		dup2(pem_of(k, false, NULL), pem[0]);
		i = pem_of(k, false, NULL);
		{
			char buf[4096];
			ssize_t n = pread(i, buf, sizeof(buf), 0);

			if (write(p[1], d, sizeof(d)) != sizeof(d))
				_exit(1);
			keyid(k, d);
			if (write(p[1], d, sizeof(d)) != sizeof(d) ||
			    write(p[1], buf, (size_t)n) != n)
				_exit(1);
		}
		_exit(0);
	}
	close(p[1]);
	assert_int_equal(read(p[0], masked, 32), 32);
	assert_int_equal(read(p[0], id, 32), 32);
	pem[1] = p[0];
	assert_true(wait(&status) > 0 && status == 0);
}

static bool
is_at(const uint8_t *p, const uint8_t masked[32], bool reversed)
{
	int i;

	for (i = 0; i < 32; i++)
		if ((p[i] ^ MASK) != masked[reversed ? 31 - i : i])
			return false;
	return true;
}

/* How often the scalar stands in memory, within and without the secure heap. */
static void
search(const uint8_t masked[32], unsigned int *inside, unsigned int *outside)
{
	char line[512], perm[8];
	unsigned long from, to;
	const uint8_t *p;
	FILE *f = fopen("/proc/self/maps", "r");

	*inside = *outside = 0;
	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "%lx-%lx %7s", &from, &to, perm) != 3 ||
		    perm[0] != 'r' || perm[1] != 'w')
			continue;
		for (p = (uint8_t *)from; p + 32 <= (uint8_t *)to; p++)
			if ((p[0] ^ MASK) == masked[0] || (p[0] ^ MASK) == masked[31])
				if (is_at(p, masked, false) || is_at(p, masked, true))
					*(CRYPTO_secure_allocated(p) ? inside : outside) += 1;
	}
	fclose(f);
}

static void
test_key_in_secure_heap_only(void **state)
{
	uint8_t masked[32], id[WIRE_KEYID];
	unsigned int inside, outside;
	static uint8_t spoil[65536];
	struct m_signed a;
	struct m_sign r;
	const char *why;
	uint8_t *pem;
	ssize_t n;
	int fds[2];

	(void)state;
	make_elsewhere(fds, masked, id);
	/* The text must not pass through this process's own buffers unwiped. */
	pem = OPENSSL_secure_malloc(4096);
	n = read(fds[1], pem, 4096);
	assert_true(n > 0 && write(fds[0], pem, (size_t)n) == n);
	OPENSSL_secure_clear_free(pem, 4096);
	assert_int_equal(key_load(fds[0], id, &why), 0);
	memset(&r, 0, sizeof(r));
	memcpy(r.keyid, id, sizeof(id));
	r.scheme = 0x0403;
	r.len = tbs13(r.tbs, 32);
	assert_int_equal(sign_tls(&r, &a, &why), SIGN_OK);
	memset(spoil, 1, sizeof(spoil));
	search(masked, &inside, &outside);
	assert_true(inside > 0);
	assert_int_equal(outside, 0);
	key_forget_all();
	search(masked, &inside, &outside);
	assert_int_equal(inside, 0);
	assert_int_equal(outside, 0);
	close(fds[0]);
	close(fds[1]);
}
#endif

/* Signing. */

static void
test_sign_form(void **state)
{
	uint8_t t[WIRE_TBS_MAX];
	uint32_t n, i;

	(void)state;
	memset(t, 0, sizeof(t));
	n = tbs13(t, 32);
	assert_int_equal(sign_form(t, n), FORM_TLS13);
	assert_int_equal(sign_form(t, n - 1), FORM_NONE);
	assert_int_equal(sign_form(t, n + 1), FORM_NONE);
	for (i = 0; i < 98; i++) {
		t[i] ^= 1;
		assert_int_equal(sign_form(t, n), FORM_NONE);
		t[i] ^= 1;
	}
	n = tbs13(t, 48);
	assert_int_equal(sign_form(t, n), FORM_TLS13);
	assert_int_equal(sign_form(t, tbs13(t, 64)), FORM_NONE);
	assert_int_equal(sign_form(t, tbs13(t, 20)), FORM_NONE);
	n = tbs13(t, 32);
	memcpy(t + 64, "TLS 1.3, client CertificateVerify", 34);
	assert_int_equal(sign_form(t, n), FORM_NONE);

	assert_int_equal(sign_form(t, tbs12(t, 0x1d, 32, 7)), FORM_TLS12);
	assert_int_equal(sign_form(t, tbs12(t, 0x17, 65, 4)), FORM_TLS12);
	assert_int_equal(sign_form(t, tbs12(t, 0x18, 97, 4)), FORM_TLS12);
	assert_int_equal(sign_form(t, tbs12(t, 0x17, 65, 2)), FORM_NONE);
	assert_int_equal(sign_form(t, tbs12(t, 0x17, 33, 2)), FORM_NONE);
	assert_int_equal(sign_form(t, tbs12(t, 0x19, 133, 4)), FORM_NONE);
	n = tbs12(t, 0x1d, 32, 7);
	assert_int_equal(sign_form(t, n - 1), FORM_NONE);
	assert_int_equal(sign_form(t, n + 1), FORM_NONE);
	t[64] = 1; /* explicit_prime */
	assert_int_equal(sign_form(t, n), FORM_NONE);
	for (i = 0; i < 300; i++)
		assert_int_equal(sign_form((const uint8_t *)
		    "................................................................"
		    "................................................................"
		    "................................................................"
		    "................................................................"
		    "................................................................",
		    i), FORM_NONE);
}

/* Each scheme, form and kind of key; only those listed may be had. */
static void
test_sign_matrix(void **state)
{
	static const uint32_t scheme[] = { 0x0403, 0x0503, 0x0603, 0x0804, 0x0805,
		0x0806, 0x0401, 0x0807, 0x0501, 0x0601, 0x0201, 0x0203, 0x0809,
		0x0808, 0, 0xffffffff };
	static const struct {
		int	key;
		uint32_t scheme;
		int	forms;
	} allowed[] = {
		{ 0, 0x0403, 3 }, { 1, 0x0503, 3 }, { 2, 0x0603, 3 },
		{ 3, 0x0804, 3 }, { 3, 0x0805, 3 }, { 3, 0x0806, 3 },
		{ 3, 0x0401, 2 }, { 4, 0x0807, 3 },
	};
	EVP_PKEY *all[5] = { ec("P-256"), ec("P-384"), ec("P-521"), rsa(2048),
		EVP_PKEY_Q_keygen(NULL, NULL, "ED25519") };
	struct m_signed a;
	struct m_sign r;
	const char *why;
	size_t s, i, seen = 0;
	int k, form;

	(void)state;
	for (k = 0; k < 5; k++) {
		load_ok(all[k]);
		for (s = 0; s < sizeof(scheme) / sizeof(scheme[0]); s++) {
			for (form = 1; form <= 2; form++) {
				enum sign_result want = SIGN_VIOLATION;

				for (i = 0; i < 8; i++)
					if (allowed[i].key == k &&
					    allowed[i].scheme == scheme[s] &&
					    (allowed[i].forms & form) != 0)
						want = SIGN_OK;
				r = request(all[k], scheme[s], (enum sign_form)form);
				assert_int_equal(sign_tls(&r, &a, &why), want);
				assert_int_equal(a.ok, want == SIGN_OK);
				assert_int_equal(a.len > 0, want == SIGN_OK);
				if (want == SIGN_OK) {
					seen++;
					assert_true(verifies(all[k], &r, &a));
				}
			}
		}
		EVP_PKEY_free(all[k]);
	}
	assert_int_equal(seen, 15);
	key_forget_all();
}

static void
test_sign_rsa_largest(void **state)
{
	EVP_PKEY *k = rsa(4096);
	struct m_sign r = request(k, 0x0804, FORM_TLS13);
	struct m_signed a;
	const char *why;

	(void)state;
	load_ok(k);
	assert_int_equal(sign_tls(&r, &a, &why), SIGN_OK);
	assert_int_equal(a.len, 512);
	assert_true(verifies(k, &r, &a));
	EVP_PKEY_free(k);
	key_forget_all();
}

/* Workers, at the other end of a channel. */

static void
turn(void)
{
	int i;

	for (i = 0; i < 4; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
}

static void
worker(struct chan *c)
{
	struct m_worker who;
	int fds[2];

	memset(&who, 0, sizeof(who));
	who.id = 7;
	assert_int_equal(chan_pair(fds), 0);
	serve_join(fds[0], &who);
	chan_init(c, fds[1], P_WORKER, P_KEYS, NULL, NULL, NULL, NULL);
}

/* 1 with an answer, 0 when the channel was closed, -1 when nothing came. */
static int
answered(struct chan *c, struct msg *m)
{
	const char *why;

	turn();
	return chan_recv(c, m, &why);
}

static void
say(struct chan *c, enum msg_type t, const void *p, size_t len)
{
	assert_int_equal(chan_send(c, t, 0, -1, p, len), 0);
}

static struct msg m;

static void
test_serve_one_signature(void **state)
{
	EVP_PKEY *k = ec("P-256");
	struct m_sign r = request(k, 0x0403, FORM_TLS13);
	struct chan c;

	(void)state;
	load_ok(k);
	worker(&c);
	assert_int_equal(serve_peers(), 1);
	say(&c, M_SIGN, &r, sizeof(r));
	assert_int_equal(answered(&c, &m), 1);
	assert_int_equal(m.head.type, M_SIGNED);
	assert_int_equal(MSG_DATA(&m, m_signed)->ok, 1);
	assert_true(verifies(k, &r, MSG_DATA(&m, m_signed)));
	say(&c, M_SIGN, &r, sizeof(r));
	assert_int_equal(answered(&c, &m), 0);
	assert_int_equal(serve_peers(), 0);
	chan_close(&c);
	EVP_PKEY_free(k);
	key_forget_all();
}

static void
test_serve_refusals(void **state)
{
	EVP_PKEY *k = ec("P-256"), *unknown = ec("P-256");
	struct m_sign good = request(k, 0x0403, FORM_TLS13), bad[4];
	struct m_sess get;
	struct chan c;
	int i;

	(void)state;
	load_ok(k);
	bad[0] = bad[1] = bad[2] = bad[3] = good;
	bad[0].tbs[70] ^= 1;
	bad[1].scheme = 0x0804;
	bad[2].len = WIRE_TBS_MAX + 1;
	bad[3].len = 0xffffffff;
	for (i = 0; i < 4; i++) {
		worker(&c);
		say(&c, M_SIGN, &bad[i], sizeof(bad[i]));
		assert_int_equal(answered(&c, &m), 0);
		assert_int_equal(serve_peers(), 0);
		chan_close(&c);
	}
	/* An old key is no violation, but the one signature is used up. */
	keyid(unknown, good.keyid);
	worker(&c);
	say(&c, M_SIGN, &good, sizeof(good));
	assert_int_equal(answered(&c, &m), 1);
	assert_int_equal(MSG_DATA(&m, m_signed)->ok, 0);
	assert_int_equal(MSG_DATA(&m, m_signed)->len, 0);
	memset(&get, 0, sizeof(get));
	say(&c, M_SESS_GET, &get, sizeof(get));
	assert_int_equal(answered(&c, &m), 0);
	chan_close(&c);
	assert_int_equal(serve_peers(), 0);
	EVP_PKEY_free(k);
	EVP_PKEY_free(unknown);
	key_forget_all();
}

static struct m_sess
session(unsigned int n, uint32_t len)
{
	struct m_sess s;

	memset(&s, 0, sizeof(s));
	memcpy(s.id, &n, sizeof(n));
	s.len = len;
	memset(s.der, (int)n, sizeof(s.der));
	return s;
}

static size_t
ask(struct chan *c, unsigned int n)
{
	struct m_sess s = session(n, 0);

	say(c, M_SESS_GET, &s, sizeof(s));
	assert_int_equal(answered(c, &m), 1);
	assert_int_equal(m.head.type, M_SESS);
	assert_memory_equal(MSG_DATA(&m, m_sess)->id, s.id, sizeof(s.id));
	return MSG_DATA(&m, m_sess)->len;
}

static void
test_serve_sessions(void **state)
{
	struct m_sess s;
	struct chan c;
	int i;

	(void)state;
	worker(&c);
	for (i = 1; i <= SERVE_PUTS; i++) {
		s = session((unsigned int)i, 100);
		say(&c, M_SESS_PUT, &s, sizeof(s));
		assert_int_equal(answered(&c, &m), -1);
	}
	chan_close(&c);
	turn();
	worker(&c);
	assert_int_equal(ask(&c, 1), 100);
	for (i = 0; i < 100; i++)
		assert_int_equal(MSG_DATA(&m, m_sess)->der[i], 1);
	s = session(2, 0);
	say(&c, M_SESS_GET, &s, sizeof(s));
	assert_int_equal(answered(&c, &m), 0); /* one question */
	chan_close(&c);
	worker(&c);
	assert_int_equal(ask(&c, 1), 0); /* used */
	chan_close(&c);
	worker(&c);
	assert_int_equal(ask(&c, 2), 100);
	chan_close(&c);
	turn();
	assert_int_equal(serve_peers(), 0);
	assert_int_equal(sess_count(), 0);
}

static void
test_serve_session_violations(void **state)
{
	struct m_sess s;
	struct chan c;
	int i;

	(void)state;
	worker(&c);
	for (i = 0; i < SERVE_PUTS; i++) {
		s = session(50U + (unsigned int)i, 10);
		say(&c, M_SESS_PUT, &s, sizeof(s));
	}
	s = session(60, 10);
	say(&c, M_SESS_PUT, &s, sizeof(s));
	assert_int_equal(answered(&c, &m), 0);
	chan_close(&c);
	worker(&c);
	s = session(61, 0);
	say(&c, M_SESS_PUT, &s, sizeof(s));
	assert_int_equal(answered(&c, &m), 0);
	chan_close(&c);
	worker(&c);
	s = session(61, WIRE_SESSDER + 1);
	say(&c, M_SESS_PUT, &s, sizeof(s));
	assert_int_equal(answered(&c, &m), 0);
	chan_close(&c);
	worker(&c);
	s = session(61, 1);
	say(&c, M_SESS_GET, &s, sizeof(s));
	assert_int_equal(answered(&c, &m), 0);
	chan_close(&c);
	assert_int_equal(sess_count(), SERVE_PUTS);
	sess_forget_all();
	assert_int_equal(serve_peers(), 0);
}

/* The table. */

static void
put(unsigned int n, size_t len, int64_t now)
{
	struct m_sess s = session(n, 0);

	sess_put(s.id, s.der, len, now);
}

static size_t
take(unsigned int n, int64_t now)
{
	uint8_t der[SESS_DER_MAX];
	struct m_sess s = session(n, 0);

	return sess_take(s.id, der, now);
}

static void
test_session_bounds(void **state)
{
	(void)state;
	put(1, 0, 0);
	put(2, SESS_DER_MAX + 1, 0);
	assert_int_equal(sess_count(), 0);
	put(3, SESS_DER_MAX, 0);
	put(3, 5, 0); /* taken already */
	assert_int_equal(sess_count(), 1);
	assert_int_equal(take(3, 0), SESS_DER_MAX);
	assert_int_equal(take(3, 0), 0);
	assert_int_equal(sess_count(), 0);
}

static void
test_session_full(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < SESS_MAX + 100; i++)
		put(i, 10, 0);
	assert_int_equal(sess_count(), SESS_MAX);
	for (i = 0; i < 100; i++)
		assert_int_equal(take(i, 0), 0);
	for (; i < SESS_MAX + 100; i += 3)
		assert_int_equal(take(i, 0), 10);
	/* Holes in the ring: what is put is found, what is old goes first. */
	for (i = 0; i < SESS_MAX; i++) {
		put(100000 + i, 20, 0);
		assert_true(sess_count() <= SESS_MAX);
	}
	for (i = 0; i < SESS_MAX; i++)
		assert_int_equal(take(100000 + i, 0), 20);
	assert_int_equal(sess_count(), 0);
}

static void
test_session_expiry(void **state)
{
	(void)state;
	put(1, 10, 1000);
	put(2, 10, 2000);
	put(3, 10, 2000);
	assert_int_equal(take(1, 1000 + SESS_LIFETIME), 0);
	assert_int_equal(sess_count(), 2);
	assert_int_equal(take(2, 1999 + SESS_LIFETIME), 10);
	sess_expire(2000 + SESS_LIFETIME);
	assert_int_equal(sess_count(), 0);
	assert_int_equal(take(3, 2000), 0);
}

/* At random against a plain model. */
static void
test_session_model(void **state)
{
	enum { N = 40000 };
	static uint8_t there[N];
	unsigned int i, n, have = 0;
	uint32_t rnd = 1;

	(void)state;
	for (i = 0; i < 200000; i++) {
		rnd = rnd * 1664525 + 1013904223;
		n = (rnd >> 8) % 12000; /* never full */
		if ((rnd & 0x80) != 0) {
			put(n, 1 + n % SESS_DER_MAX, 0);
			have += there[n] == 0;
			there[n] = 1;
		} else {
			assert_int_equal(take(n, 0),
			    there[n] != 0 ? 1 + n % SESS_DER_MAX : 0);
			have -= there[n];
			there[n] = 0;
		}
		if (sess_count() != have) /* the ring came round to a hole */
			break;
	}
	assert_true(i > SESS_MAX);
	sess_forget_all();
	assert_int_equal(sess_count(), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_load_kinds),
		cmocka_unit_test(test_load_among_others),
		cmocka_unit_test(test_load_refused),
		cmocka_unit_test(test_load_generations),
		cmocka_unit_test(test_key_in_secure_heap_only),
		cmocka_unit_test(test_sign_form),
		cmocka_unit_test(test_sign_matrix),
		cmocka_unit_test(test_sign_rsa_largest),
		cmocka_unit_test(test_serve_one_signature),
		cmocka_unit_test(test_serve_refusals),
		cmocka_unit_test(test_serve_sessions),
		cmocka_unit_test(test_serve_session_violations),
		cmocka_unit_test(test_session_bounds),
		cmocka_unit_test(test_session_full),
		cmocka_unit_test(test_session_expiry),
		cmocka_unit_test(test_session_model),
	};

	key_memory();
	sess_init();
	base = event_base_new();
	serve_init(base);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
