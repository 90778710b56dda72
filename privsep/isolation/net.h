/*
 * The network of sandboxes: who has a way out, and what is met on it.
 *
 * Each sandbox of `network private' is joined to the host by a pair of virtual
 * interfaces of its own, with no bridge and no neighbour: the host routes one
 * address to it, and a packet with another source address goes nowhere.  One
 * table of rules per daemon speaks of all of its interfaces by the beginning of
 * their names, so that a start or an end of a sandbox changes no rule.
 *
 * net.c		start, reload, end; what is lacking
 * net_host.c	what the host has, and what is in the way
 * net_link.c	interfaces, addresses, routes (rtnetlink)
 * net_setup.c	the steps of a sandbox's making
 * net_rules.c	the table, as text for nft(8)
 * net_filter.c	the table, into the kernel
 * net_file.c	addresses from files
 * net_resolv.c	name servers
 */
#ifndef ISOLATION_NET_H
#define ISOLATION_NET_H

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../conf.h"
#include "../wire.h"

#define NET_KEY    4 /* characters that tell one daemon's from another's */
#define NET_PREFIX "ide"
#define NET_NAME   16 /* an interface's: "ide", the key, the uid in hexadecimal */
#define NET_TABLE  16
#define NET_INSIDE "net0" /* the interface, seen from inside */
#define NET_ERR    512
#define NET_ALIAS  128 /* with as much of the runtime folder as there is room for */

/* The next hop of every sandbox, on its own link alone. */
#define NET_HOP4 "169.254.1.1"
#define NET_HOP6 "fe80::1"

/* A table of addresses that came from a file. */
struct net_list {
	struct conf_prefix *prefix;
	size_t n;
};

/* All that the rules are made of. */
struct net_plan {
	char key[NET_KEY + 1];
	const struct conf_net *conf;
	unsigned int nresolver;
	struct conf_prefix resolver[CONF_RESOLVER_MAX];
	char search[256]; /* domains of the host's, for names without one */
	struct net_list file[CONF_TABLE_MAX];
};

/* net.c */
void net_start(void);
int net_reload(const struct conf *fresh, char *err, size_t errlen);
void net_sweep(void); /* what belongs to no sandbox that runs goes */
void net_leave(void); /* ided ends, and no sandbox runs */
bool net_ready(void); /* a sandbox that is made now has a way out */
bool net_ready6(void);
bool net_kernel6(void);                /* the kernel has IPv6 at all */
void net_alias(char alias[NET_ALIAS]); /* what our interfaces are told by */
struct net_link;
bool net_ours(const struct net_link *l, uint32_t *uid);
bool net_made_here(const struct net_link *l); /* if the name is one of ours */
const char *net_key(void);
/* A process that takes the interface away, or -1. */
pid_t net_detach(uint32_t uid, uint32_t group);
void net_usage(uint32_t uid, struct m_sandbox *row);

/* net_rules.c: all of it works on its arguments alone. */
void net_make_key(const char *runtime, char key[NET_KEY + 1]);
void net_name(const char *key, uint32_t uid, char name[NET_NAME]);
void net_name_spare(const char *key, uint32_t group, char name[NET_NAME]);
bool net_name_uid(const char *key, const char *name, uint32_t *uid);
void net_table(const char *key, char table[NET_TABLE]);
void net_address(const struct conf_prefix *pool, uint32_t uid, struct conf_prefix *out);
char *net_rules(const struct net_plan *plan); /* to free, or NULL with errno */

/* net_filter.c: nft's text, all or nothing of it; 0, or -1 and err. */
int net_filter(const char *text, char *err, size_t errlen);

/* net_link.c: rtnetlink, on a socket of net_socket(). */
struct net_link {
	unsigned int index;
	bool veth;
	char name[NET_NAME];
	char alias[NET_ALIAS];
	uint64_t rx, tx; /* bytes, seen from where the interface is */
};
int net_socket(void);
unsigned int net_index(int fd, const char *name); /* 0: there is none */
int net_pair(int fd, const char *name);           /* its peer comes to us */
int net_remove(int fd, const char *name);
int net_configure(int fd, const char *name, const char *alias, bool v6);
int net_up(int fd, const char *name, const char *alias, bool v6);
int net_up_as(int fd, unsigned int index, const char *name);
int net_loopback(int fd);
int net_address_add(int fd, unsigned int index, const struct conf_prefix *address);
int net_route_add(int fd, unsigned int index, const struct conf_prefix *to,
    const struct conf_prefix *hop); /* to NULL: all; hop NULL: it is there */
int net_neighbour_add(int fd, unsigned int index, const struct conf_prefix *who);
int net_link_get(int fd, const char *name, struct net_link *out);
struct net_links {
	struct net_link *link;
	size_t n, room;
	bool failed;
};
int net_our_links(int fd, struct net_links *all); /* its array is to be freed */
int net_link_each(int fd, void (*fn)(const struct net_link *, void *), void *arg);
struct net_route {
	struct conf_prefix to;
	unsigned int index; /* 0: none, as of a route that leads nowhere */
	bool local;         /* an address of the host */
};
int net_route_each(int fd, void (*fn)(const struct net_route *, void *), void *arg);

/* net_host.c: 0, or -1 with errno */
struct net_host {
	bool forwards; /* IPv4, where the default route leads */
	bool v6;       /* forwards IPv6, and has a default route for it */
	bool clash;    /* it knows another way to an address of a sandbox: */
	struct conf_prefix to;
	unsigned int index;
};
int net_host(const struct conf *conf, struct net_host *out);
int net_probe(void); /* can a pair be made at all? */

/* net_file.c: 0, or -1 and err. */
int net_file_read(const char *path, struct net_list *out, char *err, size_t errlen);
void net_file_free(struct net_list *list);

/* net_resolv.c */
#define NET_RESOLV "resolv.conf" /* in the runtime folder */
void net_resolvers(const struct conf_net *conf, bool v6, struct net_plan *plan);
int net_resolv_write(int runtime, const struct net_plan *plan);

#endif
