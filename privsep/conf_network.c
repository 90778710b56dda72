/*
 * The network of sandboxes: addresses with their lengths, tables of them, and the
 * rules of what may be reached.  The rules are read in their order, and the first
 * that fits decides.
 */
#include <sys/socket.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <bsd/string.h>

#include "conf_parse.h"

#define ADDRESS_MAX 64 /* bytes of an address and its length, written out */

static bool
take_family(char *text, bool slash, struct conf_prefix *out)
{
	unsigned int dots = 0;
	const char *s;

	if (strchr(text, ':') != NULL) {
		out->family = AF_INET6;
		return inet_pton(AF_INET6, text, out->addr) == 1;
	}
	/* 10/8, as in pf.conf. */
	for (s = text; *s != '\0'; s++)
		dots += *s == '.';
	for (; slash && dots < 3; dots++)
		strlcat(text, ".0", ADDRESS_MAX);
	out->family = AF_INET;
	return inet_pton(AF_INET, text, out->addr) == 1;
}

static bool
host_bits(const struct conf_prefix *p)
{
	unsigned int i, bytes = p->family == AF_INET ? 4 : 16;

	for (i = p->len / 8; i < bytes; i++)
		if (p->addr[i] & (i == p->len / 8 ? 0xffU >> p->len % 8 : 0xffU))
			return true;
	return false;
}

/*
 * ADDRESS or ADDRESS/LENGTH.  NULL, or what is wrong with it, which may be ""
 * where there is no more to say than that it is none.
 */
const char *
conf_prefix_parse(const char *s, struct conf_prefix *out)
{
	char text[ADDRESS_MAX];
	const char *slash = strchr(s, '/'), *end;
	size_t n = slash != NULL ? (size_t)(slash - s) : strlen(s);
	uint64_t len, most;

	memset(out, 0, sizeof(*out));
	if (n == 0 || n > INET6_ADDRSTRLEN)
		return "";
	memcpy(text, s, n);
	text[n] = '\0';
	if (!take_family(text, slash != NULL, out))
		return "";
	if (out->family == AF_INET6 &&
	    memcmp(out->addr, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12) == 0)
		return "write it as the IPv4 address that it is";
	len = most = out->family == AF_INET ? 32 : 128;
	if (slash != NULL &&
	    (!conf_number(slash + 1, &len, &end) || *end != '\0' || len > most))
		return out->family == AF_INET ? "lengths are from 0 to 32" :
						"lengths are from 0 to 128";
	out->len = (uint8_t)len;
	return host_bits(out) ? "the address has bits beyond its length" : NULL;
}

/* As one would write it: a length that says nothing is left out. */
const char *
conf_prefix_text(const struct conf_prefix *p, char *buf, size_t size)
{
	char text[INET6_ADDRSTRLEN];

	inet_ntop(p->family, p->addr, text, sizeof(text));
	if (p->len == (p->family == AF_INET ? 32 : 128))
		strlcpy(buf, text, size);
	else
		snprintf(buf, size, "%s/%u", text, p->len);
	return buf;
}

/* The whole of q is in p as well. */
bool
conf_prefix_holds(const struct conf_prefix *p, const struct conf_prefix *q)
{
	unsigned int whole = p->len / 8, rest = p->len % 8;

	if (p->family != q->family || p->len > q->len ||
	    memcmp(p->addr, q->addr, whole) != 0)
		return false;
	return rest == 0 ||
	    ((p->addr[whole] ^ q->addr[whole]) & (0xff00U >> rest) & 0xffU) == 0;
}

static bool
take_prefix(struct conf_parser *p, const char *after, struct conf_prefix *out)
{
	const char *hint = "";

	if (conf_is_value(p) && (hint = conf_prefix_parse(p->tok.text, out)) == NULL) {
		conf_next(p);
		return true;
	}
	conf_expected(p, hint[0] != '\0' ? hint : NULL,
	    "an address such as 192.0.2.0/24 or 2001:db8::1 after \"%s\"", after);
	return false;
}

/* A proxy's address. */
bool
conf_value_from(
    struct conf_parser *p, const struct conf_row *row, struct conf_listen *listen)
{
	if (listen->nfrom == CONF_FROM_MAX) {
		conf_expected(
		    p, NULL, "\"from\" at most %d times for one listener", CONF_FROM_MAX);
		return false;
	}
	return take_prefix(p, row->name, &listen->from[listen->nfrom++]);
}

