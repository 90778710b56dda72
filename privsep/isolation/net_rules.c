/*
 * The rules of the way out, as nft(8) reads them.
 *
 * What is sent is asked about packet by packet, not once for a connection, so
 * that a new configuration also ends what it no longer allows.  The order is
 * always the same: the sender is who it must be, the host and other sandboxes
 * are not reached, then the configuration's own rules, then the addresses that
 * nobody outside has, and what is left is let out.
 */
#include <sys/socket.h>

#include <netinet/in.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "../log.h"
#include "net.h"

#define TEXT_MAX 64 /* bytes of an address and its length */

/*
 * Addresses that are not of the outside, or that clouds give their machines'
 * secrets out at.  A rule that names one opens it; "any" does not.
 */
static const char *const protected[] = {
	"0.0.0.0/8",        /* this host */
	"10.0.0.0/8",       /* private */
	"100.64.0.0/10",    /* behind a provider's translator; 100.100.100.200 */
	"127.0.0.0/8",      /* loopback */
	"168.63.129.16/32", /* a cloud's own service */
	"169.254.0.0/16",   /* link-local; 169.254.169.254 */
	"172.16.0.0/12",    /* private */
	"192.0.0.0/24",     /* protocols' own; 192.0.0.192 */
	"192.168.0.0/16",   /* private */
	"198.18.0.0/15",    /* tests of networks */
	"224.0.0.0/4",      /* multicast */
	"240.0.0.0/4",      /* reserved, broadcast */
	"::/80",            /* this host, IPv4 in disguise */
	"64:ff9b:1::/48",   /* translators of the site's own */
	"100::/64",         /* nowhere */
	"2001::/32",        /* IPv4 in tunnels */
	"2002::/16",        /* IPv4 in tunnels */
	"fc00::/7",         /* private; fd00:ec2::254 */
	"fe80::/10",        /* link-local */
	"fec0::/10",        /* private, of old */
	"ff00::/8",         /* multicast */
};

#define NPROTECTED (sizeof(protected) / sizeof(protected[0]))

/* What translates to an IPv4 address, which is then protected there as well. */
static const uint8_t translator[12] = { 0x00, 0x64, 0xff, 0x9b };

static const char base36[] = "0123456789abcdefghijklmnopqrstuvwxyz";

/* Of the runtime folder's path: no two daemons have the same. */
void
net_make_key(const char *runtime, char key[NET_KEY + 1])
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	uint32_t v;
	unsigned int i;

	if (EVP_Digest(runtime, strlen(runtime), digest, NULL, EVP_sha256(), NULL) != 1)
		fatalx("SHA-256 failed");
	memcpy(&v, digest, sizeof(v));
	for (i = 0; i < NET_KEY; i++, v /= 36)
		key[i] = base36[v % 36];
	key[NET_KEY] = '\0';
}

void
net_name(const char *key, uint32_t uid, char name[NET_NAME])
{
	snprintf(name, NET_NAME, NET_PREFIX "%.*s%08" PRIx32, NET_KEY, key, uid);
}

/* While there is no user: nothing that is a uid in hexadecimal. */
void
net_name_spare(const char *key, uint32_t group, char name[NET_NAME])
{
	snprintf(name, NET_NAME, NET_PREFIX "%.*ss%07" PRIx32, NET_KEY, key,
	    group & 0xfffffff);
}

/* The uid that one of our names is of. */
bool
net_name_uid(const char *key, const char *name, uint32_t *uid)
{
	char again[NET_NAME];
	const char *hex = name + strlen(NET_PREFIX) + NET_KEY;

	if (strlen(name) != NET_NAME - 1)
		return false;
	*uid = (uint32_t)strtoul(hex, NULL, 16);
	net_name(key, *uid, again);
	return strcmp(name, again) == 0;
}

void
net_table(const char *key, char table[NET_TABLE])
{
	snprintf(table, NET_TABLE, "ided_%.*s", NET_KEY, key);
}

