/*
 * Connections to ports of a user's programs.  ide-session makes them inside, and
 * what it hands out is looked at: a TCP connection to the port that was asked for,
 * over a loopback interface that is not the host's.
 */
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <linux/sockios.h>

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "../port.h"
#include "box.h"
#include "isolation.h"

/* With the host's network, localhost is everybody's. */
bool
box_port_possible(void)
{
	return isolation.conf.isolation.kind == ISOLATION_NAMESPACE &&
	    isolation.conf.isolation.network != NETWORK_HOST;
}

/* A socket is of one network for good.  False if that cannot be told. */
static bool
not_of_host(int fd)
{
	struct stat its, ours;
	int net;
	bool ok;

	net = ioctl(fd, SIOCGSKNS);
	if (net == -1)
		return false;
	ok = fstat(net, &its) == 0 && stat("/proc/self/ns/net", &ours) == 0 &&
	    (its.st_dev != ours.st_dev || its.st_ino != ours.st_ino);
	close(net);
	return ok;
}

bool
box_port_ok(int fd, uint16_t port)
{
	int flags;

	if (!port_socket_ok(fd, port) || !not_of_host(fd))
		return false;
	/* As with the IDE's: workers never count on it alone. */
	flags = fcntl(fd, F_GETFL);
	return flags != -1 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) != -1;
}

bool
box_proxy_uri(const struct conf *conf, char *buf, size_t size)
{
	unsigned int port = https_port(conf);
	char colon[8] = "";
	int n;

	if (conf->proxy.domain[0] == '\0')
		return false;
	if (port != 0 && port != 443)
		snprintf(colon, sizeof(colon), ":%u", port);
	/* The domain begins with "*.". */
	n = snprintf(buf, size, "https://{{port}}.%s%s/", conf->proxy.domain + 2, colon);
	return n > 0 && (size_t)n < size;
}
