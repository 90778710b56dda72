/*
 * /ports: which ports of the own environment are shared, and forms that change that.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <bsd/string.h>

#include "../privsep/log.h"
#include "dates.h"
#include "pages.h"
#include "respond.h"
#include "routes.h"
#include "session.h"
#include "url.h"
#include "worker.h"

#define SHARES_SHOWN 16 /* that one has at most */

/* The rows of auth's answer, as they come. */
struct shares {
	struct stream *s;
	uint32_t question;
	size_t n;
	struct m_share share[SHARES_SHOWN];
};

static void
shares_close(struct stream *s)
{
	struct shares *sh = s->arg;

	auth_forget(s->w, sh->question);
	free(sh);
}

static void
render(struct evbuffer *out, const struct m_share *m, int64_t now)
{
	char port[8], created[48], when[48], expires[64], label[48];

	snprintf(port, sizeof(port), "%u", m->port);
	snprintf(label, sizeof(label), "End the sharing of port %u", m->port);
	date_relative(created, sizeof(created), m->created, now);
	date_relative(when, sizeof(when), m->expires, now);
	snprintf(expires, sizeof(expires),
	    m->expires != 0 ? "ends %s" : "ends with the environment", when);
	page_render(out, "ports_share.html",
	    (const struct page_value[]){ PAGE_TEXT("port", port),
		PAGE_TEXT("with",
		    m->with == SHARE_WITH_PUBLIC ? "with everybody" : "with users"),
		PAGE_TEXT("address", m->address), PAGE_TEXT("created", created),
		PAGE_TEXT("expires", expires), PAGE_TEXT("label", label) },
	    6);
}

static void
page(struct shares *sh)
{
	struct worker *w = sh->s->w;
	struct evbuffer *shares = evbuffer_new(), *public = evbuffer_new();
	struct evbuffer *bar = page_bar(w, "en");
	char first[8], last[8];
	int64_t now = time(NULL);
	struct answer a;

	if (shares == NULL || public == NULL)
		fatalx("evbuffer_new");
	for (size_t i = 0; i < sh->n; i++)
		render(shares, &sh->share[i], now);
	if (w->conf->proxy.share == SHARE_PUBLIC)
		page_render(public, "ports_public.html", NULL, 0);
	snprintf(first, sizeof(first), "%u", w->conf->proxy.port_first);
	snprintf(last, sizeof(last), "%u", w->conf->proxy.port_last);
	answer_init(&a, sh->s, ANSWER_PAGE);
	page_send(&a, 200, "shared ports", "ports.html",
	    (const struct page_value[]){ PAGE_HTML("bar", bar),
		PAGE_TEXT("state", sh->n > 0 ? "" : "No port is shared."),
		PAGE_TEXT("first", first), PAGE_TEXT("last", last),
		PAGE_HTML("shares", shares), PAGE_HTML("public", public) },
	    6);
	evbuffer_free(bar);
	evbuffer_free(shares);
	evbuffer_free(public);
}

static void
on_row(void *arg, struct msg *m)
{
	struct shares *sh = arg;
	const struct m_share *row;

	if (m != NULL && m->head.type == M_ROW_SHARE) {
		row = MSG_DATA(m, m_share);
		if (sh->n < SHARES_SHOWN && wire_str(row->address))
			sh->share[sh->n++] = *row;
		return;
	}
	sh->question = 0;
	if (m == NULL || m->head.type != M_PAGE)
		auth_error(sh->s, m);
	else
		page(sh);
}

/* Where nobody shares anything, there is no such page. */
static bool
is_there(struct stream *s)
{
	if (s->w->conf->proxy.share != SHARE_OFF)
		return (true);
	respond_error(s, 404, "Ports are not shared here.");
	return (false);
}

void
ports_page(struct stream *s, const char *rest)
{
	struct m_list m;
	struct shares *sh;

	(void)rest;
	if (!is_there(s))
		return;
	if ((sh = calloc(1, sizeof(*sh))) == NULL)
		fatal("calloc");
	sh->s = s;
	s->arg = sh;
	s->on_close = shares_close;
	memset(&m, 0, sizeof(m));
	m.limit = SHARES_SHOWN;
	sh->question = auth_ask(
	    s->w, request_of(s), M_SHARE_LIST, &m, sizeof(m), on_row, sh);
	if (sh->question == 0)
		respond_error(s, 503, NULL);
}

/* --- forms --- */

static void
done(void *arg, struct msg *m)
{
	struct stream *s = arg;

	if (m != NULL && m->head.type == M_ROW_SHARE)
		return;
	s->on_close = NULL;
	if (m == NULL || m->head.type != M_OK)
		auth_error(s, m);
	else
		respond_redirect(s, 303, "/ports");
}

/* A number of the form; false if there is another thing. */
static bool
number(const struct url_field *f, int n, struct slice name, uint64_t max, uint64_t *v)
{
	struct slice text = url_form_get(f, n, name);

	*v = 0;
	if (text.len > 9)
		return (false);
	for (size_t i = 0; i < text.len; i++) {
		if (text.p[i] < '0' || text.p[i] > '9')
			return (false);
		*v = *v * 10 + (uint64_t)(text.p[i] - '0');
	}
	return (*v <= max);
}

static void
share_body(struct stream *s, char *body, size_t len)
{
	struct url_field f[URL_FORM_MAX];
	int n = url_form(body, len, f, URL_FORM_MAX);
	struct m_share_add m;
	uint64_t port, life;

	if (n < 0 || !number(f, n, SLICE("port"), UINT16_MAX, &port) || port == 0 ||
	    !number(f, n, SLICE("for"), 999999999, &life)) {
		respond_error(s, 400, "Which port is to be shared, and for how long?");
		return;
	}
	memset(&m, 0, sizeof(m));
	m.port = (uint32_t)port;
	m.lifetime = life;
	m.with = slice_eq(url_form_get(f, n, SLICE("with")), SLICE("public")) ?
	    SHARE_WITH_PUBLIC :
	    SHARE_WITH_USERS;
	auth_ask_for(s, M_SHARE_ADD, &m, sizeof(m), done);
}

static void
end_body(struct stream *s, char *body, size_t len)
{
	struct url_field f[URL_FORM_MAX];
	int n = url_form(body, len, f, URL_FORM_MAX);
	struct m_share_ref m;
	uint64_t port;

	if (n < 0 || !number(f, n, SLICE("port"), UINT16_MAX, &port) || port == 0) {
		respond_error(s, 400, "Which port is meant?");
		return;
	}
	memset(&m, 0, sizeof(m));
	m.port = (uint32_t)port;
	auth_ask_for(s, M_SHARE_END, &m, sizeof(m), done);
}

void
ports_share(struct stream *s, const char *rest)
{
	(void)rest;
	if (is_there(s))
		body_collect(s, share_body);
}

void
ports_end(struct stream *s, const char *rest)
{
	(void)rest;
	if (is_there(s))
		body_collect(s, end_body);
}