/* The uid stands in the last bits, as many of it as the network leaves. */
void
net_address(const struct conf_prefix *pool, uint32_t uid, struct conf_prefix *out)
{
	unsigned int bytes = pool->family == AF_INET ? 4 : 16,
		     bits = bytes * 8U - pool->len;
	unsigned int i;

	*out = *pool;
	out->len = (uint8_t)(bytes * 8U);
	if (bits < 32)
		uid &= (1U << bits) - 1;
	for (i = 0; i < 4; i++)
		out->addr[bytes - 1 - i] |= (uint8_t)(uid >> (8 * i));
}

/* Those above, and those of IPv4 as translators write them. */
static unsigned int
protected_all(const struct conf_prefix **all)
{
	static struct conf_prefix list[2 * NPROTECTED];
	static unsigned int n;
	static bool filled;
	struct conf_prefix *p, *in6;
	size_t i;

	*all = list;
	for (i = 0; !filled && i < NPROTECTED; i++) {
		p = &list[n++];
		(void)conf_prefix_parse(protected[i], p);
		if (p->family != AF_INET)
			continue;
		in6 = &list[n++];
		in6->family = AF_INET6;
		in6->len = (uint8_t)(96 + p->len);
		memcpy(in6->addr, translator, sizeof(translator));
		memcpy(in6->addr + sizeof(translator), p->addr, 4);
	}
	filled = true;
	return n;
}

/* Does it hold more than is protected, and something that is? */
static bool
wide(const struct conf_prefix *p)
{
	const struct conf_prefix *q;
	unsigned int i, n = protected_all(&q);
	bool some = false;

	for (i = 0; i < n; i++) {
		if (conf_prefix_holds(&q[i], p))
			return false;
		some = some || conf_prefix_holds(p, &q[i]);
	}
	return some;
}

static const char *
ip(int family)
{
	return family == AF_INET ? "ip" : "ip6";
}

static char
version(int family)
{
	return family == AF_INET ? '4' : '6';
}

/* The elements of a set: those of one family that fn takes. */
struct elements {
	FILE *f;
	int family;
	unsigned int n;
};

static void
element(struct elements *e, const struct conf_prefix *p)
{
	char text[TEXT_MAX];

	if (p->family != e->family)
		return;
	fprintf(e->f, "%s%s", e->n == 0 ? "\t\telements = {\n\t\t\t" : ",\n\t\t\t",
	    conf_prefix_text(p, text, sizeof(text)));
	e->n++;
}

static void
set_begin(struct elements *e, FILE *f, const char *name, int family)
{
	e->f = f;
	e->family = family;
	e->n = 0;
	fprintf(f,
	    "\tset %s%c {\n"
	    "\t\ttype ipv%c_addr\n"
	    "\t\tflags interval\n"
	    "\t\tauto-merge\n",
	    name, version(family), version(family));
}

static void
set_end(struct elements *e)
{
	fprintf(e->f, "%s\t}\n", e->n > 0 ? "\n\t\t}\n" : "");
}

static void
set_protected(FILE *f, const struct net_plan *plan, int family)
{
	const struct conf_prefix *p;
	unsigned int i, n = protected_all(&p);
	struct elements e;

	set_begin(&e, f, "protected", family);
	for (i = 0; i < n; i++)
		element(&e, &p[i]);
	for (i = 0; i < 2; i++)
		element(&e, &plan->conf->pool[i]);
	set_end(&e);
}

/* Those of a table that are protected in part are kept apart from the others. */
static void
set_table(FILE *f, const struct net_plan *plan, uint32_t t, int family, bool wides)
{
	const struct conf_addresses *table = &plan->conf->table[t];
	const struct conf_prefix *prefix = &plan->conf->prefix[table->first];
	size_t i, n = table->count;
	struct elements e;
	char name[32];

	if (table->file[0] != '\0') {
		prefix = plan->file[t].prefix;
		n = plan->file[t].n;
	}
	snprintf(name, sizeof(name), "%s%" PRIu32 "_", wides ? "wide" : "table", t);
	set_begin(&e, f, name, family);
	for (i = 0; i < n; i++)
		if (wide(&prefix[i]) == wides)
			element(&e, &prefix[i]);
	set_end(&e);
}

