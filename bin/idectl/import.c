/* What code-server's options become in ided.conf(5): see import.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bsd/string.h>

#include "idectl.h"
#include "import.h"

/* clang-format off */
const struct import_option import_options[] = {
	/* where it listens, and who may come */
	{ "bind-addr",		IMPORT_SPECIAL, NULL, NULL },
	{ "host",		IMPORT_SPECIAL, "CODE_SERVER_HOST", NULL },
	{ "port",		IMPORT_SPECIAL, "PORT", NULL },
	{ "socket",		IMPORT_SPECIAL, NULL, NULL },
	{ "cert",		IMPORT_SPECIAL, NULL, NULL },
	{ "cert-key",		IMPORT_SPECIAL, NULL, NULL },
	{ "auth",		IMPORT_SPECIAL, NULL, NULL },
	{ "password",		IMPORT_SPECIAL, "PASSWORD", NULL },
	{ "hashed-password",	IMPORT_SPECIAL, "HASHED_PASSWORD", NULL },
	/* what ided does itself */
	{ "app-name",		IMPORT_SPECIAL, "CODE_SERVER_APP_NAME", NULL },
	{ "welcome-text",	IMPORT_SPECIAL, NULL, NULL },
	{ "proxy-domain",	IMPORT_SPECIAL, NULL, NULL },
	{ "abs-proxy-base-path", IMPORT_SPECIAL, NULL, NULL },
	{ "disable-proxy",	IMPORT_SPECIAL, "CS_DISABLE_PROXY", NULL },
	{ "user-data-dir",	IMPORT_SPECIAL, NULL, NULL },
	{ "extensions-dir",	IMPORT_SPECIAL, NULL, NULL },
	{ "idle-timeout-seconds", IMPORT_SPECIAL, "CODE_SERVER_IDLE_TIMEOUT_SECONDS", NULL },
	/* what VS Code is told */
	{ "disable-telemetry",	IMPORT_FLAG,	NULL, NULL },
	{ "disable-file-downloads", IMPORT_FLAG, "CS_DISABLE_FILE_DOWNLOADS", NULL },
	{ "disable-file-uploads", IMPORT_FLAG,	NULL, NULL },
	{ "disable-workspace-trust", IMPORT_FLAG, NULL, NULL },
	{ "disable-getting-started-override", IMPORT_FLAG, "CS_DISABLE_GETTING_STARTED_OVERRIDE", NULL },
	{ "enable-proposed-api", IMPORT_VALUE,	NULL, NULL },
	{ "link-protection-trusted-domains", IMPORT_VALUE, NULL, NULL },
	{ "locale",		IMPORT_VALUE,	NULL, NULL },
	{ "log",		IMPORT_VALUE,	"LOG_LEVEL", NULL },
	{ "reconnection-grace-time", IMPORT_VALUE, "CODE_SERVER_RECONNECTION_GRACE_TIME", NULL },
	/* what needs nothing */
	{ "disable-update-check", IMPORT_NOTHING, NULL, "nobody outside is asked, unless update-check names a feed" },
	{ "github-auth",	IMPORT_NOTHING,	"GITHUB_TOKEN", "a token is its user's, who signs in at GitHub in VS Code" },
	{ "cert-host",		IMPORT_NOTHING, NULL, "names are those of the certificate" },
	{ "cookie-suffix",	IMPORT_NOTHING, "CODE_SERVER_COOKIE_SUFFIX", "the cookie is bound to this host (__Host-)" },
	{ "session-socket",	IMPORT_NOTHING, NULL, "windows are found in the sandbox itself" },
	{ "socket-mode",	IMPORT_NOTHING, NULL, "the folder of the socket says who may connect" },
	{ "socket-fd",		IMPORT_NOTHING, NULL, "a service manager passes sockets: see ided(8)" },
	{ "trusted-origins",	IMPORT_NOTHING, NULL, "only ided's own pages may write and open WebSockets" },
	{ "skip-auth-preflight", IMPORT_NOTHING, NULL, "no request gets to a port without a login" },
	{ "config",		IMPORT_NOTHING, "CODE_SERVER_CONFIG", "the configuration is this file" },
	{ "open",		IMPORT_NOTHING, NULL, "a server opens no browser" },
	{ "verbose",		IMPORT_NOTHING, NULL, "see \"log\" in ided.conf(5)" },
	{ "i18n",		IMPORT_NOTHING, NULL, "the pages are ided's own" },
	{ "ignore-last-opened",	IMPORT_NOTHING, NULL, "a query of ?ew=true opens no folder" },
	{ "builtin-extensions-dir", IMPORT_NOTHING, NULL, "those of the VS Code that make ide installs" },
	{ "vscode-option",	IMPORT_NOTHING, "VSCODE_OPTIONS", "see \"argument\" in ided.conf(5)" },
	{ "new-window",		IMPORT_NOTHING, NULL, "\"idectl open\" opens in a window that is there" },
	{ "reuse-window",	IMPORT_NOTHING, NULL, "\"idectl open\" opens in a window that is there" },
	{ "install-extension",	IMPORT_NOTHING, NULL, "see \"idectl ext install\"" },
	{ "uninstall-extension", IMPORT_NOTHING, NULL, "see \"idectl ext uninstall\"" },
	{ "list-extensions",	IMPORT_NOTHING, NULL, "see \"idectl ext list\"" },
	{ "show-versions",	IMPORT_NOTHING, NULL, "see \"idectl ext list\"" },
	{ "locate-extension",	IMPORT_NOTHING, NULL, "they are below ~/extensions of the user" },
	{ "category",		IMPORT_NOTHING, NULL, "see \"idectl ext list\"" },
	{ "force",		IMPORT_NOTHING, NULL, "\"idectl ext install\" takes the newest" },
	{ "enable",		IMPORT_NOTHING, NULL, "there is nothing to be tried out" },
	{ "help",		IMPORT_NOTHING, NULL, "see ided(8)" },
	{ "version",		IMPORT_NOTHING, NULL, "see \"idectl status\"" },
	{ "json",		IMPORT_NOTHING, NULL, "see \"idectl -j\"" },
	/* variables that are no option's */
	{ "EXTENSIONS_GALLERY",	IMPORT_NOTHING, "EXTENSIONS_GALLERY", "see gallery of ide in ided.conf(5)" },
	{ "CS_TELEMETRY_URL",	IMPORT_NOTHING, "CS_TELEMETRY_URL", "nothing is told to anybody" },
	{ "VSCODE_PROXY_URI",	IMPORT_NOTHING, "VSCODE_PROXY_URI", "ided says where ports are" },
	{ NULL, IMPORT_NOTHING, NULL, NULL },
};
/* clang-format on */
_Static_assert(sizeof(import_options) / sizeof(import_options[0]) <= IMPORT_OPTIONS,
    "a value for each option");

