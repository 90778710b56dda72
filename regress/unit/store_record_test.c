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
	strlcpy(a.display, "\xc3\x84lice", sizeof(a.display));
	strlcpy(a.roles, "user auditor", sizeof(a.roles));
	strlcpy(a.metadata, "{\"team\":\"x\"}", sizeof(a.metadata));
	a.must_change = true;
	a.version = 7;
	a.token_version = 8;
	a.password_at = 1700000003;
	a.limits = (struct wire_limits){ 1, 2, 3, 4, 5, 6, 0 };
	memset(a.reset_key, 0xcd, sizeof(a.reset_key));
	a.reset_expires = 1700000004;
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

/*
 * What earlier versions have written, byte by byte.  It must be read for ever; and
 * what is written today is written down as well, so that nobody changes the form of a
 * record and leaves its version as it was.
 */
#define ACCOUNT_REST                                                                     \
	"\x03\x40\x0d\x03\x00" /* active, mint; uid 200000 */                            \
	"\x00\xf1\x53\x65\x00\x00\x00\x00\x01\xf1\x53\x65\x00\x00\x00\x00"               \
	"\x02\xf1\x53\x65\x00\x00\x00\x00"                                               \
	"\x05\x00"                                                                       \
	"alice"                                                                          \
	"\x0d\x00"                                                                       \
	"a@example.com"                                                                  \
	"\x05\x00"                                                                       \
	"admin"                                                                          \
	"\x0a\x00"                                                                       \
	"$argon2id$"                                                                     \
	"\x09\x00"                                                                       \
	"folder=/x"                                                                      \
	"0123456789abcdef0123456789ABCDEF"
/* active, mint, a link is out */
#define ACCOUNT_HEAD_4                                                                   \
	"\x23\x40\x0d\x03\x00"                                                           \
	"\x00\xf1\x53\x65\x00\x00\x00\x00\x01\xf1\x53\x65\x00\x00\x00\x00"               \
	"\x02\xf1\x53\x65\x00\x00\x00\x00"                                               \
	"\x05\x00"                                                                       \
	"alice"                                                                          \
	"\x0d\x00"                                                                       \
	"a@example.com"                                                                  \
	"\x05\x00"                                                                       \
	"admin"                                                                          \
	"\x0a\x00"                                                                       \
	"$argon2id$"                                                                     \
	"\x09\x00"                                                                       \
	"folder=/x"                                                                      \
	"0123456789abcdef0123456789ABCDEF"                                               \
	"\x03\x00"                                                                       \
	"\xc3\x84l"                                                                      \
	"\x02\x00"                                                                       \
	"{}"                                                                             \
	"\x07\x00\x00\x00\x08\x00\x00\x00"                                               \
	"\x00\xf1\x53\x65\x00\x00\x00\x00"                                               \
	"\x01\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00"               \
	"\x03\x00\x00\x00\x00\x00\x00\x00"                                               \
	"\x04\x00\x00\x00\x05\x00\x00\x00\x06\x00\x00\x00"                               \
	"fedcba9876543210FEDCBA9876543210"                                               \
	"\x03\xf1\x53\x65\x00\x00\x00\x00"
#define SESSION_HEAD                                                                     \
	"\x00\x40\x0d\x03\x00"                                                           \
	"0123456789abcdef"                                                               \
	"\x00\xf1\x53\x65\x00\x00\x00\x00\x3c\xf1\x53\x65\x00\x00\x00\x00"               \
	"\x10\xff\x53\x65\x00\x00\x00\x00"
#define SESSION_MS "\xe7\x03"
#define SESSION_TAIL                                                                     \
	"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\x7f\x00\x00\x01"               \
	"\xb1\x1f"                                                                       \
	"\x0b\x00"                                                                       \
	"Mozilla/5.0"
#define BYTES(s) (const uint8_t *)(s), sizeof(s) - 1

