/*
 * Tokens: their records, their text, how a JWT is read, and what is believed of one
 * whose signature holds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/stat.h>

#include <stdlib.h>

#include "privsep/auth/auth_policy.h"
#include "privsep/auth/token.h"
#include "privsep/jwt.h"
#include "privsep/token_text.h"
#include "store_helper.h"
#include "worker/jwt_parse.h"

#define NOW 1700000000LL

/* --- records --- */

static struct store_token
token(uint32_t uid, uint32_t n)
{
	struct store_token t;

	memset(&t, 0, sizeof(t));
	memset(t.key, 0xa5, sizeof(t.key));
	memcpy(t.key, &n, sizeof(n));
	snprintf(t.id, sizeof(t.id), "%016x", n);
	t.uid = uid;
	snprintf(t.name, sizeof(t.name), "token %u", n);
	strlcpy(t.scopes, "account.own ide.use", sizeof(t.scopes));
	t.created = NOW;
	t.expires = NOW + 100;
	return t;
}

static void
same_token(const struct store_token *a, const struct store_token *b)
{
	assert_memory_equal(a->key, b->key, sizeof(a->key));
	assert_string_equal(a->id, b->id);
	assert_int_equal(a->uid, b->uid);
	assert_string_equal(a->name, b->name);
	assert_string_equal(a->scopes, b->scopes);
	assert_int_equal(a->created, b->created);
	assert_int_equal(a->expires, b->expires);
	assert_int_equal(a->seen, b->seen);
}

static void
records(void **state)
{
	/* Version 3, byte by byte: it must be read for ever.  4 is the same. */
	static const uint8_t was[] = "\x03\x00\x40\x0d\x03\x00"
				     "0000000000000007"
				     "\x00\xf1\x53\x65\x00\x00\x00\x00"
				     "\x64\xf1\x53\x65\x00\x00\x00\x00"
				     "\x00\x00\x00\x00\x00\x00\x00\x00"
				     "\x07\x00token 7\x13\x00"
				     "account.own ide.use";
	uint8_t buf[STORE_RECORD_MAX], bad[STORE_RECORD_MAX];
	struct store_token t = token(200000, 7), u;
	struct store_session s = session(200000, 7), v;
	struct store_account a = account("ann", ""), b;
	size_t len, i;

	(void)state;
	len = token_encode(&t, buf);
	assert_int_equal(len, sizeof(was) - 1);
	assert_int_equal(buf[0], STORE_VERSION);
	assert_memory_equal(buf + 1, was + 1, len - 1);
	assert_int_equal(token_decode(&u, buf, len), RECORD_OK);
	memcpy(u.key, t.key, sizeof(u.key));
	same_token(&t, &u);
	assert_int_equal(token_decode(&u, was, len), RECORD_OK);
	memcpy(u.key, t.key, sizeof(u.key));
	same_token(&t, &u);
	for (i = 0; i < len; i++)
		assert_int_equal(token_decode(&u, buf, i), RECORD_BAD);
	for (i = 0; i < len * 256; i++) {
		memcpy(bad, buf, len);
		bad[i / 256] = (uint8_t)i;
		if (token_decode(&u, bad, len) == RECORD_OK)
			assert_true(token_encode(&u, bad) > 0);
	}
	buf[0] = STORE_VERSION + 1;
	assert_int_equal(token_decode(&u, buf, len), RECORD_NEWER);
	strlcpy(t.scopes, "account.own  ide.use", sizeof(t.scopes));
	assert_int_equal(token_encode(&t, buf), 0);
	/* A family, and the account's version. */
	s.kind = STORE_FAMILY;
	s.generation = 77;
	len = session_encode(&s, buf);
	assert_true(len > 0);
	assert_int_equal(session_decode(&v, buf, len), RECORD_OK);
	assert_int_equal(v.kind, STORE_FAMILY);
	assert_int_equal(v.generation, 77);
	s.kind = STORE_COOKIE;
	assert_int_equal(session_encode(&s, buf), 0);
	s.kind = STORE_API;
	assert_int_equal(session_encode(&s, buf), 0);
	a.uid = 200000;
	a.token_version = 5;
	len = account_encode(&a, buf);
	assert_true(len > 0);
	assert_int_equal(account_decode(&b, buf, len), RECORD_OK);
	assert_int_equal(b.token_version, 5);
}

