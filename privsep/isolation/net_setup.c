/*
 * The network of one sandbox, in the process that makes it: its own loopback, and
 * with `network private' a pair of interfaces that leads to the host.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "box.h"
#include "isolation.h"
#include "net.h"
#include "sandbox_steps.h"

/* Before the namespaces: the host's side is spoken with from inside. */
int
setup_network_host(struct setup *s)
{
	s->hostnet = -1;
	if (!net_ready())
		return 0;
	s->hostnet = net_socket();
	return s->hostnet == -1 ? -1 : 0;
}

int
setup_loopback(struct setup *s)
{
	int fd, r, error;

	if (s->conf->isolation.network == NETWORK_HOST)
		return 0;
	fd = net_socket();
	if (fd == -1)
		return -1;
	r = net_loopback(fd);
	error = errno;
	close(fd);
	errno = error;
	return r;
}

/* What an earlier sandbox of this user left, if its namespace is still held. */
static int
pair(int host, const char *name)
{
	struct net_link l;
	uint32_t uid;

	if (net_pair(host, name) == 0)
		return 0;
	if (errno != EEXIST)
		return -1;
	if (net_link_get(host, name, &l) == 0 && !net_ours(&l, &uid)) {
		errno = EEXIST;
		return -1;
	}
	return net_remove(host, name) == -1 && errno != ENODEV ? -1 :
								 net_pair(host, name);
}

/* One family: the host knows the way in, the sandbox the way out. */
static int
join(int host, int own, unsigned int outer, unsigned int inner,
    const struct conf_prefix *pool, uint32_t uid)
{
	struct conf_prefix address, hop;

	net_address(pool, uid, &address);
	(void)conf_prefix_parse(pool->family == AF_INET ? NET_HOP4 : NET_HOP6, &hop);
	if (net_neighbour_add(host, outer, &address) == -1 ||
	    net_route_add(host, outer, &address, NULL) == -1)
		return -1;
	return net_address_add(own, inner, &address) == -1 ||
		net_neighbour_add(own, inner, &hop) == -1 ||
		net_route_add(own, inner, NULL, &hop) == -1 ?
	    -1 :
	    0;
}

static int
attach(struct setup *s, int own)
{
	const struct conf_prefix *pool = s->conf->net.pool;
	char name[NET_NAME], alias[NET_ALIAS];
	unsigned int outer, inner;

	net_name(net_key(), s->uid, name);
	net_alias(alias);
	if (pair(s->hostnet, name) == -1 ||
	    net_up(s->hostnet, name, alias, net_kernel6()) == -1 ||
	    net_up(own, NET_INSIDE, "", net_kernel6()) == -1)
		return -1;
	outer = net_index(s->hostnet, name);
	inner = net_index(own, NET_INSIDE);
	if (outer == 0 || inner == 0)
		return -1;
	if (join(s->hostnet, own, outer, inner, &pool[0], s->uid) == -1) {
		if (errno == EEXIST)
			fault_set(&s->fault, FAIL_UNAVAILABLE,
			    "the address of uid %u is in use on the host: the uids of "
			    "two "
			    "daemons overlap, or their network-pool does",
			    s->uid);
		return -1;
	}
	return net_ready6() ? join(s->hostnet, own, outer, inner, &pool[1], s->uid) : 0;
}

int
setup_network(struct setup *s)
{
	int own, r, error;

	if (s->hostnet == -1)
		return 0;
	own = net_socket();
	if (own == -1)
		return -1;
	r = attach(s, own);
	error = errno;
	close(own);
	close(s->hostnet);
	s->hostnet = -1;
	errno = error;
	return r;
}
