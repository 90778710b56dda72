/*
 * ided-fetch: where it starts; see fetch.h.
 *
 * Descriptors: FD_PARENT channel to auth, FD_CONF struct conf_for_fetch, FD_ROOT an
 * empty folder, FD_LOG, FD_EXTRA the authorities' certificates, later
 * the connection.
 *
 * The one name that has to be looked up is looked up first, by another process, and
 * the one connection begun, while nothing that a stranger sent has been read.  Then all
 * that is given up: files, and sockets too.  Hence a redirect leads to the same host and
 * over the same connection, or nowhere.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bsd/string.h>
#include <bsd/unistd.h>

#include "../chan.h"
#include "../confsend.h"
#include "../log.h"
#include "fetch.h"

static struct conf_for_fetch conf;
static struct https_url url;
static bool proxied;

/* The one connection that there will be; -1 with why. */
static int
prepare(char why[FETCH_WHY])
{
	struct https_url proxy;
	struct fetch_to to;
	int fd;

	if (!https_url_parse(conf.feed, &url)) {
		snprintf(why, FETCH_WHY, "no address of https");
		return -1;
	}
	proxied = conf.proxy[0] != '\0' && !fetch_proxy_skips(conf.no_proxy, &url);
	if (proxied && !fetch_proxy_parse(conf.proxy, &proxy)) {
		snprintf(why, FETCH_WHY,
		    "https_proxy: expected http://host:port, without a name and "
		    "a password");
		return -1;
	}
	if (fetch_resolve(proxied ? proxy.host : url.host,
		proxied ? proxy.port : url.port, &to, why) == -1)
		return -1;
	if ((fd = fetch_connect(&to, why)) == -1)
		return -1;
	/* What is not in its place is closed with the rest. */
	if (fd != FD_EXTRA && (dup2(fd, FD_EXTRA) == -1 || close(fd) == -1))
		fatal("connection");
	return FD_EXTRA;
}

static int
get(struct response *r, char why[FETCH_WHY])
{
	char request[HTTPS_PATH_MAX + HTTPS_AUTHORITY_MAX + 256];
	char name[HTTPS_AUTHORITY_MAX];

	snprintf(request, sizeof(request),
	    "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: ided/" VERSION "\r\n"
	    "Accept: application/json\r\n\r\n",
	    url.path, https_authority_text(&url, url.port != 443, name));
	return fetch_ask(request, r, why);
}

/* An address of its own, or a path; of the same host. */
static bool
redirect(const char *location)
{
	struct https_url next;

	if (*location == '/') {
		if (!https_path_ok(location))
			return false;
		strlcpy(url.path, location, sizeof(url.path));
		return true;
	}
	if (!https_url_parse(location, &next) || strcasecmp(next.host, url.host) != 0 ||
	    next.port != url.port)
		return false;
	strlcpy(url.path, next.path, sizeof(url.path));
	return true;
}

static int
fetch(int fd, char version[SEMVER_MAX], char why[FETCH_WHY])
{
	unsigned int hop;
	const char *bad;
	struct response r;

	if ((proxied && fetch_tunnel(fd, &url, why) == -1) ||
	    fetch_tls(fd, url.host, why) == -1)
		return -1;
	for (hop = 0; hop <= FETCH_REDIRECTS; hop++) {
		if (get(&r, why) == -1)
			return -1;
		if (r.status == 200) {
			if ((bad = fetch_feed(r.body, r.len, version)) == NULL)
				return 0;
			snprintf(why, FETCH_WHY, "%s", bad);
			return -1;
		}
		if (r.status != 301 && r.status != 302 && r.status != 303 &&
		    r.status != 307 && r.status != 308) {
			snprintf(why, FETCH_WHY, "it answers with %u", r.status);
			return -1;
		}
		if (!redirect(r.location)) {
			snprintf(why, FETCH_WHY,
			    "it leads to another host, or nowhere: name the address "
			    "that it leads to");
			return -1;
		}
	}
	snprintf(why, FETCH_WHY, "too many redirects");
	return -1;
}

int
main(int argc, char *argv[], char *envp[])
{
	char why[FETCH_WHY] = "", version[SEMVER_MAX] = "";
	struct m_fetched m;
	struct chan auth;
	int fd;

	setproctitle_init(argc, argv, envp);
	setproctitle("-ided: fetch");
	signal(SIGPIPE, SIG_IGN);
	conf_section_recv(FD_CONF, &conf, sizeof(conf));
	log_init("fetch", FD_LOG, conf.common.log_format, conf.common.log_level,
	    conf.common.log_to == LOG_TO_SYSLOG);
	fetch_begin();
	fetch_tls_prepare(FD_EXTRA);
	fd = prepare(why);
	sandbox_root();
	chan_init(&auth, FD_PARENT, P_FETCH, P_AUTH, NULL, NULL, NULL, NULL);
	sandbox_enter(&sandbox_fetch);
	memset(&m, 0, sizeof(m));
	m.ok = fd != -1 && fetch(fd, version, why) == 0;
	strlcpy(m.version, version, sizeof(m.version));
	strlcpy(m.why, why, sizeof(m.why));
	(void)chan_send(&auth, M_FETCHED, 0, -1, &m, sizeof(m));
	_exit(0);
}
