/*
 * Visitors of ports that other users share: see port.h.
 *
 * Whoever comes is asked who it is when the share is for users, by the sign-on of
 * port_host.c, and let in as a guest when it is for everybody: auth knows which.  The
 * program is told of a user's name, in a signed word and beside it, and of nothing that
 * says more.
 */
#include <stdio.h>
#include <string.h>

#include "../privsep/log.h"
#include "../privsep/share_text.h"
#include "assertion.h"
#include "limit.h"
#include "port.h"
#include "proxy.h"
#include "respond.h"
#include "routes.h"
#include "session.h"

static struct assertion said;

/* --- its label --- */

bool
share_label_parse(struct slice label, struct wire_share *what)
{
	const char *at = memchr(label.p, '-', label.len);
	size_t n = at != NULL ? (size_t)(at - label.p) : 0;
	uint32_t port = 0;

	memset(what, 0, sizeof(*what));
	if (n == 0 || n > 5 || label.p[0] == '0')
		return (false);
	for (size_t i = 0; i < n; i++) {
		if (label.p[i] < '0' || label.p[i] > '9')
			return (false);
		port = port * 10 + (uint32_t)(label.p[i] - '0');
	}
	if (port > UINT16_MAX || !share_text_parse(what->id, at + 1, label.len - n - 1)) {
		memset(what, 0, sizeof(*what));
		return (false);
	}
	what->port = (uint16_t)port;
	return (true);
}

void
share_label(char label[SHARE_LABEL], const struct wire_share *what)
{
	int n = snprintf(label, SHARE_LABEL, "%u-", what->port);

	share_text(what->id, label + n);
}

/* --- to its program --- */

static void
serve(struct stream *s)
{
	struct port_way way = { .port = s->w->port.port, .kind = PORT_HOST };

	proxy_port(s, &way);
}

void
share_headers(struct evbuffer *out, const struct stream *s)
{
	if (s->w->bound &&
	    evbuffer_add_printf(out, "X-Ided-User: %s\r\nX-Ided-Assertion: %s\r\n",
		s->w->who.name, said.text) == -1)
		fatalx("evbuffer_add_printf");
}

/* --- who comes --- */

static void
no_share(struct stream *s)
{
	struct port_way way = { .port = s->w->port.port, .kind = PORT_HOST };

	port_error(s, &way, 404, "This port is not shared, or not any more.", 0);
}

static void
visited(void *arg, struct msg *m)
{
	struct stream *s = arg;

	s->on_close = NULL;
	if (m == NULL || m->head.type != M_SHARE_VISITED) {
		auth_error(s, m);
		return;
	}
	switch (MSG_DATA(m, m_share_visited)->what) {
	case VISIT_GUEST:
		s->w->guest = true;
		limit_request(s, serve);
		break;
	case VISIT_SIGN_ON:
		if (s->head.method == METHOD_GET && !s->websocket && wants_html(s))
			port_sign_on(s);
		else
			respond_error(
			    s, 401, "Please open this port's address in a browser.");
		break;
	default:
		no_share(s);
		break;
	}
}

void
share_known(struct stream *s, unsigned int who)
{
	if (who == WHO_USER)
		assertion_with(s, &said, M_SHARE_SIGN, NULL, 0, serve);
	else if (s->w->guest)
		limit_request(s, serve);
	else
		auth_ask_for(s, M_SHARE_VISIT, &s->w->port, sizeof(s->w->port), visited);
}
