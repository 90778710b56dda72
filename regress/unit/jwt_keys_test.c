/*
 * Keys of tokens: made, kept over restarts and torn writes, replaced with an
 * overlap; and what auth takes for signed by them: that very struct, nothing else.
 */
#include "keys_helper.h"

#include <sys/stat.h>

#include <bsd/string.h>

#include "../../privsep/auth/token_jwt.h"
#include "../../privsep/jwt.h"
#include "../../privsep/keys/jwt_keys.h"

#define T0      1700000000
#define DAY     86400
#define PLACE   65536
#define OVERLAP (7 * DAY)

static int file;

static void
want(uint32_t alg, int64_t now)
{
	struct m_keystore k = { alg, 30 * DAY, OVERLAP, 0 };

	(void)jwt_keys_open(dup(file), &k, now);
}

static int
setup(void **state)
{
	(void)state;
	file = memfd_create("token", MFD_CLOEXEC);
	assert_true(file != -1);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	jwt_keys_forget_all();
	close(file);
	return 0;
}

static void
again(uint32_t alg, int64_t now)
{
	jwt_keys_forget_all();
	want(alg, now);
}

static struct m_jwt_keys public(void)
{
	struct m_jwt_keys m;

	jwt_keys_public(&m);
	token_keys_set(&m);
	return m;
}

static struct wire_jwt
claims(uint32_t use, int64_t now)
{
	struct wire_jwt j;

	memset(&j, 0, sizeof(j));
	strlcpy(j.issuer, "https://ide.example.com", sizeof(j.issuer));
	strlcpy(j.name, "ann", sizeof(j.name));
	strlcpy(j.session, "0123456789abcdef", sizeof(j.session));
	strlcpy(j.jti, "0123456789abcdef0123456789abcdef", sizeof(j.jti));
	j.use = use;
	j.uid = 200000;
	j.version = 3;
	j.generation = 4;
	j.issued = now;
	j.expires = now + 900;
	return j;
}

static struct m_jwt_signed
sign(struct wire_jwt *access, struct wire_jwt *refresh, int64_t now)
{
	struct m_jwt_sign m;
	struct m_jwt_signed ans;

	memset(&m, 0, sizeof(m));
	m.access = *access = claims(JWT_ACCESS, now);
	m.refresh = *refresh = claims(JWT_REFRESH, now);
	jwt_sign(&m, &ans, now);
	access->alg = refresh->alg = ans.alg;
	strlcpy(access->kid, ans.kid, sizeof(access->kid));
	strlcpy(refresh->kid, ans.kid, sizeof(refresh->kid));
	return ans;
}

static void
signs(uint32_t alg)
{
	struct wire_jwt a, r;
	struct m_jwt_signed s;

	want(alg, T0);
	assert_int_equal(public().count, 1);
	s = sign(&a, &r, T0);
	assert_int_equal(s.ok, 1);
	assert_int_equal(s.alg, alg);
	assert_int_equal(s.access.len, alg == JWT_EDDSA ? 64 : JWT_RSA / 8);
	assert_true(token_signed(&a, &s.access));
	assert_true(token_signed(&r, &s.refresh));
	/* Each for its own use. */
	assert_false(token_signed(&a, &s.refresh));
	assert_false(token_signed(&r, &s.access));
}

static void
test_eddsa(void **state)
{
	(void)state;
	signs(JWT_EDDSA);
}

static void
test_rs256(void **state)
{
	(void)state;
	signs(JWT_RS256);
}

