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
#include "assertion.h"
#include "limit.h"
#include "port.h"
#include "proxy.h"
#include "respond.h"
#include "routes.h"
#include "session.h"

static const char digits[] = "0123456789abcdefghijklmnopqrstuv";
static struct assertion said;

/* --- its label --- */

bool
share_label_parse(struct slice label, struct wire_share *what)
{
	const char *at = memchr(label.p, '-', label.len), *d;
	uint32_t bits = 0, port = 0;
	unsigned int have = 0;
	size_t n = 0, i;

	memset(what, 0, sizeof(*what));
	if (at == NULL || at == label.p || at - label.p > 5 || label.p[0] == '0' ||
	    label.len - (size_t)(at - label.p) != WIRE_SHARE_TEXT)
		return (false);
	for (i = 0; label.p + i < at; i++) {
		if (label.p[i] < '0' || label.p[i] > '9')
			return (false);
		port = port * 10 + (uint32_t)(label.p[i] - '0');
	}
	if (port > UINT16_MAX)
		return (false);
	for (i++; i < label.len; i++) {
		if ((d = memchr(digits, label.p[i], 32)) == NULL) {
			memset(what, 0, sizeof(*what));
			return (false);
		}
		bits = bits << 5 | (uint32_t)(d - digits);
		if ((have += 5) >= 8) {
			have -= 8;
			what->id[n++] = (uint8_t)(bits >> have);
		}
	}
	what->port = (uint16_t)port;
	return (true);
}

void
share_label(char label[SHARE_LABEL], const struct wire_share *what)
{
	uint32_t bits = 0;
	unsigned int have = 0;
	int n = snprintf(label, SHARE_LABEL, "%u-", what->port);

	for (size_t i = 0; i < WIRE_SHARE; i++) {
		bits = bits << 8 | what->id[i];
		for (have += 8; have >= 5; have -= 5)
			label[n++] = digits[bits >> (have - 5) & 31];
	}
	label[n] = '\0';
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
