/*
 * Interfaces, addresses and routes, spoken of over rtnetlink.  A socket belongs
 * to the network namespace that it was made in, whoever uses it: the host's can
 * be taken along into a sandbox.
 */
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <bsd/string.h>

#include "net.h"

#define REQUEST_MAX 1024
#define ANSWER_MAX  32768
#define WAIT_S      5 /* for an answer of the kernel, which is never long */

/*
 * Both ends have the same hardware address, and no neighbour is ever asked for
 * (IFF_NOARP): a frame's receiver is the other end, and there is nobody else.
 */
static const uint8_t hardware[6] = { 0x02, 0, 0, 'i', 'd', 'e' };

static uint32_t sequence;

int
net_socket(void)
{
	struct sockaddr_nl nl = { .nl_family = AF_NETLINK };
	struct timeval tv = { WAIT_S, 0 };
	int fd, one = 1, error;

	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (fd == -1)
		return -1;
	/* An answer that could not be sent is an error, and not waited for. */
	if (bind(fd, (struct sockaddr *)&nl, sizeof(nl)) == -1 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) == -1) {
		error = errno;
		close(fd);
		errno = error;
		return -1;
	}
	/* Errors without the request that they are about. */
	(void)setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one));
	return fd;
}

unsigned int
net_index(int fd, const char *name)
{
	struct ifreq ifr;

	memset(&ifr, 0, sizeof(ifr));
	strlcpy(ifr.ifr_name, name, sizeof(ifr.ifr_name));
	return ioctl(fd, SIOCGIFINDEX, &ifr) == -1 ? 0 : (unsigned int)ifr.ifr_ifindex;
}

/* A request's head; what follows is put behind it. */
static struct nlmsghdr *
begin(char *buf, uint16_t type, uint16_t flags, const void *head, size_t len)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	nlh->nlmsg_seq = ++sequence;
	memcpy(mnl_nlmsg_put_extra_header(nlh, len), head, len);
	return nlh;
}

/* Is the kernel's word that it is done among these? */
static bool
is_end(const void *answer, int len)
{
	const struct nlmsghdr *nlh;

	for (nlh = answer; mnl_nlmsg_ok(nlh, len); nlh = mnl_nlmsg_next(nlh, &len))
		if (nlh->nlmsg_type == NLMSG_DONE || nlh->nlmsg_type == NLMSG_ERROR)
			return true;
	return false;
}

/*
 * Send it and hand each message of the answer to fn, until the kernel's word that
 * it is done; 0, or -1 with errno.  EINTR: what was asked about changed meanwhile;
 * all of that answer is read nevertheless, as what is left would be taken for the
 * next one's.
 */
static int
talk(int fd, const struct nlmsghdr *nlh, mnl_cb_t fn, void *arg)
{
	static char answer[ANSWER_MAX] __attribute__((aligned(8)));
	struct sockaddr_nl from;
	socklen_t len;
	bool changed = false;
	ssize_t n;
	int r;

	if (send(fd, nlh, nlh->nlmsg_len, 0) == -1)
		return -1;
	do {
		len = sizeof(from);
		n = recvfrom(fd, answer, sizeof(answer), MSG_TRUNC,
		    (struct sockaddr *)&from, &len);
		if (n == -1 && errno == EINTR) {
			r = MNL_CB_OK;
			continue;
		}
		if (n == -1 || (size_t)n > sizeof(answer) || from.nl_pid != 0) {
			if (n != -1)
				errno = EMSGSIZE;
			return -1;
		}
		r = mnl_cb_run(answer, (size_t)n, nlh->nlmsg_seq, 0, fn, arg);
		if (r == MNL_CB_ERROR && errno == EINTR) {
			changed = true;
			r = is_end(answer, (int)n) ? MNL_CB_STOP : MNL_CB_OK;
		}
	} while (r > MNL_CB_STOP);
	if (r != MNL_CB_ERROR && changed) {
		errno = EINTR;
		return -1;
	}
	return r == MNL_CB_ERROR ? -1 : 0;
}

static int
request(int fd, struct nlmsghdr *nlh)
{
	nlh->nlmsg_flags |= NLM_F_ACK;
	return talk(fd, nlh, NULL, NULL);
}

/*
 * The pair: name here where the socket is, NET_INSIDE in the namespace of whoever
 * calls.  Neither is up.
 */
