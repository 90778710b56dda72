/*
 * Rules of auth: passwords, names, when a session is over, parameters of hashes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <bsd/string.h>

#include <cmocka.h>

#include "../../privsep/auth/auth_policy.h"

static const struct conf_auth conf = { .password_min = 12,
	.password_classes = 3,
	.argon2_memory = 64 << 20,
	.argon2_passes = 3,
	.argon2_lanes = 1,
	.session_lifetime = 86400,
	.session_idle = 7200,
	.session_max = 5 };

static void
passwords(void **state)
{
	static const struct {
		const char *password;
		const char *why; /* part of it; NULL: good */
	} t[] = {
		{ "Correct-Horse1", NULL },
		{ "correct horse 1", NULL },
		{ "\xc3\xa4\xc3\xb6\xc3\xbc"
		  "Aa1aaaaaaa",
		    NULL },
		{ "", "12 characters" },
		{ "Short-1a", "12 characters" },
		/* twelve bytes, but not twelve characters */
		{ "\xc3\xa4\xc3\xb6\xc3\xbc"
		  "Aa1aaa",
		    "12 characters" },
		{ "alllowercaseletters", "3 kinds" },
		{ "lowerUPPERletters", "3 kinds" },
		{ "Alice-and-Bob-1", "user's name" },
		{ "xxALICExx-123-z", "user's name" },
		{ "Tab\there-and-1", "control" },
	};
	char buf[WIRE_TEXT];
	const char *why;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		why = policy_password(&conf, "alice", t[i].password, buf, sizeof(buf));
		if (t[i].why == NULL) {
			assert_null(why);
			continue;
		}
		assert_non_null(why);
		if (strstr(why, t[i].why) == NULL)
			fail_msg("%s: %s", t[i].password, why);
	}
	/* a name of two letters is in too many words */
	assert_null(policy_password(&conf, "al", "Palace-123-xyz", buf, sizeof(buf)));
}

static void
names(void **state)
{
	(void)state;
	assert_null(policy_name("alice"));
	assert_null(policy_name("admin"));
	assert_non_null(policy_name("root"));
	assert_non_null(policy_name("nobody"));
	assert_non_null(policy_name("www-data"));
	assert_non_null(policy_name("Alice"));
	assert_non_null(policy_name("../x"));
	assert_non_null(policy_name(""));
}

static void
sessions(void **state)
{
	struct store_session s[3];
	int64_t t = 1700000000;

	(void)state;
	memset(s, 0, sizeof(s));
	s[0].created = s[0].seen = t;
	s[0].expires = t + 86400;
	assert_true(policy_session_alive(&conf, &s[0], t));
	assert_true(policy_session_alive(&conf, &s[0], t + 7199));
	assert_false(policy_session_alive(&conf, &s[0], t + 7200));
	s[0].seen = t + 86000;
	assert_true(policy_session_alive(&conf, &s[0], t + 86399));
	assert_false(policy_session_alive(&conf, &s[0], t + 86400));
	/* a lifetime that was made shorter holds for those that are there */
	s[0].expires = t + 10 * 86400;
	assert_false(policy_session_alive(&conf, &s[0], t + 86400));
	/* a clock that was set back makes none longer */
	s[0].seen = t;
	assert_true(policy_session_alive(&conf, &s[0], t - 60));
	assert_false(policy_session_alive(&conf, &s[0], t - 3600));

	s[0].created = 30;
	s[1].created = 10;
	s[2].created = 10;
	s[1].created_ms = 50;
	s[2].created_ms = 40;
	assert_int_equal(policy_session_oldest(s, 3), 2);
	assert_int_equal(policy_session_oldest(s, 2), 1);
	assert_int_equal(policy_session_oldest(s, 1), 0);
}

static void
hashes(void **state)
{
	static const char *const bad[] = { "", "$argon2i$v=19$m=65536,t=3,p=1$a$b",
		"$argon2id$v=16$m=65536,t=3,p=1$a$b", "$argon2id$v=19$m=,t=3,p=1$a$b",
		"$argon2id$v=19$m=-1,t=3,p=1$a$b",
		"$argon2id$v=19$m=99999999999,t=3,p=1$a$b",
		"$argon2id$v=19$m=65536,t=3,p=1" };
	struct hash_params h;
	char a[WIRE_HASH], b[WIRE_HASH];
	size_t i;

	(void)state;
	policy_hash_want(&conf, &h);
	assert_int_equal(h.memory_kib, 65536);
	policy_hash_dummy(&h, a);
	policy_hash_dummy(&h, b);
	assert_string_not_equal(a, b);
	assert_int_equal(
	    strlen(a), strlen("$argon2id$v=19$m=65536,t=3,p=1$") + 22 + 1 + 43);
	assert_false(policy_rehash(&conf, a));
	assert_true(policy_hash_params(a, &h));
	assert_int_equal(h.memory_kib, 65536);
	assert_int_equal(h.passes, 3);
	assert_int_equal(h.lanes, 1);
	assert_true(policy_rehash(&conf, "$argon2id$v=19$m=19456,t=2,p=1$a$b"));
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_false(policy_hash_params(bad[i], &h));
		assert_true(policy_rehash(&conf, bad[i]));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(passwords),
		cmocka_unit_test(names),
		cmocka_unit_test(sessions),
		cmocka_unit_test(hashes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
