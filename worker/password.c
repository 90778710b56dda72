/* /password: the page on which a user changes the own password, and is sent to first
 * when that must be done before anything else. */
#include <string.h>

#include <bsd/string.h>

#include "form.h"
#include "lang.h"
#include "routes.h"
#include "worker.h"

static void
password_page(
    struct stream *s, unsigned int status, const struct form *f, const char *error)
{
	const struct wire_who *who = &s->w->who;
	struct evbuffer *html[3];
	struct answer a;
	const char *l;

	(void)f;
	if (error == NULL && who->must_change)
		error = "Choose a password of your own before you go on.";
	answer_init(&a, s, ANSWER_PAGE);
	l = page_lang(&a);
	html[0] = page_bar(s->w, l);
	html[1] = form_error(l, error);
	html[2] = form_rules(s->w, l);
	page_send(&a, status, lang_text(l, "Change your password"), "password.html",
	    (const struct page_value[]){ PAGE_HTML("bar", html[0]),
		PAGE_HTML("error", html[1]), PAGE_HTML("rules", html[2]),
		PAGE_TEXT("heading", lang_text(l, "Change your password")),
		PAGE_TEXT("current_label", lang_text(l, "Current password")),
		PAGE_TEXT("new_label", lang_text(l, "New password")),
		PAGE_TEXT("change_label", lang_text(l, "Change it")),
		PAGE_TEXT("username", who->name) },
	    8);
	for (size_t i = 0; i < sizeof(html) / sizeof(html[0]); i++)
		evbuffer_free(html[i]);
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
