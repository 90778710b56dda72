/*
 * What heads are made of: names, values, lists, authorities.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "../../worker/http1.h"

#define NROWS(a) (sizeof(a) / sizeof((a)[0]))

static void
test_lookup(void **state)
{
	(void)state;
	for (int id = HDR_OTHER + 1; id < HDR_MAX; id++) {
		struct slice name = slice_str(http_hdr_name((enum http_hdr)id));
		char other[64];

		assert_int_equal(http_hdr_lookup(name), id);
		for (size_t i = 0; i < name.len; i++) {
			memcpy(other, name.p, name.len);
			other[i] ^= 1;
			assert_int_equal(
			    http_hdr_lookup((struct slice){ other, name.len }),
			    HDR_OTHER);
		}
		name.len--;
		assert_true(http_hdr_lookup(name) == HDR_OTHER ||
		    strlen(http_hdr_name(http_hdr_lookup(name))) == name.len);
	}
	assert_int_equal(http_hdr_lookup(SLICE("")), HDR_OTHER);
	assert_int_equal(
	    http_hdr_lookup((struct slice){ http_hdr_name(HDR_HOST), 4 + 256 }),
	    HDR_OTHER);
	assert_string_equal(http_hdr_name(HDR_MAX), "");
	assert_int_equal(http_hdr_flags(HDR_MAX), 0);
	assert_int_equal(
	    http_hdr_flags(HDR_TRANSFER_ENCODING), HTTP_HDR_ONCE | HTTP_HDR_HOP);
}

/* Eight at a time must say what one at a time says. */
static void
test_value(void **state)
{
	char buf[32];

	(void)state;
	for (size_t len = 0; len <= 20; len++)
		for (size_t at = 0; at < len; at++)
			for (int c = 0; c < 256; c++)
				for (int fill = 0; fill < 3; fill++) {
					memset(buf, "a\t\xff"[fill], sizeof(buf));
					buf[at] = (char)c;
					assert_int_equal(
					    http_is_value((struct slice){ buf, len }),
					    c == '\t' || (c >= 0x20 && c != 0x7f));
				}
	assert_true(http_is_value(SLICE("")));
}

static void
test_token(void **state)
{
	(void)state;
	for (int c = 0; c < 256; c++) {
		char b = (char)c;
		bool ok = c > 0x20 && c < 0x7f &&
		    strchr("\"(),/:;<=>?@[\\]{}", c) == NULL;

		assert_int_equal(http_is_token((struct slice){ &b, 1 }), ok);
	}
	assert_false(http_is_token(SLICE("")));
}

static void
test_authority(void **state)
{
	static const struct {
		const char *in, *host;
		uint32_t port;
	} rows[] = {
		{ "a", "a", 0 },
		{ "a.b", "a.b", 0 },
		{ "a.b.", "a.b.", 0 },
		{ "a:1", "a", 1 },
		{ "a:65535", "a", 65535 },
		{ "1.2.3.4", "1.2.3.4", 0 },
		{ "[::1]", "[::1]", 0 },
		{ "[::1]:8", "[::1]", 8 },
		{ "[1:2:3:4:5:6:7:8]", "[1:2:3:4:5:6:7:8]", 0 },
		{ "[::ffff:1.2.3.4]", "[::ffff:1.2.3.4]", 0 },
		{ "a_b-c.1", "a_b-c.1", 0 },
		{ "0aAzZ9", "0aAzZ9", 0 },
		{ "xn--bcher-kva.test", "xn--bcher-kva.test", 0 },
		{ "", NULL, 0 },
		{ ":", NULL, 0 },
		{ "a:", NULL, 0 },
		{ ".", NULL, 0 },
		{ "a..b", NULL, 0 },
		{ ".a", NULL, 0 },
		{ "a:0", NULL, 0 },
		{ "a:01", NULL, 0 },
		{ "a:65536", NULL, 0 },
		{ "a:100000", NULL, 0 },
		{ "a:1x", NULL, 0 },
		{ "a:1:2", NULL, 0 },
		{ "a b", NULL, 0 },
		{ "a@b", NULL, 0 },
		{ "a/b", NULL, 0 },
		{ "a%41", NULL, 0 },
		{ "[", NULL, 0 },
		{ "[]", NULL, 0 },
		{ "[::1", NULL, 0 },
		{ "[::1]a", NULL, 0 },
		{ "[::1]1", NULL, 0 },
		{ "[::1]:", NULL, 0 },
		{ "[:::1]", NULL, 0 },
		{ "[::1%1]", NULL, 0 },
		{ "[1.2.3.4]", NULL, 0 },
		{ "::1", NULL, 0 },
		{ "[1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa]", NULL, 0 },
	};
	char longest[254];
	struct slice host;
	uint32_t port;

	(void)state;
	for (size_t i = 0; i < NROWS(rows); i++) {
		bool ok = http_authority(slice_str(rows[i].in), &host, &port);

		if (ok != (rows[i].host != NULL))
			fail_msg("%s", rows[i].in);
		if (ok &&
		    (!slice_eq(host, slice_str(rows[i].host)) || port != rows[i].port))
			fail_msg("%s: %u", rows[i].in, port);
	}
	assert_true(http_authority(SLICE("a:1"), NULL, NULL));
	for (size_t i = 0; i < sizeof(longest); i++)
		longest[i] = i % 50 == 49 ? '.' : 'a';
	assert_true(http_authority((struct slice){ longest, 253 }, NULL, NULL));
	assert_false(http_authority((struct slice){ longest, 254 }, NULL, NULL));
	memset(longest, 'a', 64);
	assert_true(http_authority((struct slice){ longest, 63 }, NULL, NULL));
	assert_false(http_authority((struct slice){ longest, 64 }, NULL, NULL));
	assert_false(http_authority((struct slice){ "[\0]", 3 }, NULL, NULL));
	assert_false(http_authority((struct slice){ "[::1\0]", 6 }, NULL, NULL));
}