/* Not one bit of the struct or of the signature is without meaning. */
static void
test_every_bit(void **state)
{
	struct wire_jwt a, r, b;
	struct m_jwt_signed s;
	struct wire_jwt_sig sig;
	size_t i, n = 0;

	(void)state;
	want(JWT_EDDSA, T0);
	public();
	s = sign(&a, &r, T0);
	for (i = 0; i < sizeof(a) * 8; i++) {
		b = a;
		((uint8_t *)&b)[i / 8] ^= (uint8_t)(1 << i % 8);
		/* Padding, and what follows the end of a string. */
		if (token_signed(&b, &s.access)) {
			char x[JWT_INPUT_MAX], y[JWT_INPUT_MAX];

			assert_int_equal(jwt_input(&a, x), jwt_input(&b, y));
			assert_string_equal(x, y);
		} else
			n++;
	}
	assert_true(n > 8 * 100);
	for (i = 0; i < 64 * 8; i++) {
		sig = s.access;
		sig.bytes[i / 8] ^= (uint8_t)(1 << i % 8);
		assert_false(token_signed(&a, &sig));
	}
	for (i = 0; i < 64; i++) {
		sig = s.access;
		sig.len = (uint32_t)i;
		assert_false(token_signed(&a, &sig));
	}
	sig.len = UINT32_MAX;
	assert_false(token_signed(&a, &sig));
}

/* A word about a user for one service: no token of ours, and none for another. */
static void
test_assertion(void **state)
{
	char text[JWT_INPUT_MAX], other[JWT_INPUT_MAX];
	struct m_location_signed s;
	struct wire_assertion a, b;
	struct wire_jwt j;

	(void)state;
	want(JWT_EDDSA, T0);
	public();
	memset(&a, 0, sizeof(a));
	a.jwt = claims(JWT_ACCESS, T0);
	a.jwt.use = a.jwt.version = a.jwt.generation = 0;
	a.jwt.expires = T0 + JWT_ASSERTION_LIFE;
	strlcpy(a.location, "/grafana/", sizeof(a.location));
	strlcpy(a.roles, "admin user", sizeof(a.roles));
	jwt_assert(&a, &s, T0);
	assert_int_equal(s.sig.len, 64);
	assert_string_equal(s.assertion.location, a.location);
	assert_true(jwt_assertion_input(&s.assertion, text) > 0);
	/* As a token it is not even spelled. */
	j = s.assertion.jwt;
	assert_int_equal(jwt_input(&j, other), 0);
	for (j.use = JWT_ACCESS; j.use <= JWT_REFRESH; j.use++)
		assert_false(token_signed(&j, &s.sig));

	b = a;
	b.jwt.expires++;
	jwt_assert(&b, &s, T0);
	assert_int_equal(s.sig.len, 0);
	b = a;
	b.jwt.use = JWT_ACCESS;
	jwt_assert(&b, &s, T0);
	assert_int_equal(s.sig.len, 0);
	b = a;
	strlcpy(b.location, "/a\",\"sub\":\"root", sizeof(b.location));
	jwt_assert(&b, &s, T0);
	assert_int_equal(s.sig.len, 0);
	b = a;
	memset(b.roles, 'a', sizeof(b.roles));
	jwt_assert(&b, &s, T0);
	assert_int_equal(s.sig.len, 0);
	b = a;
	strlcpy(b.roles, "a\"b", sizeof(b.roles));
	jwt_assert(&b, &s, T0);
	assert_int_equal(s.sig.len, 0);
	/* The longest there may be. */
	b = a;
	memset(b.roles, 'r', sizeof(b.roles) - 1);
	memset(b.location, 'l', sizeof(b.location) - 1);
	memset(b.jwt.issuer, 'i', sizeof(b.jwt.issuer) - 1);
	memset(b.jwt.name, 'n', sizeof(b.jwt.name) - 1);
	b.jwt.uid = UINT32_MAX;
	b.jwt.expires = JWT_TIME_MAX;
	b.jwt.issued = b.jwt.expires - JWT_ASSERTION_LIFE;
	jwt_assert(&b, &s, T0);
	assert_int_equal(s.sig.len, 64);
}

/* An RSA key is not used as another algorithm's, nor the other way round. */
static void
test_confusion(void **state)
{
	struct wire_jwt a, r;
	struct m_jwt_signed s;

	(void)state;
	want(JWT_EDDSA, T0);
	public();
	s = sign(&a, &r, T0);
	a.alg = JWT_RS256;
	assert_false(token_signed(&a, &s.access));
	a.alg = 0; /* none */
	assert_false(token_signed(&a, &s.access));
	s.access.len = 0;
	assert_false(token_signed(&a, &s.access));
}

