/*
 * What no single statement can tell: whether the values agree with one another,
 * whether something lacks, and which of them have no effect yet.
 *
 * A value that was an error has been reported; it is not compared.
 */
#include <netinet/in.h>
#include <sys/socket.h>

#include <stdio.h>
#include <string.h>

#include <bsd/string.h>

#include "conf_parse.h"
#include "jwt.h"

/* The first is to be below the second, or may equal it. */
static const struct {
	enum conf_block block;
	const char *name;
	enum conf_block above_block;
	const char *above;
	bool equal;
} orders[] = {
	{ B_PREFORK, "spare", B_PREFORK, "max", true },
	{ B_SESSION, "idle", B_SESSION, "lifetime", true },
	{ B_TOKEN, "access", B_TOKEN, "refresh", true },
	{ B_ISOLATION, "memory-warn", B_MEMWARN, "critical", false },
	{ B_ISOLATION, "idle-freeze", B_ISOLATION, "idle-stop", false },
	{ B_POOL, "idle", B_PROXY, "pool", true },
};

static bool
bad(const struct conf_parser *p, enum conf_block block, const char *name)
{
	return p->bad[conf_row_index(conf_row_find(block, name))];
}

/* Where a keyword was set, or the statement that it is an option of. */
static struct conf_where
where(const struct conf_parser *p, const struct conf_row *row)
{
	struct conf_where at = p->at[conf_row_index(row)];

	if (at.name == NULL && (row = conf_row_opening(row->block)) != NULL)
		at = p->at[conf_row_index(row)];
	return at.name != NULL ? at : p->end;
}

/* Which of two set the value that spoilt it: the one that comes last. */
struct conf_where
conf_later(
    const struct conf_parser *p, const struct conf_row *a, const struct conf_row *b)
{
	struct conf_where wa = where(p, a), wb = where(p, b);

	if (p->at[conf_row_index(b)].name == NULL)
		return wa;
	if (p->at[conf_row_index(a)].name == NULL)
		return wb;
	return wa.line > wb.line ? wa : wb;
}

static void
verify_orders(struct conf_parser *p)
{
	const struct conf_row *a, *b;
	char low[32], high[32];
	uint64_t va, vb;
	size_t i;

	for (i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
		a = conf_row_find(orders[i].block, orders[i].name);
		b = conf_row_find(orders[i].above_block, orders[i].above);
		if (p->bad[conf_row_index(a)] || p->bad[conf_row_index(b)])
			continue;
		va = conf_load(p->conf, a);
		vb = conf_load(p->conf, b);
		if (va < vb || (va == vb && orders[i].equal))
			continue;
		conf_error(p, conf_later(p, a, b),
		    "expected \"%s\" %s \"%s\", which "
		    "is %s, got %s; lower the one or raise the other",
		    a->name, orders[i].equal ? "not above" : "below", b->name,
		    conf_format(b, vb, high, sizeof(high)),
		    conf_format(a, va, low, sizeof(low)));
	}
}

/* It stands in every token as it is. */
static void
verify_issuer(struct conf_parser *p)
{
	const struct conf_row *row = conf_row_find(B_TOKEN, "issuer");

	if (!p->bad[conf_row_index(row)] && !jwt_issuer_ok(p->conf->auth.token_issuer))
		conf_error(p, where(p, row),
		    "expected \"issuer\" to be a name or an address of letters, digits "
		    "and signs that addresses have, got \"%s\"",
		    p->conf->auth.token_issuer);
}

/* Would the one take connections of the other?  "*" takes those of IPv4 too. */
static bool
overlap(const struct conf_listen *a, const struct conf_listen *b)
{
	static const struct in6_addr any = IN6ADDR_ANY_INIT;
	struct sockaddr_in6 sin6[2];
	struct sockaddr_in sin[2];
	struct sockaddr_un sun[2];
	const struct conf_listen *l[2] = { a, b };
	bool every[2] = { false, false };
	in_port_t port[2] = { 0, 0 };
	int i;

	if ((a->addr.ss_family == AF_UNIX) != (b->addr.ss_family == AF_UNIX))
		return false;
	for (i = 0; i < 2; i++) {
		memcpy(&sun[i], &l[i]->addr, sizeof(sun[i]));
		memcpy(&sin[i], &l[i]->addr, sizeof(sin[i]));
		memcpy(&sin6[i], &l[i]->addr, sizeof(sin6[i]));
		if (l[i]->addr.ss_family == AF_INET6) {
			every[i] = memcmp(&sin6[i].sin6_addr, &any, sizeof(any)) == 0;
			port[i] = sin6[i].sin6_port;
		} else
			port[i] = sin[i].sin_port;
	}
	if (a->addr.ss_family == AF_UNIX)
		return strcmp(sun[0].sun_path, sun[1].sun_path) == 0;
	if (port[0] != port[1])
		return false;
	if (every[0] || every[1])
		return true;
	if (a->addr.ss_family != b->addr.ss_family)
		return false;
	if (a->addr.ss_family == AF_INET6)
		return memcmp(&sin6[0].sin6_addr, &sin6[1].sin6_addr, sizeof(any)) == 0;
	return sin[0].sin_addr.s_addr == sin[1].sin_addr.s_addr ||
	    sin[0].sin_addr.s_addr == htonl(INADDR_ANY) ||
	    sin[1].sin_addr.s_addr == htonl(INADDR_ANY);
}