static const struct old {
	const uint8_t *bytes;
	size_t len;
	uint16_t ms;
	bool now; /* what is written today */
} old_accounts[] = {
	{ BYTES("\x01" ACCOUNT_REST), 0, false },
	{ BYTES("\x02" ACCOUNT_REST), 0, false },
	{ BYTES("\x03" ACCOUNT_REST), 0, false },
	{ BYTES("\x04" ACCOUNT_HEAD_4), 0, true },
}, old_sessions[] = {
	/* The first version was written in two forms. */
	{ BYTES("\x01" SESSION_HEAD SESSION_TAIL), 0, false },
	{ BYTES("\x01" SESSION_HEAD SESSION_MS SESSION_TAIL), 999, false },
	{ BYTES("\x02" SESSION_HEAD SESSION_MS SESSION_TAIL), 999, false },
	{ BYTES("\x03" SESSION_HEAD SESSION_MS SESSION_TAIL), 999, false },
	{ BYTES("\x04" SESSION_HEAD SESSION_MS SESSION_TAIL), 999, true },
};

#define N(a) (sizeof(a) / sizeof((a)[0]))

static void
check_account(const struct store_account *a)
{
	assert_int_equal(a->uid, 200000);
	assert_true(a->active);
	assert_true(a->has_mint);
	assert_string_equal(a->name, "alice");
	assert_string_equal(a->email, "a@example.com");
	assert_string_equal(a->roles, "admin");
	assert_string_equal(a->hash, "$argon2id$");
	assert_string_equal(a->last_query, "folder=/x");
	assert_int_equal(a->created, 1700000000);
	assert_int_equal(a->updated, 1700000001);
	assert_int_equal(a->last_login, 1700000002);
	assert_memory_equal(a->mint, "0123456789abcdef0123456789ABCDEF", 32);
	assert_int_equal(a->password_at, 1700000000);
	assert_false(a->pending);
	assert_false(a->must_change);
}

static void
check_account_4(const struct store_account *a)
{
	assert_string_equal(a->display, "\xc3\x84l");
	assert_string_equal(a->metadata, "{}");
	assert_int_equal(a->version, 7);
	assert_int_equal(a->token_version, 8);
	assert_int_equal(a->limits.memory, 1);
	assert_int_equal(a->limits.storage, 2);
	assert_int_equal(a->limits.files, 3);
	assert_int_equal(a->limits.cpu, 4);
	assert_int_equal(a->limits.processes, 5);
	assert_int_equal(a->limits.sessions, 6);
	assert_memory_equal(a->reset_key, "fedcba9876543210FEDCBA9876543210", 32);
	assert_int_equal(a->reset_expires, 1700000003);
}

static void
check_session(const struct store_session *s, const struct old *o)
{
	assert_int_equal(s->uid, 200000);
	assert_string_equal(s->id, "0123456789abcdef");
	assert_int_equal(s->created, 1700000000);
	assert_int_equal(s->created_ms, o->ms);
	assert_int_equal(s->seen, 1700000060);
	assert_int_equal(s->expires, 1700003600);
	assert_int_equal(s->source.ip[15], 1);
	assert_int_equal(s->source.ip[12], 127);
	assert_int_equal(s->source.port, 8113);
	assert_int_equal(s->source.unix_peer, 0);
	assert_string_equal(s->agent, "Mozilla/5.0");
}

