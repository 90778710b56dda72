/*
 * What is said of a configuration that takes the place of another: each keyword that
 * changes, its values, and nothing of what may be a secret.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include <bsd/string.h>

#include "privsep/conf.h"
#include "privsep/conf_parse.h"
#include "privsep/wire.h"

#define LISTEN "listen on 127.0.0.1 port 8080\n"

static struct conf old, fresh;
static char said[16384];

static void
error(void *arg, const char *line)
{
	(void)arg;
	fail_msg("%s", line);
}

static void
collect(void *arg, const struct m_change *c)
{
	char line[WIRE_KEYWORD + 2 * WIRE_VALUE + 16];

	(void)arg;
	assert_true(wire_str(c->keyword) && wire_str(c->old) && wire_str(c->fresh));
	snprintf(line, sizeof(line), "%s: %s -> %s\n", c->keyword, c->old, c->fresh);
	assert_true(strlcat(said, line, sizeof(said)) < sizeof(said));
}

static const char *
differs(const char *a, const char *b)
{
	char text[4096];
	char *const none[] = { NULL };

	said[0] = '\0';
	snprintf(text, sizeof(text), "%s%s\n", LISTEN, a);
	assert_int_equal(
	    conf_parse_buf(&old, "old", text, strlen(text), NULL, 0, none, error, NULL),
	    0);
	snprintf(text, sizeof(text), "%s%s\n", LISTEN, b);
	assert_int_equal(
	    conf_parse_buf(&fresh, "new", text, strlen(text), NULL, 0, none, error, NULL),
	    0);
	conf_diff(&old, &fresh, collect, NULL);
	return said;
}

static const struct {
	const char *old;
	const char *fresh;
	const char *said;
} cases[] = {
	{ "", "", "" },
	/* The same, and elsewhere. */
	{ "location \"/a/\" { root \"/srv/a\" }",
	    "\n\n\nlocation \"/a/\" {\n root \"/srv/a\" }", "" },
	{ "prefork { spare 16 }", "", "" },
	/* Each kind of value. */
	{ "", "prefork { spare 17 }", "prefork spare: 16 -> 17\n" },
	{ "", "prefork { body 2M }", "prefork body: 1M -> 2M\n" },
	{ "auth { session idle 1h }", "auth { session idle 90s }",
	    "auth session idle: 1h -> 90s\n" },
	{ "isolation namespace { cpu 100% }", "isolation namespace { cpu 150% }",
	    "isolation cpu: 100% -> 150%\n" },
	{ "isolation namespace { idle-freeze 5m }", "",
	    "isolation idle-freeze: 5m -> \n" },
	{ "", "isolation namespace { io-read 1M }",
	    "isolation io-read: no limit -> 1M\n" },
	{ "auth { registration open }", "auth { registration closed }",
	    "auth registration: open -> closed\n" },
	{ "isolation namespace { require seccomp }",
	    "isolation namespace { require seccomp, landlock }",
	    "isolation require: seccomp -> seccomp, landlock\n" },
	{ "", "headers balanced report-only", "headers report-only:  -> set\n" },
	{ "heartbeat \"/run/a\"", "heartbeat \"/run/b\"",
	    "heartbeat: /run/a -> /run/b\n" },
	{ "", "update-check \"https://example.com/a\" ca \"/ca\"",
	    "update-check:  -> https://example.com/a\nupdate-check ca: "
	    "/etc/ssl/certs/ca-certificates.crt -> /ca\n" },
	{ "", "ide \"code\" { gallery \"https://a.example/\" as code-marketplace }",
	    "ide gallery:  -> https://a.example/\nide gallery as: "
	    "open-vsx -> code-marketplace\n" },
	{ "ide { extension allow one }", "ide { extension deny one }",
	    "ide extension:  -> another\n" },
	{ "ide { extension deny one, two.three }",
	    "ide { extension deny \"One\"\n extension deny \"two.Three\" }", "" },
	{ "", "brand { accent \"#102030\" }", "brand accent:  -> #102030\n" },
	{ "ratelimit { api 100 per 15m }", "ratelimit { api 5 per 1m }",
	    "ratelimit api: 100 per 900s -> 5 per 60s\n" },
	{ "app-name \"A\"", "app-name \"B\"", "app-name: A -> B\n" },
	{ "", "security-contact \"tel:1\"", "security-contact:  -> tel:1\n" },
	{ "base-path \"/a/\"", "base-path \"/b/\"", "base-path: /a -> /b\n" },
	{ "audit { store keep 30d }", "",
	    "audit store: set -> \naudit store keep: 30d -> 365d\n" },
	/* A shape of their own. */
	{ "prefork { startups 10:30:60 }", "prefork { startups 10:30:70 }",
	    "prefork startups: 10:30:60 -> 10:30:70\n" },
	{ "tls { protocols tlsv1.3 }", "tls { protocols tlsv1.2 tlsv1.3 }",
	    "tls protocols: tlsv1.3 -> tlsv1.2 tlsv1.3\n" },
	{ "compression off", "compression gzip 6", "compression: off -> gzip\n" },
	{ "isolation namespace { resolver 192.0.2.1 }",
	    "isolation namespace { resolver 192.0.2.1, 192.0.2.2 }",
	    "isolation resolver: 192.0.2.1 -> 192.0.2.1, 192.0.2.2\n" },
	/* What there may be many of. */
	{ "listen on 127.0.0.1 port 81", "listen on 127.0.0.1 port 82",
	    "listen 127.0.0.1 port 81: there -> \nlisten 127.0.0.1 port 82:  -> "
	    "there\n" },
	{ "listen on 127.0.0.1 port 81",
	    "listen on 127.0.0.1 port 81 proxy-protocol from 192.0.2.1",
	    "listen 127.0.0.1 port 81 proxy-protocol:  -> set\n"
	    "listen 127.0.0.1 port 81 from:  -> 192.0.2.1\n" },
	{ "role \"auditor\" permit audit.read",
	    "role \"auditor\" permit audit.read users.read",
	    "role \"auditor\": audit.read -> users.read audit.read\n" },
	{ "", "role \"auditor\" permit audit.read", "role \"auditor\":  -> there\n" },
	{ "isolation namespace { bind \"/opt/a\" }",
	    "isolation namespace { bind \"/opt/a\" read-write }",
	    "isolation bind \"/opt/a\": read-only -> read-write\n" },
	{ "limits role \"user\" { memory 1G }", "limits role \"user\" { memory 2G }",
	    "limits role \"user\" memory: 1G -> 2G\n" },
	{ "location \"/a/\" { root \"/srv/a\" }", "location \"/a/\" { root \"/srv/b\" }",
	    "location \"/a/\" root: /srv/a -> /srv/b\n" },
	{ "isolation namespace { egress deny to 192.0.2.0/24 }",
	    "isolation namespace { egress deny to 192.0.2.0/25 }",
	    "isolation egress:  -> another\n" },
	/* Told by nobody. */
	{ "auth { password-hash \"\\$argon2id\\$v=19\\$m=65536,t=3,p=1\\$aaaa\\$bbbb\" }",
	    "auth { password-hash \"\\$argon2id\\$v=19\\$m=65536,t=3,p=1\\$aaaa\\$cccc\" "
	    "}",
	    "auth password-hash:  -> another\n" },
	{ "ide \"code\" { argument \"--token=a\" }",
	    "ide \"code\" { argument \"--token=b\" }", "ide argument:  -> another\n" },
	{ "location \"/a/\" { proxy to unix \"/run/a\"\nheader \"X-Key: a\" }",
	    "location \"/a/\" { proxy to unix \"/run/a\"\nheader \"X-Key: b\" }",
	    "location \"/a/\" header:  -> another\n" },
};

