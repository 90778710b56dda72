/* A proxy, as the environment names it: https_proxy and no_proxy. */
#include <string.h>
#include <strings.h>

#include "fetch.h"

bool
fetch_proxy_parse(const char *s, struct https_url *u)
{
	memset(u, 0, sizeof(*u));
	if (strncasecmp(s, "http://", 7) == 0)
		s += 7;
	s = https_authority(s, 80, u);
	return s != NULL && (*s == '\0' || strcmp(s, "/") == 0);
}

/* ".example.com" and "example.com" are that domain and all below it. */
static bool
matches(const char *entry, size_t len, const struct https_url *u)
{
	struct https_url e;
	char text[HTTPS_AUTHORITY_MAX];
	const char *rest;
	size_t n, host = strlen(u->host);

	if (len == 1 && *entry == '*')
		return true;
	if (len > 0 && *entry == '.') {
		entry++;
		len--;
	}
	if (len == 0 || len >= sizeof(text))
		return false;
	memcpy(text, entry, len);
	text[len] = '\0';
	/* An address of IPv6 stands there without brackets. */
	if (strcasecmp(text, u->host) == 0)
		return true;
	rest = https_authority(text, u->port, &e);
	if (rest == NULL || *rest != '\0' || e.port != u->port)
		return false;
	n = strlen(e.host);
	if (host < n || strcasecmp(u->host + host - n, e.host) != 0)
		return false;
	return host == n || u->host[host - n - 1] == '.';
}

bool
fetch_proxy_skips(const char *list, const struct https_url *u)
{
	size_t n;

	for (;;) {
		list += strspn(list, ", \t");
		if ((n = strcspn(list, ", \t")) == 0)
			return false;
		if (matches(list, n, u))
			return true;
		list += n;
	}
}
