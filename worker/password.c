/* /password: the page on which a user changes the own password, and is sent to first
 * when that must be done before anything else. */
#include <stdlib.h>
#include <string.h>

#include <bsd/stdlib.h>
#include <bsd/string.h>

#include "../privsep/log.h"
#include "pages.h"
#include "respond.h"
#include "routes.h"
#include "session.h"
#include "url.h"
#include "worker.h"

struct attempt {
	struct stream *s;
	uint32_t question;
};

static void
password_page(struct stream *s, unsigned int status, const char *error)
{
	const struct wire_who *who = &s->w->who;
	struct evbuffer *html = evbuffer_new();
	struct answer a;

	if (html == NULL)
		fatalx("evbuffer_new");
	answer_init(&a, s, ANSWER_PAGE);
	if (error == NULL && who->must_change)
		error = "Choose a password of your own before you go on.";
	if (error != NULL)
		page_render(html, "login_error.html",
		    (const struct page_value[]){ PAGE_TEXT("text", error) }, 1);
	page_send(&a, status, "Change your password", "password.html",
	    (const struct page_value[]){
		PAGE_HTML("error", html), PAGE_TEXT("username", who->name) },
	    2);
	evbuffer_free(html);
}

void
password_get(struct stream *s, const char *rest)
{
	(void)rest;
	password_page(s, 200, NULL);
}

static void
attempt_close(struct stream *s)
{
	struct attempt *at = s->arg;

	auth_forget(s->w, at->question);
	free(at);
	s->arg = NULL;
}

static void
on_changed(void *arg, struct msg *m)
{
	struct attempt *at = arg;
	const struct m_fail *f = NULL;

	at->question = 0;
	if (m != NULL && m->head.type == M_OK) {
		at->s->w->who.must_change = 0;
		respond_redirect(at->s, 303, "/");
		return;
	}
	if (m != NULL && m->head.type == M_FAIL)
		f = MSG_DATA(m, m_fail);
	if (f != NULL && f->code == FAIL_INVALID && wire_str(f->text))
		password_page(at->s, 400, f->text);
	else if (f != NULL && f->code == FAIL_LIMITED && wire_str(f->text))
		password_page(at->s, 429, f->text);
	else
		auth_error(at->s, m);
}

/* False where it does not fit: no password of that length was ever set. */
static bool
take(char dst[WIRE_PASSWORD], struct slice v)
{
	if (v.len == 0 || v.len >= WIRE_PASSWORD)
		return (false);
	memcpy(dst, v.p, v.len);
	return (true);
}

static void
password_body(struct stream *s, char *body, size_t len)
{
	struct url_field f[URL_FORM_MAX];
	struct m_password m;
	struct attempt *at;
	int n = url_form(body, len, f, URL_FORM_MAX);
	bool ok;

	memset(&m, 0, sizeof(m));
	strlcpy(m.ask.rid, s->rid, sizeof(m.ask.rid));
	ok = n >= 0 && take(m.old, url_form_get(f, n, SLICE("current"))) &&
	    take(m.fresh, url_form_get(f, n, SLICE("password")));
	if (!ok) {
		password_page(
		    s, 400, "Both passwords are wanted, of 1 to 1024 bytes each.");
	} else {
		if ((at = calloc(1, sizeof(*at))) == NULL)
			fatal("calloc");
		at->s = s;
		s->arg = at;
		s->on_close = attempt_close;
		at->question = auth_ask(
		    s->w, M_ME_PASSWORD, &m, sizeof(m), on_changed, at);
		if (at->question == 0)
			respond_error(s, 503, NULL);
	}
	explicit_bzero(&m, sizeof(m));
}

void
password_post(struct stream *s, const char *rest)
{
	(void)rest;
	body_collect(s, password_body);
}
