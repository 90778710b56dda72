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

/* Another of ours has the name: an earlier sandbox left it, and something still
 * holds its namespace.  It goes; 0, or -1 with errno. */
static int
make_way(int host, const char *name)
{
	struct net_link l;

	if (net_link_get(host, name, &l) == 0 && !net_made_here(&l)) {
		errno = EEXIST;
		return -1;
	}
	return net_remove(host, name) == -1 && errno != ENODEV ? -1 : 0;
}

static int
pair(int host, const char *name)
{
	if (net_pair(host, name) == 0)
		return 0;
	if (errno != EEXIST || make_way(host, name) == -1)
		return -1;
	return net_pair(host, name);
}

/*
 * Before there is a user: the pair, with all that does not depend on its address.
 * The host's end is down and no route leads to it.
 */
int
setup_pair(struct setup *s)
{
	char name[NET_NAME], alias[NET_ALIAS];
	struct conf_prefix hop[2];
	int r = -1;

	if (s->hostnet == -1)
		return 0;
	s->ownnet = net_socket();
	if (s->ownnet == -1)
		return -1;
	net_name_spare(net_key(), s->group, name);
	net_alias(alias);
	(void)conf_prefix_parse(NET_HOP4, &hop[0]);
	(void)conf_prefix_parse(NET_HOP6, &hop[1]);
	if (pair(s->hostnet, name) == 0 &&
	    net_configure(s->hostnet, name, alias, net_kernel6()) == 0 &&
	    net_up(s->ownnet, NET_INSIDE, "", net_kernel6()) == 0 &&
	    (s->outer = net_index(s->hostnet, name)) != 0 &&
	    (s->inner = net_index(s->ownnet, NET_INSIDE)) != 0)
		r = net_neighbour_add(s->ownnet, s->inner, &hop[0]);
	if (r == 0 && net_ready6())
		r = net_neighbour_add(s->ownnet, s->inner, &hop[1]);
	return r;
}

/* One family: the host knows the way in, the sandbox the way out. */
static int
join(struct setup *s, const struct conf_prefix *pool)
{
	struct conf_prefix address, hop;

	net_address(pool, s->uid, &address);
	(void)conf_prefix_parse(pool->family == AF_INET ? NET_HOP4 : NET_HOP6, &hop);
	if (net_neighbour_add(s->hostnet, s->outer, &address) == -1 ||
	    net_route_add(s->hostnet, s->outer, &address, NULL) == -1)
		return -1;
	return net_address_add(s->ownnet, s->inner, &address) == -1 ?
	    -1 :
	    net_route_add(s->ownnet, s->inner, NULL, &hop);
}

static int
attach(struct setup *s)
{
	const struct conf_prefix *pool = s->conf->net.pool;
	char name[NET_NAME];
	int r;

	net_name(net_key(), s->uid, name);
	r = net_up_as(s->hostnet, s->outer, name);
	if (r == -1 && errno == EEXIST && make_way(s->hostnet, name) == 0)
		r = net_up_as(s->hostnet, s->outer, name);
	if (r == -1)
		return -1;
	if (join(s, &pool[0]) == -1) {
		if (errno == EEXIST)
			fault_set(&s->fault, FAIL_UNAVAILABLE,
			    "the address of uid %u is in use on the host: the uids of "
			    "two "
			    "daemons overlap, or their network-pool does",
			    s->uid);
		return -1;
	}
	return net_ready6() ? join(s, &pool[1]) : 0;
}

int
setup_network(struct setup *s)
{
	return s->hostnet == -1 ? 0 : attach(s);
}