static void
test_list(void **state)
{
	struct slice list = SLICE(" ,a,, b c\t,,d , "), e;

	(void)state;
	assert_true(http_list_next(&list, &e));
	assert_true(slice_eq(e, SLICE("a")));
	assert_true(http_list_next(&list, &e));
	assert_true(slice_eq(e, SLICE("b c")));
	assert_true(http_list_next(&list, &e));
	assert_true(slice_eq(e, SLICE("d")));
	assert_false(http_list_next(&list, &e));
	assert_false(http_list_next(&list, &e));
}

static void
test_hop(void **state)
{
	char buf[] = "GET / HTTP/1.1\r\nHost: a\r\nX-A: 1\r\nX-B: 1\r\n"
		     "Connection: X-a\r\nTE: trailers\r\nConnection: close, x-b\r\n"
		     "X-C: 1\r\nKeep-Alive: 1\r\n\r\n";
	struct http_head h;

	(void)state;
	http_head_init(&h);
	assert_int_equal(http_request_parse(&h, buf, sizeof(buf) - 1), HTTP_DONE);
	for (size_t i = 0; i < h.nheader; i++) {
		bool end_to_end = slice_eq(h.header[i].name, SLICE("host")) ||
		    slice_eq(h.header[i].name, SLICE("x-c"));

		assert_int_equal(http_header_is_hop(&h, &h.header[i]), !end_to_end);
	}
}

/* As HTTP/2 uses it: a head put together by hand. */
static void
test_by_hand(void **state)
{
	struct http_head h;

	(void)state;
	http_head_init(&h);
	h.minor = 1;
	h.method = METHOD_GET;
	assert_int_equal(http_head_add(&h, SLICE("host"), SLICE("a.b:1")), HTTP_E_NONE);
	assert_int_equal(http_head_add(&h, SLICE("cookie"), SLICE("a=b")), HTTP_E_NONE);
	assert_int_equal(http_head_add(&h, SLICE("cookie"), SLICE("c=d")), HTTP_E_NONE);
	assert_int_equal(http_head_add(&h, SLICE("host"), SLICE("a.b:1")), HTTP_E_DUP);
	assert_int_equal(http_head_add(&h, SLICE("Upper"), SLICE("a")), HTTP_E_NAME);
	assert_int_equal(http_head_add(&h, SLICE("aZ"), SLICE("a")), HTTP_E_NAME);
	assert_int_equal(http_head_add(&h, SLICE("aA"), SLICE("a")), HTTP_E_NAME);
	assert_int_equal(http_head_add(&h, SLICE(""), SLICE("a")), HTTP_E_NAME);
	assert_int_equal(http_head_add(&h, SLICE("a:b"), SLICE("a")), HTTP_E_NAME);
	assert_int_equal(http_head_add(&h, SLICE("a b"), SLICE("a")), HTTP_E_NAME);
	assert_int_equal(http_head_add(&h, SLICE("a"), SLICE("a\r\nb: c")), HTTP_E_VALUE);
	assert_int_equal(http_head_add(&h, SLICE("a"), SLICE("a\0")), HTTP_E_VALUE);
	assert_int_equal(http_head_finish(&h, false), HTTP_E_NONE);
	assert_int_equal(h.nheader, 3);
	assert_int_equal(h.port, 1);
	assert_true(h.keep_alive);
}
int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lookup),
		cmocka_unit_test(test_value),
		cmocka_unit_test(test_token),
		cmocka_unit_test(test_authority),
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_hop),
		cmocka_unit_test(test_by_hand),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
