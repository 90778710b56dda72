/*
 * Addresses: what ided listens on, and where a location leads.
 */
#include <sys/socket.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <bsd/string.h>

#include "conf_parse.h"

/* A host name (RFC 1123), or what looks like one. */
bool
conf_host(const char *s)
{
	size_t label = 0;
	const char *start = s;

	for (; *s != '\0'; s++) {
		if (*s == '.') {
			if (label == 0 || s[-1] == '-')
				return false;
			label = 0;
			continue;
		}
		if (!conf_word_byte(*s) || *s == '_' || (*s == '-' && label == 0) ||
		    ++label > 63)
			return false;
	}
	return label > 0 && s[-1] != '-' && s - start <= 253;
}

static bool
take_port(struct conf_parser *p, uint16_t *port)
{
	const char *end;
	uint64_t value;

	if (!conf_is_value(p) || !conf_number(p->tok.text, &value, &end) ||
	    *end != '\0' || value == 0 || value > UINT16_MAX) {
		conf_expected(p, NULL, "a port from 1 to 65535 after \"port\"");
		return false;
	}
	*port = (uint16_t)value;
	conf_next(p);
	return true;
}

static bool
take_unix(struct conf_parser *p, struct conf_listen *l)
{
	struct sockaddr_un sun;

	memset(&sun, 0, sizeof(sun));
	sun.sun_family = AF_UNIX;
	conf_next(p);
	if (!conf_path(p, "unix", sun.sun_path, sizeof(sun.sun_path), 0))
		return false;
	memcpy(&l->addr, &sun, sizeof(sun));
	l->addrlen = sizeof(sun);
	return true;
}

/* An address without its port: "*", IPv4, or IPv6 with or without brackets. */
static bool
parse_ip(const char *text, struct sockaddr_in *sin, struct sockaddr_in6 *sin6)
{
	char buf[INET6_ADDRSTRLEN];
	size_t len;

	memset(sin, 0, sizeof(*sin));
	memset(sin6, 0, sizeof(*sin6));
	if (inet_pton(AF_INET, text, &sin->sin_addr) == 1) {
		sin->sin_family = AF_INET;
		return true;
	}
	sin6->sin6_family = AF_INET6;
	if (strcmp(text, "*") == 0)
		return true; /* any address of IPv6, and so of IPv4 */
	len = strlen(text);
	if (text[0] == '[' && len > 2 && text[len - 1] == ']' && len - 2 < sizeof(buf)) {
		memcpy(buf, text + 1, len - 2);
		buf[len - 2] = '\0';
		text = buf;
	}
	return inet_pton(AF_INET6, text, &sin6->sin6_addr) == 1;
}

static bool
take_ip(struct conf_parser *p, struct conf_listen *l)
{
	struct sockaddr_in sin;
	struct sockaddr_in6 sin6;
	uint16_t port;

	if (!conf_is_value(p) || !parse_ip(p->tok.text, &sin, &sin6)) {
		conf_expected(p, NULL, "an IPv4 or IPv6 address, * or unix after \"on\"");
		return false;
	}
	if (sin.sin_family != AF_INET && IN6_IS_ADDR_V4MAPPED(&sin6.sin6_addr)) {
		conf_expected(p, "write it as the IPv4 address that it is",
		    "an IPv4 or IPv6 address after \"on\"");
		return false;
	}
	conf_next(p);
	if (!conf_keyword(p, "port", "on") || !take_port(p, &port))
		return false;
	if (sin.sin_family == AF_INET) {
		sin.sin_port = htons(port);
		memcpy(&l->addr, &sin, sizeof(sin));
		l->addrlen = sizeof(sin);
	} else {
		sin6.sin6_port = htons(port);
		memcpy(&l->addr, &sin6, sizeof(sin6));
		l->addrlen = sizeof(sin6);
	}
	return true;
}

bool
conf_loopback(const struct conf_listen *l)
{
	struct sockaddr_in sin;
	struct sockaddr_in6 sin6;

	switch (l->addr.ss_family) {
	case AF_UNIX:
		return true;
	case AF_INET:
		memcpy(&sin, &l->addr, sizeof(sin));
		return ntohl(sin.sin_addr.s_addr) >> 24 == 127;
	default:
		memcpy(&sin6, &l->addr, sizeof(sin6));
		return IN6_IS_ADDR_LOOPBACK(&sin6.sin6_addr);
	}
}

/* For errors: as it stands in the file. */
const char *
conf_address(const struct conf_listen *l, char *buf, size_t size)
{
	char host[INET6_ADDRSTRLEN] = "*";
	struct sockaddr_in sin;
	struct sockaddr_in6 sin6;
	struct sockaddr_un sun;

	switch (l->addr.ss_family) {
	case AF_UNIX:
		memcpy(&sun, &l->addr, sizeof(sun));
		snprintf(buf, size, "unix \"%s\"", sun.sun_path);
		break;
	case AF_INET:
		memcpy(&sin, &l->addr, sizeof(sin));
		inet_ntop(AF_INET, &sin.sin_addr, host, sizeof(host));
		snprintf(buf, size, "%s port %u", host, ntohs(sin.sin_port));
		break;
	default:
		memcpy(&sin6, &l->addr, sizeof(sin6));
		if (!IN6_IS_ADDR_UNSPECIFIED(&sin6.sin6_addr))
			inet_ntop(AF_INET6, &sin6.sin6_addr, host, sizeof(host));
		snprintf(buf, size, "%s port %u", host, ntohs(sin6.sin6_port));
		break;
	}
	return buf;
}

