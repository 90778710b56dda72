/* /password: the page on which a user changes the own password, and is sent to first
 * when that must be done before anything else. */
#include <string.h>

#include <bsd/string.h>

#include "form.h"
#include "routes.h"
#include "worker.h"

static void
password_page(
    struct stream *s, unsigned int status, const struct form *f, const char *error)
{
	const struct wire_who *who = &s->w->who;
	struct evbuffer *html;
	struct answer a;

	(void)f;
	if (error == NULL && who->must_change)
		error = "Choose a password of your own before you go on.";
	html = form_words("login_error.html", error);
	answer_init(&a, s, ANSWER_PAGE);
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
	password_page(s, 200, NULL, NULL);
}

static void
password_done(struct stream *s)
{
	s->w->who.must_change = 0;
	respond_redirect(s, 303, "/");
}

static void
password_body(struct stream *s, char *body, size_t len)
{
	struct form *f = form_new(s, body, len);
	struct m_password m;

	f->page = password_page;
	f->done = password_done;
	memset(&m, 0, sizeof(m));
	strlcpy(m.ask.rid, s->rid, sizeof(m.ask.rid));
	/* No password of another length was ever set. */
	if (form_copy(f, SLICE("current"), m.old, sizeof(m.old)) &&
	    form_copy(f, SLICE("password"), m.fresh, sizeof(m.fresh)))
		form_ask(f, M_ME_PASSWORD, &m, sizeof(m));
	else
		password_page(
		    s, 400, f, "Both passwords are wanted, of 1 to 1024 bytes each.");
	explicit_bzero(&m, sizeof(m));
}

void
password_post(struct stream *s, const char *rest)
{
	(void)rest;
	body_collect(s, password_body);
}
