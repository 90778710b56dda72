/*
 * Whether there is a way out, and what is lacking where there is none.
 *
 * Nothing of the host's is changed: the table of rules, the interfaces and their
 * routes are ours by their names, and whether the host forwards at all is for its
 * administrator to say.  Where the rules do not stand, no sandbox has an interface.
 */
#include <net/if.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../log.h"
#include "box.h"
#include "isolation.h"
#include "net.h"
#include "sandbox_steps.h"

#define TRIES 10 /* what changes while it is read is read again */

static struct net {
	char key[NET_KEY + 1];
	bool ready;
	bool ready6;
	bool kernel6;
} net;

const char *
net_key(void)
{
	return net.key;
}

bool
net_ready(void)
{
	return net.ready;
}

bool
net_ready6(void)
{
	return net.ready6;
}

bool
net_kernel6(void)
{
	return net.kernel6;
}

void
net_alias(char alias[NET_ALIAS])
{
	snprintf(alias, NET_ALIAS, "ided %.112s", isolation.conf.common.runtime);
}

/* One with a name of ours is not another's by what it says of itself: it says
 * nothing for a moment after it was made. */
bool
net_made_here(const struct net_link *l)
{
	char alias[NET_ALIAS];

	net_alias(alias);
	return l->veth && (l->alias[0] == '\0' || strcmp(l->alias, alias) == 0);
}

bool
net_ours(const struct net_link *l, uint32_t *uid)
{
	return net_name_uid(net.key, l->name, uid) && net_made_here(l);
}

static void
on_link(const struct net_link *l, void *arg)
{
	struct net_links *all = arg;
	struct net_link *more;
	uint32_t uid;

	if (!net_ours(l, &uid))
		return;
	if (all->n == all->room) {
		all->room = all->room == 0 ? 64 : all->room * 2;
		more = reallocarray(all->link, all->room, sizeof(*more));
		if (more == NULL) {
			all->failed = true;
			return;
		}
		all->link = more;
	}
	all->link[all->n++] = *l;
}

int
net_our_links(int fd, struct net_links *all)
{
	unsigned int i;
	int r = -1;

	memset(all, 0, sizeof(*all));
	for (i = 0; i < TRIES && r == -1; i++) {
		all->n = 0;
		r = net_link_each(fd, on_link, all);
		if (r == -1 && errno != EINTR)
			break;
	}
	if (r == -1 || all->failed) {
		free(all->link);
		return -1;
	}
	return 0;
}

static void
plan_free(struct net_plan *plan)
{
	unsigned int i;

	for (i = 0; i < CONF_TABLE_MAX; i++)
		net_file_free(&plan->file[i]);
}

static int
plan_make(
    const struct conf *conf, bool v6, struct net_plan *plan, char *err, size_t errlen)
{
	const struct conf_net *c = &conf->net;
	uint32_t t;

	memset(plan, 0, sizeof(*plan));
	memcpy(plan->key, net.key, sizeof(plan->key));
	plan->conf = c;
	net_resolvers(c, v6, plan);
	for (t = 0; t < c->ntable; t++)
		if (c->table[t].file[0] != '\0' &&
		    net_file_read(c->table[t].file, &plan->file[t], err, errlen) == -1) {
			plan_free(plan);
			return -1;
		}
	return 0;
}