/* IPv4, and IPv6 if it is to be another than the default. */
bool
conf_value_pool(struct conf_parser *p, const struct conf_row *row, struct conf_net *net)
{
	struct conf_prefix pool;
	unsigned int i;

	for (i = 0; i == 0 || (i < 2 && (conf_is_value(p) || p->tok.type == TOK_COMMA));
	     i++) {
		if (p->tok.type == TOK_COMMA)
			conf_next(p);
		if (conf_is_value(p) && conf_prefix_parse(p->tok.text, &pool) == NULL &&
		    pool.family == (i == 0 ? AF_INET : AF_INET6) && pool.len >= 8 &&
		    pool.len <= (i == 0 ? 30 : 96)) {
			net->pool[i] = pool;
			conf_next(p);
			continue;
		}
		conf_expected(p, NULL,
		    i == 0 ? "an IPv4 network of length 8 to 30, such as 100.64.0.0/10, "
			     "after \"%s\"" :
			     "an IPv6 network of length 8 to 96, such as "
			     "fd69:6465:6400::/64, after \"%s\"",
		    row->name);
		return false;
	}
	return true;
}

/* none, or one to three addresses */
bool
conf_value_resolver(
    struct conf_parser *p, const struct conf_row *row, struct conf_net *net)
{
	struct conf_prefix one;

	net->nresolver = 0;
	net->resolver_from = RESOLVER_LIST;
	if (p->tok.type == TOK_WORD && strcmp(p->tok.text, "none") == 0) {
		conf_next(p);
		return true;
	}
	do {
		if (p->tok.type == TOK_COMMA)
			conf_next(p);
		if (net->nresolver == CONF_RESOLVER_MAX) {
			conf_expected(p, NULL, "at most %d addresses after \"%s\"",
			    CONF_RESOLVER_MAX, row->name);
			return false;
		}
		if (!conf_is_value(p) || strchr(p->tok.text, '/') != NULL ||
		    conf_prefix_parse(p->tok.text, &one) != NULL) {
			conf_expected(p, NULL,
			    "none or the address of a name server after \"%s\"",
			    row->name);
			return false;
		}
		net->resolver[net->nresolver++] = one;
		conf_next(p);
	} while (p->tok.type == TOK_COMMA || conf_is_value(p));
	return true;
}

/* <name>: the table, which may be defined further down. */
static struct conf_addresses *
take_table(struct conf_parser *p, const char *after)
{
	struct conf_net *net = &p->conf->net;
	const char *s = p->tok.text;
	size_t i, len = p->tok.len;
	uint32_t t;
	bool good;

	good = conf_is_value(p) && len > 2 && len - 2 < sizeof(net->table[0].name) &&
	    s[0] == '<' && s[len - 1] == '>';
	for (i = 1; good && i < len - 1; i++)
		good = conf_word_byte(s[i]);
	if (!good) {
		conf_expected(p, NULL,
		    "the name of a table, such as <internal>, after \"%s\"", after);
		return NULL;
	}
	for (t = 0; t < net->ntable; t++)
		if (strlen(net->table[t].name) == len - 2 &&
		    memcmp(net->table[t].name, s + 1, len - 2) == 0)
			break;
	if (t == CONF_TABLE_MAX) {
		conf_expected(p, NULL, "at most %d tables", CONF_TABLE_MAX);
		return NULL;
	}
	if (t == net->ntable) {
		memset(&net->table[t], 0, sizeof(net->table[t]));
		memcpy(net->table[t].name, s + 1, len - 2);
		p->table_at[t] = conf_here(p);
		net->ntable++;
	}
	conf_next(p);
	return &net->table[t];
}

/* { ADDRESS, ... }: the token is the brace.  All of it is read, wrong or not. */
static bool
take_addresses(struct conf_parser *p, struct conf_addresses *table)
{
	struct conf_net *net = &p->conf->net;
	bool good = true, full = false;
	struct conf_prefix one;

	table->first = net->nprefix;
	conf_next(p);
	for (; p->tok.type != TOK_CLOSE; conf_next(p)) {
		if (p->tok.type == TOK_END || p->tok.type == TOK_COMMA)
			continue;
		if (p->tok.type == TOK_EOF) {
			conf_expected(
			    p, NULL, "\"}\" to end the table <%s>", table->name);
			return false;
		}
		if (!conf_is_value(p) || conf_prefix_parse(p->tok.text, &one) != NULL) {
			(void)take_prefix(p, "{", &one);
			good = false;
		} else if (net->nprefix == CONF_PREFIX_MAX) {
			if (!full)
				conf_expected(p, "put them into a file",
				    "at most %d addresses in the tables",
				    CONF_PREFIX_MAX);
			full = true;
		} else {
			net->prefix[net->nprefix++] = one;
			table->count++;
		}
	}
	conf_next(p);
	return good && !full;
}

/* <name> { ADDRESS, ... } or <name> file "path" */
bool
conf_value_table(struct conf_parser *p, const struct conf_row *row)
{
	struct conf_addresses *table = take_table(p, row->name);

	if (table == NULL)
		return false;
	if (table->defined) {
		conf_expected(p, NULL, "the table <%s> once", table->name);
		return false;
	}
	table->defined = 1;
	if (p->tok.type == TOK_OPEN)
		return take_addresses(p, table);
	if (p->tok.type != TOK_WORD || strcmp(p->tok.text, "file") != 0) {
		conf_expected(p, NULL, "\"{\" or file after \"<%s>\"", table->name);
		return false;
	}
	conf_next(p);
	return conf_path(p, "file", table->file, sizeof(table->file), 0);
}