static struct import_value values[IMPORT_OPTIONS];

static const struct import_value *
value_of(const char *name)
{
	size_t i;

	for (i = 0; import_options[i].name != NULL; i++)
		if (strcmp(import_options[i].name, name) == 0)
			return &values[i];
	die("BUG: no option %s", name);
}

/* The value of an option that is set and has one; NULL otherwise. */
static const char *
text_of(const char *name)
{
	const struct import_value *v = value_of(name);

	return v->set && v->n > 0 ? v->text[0] : NULL;
}

/* As a string of ided.conf(5). */
static void
put(const char *s)
{
	putchar('"');
	for (; *s != '\0'; s++) {
		if (*s == '"' || *s == '\\' || *s == '$')
			putchar('\\');
		putchar(*s);
	}
	putchar('"');
}

static void
put_line(const char *keyword, const char *s)
{
	printf("%s ", keyword);
	put(s);
	putchar('\n');
}

/* --- where it listens --- */

struct place {
	char host[IMPORT_TEXT];
	char port[16];
};

/* bind-addr is host:port or host; host and port, where they are set, come before it. */
static void
place_find(struct place *p)
{
	const char *s = text_of("bind-addr"), *colon;

	strlcpy(p->host, "127.0.0.1", sizeof(p->host));
	strlcpy(p->port, "8080", sizeof(p->port));
	if (s != NULL) {
		colon = strrchr(s, ':');
		/* An IPv6 address has its port behind the bracket. */
		if (colon != NULL && strchr(s, ':') != colon &&
		    (colon == s || colon[-1] != ']'))
			colon = NULL;
		snprintf(p->host, sizeof(p->host), "%.*s",
		    colon == NULL ? (int)strlen(s) : (int)(colon - s), s);
		if (colon != NULL)
			strlcpy(p->port, colon + 1, sizeof(p->port));
	}
	if ((s = text_of("host")) != NULL)
		strlcpy(p->host, s, sizeof(p->host));
	if ((s = text_of("port")) != NULL)
		strlcpy(p->port, s, sizeof(p->port));
	if (strcmp(p->host, "0.0.0.0") == 0 || strcmp(p->host, "::") == 0 ||
	    strcmp(p->host, "[::]") == 0 || p->host[0] == '\0')
		strlcpy(p->host, "*", sizeof(p->host));
	else if (strcmp(p->host, "localhost") == 0)
		strlcpy(p->host, "127.0.0.1", sizeof(p->host));
}

