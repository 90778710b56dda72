/* /reset: the page of a one-time link, which sets a password. */
#include <string.h>

#include <bsd/string.h>

#include "../privsep/hex.h"
#include "form.h"
#include "lang.h"
#include "routes.h"
#include "worker.h"

#define HEX (2 * WIRE_RESET)

/* The link's secret is kept on the form. */
static void
reset_page(struct stream *s, unsigned int status, const struct form *f, const char *error)
{
	struct evbuffer *html, *rules;
	struct answer a;
	const char *l;

	answer_init(&a, s, ANSWER_PAGE);
	l = page_lang(&a);
	html = form_error(l, error);
	rules = form_rules(s->w, l);
	page_send(&a, status, lang_text(l, "A new password"), "reset.html",
	    (const struct page_value[]){ PAGE_HTML("error", html),
		PAGE_HTML("rules", rules),
		PAGE_TEXT("heading", lang_text(l, "A new password")),
		PAGE_TEXT("new_label", lang_text(l, "New password")),
		PAGE_TEXT("set_label", lang_text(l, "Set it")),
		PAGE_TEXT("token", f->kept) },
	    6);
	evbuffer_free(html);
	evbuffer_free(rules);
}

/* As many hexadecimal digits as there must be; their bytes in out, if that is wanted. */
static bool
is_token(const char *v, uint8_t *out)
{
	uint8_t bytes[WIRE_RESET];
	bool ok = strlen(v) == HEX && hex_get(out != NULL ? out : bytes, WIRE_RESET, v);

	explicit_bzero(bytes, sizeof(bytes));
	return (ok);
}

void
reset_get(struct stream *s, const char *rest)
{
	struct form f = { .s = s };
	ssize_t n = -1;

	(void)rest;
	if (s->query.p != NULL)
		n = url_query(f.kept, sizeof(f.kept), s->query, SLICE("token"));
	if (n < 0 || !is_token(f.kept, NULL))
		f.kept[0] = '\0';
	reset_page(s, 200, &f, NULL);
	explicit_bzero(f.kept, sizeof(f.kept));
}

static void
reset_done(struct stream *s)
{
	respond_redirect(s, 303, "/login");
}

static void
reset_body(struct stream *s, char *body, size_t len)
{
	struct form *f = form_new(s, body, len);
	struct m_reset_use m;

	f->page = reset_page;
	f->done = reset_done;
	memset(&m, 0, sizeof(m));
	if (!form_copy(f, SLICE("token"), f->kept, sizeof(f->kept)) ||
	    !is_token(f->kept, m.token)) {
		f->kept[0] = '\0';
		reset_page(s, 400, f, "This link is not whole: open it again.");
	} else if (!form_copy(f, SLICE("password"), m.password, sizeof(m.password))) {
		reset_page(s, 400, f, "A password of 1 to 1024 bytes is wanted.");
	} else {
		form_ask(f, M_RESET_USE, &m, sizeof(m));
	}
	explicit_bzero(&m, sizeof(m));
}

void
reset_post(struct stream *s, const char *rest)
{
	(void)rest;
	body_collect(s, reset_body);
}
