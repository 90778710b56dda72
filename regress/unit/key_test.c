/*
 * The keys process: which keys it takes, where they are, what it signs.
 */
#include "keys_helper.h"

/* Loading. */

static void
test_load_kinds(void **state)
{
	EVP_PKEY *k[] = { ec("P-256"), ec("P-384"), ec("P-521"), rsa(2048),
		EVP_PKEY_Q_keygen(NULL, NULL, "ED25519") };
	static const enum key_type type[] = { KEY_P256, KEY_P384, KEY_P521, KEY_RSA,
		KEY_ED25519 };
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
	len = (size_t)snprintf(text, sizeof(text),
	    "comment\n"
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
#define MASK 0x5a

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
					*(CRYPTO_secure_allocated(p) ? inside :
								       outside) += 1;
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
		assert_int_equal(
		    sign_form((const uint8_t *)"........................................."
					       "......................."
					       "........................................."
					       "......................."
					       "........................................."
					       "......................."
					       "........................................."
					       "......................."
					       "........................................."
					       ".......................",
			i),
		    FORM_NONE);
}

/* Each scheme, form and kind of key; only those listed may be had. */
static void
test_sign_matrix(void **state)
{
	static const uint32_t scheme[] = { 0x0403, 0x0503, 0x0603, 0x0804, 0x0805, 0x0806,
		0x0401, 0x0807, 0x0501, 0x0601, 0x0201, 0x0203, 0x0809, 0x0808, 0,
		0xffffffff };
	static const struct {
		int key;
		uint32_t scheme;
		int forms;
	} allowed[] = {
		{ 0, 0x0403, 3 },
		{ 1, 0x0503, 3 },
		{ 2, 0x0603, 3 },
		{ 3, 0x0804, 3 },
		{ 3, 0x0805, 3 },
		{ 3, 0x0806, 3 },
		{ 3, 0x0401, 2 },
		{ 4, 0x0807, 3 },
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
	};

	key_memory();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
