/*
 * Name servers: those of the configuration, or else those of the host that can be
 * reached from a sandbox, where the host's loopback is not the host's.
 *
 * /etc/resolv.conf of the sandboxes is one file for all of them, in the runtime
 * folder: what changes at a reload is seen by those that run.
 */
#include <sys/socket.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bsd/string.h>

#include "net.h"

#define TEXT_MAX 64 /* bytes of an address */

/* The first that names a server which can be reached is believed. */
static const char *const sources[] = {
	"/etc/resolv.conf",
	"/run/systemd/resolve/resolv.conf",
};

/* Only the host itself can speak with these. */
static const char *const unreachable[] = {
	"0.0.0.0/8",
	"127.0.0.0/8",
	"::/80",
	"fe80::/10",
};

static bool
reachable(const struct conf_prefix *who, bool v6)
{
	struct conf_prefix p;
	size_t i;

	if (who->family == AF_INET6 && !v6)
		return false;
	for (i = 0; i < sizeof(unreachable) / sizeof(unreachable[0]); i++)
		if (conf_prefix_parse(unreachable[i], &p) == NULL &&
		    conf_prefix_holds(&p, who))
			return false;
	return true;
}

/* Domains to look in: words of letters, digits, '.', '-' and '_'. */
static void
take_search(struct net_plan *plan, const char *s)
{
	size_t len = strcspn(s, "\r\n#;");

	if (len < sizeof(plan->search) &&
	    strspn(s,
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
		"0123456789.-_ \t") >= len) {
		memcpy(plan->search, s, len);
		plan->search[len] = '\0';
	}
}

static void
take_line(struct net_plan *plan, char *line, bool v6)
{
	char *key, *value, *rest;
	struct conf_prefix who;

	key = strtok_r(line, " \t", &rest);
	if (key == NULL)
		return;
	if (strcmp(key, "search") == 0 || strcmp(key, "domain") == 0) {
		take_search(plan, rest);
		return;
	}
	if (strcmp(key, "nameserver") != 0 || plan->nresolver == CONF_RESOLVER_MAX ||
	    (value = strtok_r(NULL, " \t\r\n", &rest)) == NULL)
		return;
	if (conf_prefix_parse(value, &who) == NULL && reachable(&who, v6))
		plan->resolver[plan->nresolver++] = who;
}

void
net_resolvers(const struct conf_net *conf, bool v6, struct net_plan *plan)
{
	char *line = NULL;
	size_t size = 0;
	unsigned int i;
	FILE *f;

	plan->nresolver = 0;
	plan->search[0] = '\0';
	if (conf->resolver_from == RESOLVER_LIST) {
		plan->nresolver = conf->nresolver;
		memcpy(plan->resolver, conf->resolver, sizeof(plan->resolver));
		return;
	}
	for (i = 0; i < sizeof(sources) / sizeof(sources[0]) && plan->nresolver == 0;
	     i++) {
		if ((f = fopen(sources[i], "re")) == NULL)
			continue;
		while (getline(&line, &size, f) != -1)
			take_line(plan, line, v6);
		fclose(f);
	}
	free(line);
}

static size_t
resolv_text(const struct net_plan *plan, char *text, size_t size)
{
	char address[TEXT_MAX];
	unsigned int i;

	strlcpy(text,
	    plan->nresolver > 0 ? "# made by ided\n" :
				  "# made by ided, which knows of no name server\n",
	    size);
	if (plan->search[0] != '\0') {
		strlcat(text, "search ", size);
		strlcat(text, plan->search, size);
		strlcat(text, "\n", size);
	}
	for (i = 0; i < plan->nresolver; i++) {
		strlcat(text, "nameserver ", size);
		strlcat(text,
		    conf_prefix_text(&plan->resolver[i], address, sizeof(address)), size);
		strlcat(text, "\n", size);
	}
	return strlen(text);
}

/* Written over, not replaced: sandboxes have this very file. */
int
net_resolv_write(int runtime, const struct net_plan *plan)
{
	char text[1024];
	size_t len = resolv_text(plan, text, sizeof(text));
	int fd, r = -1, error;

	fd = openat(
	    runtime, NET_RESOLV, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd == -1)
		return -1;
	if (fchmod(fd, 0644) == 0 && pwrite(fd, text, len, 0) == (ssize_t)len)
		r = ftruncate(fd, (off_t)len);
	error = errno;
	close(fd);
	errno = error;
	return r;
}
