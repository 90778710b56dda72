/*
 * The configuration: what is accepted and what it becomes, what is refused and
 * with which words.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/stat.h>

#include <netinet/in.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "privsep/conf.h"
#include "privsep/conf_parse.h"

/* Line 1 of most texts: what has no listener is refused. */
#define OK "listen on 127.0.0.1 port 8080\n"

#define NLINE 8 /* errors of one case */
#define NMANY 512

#define U(f) offsetof(struct conf, f), sizeof(((struct conf *)0)->f)
#define S(f) offsetof(struct conf, f)

struct lines {
	unsigned int n;
	char line[NMANY][512];
};

static struct lines lines;
static struct conf conf;

static void
collect(void *arg, const char *line)
{
	struct lines *l = arg;

	assert_null(strchr(line, '\n'));
	assert_true(l->n < NMANY);
	snprintf(l->line[l->n], sizeof(l->line[0]), "%s", line);
	l->n++;
}

static int
parse(const char *text, size_t len, const char *define, const char *env)
{
	struct conf_define def = { define, NULL };
	char name[64], envbuf[4][5000];
	char *envp[6];
	const char *eq;
	unsigned int n = 0;

	/* Variables are parted by a bar. */
	while (env != NULL && n < 4) {
		size_t one = strcspn(env, "|");

		snprintf(envbuf[n], sizeof(envbuf[0]), "%.*s", (int)one, env);
		envp[n] = envbuf[n];
		n++;
		env = env[one] == '|' ? env + one + 1 : NULL;
	}
	envp[n++] = (char *)(uintptr_t) "HOME=/root";
	envp[n] = NULL;
	if (define != NULL && (eq = strchr(define, '=')) != NULL) {
		snprintf(name, sizeof(name), "%.*s", (int)(eq - define), define);
		def.name = name;
		def.value = eq + 1;
	}
	lines.n = 0;
	return conf_parse_buf(
	    &conf, "t", text, len, &def, define != NULL, envp, collect, &lines);
}

static void
expect(const char *what, int n, const char *const *want)
{
	unsigned int i;

	for (i = 0; i < lines.n || (i < NLINE && want[i] != NULL); i++) {
		if (i < lines.n && i < NLINE && want[i] != NULL &&
		    strcmp(lines.line[i], want[i]) == 0)
			continue;
		fail_msg("%s\nwant: %s\ngot:  %s", what,
		    i < NLINE && want[i] != NULL ? want[i] : "(no error)",
		    i < lines.n ? lines.line[i] : "(no error)");
	}
	assert_int_equal(n, lines.n);
}

/* What a text makes of a number. */
static const struct {
	const char *text;
	const char *env;
	size_t offset;
	size_t size;
	uint64_t want;
} numbers[] = {
#include "conf_numbers.h"
};

