/*
 * The PROXY protocol's header, however it is cut.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../worker/proxied.h"
#include "../../worker/session.h"

#define SIG "\r\n\r\n\0\r\nQUIT\n"
#define V2(rest)                                                                         \
	{                                                                                \
		SIG rest, sizeof(SIG rest) - 1                                           \
	}
#define V1(text)                                                                         \
	{                                                                                \
		text, sizeof(text) - 1                                                   \
	}

struct bytes {
	const char *p;
	size_t len;
};

static const uint8_t v4[16] = { [10] = 0xff, 0xff, 192, 0, 2, 7 };
static const uint8_t v6[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 };

static const struct {
	struct bytes in;
	const uint8_t *ip; /* NULL: nobody */
	uint16_t port;
} good[] = {
	{ V1("PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n"), v4, 56324 },
	{ V1("PROXY TCP4 192.0.2.7 198.51.100.1 0 65535\r\n"), v4, 0 },
	{ V1("PROXY TCP6 2001:db8::1 2001:db8::2 1 2\r\n"), v6, 1 },
	{ V1("PROXY UNKNOWN\r\n"), NULL, 0 },
	{ V1("PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n"), NULL, 0 },
	{ V2("\x21\x11\x00\x0c\xc0\x00\x02\x07\xc6\x33\x64\x01\xdc\x04\x01\xbb"), v4,
	    56324 },
	/* with what a proxy adds: PP2_TYPE_NOOP, three bytes */
	{ V2("\x21\x11\x00\x12\xc0\x00\x02\x07\xc6\x33\x64\x01\xdc\x04\x01\xbb"
	     "\x04\x00\x03\0\0\0"),
	    v4, 56324 },
	{ V2("\x21\x21\x00\x24\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"
	     "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02\x00\x01\x00\x02"),
	    v6, 1 },
	{ V2("\x20\x00\x00\x00"), NULL, 0 },
	{ V2("\x20\x11\x00\x02xx"), NULL, 0 },
	{ V2("\x21\x00\x00\x00"), NULL, 0 },
};

static const struct bytes bad[] = {
	V1("GET / HTTP/1.1\r\n"),
	V1("\x16\x03\x01"),
	V1("proxy TCP4 192.0.2.7 198.51.100.1 56324 443\r\n"),
	V1("PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\n\r\n"),
	V1("PROXY TCP4 192.0.2.7 198.51.100.1 56324\r\n"),
	V1("PROXY TCP4 192.0.2.7 198.51.100.1 56324 443 5\r\n"),
	V1("PROXY TCP4 192.0.2.7 198.51.100.1 65536 443\r\n"),
	V1("PROXY TCP4 192.0.2.7 198.51.100.1 -1 443\r\n"),
	V1("PROXY TCP4 192.0.2.7 198.51.100.1 01 443\r\n"),
	V1("PROXY TCP4  192.0.2.7 198.51.100.1 1 443\r\n"),
	V1("PROXY TCP4 192.0.2.7\t198.51.100.1 1 443\r\n"),
	V1("PROXY TCP4 192.0.2 198.51.100.1 1 443\r\n"),
	V1("PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n"),
	V1("PROXY TCP6 192.0.2.7 198.51.100.1 1 2\r\n"),
	V1("PROXY UDP4 192.0.2.7 198.51.100.1 1 2\r\n"),
	V1("PROXY TCP4 192.0.2.7\0 198.51.100.1 1 2\r\n"),
	V1("PROXY \r\n"),
	V1("PROXY\r\n"),
	V1("PROXY UNKNOWN "
	   "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	   "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n"),
	V2("\x22\x11\x00\x0c\xc0\x00\x02\x07\xc6\x33\x64\x01\xdc\x04\x01\xbb"),
	V2("\x11\x11\x00\x0c\xc0\x00\x02\x07\xc6\x33\x64\x01\xdc\x04\x01\xbb"),
	V2("\x21\x12\x00\x0c\xc0\x00\x02\x07\xc6\x33\x64\x01\xdc\x04\x01\xbb"),
	V2("\x21\x11\x00\x0b\xc0\x00\x02\x07\xc6\x33\x64\x01\xdc\x04\x01\xbb"),
	V2("\x21\x21\x00\x0c\xc0\x00\x02\x07\xc6\x33\x64\x01\xdc\x04\x01\xbb"),
	V2("\x21\x31\x00\x0c\xc0\x00\x02\x07\xc6\x33\x64\x01\xdc\x04\x01\xbb"),
	V2("\x21\x11\xff\xff\xc0\x00\x02\x07\xc6\x33\x64\x01\xdc\x04\x01\xbb"),
};

/* In a place of its own, so that a byte too much read is noticed. */
static enum proxied_result
parse(const char *p, size_t len, struct wire_addr *a, size_t *size)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);
	enum proxied_result r;

	assert_non_null(copy);
	memcpy(copy, p, len);
	r = proxied_parse(copy, len, a, size);
	free(copy);
	return (r);
}

static void
test_good(void **state)
{
	char more[512];
	struct wire_addr a;
	size_t size;

	(void)state;
	assert_non_null(session_who); /* the worker's session.c, not auth's */
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		const struct bytes *in = &good[i].in;

		for (size_t n = 0; n < in->len; n++)
			if (parse(in->p, n, &a, &size) != PROXIED_MORE)
				fail_msg("row %zu cut at %zu", i, n);
		memcpy(more, in->p, in->len);
		memset(more + in->len, 'x', sizeof(more) - in->len);
		for (size_t n = in->len; n < sizeof(more); n++) {
			size = 0;
			if (parse(more, n, &a, &size) != PROXIED_DONE || size != in->len)
				fail_msg("row %zu of %zu bytes", i, n);
		}
		assert_int_equal(a.unix_peer, good[i].ip == NULL);
		assert_int_equal(a.port, good[i].port);
		if (good[i].ip != NULL)
			assert_memory_equal(a.ip, good[i].ip, 16);
	}
}

static void
test_bad(void **state)
{
	struct wire_addr a;
	size_t size;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (parse(bad[i].p, bad[i].len, &a, &size) != PROXIED_ERROR)
			fail_msg("row %zu is taken", i);
		/* Nor does it become good by coming in pieces. */
		for (size_t n = 0; n < bad[i].len; n++)
			if (parse(bad[i].p, n, &a, &size) == PROXIED_DONE)
				fail_msg("row %zu is taken at %zu", i, n);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