int
net_pair(int fd, const char *name)
{
	char buf[REQUEST_MAX];
	struct ifinfomsg ifi = { .ifi_family = AF_UNSPEC };
	struct nlattr *info, *data, *peer;
	struct nlmsghdr *nlh;

	nlh = begin(buf, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &ifi, sizeof(ifi));
	mnl_attr_put_strz(nlh, IFLA_IFNAME, name);
	mnl_attr_put(nlh, IFLA_ADDRESS, sizeof(hardware), hardware);
	info = mnl_attr_nest_start(nlh, IFLA_LINKINFO);
	mnl_attr_put_strz(nlh, IFLA_INFO_KIND, "veth");
	data = mnl_attr_nest_start(nlh, IFLA_INFO_DATA);
	peer = mnl_attr_nest_start(nlh, VETH_INFO_PEER);
	memcpy(mnl_nlmsg_put_extra_header(nlh, sizeof(ifi)), &ifi, sizeof(ifi));
	mnl_attr_put_strz(nlh, IFLA_IFNAME, NET_INSIDE);
	mnl_attr_put(nlh, IFLA_ADDRESS, sizeof(hardware), hardware);
	mnl_attr_put_u32(nlh, IFLA_NET_NS_PID, (uint32_t)getpid());
	mnl_attr_nest_end(nlh, peer);
	mnl_attr_nest_end(nlh, data);
	mnl_attr_nest_end(nlh, info);
	return request(fd, nlh);
}

int
net_remove(int fd, const char *name)
{
	char buf[REQUEST_MAX];
	struct ifinfomsg ifi = { .ifi_family = AF_UNSPEC };
	struct nlmsghdr *nlh;

	nlh = begin(buf, RTM_DELLINK, 0, &ifi, sizeof(ifi));
	mnl_attr_put_strz(nlh, IFLA_IFNAME, name);
	return request(fd, nlh);
}

/*
 * What the host's defaults, whatever they are, must not decide for an interface
 * of ours: it is forwarded from, it leads to no address of the host, and it makes
 * itself none of IPv6.
 */