/* What a text makes of a string. */
static const struct {
	const char *text;
	const char *define;
	const char *env;
	size_t offset;
	const char *want;
} strings[] = {
	{ OK, NULL, NULL, S(common.data), "/var/ided" },
	{ OK, NULL, NULL, S(common.runtime), "/run/ided" },
	{ OK, NULL, NULL, S(ide.path), "/usr/local/lib/ided/vscode" },
	{ OK, NULL, NULL, S(ide.arg[0]), "--disable-telemetry" },
	{ OK, NULL, NULL, S(http.app_name), "ided" },
	{ OK, NULL, NULL, S(tls.certificate), "" },
	{ OK, NULL, NULL, S(proxy.domain), "" },
	{ OK, NULL, NULL, S(audit.file), "" },
	{ OK, NULL, NULL, S(heartbeat), "" },
	{ OK, NULL, NULL, S(update.feed), "" },
	{ OK, NULL, NULL, S(update.ca), CONF_CA_DEFAULT },
	{ OK "update-check \"https://a.example:444/b?c\"", NULL, NULL, S(update.feed),
	    "https://a.example:444/b?c" },
	{ OK "update-check \"https://a/\" ca \"/c\"", NULL, NULL, S(update.ca), "/c" },
	{ OK, NULL, "IDED_UPDATE_CHECK=https://a/b", S(update.feed), "https://a/b" },
	{ OK, NULL, NULL, S(ide.gallery), "" },
	{ OK "ide \"code\" { gallery \"https://a.example/x\" as code-marketplace }", NULL,
	    NULL, S(ide.gallery), "https://a.example/x" },
	{ OK "ide { extension deny a, \"Ms-Python.Python_3\" }", NULL, NULL,
	    S(ide.extension[1].id), "ms-python.python_3" },
	{ OK, NULL, "IDED_IDE_GALLERY=https://b.example/", S(ide.gallery),
	    "https://b.example/" },
	{ OK "data \"/a b\"", NULL, NULL, S(common.data), "/a b" },
	{ OK "data /a/b///", NULL, NULL, S(common.data), "/a/b" },
	{ OK "data \"/a\\\"\\\\\\$#;{\"", NULL, NULL, S(common.data), "/a\"\\$#;{" },
	{ OK "data \"/\xc3\xa9\" # \xe2\x82\xac", NULL, NULL, S(common.data),
	    "/\xc3\xa9" },
	{ OK "d = \"x\"\ndata \"/$d/${d}y\"", NULL, NULL, S(common.data), "/x/xy" },
	{ OK "d = \"/x\"\ne = \"$d/y\"\ndata $e", NULL, NULL, S(common.data), "/x/y" },
	{ OK "d = \"/x\"\ndata $d", "d=/y", NULL, S(common.data), "/y" },
	{ OK "data $d", "d=/y $z", NULL, S(common.data), "/y $z" },
	{ OK "d = \"/x\"\ndata $d", "d=/y", "IDED_DATA=/z", S(common.data), "/z" },
	{ OK, NULL, "IDED_DATA=/a b#c$d\\e", S(common.data), "/a b#c$d\\e" },
	{ OK, NULL, "IDED_DATA=\"/a b\"", S(common.data), "/a b" },
	{ OK, NULL, "IDED_TLS_KEY=/k", S(tls.key), "/k" },
	{ OK, NULL, "IDED_APP_NAME=My IDE", S(http.app_name), "My IDE" },
	{ OK, NULL, "IDED_IDE=other", S(ide.name), "other" },
	{ OK "security-contact \"https://a/b\"", NULL, NULL, S(http.contact),
	    "https://a/b" },
	{ OK, NULL, "IDED_SECURITY_CONTACT=tel:+1-1", S(http.contact), "tel:+1-1" },
	{ OK "base-path /a/b.c/", NULL, NULL, S(http.base), "/a/b.c" },
	{ OK "brand { welcome \"{{app}}: <b>\" }", NULL, NULL, S(brand.welcome),
	    "{{app}}: <b>" },
	{ OK, NULL, "IDED_BRAND_LOGO=/l.svg", S(brand.logo), "/l.svg" },
	{ OK "log to file \"/l\"", NULL, NULL, S(common.log_file), "/l" },
	{ OK "log to file \"/l\"", NULL, "IDED_LOG=to stderr", S(common.log_file), "" },
	{ OK, NULL, "IDED_AUDIT_FILE=/a keep 3", S(audit.file), "/a" },
	{ OK "audit { syslog }", NULL, NULL, S(audit.syslog_path), "/dev/log" },
	{ OK "audit { syslog to \"/l\" }", NULL, NULL, S(audit.syslog_path), "/l" },
	{ OK "proxy { domain \"*.a.b\" }", NULL, NULL, S(proxy.domain), "*.a.b" },
	{ OK "location /a/ { proxy to ::1 port 5 }", NULL, NULL, S(location[0].target),
	    "[::1]:5" },
	{ OK "location /a/ { proxy to a.b port 5; rewrite /c/ }", NULL, NULL,
	    S(location[0].rewrite), "/c" },
	{ OK "location /a/ { proxy to a.b port 5; require role user }", NULL, NULL,
	    S(location[0].role), "user" },
	{ OK "location /a/ { proxy to a.b port 5 tls }", NULL, NULL, S(location[0].ca),
	    CONF_CA_DEFAULT },
	{ OK "location /a/ { proxy to a.b port 5 tls, ca /c name d.e }", NULL, NULL,
	    S(location[0].name), "d.e" },
	{ OK "location /a/ { proxy to a.b port 5; header \"X-A: b c\" }", NULL, NULL,
	    S(location[0].header[0]), "X-A: b c" },
	{ OK "isolation { skel /etc/skel/ }", NULL, NULL, S(isolation.skel),
	    "/etc/skel" },
	{ OK, NULL, "IDED_ISOLATION_SKEL=/a b", S(isolation.skel), "/a b" },
	{ OK "limits role \"a-b\" { cpu 9% }", NULL, NULL, S(limits[0].name), "a-b" },
	{ OK "ide \"x\" { argument \"-q\" }", NULL, NULL, S(ide.arg[0]), "-q" },
	{ OK "isolation namespace { bind \"/srv/a b/\" read-only }", NULL, NULL,
	    S(isolation.bind[0].path), "/srv/a b" },
	{ OK "auth { mode single }", NULL, NULL, S(ineffect[0]), "" },
	{ OK "auth {\n mode single\n account ann\n}", NULL, NULL, S(auth.account),
	    "ann" },
	{ OK
	    "auth { password-hash \"\\$argon2id\\$v=19\\$m=19456,t=2,p=1\\$c2E\\$dGE\" }",
	    NULL, NULL, S(auth.password_hash), "$argon2id$v=19$m=19456,t=2,p=1$c2E$dGE" },
};