static void
store_walk(bool memory)
{
	struct store_token t, got[STORE_TOKENS];
	struct store_session s;
	struct store_account a = account("ann", ""), b = account("bob", "");
	struct store *st;
	char at[WIRE_SESSION] = "";
	uint32_t i, n = 0;

	empty_dir();
	st = open_store(memory);
	assert_int_equal(store_account_add(st, &a), STORE_OK);
	assert_int_equal(store_account_add(st, &b), STORE_OK);
	for (i = 0; i < 10; i++) {
		t = token(i % 2 ? a.uid : b.uid, i);
		assert_int_equal(store_token_add(st, &t), STORE_OK);
		assert_int_equal(store_token_add(st, &t), STORE_NAME_TAKEN);
	}
	if (!memory) {
		store_close(st);
		st = open_store(false);
	}
	t = token(a.uid, 3);
	assert_int_equal(store_token_by_key(st, t.key, &got[0]), STORE_OK);
	same_token(&t, &got[0]);
	assert_int_equal(store_token_by_id(st, t.id, &got[0]), STORE_OK);
	same_token(&t, &got[0]);
	assert_int_equal(
	    store_token_by_id(st, "ffffffffffffffff", &got[0]), STORE_NOT_FOUND);
	assert_int_equal(store_token_of_user(st, a.uid, got, STORE_TOKENS), 5);
	assert_int_equal(store_token_of_user(st, a.uid, got, 2), 2);
	while (store_token_next(st, at, &got[0]) == STORE_OK) {
		assert_true(strcmp(at, got[0].id) < 0);
		strlcpy(at, got[0].id, sizeof(at));
		n++;
	}
	assert_int_equal(n, 10);
	assert_int_equal(store_token_seen(st, t.key, NOW + 5), STORE_OK);
	assert_int_equal(store_token_by_key(st, t.key, &got[0]), STORE_OK);
	assert_int_equal(got[0].seen, NOW + 5);
	assert_int_equal(store_token_delete(st, t.key), STORE_OK);
	assert_int_equal(store_token_delete(st, t.key), STORE_NOT_FOUND);
	assert_int_equal(store_token_by_id(st, t.id, &got[0]), STORE_NOT_FOUND);
	/* A refreshment is on the disk. */
	s = session(b.uid, 1);
	s.kind = STORE_FAMILY;
	s.generation = 1;
	assert_int_equal(store_session_add(st, &s), STORE_OK);
	assert_int_equal(store_session_rotate(st, s.key, 2, NOW + 9), STORE_OK);
	assert_int_equal(store_session_by_key(st, s.key, &s), STORE_OK);
	assert_int_equal(s.generation, 2);
	assert_int_equal(s.seen, NOW + 9);
	/* With the account go its tokens, and nobody else's. */
	assert_int_equal(store_account_delete(st, b.uid), STORE_OK);
	assert_int_equal(store_token_of_user(st, b.uid, got, STORE_TOKENS), 0);
	assert_int_equal(store_token_of_user(st, a.uid, got, STORE_TOKENS), 4);
	assert_int_equal(store_session_rotate(st, s.key, 3, NOW), STORE_NOT_FOUND);
	store_close(st);
}

static void
store_disk(void **state)
{
	(void)state;
	store_walk(false);
}

static void
store_memory(void **state)
{
	(void)state;
	store_walk(true);
}

/* --- the text of API tokens --- */