static void
test_not_a_token(void **state)
{
	static const char *const issuers[] = { "", "a\"b", "a\\b", "a b", "a\nb",
		"\xc3\xa4" };
	struct m_jwt_sign m;
	struct m_jwt_signed s;
	size_t i;

	(void)state;
	want(JWT_EDDSA, T0);
	for (i = 0; i < sizeof(issuers) / sizeof(issuers[0]); i++) {
		memset(&m, 0, sizeof(m));
		m.access = claims(JWT_ACCESS, T0);
		m.refresh = claims(JWT_REFRESH, T0);
		strlcpy(m.access.issuer, issuers[i], sizeof(m.access.issuer));
		jwt_sign(&m, &s, T0);
		assert_int_equal(s.ok, 0);
		assert_int_equal(s.access.len, 0);
	}
	memset(&m, 0, sizeof(m));
	m.access = claims(JWT_REFRESH, T0);
	m.refresh = claims(JWT_ACCESS, T0);
	jwt_sign(&m, &s, T0);
	assert_int_equal(s.ok, 0);
	m.access = claims(JWT_ACCESS, T0);
	m.refresh = claims(JWT_REFRESH, T0);
	memset(m.access.name, 'a', sizeof(m.access.name));
	jwt_sign(&m, &s, T0);
	assert_int_equal(s.ok, 0);
}

static void
test_nothing_before_the_file(void **state)
{
	struct wire_jwt a, r;
	struct m_jwt_signed s;

	(void)state;
	assert_false(jwt_keys_tick(T0));
	assert_false(jwt_keys_rotate(false, T0));
	s = sign(&a, &r, T0);
	assert_int_equal(s.ok, 0);
}

static void
test_kept(void **state)
{
	struct m_jwt_keys before, after;
	struct wire_jwt a, r;
	struct m_jwt_signed s;
	struct stat st;

	(void)state;
	want(JWT_RS256, T0);
	before = public();
	s = sign(&a, &r, T0);
	again(JWT_RS256, T0 + 60);
	after = public();
	assert_memory_equal(&before, &after, sizeof(before));
	assert_true(token_signed(&a, &s.access));
	assert_int_equal(fstat(file, &st), 0);
	assert_true(st.st_size <= 2 * PLACE);
}

/* The power went in the middle of a write: the image before is whole. */
static void
test_torn(void **state)
{
	struct m_jwt_keys before, after;
	uint8_t *copy = malloc(2 * PLACE), byte;
	off_t at;
	int k;

	(void)state;
	want(JWT_EDDSA, T0);
	assert_true(jwt_keys_rotate(false, T0 + 1));
	before = public();
	assert_int_equal(before.count, 2);
	/* The third write goes over the first image, and is lost in its midst. */
	for (k = 0; k < 64; k++) {
		at = (off_t)PLACE + 8 + k * 250;
		assert_true(pread(file, copy, 2 * PLACE, 0) > 0);
		assert_int_equal(pread(file, &byte, 1, at), 1);
		byte ^= 0x40;
		assert_int_equal(pwrite(file, &byte, 1, at), 1);
		again(JWT_EDDSA, T0 + 2);
		after = public();
		/* Which of both is damaged follows from where the later one is. */
		assert_true(after.count == 1 || after.count == 2);
		assert_string_equal(after.key[0].kid, before.key[0].kid);
		assert_int_equal(pwrite(file, copy, 2 * PLACE, 0), 2 * PLACE);
	}
	free(copy);
}

static void
test_damaged(void **state)
{
	struct m_jwt_keys before, after;
	struct wire_jwt a, r;
	struct m_jwt_signed s;

	(void)state;
	want(JWT_EDDSA, T0);
	before = public();
	s = sign(&a, &r, T0);
	assert_int_equal(ftruncate(file, 100), 0);
	again(JWT_EDDSA, T0);
	after = public();
	assert_int_equal(after.count, 1);
	assert_string_not_equal(before.key[0].kid, after.key[0].kid);
	assert_false(token_signed(&a, &s.access));
}