/* What is refused, and all that is said about it. */
static const struct {
	const char *text;
	const char *define;
	const char *env;
	const char *want[NLINE];
} errors[] = {
#include "conf_errors.h"
};

static void
test_numbers(void **state)
{
	const unsigned char *at;
	char what[64];
	uint64_t got;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		static const char *const none[NLINE] = { NULL };

		expect(numbers[i].text,
		    parse(numbers[i].text, strlen(numbers[i].text), NULL, numbers[i].env),
		    none);
		at = (const unsigned char *)&conf + numbers[i].offset;
		got = 0; /* little end first, as all that we run on */
		assert_true(numbers[i].size <= sizeof(got));
		memcpy(&got, at, numbers[i].size);
		snprintf(what, sizeof(what), "case %zu", i);
		if (got != numbers[i].want)
			fail_msg("%s: %s: want %llu, got %llu", what, numbers[i].text,
			    (unsigned long long)numbers[i].want, (unsigned long long)got);
	}
}

static void
test_strings(void **state)
{
	static const char *const none[NLINE] = { NULL };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(strings) / sizeof(strings[0]); i++) {
		expect(strings[i].text,
		    parse(strings[i].text, strlen(strings[i].text), strings[i].define,
			strings[i].env),
		    none);
		assert_string_equal(
		    (const char *)&conf + strings[i].offset, strings[i].want);
	}
}

static void
test_errors(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		expect(errors[i].text,
		    parse(errors[i].text, strlen(errors[i].text), errors[i].define,
			errors[i].env),
		    errors[i].want);
}

/* Names of variables follow those of keywords, and no row is ambiguous. */
static void
test_table(void **state)
{
	const struct conf_row *a, *b, *block;
	char env[128];
	size_t i, j;
	char *s;

	(void)state;
	for (i = 0; i < conf_nrows; i++) {
		a = &conf_rows[i];
		assert_ptr_equal(conf_row_find(a->block, a->name), a);
		for (j = 0; j < i; j++) {
			b = &conf_rows[j];
			if (a->env != NULL && b->env != NULL)
				assert_string_not_equal(a->env, b->env);
			if (a->sub != B_NONE)
				assert_int_not_equal(a->sub, b->sub);
		}
		if (a->env == NULL)
			continue;
		block = conf_row_opening(a->block);
		snprintf(env, sizeof(env), "IDED_%s%s%s",
		    block != NULL ? block->name : "",
		    block != NULL && a->name[0] != '\0' ? "_" : "", a->name);
		for (s = env; *s != '\0'; s++) {
			if (*s == '-')
				*s = '_';
			else if (*s >= 'a' && *s <= 'z')
				*s = (char)(*s - 'a' + 'A');
		}
		assert_string_equal(a->env, env);
	}
}

