/* Connections to ports of a sandbox: see port.h. */
#include <sys/socket.h>

#include <netinet/in.h>

#include <string.h>

#include "fdpass.h"
#include "port.h"

bool
port_socket_ok(int fd, uint16_t port)
{
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} peer;
	socklen_t len = sizeof(peer);
	int family = sock_opt(fd, SO_DOMAIN);

	memset(&peer, 0, sizeof(peer));
	if ((family != AF_INET && family != AF_INET6) || port == 0 ||
	    sock_opt(fd, SO_TYPE) != SOCK_STREAM ||
	    sock_opt(fd, SO_PROTOCOL) != IPPROTO_TCP ||
	    sock_opt(fd, SO_ACCEPTCONN) != 0 || getpeername(fd, &peer.sa, &len) == -1 ||
	    peer.sa.sa_family != family)
		return false;
	if (family == AF_INET)
		return len == sizeof(peer.in) && ntohs(peer.in.sin_port) == port &&
		    peer.in.sin_addr.s_addr == htonl(INADDR_LOOPBACK);
	return len == sizeof(peer.in6) && ntohs(peer.in6.sin6_port) == port &&
	    IN6_IS_ADDR_LOOPBACK(&peer.in6.sin6_addr);
}