static void
sets(FILE *f, const struct net_plan *plan)
{
	static const int families[] = { AF_INET, AF_INET6 };
	uint32_t t;
	int i;

	for (i = 0; i < 2; i++)
		set_protected(f, plan, families[i]);
	for (t = 0; t < plan->conf->ntable; t++)
		for (i = 0; i < 4; i++)
			set_table(f, plan, t, families[i % 2], i >= 2);
	for (i = 0; i < 2; i++)
		fprintf(f,
		    "\tset flows%c {\n"
		    "\t\ttype ipv%c_addr\n"
		    "\t\tsize 65535\n"
		    "\t\tflags dynamic\n"
		    "\t}\n",
		    version(families[i]), version(families[i]));
}

/* The protocol and the ports of a rule, with a blank after it if it is any. */
static void
ports(FILE *f, const struct conf_egress *r)
{
	const char *proto = r->proto == IPPROTO_TCP ? "tcp" : "udp";

	if (r->port_first == 0 && r->proto != 0)
		fprintf(f, "meta l4proto %s ", proto);
	if (r->port_first == 0)
		return;
	if (r->proto == 0)
		fprintf(f, "meta l4proto { tcp, udp } th dport ");
	else
		fprintf(f, "%s dport ", proto);
	if (r->port_first == r->port_last)
		fprintf(f, "%u ", r->port_first);
	else
		fprintf(f, "%u-%u ", r->port_first, r->port_last);
}

/* One line: to what set or address (NULL: any of the family), and not to what. */
static void
line(FILE *f, const struct conf_egress *r, int family, const char *to,
    bool spare_protected)
{
	fprintf(f, "\t\t");
	if (to != NULL)
		fprintf(f, "%s daddr %s ", ip(family), to);
	else if (!spare_protected)
		fprintf(f, "meta nfproto ipv%c ", version(family));
	if (spare_protected)
		fprintf(f, "%s daddr != @protected%c ", ip(family), version(family));
	ports(f, r);
	fprintf(f, "%s\n", r->allow ? "accept" : "goto refuse");
}

static void
rule(FILE *f, const struct conf_egress *r)
{
	static const int families[] = { AF_INET, AF_INET6 };
	char text[TEXT_MAX];
	int i, fam;

	for (i = 0; i < 2; i++) {
		fam = families[i];
		switch ((enum conf_egress_to)r->to) {
		case EGRESS_ANY:
			line(f, r, fam, NULL, r->allow);
			break;
		case EGRESS_PREFIX:
			if (r->prefix.family == fam)
				line(f, r, fam,
				    r->prefix.len == 0 ?
					NULL :
					conf_prefix_text(&r->prefix, text, sizeof(text)),
				    r->allow && wide(&r->prefix));
			break;
		case EGRESS_TABLE:
			snprintf(text, sizeof(text), "@table%" PRIu32 "_%c", r->table,
			    version(fam));
			line(f, r, fam, text, false);
			snprintf(text, sizeof(text), "@wide%" PRIu32 "_%c", r->table,
			    version(fam));
			line(f, r, fam, text, r->allow);
			break;
		}
	}
}

/* A name server of the configuration or the host's may be asked, wherever it is. */
static void
chain_resolvers(FILE *f, const struct net_plan *plan)
{
	char text[TEXT_MAX];
	unsigned int i;

	fprintf(f, "\tchain resolvers {\n");
	for (i = 0; i < plan->nresolver; i++)
		fprintf(f,
		    "\t\t%s daddr %s meta l4proto { tcp, udp } th dport 53 accept\n",
		    ip(plan->resolver[i].family),
		    conf_prefix_text(&plan->resolver[i], text, sizeof(text)));
	fprintf(f, "\t}\n");
}

/* An address of the host is opened only by a rule that names just this one. */
static void
chain_host(FILE *f, const struct conf_net *conf)
{
	const struct conf_egress *r;
	uint32_t i;

	fprintf(f,
	    "\tchain host {\n"
	    "\t\tjump resolvers\n");
	for (i = 0; i < conf->negress; i++) {
		r = &conf->egress[i];
		if (!r->allow ||
		    (r->to == EGRESS_PREFIX &&
			r->prefix.len == (r->prefix.family == AF_INET ? 32 : 128)))
			rule(f, r);
	}
	fprintf(f,
	    "\t\tgoto refuse\n"
	    "\t}\n");
}