int
net_configure(int fd, const char *name, const char *alias, bool v6)
{
	static const struct {
		uint16_t what; /* IPV4_DEVCONF_* */
		uint32_t value;
	} conf[] = {
		{ IPV4_DEVCONF_FORWARDING, 1 },
		{ IPV4_DEVCONF_RP_FILTER, 1 },
		{ IPV4_DEVCONF_ROUTE_LOCALNET, 0 },
		{ IPV4_DEVCONF_ACCEPT_LOCAL, 0 },
		{ IPV4_DEVCONF_ACCEPT_REDIRECTS, 0 },
		{ IPV4_DEVCONF_SEND_REDIRECTS, 0 },
		{ IPV4_DEVCONF_ACCEPT_SOURCE_ROUTE, 0 },
		{ IPV4_DEVCONF_PROXY_ARP, 0 },
	};
	char buf[REQUEST_MAX];
	struct ifinfomsg ifi = { .ifi_family = AF_UNSPEC };
	struct nlattr *spec, *inet, *values, *inet6;
	struct nlmsghdr *nlh;
	unsigned int i;

	nlh = begin(buf, RTM_SETLINK, 0, &ifi, sizeof(ifi));
	mnl_attr_put_strz(nlh, IFLA_IFNAME, name);
	mnl_attr_put_strz(nlh, IFLA_IFALIAS, alias);
	spec = mnl_attr_nest_start(nlh, IFLA_AF_SPEC);
	inet = mnl_attr_nest_start(nlh, AF_INET);
	values = mnl_attr_nest_start(nlh, IFLA_INET_CONF);
	for (i = 0; i < sizeof(conf) / sizeof(conf[0]); i++)
		mnl_attr_put_u32(nlh, conf[i].what, conf[i].value);
	mnl_attr_nest_end(nlh, values);
	mnl_attr_nest_end(nlh, inet);
	if (v6) {
		inet6 = mnl_attr_nest_start(nlh, AF_INET6);
		mnl_attr_put_u8(nlh, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
		mnl_attr_nest_end(nlh, inet6);
	}
	mnl_attr_nest_end(nlh, spec);
	return request(fd, nlh);
}

static int
flags(int fd, const char *name, unsigned int flags)
{
	char buf[REQUEST_MAX];
	struct ifinfomsg ifi = { .ifi_family = AF_UNSPEC };
	struct nlmsghdr *nlh;

	ifi.ifi_flags = ifi.ifi_change = flags;
	nlh = begin(buf, RTM_NEWLINK, 0, &ifi, sizeof(ifi));
	mnl_attr_put_strz(nlh, IFLA_IFNAME, name);
	return request(fd, nlh);
}

int
net_up(int fd, const char *name, const char *alias, bool v6)
{
	if (net_configure(fd, name, alias, v6) == -1)
		return -1;
	return flags(fd, name, IFF_UP | IFF_NOARP);
}

/* Another name, and up with it: before Linux 6.2 only what is down can get one. */
int
net_up_as(int fd, unsigned int index, const char *name)
{
	char buf[REQUEST_MAX];
	struct ifinfomsg ifi = { .ifi_family = AF_UNSPEC };
	struct nlmsghdr *nlh;

	ifi.ifi_index = (int)index;
	ifi.ifi_flags = ifi.ifi_change = IFF_UP | IFF_NOARP;
	nlh = begin(buf, RTM_NEWLINK, 0, &ifi, sizeof(ifi));
	mnl_attr_put_strz(nlh, IFLA_IFNAME, name);
	return request(fd, nlh);
}

int
net_loopback(int fd)
{
	return flags(fd, "lo", IFF_UP);
}

static size_t
size_of(const struct conf_prefix *p)
{
	return p->family == AF_INET ? 4 : 16;
}

int
net_address_add(int fd, unsigned int index, const struct conf_prefix *address)
{
	char buf[REQUEST_MAX];
	struct ifaddrmsg ifa;
	struct nlmsghdr *nlh;

	memset(&ifa, 0, sizeof(ifa));
	ifa.ifa_family = address->family;
	ifa.ifa_prefixlen = address->len;
	ifa.ifa_flags = address->family == AF_INET6 ? IFA_F_NODAD : 0;
	ifa.ifa_scope = RT_SCOPE_UNIVERSE;
	ifa.ifa_index = index;
	nlh = begin(buf, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &ifa, sizeof(ifa));
	mnl_attr_put(nlh, IFA_LOCAL, size_of(address), address->addr);
	mnl_attr_put(nlh, IFA_ADDRESS, size_of(address), address->addr);
	return request(fd, nlh);
}

int
net_route_add(int fd, unsigned int index, const struct conf_prefix *to,
    const struct conf_prefix *hop)
{
	char buf[REQUEST_MAX];
	const struct conf_prefix *any = to != NULL ? to : hop;
	struct nlmsghdr *nlh;
	struct rtmsg rt;

	memset(&rt, 0, sizeof(rt));
	rt.rtm_family = any->family;
	rt.rtm_dst_len = to != NULL ? to->len : 0;
	rt.rtm_table = RT_TABLE_MAIN;
	rt.rtm_protocol = RTPROT_STATIC;
	rt.rtm_scope = hop != NULL || any->family == AF_INET6 ? RT_SCOPE_UNIVERSE :
								RT_SCOPE_LINK;
	rt.rtm_type = RTN_UNICAST;
	rt.rtm_flags = hop != NULL ? RTNH_F_ONLINK : 0;
	nlh = begin(buf, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &rt, sizeof(rt));
	if (to != NULL)
		mnl_attr_put(nlh, RTA_DST, size_of(to), to->addr);
	if (hop != NULL)
		mnl_attr_put(nlh, RTA_GATEWAY, size_of(hop), hop->addr);
	mnl_attr_put_u32(nlh, RTA_OIF, index);
	return request(fd, nlh);
}

/*
 * The other end, known for good: the kernel's table of neighbours is one for all
 * namespaces, and what is in it by hand neither counts against its limit nor is
 * ever asked for again.
 */
int
net_neighbour_add(int fd, unsigned int index, const struct conf_prefix *who)
{
	char buf[REQUEST_MAX];
	struct nlmsghdr *nlh;
	struct ndmsg nd;

	memset(&nd, 0, sizeof(nd));
	nd.ndm_family = who->family;
	nd.ndm_ifindex = (int)index;
	nd.ndm_state = NUD_PERMANENT;
	nlh = begin(buf, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, &nd, sizeof(nd));
	mnl_attr_put(nlh, NDA_DST, size_of(who), who->addr);
	mnl_attr_put(nlh, NDA_LLADDR, sizeof(hardware), hardware);
	return request(fd, nlh);
}

static void
link_info(const struct nlattr *info, struct net_link *l)
{
	const struct nlattr *a;

	mnl_attr_for_each_nested(a, info) if (mnl_attr_get_type(a) == IFLA_INFO_KIND &&
	    strncmp(mnl_attr_get_str(a), "veth", mnl_attr_get_payload_len(a)) == 0)
	    l->veth = true;
}

static void
string(char *to, size_t size, const struct nlattr *a)
{
	size_t len = strnlen(mnl_attr_get_str(a), mnl_attr_get_payload_len(a));

	if (len >= size)
		len = size - 1;
	memcpy(to, mnl_attr_get_str(a), len);
	to[len] = '\0';
}

static void
link_parse(const struct nlmsghdr *nlh, struct net_link *l)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
	struct rtnl_link_stats64 stats;
	const struct nlattr *a;

	memset(l, 0, sizeof(*l));
	l->index = (unsigned int)ifi->ifi_index;
	mnl_attr_for_each(a, nlh, sizeof(*ifi))
	{
		switch (mnl_attr_get_type(a)) {
		case IFLA_IFNAME:
			string(l->name, sizeof(l->name), a);
			break;
		case IFLA_IFALIAS:
			string(l->alias, sizeof(l->alias), a);
			break;
		case IFLA_LINKINFO:
			link_info(a, l);
			break;
		case IFLA_STATS64:
			if (mnl_attr_get_payload_len(a) <
			    offsetof(struct rtnl_link_stats64, rx_errors))
				break;
			memcpy(&stats, mnl_attr_get_payload(a),
			    offsetof(struct rtnl_link_stats64, rx_errors));
			l->rx = stats.rx_bytes;
			l->tx = stats.tx_bytes;
			break;
		}
	}
}