static void
test_cases(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(differs(cases[i].old, cases[i].fresh), cases[i].said);
}

/* Every keyword with a place of its own: another value there is told. */
static void
test_rows(void **state)
{
	const struct conf_row *row;
	unsigned char *at;
	size_t i, n = 0;

	(void)state;
	for (i = 0; i < conf_nrows; i++) {
		row = &conf_rows[i];
		if (row->size == 0 || row->block == B_LISTEN || row->block == B_LIMITS ||
		    row->block == B_LOCATION || row->block == B_TARGET ||
		    row->block == B_REQUIRE || row->kind == K_LOGTO)
			continue;
		conf_defaults(&old);
		memset(old.ide.path, 0, sizeof(old.ide.path));
		fresh = old;
		at = (unsigned char *)&fresh + row->offset;
		if (row->kind == K_FLAG)
			conf_store(
			    &fresh, row, conf_load(&fresh, row) == 0 ? row->min : 0);
		else if (row->kind == K_WORD || row->kind == K_SET)
			conf_store(&fresh, row,
			    row->words[conf_load(&fresh, row) == row->words[0].value]
				.value);
		else
			at[0] = at[0] == 'a' ? 'b' : 'a';
		said[0] = '\0';
		conf_diff(&old, &fresh, collect, NULL);
		if (said[0] == '\0')
			fail_msg("nothing is said of %s", conf_row_name(row));
		n++;
	}
	assert_true(n > 60);
}

/* However long a value is, what is said of it has an end, between two characters. */
static void
test_long(void **state)
{
	char a[512], *p = a;
	size_t i;

	(void)state;
	p += sprintf(p, "brand { text \"");
	for (i = 0; i < 150; i++)
		p += sprintf(p, "\xc3\xa4");
	sprintf(p, "\" }");
	differs("", a);
	assert_non_null(strstr(said, "\xc3\xa4...\n"));
	assert_true(strlen(said) < WIRE_KEYWORD + WIRE_VALUE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