static void
text(void **state)
{
	uint8_t raw[WIRE_TOKEN], back[WIRE_TOKEN];
	char a[TOKEN_TEXT + 1], b[TOKEN_TEXT + 1];
	unsigned int i, k, c, found = 0;

	(void)state;
	for (i = 0; i < 20000; i++) {
		arc4random_buf(raw, sizeof(raw));
		if (i < 3)
			memset(raw, i == 0 ? 0 : i == 1 ? 0xff : 1, sizeof(raw));
		token_text(raw, a);
		assert_int_equal(strlen(a), TOKEN_TEXT);
		assert_int_equal(strncmp(a, "ided_", 5), 0);
		assert_int_equal(strspn(a + 5,
				     "0123456789abcdefghijklmnopqrstuvwxyz"
				     "ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
		    TOKEN_TEXT - 5);
		assert_true(token_text_parse(back, a, TOKEN_TEXT));
		assert_memory_equal(raw, back, sizeof(raw));
	}
	/* Any one byte that is another. */
	for (k = 0; k < TOKEN_TEXT; k++)
		for (c = 0; c < 256; c++) {
			memcpy(b, a, sizeof(b));
			b[k] = (char)c;
			if (b[k] != a[k])
				found += token_text_parse(back, b, TOKEN_TEXT);
		}
	assert_int_equal(found, 0);
	assert_false(token_text_parse(back, a, TOKEN_TEXT - 1));
	assert_false(token_text_parse(back, a, 0));
	/* More than 256 bits, with a checksum that fits. */
	memset(raw, 0xff, sizeof(raw));
	token_text(raw, a);
	assert_true(a[5] < 'z');
}

/* --- reading a JWT --- */

static struct m_jwt
claims(uint32_t use)
{
	struct m_jwt m;

	memset(&m, 0, sizeof(m));
	strlcpy(m.jwt.issuer, "https://ide.example.com", sizeof(m.jwt.issuer));
	strlcpy(m.jwt.name, "ann", sizeof(m.jwt.name));
	strlcpy(m.jwt.session, "0123456789abcdef", sizeof(m.jwt.session));
	strlcpy(m.jwt.jti, "0123456789abcdef0123456789abcdef", sizeof(m.jwt.jti));
	strlcpy(m.jwt.kid, "fedcba9876543210", sizeof(m.jwt.kid));
	m.jwt.alg = JWT_EDDSA;
	m.jwt.use = use;
	m.jwt.uid = 200000;
	m.jwt.version = 2;
	m.jwt.generation = 3;
	m.jwt.issued = NOW;
	m.jwt.expires = NOW + 900;
	m.sig.len = 64;
	memset(m.sig.bytes, 0x5a, m.sig.len);
	return m;
}

static bool
parses(const char *s, size_t len)
{
	struct m_jwt m;

	return jwt_parse(&m, (struct slice){ s, len });
}

static void
parse(void **state)
{
	char a[JWT_TEXT_MAX], b[JWT_TEXT_MAX + 8];
	struct m_jwt m, back;
	size_t n, i, c, sig;
	uint32_t v;

	(void)state;
	for (v = 0; v < 4; v++) {
		m = claims(v & 1 ? JWT_ACCESS : JWT_REFRESH);
		m.jwt.alg = v & 2 ? JWT_EDDSA : JWT_RS256;
		m.sig.len = v & 2 ? 64 : 256;
		memset(m.sig.bytes, (int)v, m.sig.len);
		m.jwt.uid = v == 3 ? UINT32_MAX : 1;
		m.jwt.expires = v == 3 ? JWT_TIME_MAX : NOW + 1;
		n = jwt_text(&m.jwt, &m.sig, a);
		assert_true(n > 0);
		assert_true(jwt_parse(&back, (struct slice){ a, n }));
		assert_memory_equal(&m, &back, sizeof(m));
	}
	/* No other byte in any place of what is signed; the signature is any. */
	sig = (size_t)(strrchr(a, '.') - a);
	for (i = 0; i < n; i++)
		for (c = 0; c < 256; c++) {
			if (a[i] == (char)c)
				continue;
			memcpy(b, a, n);
			b[i] = (char)c;
			if (i > sig && parses(b, n))
				continue;
			if (parses(b, n)) {
				/* Another token, in its one spelling. */
				assert_true(jwt_parse(&back, (struct slice){ b, n }));
				assert_int_equal(jwt_text(&back.jwt, &back.sig, a), n);
				assert_memory_equal(a, b, n);
				(void)jwt_text(&m.jwt, &m.sig, a);
			}
		}
	for (i = 0; i < n; i++)
		assert_false(i <= sig + 1 && parses(a, i));
	for (c = 0; c < 256; c++) {
		memcpy(b, a, n);
		b[n] = (char)c;
		/* 64 bytes are 86 digits: one more is none. */
		assert_false(parses(b, n + 1));
	}
	assert_false(parses("", 0));
	assert_false(parses("..", 2));
	assert_false(parses("...", 3));
}

static size_t
made(char *b, const char *head, const char *body)
{
	size_t n = jwt_base64(b, head, strlen(head));

	b[n++] = '.';
	n += jwt_base64(b + n, body, strlen(body));
	b[n++] = '.';
	memset(b + n, 'A', 86);
	return n + 86;
}

#define HEAD "{\"alg\":\"EdDSA\",\"typ\":\"at+jwt\",\"kid\":\"0123456789abcdef\"}"
#define MID                                                                              \
	"\"sub\":\"ann\",\"uid\":200000,\"sid\":\"0123456789abcdef\","                   \
	"\"jti\":\"0123456789abcdef0123456789abcdef\",\"ver\":2,\"gen\":3,"              \
	"\"iat\":1700000000,\"nbf\":1700000000,"
#define BODY "{\"iss\":\"ided\",\"aud\":\"ided\"," MID "\"exp\":1700000900}"

static void
other_words(void **state)
{
	static const char *const heads[] = {
		"{\"alg\":\"none\",\"typ\":\"at+jwt\",\"kid\":\"0123456789abcdef\"}",
		"{\"alg\":\"HS256\",\"typ\":\"at+jwt\",\"kid\":\"0123456789abcdef\"}",
		"{\"alg\":\"EdDSA\",\"typ\":\"JWT\",\"kid\":\"0123456789abcdef\"}",
		"{\"alg\":\"EdDSA\",\"typ\":\"at+jwt\",\"kid\":\"0123456789abcdeF\"}",
		"{\"alg\":\"EdDSA\",\"typ\":\"at+jwt\",\"kid\":\"../../../dev/null\"}",
		"{\"alg\":\"EdDSA\",\"typ\":\"at+jwt\",\"kid\":\"\"}",
		"{\"typ\":\"at+jwt\",\"alg\":\"EdDSA\",\"kid\":\"0123456789abcdef\"}",
		"{\"alg\":\"EdDSA\",\"typ\":\"at+jwt\",\"kid\":\"0123456789abcdef\","
		"\"crit\":[\"exp\"]}",
		"{\"alg\":\"EdDSA\",\"typ\":\"at+jwt\",\"kid\":\"0123456789abcdef\","
		"\"jwk\":{}}",
		"{\"alg\":\"EdDSA\",\"alg\":\"none\",\"typ\":\"at+jwt\","
		"\"kid\":\"0123456789abcdef\"}",
		"{ \"alg\":\"EdDSA\",\"typ\":\"at+jwt\",\"kid\":\"0123456789abcdef\"}",
		"{\"alg\":\"Ed\\u0044SA\",\"typ\":\"at+jwt\",\"kid\":"
		"\"0123456789abcdef\"}",
		"{}",
		"[]",
		"",
	};
	static const char *const bodies[] = {
		"{\"iss\":\"ided\",\"aud\":\"ided-refresh\"," MID "\"exp\":1700000900}",
		"{\"iss\":\"ided\",\"aud\":[\"ided\"]," MID "\"exp\":1700000900}",
		"{\"iss\":\"\",\"aud\":\"ided\"," MID "\"exp\":1700000900}",
		"{\"iss\":\"ided\",\"aud\":\"ided\"," MID "\"exp\":1700000900.0}",
		"{\"iss\":\"ided\",\"aud\":\"ided\"," MID "\"exp\":01700000900}",
		"{\"iss\":\"ided\",\"aud\":\"ided\"," MID "\"exp\":-1}",
		"{\"iss\":\"ided\",\"aud\":\"ided\"," MID "\"exp\":1e20}",
		"{\"iss\":\"ided\",\"aud\":\"ided\"," MID
		"\"exp\":99999999999999999999999999}",
		"{\"iss\":\"ided\",\"aud\":\"ided\"," MID "\"exp\":1700000000}",
		"{\"iss\":\"ided\",\"aud\":\"ided\"," MID
		"\"exp\":1700000900,\"admin\":true}",
		"{\"aud\":\"ided\"," MID "\"exp\":1700000900}",
		"{\"iss\":\"ided\",\"aud\":\"ided\"," MID "\"exp\":1700000900} ",
		"{\"iss\":\"i\\\"d\",\"aud\":\"ided\"," MID "\"exp\":1700000900}",
		"",
	};
	char b[4096];
	size_t i, n;

	(void)state;
	n = made(b, HEAD, BODY);
	assert_true(parses(b, n));
	for (i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		n = made(b, heads[i], BODY);
		assert_false(parses(b, n));
	}
	for (i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		n = made(b, HEAD, bodies[i]);
		assert_false(parses(b, n));
	}
	/* Numbers that would wrap. */
	n = made(b, HEAD,
	    "{\"iss\":\"ided\",\"aud\":\"ided\",\"sub\":\"ann\",\"uid\":4295167296,"
	    "\"sid\":\"0123456789abcdef\",\"jti\":\"0123456789abcdef0123456789abcdef\","
	    "\"ver\":2,\"gen\":3,\"iat\":1700000000,\"nbf\":1700000000,"
	    "\"exp\":1700000900}");
	assert_false(parses(b, n));
}

/* --- what is believed --- */

static void
believed(void **state)
{
	struct conf_auth conf;
	struct store_session s = session(200000, 0);
	struct store_account a = account("ann", "");
	struct wire_jwt j = claims(JWT_ACCESS).jwt, k;

	(void)state;
	memset(&conf, 0, sizeof(conf));
	conf.token_access = 900;
	conf.token_refresh = 7 * 86400;
	a.uid = 200000;
	a.token_version = 2;
	s.kind = STORE_FAMILY;
	s.generation = 3;
	s.created = NOW - 100;
	s.expires = s.created + conf.token_refresh;
	assert_null(token_claims(&conf, &j, &s, &a, NOW));
	assert_null(token_claims(&conf, &j, &s, &a, NOW + 899));
	assert_non_null(token_claims(&conf, &j, &s, &a, NOW + 900));
	assert_non_null(token_claims(&conf, &j, &s, &a, NOW + 86400 * 365));
	/* The clock went back, a little and more. */
	assert_null(token_claims(&conf, &j, &s, &a, NOW - TOKEN_SKEW));
	assert_non_null(token_claims(&conf, &j, &s, &a, NOW - TOKEN_SKEW - 1));
	/* The limit was lowered meanwhile. */
	conf.token_access = 300;
	assert_non_null(token_claims(&conf, &j, &s, &a, NOW + 299));
	conf.token_access = 900;
#define REFUSED(field, value)                                                            \
	k = j;                                                                           \
	k.field = (value);                                                               \
	assert_non_null(token_claims(&conf, &k, &s, &a, NOW))
	REFUSED(uid, 200001);
	REFUSED(version, 1);
	REFUSED(version, 3);
	REFUSED(generation, 4);
	REFUSED(issued, NOW - 500);
	REFUSED(expires, NOW + 901);
	k = j;
	k.generation = 1;
	assert_null(token_claims(&conf, &k, &s, &a, NOW));
	/* A refresh token: which generation is good is not decided here. */
	j.use = JWT_REFRESH;
	j.expires = NOW + 7 * 86400 - 100;
	assert_null(token_claims(&conf, &j, &s, &a, NOW));
	s.kind = STORE_COOKIE;
	assert_non_null(token_claims(&conf, &j, &s, &a, NOW));
	s.kind = STORE_FAMILY;
	a.uid++;
	assert_non_null(token_claims(&conf, &j, &s, &a, NOW));
}

static void
alive(void **state)
{
	struct conf_auth conf;
	struct store_session s = session(200000, 0);

	(void)state;
	memset(&conf, 0, sizeof(conf));
	conf.session_lifetime = 100;
	conf.session_idle = 10;
	conf.token_refresh = 1000;
	s.created = s.seen = NOW;
	s.expires = NOW + 1000;
	s.kind = STORE_FAMILY;
	s.generation = 1;
	assert_true(policy_session_alive(&conf, &s, NOW + 999));
	assert_false(policy_session_alive(&conf, &s, NOW + 1000));
	conf.token_refresh = 500;
	assert_false(policy_session_alive(&conf, &s, NOW + 500));
	assert_false(policy_session_alive(&conf, &s, NOW - 301));
	s.kind = STORE_API;
	assert_true(policy_session_alive(&conf, &s, NOW + 999));
	s.expires = 0;
	assert_true(policy_session_alive(&conf, &s, NOW + 10 * 365 * 86400LL));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records),
		cmocka_unit_test(store_disk),
		cmocka_unit_test(store_memory),
		cmocka_unit_test(text),
		cmocka_unit_test(parse),
		cmocka_unit_test(other_words),
		cmocka_unit_test(believed),
		cmocka_unit_test(alive),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
