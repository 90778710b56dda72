/* Whatever a value holds, a line stays one line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/mman.h>

#include <jansson.h>
#include <string.h>
#include <unistd.h>

#include "../../privsep/conf.h"
#include "../../privsep/log.h"

static char out[8192];

static const char *
logged(int format, const char *value)
{
	int fd = memfd_create("log", 0);
	ssize_t n;

	log_init("test", fd, format, LOG_DEBUG, false);
	log_event(LOG_INFO, "some.event", LOG_S("key", value), LOG_N("n", -5));
	n = pread(fd, out, sizeof(out) - 1, 0);
	assert_true(n > 0);
	out[n] = '\0';
	close(fd);
	assert_int_equal(out[n - 1], '\n');
	assert_ptr_equal(strchr(out, '\n'), out + n - 1);
	return out;
}

static void
test_one_line(void **state)
{
	static const struct {
		const char *in;
		const char *text;
		const char *json;
	} rows[] = {
		{ "plain", "key=\"plain\"", "\"key\":\"plain\"" },
		{ "a\r\nb", "key=\"a\\x0d\\x0ab\"", "\"key\":\"a\\u000d\\u000ab\"" },
		{ "\033[31mred", "\\x1b[31mred", "\\u001b[31mred" },
		{ "q\"uo\\te", "q\\\"uo\\\\te", "q\\\"uo\\\\te" },
		{ "gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f" },
		{ "\xc2\x9b"
		  "31m",
		    "\\xc2\\x9b31m", "\\u00c2\\u009b31m" },
		{ "\xe2\x80\xa8", "\\xe2\\x80\\xa8", "\\u00e2\\u0080\\u00a8" },
		{ "\xff\xfe", "\\xff\\xfe", "\\u00ff\\u00fe" },
		{ "cut\xc3", "cut\\xc3", "cut\\u00c3" },
		{ "", "key=\"\"", "\"key\":\"\"" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_non_null(
		    strstr(logged(LOG_FORMAT_TEXT, rows[i].in), rows[i].text));
		assert_non_null(
		    strstr(logged(LOG_FORMAT_JSON, rows[i].in), rows[i].json));
	}
	assert_non_null(strstr(logged(LOG_FORMAT_TEXT, "x"), " n=-5\n"));
}

static void
test_json_is_json(void **state)
{
	char big[6000];
	json_error_t err;
	json_t *j;
	size_t n;

	(void)state;
	for (n = 1700; n < 2300; n++) {
		memset(big, '"', sizeof(big));
		big[n / 2] = '\0';
		j = json_loads(logged(LOG_FORMAT_JSON, big), 0, &err);
		assert_non_null(j);
		json_decref(j);
		memset(big, 'x', sizeof(big));
		big[n] = '\0';
		j = json_loads(logged(LOG_FORMAT_JSON, big), 0, &err);
		assert_non_null(j);
		json_decref(j);
	}
}

/* What a worker says: neither another line, nor another process's. */
static void
test_relay(void **state)
{
	static const char *const events[] = { "x\nided-auth[1] notice login.ok", "a b",
		"\033[2J", "", "caf\xc3\xa9", "UPPER", "a\"b", "a=b" };
	static const int formats[] = { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };
	size_t i, f;
	ssize_t n;
	int fd;

	(void)state;
	for (f = 0; f < 2; f++)
		for (i = 0; i <= sizeof(events) / sizeof(events[0]); i++) {
			bool good = i == sizeof(events) / sizeof(events[0]);

			fd = memfd_create("log", 0);
			log_init("master", fd, formats[f], LOG_DEBUG, false);
			log_relay("worker", 7, LOG_ERR, good ? "good.one" : events[i],
			    "192.0.2.1", "k=\"v\"\nided-auth[1] notice login.ok");
			n = pread(fd, out, sizeof(out) - 1, 0);
			assert_true(n > 0);
			out[n] = '\0';
			close(fd);
			assert_ptr_equal(strchr(out, '\n'), out + n - 1);
			assert_null(strchr(out, '\033'));
			assert_non_null(strstr(out, good ? "good.one" : "invalid"));
		}
}

static void
test_levels(void **state)
{
	int fd = memfd_create("log", 0);

	(void)state;
	log_init("test", fd, LOG_FORMAT_TEXT, LOG_INFO, false);
	log_debug("not wanted");
	assert_int_equal(lseek(fd, 0, SEEK_END), 0);
	log_info("wanted");
	assert_true(lseek(fd, 0, SEEK_END) > 0);
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_line),
		cmocka_unit_test(test_json_is_json),
		cmocka_unit_test(test_relay),
		cmocka_unit_test(test_levels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