/* Nothing of what may be read makes more than lines of error. */
static void
test_bytes(void **state)
{
	static const char nul[] = OK "data \"/a\0b\"\n\0 = 1\n";
	static const char *const want[NLINE] = {
		"t:2: expected text, got the control character 0x00 in column 9",
		"t:3: expected text, got the control character 0x00 in column 1",
	};
	static const char *const line[NLINE] = {
		"t:2: expected a line of at most 4096 bytes, got one of 6000",
	};
	static const char *const word[NLINE] = {
		"t:2: expected a word or string of at most 2047 bytes, got a longer one",
	};
	static char text[8192];
	char *big;
	unsigned int i;

	(void)state;
	expect("NUL", parse(nul, sizeof(nul) - 1, NULL, NULL), want);

	snprintf(text, sizeof(text), "%sdata \"/%05992d\"\n", OK, 0);
	assert_int_equal(strlen(text), strlen(OK) + 6001);
	expect("long line", parse(text, strlen(text), NULL, NULL), line);
	snprintf(text, sizeof(text), "%sdata \"/%03000d\"\n", OK, 0);
	expect("long word", parse(text, strlen(text), NULL, NULL), word);

	for (i = 0; i < sizeof(text); i++)
		text[i] = (char)(i * 7 + i / 256);
	assert_true(parse(text, sizeof(text), NULL, NULL) > 0);

	/* More errors than anyone reads. */
	for (i = 0; i < sizeof(text); i += 2)
		memcpy(text + i, "x\n", 2);
	assert_int_equal(parse(text, sizeof(text), NULL, NULL), CONF_ERROR_MAX + 1);
	assert_string_equal(lines.line[CONF_ERROR_MAX],
	    "t:201: expected at "
	    "most 200 errors, got more; the others are not shown");

	big = calloc(1, CONF_TOTAL_MAX + 1);
	assert_non_null(big);
	assert_int_equal(parse(big, CONF_TOTAL_MAX + 1, NULL, NULL), 2);
	assert_string_equal(
	    lines.line[0], "t:1: expected at most 1M of configuration, got more");
	free(big);
}

/* Limits on how many there may be. */
static void
test_limits(void **state)
{
	static const char *const macros[NLINE] = {
		"t:129: expected at most 128 macros, got one more"
	};
	static const char *const listen[NLINE] = {
		"t:33: expected at most 32 listeners, got one more"
	};
	static const char *const limits[NLINE] = {
		"t:258: expected at most 256 blocks of limits, got one more"
	};
	static const char *const location[NLINE] = {
		"t:66: expected at most 64 locations, got one more"
	};
	static const char *const extension[NLINE] = {
		"t:67: expected at most 64 after \"extension\", got \"p65\"; a publisher "
		"stands for all of its extensions"
	};
	static char text[16384];
	size_t n;
	unsigned int i;

	(void)state;
	for (n = 0, i = 0; i < 129; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "m%u = x\n", i);
	snprintf(text + n, sizeof(text) - n, OK);
	expect("macros", parse(text, strlen(text), NULL, NULL), macros);
	for (n = 0, i = 1; i <= 33; i++)
		n += (size_t)snprintf(
		    text + n, sizeof(text) - n, "listen on ::1 port %u\n", i);
	expect("listen", parse(text, strlen(text), NULL, NULL), listen);
	n = (size_t)snprintf(text, sizeof(text), OK);
	for (i = 1; i <= 65; i++)
		n += (size_t)snprintf(
		    text + n, sizeof(text) - n, "location /l%u/ { root /r }\n", i);
	expect("location", parse(text, strlen(text), NULL, NULL), location);
	n = (size_t)snprintf(text, sizeof(text), OK);
	for (i = 1; i <= 257; i++)
		n += (size_t)snprintf(
		    text + n, sizeof(text) - n, "limits user u%u { cpu 9%% }\n", i);
	expect("limits", parse(text, strlen(text), NULL, NULL), limits);
	n = (size_t)snprintf(text, sizeof(text), OK "ide {\n");
	for (i = 1; i <= 65; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%sextension deny p%u",
		    i > 1 ? "\n" : "", i);
	snprintf(text + n, sizeof(text) - n, "\n}\n");
	expect("extensions", parse(text, strlen(text), NULL, NULL), extension);
	n = (size_t)snprintf(text, sizeof(text), OK "ide { extension deny %0127d }\n", 0);
	assert_int_equal(parse(text, n, NULL, NULL), 0);
	n = (size_t)snprintf(text, sizeof(text), OK "ide { extension deny %0128d }\n", 0);
	assert_int_equal(parse(text, n, NULL, NULL), 1);
}

