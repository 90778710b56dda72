/*
 * Records of the store: what is written is what is read, and nothing else is.
 */
#include "store_helper.h"

/* What is written is what is read, and every cut of it is refused. */
static void
records(void **state)
{
	struct store_account a = account("alice", "alice@example.com"), b;
	struct store_session s = session(FIRST, 7), t;
	uint8_t buf[STORE_RECORD_MAX], bad[STORE_RECORD_MAX];
	size_t len, i;

	(void)state;
	a.uid = FIRST;
	a.has_mint = true;
	memset(a.mint, 0xab, sizeof(a.mint));
	strlcpy(a.last_query, "folder=/home/alice", sizeof(a.last_query));
	assert_true((len = account_encode(&a, buf)) > 0);
	assert_int_equal(account_decode(&b, buf, len), RECORD_OK);
	same_account(&a, &b);
	for (i = 0; i < len; i++)
		assert_int_equal(account_decode(&b, buf, i), RECORD_BAD);
	memcpy(bad, buf, len);
	bad[len] = 0;
	assert_int_equal(account_decode(&b, bad, len + 1), RECORD_BAD);
	bad[0] = STORE_VERSION + 1;
	assert_int_equal(account_decode(&b, bad, len), RECORD_NEWER);
	bad[0] = 0;
	assert_int_equal(account_decode(&b, bad, len), RECORD_BAD);
	bad[0] = STORE_VERSION;
	bad[1] = 0x80;
	assert_int_equal(account_decode(&b, bad, len), RECORD_BAD);

	s.source.unix_peer = 1;
	assert_true((len = session_encode(&s, buf)) > 0);
	assert_int_equal(session_decode(&t, buf, len), RECORD_OK);
	memcpy(t.key, s.key, sizeof(t.key));
	same_session(&s, &t);
	for (i = 0; i < len; i++)
		assert_int_equal(session_decode(&t, buf, i), RECORD_BAD);
	buf[0] = 9;
	assert_int_equal(session_decode(&t, buf, len), RECORD_NEWER);
}

/* Any byte may be anything: decoding stays within bounds and its own rules. */
static void
records_garbage(void **state)
{
	struct store_account a = account("alice", "alice@example.com"), b;
	struct store_session s = session(FIRST, 7);
	uint8_t good[STORE_RECORD_MAX], buf[STORE_RECORD_MAX];
	size_t len, i, slen;
	unsigned int v;

	(void)state;
	a.uid = FIRST;
	len = account_encode(&a, good);
	for (i = 0; i < len; i++)
		for (v = 0; v < 256; v++) {
			memcpy(buf, good, len);
			buf[i] = (uint8_t)v;
			if (account_decode(&b, buf, len) == RECORD_OK)
				assert_true(account_encode(&b, buf) > 0);
		}
	slen = session_encode(&s, good);
	for (i = 0; i < slen; i++)
		for (v = 0; v < 256; v++) {
			memcpy(buf, good, slen);
			buf[i] = (uint8_t)v;
			if (session_decode(&s, buf, slen) == RECORD_OK)
				assert_true(session_encode(&s, buf) > 0);
		}
}

static void
names(void **state)
{
	static const char *const good[] = { "a", "alice", "a.b-c_d9",
		"abcdefghijklmnopqrstuvwxyz012345" };
	static const char *const bad[] = { "", "Alice", "1a", "a b", ".a", "-a", "a/b",
		"a\n", "\xc3\xa4", "abcdefghijklmnopqrstuvwxyz0123456" };
	static const char *const mail[] = { "a@b.c", "x+y@example.com" };
	static const char *const nomail[] = { "", "a", "a@", "@b", "a@b@c", "A@b.c",
		"a b@c", "a@.b", "a@b.", "a\r@b", "<a>@b" };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(account_name_ok(good[i]));
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(account_name_ok(bad[i]));
	for (i = 0; i < sizeof(mail) / sizeof(mail[0]); i++)
		assert_true(account_email_ok(mail[i]));
	for (i = 0; i < sizeof(nomail) / sizeof(nomail[0]); i++)
		assert_false(account_email_ok(nomail[i]));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records),
		cmocka_unit_test(records_garbage),
		cmocka_unit_test(names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