static void
records_of_old(void **state)
{
	uint8_t buf[STORE_RECORD_MAX];
	struct store_account a;
	struct store_session s;
	unsigned int now = 0;
	size_t i, len;

	(void)state;
	for (i = 0; i < N(old_accounts); i++) {
		assert_int_equal(
		    account_decode(&a, old_accounts[i].bytes, old_accounts[i].len),
		    RECORD_OK);
		check_account(&a);
		len = account_encode(&a, buf);
		if (!old_accounts[i].now)
			continue;
		now++;
		check_account_4(&a);
		assert_int_equal(len, old_accounts[i].len);
		assert_int_equal(buf[0], STORE_VERSION);
		assert_memory_equal(buf + 1, old_accounts[i].bytes + 1, len - 1);
	}
	for (i = 0; i < N(old_sessions); i++) {
		assert_int_equal(
		    session_decode(&s, old_sessions[i].bytes, old_sessions[i].len),
		    RECORD_OK);
		check_session(&s, &old_sessions[i]);
		len = session_encode(&s, buf);
		if (!old_sessions[i].now)
			continue;
		now++;
		assert_int_equal(len, old_sessions[i].len);
		assert_int_equal(buf[0], STORE_VERSION);
		assert_memory_equal(buf + 1, old_sessions[i].bytes + 1, len - 1);
	}
	assert_int_equal(now, 2);
}

/* Neither form of the first version can be taken for the other. */
static void
two_forms(void **state)
{
	struct store_session s = session(FIRST, 7), t;
	uint8_t with[STORE_RECORD_MAX], without[STORE_RECORD_MAX];
	unsigned int agent, port;
	size_t len;

	(void)state;
	s.created_ms = 345;
	for (agent = 0; agent < sizeof(s.agent); agent++) {
		memset(s.agent, 0, sizeof(s.agent));
		memset(s.agent, 'x', agent);
		for (port = 0; port < 600; port++) {
			s.source.port = (uint16_t)port;
			assert_true((len = session_encode(&s, with)) > 48);
			with[0] = 1;
			memcpy(without, with, 46);
			memcpy(without + 46, with + 48, len - 48);
			assert_int_equal(session_decode(&t, with, len), RECORD_OK);
			assert_int_equal(t.created_ms, 345);
			assert_int_equal(t.source.port, port);
			assert_string_equal(t.agent, s.agent);
			assert_int_equal(session_decode(&t, without, len - 2), RECORD_OK);
			assert_int_equal(t.created_ms, 0);
			assert_int_equal(t.source.port, port);
			assert_string_equal(t.agent, s.agent);
		}
	}
}

/* A store of the first version: opened, found whole, and from then on of this one. */
static void
store_of_old(void **state)
{
	static const uint8_t one[4] = { 1 };
	uint8_t key[4], token[STORE_KEY] = { 0 };
	struct store_account a;
	struct store_session s;
	struct store_counts n;
	struct store *st;
	uint32_t v;
	size_t i;

	(void)state;
	for (i = 0; i < N(old_sessions); i++) {
		empty_dir();
		st = open_store(false);
		put_raw(st, T_META, META_VERSION, strlen(META_VERSION), one, 4);
		record_put32be(key, 200000);
		put_raw(
		    st, T_ACCOUNT, key, 4, old_accounts[0].bytes, old_accounts[0].len);
		put_raw(st, T_SESSION, token, sizeof(token), old_sessions[i].bytes,
		    old_sessions[i].len);
		store_close(st);
		st = open_store(false);
		store_count(st, &n);
		assert_int_equal(n.accounts, 1);
		assert_int_equal(n.sessions, 1);
		assert_int_equal(
		    store_account_by_email(st, "a@example.com", &a), STORE_OK);
		check_account(&a);
		assert_int_equal(
		    store_session_by_id(st, "0123456789abcdef", &s), STORE_OK);
		check_session(&s, &old_sessions[i]);
		assert_int_equal(store_session_of_user(st, 200000, &s, 1), 1);
		assert_int_equal(bdb_meta_get(st, NULL, META_VERSION, &v), 0);
		assert_int_equal(v, STORE_VERSION);
		assert_int_equal(store_session_seen(st, token, 1700000070), STORE_OK);
		assert_int_equal(store_session_delete(st, token), STORE_OK);
		assert_int_equal(store_account_delete(st, 200000), STORE_OK);
		store_close(st);
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
		cmocka_unit_test(records_of_old),
		cmocka_unit_test(two_forms),
		cmocka_unit_test(store_of_old),
		cmocka_unit_test(names),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
