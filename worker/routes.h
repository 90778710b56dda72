/*
 * The routes: one table of them (routes.c), and what answers each.
 */
#ifndef WORKER_ROUTES_H
#define WORKER_ROUTES_H

#include "stream.h"

/* Methods, as bits; GET brings HEAD with it. */
#define M_BIT(m) (1U << (m))
#define R_GET    (M_BIT(METHOD_GET) | M_BIT(METHOD_HEAD))
#define R_POST   M_BIT(METHOD_POST)
#define R_DELETE M_BIT(METHOD_DELETE)
#define R_ANY                                                                            \
	(R_GET | R_POST | M_BIT(METHOD_PUT) | M_BIT(METHOD_DELETE) |                     \
	    M_BIT(METHOD_PATCH) | M_BIT(METHOD_OPTIONS))

/*
 * What a route asks for.  Whatever the row says, a method that changes something
 * and a WebSocket must come from our own origin (origin.h).
 */
#define R_PREFIX 0x01 /* path is the start of it, not all */
#define R_LOGIN  0x02 /* only for a user; others get 401 */
#define R_PAGE   0x04 /* a page: those who are nobody may log in */
#define R_ACTIVE 0x08 /* shows that someone is at work */
#define R_SAME   0x10 /* even a GET must come from our own pages */
#define R_SOCKET 0x20 /* WebSockets too */
#define R_PASS                                                                           \
	0x40 /* the path is passed on as it came: it need                                \
	      * only be safe, not plain */

#define R_MULTI   0x80  /* not where the IDE is at the root: auth mode single, none */
#define R_APP     0x100 /* a program's: Authorization may be for it */
#define R_FREE    0x200 /* counts for no rate limit: all get it, and it costs nothing */
#define R_SERVICE 0x400 /* the site's own, behind us: not for pages of ports */
#define R_TELLS   0x800 /* finds out itself who it is for, and tells something of them */

struct route {
	const char *path;
	unsigned int methods;
	unsigned int flags;
	/* rest: of the decoded path behind a prefix; "" if it is R_PASS and
	 * not plain. */
	void (*fn)(struct stream *s, const char *rest);
};

/* Ends with path NULL. */
extern const struct route routes[];

/* The first row for a path: decoded, or as it came when it has no plain form; root:
 * the IDE is there. */
const struct route *route_find(const char *path, struct slice raw, bool root);
/* "GET, HEAD, POST" */
void route_allow(char *dst, size_t size, unsigned int methods);
/* 405 with these methods, or what OPTIONS wants to know. */
void route_refuse(struct stream *s, unsigned int allow);
/* Asked for by a page that may not: 403 with text; why, and who asks, is in the log. */
void refuse_origin(struct stream *s, const char *why, const char *text);

/* login.c */
void login_get(struct stream *, const char *);
void login_post(struct stream *, const char *);
void logout(struct stream *, const char *);
/* ... and their calls of the API: api.h. */
void login_api(struct stream *, char *body, size_t len);
void login_tokens(struct stream *, char *body, size_t len);
void api_logout(struct stream *, char *body, size_t len);
/* The bound user leaves: ends the session, answers, ends the connection. */
void logout_now(struct stream *);
/* Auth has ended the session that this connection acts for: the connection
 * ends with this stream's answer. */
void logout_over(struct stream *);
/* Where someone is sent who is nobody, to come back afterwards. */
void login_redirect(struct stream *);

/* token.c */
void jwks(struct stream *, const char *);

/* Says in the answer that the browser was told of the IDE's files. */
#define IDE_HINTED "__Secure-ided-files"
struct header ide_hinted(const struct stream *);
/* The workbench's page with the script that tells of its user, and the cookie by which
 * its browser is known: activity.h. */
#define IDE_TELLS "__Secure-ided-activity"
void ide_page(const struct stream *, struct evbuffer *page);
struct header ide_tells(const struct stream *);
/* report.c */
void csp_report(struct stream *, const char *);

/* reset.c */
void reset_get(struct stream *, const char *);
void reset_post(struct stream *, const char *);

/* register.c */
struct worker;
bool register_open(const struct worker *);
void register_get(struct stream *, const char *);
void register_post(struct stream *, const char *);

/* password.c */
void password_get(struct stream *, const char *);
void password_post(struct stream *, const char *);

/* portal.c */
void portal(struct stream *, const char *);
void api_sessions(struct stream *, char *body, size_t len);
void api_session_end(struct stream *, char *body, size_t len);

/* ide.c */
void ide_slash(struct stream *, const char *);
void ide_root(struct stream *, const char *);
void ide_any(struct stream *, const char *);
/* Is a file asked for, of the user's or of an extension, whatever is in it? */
bool ide_is_file(const struct stream *);
/* It does not answer: why, and a page that looks again. */
void ide_error(struct stream *, unsigned int status, const char *why);
void ide_login(struct stream *, const char *);
void ide_mint(struct stream *, const char *);
void ide_update(struct stream *, const char *);
void ide_manifest(struct stream *, const char *);
void front_static(struct stream *, const char *);

/* port.c, port_host.c */
void port_path(struct stream *, const char *);
void port_abs(struct stream *, const char *);
void port_code(struct stream *, const char *);
/* ports_page.c */
void ports_page(struct stream *, const char *);
void ports_share(struct stream *, const char *);
void ports_end(struct stream *, const char *);

/* misc.c */
void healthz(struct stream *, const char *);
void robots(struct stream *, const char *);
void metrics(struct stream *, const char *);
void security_txt(struct stream *, const char *);
void favicon(struct stream *, const char *);
/* An answer of auth that is no success (NULL: auth is gone) as an error. */
struct msg;
void auth_error(struct stream *, const struct msg *);

#endif /* WORKER_ROUTES_H */