/* N or N-M */
static bool
take_ports(struct conf_parser *p, struct conf_egress *e)
{
	uint64_t first = 0, last = 0;
	const char *s = p->tok.text;
	bool good;

	good = conf_is_value(p) && conf_number(s, &first, &s);
	last = first;
	if (good && *s == '-')
		good = conf_number(s + 1, &last, &s);
	if (!good || *s != '\0' || first == 0 || last > UINT16_MAX || first > last) {
		conf_expected(p, NULL,
		    "a port, or a range of ports such as 8000-8080, after \"port\"");
		return false;
	}
	e->port_first = (uint16_t)first;
	e->port_last = (uint16_t)last;
	conf_next(p);
	return true;
}

static bool
take_to(struct conf_parser *p, struct conf_egress *e)
{
	struct conf_addresses *table;

	if (!conf_keyword(p, "to", e->allow ? "allow" : "deny"))
		return false;
	if (p->tok.type == TOK_WORD && strcmp(p->tok.text, "any") == 0) {
		e->to = EGRESS_ANY;
		conf_next(p);
		return true;
	}
	if (conf_is_value(p) && p->tok.text[0] == '<') {
		e->to = EGRESS_TABLE;
		if ((table = take_table(p, "to")) == NULL)
			return false;
		e->table = (uint32_t)(table - p->conf->net.table);
		return true;
	}
	e->to = EGRESS_PREFIX;
	return take_prefix(p, "to", &e->prefix);
}

/* allow|deny to any|ADDRESS|<table> [port N[-M]] [tcp|udp] */
bool
conf_value_egress(struct conf_parser *p, const struct conf_row *row)
{
	struct conf_net *net = &p->conf->net;
	const struct conf_word *w = conf_take_word(p, row);
	struct conf_egress e;

	memset(&e, 0, sizeof(e));
	if (w == NULL)
		return false;
	e.allow = w->value;
	if (!take_to(p, &e))
		return false;
	while (p->tok.type == TOK_WORD) {
		if (strcmp(p->tok.text, "port") == 0 && e.port_first == 0) {
			conf_next(p);
			if (!take_ports(p, &e))
				return false;
			continue;
		}
		if (e.proto != 0)
			break;
		if (strcmp(p->tok.text, "tcp") == 0)
			e.proto = IPPROTO_TCP;
		else if (strcmp(p->tok.text, "udp") == 0)
			e.proto = IPPROTO_UDP;
		else
			break;
		conf_next(p);
	}
	if (net->negress == CONF_EGRESS_MAX) {
		conf_expected(
		    p, "put addresses into a table", "at most %d rules", CONF_EGRESS_MAX);
		return false;
	}
	net->egress[net->negress++] = e;
	return true;
}

/* What no single statement can tell. */
void
conf_verify_network(struct conf_parser *p)
{
	const struct conf_net *net = &p->conf->net;
	const struct conf_isolation *isolation = &p->conf->isolation;
	const struct conf_row *pool = conf_row_find(B_ISOLATION, "network-pool");
	const struct conf_row *uids = conf_row_find(B_ISOLATION, "uids");
	const struct conf_row *require = conf_row_find(B_ISOLATION, "require");
	const struct conf_row *network = conf_row_find(B_ISOLATION, "network");
	uint64_t size = 1ULL << (32 - net->pool[0].len);
	bool own = isolation->kind != ISOLATION_DIRECTORY &&
	    isolation->network == NETWORK_PRIVATE;
	uint32_t t;

	for (t = 0; t < net->ntable; t++)
		if (!net->table[t].defined && !p->partial)
			conf_error(p, p->table_at[t],
			    "expected a table <%s>, which this rule is about, got none; "
			    "add: table <%s> { 192.0.2.0/24 }",
			    net->table[t].name, net->table[t].name);
	if (!own && (isolation->require & REQUIRE_NETWORK) != 0 &&
	    !p->bad[conf_row_index(network)] && !p->bad[conf_row_index(require)])
		conf_error(p, conf_later(p, require, network),
		    "expected \"isolation namespace\" and \"network private\" with "
		    "\"require network\", got another");
	if (own && isolation->uid_count > size && !p->bad[conf_row_index(pool)] &&
	    !p->bad[conf_row_index(uids)])
		conf_error(p, conf_later(p, pool, uids),
		    "expected a \"network-pool\" with an address for each of \"uids\", "
		    "which are %" PRIu32 ", got one of %" PRIu64 "; give it a shorter "
		    "length",
		    isolation->uid_count, size);
}
