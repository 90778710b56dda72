/* Addresses: see https_url.h. */
#include <sys/socket.h>

#include <arpa/inet.h>

#include <stdio.h>
#include <string.h>

#include "https_url.h"

#define ALNUM "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

/* Labels of letters, digits and "-"; addresses of IPv4 are such names, too. */
static bool
host_ok(const char *s)
{
	size_t n;

	for (;;) {
		n = strspn(s, ALNUM "-");
		if (n == 0 || n > 63 || s[0] == '-' || s[n - 1] == '-')
			return false;
		s += n;
		if (*s == '\0')
			return true;
		if (*s++ != '.')
			return false;
	}
}

static bool
copy(char *to, size_t size, const char *from, size_t n)
{
	if (n >= size)
		return false;
	memcpy(to, from, n);
	to[n] = '\0';
	return true;
}

const char *
https_authority(const char *s, uint16_t port, struct https_url *u)
{
	struct in6_addr six;
	unsigned long n = 0;
	size_t len, i;

	if (*s == '[') {
		len = strcspn(++s, "]");
		if (s[len] != ']' || !copy(u->host, sizeof(u->host), s, len) ||
		    inet_pton(AF_INET6, u->host, &six) != 1)
			return NULL;
		s += len + 1;
	} else {
		len = strspn(s, ALNUM "-.");
		if (!copy(u->host, sizeof(u->host), s, len) || !host_ok(u->host))
			return NULL;
		s += len;
	}
	u->port = port;
	if (*s != ':')
		return s;
	len = strspn(++s, "0123456789");
	if (len == 0 || len > 5)
		return NULL;
	for (i = 0; i < len; i++)
		n = n * 10 + (unsigned long)(s[i] - '0');
	if (n == 0 || n > 65535)
		return NULL;
	u->port = (uint16_t)n;
	return s + len;
}

bool
https_path_ok(const char *s)
{
	if (*s != '/' || s[1] == '/' || strlen(s) >= HTTPS_PATH_MAX)
		return false;
	for (; *s != '\0'; s++)
		if (*s <= ' ' || *s >= 0x7f || strchr("\"#<>\\^`{|}", *s) != NULL)
			return false;
	return true;
}

bool
https_url_parse(const char *s, struct https_url *u)
{
	static const char scheme[] = "https://";

	memset(u, 0, sizeof(*u));
	if (strncmp(s, scheme, sizeof(scheme) - 1) != 0)
		return false;
	s = https_authority(s + sizeof(scheme) - 1, 443, u);
	if (s == NULL)
		return false;
	if (*s == '\0')
		s = "/";
	return https_path_ok(s) && copy(u->path, sizeof(u->path), s, strlen(s));
}

const char *
https_authority_text(const struct https_url *u, bool port, char buf[HTTPS_AUTHORITY_MAX])
{
	const char *six = strchr(u->host, ':');
	size_t n;

	n = (size_t)snprintf(buf, HTTPS_AUTHORITY_MAX, "%s%s%s", six != NULL ? "[" : "",
	    u->host, six != NULL ? "]" : "");
	if (port)
		snprintf(buf + n, HTTPS_AUTHORITY_MAX - n, ":%u", u->port);
	return buf;
}