static bool
is_loopback(const char *host)
{
	return strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0 ||
	    strcmp(host, "[::1]") == 0;
}

static void
write_listen(void)
{
	const char *cert = text_of("cert"), *key = text_of("cert-key");
	struct place p;
	bool tls = value_of("cert")->set;

	if (text_of("socket") != NULL) {
		put_line("listen on unix", text_of("socket"));
		return;
	}
	place_find(&p);
	if (!tls && !is_loopback(p.host)) {
		printf(
		    "# Without \"cert\" code-server spoke plain HTTP here; ided does so "
		    "on loopback only.\n");
		tls = true;
	}
	printf("listen on %s port %s%s\n", p.host, p.port, tls ? " tls" : "");
	if (!tls)
		return;
	if (cert == NULL || cert[0] != '/' || key == NULL) {
		printf(
		    "# Make a certificate, or name one that you have:\n"
		    "#   openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 "
		    "-nodes -days 365 \\\n"
		    "#       -subj /CN=$(hostname -f) -addext "
		    "subjectAltName=DNS:$(hostname -f) \\\n"
		    "#       -keyout /etc/ided/private/server.key -out "
		    "/etc/ided/server.crt\n");
		cert = "/etc/ided/server.crt";
		key = "/etc/ided/private/server.key";
	}
	printf("tls {\n");
	put_line("\tcertificate", cert);
	put_line("\tkey", key);
	printf("}\n");
}

/* --- who may come --- */

static void
write_auth(void)
{
	const char *auth = text_of("auth"), *hash = text_of("hashed-password");
	bool none = auth != NULL && strcmp(auth, "none") == 0;

	printf("auth {\n\tmode %s\n\taccount \"coder\"\n", none ? "none" : "single");
	if (!none && hash != NULL && strncmp(hash, "$argon2id$v=19$", 15) == 0)
		put_line("\tpassword-hash", hash);
	else if (!none)
		printf("\t# The password is not copied%s.  Set one with\n"
		       "\t#   idectl user passwd coder\n",
		    hash != NULL ? ", nor is a hash of a kind that is quickly guessed" :
				   "");
	/* As code-server has it: any password will do. */
	printf("\tpassword min 8 classes 1\n}\n");
}

/* --- the rest --- */

static void
write_proxy(void)
{
	const struct import_value *v = value_of("proxy-domain");
	const char *d = v->n > 0 ? v->text[0] : NULL, *base;
	char domain[IMPORT_TEXT + 2];

	base = text_of("abs-proxy-base-path");
	if (value_of("disable-proxy")->set)
		printf("# Ports of the sandbox are for its user alone; \"proxy\" in "
		       "ided.conf(5) says which.\n");
	if (d == NULL && base == NULL)
		return;
	printf("proxy {\n");
	if (d != NULL) {
		if (strncmp(d, "{{port}}.", 9) == 0)
			d += 9;
		else if (strncmp(d, "*.", 2) == 0)
			d += 2;
		snprintf(domain, sizeof(domain), "*.%s", d);
		put_line("\tdomain", domain);
		for (unsigned int i = 1; i < v->n; i++)
			printf("\t# one domain is served; this one is not: %s\n",
			    v->text[i]);
	}
	if (base != NULL)
		put_line("\tabs-base-path", base);
	printf("}\n");
}

