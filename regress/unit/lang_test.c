/*
 * Which language a browser gets, and that none lacks a text.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "../../worker/lang.h"

static void
test_pick(void **state)
{
	static const struct {
		const char *accept, *lang;
	} rows[] = {
		{ NULL, "en" },
		{ "", "en" },
		{ "de", "de" },
		{ "DE-at", "de" },
		{ "zh-Hans-CN,zh;q=0.9", "zh" },
		{ "it, ja;q=0.5", "ja" },
		{ "it", "en" },
		{ "fr;q=0.3, es;q=0.7", "es" },
		{ "fr, es", "fr" },
		{ "fr;q=0, es;q=0.1", "es" },
		{ "fr;q=0", "en" },
		{ "*, de;q=0.5", "en" },
		{ "de;q=2, ja;q=0.001", "ja" },
		{ "deutsch, d, e-n", "en" },
		{ ", ,;q=1,-,de", "de" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct slice s = rows[i].accept == NULL ? (struct slice){ NULL, 0 } :
							  slice_str(rows[i].accept);

		if (strcmp(lang_pick(s), rows[i].lang) != 0)
			fail_msg("%s: %s", rows[i].accept, lang_pick(s));
	}
}

static void
test_text(void **state)
{
	static const char *const langs[] = { "de", "fr", "es", "zh", "ja" };
	static const char *const texts[] = { "login", "User name", "Password", "Log in",
		"Incorrect user name or password.",
		"Login rate limited! Please wait and try again.", "Missing user name",
		"Missing password", "registration", "Register", "E-mail address",
		"No account yet? Register here.",
		"An administrator has to approve your account before you can log in.",
		"A user name has at most 32 characters.",
		"An e-mail address has at most 254 characters.", "Log out",
		"Change your password", "A new password", "Current password",
		"New password", "Change it", "Set it", "Characters, at least",
		"Of these kinds (a, A, 1, #), at least",
		"Choose a password of your own before you go on.",
		"Both passwords are wanted, of 1 to 1024 bytes each.",
		"A password of 1 to 1024 bytes is wanted.",
		"This link is not whole: open it again.", "the current password is wrong",
		"the new password is the old one: take another",
		"a password does not hold the user's name",
		"this password is one of the commonest, or little more: take another" };

	(void)state;
	for (size_t k = 0; k < sizeof(texts) / sizeof(texts[0]); k++) {
		assert_string_equal(lang_text("en", texts[k]), texts[k]);
		for (size_t i = 0; i < sizeof(langs) / sizeof(langs[0]); i++)
			assert_string_not_equal(lang_text(langs[i], texts[k]), texts[k]);
	}
	assert_string_equal(lang_text("de", "no such text"), "no such text");
	assert_string_equal(lang_text("xx", "Password"), "Password");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pick),
		cmocka_unit_test(test_text),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
