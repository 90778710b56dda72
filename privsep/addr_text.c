/* Addresses in words: see addr_text.h. */
#include <arpa/inet.h>

#include <string.h>

#include <bsd/string.h>

#include "addr_text.h"

const char *
addr_text(const struct wire_addr *a, char buf[INET6_ADDRSTRLEN])
{
	struct in6_addr in6;

	if (a->unix_peer != 0) {
		strlcpy(buf, "unix", INET6_ADDRSTRLEN);
		return buf;
	}
	memcpy(&in6, a->ip, sizeof(in6));
	if (IN6_IS_ADDR_V4MAPPED(&in6))
		inet_ntop(AF_INET, a->ip + 12, buf, INET6_ADDRSTRLEN);
	else
		inet_ntop(AF_INET6, &in6, buf, INET6_ADDRSTRLEN);
	return buf;
}