static void
verify_addresses(struct conf_parser *p)
{
	const struct conf *c = p->conf;
	char text[CONF_PATH_MAX + 32], address[160];
	uint32_t i, j;

	for (i = 1; i < c->nlisten; i++) {
		for (j = 0; j < i; j++) {
			if (!overlap(&c->listen[j], &c->listen[i]))
				continue;
			conf_error(p, p->listen_at[i],
			    "expected an address "
			    "that %s does not take already, got %s; \"*\" takes "
			    "all of IPv4 and IPv6",
			    conf_where_text(p->listen_at[j], text, sizeof(text)),
			    conf_address(&c->listen[i], address, sizeof(address)));
			break;
		}
	}
}

/* The first TLS listener speaks for all that lack a certificate or key. */
static void
verify_tls(struct conf_parser *p)
{
	static const char *const names[] = { "certificate", "key" };
	const struct conf_tls *tls = &p->conf->tls;
	const char *const paths[] = { tls->certificate, tls->key };
	uint32_t i, k;

	if (p->partial || bad(p, B_TOP, "tls"))
		return;
	for (i = 0; i < p->conf->nlisten; i++) {
		if (p->conf->listen[i].kind == LISTEN_TLS)
			break;
	}
	for (k = 0; k < 2 && i < p->conf->nlisten; k++) {
		if (paths[k][0] == '\0' && !bad(p, B_TLS, names[k]))
			conf_error(p, p->listen_at[i],
			    "expected \"%s\" in the "
			    "block \"tls\" for this listener, got none; add "
			    "%s \"/path\" there",
			    names[k], names[k]);
	}
}

/* The one account of single and none. */
static void
verify_account(struct conf_parser *p)
{
	static const char kind[] = "$argon2id$v=19$";
	const struct conf_auth *a = &p->conf->auth;

	if (!bad(p, B_AUTH, "account") && !role_name_ok(a->account))
		conf_error(p, where(p, conf_row_find(B_AUTH, "account")),
		    "expected a user name after \"account\": a lower-case letter, then "
		    "letters, digits, \".\", \"_\" or \"-\", got %s",
		    a->account);
	if (!bad(p, B_AUTH, "password-hash") && a->password_hash[0] != '\0' &&
	    strncmp(a->password_hash, kind, sizeof(kind) - 1) != 0)
		conf_error(p, where(p, conf_row_find(B_AUTH, "password-hash")),
		    "expected an Argon2id hash that begins with \"%s\" after "
		    "\"password-hash\"; or leave it out and use `idectl user passwd'",
		    kind);
}

static void
verify_listen(struct conf_parser *p)
{
	const struct conf *c = p->conf;
	char address[160];
	uint32_t i, serving = 0;

	for (i = 0; i < c->nlisten; i++) {
		if (c->listen[i].kind == LISTEN_METRICS)
			continue;
		serving++;
		if (c->auth.mode == AUTH_NONE && !bad(p, B_AUTH, "mode") &&
		    !conf_loopback(&c->listen[i]))
			conf_error(p, p->listen_at[i],
			    "expected an address of "
			    "loopback or unix, as auth mode none lets everyone "
			    "in, got %s",
			    conf_address(&c->listen[i], address, sizeof(address)));
	}
	if (serving == 0 && !p->partial && !bad(p, B_TOP, "listen"))
		conf_error(p, p->end,
		    "expected a listener, got none; "
		    "add: listen on * port 443 tls");
}

/* A path whose prefix was taken off before it came to us is taken as it is. */
static void
verify_base(struct conf_parser *p)
{
	const struct conf_row *row = conf_row_find(B_TOP, "base-path");
	char path[CONF_NAME_MAX + 1];

	snprintf(path, sizeof(path), "%s/", p->conf->http.base);
	if (!p->bad[conf_row_index(row)] && conf_is_route(path))
		conf_error(p, where(p, row),
		    "expected a path that ided does not serve itself after "
		    "\"base-path\", got \"%s\"",
		    path);
}

