/*
 * Pages made from templates: see pages.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../privsep/log.h"
#include "brand.h"
#include "lang.h"
#include "pages.h"
#include "port.h"
#include "url.h"
#include "worker.h"
#include "www.h"

/* Where the page finds what it loads: not the same on a port's origin.  And what
 * comes before every path of ours. */
static const char *assets = "/_static/", *base = "";

const struct www_file *
www_find(const char *name)
{
	const struct www_file *f = brand_file(name);

	if (f != NULL)
		return (f);
	for (f = www_files; f->name != NULL; f++)
		if (strcmp(f->name, name) == 0)
			return (f);
	return (NULL);
}

static void
put(struct evbuffer *out, const void *data, size_t len)
{
	if (evbuffer_add(out, data, len) == -1)
		fatalx("out of memory for a page");
}

static void
put_escaped(struct evbuffer *out, const char *text)
{
	size_t len = strlen(text), size = 6 * len + 1;
	char *esc;
	ssize_t n;

	if ((esc = malloc(size)) == NULL)
		fatal("malloc");
	n = html_escape(esc, size, (struct slice){ text, len });
	if (n > 0)
		put(out, esc, (size_t)n);
	free(esc);
}

/* The address changes with the content, so it may be cached for good. */
static void
put_asset(struct evbuffer *out, const char *name)
{
	const struct www_file *f = www_find(name);

	if (f == NULL)
		fatalx("BUG: no page file %s", name);
	put(out, base, strlen(base));
	put(out, assets, strlen(assets));
	put(out, f->name, strlen(f->name));
	put(out, "?v=", 3);
	put(out, f->tag, strlen(f->tag));
}

static void
put_value(struct evbuffer *out, const char *name, bool html, const struct page_value *v,
    size_t n)
{
	const unsigned char *p;
	size_t len;

	for (; n > 0; v++, n--)
		if (strcmp(v->name, name) == 0)
			break;
	if (n == 0 || html != (v->text == NULL))
		fatalx("BUG: value %s of a page", name);
	if (!html) {
		put_escaped(out, v->text);
		return;
	}
	/* Copied: a row may be shown more than once. */
	len = v->html == NULL ? 0 : evbuffer_get_length(v->html);
	if (len == 0)
		return;
	if ((p = evbuffer_pullup(v->html, -1)) == NULL)
		fatalx("out of memory for a page");
	put(out, p, len);
}

void
page_render(struct evbuffer *out, const char *template, const struct page_value *values,
    size_t nvalues)
{
	const struct www_file *f = www_find(template);
	const char *p, *end, *open, *close, *mark;
	char name[64];
	size_t braces;

	if (f == NULL)
		fatalx("BUG: no page %s", template);
	base = site_base(&worker);
	assets = port_is(&worker) ? PORT_OWN "static/" : "/_static/";
	p = (const char *)f->data;
	end = p + f->len;
	while ((open = memmem(p, (size_t)(end - p), "{{", 2)) != NULL) {
		put(out, p, (size_t)(open - p));
		braces = open + 2 < end && open[2] == '{' ? 3 : 2;
		mark = open + braces;
		close = memmem(mark, (size_t)(end - mark), "}}}", braces);
		if (close == NULL || (size_t)(close - mark) >= sizeof(name))
			fatalx("BUG: page %s is malformed", template);
		memcpy(name, mark, (size_t)(close - mark));
		name[close - mark] = '\0';
		if (strncmp(name, "asset:", 6) == 0)
			put_asset(out, name + 6);
		else if (strcmp(name, "base") == 0)
			put_escaped(out, base);
		else
			put_value(out, name, braces == 3, values, nvalues);
		p = close + braces;
	}
	put(out, p, (size_t)(end - p));
}

void
page_send(struct answer *a, unsigned int status, const char *title, const char *template,
    const struct page_value *values, size_t nvalues)
{
	struct evbuffer *body = evbuffer_new(), *out = evbuffer_new();
	char full[CONF_NAME_MAX + 64];

	if (body == NULL || out == NULL)
		fatalx("out of memory for a page");
	snprintf(full, sizeof(full), "%s %s", a->s->w->conf->http.app_name, title);
	page_render(body, template, values, nvalues);
	page_render(out, "frame.html",
	    (const struct page_value[]){ PAGE_TEXT("lang", a->lang),
		PAGE_TEXT("title", full), PAGE_HTML("body", body) },
	    3);
	answer_add(a, SLICE("content-type"), SLICE("text/html; charset=utf-8"));
	stream_respond(a->s, status, a->h, a->n, (int64_t)evbuffer_get_length(out));
	stream_write_buffer(a->s, out);
	stream_end(a->s);
	explicit_bzero(a->text, a->used);
	evbuffer_free(body);
	evbuffer_free(out);
}

const char *
page_lang(struct answer *a)
{
	a->lang = lang_pick(stream_header(a->s, HDR_ACCEPT_LANGUAGE));
	answer_add(a, SLICE("content-language"), slice_str(a->lang));
	answer_add(a, SLICE("vary"), SLICE("accept-language"));
	return (a->lang);
}

struct evbuffer *
page_bar(const struct worker *w, const char *lang)
{
	struct evbuffer *html = evbuffer_new();

	if (html == NULL)
		fatalx("out of memory for a page");
	page_render(html, "bar.html",
	    (const struct page_value[]){ PAGE_TEXT("app", w->conf->http.app_name),
		PAGE_TEXT("user", w->who.name),
		PAGE_TEXT("password", lang_text(lang, "Change your password")),
		PAGE_TEXT("logout", lang_text(lang, "Log out")) },
	    4);
	return (html);
}

void
page_error(struct answer *a, unsigned int status, const char *reason, const char *text)
{
	char num[12];

	snprintf(num, sizeof(num), "%u", status);
	page_send(a, status, reason, "error.html",
	    (const struct page_value[]){ PAGE_TEXT("status", num),
		PAGE_TEXT("reason", reason), PAGE_TEXT("text", text),
		PAGE_TEXT("rid", a->s->rid) },
	    4);
}
