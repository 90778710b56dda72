/*
 * Ports of the user's sandbox: what listens there is the user's own program, and
 * nobody's that we trust.
 *
 * With a proxy domain each port has an origin of its own (port_host.c), and a cookie
 * of its own that is good for that port and nothing else.  Without one they are
 * below /proxy/ and /absproxy/ of our own origin (port.c), where their pages may
 * reach only what is below their own prefix, as far as a browser can be told so.
 *
 *	port.c		the routes; what is said when there is no answer
 *	port_head.c	heads on their way: prefix, addresses, cookies
 *	port_host.c	which site a request is for; the sign-on of a port's origin
 *	port_share.c	visitors of ports that other users share
 *	port_view.c	the origins of VS Code's webviews
 */
#ifndef WORKER_PORT_H
#define WORKER_PORT_H

#include <event2/buffer.h>

#include <stdbool.h>
#include <stdint.h>

#include "../privsep/conf.h"
#include "stream.h"
#include "worker.h"

#define PORT_COOKIE       "__Host-ided-port"
#define PORT_ENTER_COOKIE "__Host-ided-enter" /* while it signs on */
#define PORT_OWN          "/.ided/"           /* ours, on a port's origin */

enum port_kind {
	PORT_HOST,     /* an origin of its own */
	PORT_PATH,     /* /proxy/<port>, which is taken off */
	PORT_ABS,      /* /absproxy/<port>, which stays */
	PORT_LOCATION, /* a service of the site's own: location.h */
};

/* How a request goes to a port, or to a service of the site's own. */
struct location;
struct port_way {
	uint16_t port;
	enum port_kind kind;
	char prefix[CONF_NAME_MAX]; /* of the path, after the site's; no '/' at its end */
	const struct location *location; /* of PORT_LOCATION */
};

struct proxy_via;

/* --- port_head.c --- */

void port_head_target(
    struct evbuffer *out, const struct stream *s, const struct port_way *way);
void port_head_forwarded(
    struct evbuffer *out, const struct stream *s, const struct proxy_via *via);
/*
 * Headers of its answer on their way to the client: those in h[0..n) that must not
 * pass go, others are changed, and what the page may do is added.  Their number,
 * or -1 when there are more than max.  Values that were changed live until the
 * next call.
 */
int port_head_answer(
    const struct stream *s, const struct port_way *way, struct header *h, int n, int max);

/* --- port.c --- */

/* There is no answer: a page that says so, and waits for one.  retry: the seconds
 * after which it is worth the while; 0: not known. */
void port_error(struct stream *s, const struct port_way *way, unsigned int status,
    const char *why, unsigned int retry);
/* Does it come from a page of a program that shares our origin, and is it
 * something that such a page has no business with? */
bool port_page_denied(const struct stream *s);
bool port_allowed(const struct worker *w, uint16_t port);

/* --- port_host.c --- */

enum port_site {
	SITE_MAIN,
	SITE_PORT,
	SITE_SHARE, /* of a port that somebody shares */
	SITE_VIEW,
	SITE_NONE, /* below the proxy domain, and nobody's */
};

/* what: which port, and whose share; 0 where there is none. */
enum port_site port_site(
    const struct worker *w, struct slice host, struct wire_share *what);
/* A request for the origin of a port. */
void port_request(struct stream *s);
/* The sign-on, from its beginning. */
void port_sign_on(struct stream *s);
/* Is there one of our cookies, good or bad? */
bool port_has_cookie(const struct stream *s);

static inline bool
port_is(const struct worker *w)
{
	return (w->site == SITE_PORT || w->site == SITE_SHARE);
}

/* --- port_share.c --- */

/* It is known who it is, as far as that goes: WHO_USER, WHO_NOBODY. */
void share_known(struct stream *s, unsigned int who);
/* "3000-" and its name: how a share is written in an address. */
#define SHARE_LABEL (6 + WIRE_SHARE_TEXT)
bool share_label_parse(struct slice label, struct wire_share *what);
void share_label(char label[SHARE_LABEL], const struct wire_share *what);
/* Who visits, for its program. */
void share_headers(struct evbuffer *out, const struct stream *s);

/* --- port_view.c --- */

#define PORT_VIEW_MAX (512 * 1024) /* of the workbench's page */

/* A request for the origin of a webview. */
void port_view(struct stream *s);
/* Is it the workbench's page, which is kept until it is whole? */
bool port_view_wanted(const struct stream *s, const struct http_head *answer);
/* Its content policy with them; good until the next call. */
struct slice port_view_policy(const struct stream *s, struct slice policy);
/* The page, with where they are, if there are any. */
void port_view_page(const struct stream *s, struct evbuffer *page);

#endif /* WORKER_PORT_H */