/* RFC 9116: an address that a program can follow, and a line stays one. */
static void
verify_contact(struct conf_parser *p)
{
	static const char *const schemes[] = { "https://", "mailto:", "tel:" };
	const struct conf_row *row = conf_row_find(B_TOP, "security-contact");
	const char *text = p->conf->http.contact;
	bool fits = *text == '\0';

	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
		fits |= strncmp(text, schemes[i], strlen(schemes[i])) == 0;
	for (const char *c = text; *c != '\0'; c++)
		fits &= *c > ' ' && *c <= '~';
	if (!fits && !p->bad[conf_row_index(row)])
		conf_error(p, where(p, row),
		    "expected an address such as \"mailto:security@example.com\" after "
		    "\"security-contact\", got \"%s\"",
		    text);
}

/* Whose data and sockets are reached through it: all users'. */
static void
verify_binds(struct conf_parser *p)
{
	const struct conf *c = p->conf;
	const char *const own[] = { c->common.data, c->common.runtime };
	static const char *const names[] = { "data", "runtime" };
	const char *path;
	uint32_t i, k;

	for (i = 0; i < c->isolation.nbind; i++) {
		path = c->isolation.bind[i].path;
		for (k = 0; k < 2; k++)
			if (!bad(p, B_TOP, names[k]) &&
			    (conf_below(path, own[k]) || conf_below(own[k], path)))
				conf_error(p, p->bind_at[i],
				    "expected a path apart from \"%s\", which is %s, "
				    "after \"bind\", got \"%s\"",
				    names[k], own[k], path);
	}
}

/* Landlock forbids what user namespaces are made for: mounts. */
static void
verify_namespaces(struct conf_parser *p)
{
	const struct conf_row *allow = conf_row_find(B_ISOLATION, "user-namespaces");
	const struct conf_row *require = conf_row_find(B_ISOLATION, "require");

	if (p->conf->isolation.user_namespaces &&
	    (p->conf->isolation.require & REQUIRE_LANDLOCK) != 0 &&
	    !p->bad[conf_row_index(allow)] && !p->bad[conf_row_index(require)])
		conf_error(p, conf_later(p, require, allow),
		    "expected \"user-namespaces deny\" with \"require landlock\", got "
		    "allow; Landlock for files and mounts of one's own exclude each "
		    "other");
}

/* What is shared has an origin of its own, or all that is anybody's there. */
static void
verify_share(struct conf_parser *p)
{
	const struct conf_row *share = conf_row_find(B_PROXY, "share");
	const struct conf *c = p->conf;

	if (p->partial || c->proxy.share == SHARE_OFF || p->bad[conf_row_index(share)] ||
	    bad(p, B_PROXY, "domain"))
		return;
	if (c->proxy.domain[0] == '\0')
		conf_error(p, where(p, share),
		    "expected \"share off\" without a \"domain\" in the block "
		    "\"proxy\", got one that lets others in; a shared port needs an "
		    "address of its own: add domain \"*.ide.example.com\" there");
	else if (c->auth.mode == AUTH_NONE && !bad(p, B_AUTH, "mode"))
		conf_error(p, where(p, share),
		    "expected \"share off\" with auth mode none, got one that lets "
		    "others in; nobody can be told from another there");
	else if (c->isolation.kind == ISOLATION_DIRECTORY ||
	    c->isolation.network == NETWORK_HOST)
		conf_error(p, where(p, share),
		    "expected \"share off\" where sandboxes have no network of their "
		    "own, got one that lets others in");
}

void
conf_verify(struct conf_parser *p)
{
	const struct conf_row *data = conf_row_find(B_TOP, "data");
	const struct conf_row *runtime = conf_row_find(B_TOP, "runtime");

	verify_orders(p);
	verify_issuer(p);
	verify_base(p);
	verify_contact(p);
	verify_addresses(p);
	verify_tls(p);
	verify_account(p);
	verify_listen(p);
	verify_binds(p);
	verify_namespaces(p);
	verify_share(p);
	conf_verify_network(p);
	conf_verify_locations(p);
	if (!bad(p, B_TOP, "data") && !bad(p, B_TOP, "runtime") &&
	    strcmp(p->conf->common.data, p->conf->common.runtime) == 0)
		conf_error(p, conf_later(p, data, runtime),
		    "expected two folders "
		    "for \"data\" and \"runtime\", got one");
}

static void
add(struct conf *conf, const char *text)
{
	if (text != NULL && conf->nineffect < CONF_INEFFECT_MAX)
		strlcpy(
		    conf->ineffect[conf->nineffect++], text, sizeof(conf->ineffect[0]));
}

/* Each keyword that its user set and that does nothing, in the table's order. */
void
conf_ineffect(struct conf_parser *p)
{
	const struct conf_row *row;
	const struct conf_word *w;
	size_t i;

	for (i = 0; i < conf_nrows; i++) {
		row = &conf_rows[i];
		if (!p->seen[i] || p->bad[i])
			continue;
		add(p->conf, row->ineffect);
		for (w = row->words; row->kind == K_WORD && w->name != NULL; w++) {
			if (conf_load(p->conf, row) == w->value)
				add(p->conf, w->ineffect);
		}
	}
}
