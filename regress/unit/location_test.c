/*
 * Which location a path means: one, none, or it depends on who reads it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../../worker/location.h"
#include "../../worker/routes.h"
#include "../../worker/url.h"

static struct conf_for_worker conf;

static int
setup(void **state)
{
	static const char *const prefixes[] = { "/app/", "/app/deep/", "/files/" };

	(void)state;
	for (uint32_t i = 0; i < 3; i++) {
		strcpy(conf.location[i].prefix, prefixes[i]);
		conf.location[i].kind = LOCATION_PROXY_UNIX;
	}
	conf.nlocation = 3;
	location_prepare(&conf);
	return (0);
}

/* As stream_request() comes to it. */
static const char *
match(const char *raw)
{
	char path[STREAM_PATH_MAX];
	struct location *l = NULL;

	if (url_path(path, sizeof(path), slice_str(raw)) == -1) {
		path[0] = '\0';
		if (!url_path_safe(slice_str(raw)))
			return ("refused");
	}
	switch (location_match(path, slice_str(raw), &l)) {
	case LOCATION_NONE:
		return ("none");
	case LOCATION_UNCLEAR:
		return ("unclear");
	default:
		return (l->conf->prefix);
	}
}

static void
test_match(void **state)
{
	static const struct {
		const char *raw, *want;
	} rows[] = {
		{ "/app/", "/app/" },
		{ "/app/x", "/app/" },
		{ "/%61pp/x", "/app/" },
		{ "/app/a%2Fb", "/app/" },
		{ "/app/a//b", "/app/" },
		{ "/app/100%25", "/app/" },
		{ "/app/%25zz", "/app/" },
		{ "/app/deeper/", "/app/" },
		{ "/app/x/deep/", "/app/" },
		{ "/app/deep", "/app/" },
		{ "/app/deep/", "/app/deep/" },
		{ "/app/%64eep/x", "/app/deep/" },
		{ "/app/deep/a%2Fb", "/app/deep/" },
		{ "/app/deep/a%2f%2fb", "/app/deep/" },
		{ "/app/deep/;x", "/app/deep/" },
		/* some would take them for the other */
		{ "/app//deep/", "unclear" },
		{ "/app/;/deep/", "unclear" },
		{ "/app/deep;a=b/", "unclear" },
		{ "/app/DEEP/", "unclear" },
		{ "/app/%2fdeep/", "unclear" },
		{ "/app%2fdeep/", "/app/deep/" },
		{ "/app/%5cdeep/", "unclear" },
		{ "/app/\\deep/", "unclear" },
		{ "/app/deep%2f", "/app/deep/" },
		{ "/app/%2564eep/", "unclear" },
		{ "/app/%252564eep/", "unclear" },
		{ "/app/%252e%252e/files/", "unclear" },
		{ "/app/x%252f..%252fdeep/", "unclear" },
		{ "/app/x/..%252f", "unclear" },
		{ "//app/", "unclear" },
		{ "/APP/", "unclear" },
		{ "/x/%252e%252e/app/", "none" },
		{ "/app/../files/", "refused" },
		{ "/app/%2e%2e/files/", "refused" },
		{ "/app/..;/files/", "refused" },
		{ "/app/.%2fdeep/", "refused" },
		/* others */
		{ "/", "none" },
		{ "/ap/", "none" },
		{ "/app", "none" },
		{ "/apple/", "none" },
		{ "/x/app/", "none" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strcmp(match(rows[i].raw), rows[i].want) != 0)
			fail_msg("%s: %s, not %s", rows[i].raw, match(rows[i].raw),
			    rows[i].want);
}

static void
test_slash(void **state)
{
	(void)state;
	assert_true(location_lacks_slash("/app"));
	assert_true(location_lacks_slash("/app/deep"));
	assert_false(location_lacks_slash("/app/"));
	assert_false(location_lacks_slash("/ap"));
	assert_false(location_lacks_slash(""));
}

/* What goes on to the service. */
static void
test_target(void **state)
{
	static const struct {
		const char *rewrite, *target, *want;
	} rows[] = {
		{ "", "/app/", "/app/" },
		{ "", "/app/x?y=%2F", "/app/x?y=%2F" },
		{ "", "/%61%70p/%78", "/app/%78" },
		{ "/", "/app/", "/" },
		{ "/", "/app/x%2Fy?z", "/x%2Fy?z" },
		{ "/b/c", "/app/", "/b/c/" },
		{ "/b/c", "/app%2fx", "/b/c/x" },
	};
	struct evbuffer *out = evbuffer_new();
	struct location *l = NULL;
	static struct stream s;

	(void)state;
	assert_int_equal(location_match("/app/", SLICE("/app/"), &l), LOCATION_ONE);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		strcpy(conf.location[0].rewrite, rows[i].rewrite);
		s.head.target = slice_str(rows[i].target);
		location_target(out, &s, l);
		evbuffer_add(out, "", 1);
		assert_string_equal((char *)evbuffer_pullup(out, -1), rows[i].want);
		evbuffer_drain(out, evbuffer_get_length(out));
	}
	evbuffer_free(out);
}

/* Programs take '_' for '-', or the other way round. */
static void
test_drops(void **state)
{
	static const char *const drops[] = { "x-ided-user", "x_ided_user", "x-ided_",
		"x-site", "x_site", "x_forwarded_for" };
	static const char *const passes[] = { "x-ide", "x-sites", "xided-user",
		"accept" };
	struct location *l = NULL;

	(void)state;
	strcpy(conf.location[0].header[0], "X-Site: a");
	strcpy(conf.location[0].header[1], "Host: b");
	conf.location[0].nheaders = 2;
	assert_int_equal(location_match("/app/", SLICE("/app/"), &l), LOCATION_ONE);
	for (size_t i = 0; i < sizeof(drops) / sizeof(drops[0]); i++)
		if (!location_drops(l, slice_str(drops[i])))
			fail_msg("%s passes", drops[i]);
	for (size_t i = 0; i < sizeof(passes) / sizeof(passes[0]); i++)
		if (location_drops(l, slice_str(passes[i])))
			fail_msg("%s is dropped", passes[i]);
	assert_true(slice_eq(location_host(l), SLICE("b")));
}

static void
count(void *arg, const char *line)
{
	(void)line;
	++*(int *)arg;
}

/* What ided serves itself is none of a location's. */
static void
test_reserved(void **state)
{
	static char *const envp[] = { NULL };
	static struct conf parsed;
	char text[256];

	(void)state;
	for (const struct route *r = routes; r->path != NULL; r++) {
		size_t n = 1 + strcspn(r->path + 1, "/");
		int errors = 0;

		if (n == 1)
			continue;
		snprintf(text, sizeof(text),
		    "listen on 127.0.0.1 port 8080\nlocation \"%.*s/\" { root /r }\n",
		    (int)n, r->path);
		conf_parse_buf(
		    &parsed, "t", text, strlen(text), NULL, 0, envp, count, &errors);
		if (errors != 1)
			fail_msg("%s: %d errors", text, errors);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_match),
		cmocka_unit_test(test_slash),
		cmocka_unit_test(test_target),
		cmocka_unit_test(test_drops),
		cmocka_unit_test(test_reserved),
	};

	return (cmocka_run_group_tests(tests, setup, NULL));
}