/* Who gets what, resolved: a user's own before the role's, each by itself. */
static void
test_whose(void **state)
{
	static const char text[] = OK
	    "isolation { memory 2G\ncpu 200%\nprocesses 512\nstorage 5G\nfiles 9000 }\n"
	    "limits user ann { storage 9G }\n"
	    "limits role user { memory 1G cpu 50% storage 3G }\n"
	    "limits role admin { files 1000 processes 32 }\n"
	    "limits user user { cpu 77% }\n";
	static const struct {
		const char *user, *role;
		uint64_t memory, cpu, processes, storage, files;
	} want[] = {
		{ "ann", "user", 1, 50, 512, 9, 9000 },
		{ "ann", "admin", 2, 200, 32, 9, 1000 },
		{ "bob", "user", 1, 50, 512, 3, 9000 },
		{ "bob", "operator", 2, 200, 512, 5, 9000 },
		{ "bob", "", 2, 200, 512, 5, 9000 },
		/* A name is no role, and a role is no name. */
		{ "admin", "ann", 2, 200, 512, 5, 9000 },
		{ "user", "user", 1, 77, 512, 3, 9000 },
	};
	static const char *const none[NLINE] = { NULL };
	struct conf_limits got;
	size_t i;

	(void)state;
	expect("limits", parse(text, strlen(text), NULL, NULL), none);
	for (i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		conf_limits(&conf, want[i].user, want[i].role, &got);
		assert_int_equal(got.memory, want[i].memory << 30);
		assert_int_equal(got.cpu, want[i].cpu);
		assert_int_equal(got.processes, want[i].processes);
		assert_int_equal(got.storage, want[i].storage << 30);
		assert_int_equal(got.files, want[i].files);
	}
}

static char dir[] = "/tmp/conf_test.XXXXXX";

static void
put(const char *name, const char *text, mode_t mode)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_non_null(f = fopen(path, "w"));
	assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, mode), 0);
}

static int
parse_file(const char *path)
{
	char *envp[] = { NULL };

	lines.n = 0;
	return conf_parse(&conf, path, NULL, 0, envp, collect, &lines);
}

/* The error of a file in dir; its "%s" is the folder. */
static void
expect_file(const char *name, const char *want)
{
	char path[128], line[512];
	const char *at = want;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (parse_file(path) != (want == NULL ? 0 : 1))
		fail_msg("%s: %s, %s", name, lines.line[0], lines.line[1]);
	if (want == NULL)
		return;
	line[0] = '\0';
	while (*at != '\0') {
		size_t len = strlen(line), one = strcspn(at, "@");

		snprintf(line + len, sizeof(line) - len, "%.*s%s", (int)one, at,
		    at[one] == '@' ? dir : "");
		at += one + (at[one] == '@');
	}
	assert_string_equal(lines.line[0], line);
}