static void
test_rotation(void **state)
{
	struct wire_jwt a, r, a2;
	struct m_jwt_signed s, s2;
	struct m_jwt_keys first, k;

	(void)state;
	want(JWT_EDDSA, T0);
	first = public();
	assert_false(jwt_keys_tick(T0 + 30 * DAY - 1));
	assert_true(jwt_keys_tick(T0 + 30 * DAY));
	k = public();
	assert_int_equal(k.count, 2);
	/* Known, but the old one signs for a while. */
	s = sign(&a, &r, T0 + 30 * DAY);
	assert_string_equal(a.kid, first.key[0].kid);
	s2 = sign(&a2, &r, T0 + 30 * DAY + JWT_AHEAD);
	assert_string_equal(a2.kid, k.key[1].kid);
	assert_true(token_signed(&a, &s.access));
	assert_true(token_signed(&a2, &s2.access));
	/* The last token of the old one has run out. */
	assert_false(jwt_keys_tick(T0 + 30 * DAY + JWT_AHEAD + OVERLAP - 1));
	assert_true(jwt_keys_tick(T0 + 30 * DAY + JWT_AHEAD + OVERLAP));
	assert_int_equal(public().count, 1);
	assert_false(token_signed(&a, &s.access));
	assert_true(token_signed(&a2, &s2.access));
}

static void
test_forget(void **state)
{
	struct wire_jwt a, r;
	struct m_jwt_signed s;
	char kid[WIRE_KID];
	int i;

	(void)state;
	want(JWT_EDDSA, T0);
	public();
	s = sign(&a, &r, T0);
	assert_true(jwt_keys_rotate(false, T0 + 1));
	public();
	assert_true(token_signed(&a, &s.access));
	s = sign(&a, &r, T0 + 1);
	assert_string_equal(a.kid, public().key[1].kid);
	assert_true(jwt_keys_rotate(true, T0 + 2));
	assert_int_equal(public().count, 1);
	assert_false(token_signed(&a, &s.access));
	again(JWT_EDDSA, T0 + 3);
	assert_int_equal(public().count, 1);
	/* As often as there is room: none goes before what it signed is over. */
	for (i = 1; i < WIRE_JWT_KEYS; i++)
		assert_true(jwt_keys_rotate(false, T0 + 4 + i));
	assert_int_equal(public().count, WIRE_JWT_KEYS);
	strlcpy(kid, public().key[0].kid, sizeof(kid));
	assert_false(jwt_keys_rotate(false, T0 + 20));
	assert_int_equal(public().count, WIRE_JWT_KEYS);
	assert_string_equal(public().key[0].kid, kid);
	s = sign(&a, &r, T0 + 30);
	assert_true(token_signed(&a, &s.access));
}

static void
test_other_algorithm(void **state)
{
	struct wire_jwt a, r, b;
	struct m_jwt_signed s, t;

	(void)state;
	want(JWT_EDDSA, T0);
	public();
	s = sign(&a, &r, T0);
	want(JWT_RS256, T0 + 60);
	assert_int_equal(public().count, 2);
	t = sign(&b, &r, T0 + 60 + JWT_AHEAD);
	assert_int_equal(b.alg, JWT_RS256);
	assert_true(token_signed(&b, &t.access));
	assert_true(token_signed(&a, &s.access));
}

/* The clock went back: what is signed is still known to everybody. */
static void
test_clock_back(void **state)
{
	struct wire_jwt a, r;
	struct m_jwt_signed s;

	(void)state;
	want(JWT_EDDSA, T0);
	assert_true(jwt_keys_rotate(false, T0 + 100));
	public();
	s = sign(&a, &r, T0 - 10 * DAY);
	assert_int_equal(s.ok, 1);
	assert_true(token_signed(&a, &s.access));
	assert_false(jwt_keys_tick(T0 - 10 * DAY));
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_eddsa),
		T(test_rs256),
		T(test_every_bit),
		T(test_assertion),
		T(test_confusion),
		T(test_not_a_token),
		T(test_nothing_before_the_file),
		T(test_kept),
		T(test_torn),
		T(test_damaged),
		T(test_rotation),
		T(test_forget),
		T(test_other_algorithm),
		T(test_clock_back),
	};

	key_memory();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