struct link_each {
	struct net_link *out;
	void (*fn)(const struct net_link *, void *);
	void *arg;
};

static int
on_link(const struct nlmsghdr *nlh, void *arg)
{
	struct link_each *e = arg;
	struct net_link l;

	if (nlh->nlmsg_type != RTM_NEWLINK ||
	    mnl_nlmsg_get_payload_len(nlh) < sizeof(struct ifinfomsg))
		return MNL_CB_OK;
	link_parse(nlh, e->out != NULL ? e->out : &l);
	if (e->fn != NULL)
		e->fn(&l, e->arg);
	return MNL_CB_OK;
}

int
net_link_get(int fd, const char *name, struct net_link *out)
{
	char buf[REQUEST_MAX];
	struct ifinfomsg ifi = { .ifi_family = AF_UNSPEC };
	struct link_each e = { out, NULL, NULL };
	struct nlmsghdr *nlh;

	nlh = begin(buf, RTM_GETLINK, NLM_F_ACK, &ifi, sizeof(ifi));
	mnl_attr_put_strz(nlh, IFLA_IFNAME, name);
	return talk(fd, nlh, on_link, &e);
}

/* fn must not speak on any socket: the answer is still being read. */
int
net_link_each(int fd, void (*fn)(const struct net_link *, void *), void *arg)
{
	char buf[REQUEST_MAX];
	struct ifinfomsg ifi = { .ifi_family = AF_UNSPEC };
	struct link_each e = { NULL, fn, arg };

	return talk(
	    fd, begin(buf, RTM_GETLINK, NLM_F_DUMP, &ifi, sizeof(ifi)), on_link, &e);
}

struct route_each {
	void (*fn)(const struct net_route *, void *);
	void *arg;
};

static int
on_route(const struct nlmsghdr *nlh, void *arg)
{
	const struct rtmsg *rt = mnl_nlmsg_get_payload(nlh);
	struct route_each *e = arg;
	const struct nlattr *a;
	struct net_route r;

	if (nlh->nlmsg_type != RTM_NEWROUTE ||
	    mnl_nlmsg_get_payload_len(nlh) < sizeof(*rt) ||
	    (rt->rtm_family != AF_INET && rt->rtm_family != AF_INET6) ||
	    (rt->rtm_flags & RTM_F_CLONED) != 0)
		return MNL_CB_OK;
	memset(&r, 0, sizeof(r));
	r.to.family = rt->rtm_family;
	r.to.len = rt->rtm_dst_len;
	r.local = rt->rtm_type == RTN_LOCAL;
	mnl_attr_for_each(a, nlh, sizeof(*rt))
	{
		if (mnl_attr_get_type(a) == RTA_DST &&
		    mnl_attr_get_payload_len(a) == size_of(&r.to))
			memcpy(r.to.addr, mnl_attr_get_payload(a), size_of(&r.to));
		if (mnl_attr_get_type(a) == RTA_OIF && mnl_attr_get_payload_len(a) == 4)
			r.index = mnl_attr_get_u32(a);
	}
	e->fn(&r, e->arg);
	return MNL_CB_OK;
}

/* Of all tables.  As with links: fn does not speak. */
int
net_route_each(int fd, void (*fn)(const struct net_route *, void *), void *arg)
{
	char buf[REQUEST_MAX];
	struct route_each e = { fn, arg };
	struct rtmsg rt = { .rtm_family = AF_UNSPEC };

	return talk(
	    fd, begin(buf, RTM_GETROUTE, NLM_F_DUMP, &rt, sizeof(rt)), on_route, &e);
}