static bool
resolv_there(void)
{
	return faccessat(isolation.runtime, NET_RESOLV, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/*
 * The rules of a configuration, and the name servers: in the place of the old.
 * The file is there as long as the table may be.
 */
static int
install(const struct conf *conf, bool v6, char *err, size_t errlen)
{
	struct net_plan plan;
	char *text;
	int r = -1;

	if (plan_make(conf, v6, &plan, err, errlen) == -1)
		return -1;
	if (!resolv_there() && net_resolv_write(isolation.runtime, &plan) == -1)
		snprintf(err, errlen, "%s/" NET_RESOLV ": %s", conf->common.runtime,
		    strerror(errno));
	else if ((text = net_rules(&plan)) == NULL)
		snprintf(err, errlen, "out of memory");
	else {
		r = net_filter(text, err, errlen);
		free(text);
	}
	if (r == 0 && net_resolv_write(isolation.runtime, &plan) == -1)
		log_warn("%s/" NET_RESOLV, conf->common.runtime);
	if (r == 0 && plan.nresolver == 0 && conf->net.resolver_from == RESOLVER_HOST)
		log_event(LOG_WARNING, "network.resolver",
		    LOG_S("what",
			"no name server of the host can be reached from "
			"sandboxes; set in the block isolation: resolver ADDRESS"));
	plan_free(&plan);
	return r;
}

/* Which route is in the way, and the remedy. */
static void
tell_clash(const struct net_host *host, char *err, size_t errlen)
{
	char to[64], name[IF_NAMESIZE] = "nowhere";

	(void)if_indextoname(host->index, name);
	snprintf(err, errlen,
	    "sandboxes would have addresses that the host has a route to, %s by %s; "
	    "set another network-pool, or other uids",
	    conf_prefix_text(&host->to, to, sizeof(to)), name);
}

static const char not_forwarding[] =
    "the host does not forward, net.ipv4.ip_forward is 0: "
    "sysctl -w net.ipv4.ip_forward=1, and the same in /etc/sysctl.d";

/* Lack of the host's forwarding is named, as it may be turned on at any time. */
static int
bring_up(const struct conf *conf, struct net_host *host, char *err, size_t errlen)
{
	if (!net.ready && net_probe() == -1)
		snprintf(err, errlen,
		    "this machine makes no virtual interfaces (veth): %s",
		    strerror(errno));
	else if (net_host(conf, host) == -1)
		snprintf(err, errlen, "the host's routes: %s", strerror(errno));
	else if (host->clash)
		tell_clash(host, err, errlen);
	else if ((conf->isolation.require & REQUIRE_NETWORK) != 0 && !host->forwards)
		snprintf(err, errlen, "%s", not_forwarding);
	else
		return install(conf, host->v6, err, errlen);
	return -1;
}

static void
not_held(const char *what, const char *why)
{
	log_event(
	    LOG_WARNING, "isolation.not-held", LOG_S("what", what), LOG_S("why", why));
}

static void
came_up(const struct conf *conf, const struct net_host *host)
{
	char pool[2][64];

	net.ready = true;
	net.ready6 = host->v6;
	if (!host->forwards)
		not_held("way out of network private", not_forwarding);
	log_event(LOG_INFO, "network.ready",
	    LOG_S("pool", conf_prefix_text(&conf->net.pool[0], pool[0], sizeof(pool[0]))),
	    LOG_S("pool6",
		host->v6 ?
		    conf_prefix_text(&conf->net.pool[1], pool[1], sizeof(pool[1])) :
		    "none"),
	    LOG_N("rules", conf->net.negress));
}

/* A network of each sandbox's own is the strategy's to make. */
static bool
wanted(const struct conf *conf)
{
	return conf->isolation.kind != ISOLATION_DIRECTORY &&
	    conf->isolation.network == NETWORK_PRIVATE;
}

/* The table and the file that says that there is one. */
static void
take_down(void)
{
	char table[NET_TABLE], text[64], err[NET_ERR];

	if (!resolv_there())
		return;
	net_table(net.key, table);
	snprintf(
	    text, sizeof(text), "table inet %s\ndelete table inet %s\n", table, table);
	if (net_filter(text, err, sizeof(err)) == -1)
		log_event(LOG_WARNING, "network.table", LOG_S("table", table),
		    LOG_S("why", err));
	else
		(void)unlinkat(isolation.runtime, NET_RESOLV, 0);
}

void
net_start(void)
{
	const struct conf *conf = &isolation.conf;
	struct net_host host;
	char err[NET_ERR];

	net_make_key(conf->common.runtime, net.key);
	net.kernel6 = access("/proc/sys/net/ipv6", F_OK) == 0;
	if (conf->isolation.network == NETWORK_HOST &&
	    conf->isolation.kind != ISOLATION_DIRECTORY)
		log_event(LOG_WARNING, "isolation.weaker",
		    LOG_S("what",
			"network host: users reach the host's own ports and one "
			"another's; see ided-isolation(7)"));
	if (!wanted(conf))
		return;
	if (bring_up(conf, &host, err, sizeof(err)) == 0) {
		came_up(conf, &host);
		return;
	}
	if ((conf->isolation.require & REQUIRE_NETWORK) != 0)
		fatalx("network private, which the configuration requires: %s", err);
	not_held("network private: it works as none", err);
}

/*
 * The last thing that a new configuration can fail at: what stood before stands
 * until the new rules do.
 */
int
net_reload(const struct conf *fresh, char *err, size_t errlen)
{
	bool must = net.ready || (fresh->isolation.require & REQUIRE_NETWORK) != 0;
	struct net_host host;

	if (!wanted(fresh)) {
		net.ready = net.ready6 = false;
		return 0;
	}
	if (bring_up(fresh, &host, err, errlen) == 0) {
		came_up(fresh, &host);
		return 0;
	}
	if (must)
		return -1;
	not_held("network private: it works as none", err);
	return 0;
}

static bool
runs(uint32_t uid)
{
	const struct box *b = box_find(uid);

	return b != NULL && (b->state == SANDBOX_RUNNING || b->state == SANDBOX_STARTING);
}

static void
count(struct box *b, void *arg)
{
	(void)b;
	(*(unsigned int *)arg)++;
}

/* The rules stand as long as there may be an interface that they are for. */
void
net_leave(void)
{
	unsigned int n = 0;

	box_list(count, &n);
	if (n == 0)
		take_down();
}

/* Interfaces go with their sandboxes, and all of them where no rules stand. */
void
net_sweep(void)
{
	struct net_links all;
	uint32_t uid;
	int fd;
	size_t i;

	fd = net_socket();
	if (fd == -1 || net_our_links(fd, &all) == -1) {
		log_warn("network: interfaces");
		if (fd != -1)
			close(fd);
		return;
	}
	for (i = 0; i < all.n; i++) {
		if (!net_ours(&all.link[i], &uid) || (net.ready && runs(uid)))
			continue;
		if (net_remove(fd, all.link[i].name) == -1 && errno != ENODEV)
			log_warn("network: interface %s", all.link[i].name);
		else
			log_event(LOG_NOTICE, "network.cleared", LOG_N("uid", uid),
			    LOG_S("interface", all.link[i].name));
	}
	free(all.link);
	close(fd);
	if (!net.ready)
		net_leave();
}

/*
 * To take an interface away the kernel waits for all who may look at it: a process
 * of its own waits with it.  A start that failed may have it under its first name.
 * 0: there is none.
 */
pid_t
net_detach(uint32_t uid, uint32_t group)
{
	char name[2][NET_NAME];
	int fd = net_socket(), i;
	pid_t pid = 0;

	if (fd == -1)
		return -1;
	net_name(net.key, uid, name[0]);
	net_name_spare(net.key, group, name[1]);
	if (net_index(fd, name[0]) != 0 || net_index(fd, name[1]) != 0) {
		pid = ns_clone(0, -1, NULL);
		if (pid == 0) {
			for (i = 0; i < 2; i++)
				(void)net_remove(fd, name[i]);
			_exit(0);
		}
	}
	close(fd);
	return pid;
}

/* Since it started; what comes out of the host's end has come in to the user. */
void
net_usage(uint32_t uid, struct m_sandbox *row)
{
	struct net_link l;
	char name[NET_NAME];
	int fd = net_socket();

	if (fd == -1)
		return;
	net_name(net.key, uid, name);
	if (net_link_get(fd, name, &l) == 0) {
		row->received = l.tx;
		row->sent = l.rx;
	}
	close(fd);
}