static void
test_include(void **state)
{
	char name[32], text[64];
	static char big[400000];
	unsigned int i;

	(void)state;
	assert_non_null(mkdtemp(dir));
	put("a",
	    OK "d = \"/d\"\ninclude \"b\"\nprefork {\n"
	       "\tinclude \"c\" # in a block\n\tmax 70\n}\ndata $e\n",
	    0644);
	put("b", "e = \"$d/e\"", 0644);
	put("c", "spare 5\n", 0600);
	expect_file("a", NULL);
	assert_string_equal(conf.common.data, "/d/e");
	assert_int_equal(conf.prefork.spare, 5);
	assert_int_equal(conf.prefork.max, 70);

	put("c", "spare 5\n}\n", 0600);
	expect_file("a", "@/c:2: expected a keyword, got \"}\"");
	put("c", "tls {\n", 0600);
	expect_file("a",
	    "@/c:1: expected a keyword of the block \"prefork\", "
	    "got \"tls\"; it stands outside of blocks");
	put("b", "include \"a\"", 0644);
	put("c", "", 0644);
	put("a", OK "include \"b\"\n", 0644);
	expect_file("a",
	    "@/b:1: expected a file to read, got \"@/a\": "
	    "a file that includes itself");
	put("a", OK "include \"none\"\n", 0644);
	expect_file("a",
	    "@/a:2: expected a file to read, got \"@/none\": "
	    "No such file or directory");
	put("a", "include \"/dev/zero\"\n", 0644);
	expect_file("a",
	    "@/a:1: expected a file to read, got \"/dev/zero\": "
	    "no regular file");
	expect_file("",
	    "@/:1: expected a file to read, got \"@/\": "
	    "no regular file");
	put("c", "", 0666);
	put("a", OK "include \"c\"\n", 0644);
	expect_file("a",
	    "@/a:2: expected a file to read, got \"@/c\": "
	    "a file that everyone may write to (chmod o-w)");

	for (i = 0; i < 9; i++) {
		snprintf(name, sizeof(name), "n%u", i);
		snprintf(text, sizeof(text), "include \"n%u\"\n", i + 1);
		put(name, i < 8 ? text : OK, 0644);
	}
	expect_file("n1", NULL);
	expect_file("n0",
	    "@/n7:1: expected a file to read, got \"@/n8\": "
	    "an include inside of too many (8) files");

	memset(big, '\n', sizeof(big) - 1);
	put("big", big, 0644);
	put("a", OK "include \"big\"\ninclude \"big\"\n", 0644);
	expect_file("a", NULL);
	put("a", OK "include \"big\"\ninclude \"big\"\ninclude \"big\"\n", 0644);
	expect_file("a",
	    "@/a:4: expected a file to read, got \"@/big\": "
	    "more than 1M of configuration in all");
	snprintf(text, sizeof(text), "rm -r %s", dir);
	assert_int_equal(system(text), 0);
}

static void
check_sample(const char *path)
{
	unsigned int i;

	if (parse_file(path) != 0)
		fail_msg("%s", lines.line[0]);
	assert_int_equal(conf.nlisten, 3);
	assert_int_equal(conf.listen[0].kind, LISTEN_TLS);
	assert_int_equal(conf.listen[1].kind, LISTEN_REDIRECT);
	assert_int_equal(conf.listen[2].kind, LISTEN_METRICS);
	assert_int_equal(conf.common.log_to, LOG_TO_SYSLOG);
	assert_string_equal(conf.tls.key, "/etc/ided/private/server.key");
	assert_string_equal(conf.proxy.domain, "*.ide.example.com");
	assert_string_equal(conf.location[0].target, "/run/grafana.sock");
	assert_string_equal(conf.location[0].role, "admin");
	assert_string_equal(conf.audit.file, "/var/log/ided/audit.log");
	assert_int_equal(conf.audit.keep_files, 90);
	assert_int_equal(conf.audit.store_keep, 365 * 86400);
	assert_string_equal(conf.heartbeat, "/run/ided/heartbeat");
	assert_int_equal(
	    conf.isolation.require, REQUIRE_SECCOMP | REQUIRE_CGROUP | REQUIRE_LANDLOCK);
	assert_int_equal(conf.ratelimit.user.count, 5000);
	/* What is built later takes its sentence away. */
	for (i = 0; i < conf.nineffect; i++)
		assert_non_null(strstr(conf.ineffect[i], "not in effect yet"));
}

static void
test_sample(void **state)
{
	const char *path = getenv("IDED_SAMPLE");

	(void)state;
	if (path == NULL)
		path = "../shared/ided.conf.sample";
	if (access(path, R_OK) == 0)
		check_sample(path);
	check_sample("etc/ided.conf");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_whose),
		cmocka_unit_test(test_include),
		cmocka_unit_test(test_sample),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