/* Forget the listeners so far, or those for metrics. */
void
conf_listen_drop(struct conf_parser *p, bool metrics)
{
	struct conf *c = p->conf;
	uint32_t i, n = 0;

	for (i = 0; i < c->nlisten; i++) {
		if ((c->listen[i].kind == LISTEN_METRICS) == metrics)
			continue;
		c->listen[n] = c->listen[i];
		p->listen_at[n++] = p->listen_at[i];
	}
	memset(&c->listen[n], 0, (c->nlisten - n) * sizeof(c->listen[0]));
	c->nlisten = n;
}

static bool
is_set(const struct conf_parser *p, const char *option)
{
	const struct conf_row *row = conf_row_find(B_LISTEN, option);

	return p->at[conf_row_index(row)].name != NULL;
}

/* What the options make of the listener. */
static bool
listen_kind(struct conf_parser *p, const struct conf_row *row, struct conf_listen *l,
    struct conf_where at)
{
	char buf[160];

	l->kind = row->kind == K_METRICS ? LISTEN_METRICS : LISTEN_PLAIN;
	if (row->sub != B_NONE && !conf_options(p, row->sub, l))
		return false;
	if (row->sub != B_NONE && is_set(p, "tls") && is_set(p, "redirect")) {
		conf_error(p, at,
		    "expected tls or redirect for one listener, "
		    "got both");
		return false;
	}
	conf_address(l, buf, sizeof(buf));
	if (l->nfrom > 0 && !l->proxy_protocol) {
		conf_error(p, at, "expected \"proxy-protocol\" with \"from\", got none");
		return false;
	}
	if (l->proxy_protocol && l->nfrom == 0 && l->addr.ss_family != AF_UNIX) {
		conf_error(p, at,
		    "expected the addresses of the proxies (\"from 192.0.2.1\") with "
		    "\"proxy-protocol\", got none for %s",
		    buf);
		return false;
	}
	if (l->kind == LISTEN_TLS || l->kind == LISTEN_REDIRECT || conf_loopback(l))
		return true;
	if (l->kind == LISTEN_METRICS)
		conf_error(p, at,
		    "expected an address of loopback or unix for "
		    "metrics, which are plain HTTP, got %s",
		    buf);
	else
		conf_error(p, at,
		    "expected tls or redirect, for plain HTTP is "
		    "served on loopback and unix only, got %s",
		    buf);
	return false;
}

/* on ADDRESS port N [options] | on unix "PATH" [options] */
bool
conf_listen(struct conf_parser *p, const struct conf_row *row)
{
	struct conf_where at = conf_here(p);
	struct conf_listen l;
	uint32_t n = p->conf->nlisten;

	memset(&l, 0, sizeof(l));
	if (!conf_keyword(p, "on", row->name))
		return false;
	if (p->tok.type == TOK_WORD && strcmp(p->tok.text, "unix") == 0) {
		if (!take_unix(p, &l))
			return false;
	} else if (!take_ip(p, &l))
		return false;
	if (!listen_kind(p, row, &l, at) || !conf_end(p, row))
		return false;
	if (n == CONF_LISTEN_MAX) {
		conf_error(p, at,
		    "expected at most %d listeners, "
		    "got one more",
		    CONF_LISTEN_MAX);
		return false;
	}
	if (at.line <= UINT16_MAX)
		l.line = (uint16_t)at.line;
	p->conf->listen[n] = l;
	p->listen_at[n] = at;
	p->conf->nlisten++;
	return true;
}

/* to unix "PATH" | to HOST port N [tls] */
bool
conf_target(struct conf_parser *p, const struct conf_row *row, void *base)
{
	struct conf_location *location = base;
	struct sockaddr_in sin;
	struct sockaddr_in6 sin6;
	char host[256];
	uint16_t port;
	bool ip, v6;

	if (!conf_keyword(p, "to", row->name))
		return false;
	if (p->tok.type == TOK_WORD && strcmp(p->tok.text, "unix") == 0) {
		location->kind = LOCATION_PROXY_UNIX;
		conf_next(p);
		return conf_path(p, "unix", location->target,
		    sizeof(((struct sockaddr_un *)0)->sun_path), 0);
	}
	ip = conf_is_value(p) && strcmp(p->tok.text, "*") != 0 &&
	    parse_ip(p->tok.text, &sin, &sin6);
	if (!conf_is_value(p) || (!ip && !conf_host(p->tok.text))) {
		conf_expected(p, NULL, "a host, an address or unix after \"to\"");
		return false;
	}
	v6 = ip && sin.sin_family != AF_INET && p->tok.text[0] != '[';
	strlcpy(host, p->tok.text, sizeof(host));
	conf_next(p);
	if (!conf_keyword(p, "port", "to") || !take_port(p, &port))
		return false;
	snprintf(location->target, sizeof(location->target), "%s%s%s:%u", v6 ? "[" : "",
	    host, v6 ? "]" : "", port);
	location->kind = LOCATION_PROXY_TCP;
	return conf_options(p, row->sub, location);
}
