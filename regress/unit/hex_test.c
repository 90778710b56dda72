/* Bytes as digits, and digits that are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../../privsep/hex.h"

/* Every byte comes back as it went. */
static void
test_there_and_back(void **state)
{
	uint8_t all[256], back[256];
	char text[2 * sizeof(all) + 2], one[3];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(all); i++)
		all[i] = (uint8_t)i;
	memset(text, 'x', sizeof(text));
	hex_put(text, all, sizeof(all));
	assert_int_equal(strlen(text), 2 * sizeof(all));
	assert_int_equal(text[sizeof(text) - 1], 'x');
	for (i = 0; i < sizeof(all); i++) {
		snprintf(one, sizeof(one), "%02x", (unsigned int)i);
		assert_memory_equal(text + 2 * i, one, 2);
	}
	assert_true(hex_get(back, sizeof(back), text));
	assert_memory_equal(all, back, sizeof(all));
	hex_put(text, all, 0);
	assert_string_equal(text, "");
	assert_true(hex_get(back, 0, ""));
}

/* One byte more or less than a digit, in either place, and the end of the text. */
static void
test_no_digits(void **state)
{
	uint8_t byte;
	char text[3] = "00";
	int c;

	(void)state;
	for (c = 0; c < 256; c++) {
		bool digit = c != 0 && strchr("0123456789abcdef", c) != NULL;

		text[0] = (char)c;
		text[1] = '0';
		assert_int_equal(hex_get(&byte, 1, text), digit);
		text[0] = '0';
		text[1] = (char)c;
		assert_int_equal(hex_get(&byte, 1, text), digit);
	}
}

static void
test_digit(void **state)
{
	static const char lower[] = "0123456789abcdef", upper[] = "0123456789ABCDEF";
	const char *p;
	int c, want;

	(void)state;
	for (c = 0; c < 256; c++) {
		want = -1;
		if (c != 0 && (p = strchr(lower, c)) != NULL)
			want = (int)(p - lower);
		else if (c != 0 && (p = strchr(upper, c)) != NULL)
			want = (int)(p - upper);
		assert_int_equal(hex_digit((char)c), want);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_no_digits),
		cmocka_unit_test(test_digit),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
