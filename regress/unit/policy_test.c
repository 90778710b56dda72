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
#include "../../privsep/auth/auth_text.h"
#include "../../privsep/auth/common.h"

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
		{ "Password1234", "commonest" },
		{ "2024-Dragon!", "commonest" },
		{ "QwErTy123456", "commonest" },
		/* what stands around the word is what makes it */
		{ "Dragon-8261-9921", NULL },
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

/* The list is found whole by what searches it, and nothing beside it. */
static void
commonest(void **state)
{
	char line[128];
	unsigned int n = 0;
	FILE *f = fopen("privsep/auth/common-passwords", "r");

	(void)state;
	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (!common_listed(line, strlen(line)))
			fail_msg("%s is not found", line);
		line[0] ^= 0x20;
		assert_true(common_listed(line, strlen(line)) || line[0] < 'A');
		n++;
	}
	fclose(f);
	assert_int_equal(n, 10000);
	assert_false(common_listed("", 0));
	assert_false(common_listed("\n", 1));
	assert_false(common_listed("zzzzzzzzzzzzz", 13));
	assert_false(common_listed("!", 1));
	assert_false(common_listed("correct-horse-battery", 21));
	assert_false(common_listed("password\npassword1", 18));
}

/* By the rules of auth_text.h. */
static void
texts(void **state)
{
	static const struct {
		const char *in;
		const char *out; /* NULL: refused */
	} display[] = {
		{ "Ann Smith", "Ann Smith" },
		{ "", "" },
		{ "A\xcc\x88nn", "\xc3\x84nn" },
		{ "\xd0\x90\xd0\xbd\xd0\xbd\xd0\xb0", "\xd0\x90\xd0\xbd\xd0\xbd\xd0\xb0" },
		{ "\xe5\xb1\xb1\xe7\x94\xb0 Taro", "\xe5\xb1\xb1\xe7\x94\xb0 Taro" },
		{ "O'Neil-7", "O'Neil-7" },
		{ "\xd0\xb0nn", NULL },	 /* Cyrillic and Latin */
		{ "\xce\xbf\xd0\xb0", NULL }, /* Greek and Cyrillic */
		{ "a\xe2\x80\x8b" "b", NULL }, /* zero width space */
		{ "a\xe2\x80\xae" "b", NULL }, /* right to left */
		{ "a\xe2\x80\xa8" "b", NULL }, /* line separator */
		{ "a\x07" "b", NULL },
		{ "a\nb", NULL },
		{ "a\x7f", NULL },
		{ "\xff", NULL },
		{ "\xc0\xaf", NULL },
		{ "\xef\xbc\xa1nn", NULL },	 /* full width */
		{ "\xef\xac\x81x", NULL },	 /* ligature */
		{ "\xee\x80\x80", NULL },	 /* private use */
		{ "a\xef\xb8\x8f", NULL },	 /* variation selector */
		{ "\xe3\x85\xa4", NULL },	 /* a letter that fills nothing */
		{ " a", NULL },
		{ "a ", NULL },
		{ "a  b", NULL },
		{ "a\xcc\x80\xcc\x80\xcc\x80\xcc\x80\xcc\x80\xcc\x80", NULL },
		{ "\xcc\x80", NULL },
	}, email[] = {
		{ "Ann@Example.COM", "ann@example.com" },
		{ "", "" },
		{ "\xc3\x84nn@x.example", "\xc3\xa4nn@x.example" },
		{ "a\xcc\x88nn@x.example", "\xc3\xa4nn@x.example" },
		{ "STRASSE@x.example", "strasse@x.example" },
		{ "stra\xc3\x9f" "e@x.example", "strasse@x.example" },
		{ "a@b\xc3\xbc" "cher.example", "a@xn--bcher-kva.example" },
		{ "a@xn--bcher-kva.example", "a@xn--bcher-kva.example" },
		{ "a@B\xc3\x9c" "CHER.example", "a@xn--bcher-kva.example" },
		{ "a", NULL },
		{ "a@", NULL },
		{ "@b.c", NULL },
		{ "a@b@c.d", NULL },
		{ "a b@c.d", NULL },
		{ "a@c..d", NULL },
		{ "a@\xd0\xb0pple.example", NULL },
		{ "\xd0\xb0" "b@c.d", NULL },
		{ "a\r\n@c.d", NULL },
		{ "\"a\"@c.d", NULL },
	};
	char text[WIRE_EMAIL], same[WIRE_EMAIL];
	const char *why;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(display) / sizeof(display[0]); i++) {
		strlcpy(text, display[i].in, sizeof(text));
		why = text_display(text);
		if ((why == NULL) != (display[i].out != NULL) ||
		    strcmp(text,
			display[i].out != NULL ? display[i].out : display[i].in) != 0)
			fail_msg("name %zu: %s: \"%s\"", i, why, text);
	}
	for (i = 0; i < sizeof(email) / sizeof(email[0]); i++) {
		strlcpy(text, email[i].in, sizeof(text));
		why = text_email(text);
		if ((why == NULL) != (email[i].out != NULL) ||
		    strcmp(text, email[i].out != NULL ? email[i].out : email[i].in) != 0)
			fail_msg("address %zu: %s: \"%s\"", i, why, text);
		/* What is folded once stays as it is. */
		strlcpy(same, text, sizeof(same));
		if (why == NULL)
			assert_null(text_email(same));
		assert_string_equal(same, text);
	}
	/* The longest that comes, and what it grows to. */
	memset(text, 0, sizeof(text));
	for (i = 0; i + 3 < WIRE_DISPLAY; i += 3)
		memcpy(text + i, "\xef\xb7\xba", 3);
	assert_non_null(text_display(text));
	memset(text, 'a', 65);
	memset(text + 65, 0, sizeof(text) - 65);
	assert_non_null(text_display(text));
	text[64] = '\0';
	assert_null(text_display(text));
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
	assert_non_null(policy_name("me"));
	assert_null(policy_name("root-cause"));
	/* what only looks like one of them is had if it is meant */
	assert_null(policy_name("r00t"));
	assert_non_null(policy_name_like("r00t"));
	assert_non_null(policy_name_like("ro-ot"));
	assert_non_null(policy_name_like("dae.rnon"));
	assert_non_null(policy_name_like("adm1n"));
	assert_null(policy_name_like("alice"));
	assert_null(policy_name_like("admin"));
	assert_null(policy_name_like("administrator"));
	assert_null(policy_name_like("root-cause"));
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
		cmocka_unit_test(commonest),
		cmocka_unit_test(texts),
		cmocka_unit_test(sessions),
		cmocka_unit_test(hashes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