static void
chain_out(FILE *f, const struct conf_net *conf)
{
	uint32_t i;

	fprintf(f,
	    "\tchain out {\n"
	    "\t\tct state invalid,untracked drop\n"
	    "\t\toifname \"" NET_PREFIX "*\" goto refuse\n"
	    "\t\tct state new add @flows4 { ip saddr ct count over %" PRIu32
	    " } goto refuse\n"
	    "\t\tct state new add @flows6 { ip6 saddr ct count over %" PRIu32
	    " } goto refuse\n"
	    "\t\tjump resolvers\n",
	    conf->connections, conf->connections);
	for (i = 0; i < conf->negress; i++)
		rule(f, &conf->egress[i]);
	fprintf(f,
	    "\t\tip daddr @protected4 goto refuse\n"
	    "\t\tip6 daddr @protected6 goto refuse\n"
	    "\t\taccept\n"
	    "\t}\n");
}

/* What the rules do not depend on; the text has the interfaces' names thrice. */
static void
chains_fixed(FILE *f, const char *key)
{
	/* Answered at once, so that nobody has to wait for a time-out. */
	fprintf(f,
	    "\tchain refuse {\n"
	    "\t\tmeta l4proto tcp reject with tcp reset\n"
	    "\t\treject with icmpx admin-prohibited\n"
	    "\t}\n");
	fprintf(f,
	    "\tchain back {\n"
	    "\t\tct state established,related accept\n"
	    "\t\tdrop\n"
	    "\t}\n");
	/* The host's own programs begin nothing; it may say what went wrong. */
	fprintf(f,
	    "\tchain answer {\n"
	    "\t\tct state established,related accept\n"
	    "\t\ticmp type { destination-unreachable, time-exceeded, "
	    "parameter-problem } accept\n"
	    "\t\ticmpv6 type { destination-unreachable, packet-too-big, "
	    "time-exceeded, parameter-problem } accept\n"
	    "\t\tdrop\n"
	    "\t}\n");
	/* Before the host's own translation, which could make of its address
	 * another one. */
	fprintf(f,
	    "\tchain prerouting {\n"
	    "\t\ttype filter hook prerouting priority mangle; policy accept;\n"
	    "\t\tiifname \"" NET_PREFIX "%s*\" fib saddr . iif oif missing drop\n"
	    "\t\tiifname \"" NET_PREFIX "%s*\" fib daddr type != unicast goto host\n"
	    "\t}\n",
	    key, key);
	fprintf(f,
	    "\tchain input {\n"
	    "\t\ttype filter hook input priority filter; policy accept;\n"
	    "\t\tiifname \"" NET_PREFIX "%s*\" goto host\n"
	    "\t}\n"
	    "\tchain forward {\n"
	    "\t\ttype filter hook forward priority filter; policy accept;\n"
	    "\t\tiifname \"" NET_PREFIX "%s*\" goto out\n"
	    "\t\toifname \"" NET_PREFIX "%s*\" goto back\n"
	    "\t}\n"
	    "\tchain output {\n"
	    "\t\ttype filter hook output priority filter; policy accept;\n"
	    "\t\toifname \"" NET_PREFIX "%s*\" goto answer\n"
	    "\t}\n"
	    "\tchain postrouting {\n"
	    "\t\ttype nat hook postrouting priority srcnat; policy accept;\n"
	    "\t\tiifname \"" NET_PREFIX "%s*\" masquerade\n"
	    "\t}\n",
	    key, key, key, key, key);
}

char *
net_rules(const struct net_plan *plan)
{
	char table[NET_TABLE], *text = NULL;
	size_t len;
	FILE *f;

	f = open_memstream(&text, &len);
	if (f == NULL)
		return NULL;
	net_table(plan->key, table);
	/* The old one goes and the new one comes at the same moment. */
	fprintf(f, "table inet %s\ndelete table inet %s\ntable inet %s {\n", table, table,
	    table);
	sets(f, plan);
	chain_resolvers(f, plan);
	chains_fixed(f, plan->key);
	chain_host(f, plan->conf);
	chain_out(f, plan->conf);
	fprintf(f, "}\n");
	if (ferror(f) || fclose(f) == EOF) {
		free(text);
		errno = ENOMEM;
		return NULL;
	}
	return text;
}
