/* Forms on which a password is typed: see form.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bsd/stdlib.h>

#include "../privsep/log.h"
#include "form.h"
#include "lang.h"
#include "routes.h"
#include "session.h"
#include "worker.h"

struct evbuffer *
form_words(const char *template, const char *text)
{
	struct evbuffer *html = evbuffer_new();

	if (html == NULL)
		fatalx("evbuffer_new");
	if (text != NULL && *text != '\0')
		page_render(html, template,
		    (const struct page_value[]){ PAGE_TEXT("text", text) }, 1);
	return (html);
}

struct evbuffer *
form_error(const char *lang, const char *english)
{
	struct evbuffer *html = evbuffer_new();
	const char *text;

	if (html == NULL)
		fatalx("evbuffer_new");
	if (english == NULL)
		return (html);
	text = lang_text(lang, english);
	page_render(html, "login_error.html",
	    (const struct page_value[]){ PAGE_TEXT("lang", text == english ? "en" : lang),
		PAGE_TEXT("text", text) },
	    2);
	return (html);
}

struct evbuffer *
form_rules(const struct worker *w, const char *lang)
{
	struct evbuffer *html = evbuffer_new();
	char min[12], classes[12];

	if (html == NULL)
		fatalx("evbuffer_new");
	snprintf(min, sizeof(min), "%u", w->conf->password_min);
	snprintf(classes, sizeof(classes), "%u", w->conf->password_classes);
	page_render(html, "password_rules.html",
	    (const struct page_value[]){
		PAGE_TEXT("min_label", lang_text(lang, "Characters, at least")),
		PAGE_TEXT("min", min),
		PAGE_TEXT("classes_label",
		    lang_text(lang, "Of these kinds (a, A, 1, #), at least")),
		PAGE_TEXT("classes", classes) },
	    4);
	return (html);
}

static void
form_close(struct stream *s)
{
	struct form *f = s->arg;

	auth_forget(s->w, f->question);
	freezero(f, f->size);
	s->arg = NULL;
}

void *
form_make(struct stream *s, size_t size)
{
	struct form *f;

	if ((f = calloc(1, size)) == NULL)
		fatal("calloc");
	f->s = s;
	f->size = size;
	s->arg = f;
	s->on_close = form_close;
	return (f);
}

void
form_parse(struct form *f, char *body, size_t len)
{
	f->n = url_form(body, len, f->field, URL_FORM_MAX);
}

struct form *
form_new(struct stream *s, char *body, size_t len)
{
	struct form *f = form_make(s, sizeof(*f));

	form_parse(f, body, len);
	return (f);
}

struct slice
form_get(const struct form *f, struct slice name)
{
	return (
	    f->n < 0 ? (struct slice){ NULL, 0 } : url_form_get(f->field, f->n, name));
}

bool
form_put(char *dst, size_t size, struct slice v)
{
	dst[0] = '\0';
	if (v.len >= size)
		return (false);
	memcpy(dst, v.len > 0 ? v.p : "", v.len);
	dst[v.len] = '\0';
	return (true);
}

bool
form_copy(const struct form *f, struct slice name, char *dst, size_t size)
{
	return (form_put(dst, size, form_get(f, name)) && dst[0] != '\0');
}

static void
on_answer(void *arg, struct msg *m)
{
	static const struct {
		enum wire_fail code;
		unsigned int status;
	} told[] = { { FAIL_INVALID, 400 }, { FAIL_DENIED, 403 }, { FAIL_EXISTS, 409 },
		{ FAIL_LIMITED, 429 } };
	struct form *f = arg;
	const struct m_fail *why;

	if (m != NULL && m->head.type == M_ROW_ACCOUNT)
		return;
	f->question = 0;
	if (f->answer != NULL) {
		f->answer(f, m);
		return;
	}
	if (m != NULL && m->head.type == M_OK) {
		f->done(f->s);
		return;
	}
	why = m != NULL && m->head.type == M_FAIL ? MSG_DATA(m, m_fail) : NULL;
	for (size_t i = 0; why != NULL && i < sizeof(told) / sizeof(told[0]); i++)
		if (told[i].code == why->code && wire_str(why->text)) {
			f->page(f->s, told[i].status, f, why->text);
			return;
		}
	auth_error(f->s, m);
}

void
form_ask(struct form *f, enum msg_type type, const void *payload, size_t len)
{
	/* The body, which it points into, is gone from here on. */
	memset(f->field, 0, sizeof(f->field));
	f->n = 0;
	f->question = auth_ask(
	    f->s->w, request_of(f->s), type, payload, len, on_answer, f);
	if (f->question == 0)
		respond_retry(f->s, 503, NULL, 1);
}
