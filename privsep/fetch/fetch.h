/*
 * ided-fetch: asks the feed of releases that the configuration names, once, tells auth
 * what it says, and ends.  It is started for that, and holds nothing.
 *
 * fetch.c		start, the way of a request, the answer
 * fetch_names.c	where a name is, asked in a process of its own
 * fetch_net.c	the connection, a proxy's CONNECT
 * fetch_proxy.c	whether to use a proxy
 * fetch_tls.c	TLS, and who is believed
 * fetch_response.c	HTTP: what came back
 * fetch_feed.c	JSON: the version in it
 * seccomp_fetch.c	its system calls
 * seccomp_names.c	those of who looks the name up
 */
#ifndef FETCH_FETCH_H
#define FETCH_FETCH_H

#include <sys/socket.h>

#include <netinet/in.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../https_url.h"
#include "../sandbox.h"
#include "../semver.h"

#define FETCH_SECONDS   20 /* all of it */
#define FETCH_REDIRECTS 3
#define FETCH_BODY_MAX  65536
#define FETCH_HEAD_MAX  8192
#define FETCH_WHY       160

/* -1 with why, everywhere. */
#define FETCH_ADDRESSES 4
struct fetch_to {
	unsigned int n;
	struct sockaddr_storage addr[FETCH_ADDRESSES];
	socklen_t len[FETCH_ADDRESSES];
};

/* fetch_names.c */
int fetch_resolve(
    const char *host, uint16_t port, struct fetch_to *, char why[FETCH_WHY]);
/* What that process says, and whether so many bytes of it are addresses, of that port. */
struct fetch_names {
	int32_t result; /* of getaddrinfo(3) */
	uint32_t n;
	struct sockaddr_in6 addr[FETCH_ADDRESSES]; /* or one of IPv4 in its place */
};
bool fetch_addresses(
    const struct fetch_names *, size_t len, uint16_t port, struct fetch_to *);

/* fetch_net.c */
void fetch_begin(void); /* the time runs */
int fetch_connect(const struct fetch_to *, char why[FETCH_WHY]);
/* Until fd is ready for what of poll(2); 0 when the time is over. */
int fetch_wait(int fd, short what);
int fetch_tunnel(int fd, const struct https_url *, char why[FETCH_WHY]);

/* fetch_proxy.c */
/* "[http://]host[:port][/]": no name, no password. */
bool fetch_proxy_parse(const char *, struct https_url *);
/* no_proxy: is that host among those that are asked directly? */
bool fetch_proxy_skips(const char *list, const struct https_url *);

/* fetch_tls.c */
void fetch_tls_prepare(int ca); /* certificates in PEM form, from a descriptor */
int fetch_tls(int fd, const char *host, char why[FETCH_WHY]);
/* Sends what is asked, and reads as long as there may be more; the answer's body stays
 * until the next one. */
struct response;
int fetch_ask(const char *request, struct response *, char why[FETCH_WHY]);

/*
 * fetch_response.c: what has come so far, or, with end, in all.  Once it is done the
 * body is in buf, and buf is not what it was.
 */
enum response_state {
	RESPONSE_MORE,
	RESPONSE_DONE,
	RESPONSE_BAD,
};
struct response {
	unsigned int status;
	char location[HTTPS_PATH_MAX]; /* "" for none */
	const char *body;
	size_t len;
};
enum response_state fetch_response(
    char *buf, size_t len, bool end, struct response *, const char **why);
/* The end of the head: its length, 0 while it has none. */
size_t fetch_head(const char *buf, size_t len);
/* The three digits; 0: it is no status line. */
unsigned int fetch_status(const char *buf, size_t len);

/* fetch_feed.c: NULL, or what is wrong with it. */
const char *fetch_feed(const char *json, size_t len, char version[SEMVER_MAX]);

/* seccomp_fetch.c, seccomp_names.c */
extern const struct sandbox sandbox_fetch, sandbox_names;

#endif
