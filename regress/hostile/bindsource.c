/*
 * Preloaded into a test's client: each connection to the loopback range comes
 * from another address of it, so that tools that cannot choose one act as many
 * clients.  BINDSOURCE is the first two bytes and how many, "127.30 200".
 */
#include <sys/socket.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

typedef int (*connect_fn)(int, const struct sockaddr *, socklen_t);

static void
bind_source(int fd)
{
	struct sockaddr_in have, sin;
	socklen_t len = sizeof(have);
	const char *env = getenv("BINDSOURCE");
	unsigned int a, b, hosts;
	uint32_t n;

	if (env == NULL || sscanf(env, "%u.%u %u", &a, &b, &hosts) != 3 || hosts == 0)
		return;
	if (getsockname(fd, (struct sockaddr *)&have, &len) == -1 ||
	    have.sin_family != AF_INET || have.sin_port != 0)
		return;
	/* Forked clients must not all draw the same. */
	if (getrandom(&n, sizeof(n), 0) != sizeof(n))
		return;
	n %= hosts;
	memset(&sin, 0, sizeof(sin));
	sin.sin_family = AF_INET;
	sin.sin_addr.s_addr = htonl(a << 24 | b << 16 | (n / 250) << 8 | (n % 250 + 1));
	(void)bind(fd, (struct sockaddr *)&sin, sizeof(sin));
}

int
connect(int fd, const struct sockaddr *sa, socklen_t len)
{
	static connect_fn real;
	const struct sockaddr_in *sin = (const void *)sa;

	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "connect");
	if (sa->sa_family == AF_INET && ntohl(sin->sin_addr.s_addr) >> 24 == 127)
		bind_source(fd);
	return (real(fd, sa, len));
}
