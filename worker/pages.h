/*
 * Pages of our own, made from the templates in www/.
 *
 * In a template {{name}} is the value of that name, escaped for text and for
 * quoted attributes; {{{name}}} is one that is HTML already, since it was
 * made from a template itself; {{asset:file}} is the address of a file of www/, and
 * {{base}} comes before every other address of ours.
 * Whatever came from outside gets into a page by {{name}} only.
 */
#ifndef WORKER_PAGES_H
#define WORKER_PAGES_H

#include <event2/buffer.h>

#include "respond.h"

struct page_value {
	const char *name;
	const char *text;      /* or, if it is NULL: */
	struct evbuffer *html; /* rendered before; stays the caller's */
};

/* clang-format off */
#define PAGE_TEXT(n, t)	{ (n), (t), NULL }
#define PAGE_HTML(n, b)	{ (n), NULL, (b) }
/* clang-format on */

/* Appends the template to out. */
void page_render(struct evbuffer *out, const char *template,
    const struct page_value *values, size_t nvalues);
/* The template, in the frame, as the whole answer. */
void page_send(struct answer *a, unsigned int status, const char *title,
    const char *template, const struct page_value *values, size_t nvalues);
/* The language of who asks, said in the answer too. */
const char *page_lang(struct answer *a);
/* What is above the pages of a user: whose they are, and the way out. */
struct evbuffer *page_bar(const struct worker *w, const char *lang);
void page_error(
    struct answer *a, unsigned int status, const char *reason, const char *text);

#endif /* WORKER_PAGES_H */