static void
write_argument(const struct import_option *o, const char *text)
{
	char arg[IMPORT_TEXT + 64];

	if (text == NULL)
		snprintf(arg, sizeof(arg), "--%s", o->name);
	else
		snprintf(arg, sizeof(arg), "--%s=%s", o->name, text);
	put_line("\targument", arg);
}

static void
write_ide(void)
{
	const struct import_option *o;
	size_t i;

	printf("ide \"code\" {\n\tpath \"/usr/local/lib/ided/vscode\"\n");
	for (i = 0; import_options[i].name != NULL; i++) {
		o = &import_options[i];
		if (!values[i].set)
			continue;
		if (o->how == IMPORT_FLAG)
			write_argument(o, NULL);
		for (unsigned int j = 0; o->how == IMPORT_VALUE && j < values[i].n; j++)
			write_argument(o, values[i].text[j]);
	}
	printf("}\n");
}

/* Files come with the user, once the sandbox has been started. */
static void
write_files(void)
{
	const char *data = text_of("user-data-dir"), *ext = text_of("extensions-dir");

	printf(
	    "\n# The user's settings and extensions, once ided runs:\n"
	    "#   idectl sandbox exec coder -- mkdir -p data/data\n"
	    "#   tar -C %s -c User | idectl sandbox exec coder -- tar -C data/data -x\n"
	    "#   tar -C %s -c . | idectl sandbox exec coder -- tar -C extensions -x\n",
	    data != NULL ? data : "~/.local/share/code-server",
	    ext != NULL ? ext : "~/.local/share/code-server/extensions");
}

static void
write_nothing(void)
{
	size_t i;

	for (i = 0; import_options[i].name != NULL; i++)
		if (values[i].set && import_options[i].how == IMPORT_NOTHING)
			printf(
			    "# %s: %s\n", import_options[i].name, import_options[i].what);
}

/* These stand in the file without quotes. */
static bool
sound_place(const char *path)
{
	struct place p;

	place_find(&p);
	if (p.host[strspn(p.host,
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
		"0123456789.:*[]-%_")] != '\0') {
		fprintf(stderr, "%s: expected an address or a host name, got \"%s\"\n",
		    path, p.host);
		return false;
	}
	if (p.port[0] == '\0' || p.port[strspn(p.port, "0123456789")] != '\0') {
		fprintf(stderr, "%s: expected a port number, got \"%s\"\n", path, p.port);
		return false;
	}
	return true;
}

static bool
sound(const char *path)
{
	const char *auth = text_of("auth"), *idle = text_of("idle-timeout-seconds");

	if (!sound_place(path))
		return false;
	if (idle != NULL &&
	    (strlen(idle) > 8 || idle[strspn(idle, "0123456789")] != '\0' ||
		atoi(idle) <= 60)) {
		fprintf(stderr,
		    "%s: idle-timeout-seconds: expected a number above 60, got "
		    "\"%s\"\n",
		    path, idle);
		return false;
	}
	if (auth != NULL && strcmp(auth, "password") != 0 && strcmp(auth, "none") != 0) {
		fprintf(stderr, "%s: auth: expected password or none, got \"%s\"\n", path,
		    auth);
		return false;
	}
	return true;
}

int
import_run(const char *path, bool environment)
{
	bool ok;

	ok = import_read(path, values);
	if (environment)
		ok = import_environment(values) && ok;
	if (!ok || !sound(path))
		return EXIT_FAILED;
	printf("# What code-server was told in %s, for ided.\n\n", path);
	printf("data \"/var/ided\"\nruntime \"/run/ided\"\nlog to syslog level info\n");
	if (text_of("app-name") != NULL)
		put_line("app-name", text_of("app-name"));
	if (text_of("idle-timeout-seconds") != NULL)
		printf("idle-exit %ss\n", text_of("idle-timeout-seconds"));
	if (text_of("welcome-text") != NULL) {
		printf("brand {\n");
		put_line("\twelcome", text_of("welcome-text"));
		printf("}\n");
	}
	putchar('\n');
	write_listen();
	write_auth();
	write_proxy();
	write_ide();
	write_nothing();
	write_files();
	return EXIT_SUCCESS;
}
