/*
 * What the host has of what a way out takes, and what is in its way: looked at,
 * and nothing of it changed.
 */
#include <sys/wait.h>

#include <net/if.h>

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "isolation.h"
#include "net.h"
#include "sandbox_steps.h"

#define TRIES 10 /* what changes while it is read is read again */

/* What the host's routes say. */
struct routes {
	const struct conf *conf;
	unsigned int uplink; /* of a default route of IPv4 */
	bool uplink6;        /* is there one of IPv6? */
	struct net_host *out;
	unsigned int *ours;
	size_t nours;
};

/* The uid whose address this is, if it is one of the pool at all. */
static bool
is_address(const struct routes *r, const struct conf_prefix *p)
{
	const struct conf_prefix *pool = &r->conf->net.pool[p->family == AF_INET6];
	const struct conf_isolation *iso = &r->conf->isolation;
	uint32_t low, mask = 0xffffffffU;
	const uint8_t *last;

	if (!conf_prefix_holds(pool, p))
		return false;
	/* The part of it that is the uid's, of those that the route begins with. */
	last = p->addr + (p->family == AF_INET ? 0 : 12);
	low = (uint32_t)last[0] << 24 | (uint32_t)last[1] << 16 | (uint32_t)last[2] << 8 |
	    last[3];
	if (p->family == AF_INET)
		mask >>= pool->len;
	return ((low - iso->uid_first) & mask) < iso->uid_count;
}

/* Would a sandbox have an address that the host knows another way to? */
static bool
clashes(const struct routes *r, const struct conf_prefix *to)
{
	const struct conf_prefix *pool = &r->conf->net.pool[to->family == AF_INET6];
	struct conf_prefix first, last;

	if (to->len < (to->family == AF_INET ? 8 : 16))
		return false;
	if (is_address(r, to))
		return true;
	/* A route to more than one address holds the first or the last of ours, or
	 * lies between them, as seen above; or else it has none of them. */
	net_address(pool, r->conf->isolation.uid_first, &first);
	net_address(
	    pool, r->conf->isolation.uid_first + r->conf->isolation.uid_count - 1, &last);
	return conf_prefix_holds(to, &first) || conf_prefix_holds(to, &last);
}

static void
on_route(const struct net_route *route, void *arg)
{
	struct routes *r = arg;
	size_t i;

	for (i = 0; i < r->nours; i++)
		if (r->ours[i] == route->index)
			return;
	if (route->to.len == 0 && route->index != 0) {
		if (route->to.family == AF_INET && r->uplink == 0)
			r->uplink = route->index;
		r->uplink6 = r->uplink6 || route->to.family == AF_INET6;
		return;
	}
	if (!r->out->clash && clashes(r, &route->to)) {
		r->out->clash = true;
		r->out->to = route->to;
		r->out->index = route->index;
	}
}

static int
look_at_routes(struct routes *r)
{
	struct net_links all;
	unsigned int i;
	size_t k;
	int fd = net_socket(), got = -1;

	if (fd == -1)
		return -1;
	if (net_our_links(fd, &all) == -1) {
		close(fd);
		return -1;
	}
	r->ours = calloc(all.n + 1, sizeof(*r->ours));
	for (k = 0; r->ours != NULL && k < all.n; k++)
		r->ours[r->nours++] = all.link[k].index;
	for (i = 0; r->ours != NULL && i < TRIES && got == -1; i++) {
		r->out->clash = r->uplink6 = false;
		r->uplink = 0;
		got = net_route_each(fd, on_route, r);
		if (got == -1 && errno != EINTR)
			break;
	}
	free(r->ours);
	free(all.link);
	close(fd);
	return got;
}

/* Does the host forward what comes in where the default route leads? */
static bool
forwards(const struct routes *r)
{
	char name[IF_NAMESIZE], path[64];

	if (sysctl_number("net/ipv4/ip_forward") == 1)
		return true;
	if (r->uplink == 0 || if_indextoname(r->uplink, name) == NULL)
		return false;
	snprintf(path, sizeof(path), "net/ipv4/conf/%s/forwarding", name);
	return sysctl_number(path) == 1;
}

int
net_host(const struct conf *conf, struct net_host *out)
{
	struct routes r;

	memset(out, 0, sizeof(*out));
	memset(&r, 0, sizeof(r));
	r.conf = conf;
	r.out = out;
	if (look_at_routes(&r) == -1)
		return -1;
	out->forwards = forwards(&r);
	out->v6 = r.uplink6 && sysctl_number("net/ipv6/conf/all/forwarding") == 1;
	return 0;
}

/* Can a pair be made?  Asked in a namespace of its own, which goes with it. */
int
net_probe(void)
{
	int fd, status = 0;
	pid_t pid;

	pid = ns_clone(CLONE_NEWNET, -1, NULL);
	if (pid == -1)
		return -1;
	if (pid == 0) {
		fd = net_socket();
		if (fd == -1 || net_pair(fd, "probe") == -1)
			_exit(errno > 0 && errno < 256 ? errno : 255);
		_exit(0);
	}
	while (waitpid(pid, &status, 0) == -1)
		if (errno != EINTR)
			return -1;
	errno = WIFEXITED(status) ? WEXITSTATUS(status) : EIO;
	return errno == 0 ? 0 : -1;
}
