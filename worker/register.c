/* /register: where people ask for an account, when the configuration lets them. */
#include <string.h>

#include <bsd/string.h>

#include "../privsep/conf.h"
#include "form.h"
#include "lang.h"
#include "routes.h"
#include "worker.h"

static void
register_page(
    struct stream *s, unsigned int status, const struct form *f, const char *error)
{
	const struct conf_for_worker *conf = s->w->conf;
	struct evbuffer *html, *rules;
	const char *l;
	struct answer a;

	answer_init(&a, s, ANSWER_PAGE);
	l = page_lang(&a);
	html = form_error(l, error);
	rules = form_rules(s->w, l);
	page_send(&a, status, lang_text(l, "registration"), "register.html",
	    (const struct page_value[]){ PAGE_TEXT("app", conf->http.app_name),
		PAGE_TEXT("heading", lang_text(l, "registration")),
		PAGE_TEXT("user_label", lang_text(l, "User name")),
		PAGE_TEXT("email_label", lang_text(l, "E-mail address")),
		PAGE_TEXT("password_label", lang_text(l, "Password")),
		PAGE_TEXT("register_label", lang_text(l, "Register")),
		PAGE_TEXT("login_label", lang_text(l, "Log in")),
		PAGE_HTML("error", html), PAGE_HTML("rules", rules),
		PAGE_TEXT("username", f != NULL ? f->kept : ""),
		PAGE_TEXT("email", f != NULL ? f->kept2 : "") },
	    11);
	evbuffer_free(html);
	evbuffer_free(rules);
}

bool
register_open(const struct worker *w)
{
	return (
	    w->conf->mode == AUTH_MULTI && w->conf->registration != REGISTRATION_CLOSED);
}

void
register_get(struct stream *s, const char *rest)
{
	(void)rest;
	if (register_open(s->w))
		register_page(s, 200, NULL, NULL);
	else
		respond_error(s, 404, NULL);
}

/* One who waits for approval is told so; anybody else logs in. */
static void
register_done(struct stream *s)
{
	struct answer a;
	const char *l;

	if (s->w->conf->registration == REGISTRATION_OPEN) {
		respond_redirect(s, 303, "/login");
		return;
	}
	answer_init(&a, s, ANSWER_PAGE);
	l = page_lang(&a);
	page_send(&a, 200, lang_text(l, "registration"), "register_done.html",
	    (const struct page_value[]){ PAGE_TEXT("app", s->w->conf->http.app_name),
		PAGE_TEXT("heading", lang_text(l, "registration")),
		PAGE_TEXT("login_label", lang_text(l, "Log in")),
		PAGE_TEXT("text",
		    lang_text(l,
			"An administrator has to approve your account before you can "
			"log in.")) },
	    4);
}

static void
register_body(struct stream *s, char *body, size_t len)
{
	struct form *f = form_new(s, body, len);
	struct m_account_edit m;
	struct slice email;

	f->page = register_page;
	f->done = register_done;
	memset(&m, 0, sizeof(m));
	m.set = EDIT_PASSWORD;
	email = form_get(f, SLICE("email"));
	if (email.len > 0 && email.len < sizeof(m.email))
		m.set |= EDIT_EMAIL;
	(void)form_copy(f, SLICE("email"), m.email, sizeof(m.email));
	strlcpy(f->kept2, m.email, sizeof(f->kept2));
	(void)form_copy(f, SLICE("username"), f->kept, sizeof(f->kept));
	if (f->kept[0] == '\0')
		register_page(s, 400, f, "Missing user name");
	else if (strlcpy(m.name, f->kept, sizeof(m.name)) >= sizeof(m.name))
		register_page(s, 400, f, "A user name has at most 32 characters.");
	else if (email.len >= sizeof(m.email))
		register_page(s, 400, f, "An e-mail address has at most 254 characters.");
	else if (!form_copy(f, SLICE("password"), m.password, sizeof(m.password)))
		register_page(s, 400, f, "Missing password");
	else
		form_ask(f, M_REGISTER, &m, sizeof(m));
	explicit_bzero(&m, sizeof(m));
}

void
register_post(struct stream *s, const char *rest)
{
	(void)rest;
	if (register_open(s->w))
		body_collect(s, register_body);
	else
		respond_error(s, 404, NULL);
}
